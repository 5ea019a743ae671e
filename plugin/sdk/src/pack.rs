//! Packs a declaration, in a build script:
//!
//! ```no_run
//! # use workflow_node_sdk::declare::Node;
//! # static NODE: Node = Node::builder("weather", "Weather", "Returns the weather.").build();
//! workflow_node_sdk::pack::write(&NODE);
//! ```
//!
//! The component reads it with [`packed!`](crate::packed!).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use workflow_node_documents::Document as _;

use crate::declare::{Action, Node, document};
use crate::node::Declares as _;
use crate::packed::Table;

/// The best that deflate does.
const LEVEL: u8 = 10;

/// Writes the packed declaration to cargo's `OUT_DIR`.
///
/// # Panics
///
/// Panics outside a build script, and if the files cannot be written.
pub fn write(node: &'static Node) {
    let directory = std::env::var_os("OUT_DIR").expect("a build script has an OUT_DIR");
    write_to(&PathBuf::from(directory), node);
}

/// Writes the packed declaration to a directory.
///
/// # Panics
///
/// Panics if the files cannot be written.
pub fn write_to(directory: &Path, node: &'static Node) {
    let mut parameters = Parameters::default();
    let actions = parameters.forms(node.actions());
    let triggers = parameters.forms(node.triggers.iter().map(|trigger| &trigger.form));
    let references = node.references.iter().map(|one| (one.name, packed(one))).collect();
    let about = packed(&(node.slots, node.own_code(), node.polls()));
    let unnamed: Vec<_> = parameters.all.into_iter().map(|data| ("", data)).collect();
    for (name, bytes) in [
        ("node.name", node.name.into()),
        ("about.packed", about),
        ("actions.table", actions),
        ("triggers.table", triggers),
        ("references.table", by_name(references)),
        ("parameters.table", Table::write(&unnamed)),
        ("node.json.deflated", deflated(document::node(node).to_json())),
        ("triggers.json.deflated", deflated(document::triggers(node).to_json())),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn deflated(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes.as_ref(), LEVEL)
}

/// Parameters of all forms, without duplicates.
#[derive(Default)]
struct Parameters {
    numbers: BTreeMap<Vec<u8>, u16>,
    all: Vec<Vec<u8>>,
}

impl Parameters {
    fn forms(&mut self, forms: impl Iterator<Item = &'static Action>) -> Vec<u8> {
        let mut entries = Vec::new();
        for action in forms {
            let numbers: Vec<u16> =
                action.parameters.iter().map(|param| self.number(packed(param))).collect();
            entries.push((action.name, packed(&(action, numbers))));
        }
        by_name(entries)
    }

    fn number(&mut self, param: Vec<u8>) -> u16 {
        let next = u16::try_from(self.all.len()).expect("there are fewer than 65,536 parameters");
        *self.numbers.entry(param).or_insert_with_key(|param| {
            self.all.push(param.clone());
            next
        })
    }
}

fn by_name(mut entries: Vec<(&str, Vec<u8>)>) -> Vec<u8> {
    entries.sort();
    Table::write(&entries)
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("a declaration can be written")
}
