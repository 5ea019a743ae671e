//! The declaration as the documents of `schemas/node.json` and `schemas/trigger.json`.

use serde_json::Value;

use super::{
    Action, Delivery, Effect, Idempotency, Kind, Node, Param, Reference, Run, Signature, Trigger,
    Webhook, guarantee,
};
use crate::json::{Object, constant, texts};

/// The whole node.
pub fn node(node: &Node) -> Value {
    let mut slots = Object::new();
    for slot in node.slots {
        let mut members = Object::new();
        members.set("credential_types", texts(slot.credential_types));
        members.text("description", slot.description);
        slots.set(slot.name, members.build());
    }
    let mut schemas = Object::new();
    for (name, text) in node.schemas {
        schemas.set(name, constant(text));
    }
    let mut resources = Vec::new();
    let mut actions = Vec::new();
    for resource in node.resources {
        let mut members = Object::new();
        members.text("name", resource.name);
        members.text("title", resource.title);
        members.text("description", resource.description);
        resources.push(members.build());
        for declared in resource.actions.iter().copied().flatten() {
            actions.push(action(declared, resource.name, node.references));
        }
    }
    let mut members = Object::new();
    members.text("name", node.name);
    members.set("version", node.version.into());
    members.text("display_name", node.display_name);
    members.text("description", node.description);
    members.text("documentation_url", node.documentation_url);
    members.set("origins", texts(node.origins));
    members.set("slots", slots.build());
    members.set("schemas", schemas.build());
    members.set("secrets", constant(node.secrets));
    members.set("resources", Value::Array(resources));
    members.set("actions", Value::Array(actions));
    members.build()
}

/// The triggers.
pub fn triggers(node: &Node) -> Value {
    let mut triggers = Vec::new();
    for declared in node.triggers {
        triggers.push(trigger(declared, node.references));
    }
    let mut members = Object::new();
    members.set("triggers", Value::Array(triggers));
    members.build()
}

fn trigger(trigger: &Trigger, references: &[Reference]) -> Value {
    let mut members = head(&trigger.form, references);
    members.set("output", constant(trigger.form.output));
    members.set(
        "delivery",
        match &trigger.delivery {
            Delivery::Webhook(declared) => webhook(declared),
            Delivery::Poll(seconds) => {
                let mut members = Object::new();
                members.text("kind", "poll");
                members.set("interval_ms", (u64::from(*seconds) * 1_000).into());
                members.build()
            }
        },
    );
    members.build()
}

fn webhook(webhook: &Webhook) -> Value {
    let mut members = Object::new();
    members.text("kind", "webhook");
    if webhook.body_limit > 0 {
        members.set("body_limit_bytes", webhook.body_limit.into());
    }
    if let Some(declared) = &webhook.signature {
        members.set("signature", signature(declared));
    }
    if !webhook.id_header.is_empty() {
        members.text("id_header", webhook.id_header);
    }
    if webhook.answer_within_ms > 0 {
        members.set("answer_within_ms", webhook.answer_within_ms.into());
    }
    if webhook.is_answered_by_plugin {
        members.text("answered_by", "plugin");
    }
    members.build()
}

fn signature(signature: &Signature) -> Value {
    let mut members = Object::new();
    members.text("scheme", "hmac-sha256");
    members.text("header", signature.header);
    members.text("encoding", if signature.is_base64 { "base64" } else { "hex" });
    if !signature.prefix.is_empty() {
        members.text("prefix", signature.prefix);
    }
    if !signature.separator.is_empty() {
        members.text("separator", signature.separator);
    }
    members.text("secret", signature.secret);
    members.text("pointer", signature.pointer);
    members.set("previous_ms", signature.previous_ms.into());
    members.build()
}

/// What an action and a trigger both say.
fn head(form: &Action, references: &[Reference]) -> Object {
    let mut slots = Object::new();
    if !form.slot.is_empty() {
        let mut used = Object::new();
        used.set("required", true.into());
        used.set("scopes", texts(form.scopes));
        slots.set(form.slot, used.build());
    }
    let mut examples = Vec::new();
    for example in form.examples {
        let mut members = Object::new();
        members.text("title", example.title);
        members.set("parameters", constant(example.parameters));
        examples.push(members.build());
    }
    let mut members = Object::new();
    members.text("name", form.name);
    members.set("version", form.version.into());
    members.text("title", form.title);
    members.text("description", form.description);
    members.set("slots", slots.build());
    members.set("parameters", object_schema(form.parameters, references));
    members.set("examples", Value::Array(examples));
    if !form.documentation_url.is_empty() {
        members.text("documentation_url", form.documentation_url);
    }
    members
}

fn action(action: &Action, resource: &str, references: &[Reference]) -> Value {
    let mut output = Object::new();
    output.set("main", record(action));

    let mut members = head(action, references);
    members.text("resource", resource);
    members.text("effect", effect(action.effect));
    members.text("idempotency", idempotency(action.idempotency));
    members.set("output", output.build());
    if action.is_early_access {
        members.set("early_access", true.into());
    }
    if action.run == Run::Declared && action.is_paged() {
        members.set("emits", true.into());
    }
    if let Some(words) = guarantee::of(action) {
        members.text("guarantee", &words);
    }
    members.build()
}

/// The schema of one output record: as the service writes it, or flat.
fn record(action: &Action) -> Value {
    let whole = constant(action.output);
    let Some(simple) = action.simple else {
        return whole;
    };
    let mut members = Object::new();
    members.set("anyOf", Value::Array(vec![whole, simple.schema()]));
    members.build()
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Create => "create",
        Effect::Update => "update",
        Effect::Delete => "delete",
        Effect::Execute => "execute",
    }
}

fn idempotency(idempotency: Idempotency) -> &'static str {
    match idempotency {
        Idempotency::Safe => "safe",
        Idempotency::Idempotent => "idempotent",
        Idempotency::Keyed => "keyed",
        Idempotency::None => "none",
    }
}

/// The schema of parameters, or of an object's members.
fn object_schema(parameters: &[&Param], references: &[Reference]) -> Value {
    let mut properties = Object::new();
    let mut required = Vec::new();
    // A JSON object has no order; a form does.
    let mut order = Vec::new();
    for param in parameters.iter().filter(|param| param.is_asked()) {
        properties.set(param.name, param_schema(param, references));
        order.push(param.name);
        if param.is_required {
            required.push(param.name);
        }
    }
    let mut hints = Object::new();
    hints.set("order", texts(&order));
    let mut members = Object::new();
    members.text("type", "object");
    members.set("properties", properties.build());
    members.set("additionalProperties", false.into());
    members.set("x-ui", hints.build());
    if !required.is_empty() {
        members.set("required", texts(&required));
    }
    members.build()
}

fn param_schema(param: &Param, references: &[Reference]) -> Value {
    let mut members = kind_schema(&param.kind, param.max, param.is_nullable, references);
    members.text("title", param.title);
    members.text("description", param.description);
    if let Some(default) = param.default {
        members.set("default", constant(default));
    }
    if !param.secret.is_empty() {
        conceal(&mut members, param);
    }
    if !param.suggestions.is_empty() {
        suggest(&mut members, param);
    }
    let mut hints = Object::new();
    if !param.reference.is_empty() {
        hints.set("options", true.into());
        hints.text("reference", param.reference);
        if let Some(reference) = references.iter().find(|one| one.name == param.reference) {
            hints.set("accepts", accepts(reference));
        }
    } else if let Some((_, first)) = param.reference_by.first() {
        hints.set("options", true.into());
        hints.text("depends_on", param.decided_by);
        if let Some(reference) = references.iter().find(|one| one.name == *first) {
            hints.set("accepts", accepts(reference));
        }
    } else if param.kind == Kind::LongText {
        hints.set("multiline", true.into());
    } else {
        return members.build();
    }
    members.set("x-ui", hints.build());
    members.build()
}

/// What may stand for the thing that is meant.
fn accepts(reference: &Reference) -> Value {
    let mut accepts = vec!["id"];
    accepts.extend(reference.is_named.then_some("name"));
    accepts.extend((!reference.also.is_empty()).then_some(reference.also));
    accepts.extend((!reference.segments.is_empty()).then_some("address"));
    texts(&accepts)
}

/// Marks a secret: the text itself, each element of a list, or each member of a map, whatever it is
/// called. Only texts can be secrets, so nothing else is let in beside them.
fn conceal(members: &mut Object, param: &Param) {
    let mark = |members: &mut Object| {
        members.set("writeOnly", true.into());
        members.text("x-secret", param.secret);
    };
    let inner = match param.kind {
        Kind::Map => "additionalProperties",
        Kind::List(_) => "items",
        _ => return mark(members),
    };
    let mut element = kind_schema(&Kind::Text, 0, false, &[]);
    mark(&mut element);
    members.set(inner, element.build());
}

/// Known values as the annotation `examples`; of a list those of its elements.
fn suggest(members: &mut Object, param: &Param) {
    let known = texts(param.suggestions);
    match param.kind {
        Kind::List(element) => {
            let mut items = kind_schema(element, 0, false, &[]);
            items.set("examples", known);
            members.set("items", items.build());
        }
        _ => members.set("examples", known),
    }
}

fn kind_schema(kind: &Kind, max: u32, is_nullable: bool, references: &[Reference]) -> Object {
    let mut members = match kind {
        Kind::Object(parameters) => match object_schema(parameters, references) {
            Value::Object(members) => Object::from(members),
            _ => Object::new(),
        },
        _ => Object::new(),
    };
    let name = match kind {
        Kind::Text | Kind::LongText | Kind::Email | Kind::Url | Kind::DateTime => "string",
        Kind::Integer(..) => "integer",
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
        Kind::DateTime => members.text("format", "date-time"),
        Kind::Integer(least, most) => {
            members.set("minimum", (*least).into());
            members.set("maximum", (*most).into());
        }
        Kind::OneOf(values) => {
            let mut values = texts(values);
            if let (Value::Array(values), true) = (&mut values, is_nullable) {
                values.push(Value::Null);
            }
            members.set("enum", values);
        }
        Kind::List(element) => {
            members.set("items", kind_schema(element, 0, false, references).build());
        }
        Kind::Objects(parameters) => members.set("items", object_schema(parameters, references)),
        _ => {}
    }
    let longest = match name {
        "array" => "maxItems",
        "object" => "maxProperties",
        "string" if !matches!(kind, Kind::OneOf(_)) => {
            // No parameter of any kind means anything as an empty string.
            members.set("minLength", 1.into());
            "maxLength"
        }
        _ => return members,
    };
    if max > 0 {
        members.set(longest, max.into());
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
    fn a_secret_is_marked_where_its_texts_stand() {
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
