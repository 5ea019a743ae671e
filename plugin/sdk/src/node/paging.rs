//! Long lists: page after page, handed over as they come, so that memory does not grow with them.

use serde_json::Value;

use super::{OutputItem, Task, main};
use crate::context;
use crate::declare::Paging;
use crate::error::{Error, ErrorKind};
use crate::http::Response;
use crate::json::{self, Members};
use crate::percent;

/// How many records a listing yields when the parameters do not say. Stated in the declaration of
/// the parameter `limit`, too.
const DEFAULT_LIMIT: u64 = 100;

/// Runs a listing: exactly `limit` records (if there are so many), or with `all` every one.
pub(super) async fn list(
    task: &Task,
    member: &str,
    paging: Paging,
) -> Result<Vec<OutputItem>, Error> {
    let wanted = match task.parameters.get("all").and_then(Value::as_bool) {
        Some(true) => u64::MAX,
        _ => task.parameters.get("limit").and_then(Value::as_u64).unwrap_or(DEFAULT_LIMIT),
    };
    let first = task.request()?;
    let mut given = 0;
    let mut position = Position::Start;
    loop {
        let mut request = first.clone();
        position.ask(paging, wanted - given, given, &mut request.url)?;
        let response = task.send(request).await?;
        let members = response.members()?;
        let records = members
            .get(member)
            .and_then(json::elements)
            .ok_or_else(|| response.unexpected(&format!("has no list `{member}`")))?;
        let count = records.len() as u64;
        let outputs: Vec<OutputItem> = records
            .iter()
            .take(usize::try_from(wanted - given).unwrap_or(usize::MAX))
            .map(|record| main((*record).to_owned()))
            .collect();
        given += outputs.len() as u64;
        let next = position.next(paging, &members, count, &response)?;
        match next {
            // The last page, and the only one of most listings, needs no second way out.
            None => return Ok(outputs),
            Some(_) if given >= wanted => return Ok(outputs),
            Some(next) => {
                context::emit(task.item, &outputs);
                position = next;
            }
        }
    }
}

/// Where the next page begins.
enum Position {
    Start,
    Offset(u64),
    Cursor(String),
}

impl Position {
    /// Writes the page that is asked for into the URL.
    fn ask(&self, paging: Paging, left: u64, given: u64, url: &mut String) -> Result<(), Error> {
        match paging {
            Paging::None => {}
            Paging::Offset { page, window, limit, offset, .. } => {
                let start = if let Self::Offset(start) = self { *start } else { 0 };
                let size = left.min(page).min(window.saturating_sub(start));
                if size == 0 {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        format!(
                            "the service hands out at most {window} records of one listing, and \
                             there are more than the {given} delivered: narrow it, e.g. by time"
                        ),
                    ));
                }
                percent::append_query(url, limit, &size.to_string());
                if start > 0 {
                    percent::append_query(url, offset, &start.to_string());
                }
            }
            Paging::Cursor { page, limit, cursor, .. } => {
                let size = left.min(page);
                percent::append_query(url, limit, &size.to_string());
                if let Self::Cursor(at) = self {
                    percent::append_query(url, cursor, at);
                }
            }
        }
        Ok(())
    }

    fn next(
        &self,
        paging: Paging,
        members: &Members<'_>,
        count: u64,
        response: &Response,
    ) -> Result<Option<Self>, Error> {
        match paging {
            Paging::None => Ok(None),
            Paging::Offset { more, .. } => {
                let more = members.get(more).is_some_and(|value| value == "true");
                if more && count == 0 {
                    return Err(stuck(response, "an empty page that promises more"));
                }
                let start = if let Self::Offset(start) = self { *start } else { 0 };
                // By what came, not by what was asked: a service may give smaller pages.
                Ok(more.then_some(Self::Offset(start + count)))
            }
            Paging::Cursor { next, .. } => {
                let cursor = members
                    .get(next)
                    .and_then(|value| json::value(value)?.as_str().map(str::to_owned))
                    .filter(|cursor| !cursor.is_empty());
                match (cursor, self) {
                    (Some(next), Self::Cursor(last)) if next == *last => {
                        Err(stuck(response, "the same cursor again"))
                    }
                    (next, _) => Ok(next.map(Self::Cursor)),
                }
            }
        }
    }
}

fn stuck(response: &Response, what: &str) -> Error {
    let mut error = Error::new(
        ErrorKind::Unavailable,
        format!("the service answered {what}: the listing would never end"),
    );
    error.http_status = Some(response.status);
    error
}
