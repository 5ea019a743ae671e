//! New log entries, by their time. PagerDuty lists the newest first; entries of the same second
//! have any order, and an entry may appear slightly after its time. So each poll reads the last
//! [`OVERLAP`] again, and identifies entries by their IDs.

use serde_json::{Map, Value};
use workflow_node_sdk::error::Error;
use workflow_node_sdk::trigger::{Event, Page, Subscription};
use workflow_node_sdk::{context, json, time};

use super::{id, is_wanted, shown};

/// How late an entry may appear after its time, in seconds.
const OVERLAP: i64 = 120;
/// How much time one poll covers, in seconds.
const SPAN: i64 = 3_600;
/// How many entries one poll returns, if the host does not set it.
const MOST: usize = 1_000;

pub(super) async fn poll(
    subscription: &Subscription,
    cursor: Option<Value>,
) -> Result<Page, Error> {
    let mut query = Map::new();
    if subscription.flag("is_overview") {
        query.insert("is_overview".to_owned(), true.into());
    }
    let new = read(subscription, cursor, query).await?;
    let types = subscription.texts("types");
    let services = subscription.texts("service_ids");
    let mut events = Vec::new();
    for entry in &new.entries {
        let kind = entry.get("type").and_then(Value::as_str);
        if !is_wanted(&types, kind.into_iter()) || !is_wanted(&services, service(entry).into_iter())
        {
            continue;
        }
        events.push(Event {
            json: json::text(&shown(subscription, "log_entry.list", entry)?),
            dedup_key: id(entry).map(str::to_owned),
            occurred: created(entry),
        });
    }
    Ok(Page { events, cursor: new.cursor, more: new.more })
}

/// The entries logged since a cursor.
pub(super) struct New {
    /// Entries, the oldest first.
    pub(super) entries: Vec<Value>,
    pub(super) cursor: Value,
    pub(super) more: bool,
}

/// Continues from a cursor; without one, returns no entries and starts now.
pub(super) async fn read(
    subscription: &Subscription,
    cursor: Option<Value>,
    mut query: Map<String, Value>,
) -> Result<New, Error> {
    let now = i64::try_from(context::now() / 1_000).unwrap_or_default();
    let place = cursor.as_ref().and_then(Place::read);
    let Some(place) = place else {
        let cursor = Place { since: now, begun: now, seen: Map::new() }.write();
        return Ok(New { entries: Vec::new(), cursor, more: false });
    };
    let since = place.since.saturating_sub(OVERLAP).max(place.begun);
    let catches_up = now > place.since + SPAN;
    // The end is in the future: entries that are logged while pages are read shift the others, so
    // that an entry may be read twice but none is missed.
    let until = if catches_up { place.since + SPAN } else { now + OVERLAP };
    query.insert("since".to_owned(), time::format(since).into());
    query.insert("until".to_owned(), time::format(until).into());
    query.insert("all".to_owned(), true.into());
    if let Some(teams) = subscription.parameters.get("team_ids") {
        query.insert("team_ids".to_owned(), teams.clone());
    }
    let mut entries = subscription.task("log_entry.list", query)?.records().await?;
    let mut ids = Map::new();
    entries.retain(|entry| {
        id(entry).is_some_and(|id| {
            ids.insert(id.to_owned(), Value::Null).is_none() && !place.seen.contains_key(id)
        })
    });
    // The list has the newest first; a stable sort keeps the reversed order within one second.
    entries.reverse();
    entries.sort_by_key(created);
    let most = subscription.limit.unwrap_or(MOST).max(1);
    let is_cut = entries.len() > most;
    entries.truncate(most);
    let newest = entries.last().and_then(created).unwrap_or(place.since).max(place.since);
    let next = if catches_up && !is_cut { newest.max(until) } else { newest };
    // Entries before the overlap cannot be read again.
    let mut seen = place.seen;
    seen.retain(|id, _| ids.contains_key(id));
    seen.extend(entries.iter().filter_map(id).map(|id| (id.to_owned(), Value::Null)));
    let cursor = Place { since: next, begun: place.begun, seen }.write();
    Ok(New { entries, cursor, more: is_cut || catches_up })
}

/// When an entry was logged, in seconds.
pub(super) fn created(entry: &Value) -> Option<i64> {
    time::parse(entry.get("created_at")?.as_str()?)
}

/// The service of an entry.
pub(super) fn service(entry: &Value) -> Option<&str> {
    id(entry.get("service")?)
}

/// Position at which a poll continues.
struct Place {
    /// The time of the latest entry that was returned.
    since: i64,
    /// Earlier entries are not returned.
    begun: i64,
    /// Entries that were returned, and may be read again.
    seen: Map<String, Value>,
}

impl Place {
    fn read(cursor: &Value) -> Option<Self> {
        let mut seen = Map::new();
        if let Some(Value::Array(ids)) = cursor.get("seen") {
            let ids = ids.iter().filter_map(Value::as_str);
            seen.extend(ids.map(|id| (id.to_owned(), Value::Null)));
        }
        let number = |name: &str| cursor.get(name).and_then(Value::as_i64);
        Some(Self { since: number("since")?, begun: number("begun")?, seen })
    }

    fn write(self) -> Value {
        let seen: Vec<&String> = self.seen.keys().collect();
        let mut cursor = json::Object::new();
        cursor.set("since", self.since.into());
        cursor.set("begun", self.begun.into());
        cursor.set("seen", json::texts(&seen));
        cursor.build()
    }
}
