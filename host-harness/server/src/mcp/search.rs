//! Finding actions, and describing one.

use axum::Json;
use axum::extract::State as Shares;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow_node_host::description::Action;

use crate::api::page::PageQuery;
use crate::api::{credentials, plugins};
use crate::error::ApiError;
use crate::extract::{Params, Segments};
use crate::state::{Shared, State};
use crate::token::Caller;

/// Actions of a page, if the client does not choose.
pub(super) const DEFAULT: u64 = 20;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchOrder {
    query: String,
    plugin: Option<String>,
    cursor: Option<String>,
    limit: Option<u64>,
}

struct Hit<'a> {
    fit: Fit,
    plugin: &'a str,
    action: &'a Action,
    /// A cursor continues after the action of this key.
    key: String,
}

/// How well an action fits a query. A greater one fits better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// How many words of the query the action has.
    words: u32,
    /// Where it has them.
    score: u32,
}

/// Finds the actions that the token may run, best first: those that have all words of the query, or else
/// those that have most of them.
pub(super) fn search(
    state: &State,
    caller: &Caller,
    order: &SearchOrder,
) -> Result<Value, ApiError> {
    if let Some(plugin) = &order.plugin {
        state.plugin(caller, plugin)?;
    }
    let (words, policy) = (words(&order.query), &caller.policy);
    let mut hits: Vec<Hit<'_>> = state
        .plugins
        .iter()
        .filter(|(name, _)| policy.allows_plugin(name))
        .filter(|(name, _)| order.plugin.as_ref().is_none_or(|wanted| wanted == *name))
        .flat_map(move |(name, plugin)| {
            let actions = plugin.description().node.actions.iter();
            let allowed = actions.filter(move |action| policy.allows_action(action));
            allowed.map(move |action| (name.as_str(), action))
        })
        .filter_map(|(plugin, action)| {
            let fit = fit(&words, plugin, action)?;
            Some(Hit { fit, plugin, action, key: format!("{plugin}/{}", action.name) })
        })
        .collect();
    let most = hits.iter().map(|hit| hit.fit.words).max();
    hits.retain(|hit| Some(hit.fit.words) == most);
    // A stable sort: actions that fit equally stay in the order of the description.
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.fit));
    let limit = Some(order.limit.unwrap_or(DEFAULT));
    let page = PageQuery { search: None, cursor: order.cursor.clone(), limit };
    let (hits, next_cursor) = page.of(hits, |hit| &hit.key, |_| Vec::new(), &state.limits)?;
    let entry = |hit: Hit<'_>| {
        json!({
            "plugin": hit.plugin,
            "action": hit.action.name,
            "title": hit.action.title,
            "description": hit.action.description,
            "effect": hit.action.effect.to_string(),
        })
    };
    let actions: Vec<Value> = hits.into_iter().map(entry).collect();
    Ok(match next_cursor {
        Some(next) => json!({ "actions": actions, "next_cursor": next }),
        None => json!({ "actions": actions }),
    })
}

/// The words of a text, in lower case and singular, without articles and the like.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| {
            !word.is_empty() && !matches!(*word, "a" | "an" | "the" | "of" | "to" | "in")
        })
        .map(singular)
        .collect()
}

/// The singular of an English word, well enough to compare words.
fn singular(word: &str) -> String {
    let ends_in = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    match word.strip_suffix('s') {
        Some(stem) if word.len() > 3 && !ends_in(&["ss", "us", "is"]) => match word {
            _ if ends_in(&["ies"]) => format!("{}y", &stem[..stem.len() - 2]),
            _ if ends_in(&["sses", "uses", "xes", "ches", "shes"]) => {
                stem[..stem.len() - 1].to_owned()
            }
            _ => stem.to_owned(),
        },
        _ => word.to_owned(),
    }
}

/// How well an action fits. `None` if it has none of the words. Without words, every action fits.
fn fit(wanted: &[String], plugin: &str, action: &Action) -> Option<Fit> {
    let name = words(&action.name);
    let title = words(&action.title);
    let others = [plugin, &action.description, &action.effect.to_string()].map(words).concat();
    let mut fit = Fit { words: 0, score: 0 };
    for word in wanted {
        let begins = |all: &[String]| all.iter().any(|one| one.starts_with(word.as_str()));
        let score = match () {
            () if name.contains(word) => 8,
            () if title.contains(word) => 6,
            () if begins(&name) => 4,
            () if begins(&title) => 3,
            () if begins(&others) => 1,
            () => 0,
        };
        fit.words += u32::from(score > 0);
        fit.score += score;
    }
    // Of two actions that have the words in the same places, the one whose name has fewer others fits better.
    let others = name.iter().filter(|one| !wanted.contains(one)).count();
    fit.score = fit.score * 16 + 15 - u32::try_from(others.min(15)).unwrap_or(15);
    (fit.words > 0 || wanted.is_empty()).then_some(fit)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeOrder {
    plugin: String,
    action: String,
}

/// Describes an action, with the credentials that fit its slots.
pub(super) async fn describe(
    state: &Shared,
    caller: &Caller,
    order: DescribeOrder,
) -> Result<Value, ApiError> {
    let DescribeOrder { plugin, action } = order;
    let segments = Segments((plugin.clone(), action.clone()));
    let Json(form) = plugins::action(Shares(state.clone()), caller.clone(), segments).await?;
    let mut described = serde_json::to_value(&form).map_err(|error| ApiError::internal(&error))?;
    let slots = described["slots"].as_object().cloned().unwrap_or_default();
    let mut accounts = Map::new();
    for slot in slots.keys() {
        let fitting = fitting(state, caller, &plugin, slot).await?;
        let fitting = serde_json::to_value(&fitting).map_err(|error| ApiError::internal(&error))?;
        accounts.insert(slot.clone(), fitting);
    }
    described["plugin"] = plugin.into();
    described["accounts"] = Value::Object(accounts);
    Ok(described)
}

/// Whether calls can use a credential.
pub(super) fn is_usable(credential: &credentials::CredentialEntry) -> bool {
    matches!(credential.status, "connected" | "expiring")
}

/// The credentials that the token may use for a slot.
pub(super) async fn fitting(
    state: &Shared,
    caller: &Caller,
    plugin: &str,
    slot: &str,
) -> Result<Vec<credentials::CredentialEntry>, ApiError> {
    let query = credentials::CredentialQuery {
        plugin: Some(plugin.to_owned()),
        slot: Some(slot.to_owned()),
    };
    let page = Params(PageQuery { limit: Some(u64::MAX), ..PageQuery::default() });
    let listed =
        credentials::list(Shares(state.clone()), caller.clone(), Params(query), page).await?;
    Ok(listed.0.credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_in_singular_and_without_articles() {
        assert_eq!(words("Create an Incident"), ["create", "incident"]);
        assert_eq!(words("incident_note.create"), ["incident", "note", "create"]);
        assert_eq!(words("list the services"), ["list", "service"]);
        assert_eq!(words("SMS, escalation policies"), ["sms", "escalation", "policy"]);
        assert_eq!(words("statuses status access"), ["status", "status", "access"]);
    }
}
