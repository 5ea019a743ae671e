//! Shift-based schedules: the new kind of schedules: rotations of events, custom shifts and overrides. Early access.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Offset, Paging, Param, Place};

use super::rest;
use crate::paging::{CLASSIC, DELETED, classic, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY, SCHEDULE_V3_ID, SINCE, TEAM_IDS,
    TIME_ZONE, UNTIL,
};

static NAME: Param = Param::text("name", "Name", "Its name.").max(255).body("/name");
static TIME_ZONE_VALUE: Param =
    Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
        .body("/time_zone");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .max(1024)
        .body("/description");
static OVERFLOW: Param = Param::new(
    Kind::Boolean,
    "overflow",
    "Whole shifts",
    "Whether shifts that reach beyond the times are returned whole.",
)
.default(r#"false"#)
.query("overflow");
static CUSTOM_SHIFT_ID: Param =
    Param::text("custom_shift_id", "Custom shift", "The custom shift that is meant.")
        .reference("schedule_v3_custom_shift")
        .at(Place::Path);
static START_TIME: Param =
    Param::new(Kind::DateTime, "start_time", "Start", "When it begins, with an offset.")
        .body("/start_time");
static END_TIME: Param =
    Param::new(Kind::DateTime, "end_time", "End", "When it ends, with an offset.")
        .body("/end_time");
static OVERRIDE_ID: Param = Param::text("override_id", "Override", "ID of the override.")
    .reference("schedule_v3_override")
    .at(Place::Path);
static ROTATION_ID: Param = Param::text("rotation_id", "Rotation", "The rotation that is meant.")
    .reference("schedule_v3_rotation")
    .at(Place::Path);
static START_TIME_VALUE: Param = Param::new(
    Kind::Object(&[
        &Param::new(Kind::DateTime, "date_time", "Time", "The time, with an offset.").required(),
        &Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
            .required(),
    ]),
    "start_time",
    "Start",
    "When the first shift begins.",
)
.body("/start_time");
static END_TIME_VALUE: Param = Param::new(
    Kind::Object(&[
        &Param::new(Kind::DateTime, "date_time", "Time", "The time, with an offset.").required(),
        &Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
            .required(),
    ]),
    "end_time",
    "End",
    "When the first shift ends.",
)
.body("/end_time");
static EFFECTIVE_SINCE: Param =
    Param::new(Kind::DateTime, "effective_since", "Effective from", "From when on it holds.")
        .body("/effective_since");
static RECURRENCE: Param = Param::new(
    Kind::List(&Kind::Text),
    "recurrence",
    "Repetition",
    "Rules as in calendars (RFC 5545), e.g. RRULE:FREQ=WEEKLY;BYDAY=MO.",
)
.body("/recurrence");
static ASSIGNMENT_STRATEGY: Param = Param::new(
    Kind::Object(&[
        &Param::new(
            Kind::OneOf(&[
                "rotating_member_assignment_strategy",
                "every_member_assignment_strategy",
            ]),
            "type",
            "Type",
            "Which kind.",
        )
        .required(),
        &Param::new(
            Kind::Integer(1, 2147483647),
            "shifts_per_member",
            "Shifts each",
            "How many shifts one takes in a row.",
        ),
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["user_member", "empty_member"]),
                    "type",
                    "Type",
                    "Which kind.",
                )
                .required(),
                &Param::text("user_id", "User", "The user that is meant.").reference("user"),
            ]),
            "members",
            "Who",
            "Users in the order of the rotation, 20 at most.",
        )
        .required()
        .max(20),
    ]),
    "assignment_strategy",
    "People",
    "Who takes the shifts, and in which way.",
)
.body("/assignment_strategy");
static EFFECTIVE_UNTIL: Param = Param::new(
    Kind::DateTime,
    "effective_until",
    "Effective until",
    "Until when it holds; null for ever.",
)
.nullable()
.body("/effective_until");
static EVENT_ID: Param = Param::text("event_id", "Event", "ID of the event.")
    .reference("schedule_v3_event")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "schedule_v3.list",
        "List shift-based schedules",
        "Finds shift-based schedules by name and team.",
        "GET",
        "/v3/schedules",
    )
    .takes(&[&QUERY, &TEAM_IDS, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(Answer::List("schedules", &Paging::Offset(Offset { page: 1_000, ..CLASSIC })))
    .early_access()
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "schedule_v3.create",
        "Create a shift-based schedule",
        "Adds a shift-based schedule, empty at first.",
        "POST",
        "/v3/schedules",
    )
    .envelope("/schedule")
    .takes(&[
        &NAME.required(),
        &TIME_ZONE_VALUE.required(),
        &DESCRIPTION,
        &Param::new(
            Kind::List(&Kind::Text),
            "team_ids",
            "Teams",
            "Only what belongs to one of these teams (needs the ability teams).",
        )
        .reference("team")
        .at(Place::BodyAs("/teams", r#"{"id":$,"type":"team_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("schedule"))
    .early_access()
    .examples(&[Example::new("Empty", r#"{"name":"Shop shifts","time_zone":"Europe/Berlin"}"#)]),
    rest(
        "schedule_v3.get",
        "Get a shift-based schedule",
        "Looks up one shift-based schedule.",
        "GET",
        "/v3/schedules/{schedule_v3_id}",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &SINCE,
        &UNTIL,
        &TIME_ZONE,
        &OVERFLOW,
        &Param::new(
            Kind::List(&Kind::OneOf(&["final_schedule"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("schedule"))
    .early_access()
    .examples(&[Example::new("One", r#"{"schedule_v3_id":"PSCHEDULE00001"}"#)]),
    rest(
        "schedule_v3.update",
        "Update a shift-based schedule",
        "Changes the name, description or time zone.",
        "PUT",
        "/v3/schedules/{schedule_v3_id}",
    )
    .envelope("/schedule")
    .takes(&[&SCHEDULE_V3_ID, &NAME, &TIME_ZONE_VALUE, &DESCRIPTION, &ADDITIONAL_FIELDS])
    .answer(one("schedule"))
    .early_access()
    .examples(&[
        Example::new(
            "Another name",
            r#"{"schedule_v3_id":"PSCHEDULE00001","name":"Shop shifts, EU"}"#,
        ),
    ]),
    rest(
        "schedule_v3.delete",
        "Delete a shift-based schedule",
        "Removes a shift-based schedule.",
        "DELETE",
        "/v3/schedules/{schedule_v3_id}",
    )
    .takes(&[&SCHEDULE_V3_ID])
    .answer(DELETED)
    .early_access()
    .examples(&[Example::new("One", r#"{"schedule_v3_id":"PSCHEDULE00001"}"#)]),
    rest(
        "schedule_v3_custom_shift.list",
        "List custom shifts",
        "Reads the single shifts of a schedule, between two times.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/custom_shifts",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &SINCE.required(),
        &UNTIL.required(),
        &TIME_ZONE,
        &OVERFLOW,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("custom_shifts"))
    .early_access()
    .examples(&[
        Example::new(
            "One month",
            r#"{"schedule_v3_id":"PSCHEDULE00001","since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule_v3_custom_shift.create",
        "Create custom shifts",
        "Adds single shifts to a schedule.",
        "POST",
        "/v3/schedules/{schedule_v3_id}/custom_shifts",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::constant("type", r#""custom_shift""#),
                &Param::new(
                    Kind::DateTime,
                    "start_time",
                    "Start",
                    "When it begins, with an offset.",
                )
                .required(),
                &Param::new(Kind::DateTime, "end_time", "End", "When it ends, with an offset.")
                    .required(),
                &Param::new(
                    Kind::Objects(&[
                        &Param::constant("type", r#""shift_assignment""#),
                        &Param::new(
                            Kind::Object(&[
                                &Param::new(
                                    Kind::OneOf(&["user_member", "empty_member"]),
                                    "type",
                                    "Type",
                                    "Which kind.",
                                )
                                .required(),
                                &Param::text("user_id", "User", "The user that is meant.")
                                    .reference("user"),
                            ]),
                            "member",
                            "Who",
                            "A user, or nobody.",
                        )
                        .required(),
                    ]),
                    "assignments",
                    "People",
                    "Who is on call.",
                )
                .required()
                .max(1),
            ]),
            "custom_shifts",
            "Shifts",
            "The shifts.",
        )
        .required()
        .body("/custom_shifts"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("custom_shifts"))
    .early_access()
    .examples(&[
        Example::new(
            "One night",
            r#"{"schedule_v3_id":"PSCHEDULE00001","custom_shifts":[{"start_time":"2027-01-01T18:00:00Z","end_time":"2027-01-02T06:00:00Z","assignments":[{"member":{"type":"user_member","user_id":"PUSER000000001"}}]}]}"#,
        ),
    ]),
    rest(
        "schedule_v3_custom_shift.get",
        "Get a custom shift",
        "Looks up one single shift.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/custom_shifts/{custom_shift_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &CUSTOM_SHIFT_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("custom_shift"))
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","custom_shift_id":"PCUSTOMSHIFT01"}"#,
        ),
    ]),
    rest(
        "schedule_v3_custom_shift.update",
        "Update a custom shift",
        "Changes the times or the people of a single shift.",
        "PUT",
        "/v3/schedules/{schedule_v3_id}/custom_shifts/{custom_shift_id}",
    )
    .envelope("/custom_shift")
    .takes(&[
        &SCHEDULE_V3_ID,
        &CUSTOM_SHIFT_ID.required(),
        &START_TIME,
        &END_TIME,
        &Param::new(
            Kind::Objects(&[
                &Param::constant("type", r#""shift_assignment""#),
                &Param::new(
                    Kind::Object(&[
                        &Param::new(
                            Kind::OneOf(&["user_member", "empty_member"]),
                            "type",
                            "Type",
                            "Which kind.",
                        )
                        .required(),
                        &Param::text("user_id", "User", "The user that is meant.").reference("user"),
                    ]),
                    "member",
                    "Who",
                    "A user, or nobody.",
                )
                .required(),
            ]),
            "assignments",
            "People",
            "Who is on call.",
        )
        .max(1)
        .body("/assignments"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("custom_shift"))
    .early_access()
    .examples(&[
        Example::new(
            "Longer",
            r#"{"schedule_v3_id":"PSCHEDULE00001","custom_shift_id":"PCUSTOMSHIFT01","end_time":"2027-01-02T08:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule_v3_custom_shift.delete",
        "Delete a custom shift",
        "Removes a single shift.",
        "DELETE",
        "/v3/schedules/{schedule_v3_id}/custom_shifts/{custom_shift_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &CUSTOM_SHIFT_ID.required()])
    .answer(DELETED)
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","custom_shift_id":"PCUSTOMSHIFT01"}"#,
        ),
    ]),
    rest(
        "schedule_v3_override.list",
        "List overrides of a shift-based schedule",
        "Reads who stands in for whom, between two times.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/overrides",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &SINCE.required(),
        &UNTIL.required(),
        &TIME_ZONE,
        &OVERFLOW,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("overrides"))
    .early_access()
    .examples(&[
        Example::new(
            "One month",
            r#"{"schedule_v3_id":"PSCHEDULE00001","since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule_v3_override.create",
        "Create overrides of a shift-based schedule",
        "Lets people stand in for others.",
        "POST",
        "/v3/schedules/{schedule_v3_id}/overrides",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::constant("type", r#""override_shift""#),
                &Param::text("rotation_id", "Rotation", "The rotation that is meant.")
                    .reference("schedule_v3_rotation"),
                &Param::text("custom_shift_id", "Custom shift", "The custom shift that is meant.").reference("schedule_v3_custom_shift"),
                &Param::new(
                    Kind::DateTime,
                    "start_time",
                    "Start",
                    "When it begins, with an offset.",
                )
                .required(),
                &Param::new(Kind::DateTime, "end_time", "End", "When it ends, with an offset.")
                    .required(),
                &Param::new(
                    Kind::Object(&[
                        &Param::new(
                            Kind::OneOf(&["user_member", "empty_member"]),
                            "type",
                            "Type",
                            "Which kind.",
                        )
                        .required(),
                        &Param::text("user_id", "User", "The user that is meant.").reference("user"),
                    ]),
                    "overridden_member",
                    "Instead of",
                    "Who is replaced.",
                )
                .required(),
                &Param::new(
                    Kind::Object(&[
                        &Param::new(
                            Kind::OneOf(&["user_member", "empty_member"]),
                            "type",
                            "Type",
                            "Which kind.",
                        )
                        .required(),
                        &Param::text("user_id", "User", "The user that is meant.").reference("user"),
                    ]),
                    "overriding_member",
                    "Stand-in",
                    "Who stands in.",
                )
                .required(),
            ]),
            "overrides",
            "Overrides",
            "Who stands in when.",
        )
        .required()
        .body("/overrides"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("overrides"))
    .early_access()
    .examples(&[
        Example::new(
            "One night",
            r#"{"schedule_v3_id":"PSCHEDULE00001","overrides":[{"rotation_id":"PROTATION00001","start_time":"2027-01-01T18:00:00Z","end_time":"2027-01-02T06:00:00Z","overridden_member":{"type":"user_member","user_id":"PUSER000000001"},"overriding_member":{"type":"user_member","user_id":"PUSER000000002"}}]}"#,
        ),
    ]),
    rest(
        "schedule_v3_override.get",
        "Get an override of a shift-based schedule",
        "Looks up one override.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/overrides/{override_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &OVERRIDE_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("override"))
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","override_id":"POVERRIDE00001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_override.update",
        "Update an override of a shift-based schedule",
        "Changes the times of an override, or who stands in.",
        "PUT",
        "/v3/schedules/{schedule_v3_id}/overrides/{override_id}",
    )
    .envelope("/override")
    .takes(&[
        &SCHEDULE_V3_ID,
        &OVERRIDE_ID.required(),
        &START_TIME,
        &END_TIME,
        &Param::new(
            Kind::Object(&[
                &Param::new(
                    Kind::OneOf(&["user_member", "empty_member"]),
                    "type",
                    "Type",
                    "Which kind.",
                )
                .required(),
                &Param::text("user_id", "User", "The user that is meant.").reference("user"),
            ]),
            "overriding_member",
            "Stand-in",
            "Who stands in.",
        )
        .body("/overriding_member"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("override"))
    .early_access()
    .examples(&[
        Example::new(
            "Longer",
            r#"{"schedule_v3_id":"PSCHEDULE00001","override_id":"POVERRIDE00001","end_time":"2027-01-02T08:00:00Z"}"#,
        ),
    ]),
    rest(
        "schedule_v3_override.delete",
        "Delete an override of a shift-based schedule",
        "Removes an override.",
        "DELETE",
        "/v3/schedules/{schedule_v3_id}/overrides/{override_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &OVERRIDE_ID.required()])
    .answer(DELETED)
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","override_id":"POVERRIDE00001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_rotation.list",
        "List rotations",
        "Reads the rotations of a schedule.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/rotations",
    )
    .takes(&[&SCHEDULE_V3_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("rotations"))
    .early_access()
    .examples(&[Example::new("The first hundred", r#"{"schedule_v3_id":"PSCHEDULE00001"}"#)]),
    rest(
        "schedule_v3_rotation.create",
        "Create a rotation",
        "Adds a rotation to a schedule, empty at first.",
        "POST",
        "/v3/schedules/{schedule_v3_id}/rotations",
    )
    .takes(&[&SCHEDULE_V3_ID, &ADDITIONAL_FIELDS])
    .answer(one("rotation"))
    .early_access()
    .examples(&[Example::new("One", r#"{"schedule_v3_id":"PSCHEDULE00001"}"#)]),
    rest(
        "schedule_v3_rotation.get",
        "Get a rotation",
        "Looks up one rotation.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &ROTATION_ID.required(), &SINCE, &UNTIL, &ADDITIONAL_QUERY])
    .answer(one("rotation"))
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_rotation.delete",
        "Delete a rotation",
        "Removes a rotation with its events.",
        "DELETE",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &ROTATION_ID.required()])
    .answer(DELETED)
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_event.list",
        "List the events of a rotation",
        "Reads the recurring shifts of a rotation.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}/events",
    )
    .takes(&[&SCHEDULE_V3_ID, &ROTATION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("events"))
    .early_access()
    .examples(&[
        Example::new(
            "The first hundred",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_event.create",
        "Create an event of a rotation",
        "Adds a recurring shift to a rotation.",
        "POST",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}/events",
    )
    .envelope("/event")
    .takes(&[
        &SCHEDULE_V3_ID,
        &ROTATION_ID.required(),
        &NAME.required(),
        &START_TIME_VALUE.required(),
        &END_TIME_VALUE.required(),
        &EFFECTIVE_SINCE.required(),
        &RECURRENCE.required(),
        &ASSIGNMENT_STRATEGY.required(),
        &EFFECTIVE_UNTIL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("event"))
    .early_access()
    .examples(&[
        Example::new(
            "Every day",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001","name":"Days","start_time":{"date_time":"2026-01-05T09:00:00Z","time_zone":"Europe/Berlin"},"end_time":{"date_time":"2026-01-05T17:00:00Z","time_zone":"Europe/Berlin"},"effective_since":"2026-01-05T00:00:00Z","recurrence":["RRULE:FREQ=DAILY"],"assignment_strategy":{"type":"rotating_member_assignment_strategy","shifts_per_member":1,"members":[{"type":"user_member","user_id":"PUSER000000001"}]}}"#,
        ),
    ]),
    rest(
        "schedule_v3_event.get",
        "Get an event of a rotation",
        "Looks up one recurring shift.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}/events/{event_id}",
    )
    .takes(&[
        &SCHEDULE_V3_ID,
        &ROTATION_ID.required(),
        &EVENT_ID.required(),
        &SINCE,
        &UNTIL,
        &ADDITIONAL_QUERY,
    ])
    .answer(one("event"))
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001","event_id":"PEVENT00000001"}"#,
        ),
    ]),
    rest(
        "schedule_v3_event.update",
        "Update an event of a rotation",
        "Changes a recurring shift.",
        "PUT",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}/events/{event_id}",
    )
    .envelope("/event")
    .takes(&[
        &SCHEDULE_V3_ID,
        &ROTATION_ID.required(),
        &EVENT_ID.required(),
        &NAME,
        &START_TIME_VALUE,
        &END_TIME_VALUE,
        &EFFECTIVE_SINCE,
        &EFFECTIVE_UNTIL,
        &RECURRENCE,
        &ASSIGNMENT_STRATEGY,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("event"))
    .early_access()
    .examples(&[
        Example::new(
            "Another name",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001","event_id":"PEVENT00000001","name":"Working days"}"#,
        ),
    ]),
    rest(
        "schedule_v3_event.delete",
        "Delete an event of a rotation",
        "Removes a recurring shift.",
        "DELETE",
        "/v3/schedules/{schedule_v3_id}/rotations/{rotation_id}/events/{event_id}",
    )
    .takes(&[&SCHEDULE_V3_ID, &ROTATION_ID.required(), &EVENT_ID.required()])
    .answer(DELETED)
    .early_access()
    .examples(&[
        Example::new(
            "One",
            r#"{"schedule_v3_id":"PSCHEDULE00001","rotation_id":"PROTATION00001","event_id":"PEVENT00000001"}"#,
        ),
    ]),
];
