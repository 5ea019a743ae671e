//! Time ranges by the parameters of a form, and their description for users.

use pagerduty_facts::{Operation, Range};
use workflow_node_sdk::declare::{Action, Param, Place, Run, TimeKey};

use super::fields::{Maker, keep_text};
use crate::paging::EARLIEST;

/// Sets the ranges of an action whose form is complete, and describes them.
pub(super) fn set(maker: &Maker<'_>, operation: &Operation, action: &mut Action) {
    let ranges = operation.ranges.iter().filter_map(|range| of_range(maker, range, action));
    action.ranges = ranges.collect::<Vec<_>>().leak();
    let is_paged = action.is_paged();
    let shown = operation.ranges.iter().take(action.ranges.len());
    let mut sentences: Vec<String> = shown.flat_map(|one| sentences(one, is_paged)).collect();
    sentences.dedup();
    if action.run == Run::Declared && !sentences.is_empty() {
        let description = format!("{} {}", action.description, sentences.join(" "));
        action.description = keep_text(&description);
    }
}

/// A time range by the parameters of the form; `None` if the form does not show it.
fn of_range(maker: &Maker<'_>, range: &Range, action: &Action) -> Option<TimeKey> {
    let (since, until) = (parameter(action, &range.from)?, parameter(action, &range.to)?);
    let field = range.field.as_deref().map_or("", keep_text);
    let mut key = TimeKey::new(field, since, until, EARLIEST);
    let of_pair = |pair: &Option<(String, String)>| {
        let (field, value) = pair.as_ref()?;
        let found = parameter(action, field);
        if found.is_none() {
            maker.problem(field, "a range needs this field, and the form does not have it");
        }
        Some((found?, keep_text(value)))
    };
    if let Some((parameter, value)) = of_pair(&range.oldest_first) {
        key = key.oldest_first(parameter, value);
    }
    if let Some((parameter, value)) = of_pair(&range.everything) {
        key = key.everything(parameter, value);
    }
    if let Some(parameter) = range.sorted_by.as_deref().and_then(|field| parameter(action, field)) {
        key = key.sorted_by(parameter);
    }
    if let Some(default) = range.default {
        key = key.default_range(keep_text(&default.to_string()));
    }
    Some(match range.longest {
        Some(longest) => key.days(longest.days()),
        None => key,
    })
}

/// The parameter for a field of the query or the body; a member of a parameter by its path.
fn parameter(action: &Action, field: &str) -> Option<&'static str> {
    let path = field.replace('.', "/");
    let is_it = |param: &&&Param| match param.place {
        Place::Query(name) | Place::QueryJoined(name) => name == field,
        Place::Body(pointer) => pointer.trim_start_matches('/') == path,
        _ => false,
    };
    if let Some(param) = action.parameters.iter().find(is_it) {
        return Some(param.name);
    }
    let (outer, _) = path.split_once('/')?;
    action.parameters.iter().any(|param| param.name == outer).then(|| keep_text(&path))
}

fn sentences(range: &Range, is_paged: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    if let (Some(default), true) = (range.default, is_paged) {
        sentences.push(format!(
            "Without a time range, returns records of the past {default}, or of all time if All is set."
        ));
    }
    let longest = range.longest.map(|longest| longest.counted());
    sentences.extend(longest.map(|longest| match is_paged {
        true => format!("Reads time ranges longer than {longest} in several requests."),
        false => format!(
            "The time range can be at most {longest}; without a start, it begins {longest} before \
             its end."
        ),
    }));
    sentences
}
