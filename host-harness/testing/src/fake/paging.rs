//! Paging of lists.

use serde_json::{Map, Value, json};

use super::file::{Items, Paging, Style};
use super::template::Values;
use crate::message::Response;

impl Paging {
    fn length(&self) -> usize {
        match &self.items {
            Items::Listed(items) => items.len(),
            Items::Made(count, _) => *count,
        }
    }

    fn item(&self, at: usize, values: &Values<'_>) -> Value {
        let values = Values { index: at + 1, ..*values };
        match &self.items {
            Items::Listed(items) => items[at].fill(&values),
            Items::Made(_, item) => item.fill(&values),
        }
    }

    /// The requested page, or 400 if the request is invalid.
    pub(super) fn page(&self, values: &Values<'_>) -> Response {
        let url = &values.request.url;
        let parameter = |name: &str| {
            url.query_pairs().find(|(one, _)| one == name).map(|(_, value)| value.into_owned())
        };
        let size = match parameter(&self.size_parameter) {
            None => Some(self.size),
            Some(size) => size.parse().ok().filter(|size| *size > 0),
        };
        let position = parameter(&self.position_parameter);
        let start = match (self.style, position, size) {
            (_, _, None) => None,
            (_, None, _) => Some(0),
            (Style::Link | Style::Page, Some(page), Some(size)) => {
                let page = page.parse::<usize>().ok().filter(|page| *page > 0);
                page.and_then(|page| (page - 1).checked_mul(size.min(self.largest)))
            }
            (Style::Offset, Some(offset), _) => offset.parse().ok(),
            (Style::Cursor, Some(cursor), _) => {
                cursor.strip_prefix("from-").and_then(|from| from.parse().ok())
            }
        };
        let (Some(start), Some(size)) = (start, size) else {
            let message = "the size or the position of the page is invalid";
            return Response::json(400, &json!({ "error": { "message": message } }));
        };
        let (size, length) = (size.min(self.largest), self.length());
        let start = start.min(length);
        let end = start.saturating_add(size).min(length);
        let items: Value = (start..end).map(|at| self.item(at, values)).collect();
        let more = end < length;
        let mut body = Map::new();
        let next = match self.style {
            Style::Link => Value::Null,
            Style::Page => json!(length),
            Style::Offset => json!(more),
            Style::Cursor if more => json!(format!("from-{end}")),
            Style::Cursor => Value::Null,
        };
        let body = match &self.member {
            None => items,
            Some(member) => {
                body.insert(member.clone(), items);
                if self.style == Style::Offset {
                    body.insert(self.position_parameter.clone(), json!(start));
                    body.insert(self.size_parameter.clone(), json!(size));
                }
                if self.style != Style::Link {
                    body.insert(self.next_member.clone(), next);
                }
                Value::Object(body)
            }
        };
        let mut response = Response::json(200, &body);
        if self.style == Style::Link && more {
            let mut next = url.clone();
            let others: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(name, _)| *name != self.position_parameter)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            next.query_pairs_mut()
                .clear()
                .extend_pairs(others)
                .append_pair(&self.position_parameter, &(start / size + 2).to_string());
            response.headers.push(("link".to_owned(), format!("<{next}>; rel=\"next\"")));
        }
        response
    }
}
