//! On-calls: who is on call, when, and by which schedule and policy.

use workflow_node_sdk::declare::{Action, Example, Kind, Param};

use super::rest;
use crate::flat::ON_CALL_FLAT;
use crate::paging::classic;
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT, SIMPLIFY, SINCE, TIME_ZONE, UNTIL};
use crate::records::ON_CALL;

pub(super) static ACTIONS: &[Action] = &[rest(
    "on_call.list",
    "List on-calls",
    "Reads who is on call between two times, by policy, schedule and user. Without times: now.",
    "GET",
    "/oncalls",
)
.scopes(&["oncalls.read"])
.takes(&[
    &TIME_ZONE,
    &Param::new(
        Kind::List(&Kind::OneOf(&["escalation_policies", "users", "schedules"])),
        "include",
        "Include",
        "What is returned in full instead of as a reference.",
    )
    .query("include[]"),
    &Param::new(Kind::List(&Kind::Text), "user_ids", "Users", "Only those of these users.")
        .reference("user")
        .query("user_ids[]"),
    &Param::new(
        Kind::List(&Kind::Text),
        "escalation_policy_ids",
        "Escalation policies",
        "Only those of these escalation policies.",
    )
    .reference("escalation_policy")
    .query("escalation_policy_ids[]"),
    &Param::new(
        Kind::List(&Kind::Text),
        "schedule_ids",
        "Schedules",
        "Only those of these schedules.",
    )
    .reference("schedule")
    .query("schedule_ids[]"),
    &SINCE,
    &UNTIL,
    &Param::new(
        Kind::Boolean,
        "earliest",
        "Earliest",
        "Only the first time of each user on each level of each policy.",
    )
    .query("earliest"),
    &SIMPLIFY,
    &LIMIT,
    &ALL,
    &ADDITIONAL_QUERY,
])
.answer(classic("oncalls"))
.gives(ON_CALL)
.simple(&ON_CALL_FLAT)
.examples(&[Example::new("For a policy, now", r#"{"escalation_policy_ids":["PESCALATIONPO1"]}"#)])];
