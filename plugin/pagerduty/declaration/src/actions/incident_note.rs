//! Notes on incidents.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::flat::NOTE_FLAT;
use crate::paging::{DELETED, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, INCIDENT_ID, LIMIT, SIMPLIFY,
};
use crate::records::NOTE;

static CONTENT: Param = Param::new(Kind::LongText, "content", "Content", "What the note says.")
    .required()
    .max(25_000)
    .body("/content");

static NOTE_ID: Param =
    Param::text("note_id", "Note", "ID of the note.").reference("incident_note").at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_note.create",
        "Add a note to an incident",
        "Writes a note that everybody who works on the incident can read.",
        "POST",
        "/incidents/{incident_id}/notes",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .envelope("/note")
    .takes(&[&INCIDENT_ID, &CONTENT, &FROM, &ADDITIONAL_FIELDS])
    .answer(one("note"))
    .gives(NOTE)
    .examples(&[Example::new(
        "What was found",
        r#"{"incident_id":"QINCIDENT00001","content":"The last deploy is rolled back."}"#,
    )]),
    rest(
        "incident_note.list",
        "List the notes of an incident",
        "Reads the notes of an incident.",
        "GET",
        "/incidents/{incident_id}/notes",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("notes"))
    .gives(NOTE)
    .simple(&NOTE_FLAT)
    .examples(&[Example::new("All notes", r#"{"incident_id":"QINCIDENT00001","all":true}"#)]),
    rest(
        "incident_note.update",
        "Update a note on an incident",
        "Changes the text of a note.",
        "PUT",
        "/incidents/{incident_id}/notes/{note_id}",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .envelope("/note")
    .takes(&[
        &INCIDENT_ID,
        &NOTE_ID.required(),
        &CONTENT,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("note"))
    .gives(NOTE)
    .examples(&[
        Example::new(
            "Another text",
            r#"{"incident_id":"QINCIDENT00001","note_id":"PNOTE000000001","content":"Rolled back, and watched for an hour."}"#,
        ),
    ]),
    rest(
        "incident_note.delete",
        "Delete a note on an incident",
        "Removes a note.",
        "DELETE",
        "/incidents/{incident_id}/notes/{note_id}",
    )
    .scopes(&["incidents.write"])
    .ordered_by("incident_id")
    .takes(&[&INCIDENT_ID, &NOTE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"incident_id":"QINCIDENT00001","note_id":"PNOTE000000001"}"#),
    ]),
];
