//! Parameters that several resources share.

use workflow_node_sdk::declare::{Kind, Param, Place};

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

pub(crate) static SIMPLIFY: Param = Param::new(
    Kind::Boolean,
    "simplify",
    "Simplify",
    "Flat records with few members, always the same, instead of all that PagerDuty tells.",
)
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

pub(crate) static ADDITIONAL_FIELDS: Param = Param::new(
    Kind::Map,
    "additional_fields",
    "Additional fields",
    "Fields that this form does not know, as PagerDuty's API names them. They are sent as they are, \
     and win over those of the form.",
)
.at(Place::BodyMembers(""));

pub(crate) static ADDITIONAL_QUERY: Param = Param::new(
    Kind::Map,
    "additional_query",
    "Additional query",
    "Query parameters that this form does not know, as PagerDuty's API names them. A list is \
     repeated; its name ends in [].",
)
.at(Place::QueryMembers);

pub(crate) static SINCE: Param =
    Param::new(Kind::DateTime, "since", "Since", "Start of the time range, with an offset.")
        .query("since");

pub(crate) static UNTIL: Param =
    Param::new(Kind::DateTime, "until", "Until", "End of the time range, with an offset.")
        .query("until");

pub(crate) static TIME_ZONE: Param = Param::text(
    "time_zone",
    "Time zone",
    "IANA name of the time zone in which times are returned, e.g. Europe/Berlin.",
)
.query("time_zone");

pub(crate) static TEAM_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "team_ids",
    "Teams",
    "Only what belongs to one of these teams (needs the ability teams).",
)
.reference("team")
.query("team_ids[]");

pub(crate) static QUERY: Param =
    Param::text("query", "Search", "Only records whose name contains this.").query("query");

/// What a path names: `ID, name or address`.
const fn in_path(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    reference: &'static str,
) -> Param {
    Param::text(name, title, description).required().reference(reference).at(Place::Path)
}

pub(crate) static INCIDENT_ID: Param = in_path(
    "incident_id",
    "Incident",
    "The incident: its ID, its number, or its address.",
    "incident",
);

pub(crate) static SERVICE_ID: Param =
    in_path("service_id", "Service", "The service: its ID, its name, or its address.", "service");

pub(crate) static USER_ID: Param = in_path(
    "user_id",
    "User",
    "The user: their ID, name, e-mail address, or the address of their page.",
    "user",
);

pub(crate) static TEAM_ID: Param =
    in_path("team_id", "Team", "The team: its ID, its name, or its address.", "team");

pub(crate) static SCHEDULE_ID: Param = in_path(
    "schedule_id",
    "Schedule",
    "The schedule: its ID, its name, or its address.",
    "schedule",
);

pub(crate) static ESCALATION_POLICY_ID: Param = in_path(
    "escalation_policy_id",
    "Escalation policy",
    "The escalation policy: its ID, its name, or its address.",
    "escalation_policy",
);

pub(crate) static BUSINESS_SERVICE_ID: Param = in_path(
    "business_service_id",
    "Business service",
    "The business service: its ID, its name, or its address.",
    "business_service",
);

pub(crate) static SCHEDULE_V3_ID: Param = in_path(
    "schedule_v3_id",
    "Schedule",
    "The shift-based schedule: its ID, its name, or its address.",
    "schedule_v3",
);
