//! Secrets that are found in answers and filled into requests.

use std::time::Duration;

use serde_json::json;

use crate::evil::{Evil, alone};
use crate::server::{answer, brief, serve};

const MIB: usize = 1 << 20;

fn secret(size: usize, salt: usize) -> String {
    (0..size).map(|at| char::from(b'0' + ((at * 7 + at / 97 + salt * 13) % 10) as u8)).collect()
}

/// A service that gives a secret of this size at `/big`, another one for each query.
fn service(size: usize) -> workflow_node_host::transport::HttpTransportBuilder {
    let small = answer("", b"{}");
    serve(move |asked| match asked.path().strip_prefix("/big") {
        Some(query) => {
            let salt = query.trim_start_matches('?').parse().unwrap_or(0);
            answer("", json!({ "k": secret(size, salt) }).to_string().as_bytes())
        }
        None => small.clone(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_placement_takes_no_tree_of_the_body() {
    let _alone = alone().await;
    let evil = Evil::new(brief()).await;
    evil.connect("key", "12345678-the-key").await;
    for n in [1, 4] {
        let item = json!({"case": "body-placement", "size": 8 * MIB - 100, "n": n});
        let execution = evil.execution(item, 60).credential("body", "key");
        let harm = evil.execute(execution).await;
        assert_eq!(harm.value()["status"], json!(200));
        // Each body as it came, as it is filled, and as the connection writes it.
        assert!(harm.peak < 32 + n * 32, "{n}: {} MiB", harm.peak);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_searched_for_secrets_without_a_tree_of_it() {
    let _alone = alone().await;
    let body = format!("{{\"k\":\"12345678\",\"x\":[{}0]}}", "[0],".repeat(3 * MIB));
    let wire = answer("", body.as_bytes());
    let evil = Evil::new(serve(move |_| wire.clone())).await;
    let url = "http://plain.example.com/big";
    let harm = evil.run(json!({"case": "gets", "n": 1, "url": url}), 60).await;
    assert_eq!(harm.value(), json!(1));
    assert!(harm.peak < 64, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_a_service_has_a_size() {
    let _alone = alone().await;
    for kib in [64, 256, 1_024] {
        let evil = Evil::new(service(kib << 10)).await;
        let harm = evil.run(json!({"case": "big-handle", "n": 4}), 30).await;
        assert!(harm.peak < 32 && harm.took < Duration::from_secs(5), "{kib}: {} MiB", harm.peak);
        let reason = evil.audit.events().remove(0).reason.unwrap();
        assert!(reason.contains("`secret` (4096)"), "{reason}");
    }
    let evil = Evil::new(service(4_096)).await;
    let harm = evil.run(json!({"case": "big-handle", "n": 4}), 30).await;
    assert_eq!(harm.value()["status"], json!(200), "{}", harm.value());
    assert!(harm.peak < 64, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_secrets_under_way_are_bounded() {
    let _alone = alone().await;
    let evil = Evil::new(service(3_000)).await;
    let harm = evil.run(json!({"case": "many-secrets", "n": 12}), 60).await;
    assert_eq!(harm.value(), json!(12));
    assert!(harm.peak < 128, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_full_of_handles_does_not_become_a_body_of_secrets() {
    let _alone = alone().await;
    let evil = Evil::with("places:1", service(4_096), |host| host).await;
    let harm = evil.run(json!({"case": "many-handles", "size": 8 * MIB - 100, "n": 2}), 60).await;
    assert!(harm.peak < 96, "{} MiB", harm.peak);
    assert!(
        harm.value()["message"].as_str().unwrap().contains("`request_body` (8388608)"),
        "{}",
        harm.value()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_credential_cannot_be_used() {
    let _alone = alone().await;
    let evil = Evil::new(brief()).await;
    evil.connect("token", &secret(17 << 10, 0)).await;
    let item = json!({"case": "request", "url": "http://plain.example.com/", "slot": "rest"});
    let execution = evil.execution(item, 10).credential("rest", "token");
    let error = evil.plugin.execute(execution).await.unwrap_err();
    assert!(error.is_credential() && error.to_string().contains("`credential` (16384)"), "{error}");
}
