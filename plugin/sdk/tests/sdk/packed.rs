//! A packed declaration says what the written one says.

use std::path::PathBuf;

use workflow_node_sdk::declare::{Kind, Output, Param, Slot};
use workflow_node_sdk::node::{self, Declares};
use workflow_node_sdk::pack;
use workflow_node_sdk::packed::{Packed, Table};

use crate::plugin::{NODE, Things};

/// A directory that goes when the test ends.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let place = std::env::temp_dir().join(format!("packed-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        Self(place)
    }

    fn read(&self, name: &str) -> &'static [u8] {
        std::fs::read(self.0.join(name)).unwrap().leak()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The parts of a parameter that a call needs, without texts and defaults.
fn bare_param(param: &Param) -> Param {
    let members = |list: &'static [&'static Param]| -> &'static [&'static Param] {
        let bare: Vec<&'static Param> =
            list.iter().map(|param| &*Box::leak(Box::new(bare_param(param)))).collect();
        bare.leak()
    };
    let mut bare = param.titled("", "");
    bare.default = None;
    bare.secret = None;
    bare.kind = match param.kind {
        Kind::Object(list) => Kind::Object(members(list)),
        Kind::Objects(list) => Kind::Objects(members(list)),
        kind => kind,
    };
    bare
}

/// The parts of the slots that a call needs, without texts.
fn bare_slots() -> Vec<Slot> {
    let bare =
        |slot: &Slot| Slot::new(slot.name, "", slot.credential_types).base_urls(slot.base_urls);
    NODE.slots.iter().map(bare).collect()
}

#[test]
fn every_packed_action_and_reference_is_read_unchanged() {
    let place = Place::new();
    pack::write_to(&place.0, &NODE);
    let table = |name: &str| Table(place.read(name));
    let packed: &'static Packed = Box::leak(Box::new(Packed {
        name: std::str::from_utf8(place.read("node.name")).unwrap(),
        about: place.read("about.packed"),
        actions: table("actions.table"),
        triggers: table("triggers.table"),
        references: table("references.table"),
        parameters: table("parameters.table"),
        node: place.read("node.json.deflated"),
        trigger_document: place.read("triggers.json.deflated"),
    }));
    let declaration: &'static dyn Declares = packed;
    assert_eq!(declaration.name(), "things");
    assert_eq!(declaration.describe(), node::describe::<Things>(false));
    assert_eq!(packed.describe_triggers(), r#"{"triggers":[]}"#);
    for written in NODE.actions() {
        let read = declaration.action(written.name).expect(written.name);
        let parameters: Vec<Param> = written.parameters.iter().map(|one| bare_param(one)).collect();
        let parameters: Vec<&'static Param> =
            parameters.into_iter().map(|one| &*Box::leak(Box::new(one))).collect();
        let mut bare = *written;
        bare.title = "";
        bare.description = "";
        bare.documentation_url = None;
        bare.is_early_access = false;
        bare.parameters = parameters.leak();
        bare.output = Output::Object;
        bare.examples = &[];
        bare.simple = read.simple.filter(|_| written.simple.is_some());
        assert_eq!(format!("{read:?}"), format!("{bare:?}"), "{}", written.name);
    }
    assert_eq!(format!("{:?}", declaration.slots()), format!("{:?}", bare_slots()));
    assert_eq!(declaration.own_code(), NODE.own_code());
    assert_eq!(declaration.polls(), NODE.polls());
    for written in NODE.references {
        let read = declaration.reference(written.name).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
    }
    let get = |name| declaration.action(name).unwrap();
    assert!(std::ptr::eq(get("thing.get"), get("thing.get")), "an action is read once");
    assert!(declaration.action("thing.fly").is_none() && declaration.reference("x").is_none());
}
