//! The operations themselves, by resource. Requests have been judged before they arrive here.

pub(crate) mod directory;
pub(crate) mod incidents;
pub(crate) mod log_entries;
pub(crate) mod manage;
pub(crate) mod notes;
pub(crate) mod services;
pub(crate) mod users;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::errors::Refusal;
use crate::judge::Call;

impl Call<'_> {
    /// The incident of the path.
    pub(crate) fn incident(&self) -> Result<usize, Refusal> {
        self.state.incident_at(self.capture(0)).ok_or_else(Refusal::not_found)
    }

    /// `since` and `until`, in order; each may be missing.
    pub(crate) fn window(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
        let since = self.query.moment("since")?;
        let until = self.query.moment("until")?;
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return Err(Refusal::coded(400, 2005, "Invalid Date Range"));
        }
        Ok((since, until))
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
