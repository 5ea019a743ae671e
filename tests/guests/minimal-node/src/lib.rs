//! The smallest node: one action that returns its input. It sends nothing and has no credential
//! types.

use workflow_node_sdk::declare::{Action, Example, Field, Node, Output, Param, Resource, Run};
use workflow_node_sdk::node::{Custom, Declares, Plugin, main};
use workflow_node_sdk::{Value, json, literal};

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

    fn custom(action: &str) -> Option<Custom> {
        (action == "echo.get").then_some(|task| {
            Box::pin(async move { Ok(vec![main(json::text(&Value::Object(task.parameters)))]) })
        })
    }
}

workflow_node_sdk::export_node!(Minimal);
