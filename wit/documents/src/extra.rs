//! Members that this version does not define.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::Json;

/// Members of an open object that this version does not define, by name.
///
/// (A sorted list: another kind of map would cost every component some kilobytes.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra(Vec<(String, Json)>);

impl Extra {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The member with this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// All members, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of two members with one name, the last counts, as for every other reader.
    pub(crate) fn insert(&mut self, name: String, value: Json) {
        match self.0.iter().position(|(own, _)| *own >= name) {
            Some(at) if self.0[at].0 == name => self.0[at].1 = value,
            Some(at) => self.0.insert(at, (name, value)),
            None => self.0.push((name, value)),
        }
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, value) in self.iter() {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}
