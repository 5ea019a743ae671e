//! How PagerDuty hands out long lists; section "Pagination" of its guide.

use workflow_node_sdk::declare::{Answer, Cursor, Offset, Paging, TimeKey};

/// `limit` and `offset`, 100 records a page, 10,000 at most.
pub(crate) const CLASSIC: Offset = Offset {
    page: 100,
    window: 10_000,
    limit: "limit",
    offset: "offset",
    more: "more",
    total: "total",
    is_undocumented: false,
    time: None,
};

/// PagerDuty was founded in 2009: no record is older.
const EARLIEST: i64 = 1_230_768_000;

/// Incidents: beyond 10,000 they go on by the time of their creation. Six months at once.
pub(crate) static INCIDENTS: Paging = Paging::Offset(Offset {
    time: Some(TimeKey {
        field: "created_at",
        since: "since",
        until: "until",
        oldest_first: Some(("sort_by", "created_at:asc")),
        everything: Some(("date_range", "all")),
        days: 180,
        earliest: EARLIEST,
    }),
    ..CLASSIC
});

const NEWEST_FIRST: TimeKey = TimeKey {
    field: "created_at",
    since: "since",
    until: "until",
    oldest_first: None,
    everything: None,
    days: 0,
    earliest: EARLIEST,
};

/// Log entries and the like: the newest first, going back in time beyond 10,000.
pub(crate) static LOG: Paging = Paging::Offset(Offset { time: Some(NEWEST_FIRST), ..CLASSIC });

/// Notifications name their time otherwise.
pub(crate) static NOTIFICATIONS: Paging = Paging::Offset(Offset {
    time: Some(TimeKey { field: "started_at", ..NEWEST_FIRST }),
    ..CLASSIC
});

/// Change events, too.
pub(crate) static CHANGE_EVENTS: Paging = Paging::Offset(Offset {
    time: Some(TimeKey { field: "timestamp", ..NEWEST_FIRST }),
    ..CLASSIC
});

/// An opaque cursor.
pub(crate) const CURSOR: Cursor = Cursor {
    page: 100,
    limit: "limit",
    cursor: "cursor",
    next: "next_cursor",
    more: "",
    in_body: false,
};

/// Analytics: the query stands in the body, and so does the place.
pub(crate) const ANALYTICS: Paging = Paging::Cursor(Cursor {
    page: 1_000,
    limit: "limit",
    cursor: "starting_after",
    next: "last",
    more: "more",
    in_body: true,
});

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
pub(crate) const DELETED: Answer = Answer::Nothing(r#"{"deleted":true}"#);

/// Something was done; there is nothing to tell of it.
pub(crate) const DONE: Answer = Answer::Nothing(r#"{"done":true}"#);
