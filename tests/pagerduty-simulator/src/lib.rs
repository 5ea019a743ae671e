//! A stateful PagerDuty on loopback that judges requests instead of accepting them.
//!
//! A [`Simulator`] serves five origins over TLS: the REST API and the Events API v2, each in the
//! US and in the EU region, and the identity service. Each region is one [`Account`] with its own users, services, keys and
//! incidents. Tests drive it, then ask what arrived ([`Simulator::requests`]), what a careful
//! reviewer would object to ([`Simulator::violations`]) and what the account now holds.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use pagerduty_simulator::{Fault, Simulator};
//!
//! let simulator = Simulator::builder().rate_limit(960).start().await?;
//! let key = simulator.us().keys().account;
//! simulator.fault(Fault::status(503).method("GET").path("/services").times(2));
//! // … send requests to simulator.origins().rest_us with `key`, trusting simulator.ca_pem() …
//! assert!(simulator.violations().is_empty(), "{key}");
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Adding an operation takes one row in the table of `routes.rs` and one function in `resources`.

#![deny(missing_docs)]

mod account;
mod builder;
mod certificates;
mod clock;
mod declarations;
mod echo;
mod error_shapes;
mod errors;
mod events;
mod faults;
mod hold;
mod http;
mod identity;
mod ids;
mod judge;
mod keys;
mod query;
mod rate_limit;
mod recording;
mod reply;
mod resources;
mod routes;
mod shape;

mod simulator;
mod state;

pub use account::{Account, NewIncident};
pub use builder::Builder;
pub use certificates::CertificateKind;
pub use error_shapes::ErrorShape;
pub use faults::{Fault, FaultAction};
pub use hold::Hold;
pub use identity::{App, AppKind, Grant, GrantEnd, Identity, IdentitySettings, TokenRequest};
pub use keys::{Keys, Region, TokenKind};
pub use recording::{Origin, RecordedRequest};
pub use simulator::{Origins, Simulator};
pub use state::directory::{EscalationPolicy, Priority, Schedule, Service, Team, User};
pub use state::incident::{Incident, Note, Status, Urgency};
