//! Connecting by OAuth: what is shown before, the result, and what is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pagerduty_simulator::{App, Region};
use serde_json::{Value, json};

use crate::browser::{Waiting, exchange, get};
use crate::support::{Harness, Output, World, assert_text, make_private};

/// `credential connect NAME` with an app's id and secret.
fn connect(world: &World, name: &str, app: &App, more: &[&str]) -> Harness {
    let secret = world.file("client-secret", app.client_secret.as_deref().unwrap_or("none"));
    make_private(&world.path("client-secret"));
    let (id, secret) = (format!("client_id={}", app.client_id), format!("@{secret}"));
    let mut args = vec![
        "credential",
        "connect",
        name,
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2",
        "--field",
        &id,
        "--no-browser",
        "--yes",
    ];
    if app.client_secret.is_some() {
        args.extend(["--client-secret", &secret]);
    }
    args.extend(more);
    world.sends(&args)
}

fn waiting(world: &World, name: &str, app: &App, more: &[&str]) -> Waiting {
    Waiting::start(connect(world, name, app, &[more, &["--format", "json"]].concat()))
}

fn shown(world: &World, name: &str) -> Value {
    world.harness(&["credential", "show", name, "--format", "json"]).expect(0).json()
}

/// Nothing was stored, and the token endpoint was not asked.
fn nothing_happened(world: &World) {
    let listed = world.harness(&["credential", "list", "--format", "json"]).expect(0).json();
    assert_eq!(listed, json!([]));
    assert_eq!(world.simulator.token_requests().len(), 0);
}

#[test]
fn an_account_is_connected_by_a_page_of_the_service_and_used() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read-write"]);
    let page = waiting.agreed(&world, 0);
    let report = waiting.expect(0).json();
    assert_eq!(report["credential"]["status"], "connected");
    assert_eq!(report["credential"]["identity"]["subdomain"], "example");
    assert_eq!(report["granted"][0]["scope"], "write");
    assert_eq!(report["missing"], json!([]));
    assert!(page.contains("<h1>Connected</h1>") && page.contains("It acts for example."), "{page}");
    assert!(page.contains("See and change everything that the user may."), "{page}");
    world.run(&["service.list", "--credential", "work"]).expect(0);
    let parameters = json!({"service_id": world.service().id, "title": "t"}).to_string();
    let create = ["incident.create", "--credential", "work", "--parameters", &parameters];
    world.run(&create).expect(0);
    let test = ["credential", "test", "work", "--plugin", world.plugin()];
    world.sends(&test).expect(0).shows("for the account example");
    let used = shown(&world, "work")["last_used"]["by"].as_str().unwrap().to_owned();
    assert_eq!(used, "pagerduty credential.test");
}

#[test]
fn a_public_app_is_connected_without_a_secret() {
    let world = World::approved();
    let app = world.simulator.identity().public_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read"]);
    waiting.agreed(&world, 0);
    waiting.expect(0);
    world.run(&["service.list", "--credential", "work"]).expect(0);
}

#[test]
fn rights_are_shown_in_words_before_anything_is_opened() {
    let world = World::approved();
    let app = world.simulator.identity().scoped_app(Region::Us);
    // Without a terminal nobody is asked, so the pasted address may come at once: it is refused.
    let output = connect(
        &world,
        "work",
        &app,
        &["--for", "incident.list,incident.create,user.list", "--paste"],
    )
    .stdin("nothing that is an address\n")
    .expect(1);
    let before = output.stderr.split("Open this URL").next().unwrap();
    assert_text!(world, before);
    nothing_happened(&world);
}

#[test]
fn only_the_scopes_that_actions_need_are_requested_and_other_actions_are_reported_as_blocked() {
    let world = World::approved();
    let app = world.simulator.identity().scoped_app(Region::Us);
    let waiting = waiting(&world, "work", &app, &["--for", "incident.list,service.list"]);
    let event = waiting.event();
    let scopes: Vec<&str> = event["authorize"]["rights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|right| right["scope"].as_str().unwrap())
        .collect();
    assert_eq!(scopes, ["incidents.read", "services.read"]);
    assert!(waiting.url.contains("scope=incidents.read+services.read&"), "{}", waiting.url);
    waiting.agreed(&world, 0);
    let report = waiting.expect(0).json();
    assert!(report["blocked"].to_string().contains("incident.create"));
    world.run(&["service.list", "--credential", "work"]).expect(0);
    // An action that lacks its right is refused here, and says what to do.
    let parameters = json!({"service_id": world.service().id, "title": "t"}).to_string();
    let create = ["incident.create", "--credential", "work", "--parameters", &parameters];
    let requests = world.simulator.requests().len();
    let output = world.run(&[&create[..], &["--format", "json"]].concat()).expect(3);
    let failure = output.failure();
    assert_eq!(failure["name"], "insufficient-scope");
    let next = failure["next"].as_str().unwrap();
    assert!(next.starts_with("harness credential extend work --plugin"), "{next}");
    assert!(next.ends_with("--for incident.create"), "{next}");
    assert_eq!(world.simulator.requests().len(), requests);
}

#[test]
fn a_missing_right_is_added_by_a_consent_that_names_what_is_new() {
    let world = World::approved();
    let app = world.simulator.identity().scoped_app(Region::Us);
    let first = waiting(&world, "work", &app, &["--for", "incident.list"]);
    first.agreed(&world, 0);
    first.expect(0);
    let extend = [
        "credential",
        "extend",
        "work",
        "--plugin",
        world.plugin(),
        "--for",
        "incident.create",
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    let more = Waiting::start(world.sends(&extend));
    assert_eq!(more.event()["authorize"]["added"], json!(["incidents.write"]));
    more.agreed(&world, 0);
    let report = more.expect(0).json();
    let granted = report["credential"]["granted_scopes"].to_string();
    assert!(granted.contains("incidents.read") && granted.contains("incidents.write"), "{granted}");
    assert_eq!(report["credential"]["revision"], 2);
    // Once more nobody is asked.
    let again = world.sends(&extend).expect(0).json();
    assert_eq!(again["added"], json!([]));
}

#[test]
fn scopes_that_were_not_granted_are_reported_immediately() {
    let world = World::approved();
    let app = world.simulator.identity().scoped_app(Region::Us);
    // A classic app's rights, asked of a scoped app: PagerDuty grants `openid` without a word.
    let waiting = waiting(&world, "work", &app, &["--access", "read-write"]);
    waiting.agreed(&world, 0);
    let report = waiting.expect(0).json();
    assert_eq!(report["granted"], json!([]));
    assert_eq!(report["missing"][0]["scope"], "write");
    assert!(report["blocked"].as_array().unwrap().len() > 10);
    assert_eq!(report["credential"]["granted_scopes"], json!(["openid"]));
    world.harness(&["credential", "show", "work"]).expect(0).shows("Not granted      write");
}

#[test]
fn connecting_again_keeps_the_name_and_notices_another_account() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let first = waiting(&world, "work", &app, &["--access", "read"]);
    first.agreed(&world, 0);
    first.expect(0);
    let again = [
        "credential",
        "reconnect",
        "work",
        "--plugin",
        world.plugin(),
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    let same = Waiting::start(world.sends(&again));
    same.agreed(&world, 0);
    assert_eq!(same.expect(0).json()["credential"]["revision"], 2);
    // Another user: only if somebody says so, and what was given is given back.
    let other = Waiting::start(world.sends(&again));
    let page = other.agreed(&world, 1);
    assert!(page.contains("Almost done"), "{page}");
    let output = other.expect(1);
    assert!(output.stderr.contains("differs from before"), "{output}");
    assert_eq!(shown(&world, "work")["revision"], 2);
    let revoked = world.simulator.identity().grants();
    assert!(
        format!("{:?}", revoked.last().unwrap()).to_lowercase().contains("revoked"),
        "{revoked:?}"
    );
    let wanted = Waiting::start(world.sends(&[&again[..], &["--other-account"]].concat()));
    wanted.agreed(&world, 1);
    assert_eq!(wanted.expect(0).json()["credential"]["revision"], 3);
}

#[test]
fn an_account_of_the_eu_is_recognized_by_its_id_token() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "europe", &app, &["--access", "read"]);
    let user = world.simulator.eu().users()[0].id.clone();
    get(&world.simulator.identity().approve(&waiting.url, &user).unwrap());
    let report = waiting.expect(0).json();
    let audiences = &report["credential"]["configuration"]["audiences"];
    assert_eq!(*audiences, json!(["https://api.eu.pagerduty.com"]));
    world.run(&["service.list", "--credential", "europe"]).expect(0);
}

#[test]
fn an_app_is_connected_without_a_person() {
    let world = World::approved();
    let app = world.simulator.identity().scoped_app(Region::Us);
    let id = format!("client_id={}", app.client_id);
    let connect = [
        "credential",
        "connect",
        "ci",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2-app",
        "--field",
        &id,
        "--field",
        "subdomain=example",
        "--field",
        "from_email=ada@example.com",
        "--for",
        "service.list,incident.create",
        "--format",
        "json",
    ];
    let harness = world.sends(&connect);
    let secret = app.client_secret.as_deref().unwrap();
    let report = harness.env("WORKFLOW_NODE_CLIENT_SECRET", secret).expect(0).json();
    assert_eq!(report["missing"], json!([]), "{report}");
    assert!(!report["credential"]["fields"].to_string().contains(secret));
    world.run(&["service.list", "--credential", "ci"]).expect(0);
    world.run(&["service.list", "--credential", "ci"]).expect(0);
    assert_eq!(world.simulator.token_requests().len(), 1, "one token serves every run");
}

#[test]
fn an_app_is_connected_although_the_token_endpoint_is_unavailable_once() {
    let world = World::approved();
    world.simulator.fault(pagerduty_simulator::Fault::status(503).token_endpoint().times(1));
    let app = world.simulator.identity().scoped_app(Region::Us);
    let id = format!("client_id={}", app.client_id);
    let connect = [
        "credential",
        "connect",
        "ci",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2-app",
        "--field",
        &id,
        "--field",
        "subdomain=example",
        "--for",
        "service.list",
    ];
    let secret = app.client_secret.as_deref().unwrap();
    world.sends(&connect).env("WORKFLOW_NODE_CLIENT_SECRET", secret).expect(0);
    assert_eq!(world.simulator.token_requests().len(), 2);
    world.run(&["service.list", "--credential", "ci"]).expect(0);
}

#[test]
fn o2_a_callback_of_somebody_else_is_refused_and_the_listener_is_gone() {
    for change in [
        |url: &str| url.replace("state=", "state=x"),
        |url: &str| url.replace("state=", "status="),
        |url: &str| format!("{url}&state=second"),
        |url: &str| url.split('?').next().unwrap().to_owned() + "?code=stolen&state=guessed",
    ] {
        let world = World::approved();
        let app = world.simulator.identity().classic_app();
        let waiting = waiting(&world, "work", &app, &["--access", "read"]);
        let user = world.simulator.us().users()[0].id.clone();
        let callback = world.simulator.identity().approve(&waiting.url, &user).unwrap();
        let page = get(&change(&callback));
        assert!(page.contains("Not connected"), "{page}");
        let failure = waiting.expect(1);
        assert!(failure.stderr.contains("callback-refused"), "{failure}");
        nothing_happened(&world);
        assert_eq!(get(&callback), "refused", "nobody listens any more");
    }
}

#[test]
fn o2_a_callback_counts_once() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read"]);
    let user = world.simulator.us().users()[0].id.clone();
    let callback = world.simulator.identity().approve(&waiting.url, &user).unwrap();
    assert!(get(&callback).contains("<h1>Connected</h1>"));
    waiting.expect(0);
    assert_eq!(get(&callback), "refused");
    assert_eq!(world.simulator.token_requests().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn o3_the_listener_is_on_loopback_alone_and_gone_after_the_first_answer() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read"]);
    let event = waiting.event();
    let redirect = event["authorize"]["redirect_url"].as_str().unwrap();
    let port: u16 = redirect
        .strip_prefix("http://127.0.0.1:")
        .and_then(|rest| rest.strip_suffix("/callback"))
        .and_then(|port| port.parse().ok())
        .unwrap_or_else(|| panic!("a literal loopback address: {redirect}"));
    // Every socket of the process that listens.
    let id = waiting.id();
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap();
        let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{id}/fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .map(|link| link.display().to_string())
            .collect();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_own = sockets.iter().any(|one| *one == format!("socket:[{}]", columns[9]));
            if columns[3] == "0A" && is_own {
                listening.push(columns[1].to_owned());
            }
        }
    }
    assert_eq!(listening, [format!("0100007F:{port:04X}")]);
    waiting.agreed(&world, 0);
    waiting.expect(0);
    assert_eq!(get(redirect), "refused");
}

#[test]
fn o3_the_listener_uses_a_fixed_redirect_url_exactly_as_registered() {
    let world = World::approved();
    let identity = world.simulator.identity();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{free}/oauth/back");
    let app = identity.register(App::classic("Fixed").redirect_uri(&redirect));
    identity.configure(|settings| settings.any_loopback_port = false);
    let waiting = waiting(&world, "work", &app, &["--access", "read", "--redirect-url", &redirect]);
    waiting.agreed(&world, 0);
    waiting.expect(0);
    let taken = std::net::TcpListener::bind(("127.0.0.1", free)).unwrap();
    let output = connect(&world, "more", &app, &["--redirect-url", &redirect]).expect(2);
    output.says("Cannot listen").says("--paste");
    drop(taken);
}

#[test]
fn o4_the_listener_answers_one_path_and_get_and_reflects_nothing() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read"]);
    let event = waiting.event();
    let redirect = event["authorize"]["redirect_url"].as_str().unwrap();
    let authority = redirect.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let evil = "<script>alert('evil')</script>";
    for (request, status) in [
        (format!("GET /other?x={evil} HTTP/1.1\r\n\r\n"), "404"),
        ("GET /callback/ HTTP/1.1\r\n\r\n".to_owned(), "404"),
        (format!("POST /callback?code={evil} HTTP/1.1\r\n\r\n"), "405"),
        (format!("HEAD /callback?code={evil} HTTP/1.1\r\n\r\n"), "405"),
        (format!("GET http://evil.example/callback?code={evil} HTTP/1.1\r\n\r\n"), "400"),
        (format!("GET /callback?code={} HTTP/1.1\r\n\r\n", "x".repeat(9_000)), "414"),
        (format!("GET /callback HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(50_000)), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = exchange(&authority, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(!answer.contains("evil"), "{answer}");
    }
    // Who says nothing is cut off, and keeps nobody from coming through.
    let started = Instant::now();
    let mut slow = TcpStream::connect(&authority).unwrap();
    slow.write_all(b"GET /callback?x=1 HTTP/1.1\r\n").unwrap();
    let user = world.simulator.us().users()[0].id.clone();
    let callback = world.simulator.identity().deny(&waiting.url).unwrap();
    let page = get(&format!("{callback}&error_description={evil}"));
    // It is closed, politely or not, and nothing was said to it.
    let mut answer = String::new();
    let _closed = slow.read_to_string(&mut answer);
    assert_eq!(answer, "");
    assert!(started.elapsed() < Duration::from_secs(8));
    assert!(!page.contains("evil") && !page.contains(&user), "{page}");
    for header in [
        "referrer-policy: no-referrer",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
        "x-frame-options: DENY",
    ] {
        assert!(page.contains(header), "{header}: {page}");
    }
    let output = waiting.expect(1);
    assert!(!output.stderr.contains("evil"), "{output}");
    nothing_happened(&world);
}

#[test]
fn o5_another_issuer_than_the_service_is_refused() {
    let world = World::approved();
    let identity = world.simulator.identity();
    identity.configure(|settings| {
        settings.callback_iss = Some("https://identity.pagerduty.com.evil.example".to_owned());
    });
    let app = identity.classic_app();
    let mixed_up = waiting(&world, "work", &app, &["--access", "read"]);
    assert!(mixed_up.agreed(&world, 0).contains("Not connected"));
    let output = mixed_up.expect(1);
    assert!(output.stderr.contains("it was sent by another service"), "{output}");
    nothing_happened(&world);
    identity.configure(|settings| {
        settings.callback_iss = Some(settings.issuer.clone());
    });
    let right = waiting(&world, "work", &app, &["--access", "read"]);
    right.agreed(&world, 0);
    right.expect(0);
}

#[test]
fn o5_an_id_token_of_another_issuer_or_app_is_refused() {
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!(["another-client"])),
        ("nonce", json!("of another request")),
        ("exp", json!(1_000_000)),
    ] {
        let world = World::approved();
        let identity = world.simulator.identity();
        identity.configure(|settings| settings.claims.push((claim.to_owned(), Some(value))));
        let waiting = waiting(&world, "work", &identity.classic_app(), &["--access", "read"]);
        assert!(waiting.agreed(&world, 0).contains("Not connected"), "{claim}");
        let output = waiting.expect(1);
        assert!(output.stderr.contains("the ID token of the service is refused"), "{output}");
        let listed = world.harness(&["credential", "list", "--format", "json"]).expect(0).json();
        assert_eq!(listed, json!([]), "{claim}");
    }
}

#[test]
fn o6_authorization_errors_are_distinguished() {
    let errors = [
        "access_denied",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "something_else",
    ];
    let mut said: Vec<String> = Vec::new();
    for error in errors {
        let world = World::approved();
        let identity = world.simulator.identity();
        identity.fail_next_authorization(error, "canary-of-the-description");
        let waiting = waiting(&world, "work", &identity.classic_app(), &["--access", "read"]);
        assert!(waiting.agreed(&world, 0).contains("Not connected"));
        let output: Output = waiting.expect(1);
        let last = output.stderr.lines().last().unwrap_or_default();
        let failure: Value = serde_json::from_str(last).unwrap();
        let message = failure["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(error), "{message}");
        assert!(!output.stderr.contains("canary"), "{output}");
        assert!(!said.contains(&message));
        said.push(message);
        nothing_happened(&world);
    }
}

#[test]
fn o1_pkce_is_always_s256_and_a_service_without_it_still_gets_a_verifier() {
    let world = World::approved();
    let identity = world.simulator.identity();
    identity.configure(|settings| settings.checks_pkce = false);
    let mut challenges = std::collections::BTreeSet::new();
    for name in ["one", "two", "three"] {
        let waiting = waiting(&world, name, &identity.classic_app(), &["--access", "read"]);
        let url: url::Url = waiting.url.parse().unwrap();
        let parameter = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(parameter("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(parameter("response_type").as_deref(), Some("code"));
        assert!(challenges.insert(parameter("code_challenge").unwrap()));
        let state = parameter("state").unwrap();
        assert!(state.len() >= 43, "256 bits: {state}");
        waiting.agreed(&world, 0);
        waiting.expect(0);
    }
    let mut verifiers = std::collections::BTreeSet::new();
    for request in world.simulator.token_requests() {
        let verifier = request.field("code_verifier").unwrap().to_owned();
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        assert!((43..=128).contains(&verifier.len()) && verifier.chars().all(unreserved));
        assert!(verifiers.insert(verifier));
    }
    assert_eq!(verifiers.len(), 3);
}

#[test]
fn an_address_is_pasted_where_there_is_no_browser() {
    let world = World::approved();
    let identity = world.simulator.identity();
    let app = identity.classic_app();
    let more = ["--access", "read", "--redirect-url", "https://example.com/callback"];
    // Without a terminal that has to be said.
    connect(&world, "work", &app, &more).expect(2).says("--paste");
    let pasting = [&more[..], &["--paste"]].concat();
    let user = world.simulator.us().users()[0].id.clone();
    // A request for another address, or an invalid one, is not a callback.
    let wrong: [fn(&str) -> String; 3] = [
        |url| url.replace("https://example.com/", "https://evil.example/"),
        |url| url.replace("/callback?", "/callback/other?"),
        |_| "example.com".to_owned(),
    ];
    for change in wrong {
        let mut refused = Waiting::start(connect(
            &world,
            "work",
            &app,
            &[&pasting[..], &["--format", "json"]].concat(),
        ));
        let callback = identity.approve(&refused.url, &user).unwrap();
        refused.paste(&format!("{}\n", change(&callback)));
        refused.expect(1);
        nothing_happened(&world);
    }
    let mut waiting = waiting(&world, "work", &app, &pasting);
    let callback = identity.approve(&waiting.url, &user).unwrap();
    waiting.paste(&format!("{callback}\n"));
    waiting.expect(0);
    world.run(&["service.list", "--credential", "work"]).expect(0);
}

#[test]
fn plain_http_to_another_machine_needs_to_be_insisted_on() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    for redirect in ["http://engine.example/callback", "http://localhost:8912/callback"] {
        let more = ["--access", "read", "--paste", "--redirect-url", redirect];
        connect(&world, "work", &app, &more).stdin("x\n").expect(2).says("plain http");
        let insisted = [&more[..], &["--insecure-redirect"]].concat();
        let output = connect(&world, "work", &app, &insisted).stdin("x\n").expect(1);
        output.says("warning:").says("Anyone who can read the network traffic");
    }
    nothing_happened(&world);
}

#[test]
fn ctrl_c_leaves_nothing_half_done() {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let waiting = waiting(&world, "work", &app, &["--access", "read"]);
    let id = waiting.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = waiting.expect(1);
    assert!(output.stderr.contains("interrupted"), "{output}");
    nothing_happened(&world);
}

#[test]
fn a_name_in_use_is_reported_before_the_browser_opens() {
    let world = World::connected();
    let app = world.simulator.identity().classic_app();
    let output = connect(&world, "work", &app, &["--access", "read"]).expect(2);
    output.says("credential `work` already exists").says("harness credential reconnect work");
    assert!(!output.stderr.contains("https://identity.pagerduty.com"));
}

#[test]
fn rights_are_chosen_only_where_there_are_some() {
    let world = World::approved();
    let args = [
        "credential",
        "connect",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "api-token",
        "--access",
        "read",
    ];
    world.harness(&args).expect(2).says("has no scopes to choose");
    let app = world.simulator.identity().classic_app();
    connect(&world, "work", &app, &["--for", "no.action"])
        .expect(2)
        .says("no action or trigger `no.action`");
    connect(&world, "work", &app, &["--scope", "everything"]).expect(2).says("is not a scope");
}
