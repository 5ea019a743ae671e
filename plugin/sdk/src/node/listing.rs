//! Long lists: page after page, handed over as they come, so that memory does not grow with them.

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use super::{OutputItem, Task, offset};
use crate::declare::{Cursor, Paging, request};
use crate::error::{Error, ErrorKind};
use crate::http::{Request, Response};
use crate::json::{self, Members};
use crate::percent;

/// How many records a listing yields when the parameters do not say. Stated in the declaration of
/// the parameter `limit`, too.
const DEFAULT_LIMIT: u64 = 100;

/// Where pages go that are not the last.
pub(super) type Sink<'a> = &'a dyn Fn(Vec<OutputItem>);

/// What a listing yields last.
type Listed<'a> = Pin<Box<dyn Future<Output = Result<Vec<OutputItem>, Error>> + 'a>>;

/// Runs a listing: exactly `limit` records (if there are so many), or with `all` every one. Boxed,
/// so that its code stands in a component once.
#[inline(never)]
pub(super) fn list<'a>(
    task: &'a Task,
    member: &'a str,
    paging: Paging,
    sink: Sink<'a>,
) -> Listed<'a> {
    Box::pin(read(task, member, paging, sink))
}

async fn read(
    task: &Task,
    member: &str,
    paging: Paging,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let wanted = wanted(task);
    let mut request = task.request()?;
    match paging {
        Paging::Offset(offset) => offset::list(task, member, offset, wanted, sink).await,
        Paging::Cursor(cursor) => by_cursor(task, member, cursor, wanted, sink).await,
        Paging::None | Paging::Limit(..) => {
            if let Paging::Limit(name, most) = paging {
                percent::append_query(&mut request.url, name, &wanted.min(most).to_string());
            }
            let repeatable = request.is_repeatable();
            let response = task.send(request).await?;
            task.understood(repeatable, whole(task, &response, member, wanted))
        }
    }
}

/// The records of an answer that has all of them.
fn whole(
    task: &Task,
    response: &Response,
    member: &str,
    wanted: u64,
) -> Result<Vec<OutputItem>, Error> {
    let members = response.members()?;
    let mut page = records(response, &members, member)?;
    // What was written at once is told of at once, however much it is.
    if task.action.parameters.iter().any(|param| param.name == "limit") {
        page.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    }
    Ok(page.iter().map(|record| task.output(record)).collect())
}

/// How many records the parameters ask for.
fn wanted(task: &Task) -> u64 {
    match task.flag("all") {
        true => u64::MAX,
        false => task.parameters.get("limit").and_then(Value::as_u64).unwrap_or(DEFAULT_LIMIT),
    }
}

/// The records of a page, each as it was written.
pub(super) fn records<'a>(
    response: &Response,
    members: &Members<'a>,
    member: &str,
) -> Result<Vec<&'a str>, Error> {
    // `service/integrations` is a list inside of an object.
    let (outer, inner) = match member.split_once('/') {
        Some((outer, inner)) => (outer, Some(inner)),
        None => (member, None),
    };
    let mut list = members.get(outer);
    if let Some(inner) = inner {
        list = list.and_then(|object| json::members(object.as_bytes())?.get(inner));
    }
    if list == Some("null") {
        return Ok(Vec::new());
    }
    list.and_then(json::elements)
        .ok_or_else(|| response.unexpected(&["has no list `", member, "`"].concat()))
}

async fn by_cursor(
    task: &Task,
    member: &str,
    paging: Cursor,
    wanted: u64,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let first = task.request()?;
    let mut given = 0;
    let mut cursor: Option<String> = None;
    loop {
        let mut request = first.clone();
        let size = (wanted - given).min(paging.page);
        if !paging.limit.is_empty() {
            ask(&mut request, paging, paging.limit, Value::from(size));
        }
        if let Some(cursor) = &cursor {
            ask(&mut request, paging, paging.cursor, Value::from(cursor.as_str()));
        }
        let response = task.send(request).await?;
        let members = response.members()?;
        let mut page = records(&response, &members, member)?;
        page.truncate(usize::try_from(wanted - given).unwrap_or(usize::MAX));
        given += page.len() as u64;
        let outputs: Vec<OutputItem> = page.iter().map(|record| task.output(record)).collect();
        let ended = !paging.more.is_empty() && members.get(paging.more) != Some("true");
        let next = members
            .get(paging.next)
            .and_then(|value| json::value(value)?.as_str().map(str::to_owned))
            .filter(|next| !next.is_empty() && !ended);
        // The last page, and the only one of most listings, needs no second way out.
        let Some(next) = next.filter(|_| given < wanted) else {
            return Ok(outputs);
        };
        if cursor.as_ref() == Some(&next) {
            return Err(stuck(&response, "the same cursor again"));
        }
        sink(outputs);
        cursor = Some(next);
    }
}

fn ask(request: &mut Request, paging: Cursor, name: &str, value: Value) {
    if !paging.in_body {
        let text = json::text(&value);
        percent::append_query(&mut request.url, name, value.as_str().unwrap_or(&text));
        return;
    }
    let mut body = request.body.as_ref().and_then(json::value);
    if body.is_none() {
        request.headers.push(("content-type".into(), "application/json".into()));
    }
    request::insert(&mut body, "", name, value);
    request.body = body.map(|body| json::text(&body).into_bytes());
}

/// The error of a listing that would never end.
pub(super) fn stuck(response: &Response, what: &str) -> Error {
    let mut error = Error::new(
        ErrorKind::Unavailable,
        ["the service answered ", what, ": the listing would never end"].concat(),
    );
    error.http_status = Some(response.status);
    error
}
