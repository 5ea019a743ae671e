//! Forms and records, resolved from their JSON Schemas: for engines, terminals, and reference pages
//! alike. How they are shown is not decided here.

mod schema;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::{Action, CredentialType, Trigger};
use schema::{properties, required, resolved, text, type_in_words};

/// Objects inside of objects are read up to so many levels; a schema may refer to itself.
const DEPTH: u8 = 8;

/// More fields of one form are not read.
const MOST_FIELDS: usize = 50_000;

/// A larger bound of a number bounds nothing.
const UNBOUNDED: i64 = 1_000_000_000;

/// A form to fill in, or a record to read, with fields in display order. All references of its
/// schema are resolved.
///
/// ```
/// use serde_json::{Map, json};
/// use workflow_node_host::description::Form;
///
/// let schema = json!({
///     "type": "object",
///     "required": ["service"],
///     "properties": {
///         "note": {"type": "string", "title": "Note"},
///         "service": {"$ref": "#/$defs/service"},
///     },
///     "x-ui": {"order": ["service", "note"]},
/// });
/// let shared = json!({"service": {"type": "string", "title": "Service", "x-ui": {"options": true}}});
/// let form = Form::new(&schema, shared.as_object().unwrap_or(&Map::new()));
/// assert_eq!(form.fields[0].name, "service");
/// assert!(form.fields[0].is_required);
/// assert_eq!(form.fields[0].options.as_ref().map(|call| call.parameter.as_str()), Some("service"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Form {
    /// Title. Empty if the schema has none.
    pub title: String,
    /// Description. Empty if the schema has none.
    pub description: String,
    /// Its type in words, for example `object` or `string or null`.
    pub type_in_words: String,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// Alternatives: exactly one of these applies, in addition to `fields`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// The field whose value decides which variant it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<String>,
    /// Whether fields are left out, because there are too many, or they are nested too deeply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// One field of a form, or one member of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Field {
    /// Name of the parameter.
    pub name: String,
    /// Label. Empty where the schema says nothing.
    pub title: String,
    /// Description of the field. Empty if the schema has none.
    pub description: String,
    /// The type in words, without its values: `string`, `list of integer`.
    pub type_in_words: String,
    /// JSON types that it may have (`string`, `null`, …). Empty where the schema allows any.
    pub types: Vec<String>,
    /// JSON types that each element may have, where it is a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub element_types: Vec<String>,
    /// Format of a string, such as `date-time` or `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether it must be filled in.
    pub is_required: bool,
    /// Value of the field if it is omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// All values that it, or each of its elements, can have. Empty: it is not limited to a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// Values that are known, where others are possible as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_values: Vec<Value>,
    /// Least and greatest value, length, and number of elements.
    pub bounds: Bounds,
    /// How to ask for its choices, where a node can list them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<OptionsCall>,
    /// How the referenced object can be identified: `id`, `name`, `address`, or other words of the
    /// node. Empty if the field is not a reference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<String>,
    /// Whether it, or each of its elements, is a secret: not shown, not logged, stored apart.
    pub is_secret: bool,
    /// Whether it is a text of several lines.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_multiline: bool,
    /// Whether `fields` and `variants` are those of each element of a list.
    pub is_list: bool,
    /// Fields of the object that it is, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Alternatives of the object: exactly one of these applies, in addition to `fields`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// The field of the variants whose value decides which of them it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<String>,
}

/// One of several forms that an object can have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Variant {
    /// Label. Empty where the schema says nothing.
    pub title: String,
    /// Description. Empty if the schema has none.
    pub description: String,
    /// Its type in words.
    pub type_in_words: String,
    /// Values of the discriminator that choose this variant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// Names of the fields next to the variants that must not be given with this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Names of the fields next to the variants that are required with this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
}

/// How the choices of a field are asked for; see [`Plugin::load_options`](crate::Plugin::load_options).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OptionsCall {
    /// The `parameter` of the query: the names on the way to the field, joined by `/`, without places
    /// in lists.
    pub parameter: String,
    /// Name of a field beside it that decides what it refers to. Ask again when that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<String>,
}

/// Least and greatest, as the schema limits a field.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bounds {
    /// Least number, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// Greatest number, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// Least number of characters, elements, or members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// Greatest number of characters, elements, or members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// Regular expression that a string matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

impl Field {
    /// Least and greatest in words, such as `1 to 100` or `at most 20 characters`. Empty where there is
    /// none.
    pub fn bounds_in_words(&self) -> String {
        let number = |number: &Option<Number>| number.as_ref().and_then(Number::as_i64);
        let least = number(&self.bounds.minimum).filter(|least| *least > -UNBOUNDED);
        let most = number(&self.bounds.maximum).filter(|most| *most < UNBOUNDED);
        match (least, most, self.bounds.most) {
            (Some(least), Some(most), _) => format!("{least} to {most}"),
            (Some(least), None, _) => format!("{least} or more"),
            (None, Some(most), _) => format!("at most {most}"),
            (None, None, Some(most)) => format!("at most {most} {}", self.counted()),
            (None, None, None) => String::new(),
        }
    }

    /// Unit in which a bound on its size is counted.
    fn counted(&self) -> &'static str {
        let is = |name: &str| self.types.iter().any(|one| one == name);
        match () {
            () if is("array") => "elements",
            () if is("object") => "members",
            () => "characters",
        }
    }

    /// The constraints of the field as text, in addition to its type and description.
    pub fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if self.is_required {
            facts.push("required".to_owned());
        }
        if self.is_secret {
            facts.push("secret".to_owned());
        }
        let bounds = self.bounds_in_words();
        facts.extend((!bounds.is_empty()).then_some(bounds));
        facts.extend(self.default.iter().map(|default| format!("default {default}")));
        facts
    }

    /// A JSON type other than `null` that it may have; `None` where any is allowed.
    pub fn main_type(&self) -> Option<&str> {
        main_type(&self.types)
    }

    /// As [`Field::main_type`], of each element of a list.
    pub fn main_element_type(&self) -> Option<&str> {
        main_type(&self.element_types)
    }
}

fn main_type(types: &[String]) -> Option<&str> {
    types.iter().map(String::as_str).find(|one| *one != "null")
}

impl Form {
    /// Resolves a schema; `shared` are the node's shared schemas, which `#/$defs/NAME` refers to. Takes
    /// time with its size.
    pub fn new(schema: &Value, shared: &Map<String, Value>) -> Self {
        let mut shared = shared.clone();
        shared.extend(own(schema));
        Reading { shared: &shared, left: MOST_FIELDS, is_cut: false }.form(schema)
    }

    /// The form of an action's parameters.
    pub fn of_action(action: &Action, shared: &Map<String, Value>) -> Self {
        Self::new(&action.parameters, shared)
    }

    /// The form of a trigger's parameters.
    pub fn of_trigger(trigger: &Trigger, shared: &Map<String, Value>) -> Self {
        Self::new(&trigger.parameters, shared)
    }

    /// The form of a credential type. Its secrets are stored apart from its other fields.
    pub fn of_credential_type(credential_type: &CredentialType) -> Self {
        Self::new(&credential_type.fields, &Map::new())
    }

    /// The forms that a record may have: one, or the alternatives of its schema.
    pub fn alternatives(schema: &Value, shared: &Map<String, Value>) -> Vec<Self> {
        alternatives(schema).into_iter().map(|one| Self::new(one, shared)).collect()
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Parameters in the order of the form. Those that are not in the form come last.
    pub fn in_order(&self, parameters: &Value) -> Value {
        let Some(members) = parameters.as_object() else {
            return parameters.clone();
        };
        let place = |name: &str| {
            let place = self.fields.iter().position(|field| field.name == name);
            place.unwrap_or(self.fields.len())
        };
        let mut list: Vec<(&String, &Value)> = members.iter().collect();
        list.sort_by_key(|(name, _)| place(name));
        list.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The first field that has choices, nested ones included.
    pub fn first_with_choices(&self) -> Option<&OptionsCall> {
        fn first(fields: &[Field]) -> Option<&OptionsCall> {
            fields.iter().find_map(|field| field.options.as_ref().or_else(|| first(&field.fields)))
        }
        first(&self.fields)
    }
}

/// Schemas that a schema brings along.
fn own(schema: &Value) -> Map<String, Value> {
    schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The alternatives of a schema; itself where it has none.
pub fn alternatives(schema: &Value) -> Vec<&Value> {
    branches(schema).map_or_else(|| vec![schema], |list| list.iter().collect())
}

fn branches(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

/// Reads one form.
struct Reading<'a> {
    shared: &'a Map<String, Value>,
    /// Fields that may still be read.
    left: usize,
    is_cut: bool,
}

impl Reading<'_> {
    fn form(&mut self, schema: &Value) -> Form {
        let target = resolved(schema, self.shared);
        let discriminator = discriminator(target);
        Form {
            title: text(target, "title").to_owned(),
            description: text(target, "description").to_owned(),
            type_in_words: type_in_words(schema, self.shared),
            fields: self.members(schema, "", DEPTH),
            variants: self.variants(target, discriminator.as_deref(), "", DEPTH),
            discriminator,
            is_cut: self.is_cut,
        }
    }

    /// `way`: the names on the way to the object.
    fn members(&mut self, schema: &Value, way: &str, depth: u8) -> Vec<Field> {
        let properties = properties(schema, self.shared);
        if depth == 0 || properties.len() > self.left {
            self.is_cut |= !properties.is_empty();
            return Vec::new();
        }
        self.left -= properties.len();
        let required = required(resolved(schema, self.shared));
        properties
            .into_iter()
            .filter(|(_, property)| !is_excluded(property))
            .map(|(name, property)| {
                let is_required = required.contains(&name.as_str());
                self.field(name, is_required, &property, way, depth)
            })
            .collect()
    }

    fn variants(
        &mut self,
        schema: &Value,
        discriminator: Option<&str>,
        way: &str,
        depth: u8,
    ) -> Vec<Variant> {
        let Some(branches) = branches(schema) else { return Vec::new() };
        let is_null = |one: &&Value| one.get("type") == Some(&Value::from("null"));
        let mut variants = Vec::new();
        for branch in branches.iter().filter(|one| !is_null(one)) {
            let target = resolved(branch, self.shared);
            let own = properties(branch, self.shared);
            let chooses = discriminator.map(|name| {
                let property = own.iter().find(|(one, _)| one == name);
                property.map(|(_, property)| constants(property)).unwrap_or_default()
            });
            let is_own = |name: &&str| own.iter().any(|(one, _)| one == name);
            let excluded = own.iter().filter(|(_, property)| is_excluded(property));
            variants.push(Variant {
                excluded: excluded.map(|(name, _)| name.clone()).collect(),
                required: required(target)
                    .into_iter()
                    .filter(|name| !is_own(name))
                    .map(str::to_owned)
                    .collect(),
                title: text(target, "title").to_owned(),
                description: text(target, "description").to_owned(),
                type_in_words: type_in_words(branch, self.shared),
                values: chooses.unwrap_or_default(),
                fields: self.members(branch, way, depth),
            });
        }
        variants
    }

    fn field(
        &mut self,
        name: String,
        is_required: bool,
        property: &Value,
        way: &str,
        depth: u8,
    ) -> Field {
        let shared = self.shared;
        let items = property.get("items").map(|items| resolved(items, shared));
        let inner = items.unwrap_or(property);
        let hint = |name: &str| {
            property
                .pointer(&format!("/x-ui/{name}"))
                .or_else(|| inner.pointer(&format!("/x-ui/{name}")))
        };
        let way = if way.is_empty() { name.clone() } else { format!("{way}/{name}") };
        let has_options = hint("options") == Some(&Value::Bool(true));
        let depends_on = hint("depends_on").and_then(Value::as_str).map(str::to_owned);
        let size = |names: [&str; 3]| {
            names.iter().find_map(|name| property.get(*name).and_then(Value::as_u64))
        };
        let number = |name: &str| property.get(name).and_then(Value::as_number).cloned();
        let discriminator = discriminator(inner);
        Field {
            title: text(property, "title").to_owned(),
            description: text(property, "description").to_owned(),
            type_in_words: kind(property, shared),
            types: types(property),
            element_types: items.map(types).unwrap_or_default(),
            format: inner.get("format").and_then(Value::as_str).map(str::to_owned),
            is_required,
            default: property.get("default").cloned(),
            values: list(inner, "enum"),
            known_values: list(inner, "examples"),
            bounds: Bounds {
                minimum: number("minimum"),
                maximum: number("maximum"),
                least: size(["minItems", "minLength", "minProperties"]),
                most: size(["maxItems", "maxLength", "maxProperties"]),
                pattern: property.get("pattern").and_then(Value::as_str).map(str::to_owned),
            },
            options: has_options.then(|| OptionsCall { parameter: way.clone(), depends_on }),
            accepts: hint("accepts").map(texts).unwrap_or_default(),
            is_secret: is_secret(property),
            is_multiline: hint("multiline") == Some(&Value::Bool(true)),
            is_list: items.is_some(),
            fields: self.members(inner, &way, depth - 1),
            variants: match depth {
                1 => Vec::new(),
                depth => self.variants(inner, discriminator.as_deref(), &way, depth - 1),
            },
            discriminator,
            name,
        }
    }
}

/// Whether the schema of a property accepts no value.
fn is_excluded(property: &Value) -> bool {
    property == &Value::Bool(false)
}

fn discriminator(schema: &Value) -> Option<String> {
    schema.pointer("/x-ui/discriminator").and_then(Value::as_str).map(str::to_owned)
}

/// The values that a schema fixes.
fn constants(schema: &Value) -> Vec<Value> {
    match schema.get("const") {
        Some(value) => vec![value.clone()],
        None => list(schema, "enum"),
    }
}

/// JSON types by name.
fn types(schema: &Value) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(names) => texts(names),
        None => Vec::new(),
    }
}

/// Whether it is a secret, or a list or map of them.
fn is_secret(property: &Value) -> bool {
    let parts = ["items", "additionalProperties"].iter().filter_map(|part| property.get(part));
    let is = |schema: &Value| {
        schema.get("writeOnly") == Some(&Value::Bool(true)) || schema.get("x-secret").is_some()
    };
    std::iter::once(property).chain(parts).any(is)
}

/// The type, where values are listed beside it.
fn kind(property: &Value, shared: &Map<String, Value>) -> String {
    let mut plain = property.clone();
    let mut items = property.get("items").map(|items| resolved(items, shared).clone());
    for schema in [Some(&mut plain), items.as_mut()].into_iter().flatten() {
        if let Some(members) = schema.as_object_mut()
            && members.contains_key("type")
        {
            members.remove("enum");
        }
    }
    if let (Some(members), Some(items)) = (plain.as_object_mut(), items) {
        members.insert("items".to_owned(), items);
    }
    type_in_words(&plain, shared)
}

fn list(schema: &Value, member: &str) -> Vec<Value> {
    schema.get(member).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn texts(list: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    list.as_array().into_iter().flatten().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_says_all_that_is_needed_to_fill_it_in() {
        let schema = json!({
            "required": ["level"],
            "properties": {
                "level": {"type": "integer", "minimum": 1, "maximum": 9, "title": "Level"},
                "urgencies": {"type": "array", "items": {"type": "string", "enum": ["high", "low"]}},
                "service": {"type": "string", "x-ui": {"options": true, "accepts": ["id", "name"]}},
                "key": {"type": "string", "writeOnly": true, "default": "x", "maxLength": 10},
                "kinds": {"type": "array", "items": {"type": "string", "examples": ["a"]}},
                "note": {"type": "string", "x-ui": {"multiline": true}},
                "logins": {"type": "object",
                    "additionalProperties": {"type": "string", "writeOnly": true}},
            },
        });
        let form = Form::new(&schema, &Map::new());
        let field = |name: &str| form.field(name).unwrap();
        assert_eq!(field("level").facts(), ["required", "1 to 9"]);
        assert_eq!(field("urgencies").type_in_words, "list of string");
        assert_eq!(field("urgencies").values, ["high", "low"]);
        assert_eq!(field("service").options.as_ref().unwrap().parameter, "service");
        assert_eq!(field("service").accepts, ["id", "name"]);
        assert_eq!(field("key").facts(), ["secret", "at most 10 characters", "default \"x\""]);
        assert!(field("note").is_multiline && !field("key").is_multiline);
        assert_eq!(field("kinds").known_values, ["a"]);
        assert_eq!(field("logins").facts(), ["secret"]);
    }

    #[test]
    fn objects_have_their_fields_however_deep_and_a_schema_may_refer_to_itself() {
        let shared = json!({"node": {"type": "object", "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        }}});
        let schema = json!({"properties": {"root": {"$ref": "#/$defs/node"}}});
        let form = Form::new(&schema, shared.as_object().unwrap());
        let fields = &form.fields;
        assert!(form.is_cut);
        assert_eq!(fields[0].type_in_words, "object");
        assert!(!fields[0].is_list);
        assert_eq!(fields[0].fields[0].name, "children");
        assert!(fields[0].fields[0].is_list);
        assert_eq!(fields[0].fields[0].fields[0].name, "children");
    }

    #[test]
    fn a_record_may_have_several_forms() {
        let shared = json!({"user": {"type": "object", "title": "User", "properties": {"id": {}}}});
        let shared = shared.as_object().unwrap();
        let schema = json!({"anyOf": [
            {"$ref": "#/$defs/user"},
            {"type": "object", "properties": {"flat": {"type": "string"}}},
        ]});
        let records = Form::alternatives(&schema, shared);
        assert_eq!(records[0].title, "User");
        assert_eq!(records[1].fields[0].name, "flat");
    }

    #[test]
    fn variants_have_a_selecting_value_and_separate_fields() {
        let shared = json!({"email": {"title": "Email", "type": "object", "required": ["to"],
            "properties": {"kind": {"const": "email"}, "to": {"type": "string", "format": "email"}}}});
        let schema = json!({"properties": {"channels": {"type": "array", "items": {
            "x-ui": {"discriminator": "kind"},
            "oneOf": [
                {"$ref": "#/$defs/email"},
                {"properties": {"kind": {"enum": ["sms", "phone"]},
                    "user": {"type": "string", "x-ui": {"options": true, "depends_on": "kind"}}}},
                {"type": "null"},
            ],
        }}}});
        let form = Form::new(&schema, shared.as_object().unwrap());
        let channels = form.field("channels").unwrap();
        assert!(channels.is_list);
        assert_eq!(channels.discriminator.as_deref(), Some("kind"));
        let [email, other] = channels.variants.as_slice() else { panic!("{channels:?}") };
        assert_eq!((email.title.as_str(), &email.values), ("Email", &vec![json!("email")]));
        assert!(email.fields[1].is_required);
        assert_eq!(email.fields[1].format.as_deref(), Some("email"));
        assert_eq!(other.values, [json!("sms"), json!("phone")]);
        let options = other.fields[1].options.as_ref().unwrap();
        assert_eq!(options.parameter, "channels/user");
        assert_eq!(options.depends_on.as_deref(), Some("kind"));
    }

    #[test]
    fn variants_name_the_fields_that_they_exclude_and_require() {
        let schema = json!({
            "properties": {
                "kind": {"type": "string", "enum": ["script", "job"]},
                "script": {"type": "string"}, "job_id": {"type": "string"},
            },
            "oneOf": [
                {"properties": {"kind": {"const": "script"}, "job_id": false},
                    "required": ["kind", "script"]},
                {"properties": {"kind": {"const": "job"}, "script": false}, "required": ["kind"]},
            ],
            "x-ui": {"discriminator": "kind"},
        });
        let form = Form::new(&schema, &Map::new());
        let [script, job] = form.variants.as_slice() else { panic!("{form:?}") };
        assert_eq!(
            (&script.excluded, &script.required),
            (&vec!["job_id".into()], &vec!["script".into()])
        );
        assert_eq!((&job.excluded, job.required.len()), (&vec!["script".to_owned()], 0));
        let names: Vec<&str> = script.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["kind"]);
    }

    #[test]
    fn no_reference_is_left_in_a_form() {
        let shared = json!({"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}},
            "b": {"type": "array", "items": {"$ref": "#/$defs/a"}}});
        let schema = json!({"properties": {"x": {"$ref": "#/$defs/b"}}});
        let form = Form::new(&schema, shared.as_object().unwrap());
        assert!(!serde_json::to_string(&form).unwrap().contains("$ref"));
    }

    #[test]
    fn a_form_that_refers_to_itself_many_times_is_cut() {
        let children: Map<String, Value> =
            (0..20).map(|n| (format!("m{n}"), json!({"$ref": "#/$defs/wide"}))).collect();
        let shared = json!({"wide": {"type": "object", "properties": children}});
        let schema = json!({"$ref": "#/$defs/wide"});
        let form = Form::new(&schema, shared.as_object().unwrap());
        assert!(form.is_cut);
        assert_eq!(form.fields.len(), 20);
    }
}
