//! Hands audit events to the sink of a host, and bounds how long a host waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{AuditEvent, AuditSink, CredentialEvent, TracingAudit};
use crate::limits::ProcessLimits;

/// One event for the sink.
enum Entry {
    Request(AuditEvent),
    Credential(CredentialEvent),
}

impl Entry {
    async fn send(&self, sink: &dyn AuditSink) {
        match self {
            Self::Request(event) => sink.record(event).await,
            Self::Credential(event) => sink.credential(event).await,
        }
    }
}

/// The sink of a host. An event is never lost silently, and a sink that does not answer does not stop
/// executions: they wait for it `audit_wait`, and then go on while the event is still being written.
/// From then on nobody waits until the sink answers again. At most `audit_events` events are held for
/// it; those beyond are written to the log instead.
#[derive(Clone)]
pub(crate) struct AuditLog {
    sink: Arc<dyn AuditSink>,
    wait: Duration,
    /// Room for events that the sink has not taken yet.
    room: Arc<Semaphore>,
    is_stalled: Arc<AtomicBool>,
}

impl AuditLog {
    pub(crate) fn new(sink: Arc<dyn AuditSink>, limits: &ProcessLimits) -> Self {
        Self {
            sink,
            wait: limits.audit_wait,
            room: Arc::new(Semaphore::new(limits.audit_events.min(Semaphore::MAX_PERMITS))),
            is_stalled: Arc::default(),
        }
    }

    /// Records a request, and waits until the sink has taken it.
    pub(crate) async fn record(&self, event: AuditEvent) {
        self.deliver(Entry::Request(event)).await;
    }

    /// Records an event of a credential, and waits until the sink has taken it.
    pub(crate) async fn credential(&self, event: CredentialEvent) {
        self.deliver(Entry::Credential(event)).await;
    }

    /// Records a request from where nothing can wait. [`settle`](Self::settle) waits for it.
    pub(crate) fn record_later(&self, event: AuditEvent, later: &TaskTracker) {
        drop(self.start(Entry::Request(event), Some(later)));
    }

    /// Waits for events that were recorded later, as long as for one.
    pub(crate) async fn settle(&self, later: &TaskTracker) {
        if later.is_empty() || self.is_stalled.load(Ordering::Relaxed) {
            return;
        }
        later.close();
        self.within_wait(later.wait()).await;
        later.reopen();
    }

    async fn deliver(&self, entry: Entry) {
        let Some(task) = self.start(entry, None) else { return };
        if !self.is_stalled.load(Ordering::Relaxed) {
            self.within_wait(task).await;
        }
    }

    async fn within_wait<T>(&self, done: impl Future<Output = T>) {
        if tokio::time::timeout(self.wait, done).await.is_err()
            && !self.is_stalled.swap(true, Ordering::Relaxed)
        {
            tracing::error!(
                wait = ?self.wait,
                "the audit sink does not respond; executions no longer wait for it until it does \
                 (limit `audit_wait`)"
            );
        }
    }

    /// Begins to hand an event over. `None`: it is done already. The task goes on if nobody waits for
    /// it any more.
    fn start(&self, entry: Entry, later: Option<&TaskTracker>) -> Option<JoinHandle<()>> {
        let (Ok(room), Ok(runtime)) =
            (self.room.clone().try_acquire_owned(), Handle::try_current())
        else {
            tracing::error!(
                "the audit sink does not accept this event, so it is logged here (limit \
                 `audit_events`)"
            );
            entry.send(&TracingAudit).now_or_never();
            return None;
        };
        let (sink, is_stalled) = (self.sink.clone(), self.is_stalled.clone());
        let mut sending = Box::pin(async move {
            entry.send(&*sink).await;
            if is_stalled.swap(false, Ordering::Relaxed) {
                tracing::warn!("the audit sink responds again");
            }
            drop(room);
        });
        // Most sinks take an event at once; no task is needed then.
        if (&mut sending).now_or_never().is_some() {
            return None;
        }
        Some(match later {
            Some(later) => later.spawn_on(sending, &runtime),
            None => runtime.spawn(sending),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::*;
    use crate::audit::Verdict;
    use crate::principal::Principal;

    /// Takes an event when it is let through.
    #[derive(Default)]
    struct Gate {
        open: AtomicBool,
        opened: Notify,
        waiting: AtomicUsize,
        taken: Mutex<Vec<String>>,
    }

    impl Gate {
        fn open(&self) {
            self.open.store(true, Ordering::SeqCst);
            self.opened.notify_waiters();
        }

        fn taken(&self) -> usize {
            self.taken.lock().unwrap().len()
        }
    }

    #[async_trait]
    impl AuditSink for Gate {
        async fn record(&self, event: &AuditEvent) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            loop {
                let opened = self.opened.notified();
                if self.open.load(Ordering::SeqCst) {
                    break;
                }
                opened.await;
            }
            self.taken.lock().unwrap().push(event.path.clone());
        }
    }

    fn event(path: usize) -> AuditEvent {
        AuditEvent {
            time: 0,
            plugin: String::new(),
            node: String::new(),
            action: String::new(),
            execution: String::new(),
            actor: Principal::default(),
            workflow: None,
            credential: None,
            method: "GET".into(),
            origin: String::new(),
            path: path.to_string(),
            verdict: Verdict::Answered,
            reason: None,
            status: None,
            attempts: 1,
            duration: 0,
        }
    }

    fn log(gate: &Arc<Gate>, wait: Duration, events: usize) -> AuditLog {
        let limits =
            ProcessLimits { audit_wait: wait, audit_events: events, ..ProcessLimits::default() };
        AuditLog::new(gate.clone(), &limits)
    }

    #[tokio::test]
    async fn an_event_is_awaited_and_a_sink_that_does_not_answer_is_waited_for_once() {
        let gate = Arc::new(Gate::default());
        let log = log(&gate, Duration::from_millis(200), 100);
        let began = Instant::now();
        for path in 0..50 {
            log.record(event(path)).await;
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(200), "{took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(gate.taken(), 0);
        // Pending events are written once the sink responds, and recording waits for the sink
        // again.
        gate.open();
        while gate.taken() < 50 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        log.record(event(50)).await;
        assert_eq!(gate.taken(), 51);
    }

    #[tokio::test]
    async fn a_sink_that_does_not_answer_holds_a_bounded_number_of_events() {
        let gate = Arc::new(Gate::default());
        let log = log(&gate, Duration::from_millis(20), 8);
        let later = TaskTracker::new();
        for path in 0..100 {
            log.record(event(path)).await;
            log.record_later(event(path), &later);
        }
        assert_eq!(gate.waiting.load(Ordering::SeqCst), 8);
    }

    #[tokio::test]
    async fn events_that_are_recorded_later_are_written_before_settling_ends() {
        let gate = Arc::new(Gate::default());
        let log = log(&gate, Duration::from_secs(20), 100);
        let later = TaskTracker::new();
        for path in 0..10 {
            log.record_later(event(path), &later);
        }
        let opening = gate.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            opening.open();
        });
        log.settle(&later).await;
        assert_eq!(gate.taken(), 10);
    }

    #[tokio::test]
    async fn an_event_is_written_even_if_its_caller_is_dropped() {
        let gate = Arc::new(Gate::default());
        let log = log(&gate, Duration::from_secs(20), 100);
        drop(tokio::time::timeout(Duration::from_millis(20), log.record(event(1))).await);
        gate.open();
        while gate.taken() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
