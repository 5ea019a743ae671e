//! How large a credential may be.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::limits::{ProcessLimits, exceeded};
use crate::secret::Secret;

/// Checks the size of a credential, when it is connected and when it is used.
pub(crate) fn check_size(
    fields: &Map<String, Value>,
    secrets: &BTreeMap<String, Secret>,
    limits: &ProcessLimits,
) -> Result<(), String> {
    let total: usize = secrets.values().map(Secret::len).sum();
    if total > limits.credential {
        return Err(exceeded("the size of its secrets", "credential", limits.credential));
    }
    let total: usize = fields.iter().map(|(name, value)| name.len() + size(value)).sum();
    if total > limits.credential_fields {
        let limit = limits.credential_fields;
        return Err(exceeded("the size of its fields", "credential_fields", limit));
    }
    Ok(())
}

/// About how many bytes a value takes as text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|value| size(value) + 1).sum(),
        Value::Object(all) => all.iter().map(|(name, value)| name.len() + size(value) + 4).sum(),
        _ => 8,
    }
}
