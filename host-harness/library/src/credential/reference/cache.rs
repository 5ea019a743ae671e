//! Cache of secrets read by reference. A secret is read again after a while, and when a service
//! rejects it. Tasks that need the same secret wait for one read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{SecretReference, take};
use crate::clock::Clock;
use crate::credential::CredentialError;
use crate::limits::ReferenceLimits;
use crate::secret::Secret;

/// How old a secret that was read may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// As old as [`ReferenceLimits::age`].
    Usual,
    /// The service has refused it: as old as [`ReferenceLimits::pause`].
    Refused,
}

/// Reads secrets by reference, and keeps them for a while in memory.
pub(crate) struct References {
    limits: ReferenceLimits,
    clock: Arc<dyn Clock>,
    held: Mutex<HashMap<SecretReference, Arc<tokio::sync::Mutex<Held>>>>,
}

#[derive(Default)]
struct Held {
    secret: Option<Secret>,
    read_at: Duration,
    /// How often another secret than before was read.
    changes: u32,
}

impl References {
    pub(crate) fn new(limits: ReferenceLimits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock, held: Mutex::default() }
    }

    /// The secrets of a connection with those that are read by reference, and how often these have
    /// changed in this process. `credential`: its name.
    pub(crate) async fn fill(
        &self,
        credential: &str,
        mut secrets: BTreeMap<String, Secret>,
        freshness: Freshness,
    ) -> Result<(BTreeMap<String, Secret>, u32), CredentialError> {
        let references = take(&mut secrets);
        let mut changes = 0_u32;
        for (name, reference) in references {
            let (secret, changed) = self.get(credential, &name, reference, freshness).await?;
            secrets.insert(name, secret);
            changes = changes.wrapping_add(changed);
        }
        Ok((secrets, changes))
    }

    async fn get(
        &self,
        credential: &str,
        name: &str,
        reference: SecretReference,
        freshness: Freshness,
    ) -> Result<(Secret, u32), CredentialError> {
        let held = {
            let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(reference.clone()).or_default().clone()
        };
        let mut held = held.lock().await;
        let oldest = match freshness {
            Freshness::Usual => self.limits.age,
            Freshness::Refused => self.limits.pause,
        };
        let age = self.clock.monotonic().saturating_sub(held.read_at);
        if let Some(secret) = held.secret.as_ref().filter(|_| age < oldest) {
            return Ok((secret.clone(), held.changes));
        }
        let limits = self.limits.clone();
        let read = tokio::task::spawn_blocking(move || reference.read(&limits)).await;
        let unreadable = |source| CredentialError::Unreadable {
            name: credential.to_owned(),
            secret: name.to_owned(),
            source,
        };
        let secret = read
            .map_err(|error| unreadable(error.into()))?
            .map_err(|error| unreadable(error.into()))?;
        if held.secret.as_ref().is_some_and(|before| before.expose() != secret.expose()) {
            held.changes = held.changes.wrapping_add(1);
        }
        held.read_at = self.clock.monotonic();
        held.secret = Some(secret.clone());
        Ok((secret, held.changes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::keep;
    use super::*;
    use crate::clock::{Clock, Sleep};

    /// A clock that a test sets.
    #[derive(Default)]
    struct Set(Mutex<Duration>);

    impl Clock for Set {
        fn unix_milliseconds(&self) -> u64 {
            0
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_secret_is_read_again_after_its_age_and_when_a_service_refuses_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let clock = Arc::new(Set::default());
        let limits = ReferenceLimits::default();
        let references = References::new(limits.clone(), clock.clone());
        let reference = SecretReference::File(path.clone());
        let mut kept = BTreeMap::new();
        keep(&BTreeMap::from([("token".to_owned(), reference)]), &mut kept);
        let get = async |freshness| {
            let (secrets, changes) = references.fill("work", kept.clone(), freshness).await?;
            Ok::<_, CredentialError>((secrets["token"].expose().to_owned(), changes))
        };
        let error = get(Freshness::Usual).await.unwrap_err().to_string();
        assert!(error.contains("`work`") && error.contains("`token`"), "{error}");
        let pass = |time: Duration| *clock.0.lock().unwrap() += time;
        let found = |text: &str, changes| (text.to_owned(), changes);
        std::fs::write(&path, "first-secret").unwrap();
        assert_eq!(get(Freshness::Usual).await.unwrap(), found("first-secret", 0));
        std::fs::write(&path, "second-secret").unwrap();
        pass(limits.pause / 2);
        // A service that refuses every request does not have the secret read each time.
        assert_eq!(get(Freshness::Refused).await.unwrap(), found("first-secret", 0));
        pass(limits.pause);
        assert_eq!(get(Freshness::Usual).await.unwrap(), found("first-secret", 0));
        assert_eq!(get(Freshness::Refused).await.unwrap(), found("second-secret", 1));
        std::fs::write(&path, "third-secret").unwrap();
        pass(limits.age);
        assert_eq!(get(Freshness::Usual).await.unwrap(), found("third-secret", 2));
        std::fs::remove_file(&path).unwrap();
        pass(limits.age);
        assert!(get(Freshness::Usual).await.is_err(), "what is gone is not used any more");
    }
}
