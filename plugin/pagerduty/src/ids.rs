//! Recognizes IDs, and finds incidents by number.

use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_sdk::context;
use workflow_node_sdk::declare::Reference;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Credential, Found, Likeness, Task};
use workflow_node_sdk::{json, time};

use crate::PagerDuty;

/// Distinguishes IDs from names by the shapes of PagerDuty's IDs: 7 or 14 capital letters and
/// digits that begin with a letter such as P or Q, 26 that begin with a digit, and UUIDs. A word in
/// capitals may be either.
pub(crate) fn likeness(reference: &Reference, text: &str) -> Likeness {
    let is_id = |is_id| if is_id { Likeness::Id } else { Likeness::Name };
    if reference.name == "incident" {
        return is_id(!is_number(text));
    }
    // Workflow actions have the ID of their tool: `pagerduty.com:…:1`.
    let is_of_tool = reference.name == "incident_workflow_action" && text.contains(':');
    if !reference.is_named || is_uuid(text) || is_of_tool {
        return Likeness::Id;
    }
    let is_capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let first = text.bytes().next().unwrap_or_default();
    let has_shape = match text.len() {
        7 | 14 => matches!(first, b'P'..=b'T'),
        26 => first.is_ascii_digit(),
        _ => false,
    };
    if text.len() < 6 || !text.bytes().all(is_capital) {
        return Likeness::Name;
    }
    match (has_shape, text.bytes().any(|byte| byte.is_ascii_digit())) {
        (true, true) => Likeness::Id,
        // A word, or an ID of an unknown shape.
        (true, false) | (false, true) => Likeness::Either,
        (false, false) => Likeness::Name,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    (1..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Incidents have numbers and no names.
pub(crate) fn find(
    reference: &Reference,
    name: &str,
    credential: &Rc<Credential>,
) -> Option<Found> {
    if reference.name != "incident" {
        return None;
    }
    let number = name.trim_start_matches('#').parse::<u64>();
    let credential = credential.clone();
    Some(Box::pin(async move {
        let Ok(number) = number else {
            let message = "is neither the ID, the number nor the address of an incident";
            return Err(Error::invalid("", message));
        };
        let incident = by_number(number, &credential).await?;
        Ok(incident.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }))
}

/// The last position that a listing returns.
const WINDOW: u64 = 10_000;
/// PagerDuty was founded in 2009.
const EARLIEST: i64 = 1_230_768_000;
/// Length of one listing: six months.
const SPAN: i64 = 180 * 86_400;

/// Finds the incident with a number. The API has no request for it, but numbers increase with time:
/// the position follows from the latest number, and beyond the range of a listing, the time is
/// found by bisection.
pub(crate) async fn by_number(number: u64, credential: &Rc<Credential>) -> Result<Value, Error> {
    let missing = || {
        let message = format!("No visible incident has the number {number}.");
        Error::new(ErrorKind::NotFound, message)
    };
    let latest = page(credential, &Query::ever("incident_number:desc", 0, 1)).await?;
    let latest = latest.first().and_then(number_of).ok_or_else(missing)?;
    if number > latest {
        return Err(missing());
    }
    // Numbers may have gaps for users with restricted visibility: the incident is at that position
    // or before it.
    let (sort, place) = match latest - number {
        behind if behind < WINDOW - 100 => ("incident_number:desc", behind),
        _ if number < WINDOW - 100 => ("incident_number:asc", number - 1),
        _ => return by_time(number, credential).await?.ok_or_else(missing),
    };
    let mut start = place.saturating_sub(99).min(WINDOW - 100);
    loop {
        let records = page(credential, &Query::ever(sort, start, 100)).await?;
        if let Some(found) = records.iter().find(|one| number_of(one) == Some(number)) {
            return Ok(found.clone());
        }
        let passed = |one: &Value| match (number_of(one), sort) {
            (Some(at), "incident_number:asc") => at > number,
            (Some(at), _) => at < number,
            (None, _) => false,
        };
        // The first record shows whether it must be on an earlier page.
        if start == 0 || !records.first().is_none_or(passed) {
            return Err(missing());
        }
        start = start.saturating_sub(100);
    }
}

async fn by_time(number: u64, credential: &Rc<Credential>) -> Result<Option<Value>, Error> {
    let mut low = EARLIEST;
    let mut high = i64::try_from(context::now() / 1_000).unwrap_or(i64::MAX) + 1;
    // Halves the time until a page contains the number.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let records = page(credential, &Query::since("incident_number:asc", middle)).await?;
        match records.first().and_then(number_of) {
            Some(first) if first <= number => {
                if let Some(found) = records.iter().find(|one| number_of(one) == Some(number)) {
                    return Ok(Some(found.clone()));
                }
                low = middle;
            }
            // No incidents in half a year, or only later ones.
            Some(_) => high = middle,
            None if low < middle && high - middle > SPAN => low = middle,
            None => high = middle,
        }
    }
    let records = page(credential, &Query::since("incident_number:asc", low)).await?;
    Ok(records.into_iter().find(|one| number_of(one) == Some(number)))
}

struct Query<'a> {
    sort: &'a str,
    since: Option<i64>,
    offset: u64,
    limit: u64,
}

impl<'a> Query<'a> {
    fn ever(sort: &'a str, offset: u64, limit: u64) -> Self {
        Self { sort, since: None, offset, limit }
    }

    fn since(sort: &'a str, since: i64) -> Self {
        Self { sort, since: Some(since), offset: 0, limit: 100 }
    }
}

fn number_of(incident: &Value) -> Option<u64> {
    incident.get("incident_number").and_then(Value::as_u64)
}

async fn page(credential: &Rc<Credential>, query: &Query<'_>) -> Result<Vec<Value>, Error> {
    let mut parameters = Map::new();
    parameters.insert("sort_by".to_owned(), json::texts(&[query.sort]));
    match query.since {
        None => {
            parameters.insert("date_range".to_owned(), Value::from("all"));
        }
        Some(since) => {
            parameters.insert("since".to_owned(), Value::from(time::format(since)));
            parameters.insert("until".to_owned(), Value::from(time::format(since + SPAN)));
        }
    }
    let task = Task::aside::<PagerDuty>("incident.list", credential, parameters)?;
    let mut request = task.request()?;
    workflow_node_sdk::percent::append_query(&mut request.url, "limit", &query.limit.to_string());
    if query.offset > 0 {
        let offset = query.offset.to_string();
        workflow_node_sdk::percent::append_query(&mut request.url, "offset", &offset);
    }
    let mut body = task.send(request).await?.object()?;
    match body.remove("incidents") {
        Some(Value::Array(records)) => Ok(records),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Reference = Reference::new("service", "a service", "service.list").named(&["name"]);

    #[test]
    fn ids_are_distinguished_from_names() {
        for id in [
            "PSERVICE000001",
            "P1ABCDE",
            "PT4KHLK",
            "Q0ZX1YC5P0NL9M",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            assert_eq!(likeness(&ANY, id), Likeness::Id, "{id}");
        }
        for name in [
            "checkout",
            "Checkout",
            "P1",
            "SEV1",
            "ada@example.com",
            "API",
            "DB 01",
            "",
            "BILLING",
            "SHIPPING",
            "PLATFORM",
        ] {
            assert_eq!(likeness(&ANY, name), Likeness::Name, "{name}");
        }
        for either in ["PRODUCT", "PQWERTY", "PAYMENTGATEWAY", "PAYMENTS2"] {
            assert_eq!(likeness(&ANY, either), Likeness::Either, "{either}");
        }
    }

    #[test]
    fn an_incident_is_found_by_its_number() {
        let incident = Reference::new("incident", "an incident", "incident.list");
        assert_eq!(likeness(&incident, "Q1"), Likeness::Id);
        assert_eq!(likeness(&incident, "anything"), Likeness::Id);
        assert_eq!(likeness(&incident, "42"), Likeness::Name);
        assert_eq!(likeness(&incident, "#42"), Likeness::Name);
        let unnamed = Reference::new("service", "a service", "service.list");
        assert_eq!(likeness(&unnamed, "what nobody has named"), Likeness::Id);
    }
}
