//! Listings by position. Once the number of records is known, pages are fetched concurrently. If
//! records have a time, a listing longer than the service's window continues from the time of the
//! last record.
//!
//! The guarantee: no record is yielded twice, and no record that exists the whole time is missed,
//! even if others arrive meanwhile. If the oldest come first, new records are appended; otherwise
//! they push records to the next page, where they are recognized. Concurrent pages are not answered
//! in order, so each one begins with the last record of the page before; if it does not, records
//! have moved, and the page is fetched again. A record that is deleted may pull another one across
//! the boundary of a page that is fetched alone.

use super::ahead::Ahead;
use super::listing::{Progress, Seen, Sink, beyond, mark, mark_and_second, page, stuck};
use super::span::{Order, Span};
use super::{OutputItem, Task};
use crate::context;
use crate::declare::{Offset, TimeKey};
use crate::error::Error;
use crate::http::{Request, Response};
use crate::json;
use crate::{percent, time};

/// How many pages are fetched concurrently.
const AHEAD: usize = 4;

/// Runs a listing.
pub(super) async fn list(
    task: &Task,
    member: &str,
    paging: Offset,
    wanted: u64,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let long = paging.window.is_some_and(|window| wanted > window);
    let mut span = Span::of(task, member, Some(paging.limit), long).await?;
    let grows_behind = span.as_ref().is_some_and(|span| span.order == Order::OldestFirst);
    let mut listing = Listing {
        task,
        member,
        paging,
        grows_behind,
        wanted,
        sink,
        given: 0,
        seen: Seen::default(),
        progress: Progress::default(),
        resumed: None,
    };
    loop {
        listing.resumed = span.as_ref().and_then(Span::mark);
        let request = match &span {
            Some(span) => span.request(task)?,
            None => task.request()?,
        };
        match listing.window(request).await? {
            Ended::All(outputs) => {
                let Some(span) = span.as_mut().filter(|_| listing.given < wanted) else {
                    return Ok(outputs);
                };
                if !span.advance() {
                    return Ok(outputs);
                }
                sink(outputs);
            }
            Ended::Window(outputs, last) => {
                let next = span.as_mut().is_some_and(|span| span.go_on_from(last.as_deref()));
                sink(outputs);
                if !next {
                    return Err(listing.beyond());
                }
            }
        }
    }
}

/// How one window of a listing ended.
enum Ended {
    /// There are no more records.
    All(Vec<OutputItem>),
    /// There are more records than the service returns; with the time of the last one.
    Window(Vec<OutputItem>, Option<String>),
}

struct Listing<'a> {
    task: &'a Task,
    member: &'a str,
    paging: Offset,
    /// Whether new records are appended, so that no record ever moves.
    grows_behind: bool,
    wanted: u64,
    sink: Sink<'a>,
    given: u64,
    seen: Seen,
    progress: Progress,
    /// The second from which the window continues: its records were yielded before.
    resumed: Option<i64>,
}

/// How reading several pages concurrently ended.
enum Together {
    /// The listing or its window has ended.
    Ended(Ended),
    /// The number of records that was known is reached, or pages are smaller than requested.
    Over,
    /// Records have moved from one page to another.
    Moved,
}

/// Content of a page.
struct Page {
    outputs: Vec<OutputItem>,
    /// Number of records, including repeated ones.
    count: u64,
    /// Whether at least one of them is new.
    is_new: bool,
    more: bool,
    total: Option<u64>,
    last: Option<String>,
}

impl Listing<'_> {
    /// Reads what the service returns of one listing.
    async fn window(&mut self, first: Request) -> Result<Ended, Error> {
        let largest = self.paging.page;
        let window = self.paging.window.unwrap_or(u64::MAX);
        let mut start = 0;
        let mut pages = 0;
        let mut total = None;
        loop {
            let size = (self.wanted - self.given).min(largest).min(window - start);
            // Requesting the number of records is worthwhile for more than two pages.
            let asks_total = pages == 1 && self.wanted - self.given > largest;
            let request = self.asking(&first, start, size, asks_total);
            let response = self.task.send(request).await?;
            let page = self.read(&response, start)?;
            total = page.total.or(total);
            start += page.count;
            pages += 1;
            if !page.more || self.given >= self.wanted {
                return Ok(Ended::All(page.outputs));
            }
            if page.count == 0 {
                return Err(stuck(&response, "an empty page that promises more"));
            }
            self.check(&response, &page)?;
            if start >= window {
                return Ok(Ended::Window(page.outputs, page.last));
            }
            (self.sink)(page.outputs);
            // If a service returns smaller pages than requested, they are fetched one by one.
            if let Some(end) = total.filter(|_| page.count == largest) {
                match self.ahead(&first, &mut start, end.min(window)).await? {
                    Together::Ended(ended) => return Ok(ended),
                    Together::Over => total = None,
                    // Steps back, in case records were deleted and others moved forward.
                    Together::Moved => start -= largest / 2,
                }
            } else {
                total = None;
            }
        }
    }

    /// Reads full pages from `start` to `end` concurrently.
    async fn ahead(
        &mut self,
        first: &Request,
        start: &mut u64,
        end: u64,
    ) -> Result<Together, Error> {
        let largest = self.paging.page;
        let window = self.paging.window.unwrap_or(u64::MAX);
        let task = self.task;
        let overlap = u64::from(!self.grows_behind && largest > 1);
        let mut under_way = Ahead::default();
        let mut asked = *start;
        loop {
            let left = self.wanted - self.given;
            while under_way.len() < AHEAD
                && asked < end
                && asked.saturating_sub(*start) < left
                && !context::cancelled()
            {
                let from = asked - overlap;
                let size = largest.min(window - from);
                under_way.ask(task.send(self.asking(first, from, size, false)));
                asked = from + size;
            }
            let Some(response) = under_way.next().await else {
                return Ok(Together::Over);
            };
            let response = response?;
            if overlap > 0 && !self.goes_on(&response)? {
                return Ok(Together::Moved);
            }
            let page = self.read(&response, start.saturating_sub(overlap))?;
            *start += page.count.saturating_sub(overlap);
            if !page.more || self.given >= self.wanted {
                return Ok(Together::Ended(Ended::All(page.outputs)));
            }
            self.check(&response, &page)?;
            if *start >= window {
                return Ok(Together::Ended(Ended::Window(page.outputs, page.last)));
            }
            (self.sink)(page.outputs);
            if page.count < largest {
                return Ok(Together::Over);
            }
        }
    }

    fn asking(&self, first: &Request, start: u64, size: u64, total: bool) -> Request {
        let mut request = first.clone();
        let url = &mut request.url;
        if !self.paging.is_undocumented || start > 0 {
            percent::append_query(url, self.paging.limit, &size.to_string());
        }
        if start > 0 {
            percent::append_query(url, self.paging.offset, &start.to_string());
        }
        if let (true, Some(name)) = (total, self.paging.total) {
            percent::append_query(url, name, "true");
        }
        request
    }

    /// Reads a page, without the records that were yielded before.
    fn read(&mut self, response: &Response, start: u64) -> Result<Page, Error> {
        let page = page(response, self.member)?;
        let records = &page.records;
        let mut outputs = Vec::with_capacity(records.len());
        let mut is_new = false;
        for record in records {
            if self.given < self.wanted && self.is_new(record) {
                is_new = true;
                outputs.push(self.task.output(record));
                self.given += 1;
            }
        }
        let last = self.key().and_then(|key| {
            let record = json::members(records.last()?.as_bytes())?;
            json::value(record.get(key.field)?)?.as_str().map(str::to_owned)
        });
        let (count, total) =
            (records.len() as u64, self.paging.total.and_then(|total| page.number(total)));
        Ok(Page {
            outputs,
            count,
            is_new,
            more: match self.paging.more {
                Some(more) => page.at(more) == Some("true"),
                // Only the number of records, or the first page without one, marks the end.
                None => !records.is_empty() && total.is_none_or(|total| start + count < total),
            },
            total,
            last,
        })
    }

    /// Notes a page that announces more.
    fn check(&mut self, response: &Response, page: &Page) -> Result<(), Error> {
        let of_resumed = || page.last.as_deref().and_then(time::parse) == self.resumed;
        if !page.is_new && self.resumed.is_some() && of_resumed() {
            return Ok(());
        }
        self.progress.page(response, page.is_new)
    }

    /// Whether a page begins with a record that was yielded before.
    fn goes_on(&self, response: &Response) -> Result<bool, Error> {
        let records = page(response, self.member)?.records;
        Ok(records.first().is_some_and(|record| self.seen.holds(mark(record).0)))
    }

    /// Whether a record is new.
    fn is_new(&mut self, record: &str) -> bool {
        let (mark, second) = mark_and_second(self.task, record);
        self.seen.is_new(mark, second)
    }

    /// The time along which the listing can be split.
    fn key(&self) -> Option<&'static TimeKey> {
        self.task.action.ranges.first()
    }

    fn beyond(&self) -> Error {
        let hint = match self.key() {
            Some(key) if key.oldest_first.is_some() => "sort by time, or narrow it",
            _ => "narrow it, e.g. by time",
        };
        beyond(self.paging.window.unwrap_or(u64::MAX), self.given, hint)
    }
}
