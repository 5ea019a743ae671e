//! How much work a schema of a plugin can make, counted before it is compiled and again before it is
//! used. Neither compiling nor validating can be interrupted, so both are bounded beforehand.
//!
//! A schema alone is a graph: its size, its depth, and the number of schemas in it when every
//! reference is followed bound compiling. They do not bound validating, because a schema that refers
//! to itself can look at a value twice, at what is in it four times, and so on. So the steps of each
//! validation are counted by a walk over schema and value together.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::limits::{Limits, ProcessLimits, exceeded};

/// Deepest recursion of a validation. Each level takes some stack.
const DEEPEST: usize = 400;

/// Keywords that this host does not follow, so that it could not count what they lead to.
const UNSUPPORTED: [&str; 6] =
    ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"];

/// Keywords that hold a schema for the same value.
const SAME: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords that hold a list of schemas for the same value.
const SAME_EACH: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that hold a schema for members, elements, or names, whichever.
const BELOW: [&str; 9] = [
    "items",
    "contains",
    "additionalProperties",
    "additionalItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "prefixItems",
];
/// Keywords that hold schemas by name, for members.
const NAMED: [&str; 2] = ["properties", "patternProperties"];
/// Keywords that hold schemas by name, for the same value.
const SAME_NAMED: [&str; 2] = ["dependentSchemas", "dependencies"];

/// Cost of a document that holds a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Schemas when every reference is followed.
    pub(crate) expansion: usize,
    /// Regular expressions.
    pub(crate) patterns: usize,
}

/// Refuses a schema whose compiling or use could take too long.
pub(crate) fn check(document: &Value, limits: &ProcessLimits) -> Result<Cost, String> {
    let mut graph = Graph { document, nodes: Vec::new(), known: HashMap::new(), bytes: 0, limits };
    graph.node(document)?;
    let mut next = 0;
    while next < graph.nodes.len() {
        graph.edges(next)?;
        next += 1;
    }
    let patterns = graph.nodes.iter().map(|node| node.patterns).sum();
    let (most, most_bytes) = limits.schema_patterns;
    if patterns > most {
        return Err(exceeded("the number of patterns in the schema", "schema_patterns", most));
    }
    if graph.bytes > most_bytes {
        return Err(exceeded(
            "the size of the patterns in the schema",
            "schema_patterns",
            most_bytes,
        ));
    }
    graph.check_circles()?;
    let mut measures = vec![None; graph.nodes.len()];
    let (expansion, _) = graph.measure(0, 0, &mut measures)?;
    if expansion > limits.schema_expansion {
        let what = "the schema with its references expanded";
        return Err(exceeded(what, "schema_expansion", limits.schema_expansion));
    }
    Ok(Cost { expansion, patterns })
}

struct Node<'a> {
    schema: &'a Value,
    patterns: usize,
    /// Schemas for the same value.
    same: Vec<usize>,
    /// Schemas for what is in the value.
    below: Vec<usize>,
}

struct Graph<'a> {
    document: &'a Value,
    nodes: Vec<Node<'a>>,
    known: HashMap<*const Value, usize>,
    /// Bytes of patterns.
    bytes: usize,
    limits: &'a ProcessLimits,
}

impl<'a> Graph<'a> {
    fn node(&mut self, schema: &'a Value) -> Result<usize, String> {
        if let Some(known) = self.known.get(&std::ptr::from_ref(schema)) {
            return Ok(*known);
        }
        let most = self.limits.schema_nodes;
        if self.nodes.len() >= most {
            return Err(exceeded("the number of schemas in the schema", "schema_nodes", most));
        }
        self.known.insert(schema, self.nodes.len());
        self.nodes.push(Node { schema, patterns: 0, same: Vec::new(), below: Vec::new() });
        Ok(self.nodes.len() - 1)
    }

    /// Finds the schemas that a schema holds or refers to.
    fn edges(&mut self, at: usize) -> Result<(), String> {
        let Value::Object(members) = self.nodes[at].schema else { return Ok(()) };
        let (mut same, mut below, mut patterns) = (Vec::new(), Vec::new(), 0);
        for (keyword, value) in members {
            let keyword = keyword.as_str();
            if UNSUPPORTED.contains(&keyword) && value.is_string() {
                return Err(format!(
                    "`{keyword}` is not supported in schemas of plugins. Use references to \
                     `#/$defs/NAME`"
                ));
            }
            if keyword == "$ref" {
                if let Some(target) = value.as_str().and_then(|text| referred(self.document, text))
                {
                    same.push(self.node(target)?);
                }
            } else if keyword == "pattern" {
                patterns += 1;
                self.bytes += value.as_str().map_or(0, str::len);
            } else if SAME.contains(&keyword) {
                same.push(self.node(value)?);
            } else if SAME_EACH.contains(&keyword) || SAME_NAMED.contains(&keyword) {
                for one in each(value) {
                    same.push(self.node(one)?);
                }
            } else if NAMED.contains(&keyword) {
                if keyword == "patternProperties"
                    && let Value::Object(by_pattern) = value
                {
                    patterns += by_pattern.len();
                    self.bytes += by_pattern.keys().map(String::len).sum::<usize>();
                }
                for one in each(value) {
                    below.push(self.node(one)?);
                }
            } else if BELOW.contains(&keyword) {
                match value {
                    Value::Array(list) => {
                        for one in list {
                            below.push(self.node(one)?);
                        }
                    }
                    one => below.push(self.node(one)?),
                }
            } else if matches!(keyword, "$defs" | "definitions") {
                // Compiled, whether or not something refers to it.
                for one in each(value) {
                    self.node(one)?;
                }
            }
        }
        let node = &mut self.nodes[at];
        (node.same, node.below, node.patterns) = (same, below, patterns);
        Ok(())
    }

    /// A schema that is about a value if it is about the same value has no end.
    fn check_circles(&self) -> Result<(), String> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Not,
            Above,
            Done,
        }
        let mut seen = vec![Seen::Not; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if seen[start] != Seen::Not {
                continue;
            }
            seen[start] = Seen::Above;
            let mut way = vec![(start, 0)];
            while let Some((at, next)) = way.last_mut() {
                let Some(below) = self.nodes[*at].same.get(*next) else {
                    seen[*at] = Seen::Done;
                    way.pop();
                    continue;
                };
                *next += 1;
                match seen[*below] {
                    Seen::Not => {
                        seen[*below] = Seen::Above;
                        way.push((*below, 0));
                    }
                    Seen::Above => return Err("the schema contains a circular reference".into()),
                    Seen::Done => {}
                }
            }
        }
        Ok(())
    }

    /// Schemas in a schema when every reference is followed, and how deep they nest; one that it is in
    /// counts once.
    fn measure(
        &self,
        at: usize,
        depth: usize,
        measures: &mut [Option<(usize, usize)>],
    ) -> Result<(usize, usize), String> {
        let most = self.limits.schema_depth;
        if let Some(known) = measures[at] {
            return Ok(known);
        }
        measures[at] = Some((1, 1));
        let (mut expansion, mut height) = (1_usize, 1);
        for below in self.nodes[at].same.iter().chain(&self.nodes[at].below) {
            // The walk itself must not go deeper either.
            if depth >= most {
                return Err(exceeded("the depth of the schema", "schema_depth", most));
            }
            let (inner, inner_height) = self.measure(*below, depth + 1, measures)?;
            expansion = expansion.saturating_add(inner);
            height = height.max(1 + inner_height);
        }
        if height > most {
            return Err(exceeded("the depth of the schema", "schema_depth", most));
        }
        measures[at] = Some((expansion, height));
        Ok((expansion, height))
    }
}

fn each(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Target of a reference within a document.
fn referred<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    match pointer.contains('%') {
        false => document.pointer(pointer),
        true => {
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
            document.pointer(&pointer)
        }
    }
}

/// Refuses a value whose validation could take too many steps.
pub(crate) fn check_use(document: &Value, value: &Value, most: usize) -> Result<(), String> {
    let too_many = || exceeded("the size of the value to validate", "schema_steps", most);
    steps_left(document, value, most).map(drop).ok_or_else(too_many)
}

/// How many of so many steps a validation leaves; `None` if it could take more.
pub(crate) fn steps_left(document: &Value, value: &Value, most: usize) -> Option<usize> {
    let mut steps = Steps { document, left: most };
    steps.walk(document, value, 0)?;
    Some(steps.left)
}

/// The default for what is not part of an execution: examples, forms of credentials.
pub(crate) fn default_steps() -> usize {
    Limits::default().schema_steps
}

struct Steps<'a> {
    document: &'a Value,
    left: usize,
}

impl Steps<'_> {
    /// Counts at least as many steps as a validation takes; `None` if there are too many.
    fn walk(&mut self, schema: &Value, value: &Value, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let Value::Object(members) = schema else { return self.take(1) };
        self.take(1 + members.len())?;
        // The validator finds out what was evaluated by evaluating it again.
        let again = ["unevaluatedItems", "unevaluatedProperties"];
        let times = 1 + usize::from(again.iter().any(|keyword| members.contains_key(*keyword)));
        for (keyword, inner) in members {
            match keyword.as_str() {
                "$ref" => {
                    let target = inner.as_str().and_then(|text| referred(self.document, text));
                    for _ in 0..times {
                        target.map_or(Some(()), |target| self.walk(target, value, depth + 1))?;
                    }
                }
                keyword if SAME.contains(&keyword) => {
                    for _ in 0..times {
                        self.walk(inner, value, depth + 1)?;
                    }
                }
                keyword if SAME_EACH.contains(&keyword) || SAME_NAMED.contains(&keyword) => {
                    for one in each(inner) {
                        for _ in 0..times {
                            self.walk(one, value, depth + 1)?;
                        }
                    }
                }
                "properties" => self.properties(inner.as_object()?, value, depth)?,
                "patternProperties" => {
                    for one in each(inner) {
                        self.below(one, value, depth)?;
                    }
                }
                "propertyNames" => {
                    for name in value.as_object().into_iter().flat_map(Map::keys) {
                        self.walk(inner, &Value::String(name.clone()), depth + 1)?;
                    }
                }
                keyword if BELOW.contains(&keyword) => match inner {
                    Value::Array(list) => {
                        for one in list {
                            self.below(one, value, depth)?;
                        }
                    }
                    one => self.below(one, value, depth)?,
                },
                "enum" => self.take(each(inner).map(size).sum())?,
                "const" => self.take(size(inner))?,
                "required" | "type" => self.take(each(inner).count())?,
                "uniqueItems" => self.take(size(value))?,
                "pattern" | "format" | "minLength" | "maxLength" => {
                    self.take(value.as_str().map_or(0, |text| text.len() / 16))?;
                }
                _ => {}
            }
        }
        Some(())
    }

    fn properties(
        &mut self,
        properties: &Map<String, Value>,
        value: &Value,
        depth: usize,
    ) -> Option<()> {
        let Value::Object(members) = value else { return Some(()) };
        self.take(properties.len())?;
        for (name, inner) in members {
            if let Some(schema) = properties.get(name) {
                self.walk(schema, inner, depth + 1)?;
            }
        }
        Some(())
    }

    fn below(&mut self, schema: &Value, value: &Value, depth: usize) -> Option<()> {
        if value.is_array() || value.is_object() {
            for inner in each(value) {
                self.walk(schema, inner, depth + 1)?;
            }
        }
        Some(())
    }

    fn take(&mut self, steps: usize) -> Option<()> {
        self.left = self.left.checked_sub(steps)?;
        Some(())
    }
}

/// About how many values there are in a value; texts count by their length.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 16,
        Value::Array(_) | Value::Object(_) => 1 + each(value).map(size).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn refused(document: &Value) -> String {
        check(document, &ProcessLimits::default()).unwrap_err()
    }

    fn chain(levels: usize, of: impl Fn(Value) -> Value) -> Value {
        let mut schemas = Map::new();
        schemas.insert("a0".into(), json!({"type": "object"}));
        for level in 1..=levels {
            let below = json!({"$ref": format!("#/$defs/a{}", level - 1)});
            schemas.insert(format!("a{level}"), of(below));
        }
        json!({"$ref": format!("#/$defs/a{levels}"), "$defs": schemas})
    }

    #[test]
    fn a_schema_that_doubles_with_each_level_is_refused_wherever_it_doubles() {
        for of in [
            |below: Value| json!({"allOf": [below, below]}),
            |below: Value| json!({"not": {"anyOf": [below, below]}}),
            |below: Value| json!({"if": below, "then": below}),
            |below: Value| json!({"properties": {"a": below, "b": below}}),
            |below: Value| json!({"items": below, "contains": below}),
            |below: Value| json!({"prefixItems": [below, below]}),
            |below: Value| json!({"patternProperties": {"a": below}, "additionalProperties": below}),
            |below: Value| json!({"dependentSchemas": {"a": below}, "propertyNames": below}),
            |below: Value| json!({"unevaluatedProperties": below, "unevaluatedItems": below}),
        ] {
            let started = Instant::now();
            let document = chain(20, of);
            assert!(refused(&document).contains("`schema_expansion`"), "{document}");
            assert!(check(&chain(8, of), &ProcessLimits::default()).is_ok());
            assert!(started.elapsed() < Duration::from_millis(500));
        }
    }

    #[test]
    fn a_schema_that_is_deep_large_or_full_of_patterns_is_refused() {
        assert!(refused(&chain(1_000, |below| below)).contains("`schema_depth`"));
        let wide: Vec<Value> = (0..30_000).map(|_| json!({})).collect();
        assert!(refused(&json!({ "anyOf": wide })).contains("`schema_nodes`"));
        assert!(refused(&json!({"$defs": {"a": { "anyOf": wide }}})).contains("`schema_nodes`"));
        let patterns: Vec<Value> = (0..2_000).map(|_| json!({"pattern": "a"})).collect();
        assert!(refused(&json!({ "anyOf": patterns })).contains("`schema_patterns`"));
        let named: Map<String, Value> =
            (0..2_000).map(|n| (format!("a{n}"), json!(true))).collect();
        assert!(refused(&json!({ "patternProperties": named })).contains("`schema_patterns`"));
    }

    #[test]
    fn a_circle_that_no_value_ends_is_refused_and_one_that_values_end_is_not() {
        for circle in [
            json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
            json!({"properties": {"a": {"if": {"$ref": "#/properties/a"}}}}),
        ] {
            assert!(refused(&circle).contains("circular reference"), "{circle}");
        }
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        check(&tree, &ProcessLimits::default()).unwrap();
    }

    #[test]
    fn unresolvable_references_are_refused() {
        for keyword in UNSUPPORTED {
            assert!(refused(&json!({"properties": {"a": {keyword: "#a"}}})).contains(keyword));
        }
        let property =
            json!({"properties": {"$id": {"type": "string"}}, "examples": [{"$id": "a"}]});
        check(&property, &ProcessLimits::default()).unwrap();
    }

    #[test]
    fn a_value_that_a_recursive_schema_looks_at_again_and_again_is_not_validated() {
        let own = json!({"properties": {"m": {"$ref": "#"}}});
        let doubling = json!({"allOf": [own, own]});
        check(&doubling, &ProcessLimits::default()).unwrap();
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "m": inner }));
        assert!(check_use(&doubling, &nested(8), 10_000).is_ok());
        let started = Instant::now();
        assert!(
            check_use(&doubling, &nested(60), 2_000_000).unwrap_err().contains("`schema_steps`")
        );
        assert!(started.elapsed() < Duration::from_secs(2));
        let wide = json!({"items": {"enum": (0..1_000).collect::<Vec<_>>()}});
        let items: Vec<usize> = (0..10_000).collect();
        assert!(check_use(&wide, &json!(items), 2_000_000).is_err());
        assert!(check_use(&wide, &json!(items[..1_000]), 2_000_000).is_ok());
    }
}
