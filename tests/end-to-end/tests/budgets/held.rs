//! Requests that are queued and answers that nobody takes.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::evil::{Evil, alone};
use crate::server::{answer, serve, silent};

const MIB: usize = 1 << 20;

fn zipped(size: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b'x'; size]).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_queued_requests_are_bounded() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    let item = json!({"case": "hoard-requests", "n": 300, "size": 8 * MIB, "ms": 1_000});
    let harm = evil.run(item, 60).await;
    assert!(harm.peak < 96, "{} MiB", harm.peak);
    evil.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_part_of_queued_requests_is_bounded_as_well() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    for part in ["url-size", "header", "method", "credential", "key"] {
        let mut item = json!({"case": "hoard-heads", "n": 200, "size": 4 * MIB, "ms": 500});
        item["url"] = json!("http://plain.example.com/");
        item[part] = json!(true);
        let harm = evil.run(item, 60).await;
        assert!(harm.peak < 48, "{part}: {} MiB", harm.peak);
        let reasons: usize =
            evil.audit.events().iter().map(|event| format!("{event:?}").len()).sum();
        assert!(reasons < MIB, "{part}: {reasons} bytes of audit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_are_bounded() {
    let _alone = alone().await;
    let wire = answer("Content-Encoding: gzip\r\n", &zipped(15 * MIB));
    let evil = Evil::new(serve(move |_| wire.clone())).await;
    let item = json!({"case": "hoard-answers", "n": 300, "url": "http://plain.example.com/"});
    let harm = evil.run(item, 100).await;
    // An answer on its way to a worker is held beside those that wait.
    let most = if end_to_end::is_isolated() { 128 + 16 } else { 128 };
    assert!(harm.peak < most, "{} MiB", harm.peak);
    assert!(harm.took.as_secs() < 30, "{:?}", harm.took);
    evil.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_takes_its_answers_gets_all_of_them_whatever_their_size() {
    let _alone = alone().await;
    let wire = answer("Content-Encoding: gzip\r\n", &zipped(15 * MIB));
    let evil = Evil::new(serve(move |_| wire.clone())).await;
    let item = json!({"case": "honest-answers", "n": 40, "url": "http://plain.example.com/"});
    let harm = evil.run(item, 100).await;
    assert_eq!(harm.value(), json!({"good": 40, "bad": null}));
    assert!(harm.peak < 128, "{} MiB", harm.peak);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_fit_is_refused_and_may_be_sent_once_others_have_ended() {
    let _alone = alone().await;
    let wire = answer("", b"{}");
    let evil = Evil::new(serve(move |_| {
        std::thread::sleep(Duration::from_millis(500));
        wire.clone()
    }))
    .await;
    let item = json!({"case": "honest-requests", "n": 12, "size": 7 * MIB});
    let value = evil.run(item, 60).await.value();
    assert_eq!(value["again"], json!(true), "{value}");
    assert!(value["good"].as_u64().unwrap() >= 3, "{value}");
    let message = value["refused"]["message"].as_str().unwrap();
    assert!(message.contains("`held_bytes`") && message.contains("25165824"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_executions_of_a_process_share_a_budget() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    let growth = crate::heap::Growth::start();
    let runs = (0..24).map(|_| {
        let item = json!({"case": "hoard-requests", "n": 8, "size": 7 * MIB, "ms": 8_000});
        let (plugin, execution) = (evil.plugin.clone(), evil.execution(item, 60));
        tokio::spawn(async move { plugin.execute(execution).await.unwrap() })
    });
    for run in runs.collect::<Vec<_>>() {
        assert!(run.await.unwrap().stopped.is_none());
    }
    // The limit of all, and what a connection copies while it writes.
    assert!(growth.peak() < 600, "{} MiB", growth.peak());
    let refused = evil.audit.events().into_iter().filter_map(|event| event.reason);
    let shared = refused.filter(|reason| reason.contains("`ProcessLimits::held_bytes`")).count();
    assert!(shared > 0);
    evil.is_well().await;
}
