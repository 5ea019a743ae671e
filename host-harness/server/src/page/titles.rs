//! What plugins and their parts are called for people; their names, if the server does not have the plugin.

use super::Page;

/// The title of a plugin.
pub(super) fn plugin<'a>(of: &'a Page, name: &'a str) -> &'a str {
    of.state.plugins.get(name).map_or(name, |plugin| &plugin.description().node.display_name)
}

/// The title of a credential type.
pub(super) fn credential_type<'a>(of: &'a Page, of_plugin: &str, name: &'a str) -> &'a str {
    let found = of.state.plugins.get(of_plugin);
    let found = found.and_then(|plugin| plugin.credential_type(name).ok());
    found.map_or(name, |described| &described.display_name)
}

/// The title of an action.
pub(super) fn action<'a>(of: &'a Page, of_plugin: &str, name: &'a str) -> &'a str {
    let found = of.state.plugins.get(of_plugin);
    found.and_then(|plugin| plugin.description().node.action(name)).map_or(name, |one| &one.title)
}

/// The title of a trigger.
pub(super) fn trigger<'a>(of: &'a Page, of_plugin: &str, name: &'a str) -> &'a str {
    let found = of.state.plugins.get(of_plugin);
    found.and_then(|plugin| plugin.trigger(name).ok()).map_or(name, |one| &one.title)
}
