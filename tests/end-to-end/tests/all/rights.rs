//! No right is wider than what was approved: attacks of a hostile plugin, one by one.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use end_to_end::{World, error};
use pagerduty_simulator::{Fault, FaultAction, Simulator};
use serde_json::{Value, json};
use workflow_node_host::credential::{CredentialForm, Mode};
use workflow_node_host::oauth::{Actor, AskFor, ConnectError, ConnectOrder};
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::{
    Approvals, Disabled, Execution, FileApprovals, Host, MemoryApprovals, Plugin, PluginName,
    Principal, Secret, User, Withheld,
};

use crate::support::Hostile;

const API: &str = "https://api.pagerduty.com";

/// What PagerDuty insists on.
const ACCEPT: [&str; 2] = ["Accept", "application/vnd.pagerduty+json;version=2"];

/// Where [`Hostile`] reaches [`serve`].
const PLAIN: &str = "http://plain.example.com";

/// Serves plain HTTP with this body, and notes the heads of the requests.
fn serve(body: Arc<Mutex<String>>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (kept, body) = (kept.clone(), body.clone());
            std::thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                let body = body.lock().unwrap().clone();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                drop(stream.write_all(answer.as_bytes()));
            });
        }
    });
    (port, heads)
}

async fn hostile_with(body: Arc<Mutex<String>>) -> (Hostile, Arc<Mutex<Vec<String>>>) {
    let (port, heads) = serve(body);
    let mapping = format!("{PLAIN}=http://127.0.0.1:{port}").parse().unwrap();
    let hostile = Hostile::with(|transport| transport.connect_to(mapping), |host| host).await;
    (hostile, heads)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_makes_a_request_another_one_is_refused_in_every_spelling() {
    let (hostile, heads) = hostile_with(Arc::new(Mutex::new("{}".into()))).await;
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x_http_method_override",
        "X.Http.Method.Override",
        "X-Original-URL",
        "X_Original_URL",
        "X-Rewrite-URL",
        "X-Original-Host",
        "X-Host",
        "X-Real-IP",
        "X_Real_IP",
        "True-Client-IP",
        "Client-IP",
        "CF-Connecting-IP",
        "X-Forwarded-For",
        "X_Forwarded_Host",
        "X-Forwarded",
        "Forwarded",
        "X-Remote-User",
        "X-ProxyUser-Ip",
        "Proxy",
        "Content-Encoding",
        "Content_Length",
        "Max-Forwards",
    ] {
        let request = json!({"url": format!("{PLAIN}/a"), "headers": [[name, "DELETE"]]});
        let record = hostile.request(request).await;
        assert_eq!(record["error"], "SendErrorKind::InvalidRequest", "{name}: {record}");
    }
    for query in ["_method=DELETE", "%5Fmethod=DELETE", "X-HTTP-Method-Override=DELETE"] {
        let record = hostile.request(json!({"url": format!("{PLAIN}/a?{query}")})).await;
        assert_eq!(record["error"], "SendErrorKind::InvalidRequest", "{query}: {record}");
    }
    assert_eq!(heads.lock().unwrap().len(), 0);
    let record = hostile
        .request(json!({"url": format!("{PLAIN}/a"), "headers": [["X-Request-Id", "1"]]}))
        .await;
    assert_eq!(record["status"], 200, "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_a_placement_writes_is_refused_in_every_spelling() {
    let hostile = Hostile::new().await;
    for name in ["Authorization", "AUTHORIZATION", "Author_ization", "authoriz.ation"] {
        let headers = json!([[name, "Token token=mine"]]);
        hostile
            .refused("InvalidRequest", json!({"url": format!("{API}/users"), "headers": headers}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_origin_does_not_tell_which_guess_was_right() {
    // The plugin's own server, which is in no audience of the credential, gives back guesses. The
    // right one is among them, and must not look different from the others.
    let body = Arc::new(Mutex::new(String::new()));
    let (hostile, _) = hostile_with(body.clone()).await;
    let guesses = format!("wrong-guess-0123456789\n{}\nwrong-guess-9876543210", hostile.token);
    body.lock().unwrap().clone_from(&guesses);
    let record = hostile.request(json!({"url": format!("{PLAIN}/guess/0")})).await;
    assert_eq!(record["body"], guesses);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_goes_on_asking_for_echoes_is_stopped() {
    let hostile = Hostile::new().await;
    hostile.simulator.fault(Fault::new(FaultAction::EchoRequest).times(20));
    let mut execution = hostile.execution("hostile.request");
    execution.context.limits.as_mut().unwrap().echoes = 3;
    for _ in 0..10 {
        let url = format!("{API}/abilities");
        execution.items.push(json!({"url": url, "credential": "rest", "headers": [ACCEPT]}));
    }
    let outcome = hostile.plugin.execute(execution).await.unwrap();
    let Some(stopped) = outcome.stopped.map(|error| error.to_string()) else {
        panic!("not stopped: {:?}", outcome.items);
    };
    assert!(stopped.contains("echoed a credential"), "{stopped}");
    assert!(hostile.simulator.requests().len() <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_handle_is_refused_and_never_sent() {
    let hostile = Hostile::new().await;
    let unknown = format!("secret:{}", "0".repeat(32));
    let enqueue = "https://events.pagerduty.com/v2/enqueue";
    for (body, why) in [
        (json!({ "routing_key": unknown }), "unknown"),
        (json!({"routing_key": "secret:evicted"}), "unknown"),
        (json!({ "routing_key": format!("Bearer {unknown}") }), "unknown"),
        // No place for a secret.
        (json!({ "summary": unknown }), "does not declare"),
    ] {
        let body = body.to_string();
        let request = json!({"method": "POST", "url": enqueue, "body": body});
        let message = hostile.refused("InvalidRequest", request).await;
        assert!(message.contains(why), "{body}: {message}");
    }
    let url = format!("{API}/users/{unknown}");
    hostile.refused("InvalidRequest", json!({ "url": url })).await;
    let url = format!("{API}/users?q=secret%3A{}", "0".repeat(32));
    hostile.refused("InvalidRequest", json!({ "url": url })).await;
    let headers = json!([["X-Key", unknown]]);
    hostile
        .refused("InvalidRequest", json!({"url": format!("{API}/users"), "headers": headers}))
        .await;
    // Words that only look a little like one are text.
    let body = json!({"routing_key": "R0", "payload": {"summary": "secret: meet at five"}});
    let request = json!({"method": "POST", "url": enqueue, "body": body.to_string()});
    let record = hostile.request(request).await;
    assert!(record["status"].is_number(), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_no_longer_known_is_refused_as_a_secret_that_a_user_enters() {
    let world = World::new().await;
    for text in [format!("secret:{}", "a".repeat(32)), "secret:from-another-day".to_owned()] {
        let item = json!({"oauth_client_id": "POAUTHCLIENT01", "client_secret": text});
        let outcome = world.run("webhook_oauth_client.update", &[item]).await;
        let problem = error(&outcome, 0);
        assert_eq!(problem.kind, "invalid-input", "{problem}");
        assert!(problem.message.contains("handle"), "{problem}");
        assert!(problem.message.contains("client_secret"), "{problem}");
    }
    assert_eq!(world.simulator.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_answer_that_cannot_be_searched_for_secrets_is_withheld() {
    let hostile = Hostile::new().await;
    let key = "0123456789abcdef-integration-key";
    for status in [400, 404, 500] {
        let body = format!("<html>no such service; its key was {key}</html>");
        let html = [("content-type", "text/html")];
        hostile.simulator.fault(Fault::response(status, &html, body).times(10));
        let url = format!("{API}/services/P1");
        let record: Value = hostile
            .request(
                json!({"url": url, "timeout": 5_000, "credential": "rest", "headers": [ACCEPT]}),
            )
            .await;
        hostile.simulator.clear_faults();
        assert!(!record.to_string().contains(key), "{status}: {record}");
        assert_eq!(record["status"], status, "{record}");
        assert!(record["body"].as_str().unwrap().contains("withheld"), "{record}");
    }
}

fn open(directory: &std::path::Path) -> SqliteStore {
    let key = StoreKey::generate().unwrap();
    let cost = PassphraseCost::for_tests();
    SqliteStore::open_with_cost(&directory.join("credentials.db"), key, cost).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn configure_cannot_add_a_parameter_to_a_consent_that_was_not_approved() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()));
    let host: Host = end_to_end::host().credential_store(store).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    let manager = host.credentials().unwrap();
    let begin = async |name: &str, value: &str| {
        let order = ConnectOrder {
            name: "work".into(),
            credential_type: "account".into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"client_id": "c", "extra": {name: value}})),
                ..CredentialForm::default()
            },
            redirect: Some("https://example.com/callback".parse().unwrap()),
            ..ConnectOrder::default()
        };
        let begun = manager.begin(&plugin, order, &Actor::user("ada")).await;
        begun.map(|begun| begun.url.to_string()).map_err(|error| error.to_string())
    };
    for name in [
        "authorization_details",
        "user_scope",
        "optional_scope",
        "include_granted_scopes",
        "claims",
        "resource",
        "audience",
        "prompt",
        "id_token_hint",
        "login_hint",
        "acr_values",
        "dpop_jkt",
        "scope",
        "SCOPE",
        "Scope",
        "scope ",
        " scope",
        "scope\t",
        "%73cope",
        "scope%20",
        "sco\u{200b}pe",
        "\u{17f}cope",
        "scope[]",
        "redirect_uri",
        "REDIRECT_URI",
        "access_type ",
        "ACCESS_TYPE",
    ] {
        let refusal = begin(name, "offline").await.expect_err(name);
        assert!(refusal.contains("OAuth parameter"), "{name}: {refusal}");
    }
    assert!(begin("access_type", "online").await.is_err());
    let url = begin("access_type", "offline").await.unwrap();
    assert!(url.contains("access_type=offline") && url.matches("scope=").count() == 1, "{url}");
}

/// A rebuild of the hostile plugin in which one text of its description is another one.
fn rebuilt(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(component_build::guest("hostile")).unwrap();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{from}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_drops_a_protection_is_not_approved_in_development_mode() {
    let approvals = Arc::new(MemoryApprovals::default());
    let host = end_to_end::host().approvals(approvals).development(true).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    for (from, to, words) in [
        (
            r#""x-secret":"integration-key""#,
            r#""x-sneaky":"integration-key""#,
            "reading the secret",
        ),
        (r#""values":["offline"]"#, r#""values":["forever"]"#, "access_type=forever"),
        (r#""requests":1000"#, r#""requests":9999"#, "more requests"),
        (r#""milliseconds":1000"#, r#""milliseconds":1   "#, "more requests"),
        (r#""rate_limit":{"#, r#""rate_limix":{"#, "more requests"),
        (r#""idempotency":"none""#, r#""idempotency":"safe""#, "may be retried"),
        (r#""path":"/services/{id}""#, r#""path":"/services/none""#, "reading the secret"),
    ] {
        let rebuilt = host.load(rebuilt(from, to)).await.unwrap();
        let error = rebuilt.check_approval().await.expect_err(to);
        assert!(error.is_not_approved(), "{to}: {error}");
        assert!(error.to_string().contains(words), "{to}: {error}");
    }
    // One that asks for nothing new and keeps what protects is approved.
    let from = r#""description":"Breaks the contract.""#;
    let harmless =
        host.load(rebuilt(from, r#""description":"Honors the contract.""#)).await.unwrap();
    harmless.check_approval().await.unwrap();
}

async fn approved_without(withheld: Withheld) -> (Host, Plugin) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()));
    let host = end_to_end::host().credential_store(store).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve_without(withheld, None).await.unwrap();
    (host, plugin)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_withholds_is_refused_with_the_option_that_withholds_it() {
    // An origin, and one place below a wildcard would be the same.
    let withheld = Withheld { origins: vec![API.parse().unwrap()], ..Withheld::default() };
    let (_, plugin) = approved_without(withheld.clone()).await;
    let execution = Execution::new("hostile.request").item(json!({"url": format!("{API}/users")}));
    let outcome = plugin.execute(execution).await.unwrap();
    let record = end_to_end::values(&outcome, 0).remove(0);
    assert_eq!(record["error"], "SendErrorKind::Denied", "{record}");
    let option = format!("--without-origin {API}");
    assert!(record["message"].as_str().unwrap().contains(&option), "{record}");
    assert_eq!(plugin.approval().await.unwrap().withheld, withheld);

    // An effect and an action: nothing of it runs.
    for (withheld, option) in [
        (
            Withheld { effects: ["execute".parse_effect()].into(), ..Withheld::default() },
            "--without-effect execute",
        ),
        (
            Withheld { actions: ["hostile.request".to_owned()].into(), ..Withheld::default() },
            "--without-action hostile.request",
        ),
    ] {
        let (_, plugin) = approved_without(withheld).await;
        let execution = Execution::new("hostile.request").item(json!({}));
        let error = plugin.execute(execution).await.unwrap_err();
        assert!(error.is_withheld(), "{error}");
        assert!(error.to_string().contains(option), "{error}");
    }

    // A scope is not asked for.
    let scopes = [("account".to_owned(), ["read".to_owned()].into())].into();
    let (host, plugin) = approved_without(Withheld { scopes, ..Withheld::default() }).await;
    let order = ConnectOrder {
        name: "work".into(),
        credential_type: "account".into(),
        form: CredentialForm {
            fields: end_to_end::object(json!({"client_id": "c"})),
            ..CredentialForm::default()
        },
        redirect: Some("https://example.com/callback".parse().unwrap()),
        ..ConnectOrder::default()
    };
    let manager = host.credentials().unwrap();
    let error = manager.begin(&plugin, order, &Actor::user("ada")).await.unwrap_err();
    assert!(error.to_string().contains("--without-scope account:read"), "{error}");

    // What was never asked for cannot be withheld: it would be a slip of the pen.
    let withheld =
        Withheld { actions: ["hostile.reqest".to_owned()].into(), ..Withheld::default() };
    assert!(plugin.approve_without(withheld, None).await.unwrap_err().is_invalid_input());
}

trait ParseEffect {
    fn parse_effect(&self) -> workflow_node_host::description::Effect;
}

impl ParseEffect for str {
    fn parse_effect(&self) -> workflow_node_host::description::Effect {
        serde_json::from_value(json!(self)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_plugin_ends_what_runs_and_refuses_what_would() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.json");
    let approvals = Arc::new(FileApprovals::new(&path));
    for by_digest in [false, true] {
        let kept = approvals.clone();
        let hostile = Hostile::with(|transport| transport, |host| host.approvals(kept)).await;
        let plugin = hostile.plugin.clone();
        let running = tokio::spawn(async move {
            let started = Instant::now();
            let outcome = hostile.misbehave("wait-long").await;
            (outcome, started.elapsed(), hostile)
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        // As another process does.
        let other = FileApprovals::new(&path);
        let name = match by_digest {
            true => PluginName::Digest(plugin.digest()),
            false => PluginName::Node("hostile".into()),
        };
        let disabled = Disabled { plugin: name.clone(), since: 0, by: Some("carol".into()) };
        other.disable(disabled).await.unwrap();
        let (outcome, elapsed, hostile) = running.await.unwrap();
        let stopped = outcome.stopped.expect("it was stopped").to_string();
        assert!(stopped.contains("disabled by carol"), "{stopped}");
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
        let error = plugin.execute(hostile.execution("hostile.request")).await.unwrap_err();
        assert!(error.is_disabled(), "{error}");
        assert!(error.to_string().contains(&format!("harness plugin enable {name}")), "{error}");
        assert!(other.enable(&name).await.unwrap());
        assert!(!other.enable(&name).await.unwrap());
        plugin.execute(hostile.execution("hostile.request")).await.unwrap();
    }
}

/// PagerDuty, a host with a store, and the plugin.
struct Pager {
    simulator: Simulator,
    host: Host,
    plugin: Plugin,
    _directory: tempfile::TempDir,
}

impl Pager {
    async fn new() -> Self {
        let simulator = Simulator::builder().without_rate_limits().start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let transport = end_to_end::transport(&simulator).build().unwrap();
        let host = end_to_end::host()
            .transport(Arc::new(transport))
            .credential_store(Arc::new(open(directory.path())))
            .build()
            .unwrap();
        let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
        plugin.approve(None).await.unwrap();
        Self { simulator, host, plugin, _directory: directory }
    }

    fn oauth(&self, name: &str) -> ConnectOrder {
        let app = self.simulator.identity().classic_app();
        let secret = Secret::new(app.client_secret.clone().unwrap());
        ConnectOrder {
            name: name.into(),
            credential_type: "oauth2".into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"client_id": app.client_id})),
                secrets: [("client_secret".to_owned(), secret)].into(),
            },
            ask: AskFor::Access(workflow_node_host::description::Access::Write),
            redirect: Some("https://example.com/callback".parse().unwrap()),
            ..ConnectOrder::default()
        }
    }

    /// A key of the account in the EU, which is Mallory's.
    fn token(
        &self,
        name: &str,
        mode: Mode,
        owner: Option<&str>,
        user: Option<&str>,
    ) -> ConnectOrder {
        let token = self.simulator.eu().keys().user;
        ConnectOrder {
            name: name.into(),
            mode,
            owner: owner.map(User::from),
            user: user.map(User::from),
            credential_type: "api-token".into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"region": "eu"})),
                secrets: [("api_token".to_owned(), Secret::new(token))].into(),
            },
            ..ConnectOrder::default()
        }
    }

    async fn connect(&self, order: ConnectOrder, by: &Actor) -> Result<u64, ConnectError> {
        let manager = self.host.credentials().unwrap();
        let connection = manager.connect_fixed(&self.plugin, order, by).await?;
        manager.keep(connection, by).await
    }

    async fn run(&self, name: &str, actor: Principal) -> Result<(), String> {
        let mut execution = Execution::new("user.me").credential("rest", name).item(json!({}));
        execution.context.actor = actor;
        let outcome = self.plugin.execute(execution).await.map_err(|error| error.to_string())?;
        end_to_end::values(&outcome, 0);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_principal_begins_no_other_finishes_or_keeps() {
    let pager = Pager::new().await;
    let manager = pager.host.credentials().unwrap();
    let adas_account = pager.simulator.us().users()[0].id.clone();
    let mallory = Actor::user("mallory");
    let others = [
        Actor::user("ada"),
        Actor::from(Principal::of("other", "mallory")),
        // An administrator does not finish what another has begun, either.
        Actor::admin(),
    ];
    for other in &others {
        // Mallory sends Ada the address. Ada is signed in at the service, and consents.
        let begun = manager.begin(&pager.plugin, pager.oauth("innocent"), &mallory).await.unwrap();
        let callback =
            pager.simulator.identity().approve(begun.url.as_str(), &adas_account).unwrap();
        let refused = manager.finish(&callback, other).await.unwrap_err();
        assert!(matches!(refused, ConnectError::State), "{refused}");
        // The same words as for one that was never begun, and it is over for Mallory, too.
        let unknown = callback.replace("state=", "state=x");
        let never = manager.finish(&unknown, other).await.unwrap_err();
        assert_eq!(refused.to_string(), never.to_string());
        let late = manager.finish(&callback, &mallory).await.unwrap_err();
        assert!(matches!(late, ConnectError::State), "{late}");
    }
    // Nor does anybody keep what another has finished.
    for other in &others {
        let begun = manager.begin(&pager.plugin, pager.oauth("own"), &mallory).await.unwrap();
        let callback =
            pager.simulator.identity().approve(begun.url.as_str(), &adas_account).unwrap();
        let connection = manager.finish(&callback, &mallory).await.unwrap();
        let refused = manager.keep(connection, other).await.unwrap_err();
        assert!(matches!(refused, ConnectError::State), "{refused}");
    }
    assert!(pager.run("innocent", "mallory".into()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_plants_a_connection_for_another() {
    let pager = Pager::new().await;
    let mallory = Actor::user("mallory");
    for order in [
        pager.token("work", Mode::PerUser, None, Some("ada")),
        pager.token("work", Mode::PerUser, Some("ada"), Some("ada")),
        pager.token("work", Mode::Private, Some("ada"), None),
        pager.token("work", Mode::Shared, Some("ada"), None),
    ] {
        let refused = pager.connect(order, &mallory).await.unwrap_err().to_string();
        assert!(refused.contains("only an administrator can connect an account"), "{refused}");
    }
    // Under a name that is there already, and even by the owner of the name.
    pager.connect(pager.token("team", Mode::PerUser, None, None), &mallory).await.unwrap();
    let planted = pager.token("team", Mode::PerUser, None, Some("ada"));
    assert!(pager.connect(planted.clone(), &mallory).await.is_err());
    pager.connect(planted.clone(), &Actor::user("ada")).await.unwrap();
    let replaced = ConnectOrder { replacing: true, ..planted };
    assert!(pager.connect(replaced, &mallory).await.is_err());
    // An administrator may, who says so.
    let for_bob = pager.token("bobs", Mode::Private, Some("bob"), None);
    pager.connect(for_bob, &Actor::admin()).await.unwrap();
    pager.run("bobs", "bob".into()).await.unwrap();
    let refused = pager.run("bobs", "mallory".into()).await.unwrap_err();
    assert!(refused.contains("another user"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_credential_without_an_owner_belongs_to_nobody() {
    use workflow_node_host::credential::HeadChange;
    let pager = Pager::new().await;
    let mallory = Actor::user("mallory");
    // Whoever connects without naming an owner is the owner.
    pager.connect(pager.token("mine", Mode::Private, None, None), &mallory).await.unwrap();
    pager.run("mine", "mallory".into()).await.unwrap();
    let manager = pager.host.credentials().unwrap();
    manager.change("mine", HeadChange::Owner(None), &Actor::admin()).await.unwrap();
    for actor in ["mallory".into(), "bob".into(), Principal::default()] {
        let refused = pager.run("mine", actor).await.unwrap_err();
        assert!(refused.contains("belongs to nobody"), "{refused}");
    }
    assert!(manager.change("mine", HeadChange::Owner(Some("bob".into())), &mallory).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_neither_uses_nor_sees_nor_ends_a_credential() {
    let pager = Pager::new().await;
    let ada = Actor::user("ada");
    pager.connect(pager.token("work", Mode::Shared, None, None), &ada).await.unwrap();
    let other = Principal::of("other", "ada");
    let refused = pager.run("work", other.clone()).await.unwrap_err();
    assert!(refused.contains("not found"), "{refused}");
    assert!(!refused.contains("Available"), "{refused}");
    let manager = pager.host.credentials().unwrap();
    let key = workflow_node_host::credential::ConnectionKey::of("work");
    let foreign = Actor { principal: other.clone(), is_admin: true };
    let refused = manager.disconnect(&key, &foreign, None).await.unwrap_err();
    assert!(refused.to_string().contains("not found"), "{refused}");
    // The name is free there.
    let own = pager.token("work", Mode::Private, None, None);
    pager.connect(own, &Actor::from(other.clone())).await.unwrap();
    pager.run("work", other).await.unwrap();
    pager.run("work", "ada".into()).await.unwrap();
}

/// The token of each request, with the number of its connection.
type Seen = Arc<Mutex<Vec<(usize, String)>>>;

/// Serves plain HTTP with connections that are kept, and notes which connection each token came over.
/// `/limited` is answered with 429.
fn serve_tokens() -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let kept = kept.clone();
            std::thread::spawn(move || {
                loop {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") {
                        if stream.read(&mut byte).unwrap_or(0) == 0 {
                            return;
                        }
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8_lossy(&head).to_lowercase();
                    let token = head.lines().find_map(|line| line.strip_prefix("x-plain-token: "));
                    kept.lock().unwrap().push((connection, token.unwrap_or_default().to_owned()));
                    let answer = match head.contains("/limited") {
                        true => {
                            "HTTP/1.1 429 Too Many\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\n{}"
                        }
                        false => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                    };
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_credential_share_neither_connections_nor_a_pace() {
    let (port, seen) = serve_tokens();
    let directory = tempfile::tempdir().unwrap();
    let mapping = format!("{PLAIN}=http://127.0.0.1:{port}").parse().unwrap();
    let transport = workflow_node_host::transport::HttpTransport::builder()
        .connect_to(mapping)
        .build()
        .unwrap();
    let host = end_to_end::host()
        .transport(Arc::new(transport))
        .credential_store(Arc::new(open(directory.path())))
        .build()
        .unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    let manager = host.credentials().unwrap();
    for user in ["ada", "bob"] {
        let order = ConnectOrder {
            name: "each".into(),
            mode: Mode::PerUser,
            credential_type: "plain".into(),
            form: CredentialForm {
                secrets: [("token".to_owned(), Secret::new(format!("token-of-{user}-0001")))]
                    .into(),
                ..CredentialForm::default()
            },
            ..ConnectOrder::default()
        };
        let by = Actor::user(user);
        let connection = manager.connect_fixed(&plugin, order, &by).await.unwrap();
        manager.keep(connection, &by).await.unwrap();
    }
    let run = async |user: &str, path: &str, timeout: u64| {
        let url = format!("{PLAIN}{path}");
        let mut execution = Execution::new("hostile.request")
            .credential("plain", "each")
            .item(json!({"url": url, "credential": "plain", "timeout": timeout}));
        execution.context.actor = user.into();
        let started = Instant::now();
        let outcome = plugin.execute(execution).await.unwrap();
        (end_to_end::values(&outcome, 0).remove(0), started.elapsed())
    };
    for user in ["ada", "bob", "ada", "bob"] {
        let (record, _) = run(user, "/", 5_000).await;
        assert_eq!(record["status"], 200, "{record}");
    }
    let all = seen.lock().unwrap().clone();
    for (connection, token) in &all {
        let others = all.iter().filter(|(other, _)| other == connection);
        assert!(others.into_iter().all(|(_, other)| other == token), "{all:?}");
    }
    // What the service says to Ada is not said to Bob.
    run("ada", "/limited", 500).await;
    let (record, elapsed) = run("bob", "/", 5_000).await;
    assert_eq!(record["status"], 200, "{record}");
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    let sent = seen.lock().unwrap().len();
    let (record, _) = run("ada", "/limited", 500).await;
    assert_eq!(record["error"], "SendErrorKind::RateLimited", "{record}");
    assert_eq!(seen.lock().unwrap().len(), sent, "Ada waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_one_principals() {
    let hostile = Hostile::new().await;
    let key = async |actor: Principal, id: &str| {
        let mut execution = hostile.execution("hostile.misbehave");
        execution.context.actor = actor;
        execution.id = Some(id.into());
        execution.items.push(json!({"case": "idempotency"}));
        let outcome = hostile.plugin.execute(execution).await.unwrap();
        end_to_end::values(&outcome, 0).remove(0)
    };
    let adas = key("ada".into(), "42").await;
    assert_eq!(adas, key("ada".into(), "42").await, "a repetition has the same key");
    for other in [
        key("ada".into(), "43").await,
        key("bob".into(), "42").await,
        key(Principal::of("other", "ada"), "42").await,
    ] {
        assert_ne!(adas, other);
    }
}
