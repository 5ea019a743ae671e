//! Tests of the suite itself: a sound node passes every check, and a node that violates one check
//! fails this check and no other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use workflow_node_host::{Host, Isolation};
use workflow_node_testing::case;
use workflow_node_testing::check::{CHECKS, Report, Status, Suite, pages};

/// The position of the mode in the component.
const MARK: &[u8] = b"@@judged-mode@@";

/// The test node, patched to violate one check.
fn node(directory: &tempfile::TempDir, mode: &str) -> PathBuf {
    let mut bytes = std::fs::read(component_build::guest("judged-node")).unwrap();
    let mut places = bytes.windows(MARK.len()).enumerate().filter(|(_, part)| *part == MARK);
    let (at, _) = places.next().expect("the node has a mode");
    assert!(places.next().is_none(), "the mode is stored once");
    let written = format!("{mode:<49}");
    bytes[at + MARK.len()..at + 64].copy_from_slice(written.as_bytes());
    let path = directory.path().join(format!("{mode}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn judged(path: PathBuf) -> Report {
    let cache = component_build::workspace_root().join("target/component-cache");
    let isolation = Isolation::InProcessUnapproved;
    let host = Host::builder().isolation(isolation.clone()).cache_directory(cache.clone());
    let bench = case::Bench { component: path.clone(), isolation, cache: Some(cache) };
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/check/cases");
    let mut suite = Suite::new(host, path);
    suite.cases = Some(case::Suite::read(bench, &directory, case::Options::default()).unwrap());
    suite.run().await
}

fn with_status(report: &Report, status: Status) -> BTreeSet<&str> {
    report.checks.iter().filter(|one| one.status == status).map(|one| one.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_node_passes_every_check() {
    let directory = tempfile::tempdir().unwrap();
    let report = judged(node(&directory, "sound")).await;
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(with_status(&report, Status::Passed), all, "{report:#?}");
    assert_eq!(report.node.as_deref(), Some("judged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_fails_for_the_node_that_breaks_it_and_for_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let mut waiting = CHECKS.iter();
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < 6
            && let Some(check) = waiting.next()
        {
            let node = node(&directory, check.id);
            running.spawn(async move { (check.id, judged(node).await) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (broken, report) = ended.unwrap();
        let failed = with_status(&report, Status::Failed);
        assert_eq!(failed, BTreeSet::from([broken]), "broken: {broken}: {report:#?}");
        let skipped = with_status(&report, Status::Skipped);
        match broken {
            // Nothing else can be judged.
            "load" => assert_eq!(skipped.len(), CHECKS.len() - 1),
            _ => assert!(skipped.is_empty(), "broken: {broken}: {skipped:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_actions_that_return_nothing_of_the_answer_is_judged() {
    let directory = tempfile::tempdir().unwrap();
    let report = judged(node(&directory, "order-of-writes")).await;
    assert_eq!(with_status(&report, Status::Failed), BTreeSet::from(["order"]), "{report:#?}");
    let order = report.checks.iter().find(|one| one.id == "order").unwrap();
    assert_eq!(order.findings.len(), 1, "{order:#?}");
    assert_eq!(order.findings[0].subject, "thing.delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_checks_that_are_asked_for_are_run() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::builder().isolation(Isolation::InProcessUnapproved);
    let mut suite = Suite::new(host, node(&directory, "forms"));
    suite.only = vec!["forms".into(), "order".into()];
    let report = suite.run().await;
    let ids: Vec<&str> = report.checks.iter().map(|one| one.id).collect();
    assert_eq!(ids, ["forms", "order"]);
    assert_eq!(with_status(&report, Status::Failed), BTreeSet::from(["forms"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_beyond_the_time_limit_are_reported_as_not_judged() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::builder().isolation(Isolation::InProcessUnapproved);
    let mut suite = Suite::new(host, node(&directory, "sound"));
    suite.time = std::time::Duration::ZERO;
    let report = suite.run().await;
    let skipped = with_status(&report, Status::Skipped);
    assert!(skipped.contains("examples") && skipped.contains("writes"), "{report:#?}");
    let examples = report.checks.iter().find(|one| one.id == "examples").unwrap();
    assert!(examples.not_judged[0].reason.contains("--time"), "{examples:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_the_same_in_json_and_in_junit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.wasm");
    std::fs::write(&path, "not a component").unwrap();
    let report = judged(path).await;
    let document = serde_json::to_value(&report).unwrap();
    assert_eq!(document["plugin"], Value::Null);
    let load = &document["checks"][0];
    assert_eq!(
        (&load["id"], &load["status"], &load["judged"]),
        (&json!("load"), &json!("failed"), &json!(1))
    );
    assert!(load["findings"][0]["message"].as_str().unwrap().contains("component"), "{load}");
    assert_eq!(document["checks"][1]["status"], "skipped");
    assert_eq!(document["checks"][1]["not_judged"][0]["reason"], "it was not loaded");
    let junit = report.to_junit().unwrap();
    assert!(junit.contains(r#"<testcase name="load" classname="harness.check""#), "{junit}");
    let tests = format!(r#"tests="{}""#, CHECKS.len());
    assert!(junit.contains(&tests) && junit.contains(r#"failures="1""#), "{junit}");
    assert_eq!(junit.matches("<skipped").count(), CHECKS.len() - 1, "{junit}");
}

#[test]
fn the_page_of_the_checks_is_up_to_date() {
    let path = component_build::workspace_root().join("docs/checks.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, pages()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written,
        pages(),
        "docs/checks.md is stale. To update it: UPDATE_PAGES=1 cargo test -p workflow-node-testing"
    );
}
