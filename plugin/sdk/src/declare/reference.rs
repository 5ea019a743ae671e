//! References: what a parameter may be the ID of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::leak;

/// The objects that a parameter may refer to, and how their choices are found: with an action that
/// lists them.
///
/// ```
/// use workflow_node_sdk::declare::Reference;
///
/// static CITY: Reference = Reference::new("city", "a city", "city.list")
///     .named(&["name"])
///     .get("city.weather")
///     .search("query");
/// # assert!(CITY.is_named);
/// ```
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reference {
    /// Name by which parameters refer to it.
    pub name: &'static str,
    /// Noun with its article, for messages: `an escalation policy`.
    pub noun: &'static str,
    /// Action that lists the records. Its path may need other parameters of the form.
    pub list: &'static str,
    /// Action that reads one record by the parameter of this name.
    pub get: Option<&'static str>,
    /// Parameter of the list by which the service searches.
    pub search: Option<&'static str>,
    /// Whether users may give the name of a record instead of its ID.
    pub is_named: bool,
    /// Path of the member of a record that is its ID.
    pub value: &'static str,
    /// Paths of the members of a record that name it for users (`data/value`), the best first.
    #[serde(deserialize_with = "leak::slice")]
    pub labels: &'static [&'static str],
    /// Path of the member that forms show as a second line.
    pub detail: Option<&'static str>,
    /// Path segments after which a URL of the service holds the ID.
    #[serde(deserialize_with = "leak::slice")]
    pub segments: &'static [&'static str],
    /// Another notation that the node's own code accepts, in one word: `number`.
    #[serde(skip)]
    pub also: Option<&'static str>,
}

impl Reference {
    /// Creates a reference to the records that the action `list` lists. Their member `id` is the
    /// ID, and their member `name` is what forms show.
    pub const fn new(name: &'static str, noun: &'static str, list: &'static str) -> Self {
        Self {
            name,
            noun,
            list,
            get: None,
            search: None,
            is_named: false,
            value: "id",
            labels: &["name"],
            detail: None,
            segments: &[],
            also: None,
        }
    }

    /// The value at a path of a record.
    pub(crate) fn at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
        path.split('/').try_fold(record, |value, name| value.get(name))
    }

    /// Accepts names in place of IDs. These members of a record hold names, in order of preference.
    #[must_use]
    pub const fn named(self, labels: &'static [&'static str]) -> Self {
        Self { is_named: true, labels, ..self }
    }

    /// Shows these members of a record in forms, in order of preference, without accepting names.
    #[must_use]
    pub const fn labels(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }

    /// Reads one record with this action.
    #[must_use]
    pub const fn get(self, action: &'static str) -> Self {
        Self { get: Some(action), ..self }
    }

    /// Searches with this parameter of the list.
    #[must_use]
    pub const fn search(self, parameter: &'static str) -> Self {
        Self { search: Some(parameter), ..self }
    }

    /// Takes the value of a parameter from this member of a record instead of `id`.
    #[must_use]
    pub const fn value(self, member: &'static str) -> Self {
        Self { value: member, ..self }
    }

    /// Shows this member of a record as a second line.
    #[must_use]
    pub const fn detail(self, member: &'static str) -> Self {
        Self { detail: Some(member), ..self }
    }

    /// Accepts URLs of the service; the ID follows one of these path segments.
    #[must_use]
    pub const fn segments(self, segments: &'static [&'static str]) -> Self {
        Self { segments, ..self }
    }

    /// Names another notation that the node's own code accepts, in one word: `number`.
    #[must_use]
    pub const fn also(self, word: &'static str) -> Self {
        Self { also: Some(word), ..self }
    }
}
