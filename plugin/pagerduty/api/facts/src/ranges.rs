//! Time ranges that operations take.

use std::fmt;

use serde::Deserialize;

/// A time range that an operation takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Range {
    /// The field for its start: a query parameter, or the path to a member of the body.
    pub from: String,
    /// The field for its end.
    pub to: String,
    /// The member of each record that holds its time; none if the response is not a list.
    #[serde(default)]
    pub field: Option<String>,
    /// The range that PagerDuty applies up to now if none is given. If only one end is given, the
    /// range has this length.
    #[serde(default)]
    pub default: Option<Span>,
    /// Whether a missing end means now, however long ago the range starts.
    #[serde(default)]
    pub up_to_now: bool,
    /// The longest range that PagerDuty accepts.
    #[serde(default)]
    pub longest: Option<Span>,
    /// Query parameter and value for an unlimited range.
    #[serde(default)]
    pub everything: Option<(String, String)>,
    /// Field and value that sort the oldest first. Without it, the newest come first.
    #[serde(default)]
    pub oldest_first: Option<(String, String)>,
    /// The field that a list is sorted by, if another field sets the direction.
    #[serde(default)]
    pub sorted_by: Option<String>,
}

/// A duration, written as `24 hours`, `31 days`, or `6 months`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Span {
    /// Hours.
    Hours(u32),
    /// Days.
    Days(u32),
    /// Calendar months.
    Months(u32),
}

impl Span {
    /// The number of whole days that the span contains in any case, whichever months it covers.
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

/// In words, as they follow "the past": `month`, `31 days`.
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
    fn a_span_is_parsed_and_written_in_words() {
        let read = |text: &str| Span::try_from(text.to_owned());
        assert_eq!(read("24 hours"), Ok(Span::Hours(24)));
        assert_eq!(read("1 month").map(|span| span.to_string()), Ok("month".to_owned()));
        assert_eq!(read("31 days").map(Span::days), Ok(31));
        // From December to March.
        assert!(read("3 months").unwrap().days() < 90);
        assert!(read("soon").is_err());
    }
}
