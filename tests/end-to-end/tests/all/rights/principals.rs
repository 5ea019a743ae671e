//! Principals: credentials, connections, and keys belong to one of them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pagerduty_simulator::Simulator;
use serde_json::json;
use workflow_node_host::credential::{CredentialForm, Mode};
use workflow_node_host::oauth::{Actor, AskFor, ConnectError, ConnectOrder};
use workflow_node_host::{Execution, Host, Plugin, Principal, Secret, User};

use super::{PLAIN, open};
use crate::support::Hostile;

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
async fn only_the_principal_that_began_a_connection_finishes_and_keeps_it() {
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
    // A user who connects without naming an owner is the owner.
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
    // A rate limit of Ada's does not apply to Bob.
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
