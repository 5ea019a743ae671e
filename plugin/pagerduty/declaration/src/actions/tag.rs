//! Tags: labels for users, teams and escalation policies.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place, Run};

use super::rest;
use crate::paging::{DELETED, DONE, classic, one};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY};
use crate::records::TAG;

static TAG_ID: Param = Param::text("tag_id", "Tag", "The tag: its ID, its name, or its address.")
    .reference("tag")
    .at(Place::Path);
static ENTITY_TYPE: Param = Param::new(
    Kind::OneOf(&["users", "teams", "escalation_policies"]),
    "entity_type",
    "Kind",
    "Users, teams or escalation policies.",
)
.at(Place::Path);
static ENTITY_ID: Param = Param::text("entity_id", "Which", "The user, team or escalation policy.")
    .reference_by(
        "entity_type",
        &[("users", "user"), ("teams", "team"), ("escalation_policies", "escalation_policy")],
    )
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "tag.list",
        "List tags",
        "Finds tags by their label.",
        "GET",
        "/tags",
    )
    .scopes(&["tags.read"])
    .takes(&[&QUERY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("tags"))
    .gives(TAG)
    .examples(&[Example::new("By label", r#"{"query":"emea"}"#)]),
    rest(
        "tag.create",
        "Create a tag",
        "Adds a label.",
        "POST",
        "/tags",
    )
    .scopes(&["tags.write"])
    .envelope("/tag")
    .constants(&[("/type", r#""tag""#)])
    .takes(&[
        &Param::text("label", "Label", "The label.").required().max(191).body("/label"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("tag"))
    .gives(TAG)
    .examples(&[Example::new("A region", r#"{"label":"EMEA"}"#)]),
    rest(
        "tag.get",
        "Get a tag",
        "Looks up one tag.",
        "GET",
        "/tags/{tag_id}",
    )
    .scopes(&["tags.read"])
    .takes(&[&TAG_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("tag"))
    .gives(TAG)
    .examples(&[Example::new("One", r#"{"tag_id":"PTAG0000000001"}"#)]),
    rest(
        "tag.delete",
        "Delete a tag",
        "Removes a label, from everything that has it, too.",
        "DELETE",
        "/tags/{tag_id}",
    )
    .scopes(&["tags.write"])
    .takes(&[&TAG_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"tag_id":"PTAG0000000001"}"#)]),
    rest(
        "tag.entities",
        "List what has a tag",
        "Reads the users, teams or escalation policies that have a tag.",
        "GET",
        "/tags/{tag_id}/{entity_type}",
    )
    .scopes(&["tags.read"])
    .takes(&[&TAG_ID.required(), &ENTITY_TYPE.required(), &ADDITIONAL_QUERY])
    .runs(Run::Custom)
    .examples(&[Example::new("Users", r#"{"tag_id":"PTAG0000000001","entity_type":"users"}"#)]),
    rest(
        "tag.of_entity",
        "List the tags of something",
        "Reads the tags of a user, a team or an escalation policy.",
        "GET",
        "/{entity_type}/{entity_id}/tags",
    )
    .scopes(&["tags.read"])
    .takes(&[&ENTITY_TYPE.required(), &ENTITY_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("tags"))
    .gives(TAG)
    .examples(&[
        Example::new("Of a user", r#"{"entity_type":"users","entity_id":"PUSER000000001"}"#),
    ]),
    rest(
        "tag.change",
        "Change the tags of something",
        "Adds tags to a user, a team or an escalation policy, and takes others away.",
        "POST",
        "/{entity_type}/{entity_id}/change_tags",
    )
    .scopes(&["tags.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[
        &ENTITY_TYPE.required(),
        &ENTITY_ID.required(),
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["tag", "tag_reference"]),
                    "type",
                    "By",
                    "By label (tag) or by ID (tag_reference).",
                )
                .required(),
                &Param::text("label", "Label", "The label.").max(191),
                &Param::text("id", "Tag", "ID of the tag."),
            ]),
            "add",
            "Add",
            "The tags to add: by label (tag) or by ID (tag_reference).",
        )
        .body("/add"),
        &Param::new(Kind::List(&Kind::Text), "remove_ids", "Remove", "The tags to take away.").reference("tag")
            .at(Place::BodyAs("/remove", r#"{"id":$,"type":"tag_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .answer(DONE)
    .examples(&[
        Example::new(
            "A new tag",
            r#"{"entity_type":"users","entity_id":"PUSER000000001","add":[{"type":"tag","label":"EMEA"}]}"#,
        ),
    ]),
];
