//! What an operation answers, before any fault is applied to it.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;

use crate::query::Page;

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    pub(crate) fn text(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8",
            body: Bytes::from(body),
        }
    }

    pub(crate) fn no_content() -> Self {
        Self { body: Bytes::new(), ..Self::text(204, String::new()) }
    }

    /// `{"<root>": <already rendered object>}`
    pub(crate) fn wrapped(status: u16, root: &str, rendered: &str) -> Self {
        Self::text(status, format!("{{\"{root}\":{rendered}}}"))
    }

    /// A page of a classic list. The items come rendered, because incidents keep theirs.
    pub(crate) fn list<Item: AsRef<str>>(
        root: &str,
        items: impl IntoIterator<Item = Item>,
        page: &Page,
        more: bool,
        total: usize,
    ) -> Self {
        let mut body = format!("{{\"{root}\":[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            body.push_str(item.as_ref());
        }
        let total = if page.total { total.to_string() } else { "null".to_owned() };
        // Writing to a string does not fail.
        let _ok = write!(
            body,
            "],\"limit\":{},\"offset\":{},\"total\":{total},\"more\":{more}}}",
            page.limit, page.offset
        );
        Self::text(200, body)
    }

    /// Cuts one page out of everything that matched, and renders only that.
    pub(crate) fn page_of<T>(
        root: &str,
        matching: &[T],
        page: &Page,
        render: impl FnMut(&T) -> String,
    ) -> Self {
        let from = page.offset.min(matching.len());
        let to = (from + page.limit).min(matching.len());
        Self::list(
            root,
            matching[from..to].iter().map(render),
            page,
            to < matching.len(),
            matching.len(),
        )
    }
}
