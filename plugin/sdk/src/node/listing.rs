//! Long lists: emitted page by page, so that memory does not grow with them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use super::filters::Filters;
use super::span::Span;
use super::{OutputItem, Task, offset, pages, split};
use crate::declare::{Cursor, Paging, request};
use crate::error::{Error, ErrorKind};
use crate::http::{Request, Response};
use crate::json::{self, Members};
use crate::{percent, time};

/// How many records a listing yields by default. The declaration of the parameter `limit` states it
/// as well.
const DEFAULT_LIMIT: u64 = 100;

/// Receives every page but the last.
pub(super) type Sink<'a> = &'a dyn Fn(Vec<OutputItem>);

/// The last part of a listing.
type Listed<'a> = Pin<Box<dyn Future<Output = Result<Vec<OutputItem>, Error>> + 'a>>;

/// Runs a listing: exactly `limit` records (if there are that many), or all of them with `all`.
/// Boxed, so that a component contains its code once.
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
    let request = task.request()?;
    let filters = (task.reads() && !task.hooks.trusts_filters).then(|| Filters::of(task));
    let note = |outputs: &[OutputItem]| {
        if let Some(filters) = &filters {
            filters.seen(outputs);
        }
    };
    let passed = Cell::new(false);
    let pass = |outputs: Vec<OutputItem>| {
        passed.set(passed.get() || !outputs.is_empty());
        note(&outputs);
        sink(outputs);
    };
    let last = match split::parts(task, &request)? {
        None => one(task, member, paging, wanted, request, &pass).await?,
        Some(parts) => split::list(task, parts, member, paging, wanted, &pass).await?,
    };
    note(&last);
    if let Some(filters) = filters {
        filters.check(task, last.is_empty() && !passed.get()).await?;
    }
    Ok(last)
}

/// Runs a listing whose URL is short enough.
pub(super) async fn one(
    task: &Task,
    member: &str,
    paging: Paging,
    wanted: u64,
    mut request: Request,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    match paging {
        Paging::Offset(offset) => offset::list(task, member, offset, wanted, sink).await,
        Paging::Cursor(cursor) => by_cursor(task, member, cursor, wanted, sink).await,
        Paging::Page(by) => {
            pages::list(task, member, pages::By::Number(by), wanted, request, sink).await
        }
        Paging::Link(by) => {
            pages::list(task, member, pages::By::Link(by), wanted, request, sink).await
        }
        Paging::NextUrl(by) => {
            pages::list(task, member, pages::By::Body(by), wanted, request, sink).await
        }
        Paging::Limit(name, most) => {
            percent::append_query(&mut request.url, name, &wanted.min(most).to_string());
            let response = task.send(request).await?;
            let outputs = whole(task, &response, member, wanted)?;
            let count = outputs.len() as u64;
            if count < most || count >= wanted {
                return Ok(outputs);
            }
            sink(outputs);
            Err(beyond(most, count, "narrow it"))
        }
        Paging::None => {
            let repeatable = request.is_repeatable();
            let response = task.send(request).await?;
            task.understood(repeatable, whole(task, &response, member, wanted))
        }
    }
}

/// The error for a listing that is longer than what the service returns.
pub(super) fn beyond(most: u64, given: u64, hint: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "the service returns at most {most} records of one listing, and there are more than \
             the {given} delivered: {hint}"
        ),
    )
}

/// The records of a response that contains all of them.
fn whole(
    task: &Task,
    response: &Response,
    member: &str,
    wanted: u64,
) -> Result<Vec<OutputItem>, Error> {
    let mut page = page(response, member)?.records;
    // Records that arrived together are emitted together, however many they are.
    if task.action.parameters.iter().any(|param| param.name == "limit") {
        page.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    }
    Ok(page.iter().map(|record| task.output(record)).collect())
}

/// How many records the parameters ask for: all of them if the form has no such parameter.
fn wanted(task: &Task) -> u64 {
    let can_say = task.action.parameters.iter().any(|one| matches!(one.name, "limit" | "all"));
    match task.flag("all") || !(can_say || task.parameters.contains_key("limit")) {
        true => u64::MAX,
        false => task.parameters.get("limit").and_then(Value::as_u64).unwrap_or(DEFAULT_LIMIT),
    }
}

/// A page of a listing.
pub(super) struct PageBody<'a> {
    /// The members of the body; `None` if the body is the list.
    members: Option<Members<'a>>,
    /// The records as raw JSON.
    pub(super) records: Vec<&'a str>,
}

impl<'a> PageBody<'a> {
    /// The value at a path; `None` for the empty path.
    pub(super) fn at(&self, path: &str) -> Option<&'a str> {
        self.members.as_ref().filter(|_| !path.is_empty())?.at(path)
    }

    /// The number at a path.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.at(path)?.trim_matches('"').parse().ok()
    }

    /// The text at a path.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        json::value(self.at(path)?)?.as_str().map(str::to_owned)
    }
}

/// Reads a page whose list is at this path.
pub(super) fn page<'a>(response: &'a Response, member: &str) -> Result<PageBody<'a>, Error> {
    if member.is_empty() {
        let list = json::raw(&response.body).and_then(json::elements);
        let records = list.ok_or_else(|| response.unexpected("is not a list"))?;
        return Ok(PageBody { members: None, records });
    }
    let members = response.members()?;
    // `service/integrations` is a list inside an object.
    let list = members.at(member);
    if list == Some("null") {
        return Ok(PageBody { members: Some(members), records: Vec::new() });
    }
    // The documentation and the service sometimes use different names.
    let is_nested = member.trim_start_matches('/').contains('/');
    let records = list
        .or_else(|| if is_nested { None } else { members.only('[') })
        .and_then(json::elements)
        .ok_or_else(|| response.unexpected(&["has no list `", member, "`"].concat()))?;
    Ok(PageBody { members: Some(members), records })
}

async fn by_cursor(
    task: &Task,
    member: &str,
    paging: Cursor,
    wanted: u64,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let mut span = Span::of(task, member, paging.limit, false).await?;
    let mut given = 0;
    let mut seen = Seen::default();
    loop {
        let first = match &span {
            Some(span) => span.request(task)?,
            None => task.request()?,
        };
        let stretch = Stretch { task, member, paging, wanted, sink, first };
        let last = stretch.read(&mut given, &mut seen).await?;
        let goes_on = span.as_mut().is_some_and(|span| given < wanted && span.advance());
        if !goes_on {
            return Ok(last);
        }
        sink(last);
    }
}

/// A listing by cursor, or one part of it if it has a time range.
struct Stretch<'a> {
    task: &'a Task,
    member: &'a str,
    paging: Cursor,
    wanted: u64,
    sink: Sink<'a>,
    first: Request,
}

impl Stretch<'_> {
    /// Reads page after page, and returns the last page.
    async fn read(&self, given: &mut u64, seen: &mut Seen) -> Result<Vec<OutputItem>, Error> {
        let Self { task, member, paging, wanted, .. } = *self;
        let mut cursor: Option<Value> = None;
        let mut cursors = Marks::default();
        let mut progress = Progress::default();
        loop {
            let mut request = self.first.clone();
            // The number may count pages, and pages of another size would begin elsewhere.
            let is_page = cursor.as_ref().is_some_and(is_number);
            let size = if is_page { wanted } else { wanted - *given }.min(paging.page);
            if let Some(name) = paging.limit {
                ask(&mut request, paging, name, Value::from(size));
            }
            if let Some(cursor) = &cursor {
                ask(&mut request, paging, paging.cursor, cursor.clone());
            }
            let response = task.send(request).await?;
            let page = page(&response, member)?;
            let mut outputs = Vec::with_capacity(page.records.len());
            let mut is_new = false;
            for record in &page.records {
                let (mark, second) = mark_and_second(task, record);
                let repeats = !seen.is_new(mark, second);
                is_new |= !repeats;
                // Two parts share the second between them.
                if *given < wanted && !(repeats && second.is_some()) {
                    outputs.push(task.output(record));
                    *given += 1;
                }
            }
            let next = next_cursor(&page, paging);
            // The last page is returned, not emitted. Most listings have only this one.
            let Some(next) = next.filter(|_| *given < wanted) else {
                return Ok(outputs);
            };
            if !cursors.add(fingerprint(&json::text(&next))) {
                return Err(stuck(&response, "a cursor that it gave before"));
            }
            progress.page(&response, is_new)?;
            (self.sink)(outputs);
            cursor = Some(next);
        }
    }
}

/// The identity of a record, and its time in seconds if the listing is split by time.
pub(super) fn mark_and_second(task: &Task, record: &str) -> (u64, Option<i64>) {
    let (mark, members) = mark(record);
    let second = task
        .action
        .ranges
        .first()
        .and_then(|key| time::parse(json::value(members.as_ref()?.get(key.field)?)?.as_str()?));
    (mark, second)
}

/// The cursor of the next page; `None` at the end.
pub(super) fn next_cursor(page: &PageBody<'_>, paging: Cursor) -> Option<Value> {
    if paging.more.is_some_and(|more| page.at(more) != Some("true")) {
        return None;
    }
    json::value(page.at(paging.next)?).filter(|next| match next {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) => true,
        _ => false,
    })
}

/// Whether a cursor is a number or a number in text.
fn is_number(cursor: &Value) -> bool {
    let text = cursor.as_str().unwrap_or("x");
    cursor.is_number() || text.bytes().all(|byte| byte.is_ascii_digit())
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

/// Recent records, by which repeated ones are recognized, and all records of the last second: a
/// window that continues from there returns them again.
#[derive(Default)]
pub(super) struct Seen {
    marks: Marks,
    oldest_first: VecDeque<(u64, Option<i64>)>,
}

/// How many records are remembered.
const REMEMBERED: usize = 1_000;

impl Seen {
    pub(super) fn holds(&self, mark: u64) -> bool {
        self.marks.hold(mark)
    }

    /// Whether a record is new.
    pub(super) fn is_new(&mut self, mark: u64, second: Option<i64>) -> bool {
        if !self.marks.add(mark) {
            return false;
        }
        while self.oldest_first.len() >= REMEMBERED
            && let Some((oldest, at)) = self.oldest_first.front().copied()
            && (at.is_none() || at != second)
        {
            self.marks.remove(oldest);
            self.oldest_first.pop_front();
        }
        self.oldest_first.push_back((mark, second));
        true
    }
}

/// A sorted set of hashes.
#[derive(Default)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    fn hold(&self, mark: u64) -> bool {
        self.0.binary_search(&mark).is_ok()
    }

    /// Inserts a hash, and returns whether it is new.
    pub(super) fn add(&mut self, mark: u64) -> bool {
        let place = self.0.binary_search(&mark);
        if let Err(at) = place {
            self.0.insert(at, mark);
        }
        place.is_err()
    }

    fn remove(&mut self, mark: u64) {
        if let Ok(at) = self.0.binary_search(&mark) {
            self.0.remove(at);
        }
    }
}

/// The identity of a record: its ID, or else its whole content.
pub(super) fn mark(record: &str) -> (u64, Option<Members<'_>>) {
    let members = json::members(record.as_bytes());
    let id = members.as_ref().and_then(|members| members.get("id"));
    (fingerprint(id.unwrap_or(record)), members)
}

/// FNV-1a.
pub(super) fn fingerprint(text: &str) -> u64 {
    let mut mark: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        mark = (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mark
}

/// Detects a listing that makes no progress. One page without a new record can happen: records that
/// arrive meanwhile push others to the next page. A second one in a row means that the service
/// repeats itself.
#[derive(Default)]
pub(super) struct Progress {
    is_in_doubt: bool,
}

impl Progress {
    /// Notes a page that announces more.
    ///
    /// # Errors
    ///
    /// Returns an error if it is the second in a row without a new record.
    pub(super) fn page(&mut self, response: &Response, is_new: bool) -> Result<(), Error> {
        if !is_new && self.is_in_doubt {
            return Err(stuck(response, "twice in a row a page that brings nothing new"));
        }
        self.is_in_doubt = !is_new;
        Ok(())
    }
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
