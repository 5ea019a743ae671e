//! The trigger: a webhook of a repository. The host generates the signing secret, and the node sees
//! a handle in its place.

use workflow_node_sdk::declare::{Example, Field, FieldKind, Kind, Output, Param, Trigger};
use workflow_node_sdk::documents::{
    PathTemplate, SecretPlacement, SecretPosition, Signature, SignatureEncoding, SignatureScheme,
    Webhook,
};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::{self, Request, Response};
use workflow_node_sdk::trigger::{Delivery, Event, Health, Received, Subscription, Webhooks};
use workflow_node_sdk::{Value, json, literal, percent};

use crate::{API, Github, add_headers, refused};

/// Name of the secret that signs deliveries.
const SECRET: &str = "webhook-secret";

/// Events of a repository.
pub(crate) const EVENT: Trigger = Trigger::webhook(
    "repository.event",
    "When something happens in a repository",
    "Starts a workflow for every event of the chosen kinds in a repository.",
    || {
        let (hmac, hex) = (SignatureScheme::HmacSha256, SignatureEncoding::Hex);
        let signature = Signature::new(hmac, "X-Hub-Signature-256", hex, SECRET, "/secret");
        Webhook::default()
            .signature(signature.prefix("sha256=").made_by_host(true))
            .id_header("X-GitHub-Delivery")
            .answer_within_ms(10_000)
    },
)
.with("main")
.scopes(&["admin:repo_hook"])
.parameters(&[
    &Param::text("owner", "Owner", "User or organization that owns the repository.").required(),
    &Param::text("repository", "Repository", "Name of the repository, without its owner.")
        .required(),
    &Param::new(
        Kind::List(&Kind::OneOf(&["issues", "issue_comment", "pull_request", "push", "release"])),
        "events",
        "Events",
        "Kinds of events that start the workflow.",
    )
    .required()
    .min(1),
])
.output(Output::Record(&[
    Field::text("event", "Kind of the event, e.g. issues."),
    Field::text("action", "What happened, e.g. opened.").optional(),
    Field::new("payload", FieldKind::Any, "The event as GitHub describes it."),
]))
.examples(&[Example::new(
    "New and changed issues",
    literal!({ "owner": "octocat", "repository": "hello-world", "events": ["issues"] }),
)]);

/// Where the signing secret is sent: to the webhook that is created or repaired.
pub(crate) fn secrets() -> Vec<SecretPosition> {
    let placement = |method: &str, path: &str| {
        let path: PathTemplate = path.parse().expect("it is a path");
        let api = [API.parse().expect("it is an origin")];
        SecretPlacement::new([method.to_owned()], api, path, "/config/secret")
    };
    vec![SecretPosition::new(SECRET, "Secret that signs the deliveries of a webhook.").placements(
        [
            placement("POST", "/repos/{owner}/{repository}/hooks"),
            placement("PATCH", "/repos/{owner}/{repository}/hooks/{id}"),
        ],
    )]
}

/// The webhooks of the repository that a subscription is for.
fn hooks(subscription: &Subscription) -> String {
    let mut url = [API, "/repos/"].concat();
    percent::encode_into(&mut url, subscription.text("owner").unwrap_or_default());
    url.push('/');
    percent::encode_into(&mut url, subscription.text("repository").unwrap_or_default());
    url.push_str("/hooks");
    url
}

async fn send(method: &str, url: String, body: Option<Value>) -> Result<Response, Error> {
    let mut request = Request::new(method, url);
    request.credential = Some("main".into());
    add_headers(&mut request);
    if let Some(body) = body {
        request.headers.push(("content-type".into(), "application/json".into()));
        request.body = Some(json::text(&body).into_bytes());
    }
    let response = http::send(&request).await.map_err(|error| Error::from_send(error, &request))?;
    if response.is_success() { Ok(response) } else { Err(refused(&response)) }
}

/// ID of the webhook that delivers to a URL, if the repository has one.
async fn existing(subscription: &Subscription) -> Result<Option<String>, Error> {
    let url = subscription.callback_url.as_deref();
    let response = send("GET", [&hooks(subscription), "?per_page=100"].concat(), None).await?;
    let Some(Value::Array(list)) = json::value(&response.body) else {
        return Err(response.unexpected("is not a list of webhooks"));
    };
    let delivers = |hook: &&Value| hook.pointer("/config/url").and_then(Value::as_str) == url;
    Ok(list.iter().find(delivers).and_then(|hook| hook.get("id")).map(json::text))
}

impl Webhooks for Github {
    async fn setup(subscription: Subscription) -> Result<Value, Error> {
        let secret = subscription.signing_secret.clone().unwrap_or_default();
        let mut config = json::Object::new();
        config.text("url", subscription.callback_url.as_deref().unwrap_or_default());
        config.text("content_type", "json");
        config.text("secret", &secret);
        let mut hook = json::Object::new();
        hook.set("active", true.into());
        hook.set("events", json::texts(&subscription.texts("events")));
        hook.set("config", config.build());
        let id = match existing(&subscription).await? {
            Some(id) => {
                let url = [&hooks(&subscription), "/", &id].concat();
                send("PATCH", url, Some(hook.build())).await?;
                id
            }
            None => {
                hook.text("name", "web");
                send("POST", hooks(&subscription), Some(hook.build())).await?.member("id")?
            }
        };
        let mut state = json::Object::new();
        state.text("id", &id);
        state.text("secret", &secret);
        Ok(state.build())
    }

    async fn check(subscription: Subscription) -> Result<Health, Error> {
        let Some(id) = subscription.kept("id") else { return Ok(Health::Missing) };
        match send("GET", [&hooks(&subscription), "/", id].concat(), None).await {
            Ok(response) => match response.object()?.get("active") {
                Some(Value::Bool(false)) => Ok(Health::Disabled),
                _ => Ok(Health::Active),
            },
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Health::Missing),
            Err(error) => Err(error),
        }
    }

    async fn teardown(subscription: Subscription) -> Result<(), Error> {
        let Some(id) = subscription.kept("id") else { return Ok(()) };
        match send("DELETE", [&hooks(&subscription), "/", id].concat(), None).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn receive(_: Subscription, delivery: Delivery) -> Result<Received, Error> {
        let header = |name: &str| {
            let found = delivery.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let event = header("x-github-event");
        if event == "ping" {
            return Ok(Received::default());
        }
        let payload = json::raw(&delivery.body)
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "The delivery is not JSON."))?;
        let mut record = json::Object::new();
        record.text("event", event);
        let action = json::value(&delivery.body).and_then(|body| body.get("action").cloned());
        record.set("action", action.unwrap_or_default());
        let mut record = json::text(&record.build());
        // The payload is passed on as the service wrote it.
        record.pop();
        let record = [&record, ",\"payload\":", payload, "}"].concat();
        let event = Event::new(record).dedup_key(header("x-github-delivery"));
        Ok(Received { events: vec![event], reply: None })
    }
}
