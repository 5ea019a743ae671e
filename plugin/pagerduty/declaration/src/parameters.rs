//! Parameters that no operation states: every action to which they apply has them.

use workflow_node_sdk::declare::{Kind, Param, Place};
use workflow_node_sdk::literal;

pub(crate) static LIMIT: Param = Param::new(
    Kind::Integer(1, 1_000_000),
    "limit",
    "Limit",
    "Maximum number of records to return. Defaults to 100. Ignored if All is set.",
)
.default(literal!(100));

pub(crate) static ALL: Param =
    Param::new(Kind::Boolean, "all", "All", "Whether to return all records.")
        .default(literal!(false));

pub(crate) static SIMPLIFY: Param = Param::new(
    Kind::Boolean,
    "simplify",
    "Simplify",
    "Whether to return flat records with a fixed set of fields instead of PagerDuty's records.",
)
.default(literal!(false));

pub(crate) static FROM: Param = Param::new(
    Kind::Email,
    "from",
    "From",
    "Email address of the acting user. Required with an account API key or an app token unless the \
     credential sets one. Ignored with the key or token of a user.",
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
    "Query parameters of PagerDuty's API that this form does not show, as a JSON object. A list is \
     sent as a repeated parameter whose name ends in [].",
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
