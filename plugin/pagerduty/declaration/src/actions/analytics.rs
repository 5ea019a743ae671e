//! Analytics: figures about incidents and responders, up to a day old.

use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Param, Place,
};

use super::rest;
use crate::paging::{ANALYTICS, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, INCIDENT_ID, LIMIT};

static FILTERS: Param = Param::new(
    Kind::Object(&[
        &Param::text("created_at_start", "Created from", "Only what was created from then on."),
        &Param::text("created_at_end", "Created before", "Only what was created before."),
        &Param::new(
            Kind::OneOf(&["high", "low"]),
            "urgency",
            "Urgency",
            "How loudly people are notified.",
        ),
        &Param::new(Kind::Boolean, "major", "Major", "Only major incidents, or only others."),
        &Param::new(
            Kind::Integer(0, 2147483647),
            "min_ackowledgements",
            "Least acknowledgements",
            "Only incidents with at least so many.",
        ),
        &Param::new(
            Kind::Integer(0, 2147483647),
            "min_timeout_escalations",
            "Least escalations by time",
            "Only incidents with at least so many.",
        ),
        &Param::new(
            Kind::Integer(0, 2147483647),
            "min_manual_escalations",
            "Least escalations by hand",
            "Only incidents with at least so many.",
        ),
        &Param::new(
            Kind::List(&Kind::Text),
            "team_ids",
            "Teams",
            "Only what belongs to one of these teams (needs the ability teams).",
        )
        .reference("team"),
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service"),
        &Param::new(
            Kind::List(&Kind::Text),
            "escalation_policy_ids",
            "Escalation policies",
            "Only those of these escalation policies.",
        )
        .reference("escalation_policy"),
        &Param::new(
            Kind::List(&Kind::Text),
            "priority_ids",
            "Priorities",
            "Only those of these priorities.",
        )
        .reference("priority"),
        &Param::new(
            Kind::List(&Kind::Text),
            "priority_names",
            "Priorities by name",
            "Only those of these priorities, e.g. P1.",
        ),
        &Param::new(
            Kind::Boolean,
            "pd_advance_used",
            "PagerDuty Advance used",
            "Only incidents for which PagerDuty Advance was used, or only others.",
        ),
    ]),
    "filters",
    "Filters",
    "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
)
.body("/filters");
static TIME_ZONE_VALUE: Param =
    Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
        .body("/time_zone");
static ORDER: Param =
    Param::new(Kind::OneOf(&["asc", "desc"]), "order", "Direction", "Rising or falling.")
        .body("/order");
static ORDER_BY: Param =
    Param::text("order_by", "Order by", "By what the records are sorted.").body("/order_by");
static AGGREGATE_UNIT: Param = Param::new(
    Kind::OneOf(&["day", "week", "month"]),
    "aggregate_unit",
    "Unit",
    "Adds up by day, week or month instead of over all.",
)
.nullable()
.body("/aggregate_unit");
static FILTERS_VALUE: Param = Param::new(
    Kind::Object(&[
        &Param::text("date_range_start", "From", "Start of the time range."),
        &Param::text("date_range_end", "To", "End of the time range."),
        &Param::new(
            Kind::OneOf(&["high", "low"]),
            "urgency",
            "Urgency",
            "How loudly people are notified.",
        ),
        &Param::new(
            Kind::List(&Kind::Text),
            "team_ids",
            "Teams",
            "Only what belongs to one of these teams (needs the ability teams).",
        )
        .reference("team"),
        &Param::new(Kind::List(&Kind::Text), "responder_ids", "Responders", "Only these users.")
            .reference("user"),
        &Param::new(
            Kind::List(&Kind::Text),
            "priority_ids",
            "Priorities",
            "Only those of these priorities.",
        )
        .reference("priority"),
        &Param::new(
            Kind::List(&Kind::Text),
            "priority_names",
            "Priorities by name",
            "Only those of these priorities, e.g. P1.",
        ),
    ]),
    "filters",
    "Filters",
    "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
)
.body("/filters");
static FILTERS_2: Param = Param::new(
    Kind::Object(&[
        &Param::new(
            Kind::DateTime,
            "created_at_start",
            "Created from",
            "Only what was created from then on.",
        ),
        &Param::new(
            Kind::DateTime,
            "created_at_end",
            "Created before",
            "Only what was created before.",
        ),
        &Param::new(
            Kind::List(&Kind::Text),
            "team_ids",
            "Teams",
            "Only what belongs to one of these teams (needs the ability teams).",
        )
        .reference("team"),
        &Param::new(Kind::List(&Kind::Text), "user_ids", "Users", "Only those of these users.")
            .reference("user"),
        &Param::new(Kind::List(&Kind::Text), "role_ids", "Roles", "Only users of these roles."),
    ]),
    "filters",
    "Filters",
    "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
)
.body("/filters");
static ORDER_VALUE: Param =
    Param::new(Kind::OneOf(&["asc", "desc"]), "order", "Direction", "Rising or falling.")
        .default(r#""desc""#)
        .body("/order");
static ORDER_BY_VALUE: Param =
    Param::text("order_by", "Order by", "By what the records are sorted.")
        .default(r#""user_id""#)
        .body("/order_by");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "analytics.incident_metrics",
        "Get figures of all incidents",
        "Adds up incidents: how many, how fast they were acknowledged and resolved, how often \
         people were interrupted.",
        "POST",
        "/analytics/metrics/incidents/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[
        Example::new(
            "Week by week",
            r#"{"filters":{"created_at_start":"2026-01-01T00:00:00Z","created_at_end":"2026-02-01T00:00:00Z","service_ids":["PSERVICE000001"]},"aggregate_unit":"week"}"#,
        ),
    ]),
    rest(
        "analytics.escalation_policy_metrics",
        "Get figures per escalation policy",
        "Adds up incidents for each escalation policy.",
        "POST",
        "/analytics/metrics/incidents/escalation_policies",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one service",
        r#"{"filters":{"service_ids":["PSERVICE000001"]}}"#,
    )]),
    rest(
        "analytics.escalation_policy_metrics_total",
        "Get figures of all escalation policies",
        "Adds up incidents over all escalation policies together.",
        "POST",
        "/analytics/metrics/incidents/escalation_policies/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one service",
        r#"{"filters":{"service_ids":["PSERVICE000001"]}}"#,
    )]),
    rest(
        "analytics.service_metrics",
        "Get figures per service",
        "Adds up incidents for each service.",
        "POST",
        "/analytics/metrics/incidents/services",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[
        Example::new(
            "One service in one month",
            r#"{"filters":{"created_at_start":"2026-01-01T00:00:00Z","created_at_end":"2026-02-01T00:00:00Z","service_ids":["PSERVICE000001"]}}"#,
        ),
    ]),
    rest(
        "analytics.service_metrics_total",
        "Get figures of all services",
        "Adds up incidents over all services together.",
        "POST",
        "/analytics/metrics/incidents/services/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one service",
        r#"{"filters":{"service_ids":["PSERVICE000001"]}}"#,
    )]),
    rest(
        "analytics.team_metrics",
        "Get figures per team",
        "Adds up incidents for each team.",
        "POST",
        "/analytics/metrics/incidents/teams",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one team",
        r#"{"filters":{"team_ids":["PTEAM000000001"]}}"#,
    )]),
    rest(
        "analytics.team_metrics_total",
        "Get figures of all teams",
        "Adds up incidents over all teams together.",
        "POST",
        "/analytics/metrics/incidents/teams/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS,
        &TIME_ZONE_VALUE,
        &ORDER,
        &ORDER_BY,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one team",
        r#"{"filters":{"team_ids":["PTEAM000000001"]}}"#,
    )]),
    rest(
        "analytics.advance_usage",
        "Get the use of PagerDuty Advance",
        "Tells how often each feature of PagerDuty Advance was used.",
        "POST",
        "/analytics/metrics/pd_advance_usage/features",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &Param::new(
            Kind::Object(&[
                &Param::text(
                    "created_at_start",
                    "Created from",
                    "Only what was created from then on.",
                ),
                &Param::text("created_at_end", "Created before", "Only what was created before."),
                &Param::text(
                    "incident_created_at_start",
                    "Incident created from",
                    "Only for incidents that were created from then on.",
                ),
                &Param::text(
                    "incident_created_at_end",
                    "Incident created before",
                    "Only for incidents that were created before.",
                ),
                &Param::new(
                    Kind::OneOf(&["high", "low"]),
                    "urgency",
                    "Urgency",
                    "How loudly people are notified.",
                ),
                &Param::new(
                    Kind::Boolean,
                    "major",
                    "Major",
                    "Only major incidents, or only others.",
                ),
                &Param::new(
                    Kind::Integer(0, 2147483647),
                    "min_ackowledgements",
                    "Least acknowledgements",
                    "Only incidents with at least so many.",
                ),
                &Param::new(
                    Kind::Integer(0, 2147483647),
                    "min_timeout_escalations",
                    "Least escalations by time",
                    "Only incidents with at least so many.",
                ),
                &Param::new(
                    Kind::Integer(0, 2147483647),
                    "min_manual_escalations",
                    "Least escalations by hand",
                    "Only incidents with at least so many.",
                ),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "team_ids",
                    "Teams",
                    "Only what belongs to one of these teams (needs the ability teams).",
                )
                .reference("team"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "service_ids",
                    "Services",
                    "The services that are meant.",
                )
                .reference("service"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "escalation_policy_ids",
                    "Escalation policies",
                    "Only those of these escalation policies.",
                )
                .reference("escalation_policy"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_ids",
                    "Priorities",
                    "Only those of these priorities.",
                )
                .reference("priority"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_names",
                    "Priorities by name",
                    "Only those of these priorities, e.g. P1.",
                ),
            ]),
            "filters",
            "Filters",
            "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
        )
        .body("/filters"),
        &TIME_ZONE_VALUE,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new(
        "Of one service",
        r#"{"filters":{"service_ids":["PSERVICE000001"]}}"#,
    )]),
    rest(
        "analytics.responder_metrics",
        "Get figures of all responders",
        "Adds up what responders did: time on call, interruptions, incidents.",
        "POST",
        "/analytics/metrics/responders/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[&FILTERS_VALUE, &TIME_ZONE_VALUE, &ORDER, &ORDER_BY, &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("data"))
    .examples(&[
        Example::new(
            "One month",
            r#"{"filters":{"date_range_start":"2026-01-01T00:00:00Z","date_range_end":"2026-02-01T00:00:00Z"}}"#,
        ),
    ]),
    rest(
        "analytics.responder_metrics_by_team",
        "Get figures of responders per team",
        "Adds up what responders did, for each team.",
        "POST",
        "/analytics/metrics/responders/teams",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[&FILTERS_VALUE, &TIME_ZONE_VALUE, &ORDER, &ORDER_BY, &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("data"))
    .examples(&[Example::new("All", r#"{}"#)]),
    rest(
        "analytics.user_metrics",
        "Get figures of all users",
        "Adds up what users did, page after page.",
        "POST",
        "/analytics/metrics/users/all",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS_2,
        &TIME_ZONE_VALUE,
        &ORDER_VALUE,
        &ORDER_BY_VALUE,
        &AGGREGATE_UNIT,
        &Param::new(Kind::Integer(0, 2147483647), "limit", "Limit", "How many records at most.")
            .default(r#"1000"#)
            .body("/limit"),
        &Param::text("starting_after", "After", "The value of `last` of the page before.")
            .nullable()
            .body("/starting_after"),
        &Param::text("ending_before", "Before", "The value of `first` of the page after.")
            .nullable()
            .body("/ending_before"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("data"))
    .examples(&[Example::new("All", r#"{}"#)]),
    rest(
        "analytics_incident.list",
        "List incidents with their figures",
        "Reads incidents one by one, each with its times and counts.",
        "POST",
        "/analytics/raw/incidents",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &Param::new(
            Kind::Object(&[
                &Param::text(
                    "created_at_start",
                    "Created from",
                    "Only what was created from then on.",
                ),
                &Param::text("created_at_end", "Created before", "Only what was created before."),
                &Param::text("updated_after", "Updated after", "Only what was changed after."),
                &Param::text("urgency", "Urgency", "How loudly people are notified."),
                &Param::new(
                    Kind::Boolean,
                    "major",
                    "Major",
                    "Only major incidents, or only others.",
                ),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "team_ids",
                    "Teams",
                    "Only what belongs to one of these teams (needs the ability teams).",
                )
                .reference("team"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "service_ids",
                    "Services",
                    "The services that are meant.",
                )
                .reference("service"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_ids",
                    "Priorities",
                    "Only those of these priorities.",
                )
                .reference("priority"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_names",
                    "Priorities by name",
                    "Only those of these priorities, e.g. P1.",
                ),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "incident_type_ids",
                    "Incident types",
                    "Only incidents of these types.",
                )
                .reference("incident_type"),
            ]),
            "filters",
            "Filters",
            "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
        )
        .body("/filters"),
        &ORDER,
        &Param::new(
            Kind::OneOf(&["created_at", "seconds_to_resolve"]),
            "order_by",
            "Order by",
            "By what the records are sorted.",
        )
        .body("/order_by"),
        &TIME_ZONE_VALUE,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(Answer::List("data", &ANALYTICS))
    .examples(&[
        Example::new(
            "Of one service",
            r#"{"filters":{"service_ids":["PSERVICE000001"]},"limit":10}"#,
        ),
    ]),
    rest(
        "analytics_incident.get",
        "Get the figures of an incident",
        "Reads the times and counts of one incident.",
        "GET",
        "/analytics/raw/incidents/{incident_id}",
    )
    .scopes(&["analytics.read"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[&INCIDENT_ID, &ADDITIONAL_QUERY])
    .examples(&[Example::new("One", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "analytics_incident.responses",
        "List the responses to an incident",
        "Reads who was asked to respond to an incident, and what each did.",
        "GET",
        "/analytics/raw/incidents/{incident_id}/responses",
    )
    .scopes(&["analytics.read"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[&INCIDENT_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("responses"))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "analytics_incident.of_responder",
        "List the incidents of a responder",
        "Reads the incidents that one responder was part of, with their figures.",
        "POST",
        "/analytics/raw/responders/{responder_id}/incidents",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &Param::text(
            "responder_id",
            "Responder",
            "The responder: its ID, its name, or its address.",
        )
        .required()
        .reference("user")
        .at(Place::Path),
        &Param::new(
            Kind::Object(&[
                &Param::text(
                    "created_at_start",
                    "Created from",
                    "Only what was created from then on.",
                ),
                &Param::text("created_at_end", "Created before", "Only what was created before."),
                &Param::text("urgency", "Urgency", "How loudly people are notified."),
                &Param::new(
                    Kind::Boolean,
                    "major",
                    "Major",
                    "Only major incidents, or only others.",
                ),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "team_ids",
                    "Teams",
                    "Only what belongs to one of these teams (needs the ability teams).",
                )
                .reference("team"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "service_ids",
                    "Services",
                    "The services that are meant.",
                )
                .reference("service"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_ids",
                    "Priorities",
                    "Only those of these priorities.",
                )
                .reference("priority"),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "priority_names",
                    "Priorities by name",
                    "Only those of these priorities, e.g. P1.",
                ),
                &Param::new(
                    Kind::List(&Kind::Text),
                    "incident_type_ids",
                    "Incident types",
                    "Only incidents of these types.",
                )
                .reference("incident_type"),
            ]),
            "filters",
            "Filters",
            "Which incidents count. Keys of users and OAuth tokens must name teams or services.",
        )
        .body("/filters"),
        &ORDER,
        &Param::new(
            Kind::OneOf(&["incident_created_at"]),
            "order_by",
            "Order by",
            "By what the records are sorted.",
        )
        .body("/order_by"),
        &TIME_ZONE_VALUE,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(Answer::List("data", &ANALYTICS))
    .examples(&[Example::new(
        "On one service",
        r#"{"responder_id":"PUSER000000001","filters":{"service_ids":["PSERVICE000001"]}}"#,
    )]),
    rest(
        "analytics_user.list",
        "List users with their figures",
        "Reads users one by one, each with its counts.",
        "POST",
        "/analytics/raw/users",
    )
    .scopes(&["analytics.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &FILTERS_2,
        &TIME_ZONE_VALUE,
        &ORDER_VALUE,
        &ORDER_BY_VALUE,
        &AGGREGATE_UNIT,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(Answer::List("data", &ANALYTICS))
    .examples(&[Example::new("All", r#"{}"#)]),
];
