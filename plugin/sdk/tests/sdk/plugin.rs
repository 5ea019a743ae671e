//! A plugin for the tests, and a way to call it.

use serde_json::{Value, json};
use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Node, Paging, Param, Place, Route, Slot,
};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, Response, SendError};
use workflow_node_sdk::node::{
    self, Call, Choice, Credential, Options, OptionsQuery, OutputItem, Plugin, Run, Task, Work,
};
use workflow_node_sdk::testing::Host;
use workflow_node_sdk::{Map, json as text};

pub(crate) struct Things;

static LIMIT: Param = Param::new(Kind::Integer(1, 1_000_000), "limit", "Limit", "At most.");
static ALL: Param = Param::new(Kind::Boolean, "all", "All", "Every one.");
static NAME: Param =
    Param::text("name", "Name", "Its name.").required().at(Place::Body("/thing/name"));
static KEY: Param = Param::text("key", "Key", "Names it.").at(Place::Body("/thing/key"));

const fn api(method: &'static str, path: &'static str, answer: Answer) -> Route {
    Route { method, base: "api", path, constants: &[], key: None, answer }
}

static ACTIONS: &[Action] = &[
    Action {
        slot: "main",
        parameters: &[&LIMIT, &ALL],
        route: api(
            "GET",
            "/records",
            Answer::List(
                "records",
                Paging::Offset {
                    page: 100,
                    window: 10_000,
                    limit: "limit",
                    offset: "offset",
                    more: "more",
                },
            ),
        ),
        examples: &[Example { title: "All", parameters: r#"{"all":true}"# }],
        ..Action::get("record.list", "List records", "By offset.", "")
    },
    Action {
        slot: "main",
        parameters: &[&LIMIT, &ALL],
        route: api(
            "GET",
            "/changes?kind=all",
            Answer::List(
                "changes",
                Paging::Cursor { page: 50, limit: "limit", cursor: "cursor", next: "next" },
            ),
        ),
        ..Action::get("change.list", "List changes", "By cursor.", "")
    },
    Action {
        slot: "main",
        parameters: &[&LIMIT, &ALL],
        route: api("GET", "/names", Answer::List("names", Paging::None)),
        ..Action::get("name.list", "List names", "All at once.", "")
    },
    Action {
        slot: "main",
        parameters: &[&Param::text("thing_id", "Thing", "Which.")
            .required()
            .options()
            .at(Place::Path)],
        route: api("GET", "/things/{thing_id}", Answer::Whole),
        ..Action::get("thing.get", "Get a thing", "One.", "")
    },
    Action {
        slot: "main",
        parameters: &[&NAME],
        route: api("POST", "/things", Answer::Object("thing")),
        ..Action::write(Effect::Create, "thing.create", "Create a thing", "Unkeyed.", "POST", "")
    },
    Action {
        slot: "main",
        idempotency: Idempotency::Keyed,
        parameters: &[&NAME, &KEY],
        route: Route { key: Some("key"), ..api("POST", "/things", Answer::Object("thing")) },
        ..Action::write(Effect::Create, "thing.put", "Put a thing", "Keyed.", "POST", "")
    },
    Action {
        slot: "main",
        parameters: &[&Param::text("thing_id", "Thing", "Which.").required().at(Place::Path)],
        route: api("DELETE", "/things/{thing_id}", Answer::Nothing(r#"{"deleted":true}"#)),
        ..Action::write(Effect::Delete, "thing.delete", "Delete a thing", "One.", "DELETE", "")
    },
    Action {
        parameters: &[&Param::text("text", "Text", "What to give back.").required()],
        run: Run::Custom(echo),
        ..Action::get("echo.get", "Echo", "Gives back what it was given.", "/")
    },
    Action {
        route: Route { base: "https://open.test/v1/", ..api("GET", "/status", Answer::Whole) },
        ..Action::get("status.get", "Get the status", "Without a credential.", "")
    },
];

fn echo(task: Task) -> Work {
    Box::pin(async move { Ok(vec![node::main(text::text(&Value::Object(task.parameters)))]) })
}

impl Plugin for Things {
    const NODE: Node = Node {
        name: "things",
        version: 1,
        display_name: "Things",
        description: "Things of a test.",
        documentation_url: "https://api.test/documentation",
        origins: &["https://api.test", "https://open.test"],
        slots: &[Slot { name: "main", description: "A key.", credential_types: &["key"] }],
        schemas: &[("thing", r#"{"type":"object"}"#)],
        secrets: "[]",
        actions: &[ACTIONS],
    };

    fn credential_types() -> String {
        r#"{"credential_types":[]}"#.to_owned()
    }

    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&Value>,
    ) -> Result<Value, Vec<FieldError>> {
        Ok(json!({"type": credential_type, "fields": fields, "grant": grant}))
    }

    async fn test(credential: Credential) -> Result<Value, Error> {
        Ok(json!({"summary": credential.credential_type}))
    }

    async fn options(query: OptionsQuery) -> Result<Options, Error> {
        let label = query.search.unwrap_or_default();
        let choice = Choice { value: 1.into(), label, description: Some("first".into()) };
        Ok(Options { choices: vec![choice], next_cursor: query.cursor })
    }

    fn prepare(request: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        request.headers.push(("accept".into(), "application/json".into()));
        Ok(())
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        let kind = match response.status {
            404 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::InvalidInput,
        };
        let mut error = Error::new(kind, "the service says no");
        error.http_status = Some(response.status);
        error.retry_after = Some(1_000);
        error
    }
}

/// A host with a credential.
pub(crate) fn host(answer: impl FnMut(&Request) -> Result<Response, SendError> + 'static) -> Host {
    let configuration = r#"{"base_urls":{"api":"https://api.test"}}"#;
    Host::answering(answer).with_credential("main", "key", "{}", configuration)
}

/// What became of an item.
pub(crate) type Outcome = Result<Vec<String>, Error>;

/// Calls an action, one item per parameters.
pub(crate) fn call(host: &Host, action: &str, items: &[Value], options: &Value) -> Vec<Outcome> {
    let call = Call {
        node: "things".into(),
        version: 1,
        action: action.into(),
        items: items.iter().map(Value::to_string).collect(),
        options: options.to_string(),
    };
    let results = host.run(|| node::execute::<Things>(call)).expect("the call makes sense");
    let bare = |outputs: Vec<OutputItem>| outputs.into_iter().map(|output| output.json).collect();
    results.into_iter().map(|result| result.map(bare)).collect()
}

/// Calls an action for one item.
pub(crate) fn call_one(host: &Host, action: &str, item: Value) -> Outcome {
    call(host, action, &[item], &json!({})).remove(0)
}

/// The query parameter of a request.
pub(crate) fn query(request: &Request, name: &str) -> Option<u64> {
    let (_, query) = request.url.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    value.parse().ok()
}
