//! How PagerDuty hands out long lists; section "Pagination" of its guide.

use workflow_node_sdk::declare::{Answer, Cursor, Offset, Paging};
use workflow_node_sdk::literal;

/// `limit` and `offset`, 100 records a page, 10,000 at most.
pub(crate) const CLASSIC: Offset = Offset::new(100).window(10_000).total("total");

/// PagerDuty was founded in 2009: no record is older.
pub(crate) const EARLIEST: i64 = 1_230_768_000;

/// An opaque cursor.
pub(crate) const CURSOR: Cursor = Cursor::new(100, "cursor", "next_cursor");

/// Analytics: the query stands in the body, and so does the place.
pub(crate) const ANALYTICS: Paging = Paging::Cursor(
    Cursor::new(1_000, "starting_after", "last").limit("limit").more("more").in_body(),
);

/// A list that comes whole.
pub(crate) static ONE_PAGE: Paging = Paging::None;

/// Something was removed; there is nothing to tell of it.
pub(crate) const DELETED: Answer = Answer::Nothing(literal!({ "deleted": true }));

/// Something was done; there is nothing to tell of it.
pub(crate) const DONE: Answer = Answer::Nothing(literal!({ "done": true }));
