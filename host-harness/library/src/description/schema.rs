//! JSON Schema, for the contract's documents and for the schemas of plugins. The latter are
//! untrusted input: no reference is fetched, and patterns run on an engine that cannot backtrack.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::complexity::{self, Cost};
use super::{DescriptionError, explain};
use crate::limits::{ProcessLimits, exceeded};

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// RFC 6901; empty for the whole of it.
    pub pointer: String,
    /// Description of the problem.
    pub message: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.trim_start_matches('/') {
            "" => formatter.write_str(&self.message),
            pointer => write!(formatter, "{pointer}: {}", self.message),
        }
    }
}

/// A compiled schema.
pub(crate) struct Validator {
    compiled: jsonschema::Validator,
    /// The schema of a plugin and the steps that a validation may take; `None` for a schema of the
    /// contract.
    bounds: Option<(Value, usize)>,
}

/// Accumulated cost of checking the schemas of a description.
#[derive(Debug, Default)]
pub(crate) struct Work(usize);

/// Cost of compiling a regular expression, in bytes of schema.
const PATTERN_WORK: usize = 32 * 1024;
/// Cost of following a reference, in bytes of schema.
const EXPANSION_WORK: usize = 16;
/// Largest compiled regular expression, in bytes.
const PATTERN_SIZE: usize = 256 * 1024;

impl Work {
    fn add(&mut self, bytes: usize, cost: Cost, limits: &ProcessLimits) -> Result<(), String> {
        let patterns = cost.patterns.saturating_mul(PATTERN_WORK);
        let expansion = cost.expansion.saturating_mul(EXPANSION_WORK);
        self.0 = self.0.saturating_add(bytes).saturating_add(patterns).saturating_add(expansion);
        match self.0 > limits.schema_work {
            true => Err(exceeded("checking all schemas", "schema_work", limits.schema_work)),
            false => Ok(()),
        }
    }
}

impl Validator {
    /// Compiles a plugin's schema, with the node's shared schemas under `#/$defs`. Takes time: never
    /// on a thread of the executor.
    pub(crate) fn new(
        shared: &Map<String, Value>,
        schema: &Value,
        limits: &ProcessLimits,
    ) -> Result<Self, String> {
        Self::working(shared, schema, limits, &mut Work::default())
    }

    /// As [`Validator::new`], as part of some work.
    pub(crate) fn working(
        shared: &Map<String, Value>,
        schema: &Value,
        limits: &ProcessLimits,
        work: &mut Work,
    ) -> Result<Self, String> {
        let document = document(schema, needed(shared, schema));
        let cost = complexity::check(&document, limits)?;
        work.add(weight(&document), cost, limits)?;
        let compiled = Self::build(&document)?;
        let bounds = Some((document, complexity::default_steps()));
        Ok(Self { compiled, bounds })
    }

    /// Checks that a plugin's schema is one, without compiling the shared schemas again: what it
    /// costs depends on the schema alone.
    pub(crate) fn check(
        shared: &Map<String, Value>,
        schema: &Value,
        limits: &ProcessLimits,
        work: &mut Work,
    ) -> Result<(), String> {
        let needed = needed(shared, schema);
        if needed.is_empty() {
            return Self::working(shared, schema, limits, work).map(drop);
        }
        let whole = document(schema, needed);
        let cost = complexity::check(&whole, limits)?;
        work.add(0, Cost { patterns: 0, ..cost }, limits)?;
        let Some(stubs) = stubs(shared, schema) else {
            return Self::working(shared, schema, limits, work).map(drop);
        };
        let stubbed = document(schema, stubs);
        work.add(weight(&stubbed), complexity::check(&stubbed, limits)?, limits)?;
        Self::build(&stubbed).map(drop)
    }

    fn compile(schema: &Value) -> Result<Self, String> {
        Self::build(schema).map(|compiled| Self { compiled, bounds: None })
    }

    fn build(schema: &Value) -> Result<jsonschema::Validator, String> {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(
                jsonschema::PatternOptions::regex()
                    .size_limit(PATTERN_SIZE)
                    .dfa_size_limit(PATTERN_SIZE),
            )
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| error.to_string())
    }

    /// Why a value is not validated at all: it would take too long.
    fn refusal(&self, value: &Value) -> Option<FieldProblem> {
        let (document, steps) = self.bounds.as_ref()?;
        let message = complexity::check_use(document, value, *steps).err()?;
        Some(FieldProblem { pointer: String::new(), message })
    }

    /// Whether a value is valid; faster than listing the problems.
    pub(crate) fn is_valid(&self, value: &Value) -> bool {
        self.refusal(value).is_none() && self.compiled.is_valid(value)
    }

    /// Whether values are validated in next to no time.
    pub(crate) fn is_brief(&self, values: &[Value]) -> bool {
        let Some((document, _)) = &self.bounds else { return true };
        let left = |left, value| complexity::steps_left(document, value, left);
        values.iter().try_fold(BRIEF_STEPS, left).is_some()
    }

    /// About how many bytes of schema it holds.
    pub(crate) fn weight(&self) -> usize {
        self.bounds.as_ref().map_or(0, |(document, _)| weight(document))
    }

    /// Bounds the steps of each validation.
    #[must_use]
    pub(crate) fn steps(mut self, most: usize) -> Self {
        if let Some((_, steps)) = &mut self.bounds {
            *steps = most;
        }
        self
    }

    /// Everything that is wrong with a value, at most twenty.
    pub(crate) fn problems(&self, value: &Value) -> Vec<FieldProblem> {
        self.problems_told(value, &|_| false)
    }

    /// As [`Validator::problems`], without the values at places of which `is_secret` holds.
    pub(crate) fn problems_told(
        &self,
        value: &Value,
        is_secret: &dyn Fn(&str) -> bool,
    ) -> Vec<FieldProblem> {
        if let Some(refusal) = self.refusal(value) {
            return vec![refusal];
        }
        let told = self.compiled.iter_errors(value).take(MOST_PROBLEMS);
        let told = told.flat_map(|error| explain::problems(&error, is_secret));
        let short = |problem: FieldProblem| FieldProblem {
            message: shortened(&problem.message),
            ..problem
        };
        told.take(MOST_PROBLEMS).map(short).collect()
    }
}

/// More problems of one value are not reported.
const MOST_PROBLEMS: usize = 20;

/// Steps of a validation that may run on a thread of the executor.
const BRIEF_STEPS: usize = 20_000;

/// A schema with definitions beside its own.
fn document(schema: &Value, mut defs: Map<String, Value>) -> Value {
    let mut document = match schema {
        Value::Object(members) => members.clone(),
        other => {
            let mut members = Map::new();
            members.insert("allOf".into(), Value::Array(vec![other.clone()]));
            members
        }
    };
    if !defs.is_empty() {
        if let Some(Value::Object(own)) = document.remove("$defs") {
            defs.extend(own);
        }
        document.insert("$defs".into(), Value::Object(defs));
    }
    Value::Object(document)
}

/// About how many bytes of text a value has.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|one| weight(one) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, one)| name.len() + weight(one) + 4).sum::<usize>() + 2
        }
        _ => 5,
    }
}

/// The shared schemas that a schema refers to, and those that they refer to in turn. A schema with
/// references of another kind than `#/$defs/NAME` gets all of them.
fn needed(shared: &Map<String, Value>, schema: &Value) -> Map<String, Value> {
    const PREFIX: &str = "#/$defs/";
    let mut needed = Map::new();
    let mut unseen = vec![schema];
    while let Some(value) = unseen.pop() {
        match value {
            Value::Array(list) => unseen.extend(list),
            Value::Object(members) => {
                for (name, value) in members {
                    let (true, Value::String(text)) = (name.starts_with('$'), value) else {
                        unseen.push(value);
                        continue;
                    };
                    let referred = match name.as_str() {
                        "$schema" | "$comment" => continue,
                        "$ref" => text.strip_prefix(PREFIX),
                        _ => None,
                    };
                    let referred = referred.and_then(|rest| rest.split('/').next());
                    let Some(referred) = referred.filter(|name| !name.contains(['~', '%'])) else {
                        return shared.clone();
                    };
                    if let Some(definition) = shared.get(referred)
                        && !needed.contains_key(referred)
                    {
                        needed.insert(referred.to_owned(), definition.clone());
                        unseen.push(definition);
                    }
                }
            }
            _ => {}
        }
    }
    needed
}

/// In place of the shared schemas that a schema itself refers to, the schema that everything
/// satisfies; `None` if it refers to anything within them.
fn stubs(shared: &Map<String, Value>, schema: &Value) -> Option<Map<String, Value>> {
    let mut stubs = Map::new();
    let mut unseen = vec![schema];
    while let Some(value) = unseen.pop() {
        match value {
            Value::Array(list) => unseen.extend(list),
            Value::Object(members) => {
                for (name, value) in members {
                    let Some(reference) = value.as_str().filter(|_| name == "$ref") else {
                        unseen.push(value);
                        continue;
                    };
                    let Some(referred) = reference.strip_prefix("#/$defs/") else { continue };
                    if referred.contains(['/', '~', '%']) {
                        return None;
                    }
                    if shared.contains_key(referred) {
                        stubs.insert(referred.to_owned(), Value::Bool(true));
                    }
                }
            }
            _ => {}
        }
    }
    Some(stubs)
}

/// The parameters of a form that have choices: their names, inside objects and lists of objects
/// with the way to them (`members/user`).
pub(crate) fn with_choices(shared: &Map<String, Value>, parameters: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    choices(shared, parameters, "", 0, &mut found, &mut 100_000);
    found
}

fn choices(
    shared: &Map<String, Value>,
    schema: &Value,
    way: &str,
    depth: usize,
    found: &mut BTreeSet<String>,
    left: &mut usize,
) {
    // A schema that refers to itself several times ends here.
    if depth > 16 || *left == 0 {
        return;
    }
    *left -= 1;
    if schema.pointer("/x-ui/options") == Some(&Value::Bool(true)) {
        found.insert(way.to_owned());
    }
    let reference = schema.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|text| text.strip_prefix("#/$defs/"));
    if let Some(referred) = name.and_then(|name| shared.get(name)) {
        choices(shared, referred, way, depth + 1, found, left);
    }
    if let Some(items) = schema.get("items") {
        choices(shared, items, way, depth + 1, found, left);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let below = match way {
            "" => name.clone(),
            way => format!("{way}/{name}"),
        };
        choices(shared, property, &below, depth + 1, found, left);
    }
}

/// Where a form takes a file (`x-file`): the names on the way to it, joined by `/`. The mark is
/// reserved for an import that this host does not have.
pub(crate) fn file_mark(shared: &Map<String, Value>, schema: &Value) -> Option<String> {
    let mut search = FileMarks { shared, followed: BTreeSet::new() };
    search.in_schema(schema, "")
}

struct FileMarks<'a> {
    shared: &'a Map<String, Value>,
    /// Shared schemas that were searched, so that references in a circle end.
    followed: BTreeSet<&'a str>,
}

/// Keywords that hold a schema.
const ONE: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that hold a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const NAMED: [&str; 5] =
    ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

impl<'a> FileMarks<'a> {
    fn in_schema(&mut self, schema: &'a Value, way: &str) -> Option<String> {
        let members = schema.as_object()?;
        if members.get("x-file").is_some_and(|mark| mark != &Value::Bool(false)) {
            return Some(if way.is_empty() {
                "the whole document".to_owned()
            } else {
                way.to_owned()
            });
        }
        for (keyword, value) in members {
            let found = match keyword.as_str() {
                "$ref" | "$dynamicRef" => self.in_reference(value.as_str()?, way),
                keyword if ONE.contains(&keyword) => self.in_schema(value, way),
                keyword if LIST.contains(&keyword) => {
                    value.as_array()?.iter().find_map(|one| self.in_schema(one, way))
                }
                keyword if NAMED.contains(&keyword) => {
                    value.as_object()?.iter().find_map(|(name, one)| match keyword {
                        "properties" if way.is_empty() => self.in_schema(one, name),
                        "properties" => self.in_schema(one, &format!("{way}/{name}")),
                        _ => self.in_schema(one, way),
                    })
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// References into the form itself lead to what is searched anyway; others lead to the shared
    /// schemas, a pointer to one of them, an anchor to any.
    fn in_reference(&mut self, reference: &str, way: &str) -> Option<String> {
        let shared = self.shared;
        let name = reference.strip_prefix("#/$defs/").map(|rest| rest.split('/').next());
        let is_anchor = reference.starts_with('#') && !reference.starts_with("#/");
        shared.iter().filter(|(own, _)| is_anchor || name == Some(Some(own.as_str()))).find_map(
            |(own, schema)| match self.followed.insert(own.as_str()) {
                true => self.in_schema(schema, way),
                false => None,
            },
        )
    }
}

/// A value of megabytes must not become an error message of megabytes.
fn shortened(message: &str) -> String {
    const MOST: usize = 300;
    match message.char_indices().nth(MOST) {
        None => message.to_owned(),
        Some((end, _)) => format!("{} …", &message[..end]),
    }
}

/// Reads a document and checks it against the contract's schema of this name.
pub(crate) fn checked(name: &'static str, text: &str) -> Result<Value, DescriptionError> {
    static COMPILED: OnceLock<HashMap<&'static str, Validator>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        workflow_node_documents::SCHEMAS
            .iter()
            .map(|(name, text)| {
                let schema = serde_json::from_str(text).expect("the contract's schemas are JSON");
                (*name, Validator::compile(&schema).expect("the contract's schemas are schemas"))
            })
            .collect()
    });
    let wrong = |problem: String| DescriptionError { document: name.into(), problem };
    let value: Value =
        serde_json::from_str(text).map_err(|error| wrong(format!("is not valid JSON: {error}")))?;
    let validator = &compiled[name];
    let problems = validator.problems(&value);
    if problems.is_empty() {
        return Ok(value);
    }
    let list: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
    Err(wrong(list.join("; ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value) -> Option<String> {
        let shared = json!({
            "attachment": {"type": "object", "x-file": true},
            "message": {"properties": {"attached": {"items": {"$ref": "#/$defs/attachment"}}}},
            "circle": {"properties": {"again": {"$ref": "#/$defs/circle"}}},
        });
        file_mark(shared.as_object().unwrap(), &schema)
    }

    #[test]
    fn a_form_that_takes_a_file_is_found() {
        let mark = json!({"x-file": true});
        for (schema, place) in [
            (mark.clone(), "the whole document"),
            (json!({"properties": {"csv": mark}}), "csv"),
            (json!({"properties": {"a": {"properties": {"b": {"items": mark}}}}}), "a/b"),
            (json!({"properties": {"a": {"anyOf": [{"type": "null"}, mark]}}}), "a"),
            (json!({"properties": {"a": {"$ref": "#/$defs/attachment"}}}), "a"),
            (json!({"properties": {"m": {"$ref": "#/$defs/message"}}}), "m/attached"),
            (json!({"properties": {"a": {"x-file": {"max_bytes": 1}}}}), "a"),
            (json!({"properties": {"a": {"$ref": "#/$defs/own"}}, "$defs": {"own": mark}}), ""),
        ] {
            let place = if place.is_empty() { "the whole document" } else { place };
            assert_eq!(found(schema.clone()).as_deref(), Some(place), "{schema}");
        }
    }

    #[test]
    fn other_forms_are_not() {
        for schema in [
            json!(true),
            json!({"properties": {"x-file": {"type": "string"}}}),
            json!({"properties": {"a": {"default": {"x-file": true}, "examples": [{"x-file": 1}]}}}),
            json!({"properties": {"a": {"x-file": false}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/circle"}}}),
        ] {
            assert_eq!(found(schema.clone()), None, "{schema}");
        }
    }
}
