//! Parts of a plugin that have defaults, and parts that are required.

use serde_json::json;
use workflow_node_sdk::declare::{Action, BaseUrl, Node, Resource, Run, Slot, Trigger};
use workflow_node_sdk::documents::{
    Configuration, CredentialType, CredentialTypes, FieldBuilder, FormBuilder, Grant,
    OriginPattern, Placement, TokenGrant, Webhook,
};
use workflow_node_sdk::error::{Error, FieldError};
use workflow_node_sdk::node::{self, Batch, Custom, Declares, Plugin};
use workflow_node_sdk::testing::answer;
use workflow_node_sdk::trigger::{self, Page, Polls, Subscription};
use workflow_node_sdk::{ErrorKind, Map, Value};

const ORIGIN: &str = "https://api.test";

fn api() -> OriginPattern {
    ORIGIN.parse().unwrap()
}

fn key() -> CredentialTypes {
    let key = FieldBuilder::text("key", "Key", "API key.").secret();
    CredentialTypes::default().credential_types(vec![CredentialType::new(
        "key",
        "Key",
        "API key.",
        FormBuilder::new().required(key).build(),
        Grant::Fixed,
        [api()],
        [Placement::header("x-key", "{key}", [api()])],
    )])
}

/// A plugin that writes nothing but its declaration and its credential types.
struct Plain;

static PLAIN: Node = Node::builder("plain", "Plain", "")
    .origins(&[ORIGIN])
    .slots(&[Slot::new("main", "", &["key"]).base_urls(&[BaseUrl::fixed("api", ORIGIN)])])
    .build();

impl Plugin for Plain {
    fn declaration() -> &'static dyn Declares {
        &PLAIN
    }

    fn credential_types() -> CredentialTypes {
        key()
    }
}

fn configure<P: Plugin>(credential_type: &str) -> Result<Value, Vec<FieldError>> {
    let configuration = node::configure::<P>(credential_type.into(), "{}".into(), None)?;
    Ok(serde_json::from_str(&configuration).unwrap())
}

#[test]
fn fixed_base_urls_need_no_code() {
    assert_eq!(
        configure::<Plain>("key").unwrap(),
        json!({"audiences": [ORIGIN], "base_urls": {"api": ORIGIN}})
    );
    let unknown = configure::<Plain>("token").unwrap_err();
    assert_eq!(unknown[0].message, "there is no credential type `token`");
}

/// A plugin whose configuration lacks a base URL that its slot needs.
struct Forgetful;

static FORGETFUL: Node = Node::builder("forgetful", "Forgetful", "")
    .origins(&[ORIGIN])
    .slots(&[Slot::new("main", "", &["key"]).base_urls(&[BaseUrl::configured("api")])])
    .build();

impl Plugin for Forgetful {
    fn declaration() -> &'static dyn Declares {
        &FORGETFUL
    }

    fn configure(
        _: &str,
        _: &Map<String, Value>,
        _: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        Ok(Configuration::new([api()]).base_urls([("apii", ORIGIN)]))
    }
}

#[test]
fn a_misspelled_base_url_is_found_when_a_credential_is_connected() {
    let errors = configure::<Forgetful>("key").unwrap_err();
    assert_eq!(
        errors[0].message,
        "the node returned no base URL `api` for a credential of type `key`, which the slot `main` \
         needs: add it to `base_urls` in `Plugin::configure`"
    );
}

/// A plugin with actions that are declared to have custom code.
struct Codeless;

static CODELESS: Node = Node::builder("codeless", "Codeless", "")
    .origins(&[ORIGIN])
    .resources(&[Resource::new("thing", "Things", "", &[THINGS])])
    .build();

static THINGS: &[Action] = &[
    Action::get("thing.find", "/", "Find", "").run(Run::Custom),
    Action::post("thing.join", "/", "Join", "").run(Run::Batch),
];

impl Plugin for Codeless {
    fn declaration() -> &'static dyn Declares {
        &CODELESS
    }

    fn custom(action: &str) -> Option<Custom> {
        (action == "thing.find")
            .then_some(|task| Box::pin(async move { task.run_declared().await }))
    }
}

/// The same without any code.
struct Empty;

impl Plugin for Empty {
    fn declaration() -> &'static dyn Declares {
        &CODELESS
    }

    fn batch(_: &str) -> Option<Batch> {
        None
    }
}

fn refusal(describe: fn() -> String) -> String {
    let panic = std::panic::catch_unwind(describe).expect_err("it is refused");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn an_action_without_its_code_is_found_when_the_node_describes_itself() {
    assert_eq!(
        refusal(|| node::describe::<Empty>(false)),
        "action `thing.find`: it is declared `Run::Custom`, and has no code. Return a function for \
         it from `Plugin::custom`, or remove `.run(…)`."
    );
    assert_eq!(
        refusal(|| node::describe::<Codeless>(false)),
        "action `thing.join`: it is declared `Run::Batch`, and has no code. Return a function for \
         it from `Plugin::batch`, or remove `.run(…)`."
    );
}

/// A plugin with triggers.
struct Watching;

static WATCHING: Node = Node::builder("watching", "Watching", "")
    .origins(&[ORIGIN])
    .triggers(&[
        Trigger::poll("thing.changed", "Changed", "", 60),
        Trigger::webhook("thing.made", "Made", "", Webhook::default),
    ])
    .build();

impl Plugin for Watching {
    fn declaration() -> &'static dyn Declares {
        &WATCHING
    }
}

impl Polls for Watching {
    async fn poll(_: Subscription, _: Option<Value>) -> Result<Page, Error> {
        Ok(Page::new(Vec::new(), Value::Null))
    }
}

#[test]
fn a_trigger_without_its_code_is_found_when_the_node_describes_itself() {
    assert_eq!(
        refusal(|| node::describe::<Watching>(false)),
        "the node declares triggers. Export them with `export_node!(…, webhooks, polls)`."
    );
    assert_eq!(
        refusal(|| trigger::describe(trigger::Code::of::<Watching>())),
        "trigger `thing.changed`: it has no code. Implement `trigger::Polls`, and export it with \
         `export_node!(…, polls)`."
    );
    assert_eq!(
        refusal(|| trigger::describe(trigger::Code::of::<Watching>().polls::<Watching>())),
        "trigger `thing.made`: it has no code. Implement `trigger::Webhooks`, and export it with \
         `export_node!(…, webhooks)`."
    );
}

#[test]
fn the_status_of_a_response_determines_the_error_kind() {
    for (status, kind) in [
        (302, ErrorKind::Unavailable),
        (400, ErrorKind::InvalidInput),
        (401, ErrorKind::Unauthenticated),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (422, ErrorKind::InvalidInput),
        (429, ErrorKind::RateLimited),
        (503, ErrorKind::Unavailable),
    ] {
        let error = answer(status, r#"{"message":"no"}"#).error();
        assert_eq!((error.kind, error.http_status), (kind, Some(status)));
        assert_eq!(error.message, format!("the service responded with status {status}: no"));
        assert_eq!(error.detail.as_deref(), Some(r#"{"response":{"message":"no"}}"#));
    }
    let error = answer(500, "<html>").error();
    assert_eq!(error.message, "the service responded with status 500");
}
