//! Journals: what was recorded is replayed, and what was interrupted goes on without a write that
//! happens twice. In both modes of isolation.

mod cuts;
mod options;
mod replays;
mod restarts;
mod tap;
