//! Documents and records that are larger than they look.

use serde_json::{Map, json};
use workflow_node_host::{CallContext, Host, OptionsQuery, OptionsRequest};

use crate::evil::{Evil, alone, component};
use crate::heap::Growth;
use crate::server::silent;

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_description_is_bounded_before_it_is_read() {
    let _alone = alone().await;
    for mode in
        ["fat:5", "fat:24", "fat-types:5", "fat-types:12", "fat-triggers:5", "fat-triggers:12"]
    {
        let host = Host::builder().isolation(end_to_end::isolation()).build().unwrap();
        let bytes = component(mode);
        // Compiling takes additional memory, whatever is described.
        let _warm = host.load(bytes.clone()).await;
        let growth = Growth::start();
        let error = host.load(bytes).await.expect_err(mode);
        assert!(error.is_refused(), "{mode}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("`description`") || text.contains("`description_values`"),
            "{mode}: {text}"
        );
        assert!(growth.peak() < 64, "{mode}: {} MiB", growth.peak());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_detail_of_an_error_is_bounded() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    for mib in [1, 4, 12, 24] {
        let harm = evil.run(json!({"case": "fat-detail", "size": mib * MIB}), 60).await;
        assert!(harm.peak < 64 && harm.stays < 2, "{mib}: {}, {} MiB", harm.peak, harm.stays);
        let error = harm.outcome.items[0].error.as_ref().unwrap();
        assert!(error.detail.is_none() && error.message.contains("`error_detail`"), "{error}");
    }
    let mut execution = evil.execution(json!({"case": "fat-detail-each", "size": 2 * MIB}), 60);
    execution.items.resize(10, json!({}));
    let harm = evil.execute(execution).await;
    assert!(harm.peak < 64 && harm.stays < 2, "{}, {} MiB", harm.peak, harm.stays);
    // Each is small enough alone.
    let mut execution = evil.execution(json!({"case": "fat-detail-each", "size": 1_000}), 60);
    execution.items.resize(300, json!({}));
    let harm = evil.execute(execution).await;
    assert!(harm.outcome.items.iter().all(|item| item.error.as_ref().unwrap().detail.is_some()));
    assert!(harm.stays < 64, "{} MiB", harm.stays);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_names_are_bounded() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    let harm = evil.run(json!({"case": "fat-message", "size": 20 * MIB}), 60).await;
    let error = harm.outcome.items[0].error.as_ref().unwrap();
    assert!(error.message.len() < 10_000 && harm.peak < 48, "{} MiB", harm.peak);
    let harm = evil.run(json!({"case": "fat-port", "size": 20 * MIB}), 60).await;
    assert!(harm.stopped().len() < 2_000 && harm.peak < 48, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_counts_more_than_its_text() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    let item = json!({"case": "many-records", "size": 400_000, "n": 40});
    let harm = evil.run(item, 60).await;
    assert!(
        harm.stopped().contains("larger than 67108864 bytes (limit `output`)"),
        "{}",
        harm.stopped()
    );
    assert!(harm.peak < 192, "{} MiB", harm.peak);
    let harm = evil.run(json!({"case": "returned-records", "size": 800_000}), 60).await;
    assert!(
        harm.stopped().contains("larger than 67108864 bytes (limit `output`)"),
        "{}",
        harm.stopped()
    );
    assert!(harm.peak < 192, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_kept_as_its_text() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    let harm = evil.run(json!({"case": "one-record", "size": 8 * MIB}), 60).await;
    assert!(harm.outcome.stopped.is_none());
    assert!(harm.peak < 48 && harm.stays < 12, "{}, {} MiB", harm.peak, harm.stays);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_a_credential_is_bounded() {
    let _alone = alone().await;
    for mib in [4, 12] {
        let evil = Evil::with(&format!("fat-configuration:{mib}"), silent(), |host| host).await;
        let growth = Growth::start();
        let error = evil.plugin.configure("token", &Map::new(), None).await.unwrap_err();
        assert!(error.to_string().contains("`document`"), "{error}");
        assert!(growth.peak() < 64, "{mib}: {} MiB", growth.peak());
    }
    let evil = Evil::with("many-problems:100000:100", silent(), |host| host).await;
    let error = evil.plugin.configure("token", &Map::new(), None).await.unwrap_err();
    assert!(error.problems().len() <= 100 && error.to_string().len() < 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_and_choices_are_bounded() {
    let _alone = alone().await;
    let evil = Evil::with("fat-identity:8", silent(), |host| host).await;
    evil.plugin.configure("token", &Map::new(), None).await.unwrap();
    evil.connect("token", "12345678").await;
    let growth = Growth::start();
    let error = evil.plugin.test_credential("token", CallContext::default()).await.unwrap_err();
    assert!(error.to_string().contains("`document`"), "{error}");
    assert!(growth.peak() < 64, "{} MiB", growth.peak());

    let evil = Evil::with("fat-options:8", silent(), |host| host).await;
    let query = OptionsQuery::for_action("evil.run", "choice");
    let growth = Growth::start();
    let error = evil.plugin.load_options(OptionsRequest::new(query)).await.unwrap_err();
    assert!(error.to_string().contains("`document`"), "{error}");
    assert!(growth.peak() < 64, "{} MiB", growth.peak());
}
