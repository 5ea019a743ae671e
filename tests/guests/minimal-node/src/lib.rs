//! The least that is a node: one action that gives back what it was given. It sends nothing and
//! has no credential types.

use workflow_node_sdk::declare::{Action, Example, Node, Param};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{Credential, Options, OptionsQuery, Plugin, Run, Task, Work, main};
use workflow_node_sdk::{Map, Value, json};

struct Minimal;

static ACTIONS: &[Action] = &[Action {
    parameters: &[&Param::text("text", "Text", "What to give back.").required()],
    run: Run::Custom(echo),
    output: r#"{"type":"object","properties":{"text":{"type":"string"}}}"#,
    examples: &[Example { title: "Hello", parameters: r#"{"text":"hello"}"# }],
    ..Action::get("echo.get", "Echo", "Gives back what it was given.", "/")
}];

fn echo(task: Task) -> Work {
    Box::pin(async move { Ok(vec![main(json::text(&Value::Object(task.parameters)))]) })
}

impl Plugin for Minimal {
    const NODE: Node = Node {
        name: "minimal",
        version: 1,
        display_name: "Minimal",
        description: "The least that is a node.",
        documentation_url: "https://example.com/minimal",
        origins: &["https://example.com"],
        slots: &[],
        schemas: &[],
        secrets: "[]",
        actions: &[ACTIONS],
    };

    fn credential_types() -> String {
        r#"{"credential_types":[]}"#.to_owned()
    }

    fn configure(
        credential_type: &str,
        _fields: &Map<String, Value>,
        _grant: Option<&Value>,
    ) -> Result<Value, Vec<FieldError>> {
        let message = ["there is no credential type `", credential_type, "`"].concat();
        Err(vec![FieldError { pointer: String::new(), message }])
    }

    async fn test(_credential: Credential) -> Result<Value, Error> {
        Err(Error::new(ErrorKind::Unsupported, "there are no credentials to test"))
    }

    async fn options(_query: OptionsQuery) -> Result<Options, Error> {
        Ok(Options::default())
    }

    fn prepare(_: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        Ok(())
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        response.unexpected("was not expected")
    }
}

workflow_node_sdk::export_node!(Minimal);
