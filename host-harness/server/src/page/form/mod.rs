//! Forms: any [`Form`](workflow_node_host::description::Form) as HTML, and what a person has entered
//! as parameters. A field is named by its place in the parameters (RFC 6901); a letter in front of the
//! place says what the value is.
//!
//! | | |
//! | --- | --- |
//! | `p/title` | what was typed or chosen |
//! | `o/service` | a choice that was loaded, as JSON: its value and its label |
//! | `s/service` | text to search the choices for |
//! | `n/rules` | number of rows of a list of objects |
//! | `v/channel` | which variant of an object was chosen |
//! | `z/timeout` | null was chosen |

mod fill;
mod read;
mod render;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use workflow_node_host::description::{Field, Form, Variant};

pub(super) use read::Read;
pub(super) use render::{Choices, Shown};

/// Rows of one list that a form offers at most.
const MOST_ROWS: usize = 100;

/// Values that a person has entered so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Entered {
    values: BTreeMap<String, Vec<String>>,
    /// Whether the form was not sent yet, so that defaults are filled in.
    is_new: bool,
}

/// A choice that was loaded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picked {
    pub(super) value: Value,
    pub(super) label: String,
}

impl Picked {
    /// As the value of an option.
    pub(super) fn text(value: &Value, label: &str) -> String {
        serde_json::json!([value, label]).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        let (value, label) = serde_json::from_str(text).ok()?;
        Some(Self { value, label })
    }
}

impl Entered {
    /// A form that nobody has filled in.
    pub(super) fn new() -> Self {
        Self { values: BTreeMap::new(), is_new: true }
    }

    pub(super) fn of(pairs: &[(String, String)]) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            values.entry(name.clone()).or_default().push(value.clone());
        }
        Self { values, is_new: false }
    }

    /// A field of the page that is not one of the form.
    pub(super) fn plain(&self, name: &str) -> &str {
        self.values.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    fn all(&self, kind: char, at: &str) -> &[String] {
        self.values.get(&format!("{kind}{at}")).map_or(&[], Vec::as_slice)
    }

    fn first(&self, kind: char, at: &str) -> &str {
        self.all(kind, at).first().map_or("", String::as_str)
    }

    /// Entered text, without surrounding whitespace.
    pub(super) fn text(&self, at: &str) -> &str {
        self.first('p', at).trim()
    }

    pub(super) fn search(&self, at: &str) -> &str {
        self.first('s', at).trim()
    }

    /// The choices of a field that were loaded and chosen.
    fn picked(&self, at: &str) -> Vec<Picked> {
        self.all('o', at).iter().filter_map(|text| Picked::read(text)).collect()
    }

    fn is_null(&self, at: &str) -> bool {
        !self.all('z', at).is_empty()
    }

    fn rows(&self, at: &str) -> usize {
        self.first('n', at).parse().unwrap_or(0).min(MOST_ROWS)
    }

    fn variant(&self, at: &str) -> Option<usize> {
        self.first('v', at).parse().ok()
    }

    /// Whether anything was entered at a place or below it.
    fn has(&self, at: &str) -> bool {
        self.values.iter().any(|(name, values)| {
            let kind = name.chars().next();
            let place = kind.map_or("", |kind| &name[kind.len_utf8()..]);
            let below = place.strip_prefix(at);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
                && kind != Some('s')
                && values.iter().any(|value| match kind {
                    Some('n') => value != "0",
                    _ => !value.trim().is_empty(),
                })
        })
    }

    /// Adds a row to a list.
    pub(super) fn add_row(&mut self, at: &str) {
        let rows = (self.rows(at) + 1).min(MOST_ROWS);
        self.values.insert(format!("n{at}"), vec![rows.to_string()]);
    }

    /// Removes a row of a list. The rows behind it move up.
    pub(super) fn remove_row(&mut self, at: &str, row: usize) {
        let rows = self.rows(at);
        if row >= rows {
            return;
        }
        let values = std::mem::take(&mut self.values);
        for (name, value) in values {
            let kind = name.chars().next().map_or(0, char::len_utf8);
            let rest = name[kind..].strip_prefix(at).and_then(|rest| rest.strip_prefix('/'));
            let index = rest.and_then(|rest| {
                let (index, below) = rest
                    .split_once('/')
                    .map_or((rest, ""), |(index, _)| (index, &rest[index.len()..]));
                Some((index.parse::<usize>().ok()?, below))
            });
            let name = match index {
                Some((index, _)) if index == row => continue,
                Some((index, below)) if index > row => {
                    format!("{}{at}/{}{below}", &name[..kind], index - 1)
                }
                _ => name,
            };
            self.values.insert(name, value);
        }
        self.values.insert(format!("n{at}"), vec![(rows - 1).to_string()]);
    }

    /// Lets a field with loaded choices be typed again.
    pub(super) fn type_instead(&mut self, at: &str) {
        if let Some(picked) = self.picked(at).first() {
            let text =
                picked.value.as_str().map_or_else(|| picked.value.to_string(), str::to_owned);
            self.values.insert(format!("p{at}"), vec![text]);
        }
        self.values.remove(&format!("o{at}"));
        self.values.remove(&format!("s{at}"));
    }
}

/// A place below another.
fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// How a value is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    /// One of the values of the field.
    OneOf,
    Object,
    /// A list of objects.
    Rows,
    /// A list of texts, numbers, or values of the field.
    List,
    /// JSON text.
    Json,
    /// JSON text, or any other text unchanged.
    Any,
}

/// Whether the variants say more than which fields are required.
fn has_variants(variants: &[Variant]) -> bool {
    variants.iter().any(|one| !one.fields.is_empty())
}

fn kind(field: &Field) -> Kind {
    let is_object = !field.fields.is_empty() || has_variants(&field.variants);
    match (field.is_list, is_object) {
        (true, true) => return Kind::Rows,
        (false, true) => return Kind::Object,
        (true, false) => {
            let is_scalar = match field.main_element_type() {
                Some(one) => matches!(one, "string" | "integer" | "number" | "boolean"),
                None => !field.values.is_empty() || field.options.is_some(),
            };
            return if is_scalar { Kind::List } else { Kind::Json };
        }
        (false, false) => {}
    }
    if !field.values.is_empty() {
        return Kind::OneOf;
    }
    match field.main_type() {
        Some("string") => Kind::Text,
        Some("integer" | "number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some(_) => Kind::Json,
        None => Kind::Any,
    }
}

fn is_nullable(field: &Field) -> bool {
    field.types.len() > 1 && field.types.iter().any(|one| one == "null")
}

/// The field at a place, as far as the form shows it.
pub(super) fn field_at<'a>(form: &'a Form, entered: &Entered, at: &str) -> Option<&'a Field> {
    let mut fields: Vec<&Field> = of_members(&form.fields, &form.variants, entered, "");
    let mut way = String::new();
    let mut segments = at.strip_prefix('/')?.split('/').peekable();
    loop {
        let segment = segments.next()?;
        way = format!("{way}/{segment}");
        let field = fields.into_iter().find(|field| below("", &field.name)[1..] == *segment)?;
        if segments.peek().is_none() {
            return Some(field);
        }
        if kind(field) == Kind::Rows {
            way = format!("{way}/{}", segments.next()?);
        }
        fields = of_members(&field.fields, &field.variants, entered, &way);
    }
}

fn of_members<'a>(
    fields: &'a [Field],
    variants: &'a [Variant],
    entered: &Entered,
    at: &str,
) -> Vec<&'a Field> {
    let chosen = entered.variant(at).and_then(|index| variants.get(index));
    fields.iter().chain(chosen.into_iter().flat_map(|variant| &variant.fields)).collect()
}

/// Whether a form has a field for a secret.
pub(super) fn has_secrets(fields: &[Field], variants: &[Variant]) -> bool {
    let mut all = fields.iter().chain(variants.iter().flat_map(|variant| &variant.fields));
    all.any(|field| field.is_secret || has_secrets(&field.fields, &field.variants))
}

/// Leaves out what was typed into fields for secrets.
pub(super) fn without_secrets(parameters: &mut Map<String, Value>, fields: &[Field]) {
    for field in fields {
        if field.is_secret {
            parameters.remove(&field.name);
            continue;
        }
        let inner = || field.fields.iter().chain(field.variants.iter().flat_map(|one| &one.fields));
        let inner: Vec<Field> = inner().cloned().collect();
        match parameters.get_mut(&field.name) {
            Some(Value::Object(members)) => without_secrets(members, &inner),
            Some(Value::Array(list)) => {
                for members in list.iter_mut().filter_map(Value::as_object_mut) {
                    without_secrets(members, &inner);
                }
            }
            _ => {}
        }
    }
}

/// The label of a field.
fn title_of(field: &Field) -> &str {
    if field.title.is_empty() { &field.name } else { &field.title }
}

/// A value as a person reads it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Form {
        let schema = json!({
            "required": ["title", "urgency"],
            "x-ui": {"order": ["title"]},
            "properties": {
                "title": {"type": "string", "title": "Title <b>", "description": "What \"it\" is."},
                "urgency": {"enum": ["high", "low"], "default": "high"},
                "count": {"type": "integer", "minimum": 1, "maximum": 9},
                "open": {"type": "boolean"},
                "note": {"type": ["string", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "sizes": {"type": "array", "items": {"type": "integer"}},
                "days": {"type": "array", "items": {"enum": ["mon", "tue"]}},
                "service": {"type": "string", "x-ui": {"options": true}},
                "body": {"type": "object", "required": ["text"], "properties": {
                    "text": {"type": "string"}, "a/b~c": {"type": "string"}}},
                "extra": {"type": "object"},
                "any": {},
                "key": {"type": "string", "writeOnly": true},
                "rules": {"type": "array", "items": {"x-ui": {"discriminator": "kind"}, "oneOf": [
                    {"title": "Email", "properties": {"kind": {"const": "email"},
                        "to": {"type": "string", "format": "email"}}, "required": ["kind", "to"]},
                    {"title": "Call", "properties": {"kind": {"enum": ["sms", "phone"]},
                        "number": {"type": "integer"}}, "required": ["kind", "number"]},
                ]}},
            },
        });
        Form::new(&schema, &Map::new())
    }

    fn entered(pairs: &[(&str, &str)]) -> Entered {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Entered::of(&pairs.iter().map(owned).collect::<Vec<_>>())
    }

    fn read(pairs: &[(&str, &str)]) -> (Value, Vec<(String, String)>) {
        let read = Read::of(&form(), &entered(pairs));
        (Value::Object(read.parameters), read.problems)
    }

    #[test]
    fn entered_values_become_parameters_of_the_types_of_the_form() {
        let (parameters, problems) = read(&[
            ("p/title", " Disk full "),
            ("p/urgency", "\"low\""),
            ("p/count", "7"),
            ("p/open", "false"),
            ("z/note", "on"),
            ("p/tags", "a\r\n\r\n b \n"),
            ("p/sizes", "1\n2\nx"),
            ("p/days", "\"mon\""),
            ("p/days", "\"tue\""),
            ("o/service", "[\"PSVC1\",\"Checkout\"]"),
            ("p/body/text", "t"),
            ("p/body/a~1b~0c", "u"),
            ("p/extra", "{\"x\": [1]}"),
            ("p/any", "5"),
            ("n/rules", "2"),
            ("v/rules/0", "0"),
            ("p/rules/0/to", "ada@example.com"),
            ("v/rules/1", "1"),
            ("p/rules/1/kind", "\"phone\""),
            ("p/rules/1/number", "42"),
        ]);
        assert_eq!(problems, []);
        let expected = json!({
            "title": "Disk full", "urgency": "low", "count": 7, "open": false, "note": null,
            "tags": ["a", "b"], "sizes": [1, 2, "x"], "days": ["mon", "tue"], "service": "PSVC1",
            "body": {"text": "t", "a/b~c": "u"}, "extra": {"x": [1]}, "any": 5,
            "rules": [{"kind": "email", "to": "ada@example.com"}, {"kind": "phone", "number": 42}],
        });
        assert_eq!(parameters, expected);
    }

    #[test]
    fn a_form_that_is_filled_in_is_read_as_it_was() {
        let parameters = json!({
            "title": "Disk full", "urgency": "low", "count": 7, "open": false, "note": null,
            "tags": ["a", "b"], "sizes": [1, 2], "days": ["mon", "tue"], "service": "PSVC1",
            "body": {"text": "t", "a/b~c": "u"}, "extra": {"x": [1]}, "any": "5",
            "rules": [{"kind": "email", "to": "ada@example.com"}, {"kind": "phone", "number": 42}],
        });
        let entered = Entered::filled(&form(), parameters.as_object().unwrap());
        let read = Read::of(&form(), &entered);
        assert_eq!(read.problems, []);
        assert_eq!(Value::Object(read.parameters), parameters);
    }

    #[test]
    fn blank_fields_are_omitted_and_required_ones_are_demanded() {
        let (parameters, problems) =
            read(&[("p/title", "  "), ("p/urgency", ""), ("p/body/text", ""), ("n/rules", "0")]);
        assert_eq!(parameters, json!({"urgency": "high"}), "a default is what the form shows");
        let places: Vec<&str> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["/title"]);
        // A partly filled-in object must be complete.
        let (_, problems) = read(&[
            ("p/title", "t"),
            ("p/urgency", "\"low\""),
            ("p/body/a~1b~0c", "u"),
            ("p/extra", "{"),
            ("n/rules", "1"),
        ]);
        let places: Vec<&str> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["/body/text", "/extra", "/rules/0"]);
        let (parameters, _) = read(&[("p/urgency", "\"gone\""), ("p/count", "many")]);
        assert_eq!(parameters, json!({"urgency": "gone", "count": "many"}), "judged by the schema");
    }

    #[test]
    fn a_required_list_may_be_empty_unless_the_schema_forbids_it() {
        let schema = json!({
            "required": ["names", "rows", "some"],
            "properties": {
                "names": {"type": "array", "items": {"type": "string"}},
                "rows": {"type": "array", "items": {"properties": {"id": {"type": "string"}}}},
                "some": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            },
        });
        let read = Read::of(&Form::new(&schema, &Map::new()), &Entered::default());
        assert_eq!(Value::Object(read.parameters), json!({"names": [], "rows": []}));
        assert_eq!(read.problems, [("/some".to_owned(), "Fill in this field.".to_owned())]);
    }

    #[test]
    fn rows_are_added_and_removed_with_all_that_is_in_them() {
        let mut entered = entered(&[
            ("n/rules", "3"),
            ("p/rules/0/to", "a"),
            ("p/rules/1/to", "b"),
            ("v/rules/2", "1"),
            ("p/rules/2/to", "c"),
            ("p/rules2/1/to", "other"),
        ]);
        entered.remove_row("/rules", 1);
        assert_eq!(entered.rows("/rules"), 2);
        assert_eq!(entered.text("/rules/0/to"), "a");
        assert_eq!(entered.text("/rules/1/to"), "c");
        assert_eq!(entered.variant("/rules/1"), Some(1));
        assert_eq!(entered.text("/rules2/1/to"), "other");
        entered.remove_row("/rules", 7);
        entered.add_row("/rules");
        assert_eq!(entered.rows("/rules"), 3);
        assert_eq!(entered.text("/rules/2/to"), "");
        assert!(entered.has("/rules") && !entered.has("/rule"));
    }

    #[test]
    fn a_field_is_found_by_its_place_and_secrets_are_left_out_of_queries() {
        let form = form();
        let entered = entered(&[("n/rules", "2"), ("v/rules/1", "1")]);
        let name = |at: &str| field_at(&form, &entered, at).map(|field| field.name.as_str());
        assert_eq!(name("/service"), Some("service"));
        assert_eq!(name("/body/a~1b~0c"), Some("a/b~c"));
        assert_eq!(name("/rules/1/number"), Some("number"));
        for none in ["", "/", "/nosuch", "/body/x", "/rules/0/to", "/rules", "/title/x", "x"] {
            assert_eq!(name(none).filter(|_| none != "/rules"), None, "{none}");
        }
        let mut parameters = json!({"key": "secret", "title": "t"}).as_object().unwrap().clone();
        without_secrets(&mut parameters, &form.fields);
        assert_eq!(Value::Object(parameters), json!({"title": "t"}));
    }

    #[test]
    fn a_form_is_rendered_with_labels_hints_and_messages_at_their_fields() {
        let form = form();
        let entered = entered(&[("p/title", "<i>"), ("n/rules", "1"), ("v/rules/0", "0")]);
        let problems = vec![
            ("/count".to_owned(), "must be <small>".to_owned()),
            ("".to_owned(), "one of them".to_owned()),
            ("/nosuch/field".to_owned(), "is not allowed".to_owned()),
        ];
        let secrets = ["hook-password".to_owned()];
        let shown = Shown::new(&entered, &problems, None, false).secrets(&secrets);
        let html = shown.summary(&form).into_string() + &shown.form(&form).into_string();
        for part in [
            "<label for=\"p/title\">Title &lt;b&gt;",
            "What &quot;it&quot; is.",
            "value=\"&lt;i&gt;\"",
            "aria-describedby=\"p/count-hint p/count-error\"",
            "id=\"p/count-error\"",
            "must be &lt;small&gt;",
            "aria-invalid=\"true\"",
            "1 to 9",
            "name=\"p/rules/0/to\"",
            "value=\"add:/rules\"",
            "value=\"remove:/rules/0\"",
            "value=\"load:/service\"",
            "<option value=\"secret:hook-password\">",
            "one of them",
            "/nosuch/field",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("name=\"p/rules/0/kind\""), "the variant decides: {html}");
        assert!(!html.contains("<small>") && !html.contains("<i>"), "{html}");
        // Every control has a label.
        for id in html.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]) {
            let is_other = ["-hint", "-error", "-known"].iter().any(|ending| id.ends_with(ending));
            let is_control = id.starts_with("p/") && !is_other;
            let is_named = html.contains(&format!("for=\"{id}\""))
                || html.contains(&format!("<fieldset id=\"{id}\""));
            assert!(!is_control || is_named, "{id}: {html}");
        }
    }

    #[test]
    fn a_new_form_has_its_defaults_and_loaded_choices_are_offered() {
        let form = form();
        let html = Shown::new(&Entered::new(), &[], None, true).form(&form).into_string();
        assert!(html.contains("<option value=\"&quot;high&quot;\" selected>"), "{html}");
        assert!(html.contains("type=\"password\""), "a secret itself may be typed: {html}");
        assert!(has_secrets(&form.fields, &form.variants) && !has_secrets(&[], &[]));
        let choices = Choices {
            at: "/service".into(),
            list: vec![(Picked { value: json!("P1"), label: "A & B".into() }, None)],
            has_more: true,
            problem: None,
        };
        let html = Shown::new(&entered(&[]), &[], Some(&choices), true).form(&form).into_string();
        assert!(html.contains("A &amp; B") && html.contains("name=\"o/service\""), "{html}");
        assert!(html.contains("name=\"s/service\""), "{html}");
    }
}
