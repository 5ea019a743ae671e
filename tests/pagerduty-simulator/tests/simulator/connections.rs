//! Certificates, protocols, recording, starting, and stopping.

use std::sync::{Arc, Mutex};

use pagerduty_simulator::{CertificateKind, Origin, Simulator};
use serde_json::json;

use crate::client::{ask, connect, connect_at, get};
use crate::judgement::new_incident;

#[tokio::test]
async fn every_origin_presents_a_certificate_for_its_name() {
    let simulator = Simulator::builder().start().await.unwrap();
    for origin in Origin::ALL {
        connect(&simulator, origin, false).await.unwrap();
    }
    assert_eq!(simulator.connections_opened(), Origin::ALL.len());
    assert!(simulator.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(std::fs::read_to_string(simulator.ca_file()).unwrap(), simulator.ca_pem());
}

#[tokio::test]
async fn a_bad_certificate_is_refused_by_a_client() {
    for (kind, reason) in [
        (CertificateKind::Expired, "expired"),
        (CertificateKind::WrongName, "not valid for name"),
        (CertificateKind::SelfSigned, "UnknownIssuer"),
    ] {
        let simulator = Simulator::builder().certificate(kind).start().await.unwrap();
        let error = connect(&simulator, Origin::RestUs, false).await.unwrap_err();
        assert!(error.contains(reason), "{kind:?}: {error}");
        assert!(simulator.requests().is_empty());
    }
}

#[tokio::test]
async fn both_protocols_are_supported_unless_one_is_disabled() {
    let simulator = Simulator::builder().start().await.unwrap();
    assert_eq!(get(&simulator, "/users").http1().send().await.status, 200);
    assert_eq!(get(&simulator, "/users").send().await.status, 200);
    let versions: Vec<_> = simulator.requests().into_iter().map(|r| r.http_version).collect();
    assert_eq!(versions, ["HTTP/1.1", "HTTP/2.0"]);
    let old = Simulator::builder().http1_only().start().await.unwrap();
    assert_eq!(get(&old, "/users").http1().send().await.status, 200);
    assert!(connect(&old, Origin::RestUs, false).await.is_err());
}

#[tokio::test]
async fn a_request_is_recorded_unchanged() {
    let simulator = Simulator::builder().start().await.unwrap();
    let body = new_incident(&simulator);
    ask(&simulator, "POST", "/incidents?x=%2B").header("x-own", "1").json(&body).send().await;
    let requests = simulator.requests();
    let request = &requests[0];
    assert_eq!(request.sequence, 1);
    assert_eq!(request.origin, Origin::RestUs);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/incidents"));
    assert_eq!(request.query, "x=%2B");
    assert_eq!(request.query_pairs(), [("x".to_owned(), "+".to_owned())]);
    assert_eq!(request.header("x-own"), Some("1"));
    assert_eq!(request.header("from"), Some("ada@example.com"));
    assert_eq!(request.json(), body);
    assert_eq!(request.response_status, Some(201));
    assert_eq!(request.key_name.as_deref(), Some("account key"));
    get(&simulator, "/users").send().await;
    assert_ne!(simulator.requests()[1].connection, simulator.requests()[0].connection);
    simulator.clear_requests();
    assert!(simulator.requests().is_empty() && simulator.violations().is_empty());
    get(&simulator, "/users").send().await;
    assert_eq!(simulator.requests()[0].sequence, 3);

    let quiet = Simulator::builder().without_recording().start().await.unwrap();
    assert_eq!(get(&quiet, "/users").send().await.status, 200);
    assert!(quiet.requests().is_empty());
}

#[tokio::test]
async fn a_listener_is_called_for_every_request() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let simulator = Simulator::builder()
        .on_request(move |request| ears.lock().unwrap().push(request.response_status))
        .start()
        .await
        .unwrap();
    get(&simulator, "/users").send().await;
    get(&simulator, "/nothing").send().await;
    assert_eq!(*heard.lock().unwrap(), [Some(200), Some(404)]);
}

#[tokio::test]
async fn connect_to_maps_every_host_of_pagerduty() {
    let simulator = Simulator::builder().start().await.unwrap();
    let origins = simulator.origins();
    assert_eq!(
        simulator.connect_to(),
        [
            format!("https://api.pagerduty.com={}", origins.rest_us),
            format!("https://api.eu.pagerduty.com={}", origins.rest_eu),
            format!("https://events.pagerduty.com={}", origins.events_us),
            format!("https://events.eu.pagerduty.com={}", origins.events_eu),
            format!("https://identity.pagerduty.com={}", origins.identity),
        ]
    );
}

#[tokio::test]
async fn stopping_frees_the_ports_and_removes_the_file() {
    for by_dropping in [false, true] {
        let simulator = Simulator::builder().start().await.unwrap();
        connect(&simulator, Origin::RestUs, false).await.unwrap();
        let address = simulator.address(Origin::RestUs);
        let ca_der = simulator.ca_der().to_vec();
        let file = simulator.ca_file().to_owned();
        if by_dropping {
            drop(simulator);
        } else {
            simulator.shutdown().await;
            // Another server may use the port by now, but not with this certificate.
            assert!(connect_at(address, &ca_der, Origin::RestUs, false).await.is_err());
        }
        assert!(!file.exists());
    }
    let directory = tempfile::tempdir().unwrap();
    let chosen = directory.path().join("ca.pem");
    let simulator = Simulator::builder().ca_file(&chosen).start().await.unwrap();
    drop(simulator);
    assert!(chosen.exists());
}

#[test]
fn the_simulator_starts_without_a_runtime() {
    let simulator = Simulator::builder().start_blocking().unwrap();
    assert!(std::net::TcpStream::connect(simulator.address(Origin::EventsEu)).is_ok());
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let simulator = Simulator::builder().start().await.unwrap();
    let stream = connect(&simulator, Origin::RestUs, false).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let key = simulator.us().keys().account;
    let mut waiting = Vec::new();
    for number in 0..250 {
        let request = hyper::Request::post("https://api.pagerduty.com/incidents")
            .header("authorization", format!("Token token={key}"))
            .header("accept", crate::client::ACCEPT)
            .header("from", "ada@example.com")
            .header("content-type", "application/json");
        let mut body = new_incident(&simulator);
        body["incident"]["title"] = json!(format!("Number {number}"));
        let request = request.body(Full::new(bytes::Bytes::from(body.to_string()))).unwrap();
        let mut sender = sender.clone();
        waiting.push(tokio::spawn(async move {
            let response = sender.send_request(request).await.unwrap();
            let status = response.status().as_u16();
            response.into_body().collect().await.unwrap();
            status
        }));
    }
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), 201);
    }
    assert_eq!(simulator.connections_opened(), 1);
    assert_eq!(simulator.us().incident_count(), 255);
}
