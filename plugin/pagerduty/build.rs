//! Packs the declaration, so that hundreds of actions fit into a small component.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    workflow_node_sdk::pack::write(&pagerduty_declaration::NODE);
}
