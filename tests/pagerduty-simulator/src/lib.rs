//! A stateful PagerDuty on loopback that judges requests instead of accepting them.
//!
//! A [`Simulator`] serves five origins over TLS: the REST API and the Events API v2, each in the US
//! and in the EU region, and the identity service. Each region has one [`Account`] with separate
//! users, services, keys, and incidents. Tests send requests to it, and then inspect the requests
//! ([`Simulator::requests`]), what a careful reviewer would object to ([`Simulator::violations`]),
//! and the state of the account.
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
//! The operations, their requests, and their responses are data: see [`facts`].

#![deny(missing_docs)]
// The row of a raw incident has some fifty members.
#![recursion_limit = "256"]

mod account;
mod builder;
mod certificates;
mod clock;
mod echo;
mod engine;
mod error_shapes;
mod errors;
mod events;
pub mod examples;
pub use pagerduty_facts as facts;
mod faults;
mod hold;
mod http;
mod identity;
mod ids;
mod judge;
mod keys;
mod matching;
mod paging;
mod rate_limit;
mod recording;
mod reply;
mod resources;
mod routes;

mod simulator;
mod state;
mod webhooks;

pub use account::{Account, NewIncident};
pub use builder::Builder;
pub use certificates::{CertificateKind, IssuedCertificate};
pub use error_shapes::ErrorShape;
pub use faults::{Fault, FaultAction};
pub use hold::Hold;
pub use identity::{App, AppKind, Grant, GrantEnd, Identity, IdentitySettings, TokenRequest};
pub use keys::{Keys, Region, TokenKind};
pub use recording::{Origin, RecordedRequest};
pub use simulator::{Origins, Simulator};
pub use state::directory::{EscalationPolicy, Priority, Service, Team, User};
pub use state::incident::{Incident, Note, Status, Urgency};
pub use state::schedules::Schedule;
pub use webhooks::{Attempt, DeliveryState, WebhookDelivery, WebhookSubject};
