//! A declaration packed by a build script. Hundreds of actions as plain data would be most of a
//! component, and nearly all of it text that only `describe` needs. So the documents are
//! compressed, and calls read their data from tables, one action, reference, or parameter at a
//! time. The tables are not compressed: a component's static data costs nothing at instantiation,
//! but decompressing it would cost time on every call.

use std::cell::RefCell;
use std::thread::LocalKey;

use serde::Deserialize;

use crate::declare::{Action, Param, Reference, Run, Slot};
use crate::node::Declares;

/// The files that [`write`](crate::pack::write) creates; see [`packed!`](crate::packed!).
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// The node's name.
    pub name: &'static str,
    /// Slots, actions with custom code, and triggers.
    pub about: &'static [u8],
    /// Actions by name, without their parameters' declarations.
    pub actions: Table,
    /// Forms of triggers by name.
    pub triggers: Table,
    /// References by name.
    pub references: Table,
    /// Parameters by number, as actions and triggers name them.
    pub parameters: Table,
    /// The document of `schemas/node.json`, deflated.
    pub node: &'static [u8],
    /// The document of `schemas/trigger.json`, deflated.
    pub trigger_document: &'static [u8],
}

/// Entries with names, sorted by name, or without names, in a fixed order.
///
/// An entry is found without reading the others: the table begins with the number of entries,
/// followed for each by the end of its name and the end of its data (from the end of the one
/// before; from the end of this list for the first). Numbers are little-endian 32-bit.
#[derive(Clone, Copy, Debug)]
pub struct Table(pub &'static [u8]);

/// Size of a number in bytes.
const NUMBER: usize = 4;

impl Table {
    /// Builds a table. Entries with names must be sorted by name.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn write(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).expect("a table has less than 4 GiB");
        let mut table = number(entries.len()).to_le_bytes().to_vec();
        let mut end = 0;
        for (name, data) in entries {
            for part in [name.len(), data.len()] {
                end += part;
                table.extend_from_slice(&number(end).to_le_bytes());
            }
        }
        for (name, data) in entries {
            table.extend_from_slice(name.as_bytes());
            table.extend_from_slice(data);
        }
        table
    }

    fn number(self, index: usize) -> usize {
        let at = index * NUMBER;
        let bytes = self.0.get(at..at + NUMBER).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default()) as usize
    }

    /// Number of entries.
    pub fn len(self) -> usize {
        self.number(0)
    }

    /// Whether the table is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Name and data of an entry.
    fn entry(self, index: usize) -> (&'static [u8], &'static [u8]) {
        let heap = (1 + 2 * self.len()) * NUMBER;
        let start = if index == 0 { 0 } else { self.number(2 * index) };
        let middle = self.number(2 * index + 1);
        let end = self.number(2 * index + 2);
        let part = |from: usize, to: usize| self.0.get(heap + from..heap + to).unwrap_or_default();
        (part(start, middle), part(middle, end))
    }

    /// Data of the entry at a position.
    fn at(self, index: usize) -> Option<&'static [u8]> {
        (index < self.len()).then(|| self.entry(index).1)
    }

    /// Data of the entry with a name.
    fn find(self, name: &str) -> Option<&'static [u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (candidate, data) = self.entry(middle);
            match candidate.cmp(name.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(data),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Entries that were read, so that each is read once per instance. They are few: the action that
/// runs, those that look up its references, and the references themselves.
type Known<T> = RefCell<Vec<(&'static [u8], &'static T)>>;

thread_local! {
    static ACTIONS: Known<Action> = const { RefCell::new(Vec::new()) };
    static REFERENCES: Known<Reference> = const { RefCell::new(Vec::new()) };
}

/// The entry packed in `data`, read on the first call and kept for the lifetime of the instance.
fn known<T>(
    cache: &'static LocalKey<Known<T>>,
    data: &'static [u8],
    read: impl FnOnce() -> T,
) -> &'static T {
    let is_it = |(packed, _): &&(&'static [u8], &'static T)| std::ptr::eq(*packed, data);
    if let Some(found) =
        cache.with_borrow(|entries| entries.iter().find(is_it).map(|(_, entry)| *entry))
    {
        return found;
    }
    let entry: &'static T = Box::leak(Box::new(read()));
    cache.with_borrow_mut(|entries| entries.push((data, entry)));
    entry
}

impl Packed {
    fn form(&self, table: Table, name: &str) -> Option<&'static Action> {
        let data = table.find(name)?;
        Some(known(&ACTIONS, data, || {
            let (mut action, numbers): (Action, Vec<u16>) = read(data);
            let mut parameters: Vec<&'static Param> = Vec::with_capacity(numbers.len());
            for number in numbers {
                let packed = self.parameters.at(usize::from(number)).unwrap_or_default();
                parameters.push(Box::leak(Box::new(read(packed))));
            }
            action.parameters = parameters.leak();
            action
        }))
    }
}

/// Slots, actions with custom code, and triggers.
type About = (Vec<Slot>, Vec<(&'static str, Run)>, Vec<(&'static str, bool)>);

impl Packed {
    fn about(&self) -> &'static About {
        thread_local! { static ABOUT: Known<About> = const { RefCell::new(Vec::new()) }; }
        known(&ABOUT, self.about, || read(self.about))
    }
}

impl Declares for Packed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        inflated(self.node)
    }

    fn describe_triggers(&self) -> String {
        inflated(self.trigger_document)
    }

    fn action(&self, name: &str) -> Option<&'static Action> {
        self.form(self.actions, name)
    }

    fn trigger(&self, name: &str) -> Option<&'static Action> {
        self.form(self.triggers, name)
    }

    fn reference(&self, name: &str) -> Option<&'static Reference> {
        let data = self.references.find(name)?;
        Some(known(&REFERENCES, data, || read(data)))
    }

    fn slots(&self) -> &'static [Slot] {
        &self.about().0
    }

    fn own_code(&self) -> Vec<(&'static str, Run)> {
        self.about().1.clone()
    }

    fn polls(&self) -> Vec<(&'static str, bool)> {
        self.about().2.clone()
    }
}

fn read<T: Deserialize<'static>>(bytes: &'static [u8]) -> T {
    let Ok(value) = postcard::from_bytes(bytes) else {
        unreachable!("the build script packed it with the same types")
    };
    value
}

fn inflated(deflated: &[u8]) -> String {
    let inflated = miniz_oxide::inflate::decompress_to_vec(deflated);
    let Some(text) = inflated.ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        unreachable!("the build script deflated text")
    };
    text
}

/// The declaration that the build script packed with [`write`](crate::pack::write).
#[macro_export]
macro_rules! packed {
    () => {
        $crate::packed::Packed {
            name: include_str!(concat!(env!("OUT_DIR"), "/node.name")),
            about: include_bytes!(concat!(env!("OUT_DIR"), "/about.packed")),
            actions: $crate::packed::Table(include_bytes!(concat!(
                env!("OUT_DIR"),
                "/actions.table"
            ))),
            triggers: $crate::packed::Table(include_bytes!(concat!(
                env!("OUT_DIR"),
                "/triggers.table"
            ))),
            references: $crate::packed::Table(include_bytes!(concat!(
                env!("OUT_DIR"),
                "/references.table"
            ))),
            parameters: $crate::packed::Table(include_bytes!(concat!(
                env!("OUT_DIR"),
                "/parameters.table"
            ))),
            node: include_bytes!(concat!(env!("OUT_DIR"), "/node.json.deflated")),
            trigger_document: include_bytes!(concat!(env!("OUT_DIR"), "/triggers.json.deflated")),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, Vec<u8>)]) -> Table {
        Table(Table::write(entries).leak())
    }

    #[test]
    fn an_entry_is_found_by_its_name_and_by_its_position() {
        let names = ["", "a", "ab", "b", "incident.get", "incident.list"];
        for count in 0..names.len() {
            let entries: Vec<_> = names[..count]
                .iter()
                .map(|name| (*name, name.to_uppercase().into_bytes()))
                .collect();
            let table = table(&entries);
            assert_eq!(table.len(), count);
            for (index, name) in names.iter().enumerate() {
                let expected = (index < count).then(|| name.to_uppercase().into_bytes());
                assert_eq!(table.find(name).map(<[u8]>::to_vec), expected, "{name} of {count}");
                assert_eq!(table.at(index).map(<[u8]>::to_vec), expected, "{index} of {count}");
            }
            assert_eq!(table.find("zz"), None);
        }
    }

    #[test]
    fn a_damaged_table_has_no_entries_and_does_not_panic() {
        for bytes in [&b""[..], b"\x01", b"\x05\0\0\0", b"\x01\0\0\0\xff\xff\xff\xff\0\0\0\0"] {
            let table = Table(bytes.to_vec().leak());
            assert!(table.find("x").is_none_or(<[u8]>::is_empty));
        }
    }

    #[test]
    fn an_entry_is_read_once() {
        thread_local! { static NUMBERS: Known<u32> = const { RefCell::new(Vec::new()) }; }
        let data: &'static [u8] = vec![1, 2].leak();
        let other: &'static [u8] = vec![1, 2].leak();
        assert_eq!(known(&NUMBERS, data, || 1), &1);
        assert_eq!(known(&NUMBERS, data, || unreachable!("it is known")), &1);
        assert_eq!(known(&NUMBERS, other, || 2), &2);
    }
}
