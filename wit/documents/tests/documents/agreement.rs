//! Documents that a schema allows parse and serialize without changes. Open objects keep unknown
//! members; closed objects reject them.

use serde_json::{Map, Value, json};
use workflow_node_documents::{
    CallOptions, Configuration, CredentialTypes, Document, Identity, Node, Options, OptionsQuery,
    TokenGrant, TriggerOptions, Triggers,
};

use crate::generate::{self, Choices};
use crate::published::{schema, validator};

const ROUNDS: u64 = 300;

macro_rules! each {
    ($check:ident) => {
        $check::<CallOptions>();
        $check::<Configuration>();
        $check::<CredentialTypes>();
        $check::<TokenGrant>();
        $check::<Identity>();
        $check::<Node>();
        $check::<OptionsQuery>();
        $check::<Options>();
        $check::<TriggerOptions>();
        $check::<Triggers>();
    };
}

fn documents<D: Document>(mut with: impl FnMut(&mut Choices)) -> Vec<Value> {
    let published = schema(D::NAME);
    let validator = validator(&published);
    let mut documents = Vec::new();
    for seed in 0..ROUNDS {
        let mut choices = Choices::new(seed);
        choices.everything = seed % 4 == 0;
        with(&mut choices);
        let document = generate::value(&published, &published, &mut choices);
        if validator.is_valid(&document) {
            documents.push(document);
        }
    }
    assert!(documents.len() > 20, "{} of {} documents are valid", documents.len(), D::NAME);
    documents
}

/// A document without members that carry no information: `null`, empty lists and objects, and
/// defaults.
fn essence(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), essence(value)))
            .filter(|(name, value)| says_something(name, value))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(elements) => elements.iter().map(essence).collect(),
        other => other.clone(),
    }
}

fn says_something(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(false) => !matches!(
            name,
            "required"
                | "early_access"
                | "emits"
                | "batches"
                | "iss_in_response"
                | "made_by_host"
                | "continue_on_fail"
                | "finish_items"
        ),
        Value::Bool(true) => name != "output",
        Value::Number(number) => name != "previous_ms" || number.as_u64() != Some(0),
        Value::String(text) => name != "answered_by" || text != "host",
    }
}

fn check_round_trip<D: Document + PartialEq + std::fmt::Debug>() {
    let validator = validator(&schema(D::NAME));
    for document in documents::<D>(|choices| choices.unknown = true) {
        let text = document.to_string();
        let read = D::from_json(&text)
            .unwrap_or_else(|error| panic!("{}: {error}: {document:#}", D::NAME));
        let again: Value = serde_json::from_str(&read.to_json()).unwrap();
        assert_eq!(essence(&again), essence(&document), "{}", D::NAME);
        assert!(validator.is_valid(&again), "{}: {again:#}", D::NAME);
        assert_eq!(D::from_json(&read.to_json()).unwrap(), read, "{}", D::NAME);
    }
}

#[test]
fn valid_documents_are_parsed_and_written_unchanged() {
    each!(check_round_trip);
}

/// Calls `visit` with each variant of a document in which one object has an additional member.
fn with_a_member_more(document: &Value, visit: &mut dyn FnMut(&Value, &str)) {
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.push(at.to_owned());
                for (name, value) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    pointers(value, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(elements) => {
                for (index, value) in elements.iter().enumerate() {
                    pointers(value, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut places = Vec::new();
    pointers(document, "", &mut places);
    for place in places {
        let mut changed = document.clone();
        let object = changed.pointer_mut(&place).unwrap().as_object_mut().unwrap();
        object.insert("from_the_future".to_owned(), json!({"deep": [1, null]}));
        visit(&changed, &place);
    }
}

fn check_unknown<D: Document>() {
    let validator = validator(&schema(D::NAME));
    let (mut kept, mut refused) = (0, 0);
    for document in documents::<D>(|_| ()).iter().take(60) {
        with_a_member_more(document, &mut |changed, place| {
            let read = D::from_json(&changed.to_string());
            match (validator.is_valid(changed), read) {
                (true, Ok(read)) => {
                    let again: Value = serde_json::from_str(&read.to_json()).unwrap();
                    assert_eq!(essence(&again), essence(changed), "{} at {place}", D::NAME);
                    kept += 1;
                }
                (false, Err(_)) => refused += 1,
                (true, Err(error)) => panic!("{} at {place}: refused, {error}", D::NAME),
                (false, Ok(_)) => panic!("{} at {place}: accepted {changed:#}", D::NAME),
            }
        });
    }
    let is_closed = D::NAME == "configuration.json";
    assert!(kept > 0, "{} keeps unknown members", D::NAME);
    assert!(refused > 0 || !is_closed, "{} refuses unknown members", D::NAME);
}

#[test]
fn an_unknown_member_is_kept_where_the_schema_allows_it_and_refused_elsewhere() {
    each!(check_unknown);
}

fn check_required<D: Document>() {
    let published = schema(D::NAME);
    let required = published["required"].as_array().cloned().unwrap_or_default();
    let document = documents::<D>(|_| ()).remove(0);
    for name in required.iter().filter_map(Value::as_str) {
        let mut incomplete = document.clone();
        incomplete.as_object_mut().unwrap().remove(name);
        assert!(D::from_json(&incomplete.to_string()).is_err(), "{} without {name}", D::NAME);
    }
}

#[test]
fn a_document_without_a_required_member_is_refused() {
    each!(check_required);
}

#[test]
fn a_member_that_occurs_twice_is_refused() {
    let twice = r#"{"continue_on_fail":true,"continue_on_fail":false}"#;
    let error = CallOptions::from_json(twice).unwrap_err();
    assert!(error.to_string().contains("duplicate field `continue_on_fail`"), "{error}");
}

#[test]
fn a_new_kind_is_refused_by_its_name() {
    let with = |grant: Value, placement: Value| {
        let document = json!({"credential_types": [{
            "name": "key", "version": 1, "display_name": "Key", "description": "A key.",
            "fields": {"type": "object"}, "grant": grant, "origins": ["https://a.test"],
            "placements": [placement],
        }]});
        CredentialTypes::from_json(&document.to_string()).unwrap_err().to_string()
    };
    let header = json!({"kind": "header", "name": "x", "value": "{k}", "origins": ["https://a.test"], "path": "/**"});
    let error = with(json!({"kind": "device-code"}), header.clone());
    assert!(error.contains("device-code"), "{error}");
    let mut cookie = header;
    cookie["kind"] = json!("cookie");
    let error = with(json!({"kind": "fixed"}), cookie);
    assert!(error.contains("cookie"), "{error}");
    let trigger = json!({"triggers": [{"name": "t", "version": 1, "title": "T", "description": "d",
        "parameters": true, "delivery": {"kind": "queue"}}]});
    let error = Triggers::from_json(&trigger.to_string()).unwrap_err().to_string();
    assert!(error.contains("queue"), "{error}");
}

/// The readers for components agree with the others, including on the documents that they reject.
#[test]
fn a_parsed_document_is_read_like_its_text() {
    fn check<D: Document + PartialEq + std::fmt::Debug>(read: fn(Value) -> Option<D>) {
        let changes = [json!(null), json!(1), json!(-1), json!("x"), json!([1]), json!({"a": 1})];
        for document in documents::<D>(|choices| choices.unknown = true) {
            let text = |document: &Value| D::from_json(&document.to_string()).ok();
            assert_eq!(read(document.clone()), text(&document), "{document}");
            for name in document.as_object().unwrap().keys() {
                let mut changed = document.clone();
                changed.as_object_mut().unwrap().remove(name);
                assert_eq!(read(changed.clone()), text(&changed), "{changed}");
                for change in &changes {
                    changed[name] = change.clone();
                    assert_eq!(read(changed.clone()), text(&changed), "{changed}");
                }
            }
        }
        assert_eq!(read(json!([])), None);
    }
    check(OptionsQuery::from_value);
    check(TokenGrant::from_value);
}
