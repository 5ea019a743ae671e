//! The flat forms of the main records, for `simplify`.

use workflow_node_sdk::declare::{Simple, SimpleField, SimpleKind};

const fn text(
    name: &'static str,
    from: &'static [&'static str],
    description: &'static str,
) -> SimpleField {
    SimpleField::new(name, SimpleKind::Text, from, description)
}

const fn texts(
    name: &'static str,
    from: &'static [&'static str],
    description: &'static str,
) -> SimpleField {
    SimpleField::new(name, SimpleKind::Texts, from, description)
}

const fn number(
    name: &'static str,
    from: &'static [&'static str],
    description: &'static str,
) -> SimpleField {
    SimpleField::new(name, SimpleKind::Number, from, description)
}

const fn flag(
    name: &'static str,
    from: &'static [&'static str],
    description: &'static str,
) -> SimpleField {
    SimpleField::new(name, SimpleKind::Boolean, from, description)
}

const ID: SimpleField = text("id", &["/id"], "ID of the record.");
const URL: SimpleField = text("url", &["/html_url"], "URL in PagerDuty's web app.");
const NAME: SimpleField = text("name", &["/name", "/summary"], "Name of the record.");
const DESCRIPTION: SimpleField =
    text("description", &["/description"], "Description of the record.");
const CREATED_AT: SimpleField = text("created_at", &["/created_at"], "Time of creation.");
const SERVICE_ID: SimpleField = text("service_id", &["/service/id"], "ID of the service.");
const SERVICE: SimpleField =
    text("service", &["/service/summary", "/service/name"], "Name of the service.");
const INCIDENT_ID: SimpleField = text("incident_id", &["/incident/id"], "ID of the incident.");
const USER_ID: SimpleField = text("user_id", &["/user/id"], "ID of the user.");
const USER: SimpleField = text("user", &["/user/summary", "/user/name"], "Name of the user.");
const TEAMS: SimpleField =
    texts("teams", &["/teams/*/summary", "/teams/*/name"], "Names of the teams.");

/// All flat forms.
static ALL: &[&Simple] = &[
    &INCIDENT_FLAT,
    &NOTE_FLAT,
    &ALERT_FLAT,
    &LOG_ENTRY_FLAT,
    &SERVICE_FLAT,
    &BUSINESS_SERVICE_FLAT,
    &USER_FLAT,
    &TEAM_FLAT,
    &ESCALATION_POLICY_FLAT,
    &SCHEDULE_FLAT,
    &ON_CALL_FLAT,
    &PRIORITY_FLAT,
    &MAINTENANCE_WINDOW_FLAT,
    &CHANGE_EVENT_FLAT,
    &INCIDENT_WORKFLOW_FLAT,
    &WEBHOOK_SUBSCRIPTION_FLAT,
];

/// The flat form with a title.
pub(crate) fn by_name(title: &str) -> Option<&'static Simple> {
    ALL.iter().find(|one| one.title == title).copied()
}

static INCIDENT_FLAT: Simple = Simple::new(
    "Incident",
    &[
        ID,
        number(
            "number",
            &["/incident_number", "/number"],
            "Number of the incident as users see it.",
        ),
        text("title", &["/title", "/summary"], "One-line summary of the problem."),
        text("status", &["/status"], "Status: triggered, acknowledged, or resolved."),
        text("urgency", &["/urgency"], "Urgency: high or low."),
        text(
            "priority",
            &["/priority/summary", "/priority/name"],
            "Name of the priority, e.g. P1.",
        ),
        SERVICE_ID,
        SERVICE,
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        texts(
            "assignees",
            &["/assignments/*/assignee/summary", "/assignees/*/summary"],
            "Names of the assignees.",
        ),
        TEAMS,
        text("incident_key", &["/incident_key"], "Deduplication key."),
        text("type", &["/incident_type/name"], "Name of the incident type."),
        CREATED_AT,
        text("updated_at", &["/updated_at"], "Time of the last update."),
        text("resolved_at", &["/resolved_at"], "Time at which the incident was resolved."),
        URL,
    ],
);

static NOTE_FLAT: Simple = Simple::new(
    "Note",
    &[ID, text("content", &["/content"], "Text of the note."), USER_ID, USER, CREATED_AT],
);

static ALERT_FLAT: Simple = Simple::new(
    "Alert",
    &[
        ID,
        text("summary", &["/summary"], "One-line summary of the problem."),
        text("status", &["/status"], "Status: triggered or resolved."),
        text("severity", &["/severity"], "Severity of the problem as perceived by the source."),
        text("alert_key", &["/alert_key"], "Deduplication key of the alert."),
        INCIDENT_ID,
        SERVICE_ID,
        SERVICE,
        flag("suppressed", &["/suppressed"], "Whether the alert is suppressed."),
        CREATED_AT,
        URL,
    ],
);

static LOG_ENTRY_FLAT: Simple = Simple::new(
    "Log entry",
    &[
        ID,
        text("type", &["/type"], "Type of the log entry, e.g. trigger_log_entry."),
        text("summary", &["/summary"], "Summary of the log entry."),
        INCIDENT_ID,
        text("agent_id", &["/agent/id"], "ID of the agent."),
        text("agent", &["/agent/summary"], "Name of the agent."),
        text("channel", &["/channel/type"], "Type of the channel."),
        text("note", &["/note", "/channel/summary"], "Text of a note."),
        CREATED_AT,
        URL,
    ],
);

static SERVICE_FLAT: Simple = Simple::new(
    "Service",
    &[
        ID,
        NAME,
        DESCRIPTION,
        text(
            "status",
            &["/status"],
            "Status: active, warning, critical, maintenance, or disabled.",
        ),
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        text(
            "escalation_policy",
            &["/escalation_policy/summary", "/escalation_policy/name"],
            "Name of the escalation policy.",
        ),
        TEAMS,
        number(
            "auto_resolve_timeout",
            &["/auto_resolve_timeout"],
            "Timeout in seconds, or null if it is disabled.",
        ),
        number(
            "acknowledgement_timeout",
            &["/acknowledgement_timeout"],
            "Timeout in seconds, or null if it is disabled.",
        ),
        text(
            "last_incident_at",
            &["/last_incident_timestamp"],
            "Time at which the last incident was created.",
        ),
        CREATED_AT,
        URL,
    ],
);

static BUSINESS_SERVICE_FLAT: Simple = Simple::new(
    "Business service",
    &[
        ID,
        NAME,
        DESCRIPTION,
        text("point_of_contact", &["/point_of_contact"], "Point of contact."),
        text("team_id", &["/team/id"], "ID of the team."),
        URL,
    ],
);

static USER_FLAT: Simple = Simple::new(
    "User",
    &[
        ID,
        NAME,
        text("email", &["/email"], "Email address."),
        text("role", &["/role"], "Role of the user."),
        text("job_title", &["/job_title"], "Job title."),
        text("time_zone", &["/time_zone"], "Time zone of the user."),
        TEAMS,
        URL,
    ],
);

static TEAM_FLAT: Simple = Simple::new(
    "Team",
    &[ID, NAME, DESCRIPTION, text("parent_id", &["/parent/id"], "ID of the parent team."), URL],
);

static ESCALATION_POLICY_FLAT: Simple = Simple::new(
    "Escalation policy",
    &[
        ID,
        NAME,
        DESCRIPTION,
        SimpleField::new(
            "levels",
            SimpleKind::Count,
            &["/escalation_rules"],
            "Number of escalation rules.",
        ),
        number("num_loops", &["/num_loops"], "Number of times the policy repeats."),
        texts(
            "targets",
            &["/escalation_rules/*/targets/*/summary"],
            "Names of the targets, ordered by escalation level.",
        ),
        texts("services", &["/services/*/summary"], "Names of the services that use the policy."),
        TEAMS,
        URL,
    ],
);

static SCHEDULE_FLAT: Simple = Simple::new(
    "Schedule",
    &[
        ID,
        NAME,
        DESCRIPTION,
        text("time_zone", &["/time_zone"], "Time zone of the schedule."),
        texts("users", &["/users/*/summary"], "Names of the users."),
        texts(
            "escalation_policies",
            &["/escalation_policies/*/summary"],
            "Names of the escalation policies that use the schedule.",
        ),
        TEAMS,
        URL,
    ],
);

static ON_CALL_FLAT: Simple = Simple::new(
    "On-call",
    &[
        USER_ID,
        USER,
        text("email", &["/user/email"], "Email address, if users are included."),
        number("level", &["/escalation_level"], "Escalation level."),
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        text(
            "escalation_policy",
            &["/escalation_policy/summary", "/escalation_policy/name"],
            "Name of the escalation policy.",
        ),
        text(
            "schedule_id",
            &["/schedule/id"],
            "ID of the schedule, or null for a direct assignment.",
        ),
        text("schedule", &["/schedule/summary", "/schedule/name"], "Name of the schedule."),
        text("start", &["/start"], "Start of the shift, or null if it has none."),
        text("end", &["/end"], "End of the shift, or null if it has none."),
    ],
);

static PRIORITY_FLAT: Simple = Simple::new(
    "Priority",
    &[
        ID,
        NAME,
        DESCRIPTION,
        number("order", &["/order"], "Position in the list of priorities."),
        text("color", &["/color"], "Color of the priority."),
    ],
);

static MAINTENANCE_WINDOW_FLAT: Simple = Simple::new(
    "Maintenance window",
    &[
        ID,
        text("description", &["/description", "/summary"], "Description of the record."),
        text("start_time", &["/start_time"], "Start time."),
        text("end_time", &["/end_time"], "End time."),
        texts("service_ids", &["/services/*/id"], "IDs of the services."),
        texts("services", &["/services/*/summary"], "Names of the services."),
        text("created_by", &["/created_by/summary"], "Name of the user who created it."),
        URL,
    ],
);

static CHANGE_EVENT_FLAT: Simple = Simple::new(
    "Change event",
    &[
        ID,
        text("summary", &["/summary"], "Summary of the change."),
        text("source", &["/source"], "Source of the change."),
        text("timestamp", &["/timestamp"], "Time of the change."),
        texts("services", &["/services/*/summary"], "Names of the services."),
        SimpleField::new("details", SimpleKind::Any, &["/custom_details"], "Custom details."),
    ],
);

static INCIDENT_WORKFLOW_FLAT: Simple = Simple::new(
    "Incident workflow",
    &[
        ID,
        NAME,
        DESCRIPTION,
        flag("is_enabled", &["/is_enabled"], "Whether the workflow can be started."),
        SimpleField::new("steps", SimpleKind::Count, &["/steps"], "Number of steps."),
        CREATED_AT,
    ],
);

static WEBHOOK_SUBSCRIPTION_FLAT: Simple = Simple::new(
    "Webhook subscription",
    &[
        ID,
        DESCRIPTION,
        text("url", &["/delivery_method/url"], "URL of the webhook receiver."),
        flag("active", &["/active"], "Whether the subscription is active."),
        flag(
            "temporarily_disabled",
            &["/delivery_method/temporarily_disabled"],
            "Whether PagerDuty disabled it after failed deliveries.",
        ),
        texts("events", &["/events/*"], "Event types to deliver."),
        text("filter_type", &["/filter/type"], "Scope of the subscription."),
        text("filter_id", &["/filter/id"], "ID of the service or team."),
    ],
);
