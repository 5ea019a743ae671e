//! Description of a plugin, checked against the contract's JSON Schemas.

mod authorize;
mod complexity;
mod credential_type;
mod explain;
mod form;
mod icon;
mod input_secrets;
#[cfg(test)]
mod pages;
mod placements;
pub(crate) mod schema;
mod server;
mod trigger;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use schema::{Validator, Work};

use crate::limits::ProcessLimits;
pub(crate) use credential_type::check_configuration;
pub use form::{Bounds, Field, Form, OptionsCall, Variant, alternatives};
pub(crate) use input_secrets::{InputSecret, input_secrets};
pub use schema::FieldProblem;

pub use workflow_node_documents::{
    Access, Action, AnsweredBy, AuthorizationCode, AuthorizeParameter, ClientAuthentication,
    ClientCredentials, Configuration, CredentialType, CredentialTypes, Delivery, Document, Effect,
    Example, Grant, Idempotency, Json, Node, OauthConfiguration, OperationLimit, PkceMethod,
    Placement, PlacementEncoding, PlacementKind, Poll, RateLimit, RateReset, RateWindow,
    ResetFormat, Resource, Schema, Schemas, Scope, SecretPlacement, SecretPosition, Server,
    ServerPattern, Signature, SignatureEncoding, SignatureScheme, Slot, SlotUse, Trigger,
    TriggerOptions, Triggers, Webhook,
};

/// Everything a plugin describes.
#[derive(Clone, Debug)]
pub struct Description {
    /// The node and its actions.
    pub node: Node,
    /// The credential types by name.
    pub credential_types: BTreeMap<String, CredentialType>,
    /// The triggers, in the author's order.
    pub triggers: Vec<Trigger>,
}

/// Why a description cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the plugin is refused: its description is wrong. {document}: {problem}")]
pub struct DescriptionError {
    /// Which document.
    pub document: Cow<'static, str>,
    /// Description of the problem.
    pub problem: String,
}

impl Description {
    /// The trigger of this name.
    pub fn trigger(&self, name: &str) -> Option<&Trigger> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }

    /// The slots that an action or a trigger uses. They share one space of names.
    pub fn slots_of(&self, name: &str) -> Option<&BTreeMap<String, SlotUse>> {
        let action = self.node.action(name).map(|action| &action.slots);
        action.or_else(|| self.trigger(name).map(|trigger| &trigger.slots))
    }

    /// Names of all that runs with rights: the actions, then the triggers.
    pub(crate) fn runnable(&self) -> impl Iterator<Item = &str> {
        let actions = self.node.actions.iter().map(|action| action.name.as_str());
        actions.chain(self.triggers.iter().map(|trigger| trigger.name.as_str()))
    }

    /// Reads and checks the documents.
    pub(crate) fn read(
        node: &str,
        credential_types: &str,
        triggers: Option<&str>,
        limits: &ProcessLimits,
    ) -> Result<Self, DescriptionError> {
        schema::checked("node.json", node)?;
        schema::checked("credential-type.json", credential_types)?;
        if let Some(triggers) = triggers {
            schema::checked("trigger.json", triggers)?;
        }
        let description = Self::read_checked(node, credential_types, triggers)?;
        description.check(limits)?;
        Ok(description)
    }

    /// Reads documents that were checked before.
    pub(crate) fn read_checked(
        node: &str,
        credential_types: &str,
        triggers: Option<&str>,
    ) -> Result<Self, DescriptionError> {
        fn parsed<D: Document>(text: &str) -> Result<D, DescriptionError> {
            D::from_json(text).map_err(|error| DescriptionError {
                document: D::NAME.into(),
                problem: error.to_string(),
            })
        }
        let node: Node = parsed(node)?;
        let types: CredentialTypes = parsed(credential_types)?;
        let triggers: Option<Triggers> = triggers.map(parsed).transpose()?;
        let triggers = triggers.unwrap_or_default().triggers;
        let mut by_name = BTreeMap::new();
        for credential_type in types.credential_types {
            let name = credential_type.name.clone();
            if by_name.insert(name.clone(), credential_type).is_some() {
                return Err(DescriptionError {
                    document: "credential-type.json".into(),
                    problem: format!("two credential types are named `{name}`"),
                });
            }
        }
        Ok(Self { node, credential_types: by_name, triggers })
    }

    /// Checks that a schema cannot express: names are unique, references resolve, and secrets are
    /// placed within the credential's own origins.
    fn check(&self, limits: &ProcessLimits) -> Result<(), DescriptionError> {
        let wrong = |document: &'static str| {
            move |problem| DescriptionError { document: document.into(), problem }
        };
        let mut checks = Checks { shared: &self.node.schemas, limits, work: Work::default() };
        placements::check(&self.node, &self.credential_types, limits)
            .map_err(wrong("node.json"))?;
        server::check(&self.node, &self.credential_types).map_err(wrong("node.json"))?;
        self.check_node(&mut checks).map_err(wrong("node.json"))?;
        trigger::check(&self.triggers, &self.node, &mut checks).map_err(wrong("trigger.json"))?;
        self.credential_types
            .values()
            .try_for_each(|one| credential_type::check(one, limits))
            .map_err(wrong("credential-type.json"))
    }

    fn check_node(&self, checks: &mut Checks<'_>) -> Result<(), String> {
        let node = &self.node;
        let mut names = BTreeSet::new();
        node.icon.as_deref().map_or(Ok(()), icon::check)?;
        for (slot_name, slot) in &node.slots {
            for credential_type in &slot.credential_types {
                if !self.credential_types.contains_key(credential_type) {
                    return Err(format!(
                        "the slot `{slot_name}` accepts the credential type `{credential_type}`, \
                         which is not declared"
                    ));
                }
            }
        }
        checks.shared().map_err(|error| format!("the shared schemas: {error}"))?;
        for action in &node.actions {
            if !names.insert(&action.name) {
                return Err(format!("two actions are named `{}`", action.name));
            }
            for slot in action.slots.keys() {
                if !node.slots.contains_key(slot) {
                    return Err(format!(
                        "the action `{}` uses the slot `{slot}`, which is not declared",
                        action.name
                    ));
                }
            }
            checks.form(&action.name, &action.parameters, &action.examples)?;
            if let Some(place) = schema::file_mark(&node.schemas, &action.parameters) {
                return Err(refused_file(&format!("the action `{}`", action.name), &place));
            }
            for (port, output) in &action.output {
                let examples = if port == "main" { action.examples.as_slice() } else { &[] };
                checks.output(&action.name, output, examples).map_err(|error| {
                    format!("the output `{port}` of `{}`: {error}", action.name)
                })?;
            }
        }
        let known = |name: &str| node.secrets.iter().any(|secret| secret.name == name);
        let forms = node.actions.iter().map(|action| (&action.name, &action.parameters));
        let triggers = self.triggers.iter().map(|trigger| (&trigger.name, &trigger.parameters));
        for (name, parameters) in forms.chain(triggers) {
            let secrets = input_secrets(&node.schemas, parameters)
                .map_err(|problem| format!("in the parameters of `{name}`: {problem}"))?;
            if let Some(stray) = secrets.iter().find(|secret| !known(&secret.name)) {
                return Err(format!(
                    "a parameter of `{name}` is the secret `{}`, which is not declared",
                    stray.name
                ));
            }
        }
        let covered = |pattern| node.origins.iter().any(|origin| origin.covers(pattern));
        for secret in &node.secrets {
            let placed = secret.placements.iter().flat_map(|placement| &placement.origins);
            if let Some(origin) = secret.origins.iter().chain(placed).find(|one| !covered(one)) {
                return Err(format!(
                    "the secret `{}` has the origin {origin}, which is not one of the node's \
                     origins",
                    secret.name
                ));
            }
        }
        Ok(())
    }
}

/// The check of the schemas of one description: all of them together may take so much work.
struct Checks<'a> {
    shared: &'a Map<String, Value>,
    limits: &'a ProcessLimits,
    work: Work,
}

impl Checks<'_> {
    /// Compiles each shared schema.
    fn shared(&mut self) -> Result<(), String> {
        let reference = |name: &String| json!({ "$ref": format!("#/$defs/{name}") });
        let all: Vec<Value> = self.shared.keys().map(reference).collect();
        if all.is_empty() {
            return Ok(());
        }
        // Together they may be more than a form can be, and each is one on its own.
        let most = ProcessLimits {
            schema_nodes: self.limits.description_values,
            schema_expansion: usize::MAX,
            schema_patterns: (usize::MAX, usize::MAX),
            ..self.limits.clone()
        };
        Validator::working(self.shared, &json!({ "allOf": all }), &most, &mut self.work).map(drop)
    }

    /// Checks a schema.
    fn schema(&mut self, schema: &Value) -> Result<(), String> {
        Validator::check(self.shared, schema, self.limits, &mut self.work)
    }

    /// Checks the schema of output, and that the output of examples fits it.
    fn output(&mut self, name: &str, output: &Value, examples: &[Example]) -> Result<(), String> {
        let shown = |example: &&Example| example.output.is_some();
        if !examples.iter().any(|example| shown(&example)) {
            return self.schema(output);
        }
        let validator = Validator::working(self.shared, output, self.limits, &mut self.work)?;
        for example in examples.iter().filter(shown) {
            let record = example.output.as_deref().unwrap_or(&Value::Null);
            if let Some(problem) = validator.problems(record).first() {
                return Err(format!(
                    "the output of the example `{}` does not fit it: {problem}. Correct the schema \
                     or the output of the example in the plugin's declaration of `{name}`",
                    example.title
                ));
            }
        }
        Ok(())
    }

    /// Checks a form, and that its examples fit it.
    fn form(&mut self, name: &str, form: &Value, examples: &[Example]) -> Result<(), String> {
        let wrong = |error: String| format!("the parameters of `{name}`: {error}");
        if examples.is_empty() {
            return self.schema(form).map_err(wrong);
        }
        let validator = Validator::working(self.shared, form, self.limits, &mut self.work);
        let validator = validator.map_err(wrong)?;
        for example in examples {
            if let Some(problem) = validator.problems(&example.parameters).first() {
                let title = &example.title;
                return Err(format!(
                    "the example `{title}` of `{name}` does not match its own parameters: \
                     {problem}"
                ));
            }
        }
        Ok(())
    }
}

/// A form that takes a file cannot be filled without the import that the contract reserves for it.
fn refused_file(whose: &str, place: &str) -> String {
    format!(
        "{whose} takes a file in `{place}` (marked `x-file`), and this host does not support the \
         import `files`"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Description, ProcessLimits};

    const NO_TYPES: &str = r#"{"credential_types":[]}"#;

    fn node() -> Value {
        json!({
            "name": "pager", "version": 1, "display_name": "Pager", "description": "A node.",
            "origins": ["https://api.test"], "slots": {},
            "schemas": {"attachment": {"type": "object", "x-file": true}},
            "actions": [{
                "name": "note.create", "version": 1, "title": "Create", "description": "Creates.",
                "slots": {}, "effect": "create", "idempotency": "none",
                "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
                "output": {"main": {"type": "object"}},
            }],
        })
    }

    fn read(node: &Value) -> Result<Description, String> {
        Description::read(&node.to_string(), NO_TYPES, None, &ProcessLimits::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_example_whose_output_does_not_fit_its_schema_is_refused() {
        let mut node = node();
        let schema = json!({"properties": {"at": {"type": "string"}}, "required": ["at"]});
        let of = |output: Value| json!([{"title": "Now", "parameters": {}, "output": output}]);
        node["actions"][0]["output"] = json!({"main": schema.clone()});
        node["actions"][0]["examples"] = of(json!({"at": "now"}));
        assert!(read(&node).is_ok());
        node["actions"][0]["examples"] = of(json!({}));
        let error = read(&node).unwrap_err();
        assert!(error.contains("node.json: the output `main` of `note.create`: the output of the example `Now` does not fit it: "), "{error}");
        assert!(error.contains("Correct the schema or the output of the example"), "{error}");

        node["actions"][0]["examples"] = json!([]);
        let triggers = json!({"triggers": [{
            "name": "note.created", "version": 1, "title": "Created", "description": "Starts.",
            "parameters": {}, "output": schema, "examples": of(json!({"at": 1})),
            "delivery": {"kind": "poll", "interval_ms": 1000},
        }]});
        let limits = ProcessLimits::default();
        let triggers = triggers.to_string();
        let error = Description::read(&node.to_string(), NO_TYPES, Some(&triggers), &limits);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("the output of `note.created`: the output of the example `Now`"),
            "{error}"
        );
    }

    #[test]
    fn a_form_that_takes_a_file_is_refused_by_its_mark() {
        assert!(read(&node()).is_ok());
        let mut attaching = node();
        attaching["actions"][0]["parameters"]["properties"]["logs"] =
            json!({"type": "array", "items": {"$ref": "#/$defs/attachment"}});
        let error = read(&attaching).unwrap_err();
        assert_eq!(
            error,
            "the plugin is refused: its description is wrong. node.json: the action `note.create` \
             takes a file in `logs` (marked `x-file`), and this host does not support the import \
             `files`"
        );

        let triggers = json!({"triggers": [{
            "name": "file.changed", "version": 1, "title": "Changed", "description": "Starts.",
            "parameters": {"properties": {"like": {"x-file": true}}},
            "delivery": {"kind": "poll", "interval_ms": 1000},
        }]});
        let error = Description::read(
            &node().to_string(),
            NO_TYPES,
            Some(&triggers.to_string()),
            &ProcessLimits::default(),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`file.changed` takes a file in `like`"), "{error}");

        let types = json!({"credential_types": [{
            "name": "key-file", "version": 1, "display_name": "Key", "description": "A key.",
            "fields": {"properties": {"key": {"x-file": true, "writeOnly": true}}},
            "grant": {"kind": "fixed"}, "origins": ["https://api.test"],
            "placements": [{"kind": "header", "name": "x", "value": "{key}",
                "origins": ["https://api.test"], "path": "/**"}],
        }]});
        let error = Description::read(
            &node().to_string(),
            &types.to_string(),
            None,
            &ProcessLimits::default(),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`key-file` takes a file in `key`"), "{error}");
    }

    #[test]
    fn an_icon_is_small_svg_text() {
        let with = |icon: &str| {
            let mut node = node();
            node["icon"] = json!(icon);
            node["categories"] = json!(["incident-management"]);
            node["aliases"] = json!(["on call"]);
            read(&node)
        };
        let svg =
            |inside: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inside}</svg>");
        let node = with(&svg("<path/>")).unwrap().node;
        assert_eq!(node.icon.as_deref(), Some(svg("<path/>").as_str()));
        assert_eq!((node.categories.len(), node.aliases.len()), (1, 1));
        assert!(with("data:image/png;base64,iVBORw0KGgo").is_err());
        // Characters are counted by the schema, bytes by the host.
        assert!(with(&svg(&" ".repeat(9_000))).is_err());
        let error = with(&svg(&"\u{1f514}".repeat(2_100))).unwrap_err();
        assert!(error.contains("the limit is 8192"), "{error}");
    }

    #[test]
    fn a_member_that_a_host_does_not_know_is_kept_or_refused_as_the_contract_says() {
        let mut newer = node();
        newer["from_the_future"] = json!({"a": 1.50});
        newer["actions"][0]["cost"] = json!(2);
        let described = read(&newer).unwrap().node;
        assert_eq!(described.extra().get("from_the_future").unwrap().value(), &json!({"a": 1.50}));
        assert_eq!(described.actions[0].extra().get("cost").unwrap().text(), "2");
        newer["secrets"] = json!([{"name": "key", "description": "A key.", "placements": [],
            "rule": "new"}]);
        assert!(read(&newer).unwrap_err().contains("rule"));
    }
}
