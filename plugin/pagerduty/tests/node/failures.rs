//! Failures that PagerDuty reports in a successful response.

use serde_json::{Value, json};
use workflow_node_sdk::error::{Error, ErrorKind};

use crate::support::{call, host};

/// The error of an action that PagerDuty answers with this body.
fn failed(status: u16, action: &str, parameters: &Value, body: &Value) -> Error {
    let host = host(&[(status, &body.to_string())]);
    call(&host, action, parameters).expect_err(action)
}

#[test]
fn a_subscriber_that_is_not_authorized_is_an_error() {
    let answer = |result: &str| {
        json!({"subscriptions": [
            {"subscriber_id": "PUSER01", "subscriber_type": "user", "result": "duplicate"},
            {"subscriber_id": "PUSER02", "subscriber_type": "user", "result": result},
        ]})
    };
    let users = json!([{"subscriber_id": "PUSER01", "subscriber_type": "user"},
        {"subscriber_id": "PUSER02", "subscriber_type": "user"}]);
    let things = json!([{"subscribable_id": "PINC001", "subscribable_type": "incident"}]);
    for (action, parameters) in [
        ("incident_subscriber.create", json!({"incident_id": "PINC001", "subscribers": users})),
        (
            "business_service_subscriber.create",
            json!({"business_service_id": "PBUS001", "subscribers": users}),
        ),
        ("team_subscription.create", json!({"team_id": "PTEAM01", "subscribables": things})),
        ("user_subscription.create", json!({"user_id": "PUSER01", "subscribables": things})),
    ] {
        let error = failed(200, action, &parameters, &answer("unauthorized"));
        assert_eq!(error.kind, ErrorKind::Forbidden, "{action}");
        assert!(error.message.contains("PUSER02: unauthorized"), "{action}: {}", error.message);
        assert!(error.message.contains("1 of 2 succeeded"), "{action}: {}", error.message);
        let host = host(&[(200, &answer("success").to_string())]);
        assert_eq!(call(&host, action, &parameters).unwrap().len(), 2, "{action}");
    }
}

#[test]
fn a_subscription_that_could_not_be_removed_is_an_error() {
    let counts = |unauthorized: u32| json!({"deleted_count": 1, "unauthorized_count": unauthorized, "non_existent_count": 1});
    let parameters = json!({"incident_id": "PINC001",
        "subscribers": [{"subscriber_id": "PUSER01", "subscriber_type": "user"}]});
    let error = failed(200, "incident_subscriber.delete", &parameters, &counts(1));
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error:?}");
    let host = host(&[(200, &counts(0).to_string())]);
    call(&host, "incident_subscriber.delete", &parameters).unwrap();
}

#[test]
fn a_responder_request_that_was_not_canceled_is_an_error() {
    let parameters = json!({"incident_id": "PINC001", "requester_id": "PUSER09",
        "responder_request_targets": [{"type": "user_reference", "id": "PUSER01"}]});
    for (result, kind) in [
        ("joined", ErrorKind::InvalidInput),
        ("declined", ErrorKind::InvalidInput),
        ("not_found", ErrorKind::NotFound),
    ] {
        let target = json!({"type": "user_reference", "id": "PUSER01", "result": result});
        let body = json!({"responder_request_targets": [target]});
        let error = failed(200, "incident_responder.cancel", &parameters, &body);
        assert_eq!(error.kind, kind, "{result}");
        assert!(error.message.contains(&format!("PUSER01: {result}")), "{}", error.message);
    }
}

#[test]
fn each_part_of_a_multi_status_response_that_failed_is_in_the_error() {
    let body = json!({"associations": [
        {"status": 201, "errors": [], "association": {"type": "service_reference", "id": "PSVC001"}},
        {"status": 500, "errors": ["Internal Server Error"],
            "association": {"type": "service_reference", "id": "PSVC002"}},
    ]});
    let parameters = json!({"event_enrichment_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "associations": [{"type": "service_reference", "id": "PSVC001"}]});
    for action in ["event_enrichment_association.create", "event_enrichment_association.delete"] {
        let error = failed(207, action, &parameters, &body);
        assert!(error.message.contains("PSVC002: Internal Server Error"), "{}", error.message);
        assert!(error.message.contains("1 of 2 succeeded"), "{}", error.message);
    }
}

#[test]
fn a_template_that_could_not_be_rendered_is_an_error() {
    let parameters = json!({"template_id": "PTEMPL1", "incident_id": "PINC001"});
    let body = json!({"templated_fields": {}, "warnings": [], "errors": ["message is not closed"]});
    let error = failed(200, "template.render", &parameters, &body);
    assert!(error.message.contains("message is not closed"), "{}", error.message);
}

#[test]
fn an_envelope_that_differs_from_the_documented_one_is_accepted() {
    let rule = json!({"id": "PRULE01", "type": "status_update_notification_rule"});
    for envelope in ["status_update_notification_rule", "notification_rule"] {
        let host = host(&[(201, &json!({ envelope: rule }).to_string())]);
        let parameters = json!({"user_id": "PUSER01", "contact_method_id": "P0CONT1",
            "contact_method_type": "email_contact_method_reference"});
        let made = call(&host, "user_status_update_rule.create", &parameters).unwrap();
        assert_eq!(made, std::slice::from_ref(&rule), "{envelope}");
    }
    let counts = json!({"paused_count": 3, "triggered_after_pause_count": 1});
    for envelope in ["paused_incident_reporting_counts", "paused_incident_reports"] {
        let host = host(&[(200, &json!({ envelope: counts }).to_string())]);
        let shown = call(&host, "paused_incident.counts", &json!({})).unwrap();
        assert_eq!(shown, std::slice::from_ref(&counts), "{envelope}");
    }
}

#[test]
fn a_write_that_was_answered_is_never_reported_as_retriable() {
    for action in ["user_status_update_rule.create", "incident_note.create", "tag.create"] {
        let host = host(&[(201, "<html>Welcome</html>")]);
        let parameters = match action {
            "tag.create" => json!({"label": "EMEA"}),
            "incident_note.create" => json!({"incident_id": "PINC001", "content": "n"}),
            _ => json!({"user_id": "PUSER01", "contact_method_id": "P0CONT1",
                "contact_method_type": "email_contact_method_reference"}),
        };
        let error = call(&host, action, &parameters).unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{action}: {error:?}");
    }
}
