//! Limits on the memory, requests, and time that a plugin's trigger and clients of its callback URL can
//! use.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use end_to_end::engine::{Engine, triggers};
use end_to_end::{World, host};
use serde_json::{Value, json};
use workflow_node_host::store::{SqliteStore, StoreKey};
use workflow_node_host::trigger::{
    EventSink, MemoryTriggers, NewSubscription, RunOptions, SinkError, SubscriptionActivity,
    TriggerEvent, TriggerStore,
};
use workflow_node_host::{CancellationToken, Plugin, Principal, TriggerLimits};

/// The hostile plugin, approved.
async fn hostile() -> Plugin {
    let host = host().build().expect("a host");
    let plugin = host.load_file(component_build::guest("hostile-trigger")).await.expect("it loads");
    plugin.approve(None).await.expect("it is approved");
    plugin
}

fn subscription(trigger: &str, parameters: Value, callback_url: Option<String>) -> NewSubscription {
    NewSubscription {
        version: None,
        name: "s".into(),
        trigger: trigger.into(),
        parameters,
        credentials: BTreeMap::new(),
        callback_url,
        actor: Principal::default(),
        workflow: None,
    }
}

/// Takes events slowly, counts polls, and keeps what failed.
#[derive(Default)]
struct Slow {
    polls: AtomicUsize,
    failed: std::sync::Mutex<Vec<String>>,
}

#[async_trait]
impl EventSink for Slow {
    async fn event(&self, _event: &TriggerEvent) -> Result<(), SinkError> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    fn activity(&self, _subscription: &str, activity: &SubscriptionActivity) {
        match activity {
            SubscriptionActivity::Polled { .. } => {
                self.polls.fetch_add(1, Ordering::SeqCst);
            }
            SubscriptionActivity::Failed { reason, .. } => {
                self.failed.lock().unwrap().push(reason.clone())
            }
            _ => {}
        }
    }
}

/// Runs a trigger for some seconds. Returns the sink and the bytes of the store.
async fn run(parameters: Value, seconds: u64) -> (Arc<Slow>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/store.db");
    let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
    let store: Arc<dyn TriggerStore> = Arc::new(SqliteStore::open(&path, key).unwrap());
    let plugin = hostile().await;
    let triggers = triggers(store, TriggerLimits::default());
    let token = CancellationToken::new();
    triggers.set_up(&plugin, subscription("tick", parameters, None), &token).await.unwrap();
    let sink = Arc::new(Slow::default());
    let running = {
        let (plugin, sink, token) = (plugin.clone(), sink.clone(), token.clone());
        tokio::spawn(async move {
            triggers.run(&plugin, "s", sink, RunOptions::default(), &token).await
        })
    };
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    token.cancel();
    running.await.unwrap().unwrap();
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    (sink, files.map(|file| file.unwrap().metadata().unwrap().len()).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_always_has_more_events_is_paced_and_does_not_fill_the_store() {
    let parameters = json!({"case": "endless", "n": 4, "size": 3 << 20});
    let (sink, bytes) = run(parameters, 8).await;
    let polls = sink.polls.load(Ordering::SeqCst);
    assert!(polls <= 10, "{polls} polls in 8 s");
    // 64 MiB that wait, and what one call may exceed it by.
    assert!(bytes <= 80 << 20, "{} MiB", bytes >> 20);
    let failed = sink.failed.lock().unwrap();
    assert!(failed.iter().any(|reason| reason.contains("waiting_event_bytes")), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_always_has_more_without_events_is_paced_too() {
    let (sink, _) = run(json!({"case": "endless"}), 5).await;
    let polls = sink.polls.load(Ordering::SeqCst);
    assert!((2..=10).contains(&polls), "{polls} polls in 5 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_cursors_keys_and_states_above_their_limits_are_refused_by_name() {
    let plugin = hostile().await;
    let token = CancellationToken::new();
    for (limit, parameters) in [
        ("events_per_call", json!({"n": 10_001, "size": 1})),
        ("event_bytes_per_call", json!({"n": 17, "size": 1 << 20})),
        ("dedup_key", json!({"n": 1, "size": 1, "key": 513})),
        ("cursor", json!({"cursor": 65 << 10})),
    ] {
        let triggers = triggers(Arc::new(MemoryTriggers::default()), TriggerLimits::default());
        triggers.set_up(&plugin, subscription("tick", parameters, None), &token).await.unwrap();
        let error = triggers.poll(&plugin, "s", &token).await.unwrap_err();
        assert!(error.is_stopped(), "{limit}: {error}");
        assert!(error.to_string().contains(&format!("`{limit}`")), "{limit}: {error}");
        assert_eq!(triggers.list().await.unwrap()[0].cursor, None, "{limit}");
    }
    let triggers = triggers(Arc::new(MemoryTriggers::default()), TriggerLimits::default());
    let fat = subscription("hook", json!({"state": 65 << 10}), Some("http://127.0.0.1/s".into()));
    let error = triggers.set_up(&plugin, fat, &token).await.unwrap_err();
    assert!(error.to_string().contains("`state`"), "{error}");
}

/// Sends a request as it stands, and returns the response up to its end.
fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    // The response may come, and the connection end, before all of it is written.
    let _sent = stream.write_all(request);
    let mut response = Vec::new();
    let _ended = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

/// Where the host listens, and the path, of a callback URL.
fn parts(url: &str) -> (String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_reply_to_a_delivery_has_no_header_that_reaches_beyond_it() {
    let plugin = hostile().await;
    let engine = Engine::of(&plugin, Arc::new(MemoryTriggers::default())).await;
    for (status, expected) in [(200, 200), (299, 299), (404, 404), (302, 503), (101, 503), (0, 503)]
    {
        let url = engine.callback("s");
        let new = subscription("reply", json!({"status": status, "body": 5}), Some(url.clone()));
        engine.set_up(new).await;
        let (address, path) = parts(&url);
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let response = tokio::task::spawn_blocking(move || exchange(&address, request.as_bytes()));
        let response = response.await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {expected}")), "{status}: {response}");
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let mut names: Vec<&str> =
            head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
        names.sort_unstable();
        if expected == status {
            assert_eq!(body, "bbbbb");
            let expected = [
                "connection",
                "content-length",
                "content-security-policy",
                "content-type",
                "date",
                "x-content-type-options",
                "x-hook-secret",
            ];
            assert_eq!(names, expected, "{head}");
            assert!(head.contains("default-src 'none'; sandbox"), "{head}");
            assert!(head.contains("connection: close"), "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_reply_above_its_limit_is_not_sent() {
    let plugin = hostile().await;
    let engine = Engine::of(&plugin, Arc::new(MemoryTriggers::default())).await;
    let url = engine.callback("s");
    let parameters = json!({"status": 200, "body": (64 << 10) + 1});
    engine.set_up(subscription("reply", parameters, Some(url.clone()))).await;
    let (address, path) = parts(&url);
    let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
    let response = tokio::task::spawn_blocking(move || exchange(&address, request.as_bytes()));
    let response = response.await.unwrap();
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.len() < 1_000, "{} bytes", response.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_triggers_limit_is_refused_before_it_is_read() {
    let plugin = hostile().await;
    let engine = Engine::of(&plugin, Arc::new(MemoryTriggers::default())).await;
    let url = engine.callback("s");
    engine.set_up(subscription("reply", json!({"status": 200}), Some(url.clone()))).await;
    let (address, path) = parts(&url);
    let answered = tokio::task::spawn_blocking(move || {
        // By its length: not a byte of the body is sent.
        let started = Instant::now();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\n");
        let by_length = exchange(&address, head.as_bytes());
        let took = started.elapsed();
        // While it is read: its length is not told.
        let chunk = "x".repeat(1025);
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n{chunk}\r\n"
        );
        (by_length, took, exchange(&address, chunked.as_bytes()))
    });
    let (by_length, took, chunked) = answered.await.unwrap();
    assert!(by_length.starts_with("HTTP/1.1 413"), "{by_length}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(chunked.starts_with("HTTP/1.1 413"), "{chunked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_has_signed_or_that_is_too_large_is_not_read() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    let (address, path) = parts(&engine.callback("hook"));
    for (size, header, status) in [
        (16 << 20, "", "413"),
        (16 << 20, "X-PagerDuty-Signature: v1=00\r\n", "413"),
        (1 << 20, "", "400"),
    ] {
        let (address, path) = (address.clone(), path.clone());
        let exchanged = tokio::task::spawn_blocking(move || {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {size}\r\n\r\n"
            );
            // Not a byte of the body is sent; then nearly all of it, by a client that looks for the
            // response only afterwards.
            let started = Instant::now();
            let none = exchange(&address, head.as_bytes());
            let took = started.elapsed();
            (none, took, exchange(&address, &[head.as_bytes(), &vec![b'x'; size - 1]].concat()))
        });
        let (none, took, nearly_all) = exchanged.await.unwrap();
        assert!(none.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {none}");
        assert!(took < Duration::from_secs(5), "{status}: {took:?}");
        assert!(nearly_all.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {nearly_all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_many_connections_are_bounded_together() {
    let limits = TriggerLimits { bodies_held: 100_000, ..TriggerLimits::default() };
    let plugin = hostile().await;
    let engine = Engine::within(&plugin, Arc::new(MemoryTriggers::default()), limits).await;
    let url = engine.callback("s");
    engine.set_up(subscription("hook", json!({}), Some(url.clone()))).await;
    let (address, path) = parts(&url);
    let head = |size: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        )
    };
    // Sends most of a body, and then nothing.
    let mut stalled = TcpStream::connect(&address).unwrap();
    stalled.write_all(&[head(99_000).as_bytes(), &vec![b'x'; 90_000]].concat()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let deliver = |size: usize| {
        let request = [head(size).as_bytes(), &vec![b'x'; size]].concat();
        let address = address.clone();
        tokio::task::spawn_blocking(move || exchange(&address, &request))
    };
    let (small, large) = (deliver(5_000), deliver(50_000));
    assert!(small.await.unwrap().starts_with("HTTP/1.1 202"), "there is room for a small one");
    let large = large.await.unwrap();
    // There is room again, at the latest, when the one that stalls has had its time.
    assert!(large.starts_with("HTTP/1.1 503") || large.starts_with("HTTP/1.1 202"), "{large}");
    let mut response = String::new();
    let _ended = stalled.read_to_string(&mut response);
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    assert!(deliver(50_000).await.unwrap().starts_with("HTTP/1.1 202"), "the room is free again");
    assert!(deliver(150_000).await.unwrap().starts_with("HTTP/1.1 503"), "more than fits at all");
    let answers = engine.answers.lock().unwrap();
    let reasons: Vec<String> =
        answers.iter().map(|(_, answer)| format!("{:?}", answer.reason)).collect();
    assert!(reasons.iter().any(|reason| reason.contains("bodies_held")), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing_hold_no_place() {
    let plugin = hostile().await;
    let engine = Engine::of(&plugin, Arc::new(MemoryTriggers::default())).await;
    let url = engine.callback("s");
    engine.set_up(subscription("hook", json!({}), Some(url.clone()))).await;
    let (address, path) = parts(&url);
    // Requests that fail, and requests that are taken.
    let delivery = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
    for one in [b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), delivery.into_bytes()] {
        let pipeline = one.repeat(1_000);
        let mut held = Vec::new();
        for _ in 0..256 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4 * 1024).unwrap();
            held.push(socket.connect(address.parse().unwrap()).await.unwrap());
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(3) {
            for stream in &held {
                let _full = stream.try_write(&pipeline);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let address = address.clone();
        let visitor = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let request = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(request).unwrap();
            let mut room = [0; 64];
            let count = stream.read(&mut room).unwrap_or_default();
            (count > 0, started.elapsed())
        });
        let (answered, took) = visitor.await.unwrap();
        assert!(answered && took < Duration::from_secs(30), "answered: {answered}, {took:?}");
        drop(held);
    }
}
