//! Parameters that several actions share.

use workflow_node_sdk::declare::{Kind, Paging, Param, Place};

/// The `x[]` lists of the REST API and the classic paging of section "Pagination" of its guide.
pub(crate) const CLASSIC: Paging =
    Paging::Offset { page: 100, window: 10_000, limit: "limit", offset: "offset", more: "more" };

pub(crate) static LIMIT: Param = Param::new(
    Kind::Integer(1, 1_000_000),
    "limit",
    "Limit",
    "How many records at most. Exactly that many are returned where there are so many; not used \
     with All.",
)
.default("100");

pub(crate) static ALL: Param =
    Param::new(Kind::Boolean, "all", "All", "Every record there is, page after page.")
        .default("false");

pub(crate) static FROM: Param = Param::new(
    Kind::Email,
    "from",
    "From",
    "E-mail address of the PagerDuty user in whose name this is done, instead of the one of the \
     credential. Needed with an account's API key or an app's token; a user's key or token acts \
     as that user.",
)
.at(Place::Header("from"));

pub(crate) static INCIDENT_ID: Param =
    Param::text("incident_id", "Incident", "ID of the incident.").required().at(Place::Path);

pub(crate) static SINCE: Param =
    Param::new(Kind::DateTime, "since", "Since", "Start of the time range, with an offset.")
        .at(Place::Query("since"));

pub(crate) static UNTIL: Param =
    Param::new(Kind::DateTime, "until", "Until", "End of the time range, with an offset.")
        .at(Place::Query("until"));

pub(crate) static TIME_ZONE: Param = Param::text(
    "time_zone",
    "Time zone",
    "IANA name of the time zone in which times are returned, e.g. Europe/Berlin.",
)
.at(Place::Query("time_zone"));

pub(crate) static TEAM_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "team_ids",
    "Teams",
    "Only what belongs to one of these teams (needs the ability teams).",
)
.at(Place::Query("team_ids[]"));

pub(crate) static QUERY: Param =
    Param::text("query", "Search", "Only records whose name contains this.")
        .at(Place::Query("query"));
