//! Work whose time grows with untrusted data, on dedicated threads instead of those of the
//! executor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{AcquireError, Semaphore};
use tokio::task::JoinError;

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OffloadError {
    #[error("the host is ending")]
    Ending(#[from] AcquireError),
    #[error("work on untrusted data was interrupted")]
    Interrupted(#[from] JoinError),
}

/// A turn at the host's threads for heavy work.
#[derive(Clone)]
pub(crate) struct Offload {
    /// Threads of the process.
    process: Arc<Semaphore>,
    /// An execution takes its turns one after the other, so that others get theirs.
    own: Arc<Semaphore>,
}

impl Offload {
    /// Threads of a process; `threads` at once.
    pub(crate) fn new(threads: usize) -> Self {
        let process = Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS)));
        Self { process, own: Arc::new(Semaphore::new(1)) }
    }

    /// The same threads for another execution.
    pub(crate) fn of_another(&self) -> Self {
        Self { process: self.process.clone(), own: Arc::new(Semaphore::new(1)) }
    }

    /// Runs work. Dropping the future requests the work to stop; long work checks for this.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, OffloadError> {
        let own = self.own.clone().acquire_owned().await?;
        let process = self.process.clone().acquire_owned().await?;
        let stop = Stop::default();
        let _stops = StopsWhenDropped(stop.clone());
        let done = tokio::task::spawn_blocking(move || {
            // The thread is taken until the work ends, whether or not somebody waits for it.
            let _turns = (own, process);
            work(&stop)
        });
        Ok(done.await?)
    }
}

/// Reports to work that nobody waits for it any longer.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether to stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct StopsWhenDropped(Stop);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_stops_when_nobody_waits_for_it_and_then_gives_its_thread_back() {
        let offload = Offload::new(1);
        let endless = offload.run(|stop| while !stop.is_set() {});
        assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
        assert_eq!(offload.of_another().run(|_| 7).await.unwrap(), 7);
    }
}
