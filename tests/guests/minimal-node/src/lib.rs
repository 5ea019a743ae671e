//! The least that is a node: one action that gives back what it was given. It sends nothing and
//! has no credential types.

use workflow_node_sdk::declare::{Action, Example, Field, Node, Output, Param, Resource, Run};
use workflow_node_sdk::documents::{Configuration, Identity, TokenGrant};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{Credential, Declares, Plugin, Task, Work, main};
use workflow_node_sdk::{Map, Value, json, literal};

struct Minimal;

static NODE: Node = Node::builder("minimal", "Minimal", "The least that is a node.")
    .documentation_url("https://example.com/minimal")
    .origins(&["https://example.com"])
    .resources(&[Resource::new("echo", "Echo", "Returns its parameters.", &[ACTIONS])])
    .build();

static ACTIONS: &[Action] =
    &[Action::new("echo.get", "Echo", "Gives back what it was given.", "GET", "/")
        .parameters(&[&Param::text("text", "Text", "What to give back.").required()])
        .run(Run::Custom)
        .output(Output::Record(&[Field::text("text", "The text of the item.")]))
        .examples(&[Example::new("Hello", literal!({ "text": "hello" }))])];

impl Plugin for Minimal {
    fn declaration() -> &'static dyn Declares {
        &NODE
    }

    fn configure(
        credential_type: &str,
        _fields: &Map<String, Value>,
        _grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        let message = ["there is no credential type `", credential_type, "`"].concat();
        Err(vec![FieldError { pointer: String::new(), message }])
    }

    async fn test(_credential: Credential) -> Result<Identity, Error> {
        Err(Error::new(ErrorKind::Unsupported, "there are no credentials to test"))
    }

    fn prepare(_: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        Ok(())
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        response.unexpected("was not expected")
    }

    fn run(task: Task) -> Work {
        Box::pin(async move { Ok(vec![main(json::text(&Value::Object(task.parameters)))]) })
    }
}

workflow_node_sdk::export_node!(Minimal);
