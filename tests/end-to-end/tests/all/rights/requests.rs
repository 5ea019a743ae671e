//! Requests, responses, and handles of a hostile plugin.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use end_to_end::{World, error};
use pagerduty_simulator::{Fault, FaultAction};
use serde_json::{Value, json};

use super::{API, PLAIN};
use crate::support::Hostile;

/// The header that PagerDuty requires.
const ACCEPT: [&str; 2] = ["Accept", "application/vnd.pagerduty+json;version=2"];

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
