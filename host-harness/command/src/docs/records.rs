//! The page of the records that actions give, each once.

use workflow_node_host::description::Form;

use super::book::Book;
use super::fields::{field_rows, given};
use super::markdown::{fragment, table, text};
use crate::members::Members;

pub(super) fn page(book: &Book<'_>) -> String {
    let mut page = format!(
        "# Records\n\nOutput of the actions of [{}](README.md) on which a workflow can rely. \
         Additional members that the service returns are passed through unchanged.\n\n",
        text(&book.description.node.display_name)
    );
    for (title, _) in &book.records {
        page.push_str(&format!("- [{}](#{})\n", text(title), fragment(title)));
    }
    for (title, schema) in &book.records {
        page.push_str(&format!("\n## {}\n\n", text(title)));
        let description = schema.get("description").and_then(serde_json::Value::as_str);
        if let Some(description) = description {
            page.push_str(&format!("{}\n\n", text(description)));
        }
        let fields = Form::new(schema, &book.description.node.schemas).fields;
        let rows = field_rows(&Members::of_fields(&given(fields)), "");
        if !rows.is_empty() {
            page.push_str(&table(&["Member", "Type", "Description"], &rows));
        }
    }
    page
}
