//! What a plugin asks for, and what an operator has granted. Declaring grants nothing: nothing
//! runs before an approval for exactly this component.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::description::{Delivery, Description, Effect, Placement, SecretPosition};
use crate::digest::Digest;
use crate::origin::OriginPattern;

/// Everything that a plugin asks an operator for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct GrantRequest {
    /// The node's name.
    pub node: String,
    /// The node's version.
    pub version: u32,
    /// Origins that it may send requests to.
    pub origins: Vec<OriginPattern>,
    /// Its credential types.
    pub credentials: BTreeMap<String, CredentialGrant>,
    /// Positions of secrets in answers, and where their handles are filled.
    #[serde(default)]
    pub secrets: Vec<SecretPosition>,
    /// Names of its actions by effect.
    pub actions: BTreeMap<Effect, BTreeSet<String>>,
    /// Its triggers, and how their events come. Those that the service delivers are set up there,
    /// which is a write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Delivery>,
}

/// What a credential type asks for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct CredentialGrant {
    /// Origins that the credential may be sent to.
    pub origins: Vec<OriginPattern>,
    /// Where it is written.
    pub placements: Vec<Placement>,
    /// OAuth endpoints.
    #[serde(default)]
    pub oauth_endpoints: BTreeSet<String>,
    /// Scopes that may be asked for.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
}

impl GrantRequest {
    /// What a description asks for.
    pub(crate) fn of(description: &Description) -> Self {
        let node = &description.node;
        let credentials = description
            .credential_types
            .values()
            .map(|credential_type| {
                let grant = CredentialGrant {
                    origins: credential_type.origins.clone(),
                    placements: credential_type.placements.clone(),
                    oauth_endpoints: credential_type
                        .grant
                        .endpoints()
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                    scopes: credential_type.scopes.iter().map(|one| one.name.clone()).collect(),
                };
                (credential_type.name.clone(), grant)
            })
            .collect();
        let mut actions: BTreeMap<Effect, BTreeSet<String>> = BTreeMap::new();
        for action in &node.actions {
            actions.entry(action.effect).or_default().insert(action.name.clone());
        }
        Self {
            node: node.name.clone(),
            version: node.version,
            origins: node.origins.clone(),
            credentials,
            secrets: node.secrets.clone(),
            actions,
            triggers: description
                .triggers
                .iter()
                .map(|trigger| (trigger.name.clone(), trigger.delivery.clone()))
                .collect(),
        }
    }

    /// What this asks for that `granted` does not hold, in words; empty when it did not grow.
    pub fn growth_over(&self, granted: &Self) -> Vec<String> {
        let mut growth = Vec::new();
        let new_origins = |asked: &[OriginPattern], had: &[OriginPattern]| -> Vec<String> {
            asked
                .iter()
                .filter(|origin| !had.iter().any(|one| one.covers(origin)))
                .map(ToString::to_string)
                .collect()
        };
        for origin in new_origins(&self.origins, &granted.origins) {
            growth.push(format!("requests to {origin}"));
        }
        for (name, asked) in &self.credentials {
            let Some(had) = granted.credentials.get(name) else {
                growth.push(format!("the credential type {name}"));
                continue;
            };
            for origin in new_origins(&asked.origins, &had.origins) {
                growth.push(format!("credentials of type {name} sent to {origin}"));
            }
            for placement in asked.placements.iter().filter(|one| !had.placements.contains(one)) {
                growth.push(format!("credentials of type {name} {}", placement.in_words()));
            }
            for url in asked.oauth_endpoints.difference(&had.oauth_endpoints) {
                growth.push(format!("the OAuth endpoint {url} for {name}"));
            }
            for scope in asked.scopes.difference(&had.scopes) {
                growth.push(format!("the scope {scope} for {name}"));
            }
        }
        for secret in granted.secrets.iter().filter(|one| !self.secrets.contains(one)) {
            let place = match (&secret.path, &secret.pointer) {
                (Some(path), Some(pointer)) => format!(" at {path}{pointer}"),
                _ => String::new(),
            };
            growth.push(format!("the secret {}{place} is no longer kept from it", secret.name));
        }
        for secret in self.secrets.iter().filter(|one| !granted.secrets.contains(one)) {
            for placement in &secret.placements {
                growth.push(format!(
                    "the secret {} written to {}{}",
                    secret.name, placement.path, placement.pointer
                ));
            }
        }
        for (effect, asked) in &self.actions {
            let had = granted.actions.get(effect);
            for name in asked.iter().filter(|name| had.is_none_or(|had| !had.contains(*name))) {
                growth.push(format!("the action {name} (effect: {effect})"));
            }
        }
        for (name, asked) in &self.triggers {
            match (granted.triggers.get(name), asked) {
                (None, Delivery::Webhook(_)) => {
                    growth.push(format!("the trigger {name} (sets up deliveries at the service)"));
                }
                (None, Delivery::Poll(_)) => growth.push(format!("the trigger {name} (polls)")),
                (None, _) => growth.push(format!("the trigger {name}")),
                (Some(had), asked) if !is_no_laxer(had, asked) => {
                    growth.push(format!("the trigger {name} with other rules for deliveries"));
                }
                _ => {}
            }
        }
        growth
    }
}

/// Whether deliveries are checked at least as they were when it was granted.
fn is_no_laxer(had: &Delivery, asked: &Delivery) -> bool {
    match (had, asked) {
        (Delivery::Poll(_), Delivery::Poll(_)) => true,
        (Delivery::Webhook(had), Delivery::Webhook(asked)) => had.signature == asked.signature,
        _ => false,
    }
}

/// An operator's word about one component.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Approval {
    /// The component.
    pub digest: Digest,
    /// What was granted: what the component asked for when it was shown.
    pub grant: GrantRequest,
    /// Milliseconds since 1970.
    pub approved_at: u64,
    /// Who approved it, if the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Why approvals cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the approvals {place} cannot be used: {problem}")]
pub struct ApprovalsError {
    place: String,
    problem: String,
}

impl ApprovalsError {
    /// Of a store that an engine brings.
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// Where approvals are kept.
pub trait Approvals: Send + Sync + 'static {
    /// The approval of a component. Asked before each call. As long as the approval is the same,
    /// return the same `Arc`: the host compares a grant with what the plugin requests only when it
    /// sees another.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError>;

    /// The latest approval of any component of this node, to show what has changed since.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError>;

    /// Keeps an approval.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn record(&self, approval: Approval) -> Result<(), ApprovalsError>;
}

/// Approvals in memory, for tests and examples.
#[derive(Debug, Default)]
pub struct MemoryApprovals(Mutex<Vec<Arc<Approval>>>);

impl Approvals for MemoryApprovals {
    fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let approvals = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(approvals.iter().rev().find(|approval| approval.digest == *digest).cloned())
    }

    fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let approvals = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(approvals.iter().rev().find(|approval| approval.grant.node == node).cloned())
    }

    fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        let mut approvals = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        approvals.push(Arc::new(approval));
        Ok(())
    }
}

/// Approvals in a JSON file, which can be checked in.
#[derive(Debug)]
pub struct FileApprovals {
    path: PathBuf,
    writing: Mutex<()>,
    /// What the file held when it was read last.
    read: Mutex<Option<(Version, Vec<Arc<Approval>>)>>,
}

/// Tells whether a file is the one that was read before: it is replaced whenever it changes.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    changed: SystemTime,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Version {
    fn of(file: &std::fs::Metadata) -> std::io::Result<Self> {
        Ok(Self {
            changed: file.modified()?,
            length: file.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(file),
        })
    }

    /// Whether a later change would show. Right after a change, the next one may carry the same
    /// time: file systems count in steps of some milliseconds.
    fn is_settled(&self) -> bool {
        const STEP: Duration = Duration::from_secs(2);
        self.changed.elapsed().is_ok_and(|elapsed| elapsed > STEP)
    }
}

#[derive(Deserialize, Serialize)]
struct File<T> {
    #[serde(default = "Vec::new")]
    approvals: Vec<T>,
}

impl FileApprovals {
    /// Approvals in this file; made when the first is recorded.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), writing: Mutex::new(()), read: Mutex::default() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Vec<Arc<Approval>>, ApprovalsError> {
        match self.read_file() {
            Ok(approvals) => Ok(approvals),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.error(error)),
        }
    }

    fn read_file(&self) -> std::io::Result<Vec<Arc<Approval>>> {
        let mut file = std::fs::File::open(&self.path)?;
        let version = Version::of(&file.metadata()?)?;
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, approvals)) = &*last
            && *known == version
            && version.is_settled()
        {
            return Ok(approvals.clone());
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let File::<Approval> { approvals } = serde_json::from_slice(&text)?;
        let mut approvals: Vec<Arc<Approval>> = approvals.into_iter().map(Arc::new).collect();
        if let Some((_, known)) = &*last {
            // What has not changed stays the same `Arc`.
            for approval in &mut approvals {
                if let Some(same) = known.iter().find(|one| one == &approval) {
                    *approval = same.clone();
                }
            }
        }
        *last = Some((version, approvals.clone()));
        Ok(approvals)
    }

    fn error(&self, problem: impl ToString) -> ApprovalsError {
        ApprovalsError::new(format!("in {}", self.path.display()), problem.to_string())
    }

    fn write(&self, approvals: &[Arc<Approval>]) -> std::io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(directory)?;
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let file = File { approvals: approvals.iter().map(|one| &**one).collect() };
        let mut target = std::fs::File::create(&temporary)?;
        target.write_all(&serde_json::to_vec_pretty(&file)?)?;
        target.write_all(b"\n")?;
        target.sync_all()?;
        std::fs::rename(&temporary, &self.path)
    }
}

impl Approvals for FileApprovals {
    fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        Ok(self.read()?.into_iter().rev().find(|approval| approval.digest == *digest))
    }

    fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        Ok(self.read()?.into_iter().rev().find(|approval| approval.grant.node == node))
    }

    fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut approvals = self.read()?;
        approvals.retain(|known| known.digest != approval.digest);
        approvals.push(Arc::new(approval));
        self.write(&approvals).map_err(|error| self.error(error))
    }
}
