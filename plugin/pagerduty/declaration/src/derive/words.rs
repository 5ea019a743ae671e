//! The overlay: what the facts cannot say. One file per resource in `plugin/pagerduty/actions`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// Words that every resource shares, and the order of the resources.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    /// The resources, as a menu shows them: each is a file.
    pub(super) resources: Vec<String>,
    /// What the results mean that a successful response reports for its parts.
    #[serde(default)]
    pub(super) results: Results,
    /// Words for fields, wherever they are.
    pub(super) fields: BTreeMap<String, Words>,
}

/// What the results mean that a successful response reports for its parts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Results {
    pub(super) success: Vec<String>,
    pub(super) failure: Vec<String>,
}

/// A resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resource {
    pub(super) title: String,
    pub(super) description: String,
    /// What each kind of record is called, with its article: `a post on a status page`.
    #[serde(default)]
    pub(super) nouns: BTreeMap<String, String>,
    /// Whether PagerDuty may still change its operations, where only their text says so.
    #[serde(default)]
    pub(super) early_access: bool,
    /// Words for fields of this resource, by their place; see [`Words`].
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Words>,
    #[serde(rename = "action")]
    pub(super) actions: Vec<Action>,
}

/// What the facts cannot say about a field. Its place is `{name}` for a segment of the path,
/// `?name` for a query parameter, and `outer.inner` for a member of the body, within its envelope;
/// `*.inner` stands for every member whose place ends so.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    /// Name of the parameter, where it is not that of the field.
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
    /// What it is the ID of.
    pub(super) reference: Option<String>,
    /// The value that examples have for a segment of the path.
    pub(super) example: Option<String>,
    /// The member beside it whose value decides what it is the ID of.
    pub(super) reference_by: Option<String>,
    /// Whether its text has several lines.
    #[serde(default)]
    pub(super) multiline: bool,
    /// Known values, where others are possible.
    #[serde(default)]
    pub(super) suggests: Vec<String>,
    /// Which of the node's secrets it is.
    pub(super) secret: Option<String>,
    /// Whether its members take its place in the form.
    #[serde(default)]
    pub(super) flat: bool,
    /// Whether sending it does something, even if it is what the record has: it is not taken from
    /// a record.
    #[serde(default)]
    pub(super) step: bool,
    /// Why no form shows it.
    pub(super) hidden: Option<String>,
    /// Whether this form requires it although the API does not.
    pub(super) required: Option<bool>,
    /// What each value becomes in the request: JSON in which `$` stands for the value.
    pub(super) send: Option<String>,
    /// Another kind than the facts have: the form says it more simply.
    pub(super) kind: Option<String>,
    /// The value that is always sent: no form asks for it.
    pub(super) fixed: Option<toml::Value>,
    /// The values that this form offers.
    pub(super) values: Option<Vec<String>>,
}

/// An action, or a group of the actions that every kind of record has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    /// `tag.list`; for a group `tag.{list,get,delete}`.
    pub(super) name: String,
    /// Method and path of the operation, with the names that the parameters have; for a group the
    /// path of one record.
    pub(super) request: String,
    /// What a menu shows; follows from the noun of the record where it is empty.
    #[serde(default)]
    pub(super) title: String,
    /// What it does; follows from the noun of the record where it is empty.
    #[serde(default)]
    pub(super) description: String,
    /// PagerDuty's page about it, where it is not the reference.
    #[serde(default)]
    pub(super) documentation: String,
    /// What to look at when nobody knows whether it happened.
    #[serde(default)]
    pub(super) check: String,
    pub(super) effect: Option<String>,
    pub(super) idempotency: Option<String>,
    /// The parameter that names what is written, where that does not follow from the request.
    #[serde(default)]
    pub(super) ordered_by: String,
    /// The parameter that takes the execution's idempotency key.
    pub(super) key: Option<String>,
    /// `custom` or `batch`, where the node's own code runs it.
    pub(super) run: Option<String>,
    /// The fields of the operation that this form shows, where it is not all of them.
    pub(super) only: Option<Vec<String>>,
    /// The fields that come first.
    #[serde(default)]
    pub(super) first: Vec<String>,
    /// Values of the body, by their place, which the form does not ask for.
    #[serde(default)]
    pub(super) fixed: BTreeMap<String, toml::Value>,
    /// `one:member`, `list:member`, `whole`, `elements`, `deleted`, or `done`, where the facts do
    /// not say.
    pub(super) answer: Option<String>,
    /// The schema of a record.
    pub(super) record: Option<String>,
    /// The flat form of a record.
    pub(super) simple: Option<String>,
    /// Whether PagerDuty may still change the operation, where only its text says so.
    #[serde(default)]
    pub(super) early_access: bool,
    /// Whether it takes parameters that the form does not know, in the query.
    pub(super) additional_query: Option<bool>,
    /// Whether the node's own code handles the failures that a successful response reports.
    #[serde(default)]
    pub(super) handles_failures: bool,
    /// Whether it takes the record as its `get` returns it, where that does not follow.
    pub(super) object: Option<bool>,
    /// Which operation of the Events API it sends; otherwise one of the REST API.
    pub(super) event: Option<String>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Words>,
    /// Parameters that are no fields of the operation: the node's own code reads them.
    #[serde(default, rename = "parameter")]
    pub(super) parameters: Vec<Parameter>,
    /// Without any, the IDs in the path are the example.
    #[serde(default)]
    pub(super) examples: Vec<Example>,
    /// The example of a verb of a group.
    #[serde(default)]
    pub(super) example: BTreeMap<String, Example>,
}

/// A parameter that is no field of the operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) description: String,
    /// `text`, `lines`, `email`, `url`, `time`, `integer`, `number`, `boolean`, `object`, `any`, or
    /// `constant`: always `default`, and never asked for.
    pub(super) kind: String,
    #[serde(default)]
    pub(super) list: bool,
    pub(super) values: Option<Vec<String>>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    #[serde(default)]
    pub(super) max: u32,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) nullable: bool,
    pub(super) reference: Option<String>,
    pub(super) default: Option<toml::Value>,
    #[serde(default)]
    pub(super) suggests: Vec<String>,
    /// Where it goes in the request: `?name`, `body.pointer`, or nowhere.
    pub(super) at: Option<String>,
    /// What each value becomes in the body.
    pub(super) send: Option<String>,
    /// The type of a file, where it is one.
    pub(super) file: Option<String>,
    /// Members of an object, or of each object of a list.
    #[serde(default, rename = "member")]
    pub(super) members: Vec<Parameter>,
}

/// Parameters that really run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) title: String,
    /// A JSON object.
    pub(super) parameters: String,
}

/// Reads a file of the overlay.
///
/// # Panics
///
/// When it cannot be read: the build fails.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("Cannot read `{}`: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}
