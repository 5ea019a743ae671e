//! Tests of the test of credentials, for every type.

use pagerduty::PagerDuty;
use serde_json::{Value, json};
use workflow_node_sdk::documents::Configuration;
use workflow_node_sdk::error::Error;
use workflow_node_sdk::node::Plugin as _;
use workflow_node_sdk::testing::Host;
use workflow_node_sdk::{ErrorKind, Map, node};

use crate::support::{body, header, host, host_with, only_request};

const ABILITIES: (u16, &str) = (200, r#"{"abilities":["sso","teams"]}"#);
const ME: (u16, &str) = (
    200,
    r#"{"user":{"id":"PU1","name":"Ada","email":"ada@example.com","role":"admin","html_url":"https://acme.pagerduty.com/users/PU1"}}"#,
);
const SERVICES: (u16, &str) =
    (200, r#"{"services":[{"html_url":"https://acme.eu.pagerduty.com/service-directory/PS1"}]}"#);
/// How PagerDuty refuses an empty incident: a key that may write gets a list of missing fields.
const INCOMPLETE: (u16, &str) =
    (400, r#"{"error":{"message":"Invalid Input Provided","code":2001}}"#);
const NOBODY: (u16, &str) =
    (400, r#"{"error":"This endpoint requires a user; an account-level access token has none"}"#);
const FORBIDDEN: (u16, &str) = (403, r#"{"error":{"message":"Access Denied","code":2010}}"#);

fn test(host: &Host, slot: &str) -> Result<Value, Error> {
    let identity = host.run(|| node::test::<PagerDuty>(slot.to_owned()))?;
    let identity: Value = serde_json::from_str(&identity).unwrap();
    super::documents::assert_valid("identity", &identity);
    Ok(identity)
}

#[test]
fn testing_a_users_key_shows_its_user_account_and_access() {
    let host = host(&[ABILITIES, ME, INCOMPLETE]);
    assert_eq!(
        test(&host, "rest").unwrap(),
        json!({
            "summary": "PagerDuty US accepts it for the account acme; it acts as Ada \
                        <ada@example.com>. It can read and change.",
            "account": {"subdomain": "acme"},
            "user": {"id": "PU1", "name": "Ada", "email": "ada@example.com", "role": "admin"},
            "region": "US",
            "access": "read-write",
            "abilities": ["sso", "teams"],
        })
    );
    let requests = host.requests();
    let (probe, reads) = requests.split_last().unwrap();
    for request in reads {
        assert_eq!(request.method, "GET");
        assert_eq!(request.credential.as_deref(), Some("rest"));
    }
    // The request that finds out whether it may write cannot create an incident.
    assert_eq!((probe.method.as_str(), body(probe)), ("POST", json!({})));
}

#[test]
fn testing_an_account_key_warns_that_it_has_no_user() {
    let identity = test(&host(&[ABILITIES, NOBODY, SERVICES, INCOMPLETE]), "rest").unwrap();
    assert_eq!(
        identity["summary"],
        "PagerDuty US accepts it for the account acme; it belongs to no user. It can read and \
         change."
    );
    assert!(identity["warnings"][0].as_str().unwrap().contains("`from`"));
    assert!(identity.get("user").is_none());

    let from = json!({"from_email": "team@example.com"});
    let named = host_with(&from, &[ABILITIES, NOBODY, SERVICES, INCOMPLETE]);
    let identity = test(&named, "rest").unwrap();
    assert_eq!(
        identity["summary"],
        "PagerDuty US accepts it for the account acme; it belongs to no user, and changes \
         incidents as team@example.com. It can read and change."
    );
    assert_eq!(identity.get("warnings"), None);
}

#[test]
fn a_read_only_key_is_reported_as_such() {
    let identity = test(&host(&[ABILITIES, NOBODY, SERVICES, FORBIDDEN]), "rest").unwrap();
    assert_eq!(identity["access"], "read");
    assert!(identity["summary"].as_str().unwrap().ends_with("It can only read."));
    // A read-only role is not asked to write.
    let observer =
        (200, r#"{"user":{"id":"PU1","name":"Ola","email":"o@a.test","role":"observer"}}"#);
    let reading = host(&[ABILITIES, observer, SERVICES]);
    let identity = test(&reading, "rest").unwrap();
    assert_eq!(identity["access"], "read");
    let warning = identity["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("observer") && warning.contains("not see every schedule"),
        "{warning}"
    );
    assert!(reading.requests().iter().all(|request| request.method == "GET"));
    // An unknown value is not guessed.
    let identity = test(&host(&[ABILITIES, ME, (500, "")]), "rest").unwrap();
    assert_eq!(identity["access"], "unknown");
}

#[test]
fn a_token_that_lacks_scopes_passes_with_warnings() {
    for credential_type in ["oauth2", "oauth2-app"] {
        let configuration = Configuration::new(["https://api.eu.pagerduty.com".parse().unwrap()])
            .base_urls([("rest", "https://api.eu.pagerduty.com")])
            .values([("region", "eu"), ("subdomain", "acme"), ("account_id", "PA1")]);
        let fields = Map::from_iter([("from_email".to_owned(), json!("a@b.test"))]);
        let host = host(&[FORBIDDEN, FORBIDDEN])
            .with_credential("rest", credential_type, fields, &configuration)
            .with_granted_scopes("rest", &["incidents.read"]);
        let identity = test(&host, "rest").unwrap();
        assert_eq!(identity["region"], "EU");
        assert_eq!(identity["account"], json!({"id": "PA1", "subdomain": "acme"}));
        assert_eq!(identity["access"], "read");
        assert_eq!(identity["warnings"].as_array().unwrap().len(), 2);
        assert_eq!(host.requests()[1].url, "https://api.eu.pagerduty.com/users/me");
    }
}

#[test]
fn a_refused_key_fails_the_test() {
    for answers in [&[(401, "")][..], &[ABILITIES, (401, "")]] {
        let error = test(&host(answers), "rest").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        assert!(error.message.contains("connect it with the region eu"), "{}", error.message);
    }
    assert_eq!(test(&host(&[(503, "")]), "rest").unwrap_err().kind, ErrorKind::Unavailable);
}

#[test]
fn an_integration_key_is_tested_with_an_event_that_changes_nothing() {
    let host = host(&[(202, r#"{"status":"success"}"#)]);
    let identity = test(&host, "events").unwrap();
    assert!(identity["summary"].as_str().unwrap().starts_with("PagerDuty US accepts the key"));
    let request = only_request(&host);
    assert_eq!(request.url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(request.credential.as_deref(), Some("events"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    let body = body(&request);
    assert_eq!(body["event_action"], "acknowledge");
    assert_eq!(body["dedup_key"].as_str(), request.idempotency_key.as_deref());
    assert_eq!(body["dedup_key"].as_str().unwrap().len(), "credential-test-".len() + 32);
}

#[test]
fn a_refused_integration_key_names_the_region() {
    let answer = r#"{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is invalid"]}"#;
    let error = test(&host(&[(400, answer)]), "events").unwrap_err();
    assert!(error.message.contains("US service region"), "{}", error.message);
}

#[test]
fn an_empty_slot_cannot_be_tested() {
    assert_eq!(test(&host(&[]), "other").unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[test]
fn a_configuration_stays_within_the_description() {
    let described: Value = serde_json::from_str(&node::credential_types::<PagerDuty>()).unwrap();
    for credential_type in described["credential_types"].as_array().unwrap() {
        for region in ["us", "eu"] {
            let fields = json!({"region": region, "subdomain": "acme", "scopes": ["users.read"]});
            let name = credential_type["name"].as_str().unwrap();
            let configuration =
                node::configure::<PagerDuty>(name.into(), fields.to_string(), None).unwrap();
            let configuration: Value = serde_json::from_str(&configuration).unwrap();
            super::documents::assert_valid("configuration", &configuration);
            let origins = credential_type["origins"].as_array().unwrap();
            assert!(origins.contains(&configuration["audiences"][0]), "{name} {region}");
            let grant = &credential_type["grant"];
            let is_oauth = grant["kind"] != "fixed";
            assert_eq!(configuration.get("oauth").is_some(), is_oauth, "{name}");
            if is_oauth {
                let url = &configuration["oauth"]["token_url"];
                assert!(grant["token_urls"].as_array().unwrap().contains(url));
            }
        }
    }
}

#[test]
fn rate_limits_match_pagerdutys_documentation() {
    let document: Value = serde_json::from_str(&PagerDuty::describe_credential_types()).unwrap();
    for one in document["credential_types"].as_array().unwrap() {
        let limit = &one["rate_limit"];
        assert_eq!(limit["default_wait_ms"], 30_000, "{one}");
        let is_events = one["name"] == "events-integration";
        assert_eq!(limit["windows"][0]["requests"], if is_events { 120 } else { 960 }, "{one}");
        let operations = limit["operations"].as_array().map_or(&[][..], Vec::as_slice);
        let limited: Vec<String> = operations
            .iter()
            .map(|one| format!("{} {}", one["methods"][0].as_str().unwrap(), one["path"]))
            .collect();
        let expected: &[&str] = match is_events {
            true => &[],
            false => &[r#"POST "/incidents""#, r#"PUT "/incidents""#, r#"GET "/oncalls""#],
        };
        assert_eq!(limited, expected, "{one}");
    }
}
