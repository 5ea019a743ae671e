//! Paging of lists, in every style that PagerDuty has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::errors::Refusal;
use crate::facts::{Operation, Paging};
use crate::reply::Reply;

/// Maximum number of items per page, if the operation states no other.
pub(crate) const LARGEST_PAGE: usize = 100;
/// The last item that classic paging returns.
pub(crate) const FURTHEST_ITEM: usize = 10_000;

/// The requested page of a list.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) style: Paging,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    pub(crate) total: bool,
    /// The cursor after which the page begins, or before which it ends.
    pub(crate) after: Option<u64>,
    pub(crate) before: Option<u64>,
}

/// An item with its position in the whole list, which is stable when others are added or removed.
pub(crate) type Placed<T> = (u64, T);

/// A list in a response: the page's items, and the paging members.
pub(crate) struct Cut<'a, T> {
    pub(crate) items: &'a [Placed<T>],
    pub(crate) fields: Map<String, Value>,
}

impl Page {
    /// All items at once.
    pub(crate) fn whole() -> Self {
        let style = Paging::None;
        Self { style, limit: usize::MAX, offset: 0, total: false, after: None, before: None }
    }

    /// Returns this page of all matching items. The positions ascend or descend.
    pub(crate) fn cut<'a, T>(&self, all: &'a [Placed<T>]) -> Cut<'a, T> {
        let falls = all.len() > 1 && all[0].0 > all[1].0;
        let beyond = |place: u64, mark: u64| if falls { place < mark } else { place > mark };
        let from = match (self.style, self.after) {
            (Paging::Classic, _) => self.offset.min(all.len()),
            (_, Some(mark)) => all.iter().take_while(|(place, _)| !beyond(*place, mark)).count(),
            _ => 0,
        };
        let (from, to) = match self.before {
            Some(mark) => {
                let short = |place: u64| place != mark && !beyond(place, mark);
                let end = all.iter().take_while(|(place, _)| short(*place)).count();
                (end.saturating_sub(self.limit), end)
            }
            None if matches!(self.style, Paging::None | Paging::ResponseOnly) => (0, all.len()),
            None => (from, from.saturating_add(self.limit).min(all.len())),
        };
        let items = &all[from..to];
        let more = to < all.len();
        let last = items.last().map(|(place, _)| cursor(*place));
        let fields = match self.style {
            Paging::Classic => json!({
                "limit": self.limit, "offset": self.offset, "more": more,
                "total": self.total.then_some(all.len()),
            }),
            Paging::ResponseOnly => json!({
                "limit": all.len().max(LARGEST_PAGE), "offset": 0, "more": false,
                "total": all.len(),
            }),
            Paging::Cursor => json!({
                "limit": self.limit,
                "next_cursor": last.filter(|_| more),
                "more": more,
            }),
            Paging::AfterBefore => json!({
                "limit": self.limit,
                "after": last.filter(|_| more),
                "before": items.first().filter(|_| from > 0).map(|(place, _)| cursor(*place)),
                "total": self.total.then_some(all.len()),
            }),
            Paging::LimitOnly => json!({
                "limit": self.limit, "more": more, "total": self.total.then_some(all.len()),
            }),
            Paging::None | Paging::StartingAfter => json!({"total": all.len()}),
        };
        Cut { items, fields: fields.as_object().cloned().unwrap_or_default() }
    }
}

impl<T> Cut<'_, T> {
    /// The response of an operation. Members that the response does not declare are omitted.
    pub(crate) fn reply(
        mut self,
        operation: &Operation,
        root: &str,
        status: u16,
        mut render: impl FnMut(&T) -> String,
    ) -> Reply {
        let declared = &operation.page_fields;
        // Some paged lists declare no paging members, although examples contain them.
        if !declared.is_empty() || operation.paging == Paging::None {
            self.fields.retain(|name, _| declared.contains(name));
        }
        let mut body = format!("{{\"{root}\":[");
        for (index, (_, item)) in self.items.iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            body.push_str(&render(item));
        }
        body.push(']');
        for (name, value) in &self.fields {
            body.push_str(&format!(",\"{name}\":{value}"));
        }
        body.push('}');
        Reply::text(status, body)
    }
}

/// The response for a list whose items have no stored positions. Only the page is rendered.
pub(crate) fn reply<T>(
    operation: &Operation,
    page: &Page,
    items: Vec<T>,
    render: impl FnMut(&T) -> String,
) -> Reply {
    let placed: Vec<Placed<T>> =
        items.into_iter().enumerate().map(|(place, item)| (place as u64 + 1, item)).collect();
    let root = operation.root().unwrap_or_default();
    page.cut(&placed).reply(operation, root, operation.status.unwrap_or(200), render)
}

/// Cursor with which a client continues. It is opaque to clients.
pub(crate) fn cursor(place: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("place:{place}"))
}

/// The position in a cursor.
pub(crate) fn place(cursor: &str) -> Result<u64, Refusal> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.strip_prefix("place:").and_then(|number| number.parse().ok()))
        .ok_or_else(|| Refusal::invalid(["the cursor is not one of this list"]))
}
