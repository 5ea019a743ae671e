//! The example: a separate project, which the README shows in full.

use std::fs;
use std::path::PathBuf;

#[allow(unreachable_pub, reason = "it is a crate of its own")]
#[path = "../../example/src/lib.rs"]
mod weather;

use serde_json::Value;
use workflow_node_sdk::declare;

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_readme_shows_the_example_unchanged() {
    let readme = read("README.md");
    let blocks: Vec<&str> = readme.split("```").skip(1).step_by(2).collect();
    let code = read("example/src/lib.rs");
    let (node, tests) = code.split_at(code.find("#[cfg(test)]").expect("it has tests"));
    for (language, text) in [("rust", node), ("rust", tests), ("toml", &read("example/Cargo.toml"))]
    {
        let expected = format!("{language}\n{}\n", text.trim_end());
        assert!(
            blocks.contains(&expected.as_str()),
            "plugin/sdk/README.md lacks this block of plugin/sdk/example:\n{expected}"
        );
    }
    assert!(node.lines().count() <= 50, "the example fits on a screen");
}

#[test]
fn the_guide_uses_names_of_the_example() {
    let guide = read("../../docs/writing-a-node.md");
    let commands: Vec<&str> =
        guide.lines().filter(|line| line.contains("release/weather.wasm")).collect();
    assert!(commands.len() >= 4, "the guide has its commands");
    let mut named = 0;
    for command in commands {
        let mut words = command.split_whitespace().skip_while(|word| !word.ends_with(".wasm"));
        let Some(action) = words.nth(1).filter(|word| word.contains('.')) else { continue };
        let action = weather::NODE
            .action(action)
            .unwrap_or_else(|| panic!("the example has no action `{action}`: {command}"));
        named += 1;
        if let Some((_, rest)) = command.split_once("--parameters '") {
            let (parameters, _) = rest.split_once('\'').expect("the quote is closed");
            let parameters: Value = serde_json::from_str(parameters).expect("JSON");
            declare::check(action, &parameters)
                .unwrap_or_else(|error| panic!("{command}: {error:?}"));
        }
    }
    assert!(named >= 2, "the guide inspects and runs an action");
}
