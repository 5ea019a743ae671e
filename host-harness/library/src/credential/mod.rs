//! Credentials as the host uses them, where it gets them from, and how they are kept.

pub(crate) mod reference;
pub(crate) mod rights;
mod size;
mod status;
mod store;
mod stored;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use reference::{InvalidReference, ReferenceError, SecretReference};
pub(crate) use size::check_size;
pub use status::{CredentialStatus, CredentialSummary};
pub(crate) use status::{ended, outcome_unknown, refused};
pub use store::CredentialStore;
pub use stored::{
    Claim, Connection, ConnectionKey, ConnectionParts, CredentialId, Dependant, Head, HeadChange,
    Health, LastUse, Lease, LeaseChange, Mode, NewCredential, Renewal, Stored,
};

use crate::description::{Configuration, CredentialType, Description, FieldProblem};
use crate::digest::Digest;
use crate::limits::ProcessLimits;
use crate::principal::{Principal, User};
use crate::secret::Secret;

/// A credential, ready to be used.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name, unique in its source.
    pub name: String,
    /// The node that it was connected for.
    pub node: String,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form's fields without secrets.
    pub fields: Map<String, Value>,
    /// The form's secrets and the grant's tokens, by name (`access_token`).
    pub secrets: BTreeMap<String, Secret>,
    /// Configuration that `configure` returned when it was connected.
    pub configuration: Configuration,
    /// `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
    /// Raised whenever a secret of it changes.
    pub revision: u64,
}

/// The caller and purpose of a credential request. An engine uses it to decide whether the
/// credential may be used; the host passes on the values that the engine gave when it started the
/// execution.
#[derive(Clone, Debug, Default)]
pub struct CredentialRequest {
    /// The credential's name.
    pub name: String,
    /// The slot that it is to fill.
    pub slot: String,
    /// The node.
    pub node: String,
    /// Digest of the component.
    pub plugin: Option<Digest>,
    /// The action.
    pub action: String,
    /// Who runs it. The credential is looked for in this one's tenant.
    pub actor: Principal,
    /// The workflow.
    pub workflow: Option<String>,
    /// Description by the approved component; set by the host. A source that renews tokens finds
    /// the method of its service there.
    pub description: Option<Arc<Description>>,
    /// The operator's list of origins for this use; `None` does not narrow.
    pub allow: Option<Vec<crate::origin::OriginPattern>>,
    /// Nothing may be sent, as in a dry run. A credential that would have to be renewed is returned
    /// without renewal.
    pub offline: bool,
}

/// The action under which a credential is proved.
pub(crate) const TEST: &str = "credential.test";

/// Why a credential cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// There is none of this name.
    #[error("credential `{0}` not found")]
    Unknown(String),
    /// The name is taken.
    #[error(
        "credential `{0}` already exists. Choose another name, or reconnect the existing \
             credential"
    )]
    Exists(String),
    /// Nobody, or not this user, has connected under the name.
    #[error("{}", not_connected(name, user.as_ref()))]
    NotConnected {
        /// Its name.
        name: String,
        /// Who would have to.
        user: Option<User>,
    },
    /// It was changed since it was read.
    #[error("credential `{0}` was changed in the meantime. Read it again")]
    Changed(String),
    /// Something of it is not as it may be.
    #[error("{0}")]
    Invalid(String),
    /// It was granted less than the action needs.
    #[error(
        "credential `{name}` lacks a scope that `{action}` needs: {}", lacking.join(" and ")
    )]
    InsufficientScope {
        /// Its name.
        name: String,
        /// The action.
        action: String,
        /// The scopes that were not granted.
        lacking: Vec<String>,
    },
    /// Its service is currently unavailable; the stored credential is unchanged.
    #[error("the token of credential `{name}` cannot be refreshed now: {reason}")]
    Unavailable {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It must be connected again.
    #[error("credential `{name}` must be reconnected: {reason}")]
    Reconnect {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The caller may not use it.
    #[error("credential `{name}` cannot be used here: {reason}")]
    Forbidden {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A secret of it is kept elsewhere and cannot be read there now.
    #[error("the secret `{secret}` of credential `{name}` is not available")]
    Unreadable {
        /// Its name.
        name: String,
        /// Name of the secret.
        secret: String,
        /// The reason and the next step.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot be refreshed.
    #[error("credential `{0}` cannot be refreshed")]
    NotRefreshable(String),
    /// The store or source of credentials failed. The source of this error is the error that it
    /// reported.
    #[error("the credential store failed")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CredentialError {
    /// The store or source of credentials failed with this error.
    pub fn source_failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Source(error.into())
    }
}

pub(crate) fn not_connected(name: &str, user: Option<&User>) -> String {
    match user.filter(|user| !user.is_default()) {
        Some(user) => {
            format!("{user} has not connected `{name}` yet. Each user needs a separate connection")
        }
        None => format!(
            "`{name}` needs a separate connection for each user, and no acting user was named"
        ),
    }
}

/// Where the host gets credentials from. An engine brings its own.
#[async_trait]
pub trait CredentialSource: Send + Sync + 'static {
    /// The credential, for this use. Asked once per slot and execution, before the guest runs.
    ///
    /// # Errors
    ///
    /// When it is not there or may not be used.
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError>;

    /// A credential newer than `revision`, because the service has just refused that one. Called
    /// at most once per request; several requests may call it at once, and one refresh serves them
    /// all.
    ///
    /// # Errors
    ///
    /// When there is none.
    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        let _ = revision;
        Err(CredentialError::NotRefreshable(request.name.clone()))
    }

    /// Whether everybody who may use the credential that was last given for this use has the same
    /// secrets. What is paced and pooled is shared then; else each user has their own. Default: no.
    fn is_shared(&self, request: &CredentialRequest) -> bool {
        let _ = request;
        false
    }

    /// The service has refused the credential of this revision with 401, and nothing newer could be
    /// had. Called once per request that ended so; must not block for long.
    fn refused(&self, request: &CredentialRequest, revision: u64) {
        let _ = (request, revision);
    }

    /// The service has accepted the credential of this revision. Called once per request that
    /// ended so; must not block for long.
    fn accepted(&self, request: &CredentialRequest, revision: u64) {
        let _ = (request, revision);
    }
}

/// Credentials in memory, by name. For tests and examples.
#[derive(Debug, Default)]
pub struct MemoryCredentials(Mutex<BTreeMap<String, Credential>>);

impl MemoryCredentials {
    /// Adds a credential, or replaces the one of the same name.
    pub fn insert(&self, credential: Credential) {
        let mut credentials = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        credentials.insert(credential.name.clone(), credential);
    }
}

#[async_trait]
impl CredentialSource for MemoryCredentials {
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError> {
        let credentials = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        credentials
            .get(&request.name)
            .cloned()
            .ok_or_else(|| CredentialError::Unknown(request.name.clone()))
    }
}

/// Values that a user has entered for a new credential.
#[derive(Clone, Debug, Default)]
pub struct CredentialForm {
    /// The fields without secrets.
    pub fields: Map<String, Value>,
    /// The secrets.
    pub secrets: BTreeMap<String, Secret>,
}

impl CredentialForm {
    /// Sets a field that is not secret.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Sets a secret.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, secret: impl AsRef<str>) -> Self {
        self.secrets.insert(name.into(), Secret::new(secret.as_ref()));
        self
    }

    /// Validates the form against a credential type: the schema, that the secrets contain exactly
    /// the secret fields, and that secrets are long enough to be recognized in responses. The
    /// problems never quote a secret.
    pub fn check(&self, credential_type: &CredentialType) -> Vec<FieldProblem> {
        let secret_fields = credential_type.secret_fields();
        // A key in PEM has lines.
        let key = credential_type.grant.private_key_field();
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: String| {
            problems.push(FieldProblem { pointer: format!("/{field}"), message });
        };
        for name in self.fields.keys().filter(|name| secret_fields.contains(*name)) {
            problem(name, "is a secret: give it as one".into());
        }
        for (name, secret) in &self.secrets {
            if !secret_fields.contains(name) || reference::is_reserved(name) {
                problem(name, "is not a secret of this credential type".into());
            } else if secret.len() < Secret::MINIMUM_LENGTH {
                problem(name, format!("is shorter than {} bytes", Secret::MINIMUM_LENGTH));
            } else if secret.expose().chars().any(|c| {
                c.is_control() && !(key == Some(name.as_str()) && matches!(c, '\n' | '\r'))
            }) {
                problem(name, "holds a control character, e.g. a line break at its end".into());
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let mut whole = self.fields.clone();
        for (name, secret) in &self.secrets {
            whole.insert(name.clone(), Value::String(secret.expose().to_owned()));
        }
        let whole = Value::Object(whole);
        let no_schemas = Map::new();
        match crate::description::schema::Validator::new(
            &no_schemas,
            &credential_type.fields,
            &ProcessLimits::default(),
        ) {
            Ok(validator) => {
                let mut problems = validator.problems(&whole);
                for problem in &mut problems {
                    let is_secret =
                        secret_fields.iter().any(|name| problem.pointer == format!("/{name}"));
                    let quotes_secret = self
                        .secrets
                        .values()
                        .any(|secret| problem.message.contains(secret.expose()));
                    if is_secret || quotes_secret {
                        problem.message = "is not of the form that is asked for".into();
                    }
                }
                problems
            }
            Err(error) => vec![FieldProblem { pointer: String::new(), message: error }],
        }
    }
}
