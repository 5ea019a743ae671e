//! Serves workflow nodes to engines that are not written in Rust: one process holds plugins,
//! approvals, credentials, limits, and the audit log, and engines call it over HTTP with tokens. No
//! engine ever receives a service's secret.
//!
//! A [`Server`] runs what a [`Host`](workflow_node_host::Host) has loaded. `harness serve` is this
//! crate with a command line; docs/serve.md describes how to operate it.
//!
//! ```no_run
//! # async fn example(host: workflow_node_host::Host) -> Result<(), Box<dyn std::error::Error>> {
//! use workflow_node_server::{Database, Policy, PolicySource, Server, Tokens};
//!
//! let database = Database::open("/var/lib/harness")?;
//! let token = Tokens::new(database.clone())
//!     .create("n8n", &PolicySource::Own(Box::new(Policy::default())), None)?;
//! let server = Server::builder(host.clone(), database)
//!     .plugin(host.load_file("pagerduty.wasm").await?)
//!     .listen("127.0.0.1:7410".parse()?)
//!     .start()
//!     .await?;
//! // Give the token to the engine. At the end:
//! server.shut_down().await;
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

mod api;
mod audit;
mod config;
mod connection;
pub mod data;
mod database;
pub mod drift;
mod error;
mod execution;
mod extract;
mod guard;
mod hooks;
mod html;
mod limits;
mod listen;
mod mcp;
mod metrics;
mod origins;
mod page;
mod pages;
mod permitted;
mod resume;
mod seal;
mod secrets;
mod server;
mod session;
mod state;
mod subscription;
mod telemetry;
mod tls;
mod token;
mod write_ahead;

pub use audit::{AuditEntry, AuditQuery, read_audit};
pub use config::{ApprovalConfig, Config, ConfigError, CredentialConfig, PageConfig, PluginConfig};
pub use database::{Database, DatabaseError};
pub use limits::ServerLimits;
pub use seal::ServerKeys;
pub use secrets::{SecretRecord, SecretValue, Secrets};
pub use server::{Server, ServerBuilder, ServerError, openapi};
pub use session::{PageLinks, ProxyIdentity, ProxyRange};
pub use telemetry::{Telemetry, TelemetryError};
pub use tls::{TlsError, TlsFiles};
pub use token::{Policies, Policy, PolicySource, Role, TokenRecord, Tokens};
