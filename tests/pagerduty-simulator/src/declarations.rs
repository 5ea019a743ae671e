//! What the operations take: the bodies of writes, and the query parameters of reads.

use crate::query::Accepts::{Flag, Moment, OneOf, SortBy, Text};
use crate::query::{Parameter, parameter};
use crate::shape::{Field, Shape, TEXT, WORDS, nullable, optional, required};

pub(crate) const URGENCIES: &[&str] = &["high", "low"];
pub(crate) const STATUSES: &[&str] = &["triggered", "acknowledged", "resolved"];
pub(crate) const BRIDGE: &[Field] =
    &[nullable("conference_number", TEXT), nullable("conference_url", TEXT)];
pub(crate) const ASSIGNMENT: Shape =
    Shape::Record(&[required("assignee", Shape::Reference(&["user_reference", "user"]))]);
pub(crate) const POLICY: Shape = Shape::Reference(&["escalation_policy_reference"]);
pub(crate) const SERVICE: Shape = Shape::Reference(&["service_reference"]);
pub(crate) const INCIDENT_TYPE: Shape = Shape::Record(&[required("name", WORDS)]);

pub(crate) const NEW_INCIDENT: &[Field] = &[required(
    "incident",
    Shape::Record(&[
        required("type", Shape::OneOf(&["incident"])),
        required("title", WORDS),
        required("service", SERVICE),
        nullable("priority", Shape::Reference(&["priority_reference"])),
        optional("urgency", Shape::OneOf(URGENCIES)),
        nullable(
            "body",
            Shape::Record(&[
                optional("type", Shape::OneOf(&["incident_body"])),
                optional("details", TEXT),
            ]),
        ),
        optional("incident_key", Shape::Text { longest: 255, blank: true }),
        optional("assignments", Shape::List { of: &ASSIGNMENT, least: 0 }),
        optional("incident_type", INCIDENT_TYPE),
        nullable("escalation_policy", POLICY),
        nullable("conference_bridge", Shape::Record(BRIDGE)),
    ]),
)];

pub(crate) const PRIORITY_CHANGE: Shape = Shape::Record(&[
    optional("id", TEXT),
    optional("name", TEXT),
    optional("type", Shape::OneOf(&["priority", "priority_reference"])),
]);
pub(crate) const CHANGED_INCIDENT: Shape = Shape::Record(&[
    required("type", Shape::OneOf(&["incident", "incident_reference"])),
    optional("status", Shape::OneOf(STATUSES)),
    nullable("priority", PRIORITY_CHANGE),
    optional("resolution", TEXT),
    optional("title", WORDS),
    optional("escalation_level", Shape::Whole),
    optional("assignments", Shape::List { of: &ASSIGNMENT, least: 1 }),
    optional("incident_type", INCIDENT_TYPE),
    optional("escalation_policy", POLICY),
    optional("urgency", Shape::OneOf(URGENCIES)),
    nullable("conference_bridge", Shape::Record(BRIDGE)),
    optional("service", SERVICE),
]);
pub(crate) const LISTED_INCIDENT: Shape = Shape::Record(&[
    required("id", WORDS),
    required("type", Shape::OneOf(&["incident", "incident_reference"])),
    optional("status", Shape::OneOf(STATUSES)),
    nullable("priority", PRIORITY_CHANGE),
    optional("resolution", TEXT),
    optional("title", WORDS),
    optional("escalation_level", Shape::Whole),
    optional("assignments", Shape::List { of: &ASSIGNMENT, least: 1 }),
    optional("incident_type", INCIDENT_TYPE),
    optional("escalation_policy", POLICY),
    optional("urgency", Shape::OneOf(URGENCIES)),
    nullable("conference_bridge", Shape::Record(BRIDGE)),
]);

pub(crate) const CHANGE: &[Field] = &[required("incident", CHANGED_INCIDENT)];
pub(crate) const CHANGES: &[Field] =
    &[required("incidents", Shape::List { of: &LISTED_INCIDENT, least: 1 })];
pub(crate) const MERGE: &[Field] = &[required(
    "source_incidents",
    Shape::List { of: &Shape::Reference(&["incident_reference"]), least: 1 },
)];
pub(crate) const SNOOZE: &[Field] = &[required("duration", Shape::Whole)];
pub(crate) const NOTE: &[Field] = &[required("note", Shape::Record(&[required("content", WORDS)]))];

pub(crate) const INCIDENT_INCLUDES: Parameter = parameter(
    "include[]",
    OneOf(&[
        "acknowledgers",
        "agents",
        "assignees",
        "conference_bridge",
        "custom_fields",
        "escalation_policies",
        "first_trigger_log_entries",
        "priorities",
        "services",
        "teams",
        "users",
    ]),
);
pub(crate) const INCIDENT_LIST_INCLUDES: Parameter = parameter(
    "include[]",
    OneOf(&[
        "acknowledgers",
        "agents",
        "assignees",
        "conference_bridge",
        "escalation_policies",
        "first_trigger_log_entries",
        "priorities",
        "services",
        "teams",
        "users",
    ]),
);
pub(crate) const INCIDENT_FILTERS: &[Parameter] = &[
    parameter("date_range", OneOf(&["all"])),
    parameter("incident_key", Text),
    parameter("service_ids[]", Text),
    parameter("team_ids[]", Text),
    parameter("user_ids[]", Text),
    parameter("urgencies[]", OneOf(URGENCIES)),
    parameter("time_zone", Text),
    parameter("statuses[]", OneOf(STATUSES)),
    parameter("sort_by", SortBy(&["incident_number", "created_at", "resolved_at", "urgency"])),
    INCIDENT_LIST_INCLUDES,
    parameter("since", Moment),
    parameter("until", Moment),
];
pub(crate) const LOG_INCLUDES: Parameter =
    parameter("include[]", OneOf(&["incidents", "services", "channels", "teams"]));
pub(crate) const LOG_FILTERS: &[Parameter] = &[
    parameter("time_zone", Text),
    parameter("since", Moment),
    parameter("until", Moment),
    parameter("is_overview", Flag),
    LOG_INCLUDES,
    parameter("team_ids[]", Text),
];
pub(crate) const INCIDENT_LOG_FILTERS: &[Parameter] = &[
    parameter("time_zone", Text),
    parameter("since", Moment),
    parameter("until", Moment),
    parameter("is_overview", Flag),
    LOG_INCLUDES,
];
pub(crate) const ALERT_FILTERS: &[Parameter] = &[
    parameter("alert_key", Text),
    parameter("statuses[]", OneOf(&["triggered", "resolved"])),
    parameter("sort_by", SortBy(&["created_at", "resolved_at"])),
    parameter("include[]", OneOf(&["services", "first_trigger_log_entries", "incidents"])),
];
pub(crate) const USER_INCLUDES: Parameter = parameter(
    "include[]",
    OneOf(&["contact_methods", "notification_rules", "teams", "subdomains", "calendar_urls"]),
);
pub(crate) const SERVICE_INCLUDES: Parameter = parameter(
    "include[]",
    OneOf(&["escalation_policies", "teams", "integrations", "auto_pause_notifications_parameters"]),
);
pub(crate) const POLICY_INCLUDES: Parameter = parameter(
    "include[]",
    OneOf(&["services", "teams", "targets", "escalation_rule_assignment_strategies"]),
);
pub(crate) const BY_NAME: Parameter = parameter("sort_by", SortBy(&["name"]));
