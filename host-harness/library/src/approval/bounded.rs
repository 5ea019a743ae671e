//! Approvals that answer in time or fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Approval, Approvals, ApprovalsError, Disabled, PluginName};
use crate::digest::Digest;

/// Approvals that fail if they do not respond within `wait`. A component without a confirmed
/// approval does not run.
pub(crate) struct BoundedApprovals {
    approvals: Arc<dyn Approvals>,
    wait: Duration,
}

impl BoundedApprovals {
    pub(crate) fn new(approvals: Arc<dyn Approvals>, wait: Duration) -> Self {
        Self { approvals, wait }
    }

    async fn within_wait<T>(
        &self,
        answer: impl Future<Output = Result<T, ApprovalsError>>,
    ) -> Result<T, ApprovalsError> {
        tokio::time::timeout(self.wait, answer).await.unwrap_or_else(|_| {
            let problem = format!("no response within {:?} (limit `approvals_wait`)", self.wait);
            Err(ApprovalsError::new("of this host", problem))
        })
    }
}

#[async_trait]
impl Approvals for BoundedApprovals {
    async fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        self.within_wait(self.approvals.approval(digest)).await
    }

    async fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        self.within_wait(self.approvals.latest(node)).await
    }

    async fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        self.within_wait(self.approvals.record(approval)).await
    }

    async fn disabled(
        &self,
        digest: &Digest,
        node: &str,
    ) -> Result<Option<Disabled>, ApprovalsError> {
        self.within_wait(self.approvals.disabled(digest, node)).await
    }

    async fn disable(&self, disabled: Disabled) -> Result<(), ApprovalsError> {
        self.within_wait(self.approvals.disable(disabled)).await
    }

    async fn enable(&self, plugin: &PluginName) -> Result<bool, ApprovalsError> {
        self.within_wait(self.approvals.enable(plugin)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    #[async_trait]
    impl Approvals for Silent {
        async fn approval(&self, _: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
            std::future::pending().await
        }

        async fn latest(&self, _: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
            std::future::pending().await
        }

        async fn record(&self, _: Approval) -> Result<(), ApprovalsError> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn approvals_that_do_not_answer_fail_and_name_the_limit() {
        let approvals = BoundedApprovals::new(Arc::new(Silent), Duration::from_millis(20));
        let error = approvals.approval(&Digest::of(b"")).await.unwrap_err();
        let error = crate::causes::chain(&error);
        assert!(error.contains("`approvals_wait`"), "{error}");
        assert!(approvals.latest("node").await.is_err());
    }
}
