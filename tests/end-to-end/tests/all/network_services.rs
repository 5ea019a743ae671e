//! Services of the host that are on a network: an audit sink and approvals that are slow, or do not
//! answer at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use end_to_end::World;
use pagerduty_simulator::Simulator;
use serde_json::json;
use tokio::sync::Semaphore;
use workflow_node_host::audit::{AuditEvent, AuditSink, CredentialEvent};
use workflow_node_host::{
    Approval, Approvals, ApprovalsError, Digest, ErrorKind, MemoryApprovals, ProcessLimits,
};

/// Answers each question after a while, or not before it is let through.
struct Network<T> {
    behind: T,
    latency: Duration,
    permits: Semaphore,
    stalls: AtomicBool,
}

impl<T> Network<T> {
    fn new(behind: T, latency: Duration) -> Arc<Self> {
        let (permits, stalls) = (Semaphore::new(0), AtomicBool::new(false));
        Arc::new(Self { behind, latency, permits, stalls })
    }

    fn stall(&self) {
        self.stalls.store(true, Ordering::SeqCst);
    }

    fn recover(&self) {
        self.stalls.store(false, Ordering::SeqCst);
        self.permits.add_permits(1_000_000);
    }

    async fn answers(&self) {
        if self.stalls.load(Ordering::SeqCst) {
            self.permits.acquire().await.unwrap().forget();
        }
        tokio::time::sleep(self.latency).await;
    }
}

type Events = Mutex<(Vec<AuditEvent>, Vec<CredentialEvent>)>;

#[async_trait]
impl AuditSink for Network<Events> {
    async fn record(&self, event: &AuditEvent) {
        self.answers().await;
        self.behind.lock().unwrap().0.push(event.clone());
    }

    async fn credential(&self, event: &CredentialEvent) {
        self.answers().await;
        self.behind.lock().unwrap().1.push(event.clone());
    }
}

#[async_trait]
impl Approvals for Network<MemoryApprovals> {
    async fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        self.answers().await;
        self.behind.approval(digest).await
    }

    async fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        self.answers().await;
        self.behind.latest(node).await
    }

    async fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        self.answers().await;
        self.behind.record(approval).await
    }
}

fn simulator() -> pagerduty_simulator::Builder {
    Simulator::builder().without_rate_limits()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_waits_for_an_audit_sink_on_the_network() {
    let sink = Network::new(Events::default(), Duration::from_millis(30));
    let audit = sink.clone();
    let world = World::with(simulator(), |host| host.audit(audit)).await;
    let items = vec![json!({"incident_id": world.us().incidents()[0].id}); 20];
    let outcome = world.run("incident.get", &items).await;
    assert!(outcome.items.iter().all(|item| item.is_ok()), "{outcome:?}");
    let (requests, uses) = &*sink.behind.lock().unwrap();
    assert_eq!(requests.len() as u64, outcome.requests);
    assert_eq!(uses.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_sink_that_stalls_does_not_stop_executions_and_loses_nothing_when_it_recovers() {
    let sink = Network::new(Events::default(), Duration::ZERO);
    let audit = sink.clone();
    let limits =
        ProcessLimits { audit_wait: Duration::from_millis(300), ..ProcessLimits::default() };
    let world = World::with(simulator(), |host| host.audit(audit).process_limits(limits)).await;
    let items = vec![json!({"limit": 1}); 30];
    sink.stall();
    let mut requests = 0;
    for _ in 0..3 {
        let began = Instant::now();
        let mut execution = world.execution("user", "service.list", &items);
        execution.concurrency = Some(1);
        let outcome = world.plugin.execute(execution).await.unwrap();
        assert!(outcome.items.iter().all(|item| item.is_ok()), "{outcome:?}");
        // It is waited for once, not for each of the requests, which would take 9 s.
        assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
        requests += outcome.requests;
    }
    assert!(sink.behind.lock().unwrap().0.is_empty());
    sink.recover();
    let deadline = Instant::now() + Duration::from_secs(10);
    while (sink.behind.lock().unwrap().0.len() as u64) < requests {
        assert!(Instant::now() < deadline, "events are missing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // From now on it is waited for again.
    let outcome = world.run("service.list", &[json!({"limit": 1})]).await;
    let recorded = sink.behind.lock().unwrap().0.len() as u64;
    assert_eq!(recorded, requests + outcome.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_on_the_network_that_do_not_answer_fail_the_call_before_anything_is_sent() {
    let approvals = Network::new(MemoryApprovals::default(), Duration::from_millis(20));
    let kept = approvals.clone();
    let limits =
        ProcessLimits { approvals_wait: Duration::from_millis(300), ..ProcessLimits::default() };
    let world = World::with(simulator(), |host| host.approvals(kept).process_limits(limits)).await;
    let outcome = world.run("service.list", &[json!({"limit": 1})]).await;
    assert!(outcome.items[0].is_ok(), "{outcome:?}");
    world.simulator.clear_requests();
    approvals.stall();
    let began = Instant::now();
    let execution = world.execution("user", "service.list", &[json!({"limit": 1})]);
    let error = world.plugin.execute(execution).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Approvals, "{error:#}");
    assert!(format!("{error:#}").contains("`approvals_wait`"), "{error:#}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(world.simulator.requests().is_empty());
    approvals.recover();
    let outcome = world.run("service.list", &[json!({"limit": 1})]).await;
    assert!(outcome.items[0].is_ok(), "{outcome:?}");
}
