//! Several items for one run: pasted as JSON, and added to what the form holds.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::form::Entered;
use crate::limits::ServerLimits;

/// The field with the items.
const FIELD: &str = "items";
/// The field that lets a run go on when an item fails.
const GOES_ON: &str = "goes_on";
/// Problems of items that are shown.
const SHOWN: usize = 20;

/// Items that a person has pasted.
#[derive(Debug, Default)]
pub(super) struct Pasted {
    items: Vec<Map<String, Value>>,
}

impl Pasted {
    /// Reads a JSON list of objects, or objects one after the other, such as one on each line.
    /// `None` if nothing was pasted.
    pub(super) fn of(entered: &Entered, limits: &ServerLimits) -> Result<Option<Self>, String> {
        let text = entered.plain(FIELD).trim();
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |error: serde_json::Error| {
            format!(
                "The items are not a JSON list of objects, or one JSON object on each line: {error}."
            )
        };
        let most = limits.page_items;
        let mut items = Vec::new();
        if text.starts_with('[') {
            items = serde_json::from_str(text).map_err(wrong)?;
        } else {
            for item in serde_json::Deserializer::from_str(text).into_iter().take(most + 1) {
                items.push(item.map_err(wrong)?);
            }
        }
        match items.len() {
            0 => Err("The list of items is empty.".to_owned()),
            count if count > most => Err(format!(
                "The page runs at most {most} items at once (limit `page_items`). The API takes more."
            )),
            _ => Ok(Some(Self { items })),
        }
    }

    /// The parameters of each item: those of the form, and over them those of the item.
    pub(super) fn over(
        self,
        parameters: &Map<String, Value>,
        limits: &ServerLimits,
    ) -> Result<Vec<Value>, String> {
        let shared = Value::from(parameters.clone()).to_string().len();
        if shared.saturating_mul(self.items.len()) > limits.json_body {
            return Err(
                "The fields of the form are too large to be repeated for every item.".to_owned()
            );
        }
        let one = |item: Map<String, Value>| {
            let mut all = parameters.clone();
            all.extend(item);
            Value::Object(all)
        };
        Ok(self.items.into_iter().map(one).collect())
    }
}

/// Whether the run goes on when an item fails.
pub(super) fn goes_on(entered: &Entered) -> bool {
    !entered.plain(GOES_ON).is_empty()
}

/// Problems of items by their number, in words, and how many there are.
pub(super) fn in_words<'a>(
    problems: impl Iterator<Item = (usize, &'a str, &'a str)>,
) -> Vec<(String, String)> {
    let mut all = problems.map(|(item, pointer, message)| {
        let place = if pointer.is_empty() { String::new() } else { format!(", {pointer}") };
        (String::new(), format!("Item {}{place}: {message}", item + 1))
    });
    let mut shown: Vec<_> = all.by_ref().take(SHOWN).collect();
    let further = all.count();
    if further > 0 {
        shown.push((String::new(), format!("{further} further problems of items.")));
    }
    shown
}

/// The fields for several items.
pub(super) fn form(entered: &Entered, most: usize) -> Markup {
    let text = entered.plain(FIELD);
    html! {
        details.more open[!text.is_empty()] {
            summary { "Several items" }
            div.field {
                label for="items" { "Items" }
                p.hint id="items-hint" {
                    "A JSON list of objects, or one JSON object on each line, for at most " (most)
                    " items. Each item has the parameters of the form, and those of its object instead."
                }
                textarea id="items" name=(FIELD) rows="6" spellcheck="false" aria-describedby="items-hint" { (text) }
            }
            div.field {
                label.check {
                    input type="checkbox" name=(GOES_ON) value="true" checked[goes_on(entered)];
                    " Go on when an item fails"
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Option<Pasted>, String> {
        let entered = Entered::of(&[("items".to_owned(), text.to_owned())]);
        Pasted::of(&entered, &ServerLimits::default())
    }

    #[test]
    fn items_are_a_list_or_objects_one_after_the_other_over_the_form() {
        let form = json!({"title": "Same", "urgency": "low"});
        let form = form.as_object().unwrap();
        for text in [
            "[{\"title\": \"a\"}, {}]",
            "{\"title\": \"a\"}\r\n{}\r\n",
            "{\n  \"title\": \"a\"\n}\n\n{}",
        ] {
            let items = read(text).unwrap().unwrap().over(form, &ServerLimits::default()).unwrap();
            let expected = [json!({"title": "a", "urgency": "low"}), json!(form)];
            assert_eq!(items, expected, "{text}");
        }
        assert!(read(" \r\n ").unwrap().is_none());
    }

    #[test]
    fn items_that_are_not_objects_and_too_many_items_are_refused() {
        for (text, words) in [
            ("[1]", "JSON list of objects"),
            ("{\"a\": 1}\n7", "line 2"),
            ("{\"a\"", "JSON"),
            ("title", "JSON"),
            ("[]", "empty"),
            (&"{}\n".repeat(1_001), "at most 1000"),
            (&format!("[{}{{}}]", "{},".repeat(1_000)), "at most 1000"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        let large = json!({"text": "x".repeat(100_000)});
        let pasted = read(&"{}\n".repeat(999)).unwrap().unwrap();
        assert!(pasted.over(large.as_object().unwrap(), &ServerLimits::default()).is_err());
    }
}
