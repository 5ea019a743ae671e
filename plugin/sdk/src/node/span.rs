//! Time ranges of listings. A service that gets one end of a range, or none, applies its own
//! default, and many limit the length of a range. So the SDK always sends both ends, and lists a
//! longer range in parts, one after the other.

use serde_json::{Map, Value};

use super::Task;
use super::listing::page;
use crate::context;
use crate::declare::TimeKey;
use crate::error::Error;
use crate::http::Request;
use crate::{json, percent, time};

/// The order of a listing by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
    /// The service's default; it can still be chosen.
    Unsaid,
    /// Another order was requested.
    Other,
}

/// The part of the time range that is being listed.
pub(super) struct Span {
    key: &'static TimeKey,
    pub(super) order: Order,
    /// Values of the parameters; `None` if they are not sent.
    since: Option<String>,
    until: Option<String>,
    /// End of the whole range, in seconds since 1970; `None` if this is the last part.
    end: Option<i64>,
    everything: bool,
    /// The time from which the last window continued, to detect a listing that makes no progress.
    mark: Option<i64>,
}

impl Span {
    /// The first part of a listing of `member`, whose page size is in `limit`; `None` for an action
    /// without a time range. `long`: more records may be requested than the service returns at
    /// once.
    ///
    /// # Errors
    ///
    /// If the range is longer than the service allows, and its parts would not be in the requested
    /// order.
    pub(super) async fn of(
        task: &Task,
        member: &str,
        limit: Option<&str>,
        long: bool,
    ) -> Result<Option<Self>, Error> {
        let Some(key) = task.action.ranges.first() else { return Ok(None) };
        let text = |name: &str| text(&task.parameters, name).map(str::to_owned);
        let lifts = key.everything.is_some_and(|(name, _)| task.parameters.contains_key(name));
        let looks_back = key.default.is_some() || key.days.is_some();
        let (since, until, everything) = match (text(key.since), text(key.until)) {
            (since, until) if lifts => (since, until, true),
            (None, None) if !task.flag("all") => (None, None, false),
            (None, None) if key.everything.is_some() => (None, None, true),
            (None, None) if !looks_back => (None, None, false),
            (Some(since), until) => {
                let until = until.unwrap_or_else(|| after_now(key, Some(&since)));
                (Some(since), Some(until), false)
            }
            (None, until) => {
                let until = until.unwrap_or_else(|| after_now(key, None));
                let first = earliest(task, key, member, limit).await?;
                (Some(time::format(first)), Some(until), false)
            }
        };
        let mut span =
            Self { key, order: order(task, key), since, until, end: None, everything, mark: None };
        if span.order == Order::Unsaid && (long || span.is_too_long()) {
            span.order = Order::OldestFirst;
        }
        if span.order == Order::Other && span.is_too_long() {
            let message = format!(
                "is more than {} days before the end; sort by {}, or choose a shorter range",
                key.days.unwrap_or_default(),
                key.field
            );
            return Err(Error::invalid(["/", key.since].concat(), message));
        }
        span.split();
        Ok(Some(span))
    }

    /// Both ends of the range in seconds since 1970, if they apply.
    fn ends(&self) -> Option<(i64, i64)> {
        if self.everything {
            return None;
        }
        Some((time::parse(self.since.as_deref()?)?, time::parse(self.until.as_deref()?)?))
    }

    /// The longest part, in seconds; `None` if there is no limit.
    fn longest(&self) -> Option<i64> {
        self.key.days.map(|days| i64::from(days) * 86_400)
    }

    fn is_too_long(&self) -> bool {
        let ends = self.ends().zip(self.longest());
        ends.is_some_and(|((since, until), longest)| until - since > longest)
    }

    /// Limits one request to what the service allows.
    fn split(&mut self) {
        let (Some((since, until)), Some(longest)) = (self.ends(), self.longest()) else { return };
        if until - since <= longest {
            return;
        }
        if self.order == Order::OldestFirst {
            self.end = Some(until);
            self.until = Some(time::format(since + longest));
        } else {
            self.end = Some(since);
            self.since = Some(time::format(until - longest));
        }
    }

    /// The time from which the last window continued.
    pub(super) fn mark(&self) -> Option<i64> {
        self.mark
    }

    /// The request for this part.
    pub(super) fn request(&self, task: &Task) -> Result<Request, Error> {
        let mut parameters = task.parameters.clone();
        for (name, value) in [(self.key.since, &self.since), (self.key.until, &self.until)] {
            set(&mut parameters, name, value.as_deref());
        }
        if let Some((name, value)) = self.key.everything {
            match self.everything {
                true => parameters.insert(name.to_owned(), Value::from(value)),
                false => parameters.remove(name),
            };
        }
        if let (Some((name, value)), Order::OldestFirst) = (self.key.oldest_first, self.order)
            && sorted_by(task, name).is_none()
        {
            parameters.insert(name.to_owned(), Value::from(value));
        }
        same(task, parameters).request()
    }

    /// Continues at the end of this part; returns false at the end of the range.
    pub(super) fn advance(&mut self) -> bool {
        let (Some(end), Some((since, until)), Some(longest)) =
            (self.end, self.ends(), self.longest())
        else {
            return false;
        };
        if self.order == Order::OldestFirst {
            self.since = Some(time::format(until));
            self.until = Some(time::format(end.min(until + longest)));
            until < end
        } else {
            self.until = Some(time::format(since));
            self.since = Some(time::format(end.max(since - longest)));
            since > end
        }
    }

    /// Goes on from the time of the last record; false where that is not possible.
    pub(super) fn go_on_from(&mut self, last: Option<&str>) -> bool {
        let is_by_time = matches!(self.order, Order::OldestFirst | Order::NewestFirst);
        let Some(last) = last.and_then(time::parse).filter(|_| is_by_time) else {
            return false;
        };
        // A window full of records of one second cannot be split by time.
        if self.mark == Some(last) {
            return false;
        }
        self.mark = Some(last);
        let given = |end: &Option<String>| end.as_deref().and_then(time::parse);
        let longest = self.longest();
        if self.order == Order::OldestFirst {
            let end = match (self.everything, self.end.or(given(&self.until))) {
                (false, Some(end)) => end,
                _ => now() + 1,
            };
            self.since = Some(time::format(last));
            self.until = Some(time::format(longest.map_or(end, |longest| end.min(last + longest))));
            self.end = Some(end);
        } else {
            // The end is exclusive: the last second is requested again, and its records are
            // recognized.
            let until = last + 1;
            self.until = Some(time::format(until));
            if let Some(longest) = longest {
                let end = match (self.everything, self.end.or(given(&self.since))) {
                    (false, Some(end)) => end,
                    _ => self.key.earliest,
                };
                self.since = Some(time::format(end.max(until - longest)));
                self.end = Some(end);
            }
        }
        self.everything = false;
        true
    }
}

/// The parameters of an action that is not a listing, with both ends of each range of which one is
/// given.
pub(super) fn completed(task: &Task) -> Option<Map<String, Value>> {
    let mut completed: Option<Map<String, Value>> = None;
    for key in task.action.ranges {
        let (name, value) =
            match (text(&task.parameters, key.since), text(&task.parameters, key.until)) {
                (Some(since), None) => (key.until, after_now(key, Some(since))),
                (None, Some(until)) => {
                    let longest = key.days.map(|days| i64::from(days) * 86_400);
                    let first =
                        time::parse(until).zip(longest).map(|(until, longest)| until - longest);
                    (key.since, time::format(first.unwrap_or(key.earliest)))
                }
                _ => continue,
            };
        set(completed.get_or_insert_with(|| task.parameters.clone()), name, Some(&value));
    }
    completed
}

/// The text of a parameter, or of its member: `filters/since`.
fn text<'a>(parameters: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    match path.split_once('/') {
        None => parameters.get(path)?.as_str(),
        Some((name, rest)) => text(parameters.get(name)?.as_object()?, rest),
    }
}

/// Sets a parameter, or its member; `None` removes it.
fn set(parameters: &mut Map<String, Value>, path: &str, value: Option<&str>) {
    match (path.split_once('/'), value) {
        (None, Some(value)) => {
            parameters.insert(path.to_owned(), Value::from(value));
        }
        (None, None) => {
            parameters.remove(path);
        }
        (Some((name, rest)), value) => {
            if value.is_some() && !parameters.contains_key(name) {
                parameters.insert(name.to_owned(), Value::Object(Map::new()));
            }
            if let Some(Value::Object(members)) = parameters.get_mut(name) {
                set(members, rest, value);
            }
        }
    }
}

fn now() -> i64 {
    i64::try_from(context::now() / 1_000).unwrap_or(i64::MAX)
}

/// The end of a range that reaches up to now. The end is exclusive.
fn after_now(key: &TimeKey, since: Option<&str>) -> String {
    let since = since.and_then(time::parse).unwrap_or(key.earliest);
    time::format(since.max(now()) + 1)
}

/// The time before which there are no records. If a listing can return everything with the oldest
/// first, its first record determines it.
async fn earliest(
    task: &Task,
    key: &TimeKey,
    member: &str,
    limit: Option<&str>,
) -> Result<i64, Error> {
    let (Some(everything), Some(oldest_first)) = (key.everything, key.oldest_first) else {
        return Ok(key.earliest);
    };
    let mut parameters = task.parameters.clone();
    parameters.remove(key.until);
    for (name, value) in [everything, oldest_first] {
        parameters.insert(name.to_owned(), Value::from(value));
    }
    let mut request = same(task, parameters).request()?;
    if let Some(limit) = limit {
        percent::append_query(&mut request.url, limit, "1");
    }
    let response = task.send(request).await?;
    let first = page(&response, member)?.records.first().and_then(|record| {
        let record = json::members(record.as_bytes())?;
        time::parse(json::value(record.get(key.field)?)?.as_str()?)
    });
    Ok(first.unwrap_or(key.earliest))
}

fn same(task: &Task, parameters: Map<String, Value>) -> Task {
    Task { parameters, credential: task.credential.clone(), ..*task }
}

/// The order that the parameters ask for.
fn order(task: &Task, key: &TimeKey) -> Order {
    let Some((name, oldest_first)) = key.oldest_first else { return Order::NewestFirst };
    // If the field to sort by has a separate parameter, another field means another order.
    if key
        .sorted_by
        .and_then(|name| text(&task.parameters, name))
        .is_some_and(|field| field != key.field)
    {
        return Order::Other;
    }
    let is = |given: &str, suffix: &str| given.strip_prefix(key.field) == Some(suffix);
    match sorted_by(task, name) {
        None => Order::Unsaid,
        Some(given) if given == oldest_first || is(&given, "") || is(&given, ":asc") => {
            Order::OldestFirst
        }
        Some(given) if given == "desc" || is(&given, ":desc") => Order::NewestFirst,
        Some(_) => Order::Other,
    }
}

/// The field by which the listing is sorted, if the parameters state it.
fn sorted_by(task: &Task, name: &str) -> Option<String> {
    let mut joined = String::new();
    for one in task.list(name) {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(one.as_str().unwrap_or_default());
    }
    (!joined.is_empty()).then_some(joined)
}
