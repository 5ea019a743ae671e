use serde_json::json;

use crate::support::World;

#[test]
fn the_pagerduty_plugin_passes_every_check() {
    let world = World::new();
    let cases = component_build::workspace_root().join("plugin/pagerduty/cases");
    let cases = cases.to_str().unwrap();
    let args = ["check", world.plugin(), "--sample", "8", "--cases", cases, "--format", "json"];
    let report = world.harness(&args).expect(0).json();
    assert_eq!(report["node"], "pagerduty");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "passed", "{check:#}");
    }
    let polls =
        report["checks"].as_array().unwrap().iter().find(|one| one["id"] == "trigger-polling");
    let polls = polls.unwrap();
    assert_eq!((&polls["judged"], &polls["not_judged"]), (&json!(3), &json!([])), "{polls:#}");
    let examples = report["checks"].as_array().unwrap().iter().find(|one| one["id"] == "examples");
    let examples = examples.unwrap();
    let not_judged = examples["not_judged"].as_array().unwrap().len();
    // Few answers of the service cannot be made from the schemas of the node.
    assert!(examples["judged"].as_u64().unwrap() > 400 && not_judged < 10, "{examples:#}");
}

#[test]
fn a_check_that_fails_is_reported_with_what_to_do() {
    let world = World::with(component_build::guest("service-node"));
    let output = world.harness(&["check", world.plugin(), "--only", "examples"]).expect(1);
    for text in [
        "failed   examples",
        "element.list: the action has no example. Add one that runs",
        "0 passed, 1 failed, 0 skipped",
        "harness check --explain examples",
    ] {
        assert!(output.stdout.contains(text), "{text}\n{}", output.stdout);
    }
    let junit = ["check", world.plugin(), "--only", "examples", "--format", "junit"];
    let junit = world.harness(&junit).expect(1).stdout;
    assert!(junit.contains(r#"<failure message="Every action has an example"#), "{junit}");
}

#[test]
fn a_file_that_is_not_a_component_fails_the_first_check() {
    let world = World::new();
    let file = world.file("broken.wasm", "not a component");
    let report = world.harness(&["check", &file, "--format", "json"]).expect(1).json();
    assert_eq!(report["checks"][0]["id"], "load");
    assert_eq!(report["checks"][0]["status"], "failed");
    assert_eq!(report["checks"][1]["status"], "skipped");
    let missing = world.harness(&["check", "missing.wasm", "--format", "json"]).expect(2);
    assert_eq!(missing.failure()["next"], json!("pass the path of the component's .wasm file"));
}

#[test]
fn checks_are_listed_and_explained() {
    let world = World::new();
    let list = world.harness(&["check", "--list"]).expect(0).stdout;
    assert!(list.contains("order") && list.contains("paging"), "{list}");
    let page = world.harness(&["check", "--explain", "order"]).expect(0).stdout;
    assert!(page.contains("The results are in the order of the items."), "{page}");
    assert!(page.contains("maps each result to the item at the same position"), "{page}");
    let unknown = world.harness(&["check", "--explain", "ordering"]).expect(2).stderr;
    assert!(unknown.contains("The checks are load, descriptions"), "{unknown}");
}
