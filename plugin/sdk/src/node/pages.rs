//! Listings whose pages have a number or a URL. Pages are requested one after the other.
//!
//! No record with an ID is yielded twice: records that arrive meanwhile push others to the next
//! page, where they are recognized.

use super::follow;
use super::listing::{Marks, PageBody, Progress, Seen, Sink, fingerprint, mark, page, stuck};
use super::{OutputItem, Task};
use crate::declare::{Link, NextUrl, PageNumber};
use crate::error::{Error, ErrorKind};
use crate::http::{Request, Response};
use crate::percent;

/// The position of the next page.
#[derive(Clone, Copy)]
pub(super) enum By {
    Number(PageNumber),
    Link(Link),
    Body(NextUrl),
}

impl By {
    /// The query parameter for the size of a page, and the largest size.
    fn size(self) -> (Option<&'static str>, u64) {
        match self {
            Self::Number(by) => (by.limit, by.page),
            Self::Link(by) => (by.limit, by.page),
            Self::Body(by) => (by.limit, by.page),
        }
    }

    /// The request of the first page of a listing, or of the page at which a form continues.
    ///
    /// # Errors
    ///
    /// If `from` was not returned by [`Position::written`].
    pub(super) fn begin(
        self,
        mut request: Request,
        wanted: u64,
        from: Option<&str>,
    ) -> Result<(Request, Position), Error> {
        let foreign = || Error::invalid("/cursor", "was not returned by this node");
        let (limit, most) = self.size();
        let mut size = wanted.clamp(1, most);
        let base = request.url.clone();
        let mut number = 0;
        match (self, from) {
            (Self::Number(by), from) => {
                number = by.first;
                if let Some(from) = from {
                    let (at, of) = from.split_once('/').ok_or_else(foreign)?;
                    number = at.parse().map_err(|_| foreign())?;
                    size = of.parse().map_err(|_| foreign())?;
                    size = size.clamp(1, most);
                }
            }
            (_, Some(from)) => {
                request.url = follow::resolve(&base, from).map_err(|_| foreign())?;
                return Ok((request, Position { by: self, base, size, number, read: 0 }));
            }
            (_, None) => {}
        }
        if let Some(limit) = limit {
            percent::append_query(&mut request.url, limit, &size.to_string());
        }
        let base = request.url.clone();
        let position = Position { by: self, base, size, number, read: 0 };
        if let (Self::Number(by), true) = (self, from.is_some()) {
            percent::append_query(&mut request.url, by.number, &number.to_string());
        }
        Ok((request, position))
    }
}

/// The position in a listing.
pub(super) struct Position {
    by: By,
    /// The request's URL without a position.
    base: String,
    size: u64,
    /// Number of the page that was read last or is read next.
    number: u64,
    /// Number of records of all pages so far.
    read: u64,
}

impl Position {
    /// The URL of the page after a response; `None` after the last page.
    ///
    /// # Errors
    ///
    /// If the service returns a URL that must not be followed, or announces more after an empty
    /// page.
    pub(super) fn advance(
        &mut self,
        asked: &str,
        response: &Response,
        page: &PageBody<'_>,
    ) -> Result<Option<String>, Error> {
        let target = match self.by {
            By::Number(by) => {
                self.read += page.records.len() as u64;
                let Some(more) = self.goes_on(by, response, page)? else { return Ok(None) };
                return Ok(Some(more));
            }
            By::Link(_) => follow::next_link(response),
            By::Body(by) => page.text(by.next),
        };
        let Some(target) = target.filter(|target| !target.trim().is_empty()) else {
            return Ok(None);
        };
        match follow::resolve(asked, &target) {
            Ok(url) => Ok(Some(url)),
            Err(problem) => {
                let mut error = Error::new(
                    ErrorKind::Unavailable,
                    ["the service's URL of the next page, `", &target, "`, ", problem].concat(),
                );
                error.http_status = Some(response.status);
                Err(error)
            }
        }
    }

    fn goes_on(
        &mut self,
        by: PageNumber,
        response: &Response,
        page: &PageBody<'_>,
    ) -> Result<Option<String>, Error> {
        let count = page.records.len();
        let is_known = by.more.or(by.pages).or(by.total).is_some();
        let more = match (by.more, by.pages, by.total) {
            (Some(more), ..) => page.at(more) == Some("true"),
            (_, Some(pages), _) => {
                let pages = page.number(pages).unwrap_or_default();
                self.number < (by.first + pages).saturating_sub(1)
            }
            (.., Some(total)) => self.read < page.number(total).unwrap_or_default(),
            _ => count > 0,
        };
        if !more {
            return Ok(None);
        }
        if count == 0 && is_known {
            return Err(stuck(response, "an empty page that promises more"));
        }
        self.number += 1;
        let mut url = self.base.clone();
        percent::append_query(&mut url, by.number, &self.number.to_string());
        Ok(Some(url))
    }

    /// The position of the next page as a form stores it, from what [`advance`](Self::advance)
    /// returned.
    pub(super) fn written(&self, next: String) -> String {
        match self.by {
            By::Number(_) => [&*self.number.to_string(), "/", &self.size.to_string()].concat(),
            By::Link(_) | By::Body(_) => next,
        }
    }
}

/// Runs a listing.
pub(super) async fn list(
    task: &Task,
    member: &str,
    by: By,
    wanted: u64,
    request: Request,
    sink: Sink<'_>,
) -> Result<Vec<OutputItem>, Error> {
    let (mut request, mut position) = by.begin(request, wanted, None)?;
    let mut given = 0;
    let mut urls = Marks::default();
    let mut seen = Seen::default();
    let mut progress = Progress::default();
    loop {
        urls.add(fingerprint(&request.url));
        let response = task.send(request.clone()).await?;
        let page = page(&response, member)?;
        let mut outputs = Vec::with_capacity(page.records.len());
        let mut is_new = false;
        for record in &page.records {
            let (mark, members) = mark(record);
            let is_first = seen.is_new(mark, None);
            is_new |= is_first;
            // Without an ID, two records that look alike may be different.
            let has_id = members.is_some_and(|members| members.get("id").is_some());
            if given < wanted && (is_first || !has_id) {
                outputs.push(task.output(record));
                given += 1;
            }
        }
        let next = position.advance(&request.url, &response, &page)?;
        let Some(next) = next.filter(|_| given < wanted) else {
            return Ok(outputs);
        };
        if !urls.add(fingerprint(&next)) {
            return Err(stuck(&response, "a next page that it gave before"));
        }
        // An empty page means the end or no progress; the next page shows which.
        progress.page(&response, is_new)?;
        sink(outputs);
        request.url = next;
    }
}
