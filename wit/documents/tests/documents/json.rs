//! JSON that stays text.

use serde_json::{Value, json};
use workflow_node_documents::{Action, Document, Json, Node, Schema, Schemas};

#[test]
fn a_schema_keeps_its_text_and_is_a_value() {
    let text = r#"{ "type" : "number", "maximum":1.50, "b":1, "a":2 }"#;
    let schema: Schema = text.parse().unwrap();
    assert_eq!(schema.text(), text);
    assert_eq!(serde_json::to_string(&schema).unwrap(), text);
    assert_eq!(schema["type"], "number");
    assert_eq!(schema.get("maximum").unwrap().to_string(), "1.50");
    // Spaces and the order of members do not count.
    assert_eq!(schema, Schema::try_from(serde_json::from_str::<Value>(text).unwrap()).unwrap());
    assert_ne!(schema, Schema::anything());
}

#[test]
fn a_schema_is_an_object_or_a_boolean() {
    for text in ["{}", "true", " false ", "{\"$ref\":\"#/$defs/x\"}"] {
        assert!(text.parse::<Schema>().is_ok(), "{text}");
    }
    for text in ["", "1", "null", "[]", "\"{}\"", "{", "{} {}", "tru"] {
        assert!(text.parse::<Schema>().is_err(), "{text}");
        assert!(serde_json::from_str::<Schema>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Schemas>("[]").is_err());
}

/// A reader that skips a value does not notice these; a schema that cannot be read must not
/// accept anything.
#[test]
fn a_schema_that_cannot_be_parsed_accepts_nothing() {
    let deep = format!("{}1{}", "{\"items\":".repeat(1_000), "}".repeat(1_000));
    for text in [deep.as_str(), r#"{"title":"\ud800"}"#] {
        let schema: Schema = text.parse().unwrap();
        assert_eq!(schema.value(), &json!(false));
        assert_eq!(text.parse::<Json>().unwrap().value(), &Value::Null);
    }
}

#[test]
fn shared_schemas_are_an_object() {
    let schemas = Schemas::from_iter([("thing", Schema::anything()), ("a", Schema::anything())]);
    assert_eq!(schemas.text(), r#"{"a":true,"thing":true}"#);
    assert_eq!(schemas.get("thing"), Some(&json!(true)));
    assert!(Schemas::default().is_empty());
}

/// The schemas of hundreds of actions are not parsed with the document, so numbers, spaces, and the
/// order of members are those of the author.
#[test]
fn reading_a_node_does_not_touch_its_schemas() {
    let action = |parameters: &str| {
        format!(
            r#"{{"name":"a.b","version":1,"title":"A","description":"d","slots":{{}},"effect":"read",
            "idempotency":"safe","parameters":{parameters},"output":{{"main":{parameters}}},
            "examples":[{{"title":"E","parameters":{parameters}}}]}}"#
        )
    };
    let parameters = r#"{"z": 1e2,  "a": [ ]}"#;
    let read: Action = serde_json::from_str(&action(parameters)).unwrap();
    assert_eq!(read.parameters.text(), parameters);
    assert_eq!(read.output["main"].text(), parameters);
    assert_eq!(read.examples[0].parameters.text(), parameters);
    let node = format!(
        r#"{{"name":"n","version":1,"display_name":"N","description":"d","origins":[],"slots":{{}},
        "schemas":{{"x": {parameters}}},"actions":[{}]}}"#,
        action(parameters)
    );
    let node = Node::from_json(&node).unwrap();
    assert_eq!(node.schemas.text(), format!(r#"{{"x": {parameters}}}"#));
    assert_eq!(node.schemas["x"]["a"], json!([]));
    // From a value as well.
    let value: Value = serde_json::from_str(&node.to_json()).unwrap();
    assert_eq!(serde_json::from_value::<Node>(value).unwrap(), node);
}
