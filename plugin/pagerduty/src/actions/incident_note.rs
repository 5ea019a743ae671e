//! Notes on incidents.

use workflow_node_sdk::declare::{Action, Answer, Effect, Example, Kind, Paging, Param, Place};

use super::rest;
use crate::parameters::{ALL, FROM, INCIDENT_ID, LIMIT};

const PATH: &str = "/incidents/{incident_id}/notes";
const OUTPUT: &str = r##"{"$ref":"#/$defs/incident_note"}"##;

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        slot: "rest",
        scopes: &["incidents.write"],
        acts_as_user: true,
        parameters: &[
            &INCIDENT_ID,
            &Param::new(Kind::LongText, "content", "Content", "What the note says.")
                .required()
                .max(25_000)
                .at(Place::Body("/note/content")),
            &FROM,
        ],
        route: rest("POST", PATH, Answer::Object("note")),
        output: OUTPUT,
        examples: &[Example {
            title: "What was found",
            parameters: r#"{"incident_id":"QINCIDENT00001","content":"The last deploy is rolled back."}"#,
        }],
        ..Action::write(
            Effect::Create,
            "incident_note.create",
            "Add a note to an incident",
            "Writes a note that everybody who works on the incident can read.",
            "POST",
            PATH,
        )
    },
    Action {
        slot: "rest",
        scopes: &["incidents.read"],
        parameters: &[&INCIDENT_ID, &LIMIT, &ALL],
        route: rest("GET", PATH, Answer::List("notes", Paging::None)),
        output: OUTPUT,
        examples: &[Example {
            title: "All notes",
            parameters: r#"{"incident_id":"QINCIDENT00001","all":true}"#,
        }],
        ..Action::get(
            "incident_note.list",
            "List the notes of an incident",
            "Reads the notes of an incident.",
            "",
        )
    },
];
