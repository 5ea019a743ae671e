//! Parameters that several resources share.

use workflow_node_sdk::declare::{Kind, Param, Place};

pub(crate) static LIMIT: Param = Param::new(
    Kind::Integer(1, 1_000_000),
    "limit",
    "Limit",
    "How many records at most. Exactly that many are returned where there are so many; not used \
     with All.",
)
.default("100");

pub(crate) static ALL: Param =
    Param::new(Kind::Boolean, "all", "All", "Every record there is, page after page.")
        .default("false");

pub(crate) static SIMPLIFY: Param = Param::new(
    Kind::Boolean,
    "simplify",
    "Simplify",
    "Flat records with few members, always the same, instead of all that PagerDuty tells.",
)
.default("false");

pub(crate) static FROM: Param = Param::new(
    Kind::Email,
    "from",
    "From",
    "E-mail address of the PagerDuty user in whose name this is done, instead of the one of the \
     credential. Needed with an account's API key or an app's token; a user's key or token acts \
     as that user.",
)
.at(Place::Header("from"));

pub(crate) static ADDITIONAL_FIELDS: Param = Param::new(
    Kind::Map,
    "additional_fields",
    "Additional fields",
    "Fields of PagerDuty's API that this form does not show, as a JSON object. They are merged with \
     the fields of the form at any depth and never replace them.",
)
.at(Place::BodyMembers(""));

pub(crate) static ADDITIONAL_QUERY: Param = Param::new(
    Kind::Map,
    "additional_query",
    "Additional query",
    "Query parameters that this form does not know, as PagerDuty's API names them. A list is \
     repeated; its name ends in [].",
)
.at(Place::QueryMembers);

pub(crate) static OBJECT: Param = Param::new(
    Kind::Map,
    "object",
    "Record",
    "The record as the get action returned it. It supplies every field that this form does not \
     set. Read-only and unknown members are ignored.",
)
.at(Place::Record);

pub(crate) static TEAM_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "team_ids",
    "Teams",
    "Only what belongs to one of these teams (needs the ability teams).",
)
.reference("team")
.query("team_ids[]");
