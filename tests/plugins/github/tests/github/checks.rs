use github::Github;
use workflow_node_host::{Host, Isolation};
use workflow_node_sdk::testing::assert_sound;
use workflow_node_testing::check::{Status, Suite};

#[test]
fn the_node_is_sound() {
    assert_sound::<Github>();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_passes_every_check_for_every_action() {
    let cache = component_build::workspace_root().join("target/component-cache");
    let host = Host::builder().isolation(Isolation::InProcessUnapproved).cache_directory(cache);
    let mut suite = Suite::new(host, component_build::github());
    suite.sample = None;
    let report = suite.run().await;
    for check in &report.checks {
        assert_eq!(check.status, Status::Passed, "{check:#?}");
    }
    let examples = report.checks.iter().find(|check| check.id == "examples").unwrap();
    assert!(examples.not_judged.is_empty(), "{examples:#?}");
}
