//! Rate limits: how long is waited for one, whom it stops, and what is said before.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use end_to_end::clock::FastClock;
use end_to_end::{World, error, values};
use pagerduty_simulator::{Fault, Simulator};
use serde_json::{Value, json};
use workflow_node_host::description::RateWindow;
use workflow_node_host::{ErrorKind, Limits, Observer};

async fn unlimited() -> World {
    World::with(Simulator::builder().without_rate_limits(), |host| host).await
}

/// A 429 that does not say how long to wait.
fn bare() -> Fault {
    Fault::response(429, &[], "")
}

/// PagerDuty, with a clock on which half a minute takes a second.
async fn on_a_fast_clock() -> World {
    let simulator = Simulator::builder().without_rate_limits();
    World::with(simulator, |host| host.clock(Arc::new(FastClock::new(FAST)))).await
}

const FAST: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_headers_is_retried_every_half_minute_beyond_the_attempts_of_a_failure() {
    let world = on_a_fast_clock().await;
    // Five in a row: one more than there are attempts for a request that fails.
    world.simulator.fault(bare().path("/abilities").times(5));
    let mut execution = world.execution("user", "ability.list", &[json!({})]);
    execution.context.limits = Some(Limits::default());
    let started = Instant::now();
    let outcome = world.plugin.execute(execution).await.unwrap();
    values(&outcome, 0);
    assert_eq!(world.simulator.requests().len(), 6);
    assert!(started.elapsed() * FAST >= Duration::from_secs(150), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_rate_limit_ends_with_the_time_allowed() {
    let world = on_a_fast_clock().await;
    world.simulator.fault(bare().always());
    let mut execution = world.execution("user", "ability.list", &[json!({})]);
    execution.context.limits =
        Some(Limits { total_time: Duration::from_secs(160), ..Limits::default() });
    let started = Instant::now();
    let outcome = world.plugin.execute(execution).await.unwrap();
    assert_eq!(error(&outcome, 0).kind, "rate-limited");
    assert!(started.elapsed() * FAST < Duration::from_secs(200), "{:?}", started.elapsed());
    let requests = world.simulator.requests().len();
    assert!((2..=6).contains(&requests), "{requests} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_always_says_to_wait_no_time_is_not_asked_all_the_time() {
    let world = unlimited().await;
    world.simulator.fault(Fault::response(429, &[("Retry-After", "0")], "").always());
    let mut execution = world.execution("user", "ability.list", &[json!({})]);
    execution.context.limits =
        Some(Limits { total_time: Duration::from_secs(3), ..Limits::default() });
    world.plugin.execute(execution).await.unwrap();
    let requests = world.simulator.requests().len();
    assert!(requests <= 13, "{requests} requests in 3 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_of_one_operation_does_not_stop_the_others() {
    let world = unlimited().await;
    // As PagerDuty answers: the headers describe the limit that is closest.
    let headers =
        [("ratelimit-limit", "5"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "20")];
    world.simulator.fault(Fault::response(429, &headers, "").path("/users").times(1));
    let slow = world.execution("user", "user.list", &[json!({})]);
    let started = Instant::now();
    let slow = async {
        let outcome = world.plugin.execute(slow).await.unwrap();
        values(&outcome, 0);
        started.elapsed()
    };
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let started = Instant::now();
        for action in ["ability.list", "service.list", "team.list"] {
            values(&world.run(action, &[json!({})]).await, 0);
        }
        started.elapsed()
    };
    let (slow, others) = tokio::join!(slow, others);
    assert!(slow >= Duration::from_secs(20), "{slow:?}");
    assert!(others < Duration::from_secs(5), "{others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_for_a_rate_limit_leave_the_places_in_flight_to_others() {
    let world = unlimited().await;
    let headers = [("ratelimit-remaining", "0"), ("ratelimit-reset", "15")];
    world.simulator.fault(Fault::response(429, &headers, "").path("/users").times(1));
    // One at a time: the request that waits holds no place while it does.
    let mut execution = world.execution("user", "api.request", &[]);
    execution.items = ["/users", "/abilities", "/teams"]
        .map(|path| json!({"method": "GET", "path": path}))
        .to_vec();
    execution.context.limits = Some(Limits { concurrent_requests: 1, ..Limits::default() });
    let started = Instant::now();
    let outcome = world.plugin.execute(execution).await.unwrap();
    (0..3).for_each(|item| drop(values(&outcome, item)));
    assert!(started.elapsed() >= Duration::from_secs(15));
    let requests = world.simulator.requests();
    let last = &requests[requests.len() - 1];
    assert_eq!(last.path, "/users", "the others did not wait for it");
}

/// Keeps what is said about pacing.
#[derive(Default)]
struct Paced(Mutex<Vec<(usize, Duration)>>);

impl Observer for Paced {
    fn paced(&self, requests: usize, at_least: Duration) {
        self.0.lock().unwrap().push((requests, at_least));
    }
}

fn event(number: usize) -> Value {
    json!({"summary": format!("event {number}"), "source": "test", "severity": "info"})
}

async fn limited(requests: u32, milliseconds: u64) -> World {
    let window = RateWindow::new(requests, milliseconds);
    World::with(Simulator::builder().without_rate_limits(), |host| host.rate_limit(vec![window]))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_pacing_takes_is_said_before_anything_is_sent() {
    let world = limited(5, 2_000).await;
    let items: Vec<Value> = (0..12).map(event).collect();
    let paced = Arc::new(Paced::default());
    let execution = world.execution("events", "event.trigger", &items);
    let outcome = world.plugin.execute_observed(execution, paced.clone()).await.unwrap();
    assert!(outcome.items.iter().all(|item| item.is_ok()), "{outcome:?}");
    assert_eq!(*paced.0.lock().unwrap(), [(12, Duration::from_secs(4))]);
    assert!(outcome.duration >= Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_pacing_cannot_send_in_the_time_allowed_are_not_begun() {
    // As for 700 events: 120 a minute, and five minutes.
    let world = limited(120, 60_000).await;
    let items: Vec<Value> = (0..700).map(event).collect();
    let mut execution = world.execution("events", "event.trigger", &items);
    execution.context.limits = None;
    let refused = world.plugin.execute(execution).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RateLimit);
    let text = refused.to_string();
    for part in [
        "700 items",
        "`event.trigger`",
        "120 requests in 60 s",
        "at least 5 min",
        "Nothing was sent",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(refused.needed_time().unwrap() > Duration::from_secs(300));
    assert_eq!(world.simulator.requests().len(), 0);
    // Items that can share a request do not count as one request each.
    let incidents: Vec<Value> = (0..200).map(|_| json!({"incident_id": "PNONE12"})).collect();
    let mut execution = world.execution("user", "incident.acknowledge", &incidents);
    if let Some(limits) = &mut execution.context.limits {
        limits.total_time = Duration::from_secs(10);
    }
    let outcome = world.plugin.execute(execution).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}
