//! The request of an action, and how its answer becomes output.

use serde::{Deserialize, Serialize};

use super::{Literal, leak};

/// The request of an action.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Route {
    /// In upper case.
    pub method: &'static str,
    /// Which of the configuration's `base_urls`; for an action without a slot, the URL itself.
    pub base: Option<&'static str>,
    /// With `{parameter}` for a segment.
    pub path: &'static str,
    /// The object in the body to which parameters are relative (RFC 6901); empty for the body.
    pub envelope: &'static str,
    /// Values in every body, by position (RFC 6901) within the envelope.
    #[serde(deserialize_with = "leak::slice")]
    pub constants: &'static [(&'static str, Literal)],
    /// Headers of every request.
    #[serde(deserialize_with = "leak::slice")]
    pub headers: &'static [(&'static str, &'static str)],
    /// How the body is encoded.
    pub encoding: Encoding,
    /// The parameter that carries the execution's idempotency key unless it is given.
    pub key: Option<&'static str>,
    /// How the response becomes output.
    pub answer: Answer,
}

impl Route {
    pub(super) const fn new(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            base: None,
            path,
            envelope: "",
            constants: &[],
            headers: &[],
            encoding: Encoding::Json,
            key: None,
            answer: Answer::Whole,
        }
    }
}

/// Encoding of a request body. Parameters are placed in the body in the same way for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Encoding {
    /// JSON.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`. A member of a member is the field `outer[inner]`, and null
    /// is a field without a value.
    Form(FormLists),
}

/// How a form encodes the elements of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FormLists {
    /// `name=a&name=b`. Elements cannot be objects or lists.
    #[default]
    Repeated,
    /// `name[]=a&name[]=b`. Elements cannot be objects or lists.
    Brackets,
    /// `name[0]=a&name[1][member]=b`.
    Indexed,
}

/// How a successful response becomes output records.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Answer {
    /// The whole body is one record.
    Whole,
    /// One record under this member.
    Object(&'static str),
    /// One record per element of the list at this path of member names (`data/items`); empty where the
    /// body is the list.
    List(&'static str, #[serde(deserialize_with = "leak::one")] &'static Paging),
    /// The body is an array, one record per element: a list at the empty path, without paging.
    Elements,
    /// The body is ignored; this is the record.
    Nothing(Literal),
}

/// Where a successful response (2xx) reports failures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failures {
    /// Position in the body (RFC 6901) of a list of results or errors, or of the number of failures.
    pub at: &'static str,
    /// Member of each element that holds its status or a list of errors; `None` if each element is
    /// a failure. An element whose `status` is 400 or more has failed.
    pub result: Option<&'static str>,
    /// Values of that member that mean success.
    #[serde(deserialize_with = "leak::slice")]
    pub success: &'static [&'static str],
    /// Member of each element that holds the reason, for a person.
    pub reason: Option<&'static str>,
}

impl Failures {
    /// Every element of a list is a failure; a number counts failures.
    pub const fn each(at: &'static str) -> Self {
        Self { at, result: None, success: &[], reason: None }
    }

    /// The elements of a list in which a member does not have one of these values.
    pub const fn unless(
        at: &'static str,
        result: &'static str,
        success: &'static [&'static str],
    ) -> Self {
        Self { at, result: Some(result), success, reason: None }
    }

    /// Sets the member that holds the reason.
    #[must_use]
    pub const fn reason(mut self, member: &'static str) -> Self {
        self.reason = Some(member);
        self
    }
}

/// How a service returns a long list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Paging {
    /// All records at once; the SDK applies the limit.
    None,
    /// All records at once, limited by the query parameter of this name, up to this maximum.
    Limit(&'static str, u64),
    /// `limit` and `offset`, and a member that is true while there are more records.
    Offset(Offset),
    /// An opaque cursor from one page to the next.
    Cursor(Cursor),
    /// Pages by number.
    Page(PageNumber),
    /// The header `Link` names the next page (RFC 8288, `rel="next"`).
    Link(Link),
    /// The body holds the URL of the next page.
    NextUrl(NextUrl),
}

impl Answer {
    /// The position of the list and its paging; `None` for a response that is not a list.
    pub(crate) fn list(self) -> Option<(&'static str, Paging)> {
        match self {
            Self::List(member, paging) => Some((member, *paging)),
            Self::Elements => Some(("", Paging::None)),
            _ => None,
        }
    }
}

/// Paging by position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Offset {
    /// The largest page.
    pub page: u64,
    /// `offset + limit` may not exceed this; `None` where the service sets no bound.
    pub window: Option<u64>,
    /// Name of the query parameter and member.
    pub limit: &'static str,
    /// Name of the query parameter and member.
    pub offset: &'static str,
    /// Path of the member that is true while there are more records. Without it, `total` determines
    /// where the list ends, or else the first page without a record.
    pub more: Option<&'static str>,
    /// Query parameter that requests the total number of records, and the member that holds it.
    /// With it, pages are fetched concurrently.
    pub total: Option<&'static str>,
    /// Whether the first request omits `limit` and `offset`, because the service returns them but
    /// does not document that it accepts them here.
    pub is_undocumented: bool,
}

/// A time range that an action takes, and the time along which its listing can be split.
///
/// The parameters are named by a path: `filters/since` is a member of `filters`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimeKey {
    /// Member of each record.
    pub field: &'static str,
    /// Parameter for the start, inclusive.
    pub since: &'static str,
    /// Parameter for the end.
    pub until: &'static str,
    /// Parameter and value that sort the oldest first; `None` if the newest always comes first.
    pub oldest_first: Option<(&'static str, &'static str)>,
    /// Parameter that names the member to sort by; `None` if `oldest_first` does.
    pub sorted_by: Option<&'static str>,
    /// The range that the service applies without one, in words (`24 hours`); `None` for
    /// everything.
    pub default: Option<&'static str>,
    /// Parameter and value that remove every time limit; `None` if there are none.
    pub everything: Option<(&'static str, &'static str)>,
    /// Maximum number of days between start and end.
    pub days: Option<u32>,
    /// Time of the oldest possible record, in seconds since 1970.
    pub earliest: i64,
}

/// Paging by cursor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cursor {
    /// The largest page.
    pub page: u64,
    /// Name of the query parameter, or position in the body, that sets the size of a page.
    pub limit: Option<&'static str>,
    /// Name of the query parameter, or position in the body.
    pub cursor: &'static str,
    /// Path of the member that holds the next cursor, a text or a number; null, empty, or absent at
    /// the end.
    pub next: &'static str,
    /// Path of the member that is true while there are more records; `None` if only the cursor
    /// determines the end.
    pub more: Option<&'static str>,
    /// Whether limit and cursor are in the body.
    pub in_body: bool,
}

impl Offset {
    /// Creates paging by position with pages of at most this many records. The parameters are
    /// `limit` and `offset`; the member `more` is true while there are more records.
    pub const fn new(page: u64) -> Self {
        Self {
            page,
            window: None,
            limit: "limit",
            offset: "offset",
            more: Some("more"),
            total: None,
            is_undocumented: false,
        }
    }

    /// Sets the bound that `offset + limit` may not exceed.
    #[must_use]
    pub const fn window(self, records: u64) -> Self {
        Self { window: Some(records), ..self }
    }

    /// Sets the names of the query parameters for the size and the position of a page.
    #[must_use]
    pub const fn names(self, limit: &'static str, offset: &'static str) -> Self {
        Self { limit, offset, ..self }
    }

    /// Sets the path of the member that is true while there are more records.
    #[must_use]
    pub const fn more(self, path: &'static str) -> Self {
        Self { more: Some(path), ..self }
    }

    /// Declares that no member marks the end of the list.
    #[must_use]
    pub const fn without_more(self) -> Self {
        Self { more: None, ..self }
    }

    /// Sets the query parameter that requests the total number of records, and the member that
    /// holds it.
    #[must_use]
    pub const fn total(self, name: &'static str) -> Self {
        Self { total: Some(name), ..self }
    }

    /// Sends the first request without a limit, because the service does not document that it takes
    /// one.
    #[must_use]
    pub const fn undocumented(self) -> Self {
        Self { is_undocumented: true, ..self }
    }
}

impl TimeKey {
    /// Creates a key from the member of each record that holds its time, the query parameters for
    /// the start (inclusive) and the end, and the time (in seconds since 1970) before which there
    /// are no records.
    pub const fn new(
        field: &'static str,
        since: &'static str,
        until: &'static str,
        earliest: i64,
    ) -> Self {
        Self {
            field,
            since,
            until,
            oldest_first: None,
            sorted_by: None,
            default: None,
            everything: None,
            days: None,
            earliest,
        }
    }

    /// Sets the member of each record that holds its time.
    #[must_use]
    pub const fn field(self, member: &'static str) -> Self {
        Self { field: member, ..self }
    }

    /// Sets the query parameter and the value that sort the oldest records first.
    #[must_use]
    pub const fn oldest_first(self, parameter: &'static str, value: &'static str) -> Self {
        Self { oldest_first: Some((parameter, value)), ..self }
    }

    /// Sets the parameter that names the member to sort by.
    #[must_use]
    pub const fn sorted_by(self, parameter: &'static str) -> Self {
        Self { sorted_by: Some(parameter), ..self }
    }

    /// Sets the range that the service applies without one, in words: `24 hours`.
    #[must_use]
    pub const fn default_range(self, words: &'static str) -> Self {
        Self { default: Some(words), ..self }
    }

    /// Sets the query parameter and the value that remove every time limit.
    #[must_use]
    pub const fn everything(self, parameter: &'static str, value: &'static str) -> Self {
        Self { everything: Some((parameter, value)), ..self }
    }

    /// Sets the maximum number of days between start and end.
    #[must_use]
    pub const fn days(self, days: u32) -> Self {
        Self { days: Some(days), ..self }
    }
}

impl Cursor {
    /// Creates paging by cursor with pages of at most this many records, from the query parameter
    /// that takes the cursor and the member that holds the next one.
    pub const fn new(page: u64, cursor: &'static str, next: &'static str) -> Self {
        Self { page, limit: None, cursor, next, more: None, in_body: false }
    }

    /// Sets the largest page.
    #[must_use]
    pub const fn page(self, records: u64) -> Self {
        Self { page: records, ..self }
    }

    /// Sets the query parameter, or the position in the body, for the size of a page.
    #[must_use]
    pub const fn limit(self, name: &'static str) -> Self {
        Self { limit: Some(name), ..self }
    }

    /// Sets the member that is true while there are more records.
    #[must_use]
    pub const fn more(self, member: &'static str) -> Self {
        Self { more: Some(member), ..self }
    }

    /// Sends limit and cursor in the body.
    #[must_use]
    pub const fn in_body(self) -> Self {
        Self { in_body: true, ..self }
    }
}

/// Paging by the number of the page.
///
/// All pages of one listing have the same size, because a page of another size would begin at
/// another record.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PageNumber {
    /// The largest page, in records.
    pub page: u64,
    /// Query parameter for the size of a page; `None` where the service sets the size.
    pub limit: Option<&'static str>,
    /// Query parameter for the number of the page.
    pub number: &'static str,
    /// Number of the first page.
    pub first: u64,
    /// Path of the member that is true while there are more records.
    pub more: Option<&'static str>,
    /// Path of the member that holds the number of pages.
    pub pages: Option<&'static str>,
    /// Path of the member that holds the total number of records.
    pub total: Option<&'static str>,
}

impl PageNumber {
    /// Creates paging by number with pages of at most this many records, from the query parameter
    /// for the number. The first page is number 1.
    ///
    /// If the service reports where a list ends, set [`more`](Self::more), [`pages`](Self::pages),
    /// or [`total`](Self::total). Otherwise, a listing ends at the first page without a record,
    /// which takes one more request.
    pub const fn new(page: u64, number: &'static str) -> Self {
        Self { page, limit: None, number, first: 1, more: None, pages: None, total: None }
    }

    /// Sets the query parameter for the size of a page.
    #[must_use]
    pub const fn limit(self, name: &'static str) -> Self {
        Self { limit: Some(name), ..self }
    }

    /// Sets the number of the first page.
    #[must_use]
    pub const fn first(self, number: u64) -> Self {
        Self { first: number, ..self }
    }

    /// Sets the path of the member that is true while there is more.
    #[must_use]
    pub const fn more(self, path: &'static str) -> Self {
        Self { more: Some(path), ..self }
    }

    /// Sets the path of the member that holds the number of pages.
    #[must_use]
    pub const fn pages(self, path: &'static str) -> Self {
        Self { pages: Some(path), ..self }
    }

    /// Sets the path of the member that holds the total number of records.
    #[must_use]
    pub const fn total(self, path: &'static str) -> Self {
        Self { total: Some(path), ..self }
    }
}

/// Paging by the header `Link`: the target of `rel="next"` is the next page.
///
/// The target may be absolute or relative. A listing fails when the target has another origin than
/// the request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    /// The largest page, in records.
    pub page: u64,
    /// Query parameter for the size of a page; `None` where the service sets the size.
    pub limit: Option<&'static str>,
}

impl Link {
    /// Creates paging by `Link` with pages whose size the service sets.
    pub const fn new() -> Self {
        Self { page: u64::MAX, limit: None }
    }

    /// Sets the query parameter for the size of a page, and the maximum size.
    #[must_use]
    pub const fn limit(self, name: &'static str, page: u64) -> Self {
        Self { limit: Some(name), page }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

/// Paging by a member of the body that holds the URL of the next page.
///
/// The URL may be absolute or relative. A listing fails when it has another origin than the request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NextUrl {
    /// Path of the member that holds the URL; null, empty, or absent at the end.
    pub next: &'static str,
    /// The largest page, in records.
    pub page: u64,
    /// Query parameter for the size of a page; `None` where the service sets the size.
    pub limit: Option<&'static str>,
}

impl NextUrl {
    /// Creates paging by the URL at this path (`links/next`), with pages whose size the service
    /// sets.
    pub const fn new(next: &'static str) -> Self {
        Self { next, page: u64::MAX, limit: None }
    }

    /// Sets the query parameter for the size of a page, and the maximum size.
    #[must_use]
    pub const fn limit(self, name: &'static str, page: u64) -> Self {
        Self { limit: Some(name), page, ..self }
    }
}
