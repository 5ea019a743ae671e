//! A declaration as a build script has packed it. Hundreds of actions as plain data would be most
//! of a component, and nearly all of it text that only `describe` needs. Packed, the documents are
//! deflated, and beside them stands a table from which a call reads the one action that it runs.

use serde::{Deserialize, Serialize};

use crate::declare::{Action, Param, Reference};
use crate::node::Declares;

/// The files that [`write`](crate::pack::write) makes; see [`packed!`](crate::packed!).
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// The table.
    pub table: &'static [u8],
    /// The document of `schemas/node.json`, deflated.
    pub node: &'static [u8],
    /// The document of `schemas/trigger.json`, deflated.
    pub triggers: &'static [u8],
}

/// What a call needs: a resource's part holds its actions, deflated.
#[derive(Serialize, Deserialize)]
pub(crate) struct Table {
    /// The node's name.
    pub(crate) node: &'static str,
    /// The references, deflated.
    pub(crate) references: &'static [u8],
    /// Names of actions, and the part that holds them.
    pub(crate) parts: Vec<Part>,
    /// The forms of the triggers.
    pub(crate) triggers: Part,
}

/// Where some actions are.
#[derive(Serialize, Deserialize)]
pub(crate) struct Part {
    /// Their names, one a line.
    pub(crate) names: &'static str,
    pub(crate) deflated: &'static [u8],
}

/// Actions with their parameters, each parameter once.
#[derive(Serialize, Deserialize)]
pub(crate) struct Actions {
    #[serde(borrow)]
    pub(crate) params: Vec<&'static [u8]>,
    #[serde(borrow)]
    pub(crate) actions: Vec<&'static [u8]>,
}

impl Packed {
    fn table(&self) -> Table {
        read(self.table)
    }
}

impl Declares for Packed {
    fn name(&self) -> &'static str {
        self.table().node
    }

    fn describe(&self) -> String {
        text(self.node)
    }

    fn describe_triggers(&self) -> String {
        text(self.triggers)
    }

    fn action(&self, name: &str) -> Option<&'static Action> {
        self.table().parts.into_iter().find_map(|part| part.read(name))
    }

    fn trigger(&self, name: &str) -> Option<&'static Action> {
        self.table().triggers.read(name)
    }

    fn reference(&self, name: &str) -> Option<&'static Reference> {
        let references: Vec<Reference> = read(inflated(self.table().references).leak());
        let found = references.into_iter().find(|reference| reference.name == name)?;
        Some(Box::leak(Box::new(found)))
    }
}

impl Part {
    fn read(&self, name: &str) -> Option<&'static Action> {
        let place = self.names.split('\n').position(|own| own == name)?;
        let Actions { params, actions } = read(inflated(self.deflated).leak());
        let (mut action, places): (Action, Vec<u16>) = read(actions.get(place)?);
        let mut parameters: Vec<&'static Param> = Vec::with_capacity(places.len());
        for place in places {
            let param: Param = read(params.get(usize::from(place))?);
            parameters.push(Box::leak(Box::new(param)));
        }
        action.parameters = parameters.leak();
        Some(Box::leak(Box::new(action)))
    }
}

fn read<T: Deserialize<'static>>(bytes: &'static [u8]) -> T {
    let Ok(value) = postcard::from_bytes(bytes) else { unreachable!("it is as it was packed") };
    value
}

fn text(deflated: &[u8]) -> String {
    let Ok(text) = String::from_utf8(inflated(deflated)) else {
        unreachable!("it is as it was packed")
    };
    text
}

fn inflated(deflated: &[u8]) -> Vec<u8> {
    let Ok(bytes) = miniz_oxide::inflate::decompress_to_vec(deflated) else {
        unreachable!("it is as it was packed")
    };
    bytes
}

/// The declaration that the build script has packed with [`write`](crate::pack::write).
#[macro_export]
macro_rules! packed {
    () => {
        $crate::packed::Packed {
            table: include_bytes!(concat!(env!("OUT_DIR"), "/node.table")),
            node: include_bytes!(concat!(env!("OUT_DIR"), "/node.json.deflated")),
            triggers: include_bytes!(concat!(env!("OUT_DIR"), "/triggers.json.deflated")),
        }
    };
}
