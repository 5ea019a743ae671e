//! Compares the node with an OpenAPI document: the requests of its examples, and its forms.

mod examples;
mod forms;

use std::collections::BTreeMap;

use pagerduty_declaration::derive::{derive, overlay};

use crate::schema::Document;

/// Every difference that no amendment explains, one per line.
pub(crate) fn differences(document: &Document) -> Vec<String> {
    let derived = derive(&overlay());
    let mut lines = derived.problems.clone();
    if !lines.is_empty() {
        return lines;
    }
    let operations: BTreeMap<&str, &str> =
        derived.operations.iter().map(|(action, id)| (action.as_str(), id.as_str())).collect();
    lines.extend(examples::differences(document, &operations));
    lines.extend(forms::differences(document, &derived));
    lines
}

/// Whether an amendment explains a difference in an attribute at a place of an operation: it sets
/// that attribute there, or replaces a place above.
fn is_amended(operation: &str, place: &str, attribute: &str) -> bool {
    pagerduty_facts::amendments().iter().filter(|one| is_of(one, operation)).any(|one| {
        let sets = |name: &str| one.set.get(name).is_some() || one.set.is_null();
        let around = format!("{}.", one.at);
        let replaces = sets("fields") || sets("type") || sets("read_only");
        (place == one.at && (sets(attribute) || replaces))
            || (place.starts_with(&around) && replaces)
    })
}

/// Whether an amendment concerns a place or one below it.
fn is_amended_below(operation: &str, place: &str) -> bool {
    let below = format!("{place}.");
    pagerduty_facts::amendments()
        .iter()
        .filter(|one| is_of(one, operation))
        .any(|one| one.at == place || one.at.starts_with(&below))
}

fn is_of(amendment: &pagerduty_facts::Amendment, operation: &str) -> bool {
    amendment.operations.iter().any(|name| name == operation)
}

/// Whether an amendment states that an update may omit fields that the document requires.
fn may_be_partial(operation: &str) -> bool {
    pagerduty_facts::amendments().iter().any(|one| one.at == "body.*.*" && is_of(one, operation))
}
