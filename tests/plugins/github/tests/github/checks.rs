use std::path::Path;

use github::Github;
use workflow_node_host::{Host, Isolation};
use workflow_node_sdk::testing::assert_sound;
use workflow_node_testing::case;
use workflow_node_testing::check::{Status, Suite};

#[test]
fn the_node_is_sound() {
    assert_sound::<Github>();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_passes_every_check_for_every_action() {
    let cache = component_build::workspace_root().join("target/component-cache");
    let (isolation, component) = (Isolation::InProcessUnapproved, component_build::github());
    let host = Host::builder().isolation(isolation.clone()).cache_directory(cache.clone());
    let bench = case::Bench { component: component.clone(), isolation, cache: Some(cache) };
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut suite = Suite::new(host, component);
    suite.sample = None;
    suite.cases = Some(case::Suite::read(bench, &cases, case::Options::default()).unwrap());
    let report = suite.run().await;
    for check in &report.checks {
        // It has no trigger that polls.
        if check.id != "trigger-polling" {
            assert_eq!(check.status, Status::Passed, "{check:#?}");
        }
    }
    let examples = report.checks.iter().find(|check| check.id == "examples").unwrap();
    assert!(examples.not_judged.is_empty(), "{examples:#?}");
}
