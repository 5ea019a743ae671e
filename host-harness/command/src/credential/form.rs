//! The form of a credential type, filled from the command line.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use workflow_node_host::Secret;
use workflow_node_host::credential::{CredentialForm, SecretReference};
use workflow_node_host::description::{self, CredentialType, Field};
use workflow_node_host::oauth::ConnectOrder;

use super::args::Form;
use super::secrets::{self, Source};
use crate::exit::Failure;

/// The variable that holds an app's client secret, where an engine or CI brings it.
const CLIENT_SECRET: &str = "WORKFLOW_NODE_CLIENT_SECRET";

/// Values for a form from the command line, before any prompt.
pub(super) struct Given {
    fields: Vec<String>,
    sources: BTreeMap<String, Source>,
    references: BTreeMap<String, SecretReference>,
    client_secret: Option<String>,
}

/// Reads the flags. Before anything else: what was typed by mistake shall not be kept any longer
/// than needed.
pub(super) fn given(form: &Form) -> Result<Given, Failure> {
    Ok(Given {
        fields: form.field.clone(),
        sources: secrets::sources(&form.secret)?,
        references: secrets::references(&form.secret_reference)?,
        client_secret: form.client_secret.clone(),
    })
}

impl Given {
    /// Checks what can be checked before anything is opened or asked.
    pub(super) fn check(&self, credential_type: &CredentialType) -> Result<(), Failure> {
        fields(credential_type, &self.fields, Map::new()).map(|_| ())
    }

    /// Fills in the form of an order: what was given over what was there, and asked for where it is
    /// required.
    pub(super) fn fill(
        mut self,
        credential_type: &CredentialType,
        order: &mut ConnectOrder,
    ) -> Result<(), Failure> {
        let before = std::mem::take(&mut order.form);
        if let Some(field) = client_secret_field(credential_type) {
            if let Some(source) = &self.client_secret {
                let text = format!("{field}={source}");
                let mut one = secrets::sources(std::slice::from_ref(&text))?;
                if let Some(source) = one.remove(field) {
                    self.sources.insert(field.to_owned(), source);
                }
            } else if !self.sources.contains_key(field)
                && !self.references.contains_key(field)
                && let Ok(secret) = std::env::var(CLIENT_SECRET)
                && !secret.is_empty()
            {
                self.sources.insert(field.to_owned(), Source::Given(Secret::new(secret)));
            }
        } else if self.client_secret.is_some() {
            let message =
                format!("Credential type `{}` has no client secret", credential_type.name);
            return Err(Failure::input("secret", message));
        }
        let fields = fields(credential_type, &self.fields, before.fields)?;
        if let Some(name) = self.references.keys().find(|name| self.sources.contains_key(*name)) {
            let message = format!("Secret `{name}` is both given and kept elsewhere");
            return Err(Failure::input("secret", message).next("choose one"));
        }
        let mut before = before.secrets;
        before.retain(|name, _| !self.references.contains_key(name));
        let mut references = std::mem::take(&mut order.references);
        references.retain(|name, _| !self.sources.contains_key(name));
        references.extend(self.references);
        let secrets = secrets::gather(credential_type, self.sources, before, &references)?;
        order.form = CredentialForm { fields, secrets };
        order.references = references;
        Ok(())
    }
}

fn client_secret_field(credential_type: &CredentialType) -> Option<&str> {
    credential_type.grant.client_secret_field()
}

/// Fields from `--field K=V`, each parsed according to its schema, merged over the existing ones.
/// Required fields without a value take their default.
fn fields(
    credential_type: &CredentialType,
    given: &[String],
    before: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let form = description::Form::of_credential_type(credential_type);
    let secret = credential_type.secret_fields();
    let mut fields = Map::new();
    let mut all = before;
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::input("field", "--field expects NAME=VALUE"));
        };
        if secret.contains(name) {
            return Err(secrets::on_the_command_line(name));
        }
        let Some(field) = form.field(name) else {
            let known: Vec<&str> = form
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .filter(|name| !secret.contains(*name))
                .collect();
            let message =
                format!("Credential type `{}` has no field `{name}`", credential_type.name);
            return Err(Failure::input("field", message)
                .next(format!("use one of its fields: {}", known.join(", "))));
        };
        let value = typed(field, value)
            .map_err(|problem| Failure::input("field", format!("Field `{name}`: {problem}")))?;
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(Failure::input("field", format!("Field `{name}` is set twice")));
        }
    }
    for field in form.fields.iter().filter(|field| field.is_required) {
        let is_there = fields.contains_key(&field.name) || all.contains_key(&field.name);
        if let (Some(default), false) = (&field.default, is_there) {
            fields.insert(field.name.clone(), default.clone());
        }
    }
    all.extend(fields);
    Ok(all)
}

/// Parses a value as its field requires.
fn typed(field: &Field, text: &str) -> Result<Value, String> {
    let kind = field.main_type().unwrap_or("string");
    match kind {
        "array" if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).map_err(|_| "expected a list, as a,b,c or JSON".to_owned())
        }
        "array" => {
            let kind = field.main_element_type().unwrap_or("string");
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| scalar(kind, part)).collect()
        }
        kind => scalar(kind, text),
    }
}

/// A value of a type that is not a list.
fn scalar(kind: &str, text: &str) -> Result<Value, String> {
    let json = |wanted: &str| {
        serde_json::from_str::<Value>(text).map_err(|_| format!("expected {wanted}"))
    };
    match kind {
        "boolean" => match text {
            "true" | "false" => Ok(Value::Bool(text == "true")),
            _ => Err("expected true or false".to_owned()),
        },
        "integer" | "number" => match json("a number")? {
            number @ Value::Number(_) => Ok(number),
            _ => Err("expected a number".to_owned()),
        },
        "object" => json("a JSON object"),
        _ => Ok(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_typed_by_its_schema() {
        let shared = json!({"id": {"type": "integer"}});
        let shared = shared.as_object().unwrap();
        let cases = [
            (json!({"type": "string"}), "7", Ok(json!("7"))),
            (json!({"type": "integer"}), "7", Ok(json!(7))),
            (json!({"$ref": "#/$defs/id"}), "7", Ok(json!(7))),
            (json!({"type": "integer"}), "seven", Err("expected a number".to_owned())),
            (json!({"type": ["null", "boolean"]}), "true", Ok(json!(true))),
            (json!({"type": "boolean"}), "yes", Err("expected true or false".to_owned())),
            (json!({"type": "array"}), "a, b,", Ok(json!(["a", "b"]))),
            (json!({"type": "array", "items": {"type": "integer"}}), "1,2", Ok(json!([1, 2]))),
            (json!({"type": "array"}), "[\"a,b\"]", Ok(json!(["a,b"]))),
        ];
        for (schema, text, expected) in cases {
            let form = json!({"properties": {"field": schema}});
            let form = description::Form::new(&form, shared);
            assert_eq!(typed(&form.fields[0], text), expected, "{schema} {text}");
        }
    }
}
