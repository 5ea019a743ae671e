//! Credentials as the host uses them, and where it gets them from.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::description::{Configuration, CredentialType, FieldProblem};
use crate::digest::Digest;
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
    /// What `configure` returned when it was connected.
    pub configuration: Configuration,
    /// `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
    /// Raised whenever a secret of it changes.
    pub revision: u64,
}

/// Who asks for a credential, and for what. An engine decides by it whether the credential may be
/// used; the host passes on what the engine said when it started the execution.
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
    /// Who runs it.
    pub actor: Option<String>,
    /// The workflow.
    pub workflow: Option<String>,
}

/// Why a credential cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is none of this name.
    #[error("there is no credential `{0}`")]
    Unknown(String),
    /// It must be connected again.
    #[error("the credential `{name}` must be connected again: {reason}")]
    Reconnect {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The one who asks may not use it.
    #[error("the credential `{name}` may not be used here: {reason}")]
    Forbidden {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It cannot be refreshed.
    #[error("the credential `{0}` holds nothing that could be refreshed")]
    NotRefreshable(String),
    /// The source failed.
    #[error("the credential store failed: {0}")]
    Source(String),
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

/// What a user has filled in for a new credential.
#[derive(Clone, Debug, Default)]
pub struct CredentialForm {
    /// The fields without secrets.
    pub fields: Map<String, Value>,
    /// The secrets.
    pub secrets: BTreeMap<String, Secret>,
}

impl CredentialForm {
    /// Checks the form against a credential type: the schema, that every secret stands among the
    /// secrets and nothing else does, and that secrets are long enough to be recognised in answers.
    /// The problems never quote a secret.
    pub fn check(&self, credential_type: &CredentialType) -> Vec<FieldProblem> {
        let secret_fields = credential_type.secret_fields();
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: String| {
            problems.push(FieldProblem { pointer: format!("/{field}"), message });
        };
        for name in self.fields.keys().filter(|name| secret_fields.contains(*name)) {
            problem(name, "is a secret: give it as one".into());
        }
        for (name, secret) in &self.secrets {
            if !secret_fields.contains(name) {
                problem(name, "is no secret of this credential type".into());
            } else if secret.len() < Secret::MINIMUM_LENGTH {
                problem(name, format!("is shorter than {} bytes", Secret::MINIMUM_LENGTH));
            } else if secret.expose().chars().any(|c| c.is_control()) {
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
        match crate::description::schema::Validator::new(&no_schemas, &credential_type.fields) {
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
