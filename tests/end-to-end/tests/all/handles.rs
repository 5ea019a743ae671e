//! Secrets that PagerDuty issues, and those that it stores for others: the guest has a handle for
//! each of them. The value is in no guest's memory, in no output, and in nothing that the host
//! reports or stores, while PagerDuty receives the entered text.

use std::sync::Arc;

use end_to_end::scan::{Scanner, found};
use end_to_end::spy::Spy;
use end_to_end::{World, error, values};
use pagerduty_simulator::{Fault, FaultAction, Simulator};
use serde_json::{Value, json};
use workflow_node_host::Outcome;
use workflow_node_host::description::SecretPosition;

use crate::support::Everything;

/// A world whose guests' memories can be read, and everything that was told of what is run in it.
struct Watched {
    world: World,
    spy: Arc<Spy>,
    told: String,
}

impl Watched {
    async fn new() -> Self {
        let spy = Arc::new(Spy::default());
        let simulator = Simulator::builder().examples(true).without_rate_limits();
        let watched = spy.clone();
        let world = World::with(simulator, |host| watched.watch(host.rate_limit(Vec::new()))).await;
        spy.attach(&world.host);
        Self { world, spy, told: String::new() }
    }

    /// Runs an action with one item, and records everything that is reported about it.
    async fn run(&mut self, action: &str, parameters: &Value) -> Outcome {
        let everything = Arc::new(Everything::default());
        let mut execution = self.world.execution("user", action, std::slice::from_ref(parameters));
        if let Some(limits) = &mut execution.context.limits {
            limits.attempts = 1;
        }
        let outcome =
            self.world.plugin.execute_observed(execution, everything.clone()).await.unwrap();
        self.told.push_str(&format!("{outcome:?}"));
        for item in &outcome.items {
            item.output.iter().for_each(|record| self.told.push_str(record.json.get()));
        }
        self.told.push_str(&everything.text());
        outcome
    }

    /// Where a secret stands that must stand nowhere. Forgets what was told.
    async fn leaks(&mut self, secret: &str) -> Vec<String> {
        let secrets = [(String::new(), secret.to_owned())];
        let scanner = Scanner::new(&secrets);
        let mut told = std::mem::take(&mut self.told);
        told.push_str(&serde_json::to_string(&self.world.audit.events()).unwrap());
        told.push_str(&self.world.journal.text().await);
        let memories = self.spy.take();
        assert!(memories.iter().any(|memory| memory.len() > 1_000), "a guest has run");
        let places = memories.iter().map(Vec::as_slice).chain([told.as_bytes()]);
        places.flat_map(|place| scanner.leaks(place)).map(|(_, how)| how.to_owned()).collect()
    }
}

/// A document with a value at a pointer; `*` is an element of a list, or a member where it ends.
fn document(pointer: &str, value: &str) -> Value {
    let segments: Vec<&str> = pointer.split('/').skip(1).collect();
    let last = segments.len() - 1;
    segments.iter().enumerate().rev().fold(json!(value), |inner, (place, segment)| match *segment {
        "*" if place == last => json!({ "any": inner }),
        "*" => json!([{"id": "P1"}, inner]),
        name => json!({ name: inner }),
    })
}

/// A path that a template matches.
fn path(template: &str) -> String {
    let segments =
        template.split('/').map(|one| if one.starts_with('{') { "PANYTHING00001" } else { one });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_that_an_answer_is_declared_to_hold_is_a_handle() {
    let mut watched = Watched::new().await;
    let positions: Vec<SecretPosition> = watched.world.plugin.description().node.secrets.clone();
    let mut tried = 0;
    for position in positions {
        let (Some(template), Some(pointer)) = (&position.path, &position.pointer) else { continue };
        for method in &position.methods {
            tried += 1;
            let canary = format!("canary+/{tried}-Zz_0123456789abcdef");
            let body = document(pointer, &canary).to_string();
            let headers = [("content-type", "application/json")];
            watched.world.simulator.fault(Fault::response(200, &headers, body));
            let mut request = json!({"method": method, "path": path(&template.to_string())});
            if method != "GET" {
                request["body"] = json!({});
            }
            let outcome = watched.run("api.request", &request).await;
            let record = values(&outcome, 0).remove(0).to_string();
            assert!(record.contains("\"secret:"), "{method} {template} {pointer}: {record}");
            let leaks = watched.leaks(&canary).await;
            assert!(leaks.is_empty(), "{method} {template} {pointer}: {leaks:?}");
        }
    }
    assert!(tried >= 90, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrations_key_is_a_handle_wherever_it_is_read() {
    let mut watched = Watched::new().await;
    let service = watched.world.us().services()[0].clone();
    let id = json!(service.id);
    for (action, parameters, at) in [
        ("service_integration.list", json!({ "service_id": id }), "/integration_key"),
        (
            "service_integration.get",
            json!({"service_id": id, "integration_id": service.integration_id}),
            "/integration_key",
        ),
        (
            "service.get",
            json!({"service_id": id, "include": ["integrations"]}),
            "/integrations/0/integration_key",
        ),
        (
            "service.list",
            json!({"include": ["integrations"], "query": service.name}),
            "/integrations/0/integration_key",
        ),
    ] {
        let outcome = watched.run(action, &parameters).await;
        let record = values(&outcome, 0).remove(0);
        let key = record.pointer(at).unwrap_or_else(|| panic!("{action}: {record}"));
        assert!(key.as_str().unwrap().starts_with("secret:"), "{action}: {key}");
        assert!(watched.leaks(&service.routing_key).await.is_empty(), "{action}");
    }
    // One that is new.
    let created =
        json!({"service_id": id, "name": "Events", "type": "events_api_v2_inbound_integration"});
    let outcome = watched.run("service_integration.create", &created).await;
    assert!(values(&outcome, 0)[0]["integration_key"].as_str().unwrap().starts_with("secret:"));
    let kept = watched.world.us().kept(&format!("/services/{}/integrations", service.id));
    let key = kept.last().unwrap()["integration_key"].as_str().unwrap().to_owned();
    assert_ne!(key, service.routing_key);
    assert!(watched.leaks(&key).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_event_orchestration_is_a_handle() {
    let mut watched = Watched::new().await;
    let orchestration = json!({"event_orchestration_id": "PEVENTORCHEST1"});
    let outcome = watched.run("event_orchestration_integration.list", &orchestration).await;
    let record = values(&outcome, 0).remove(0);
    let handle = record.pointer("/parameters/routing_key").unwrap();
    assert!(handle.as_str().unwrap().starts_with("secret:"), "{record}");
    // The actual key, read from the simulator without the host.
    let kept = watched.world.us().kept("/event_orchestrations/PEVENTORCHEST1/integrations");
    let key = kept[0]["parameters"]["routing_key"].as_str().unwrap().to_owned();
    assert!(watched.leaks(&key).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_calendars_are_handles() {
    let mut watched = Watched::new().await;
    let user = watched.world.us().users()[0].id.clone();
    let parameters = json!({"user_id": user, "additional_query": {"include[]": "calendar_urls"}});
    let outcome = watched.run("user.get", &parameters).await;
    let record = values(&outcome, 0).remove(0);
    for member in ["http_cal_url", "web_cal_url"] {
        assert!(record[member].as_str().unwrap().starts_with("secret:"), "{record}");
    }
    assert!(watched.leaks(&format!("/private/{user}/feed")).await.is_empty());
    let outcome = watched.run("user.regenerate_calendar_key", &json!({ "user_id": user })).await;
    let key = values(&outcome, 0)[0]["private_url_key"].clone();
    assert!(key.as_str().unwrap().starts_with("secret:"), "{key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhooks_secret_is_a_handle_and_its_headers_reach_pagerduty() {
    let mut watched = Watched::new().await;
    let header = "canary+/header-0123456789";
    let parameters = json!({"url": "https://example.com/hook", "events": ["incident.triggered"],
        "filter_type": "account_reference",
        "custom_headers": [{"name": "x-plain", "value": header}]});
    let outcome = watched.run("webhook_subscription.create", &parameters).await;
    let record = values(&outcome, 0).remove(0);
    assert!(
        record["delivery_method"]["secret"].as_str().unwrap().starts_with("secret:"),
        "{record}"
    );
    let kept = watched.world.us().kept("/webhook_subscriptions").pop().unwrap();
    assert_eq!(kept["delivery_method"]["custom_headers"][0]["value"], header);
    let secret = kept["delivery_method"]["secret"].as_str().unwrap().to_owned();
    let told = watched.told.clone();
    assert!(watched.leaks(&secret).await.is_empty());
    assert!(found(header, told.as_bytes()).is_empty());
    watched.run("webhook_subscription.get", &json!({"webhook_subscription_id": kept["id"]})).await;
    assert!(watched.leaks(&secret).await.is_empty());
}

/// Actions that take a secret: parameters with `$` for it, and its position in the request.
fn typed() -> Vec<(&'static str, Value, &'static str)> {
    let webhook = json!({"url": "https://example.com/hook", "events": ["incident.triggered"],
        "filter_type": "account_reference",
        "custom_headers": [{"name": "x-other", "value": "harmless"}, {"name": "x-key", "value": "$"}]});
    let client = json!({"name": "Ours", "client_id": "pagerduty", "client_secret": "$",
        "grant_type": "client_credentials", "token_url": "https://example.com/oauth/token"});
    let connection = json!({"integration_id": "PINTEGRATION01", "name": "Our chat",
        "secrets": {"user": "harmless", "to/ken~": "$"}});
    let mut changed = connection.clone();
    changed["connection_id"] = json!("PCONNECTION001");
    vec![
        (
            "webhook_subscription.create",
            webhook,
            "/webhook_subscription/delivery_method/custom_headers/1/value",
        ),
        ("webhook_oauth_client.create", client, "/oauth_client/client_secret"),
        (
            "webhook_oauth_client.update",
            json!({"oauth_client_id": "POAUTHCLIENT01", "client_secret": "$"}),
            "/oauth_client/client_secret",
        ),
        ("workflow_connection.create", connection, "/secrets/to~1ken~0"),
        ("workflow_connection.update", changed, "/secrets/to~1ken~0"),
        (
            "servicenow_credentials.create",
            json!({"instance_endpoint": "https://example.service-now.com", "user": "pagerduty",
                "password": "$"}),
            "/credentials/password",
        ),
        (
            "servicenow_credentials.update",
            json!({"credentials_id": "PCREDENTIAL001", "password": "$"}),
            "/credentials/password",
        ),
        (
            "automation_runner.create",
            json!({"runner_type": "runbook", "name": "Shop", "description": "d",
                "runbook_base_uri": "example", "runbook_api_key": "$"}),
            "/runner/runbook_api_key",
        ),
        (
            "automation_runner.update",
            json!({"automation_runner_id": "PRUNNER0000001", "runbook_api_key": "$"}),
            "/runner/runbook_api_key",
        ),
    ]
}

fn with_secret(parameters: &Value, secret: &str) -> Value {
    serde_json::from_str(&parameters.to_string().replace('$', secret)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entered_secret_reaches_only_pagerduty() {
    let mut watched = Watched::new().await;
    let status = |code| FaultAction::Status { code, headers: Vec::new(), body: Vec::new() };
    let mut number = 0;
    for (action, parameters, pointer) in typed() {
        for fault in [
            None,
            Some(FaultAction::EchoRequest),
            Some(status(400)),
            Some(status(500)),
            Some(FaultAction::ResetAfterApply),
            Some(FaultAction::TruncatedBody),
            Some(FaultAction::Garbage),
        ] {
            number += 1;
            let canary = format!("canary+/{number}-Zz_0123456789");
            watched.world.reset();
            let named = format!("{action}, {fault:?}");
            let is_whole = fault.is_none();
            if let Some(fault) = fault {
                watched.world.simulator.fault(Fault::new(fault));
            }
            let outcome = watched.run(action, &with_secret(&parameters, &canary)).await;
            watched.world.simulator.clear_faults();
            if is_whole {
                values(&outcome, 0);
                assert_eq!(watched.world.simulator.violations(), [""; 0], "{named}");
            }
            let requests = watched.world.simulator.requests();
            let sent = requests.last().unwrap().json();
            assert_eq!(sent.pointer(pointer), Some(&json!(canary)), "{named}: {sent}");
            let leaks = watched.leaks(&canary).await;
            assert!(leaks.is_empty(), "{named}: {leaks:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_that_takes_a_secret_is_among_those_that_are_tried() {
    let world = World::new().await;
    let marks = |value: &Value| value.to_string().matches("\"x-secret\"").count();
    for action in &world.plugin.description().node.actions {
        let tried = typed().iter().any(|(name, ..)| *name == action.name);
        assert_eq!(marks(&action.parameters) > 0, tried, "{}", action.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_refused_is_not_told_either() {
    let mut watched = Watched::new().await;
    // Each is wrong at the place of the secret, or elsewhere.
    let long = format!("canary+/long-{}", "0123456789".repeat(40));
    for (action, parameters, secret) in [
        (
            "webhook_oauth_client.update",
            json!({"oauth_client_id": "POAUTHCLIENT01", "client_secret": long}),
            long.as_str(),
        ),
        (
            "workflow_connection.create",
            json!({"integration_id": "PINTEGRATION01", "name": "n",
                "secrets": {"nested": {"password": "canary-nested-0123456789"}}}),
            "canary-nested-0123456789",
        ),
        (
            "workflow_connection.create",
            json!({"integration_id": "PINTEGRATION01", "name": "n", "secrets": {"pin": 9_876_543_210_u64}}),
            "9876543210",
        ),
        (
            "workflow_connection.create",
            json!({"integration_id": "PINTEGRATION01", "name": "n",
                "secrets": ["canary-in-a-list-0123456789"]}),
            "canary-in-a-list-0123456789",
        ),
    ] {
        watched.world.simulator.clear_requests();
        let outcome = watched.run(action, &parameters).await;
        assert_eq!(error(&outcome, 0).kind, "invalid-input", "{action}");
        assert_eq!(watched.world.simulator.requests().len(), 0, "{action}");
        let told = std::mem::take(&mut watched.told);
        assert!(!told.contains(&secret[..10]), "{told}");
    }
}
