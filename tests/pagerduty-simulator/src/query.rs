//! Query strings: what a route accepts, and how the text of a request is judged against it.

use jiff::Timestamp;

use crate::clock;
use crate::errors::Refusal;

/// What one query parameter accepts. Names that end in `[]` may repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Accepts {
    Text,
    Whole,
    Flag,
    Moment,
    OneOf(&'static [&'static str]),
    /// One comma separated value of at most two `field:asc|desc`.
    SortBy(&'static [&'static str]),
}

/// A query parameter of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) accepts: Accepts,
}

/// Shorthand for the route table.
pub(crate) const fn parameter(name: &'static str, accepts: Accepts) -> Parameter {
    Parameter { name, accepts }
}

const PAGING: [Parameter; 3] = [
    parameter("limit", Accepts::Whole),
    parameter("offset", Accepts::Whole),
    parameter("total", Accepts::Flag),
];

/// The most items a page may have.
const LARGEST_PAGE: usize = 100;
/// The furthest item that classic paging reaches.
const FURTHEST_ITEM: usize = 10_000;

/// The page that a list was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    pub(crate) total: bool,
}

/// A judged query string.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Judges a raw query string. Objections that PagerDuty would not raise go to `violations`.
    pub(crate) fn judged(
        raw: &str,
        declared: &'static [Parameter],
        paged: bool,
        violations: &mut Vec<String>,
    ) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes())
            .into_owned()
            .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
            .collect();
        let paging: &[Parameter] = if paged { &PAGING } else { &[] };
        let find =
            |wanted: &str| declared.iter().chain(paging).find(|parameter| parameter.name == wanted);
        let mut errors = Vec::new();
        for (index, (name, value)) in pairs.iter().enumerate() {
            match find(name) {
                Some(parameter) => {
                    if let Some(error) = objection(parameter, value) {
                        errors.push(error);
                    }
                    if !name.ends_with("[]") && pairs[..index].iter().any(|(n, _)| n == name) {
                        violations.push(format!("query parameter {name} is repeated"));
                    }
                }
                None if find(&format!("{name}[]")).is_some() => {
                    errors.push(format!("{name} is a list and must be written {name}[]"));
                }
                None => violations.push(format!("unknown query parameter {name}")),
            }
        }
        let query = Self { pairs };
        if paged {
            let page = query.page();
            if page.limit == 0 || page.limit > LARGEST_PAGE {
                errors.push(format!("Limit must be between 1 and {LARGEST_PAGE}"));
            } else if page.offset.saturating_add(page.limit) > FURTHEST_ITEM {
                errors.push(format!("Offset plus limit must not exceed {FURTHEST_ITEM}"));
            }
        }
        if errors.is_empty() { Ok(query) } else { Err(Refusal::invalid(errors)) }
    }

    /// The last value of a parameter.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a list parameter; empty when it was not given.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// What `include[]` asks for.
    pub(crate) fn includes(&self) -> Vec<&str> {
        self.all("include[]")
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    pub(crate) fn moment(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        match self.one(name) {
            None => Ok(None),
            Some(text) => match clock::read(text) {
                Some(moment) => Ok(Some(moment)),
                None => Err(Refusal::coded(400, 2004, "Invalid since/until parameter")),
            },
        }
    }

    pub(crate) fn page(&self) -> Page {
        let number = |name| self.one(name).and_then(|text| text.parse().ok());
        Page {
            limit: number("limit").unwrap_or(25),
            offset: number("offset").unwrap_or(0),
            total: self.flag("total"),
        }
    }
}

fn objection(parameter: &Parameter, value: &str) -> Option<String> {
    let name = parameter.name;
    match parameter.accepts {
        // Moments are judged by the operation, because they have codes of their own.
        Accepts::Text | Accepts::Moment => None,
        Accepts::Whole => value
            .parse::<u32>()
            .is_err()
            .then(|| format!("{name} must be a whole number and not negative")),
        Accepts::Flag => {
            (!matches!(value, "true" | "false")).then(|| format!("{name} must be true or false"))
        }
        Accepts::OneOf(known) => (!known.contains(&value))
            .then(|| format!("{name} must be one of {}, not {value:?}", known.join(", "))),
        Accepts::SortBy(fields) => {
            let parts: Vec<&str> = value.split(',').collect();
            let known = |part: &&str| {
                let (field, direction) = part.split_once(':').unwrap_or((part, "asc"));
                fields.contains(&field) && matches!(direction, "asc" | "desc")
            };
            (parts.len() > 2 || !parts.iter().all(known)).then(|| {
                format!("{name} takes at most two of {} with :asc or :desc", fields.join(", "))
            })
        }
    }
}
