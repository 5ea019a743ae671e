//! Peculiarities of PagerDuty's API that its schema states only in passing.

use pagerduty_simulator::facts;
use serde_json::{Value, json};
use workflow_node_sdk::declare::Kind;
use workflow_node_sdk::error::ErrorKind;
use workflow_node_sdk::testing::{Host, answer};

use crate::support::{call, connected, host, sent};

/// The URLs of the requests of an action; every response is this one.
fn urls(action: &str, parameters: &Value, body: &Value) -> Vec<String> {
    let body = body.to_string();
    let host = Host::answering(move |_| Ok(answer(200, &body)));
    let host = connected(host.at(1_770_000_000), json!({"region": "us"}));
    call(&host, action, parameters).unwrap_or_else(|error| panic!("{action}: {error:?}"));
    host.requests().into_iter().map(|request| request.url).collect()
}

#[test]
fn the_time_range_of_change_events_is_sent_in_utc() {
    let none = json!({"change_events": [{"id": "P1", "timestamp": "2026-01-20T00:00:00Z"}],
        "service": {"id": "P0SERVI"}, "more": false});
    for (action, mut parameters) in [
        ("change_event.list", json!({})),
        ("change_event.of_service", json!({"service_id": "P0SERVI"})),
    ] {
        parameters["since"] = json!("2026-01-17T10:30:00+02:00");
        parameters["until"] = json!("2026-01-25T08:42:58.315-0330");
        for url in urls(action, &parameters, &none) {
            assert!(url.contains("since=2026-01-17T08%3A30%3A00Z"), "{url}");
            assert!(url.contains("until=2026-01-25T12%3A12%3A58Z"), "{url}");
        }
        for (end, given, sent) in [
            ("since", "2026-01-17T23:30+02:00", "2026-01-17T21%3A30%3A00Z"),
            ("until", "2026-01-17", "2026-01-17T00%3A00%3A00Z"),
        ] {
            let mut one = parameters.clone();
            one.as_object_mut().unwrap().retain(|name, _| name == "service_id");
            one[end] = json!(given);
            for url in urls(action, &one, &none) {
                assert!(url.contains(&format!("{end}={sent}")), "{url}");
                let (_, query) = url.split_once('?').unwrap();
                let times = query
                    .split('&')
                    .filter(|one| one.starts_with("since=") || one.starts_with("until="));
                let times: Vec<&str> = times.collect();
                assert_eq!(times.len(), 2, "{url}");
                assert!(times.iter().all(|time| time.ends_with('Z')), "{url}");
            }
        }
    }
}

#[test]
fn a_sort_order_is_sent_as_each_list_takes_it() {
    for (action, given, sent) in [
        ("incident_workflow_trigger.list", json!("workflow_name asc"), "workflow_name%20asc"),
        ("service.list", json!("name:desc"), "name%3Adesc"),
        ("template.list", json!("created_at:desc"), "created_at%3Adesc"),
        ("event_orchestration.list", json!("routes:asc"), "routes%3Aasc"),
        (
            "incident.list",
            json!(["urgency:asc", "created_at:desc"]),
            "urgency%3Aasc%2Ccreated_at%3Adesc",
        ),
    ] {
        let lists = ["triggers", "services", "templates", "orchestrations", "incidents"];
        let mut none: Value = json!({"more": false});
        for list in lists {
            none[list] = json!([]);
        }
        let urls = urls(action, &json!({"sort_by": given}), &none);
        assert!(urls[0].contains(&format!("sort_by={sent}")), "{}", urls[0]);
    }
}

#[test]
fn every_sort_order_of_the_facts_can_be_selected() {
    for operation in facts::operations().iter().filter(|one| !one.deprecated) {
        let Some(field) = operation.query.iter().find(|field| field.name == "sort_by") else {
            continue;
        };
        let node = pagerduty_declaration::node();
        let action = node
            .actions()
            .find(|action| {
                action.route.method == "GET"
                    && crate::oracle::same_path(action.route.path, &operation.path)
                    && action.parameters.iter().any(|param| param.name == "sort_by")
            })
            .unwrap_or_else(|| panic!("{}", operation.id));
        let param = action.parameters.iter().find(|param| param.name == "sort_by").unwrap();
        let offered = match param.kind {
            Kind::OneOf(offered) => offered,
            Kind::List(Kind::OneOf(offered)) => *offered,
            other => panic!("{}: {other:?}", action.name),
        };
        for value in &field.values {
            let is_offered =
                offered.iter().any(|one| *one == value || one.trim_end_matches(":asc") == value);
            assert!(is_offered, "{}: {value} is not one of {offered:?}", action.name);
        }
    }
}

#[test]
fn a_vendor_is_one_record_in_a_list_or_not() {
    let vendor = json!({"id": "PVENDOR", "name": "Nagios"});
    for envelope in [json!([vendor]), vendor.clone()] {
        let host = host(&[(200, &json!({"vendor": envelope}).to_string())]);
        let found = call(&host, "vendor.get", &json!({"vendor_id": "PVEND01"})).unwrap();
        assert_eq!(found, std::slice::from_ref(&vendor));
    }
}

#[test]
fn a_cursor_is_followed_where_the_schema_declares_no_parameter_for_it() {
    for (action, parameters, member) in [
        ("status_dashboard.list", json!({"all": true}), "status_dashboards"),
        ("incident.business_impacts", json!({"incident_id": "Q1", "all": true}), "services"),
    ] {
        let page =
            |id: &str, next: Value| json!({member: [{"id": id}], "limit": 1, "next_cursor": next});
        let (first, second) = (page("P1", json!("a b")), page("P2", Value::Null));
        let host = host(&[(200, &first.to_string()), (200, &second.to_string())]);
        let found = call(&host, action, &parameters).unwrap();
        assert!(found.iter().any(|one| one["id"] == "P2"), "{action}: {found:?}");
        let url = &host.requests()[1].url;
        assert!(url.ends_with("?cursor=a%20b"), "{action}: {url}");
    }
}

#[test]
fn references_in_a_record_keep_their_id_and_their_type() {
    let full = |kind: &str, id: &str| {
        json!({"id": id, "type": kind, "summary": "s", "self": "https://api.pagerduty.com/x",
            "html_url": null})
    };
    let policy = json!({"id": "P0POLIC", "type": "escalation_policy", "name": "p", "self": "x",
        "escalation_rules": [{"id": "PRULE01", "escalation_delay_in_minutes": 30, "targets": [
            full("user_reference", "PUSER01"), full("schedule_reference", "PSCHED1")]}],
        "teams": [full("team_reference", "PTEAM01")], "services": [full("service_reference", "PSVC001")]});
    let parameters = json!({"escalation_policy_id": "P0POLIC", "object": policy});
    let sent = sent("escalation_policy.update", &parameters);
    let policy = &sent["escalation_policy"];
    let targets = json!([{"id": "PUSER01", "type": "user_reference"}, {"id": "PSCHED1", "type": "schedule_reference"}]);
    assert_eq!(policy["escalation_rules"][0]["targets"], targets);
    assert_eq!(policy["escalation_rules"][0]["id"], "PRULE01");
    assert_eq!(policy["teams"], json!([{"id": "PTEAM01", "type": "team_reference"}]));
    // With an object in full in place of a reference, as `include` returns it.
    let service = json!({"id": "PSVC001", "type": "service", "name": "s",
        "escalation_policy": {"id": "P0POLIC", "type": "escalation_policy", "name": "p", "num_loops": 2}});
    let body = crate::support::sent(
        "service.update",
        &json!({"service_id": "PSVC001", "object": service}),
    );
    let reference = &body["service"]["escalation_policy"];
    assert_eq!(reference["id"], "P0POLIC");
    assert_eq!(reference["type"], "escalation_policy_reference");
}

#[test]
fn a_rate_limit_without_headers_or_a_body_is_one() {
    for (action, parameters) in [
        ("incident.get", json!({"incident_id": "Q1"})),
        ("event.resolve", json!({"dedup_key": "k"})),
        ("incident_note.create", json!({"incident_id": "Q1", "content": "n"})),
    ] {
        let host = host(&[(429, "")]);
        let error = call(&host, action, &parameters).unwrap_err();
        assert_eq!(error.kind, ErrorKind::RateLimited, "{action}");
        assert_eq!(error.retry_after, None, "{action}");
        assert!(error.message.contains("429"), "{}", error.message);
    }
}

#[test]
fn no_shape_of_an_error_loses_its_texts() {
    let texts = ["first reason", "second reason"];
    let [one, two] = texts;
    for body in [
        json!({"error": {"message": one, "code": 2001, "errors": [two]}}),
        json!({"error": {"message": one, "errors": two}}),
        json!({"error": {"message": one, "errors": {"name": [two]}}}),
        json!({"error": {"message": one, "errors": [{"messages": [two], "position": 1}]}}),
        json!({"error": {"message": [one, two]}}),
        json!({"error": {"errors": texts}}),
        json!({"error": texts}),
        json!({"error": one, "message": two}),
        json!({"error": one, "error_description": two}),
        json!({"error": one, "errors": two}),
        json!({"errors": texts}),
        json!({"status": "invalid event", "message": one, "errors": [two]}),
        json!({"title": one, "detail": two, "status": 400}),
        json!(texts),
    ] {
        for (action, parameters) in [
            ("incident.get", json!({"incident_id": "Q1"})),
            ("event.resolve", json!({"dedup_key": "k"})),
        ] {
            let host = host(&[(400, &body.to_string())]);
            let error = call(&host, action, &parameters).unwrap_err();
            for text in texts {
                let count = error.message.matches(text).count();
                assert_eq!(count, 1, "{action}: {body}: {}", error.message);
            }
        }
    }
    let host = host(&[(503, "upstream connect error\n")]);
    let error = call(&host, "incident.get", &json!({"incident_id": "Q1"})).unwrap_err();
    assert_eq!(error.message, "PagerDuty answered 503: upstream connect error");
}
