//! Tasks of an operator: comparing a configuration with the stored data, removing data, backups,
//! renewing certificates, traces, and metrics.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagerduty_simulator::{CertificateKind, IssuedCertificate};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

use crate::support::{Client, EXECUTE, World, is_on_the_disk, plugin, read, request, until};

/// Result of `harness config diff`: its exit code, and the kinds and names of the differences.
fn diff(world: &World, config: &str) -> (i32, Vec<(String, String)>) {
    let output = world
        .command(&["config", "diff", "--config", config, "--format", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = report["differences"].as_array().unwrap();
    assert_eq!(report["drift"], !all.is_empty());
    for one in all {
        assert!(text(one, "message").ends_with('.') || one["kind"] == "plugin-disabled", "{one}");
        assert!(one.get("declared").is_some() && one.get("found").is_some(), "{one}");
    }
    let kinds = all.iter().map(|one| (text(one, "kind"), text(one, "name"))).collect();
    (output.status.code().unwrap(), kinds)
}

fn kinds(found: &[(String, String)]) -> Vec<&str> {
    found.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[test]
fn a_configuration_is_compared_with_what_is_stored() {
    let world = World::new();
    std::fs::remove_file(world.path("data/approvals.json")).unwrap();
    let digest = world.digest();
    let write = |actions: &str, withheld: &str, digest: &str| {
        world.file(
            "serve.toml",
            &format!(
                "listen = ['127.0.0.1:0']\n[[plugins]]\nfile = '{}'\ndigest = '{digest}'\n\
                 [plugins.approval]\nwithheld.effects = [{withheld}]\n\
                 [policies.n8n]\nroles = ['run']\nactions = [{actions}]\n\
                 deliver_to = ['http://127.0.0.1:9']\n",
                plugin()
            ),
        )
    };
    let config = write("'incident.*', 'event'", "'delete'", &digest);
    let (code, found) = diff(&world, &config);
    assert_eq!((code, kinds(&found)), (1, vec!["approval-missing"]), "nothing has run yet");
    let token = world.token("n8n", &["--policy", "n8n", "--config", &config]);
    drop(world.serve_exactly(&["serve", "--config", &config]));
    assert_eq!(diff(&world, &config), (0, Vec::new()));

    // The file changes.
    let config = write("'service.list', 'event'", "", &digest);
    let (code, found) = diff(&world, &config);
    assert_eq!(code, 1);
    assert_eq!(kinds(&found), ["approval-withheld", "policy-changed"]);
    assert_eq!(found[1].1, "n8n");
    let other = format!("sha256:{}", "0".repeat(64));
    let config = write("'incident.*', 'event'", "'delete'", &other);
    let (_, found) = diff(&world, &config);
    for kind in ["plugin-digest", "approval-missing", "approval-undeclared", "plugin-not-served"] {
        assert!(kinds(&found).contains(&kind), "{kind}: {found:?}");
    }

    // The store changes.
    let config = write("'incident.*', 'event'", "'delete'", &digest);
    assert_eq!(diff(&world, &config).0, 0);
    world.token("own", &["--role", "run", "--deliver-to", "http://127.0.0.1:9"]);
    world.token("lost", &["--policy", "nowhere"]);
    world.harness(&["plugin", "disable", "pagerduty"]);
    let (code, found) = diff(&world, &config);
    assert_eq!(code, 1);
    let pair = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    for expected in [pair("policy-undeclared", "own"), pair("policy-missing", "lost")] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    assert!(kinds(&found).contains(&"plugin-disabled"), "{found:?}");
    world.harness(&["plugin", "enable", "pagerduty"]);

    // An origin that events go to, and that no policy lists any more.
    let server = world.serve_exactly(&["serve", "--config", &config]);
    let order = json!({
        "plugin": "pagerduty", "trigger": "event", "credentials": {"rest": "work"},
        "parameters": {"events": ["incident.triggered"]}, "deliver_to": "http://127.0.0.1:9/x",
    });
    server.client(&token).put("/v1/subscriptions/a", &order).expect(200);
    drop(server);
    assert!(!kinds(&diff(&world, &config).1).contains(&"destination-undeclared"));
    let text = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:9'", "127.0.0.1:8'");
    let config = world.file("serve.toml", &text);
    let (_, found) = diff(&world, &config);
    assert!(kinds(&found).contains(&"destination-undeclared"), "{found:?}");

    let text = world.command(&["config", "diff", "--config", &config]).output().unwrap();
    assert_eq!(text.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&text.stdout).contains("policy-missing: The token `lost`"));
    let broken = world.file("broken.toml", "polices = 1\n");
    let refused = world.command(&["config", "diff", "--config", &broken]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

/// Leaves everything that a tenant can leave: executions with results, an event, a subscription, a
/// pending connection, a secret, a credential, a token. `client`: of a token of the user.
fn fill(world: &World, client: &Client, user: &str) {
    let credential = json!({"rest": format!("work-{user}")});
    let call = |id: &str, count: usize| {
        let mut call = world.incidents(&format!("{id}-{user}"), count);
        call["credentials"] = credential.clone();
        call["workflow"] = json!(format!("workflow-{user}"));
        call
    };
    assert_eq!(client.post(EXECUTE, &call("run", 2)).expect(200)["failed"], 0);
    let order = json!({
        "plugin": "pagerduty", "trigger": "event", "credentials": credential,
        "parameters": {"events": ["incident.triggered"]},
    });
    client.put(&format!("/v1/subscriptions/sub-{user}"), &order).expect(200);
    client.post(EXECUTE, &call("event", 1)).expect(200);
    until("an event", || {
        client.get(&format!("/v1/subscriptions/sub-{user}")).expect(200)["waiting"] == 1
    });
    let connect = json!({"name": format!("pending-{user}"), "plugin": "pagerduty",
                         "type": "api-token", "fields": {"from_email": format!("{user}@x.test")}});
    client.post("/v1/credentials", &connect).expect(202);
    client.put(&format!("/v1/secrets/secret-{user}"), &json!({"value": "sesame"})).expect(200);
    // One that is interrupted leaves its journal and its call.
    let hold = pagerduty_simulator::Hold::new();
    let fault = pagerduty_simulator::Fault::hold_before_apply(&hold).method("POST");
    world.simulator.fault(fault.path("/incidents").always());
    client.post(&format!("{EXECUTE}?detach"), &call("cut", 2)).expect(202);
    until("a request", || hold.arrived() > 0);
    world.simulator.clear_faults();
    std::mem::forget(hold);
}

fn journals(world: &World) -> usize {
    std::fs::read_dir(world.path("data/executions")).map_or(0, Iterator::count)
}

#[test]
fn all_data_of_a_tenant_a_user_or_a_time_is_removed_without_a_trace() {
    let world = World::new();
    let users = [("acme-corp", "ada-l"), ("acme-corp", "ben-k"), ("other-inc", "eve-m")];
    let roles = ["--role", "run", "--role", "connect", "--raw-secrets"];
    let tokens = users.map(|(tenant, user)| {
        let who = ["--tenant", tenant, "--as", user];
        world.connect(&who, &format!("work-{user}"));
        world.token(&format!("token-{user}"), &[&who[..], &roles[..]].concat())
    });
    let server = world.serve(&[]);
    for ((_, user), token) in users.iter().zip(&tokens) {
        fill(&world, &server.client(token), user);
    }
    server.kill();
    assert_eq!(journals(&world), 3);
    for text in ["acme-corp", "ada-l", "ben-k", "other-inc", "eve-m"] {
        assert!(is_on_the_disk(&world, text), "{text} was there");
    }
    let purge = |args: &[&str]| -> Value {
        let all = [&["data", "purge", "--yes", "--format", "json"], args].concat();
        serde_json::from_str(&world.harness(&all)).unwrap()
    };
    let refused = world.command(&["data", "purge", "--yes"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "something must be named");
    let removed = purge(&["--tenant", "acme-corp", "--actor", "ada-l"]);
    for (what, count) in [
        ("executions", 3),
        ("journals", 1),
        ("subscriptions", 1),
        ("connections", 1),
        ("secrets", 1),
        ("tokens", 1),
        ("credentials", 1),
    ] {
        assert_eq!(removed[what], count, "{what}: {removed}");
    }
    assert!(removed["audit"].as_u64().unwrap() > 5, "{removed}");
    assert!(!is_on_the_disk(&world, "ada-l"), "a trace of the user is left");
    assert!(is_on_the_disk(&world, "ben-k"), "another user of the tenant stays");

    let removed = purge(&["--before", "2100-01-01"]);
    assert_eq!(removed["executions"], 6, "{removed}");
    for text in ["run-ben-k", "run-eve-m", "workflow-ben-k", "cut-eve-m"] {
        assert!(!is_on_the_disk(&world, text), "{text}");
    }
    for text in ["sub-ben-k", "secret-ben-k", "token-ben-k", "sub-eve-m"] {
        assert!(is_on_the_disk(&world, text), "{text} is not something that ended");
    }
    assert_eq!(journals(&world), 0);

    purge(&["--tenant", "acme-corp"]);
    for text in ["acme-corp", "ben-k"] {
        assert!(!is_on_the_disk(&world, text), "a trace of {text} is left");
    }
    // The remaining data still works.
    let token = world.token("left", &["--tenant", "other-inc", "--as", "eve-m", "--role", "run"]);
    let server = world.serve(&[]);
    let mut call = world.incidents("after", 1);
    call["credentials"] = json!({"rest": "work-eve-m"});
    assert_eq!(server.client(&token).post(EXECUTE, &call).expect(200)["failed"], 0);
}

#[test]
fn a_backup_is_made_while_the_server_runs_and_put_back() {
    let world = World::new();
    let token = world.full_token();
    let server = world.serve(&[]);
    let client = server.client(&token);
    client.post(EXECUTE, &world.incidents("before", 2)).expect(200);
    let hold = pagerduty_simulator::Hold::new();
    let fault = pagerduty_simulator::Fault::hold_before_apply(&hold).method("POST");
    world.simulator.fault(fault.path("/incidents").always());
    client.post(&format!("{EXECUTE}?detach"), &world.incidents("during", 2)).expect(202);
    until("a request", || hold.arrived() > 0);
    let backup = world.path("backup");
    let to = backup.to_str().unwrap();
    let report = world.harness(&["data", "backup", "--to", to, "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    for file in ["server.db", "credentials.db", "approvals.json"] {
        assert!(report["files"].get(file).is_some(), "{file}: {report}");
    }
    let files = report["files"].as_object().unwrap();
    assert_eq!(files.keys().filter(|name| name.starts_with("executions/")).count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for name in ["", "server.db", "credentials.db", "backup.json"] {
            let mode = std::fs::metadata(backup.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
    }
    let again = world.command(&["data", "backup", "--to", to]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "a backup is not overwritten");
    world.simulator.clear_faults();
    hold.release();
    client.post(EXECUTE, &world.incidents("after", 1)).expect(200);
    let restore = |args: &[&str]| {
        let all = [&["data", "restore", "--from", to], args].concat();
        let output = world.command(&all).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(restore(&["--replace"]).0, Some(2), "a server runs");
    let purge = world.command(&["data", "purge", "--tenant", "acme", "--yes"]).output().unwrap();
    assert_eq!(purge.status.code(), Some(2), "a server runs");
    drop(server);
    let (code, error) = restore(&[]);
    assert!(code == Some(2) && error.contains("--replace"), "{error}");
    let count = world.simulator.us().incident_count();
    assert_eq!(restore(&["--replace"]), (Some(0), String::new()));

    let server = world.serve(&[]);
    let client = server.client(&token);
    let kept = client.get("/v1/executions/before").expect(200);
    assert_eq!((&kept["status"], &kept["finished"]), (&json!("finished"), &json!(2)));
    let items = client.get("/v1/executions/before/items").expect(200);
    assert_eq!(items["items"][0]["output"][0]["title"], "Incident 0");
    assert_eq!(client.get("/v1/executions/after").error(404), "not-found");
    // An execution that was running sends nothing that it may have sent since the backup.
    until("the end", || client.get("/v1/executions/during").expect(200)["status"] == "finished");
    let items = client.get("/v1/executions/during/items").expect(200);
    for item in items["items"].as_array().unwrap() {
        assert_eq!(item["error"]["kind"], "outcome-unknown", "{item}");
    }
    assert_eq!(client.post(EXECUTE, &world.incidents("during", 2)).expect(200)["failed"], 2);
    assert_eq!(world.simulator.us().incident_count(), count);
    assert_eq!(client.post(EXECUTE, &world.incidents("new", 1)).expect(200)["failed"], 0);
    drop(server);

    // A backup that was changed is not restored, and changes nothing.
    let mut bytes = std::fs::read(backup.join("server.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(backup.join("server.db"), bytes).unwrap();
    let (code, error) = restore(&["--replace"]);
    assert!(code == Some(2) && error.contains("was changed"), "{error}");
    let server = world.serve(&[]);
    assert_eq!(server.client(&token).get("/v1/executions/new").expect(200)["status"], "finished");
}

/// The certificate that a server shows.
fn shown(world: &World, address: SocketAddr) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(world.simulator.ca_pem().as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(&request(None, "localhost", "GET", "/healthz", &[], b"")).unwrap();
    assert_eq!(read(&mut stream).status, 200);
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let world = World::new();
    let issue =
        || world.simulator.issue_certificate(&["localhost"], CertificateKind::Good).unwrap();
    let write = |issued: &IssuedCertificate| {
        world.file("cert.pem", &issued.certificate_pem);
        world.file("key.pem", &issued.key_pem);
    };
    let (first, second) = (issue(), issue());
    write(&first);
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\ntls = { certificate = 'cert.pem', key = 'key.pem' }\n\
         [limits]\ncertificate_ms = 100\n",
    );
    let server = world.serve(&["--config", &config]);
    let before = shown(&world, server.address());
    // Half of a renewal changes nothing.
    world.file("key.pem", &second.key_pem);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(shown(&world, server.address()), before);
    write(&second);
    until("the renewed certificate", || shown(&world, server.address()) != before);
    world.file("cert.pem", "nonsense");
    until("a warning", || server.log().contains("cannot be read again"));
    assert_ne!(shown(&world, server.address()), before);
}

/// Path and body of a request.
type Received = (String, Vec<u8>);

/// A collector of traces: paths and bodies of what was sent to it.
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<_>>>::default();
        let all = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                std::thread::spawn(move || collect(stream, &all));
            }
        });
        Self { address, received }
    }

    /// Whether a span holds a text.
    fn has(&self, text: &str) -> bool {
        self.has_bytes(text.as_bytes())
    }

    fn has_bytes(&self, bytes: &[u8]) -> bool {
        let all = self.received.lock().unwrap();
        all.iter().any(|(_, body)| body.windows(bytes.len()).any(|part| part == bytes))
    }
}

fn collect(stream: TcpStream, all: &Mutex<Vec<(String, Vec<u8>)>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        all.lock().unwrap().push((path, body));
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

#[test]
fn traces_go_to_a_collector_that_the_environment_names_and_to_no_service() {
    let world = World::new();
    let token = world.full_token();
    let collector = Collector::start();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", parent.as_str()),
        ("tracestate", "vendor=value"),
    ];
    // Nothing is sent unless it is asked for.
    let quiet = world.serve(&[]);
    let body = world.incidents("quiet", 1).to_string();
    quiet.client(&token).send("POST", EXECUTE, &headers, body.as_bytes()).expect(200);
    drop(quiet);
    assert!(collector.received.lock().unwrap().is_empty());

    let mut command = world.serving(&["serve", "--plugin", plugin(), "--listen", "127.0.0.1:0"]);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address))
        .env("OTEL_SERVICE_NAME", "harness-under-test")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    let mut server = world.start(command);
    world.simulator.clear_requests();
    let body = world.incidents("traced-run", 2).to_string();
    server.client(&token).send("POST", EXECUTE, &headers, body.as_bytes()).expect(200);
    until("the spans", || collector.has("execution pagerduty incident.create"));
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
    for text in [
        "harness-under-test",
        "POST /v1/plugins/{plugin}/actions/{action}/execute",
        "traced-run",
        "execute",
        "request",
    ] {
        assert!(collector.has(text), "{text}");
    }
    let id: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&trace[2 * at..2 * at + 2], 16).unwrap()).collect();
    let received = collector.received.lock().unwrap();
    assert!(received.iter().all(|(path, _)| path == "/v1/traces"), "{received:?}");
    let spans: usize =
        received.iter().map(|(_, body)| body.windows(16).filter(|part| *part == id).count()).sum();
    drop(received);
    // The request of the client, the execution, the call of the plugin, and two requests to the service.
    assert!(spans >= 5, "{spans} spans belong to the trace of the client");
    let key = world.simulator.us().keys().account;
    for secret in [key.as_str(), token.as_str(), "Incident 0"] {
        assert!(!collector.has(secret), "a span holds {secret}");
    }
    for request in world.simulator.requests() {
        let shown = format!("{request:?}").to_lowercase();
        assert!(!shown.contains("traceparent") && !shown.contains(trace), "{shown}");
    }
}

#[test]
fn metrics_count_events_and_deliveries() {
    let world = World::new();
    let token = world.token(
        "engine",
        &["--role", "run", "--role", "monitor", "--deliver-to", "http://127.0.0.1:9"],
    );
    let server = world.serve(&[]);
    let client = server.client(&token);
    let order = |deliver_to: Value| {
        json!({
            "plugin": "pagerduty", "trigger": "event", "credentials": {"rest": "work"},
            "parameters": {"events": ["incident.triggered"]}, "deliver_to": deliver_to,
        })
    };
    client.put("/v1/subscriptions/pulled", &order(Value::Null)).expect(200);
    client.put("/v1/subscriptions/sent", &order(json!("http://127.0.0.1:9/x"))).expect(200);
    client.post(EXECUTE, &world.incidents("run-1", 1)).expect(200);
    let value = |metric: &str| {
        let text = client.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<u64>().ok()).unwrap_or_default()
    };
    until("a refused delivery", || {
        value("harness_event_deliveries_total{plugin=\"pagerduty\",outcome=\"refused\"}") >= 1
    });
    assert_eq!(value("harness_events_total{plugin=\"pagerduty\"}"), 2);
    assert_eq!(value("harness_events_waiting"), 2);
    assert_eq!(value("harness_events_set_aside"), 0);
    let received = "harness_deliveries_received_total{plugin=\"pagerduty\",outcome=\"kept\"}";
    assert!(value(received) >= 1, "{}", client.get("/metrics").body);
}

#[test]
fn a_restored_execution_keeps_recorded_results_and_sends_no_change_again() {
    let world = World::new();
    let token = world.full_token();
    let server = world.serve(&[]);
    let created = server.client(&token).post(EXECUTE, &world.incidents("incident", 1)).expect(200);
    let incident = created["items"][0]["output"][0]["id"].as_str().unwrap().to_owned();
    let notes = "/v1/plugins/pagerduty/actions/incident_note.create/execute";
    let path = format!("/incidents/{incident}/notes");
    let note = |number| json!({"incident_id": incident, "content": format!("Note {number}")});
    let call = |id: &str, count: usize| {
        json!({
            "execution_id": id, "credentials": {"rest": "work"},
            "items": (0..count).map(note).collect::<Vec<_>>(),
            "options": {"concurrency": 1, "continue_on_fail": true},
        })
    };
    let hold = pagerduty_simulator::Hold::new();
    let fault = pagerduty_simulator::Fault::hold_before_apply(&hold).method("POST").path(&path);
    world.simulator.fault(fault.after(3).always());
    let client = server.client(&token);
    client.post(&format!("{notes}?detach"), &call("during", 8)).expect(202);
    until("a request", || hold.arrived() > 0);
    let backup = world.path("backup");
    let to = backup.to_str().unwrap();
    world.harness(&["data", "backup", "--to", to]);
    world.simulator.clear_faults();
    hold.release();
    // It goes on after the backup, and sends every note.
    until("the end", || client.get("/v1/executions/during").expect(200)["status"] == "finished");
    drop(server);
    world.harness(&["data", "restore", "--from", to, "--replace"]);
    world.simulator.clear_requests();
    let server = world.serve(&[]);
    let client = server.client(&token);
    until("the end", || client.get("/v1/executions/during").expect(200)["status"] == "finished");
    let items = client.get("/v1/executions/during/items").expect(200);
    let items = items["items"].as_array().unwrap();
    let kinds: Vec<&str> = items
        .iter()
        .map(|item| item["error"]["kind"].as_str().unwrap_or(item["status"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds[..3], ["ok", "ok", "ok"], "{items:?}");
    assert!(kinds[3..].iter().all(|kind| *kind == "outcome-unknown"), "{items:?}");
    // Another server, or a kill, changes nothing.
    server.kill();
    let server = world.serve(&[]);
    let again = server.client(&token).post(notes, &call("during", 8)).expect(200);
    assert_eq!(again["items"].as_array().unwrap(), items);
    let posts = world.simulator.requests().into_iter().filter(|one| one.method == "POST").count();
    assert_eq!(posts, 0, "no note is sent twice");
    // A new call sends as usual.
    assert_eq!(server.client(&token).post(notes, &call("new", 1)).expect(200)["failed"], 0);
}

#[test]
fn the_audit_record_names_who_asked_for_what_and_is_read_while_the_server_runs() {
    let world = World::new();
    let (ada, eve) = (["--tenant", "acme", "--as", "ada"], ["--tenant", "other", "--as", "eve"]);
    world.connect(&ada, "work-ada");
    let token = world.token("engine", &[&ada[..], &["--role", "run"]].concat());
    let other = world.token("other", &[&eve[..], &["--role", "run"]].concat());
    let mut server = world.serve(&[]);
    let mut call = world.incidents("audited", 1);
    call["credentials"] = json!({"rest": "work-ada"});
    server.client(&token).post(EXECUTE, &call).expect(200);
    server.client(&other).get("/v1/executions").expect(200);
    assert_eq!(server.anybody().get("/v1/executions/secret-name").status, 401);
    assert_eq!(server.client("wnt_0000_0000").get("/v1/executions").status, 401);
    let read = |args: &[&str]| -> Vec<Value> {
        let all = [&["data", "audit", "--format", "jsonl"], args].concat();
        let text = world.harness(&all);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut all = Vec::new();
    until("the entries", || {
        all = read(&[]);
        all.iter().any(|one| one["kind"] == "token-refused")
    });
    let request = all.iter().find(|one| one["what"] == format!("POST {EXECUTE}")).unwrap();
    for (name, value) in [
        ("kind", "api"),
        ("tenant", "acme"),
        ("actor", "ada"),
        ("token_name", "engine"),
        ("result", "200"),
    ] {
        assert_eq!(request[name], value, "{request}");
    }
    let execution = all.iter().find(|one| one["kind"] == "execution").unwrap();
    for (name, value) in [
        ("actor", "ada"),
        ("execution", "audited"),
        ("what", "pagerduty incident.create"),
        ("result", "finished"),
    ] {
        assert_eq!(execution[name], value, "{execution}");
    }
    let is_unknown =
        |one: &&Value| one["what"].as_str().unwrap().starts_with("GET /v1/executions/{");
    let unknown = all.iter().find(is_unknown).unwrap();
    assert!(unknown["tenant"].is_null() && unknown["result"] == "401", "{unknown}");
    assert!(
        !is_on_the_disk(&world, "secret-name"),
        "what nobody is known to have sent is not kept"
    );
    let of = |args: &[&str]| {
        let all = [&["data", "audit"], args].concat();
        world.harness(&all)
    };
    assert!(of(&["--since", "2100-01-01"]).is_empty());
    assert!(of(&["--until", "2020-01-01"]).is_empty());
    let text = of(&["--tenant", "other"]);
    assert!(text.contains("other/eve") && !text.contains("ada"), "{text}");
    let text = of(&["--tenant", "acme", "--actor", "ada", "--since", "2026-01-31"]);
    assert!(text.contains("acme/ada (token engine)") && !text.contains("eve"), "{text}");
    // The last requests before the end are kept, and old ones are not.
    server.client(&token).get("/v1/executions/audited").expect(200);
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    assert!(of(&[]).contains("GET /v1/executions/audited"));
    let config =
        world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\naudit_retention_ms = 1\n");
    let server = world.serve(&["--config", &config]);
    until("the removal", || !of(&[]).contains("audited"));
    drop(server);
    assert!(!is_on_the_disk(&world, "wnt_0000"));
}
