//! Servers whose origins the operator chooses: what a credential for one may reach, and what tries to
//! get it elsewhere.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::service::{Reply, Service};
use end_to_end::{error, host, object, values};
use serde_json::{Value, json};
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::description::Configuration;
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder, Resolver};
use workflow_node_host::{Execution, Limits, Origin, Outcome, Plugin, Secret, Servers, Withheld};

const GIT: &str = "https://git.corp.test";
const OTHER: &str = "https://other.corp.test";
const KEY: &str = "canary-key-0123456789";

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

fn git() -> Servers {
    Servers::default().with("own", origin(GIT), false)
}

struct World {
    service: Service,
    plugin: Plugin,
    credentials: Arc<MemoryCredentials>,
}

impl World {
    async fn new(servers: Servers) -> Self {
        let names = ["git.corp.test", "other.corp.test", "evil.test"];
        let service = Service::start(&names, |_| Reply::json(200, json!({"ok": true}))).await;
        let mapped = [GIT, OTHER, "https://evil.test", "https://git.corp.test:8443"];
        let transport = service.transport(&mapped);
        Self::with(service, transport, servers).await
    }

    async fn with(service: Service, transport: HttpTransportBuilder, servers: Servers) -> Self {
        let credentials = Arc::new(MemoryCredentials::default());
        let host = host()
            .transport(Arc::new(transport.build().expect("a transport")))
            .credential_source(credentials.clone())
            .build()
            .expect("a host");
        let plugin =
            host.load_file(component_build::guest("service-node")).await.expect("it loads");
        plugin.approve_with(servers, Withheld::default(), None).await.expect("it is approved");
        Self { service, plugin, credentials }
    }

    /// Keeps a credential, configured as somebody says, which need not be the plugin.
    fn keep(&self, server: &str, configuration: Configuration) {
        self.credentials.insert(Credential {
            name: "own".into(),
            node: "service".into(),
            credential_type: "own".into(),
            fields: object(json!({ "own": server })),
            secrets: BTreeMap::from([("key".to_owned(), Secret::new(KEY))]),
            configuration,
            granted_scopes: None,
            revision: 1,
        });
    }

    async fn connect(&self, server: &str) {
        let fields = object(json!({ "own": server }));
        let configuration = self.plugin.configure("own", &fields, None).await.expect("configured");
        self.keep(server, configuration);
    }

    async fn execute(&self, action: &str, item: Value) -> Result<Outcome, String> {
        let mut execution = Execution::new(action).credential("own", "own");
        execution.items.push(item);
        execution.context.limits =
            Some(Limits { total_time: Duration::from_secs(5), ..Limits::default() });
        self.plugin.execute(execution).await.map_err(|error| error.to_string())
    }

    /// The message of a request that was not sent.
    async fn refused(&self, url: &str, with_credential: bool) -> String {
        let before = self.service.requests().len();
        let item = json!({"url": url, "with_credential": with_credential});
        let outcome = self.execute("own.fetch", item).await.unwrap();
        assert_eq!(self.service.requests().len(), before, "{url}");
        error(&outcome, 0).message.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_sent_to_the_server_that_the_operator_has_chosen() {
    let world = World::new(git()).await;
    world.connect(&format!("{GIT}/")).await;
    values(&world.execute("own.get", json!({})).await.unwrap(), 0);
    let sent = world.service.requests().remove(0);
    assert_eq!((sent.path(), sent.header("host")), ("/api/thing", Some("git.corp.test")));
    assert_eq!(sent.header("x-key"), Some(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_before_an_operator_has_chosen() {
    let world = World::new(Servers::default()).await;
    let fields = object(json!({ "own": GIT }));
    let error = world.plugin.configure("own", &fields, None).await.unwrap_err().to_string();
    assert!(error.contains("harness approve PLUGIN --server own=https://git.corp.test"), "{error}");
    // A credential that was kept all the same is not used.
    world.keep(GIT, Configuration::new([GIT.parse().unwrap()]));
    let error = world.execute("own.get", json!({})).await.unwrap_err();
    assert!(error.contains("has not chosen https://git.corp.test"), "{error}");
    assert_eq!(world.service.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_one_server_is_never_sent_to_another() {
    let both = git().with("own", origin(OTHER), false);
    let world = World::new(both).await;
    world.connect(GIT).await;
    let item = json!({"url": format!("{OTHER}/"), "with_credential": false});
    values(&world.execute("own.fetch", item).await.unwrap(), 0);
    assert_eq!(world.service.requests()[0].header("x-key"), None);
    let message = world.refused(&format!("{OTHER}/"), true).await;
    assert!(message.contains("can be sent only to https://git.corp.test"), "{message}");
    // Nor where its configuration, which is the plugin's word, says otherwise.
    for audiences in [vec![OTHER], vec![GIT, OTHER], vec!["https://evil.test"]] {
        let audiences: Vec<_> = audiences.into_iter().map(|one| one.parse().unwrap()).collect();
        world.keep(GIT, Configuration::new(audiences));
        let error = world.execute("own.get", json!({})).await.unwrap_err();
        assert!(error.contains("exceeds the plugin's description"), "{error}");
    }
    assert_eq!(world.service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_choice_takes_the_old_server_away() {
    let world = World::new(git()).await;
    world.connect(GIT).await;
    values(&world.execute("own.get", json!({})).await.unwrap(), 0);
    let other = Servers::default().with("own", origin(OTHER), false);
    world.plugin.approve_with(other, Withheld::default(), None).await.unwrap();
    let error = world.execute("own.get", json!({})).await.unwrap_err();
    assert!(error.contains("has not chosen https://git.corp.test"), "{error}");
    world.connect(OTHER).await;
    let message = world.refused(&format!("{GIT}/"), false).await;
    assert!(message.contains("not one of the origins"), "{message}");
    // An approval without a choice takes it away, too.
    world.plugin.approve(None).await.unwrap();
    assert!(world.execute("own.get", json!({})).await.is_err());
    assert_eq!(world.service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_only_looks_like_the_server_is_refused() {
    let world = World::new(git()).await;
    world.connect(GIT).await;
    for url in [
        "https://git.corp.test@evil.test/",
        "https://evil.test@git.corp.test/",
        "https://git.corp.test\\@evil.test/",
        "https://git.corp.test:8443/",
        "http://git.corp.test/",
        "https://git.corp.test./",
        "https://git.corp.test.evil.test/",
        "https://evilgit.corp.test/",
        "https://x.git.corp.test/",
        "https://corp.test/",
        "https://other.corp.test/",
        "https://evil.test/",
        "https://evil.test/https://git.corp.test/",
        "https://evil.test#@git.corp.test/",
        "https://git%2ecorp.test/",
        "https://g\u{456}t.corp.test/",
        "https://xn--gt-mmc.corp.test/",
        "https://{own}/",
        "https://%7Bown%7D/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://10.0.0.1/",
    ] {
        for with_credential in [false, true] {
            world.refused(url, with_credential).await;
        }
    }
    assert_eq!(world.service.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_one_origin_of_the_public_internet_within_what_the_plugin_declares() {
    let world = World::new(git()).await;
    let choose = async |text: &str, private| -> Result<(), String> {
        let origin: Origin =
            text.parse().map_err(|error: workflow_node_host::OriginError| error.to_string())?;
        let servers = Servers::default().with("own", origin, private);
        let approved = world.plugin.approve_with(servers, Withheld::default(), None).await;
        approved.map_err(|error| error.to_string())
    };
    for odd in [
        "https://user@git.corp.test",
        "https://git.corp.test/path",
        "https://git.corp.test?x",
        "https://*.corp.test",
        "https://*",
        "https://{own}",
        "http://git.corp.test",
        "https://git.corp.test.",
        "https://g\u{456}t.corp.test",
        "https://git..corp.test",
        "https://2130706433",
        "https://0x7f.1",
        "https://127.1",
        "https://git.corp.test:99999",
    ] {
        assert!(choose(odd, false).await.is_err() && choose(odd, true).await.is_err(), "{odd}");
    }
    for private in ["https://10.0.0.1", "https://192.168.1.2:8443", "https://[fd12::1]"] {
        let problem = choose(private, false).await.unwrap_err();
        assert!(problem.contains("--private-server own="), "{problem}");
        choose(private, true).await.unwrap();
    }
    for never in [
        "https://127.0.0.1",
        "https://[::1]",
        "https://169.254.169.254",
        "https://[fd00:ec2::254]",
        "https://[::ffff:10.0.0.1]",
        "https://0.0.0.0",
    ] {
        assert!(
            choose(never, false).await.is_err() && choose(never, true).await.is_err(),
            "{never}"
        );
    }
    let stranger = Servers::default().with("other", origin(GIT), false);
    let refused = world.plugin.approve_with(stranger, Withheld::default(), None).await.unwrap_err();
    assert!(refused.to_string().contains("no server `other`. It has: own"), "{refused}");
    choose("https://git.corp.test:8443", false).await.unwrap();
    // Earlier permissions are unchanged after all refused requests.
    let approval = world.plugin.approval().await.unwrap();
    assert_eq!(approval.servers.in_words(), ["own: https://git.corp.test:8443"]);
}

/// Resolves every name to the same addresses.
struct To(Vec<IpAddr>);

#[async_trait::async_trait]
impl Resolver for To {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_to_a_private_address_only_where_the_operator_has_approved_that() {
    for (addresses, private, denied) in [
        (vec!["10.255.255.1"], false, true),
        (vec!["10.255.255.1"], true, false),
        (vec!["127.0.0.1"], true, true),
        (vec!["169.254.169.254"], true, true),
        (vec!["10.255.255.1", "127.0.0.1"], true, true),
    ] {
        let service = Service::start(&["git.corp.test"], |_| Reply::json(200, "{}")).await;
        let to = To(addresses.iter().map(|one| one.parse().unwrap()).collect());
        let transport = HttpTransport::builder().resolver(Arc::new(to));
        let servers = Servers::default().with("own", origin(GIT), private);
        let world = World::with(service, transport, servers).await;
        world.connect(GIT).await;
        let item = json!({"url": format!("{GIT}/"), "with_credential": true});
        let outcome = world.execute("own.fetch", item).await.unwrap();
        let message = &error(&outcome, 0).message;
        let is_denied = message.contains("only the public internet");
        assert_eq!(is_denied, denied, "{addresses:?} {private}: {message}");
        // The right is that of one origin: another one that leads there is refused.
        let message = world.refused("https://api.service.test/", false).await;
        assert!(message.contains("only the public internet"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_shows_a_server_and_a_wider_one_needs_another_approval() {
    let world = World::new(git()).await;
    let request = world.plugin.grant_request();
    assert_eq!(request.servers[0].within[0].to_string(), "https://*:*");
    let mut before = request.clone();
    before.servers[0].within = vec!["https://*.corp.test".parse().unwrap()];
    let growth = request.growth_over(&before);
    assert_eq!(growth, ["a server own within https://*:* that you choose"]);
    assert!(before.growth_over(request).is_empty(), "a narrower one does not");
    before.servers.clear();
    assert_eq!(request.growth_over(&before).len(), 1);
}
