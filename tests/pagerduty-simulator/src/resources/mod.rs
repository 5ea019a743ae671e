//! The operations that mean more than the facts say, by resource. Requests have been judged before
//! they arrive here.

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
use crate::judge::Call;
use crate::routes::Handler;

/// The operations that have a function of their own.
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
}

/// A moment some months away by the calendar.
fn months_after(moment: Timestamp, months: i32) -> Timestamp {
    let shifted = moment.to_zoned(TimeZone::UTC).checked_add(months.months());
    shifted.map_or(moment, |zoned| zoned.timestamp())
}

/// Whether a list filter lets a value pass; an absent filter lets everything pass.
fn passes(wanted: &[&str], value: &str) -> bool {
    wanted.is_empty() || wanted.contains(&value)
}

/// Like [`passes`], for things that have several values.
fn any_passes(wanted: &[&str], values: &[String]) -> bool {
    wanted.is_empty() || values.iter().any(|value| wanted.contains(&value.as_str()))
}

/// Whether a name contains the words of a search, in any case.
fn resembles(name: &str, query: Option<&str>) -> bool {
    query.is_none_or(|query| name.to_lowercase().contains(&query.to_lowercase()))
}

/// The text of a member, when it is one.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The ids of a list of references.
fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|one| text(&one["id"])).collect()
}

/// The members of an object without those that have a type of their own.
fn rest(object: &Value, taken: &[&str]) -> Map<String, Value> {
    const NEVER: [&str; 5] = ["id", "type", "self", "html_url", "summary"];
    let members = object.as_object().cloned().unwrap_or_default();
    let kept = |name: &String| !taken.contains(&name.as_str()) && !NEVER.contains(&name.as_str());
    members.into_iter().filter(|(name, _)| kept(name)).collect()
}
