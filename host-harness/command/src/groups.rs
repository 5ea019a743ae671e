//! Actions of a node by subject, as a menu would list them.

use workflow_node_host::description::{Action, Description};

/// Actions that belong together.
pub(crate) struct Group<'a> {
    /// Name of the group, as the user types it.
    pub(crate) name: &'a str,
    /// Title for people.
    pub(crate) title: &'a str,
    /// Description of the group; empty if the node provides none.
    pub(crate) description: &'a str,
    pub(crate) actions: Vec<&'a Action>,
}

/// The node's resources in order. Actions that belong to none are grouped by the first part of their names.
pub(crate) fn groups(description: &Description) -> Vec<Group<'_>> {
    let node = &description.node;
    let mut groups: Vec<Group<'_>> = node
        .resources
        .iter()
        .map(|resource| Group {
            name: &resource.name,
            title: &resource.title,
            description: resource.description.as_deref().unwrap_or_default(),
            actions: Vec::new(),
        })
        .collect();
    for action in &node.actions {
        let name = action.resource.as_deref().unwrap_or_else(|| prefix(&action.name));
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.actions.push(action),
            None => {
                groups.push(Group { name, title: name, description: "", actions: vec![action] })
            }
        }
    }
    groups.retain(|group| !group.actions.is_empty());
    groups
}

/// A resource, or else the actions whose names begin so: `schedule_override`.
pub(crate) fn group<'a>(description: &'a Description, name: &str) -> Option<Group<'a>> {
    let mut groups = groups(description);
    if let Some(found) = groups.iter().position(|group| group.name == name) {
        return Some(groups.swap_remove(found));
    }
    let actions = &description.node.actions;
    let actions: Vec<&Action> =
        actions.iter().filter(|action| prefix(&action.name) == name).collect();
    let name = prefix(&actions.first()?.name);
    Some(Group { name, title: name, description: "", actions })
}

/// The part of a name before its last dot: `schedule_override` of `schedule_override.create`.
fn prefix(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(prefix, _)| prefix)
}

impl<'a> Group<'a> {
    /// The operations, grouped by the part before their last dot: `("schedule_override", ["create",
    /// …])`.
    pub(crate) fn operations(&self) -> Vec<(&'a str, Vec<&'a str>)> {
        let mut operations: Vec<(&str, Vec<&str>)> = Vec::new();
        for action in &self.actions {
            let (prefix, operation) = match action.name.rsplit_once('.') {
                Some(parts) => parts,
                None => ("", action.name.as_str()),
            };
            match operations.iter_mut().find(|(known, _)| *known == prefix) {
                Some((_, list)) => list.push(operation),
                None => operations.push((prefix, vec![operation])),
            }
        }
        operations
    }
}
