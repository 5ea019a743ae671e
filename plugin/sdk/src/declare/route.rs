//! The request of an action, and how its answer becomes output.

use serde::{Deserialize, Serialize};

use super::leak;

/// The request of an action.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Route {
    /// In upper case.
    pub method: &'static str,
    /// Which of the configuration's `base_urls`; for an action without a slot, the URL itself.
    pub base: &'static str,
    /// With `{parameter}` for a segment.
    pub path: &'static str,
    /// The object in the body to which parameters are relative (RFC 6901); empty for the body.
    pub envelope: &'static str,
    /// Values (JSON text) that stand in every body, by pointer.
    #[serde(deserialize_with = "leak::slice")]
    pub constants: &'static [(&'static str, &'static str)],
    /// Headers that stand in every request.
    #[serde(deserialize_with = "leak::slice")]
    pub headers: &'static [(&'static str, &'static str)],
    /// The parameter that takes the execution's idempotency key when it is not given.
    pub key: Option<&'static str>,
    /// How the answer becomes output.
    pub answer: Answer,
}

/// How a successful answer becomes output records.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The whole body is one record.
    Whole,
    /// One record under this member.
    Object(&'static str),
    /// One record per element under this member.
    List(&'static str, #[serde(deserialize_with = "leak::one")] &'static Paging),
    /// The body is an array, one record per element.
    Elements,
    /// Nothing to read in the body; the record is this JSON text.
    Nothing(&'static str),
}

/// Where a successful answer (2xx) reports what has failed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// Position in the body (RFC 6901) of a list of results or errors, or of the number of failures.
    pub at: &'static str,
    /// Member of each that says how it went, or has a list of errors; empty where each of them is a
    /// failure. An element whose `status` is 400 or more has failed.
    pub result: &'static str,
    /// Values of that member that mean success.
    #[serde(deserialize_with = "leak::slice")]
    pub success: &'static [&'static str],
    /// Member of each that says why, for a person; empty for none.
    pub reason: &'static str,
}

impl Failures {
    /// Every element of a list is a failure; a number counts failures.
    pub const fn each(at: &'static str, reason: &'static str) -> Self {
        Self { at, result: "", success: &[], reason }
    }

    /// The elements of a list in which a member does not have one of these values.
    pub const fn unless(
        at: &'static str,
        result: &'static str,
        success: &'static [&'static str],
    ) -> Self {
        Self { at, result, success, reason: "" }
    }

    /// Says why in this member.
    #[must_use]
    pub const fn reason(mut self, member: &'static str) -> Self {
        self.reason = member;
        self
    }
}

/// How a service hands out a long list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Paging {
    /// All at once; a limit is applied here.
    None,
    /// All at once, cut at the query parameter of this name, which may be at most so much.
    Limit(&'static str, u64),
    /// `limit` and `offset`, and a member that says whether there is more.
    Offset(Offset),
    /// An opaque cursor from one page to the next.
    Cursor(Cursor),
}

/// Paging by position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offset {
    /// The largest page.
    pub page: u64,
    /// `offset + limit` may not exceed this.
    pub window: u64,
    /// Name of the query parameter and member.
    pub limit: &'static str,
    /// Name of the query parameter and member.
    pub offset: &'static str,
    /// Name of the member that is true while there is more.
    pub more: &'static str,
    /// Query parameter that asks for the number of all records, and member that holds it; empty
    /// where there is none. With it, pages are fetched at the same time.
    pub total: &'static str,
    /// Whether the first page is asked for without a word: the service does not document that it
    /// takes a limit or an offset here, but answers with them.
    pub is_undocumented: bool,
    /// What a listing longer than the window is split by; `None`: it cannot be had.
    pub time: Option<TimeKey>,
}

/// The time by which a listing can be split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeKey {
    /// Member of each record.
    pub field: &'static str,
    /// Query parameter: from when, inclusive.
    pub since: &'static str,
    /// Query parameter: until when.
    pub until: &'static str,
    /// Query parameter and value that put the oldest first; `None`: the newest always comes first.
    pub oldest_first: Option<(&'static str, &'static str)>,
    /// Query parameter and value that lift every limit of time; `None`: there is none.
    pub everything: Option<(&'static str, &'static str)>,
    /// How many days lie between since and until at most; 0 for any number.
    pub days: u32,
    /// Nothing is older, in seconds since 1970.
    pub earliest: i64,
}

/// Paging by cursor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The largest page.
    pub page: u64,
    /// Name of the query parameter, or position in the body; empty where a page has its own size.
    pub limit: &'static str,
    /// Name of the query parameter, or position in the body.
    pub cursor: &'static str,
    /// Name of the member that holds the next cursor; null, empty or absent at the end.
    pub next: &'static str,
    /// Name of the member that is true while there is more; empty where only the cursor tells.
    pub more: &'static str,
    /// Whether limit and cursor stand in the body.
    pub in_body: bool,
}
