//! Accepted and rejected requests, from the credential to the body.

use pagerduty_simulator::{Origin, Simulator, TokenKind};
use serde_json::{Value, json};

use crate::client::{ACCEPT, ask, get};

async fn simulator() -> Simulator {
    Simulator::builder().start().await.unwrap()
}

/// A body that creates an incident on the first service.
pub(crate) fn new_incident(simulator: &Simulator) -> Value {
    json!({"incident": {
        "type": "incident",
        "title": "Payments time out",
        "service": {"id": simulator.us().services()[0].id, "type": "service_reference"},
    }})
}

#[tokio::test]
async fn every_kind_of_credential_works_with_its_scheme_only() {
    let simulator = simulator().await;
    let keys = simulator.us().keys();
    for key in [&keys.account, &keys.account_read_only, &keys.user] {
        assert_eq!(get(&simulator, "/services").token(key).send().await.status, 200);
        assert_eq!(get(&simulator, "/services").bearer(key).send().await.error(), (401, 2006));
    }
    for token in [&keys.classic_read, &keys.classic_write, &keys.app] {
        assert_eq!(get(&simulator, "/services").bearer(token).send().await.status, 200);
        assert_eq!(get(&simulator, "/services").token(token).send().await.error(), (401, 2006));
    }
}

#[tokio::test]
async fn a_missing_an_unknown_and_a_revoked_credential_are_refused() {
    let simulator = simulator().await;
    let bare = get(&simulator, "/services").header("authorization", "");
    assert_eq!(bare.send().await.error(), (401, 2006));
    assert_eq!(get(&simulator, "/services").token("y_unknown").send().await.status, 401);
    let bare_key = simulator.us().keys().account;
    let wrong = get(&simulator, "/services").header("authorization", &bare_key);
    assert_eq!(wrong.send().await.status, 401);

    let minted = simulator.us().mint_token(TokenKind::AccountKey, &[]);
    assert_eq!(get(&simulator, "/services").token(&minted).send().await.status, 200);
    assert!(simulator.us().revoke(&minted));
    assert_eq!(get(&simulator, "/services").token(&minted).send().await.status, 401);
    assert_eq!(simulator.violations().len(), 4);
}

#[tokio::test]
async fn a_key_of_the_other_region_is_refused() {
    let simulator = simulator().await;
    let (us, eu) = (simulator.us().keys().account, simulator.eu().keys().account);
    let at = |origin| get(&simulator, "/abilities").origin(origin);
    assert_eq!(at(Origin::RestUs).token(&us).send().await.status, 200);
    assert_eq!(at(Origin::RestEu).token(&eu).send().await.status, 200);
    assert_eq!(at(Origin::RestEu).token(&us).send().await.status, 401);
    assert_eq!(at(Origin::RestUs).token(&eu).send().await.status, 401);
}

#[tokio::test]
async fn accept_must_ask_for_version_two() {
    let simulator = simulator().await;
    for accept in ["", "application/json", "*/*", "application/vnd.pagerduty+json"] {
        let answer = get(&simulator, "/users").header("accept", accept).send().await;
        assert_eq!(answer.status, 406, "{accept}");
    }
    for accept in [
        ACCEPT,
        "application/vnd.pagerduty+json; version=2",
        "text/html, application/vnd.pagerduty+json;version=2",
    ] {
        let answer = get(&simulator, "/users").header("accept", accept).send().await;
        assert_eq!(answer.status, 200, "{accept}");
    }
}

#[tokio::test]
async fn keys_without_a_user_need_from_on_writes_and_on_nothing_else() {
    let simulator = simulator().await;
    let keys = simulator.us().keys();
    let body = new_incident(&simulator);
    let create = || ask(&simulator, "POST", "/incidents").json(&body);

    for anonymous in [create().header("from", ""), create().header("from", "").bearer(&keys.app)] {
        let answer = anonymous.send().await;
        assert_eq!(answer.error(), (400, 2016));
        assert_eq!(
            answer.json()["error"]["message"],
            "You must specify a user's email address in the \"From\" header to perform this action"
        );
    }
    for malformed in ["ada", "ada@", "@example.com", "ada@example", "a da@example.com", "a@b@c.de"]
    {
        let answer = create().header("from", malformed).send().await;
        assert_eq!(answer.error(), (400, 1028), "{malformed}");
    }
    let stranger = create().header("from", "nobody@example.com").send().await;
    assert_eq!(stranger.error(), (400, 1008));
    assert_eq!(create().header("from", "ben@example.com").send().await.status, 201);

    assert_eq!(create().header("from", "").token(&keys.user).send().await.status, 201);
    assert_eq!(create().header("from", "").bearer(&keys.classic_write).send().await.status, 201);
    assert_eq!(get(&simulator, "/incidents").header("from", "").send().await.status, 200);
}

#[tokio::test]
async fn a_read_only_credential_cannot_write() {
    let simulator = simulator().await;
    let keys = simulator.us().keys();
    let body = new_incident(&simulator);
    let create = || ask(&simulator, "POST", "/incidents").json(&body);
    assert_eq!(create().token(&keys.account_read_only).send().await.error(), (403, 2010));
    let dan = simulator.us().users()[3].id.clone();
    let key = simulator.us().mint_user_key(&dan);
    assert_eq!(create().token(&key).send().await.error(), (403, 2010));
    assert_eq!(get(&simulator, "/incidents").token(&key).send().await.status, 200);
}

#[tokio::test]
async fn a_token_needs_the_scope_of_the_operation() {
    let simulator = simulator().await;
    let us = simulator.us();
    let body = new_incident(&simulator);
    let create = || ask(&simulator, "POST", "/incidents").json(&body);

    let reader = us.mint_token(TokenKind::UserToken, &["incidents.read"]);
    assert_eq!(get(&simulator, "/incidents").bearer(&reader).send().await.status, 200);
    let refused = create().bearer(&reader).send().await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json(),
        json!({"error": {
            "message": "Token missing required scopes", "required_scopes": "incidents.write",
        }})
    );
    assert_eq!(get(&simulator, "/services").bearer(&reader).send().await.status, 403);
    let writer = us.mint_token(TokenKind::AppToken, &["incidents.write"]);
    assert_eq!(create().bearer(&writer).send().await.status, 201);
    assert_eq!(get(&simulator, "/incidents").bearer(&writer).send().await.status, 403);
    assert_eq!(create().bearer(&us.keys().classic_read).send().await.status, 403);
    assert_eq!(create().bearer(&us.keys().classic_write).send().await.status, 201);
}

#[tokio::test]
async fn only_keys_with_a_user_have_a_current_user() {
    let simulator = simulator().await;
    let keys = simulator.us().keys();
    for answer in [
        get(&simulator, "/users/me").token(&keys.user).send().await,
        get(&simulator, "/users/me").bearer(&keys.classic_read).send().await,
    ] {
        assert_eq!(answer.json()["user"]["email"], "ada@example.com");
    }
    for answer in [
        get(&simulator, "/users/me").send().await,
        get(&simulator, "/users/me").bearer(&keys.app).send().await,
    ] {
        assert_eq!(answer.status, 400);
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_distinguished() {
    let simulator = simulator().await;
    for path in ["/nothing", "/incidents/", "//incidents", "/incidents/a/b/c/d", "/v2/enqueue"] {
        assert_eq!(get(&simulator, path).send().await.error(), (404, 2100), "{path}");
    }
    let answer = ask(&simulator, "DELETE", "/incidents").send().await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "GET, POST, PUT");
}

#[tokio::test]
async fn each_segment_is_decoded_separately() {
    let simulator = simulator().await;
    let id = simulator.us().incidents()[0].id.clone();
    let found = get(&simulator, &format!("/incidents/{id}/notes")).send().await;
    assert_eq!(found.status, 200);
    // The slash belongs to an ID that does not exist; the notes are not reached.
    for path in [format!("/incidents/{id}%2Fnotes"), format!("/incidents/..%2F{id}")] {
        assert_eq!(get(&simulator, &path).send().await.error(), (404, 2100), "{path}");
    }
    let first = format!("%{:02X}{}", id.as_bytes()[0], &id[1..]);
    assert_eq!(get(&simulator, &format!("/incidents/{first}")).send().await.status, 200);
    assert_eq!(get(&simulator, "/incidents/%FF").send().await.status, 404);
    let recorded = simulator.requests();
    assert!(recorded.iter().any(|request| request.path.ends_with("%2Fnotes")));
}

#[tokio::test]
async fn a_body_on_get_is_refused_and_recorded() {
    let simulator = simulator().await;
    let answer = get(&simulator, "/services").json(&json!({})).send().await;
    assert_eq!(answer.status, 400);
    assert!(simulator.violations()[0].contains("GET with a body"));
}

#[tokio::test]
async fn a_write_must_be_json() {
    let simulator = simulator().await;
    let body = new_incident(&simulator);
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        let answer = ask(&simulator, "POST", "/incidents").json(&body);
        let answer = answer.header("content-type", content_type).send().await;
        assert_eq!(answer.status, 400, "{content_type}");
    }
    let broken = ask(&simulator, "POST", "/incidents").json(&body).bytes("{\"incident\":");
    assert_eq!(broken.send().await.error(), (400, 2001));
    let fine = ask(&simulator, "POST", "/incidents").json(&body);
    let fine = fine.header("content-type", "application/json; charset=utf-8").send().await;
    assert_eq!(fine.status, 201);
}

#[tokio::test]
async fn query_parameters_are_judged() {
    let simulator = simulator().await;
    for (query, code) in [
        ("limit=101", 2001),
        ("limit=0", 2001),
        ("limit=ten", 2001),
        ("offset=-1", 2001),
        ("offset=9976", 2001),
        ("total=yes", 2001),
        ("statuses=triggered", 2001),
        ("statuses[]=open", 2001),
        ("urgencies[]=medium", 2001),
        ("include[]=everything", 2001),
        ("sort_by=title", 2001),
        ("sort_by=created_at:up", 2001),
        ("sort_by=created_at,urgency,incident_number", 2001),
        ("date_range=some", 2001),
        ("since=yesterday", 2004),
        // A plus that was not encoded arrives as a space.
        ("since=2026-01-01T00:00:00+02:00", 2004),
        ("since=2026-02-01&until=2026-01-01", 2005),
        ("since=2025-01-01&until=2025-07-02", 2005),
    ] {
        let answer = get(&simulator, &format!("/incidents?{query}")).send().await;
        assert_eq!(answer.error(), (400, code), "{query}");
    }
    for query in [
        "limit=100&offset=9900",
        "statuses[]=triggered&statuses%5B%5D=acknowledged",
        "sort_by=created_at:desc,urgency",
        "since=2026-01-01T00:00:00%2B02:00&until=2026-07-01T00:00:00%2B02:00",
        "date_range=all&total=true",
    ] {
        let answer = get(&simulator, &format!("/incidents?{query}")).send().await;
        assert_eq!(answer.status, 200, "{query}");
    }
    assert_eq!(simulator.violations(), Vec::<String>::new());
    assert_eq!(get(&simulator, "/incidents?colour=red").send().await.status, 200);
    assert!(simulator.violations()[0].ends_with("unknown query parameter colour"));
}

#[tokio::test]
async fn the_body_of_a_new_incident_is_judged() {
    let simulator = simulator().await;
    let good = new_incident(&simulator);
    let policy = simulator.us().escalation_policies()[0].id.clone();
    let ada = simulator.us().users()[0].id.clone();
    let user = |id: &str| json!({"assignee": {"id": id, "type": "user_reference"}});
    for (pointer, value, code) in [
        ("/incident", Value::Null, 2001),
        ("/incident/type", json!("accident"), 2001),
        ("/incident/title", Value::Null, 2001),
        ("/incident/title", json!("  "), 2001),
        ("/incident/title", json!(7), 2001),
        ("/incident/service", json!("PABC"), 2001),
        ("/incident/service/type", json!("service"), 2001),
        ("/incident/service/id", json!("PUNKNOWN"), 5002),
        ("/incident/urgency", json!("medium"), 2001),
        ("/incident/body", json!({"type": "incident_body", "details": {"a": 1}}), 2001),
        ("/incident/priority", json!({"id": "PX", "type": "priority_reference"}), 1020),
        ("/incident/priority", json!({"id": "PX", "type": "priority"}), 2001),
        ("/incident/assignments", json!([user("PNOBODY")]), 1007),
        ("/incident/assignments", json!([user(&ada), user(&ada)]), 2001),
        ("/incident/assignments", json!({"assignee": ada}), 2001),
        (
            "/incident/escalation_policy",
            json!({"id": "PX", "type": "escalation_policy_reference"}),
            1014,
        ),
        ("/incident/escalation_policy", json!({"id": policy}), 2001),
    ] {
        let mut body = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value.clone();
        let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
        assert_eq!(answer.error(), (400, code), "{pointer} {value}");
    }
    for name in ["type", "title", "service"] {
        let mut body = good.clone();
        body["incident"].as_object_mut().unwrap().remove(name);
        let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
        assert_eq!(answer.json()["error"]["errors"][0], format!("incident.{name} is required"));
    }
    let count = simulator.us().incident_count();
    let mut body = good.clone();
    body["incident"]["colour"] = json!("red");
    assert_eq!(ask(&simulator, "POST", "/incidents").json(&body).send().await.status, 201);
    assert_eq!(simulator.us().incident_count(), count + 1);
    assert!(simulator.violations()[0].ends_with("unknown body field incident.colour"));
}

#[tokio::test]
async fn a_disabled_service_and_an_empty_policy_refuse_incidents() {
    let simulator = simulator().await;
    let mut body = new_incident(&simulator);
    let services = simulator.us().services();
    let disabled = services.iter().find(|service| service.status == "disabled").unwrap();
    body["incident"]["service"]["id"] = json!(disabled.id);
    let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
    assert_eq!(answer.error(), (400, 2001));

    let mut body = new_incident(&simulator);
    let policies = simulator.us().escalation_policies();
    let empty = policies.iter().find(|policy| policy.name == "Nobody on call").unwrap();
    body["incident"]["escalation_policy"] =
        json!({"id": empty.id, "type": "escalation_policy_reference"});
    let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
    assert_eq!(answer.error(), (400, 1015));
}

#[tokio::test]
async fn a_wrong_host_is_recorded() {
    let simulator = simulator().await;
    assert_eq!(get(&simulator, "/services").http1().send().await.status, 200);
    assert_eq!(simulator.requests()[0].host, "api.pagerduty.com");
    assert_eq!(simulator.violations(), Vec::<String>::new());
    let wrong = get(&simulator, "/services").http1().host("api.eu.pagerduty.com");
    assert_eq!(wrong.send().await.status, 200);
    assert!(simulator.violations()[0].contains("host api.eu.pagerduty.com was sent to"));
}

#[tokio::test]
async fn the_rate_limit_is_a_sliding_window_per_key() {
    let simulator = Simulator::builder().rate_limit(2).start().await.unwrap();
    let first = get(&simulator, "/abilities").send().await;
    assert_eq!(first.header("ratelimit-limit"), "2");
    assert_eq!(first.header("ratelimit-remaining"), "1");
    assert!(first.header("ratelimit-reset").parse::<u32>().unwrap() <= 60);
    assert_eq!(get(&simulator, "/nothing").send().await.header("ratelimit-remaining"), "0");
    let refused = get(&simulator, "/abilities").send().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json(), json!({"error": {"message": "Rate Limit Exceeded", "code": 2020}}));
    assert!(refused.header("retry-after").is_empty());

    let keys = simulator.us().keys();
    assert_eq!(get(&simulator, "/abilities").token(&keys.user).send().await.status, 200);
    // Another key of the same user uses the same budget.
    let ada = simulator.us().users()[0].id.clone();
    let second = simulator.us().mint_user_key(&ada);
    let shared = get(&simulator, "/abilities").token(&second).send().await;
    assert_eq!(shared.header("ratelimit-remaining"), "0");

    simulator.advance_clock(std::time::Duration::from_secs(60));
    assert_eq!(get(&simulator, "/abilities").send().await.status, 200);
    simulator.set_rate_limit(1);
    assert_eq!(get(&simulator, "/abilities").send().await.status, 429);
}
