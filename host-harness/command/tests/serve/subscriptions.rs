//! Subscriptions: sent and pulled, shared, signed, in order, set aside, relayed, and over restarts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Client, EXECUTE, Served, World, is_on_the_disk, until};

/// A delivery that an engine received: a path, a signature, and a body.
type Received = (String, String, Vec<u8>);

/// An engine that receives events.
struct Engine {
    address: SocketAddr,
    answer: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Engine {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, received) =
            (Arc::new(AtomicU16::new(204)), Arc::<Mutex<Vec<Received>>>::default());
        let (status, all) = (answer.clone(), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if reader.read_line(&mut head).unwrap_or(0) == 0 {
                        break;
                    }
                }
                let header = |name: &str| {
                    let find = |line: &str| {
                        let (key, value) = line.split_once(": ")?;
                        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
                    };
                    head.lines().find_map(find).unwrap_or_default()
                };
                let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
                if reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                all.lock().unwrap().push((path, header("x-harness-signature"), body));
                let status = status.load(Ordering::SeqCst);
                let location = if status == 302 { "location: /elsewhere\r\n" } else { "" };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n"
                );
                // The server may be killed while it waits.
                let _gone = reader.get_mut().write_all(answer.as_bytes()).is_err();
            }
        });
        Self { address, answer, received }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.origin())
    }

    fn at(&self, path: &str) -> Vec<Received> {
        let all = self.received.lock().unwrap();
        all.iter().filter(|(at, ..)| *at == format!("/{path}")).cloned().collect()
    }

    /// Numbers of the events that came to a path.
    fn numbers(&self, path: &str) -> Vec<u64> {
        let number = |(_, _, body): &Received| {
            serde_json::from_slice::<Value>(body).unwrap()["number"].as_u64().unwrap()
        };
        self.at(path).iter().map(number).collect()
    }
}

fn signed(secret: &str, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let hex =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("v1={hex}")
}

fn order(deliver_to: Option<String>) -> Value {
    json!({
        "plugin": "pagerduty", "trigger": "event", "credentials": {"rest": "work"},
        "parameters": {"events": ["incident.triggered"]}, "deliver_to": deliver_to,
    })
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(world: &World, address: SocketAddr) -> Served {
    world.serve(&["--listen", &address.to_string()])
}

fn webhooks(client: &Client) -> usize {
    let list = "/v1/plugins/pagerduty/actions/webhook_subscription.list/execute";
    let call = json!({"credentials": {"rest": "work"}, "items": [{}]});
    client.post(list, &call).expect(200)["items"][0]["output"].as_array().unwrap().len()
}

/// Creates incidents, whose titles are in the events.
fn happen(world: &World, client: &Client, id: &str, count: usize) {
    for number in 0..count {
        let call = world.incidents(&format!("{id}-{number}"), 1);
        assert_eq!(client.post(EXECUTE, &call).expect(200)["failed"], 0);
    }
}

#[test]
fn events_are_signed_sent_in_order_and_shared_by_one_webhook() {
    let world = World::new();
    let engine = Engine::start();
    let token = world.token("n8n", &["--role", "run", "--deliver-to", &engine.origin()]);
    let address = free();
    let server = serve(&world, address);
    let client = server.client(&token);
    let before = webhooks(&client);
    let put =
        |id: &str| client.put(&format!("/v1/subscriptions/{id}"), &order(Some(engine.url(id))));
    let a = put("a").expect(200);
    assert_eq!((&a["status"], &a["pushed"]), (&json!("active"), &json!(true)));
    let secret = a["secret"].as_str().expect("a new secret is returned").to_owned();
    put("b").expect(200);
    assert_eq!(webhooks(&client), before + 1, "equal subscriptions share a webhook");
    assert!(put("a").expect(200).get("secret").is_none(), "a secret is returned once");

    happen(&world, &client, "first", 3);
    until("the events", || engine.at("a").len() >= 3 && engine.at("b").len() >= 3);
    assert_eq!((engine.numbers("a"), engine.numbers("b")), (vec![1, 2, 3], vec![1, 2, 3]));
    let (_, signature, body) = &engine.at("a")[0];
    assert_eq!(*signature, signed(&secret, body));
    let (_, other, body) = &engine.at("b")[0];
    assert_ne!(*other, signed(&secret, body), "each subscription has its own secret");
    let event: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&event["subscription"], &event["number"]), (&json!("b"), &json!(1)));
    assert!(event["dedup_key"].is_string() && event["received_at"].is_number(), "{event}");
    assert!(event["event"].to_string().contains("Incident 0"), "{event}");

    // Events that the engine has not accepted survive a crash, and keep their numbers.
    engine.answer.store(503, Ordering::SeqCst);
    happen(&world, &client, "second", 2);
    until("a refusal", || {
        let status = client.get("/v1/subscriptions/a").expect(200);
        status["waiting"] == 2 && status["problem"].as_str().is_some_and(|why| why.contains("503"))
    });
    server.kill();
    assert!(!is_on_the_disk(&world, &secret), "the secret is sealed");
    engine.answer.store(204, Ordering::SeqCst);
    let server = serve(&world, address);
    let client = server.client(&token);
    until("the events after the restart", || {
        engine.numbers("a").ends_with(&[4, 5]) && engine.numbers("b").ends_with(&[4, 5])
    });
    until("that none waits", || client.get("/v1/subscriptions/a").expect(200)["waiting"] == 0);
    let rotated = json!({"rotate_secret": true});
    let mut again = order(Some(engine.url("a")));
    again.as_object_mut().unwrap().extend(rotated.as_object().unwrap().clone());
    let new = client.put("/v1/subscriptions/a", &again).expect(200);
    assert_ne!(new["secret"].as_str().unwrap(), secret);
    assert_eq!(webhooks(&client), before + 1);

    // The webhook goes with the last subscription.
    assert_eq!(client.delete("/v1/subscriptions/a").expect(200)["status"], "removed");
    assert_eq!(webhooks(&client), before + 1);
    happen(&world, &client, "third", 1);
    until("the event", || engine.numbers("b").ends_with(&[6]));
    assert_eq!(engine.numbers("a").last(), Some(&5));
    client.delete("/v1/subscriptions/b").expect(200);
    assert_eq!(webhooks(&client), before);
    assert_eq!(client.get("/v1/subscriptions/b").error(404), "not-found");
}

#[test]
fn an_event_that_is_refused_is_set_aside_and_sent_again_when_asked() {
    let world = World::new();
    let engine = Engine::start();
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\n[limits]\nset_aside_ms = 1000\ndelivery_pause_ms = 100\n",
    );
    let server = world.serve(&["--config", &config]);
    let client =
        server.client(&world.token("n8n", &["--role", "run", "--deliver-to", &engine.origin()]));
    client.put("/v1/subscriptions/a", &order(Some(engine.url("a")))).expect(200);
    let status = || client.get("/v1/subscriptions/a").expect(200);
    // Gone: at once.
    engine.answer.store(410, Ordering::SeqCst);
    happen(&world, &client, "gone", 1);
    until("that it is set aside", || status()["set_aside"] == 1);
    assert_eq!(engine.at("a").len(), 1);
    // Refused: after a while. A redirect is a refusal, and is not followed.
    engine.answer.store(302, Ordering::SeqCst);
    happen(&world, &client, "refused", 1);
    until("that it is set aside", || status()["set_aside"] == 2);
    assert!(engine.at("a").len() > 2 && engine.at("elsewhere").is_empty());
    // Those behind it go on.
    engine.answer.store(200, Ordering::SeqCst);
    happen(&world, &client, "accepted", 1);
    until("the next event", || engine.numbers("a").ends_with(&[3]) && status()["waiting"] == 0);
    let listed = client.get("/v1/subscriptions/a/events?set_aside=true").expect(200);
    let numbers: Vec<&Value> =
        listed["events"].as_array().unwrap().iter().map(|event| &event["number"]).collect();
    assert_eq!(numbers, [&json!(1), &json!(2)]);
    assert!(listed["events"][0]["reason"].as_str().unwrap().contains("410"), "{listed}");
    let again = json!({"numbers": [1, 2, 99]});
    let offered = client.post("/v1/subscriptions/a/redeliver", &again).expect(200);
    assert_eq!(offered["offered"], 2);
    until("both", || engine.numbers("a").ends_with(&[1, 2]) && status()["set_aside"] == 0);
}

#[test]
fn an_engine_without_an_address_pulls_events_and_accepts_them_by_their_number() {
    let world = World::new();
    let token = world.token("cron", &["--role", "run"]);
    let address = free();
    let server = serve(&world, address);
    let client = server.client(&token);
    let made = client.put("/v1/subscriptions/pull", &order(None)).expect(200);
    assert_eq!(made["pushed"], false);
    let events = "/v1/subscriptions/pull/events";
    assert_eq!(client.get(events).expect(200), json!({"events": [], "after": 0}));
    let page = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.get(&format!("{events}?wait_ms=30000")).expect(200));
        std::thread::sleep(Duration::from_millis(300));
        happen(&world, &client, "first", 1);
        waiting.join().unwrap()
    });
    assert_eq!((&page["after"], &page["events"][0]["number"]), (&json!(1), &json!(1)));
    // It was not accepted: it comes again, also after a crash.
    happen(&world, &client, "second", 1);
    until("two events", || client.get("/v1/subscriptions/pull").expect(200)["waiting"] == 2);
    server.kill();
    let server = serve(&world, address);
    let client = server.client(&token);
    let page = client.get(events).expect(200);
    assert_eq!((&page["after"], page["events"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(client.get(&format!("{events}?after=1")).expect(200)["events"][0]["number"], 2);
    assert_eq!(client.get(events).expect(200)["events"].as_array().unwrap().len(), 1);
    assert_eq!(client.get(&format!("{events}?after=2")).expect(200)["events"], json!([]));
    let status = client.get("/v1/subscriptions/pull").expect(200);
    assert_eq!((&status["waiting"], &status["status"]), (&json!(0), &json!("active")));
}

#[test]
fn events_are_sent_to_origins_of_the_policy_only() {
    let world = World::new();
    let server = world.serve(&[]);
    let engine = Engine::start();
    let with = |name: &str, options: &[&str]| {
        server.client(&world.token(name, &[&["--role", "run"], options].concat()))
    };
    let none = with("none", &[]);
    let some = with("some", &["--deliver-to", &engine.origin()]);
    for url in [
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/x",
        "https://example.com/x",
        "http://[::1]/x",
        &format!("http://user@{}/x", engine.address),
        &format!("https://{}/x", engine.address),
        "file:///etc/passwd",
        "x",
    ] {
        for client in [&none, &some] {
            let refused = client.put("/v1/subscriptions/a", &order(Some(url.to_owned())));
            assert!(matches!(refused.status, 400 | 403), "{url}: {refused:?}");
        }
    }
    assert_eq!(
        none.put("/v1/subscriptions/a", &order(Some(engine.url("a")))).error(403),
        "not-permitted"
    );
    let reader = server.client(&world.token("reader", &[]));
    assert_eq!(reader.put("/v1/subscriptions/a", &order(None)).error(403), "not-permitted");
    let other = with("other", &["--action", "incident.*"]);
    assert_eq!(other.put("/v1/subscriptions/a", &order(None)).error(403), "not-permitted");
    let mut wrong = order(None);
    wrong["parameters"] = json!({"events": "x"});
    assert_eq!(some.put("/v1/subscriptions/a", &wrong).error(422), "invalid-input");
    let mut wrong = order(None);
    wrong["credentials"] = json!({"rest": "nosuch"});
    assert_eq!(some.put("/v1/subscriptions/a", &wrong).error(422), "credential-not-found");
    assert_eq!(some.get("/v1/subscriptions").expect(200)["subscriptions"], json!([]));
}

#[test]
fn a_delivery_is_checked_wherever_it_comes_from() {
    let world = World::new();
    let address = free();
    let server = serve(&world, address);
    let client = server.client(&world.token("n8n", &["--role", "run"]));
    client.put("/v1/subscriptions/here", &order(None)).expect(200);
    let mut relayed = order(None);
    relayed["callback_url"] = json!("https://engine.invalid/hook");
    client.put("/v1/subscriptions/there", &relayed).expect(200);
    happen(&world, &client, "one", 1);
    until("the event", || client.get("/v1/subscriptions/here").expect(200)["waiting"] == 1);
    let own = format!("http://{address}/hooks/");
    let find = |is_own: bool| {
        let all = world.simulator.webhook_deliveries();
        let mut all = all.into_iter().filter(|one| !one.attempts.is_empty());
        all.find(|one| one.url.starts_with(&own) == is_own)
    };
    until("both deliveries", || find(true).is_some() && find(false).is_some());

    // From anybody.
    let (here, there) = (find(true).unwrap(), find(false).unwrap());
    let path = here.url.strip_prefix(&format!("http://{address}")).unwrap();
    let anybody = server.anybody();
    let signature = here.attempts[0].signature.clone();
    let good = [("x-pagerduty-signature", signature.as_str()), ("x-webhook-id", &here.webhook_id)];
    assert_eq!(anybody.send("POST", path, &[], &here.body).status, 400, "not signed");
    let wrong = format!("v1={}", "0".repeat(64));
    let forged = [("x-pagerduty-signature", wrong.as_str())];
    assert_eq!(anybody.send("POST", path, &forged, &here.body).status, 403);
    assert_eq!(anybody.send("POST", path, &good, b"{}").status, 403, "another body");
    assert_eq!(anybody.send("GET", path, &good, b"").status, 405);
    assert_eq!(anybody.send("POST", "/hooks/none", &good, &here.body).status, 404);
    assert_eq!(anybody.send("POST", path, &good, &here.body).status, 202, "repeated");
    let log = server.log();
    assert!(!log.contains(path.trim_start_matches("/hooks/")), "addresses are not logged: {log}");

    // Relayed by the engine.
    let relay = |body: &[u8], signature: &str| {
        let call = json!({
            "headers": {
                "X-PagerDuty-Signature": signature, "X-Webhook-Id": there.webhook_id,
                "Content-Type": "application/json", "Content-Length": "1",
            },
            "body": STANDARD.encode(body),
        });
        client.post("/v1/subscriptions/there/deliveries", &call).expect(200)
    };
    let signature = &there.attempts[0].signature;
    assert_eq!(relay(b"{}", signature)["reason"], "wrong-signature");
    let kept = relay(&there.body, signature);
    assert_eq!((&kept["status"], &kept["reason"]), (&json!(202), &json!("kept")));
    assert_eq!(relay(&there.body, signature)["reason"], "repeated");
    until("the event", || client.get("/v1/subscriptions/there").expect(200)["waiting"] == 1);
    assert_eq!(client.get("/v1/subscriptions/here").expect(200)["waiting"], 1, "none came twice");
}

#[test]
fn a_subscription_of_another_tenant_or_user_looks_like_one_that_does_not_exist() {
    let world = World::new();
    world.connect(&["--tenant", "acme", "--as", "ada"], "work");
    world.connect(&["--tenant", "other", "--as", "eve"], "work");
    let server = world.serve(&[]);
    let who = |tenant: &str, user: &str| {
        let options = ["--tenant", tenant, "--as", user, "--role", "run"];
        server.client(&world.token(&format!("{tenant}-{user}"), &options))
    };
    let (ada, ben, eve) = (who("acme", "ada"), who("acme", "ben"), who("other", "eve"));
    ada.put("/v1/subscriptions/a", &order(None)).expect(200);
    happen(&world, &ada, "one", 1);
    until("the event", || ada.get("/v1/subscriptions/a").expect(200)["waiting"] == 1);
    for stranger in [&ben, &eve] {
        let same = |send: &dyn Fn(&str) -> crate::support::Answer| {
            let (of_other, of_none) = (send("a"), send("none"));
            assert_eq!(of_other.status, of_none.status);
            assert_eq!(of_other.body.replace("`a`", "`none`"), of_none.body);
            assert_eq!(of_other.status, 404);
        };
        let path = |id: &str, rest: &str| format!("/v1/subscriptions/{id}{rest}");
        same(&|id| stranger.get(&path(id, "")));
        same(&|id| stranger.delete(&path(id, "")));
        same(&|id| stranger.get(&path(id, "/events?after=9")));
        same(&|id| stranger.post(&path(id, "/redeliver"), &json!({"numbers": [1]})));
        let delivery = json!({"headers": {}, "body": ""});
        same(&|id| stranger.post(&path(id, "/deliveries"), &delivery));
        assert_eq!(stranger.get("/v1/subscriptions").expect(200)["subscriptions"], json!([]));
    }
    // Another tenant's subscription of the same ID has its own webhook and its own events.
    let before = webhooks(&eve);
    eve.put("/v1/subscriptions/a", &order(None)).expect(200);
    assert_eq!(webhooks(&eve), before + 1);
    assert_eq!(eve.get("/v1/subscriptions/a").expect(200)["waiting"], 0);
    eve.delete("/v1/subscriptions/a").expect(200);
    assert_eq!(ada.get("/v1/subscriptions/a").expect(200)["waiting"], 1);
    assert_eq!(ada.get("/v1/subscriptions").expect(200)["subscriptions"][0]["id"], "a");
}

#[test]
fn a_sample_creates_no_webhook_and_shows_a_shared_a_recent_or_the_described_event() {
    let world = World::new();
    let engine = Engine::start();
    let token = world.token("n8n", &["--role", "run", "--deliver-to", &engine.origin()]);
    let address = free();
    let server = serve(&world, address);
    let client = server.client(&token);
    let put = |client: &Client, id: &str, sample: bool| {
        let mut order = order(Some(engine.url(id)));
        order["sample"] = json!(sample);
        client.put(&format!("/v1/subscriptions/{id}"), &order).expect(200)
    };
    let event = |path: &str| serde_json::from_slice::<Value>(&engine.at(path)[0].2).unwrap();
    let before = webhooks(&client);

    // Without an equal subscription and without an event: the example of the trigger.
    let made = put(&client, "example", true);
    assert_eq!((&made["sample"], &made["status"]), (&json!("example"), &json!("sample")));
    until("the example", || engine.at("example").len() == 1);
    let (_, signature, body) = &engine.at("example")[0];
    assert_eq!(*signature, signed(made["secret"].as_str().unwrap(), body));
    let shown = event("example");
    assert_eq!((&shown["sample"], &shown["number"]), (&json!("example"), &json!(1)));
    assert!(shown["event"]["event_type"].is_string(), "{shown}");
    assert_eq!(webhooks(&client), before);
    // Repeating it changes nothing, and a restart neither loses it nor makes more of it.
    assert!(put(&client, "example", true).get("secret").is_none());
    drop(server);
    let server = serve(&world, address);
    let client = server.client(&token);
    assert_eq!(client.get("/v1/subscriptions/example").expect(200)["waiting"], 0);

    // An equal subscription shares its webhook.
    put(&client, "active", false);
    assert_eq!(webhooks(&client), before + 1);
    let made = put(&client, "shared", true);
    assert_eq!((&made["sample"], &made["status"]), (&json!("shared"), &json!("active")));
    assert_eq!(webhooks(&client), before + 1);
    happen(&world, &client, "shared", 1);
    until("the event", || engine.at("shared").len() == 1 && engine.at("active").len() == 1);
    assert!(event("shared").get("sample").is_none());
    assert_eq!(engine.at("example").len(), 1);

    // After that, the last event is shown, to its user only.
    client.delete("/v1/subscriptions/shared").expect(200);
    client.delete("/v1/subscriptions/active").expect(200);
    until("the webhook to be removed", || webhooks(&client) == before);
    assert_eq!(put(&client, "recent", true)["sample"], "recent");
    until("the last event", || engine.at("recent").len() == 1);
    assert_eq!(event("recent")["event"], event("active")["event"]);
    assert_eq!(event("recent")["sample"], "recent");
    let other = ["--as", "grace", "--role", "run", "--deliver-to", &engine.origin()];
    world.connect(&["--as", "grace"], "graces");
    let other = server.client(&world.token("grace", &other));
    let mut of_other = order(Some(engine.url("other")));
    of_other["sample"] = json!(true);
    of_other["credentials"] = json!({"rest": "graces"});
    let made = other.put("/v1/subscriptions/other", &of_other).expect(200);
    assert_eq!(made["sample"], "example");
    assert_eq!(webhooks(&client), before);

    // A sample becomes a subscription, and the other way round.
    assert_eq!(put(&client, "recent", false)["status"], "active");
    assert_eq!(webhooks(&client), before + 1);
    assert_eq!(put(&client, "recent", true)["sample"], "shared");
    for id in ["recent", "example"] {
        client.delete(&format!("/v1/subscriptions/{id}")).expect(200);
    }
    until("the webhook to be removed", || webhooks(&client) == before);
}

#[test]
fn deliveries_stop_when_the_policy_of_the_token_does_not_allow_them_any_more() {
    let world = World::new();
    let engine = Engine::start();
    let config = |deliver_to: &str, roles: &str| {
        world.file(
            "serve.toml",
            &format!(
                "listen = ['127.0.0.1:0']\n[policies.n8n]\nroles = [{roles}]\n\
                 deliver_to = [{deliver_to}]\n"
            ),
        )
    };
    let listed = format!("'{}'", engine.origin());
    let address = free();
    let start = |config: &str| world.serve(&["--config", config, "--listen", &address.to_string()]);
    let named = world.token("named", &["--policy", "n8n"]);
    let own = world.token("own", &["--role", "run", "--deliver-to", &engine.origin()]);
    let full = world.full_token();
    let server = start(&config(&listed, "'run'"));
    for (token, id) in [(&named, "named"), (&own, "own")] {
        let put = server.client(token);
        put.put(&format!("/v1/subscriptions/{id}"), &order(Some(engine.url(id)))).expect(200);
    }
    let client = server.client(&full);
    happen(&world, &client, "first", 1);
    until("the events", || engine.at("named").len() == 1 && engine.at("own").len() == 1);

    // A token is revoked: at once, and with a reason.
    world.harness(&["token", "revoke", "own"]);
    happen(&world, &client, "second", 1);
    until("the event of the other", || engine.at("named").len() == 2);
    let status =
        |client: &Client, id: &str| client.get(&format!("/v1/subscriptions/{id}")).expect(200);
    until("the event is set aside", || status(&client, "own")["set_aside"] == 1);
    assert!(status(&client, "own")["problem"].to_string().contains("it was revoked"));
    assert_eq!(engine.at("own").len(), 1, "nothing was sent");
    let aside = client.get("/v1/subscriptions/own/events?set_aside=true").expect(200);
    assert!(aside["events"][0]["reason"].to_string().contains("revoked"), "{aside}");
    drop(server);

    // A policy is narrowed.
    for (deliver_to, roles, words) in [
        ("'https://elsewhere.example.com'", "'run'", "does not list the origin"),
        (listed.as_str(), "", "role `run`"),
    ] {
        let sent = engine.at("named").len();
        let server = start(&config(deliver_to, roles));
        let client = server.client(&full);
        let before = status(&client, "named")["set_aside"].as_u64().unwrap();
        happen(&world, &client, words.split(' ').next().unwrap(), 1);
        // The source is not run for a token that may not have it; what it has received waits there.
        std::thread::sleep(Duration::from_secs(1));
        let now = status(&client, "named");
        assert_eq!(now["set_aside"].as_u64().unwrap() + now["waiting"].as_u64().unwrap(), before);
        assert_eq!(engine.at("named").len(), sent, "{words}");
        assert!(server.log().contains(words), "{words}: {}", server.log());
    }

    // As it was: what was received meanwhile comes now, and what was set aside when it is asked for.
    let server = start(&config(&listed, "'run'"));
    until("the events that waited", || engine.at("named").len() == 4);
    let new = world.token("new", &["--role", "run", "--deliver-to", &engine.origin()]);
    let client = server.client(&new);
    client.put("/v1/subscriptions/own", &order(Some(engine.url("own")))).expect(200);
    client.post("/v1/subscriptions/own/redeliver", &json!({"numbers": [2]})).expect(200);
    until("the event of the new token", || engine.numbers("own").contains(&2));
}

#[test]
fn a_token_with_destinations_subscribes_within_them() {
    let world = World::new();
    let address = free();
    let server = serve(&world, address);
    let api = ["--role", "run", "--destination", "https://api.pagerduty.com"];
    let inside = server.client(&world.token("inside", &api));
    let elsewhere = ["--role", "run", "--destination", "https://x.test"];
    let outside = server.client(&world.token("outside", &elsewhere));
    let full = server.client(&world.full_token());
    let before = webhooks(&full);
    inside.put("/v1/subscriptions/in", &order(None)).expect(200);
    assert_eq!(webhooks(&full), before + 1);
    // Another token's destinations are another source: what one reaches is not for the other.
    world.simulator.clear_requests();
    let refused = outside.put("/v1/subscriptions/out", &order(None));
    assert!(refused.status >= 400, "{refused:?}");
    assert!(world.simulator.requests().is_empty(), "a request went elsewhere");
    full.put("/v1/subscriptions/all", &order(None)).expect(200);
    assert_eq!(webhooks(&full), before + 2);
    happen(&world, &full, "first", 1);
    for (client, id) in [(&inside, "in"), (&full, "all")] {
        until("an event", || {
            client.get(&format!("/v1/subscriptions/{id}")).expect(200)["waiting"] == 1
        });
    }
    inside.delete("/v1/subscriptions/in").expect(200);
    full.delete("/v1/subscriptions/all").expect(200);
    assert_eq!(webhooks(&full), before);
}
