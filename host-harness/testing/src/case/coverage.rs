//! Coverage of a node by its cases: actions, parameters, credential types, kinds of errors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use workflow_node_host::{Error, Plugin};

use super::file::{Case, KINDS};
use super::run::Ran;

/// Coverage of a node by its cases.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// Actions.
    pub actions: Vec<ActionCoverage>,
    /// Credential types, and whether a case uses them.
    pub credential_types: BTreeMap<String, bool>,
    /// Kinds of errors, and how many items have failed with each.
    pub error_kinds: BTreeMap<String, usize>,
}

/// Coverage of an action.
#[derive(Clone, Debug, Serialize)]
pub struct ActionCoverage {
    /// Its name.
    pub action: String,
    /// Number of cases.
    pub cases: usize,
    /// Parameters that a case sets.
    pub set: Vec<String>,
    /// Parameters that no case sets.
    pub unset: Vec<String>,
}

impl Coverage {
    pub(super) fn of(plugin: &Plugin, ran: &[(&Case, Option<&Ran>)]) -> Result<Self, Error> {
        let description = plugin.description();
        let mut actions = Vec::new();
        for action in &description.node.actions {
            let cases: Vec<&Case> = ran
                .iter()
                .map(|(case, _)| *case)
                .filter(|case| case.action == action.name)
                .collect();
            let used: BTreeSet<&str> = cases
                .iter()
                .flat_map(|case| &case.items)
                .filter_map(|item| item.as_object())
                .flat_map(|item| item.keys().map(String::as_str))
                .collect();
            // A form is resolved only if a case needs it, because there may be hundreds.
            let names: Vec<String> = match cases.is_empty() {
                true => Vec::new(),
                false => {
                    let form = plugin.action_form(&action.name)?;
                    form.fields.into_iter().map(|field| field.name).collect()
                }
            };
            let (set, unset) = names.into_iter().partition(|name| used.contains(name.as_str()));
            let (action, cases) = (action.name.clone(), cases.len());
            actions.push(ActionCoverage { action, cases, set, unset });
        }
        let used: BTreeSet<&str> = ran
            .iter()
            .flat_map(|(case, _)| case.credentials.values())
            .map(|one| one.credential_type.as_str())
            .collect();
        let credential_types = description.credential_types.keys();
        let credential_types =
            credential_types.map(|name| (name.clone(), used.contains(name.as_str()))).collect();
        let mut error_kinds: BTreeMap<String, usize> =
            KINDS.iter().map(|kind| (kind.to_string(), 0)).collect();
        for item in ran.iter().filter_map(|(_, ran)| *ran).flat_map(|ran| &ran.items) {
            if let Some(kind) = item.kind {
                *error_kinds.entry(kind.to_string()).or_default() += 1;
            }
        }
        Ok(Self { actions, credential_types, error_kinds })
    }

    /// The number of actions that a case runs, and of all actions.
    pub fn actions_run(&self) -> (usize, usize) {
        (self.actions.iter().filter(|action| action.cases > 0).count(), self.actions.len())
    }

    /// The number of parameters of these actions that a case sets, and of all parameters.
    pub fn parameters_set(&self) -> (usize, usize) {
        let set = self.actions.iter().map(|action| action.set.len()).sum();
        let unset: usize = self.actions.iter().map(|action| action.unset.len()).sum();
        (set, set + unset)
    }

    /// The number of credential types that a case uses, and of all.
    pub fn types_used(&self) -> (usize, usize) {
        let used = self.credential_types.values().filter(|used| **used).count();
        (used, self.credential_types.len())
    }

    /// The number of kinds of errors with which an item has failed, and of all.
    pub fn kinds_seen(&self) -> (usize, usize) {
        let seen = self.error_kinds.values().filter(|count| **count > 0).count();
        (seen, self.error_kinds.len())
    }

    /// The four numbers in words.
    pub fn in_words(&self) -> String {
        let of = |(some, all): (usize, usize)| format!("{some} of {all}");
        format!(
            "{} actions, {} of their parameters, {} credential types, {} kinds of errors",
            of(self.actions_run()),
            of(self.parameters_set()),
            of(self.types_used()),
            of(self.kinds_seen())
        )
    }
}
