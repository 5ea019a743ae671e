//! Rate limits that end at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use end_to_end::service::Reply;
use end_to_end::{error, values};
use serde_json::json;

use super::World;

fn in_seconds(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_until_a_time_is_waited_for() {
    for (credential, rfc3339) in [("basic", false), ("token", true)] {
        let asked = AtomicUsize::new(0);
        let world = World::new(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                return Reply::json(200, json!({}));
            }
            let at = in_seconds(4);
            let reset = match rfc3339 {
                true => jiff::Timestamp::from_second(at.try_into().unwrap()).unwrap().to_string(),
                false => at.to_string(),
            };
            Reply::json(429, json!({})).header("X-Reset", reset).header("X-Remaining", "0")
        })
        .await;
        let started = Instant::now();
        values(&world.run(credential, "thing.get", json!({})).await, 0);
        let waited = started.elapsed();
        assert!(waited >= Duration::from_secs(2), "{credential}: {waited:?}");
        assert!(waited < Duration::from_secs(15), "{credential}: {waited:?}");
        assert_eq!(world.service.requests().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_beyond_the_time_allowed_ends_the_item_and_not_the_host() {
    let world = World::new(|_| {
        let reset = in_seconds(3_000).to_string();
        Reply::json(429, json!("slow down")).header("X-Reset", reset).header("X-Remaining", "0")
    })
    .await;
    let started = Instant::now();
    let outcome = world.run("basic", "thing.get", json!({})).await;
    assert_eq!(error(&outcome, 0).kind, "rate-limited");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(world.service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_requests_are_left_the_time_says_nothing() {
    let asked = AtomicUsize::new(0);
    let world = World::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::json(429, json!({}))
            .header("X-Reset", in_seconds(3_000).to_string())
            .header("X-Remaining", "17"),
        _ => Reply::json(200, json!({})),
    })
    .await;
    values(&world.run("basic", "thing.get", json!({})).await, 0);
    assert_eq!(world.service.requests().len(), 2);
}
