//! Packs a declaration, in a build script:
//!
//! ```no_run
//! # use workflow_node_sdk::declare::Node;
//! # static NODE: Node = Node { name: "", version: 1, display_name: "", description: "",
//! #     documentation_url: "", icon: None, categories: &[], aliases: &[], origins: &[], slots: &[], schemas: &[], secrets: Vec::new,
//! #     references: &[], resources: &[], triggers: &[] };
//! workflow_node_sdk::pack::write(&NODE);
//! ```
//!
//! The component reads it with [`packed!`](crate::packed!).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use workflow_node_documents::Document as _;

use crate::declare::{Action, Node, Resource, document};
use crate::packed::{Actions, Part, Table};

/// The best that deflate does.
const LEVEL: u8 = 10;

/// Writes the packed declaration to cargo's `OUT_DIR`.
///
/// # Panics
///
/// Outside of a build script, and when the files cannot be written.
pub fn write(node: &'static Node) {
    let directory = std::env::var_os("OUT_DIR").expect("a build script has an OUT_DIR");
    write_to(&PathBuf::from(directory), node);
}

/// Writes the packed declaration to a directory.
///
/// # Panics
///
/// When the files cannot be written.
pub fn write_to(directory: &Path, node: &'static Node) {
    let described = document::node(node).to_json();
    let triggers = document::triggers(node).to_json();
    for (name, bytes) in [
        ("node.table", table(node)),
        ("node.json.deflated", deflated(described)),
        ("triggers.json.deflated", deflated(triggers)),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn deflated(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes.as_ref(), LEVEL)
}

fn table(node: &'static Node) -> Vec<u8> {
    let actions = |resource: &Resource| resource.actions.iter().copied().flatten();
    let parts = node.resources.iter().map(|resource| part(actions(resource))).collect();
    let triggers = part(node.triggers.iter().map(|trigger| &trigger.form));
    let references = deflated(packed(&node.references)).leak();
    packed(&Table { node: node.name, references, parts, triggers })
}

fn part(forms: impl Iterator<Item = &'static Action>) -> Part {
    let mut places: BTreeMap<Vec<u8>, u16> = BTreeMap::new();
    let mut params: Vec<&'static [u8]> = Vec::new();
    let mut actions: Vec<&'static [u8]> = Vec::new();
    let mut names = Vec::new();
    for action in forms {
        let mut used = Vec::with_capacity(action.parameters.len());
        for param in action.parameters {
            let bytes = packed(param);
            let next = u16::try_from(params.len()).expect("there are fewer than 65,536 parameters");
            let place = *places.entry(bytes.clone()).or_insert_with(|| {
                params.push(bytes.leak());
                next
            });
            used.push(place);
        }
        names.push(action.name);
        actions.push(packed(&(action, used)).leak());
    }
    Part {
        names: names.join("\n").leak(),
        deflated: deflated(packed(&Actions { params, actions })).leak(),
    }
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("a declaration can be written")
}
