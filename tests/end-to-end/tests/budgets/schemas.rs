//! Schemas that are small and cost much.

use std::time::{Duration, Instant};

use serde_json::json;
use workflow_node_host::{Error, Host, Plugin};

use crate::evil::{Evil, alone, component};
use crate::heap::Growth;
use crate::server::silent;

/// Loads a component in a host that has compiled such a component before: only what it describes
/// takes time.
async fn load(mode: &str) -> (Result<Plugin, Error>, Duration, usize) {
    let host = Host::builder().isolation(end_to_end::isolation()).build().unwrap();
    let bytes = component(mode);
    host.load(component("plain")).await.unwrap();
    let (growth, started) = (Growth::start(), Instant::now());
    let loaded = host.load(bytes).await;
    eprintln!(
        "{mode}: {:.2?}, peak {} MiB, {:?}",
        started.elapsed(),
        growth.peak(),
        loaded.as_ref().map(drop).map_err(ToString::to_string)
    );
    (loaded, started.elapsed(), growth.peak())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_would_take_too_long_is_refused_before_anybody_approves_it() {
    let _alone = alone().await;
    let (_, compiling, _) = load("plain").await;
    for (mode, limit) in [
        ("bomb:18", "schema_"),
        ("bomb:40", "schema_"),
        ("hidden:40", "schema_"),
        ("late:40", "schema_"),
        ("chain:150", "schema_depth"),
        ("chain:20000", "schema_depth"),
        ("recursion:50", "schema_steps"),
        ("patterns:3000", "schema_patterns"),
        ("shared:1000:1024", "schema_"),
    ] {
        let (loaded, took, peak) = load(mode).await;
        let error = loaded.expect_err(mode);
        assert!(error.is_refused() && error.to_string().contains(&format!("`{limit}")), "{error}");
        assert!(took < compiling + Duration::from_secs(4), "{mode}: {took:?}");
        assert!(peak < 256, "{mode}: {peak} MiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_takes_time_with_actions_and_shared_schemas_and_not_with_their_product() {
    let _alone = alone().await;
    let (loaded, took, _) = load("quadratic:1000:1024").await;
    loaded.unwrap();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_an_item_makes_expensive_ends() {
    let _alone = alone().await;
    let evil = Evil::with("recursion", silent(), |host| host).await;
    let item = (0..60).fold(json!(1), |inner, _| json!({ "m": inner }));
    let started = Instant::now();
    let error = evil.plugin.execute(evil.execution(item, 20)).await.unwrap_err();
    assert!(error.to_string().contains("`schema_steps` (2000000)"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    evil.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn placements_are_counted_and_each_is_described_once() {
    let _alone = alone().await;
    let error = load("placements").await.0.unwrap_err().to_string();
    assert!(error.contains("`placements` (64)"), "{error}");
    let error = load("equal-placements").await.0.unwrap_err().to_string();
    assert!(error.contains("the secret `key` has the same placement twice"), "{error}");
}
