//! `harness credential add`.

use serde_json::{Map, Value, json};
use workflow_node_host::credential::CredentialForm;
use workflow_node_host::description::{CredentialType, Grant};
use workflow_node_host::store::NewCredential;

use super::{secrets, summary_text};
use crate::cli::{AddArgs, Report};
use crate::exit::{Exit, Failure, shell};
use crate::inspect::defs;
use crate::output;
use crate::schema;
use crate::setup::Setup;
use crate::store;

pub(crate) async fn run(setup: &Setup, args: &AddArgs) -> Result<Exit, Failure> {
    // Before anything else: what was typed by mistake shall not be kept any longer than needed.
    let sources = secrets::sources(&args.secret)?;
    let plugin = setup.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    let credential_type = plugin
        .credential_type(&args.credential_type)
        .map_err(|error| of_plugin(error).next(format!("harness inspect {}", shell(&path))))?;
    if credential_type.grant != Grant::Fixed {
        let message = format!(
            "`{}` is connected by {}, which comes with `harness credential connect` and is not \
             there yet",
            credential_type.name,
            credential_type.grant.name()
        );
        return Err(Failure::input("unsupported", message).next(alternatives(&plugin)));
    }
    let fields = fields(credential_type, &args.field)?;
    plugin.check_approval().map_err(of_plugin)?;
    let store = store::open_or_make(setup)?;
    if store.summary(&args.name).is_ok() {
        let error = workflow_node_host::store::StoreError::Exists { name: args.name.clone() };
        return Err(Failure::from(error));
    }
    let secrets = secrets::gather(credential_type, sources)?;
    let form = CredentialForm { fields, secrets };
    let configuration = plugin.connect(&credential_type.name, &form).await.map_err(of_plugin)?;
    store.add(NewCredential {
        name: args.name.clone(),
        owner: None,
        node: plugin.description().node.name.clone(),
        credential_type: credential_type.name.clone(),
        fields: form.fields,
        secrets: form.secrets,
        configuration,
        granted_scopes: None,
    })?;
    let summary = store.summary(&args.name)?;
    match args.format {
        Report::Json => output::stdout_report(&json!(summary))?,
        Report::Text => {
            output::stdout(&summary_text(&summary))?;
            let (name, path) = (shell(&args.name), shell(&path));
            output::stderr(&format!(
                "Stored, not yet tried: harness credential test {name} --plugin {path}\n"
            ));
        }
    }
    Ok(Exit::Success)
}

fn alternatives(plugin: &workflow_node_host::Plugin) -> String {
    let fixed: Vec<&str> = plugin
        .description()
        .credential_types
        .values()
        .filter(|one| one.grant == Grant::Fixed)
        .map(|one| one.name.as_str())
        .collect();
    match fixed.as_slice() {
        [] => "the plugin has no other credential type".to_owned(),
        names => format!("use --type {}", names.join(" or --type ")),
    }
}

/// `--field K=V`, each as its schema wants it; required fields that were not given take their
/// default.
fn fields(
    credential_type: &CredentialType,
    given: &[String],
) -> Result<Map<String, Value>, Failure> {
    let shared = defs(&credential_type.fields);
    let properties = schema::properties(&credential_type.fields, &shared);
    let secret = credential_type.secret_fields();
    let mut fields = Map::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::input("field", "--field is written NAME=VALUE"));
        };
        if secret.contains(name) {
            return Err(secrets::on_the_command_line(name));
        }
        let Some((_, field)) = properties.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = properties
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| !secret.contains(*name))
                .collect();
            let message = format!("`{}` has no field `{name}`", credential_type.name);
            return Err(Failure::input("field", message)
                .next(format!("its fields are {}", known.join(", "))));
        };
        let value = typed(field, &shared, value)
            .map_err(|problem| Failure::input("field", format!("the field `{name}`: {problem}")))?;
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(Failure::input("field", format!("the field `{name}` is given twice")));
        }
    }
    for name in schema::required(schema::resolved(&credential_type.fields, &shared)) {
        let field = properties.iter().find(|(known, _)| known == name);
        let default = field.and_then(|(_, field)| field.get("default"));
        if let (Some(default), false) = (default, fields.contains_key(name)) {
            fields.insert(name.to_owned(), default.clone());
        }
    }
    Ok(fields)
}

/// A value as its schema wants it.
fn typed(schema: &Value, shared: &Map<String, Value>, text: &str) -> Result<Value, String> {
    let schema = schema::resolved(schema, shared);
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
        }
        _ => "string",
    };
    let json = |wanted: &str| {
        serde_json::from_str::<Value>(text).map_err(|_| format!("{wanted} is wanted"))
    };
    match kind {
        "boolean" => match text {
            "true" | "false" => Ok(Value::Bool(text == "true")),
            _ => Err("true or false is wanted".to_owned()),
        },
        "integer" | "number" => match json("a number")? {
            number @ Value::Number(_) => Ok(number),
            _ => Err("a number is wanted".to_owned()),
        },
        "object" => json("a JSON object"),
        "array" if text.trim_start().starts_with('[') => json("a list, as a,b,c or JSON,"),
        "array" => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| typed(items, shared, part))
                .collect()
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_typed_by_its_schema() {
        let shared = json!({"id": {"type": "integer"}});
        let shared = shared.as_object().unwrap();
        let cases = [
            (json!({"type": "string"}), "7", Ok(json!("7"))),
            (json!({"type": "integer"}), "7", Ok(json!(7))),
            (json!({"$ref": "#/$defs/id"}), "7", Ok(json!(7))),
            (json!({"type": "integer"}), "seven", Err("a number is wanted".to_owned())),
            (json!({"type": ["null", "boolean"]}), "true", Ok(json!(true))),
            (json!({"type": "boolean"}), "yes", Err("true or false is wanted".to_owned())),
            (json!({"type": "array"}), "a, b,", Ok(json!(["a", "b"]))),
            (json!({"type": "array", "items": {"type": "integer"}}), "1,2", Ok(json!([1, 2]))),
            (json!({"type": "array"}), "[\"a,b\"]", Ok(json!(["a,b"]))),
        ];
        for (schema, text, expected) in cases {
            assert_eq!(typed(&schema, shared, text), expected, "{schema} {text}");
        }
    }
}
