//! Converts schemas of an OpenAPI document to the shapes in the facts.

use serde_json::{Map, Value, json};

/// Members that PagerDuty adds to every record; an example that contains them adds no information.
const OF_EVERY_RECORD: [&str; 10] = [
    "id",
    "self",
    "html_url",
    "summary",
    "type",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
];

/// Attributes that a shape takes from a schema: the name in a schema, and in the facts.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("format", "format"),
    ("nullable", "nullable"),
    ("readOnly", "read_only"),
    ("writeOnly", "write_only"),
    ("deprecated", "deprecated"),
    ("default", "default"),
    ("minimum", "minimum"),
    ("maximum", "maximum"),
    ("minLength", "min_length"),
    ("maxLength", "max_length"),
    ("minItems", "min_items"),
    ("maxItems", "max_items"),
    ("uniqueItems", "unique_items"),
    ("pattern", "pattern"),
];

/// An OpenAPI document.
pub(crate) struct Document(pub(crate) Value);

/// Shape of a value: its `type`, attributes, and members.
pub(crate) type Shape = Map<String, Value>;

impl Document {
    /// Follows a schema's reference, if it is one.
    pub(crate) fn resolved<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            let target = pointer.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer));
            let Some(target) = target else { return &Value::Null };
            schema = target;
        }
        schema
    }

    /// The shape of a schema. `path` holds the schemas around it, to stop at a recursion.
    pub(crate) fn shape<'a>(&'a self, schema: &'a Value, path: &mut Vec<&'a Value>) -> Shape {
        let schema = self.resolved(schema);
        if path.iter().any(|around| std::ptr::eq(*around, schema)) {
            return object([("type", json!("object"))]);
        }
        path.push(schema);
        let shape = self.shape_of(schema, path);
        path.pop();
        shape
    }

    fn shape_of<'a>(&'a self, schema: &'a Value, path: &mut Vec<&'a Value>) -> Shape {
        let mut shape = Shape::new();
        for part in list(schema, "allOf") {
            merge(&mut shape, self.shape(part, path));
        }
        for union in ["oneOf", "anyOf"] {
            let parts: Vec<&'a Value> = list(schema, union).iter().collect();
            if parts.is_empty() {
                continue;
            }
            let by = schema.pointer("/discriminator/propertyName").and_then(Value::as_str);
            let shapes = parts.iter().map(|part| self.alternative(schema, part, by, path));
            let shapes = shapes.collect();
            merge(&mut shape, unite(shapes, by));
        }
        merge(&mut shape, self.own(schema, path));
        shape.entry("type").or_insert_with(|| json!("any"));
        shape
    }

    /// One alternative of a union, with the values that the union's discriminator maps to it.
    fn alternative<'a>(
        &'a self,
        union: &'a Value,
        part: &'a Value,
        by: Option<&str>,
        path: &mut Vec<&'a Value>,
    ) -> Shape {
        let mut shape = self.shape(part, path);
        let Some(by) = by else { return shape };
        let mapping = union.pointer("/discriminator/mapping").and_then(Value::as_object);
        let targets = mapping.into_iter().flatten();
        let known: Vec<&String> = targets
            .filter(|(_, target)| **target == part["$ref"])
            .map(|(value, _)| value)
            .collect();
        let fields = shape.entry("fields").or_insert_with(|| json!([]));
        let place =
            fields.as_array_mut().and_then(|all| all.iter_mut().find(|one| one["name"] == by));
        match place {
            Some(place) if !known.is_empty() => place["enum"] = json!(known),
            Some(_) => {}
            None if !known.is_empty() => {
                if let Some(all) = fields.as_array_mut() {
                    all.insert(0, json!({"name": by, "type": "string", "enum": known}));
                }
            }
            None => {}
        }
        shape
    }

    /// The shape of a schema itself, without its compositions.
    fn own<'a>(&'a self, schema: &'a Value, path: &mut Vec<&'a Value>) -> Shape {
        let mut shape = Shape::new();
        for (theirs, ours) in ATTRIBUTES {
            match schema.get(theirs) {
                None | Some(Value::Null | Value::Bool(false)) if theirs != "default" => {}
                None => {}
                Some(value) => {
                    shape.insert(ours.into(), value.clone());
                }
            }
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            if values.iter().any(|value| value.is_null()) {
                shape.insert("nullable".into(), json!(true));
            }
            let values = values.iter().filter(|value| !value.is_null()).map(plain);
            shape.insert("enum".into(), values.collect());
        }
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            let mut fields = Vec::new();
            for (name, member) in members {
                let mut field = object([("name", json!(name))]);
                field.extend(self.shape(member, path));
                fields.push(Value::Object(field));
            }
            shape.insert("type".into(), json!("object"));
            shape.insert("fields".into(), Value::Array(fields));
        }
        if let Some(values) = schema.get("additionalProperties").filter(is_schema) {
            let values = self.shape(values, path);
            shape.insert("values".into(), Value::Object(values));
        }
        let required: Vec<&Value> = list(schema, "required").iter().collect();
        if !required.is_empty() {
            shape.insert("required_names".into(), json!(required));
        }
        if let Some(items) = schema.get("items") {
            let mut list: Shape = std::mem::take(&mut shape);
            list.remove("required_names"); // A list has no members, though some schemas say so.
            shape = self.shape(items, path);
            let kind = match shape.get("type").and_then(Value::as_str) {
                Some(kind) if !kind.starts_with("array") => kind.to_owned(),
                _ => "any".to_owned(),
            };
            shape.remove("nullable");
            shape.remove("read_only");
            shape.remove("default");
            shape.extend(list);
            shape.insert("type".into(), json!(format!("array<{kind}>")));
        } else if let Some(kind) = schema.get("type").and_then(Value::as_str) {
            let kind = if kind == "array" { "array<any>" } else { kind };
            shape.insert("type".into(), json!(kind));
        }
        shape
    }

    /// The fields of a shape in the form of the facts: `required` at each field.
    pub(crate) fn finish(shape: &mut Shape) {
        let required = shape.remove("required_names");
        let names = required.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        mark_required(shape.get_mut("fields"), &names);
        for part in ["fields", "variants"] {
            for field in shape.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(field) = field.as_object_mut() {
                    if part == "variants" && !field.contains_key("required_names") {
                        field.insert("required_names".into(), json!(names));
                    }
                    Self::finish(field);
                }
            }
        }
        if let Some(values) = shape.get_mut("values").and_then(Value::as_object_mut) {
            Self::finish(values);
        }
    }
}

/// Which member of a schema contains a list.
fn list<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_schema(value: &&Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty())
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Shape {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value of an enumeration as text.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

fn mark_required(fields: Option<&mut Value>, names: &[Value]) {
    for field in fields.and_then(Value::as_array_mut).into_iter().flatten() {
        if names.contains(&field["name"]) {
            field["required"] = json!(true);
        }
    }
}

/// Merges another part of the same schema.
fn merge(into: &mut Shape, other: Shape) {
    for (name, value) in other {
        match (name.as_str(), into.get_mut(&name)) {
            (_, None) => {
                into.insert(name, value);
            }
            ("fields", Some(Value::Array(fields))) => {
                for field in value.as_array().into_iter().flatten() {
                    match fields.iter_mut().find(|one| one["name"] == field["name"]) {
                        Some(Value::Object(known)) => {
                            redefine(known, field.as_object().cloned().unwrap_or_default());
                        }
                        _ => fields.push(field.clone()),
                    }
                }
            }
            ("required_names", Some(Value::Array(names))) => {
                for name in value.as_array().into_iter().flatten() {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
            }
            ("type", Some(known)) if value == "any" && known != "any" => {}
            (_, Some(known)) => *known = value,
        }
    }
}

/// Uses the later definition of a member. Only the members of objects are merged.
fn redefine(known: &mut Shape, later: Shape) {
    let members = known.remove("fields").zip(later.get("fields").cloned());
    let required = known.remove("required_names").unwrap_or_else(|| json!([]));
    *known = later;
    if let Some((earlier, new)) = members {
        let mut both = object([("fields", earlier), ("required_names", required)]);
        let named = known.remove("required_names").unwrap_or_else(|| json!([]));
        merge(&mut both, object([("fields", new), ("required_names", named)]));
        known.extend(both);
    }
}

/// One shape for all alternatives of a union.
fn unite(mut shapes: Vec<Shape>, by: Option<&str>) -> Shape {
    if shapes.len() < 2 {
        return shapes.pop().unwrap_or_default();
    }
    let is_object = |shape: &Shape| shape.get("type").is_some_and(|kind| kind == "object");
    if !shapes.iter().all(is_object) {
        return unite_basic(shapes);
    }
    match discriminator(&shapes, by) {
        Some(by) => unite_variants(shapes, &by),
        None => unite_members(shapes),
    }
}

/// If alternatives have different types, the first one with members counts, and the others are
/// listed.
fn unite_basic(shapes: Vec<Shape>) -> Shape {
    let kinds: Vec<Value> = shapes.iter().filter_map(|shape| shape.get("type").cloned()).collect();
    let at = shapes.iter().position(|shape| shape.contains_key("fields")).unwrap_or_default();
    let mut shape = shapes.into_iter().nth(at).unwrap_or_default();
    let mut others: Vec<Value> = Vec::new();
    for kind in kinds {
        if shape.get("type") != Some(&kind) && !others.contains(&kind) {
            others.push(kind);
        }
    }
    if !others.is_empty() {
        shape.insert("or".into(), Value::Array(others));
    }
    shape
}

fn field<'a>(shape: &'a Shape, name: &str) -> Option<&'a Value> {
    shape.get("fields")?.as_array()?.iter().find(|field| field["name"] == name)
}

fn names(shapes: &[Shape]) -> Vec<String> {
    let mut names = Vec::new();
    for shape in shapes {
        for field in shape.get("fields").and_then(Value::as_array).into_iter().flatten() {
            let name = field["name"].as_str().unwrap_or_default().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The discriminator: the member whose values distinguish the alternatives.
fn discriminator(shapes: &[Shape], by: Option<&str>) -> Option<String> {
    let candidates = match by {
        Some(by) => vec![by.to_owned()],
        None => names(shapes),
    };
    candidates.into_iter().find(|name| {
        let mut seen: Vec<&Value> = Vec::new();
        shapes.iter().all(|shape| {
            let values = field(shape, name).and_then(|field| field["enum"].as_array());
            let Some(values) = values.filter(|values| !values.is_empty()) else { return false };
            let is_new = values.iter().all(|value| !seen.contains(&value));
            seen.extend(values);
            is_new
        })
    })
}

/// A union with a discriminator: common members, and those of each alternative.
fn unite_variants(shapes: Vec<Shape>, by: &str) -> Shape {
    let is_common = |name: &String| {
        let first = field(&shapes[0], name);
        name != by && first.is_some() && shapes.iter().all(|shape| field(shape, name) == first)
    };
    let common: Vec<String> = names(&shapes).into_iter().filter(is_common).collect();
    let mut values = Vec::new();
    let mut variants = Vec::new();
    let mut discriminating = Value::Null;
    for shape in &shapes {
        let own: Vec<Value> =
            shape.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut variant = Shape::new();
        let mut rest = Vec::new();
        for member in own {
            if member["name"] == by {
                values.extend(member["enum"].as_array().cloned().unwrap_or_default());
                variant.insert("is".into(), member["enum"].clone());
                if discriminating.is_null() {
                    discriminating = member;
                }
            } else if !common.iter().any(|name| member["name"] == *name) {
                rest.push(member);
            }
        }
        variant.insert("fields".into(), Value::Array(rest));
        let required = shape.get("required_names").cloned().unwrap_or_else(|| json!([]));
        variant.insert("required_names".into(), required);
        variants.push(Value::Object(variant));
    }
    discriminating["enum"] = Value::Array(values);
    let mut fields = vec![discriminating];
    fields.extend(common.iter().filter_map(|name| field(&shapes[0], name).cloned()));
    let mut required = required_in_all(&shapes);
    if by_all(&shapes, by) && !required.contains(&json!(by)) {
        required.push(json!(by));
    }
    object([
        ("type", json!("object")),
        ("fields", Value::Array(fields)),
        ("by", json!(by)),
        ("variants", Value::Array(variants)),
        ("required_names", Value::Array(required)),
    ])
}

fn by_all(shapes: &[Shape], by: &str) -> bool {
    shapes.iter().all(|shape| {
        let names = shape.get("required_names").and_then(Value::as_array);
        names.is_some_and(|names| names.contains(&json!(by)))
    })
}

fn required_in_all(shapes: &[Shape]) -> Vec<Value> {
    let of = |shape: &Shape| {
        shape.get("required_names").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut required = of(&shapes[0]);
    required.retain(|name| shapes.iter().all(|shape| of(shape).contains(name)));
    required
}

/// A union without a discriminator: the members of all alternatives.
fn unite_members(shapes: Vec<Shape>) -> Shape {
    let mut fields = Vec::new();
    for name in names(&shapes) {
        let all: Vec<Shape> = shapes
            .iter()
            .filter_map(|shape| field(shape, &name).and_then(Value::as_object).cloned())
            .collect();
        let is_same = all.iter().all(|one| one == &all[0]);
        let mut one = if is_same { all[0].clone() } else { unite_member(all) };
        one.insert("name".into(), json!(name));
        fields.push(Value::Object(one));
    }
    let required = required_in_all(&shapes);
    let nullable = shapes.iter().any(|shape| shape.get("nullable") == Some(&json!(true)));
    let mut shape = object([("type", json!("object")), ("fields", Value::Array(fields))]);
    if nullable {
        shape.insert("nullable".into(), json!(true));
    }
    shape.insert("required_names".into(), Value::Array(required));
    shape
}

/// A member that alternatives define differently.
fn unite_member(mut all: Vec<Shape>) -> Shape {
    let kind = all[0].get("type").cloned();
    if all.iter().any(|one| one.get("type") != kind.as_ref()) {
        return unite_basic(all);
    }
    if kind == Some(json!("object")) {
        return unite(all, None);
    }
    let mut shape = all[0].clone();
    // A limit applies to all alternatives, or it is the widest of them.
    for (name, is_upper) in [
        ("maximum", true),
        ("max_length", true),
        ("max_items", true),
        ("minimum", false),
        ("min_length", false),
        ("min_items", false),
    ] {
        let bounds: Vec<i64> = all.iter().filter_map(|one| one.get(name)?.as_i64()).collect();
        let widest = if is_upper { bounds.iter().max() } else { bounds.iter().min() };
        if let Some(widest) = widest.filter(|_| bounds.len() == all.len()) {
            all.iter_mut().for_each(|one| {
                one.insert(name.into(), json!(widest));
            });
            shape.insert(name.into(), json!(widest));
        }
    }
    shape.retain(|name, value| {
        let own = ["type", "enum", "fields"].contains(&name.as_str());
        own || all.iter().all(|one| one.get(name) == Some(value))
    });
    if let Some(Value::Array(values)) = shape.get_mut("enum") {
        let others = all.iter().skip(1).map(|one| one.get("enum").and_then(Value::as_array));
        for other in others {
            match other {
                Some(other) => other.iter().for_each(|value| {
                    if !values.contains(value) {
                        values.push(value.clone());
                    }
                }),
                None => values.clear(),
            }
        }
        if values.is_empty() {
            shape.remove("enum");
        }
    }
    shape
}

/// Adds members that the published example contains and the schema does not. An object without a
/// declared schema stays open: an example shows only one of many possibilities.
pub(crate) fn add_example(shape: &mut Shape, example: &Value) {
    let elements = match example {
        Value::Array(elements) => elements.clone(),
        one => vec![one.clone()],
    };
    for element in elements {
        let Value::Object(members) = element else { continue };
        let by = shape.get("variants").is_some();
        let Some(fields) = shape.get_mut("fields").and_then(Value::as_array_mut) else { continue };
        if fields.is_empty() {
            continue;
        }
        for (name, value) in &members {
            if let Some(Value::Object(field)) = fields.iter_mut().find(|one| one["name"] == *name) {
                add_example(field, value);
            } else if !by && !OF_EVERY_RECORD.contains(&name.as_str()) {
                let mut field = object([("name", json!(name))]);
                field.extend(seen(value));
                field.insert("from_example".into(), json!(true));
                fields.push(Value::Object(field));
            }
        }
    }
}

/// The shape of an example's value.
fn seen(value: &Value) -> Shape {
    let kind = match value {
        Value::Null => "any",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Object(members) => {
            let fields = members.iter().map(|(name, value)| {
                let mut field = object([("name", json!(name))]);
                field.extend(seen(value));
                Value::Object(field)
            });
            return object([("type", json!("object")), ("fields", fields.collect())]);
        }
        Value::Array(elements) => {
            let mut shape = elements.first().map(seen).unwrap_or_default();
            let kind = shape.get("type").and_then(Value::as_str).unwrap_or("any");
            let kind = if kind.starts_with("array") { "any" } else { kind };
            shape.insert("type".into(), json!(format!("array<{kind}>")));
            return shape;
        }
    };
    object([("type", json!(kind))])
}
