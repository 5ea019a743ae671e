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

const ID: SimpleField = text("id", &["/id"], "Its ID.");
const URL: SimpleField = text("url", &["/html_url"], "Its page.");
const NAME: SimpleField = text("name", &["/name", "/summary"], "Its name.");
const DESCRIPTION: SimpleField = text("description", &["/description"], "What it is for.");
const CREATED_AT: SimpleField = text("created_at", &["/created_at"], "When it was created.");
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

static INCIDENT_FLAT: Simple = Simple {
    title: "Incident",
    fields: &[
        ID,
        number("number", &["/incident_number", "/number"], "Its number, as people see it."),
        text("title", &["/title", "/summary"], "What is wrong."),
        text("status", &["/status"], "triggered, acknowledged or resolved."),
        text("urgency", &["/urgency"], "high or low."),
        text("priority", &["/priority/summary", "/priority/name"], "Its priority, e.g. P1."),
        SERVICE_ID,
        SERVICE,
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        texts(
            "assignees",
            &["/assignments/*/assignee/summary", "/assignees/*/summary"],
            "Names of those who are assigned.",
        ),
        TEAMS,
        text("incident_key", &["/incident_key"], "Its key on the service."),
        text("type", &["/incident_type/name"], "Its type."),
        CREATED_AT,
        text("updated_at", &["/updated_at"], "When it was changed last."),
        text("resolved_at", &["/resolved_at"], "When it was resolved."),
        URL,
    ],
};

static NOTE_FLAT: Simple = Simple {
    title: "Note",
    fields: &[ID, text("content", &["/content"], "What it says."), USER_ID, USER, CREATED_AT],
};

static ALERT_FLAT: Simple = Simple {
    title: "Alert",
    fields: &[
        ID,
        text("summary", &["/summary"], "What is wrong."),
        text("status", &["/status"], "triggered or resolved."),
        text("severity", &["/severity"], "How bad it is for the source."),
        text("alert_key", &["/alert_key"], "Names the alert in events."),
        INCIDENT_ID,
        SERVICE_ID,
        SERVICE,
        flag("suppressed", &["/suppressed"], "Whether it notifies nobody."),
        CREATED_AT,
        URL,
    ],
};

static LOG_ENTRY_FLAT: Simple = Simple {
    title: "Log entry",
    fields: &[
        ID,
        text("type", &["/type"], "What happened, e.g. trigger_log_entry."),
        text("summary", &["/summary"], "What happened, in words."),
        INCIDENT_ID,
        text("agent_id", &["/agent/id"], "ID of who did it."),
        text("agent", &["/agent/summary"], "Who did it."),
        text("channel", &["/channel/type"], "By which way."),
        text("note", &["/note", "/channel/summary"], "What was said."),
        CREATED_AT,
        URL,
    ],
};

static SERVICE_FLAT: Simple = Simple {
    title: "Service",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        text("status", &["/status"], "active, warning, critical, maintenance or disabled."),
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        text(
            "escalation_policy",
            &["/escalation_policy/summary", "/escalation_policy/name"],
            "Name of the escalation policy.",
        ),
        TEAMS,
        number("auto_resolve_timeout", &["/auto_resolve_timeout"], "In seconds; null for never."),
        number(
            "acknowledgement_timeout",
            &["/acknowledgement_timeout"],
            "In seconds; null for never.",
        ),
        text(
            "last_incident_at",
            &["/last_incident_timestamp"],
            "When its last incident was opened.",
        ),
        CREATED_AT,
        URL,
    ],
};

static BUSINESS_SERVICE_FLAT: Simple = Simple {
    title: "Business service",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        text("point_of_contact", &["/point_of_contact"], "Whom to ask about it."),
        text("team_id", &["/team/id"], "ID of the team."),
        URL,
    ],
};

static USER_FLAT: Simple = Simple {
    title: "User",
    fields: &[
        ID,
        NAME,
        text("email", &["/email"], "The e-mail address."),
        text("role", &["/role"], "What the user may do."),
        text("job_title", &["/job_title"], "What the user does."),
        text("time_zone", &["/time_zone"], "The user's time zone."),
        TEAMS,
        URL,
    ],
};

static TEAM_FLAT: Simple = Simple {
    title: "Team",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        text("parent_id", &["/parent/id"], "ID of the team above."),
        URL,
    ],
};

static ESCALATION_POLICY_FLAT: Simple = Simple {
    title: "Escalation policy",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        SimpleField::new("levels", SimpleKind::Count, &["/escalation_rules"], "How many levels."),
        number("num_loops", &["/num_loops"], "How often it begins again."),
        texts(
            "targets",
            &["/escalation_rules/*/targets/*/summary"],
            "Names of those who are notified, the first level first.",
        ),
        texts("services", &["/services/*/summary"], "Names of the services that use it."),
        TEAMS,
        URL,
    ],
};

static SCHEDULE_FLAT: Simple = Simple {
    title: "Schedule",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        text("time_zone", &["/time_zone"], "Its time zone."),
        texts("users", &["/users/*/summary"], "Names of the users."),
        texts(
            "escalation_policies",
            &["/escalation_policies/*/summary"],
            "Names of the escalation policies that use it.",
        ),
        TEAMS,
        URL,
    ],
};

static ON_CALL_FLAT: Simple = Simple {
    title: "On-call",
    fields: &[
        USER_ID,
        USER,
        text("email", &["/user/email"], "E-mail address, where users are included."),
        number("level", &["/escalation_level"], "The level of the escalation policy."),
        text("escalation_policy_id", &["/escalation_policy/id"], "ID of the escalation policy."),
        text(
            "escalation_policy",
            &["/escalation_policy/summary", "/escalation_policy/name"],
            "Name of the escalation policy.",
        ),
        text("schedule_id", &["/schedule/id"], "ID of the schedule; null for a direct assignment."),
        text("schedule", &["/schedule/summary", "/schedule/name"], "Name of the schedule."),
        text("start", &["/start"], "Since when; null for ever."),
        text("end", &["/end"], "Until when; null for ever."),
    ],
};

static PRIORITY_FLAT: Simple = Simple {
    title: "Priority",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        number("order", &["/order"], "Its place in the order."),
        text("color", &["/color"], "Its colour."),
    ],
};

static MAINTENANCE_WINDOW_FLAT: Simple = Simple {
    title: "Maintenance window",
    fields: &[
        ID,
        text("description", &["/description", "/summary"], "What it is for."),
        text("start_time", &["/start_time"], "When it begins."),
        text("end_time", &["/end_time"], "When it ends."),
        texts("service_ids", &["/services/*/id"], "IDs of the services."),
        texts("services", &["/services/*/summary"], "Names of the services."),
        text("created_by", &["/created_by/summary"], "Who has created it."),
        URL,
    ],
};

static CHANGE_EVENT_FLAT: Simple = Simple {
    title: "Change event",
    fields: &[
        ID,
        text("summary", &["/summary"], "What was changed."),
        text("source", &["/source"], "Where."),
        text("timestamp", &["/timestamp"], "When."),
        texts("services", &["/services/*/summary"], "Names of the services."),
        SimpleField::new("details", SimpleKind::Any, &["/custom_details"], "Anything else."),
    ],
};

static INCIDENT_WORKFLOW_FLAT: Simple = Simple {
    title: "Incident workflow",
    fields: &[
        ID,
        NAME,
        DESCRIPTION,
        flag("is_enabled", &["/is_enabled"], "Whether it can be started."),
        SimpleField::new("steps", SimpleKind::Count, &["/steps"], "How many steps."),
        CREATED_AT,
    ],
};

static WEBHOOK_SUBSCRIPTION_FLAT: Simple = Simple {
    title: "Webhook subscription",
    fields: &[
        ID,
        DESCRIPTION,
        text("url", &["/delivery_method/url"], "Where the deliveries go."),
        flag("active", &["/active"], "Whether it is in force."),
        flag(
            "temporarily_disabled",
            &["/delivery_method/temporarily_disabled"],
            "Whether PagerDuty has switched it off after failures.",
        ),
        texts("events", &["/events/*"], "What is told."),
        text("filter_type", &["/filter/type"], "Of what."),
        text("filter_id", &["/filter/id"], "Of which."),
    ],
};
