//! Query strings: the declarations of an operation, and how a request is judged by them.

use jiff::Timestamp;

use super::format;
use crate::clock;
use crate::errors::Refusal;
use crate::facts::{Basic, Field, Operation, Paging};
use crate::paging::{FURTHEST_ITEM, LARGEST_PAGE, Page, place};

/// A judged query string.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Judges a raw query string. Problems that PagerDuty would not report go to `violations`.
    pub(crate) fn judged(
        raw: &str,
        operation: &'static Operation,
        violations: &mut Vec<String>,
    ) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes())
            .into_owned()
            .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
            .collect();
        let find = |wanted: &str| operation.query.iter().find(|field| field.name == wanted);
        let mut errors = Vec::new();
        let mut code = 2001;
        for (index, (name, value)) in pairs.iter().enumerate() {
            match find(name) {
                Some(field) => {
                    if let Some(error) = objection(field, value) {
                        errors.push(error);
                        let end = matches!(name.as_str(), "since" | "until");
                        if end && clock::read(value).is_none() && errors.len() == 1 {
                            code = 2004;
                        }
                    }
                    let repeats = field.is_list() && !field.joined;
                    if !repeats && pairs[..index].iter().any(|(n, _)| n == name) {
                        violations.push(format!("query parameter {name} is repeated"));
                    }
                }
                None if find(&format!("{name}[]")).is_some() => {
                    errors.push(format!("{name} is a list and must be written {name}[]"));
                }
                // Some lists return a cursor and do not declare the parameter that takes it.
                None if name == "cursor" && operation.paging == Paging::Cursor => {}
                None => violations.push(format!("unknown query parameter {name}")),
            }
        }
        for field in operation.query.iter().filter(|field| field.required) {
            if !pairs.iter().any(|(name, _)| *name == field.name) {
                errors.push(format!("{} is required", field.name));
            }
        }
        let query = Self { pairs };
        if errors.is_empty() {
            if let Err(error) = query.bounds(operation) {
                errors.push(error);
            }
            let (since, until) = (query.moment("since"), query.moment("until"));
            if since.zip(until).is_some_and(|(since, until)| since > until) {
                return Err(Refusal::coded(400, 2005, "Invalid Date Range"));
            }
        }
        match errors.is_empty() {
            true => Ok(query),
            false if code == 2004 && errors.len() == 1 => {
                Err(Refusal::coded(400, 2004, "Invalid since/until parameter"))
            }
            false => Err(Refusal::invalid(errors)),
        }
    }

    /// Whether the list has this page.
    fn bounds(&self, operation: &'static Operation) -> Result<(), String> {
        let page = self.page(operation).map_err(|_| "the cursor is not one of this list")?;
        let Some(field) = operation.query.iter().find(|field| field.name == "limit") else {
            return Ok(());
        };
        let most = field.maximum.and_then(|n| usize::try_from(n).ok()).unwrap_or(LARGEST_PAGE);
        if page.limit == 0 || page.limit > most {
            return Err(format!("Limit must be between 1 and {most}"));
        }
        if operation.paging == Paging::Classic
            && page.offset.saturating_add(page.limit) > FURTHEST_ITEM
        {
            return Err(format!("Offset plus limit must not exceed {FURTHEST_ITEM}"));
        }
        Ok(())
    }

    /// The last value of a parameter.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a list parameter; empty if it was not given.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Every parameter that was given, without duplicates.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The values of `include[]`.
    pub(crate) fn includes(&self) -> Vec<&str> {
        self.all("include[]")
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    /// A time that has been judged already.
    pub(crate) fn moment(&self, name: &str) -> Option<Timestamp> {
        self.one(name).and_then(clock::read)
    }

    /// The requested page, with the operation's default.
    pub(crate) fn page(&self, operation: &'static Operation) -> Result<Page, Refusal> {
        let number = |name| self.one(name).and_then(|text| text.parse().ok());
        let declared = operation.query.iter().find(|field| field.name == "limit");
        let default = declared.and_then(|field| field.default.as_ref()?.as_u64());
        let mark =
            |name: &str| self.one(name).filter(|text| !text.is_empty()).map(place).transpose();
        Ok(Page {
            style: operation.paging,
            limit: number("limit")
                .or(default.and_then(|number| usize::try_from(number).ok()))
                .unwrap_or(25),
            offset: number("offset").unwrap_or(0),
            total: self.flag("total"),
            after: mark("cursor")?.or(mark("after")?),
            before: mark("before")?,
        })
    }
}

/// The problem of a value. The values of a list are separate, unless they are joined.
fn objection(field: &Field, value: &str) -> Option<String> {
    let name = &field.name;
    if field.joined {
        let parts: Vec<&str> = value.split(',').collect();
        let known = |part: &&str| {
            let (column, direction) = part.split_once(':').unwrap_or((part, "asc"));
            (field.values.is_empty() || field.values.iter().any(|value| value == column))
                && matches!(direction, "asc" | "desc")
        };
        let most = field.max_items.unwrap_or(usize::MAX);
        return (parts.len() > most || !parts.iter().all(known)).then(|| {
            let columns = field.values.join(", ");
            format!("{name} takes at most {most} of {columns} with :asc or :desc")
        });
    }
    if !field.values.is_empty() && !field.values.iter().any(|known| known == value) {
        return Some(format!("{name} must be one of {}, not {value:?}", field.values.join(", ")));
    }
    match field.kind() {
        Basic::Whole => {
            let number = value.parse::<i64>().ok().filter(|number| *number >= 0);
            let Some(number) = number else {
                return Some(format!("{name} must be a whole number and not negative"));
            };
            // Limits have a specific message.
            (name != "limit" && field.maximum.is_some_and(|most| number > most))
                .then(|| format!("{name} is too large"))
        }
        Basic::Number => value.parse::<f64>().is_err().then(|| format!("{name} must be a number")),
        Basic::Flag => {
            (!matches!(value, "true" | "false")).then(|| format!("{name} must be true or false"))
        }
        Basic::Text | Basic::Any | Basic::Record => {
            format::objection(field.format.as_deref(), value).map(|what| format!("{name} {what}"))
        }
    }
}
