//! The operations whose behavior does not follow from the facts, by resource. Requests have been
//! judged before.

mod alerts;
mod analytics;
mod audit;
mod automation;
mod business;
mod change_events;
mod directory;
mod enrichment;
mod incidents;
mod insights;
mod integrations;
mod licenses;
mod log_entries;
mod maintenance;
mod manage;
mod notes;
mod notifications;
mod oncalls;
mod orchestrations;
mod policies;
mod recommendations;
mod responders;
mod schedules;
mod services;
mod sessions;
mod shifts;
mod standards;
mod status_dashboards;
mod status_pages;
mod subscribers;
mod tags;
mod teams;
mod templates;
mod users;
mod values;
mod webhooks;
mod workflows;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Map, Value};

use crate::errors::Refusal;
use crate::facts::{Range, Span};
use crate::judge::Call;
use crate::routes::Handler;

/// The operations with a function.
pub(crate) fn handlers() -> impl Iterator<Item = (&'static str, Handler)> {
    [
        alerts::HANDLERS,
        analytics::HANDLERS,
        audit::HANDLERS,
        automation::HANDLERS,
        business::HANDLERS,
        change_events::HANDLERS,
        directory::HANDLERS,
        enrichment::HANDLERS,
        incidents::HANDLERS,
        insights::HANDLERS,
        integrations::HANDLERS,
        licenses::HANDLERS,
        log_entries::HANDLERS,
        maintenance::HANDLERS,
        manage::HANDLERS,
        notes::HANDLERS,
        notifications::HANDLERS,
        oncalls::HANDLERS,
        orchestrations::HANDLERS,
        policies::HANDLERS,
        recommendations::HANDLERS,
        responders::HANDLERS,
        schedules::HANDLERS,
        services::HANDLERS,
        sessions::HANDLERS,
        shifts::HANDLERS,
        standards::HANDLERS,
        status_dashboards::HANDLERS,
        status_pages::HANDLERS,
        subscribers::HANDLERS,
        tags::HANDLERS,
        teams::HANDLERS,
        templates::HANDLERS,
        users::HANDLERS,
        values::HANDLERS,
        webhooks::HANDLERS,
        workflows::HANDLERS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

impl Call<'_> {
    /// The incident of the path.
    pub(crate) fn incident(&self) -> Result<usize, Refusal> {
        self.state.incident_at(self.capture(0)).ok_or_else(Refusal::not_found)
    }

    /// `since` and `until`, in order; each may be missing.
    pub(crate) fn window(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.query.moment("since"), self.query.moment("until"))
    }

    /// `since` and `until`, with PagerDuty's default for a missing end.
    pub(crate) fn range(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
        let (since, until) = self.window();
        let Some(range) = self.operation.ranges.first() else { return Ok((since, until)) };
        if range.everything.as_ref().is_some_and(|(name, _)| self.query.one(name).is_some()) {
            return Ok((None, None));
        }
        let (since, until) = match (range.default, since, until) {
            (Some(default), Some(since), None) if !range.up_to_now => {
                (Some(since), Some(later(since, default, 1)))
            }
            (Some(default), None, until) => {
                (Some(later(until.unwrap_or(self.now), default, -1)), until)
            }
            _ => (since, until),
        };
        within(range, since, Some(until.unwrap_or(self.now)))?;
        Ok((since, until))
    }
}

/// Refuses a range that ends before it starts, or is longer than the facts allow.
fn within(range: &Range, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), Refusal> {
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    if from > to {
        return Err(Refusal::coded(400, 2005, "Invalid Date Range"));
    }
    match range.longest {
        Some(longest) if later(from, longest, 1) < to => {
            Err(Refusal::coded(400, 2005, "Invalid Date Range"))
        }
        _ => Ok(()),
    }
}

/// A time some spans later, or earlier if they are negative.
fn later(moment: Timestamp, span: Span, times: i32) -> Timestamp {
    let length = match span {
        Span::Hours(hours) => (times * hours as i32).hours(),
        Span::Days(days) => (times * days as i32).days(),
        Span::Months(months) => (times * months as i32).months(),
    };
    let shifted = moment.to_zoned(TimeZone::UTC).checked_add(length);
    shifted.map_or(moment, |zoned| zoned.timestamp())
}

/// Whether a list filter matches a value; an absent filter matches everything.
fn passes(wanted: &[&str], value: &str) -> bool {
    wanted.is_empty() || wanted.contains(&value)
}

/// As [`passes`], for objects with several values.
fn any_passes(wanted: &[&str], values: &[String]) -> bool {
    wanted.is_empty() || values.iter().any(|value| wanted.contains(&value.as_str()))
}

/// Whether a name contains the words of a search, ignoring case.
fn resembles(name: &str, query: Option<&str>) -> bool {
    query.is_none_or(|query| name.to_lowercase().contains(&query.to_lowercase()))
}

/// The text of a member, if it is text.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The IDs in a list of references.
fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|one| text(&one["id"])).collect()
}

/// The members of an object without those in typed fields.
fn rest(object: &Value, taken: &[&str]) -> Map<String, Value> {
    const NEVER: [&str; 5] = ["id", "type", "self", "html_url", "summary"];
    let members = object.as_object().cloned().unwrap_or_default();
    let kept = |name: &String| !taken.contains(&name.as_str()) && !NEVER.contains(&name.as_str());
    members.into_iter().filter(|(name, _)| kept(name)).collect()
}
