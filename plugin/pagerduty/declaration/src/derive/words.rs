//! The overlay: what cannot be derived from the facts. One file per resource in
//! `plugin/pagerduty/actions`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Words that every resource shares, and the order of the resources.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    /// The resources in the order of the menu; each is a file.
    pub(super) resources: Vec<String>,
    /// The meaning of the results that a successful response reports for its parts.
    #[serde(default)]
    pub(super) results: Results,
    /// Words for fields of any resource.
    pub(super) fields: BTreeMap<String, Words>,
}

/// The meaning of the results that a successful response reports for its parts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Results {
    pub(super) success: Vec<String>,
    pub(super) failure: Vec<String>,
}

/// A resource.
#[derive(Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Resource {
    pub(super) title: String,
    pub(super) description: String,
    /// The noun for each kind of record, with its article: `a post on a status page`.
    pub(super) nouns: BTreeMap<String, String>,
    /// How to check whether a write to an existing object took effect.
    pub(super) check: String,
    /// Whether PagerDuty may still change its operations, if only their text states so.
    pub(super) early_access: bool,
    /// Words for fields of this resource, by their place; see [`Words`].
    pub(super) fields: BTreeMap<String, Words>,
    #[serde(rename = "action", deserialize_with = "named")]
    pub(super) actions: Vec<Action>,
}

/// The words for a field. Its place is `{name}` for a path parameter, `?name` for a query
/// parameter, and `outer.inner` for a member of the body, within its envelope; `*.inner` matches
/// every place that ends with it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Words {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    /// Name of the parameter, if it differs from the name of the field.
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
    /// The reference, if the field is an ID.
    pub(super) reference: Option<String>,
    /// The example value of a path parameter.
    pub(super) example: Option<String>,
    /// The sibling member whose value determines the reference.
    pub(super) reference_by: Option<String>,
    /// Whether it is multiline text.
    pub(super) multiline: bool,
    /// Known values, if others are possible.
    pub(super) suggests: Vec<String>,
    /// The name of the secret that it holds.
    pub(super) secret: Option<String>,
    /// Whether its members replace it in the form.
    pub(super) flat: bool,
    /// Whether sending it has an effect even if the value is unchanged: it is never taken from the
    /// record.
    pub(super) step: bool,
    /// Reason why no form shows it.
    pub(super) hidden: Option<String>,
    /// Whether this form requires it although the API does not.
    pub(super) required: Option<bool>,
    /// Whether this form accepts null, if that differs from the API.
    pub(super) nullable: Option<bool>,
    /// How each value is sent: JSON in which `$` is the value.
    pub(super) send: Option<String>,
    /// Another type than in the facts, if that makes the form simpler.
    pub(super) kind: Option<String>,
    /// A value that is always sent; no form asks for it.
    pub(super) fixed: Option<toml::Value>,
    /// The values that this form offers.
    pub(super) values: Option<Vec<String>>,
}

/// An action, or a group of standard actions.
#[derive(Default, Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Action {
    /// `tag.list`; for a group `tag.{list,get,delete}`.
    pub(super) name: String,
    /// Method and path of the operation, with the names of the parameters; for a group, the path of
    /// one record.
    pub(super) request: String,
    /// Title in a menu; empty if it follows from the noun of the record.
    pub(super) title: String,
    /// Description; empty if it follows from the noun of the record or from the title.
    pub(super) description: String,
    /// PagerDuty's page about it, if that is not the API reference.
    pub(super) documentation: String,
    /// How to check whether the write took effect.
    pub(super) check: String,
    pub(super) effect: Option<String>,
    pub(super) idempotency: Option<String>,
    /// The parameter that identifies the written object, if that does not follow from the request.
    pub(super) ordered_by: String,
    /// The parameter that carries the execution's idempotency key.
    pub(super) key: Option<String>,
    /// `custom` or `batch`, if the node's code runs it.
    pub(super) run: Option<String>,
    /// The fields of the operation that this form shows, if not all of them.
    pub(super) only: Option<Vec<String>>,
    /// The fields that come first.
    pub(super) first: Vec<String>,
    /// Fixed values of the body, by their place.
    pub(super) fixed: BTreeMap<String, toml::Value>,
    /// `one:member`, `list:member`, `whole`, `elements`, `deleted`, or `done`, if it does not
    /// follow from the facts.
    pub(super) answer: Option<String>,
    /// The schema of a record.
    pub(super) record: Option<String>,
    /// The flat form of a record.
    pub(super) simple: Option<String>,
    /// Whether PagerDuty may still change the operation, if only its text states so.
    pub(super) early_access: bool,
    /// Whether it takes additional query parameters.
    pub(super) additional_query: Option<bool>,
    /// Whether the node's code handles the failures that a successful response reports.
    pub(super) handles_failures: bool,
    /// Whether it accepts the record as its `get` returns it, if that does not follow from the
    /// request.
    pub(super) object: Option<bool>,
    /// The operation of the Events API that it sends, if it does not belong to the REST API.
    pub(super) event: Option<String>,
    pub(super) fields: BTreeMap<String, Words>,
    /// Parameters that are not fields of the operation; the node's code reads them.
    #[serde(rename = "parameter", deserialize_with = "named")]
    pub(super) parameters: Vec<Parameter>,
    /// Examples. Without any, the IDs in the path form the example.
    pub(super) examples: Vec<Example>,
    /// Titles of verbs of a group that do not follow from the noun.
    pub(super) titles: BTreeMap<String, String>,
    /// Descriptions of verbs of a group that do not follow from the noun or the title.
    pub(super) descriptions: BTreeMap<String, String>,
    /// The example of a verb of a group.
    pub(super) example: BTreeMap<String, Example>,
}

/// A parameter that is not a field of the operation.
#[derive(Default, Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    /// `text`, `lines`, `email`, `url`, `time`, `integer`, `number`, `boolean`, `object`, `any`, or
    /// `constant`: always `default`, and not shown.
    pub(super) kind: String,
    pub(super) list: bool,
    pub(super) values: Option<Vec<String>>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    pub(super) max: u32,
    pub(super) required: bool,
    pub(super) nullable: bool,
    pub(super) reference: Option<String>,
    pub(super) default: Option<toml::Value>,
    /// Known values, if others are possible.
    pub(super) suggests: Vec<String>,
    /// Place in the request: `?name`, `body.pointer`, or nowhere.
    pub(super) at: Option<String>,
    /// How each value is sent in the body.
    pub(super) send: Option<String>,
    /// Media type, if it is a file.
    pub(super) file: Option<String>,
}

/// The parameters of a trigger.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Form {
    #[serde(deserialize_with = "named")]
    pub(super) parameters: Vec<Parameter>,
}

/// Example parameters that can be run.
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
/// Panics if it cannot be read, which fails the build.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("Cannot read `{}`: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// Tables in the order of the file, each with its key as its name.
fn named<'de, D: Deserializer<'de>, T: DeserializeOwned>(input: D) -> Result<Vec<T>, D::Error> {
    let tables = toml::Table::deserialize(input)?.into_iter();
    let with_name = tables.map(|(name, mut value)| {
        let wrong = format!("`{name}`");
        if let Some(table) = value.as_table_mut() {
            table.insert("name".to_owned(), name.into());
        }
        value.try_into().map_err(|error| D::Error::custom(format!("{wrong}: {error}")))
    });
    with_name.collect()
}
