//! How PagerDuty pages long lists; see the section "Pagination" of its guide.

use workflow_node_sdk::declare::{Answer, Cursor, Offset, Paging};
use workflow_node_sdk::literal;

/// `limit` and `offset`, 100 records a page, 10,000 at most.
pub(crate) const CLASSIC: Offset = Offset::new(100).window(10_000).total("total");

/// PagerDuty was founded in 2009: no record is older.
pub(crate) const EARLIEST: i64 = 1_230_768_000;

/// An opaque cursor.
pub(crate) const CURSOR: Cursor = Cursor::new(100, "cursor", "next_cursor");

/// Analytics: the query and the position are in the body.
pub(crate) const ANALYTICS: Paging = Paging::Cursor(
    Cursor::new(1_000, "starting_after", "last").limit("limit").more("more").in_body(),
);

/// A list that is returned at once.
pub(crate) static ONE_PAGE: Paging = Paging::None;

/// An object was deleted; the response has no content.
pub(crate) const DELETED: Answer = Answer::Nothing(literal!({ "deleted": true }));

/// An operation was carried out; the response has no content.
pub(crate) const DONE: Answer = Answer::Nothing(literal!({ "done": true }));
