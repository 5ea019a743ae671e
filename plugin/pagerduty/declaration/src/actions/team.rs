//! Teams: groups of users, and what belongs to them.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param};

use super::rest;
use crate::flat::TEAM_FLAT;
use crate::paging::{DELETED, DONE, classic, one, undocumented, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, ESCALATION_POLICY_ID, LIMIT, QUERY, SIMPLIFY,
    TEAM_ID, USER_ID,
};
use crate::records::TEAM;

static NAME: Param = Param::text("name", "Name", "Its name.").max(100).body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .max(1024)
        .body("/description");
static DEFAULT_ROLE: Param = Param::new(
    Kind::OneOf(&["manager", "none"]),
    "default_role",
    "Default role",
    "What people who are not in the team may do in it.",
)
.default(r#""manager""#)
.body("/default_role");
static SUBSCRIBABLES: Param = Param::new(
    Kind::Objects(&[
        &Param::text("subscribable_id", "About which", "ID of the incident or business service."),
        &Param::new(
            Kind::OneOf(&["incident", "business_service"]),
            "subscribable_type",
            "Kind",
            "An incident or a business service.",
        ),
    ]),
    "subscribables",
    "About",
    "Incidents and business services.",
)
.body("/subscribables");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "team.list",
        "List teams",
        "Finds teams by name.",
        "GET",
        "/teams",
    )
    .scopes(&["teams.read"])
    .takes(&[&QUERY, &SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("teams"))
    .gives(TEAM)
    .simple(&TEAM_FLAT)
    .examples(&[Example::new("By name", r#"{"query":"platform"}"#)]),
    rest(
        "team.create",
        "Create a team",
        "Adds a team.",
        "POST",
        "/teams",
    )
    .scopes(&["teams.write"])
    .envelope("/team")
    .constants(&[("/type", r#""team""#)])
    .takes(&[&NAME.required(), &DESCRIPTION, &DEFAULT_ROLE, &ADDITIONAL_FIELDS])
    .answer(one("team"))
    .gives(TEAM)
    .examples(&[
        Example::new(
            "The shop's team",
            r#"{"name":"Shop","description":"Builds and runs the shop."}"#,
        ),
    ]),
    rest(
        "team.get",
        "Get a team",
        "Looks up one team.",
        "GET",
        "/teams/{team_id}",
    )
    .scopes(&["teams.read"])
    .takes(&[
        &TEAM_ID,
        &Param::new(
            Kind::List(&Kind::OneOf(&["privileges"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &SIMPLIFY,
        &ADDITIONAL_QUERY,
    ])
    .answer(one("team"))
    .gives(TEAM)
    .simple(&TEAM_FLAT)
    .examples(&[Example::new("One", r#"{"team_id":"PTEAM000000001"}"#)]),
    rest(
        "team.update",
        "Update a team",
        "Changes a team; what is not given stays as it is.",
        "PUT",
        "/teams/{team_id}",
    )
    .scopes(&["teams.write"])
    .envelope("/team")
    .constants(&[("/type", r#""team""#)])
    .takes(&[&TEAM_ID, &NAME, &DESCRIPTION, &DEFAULT_ROLE, &ADDITIONAL_FIELDS])
    .answer(one("team"))
    .gives(TEAM)
    .examples(&[
        Example::new(
            "Another description",
            r#"{"team_id":"PTEAM000000001","description":"Runs everything."}"#,
        ),
    ]),
    rest(
        "team.delete",
        "Delete a team",
        "Removes a team. Its open incidents can be given to another team.",
        "DELETE",
        "/teams/{team_id}",
    )
    .scopes(&["teams.write"])
    .takes(&[
        &TEAM_ID,
        &Param::text("reassignment_team", "Give to", "The team that gets the open incidents.")
            .reference("team")
            .query("reassignment_team"),
    ])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"team_id":"PTEAM000000002"}"#)]),
    rest(
        "team_member.list",
        "List the members of a team",
        "Reads who is in a team, and in which role.",
        "GET",
        "/teams/{team_id}/members",
    )
    .scopes(&["teams.read"])
    .takes(&[
        &TEAM_ID,
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
    .answer(classic("members"))
    .examples(&[Example::new("The first hundred", r#"{"team_id":"PTEAM000000001"}"#)]),
    rest(
        "team_member.set",
        "Add a user to a team",
        "Puts a user into a team, or changes the role there.",
        "PUT",
        "/teams/{team_id}/users/{user_id}",
    )
    .scopes(&["teams.write"])
    .takes(&[
        &TEAM_ID,
        &USER_ID,
        &Param::new(
            Kind::OneOf(&["observer", "responder", "manager"]),
            "role",
            "Role",
            "What the user may do.",
        )
        .body("/role"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(DONE)
    .examples(&[
        Example::new(
            "As a responder",
            r#"{"team_id":"PTEAM000000001","user_id":"PUSER000000001","role":"responder"}"#,
        ),
    ]),
    rest(
        "team_member.remove",
        "Remove a user from a team",
        "Takes a user out of a team.",
        "DELETE",
        "/teams/{team_id}/users/{user_id}",
    )
    .scopes(&["teams.write"])
    .takes(&[&TEAM_ID, &USER_ID])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"team_id":"PTEAM000000001","user_id":"PUSER000000001"}"#),
    ]),
    rest(
        "team_escalation_policy.add",
        "Add an escalation policy to a team",
        "Gives an escalation policy to a team.",
        "PUT",
        "/teams/{team_id}/escalation_policies/{escalation_policy_id}",
    )
    .scopes(&["teams.write"])
    .takes(&[&TEAM_ID, &ESCALATION_POLICY_ID])
    .answer(DONE)
    .examples(&[
        Example::new(
            "One",
            r#"{"team_id":"PTEAM000000001","escalation_policy_id":"PESCALATIONPO1"}"#,
        ),
    ]),
    rest(
        "team_escalation_policy.remove",
        "Remove an escalation policy from a team",
        "Takes an escalation policy from a team.",
        "DELETE",
        "/teams/{team_id}/escalation_policies/{escalation_policy_id}",
    )
    .scopes(&["teams.write"])
    .takes(&[&TEAM_ID, &ESCALATION_POLICY_ID])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"team_id":"PTEAM000000001","escalation_policy_id":"PESCALATIONPO1"}"#,
        ),
    ]),
    rest(
        "team_subscription.list",
        "List the subscriptions of a team",
        "Reads about what a team is told.",
        "GET",
        "/teams/{team_id}/notification_subscriptions",
    )
    .scopes(&["subscribers.read"])
    .takes(&[&TEAM_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("subscriptions"))
    .examples(&[Example::new("The first hundred", r#"{"team_id":"PTEAM000000001"}"#)]),
    rest(
        "team_subscription.create",
        "Create subscriptions of a team",
        "Tells a team about incidents and business services.",
        "POST",
        "/teams/{team_id}/notification_subscriptions",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&TEAM_ID, &SUBSCRIBABLES.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("subscriptions"))
    .examples(&[
        Example::new(
            "An incident",
            r#"{"team_id":"PTEAM000000001","subscribables":[{"subscribable_id":"QINCIDENT00001","subscribable_type":"incident"}]}"#,
        ),
    ]),
    rest(
        "team_subscription.delete",
        "Delete subscriptions of a team",
        "Stops telling a team about incidents and business services.",
        "POST",
        "/teams/{team_id}/notification_subscriptions/unsubscribe",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&TEAM_ID, &SUBSCRIBABLES.required(), &ADDITIONAL_FIELDS])
    .examples(&[
        Example::new(
            "An incident",
            r#"{"team_id":"PTEAM000000001","subscribables":[{"subscribable_id":"QINCIDENT00001","subscribable_type":"incident"}]}"#,
        ),
    ]),
];
