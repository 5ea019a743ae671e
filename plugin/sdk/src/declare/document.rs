//! The declaration as the documents of `schemas/node.json` and `schemas/trigger.json`.

use serde_json::Value;
use workflow_node_documents as documents;
use workflow_node_documents::{Json, OriginPattern, Schema, Schemas, SlotUse};

use super::{
    Action, Answer, Delivery, Example, Kind, Node, Param, Place, Reference, Run, Server, Trigger,
    form, guarantee, listing,
};
use crate::json::{Object, texts};

/// The whole node.
///
/// # Panics
///
/// If the declaration names something that is not an origin, or if an action promises a list that
/// it cannot return.
pub fn node(node: &Node) -> documents::Node {
    let mut origins = Vec::new();
    for origin in node.origins {
        let Ok(pattern) = origin.parse::<OriginPattern>() else {
            panic!("the declaration names `{origin}`, which is not an origin")
        };
        origins.push(pattern);
    }
    let mut resources = Vec::new();
    let mut actions = Vec::new();
    for resource in node.resources {
        let described = documents::Resource::new(resource.name, resource.title);
        resources.push(described.description(resource.description));
        for declared in resource.actions.iter().copied().flatten() {
            actions.push(action(declared, resource.name, node.references));
        }
    }
    let mut document =
        documents::Node::new(node.name, node.display_name, node.description, origins, actions)
            .version(node.version)
            .schemas(Schemas::from_iter(
                node.schemas.iter().map(|(name, literal)| (*name, schema(literal.value()))),
            ))
            .secrets((node.secrets)())
            .resources(resources)
            .categories(node.categories.iter().copied())
            .aliases(node.aliases.iter().copied());
    document.servers = node.servers.iter().map(server).collect();
    document.documentation_url = node.documentation_url.map(str::to_owned);
    document.icon = node.icon.map(str::to_owned);
    for slot in node.slots {
        let types: Vec<String> = slot.credential_types.iter().map(|&name| name.into()).collect();
        document = document.slot(slot.name, documents::Slot::new(types, slot.description));
    }
    document
}

fn server(server: &Server) -> documents::Server {
    let mut within = Vec::new();
    for text in server.within {
        let Ok(pattern) = text.parse::<documents::ServerPattern>() else {
            panic!("the server `{}` is within `{text}`, which no origin can be", server.name)
        };
        within.push(pattern);
    }
    documents::Server::new(server.name, server.description, within)
}

/// The triggers.
pub fn triggers(node: &Node) -> documents::Triggers {
    let triggers = node.triggers.iter().map(|declared| trigger(declared, node.references));
    documents::Triggers::default().triggers(triggers.collect())
}

/// A schema that the declaration holds or that is built here.
fn schema(value: Value) -> Schema {
    let Ok(schema) = value.try_into() else {
        panic!("the declaration has a schema that is neither an object nor a Boolean")
    };
    schema
}

fn trigger(trigger: &Trigger, references: &[Reference]) -> documents::Trigger {
    let form = &trigger.form;
    let delivery: documents::Delivery = match &trigger.delivery {
        Delivery::Webhook(webhook) => webhook().into(),
        Delivery::Poll(seconds) => documents::Poll::new(u64::from(*seconds) * 1_000).into(),
    };
    let parameters = schema(object_schema(form.parameters, references));
    let mut document =
        documents::Trigger::new(form.name, form.title, form.description, parameters, delivery)
            .version(form.version)
            .output(schema(form.output.schema()))
            .slots(slot(form))
            .examples(examples(form.examples));
    document.documentation_url = form.documentation_url.map(str::to_owned);
    document
}

/// The slot that a form uses, if it uses one.
fn slot(form: &Action) -> Option<(&'static str, SlotUse)> {
    let used = SlotUse::default().required(true).scopes(form.scopes.iter().copied());
    Some((form.slot?, used))
}

fn examples(examples: &[Example]) -> Vec<documents::Example> {
    let example = |example: &Example| {
        let parameters = Json::from(example.parameters.value());
        let mut document = documents::Example::new(example.title, parameters);
        document.output = example.output.map(|output| Json::from(output.value()));
        document
    };
    examples.iter().map(example).collect()
}

fn action(action: &Action, resource: &str, references: &[Reference]) -> documents::Action {
    if let Err(problem) = listing::check(action).and_then(|()| form::check(action)) {
        panic!("{problem}");
    }
    let mut document = documents::Action::new(
        action.name,
        action.title,
        action.description,
        action.effect,
        action.idempotency,
        schema(object_schema(action.parameters, references)),
    )
    .version(action.version)
    .port("main", schema(record(action)))
    .resource(resource)
    .examples(examples(action.examples))
    .early_access(action.is_early_access)
    .emits(action.run == Run::Declared && action.is_paged())
    .batches(action.run == Run::Batch);
    // The host compares what the action always returns with the output schema.
    if let (Answer::Nothing(record), Run::Declared) = (action.route.answer, action.run) {
        for example in &mut document.examples {
            example.output.get_or_insert_with(|| Json::from(record.value()));
        }
    }
    document.documentation_url = action.documentation_url.map(str::to_owned);
    document.guarantee = guarantee::of(action);
    match slot(action) {
        Some((name, used)) => document.slot(name, used),
        None => document,
    }
}

/// The schema of one output record: as the service writes it, or flat.
fn record(action: &Action) -> Value {
    let whole = action.output.schema();
    let Some(simple) = action.simple else {
        return whole;
    };
    let mut members = Object::new();
    members.set("anyOf", Value::Array(vec![whole, simple.schema()]));
    members.build()
}

/// The schema of parameters, or of an object's members.
fn object_schema(parameters: &[&Param], references: &[Reference]) -> Value {
    let record = parameters.iter().find(|param| param.place == Place::Record);
    let mut properties = Object::new();
    let mut required = Vec::new();
    // Parameters that the record from the service makes unnecessary.
    let mut of_record = Vec::new();
    // A JSON object has no order; a form does.
    let mut order = Vec::new();
    for param in parameters.iter().filter(|param| param.is_asked()) {
        properties.set(param.name, param_schema(param, references));
        order.push(param.name);
        if param.is_required && param.when.is_none() {
            match record {
                Some(_) if param.is_in_body() => of_record.push(param.name),
                _ => required.push(param.name),
            }
        }
    }
    let mut hints = Object::new();
    hints.set("order", texts(&order));
    let mut members = Object::new();
    members.text("type", "object");
    members.set("properties", properties.build());
    members.set("additionalProperties", false.into());
    if let Some(by) = parameters.iter().find_map(|param| param.when) {
        hints.text("discriminator", by);
        members.set("oneOf", Value::Array(variants(by, parameters)));
    }
    members.set("x-ui", hints.build());
    if !required.is_empty() {
        members.set("required", texts(&required));
    }
    if let Some(record) = record.filter(|_| !of_record.is_empty()) {
        let either = [texts(&[record.name]), texts(&of_record)].map(|names| {
            let mut one = Object::new();
            one.set("required", names);
            one.build()
        });
        members.set("anyOf", Value::Array(either.to_vec()));
    }
    members.build()
}

/// Subschemas, one per group of values of the discriminator. Each rejects the members of other values.
fn variants(by: &str, parameters: &[&Param]) -> Vec<Value> {
    let mut variants = Vec::new();
    let mut groups: Vec<&[&str]> = Vec::new();
    let decides = parameters.iter().find(|param| param.name == by);
    let values = match decides.map(|param| param.kind) {
        Some(Kind::OneOf(values)) => values,
        _ => &[],
    };
    for value in values {
        let value = std::slice::from_ref(value);
        if !groups.iter().any(|group| group == &value) {
            groups.push(value);
        }
    }
    let record = parameters.iter().find(|param| param.place == Place::Record);
    for group in groups {
        let mut properties = Object::new();
        let mut decided = Object::new();
        decided.text("const", group[0]);
        properties.set(by, decided.build());
        let mut required = vec![by];
        for param in parameters.iter().filter(|param| param.when == Some(by)) {
            if !param.when_is.contains(&group[0]) {
                properties.set(param.name, false.into());
            } else if param.is_required && record.is_none() {
                required.push(param.name);
            }
        }
        let mut variant = Object::new();
        variant.set("properties", properties.build());
        variant.set("required", texts(&required));
        variants.push(variant.build());
    }
    if decides.is_some_and(|param| !param.is_required || record.is_some()) {
        let mut undecided = Object::new();
        let mut given = Object::new();
        given.set("required", texts(&[by]));
        undecided.set("not", given.build());
        variants.push(undecided.build());
    }
    variants
}

fn param_schema(param: &Param, references: &[Reference]) -> Value {
    let limits = (param.min, param.max);
    let mut members = kind_schema(&param.kind, limits, param.is_nullable, references);
    members.text("title", param.title);
    members.text("description", param.description);
    if let Some(default) = param.default {
        members.set("default", default.value());
    }
    if let Some(secret) = param.secret {
        conceal(&mut members, param, secret);
    }
    if !param.suggestions.is_empty() {
        suggest(&mut members, param);
    }
    let mut hints = Object::new();
    if let Some(name) = param.reference {
        hints.set("options", true.into());
        hints.text("reference", name);
        if let Some(reference) = references.iter().find(|one| one.name == name) {
            hints.set("accepts", accepts(reference));
        }
    } else if let Some((_, first)) = param.reference_by.first() {
        hints.set("options", true.into());
        if let Some(member) = param.decided_by {
            hints.text("depends_on", member);
        }
        if let Some(reference) = references.iter().find(|one| one.name == *first) {
            hints.set("accepts", accepts(reference));
        }
    } else if param.kind == Kind::LongText {
        hints.set("multiline", true.into());
    } else if matches!(param.kind, Kind::DateTime | Kind::UtcDateTime) {
        hints.text("format", "date-time");
    } else if param.kind == Kind::Date {
        hints.text("format", "date");
    } else {
        return members.build();
    }
    members.set("x-ui", hints.build());
    members.build()
}

/// The forms of a reference that are accepted in place of its ID.
fn accepts(reference: &Reference) -> Value {
    let mut accepts = vec!["id"];
    accepts.extend(reference.is_named.then_some("name"));
    accepts.extend(reference.also);
    accepts.extend((!reference.segments.is_empty()).then_some("address"));
    texts(&accepts)
}

/// Marks a secret: the text itself, each element of a list, or each member of a map, whatever its
/// name. Only text can be secret, so no other type is accepted next to it.
fn conceal(members: &mut Object, param: &Param, secret: &str) {
    let mark = |members: &mut Object| {
        members.set("writeOnly", true.into());
        members.text("x-secret", secret);
    };
    let inner = match param.kind {
        Kind::Map => "additionalProperties",
        Kind::List(_) => "items",
        _ => return mark(members),
    };
    let mut element = kind_schema(&Kind::Text, (1, None), false, &[]);
    mark(&mut element);
    members.set(inner, element.build());
}

/// Known values as the annotation `examples`; for a list, the values of its elements.
fn suggest(members: &mut Object, param: &Param) {
    let known = texts(param.suggestions);
    match param.kind {
        Kind::List(element) => {
            let mut items = kind_schema(element, (1, None), false, &[]);
            items.set("examples", known);
            members.set("items", items.build());
        }
        _ => members.set("examples", known),
    }
}

fn kind_schema(
    kind: &Kind,
    (min, max): (u32, Option<u32>),
    is_nullable: bool,
    references: &[Reference],
) -> Object {
    let mut members = match kind {
        Kind::Object(parameters) => match object_schema(parameters, references) {
            Value::Object(members) => Object::from(members),
            _ => Object::new(),
        },
        _ => Object::new(),
    };
    let name = match kind {
        Kind::Text
        | Kind::LongText
        | Kind::Email
        | Kind::Url
        | Kind::DateTime
        | Kind::UtcDateTime
        | Kind::Date => "string",
        Kind::Integer(..) | Kind::IntegerOf(_) => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::OneOf(_) => "string",
        Kind::List(_) | Kind::Objects(_) => "array",
        Kind::Map | Kind::Object(_) => "object",
        Kind::Json | Kind::Constant(_) => return members,
    };
    if is_nullable {
        members.set("type", texts(&[name, "null"]));
    } else {
        members.text("type", name);
    }
    match kind {
        Kind::Email => members.text("format", "email"),
        Kind::Url => members.text("format", "uri"),
        // No `format`: the one of JSON Schema accepts fewer times than a form does.
        Kind::DateTime | Kind::UtcDateTime | Kind::Date => {
            members.text("pattern", r"^\s*\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}|\s*$)");
        }
        Kind::Integer(least, most) => {
            if *least > i64::MIN {
                members.set("minimum", (*least).into());
            }
            if *most < i64::MAX {
                members.set("maximum", (*most).into());
            }
        }
        Kind::IntegerOf(numbers) => {
            let mut values: Vec<Value> = numbers.iter().map(|number| (*number).into()).collect();
            values.extend(is_nullable.then_some(Value::Null));
            members.set("enum", Value::Array(values));
        }
        Kind::OneOf(values) => {
            let mut values = texts(values);
            if let (Value::Array(values), true) = (&mut values, is_nullable) {
                values.push(Value::Null);
            }
            members.set("enum", values);
        }
        Kind::List(element) => {
            members.set("items", kind_schema(element, (1, None), false, references).build());
        }
        Kind::Objects(parameters) => members.set("items", object_schema(parameters, references)),
        _ => {}
    }
    let (fewest, most) = match name {
        "array" => ("minItems", "maxItems"),
        "object" => ("minProperties", "maxProperties"),
        "string" if !matches!(kind, Kind::OneOf(_)) => ("minLength", "maxLength"),
        _ => return members,
    };
    if min > 0 {
        members.set(fewest, min.into());
    }
    if let Some(max) = max {
        members.set(most, max.into());
    }
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(kind: Kind) -> Value {
        param_schema(&Param::new(kind, "key", "Key", "").max(9).secret("tool-key"), &[])
    }

    #[test]
    fn a_secret_is_marked_at_its_texts() {
        let mark = |schema: &Value| (schema["x-secret"].clone(), schema["writeOnly"].clone());
        let marked = (json!("tool-key"), json!(true));
        assert_eq!(mark(&schema(Kind::Text)), marked);
        let map = schema(Kind::Map);
        assert_eq!(mark(&map["additionalProperties"]), marked);
        assert_eq!(map["additionalProperties"]["type"], "string");
        assert_eq!((mark(&map), &map["maxProperties"]), ((Value::Null, Value::Null), &json!(9)));
        let list = schema(Kind::List(&Kind::Text));
        assert_eq!(mark(&list["items"]), marked);
        assert_eq!(mark(&list), (Value::Null, Value::Null));
    }
}
