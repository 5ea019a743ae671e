//! Links that the pages share: the page of each object, and its anchor.

use std::collections::BTreeMap;

use serde_json::Value;
use workflow_node_host::description::{Action, Description, SlotUse, alternatives};

use super::markdown::{code, fragment, text};
use crate::groups::{Group, groups};
use crate::words::{any_of, count};

/// Pages that are not about a resource; a resource of this name gets another page.
const PAGES: &[&str] = &["readme", "credentials", "records", "triggers"];

/// A plugin, prepared to be written about.
pub(super) struct Book<'a> {
    pub(super) description: &'a Description,
    pub(super) groups: Vec<Group<'a>>,
    /// The records that have a title and members, each once, as they are met.
    pub(super) records: Vec<(String, &'a Value)>,
}

impl<'a> Book<'a> {
    pub(super) fn new(description: &'a Description) -> Self {
        let mut book = Self { description, groups: groups(description), records: Vec::new() };
        let node = &description.node;
        for (name, schema) in node.schemas.iter() {
            let title = schema.get("title").and_then(Value::as_str).unwrap_or(name);
            book.records.push((title.to_owned(), schema));
        }
        let outputs = node.actions.iter().flat_map(|action| action.output.values());
        let events = description.triggers.iter().map(|trigger| &trigger.output);
        for schema in outputs.chain(events) {
            for part in alternatives(schema) {
                let title = part.get("title").and_then(Value::as_str).unwrap_or_default();
                let has_members = part.get("properties").is_some();
                let is_new = !book.records.iter().any(|(known, _)| known == title);
                if has_members && !title.is_empty() && is_new {
                    book.records.push((title.to_owned(), part));
                }
            }
        }
        book.records.sort_by(|(one, _), (other, _)| one.cmp(other));
        book
    }

    /// The file of a resource's page, without its ending.
    pub(super) fn page_of(&self, group: &str) -> String {
        if PAGES.contains(&group) { format!("{group}-actions") } else { group.to_owned() }
    }

    /// Name of an action, as a link to its description.
    pub(super) fn action_link(&self, action: &Action) -> String {
        let group = self
            .groups
            .iter()
            .find(|group| group.actions.iter().any(|one| one.name == action.name));
        let page = group.map(|group| self.page_of(group.name)).unwrap_or_default();
        format!("[{}]({page}.md#{})", code(&action.name), fragment(&action.title))
    }

    /// Title of a record, as a link. `None` if no page describes the record.
    pub(super) fn record_link(&self, schema: &Value) -> Option<String> {
        let shared = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
            .and_then(|name| self.description.node.schemas.get(name));
        let wanted = shared.unwrap_or(schema);
        let (title, _) = self.records.iter().find(|(_, known)| *known == wanted)?;
        Some(format!("[{}](records.md#{})", text(title), fragment(title)))
    }

    /// Which credentials an action or a trigger takes, and what a scoped one needs.
    pub(super) fn credentials(&self, slots: &BTreeMap<String, SlotUse>) -> Vec<String> {
        let of = |(name, slot): (&String, &SlotUse)| {
            let known = self.description.node.slots.get(name);
            let types: Vec<String> = known
                .map(|slot| slot.credential_types.as_slice())
                .unwrap_or_default()
                .iter()
                .map(|name| self.credential_link(name))
                .collect();
            let mut words = any_of(&types);
            if !slot.required {
                words.push_str(", or none");
            }
            if !slot.scopes.is_empty() {
                let scopes: Vec<String> = slot.scopes.iter().map(|scope| code(scope)).collect();
                let scope = if scopes.len() == 1 { "the scope" } else { "the scopes" };
                words.push_str(&format!("; scoped credentials need {scope} {}", scopes.join(", ")));
            }
            words
        };
        slots.iter().map(of).collect()
    }

    /// A credential type's name, as a link.
    pub(super) fn credential_link(&self, name: &str) -> String {
        match self.description.credential_types.get(name) {
            Some(known) => {
                format!("[{}](credentials.md#{})", code(name), fragment(&known.display_name))
            }
            None => code(name),
        }
    }

    /// `454 actions in 45 resources`.
    pub(super) fn extent(&self) -> String {
        let actions = count(self.description.node.actions.len(), "action");
        format!("{actions} in {}", count(self.groups.len(), "resource"))
    }
}
