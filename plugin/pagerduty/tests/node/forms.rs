//! Everything that PagerDuty documents can be entered, and is sent in the form that it accepts.

use serde_json::{Value, json};
use workflow_node_sdk::error::ErrorKind;

use crate::support::{call, sent};

/// The error with which an action refuses parameters.
fn refused(action: &str, parameters: &Value) -> String {
    let host = crate::support::host(&[]);
    call(&host, action, parameters).expect_err(action).message
}

#[test]
fn an_option_of_a_field_keeps_its_id() {
    let options = json!([{"id": "POPTION", "data": {"data_type": "string", "value": "eu"}}]);
    let parameters = json!({
        "incident_type": "PTYPE01", "field_id": "PFIELD1", "field_options": options,
    });
    let sent = sent("incident_type_field.update", &parameters);
    assert_eq!(sent["field"]["field_options"], options);
}

#[test]
fn support_hours_have_days_of_the_week() {
    let parameters = json!({
        "name": "Shop", "escalation_policy_id": "PABC123",
        "support_hours": {"time_zone": "Europe/Berlin", "start_time": "09:00:00",
            "end_time": "17:00:00", "days_of_week": [1, 2, 3, 4, 5]},
    });
    let hours = &sent("service.create", &parameters)["service"]["support_hours"];
    assert_eq!(hours["days_of_week"], json!([1, 2, 3, 4, 5]));
    assert_eq!(hours["type"], "fixed_time_per_day");
}

#[test]
fn null_and_empty_text_clear_a_field_of_an_update() {
    for (action, field, value) in [
        ("service.update", "auto_resolve_timeout", Value::Null),
        ("service.update", "support_hours", Value::Null),
        ("service.update", "description", json!("")),
    ] {
        let sent = sent(action, &json!({"service_id": "PABC123", field: value}));
        assert_eq!(sent["service"].get(field), Some(&value), "{field}");
    }
    let sent = sent("user.update", &json!({"user_id": "PABC123", "time_zone": null}));
    assert_eq!(sent["user"]["time_zone"], Value::Null);
    let parameters = json!({"business_service_id": "PABC123", "team_id": null});
    let sent = self::sent("business_service.update", &parameters);
    assert!(sent["business_service"].as_object().unwrap().contains_key("team"), "{sent}");
}

#[test]
fn a_layer_of_a_schedule_may_have_no_end() {
    let layer = json!({"start": "2026-01-05", "end": null, "user_ids": ["PABC123"],
        "rotation_virtual_start": "2026-01-05T09:00+0100", "rotation_turn_length_seconds": 604_800});
    let parameters = json!({"name": "On call", "time_zone": "UTC", "schedule_layers": [layer]});
    let sent = sent("schedule.create", &parameters);
    let layer = &sent["schedule"]["schedule_layers"][0];
    assert_eq!(layer["end"], Value::Null);
    assert_eq!(layer["start"], "2026-01-05T00:00:00Z");
    assert_eq!(layer["rotation_virtual_start"], "2026-01-05T09:00:00+01:00");
}

#[test]
fn a_contact_method_may_be_an_email_address() {
    let parameters = json!({"user_id": "PABC123", "type": "email_contact_method",
        "label": "Work", "address": "ada@example.com"});
    assert_eq!(
        sent("user_contact_method.create", &parameters)["contact_method"],
        json!({"type": "email_contact_method", "label": "Work", "address": "ada@example.com"})
    );
}

#[test]
fn a_shift_based_schedule_may_be_a_target() {
    let rules = json!([{"escalation_delay_in_minutes": 30,
        "targets": [{"id": "PABC123", "type": "schedule_v3_reference"}]}]);
    let parameters = json!({"name": "Shop", "escalation_rules": rules});
    let sent = sent("escalation_policy.create", &parameters);
    assert_eq!(sent["escalation_policy"]["escalation_rules"], rules);
}

#[test]
fn a_union_takes_the_members_of_the_selected_variant() {
    let parameters = json!({"name": "Job", "description": "d", "action_type": "process_automation",
        "action_data_reference": {"process_automation_job_id": "123"}});
    let sent = sent("automation_action.create", &parameters);
    let data = &sent["action"]["action_data_reference"];
    assert_eq!(data, &json!({"process_automation_job_id": "123"}));
    let wrong = json!({"user_id": "PABC123", "type": "email_contact_method", "label": "Work",
        "address": "ada@example.com", "country_code": 1});
    let message = refused("user_contact_method.create", &wrong);
    assert!(message.contains("country_code: belongs to the type"), "{message}");
}

#[test]
fn additional_fields_never_replace_form_fields() {
    let event = json!({"summary": "s", "source": "x", "severity": "info",
        "additional_fields": {"payload": {"custom_details": {"a": 1}, "severity": "critical"}}});
    assert_eq!(
        sent("event.trigger", &event)["payload"],
        json!({"custom_details": {"a": 1}, "summary": "s", "source": "x", "severity": "info"})
    );
    let service = json!({"service_id": "PABC123", "support_hours": {"time_zone": "UTC"},
        "additional_fields": {"support_hours": {"days_of_week": [1]}}});
    let hours = &sent("service.update", &service)["service"]["support_hours"];
    assert_eq!((&hours["time_zone"], &hours["days_of_week"]), (&json!("UTC"), &json!([1])));
}

#[test]
fn every_action_with_a_body_takes_additional_fields() {
    let lacking: Vec<&str> = pagerduty_declaration::node()
        .actions()
        .filter(|action| action.parameters.iter().any(|param| param.is_in_body()))
        .filter(|action| !action.parameters.iter().any(|one| one.name == "additional_fields"))
        .map(|action| action.name)
        .collect();
    assert_eq!(lacking, [""; 0]);
}

#[test]
fn no_update_shows_a_default_in_its_body() {
    let wrong: Vec<String> = pagerduty_declaration::node()
        .actions()
        .filter(|action| ["PUT", "PATCH"].contains(&action.route.method))
        .flat_map(|action| action.parameters.iter().map(move |param| (action, param)))
        .filter(|(_, param)| param.is_in_body() && param.default.is_some())
        .map(|(action, param)| format!("{}: {}", action.name, param.name))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_time_of_an_event_may_have_any_documented_form() {
    let event = json!({"summary": "s", "source": "x", "severity": "info",
        "timestamp": "2026-04-17T08:42:58.315+0000"});
    let payload = &sent("event.trigger", &event)["payload"];
    assert_eq!(payload["timestamp"], "2026-04-17T08:42:58.315Z");
    let wrong = json!({"summary": "s", "source": "x", "severity": "info", "timestamp": "soon"});
    let message = refused("event.trigger", &wrong);
    assert!(message.contains("timestamp: must be a date or a time"), "{message}");
}

#[test]
fn resolving_an_alert_accepts_details() {
    let event = json!({"dedup_key": "k", "custom_details": {"by": "deploy"}});
    let sent = sent("event.resolve", &event);
    assert_eq!(sent["payload"]["custom_details"], json!({"by": "deploy"}));
}

#[test]
fn a_url_copied_from_the_web_app_identifies_its_object() {
    for address in [
        "https://a.pagerduty.com/escalation_policies#PABC123",
        "https://a.pagerduty.com/escalation_policies/PABC123",
        "https://a.pagerduty.com/#/escalation_policies/PABC123",
        "https://api.pagerduty.com/escalation_policies/PABC123?include[]=teams",
    ] {
        let answer = r#"{"escalation_policy":{"id":"PABC123"}}"#;
        let host = crate::support::host(&[(200, answer)]);
        call(&host, "escalation_policy.get", &json!({"escalation_policy_id": address})).unwrap();
        let url = crate::support::only_request(&host).url;
        assert_eq!(url, "https://api.pagerduty.com/escalation_policies/PABC123", "{address}");
    }
}

#[test]
fn a_name_in_capitals_is_looked_up_and_an_unknown_one_is_an_error() {
    let services = r#"{"services":[{"id":"PABC123","name":"SHIPPING"}],"more":false}"#;
    let host = crate::support::host(&[(200, services), (200, r#"{"incidents":[]}"#)]);
    call(&host, "incident.list", &json!({"service_ids": ["SHIPPING"]})).unwrap();
    assert!(host.requests()[1].url.contains("service_ids%5B%5D=PABC123"));
    // It has the shape of an ID, so it is looked up as one first.
    let host = crate::support::host(&[(404, "{}"), (200, services)]);
    let error = call(&host, "incident.list", &json!({"service_ids": ["PRODUCT"]})).unwrap_err();
    assert!(error.message.contains("neither the ID nor the name"), "{}", error.message);
}

#[test]
fn a_filter_by_an_unknown_id_is_an_error() {
    let unknown = (404, r#"{"error":{"message":"Not Found","code":2100}}"#);
    for (action, filter, none) in [
        ("incident.list", "service_ids", r#"{"incidents":[],"more":false}"#),
        ("on_call.list", "schedule_ids", r#"{"oncalls":[],"more":false}"#),
        ("maintenance_window.list", "team_ids", r#"{"maintenance_windows":[],"more":false}"#),
    ] {
        let host = crate::support::host(&[(200, none), unknown]);
        let error = call(&host, action, &json!({filter: ["P0BC123"]})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{action}");
        assert!(error.message.starts_with(&format!("{filter}/0: `P0BC123`")), "{}", error.message);
    }
    // A service without incidents.
    let service = (200, r#"{"service":{"id":"P0BC123"}}"#);
    let host = crate::support::host(&[(200, r#"{"incidents":[],"more":false}"#), service]);
    let none = call(&host, "incident.list", &json!({"service_ids": ["P0BC123"]})).unwrap();
    assert!(none.is_empty());
}

#[test]
fn a_webhook_subscription_takes_an_oauth_client() {
    let parameters = json!({"url": "https://example.com/hook", "events": ["incident.triggered"],
        "filter_type": "account_reference", "oauth_client_id": "POAUTH1"});
    let sent = sent("webhook_subscription.create", &parameters);
    assert_eq!(sent["webhook_subscription"]["oauth_client_id"], "POAUTH1", "{sent}");
}
