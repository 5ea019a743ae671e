//! How PagerDuty hands out long lists; section "Pagination" of its guide.

use workflow_node_sdk::declare::{Answer, Cursor, Offset, Paging, TimeKey};
use workflow_node_sdk::literal;

/// `limit` and `offset`, 100 records a page, 10,000 at most.
pub(crate) const CLASSIC: Offset = Offset::new(100).window(10_000).total("total");

/// PagerDuty was founded in 2009: no record is older.
const EARLIEST: i64 = 1_230_768_000;

/// Incidents: beyond 10,000 they go on by the time of their creation. Six months at once.
pub(crate) static INCIDENTS: Paging = Paging::Offset(
    CLASSIC.by_time(
        NEWEST_FIRST
            .oldest_first("sort_by", "created_at:asc")
            .everything("date_range", "all")
            .days(180),
    ),
);

const NEWEST_FIRST: TimeKey = TimeKey::new("created_at", "since", "until", EARLIEST);

/// Log entries and the like: the newest first, going back in time beyond 10,000.
pub(crate) static LOG: Paging = Paging::Offset(CLASSIC.by_time(NEWEST_FIRST));

/// Notifications name their time otherwise.
pub(crate) static NOTIFICATIONS: Paging =
    Paging::Offset(CLASSIC.by_time(NEWEST_FIRST.field("started_at")));

/// Change events, too.
pub(crate) static CHANGE_EVENTS: Paging =
    Paging::Offset(CLASSIC.by_time(NEWEST_FIRST.field("timestamp")));

/// An opaque cursor.
pub(crate) const CURSOR: Cursor = Cursor::new(100, "cursor", "next_cursor");

/// Analytics: the query stands in the body, and so does the place.
pub(crate) const ANALYTICS: Paging = Paging::Cursor(
    Cursor::new(1_000, "starting_after", "last").limit("limit").more("more").in_body(),
);

/// A list that comes whole.
pub(crate) static ONE_PAGE: Paging = Paging::None;

/// How a list is paged, by the name that the overlay has for it.
pub(crate) fn by_name(name: &str) -> Option<&'static Paging> {
    Some(match name {
        "incidents" => &INCIDENTS,
        "log_entries" => &LOG,
        "notifications" => &NOTIFICATIONS,
        "change_events" => &CHANGE_EVENTS,
        _ => return None,
    })
}

/// Something was removed; there is nothing to tell of it.
pub(crate) const DELETED: Answer = Answer::Nothing(literal!({ "deleted": true }));

/// Something was done; there is nothing to tell of it.
pub(crate) const DONE: Answer = Answer::Nothing(literal!({ "done": true }));
