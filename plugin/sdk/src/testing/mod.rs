//! Native tests of a node: a host driven by a script or a closure, a virtual clock, and every
//! function that the component exports. Requires the feature `testing`; needs no WebAssembly and no
//! network.
//!
//! ```toml
//! [dev-dependencies]
//! workflow-node-sdk = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A call takes the same path as in the component, and the result is validated against the node's
//! description: output against its schema, and documents against the schemas of the contract.
//!
//! | what the component exports | how a test calls it |
//! | --- | --- |
//! | `node.execute` | [`Host::execute`], [`Host::call`] |
//! | `node.load-options` | [`Host::load_options`] |
//! | `node.describe`, `credential-type.describe`, `trigger.describe` | [`describe`], [`assert_sound`] |
//! | `credential-type.configure` | [`configure`], [`Host::connected`] |
//! | `credential-type.test` | [`Host::test`] |
//! | `trigger.setup`, `check`, `teardown`, `receive`, `poll` | `Host::setup`, `check`, `teardown`, `receive`, `poll`, with the feature `triggers` |

mod calls;
mod describe;
mod host;
mod schemas;
mod sent;
#[cfg(feature = "triggers")]
mod trigger;

pub use calls::{Call, configure, configure_granted};
pub use describe::{Description, assert_sound, describe};
pub use host::{Host, answer, json};
pub use sent::Sent;
#[cfg(feature = "triggers")]
pub use trigger::Subscription;
