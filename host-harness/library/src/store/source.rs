//! The store as the host's source of credentials.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::record::{Record, unsigned};
use super::schema::Opened;
use super::{CredentialStore, now};
use crate::credential::{Credential, CredentialError, CredentialRequest, CredentialSource};

/// A use within a minute of the last one by the same is not written down: it would make every
/// execution wait for the disk.
const USE_RESOLUTION: i64 = 60_000;

#[async_trait]
impl CredentialSource for CredentialStore {
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError> {
        self.used_elsewhere(request, None).await
    }

    /// The store refreshes nothing itself; it has a newer credential where another process, or a
    /// person, has replaced the secrets meanwhile.
    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        self.used_elsewhere(request, Some(revision)).await
    }
}

impl CredentialStore {
    async fn used_elsewhere(
        &self,
        request: &CredentialRequest,
        newer_than: Option<u64>,
    ) -> Result<Credential, CredentialError> {
        let (store, request) = (self.clone(), request.clone());
        tokio::task::spawn_blocking(move || store.used(&request, newer_than))
            .await
            .unwrap_or_else(|error| Err(CredentialError::Source(error.to_string())))
    }

    /// Opens a credential for a use, and notes the use.
    fn used(
        &self,
        request: &CredentialRequest,
        newer_than: Option<u64>,
    ) -> Result<Credential, CredentialError> {
        let connection = self.connection();
        let record = self.record(&connection, &request.name)?;
        let name = record.name.clone();
        if record.node != request.node {
            let reason = format!("it was connected for the node `{}`", record.node);
            return Err(CredentialError::Forbidden { name, reason });
        }
        if let Some(reason) = &record.reconnect_reason {
            let reason = reason.clone();
            return Err(CredentialError::Reconnect { name, reason });
        }
        if newer_than.is_some_and(|revision| unsigned(record.revision) <= revision) {
            return Err(CredentialError::NotRefreshable(name));
        }
        let Opened { id, data_key } = &self.0.opened;
        let secrets = data_key
            .open_secrets(&record.sealed_secrets, &record.binding(id))
            .map_err(|_| record.tampered())?;
        self.note_use(&connection, &record, &used_by(request));
        Ok(record.into_credential(secrets)?)
    }

    /// A credential that works is not withheld because the disk is full or read-only.
    fn note_use(&self, connection: &Connection, record: &Record, by: &str) {
        let now = now(&*self.0.clock);
        let recent = record.last_used_at.is_some_and(|at| (at..at + USE_RESOLUTION).contains(&now));
        if recent && record.last_used_by.as_deref() == Some(by) {
            return;
        }
        let written = connection.execute(
            "UPDATE credential SET last_used_at = ?1, last_used_by = ?2 WHERE id = ?3",
            params![now, by, record.id],
        );
        if let Err(error) = written {
            let error = self.failed(error);
            tracing::warn!(credential = record.name, %error, "the last use was not recorded");
        }
    }
}

fn used_by(request: &CredentialRequest) -> String {
    let mut by = format!("{} {}", request.node, request.action);
    if let Some(workflow) = &request.workflow {
        by.push_str(&format!(" in workflow {workflow}"));
    }
    if let Some(actor) = &request.actor {
        by.push_str(&format!(" by {actor}"));
    }
    by
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, Sleep};
    use crate::store::{LastUse, NewCredential, PassphraseCost, StoreKey};

    #[derive(Clone, Default)]
    struct SetClock(Arc<AtomicU64>);

    impl Clock for SetClock {
        fn unix_milliseconds(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::ready(()))
        }
    }

    fn request(action: &str, workflow: Option<&str>, actor: Option<&str>) -> CredentialRequest {
        CredentialRequest {
            name: "work".into(),
            node: "example".into(),
            action: action.into(),
            workflow: workflow.map(Into::into),
            actor: actor.map(Into::into),
            ..CredentialRequest::default()
        }
    }

    #[test]
    fn the_last_use_is_known_to_the_minute_and_by_what() {
        let directory = tempfile::tempdir().unwrap();
        let clock = SetClock::default();
        let store = CredentialStore::open_with_clock(
            &directory.path().join("store.db"),
            StoreKey::generate().unwrap(),
            PassphraseCost::for_tests(),
            Box::new(clock.clone()),
        )
        .unwrap();
        clock.0.store(1_000, Ordering::Relaxed);
        store
            .add(NewCredential {
                name: "work".into(),
                owner: None,
                node: "example".into(),
                credential_type: "token".into(),
                fields: serde_json::Map::new(),
                secrets: BTreeMap::new(),
                configuration: serde_json::from_str(r#"{"audiences": []}"#).unwrap(),
                granted_scopes: None,
            })
            .unwrap();
        assert_eq!(store.summary("work").unwrap().created_at, 1_000);
        assert_eq!(store.summary("work").unwrap().last_used, None);
        let last_use = |at, request: CredentialRequest| {
            clock.0.store(at, Ordering::Relaxed);
            store.used(&request, None).unwrap();
            store.summary("work").unwrap().last_used.unwrap()
        };
        let listed = |at| LastUse { at, by: "example item.list".into() };
        assert_eq!(last_use(2_000, request("item.list", None, None)), listed(2_000));
        assert_eq!(last_use(61_999, request("item.list", None, None)), listed(2_000));
        assert_eq!(last_use(62_000, request("item.list", None, None)), listed(62_000));
        let by = "example item.get in workflow w1 by ada".into();
        let got = last_use(62_001, request("item.get", Some("w1"), Some("ada")));
        assert_eq!(got, LastUse { at: 62_001, by });
        // A clock that was set back.
        assert_eq!(last_use(5_000, request("item.list", None, None)), listed(5_000));
    }
}
