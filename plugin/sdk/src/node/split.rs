//! Listings whose URL would be too long: the longest list of IDs in the query is split, each part
//! is requested, and the results are merged. No record is repeated. A listing by time keeps its
//! order.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::listing::{self, Marks, Sink, mark};
use super::{OutputItem, Task};
use crate::declare::{Paging, Place};
use crate::error::Error;
use crate::http::Request;
use crate::{json, time};

/// Length of the paging parameters in the URL, in bytes.
const PAGE: usize = 120;

/// The parameters of each part, if the URL is too long and contains a list that can be split.
pub(super) fn parts(
    task: &Task,
    request: &Request,
) -> Result<Option<Vec<Map<String, Value>>>, Error> {
    let most = task.hooks.longest_url.saturating_sub(PAGE);
    if request.url.len() <= most {
        return Ok(None);
    }
    let mut parts = Vec::new();
    halve(task, task.parameters.clone(), most, &mut parts)?;
    Ok((parts.len() > 1).then_some(parts))
}

fn halve(
    task: &Task,
    parameters: Map<String, Value>,
    most: usize,
    parts: &mut Vec<Map<String, Value>>,
) -> Result<(), Error> {
    let length = same(task, parameters.clone()).request()?.url.len();
    let Some(name) = longest_list(task, &parameters).filter(|_| length > most) else {
        parts.push(parameters);
        return Ok(());
    };
    let Some(Value::Array(list)) = parameters.get(name) else { return Ok(()) };
    let (first, second) = list.split_at(list.len() / 2);
    for half in [first, second] {
        let mut part = parameters.clone();
        part.insert(name.to_owned(), Value::Array(half.to_vec()));
        halve(task, part, most, parts)?;
    }
    Ok(())
}

/// The longest list in the query that can be split.
fn longest_list(task: &Task, parameters: &Map<String, Value>) -> Option<&'static str> {
    // IDs of objects that records belong to. A list that determines their order or content is not
    // split.
    let ids = task.action.parameters.iter().filter(|param| {
        param.reference.is_some() && matches!(param.place, Place::Query(_) | Place::QueryJoined(_))
    });
    let lists = ids.filter_map(|param| match parameters.get(param.name)? {
        Value::Array(list) if list.len() > 1 => {
            let length: usize = list.iter().map(|one| json::text(one).len()).sum();
            Some((length, param.name))
        }
        _ => None,
    });
    lists.max().map(|(_, name)| name)
}

fn same(task: &Task, parameters: Map<String, Value>) -> Task {
    Task { parameters, credential: task.credential.clone(), ..*task }
}

/// Runs a listing in parts.
pub(super) async fn list(
    task: &Task,
    parts: Vec<Map<String, Value>>,
    member: &str,
    paging: Paging,
    wanted: u64,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let by_time = task.action.ranges.first().map(|key| key.field);
    let seen = RefCell::new(Marks::default());
    let is_new = |output: &OutputItem| seen.borrow_mut().add(mark(&output.json).0);
    let mut merged: Vec<OutputItem> = Vec::new();
    let mut order = None;
    let mut given = 0;
    for parameters in parts {
        let part = same(task, parameters);
        let request = part.request()?;
        let outputs = match by_time {
            // Each part is read up to the whole limit: its records may be the first ones.
            Some(_) => {
                let pages = RefCell::new(Vec::new());
                let keep = |outputs: Vec<OutputItem>| pages.borrow_mut().extend(outputs);
                let last = listing::one(&part, member, paging, wanted, request, &keep).await?;
                let mut outputs = pages.into_inner();
                outputs.extend(last);
                order = order.or(by_time.and_then(|field| order_of(&outputs, field)));
                outputs
            }
            None => {
                let counted = Cell::new(given);
                let pass = |outputs: Vec<OutputItem>| {
                    let new: Vec<_> = outputs.into_iter().filter(&is_new).collect();
                    counted.set(counted.get() + new.len() as u64);
                    sink(new);
                };
                let left = wanted - given;
                let last = listing::one(&part, member, paging, left, request, &pass).await?;
                given = counted.get();
                last
            }
        };
        for output in outputs {
            if is_new(&output) {
                given += 1;
                merged.push(output);
            }
        }
        if by_time.is_none() && given >= wanted {
            break;
        }
    }
    if let Some(field) = by_time {
        let at = |output: &OutputItem| time_of(output, field).unwrap_or_default();
        let oldest_first = order.is_some_and(Ordering::is_lt);
        merged.sort_by_cached_key(|output| if oldest_first { at(output) } else { -at(output) });
    }
    merged.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    Ok(merged)
}

fn time_of(output: &OutputItem, field: &str) -> Option<i64> {
    let members = json::members(output.json.as_bytes())?;
    time::parse(json::value(members.get(field)?)?.as_str()?)
}

/// Whether a part is sorted with the oldest first (less) or last (greater), if that can be
/// determined.
fn order_of(outputs: &[OutputItem], field: &str) -> Option<Ordering> {
    let mut times = outputs.iter().map_while(|output| time_of(output, field));
    let first = times.next()?;
    times.map(|at| first.cmp(&at)).find(|order| order.is_ne())
}
