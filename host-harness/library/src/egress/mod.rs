//! The only way to the network: every request of a plugin passes [`Session::send`], and the host's
//! own requests, to get and revoke tokens, pass [`Endpoints::send`].
//!
//! | step | where |
//! | --- | --- |
//! | 1. the request is well-formed, its URL means one thing | `judge`, `destination` |
//! | 2. approved origins ∩ the operator's list ∩ the credential's audiences | `destination` |
//! | 3. headers of the host and of placements are not the guest's | `judge` |
//! | 4. pacing by the credential's rate limit, within the deadline | `pacing` |
//! | 5. placements are filled last, in the host's memory | `placement`, `handles` |
//! | 6. the address, for each new connection, before a byte of the request leaves | `crate::transport` |
//! | 7. sent, repeated only where that is safe | `attempts` |
//! | 8. secrets are taken out of the answer | `answer`, `echo`, `handles` |
//! | 9. audit and journal | `report`, `session` |

mod admission;
mod answer;
mod attempts;
mod destination;
mod echo;
mod ending;
mod endpoint;
mod form;
mod gate;
mod handles;
mod judge;
mod pacing;
mod placement;
mod report;
mod session;
mod slot;
mod unescape;
mod waiting;

pub(crate) use admission::Admission;
pub(crate) use echo::{EchoFilter, EchoFilters};
pub(crate) use ending::Ending;
pub(crate) use endpoint::{Endpoint, EndpointCaller, EndpointError, EndpointErrorKind, Endpoints};
pub use gate::SendGate;
pub(crate) use handles::{Handles, Holder};
pub(crate) use judge::user_agent;
pub(crate) use pacing::{PaceKey, Pacing};
pub(crate) use session::{Answered, Policy, Session};
pub(crate) use slot::{SlotCredential, SlotState, hidden};
