use serde_json::json;

use crate::support::World;

#[test]
fn a_project_is_written_with_all_that_it_needs() {
    let world = World::with(component_build::guest("minimal-node"));
    let args = ["new", "issue-tracker", "--auth", "oauth2", "--webhook", "--format", "json"];
    let report = world.harness(&args).expect(0).json();
    assert_eq!(
        report,
        json!({"node": "issue-tracker", "directory": "issue-tracker", "auth": "oauth2", "webhook": true})
    );
    for path in [
        "Cargo.toml",
        "README.md",
        ".gitignore",
        ".github/workflows/ci.yml",
        "src/lib.rs",
        "src/credentials.rs",
        "src/webhook.rs",
        "tests/node.rs",
        "tests/component.rs",
        "cases/items.toml",
        "vendor/workflow-node-sdk/src/lib.rs",
        "vendor/workflow-node-sdk/wit/node.wit",
        "vendor/workflow-node-documents/src/lib.rs",
    ] {
        assert!(world.path("issue-tracker").join(path).is_file(), "{path}");
    }
}

#[test]
fn a_directory_that_is_not_empty_and_a_name_that_cannot_be_one_are_refused() {
    let world = World::with(component_build::guest("minimal-node"));
    let file = world.path("taken/notes.txt");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "mine").unwrap();
    let taken = world.harness(&["new", "lamp", "--auth", "none", "--out", "taken"]).expect(2);
    taken.says("it exists already. Choose another directory with --out");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let name = world.harness(&["new", "My Node", "--auth", "none"]).expect(2);
    name.says("`My Node` cannot be the name of a node. Use lower-case words");
    assert!(!world.path("My Node").exists());
}
