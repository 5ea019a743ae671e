//! Packs the description of the node, so that hundreds of actions fit into a small component.

use std::path::PathBuf;

use workflow_node_sdk::deflated::compress;
use workflow_node_sdk::documents::Document as _;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=actions");
    workflow_node_sdk::pack::write(pagerduty_declaration::node());
    let directory = std::env::var_os("OUT_DIR").expect("a build script has an OUT_DIR");
    let path = PathBuf::from(directory).join("credential-types.json.deflated");
    let document = pagerduty_declaration::credential_types().to_json();
    std::fs::write(&path, compress(&document))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
