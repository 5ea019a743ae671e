//! Notifications: messages that users got about incidents.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Param};

use super::rest;
use crate::paging::NOTIFICATIONS;
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT, SINCE, TIME_ZONE, UNTIL};

pub(super) static ACTIONS: &[Action] = &[rest(
    "notification.list",
    "List notifications",
    "Reads who was notified, when and how, in less than three months.",
    "GET",
    "/notifications",
)
.scopes(&["users:notifications.read"])
.takes(&[
    &SINCE.required(),
    &UNTIL.required(),
    &TIME_ZONE,
    &Param::new(
        Kind::OneOf(&[
            "sms_notification",
            "email_notification",
            "phone_notification",
            "push_notification",
        ]),
        "filter",
        "Filter",
        "Which ones.",
    )
    .query("filter"),
    &Param::new(
        Kind::List(&Kind::OneOf(&["users"])),
        "include",
        "Include",
        "What is returned in full instead of as a reference.",
    )
    .query("include[]"),
    &LIMIT,
    &ALL,
    &ADDITIONAL_QUERY,
])
.answer(Answer::List("notifications", &NOTIFICATIONS))
.examples(&[Example::new(
    "One day",
    r#"{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}"#,
)])];
