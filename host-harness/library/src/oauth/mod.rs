//! The life of a credential: connected by a person, renewed by the host, ended by either side.
//!
//! [`CredentialManager`] is built on a [`CredentialStore`](crate::credential::CredentialStore) and
//! is the host's source of credentials.
//! [`HostBuilder::credential_store`](crate::HostBuilder::credential_store) creates one with the
//! host's transport, approvals, audit, and clock. It contains nothing specific to a service: the
//! plugin's description states how tokens are issued, and only what an operator has approved is
//! used.
//!
//! | | where |
//! | --- | --- |
//! | from a form to a credential: state, PKCE, the code, the ID token | `order`, `connect`, `callback`, `id_token`, `outcome` |
//! | the browser's way back to this machine, and the page it ends on | `loopback`, `page` |
//! | rights in words; what lacks | `rights` |
//! | token and revocation requests, by the `oauth2` crate | `wire`, `answer` |
//! | exactly one refresh, and the meaning of a refresh without a response | `renew`, `giving_up` |
//! | who may use what | `access` |
//! | the end | `ending` |
//! | what all of them work with | `backend` |
//! | an authorization that outlives its process | `suspended` |
//! | what an engine calls | `manage` |
//!
//! Each part owns its state: access what it has last seen of credentials, connection the
//! authorizations that wait for a person, renewal its turns and tasks. All that outlives the process is
//! in the store.
//!
//! An engine with a web server connects like this:
//!
//! ```no_run
//! # use workflow_node_host::oauth::{Actor, ConnectError, ConnectOrder, Page};
//! # use workflow_node_host::{Host, Plugin};
//! # async fn connect(host: &Host, plugin: &Plugin, callback: &str) -> Result<String, ConnectError> {
//! let credentials = host.credentials()?;
//! let ada = Actor::user("ada");
//! let order = ConnectOrder {
//! name: "work".into(),
//! credential_type: "oauth2".into(),
//! redirect: Some("https://engine.example/oauth/callback".parse().expect("a URL")),
//! ..ConnectOrder::default()
//! };
//! let authorization = credentials.begin(plugin, order, &ada).await?;
//! // Show `authorization.rights`, then send the browser to `authorization.url`. Later, with the
//! // URL of the request that comes to the redirect URL, and
//! // the signed-in user:
//! let connection = credentials.finish(callback, &ada).await?;
//! let page = Page::connected("work", "", &[]).html();
//! credentials.keep(connection, &ada).await?;
//! # Ok(page)
//! # }
//! ```

mod access;
mod answer;
mod assertion;
mod backend;
mod callback;
mod connect;
mod ending;
mod giving_up;
mod id_token;
mod loopback;
mod manage;
mod order;
mod outcome;
mod page;
mod renew;
pub(crate) mod suspended;
#[cfg(test)]
mod tests;
mod wire;

pub use crate::credential::rights::{AskFor, Right};
pub(crate) use backend::{Backend, NoEvents};
pub use connect::{Authorization, DeviceAuthorization};
pub use ending::{Disconnection, Revoked};
pub use loopback::{Loopback, Received, WAITING};
pub use manage::{Actor, CredentialEnded, CredentialEvents, CredentialManager, Timing};
pub use order::ConnectOrder;
pub use outcome::{Difference, NewConnection};
pub use page::Page;

use crate::credential::CredentialError;

/// Why something cannot be connected. Nothing was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The plugin, its approval, or the form.
    #[error(transparent)]
    Plugin(#[from] crate::error::Error),
    /// The store, or who may do what.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The credential type is connected in another way.
    #[error("the credential type is connected by {is}")]
    Grant {
        /// How.
        is: &'static str,
    },
    /// The name is there, for something else.
    #[error(
        "the credential `{name}` is of type {is}: what is connected again stays of its type. Choose \
         another name"
    )]
    OtherType {
        /// Its name.
        name: String,
        /// Its credential type.
        is: String,
    },
    /// No redirect URL was given.
    #[error("the service has to know where to send you back to: name a redirect URL")]
    NoRedirect,
    /// No code may be sent to the redirect URI.
    #[error("{0}")]
    Redirect(String),
    /// The plugin says nothing about OAuth for this credential.
    #[error("the plugin configures no OAuth endpoints for this credential type")]
    NotConfigured,
    /// A rule of this host.
    #[error("{0}")]
    Refused(String),
    /// The system provides no random bytes, or the redirect URI or the pending connection cannot be
    /// written.
    #[error("the connection cannot be prepared")]
    Prepare(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The callback belongs to no authorization that waits here.
    #[error(
        "this callback belongs to no connection that was begun here, or to one that is over: begin \
         again"
    )]
    State,
    /// The callback is not as it has to be.
    #[error("the callback is refused: {0}")]
    Callback(String),
    /// The service refuses.
    #[error("the service does not connect it: {reason}")]
    Service {
        /// Why.
        reason: String,
        /// Whether the person has declined.
        denied: bool,
    },
    /// The ID token is for somebody else.
    #[error("the ID token of the service is refused: {0}")]
    IdToken(String),
    /// It is another account or user than before.
    #[error("it is another account than before: {}", differences(.0))]
    OtherAccount(Vec<Difference>),
}

fn differences(all: &[Difference]) -> String {
    let one = |one: &Difference| format!("{} was {}, is {}", one.what, one.was, one.is);
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}
