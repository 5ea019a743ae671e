//! Escalation policies: who is notified, in which order, until somebody acts.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::flat::ESCALATION_POLICY_FLAT;
use crate::paging::{DELETED, classic, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, ESCALATION_POLICY_ID, FROM, LIMIT, QUERY, SIMPLIFY,
    TEAM_IDS,
};
use crate::records::ESCALATION_POLICY;

static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&[
        "services",
        "teams",
        "targets",
        "escalation_rule_assignment_strategies",
    ])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static ESCALATION_RULES: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::Integer(0, 2147483647),
            "escalation_delay_in_minutes",
            "Wait",
            "After how many minutes without a reaction the next level is notified.",
        )
        .required(),
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["user_reference", "schedule_reference"]),
                    "type",
                    "Kind",
                    "A user or a schedule.",
                )
                .required(),
                &Param::text("id", "Who", "The user or schedule.").required().reference_by(
                    "type",
                    &[("user_reference", "user"), ("schedule_reference", "schedule")],
                ),
            ]),
            "targets",
            "Who",
            "Users and schedules, ten at most.",
        )
        .required()
        .max(10),
        &Param::new(
            Kind::OneOf(&["round_robin", "assign_to_everyone"]),
            "escalation_rule_assignment_strategy",
            "Assignment",
            "Whether everybody is assigned, or one after the other (round_robin).",
        )
        .at(Place::BodyAs("/escalation_rule_assignment_strategy", r#"{"type":$}"#)),
    ]),
    "escalation_rules",
    "Levels",
    "Who is notified, level after level.",
)
.body("/escalation_rules");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static NUM_LOOPS: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "num_loops",
    "Repetitions",
    "How often it begins again when nobody acts.",
)
.default(r#"0"#)
.body("/num_loops");
static ON_CALL_HANDOFF_NOTIFICATIONS: Param = Param::new(
    Kind::OneOf(&["if_has_services", "always"]),
    "on_call_handoff_notifications",
    "Handoff notifications",
    "Whether people are told of handoffs always, or only where the policy is used by a service.",
)
.body("/on_call_handoff_notifications");
static TEAM_IDS_VALUE: Param = Param::new(
    Kind::List(&Kind::Text),
    "team_ids",
    "Teams",
    "Only what belongs to one of these teams (needs the ability teams).",
)
.reference("team")
.at(Place::BodyAs("/teams", r#"{"id":$,"type":"team_reference"}"#));

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "escalation_policy.list",
        "List escalation policies",
        "Finds escalation policies by name, team and user.",
        "GET",
        "/escalation_policies",
    )
    .scopes(&["escalation_policies.read"])
    .takes(&[
        &QUERY,
        &Param::new(Kind::List(&Kind::Text), "user_ids", "Users", "Only those of these users.")
            .reference("user")
            .query("user_ids[]"),
        &TEAM_IDS,
        &INCLUDE,
        &Param::new(
            Kind::OneOf(&["name", "name:asc", "name:desc"]),
            "sort_by",
            "Sort by",
            "The order of the records.",
        )
        .default(r#""name""#)
        .query("sort_by"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("escalation_policies"))
    .gives(ESCALATION_POLICY)
    .simple(&ESCALATION_POLICY_FLAT)
    .examples(&[Example::new("By name", r#"{"query":"platform"}"#)]),
    rest(
        "escalation_policy.create",
        "Create an escalation policy",
        "Says who is notified first, and who after how long.",
        "POST",
        "/escalation_policies",
    )
    .scopes(&["escalation_policies.write"])
    .as_user()
    .envelope("/escalation_policy")
    .constants(&[("/type", r#""escalation_policy""#)])
    .takes(&[
        &NAME.required(),
        &ESCALATION_RULES.required(),
        &DESCRIPTION,
        &NUM_LOOPS,
        &ON_CALL_HANDOFF_NOTIFICATIONS,
        &TEAM_IDS_VALUE,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("escalation_policy"))
    .gives(ESCALATION_POLICY)
    .examples(&[
        Example::new(
            "Ada, then the schedule",
            r#"{"name":"Shop","num_loops":1,"escalation_rules":[{"escalation_delay_in_minutes":10,"targets":[{"id":"PUSER000000001","type":"user_reference"}]},{"escalation_delay_in_minutes":20,"targets":[{"id":"PSCHEDULE00001","type":"schedule_reference"}]}]}"#,
        ),
    ]),
    rest(
        "escalation_policy.get",
        "Get an escalation policy",
        "Looks up one escalation policy with its levels.",
        "GET",
        "/escalation_policies/{escalation_policy_id}",
    )
    .scopes(&["escalation_policies.read"])
    .takes(&[&ESCALATION_POLICY_ID, &INCLUDE, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("escalation_policy"))
    .gives(ESCALATION_POLICY)
    .simple(&ESCALATION_POLICY_FLAT)
    .examples(&[Example::new("One", r#"{"escalation_policy_id":"PESCALATIONPO1"}"#)]),
    rest(
        "escalation_policy.update",
        "Update an escalation policy",
        "Changes an escalation policy; what is not given stays as it is.",
        "PUT",
        "/escalation_policies/{escalation_policy_id}",
    )
    .scopes(&["escalation_policies.write"])
    .envelope("/escalation_policy")
    .constants(&[("/type", r#""escalation_policy""#)])
    .takes(&[
        &ESCALATION_POLICY_ID,
        &NAME,
        &DESCRIPTION,
        &NUM_LOOPS,
        &ON_CALL_HANDOFF_NOTIFICATIONS,
        &ESCALATION_RULES,
        &TEAM_IDS_VALUE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("escalation_policy"))
    .gives(ESCALATION_POLICY)
    .examples(&[
        Example::new(
            "Another name",
            r#"{"escalation_policy_id":"PESCALATIONPO1","name":"Shop, day and night"}"#,
        ),
    ]),
    rest(
        "escalation_policy.delete",
        "Delete an escalation policy",
        "Removes an escalation policy that no service uses.",
        "DELETE",
        "/escalation_policies/{escalation_policy_id}",
    )
    .scopes(&["escalation_policies.write"])
    .takes(&[&ESCALATION_POLICY_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"escalation_policy_id":"PESCALATIONPO3"}"#)]),
];
