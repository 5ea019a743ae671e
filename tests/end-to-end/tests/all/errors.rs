//! PagerDuty's errors through the real component, host and sockets: each code has the kind that an
//! engine can act on, nothing that PagerDuty says is lost, and the remedy is reported where it is known.

use end_to_end::{World, error};
use pagerduty_simulator::{Fault, Simulator, TokenKind};
use serde_json::{Value, json};
use workflow_node_host::ItemError;

/// Codes as PagerDuty sends them with 400, and the kind that each means.
const CODES: &[(&str, &[u32])] = &[
    ("conflict", &[1001, 1002, 1005, 1006, 1011, 1012, 1015, 1019, 5003]),
    (
        "invalid-input",
        &[
            1003, 1004, 1008, 1013, 1020, 1028, 2001, 2002, 2003, 2004, 2005, 2009, 2011, 2015,
            3001, 4004, 6001, 6002, 6003, 6004, 6006, 6007,
        ],
    ),
    ("not-found", &[1007, 1014, 2007, 2013, 2100, 3004, 5001, 5002]),
    ("forbidden", &[1018, 2008, 2010, 2012, 2014, 2018, 2019]),
    (
        "unauthenticated",
        &[
            2006, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 8001, 8002, 8003, 8004, 8005, 8006,
            8007, 8008,
        ],
    ),
    ("rate-limited", &[2017, 2020]),
    ("unavailable", &[2000]),
    ("timeout", &[2016]),
];

async fn failed(world: &World, action: &str, parameters: Value, fault: Fault) -> ItemError {
    world.simulator.clear_faults();
    world.simulator.fault(fault);
    let outcome = world.run(action, &[parameters]).await;
    error(&outcome, 0).clone()
}

fn answer(status: u16, body: &Value) -> Fault {
    Fault::response(status, &[("content-type", "application/json")], body.to_string())
}

async fn world() -> World {
    let simulator = Simulator::builder().examples(true).without_rate_limits();
    World::with(simulator, |host| host.rate_limit(Vec::new())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_has_its_kind_and_message_code_and_every_reason_are_kept() {
    let world = world().await;
    for (kind, codes) in CODES {
        for code in *codes {
            let said = format!("What {code} means");
            let body = json!({"error": {"message": said, "code": code,
                "errors": ["the first reason", "the second one"]}});
            let update = json!({"incident_id": "QINCIDENT00001", "title": "t"});
            let error = failed(&world, "incident.update", update, answer(400, &body)).await;
            assert_eq!(error.kind, *kind, "{code}");
            assert_eq!(error.code, Some(code.to_string()));
            assert_eq!(error.http_status, Some(400));
            let reasons = format!("{said}: the first reason: the second one");
            assert!(error.message.starts_with(&reasons), "{}", error.message);
            let detail = &error.detail.as_ref().unwrap()["errors"];
            assert_eq!(*detail, json!(["the first reason", "the second one"]), "{code}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_counts_more_than_the_code_and_is_enough_without_one() {
    let world = world().await;
    for (status, code, kind) in [
        (400, None, "invalid-input"),
        (401, Some(1001), "unauthenticated"),
        (402, Some(2014), "forbidden"),
        (403, Some(1001), "forbidden"),
        (404, Some(1001), "not-found"),
        (405, None, "unsupported"),
        (408, None, "timeout"),
        (409, None, "conflict"),
        (413, None, "invalid-input"),
        (422, None, "invalid-input"),
        (500, Some(2000), "unavailable"),
        (503, None, "unavailable"),
    ] {
        let mut body = json!({"error": {"message": "It says so"}});
        if let Some(code) = code {
            body["error"]["code"] = json!(code);
        }
        let fault = answer(status, &body).always();
        let error = failed(&world, "user.me", json!({}), fault).await;
        assert_eq!((error.kind.as_str(), error.http_status), (kind, Some(status)));
        assert!(error.message.starts_with("It says so"), "{}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_says_that_pagerduty_stumbled_leaves_a_write_open() {
    let world = world().await;
    for code in [2000, 2016] {
        let body = json!({"error": {"message": "Sorry", "code": code}});
        let note = json!({"incident_id": "QINCIDENT00001", "content": "c"});
        let error = failed(&world, "incident_note.create", note, answer(400, &body)).await;
        assert_eq!(error.kind, "outcome-unknown", "{code}");
        assert!(error.message.contains("`incident_note.list`"), "{}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_for_a_missing_requester_names_the_place_to_set_it() {
    let world = world().await;
    let live =
        r#"You must specify a user's email address in the "From" header to perform this action"#;
    for body in [
        json!({"error": {"message": live, "code": 2016}}),
        json!({"error": {"message": "Invalid", "code": 2001, "errors": [live]}}),
        json!({"error": {"message": "Malformed \"From\" header", "code": 1028}}),
        json!({"error": {"message": "Requester User Not Found", "code": 1008}}),
    ] {
        let update = json!({"incident_id": "QINCIDENT00001", "title": "t"});
        let error = failed(&world, "incident.update", update, answer(400, &body)).await;
        assert_eq!(error.kind, "invalid-input", "{body}");
        for words in ["the parameter `from`", "`from_email`", "e-mail address of a user"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
    // The requester is in the body.
    let body = json!({"error": {"message": "Requester User Not Found", "code": 1008}});
    let ask = json!({"incident_id": "QINCIDENT00001", "message": "m", "requester_id": "PUSER000000001",
        "user_ids": ["PUSER000000002"]});
    let error = failed(&world, "incident.add_responders", ask, answer(400, &body)).await;
    assert!(error.message.contains("`requester_id`"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_region_and_a_wrong_scheme_are_thought_of() {
    let world = World::new().await;
    let told = async |credential: &str| {
        let outcome = world.run_with(credential, "ability.list", &[json!({})]).await;
        let error = error(&outcome, 0).clone();
        assert_eq!((error.kind.as_str(), error.code.as_deref()), ("unauthenticated", Some("2006")));
        error.message
    };
    let european = world.simulator.eu().keys().user;
    let us = json!({"region": "us"});
    world.connect("elsewhere", "api-token", &us, &[("api_token", european)]).await;
    assert!(told("elsewhere").await.contains("in the US service region"));
    // A token of OAuth as if it were an API key, and the reverse.
    let token = world.us().mint_token(TokenKind::UserToken, &["abilities.read"]);
    world.connect("as-key", "api-token", &us, &[("api_token", token)]).await;
    assert!(told("as-key").await.contains("of the type `api-token`"));
    let fields = json!({"region": "us", "client_id": "c", "redirect_url": "https://x.test/"});
    let key = world.us().keys().user;
    world.connect("as-token", "oauth2", &fields, &[("access_token", key)]).await;
    assert!(told("as-token").await.contains("of the type `oauth2`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_and_a_missing_ability_are_called_by_their_names() {
    let world = World::new().await;
    let token = world.us().mint_token(TokenKind::UserToken, &["services.read"]);
    let fields = json!({"region": "us", "client_id": "c", "redirect_url": "https://x.test/"});
    world.connect("narrow", "oauth2", &fields, &[("access_token", token)]).await;
    let outcome = world.run_with("narrow", "schedule.list", &[json!({})]).await;
    let scope = error(&outcome, 0);
    assert_eq!(scope.kind, "forbidden");
    assert!(scope.message.ends_with("It needs the scope schedules.read."), "{}", scope.message);
    world.us().set_ability("coordinated_responding", false);
    let incident = world.us().incidents().pop().unwrap();
    let ask = json!({"incident_id": incident.id, "message": "m", "user_ids": ["ben@example.com"]});
    let outcome = world.run("incident.add_responders", &[ask]).await;
    let ability = error(&outcome, 0);
    assert_eq!((ability.kind.as_str(), ability.code.as_deref()), ("forbidden", Some("2014")));
    assert!(ability.message.contains("`coordinated_responding`"), "{}", ability.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_integration_key_names_the_region() {
    let world = World::new().await;
    let wrong = [("routing_key", "0123456789abcdef0123456789abcdef")];
    world.connect("wrong", "events-integration", &json!({"region": "eu"}), &wrong).await;
    let event = json!({"summary": "s", "source": "s", "severity": "info"});
    let outcome = world.run_with("wrong", "event.trigger", &[event]).await;
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "invalid-input");
    assert!(error.message.contains("in the EU service region"), "{}", error.message);
}
