//! Compares two releases of a node: what changes for existing workflows, and what an operator must
//! approve again.

mod form;
mod replay;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use workflow_node_documents::{Action, CredentialType, Idempotency, Trigger};
use workflow_node_host::Plugin;
use workflow_node_host::description::{Description, Form};

pub use replay::{NotReplayed, Replayed};

/// The step of semantic versioning that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nothing that a workflow can observe.
    Patch,
    /// An addition. Existing workflows run as before.
    Minor,
    /// Existing workflows may fail or behave differently.
    Major,
}

impl Step {
    /// The name of the step.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Stable name of the kind of change.
    pub rule: &'static str,
    /// The step that it needs.
    pub step: Step,
    /// The action, parameter, or other part of the description.
    pub subject: String,
    /// Description of the change.
    pub message: String,
    /// Whether an operator has to approve the release again.
    pub needs_approval: bool,
}

/// Changes between two releases.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Digest of the old component.
    pub old: String,
    /// Digest of the new component.
    pub new: String,
    /// The largest step that a change needs.
    pub step: Step,
    /// Whether an operator has to approve the release again beyond the new digest.
    pub needs_approval: bool,
    /// The changes: permissions first, then those that need the largest step.
    pub changes: Vec<Change>,
    /// Result of running cases with both builds; `None` if none were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
}

impl Difference {
    /// Brings the changes into their order, and finds the step that all of them need.
    fn settle(&mut self) {
        self.changes.sort_by_key(|change| (!change.needs_approval, std::cmp::Reverse(change.step)));
        self.step = self.changes.iter().map(|change| change.step).max().unwrap_or(Step::Patch);
        self.needs_approval = self.changes.iter().any(|change| change.needs_approval);
    }
}

/// Collects changes.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, rule: &'static str, step: Step, subject: &str, message: impl Into<String>) {
        self.0.push(Change {
            rule,
            step,
            subject: subject.to_owned(),
            message: message.into(),
            needs_approval: false,
        });
    }
}

/// Compares two loaded components of one node.
pub fn compare(old: &Plugin, new: &Plugin) -> Difference {
    let mut changes = Changes::default();
    for growth in new.grant_request().growth_over(old.grant_request()) {
        changes.0.push(Change {
            rule: "permission-added",
            step: Step::Minor,
            subject: "permissions".to_owned(),
            message: growth,
            needs_approval: true,
        });
    }
    described(old.description(), new.description(), &mut changes);
    let mut difference = Difference {
        old: old.digest().to_string(),
        new: new.digest().to_string(),
        step: Step::Patch,
        needs_approval: false,
        changes: changes.0,
        replayed: None,
    };
    difference.settle();
    difference
}

fn described(old: &Description, new: &Description, changes: &mut Changes) {
    if old.node.name != new.node.name {
        let message = format!("the node is `{}` now: to a host, it is another node", new.node.name);
        changes.add("node-renamed", Step::Major, &old.node.name, message);
    }
    for origin in old.node.origins.iter().filter(|one| !new.node.origins.contains(one)) {
        changes.add(
            "origin-removed",
            Step::Patch,
            &origin.to_string(),
            "it is not requested anymore",
        );
    }
    let both = Shared { old: &old.node.schemas, new: &new.node.schemas };
    let actions = |node: &Description| -> BTreeMap<String, Action> {
        node.node.actions.iter().map(|one| (one.name.clone(), one.clone())).collect()
    };
    pairs(&actions(old), &actions(new), "action", changes, |old, new, changes| {
        action(old, new, both, changes);
    });
    let triggers = |node: &Description| -> BTreeMap<String, Trigger> {
        node.triggers.iter().map(|one| (one.name.clone(), one.clone())).collect()
    };
    pairs(&triggers(old), &triggers(new), "trigger", changes, |old, new, changes| {
        trigger(old, new, both, changes);
    });
    let types = (&old.credential_types, &new.credential_types);
    pairs(types.0, types.1, "credential-type", changes, credential_type);
}

/// The shared schemas of both releases.
#[derive(Clone, Copy)]
struct Shared<'a> {
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
}

/// Compares what both have, and reports what only one has.
fn pairs<T>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    what: &str,
    changes: &mut Changes,
    compare: impl Fn(&T, &T, &mut Changes),
) {
    let rules = match what {
        "action" => ("action-removed", "action-added"),
        "trigger" => ("trigger-removed", "trigger-added"),
        _ => ("credential-type-removed", "credential-type-added"),
    };
    let what = what.replace('-', " ");
    for (name, old) in old {
        match new.get(name) {
            Some(new) => compare(old, new, changes),
            None => changes.add(rules.0, Step::Major, name, format!("the {what} was removed")),
        }
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        changes.add(rules.1, Step::Minor, name, format!("the {what} is new"));
    }
}

fn action(old: &Action, new: &Action, shared: Shared<'_>, changes: &mut Changes) {
    let name = &old.name;
    let before = changes.0.len();
    if old.effect != new.effect {
        let message = format!("the effect was `{}` and is `{}`", old.effect, new.effect);
        changes.add("effect-changed", Step::Major, name, message);
    }
    if old.idempotency != new.idempotency {
        // Retries that were safe no longer are, or the other way around.
        let step = if safety(new.idempotency) < safety(old.idempotency) {
            Step::Major
        } else {
            Step::Minor
        };
        let message =
            format!("the idempotency was `{}` and is `{}`", old.idempotency, new.idempotency);
        changes.add("idempotency-changed", step, name, message);
    }
    slots(name, &old.slots, &new.slots, changes);
    let forms = (Form::of_action(old, shared.old), Form::of_action(new, shared.new));
    form::parameters(name, &forms.0, &forms.1, changes);
    stored::parameters(name, (&old.parameters, shared.old), (&new.parameters, shared.new), changes);
    for (port, schema) in &old.output {
        let subject = if port == "main" { name.clone() } else { format!("{name}, port {port}") };
        match new.output.get(port) {
            Some(newer) => {
                let old = Form::new(schema, shared.old);
                form::output(&subject, &old, &Form::new(newer, shared.new), changes);
            }
            None => changes.add("port-removed", Step::Major, &subject, "the port was removed"),
        }
    }
    version(name, (old.version, new.version), before, changes);
}

fn trigger(old: &Trigger, new: &Trigger, shared: Shared<'_>, changes: &mut Changes) {
    let name = &old.name;
    let before = changes.0.len();
    slots(name, &old.slots, &new.slots, changes);
    let forms = (Form::of_trigger(old, shared.old), Form::of_trigger(new, shared.new));
    form::parameters(name, &forms.0, &forms.1, changes);
    stored::parameters(name, (&old.parameters, shared.old), (&new.parameters, shared.new), changes);
    let (older, newer) = (Form::new(&old.output, shared.old), Form::new(&new.output, shared.new));
    form::output(name, &older, &newer, changes);
    version(name, (old.version, new.version), before, changes);
}

/// The difference between two versions for a workflow built with one of them.
fn version(name: &str, (old, new): (u32, u32), before: usize, changes: &mut Changes) {
    let is_breaking = changes.0[before..].iter().any(|change| change.step == Step::Major);
    if old != new {
        let message = format!(
            "version {old} is version {new} now. Workflows that were built with version {old} do not \
             run with this release until they are changed"
        );
        changes.add("version-changed", Step::Major, name, message);
    } else if is_breaking {
        let message = format!(
            "it changes incompatibly, and its version is still {old}. Raise it, so that workflows fail \
             before anything is sent"
        );
        changes.add("version-not-raised", Step::Major, name, message);
    }
}

fn slots(
    name: &str,
    old: &BTreeMap<String, workflow_node_documents::SlotUse>,
    new: &BTreeMap<String, workflow_node_documents::SlotUse>,
    changes: &mut Changes,
) {
    for (slot, usage) in new {
        let former = old.get(slot);
        if usage.required && !former.is_some_and(|former| former.required) {
            let message = format!("the slot `{slot}` must be filled");
            changes.add("credential-required", Step::Major, name, message);
        }
        let known = |scope: &&String| former.is_some_and(|one| one.scopes.contains(scope));
        for scope in usage.scopes.iter().filter(|scope| !known(scope)) {
            let message =
                format!("it needs the scope `{scope}`, which stored credentials may lack");
            changes.add("scope-needed", Step::Major, name, message);
        }
    }
    for slot in old.keys().filter(|slot| !new.contains_key(*slot)) {
        changes.add(
            "slot-removed",
            Step::Minor,
            name,
            format!("it does not use the slot `{slot}`"),
        );
    }
}

fn credential_type(old: &CredentialType, new: &CredentialType, changes: &mut Changes) {
    let name = &old.name;
    let before = changes.0.len();
    let forms = (Form::of_credential_type(old), Form::of_credential_type(new));
    form::parameters(name, &forms.0, &forms.1, changes);
    if old.grant.name() != new.grant.name() {
        let message = format!("it was {}, and is {}", old.grant.name(), new.grant.name());
        changes.add("grant-changed", Step::Major, name, message);
    }
    let scopes = |one: &CredentialType| -> BTreeSet<String> {
        one.scopes.iter().map(|scope| scope.name.clone()).collect()
    };
    for scope in scopes(old).difference(&scopes(new)) {
        changes.add("scope-removed", Step::Major, name, format!("the scope `{scope}` was removed"));
    }
    if old.rate_limit != new.rate_limit {
        changes.add("rate-limit-changed", Step::Patch, name, "the rate limit is another");
    }
    version(name, (old.version, new.version), before, changes);
}

/// How safe it is to repeat an action.
fn safety(idempotency: Idempotency) -> u8 {
    match idempotency {
        Idempotency::Safe => 3,
        Idempotency::Idempotent => 2,
        Idempotency::Keyed => 1,
        _ => 0,
    }
}
