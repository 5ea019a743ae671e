//! Schedules: rotations of people who are on call.

use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Param, Place, Run,
};

use super::rest;
use crate::flat::{SCHEDULE_FLAT, USER_FLAT};
use crate::paging::{DELETED, classic, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY, SCHEDULE_ID, SIMPLIFY, SINCE, TEAM_IDS,
    TIME_ZONE, UNTIL,
};
use crate::records::{OVERRIDE, SCHEDULE, USER};

static INCLUDE_NEXT_ONCALL_FOR_USER: Param = Param::text(
    "include_next_oncall_for_user",
    "Next shift of",
    "ID of a user whose next shift is told besides.",
)
.reference("user")
.query("include_next_oncall_for_user");
static TIME_ZONE_VALUE: Param =
    Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
        .body("/time_zone");
static SCHEDULE_LAYERS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("id", "Layer", "ID of the layer, to change one that exists."),
        &Param::new(Kind::DateTime, "start", "Start", "When the layer begins, with an offset.")
            .required(),
        &Param::new(Kind::DateTime, "end", "End", "When the layer ends, with an offset."),
        &Param::new(
            Kind::List(&Kind::Text),
            "user_ids",
            "Users",
            "The users, in the order of the rotation.",
        )
        .required()
        .reference("user")
        .at(Place::BodyAs("/users", r#"{"user":{"id":$,"type":"user_reference"}}"#)),
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["daily_restriction", "weekly_restriction"]),
                    "type",
                    "Kind",
                    "Within each day, or within each week.",
                )
                .required(),
                &Param::text("start_time_of_day", "From", "When it begins, e.g. 09:00:00.")
                    .required(),
                &Param::new(
                    Kind::Integer(1, 604800),
                    "duration_seconds",
                    "Duration",
                    "How long, in seconds.",
                )
                .required(),
                &Param::new(
                    Kind::Integer(1, 7),
                    "start_day_of_week",
                    "Weekday",
                    "On which day of the week; 1 is Monday.",
                ),
            ]),
            "restrictions",
            "Restrictions",
            "The times of the day or the week to which the layer is restricted.",
        ),
        &Param::new(
            Kind::DateTime,
            "rotation_virtual_start",
            "Start of the rotation",
            "When the first turn of the rotation begins, with an offset.",
        )
        .required(),
        &Param::new(
            Kind::Integer(0, 2147483647),
            "rotation_turn_length_seconds",
            "Turn",
            "How long one turn lasts, in seconds; 604800 is a week.",
        )
        .required(),
        &Param::text("name", "Name", "Its name."),
    ]),
    "schedule_layers",
    "Layers",
    "The rotations; later ones win over earlier ones.",
)
.body("/schedule_layers");
static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static OVERFLOW: Param = Param::new(
    Kind::Boolean,
    "overflow",
    "Whole shifts",
    "Whether shifts that reach beyond the times are returned whole.",
)
.default(r#"false"#)
.query("overflow");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "schedule.list",
        "List schedules",
        "Finds schedules by name and team. A user who is no administrator does not see every \
         schedule.",
        "GET",
        "/schedules",
    )
    .scopes(&["schedules.read"])
    .takes(&[
        &QUERY,
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "schedule_layers",
                "overrides_subschedule",
                "final_schedule",
            ])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &TIME_ZONE,
        &INCLUDE_NEXT_ONCALL_FOR_USER,
        &SINCE,
        &UNTIL,
        &TEAM_IDS,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("schedules"))
    .gives(SCHEDULE)
    .simple(&SCHEDULE_FLAT)
    .examples(&[Example::new("By name", r#"{"query":"primary"}"#)]),
    rest(
        "schedule.create",
        "Create a schedule",
        "Adds a schedule with its layers.",
        "POST",
        "/schedules",
    )
    .scopes(&["schedules.write"])
    .envelope("/schedule")
    .constants(&[("/type", r#""schedule""#)])
    .takes(&[
        &TIME_ZONE_VALUE.required(),
        &SCHEDULE_LAYERS,
        &NAME,
        &DESCRIPTION,
        &OVERFLOW,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("schedule"))
    .gives(SCHEDULE)
    .examples(&[
        Example::new(
            "A week each",
            r#"{"name":"Shop","time_zone":"Europe/Berlin","schedule_layers":[{"name":"Weeks","start":"2026-01-05T09:00:00+01:00","rotation_virtual_start":"2026-01-05T09:00:00+01:00","rotation_turn_length_seconds":604800,"user_ids":["PUSER000000001","PUSER000000002"]}]}"#,
        ),
    ]),
    rest(
        "schedule.get",
        "Get a schedule",
        "Looks up one schedule with its layers, and who is on call in a time.",
        "GET",
        "/schedules/{schedule_id}",
    )
    .scopes(&["schedules.read"])
    .takes(&[
        &SCHEDULE_ID,
        &TIME_ZONE,
        &SINCE,
        &UNTIL,
        &OVERFLOW,
        &INCLUDE_NEXT_ONCALL_FOR_USER,
        &SIMPLIFY,
        &ADDITIONAL_QUERY,
    ])
    .answer(one("schedule"))
    .gives(SCHEDULE)
    .simple(&SCHEDULE_FLAT)
    .examples(&[
        Example::new(
            "One week",
            r#"{"schedule_id":"PSCHEDULE00001","since":"2026-01-05T00:00:00Z","until":"2026-01-12T00:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule.update",
        "Update a schedule",
        "Replaces the layers of a schedule, and changes its name, description or time zone.",
        "PUT",
        "/schedules/{schedule_id}",
    )
    .scopes(&["schedules.write"])
    .envelope("/schedule")
    .constants(&[("/type", r#""schedule""#)])
    .takes(&[
        &SCHEDULE_ID,
        &SCHEDULE_LAYERS,
        &TIME_ZONE_VALUE,
        &NAME,
        &DESCRIPTION,
        &OVERFLOW,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("schedule"))
    .gives(SCHEDULE)
    .examples(&[
        Example::new(
            "Another name",
            r#"{"schedule_id":"PSCHEDULE00001","name":"Shop, first level","time_zone":"Europe/Berlin"}"#,
        ),
    ]),
    rest(
        "schedule.delete",
        "Delete a schedule",
        "Removes a schedule that no escalation policy uses.",
        "DELETE",
        "/schedules/{schedule_id}",
    )
    .scopes(&["schedules.write"])
    .takes(&[&SCHEDULE_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"schedule_id":"PSCHEDULE00002"}"#)]),
    rest(
        "schedule.preview",
        "Preview a schedule",
        "Shows who would be on call by a schedule, without saving it.",
        "POST",
        "/schedules/preview",
    )
    .scopes(&["schedules.write"])
    .effect(Effect::Read, Idempotency::Safe)
    .envelope("/schedule")
    .constants(&[("/type", r#""schedule""#)])
    .takes(&[
        &TIME_ZONE_VALUE.required(),
        &SCHEDULE_LAYERS,
        &NAME,
        &DESCRIPTION,
        &SINCE,
        &UNTIL,
        &OVERFLOW,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("schedule"))
    .gives(SCHEDULE)
    .examples(&[
        Example::new(
            "Two weeks",
            r#"{"name":"Shop","time_zone":"Europe/Berlin","since":"2026-01-05T00:00:00Z","until":"2026-01-19T00:00:00Z","schedule_layers":[{"start":"2026-01-05T09:00:00+01:00","rotation_virtual_start":"2026-01-05T09:00:00+01:00","rotation_turn_length_seconds":604800,"user_ids":["PUSER000000001","PUSER000000002"]}]}"#,
        ),
    ]),
    rest(
        "schedule.users",
        "List the users of a schedule",
        "Reads who is on call by a schedule in a time.",
        "GET",
        "/schedules/{schedule_id}/users",
    )
    .scopes(&["users.read"])
    .takes(&[&SCHEDULE_ID, &SINCE, &UNTIL, &SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("users"))
    .gives(USER)
    .simple(&USER_FLAT)
    .examples(&[Example::new("The first hundred", r#"{"schedule_id":"PSCHEDULE00001"}"#)]),
    rest(
        "schedule_override.list",
        "List the overrides of a schedule",
        "Reads who stands in for whom, between two times.",
        "GET",
        "/schedules/{schedule_id}/overrides",
    )
    .scopes(&["schedules.read"])
    .takes(&[
        &SCHEDULE_ID,
        &SINCE.required(),
        &UNTIL.required(),
        &Param::new(Kind::Boolean, "editable", "Editable", "Only overrides that can be changed.")
            .query("editable"),
        &Param::new(
            Kind::Boolean,
            "overflow",
            "Whole shifts",
            "Whether shifts that reach beyond the times are returned whole.",
        )
        .query("overflow"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("overrides"))
    .gives(OVERRIDE)
    .examples(&[
        Example::new(
            "One month",
            r#"{"schedule_id":"PSCHEDULE00001","since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule_override.create_many",
        "Create overrides of a schedule",
        "Lets people be on call instead of those whose turn it is, for several times at once.",
        "POST",
        "/schedules/{schedule_id}/overrides",
    )
    .scopes(&["schedules.write"])
    .takes(&[
        &SCHEDULE_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::new(Kind::DateTime, "start", "Start", "When it begins, with an offset.")
                    .required(),
                &Param::new(Kind::DateTime, "end", "End", "When it ends, with an offset.")
                    .required(),
                &Param::text("user_id", "User", "The user that is meant.")
                    .required()
                    .reference("user")
                    .at(Place::BodyAs("/user", r#"{"id":$,"type":"user_reference"}"#)),
            ]),
            "overrides",
            "Overrides",
            "Who stands in when.",
        )
        .body("/overrides"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(Answer::Elements)
    .runs(Run::Custom)
    .examples(&[
        Example::new(
            "Two nights",
            r#"{"schedule_id":"PSCHEDULE00001","overrides":[{"start":"2027-01-01T18:00:00Z","end":"2027-01-02T06:00:00Z","user_id":"PUSER000000002"},{"start":"2027-01-02T18:00:00Z","end":"2027-01-03T06:00:00Z","user_id":"PUSER000000001"}]}"#,
        ),
    ]),
    rest(
        "schedule_override.delete",
        "Delete an override",
        "Removes an override that has not begun; ends one that is under way.",
        "DELETE",
        "/schedules/{schedule_id}/overrides/{override_id}",
    )
    .scopes(&["schedules.write"])
    .takes(&[
        &SCHEDULE_ID,
        &Param::text("override_id", "Override", "ID of the override.")
            .required()
            .reference("schedule_override")
            .at(Place::Path),
    ])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"schedule_id":"PSCHEDULE00001","override_id":"POVERRIDE00001"}"#),
    ]),
];
