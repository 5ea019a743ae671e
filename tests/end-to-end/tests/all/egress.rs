//! The single egress check, from outside: what leaves, and what does not.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pagerduty_simulator::{Fault, FaultAction};
use serde_json::json;
use workflow_node_host::audit::Verdict;
use workflow_node_host::transport::Resolver;

use crate::support::Hostile;

const API: &str = "https://api.pagerduty.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_written_where_its_type_says() {
    let hostile = Hostile::new().await;
    let record =
        hostile.request(json!({"url": format!("{API}/abilities"), "credential": "rest", "headers": [["Accept", "application/vnd.pagerduty+json;version=2"]]})).await;
    assert_eq!(record["status"], 200, "{record}");
    let sent = hostile.simulator.requests().remove(0);
    assert_eq!(sent.header("authorization"), Some(&*format!("Token token={}", hostile.token)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_slot_no_credential_is_attached() {
    let hostile = Hostile::new().await;
    let record = hostile.request(json!({"url": format!("{API}/abilities")})).await;
    assert_eq!(record["status"], 401, "{record}");
    assert_eq!(hostile.simulator.requests()[0].header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_refused_before_any_name_is_resolved() {
    struct Counting(AtomicUsize);
    #[async_trait::async_trait]
    impl Resolver for Counting {
        async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(vec!["100::1".parse().unwrap()])
        }
    }
    let resolver = Arc::new(Counting(AtomicUsize::new(0)));
    let hostile =
        Hostile::with(|transport| transport.resolver(resolver.clone()), |host| host).await;
    for url in [
        "https://evil.example.com/",
        "https://api.pagerduty.com.evil.example/",
        "https://evilapi.pagerduty.com/",
        "https://api.pagerduty.com:8443/",
        "https://app.pagerduty.com/",
        "https://127.0.0.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://localhost/",
    ] {
        let message = hostile.refused("Denied", json!({ "url": url })).await;
        assert!(message.contains("not one of the origins"), "{message}");
    }
    assert_eq!(resolver.0.load(Ordering::SeqCst), 0);
    assert!(hostile.audit.events().iter().all(|event| event.verdict == Verdict::Refused));
    assert_eq!(hostile.audit.events().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_that_are_not_what_they_seem_are_refused() {
    let hostile = Hostile::new().await;
    for url in [
        "https://api.pagerduty.com@evil.example/",
        "https://user:pw@api.pagerduty.com/",
        "https://api.pagerduty.com\\@evil.example/",
        "https://api.pagerduty.com/#fragment",
        "https://api%2epagerduty.com/",
        "https://api.pagerduty.com./",
        "https://2130706433/",
        "https://0x7f.1/",
        "ftp://api.pagerduty.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://api.pagerduty.com/a b",
        "https://api.pagerduty.com/a\r\nHost: evil",
        "",
        "//x",
        "https://аpi.pagerduty.com/",
    ] {
        hostile.refused("InvalidRequest", json!({ "url": url })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_headers_of_the_host_are_refused() {
    let hostile = Hostile::new().await;
    let url = format!("{API}/abilities");
    for method in ["CONNECT", "TRACE", "get", "GET ", "GET\r\nX: y", "", "BREW"] {
        hostile.refused("InvalidRequest", json!({"url": url, "method": method})).await;
    }
    for (name, value) in [
        ("Host", "evil.example"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Expect", "100-continue"),
        ("Proxy-Authorization", "Basic x"),
        ("Keep-Alive", "1"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("Cookie", "a=b"),
        ("Accept-Encoding", "br"),
        ("Authorization", "Token token=mine"),
        ("authorization", "Bearer mine"),
        ("X-Ok", "a\r\nHost: evil"),
        ("X-Ok", "a\0b"),
        ("X Y", "z"),
        ("", "z"),
        (":authority", "evil.example"),
        ("X-Ok", "snow\u{2603}"),
    ] {
        hostile.refused("InvalidRequest", json!({"url": url, "headers": [[name, value]]})).await;
    }
    let many: Vec<[String; 2]> = (0..70).map(|n| [format!("x-{n}"), "v".into()]).collect();
    hostile.refused("InvalidRequest", json!({"url": url, "headers": many})).await;
    let long = "v".repeat(1 << 20);
    hostile.refused("InvalidRequest", json!({"url": url, "headers": [["x-long", long]]})).await;
    hostile.refused("InvalidRequest", json!({"url": url, "method": "GET", "body": "{}"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_goes_to_its_audience_only() {
    let hostile = Hostile::new().await;
    // Approved for the plugin and described for the type, but not this credential's region.
    let url = "https://api.eu.pagerduty.com/abilities";
    let message = hostile.refused("Denied", json!({"url": url, "credential": "rest"})).await;
    assert!(
        message.contains("the credential `token` can be sent only to https://api.pagerduty.com"),
        "{message}"
    );
    // Without the credential the same request is sent.
    assert_eq!(hostile.request(json!({ "url": url })).await["status"], 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_list_narrows() {
    let hostile = Hostile::new().await;
    for (allow, sent) in
        [(vec![], false), (vec!["https://events.pagerduty.com"], false), (vec![API], true)]
    {
        let mut execution = hostile.execution("hostile.request");
        execution.context.allow =
            Some(allow.iter().map(|origin| origin.parse().unwrap()).collect());
        execution.items.push(json!({"url": format!("{API}/abilities")}));
        let outcome = hostile.plugin.execute(execution).await.unwrap();
        let record = end_to_end::values(&outcome, 0).remove(0);
        assert_eq!(record.get("status").is_some(), sent, "{record}");
        if !sent {
            assert!(record["message"].as_str().unwrap().contains("--allow"), "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    struct To(&'static [&'static str]);
    #[async_trait::async_trait]
    impl Resolver for To {
        async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.iter().map(|address| address.parse().unwrap()).collect())
        }
    }
    for addresses in [
        &["127.0.0.1"][..],
        &["10.0.0.7"],
        &["169.254.169.254"],
        &["::1"],
        &["fd00::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        // One that is not public condemns the name.
        &["93.184.216.34", "10.0.0.7"],
    ] {
        let resolver = Arc::new(To(addresses));
        let hostile = Hostile::with(|transport| transport.resolver(resolver), |host| host).await;
        let url = "https://inside.example.com/";
        let message = hostile.refused("Denied", json!({ "url": url })).await;
        assert!(message.contains("--connect-to"), "{message}");
    }
    // The discard prefix is public, and leads nowhere: allowed, and not reached.
    let resolver = Arc::new(To(&["100::1"]));
    let hostile = Hostile::with(|transport| transport.resolver(resolver), |host| host).await;
    let record =
        hostile.request(json!({"url": "https://inside.example.com/", "timeout": 1_500})).await;
    assert!(
        record["error"] == "SendErrorKind::Unreachable"
            || record["error"] == "SendErrorKind::Timeout",
        "{record}"
    );
    assert_eq!(record["maybe_sent"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_needs_a_mapping() {
    let hostile = Hostile::new().await;
    let message = hostile.refused("Denied", json!({"url": "http://plain.example.com/"})).await;
    assert!(message.contains("not https"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_answers_and_are_not_followed() {
    let hostile = Hostile::new().await;
    for location in ["https://evil.example/", "http://169.254.169.254/", "/users"] {
        for status in [301, 302, 303, 307, 308] {
            let redirect = FaultAction::Redirect { status, location: location.into() };
            hostile.simulator.fault(Fault::new(redirect));
            let url = format!("{API}/abilities");
            let record = hostile.request(json!({"url": url, "credential": "rest"})).await;
            assert_eq!(record["status"], status, "{record}");
            assert_eq!(record["headers"]["location"], location);
        }
    }
    assert_eq!(hostile.simulator.requests().len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded_after_decompression() {
    let hostile = Hostile::new().await;
    for action in [FaultAction::GzipBomb(1 << 30), FaultAction::HugeBody(64 << 20)] {
        hostile.simulator.fault(Fault::new(action));
        let record =
            hostile.request(json!({"url": format!("{API}/abilities"), "credential": "rest"})).await;
        assert_eq!(record["error"], "SendErrorKind::TooLarge", "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_errors_and_nothing_else() {
    let hostile = Hostile::new().await;
    for action in [
        FaultAction::TruncatedBody,
        FaultAction::ResetBeforeResponse,
        FaultAction::CloseBeforeResponse,
    ] {
        // A write without a key: one attempt, and nobody can tell whether it happened.
        hostile.simulator.fault(Fault::new(action).always());
        let request = json!({"method": "POST", "url": format!("{API}/incidents"), "body": "{}", "credential": "rest"});
        let record = hostile.request(request).await;
        hostile.simulator.clear_faults();
        assert!(record.get("error").is_some(), "{record}");
        assert_eq!(record["maybe_sent"], true, "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_requests_ends() {
    let hostile = Hostile::new().await;
    let mut execution = hostile.execution("hostile.request");
    if let Some(limits) = &mut execution.context.limits {
        limits.requests = 3;
    }
    execution.items = vec![json!({"url": format!("{API}/abilities")}); 5];
    let outcome = hostile.plugin.execute(execution).await.unwrap();
    let last = end_to_end::values(&outcome, 4).remove(0);
    assert_eq!(last["error"], "SendErrorKind::OverBudget");
    assert_eq!(hostile.simulator.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_body_stands_only_where_its_type_says() {
    let hostile = Hostile::new().await;
    let events = "https://events.pagerduty.com/v2/enqueue";
    let body = r#"{"event_action":"acknowledge","dedup_key":"k","big":12345678901234567890123.50}"#;
    let record = hostile
        .request(json!({"method": "POST", "url": events, "body": body, "credential": "events"}))
        .await;
    assert_eq!(record["status"], 202, "{record}");
    let sent = hostile.simulator.requests().remove(0);
    let text = String::from_utf8(sent.body.to_vec()).unwrap();
    assert!(text.contains(&hostile.simulator.us().keys().routing), "{text}");
    assert!(text.contains("12345678901234567890123.50"), "numbers survive: {text}");
    // Elsewhere it has no place, and a field of the same name is the host's.
    let other = "https://events.pagerduty.com/v2/change/enqueue";
    hostile
        .refused(
            "Denied",
            json!({"method": "POST", "url": other, "body": "{}", "credential": "events"}),
        )
        .await;
    let own = r#"{"routing_key":"mine"}"#;
    for body in [own, "not json", "[]", ""] {
        hostile
            .refused(
                "InvalidRequest",
                json!({"method": "POST", "url": events, "body": body, "credential": "events"}),
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_events_hold_no_query_no_body_and_no_id() {
    let hostile = Hostile::new().await;
    let url = format!("{API}/incidents/PSECRETID1/notes?q=private");
    hostile.request(json!({"url": url, "credential": "rest"})).await;
    let event = hostile.audit.events().remove(0);
    assert_eq!(event.path, "/incidents/{}/notes");
    assert_eq!(event.origin, API);
    assert_eq!(event.credential.as_deref(), Some("token"));
    assert_eq!(event.plugin, hostile.plugin.digest().to_string());
    let text = format!("{event:?}");
    assert!(!text.contains("private") && !text.contains("PSECRETID1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_proxy_is_asked_to_connect_and_sees_no_credential() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use workflow_node_host::transport::{
        HttpTransport, SentMark, Transport as _, TransportRequest,
    };

    let simulator = pagerduty_simulator::Simulator::builder().start().await.unwrap();
    let to = simulator.origins().rest_us.replace("https://", "");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let mut server = TcpStream::connect(to).await.unwrap();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        String::from_utf8(head).unwrap()
    });
    let transport = HttpTransport::builder()
        .ca_pem(simulator.ca_pem())
        .proxy(format!("http://{address}"))
        .build()
        .unwrap();
    let request = |url: &str| TransportRequest {
        plugin: String::new(),
        pool: String::new(),
        method: "GET".parse().unwrap(),
        url: url.parse().unwrap(),
        headers: Default::default(),
        body: None,
        private_addresses: false,
        response_limit: 1 << 20,
        sent: SentMark::default(),
    };
    let answer = transport.send(request("https://api.pagerduty.com/abilities")).await.unwrap();
    assert_eq!(answer.status, 401);
    let head = seen.await.unwrap();
    assert!(head.starts_with("CONNECT api.pagerduty.com:443 HTTP/1.1\r\n"), "{head}");
    // A literal private address is refused before the proxy hears of it.
    let error = transport.send(request("https://10.0.0.1/")).await.unwrap_err();
    assert!(error.to_string().contains("a private address"), "{error}");
    let refused = HttpTransport::builder().proxy("socks5://user:hunter22@x").build().err().unwrap();
    assert!(!refused.to_string().contains("hunter22"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_gets_the_credentials_for_it_and_no_message_shows_them() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use workflow_node_host::transport::{HttpTransport, Transport as _};

    for (credentials, expected) in [
        ("user:hunter22@", Some("dXNlcjpodW50ZXIyMg==")),
        (":hunter22@", Some("Omh1bnRlcjIy")),
        ("", None),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let transport = HttpTransport::builder().proxy(format!("http://{credentials}{address}"));
        let error = transport.build().unwrap().send(bare_request()).await.unwrap_err();
        let head = seen.await.unwrap();
        let given = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
        assert_eq!(given, expected, "{head}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("407") && !text.contains("hunter22"), "{text}");
        assert!(!text.contains("user:"), "{text}");
    }
}

fn bare_request() -> workflow_node_host::transport::TransportRequest {
    workflow_node_host::transport::TransportRequest {
        plugin: String::new(),
        pool: String::new(),
        method: "GET".parse().unwrap(),
        url: "https://api.pagerduty.com/abilities".parse().unwrap(),
        headers: Default::default(),
        body: None,
        private_addresses: false,
        response_limit: 1 << 20,
        sent: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_good_are_refused() {
    use pagerduty_simulator::{CertificateKind, Simulator};
    for kind in [CertificateKind::Expired, CertificateKind::WrongName, CertificateKind::SelfSigned]
    {
        let world =
            end_to_end::World::with(Simulator::builder().certificate(kind), |host| host).await;
        let mut execution = world.execution("user", "ability.list", &[json!({})]);
        if let Some(limits) = &mut execution.context.limits {
            limits.attempts = 1;
        }
        let outcome = world.plugin.execute(execution).await.unwrap();
        let error = end_to_end::error(&outcome, 0);
        assert_eq!(error.kind, "unavailable");
        assert!(error.message.contains("certificate"), "{}", error.message);
        assert_eq!(world.simulator.requests().len(), 0);
    }
}
