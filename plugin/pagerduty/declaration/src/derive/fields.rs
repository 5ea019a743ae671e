//! Parameters from the fields of an operation.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pagerduty_facts::{Basic, Field, Variant};
use workflow_node_sdk::declare::{Kind, Literal, Param, Place};

use super::words::{Results, Words};

/// Members that PagerDuty adds to every object.
const OF_EVERY_RECORD: [&str; 3] = ["self", "html_url", "summary"];

/// The types of targets if the facts do not list them.
const SERVICE_KINDS: [&str; 6] = [
    "service",
    "service_reference",
    "technical_service",
    "technical_service_reference",
    "business_service",
    "business_service_reference",
];

/// Keeps a value until the build ends.
pub(crate) fn keep<T>(value: T) -> &'static T {
    &*Box::leak(Box::new(value))
}

pub(crate) fn keep_text(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

pub(crate) fn keep_texts(texts: &[String]) -> &'static [&'static str] {
    texts.iter().map(|text| keep_text(text)).collect::<Vec<_>>().leak()
}

/// The context in which the parameters of one operation are built.
pub(super) struct Maker<'a> {
    pub(super) action: &'a str,
    /// The kind of record, in words.
    pub(super) noun: String,
    /// The words of the action, its resource, and all resources, in this order.
    pub(super) words: [&'a BTreeMap<String, Words>; 3],
    /// The words that were used, each with its level.
    pub(super) used: &'a RefCell<BTreeSet<(usize, String)>>,
    /// The meaning of the results of parts.
    pub(super) results: &'a Results,
    pub(super) references: &'a BTreeSet<&'static str>,
    /// Whether omitting a field leaves it unchanged.
    pub(super) is_update: bool,
    pub(super) problems: &'a RefCell<Vec<String>>,
    /// Fields without a description.
    pub(super) wordless: &'a RefCell<Vec<String>>,
    /// Fields that no form shows, with the reason.
    pub(super) hidden: &'a RefCell<BTreeMap<(String, String), String>>,
}

/// The enclosing object of a field, as far as its members depend on it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) by: Option<&'a str>,
    pub(super) variants: &'a [Variant],
}

impl Maker<'_> {
    /// The words for a place, level by level.
    pub(super) fn words(&self, place: &str) -> Words {
        let mut all = Words::default();
        for (level, words) in self.words.iter().enumerate() {
            let Some((key, words)) = found(words, place) else { continue };
            self.used.borrow_mut().insert((level, key.clone()));
            let words = words.clone();
            all = Words {
                title: all.title.or(words.title),
                description: all.description.or(words.description),
                name: all.name.or(words.name),
                reference: all.reference.or(words.reference),
                example: all.example.or(words.example),
                reference_by: all.reference_by.or(words.reference_by),
                multiline: all.multiline || words.multiline,
                suggests: if all.suggests.is_empty() { words.suggests } else { all.suggests },
                secret: all.secret.or(words.secret),
                flat: all.flat || words.flat,
                step: all.step || words.step,
                hidden: all.hidden.or(words.hidden),
                required: all.required.or(words.required),
                nullable: all.nullable.or(words.nullable),
                send: all.send.or(words.send),
                kind: all.kind.or(words.kind),
                fixed: all.fixed.or(words.fixed),
                values: all.values.or(words.values),
            };
        }
        all
    }

    pub(super) fn problem(&self, place: &str, message: &str) {
        self.problems.borrow_mut().push(format!("{}: {place}: {message}", self.action));
    }

    /// Whether a form shows a field.
    pub(super) fn is_shown(&self, field: &Field, words: &Words, is_nested: bool) -> bool {
        if words.hidden.as_deref().is_some_and(|reason| !reason.is_empty()) {
            return false;
        }
        if words.hidden.is_some() {
            return true;
        }
        // Parts of a list are identified by their IDs: an update without IDs creates new parts.
        let is_part = is_nested && self.is_update && field.name == "id";
        let is_written = !field.read_only || field.must_be_sent() || is_part;
        is_written && !field.deprecated
    }

    /// The parameters for the members of an object, at `place`; `pointer` is its position in the
    /// body or in the enclosing object.
    pub(super) fn members(
        &self,
        fields: &[Field],
        around: Around<'_>,
        place: &str,
        pointer: &str,
        is_nested: bool,
    ) -> Vec<(String, &'static Param)> {
        let mut params = Vec::new();
        for field in fields {
            let place = match place {
                "" => field.name.clone(),
                place => format!("{place}.{}", field.name),
            };
            let words = self.words(&place);
            if !self.is_shown(field, &words, is_nested) {
                if let Some(reason) = &words.hidden {
                    let key = (self.action.to_owned(), place);
                    self.hidden.borrow_mut().insert(key, reason.clone());
                }
                continue;
            }
            let pointer = format!("{pointer}/{}", field.name);
            if words.flat {
                let inner = Around { by: field.by.as_deref(), variants: &field.variants };
                // Its ID does not identify a part of a list.
                params.extend(self.members(&field.fields, inner, &place, &pointer, false));
                continue;
            }
            let fixed = match &words.fixed {
                Some(value) => serde_json::to_value(value).ok(),
                None if words.values.is_some() => None,
                None => constant(field).map(Into::into),
            };
            if let Some(value) = fixed {
                let mut param = Param::constant(keep_text(&field.name), Literal::leaked(&value));
                param.place = Place::Body(keep_text(&pointer));
                params.push((place, keep(param)));
                continue;
            }
            let mut param = self.param(field, &words, &place, &pointer);
            self.decide(field, around, &mut param);
            params.push((place, keep(param)));
        }
        params
    }

    /// States for which values of the discriminator a member may be given.
    fn decide(&self, field: &Field, around: Around<'_>, param: &mut Param) {
        let Some(by) = around.by.filter(|by| *by != field.name) else { return };
        let has = |variant: &&Variant| variant.fields.iter().any(|one| one.name == field.name);
        let with: Vec<&Variant> = around.variants.iter().filter(has).collect();
        if with.is_empty() || with.len() == around.variants.len() {
            return;
        }
        let values: Vec<String> = with.iter().flat_map(|variant| variant.is.clone()).collect();
        param.when = Some(keep_text(by));
        param.when_is = keep_texts(&values);
        let required = |variant: &&Variant| {
            variant.fields.iter().any(|one| one.name == field.name && one.must_be_sent())
        };
        param.is_required = with.iter().all(required);
    }

    /// Builds one parameter.
    fn param(&self, field: &Field, words: &Words, place: &str, pointer: &str) -> Param {
        let template = match &words.send {
            Some(send) => Some(send.clone()),
            None => reference(field).map(|(template, _)| template),
        };
        let names_id = template.as_ref().is_some_and(|template| template.contains(r#""id":$"#));
        let default_name = match (names_id, field.is_list()) {
            (true, false) => format!("{}_id", field.name),
            (true, true) => format!("{}_ids", singular(&field.name)),
            (false, _) => field.name.clone(),
        };
        let name = words.name.clone().unwrap_or(default_name);
        let mut kind = match &words.kind {
            Some(kind) => named_kind(kind, field.is_list() && template.is_none(), None, None),
            None if template.is_some() && words.send.is_some() => match field.is_list() {
                true => Kind::List(&Kind::Text),
                false if words.multiline => Kind::LongText,
                false => Kind::Text,
            },
            None if template.is_some() && field.is_list() => Kind::List(&Kind::Text),
            None if template.is_some() => Kind::Text,
            None => self.kind(field, words, place),
        };
        if let Some(values) = &words.values {
            let values = Kind::OneOf(keep_texts(values));
            kind = if field.is_list() { Kind::List(keep(values)) } else { values };
        }
        let place_in_body = match &template {
            Some(text) => Place::BodyAs(keep_text(pointer), self::template(text)),
            None => Place::Body(keep_text(pointer)),
        };
        let mut param = self.described(kind, &name, words, place).at(place_in_body);
        param.is_required = words.required.unwrap_or_else(|| field.must_be_sent());
        param.is_nullable = words.nullable.unwrap_or(field.nullable);
        param.is_step = words.step;
        param.max = limit(if field.is_list() { field.max_items } else { field.max_length });
        param.min = match (&param.kind, field.not_blank) {
            _ if field.is_list() => limit(field.min_items).unwrap_or_default(),
            (_, true) => 1,
            (Kind::Text | Kind::LongText, false) if template.is_none() => {
                limit(field.min_length).unwrap_or_default()
            }
            _ => param.min,
        };
        if let Some(default) = field.default.as_ref().filter(|_| !self.is_update) {
            param.default = Some(Literal::leaked(default));
        }
        self.refer(field, words, place, &mut param);
        param
    }

    /// The reference of an ID.
    fn refer(&self, field: &Field, words: &Words, place: &str, param: &mut Param) {
        let by_type = reference(field).and_then(|(_, kind)| kind);
        let known = |name: &String| self.references.contains(name.as_str());
        let name = match &words.reference {
            Some(name) if name.is_empty() => None,
            Some(name) if !known(name) => {
                self.problem(place, &format!("there is no reference `{name}`"));
                None
            }
            Some(name) => Some(name.clone()),
            None => by_type.filter(known),
        };
        if let Some(name) = name {
            param.reference = Some(keep_text(&name));
            param.min = if field.is_list() { param.min } else { 1 };
        }
    }

    /// Builds a parameter with its words.
    pub(super) fn described(&self, kind: Kind, name: &str, words: &Words, place: &str) -> Param {
        let title = words.title.clone().unwrap_or_else(|| titled(name));
        let description = words.description.clone().unwrap_or_else(|| {
            self.wordless.borrow_mut().push(format!("{}: {place}", self.action));
            format!("{title}.")
        });
        let description = description.replace("{record}", &self.noun);
        let mut param =
            Param::new(kind, keep_text(name), keep_text(&title), keep_text(&description));
        param.suggestions = keep_texts(&words.suggests);
        if let Some(secret) = &words.secret {
            param.secret = Some(keep_text(secret));
        }
        param
    }

    /// The type of a field.
    pub(super) fn kind(&self, field: &Field, words: &Words, place: &str) -> Kind {
        if !field.or.is_empty() {
            return Kind::Json;
        }
        if field.kind() == Basic::Record && !field.fields.is_empty() {
            let around = Around { by: field.by.as_deref(), variants: &field.variants };
            let mut members = self.members(&field.fields, around, place, "", true);
            self.refer_by_type(&field.fields, &mut members, words);
            self.refer_by_member(&field.fields, &mut members);
            let members: Vec<&'static Param> =
                members.into_iter().map(|(_, param)| keep(nested(*param))).collect();
            if !members.iter().any(|member| member.is_asked()) {
                return if field.is_list() { Kind::List(&Kind::Map) } else { Kind::Map };
            }
            let members = members.leak();
            return if field.is_list() { Kind::Objects(members) } else { Kind::Object(members) };
        }
        let kind = basic(field, words.multiline);
        if field.is_list() { Kind::List(keep(kind)) } else { kind }
    }

    /// For an object with an ID and a type, the type determines what the ID refers to.
    fn refer_by_type(
        &self,
        fields: &[Field],
        members: &mut [(String, &'static Param)],
        words: &Words,
    ) {
        let Some(kinds) = fields.iter().find(|field| field.name == "type") else { return };
        let services = SERVICE_KINDS.map(str::to_owned);
        let values = match words.reference_by.as_deref() {
            Some("service") => services.as_slice(),
            _ => kinds.values.as_slice(),
        };
        let by: Vec<(&'static str, &'static str)> = values
            .iter()
            .filter_map(|value| {
                let name = value.trim_end_matches("_reference").trim_start_matches("technical_");
                let name = self.references.get(name)?;
                Some((keep_text(value), *name))
            })
            .collect();
        if by.len() < 2 || words.reference_by.as_deref() == Some("") {
            return;
        }
        let by = by.leak();
        for (_, param) in members.iter_mut().filter(|(_, param)| param.name == "id") {
            *param = keep(param.reference_by("type", by));
        }
    }

    /// For a member whose words name another member, that member determines what the ID refers to.
    fn refer_by_member(&self, fields: &[Field], members: &mut [(String, &'static Param)]) {
        for (place, param) in members {
            let words = self.words(place);
            let Some(by) = words.reference_by.filter(|by| fields.iter().any(|f| f.name == *by))
            else {
                continue;
            };
            let values = fields.iter().find(|field| field.name == by).map(|field| &field.values);
            let known = values.into_iter().flatten().filter_map(|value| {
                Some((keep_text(value), *self.references.get(value.as_str())?))
            });
            let known: Vec<(&'static str, &'static str)> = known.collect();
            *param = keep(param.reference_by(keep_text(&by), known.leak()));
        }
    }
}

/// The words for a place, or for the longest pattern `*.` that matches its end.
fn found<'a>(words: &'a BTreeMap<String, Words>, place: &str) -> Option<(&'a String, &'a Words)> {
    words.get_key_value(place).or_else(|| {
        let place = format!(".{place}");
        let ends = |key: &&String| key.strip_prefix('*').is_some_and(|end| place.ends_with(end));
        words.get_key_value(words.keys().filter(ends).max_by_key(|key| key.len())?)
    })
}

/// A member of an object with the same name needs no pointer.
fn nested(mut param: Param) -> Param {
    if let Place::Body(pointer) = param.place
        && pointer.trim_start_matches('/') == param.name
    {
        param.place = Place::Control;
    }
    param
}

fn limit(limit: Option<usize>) -> Option<u32> {
    limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0)
}

/// JSON of the overlay in which `$` is the value of the parameter.
pub(super) fn template(text: &str) -> Literal {
    let json = text.replacen('$', r#""$""#, 1);
    let value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("`{text}`: {error}"));
    Literal::leaked_template(&value, "$")
}

/// A type without members.
pub(super) fn basic(field: &Field, is_multiline: bool) -> Kind {
    if !field.values.is_empty() {
        match field.kind() {
            Basic::Text | Basic::Any => return Kind::OneOf(keep_texts(&field.values)),
            Basic::Whole => {
                let numbers: Vec<i64> =
                    field.values.iter().filter_map(|value| value.parse().ok()).collect();
                return Kind::IntegerOf(numbers.leak());
            }
            _ => {}
        }
    }
    match field.kind() {
        Basic::Text => match field.format.as_deref() {
            Some("email") => Kind::Email,
            Some("url" | "uri") => Kind::Url,
            Some("date-time") => Kind::DateTime,
            Some("utc-date-time") => Kind::UtcDateTime,
            Some("date") => Kind::Date,
            _ if is_multiline => Kind::LongText,
            _ => Kind::Text,
        },
        Basic::Whole => {
            Kind::Integer(field.minimum.unwrap_or(i64::MIN), field.maximum.unwrap_or(i64::MAX))
        }
        Basic::Number => Kind::Number,
        Basic::Flag => Kind::Boolean,
        Basic::Record => Kind::Map,
        Basic::Any => Kind::Json,
    }
}

/// A type by its name in the overlay.
pub(super) fn named_kind(
    name: &str,
    is_list: bool,
    minimum: Option<i64>,
    maximum: Option<i64>,
) -> Kind {
    let kind = match name {
        "text" => Kind::Text,
        "lines" => Kind::LongText,
        "email" => Kind::Email,
        "url" => Kind::Url,
        "time" => Kind::DateTime,
        "integer" => Kind::Integer(minimum.unwrap_or(i64::MIN), maximum.unwrap_or(i64::MAX)),
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "object" => Kind::Map,
        "any" => Kind::Json,
        other => panic!("the overlay names the kind `{other}`, which does not exist"),
    };
    if is_list { Kind::List(keep(kind)) } else { kind }
}

/// The only value of a `type`, with or without `_reference`.
fn constant(field: &Field) -> Option<&str> {
    if field.name != "type" || field.is_list() {
        return None;
    }
    let plain = |value: &str| value.trim_end_matches("_reference").to_owned();
    let first = field.values.first()?;
    field.values.iter().all(|value| plain(value) == plain(first)).then_some(first)
}

/// How a reference is sent, with `$` for the ID, and the type that it refers to.
pub(super) fn reference(field: &Field) -> Option<(String, Option<String>)> {
    if field.kind() != Basic::Record || !field.or.iter().all(|kind| kind == "string") {
        return None;
    }
    let members: Vec<&Field> = field
        .fields
        .iter()
        .filter(|one| !OF_EVERY_RECORD.contains(&one.name.as_str()))
        .filter(|one| !one.read_only || ["id", "type"].contains(&one.name.as_str()))
        .collect();
    if let [only] = members.as_slice()
        && only.name != "id"
        && !only.is_list()
    {
        let (template, kind) = reference(only)?;
        return Some((format!("{{{:?}:{template}}}", only.name), kind));
    }
    let is_id = |one: &&Field| ["id", "type", "name"].contains(&one.name.as_str());
    let id = members.iter().find(|one| one.name == "id")?;
    if id.kind() != Basic::Text || !members.iter().all(is_id) {
        return None;
    }
    if members.iter().any(|one| one.name == "name") && !field.or.contains(&"string".to_owned()) {
        return None;
    }
    let Some(kinds) = members.iter().find(|one| one.name == "type") else {
        return Some((r#"{"id":$}"#.to_owned(), None));
    };
    if kinds.values.is_empty() {
        return None;
    }
    let plain = |value: &String| value.trim_end_matches("_reference").to_owned();
    let distinct: BTreeSet<String> = kinds.values.iter().map(plain).collect();
    match distinct.len() {
        0 => Some((r#"{"id":$}"#.to_owned(), None)),
        1 => {
            let of_reference = kinds.values.iter().find(|value| value.ends_with("_reference"));
            let value = of_reference.or(kinds.values.first())?;
            let template = format!(r#"{{"id":$,"type":{value:?}}}"#);
            Some((template, distinct.into_iter().next()))
        }
        _ => None,
    }
}

/// The singular of a plural.
pub(super) fn singular(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    plural.strip_suffix('s').unwrap_or(plural).to_owned()
}

/// A name as a title: `escalation_policy_id` is `Escalation policy`.
pub(super) fn titled(name: &str) -> String {
    let name = name.trim_end_matches("_id");
    let words = match name.strip_suffix("_ids") {
        Some(name) => format!("{name}s"),
        None => name.to_owned(),
    };
    let words = words.replace(['_', '-'], " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}
