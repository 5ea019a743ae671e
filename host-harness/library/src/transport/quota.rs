//! Shares of what a process has few of: connections and name look-ups. No plugin can take the shares
//! of all others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of shares for the process, and a lower number for each plugin.
pub(super) struct Quota {
    process: Arc<Semaphore>,
    per_plugin: usize,
    /// Of plugins that hold a share or wait for one.
    plugins: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// One share. Dropping it gives it back.
pub(super) struct Share {
    _plugin: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

/// Whose shares are all taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhausted {
    Plugin,
    Process,
}

impl Quota {
    pub(super) fn new(process: usize, per_plugin: usize) -> Self {
        // One at least: with none, nothing could ever be sent.
        let process = Arc::new(Semaphore::new(process.max(1)));
        Self { process, per_plugin: per_plugin.max(1), plugins: Mutex::default() }
    }

    /// Waits for a share. Plugins are served in the order in which they asked.
    pub(super) async fn take(&self, plugin: &str) -> Share {
        let own = self.plugin(plugin);
        // The plugin's first: who waits for its own must not keep one of the process.
        let own = own.acquire_owned().await.expect("the semaphore is never closed");
        let process = self.process.clone().acquire_owned().await;
        Share { _plugin: own, _process: process.expect("the semaphore is never closed") }
    }

    /// Whose shares are all taken, if any are.
    pub(super) fn exhausted(&self, plugin: &str) -> Option<Exhausted> {
        if self.plugin(plugin).available_permits() == 0 {
            Some(Exhausted::Plugin)
        } else if self.process.available_permits() == 0 {
            Some(Exhausted::Process)
        } else {
            None
        }
    }

    fn plugin(&self, plugin: &str) -> Arc<Semaphore> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = plugins.get(plugin).and_then(Weak::upgrade) {
            return known;
        }
        plugins.retain(|_, semaphore| semaphore.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.per_plugin));
        plugins.insert(plugin.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_taken(quota: &Quota, plugin: &str) -> Option<Share> {
        tokio::time::timeout(Duration::from_millis(20), quota.take(plugin)).await.ok()
    }

    #[tokio::test]
    async fn a_plugin_that_holds_all_its_shares_leaves_those_of_others() {
        let quota = Quota::new(3, 2);
        let held = [quota.take("greedy").await, quota.take("greedy").await];
        assert_eq!(quota.exhausted("greedy"), Some(Exhausted::Plugin));
        assert!(is_taken(&quota, "greedy").await.is_none());
        let other = is_taken(&quota, "other").await;
        assert!(other.is_some());
        assert_eq!(quota.exhausted("third"), Some(Exhausted::Process));
        drop(held);
        assert!(is_taken(&quota, "greedy").await.is_some());
        assert_eq!(quota.exhausted("greedy"), None);
    }

    #[tokio::test]
    async fn plugins_that_hold_nothing_are_forgotten() {
        let quota = Quota::new(3, 2);
        for number in 0..100 {
            drop(quota.take(&format!("plugin {number}")).await);
        }
        assert!(quota.plugins.lock().unwrap().len() <= 2);
    }
}
