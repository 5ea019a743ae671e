//! Runs the importer as a command on a test document.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// A document with every construct that the importer supports.
fn document() -> Value {
    json!({
        "openapi": "3.0.2",
        "info": {"title": "Things", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {
            "/things/{id}": {
                "put": {
                    "operationId": "updateThing",
                    "tags": ["Things"],
                    "x-pd-requires-scope": "things.write",
                    "description": "This API operation has operation specific rate limits.",
                    "parameters": [
                        {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
                        {"name": "From", "in": "header", "required": true, "schema": {"type": "string"}},
                        {"name": "X-EARLY-ACCESS", "in": "header", "schema": {"type": "string", "default": "things"}},
                        {"$ref": "#/components/parameters/include"}
                    ],
                    "requestBody": {"required": true, "content": {"application/json": {
                        "schema": {"type": "object", "required": ["thing"], "properties": {
                            "thing": {"$ref": "#/components/schemas/Thing"}}},
                        "examples": {"one": {"value": {"thing": {"name": "n", "color": "red"}}}}
                    }}},
                    "responses": {"200": {"content": {"application/json": {"schema": {
                        "type": "object", "required": ["thing"],
                        "properties": {"thing": {"$ref": "#/components/schemas/Thing"}}}}}},
                        "207": {"content": {"application/json": {"schema": {
                            "type": "object", "properties": {
                                "things": {"type": "array", "items": {"type": "object", "properties": {
                                    "errors": {"type": "array", "items": {"type": "string"}}}}},
                                "parts": {"type": "array", "items": {"type": "object", "properties": {
                                    "result": {"type": "string", "enum": ["done", "failed"]}}}},
                                "failed_count": {"type": "integer"}}}}}}}
                }
            },
            "/things": {
                "get": {
                    "operationId": "listThings",
                    "tags": ["Things"],
                    "parameters": [
                        {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 50}},
                        {"name": "cursor", "in": "query", "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"content": {"application/json": {"schema": {
                        "type": "object", "properties": {
                            "things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                            "next_cursor": {"type": "string"}}}}}}}
                }
            }
        },
        "components": {
            "parameters": {"include": {"name": "include[]", "in": "query", "explode": true,
                "schema": {"type": "string", "enum": ["parts"]}}},
            "schemas": {
                "Tag": {"type": "object", "properties": {
                    "id": {"type": "string", "readOnly": true},
                    "type": {"type": "string", "readOnly": true}}},
                "Thing": {"allOf": [{"$ref": "#/components/schemas/Tag"}, {
                    "type": "object",
                    "required": ["name", "settings"],
                    "properties": {
                        "type": {"type": "string", "enum": ["thing"]},
                        "name": {"type": "string", "minLength": 1, "maxLength": 9},
                        "note": {"type": "string", "nullable": true},
                        "size": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
                        "level": {"type": "string", "enum": ["high", "low", null]},
                        "parts": {"type": "array", "minItems": 1, "items": {"type": "object",
                            "required": ["label"],
                            "properties": {"label": {"type": "string"},
                                "inner": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}}},
                        "settings": {"oneOf": [
                            {"type": "object", "required": ["type", "url"], "properties": {
                                "type": {"type": "string", "enum": ["web"]},
                                "url": {"type": "string", "format": "uri"},
                                "label": {"type": "string"}}},
                            {"type": "object", "required": ["type"], "properties": {
                                "type": {"type": "string", "enum": ["mail"]},
                                "address": {"type": "string", "format": "email"},
                                "label": {"type": "string"}}}]}
                    }
                }]}
            }
        }
    })
}

/// Imports a document into a directory, and returns what the command prints.
fn import(directory: &Path, document: &Value) -> String {
    let file = directory.join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pagerduty-api"))
        .arg("import")
        .arg(&file)
        .arg("--facts")
        .arg(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn rows(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("operations.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn everything_that_a_form_needs_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let printed = import(directory.path(), &document());
    assert!(printed.contains("operation added: updateThing (PUT /things/{id})"), "{printed}");
    let rows = rows(directory.path());
    let list = rows.iter().find(|row| row["id"] == "listThings").unwrap();
    assert_eq!(list["paging"], "cursor");
    assert_eq!(list["query"][0], json!({"name": "limit", "type": "integer", "maximum": 50}));
    let update = rows.iter().find(|row| row["id"] == "updateThing").unwrap();
    for (attribute, value) in [
        ("scope", json!("things.write")),
        ("operation_limit", json!(true)),
        ("from", json!("required")),
        ("early_access", json!("things")),
        ("status", json!(200)),
    ] {
        assert_eq!(update[attribute], value, "{attribute}");
    }
    assert_eq!(
        update["answer"]["reports"],
        json!([
            {"at": "/things", "member": "errors"},
            {"at": "/parts", "member": "result", "results": ["done", "failed"]},
            {"at": "/failed_count", "results": ["failed"]},
        ])
    );
    let thing = &update["body"]["fields"][0];
    let field = |name: &str| {
        let fields = thing["fields"].as_array().unwrap();
        fields.iter().find(|one| one["name"] == name).unwrap_or(&Value::Null).clone()
    };
    // A later part of a schema redefines a member.
    assert_eq!(field("type"), json!({"name": "type", "type": "string", "enum": ["thing"]}));
    assert_eq!(
        field("name"),
        json!({"name": "name", "type": "string", "required": true, "max_length": 9, "min_length": 1})
    );
    assert_eq!(field("note"), json!({"name": "note", "type": "string", "nullable": true}));
    assert_eq!(field("size")["default"], 2);
    assert_eq!(
        field("level"),
        json!({"name": "level", "type": "string", "nullable": true, "enum": ["high", "low"]})
    );
    let parts = field("parts");
    assert_eq!((&parts["type"], &parts["min_items"]), (&json!("array<object>"), &json!(1)));
    assert_eq!(parts["fields"][0], json!({"name": "label", "type": "string", "required": true}));
    // A schema that contains itself ends the recursion.
    assert_eq!(parts["fields"][1], json!({"name": "inner", "type": "array<object>"}));
    assert_eq!(
        field("settings"),
        json!({"name": "settings", "type": "object", "required": true, "by": "type",
            "fields": [
                {"name": "type", "type": "string", "required": true, "enum": ["web", "mail"]},
                {"name": "label", "type": "string"}],
            "variants": [
                {"is": ["web"], "fields": [
                    {"name": "url", "type": "string", "required": true, "format": "uri"}]},
                {"is": ["mail"], "fields": [
                    {"name": "address", "type": "string", "format": "email"}]}]})
    );
    assert_eq!(field("color"), json!({"name": "color", "type": "string", "from_example": true}));
}

#[test]
fn importing_the_same_document_again_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), &document());
    let before = std::fs::read(directory.path().join("operations.json")).unwrap();
    assert_eq!(
        import(directory.path(), &document()),
        "2 operations, 0 changes in operations.json\n"
    );
    assert_eq!(std::fs::read(directory.path().join("operations.json")).unwrap(), before);
}

#[test]
fn an_added_field_is_the_only_reported_change() {
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), &document());
    let mut changed = document();
    let own = &mut changed["components"]["schemas"]["Thing"]["allOf"][1]["properties"];
    own["new"] = json!({"type": "boolean"});
    assert_eq!(
        import(directory.path(), &changed),
        "updateThing: field added: body.thing.new (boolean)\n2 operations, 1 changes in operations.json\n"
    );
}
