//! Time ranges that operations take.

use std::fmt;

use serde::Deserialize;

/// A time range that an operation takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Range {
    /// The field for its start: a query parameter, or the way to a member of the body.
    pub from: String,
    /// The field for its end.
    pub to: String,
    /// The member of each record that holds its time; none where the answer is no list.
    #[serde(default)]
    pub field: Option<String>,
    /// What PagerDuty covers without a range, up to now. With one end, the other is so far away.
    #[serde(default)]
    pub default: Option<Span>,
    /// Whether a missing end is now, however long ago the range starts.
    #[serde(default)]
    pub up_to_now: bool,
    /// The longest range that PagerDuty takes.
    #[serde(default)]
    pub longest: Option<Span>,
    /// Query parameter and value with which PagerDuty covers all of time.
    #[serde(default)]
    pub everything: Option<(String, String)>,
    /// Field and value that list the oldest first. Without it the newest come first.
    #[serde(default)]
    pub oldest_first: Option<(String, String)>,
    /// The field that names what a list is sorted by, where another one says in which order.
    #[serde(default)]
    pub sorted_by: Option<String>,
}

/// A length of time, written `24 hours`, `31 days`, or `6 months`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Span {
    /// Hours.
    Hours(u32),
    /// Days.
    Days(u32),
    /// Months of the calendar.
    Months(u32),
}

impl Span {
    /// Whole days that surely lie within it, whatever months it falls on.
    #[must_use]
    pub fn days(self) -> u32 {
        match self {
            Self::Hours(hours) => hours / 24,
            Self::Days(days) => days,
            // February has 28 days, and some limits are exclusive.
            Self::Months(months) => (months * 30).saturating_sub(2),
        }
    }

    /// In words, with a number: `one month`, `31 days`.
    #[must_use]
    pub fn counted(self) -> String {
        match self {
            Self::Months(1 | 12) => format!("one {self}"),
            _ => self.to_string(),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (number, unit) = text.split_once(' ')?;
            let number = number.parse().ok()?;
            Some(match unit {
                "hours" => Self::Hours(number),
                "days" => Self::Days(number),
                "month" | "months" => Self::Months(number),
                _ => return None,
            })
        };
        read().ok_or_else(|| format!("`{text}` is not a duration"))
    }
}

/// As it follows "the past": `month`, `31 days`.
impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(hours) => write!(formatter, "{hours} hours"),
            Self::Days(days) => write!(formatter, "{days} days"),
            Self::Months(1) => write!(formatter, "month"),
            Self::Months(12) => write!(formatter, "year"),
            Self::Months(months) => write!(formatter, "{months} months"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_is_read_and_said() {
        let read = |text: &str| Span::try_from(text.to_owned());
        assert_eq!(read("24 hours"), Ok(Span::Hours(24)));
        assert_eq!(read("1 month").map(|span| span.to_string()), Ok("month".to_owned()));
        assert_eq!(read("31 days").map(Span::days), Ok(31));
        // From December to March.
        assert!(read("3 months").unwrap().days() < 90);
        assert!(read("soon").is_err());
    }
}
