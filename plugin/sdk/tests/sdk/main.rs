//! The SDK as a node's author sees it: a small plugin, calls, and their requests.

mod defaults;
mod documents;
mod example;
mod executor;
mod items;
mod order;
mod packed;
mod pages;
mod paging;
mod plugin;
mod references;
mod reported;
mod split;
mod testing;
mod unknown_outcomes;
mod windows;
