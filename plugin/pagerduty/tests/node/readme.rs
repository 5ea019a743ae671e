//! The README's tables match the declaration.

use pagerduty::PagerDuty;
use pagerduty_declaration::node as declared;
use serde_json::Value;
use workflow_node_sdk::node;

const README: &str = include_str!("../../README.md");

/// The rows of the table under a heading.
fn table(heading: &str) -> Vec<String> {
    let (_, rest) = README.split_once(&format!("## {heading}\n")).expect("the heading is there");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.skip(2).map(str::to_owned).collect()
}

#[test]
fn the_table_of_actions_matches_the_declaration() {
    let expected: Vec<_> = declared()
        .resources
        .iter()
        .map(|resource| {
            let count: usize = resource.actions.iter().map(|actions| actions.len()).sum();
            let page = format!("../../docs/reference/{}.md", resource.name);
            format!("| [{}]({page}) | {count} | {} |", resource.title, resource.description)
        })
        .collect();
    let actual = table("Actions");
    assert_eq!(actual, expected, "the table should be:\n{}", expected.join("\n"));
}

#[test]
fn the_table_of_credential_types_matches_the_description() {
    let types: Value = serde_json::from_str(&node::credential_types::<PagerDuty>()).unwrap();
    let expected: Vec<_> = types["credential_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|credential_type| {
            let text = |name: &str| credential_type[name].as_str().unwrap().to_owned();
            format!("| `{}` | {} |", text("name"), text("description"))
        })
        .collect();
    let actual = table("Credential types");
    assert_eq!(actual, expected, "the table should be:\n{}", expected.join("\n"));
}
