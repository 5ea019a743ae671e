//! Tokens that a service grants: to a device, and to an app that signs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use end_to_end::service::{Received, Reply, Service};
use end_to_end::values;
use serde_json::{Value, json};
use workflow_node_host::credential::CredentialForm;
use workflow_node_host::oauth::{Actor, ConnectOrder, DeviceAuthorization};
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::{Execution, Host, Plugin, Secret};

struct Connected {
    service: Service,
    host: Host,
    plugin: Plugin,
    _directory: tempfile::TempDir,
}

impl Connected {
    async fn new(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let service = Service::start(&["api.service.test"], answer).await;
        let transport =
            service.transport(&["https://api.service.test"]).build().expect("a transport");
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate().unwrap();
        let path = directory.path().join("credentials.db");
        let store = SqliteStore::open_with_cost(&path, key, PassphraseCost::for_tests()).unwrap();
        let host = end_to_end::host()
            .transport(Arc::new(transport))
            .credential_store(Arc::new(store))
            .build()
            .unwrap();
        let plugin = host.load_file(component_build::guest("service-node")).await.unwrap();
        plugin.approve(None).await.unwrap();
        Self { service, host, plugin, _directory: directory }
    }

    fn order(&self, credential_type: &str, secrets: &[(&str, &str)]) -> ConnectOrder {
        let secrets = secrets.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text)));
        ConnectOrder {
            name: "work".into(),
            credential_type: credential_type.into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"client_id": "the-app"})),
                secrets: secrets.collect::<BTreeMap<_, _>>(),
            },
            ..ConnectOrder::default()
        }
    }

    /// Connects by device authorization. Returns what the person was shown, and the result.
    async fn device(&self) -> (Option<DeviceAuthorization>, Result<(), String>) {
        let (manager, by) = (self.host.credentials().unwrap(), Actor::user("ada"));
        let shown = Mutex::new(None);
        let connected = manager
            .connect_device(&self.plugin, self.order("device", &[]), &by, |device| {
                *shown.lock().unwrap() = Some(device.clone());
            })
            .await;
        let kept = match connected {
            Ok(connection) => {
                manager.keep(connection, &by).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        (shown.into_inner().unwrap(), kept.map(|_| ()))
    }

    /// The credential that a request of the node is sent with.
    async fn authorization(&self) -> String {
        let mut execution = Execution::new("thing.get").credential("main", "work").item(json!({}));
        execution.context.actor = workflow_node_host::Principal::user("ada");
        values(&self.plugin.execute(execution).await.unwrap(), 0);
        let requests = self.service.requests();
        let things = requests.iter().rfind(|request| request.method == "GET").unwrap();
        things.header("authorization").unwrap().to_owned()
    }
}

fn codes(change: impl Fn(&mut Value)) -> Reply {
    let mut codes = json!({
        "device_code": "a-device-code-canary", "user_code": "WDJB-MJHT",
        "verification_uri": "https://www.service.test/device",
        "verification_uri_complete": "https://www.service.test/device?code=WDJB-MJHT",
        "expires_in": 900, "interval": 1,
    });
    change(&mut codes);
    Reply::json(200, codes)
}

fn refusal(status: u16, error: &str) -> Reply {
    Reply::json(status, json!({ "error": error }))
}

fn token(name: &str, lifetime: u64) -> Reply {
    Reply::json(
        200,
        json!({"access_token": name, "token_type": "bearer",
        "refresh_token": "a-refresh-token-canary", "expires_in": lifetime}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_connected_when_the_person_has_entered_the_code() {
    let asked = Arc::new(AtomicUsize::new(0));
    let polls = asked.clone();
    let world = Connected::new(move |request| match request.path() {
        "/oauth/device" => codes(|_| {}),
        "/oauth/token" if request.field("grant_type").as_deref() == Some("refresh_token") => {
            token("the-second-token-canary", 3_600)
        }
        // Most services report it with 400, some with 200.
        "/oauth/token" => match polls.fetch_add(1, Ordering::Relaxed) {
            0 => refusal(400, "authorization_pending"),
            1 => refusal(200, "authorization_pending"),
            _ => token("the-first-token-canary", 1),
        },
        _ => Reply::json(200, json!({})),
    })
    .await;
    let (shown, kept) = world.device().await;
    kept.unwrap();
    let shown = shown.unwrap();
    assert_eq!(shown.user_code, "WDJB-MJHT");
    assert_eq!(shown.url.as_str(), "https://www.service.test/device");
    assert_eq!(shown.complete_url.unwrap().query(), Some("code=WDJB-MJHT"));
    assert_eq!((shown.expires_in, shown.rights.len()), (Duration::from_secs(900), 1));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    let requests = world.service.requests();
    let [codes, first, ..] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(codes.field("client_id").as_deref(), Some("the-app"));
    assert_eq!(codes.field("scope").as_deref(), Some("things"));
    assert_eq!(
        first.field("grant_type").as_deref(),
        Some("urn:ietf:params:oauth:grant-type:device_code")
    );
    assert_eq!(first.field("device_code").as_deref(), Some("a-device-code-canary"));
    assert_eq!(first.field("client_id").as_deref(), Some("the-app"));
    // Its token is refreshed like any other.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(world.authorization().await, "Bearer the-second-token-canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_not_connected_when_the_person_declines_or_the_code_expires() {
    for (error, words) in [("access_denied", "declined"), ("expired_token", "expired")] {
        let world = Connected::new(move |request| match request.path() {
            "/oauth/device" => codes(|_| {}),
            _ => refusal(400, error),
        })
        .await;
        let (shown, kept) = world.device().await;
        assert!(shown.is_some());
        let message = kept.unwrap_err();
        assert!(message.contains(words), "{message}");
        assert!(!message.contains("canary"), "{message}");
        assert_eq!(world.service.requests().len(), 2, "it is asked once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_shown_only_with_a_valid_page() {
    for (member, value) in [
        ("user_code", json!("\u{1b}]0;owned\u{7}")),
        ("user_code", json!("")),
        ("user_code", json!("X".repeat(65))),
        ("verification_uri", json!("http://www.service.test/device")),
        ("verification_uri", json!("javascript:alert(1)")),
        ("verification_uri", json!("https://www.service.test@evil.test/")),
        ("verification_uri", json!(format!("https://www.service.test/{}", "x".repeat(4_000)))),
    ] {
        let (member, given) = (member.to_owned(), value.clone());
        let world = Connected::new(move |request| match request.path() {
            "/oauth/device" => codes(|codes| codes[&member] = given.clone()),
            _ => refusal(400, "authorization_pending"),
        })
        .await;
        let (shown, kept) = world.device().await;
        assert!(shown.is_none(), "{value}");
        let message = kept.unwrap_err();
        assert!(!message.contains('\u{1b}'), "{message:?}");
        assert_eq!(world.service.requests().len(), 1, "{value}: nothing is asked any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_signs_is_connected_and_its_key_stays_here() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let world = Connected::new(|request| match request.path() {
        "/oauth/token" => Reply::json(
            200,
            json!({"access_token": "a-signed-token-canary", "token_type": "bearer"}),
        ),
        _ => Reply::json(200, json!({})),
    })
    .await;
    let pem = pair.serialize_pem();
    let order = world.order("signed", &[("client_secret", &pem)]);
    let (manager, by) = (world.host.credentials().unwrap(), Actor::user("ada"));
    let connection = manager.connect_app(&world.plugin, order, &by).await.unwrap();
    manager.keep(connection, &by).await.unwrap();
    assert_eq!(world.authorization().await, "Bearer a-signed-token-canary");
    let line = pem.lines().nth(1).unwrap();
    for request in world.service.requests() {
        assert!(!format!("{request:?}").contains(line), "{request:?}");
    }
    let asked = world.service.requests()[0].clone();
    assert_eq!(asked.field("client_assertion").unwrap().split('.').count(), 3);
}
