//! Schemas of PagerDuty's records, from the overlay.

use std::sync::OnceLock;

use workflow_node_sdk::declare::{Literal, Output};

use crate::derive::{keep_text, overlay, read};

/// A shared schema, or a schema in the overlay.
pub(crate) fn by_name(name: &str) -> Option<Output> {
    if name.starts_with('{') {
        return Some(Output::Schema(schema(name)));
    }
    shared().iter().find(|(known, _)| *known == name).map(|(known, _)| Output::Shared(known))
}

/// Whether there is a shared schema of this name.
pub(crate) fn is_shared(name: &str) -> bool {
    shared().iter().any(|(known, _)| *known == name)
}

/// Shared schemas by name: `records.toml`.
pub(crate) fn shared() -> &'static [(&'static str, Literal)] {
    static SHARED: OnceLock<Vec<(&'static str, Literal)>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let schemas: toml::Table = read(&overlay().join("records.toml"));
        let schemas = schemas
            .iter()
            .map(|(name, json)| (keep_text(name), schema(json.as_str().unwrap_or_default())));
        schemas.collect()
    })
}

fn schema(json: &str) -> Literal {
    let schema = serde_json::from_str(json).unwrap_or_else(|error| panic!("`{json}`: {error}"));
    Literal::leaked(&schema)
}
