//! Lists and lookups of the REST API.

use serde_json::{Value, json};
use workflow_node_sdk::testing::{Host, answer};
use workflow_node_sdk::time;

use crate::support::{call, connected, host, only_request};

#[test]
fn filters_are_sent_as_query_parameters() {
    let host = host(&[(200, r#"{"incidents":[{"id":"Q1"}],"more":false}"#)]).at(1_770_000_000);
    let parameters = json!({
        "statuses": ["triggered", "acknowledged"], "service_ids": ["PSERVI1"],
        "since": "2026-01-01T00:00:00+01:00", "sort_by": ["created_at:desc", "urgency:asc"],
        "include": ["users"], "limit": 10,
    });
    assert_eq!(call(&host, "incident.list", &parameters).unwrap(), [json!({"id": "Q1"})]);
    assert_eq!(
        only_request(&host).url,
        "https://api.pagerduty.com/incidents?service_ids%5B%5D=PSERVI1&statuses%5B%5D=triggered\
         &statuses%5B%5D=acknowledged&sort_by=created_at%3Adesc%2Curgency%3Aasc&include%5B%5D=users\
         &since=2026-01-01T00%3A00%3A00%2B01%3A00&until=2026-02-02T02%3A40%3A01Z&limit=10"
    );
}

#[test]
fn each_listing_reads_the_member_of_its_records() {
    for (action, parameters, path, member) in [
        ("incident.list", json!({}), "/incidents", "incidents"),
        ("incident_note.list", json!({"incident_id": "Q1"}), "/incidents/Q1/notes", "notes"),
        ("log_entry.list", json!({}), "/log_entries", "log_entries"),
        ("service.list", json!({}), "/services", "services"),
        ("user.list", json!({}), "/users", "users"),
        ("ability.list", json!({}), "/abilities", "abilities"),
    ] {
        let host = host(&[(200, &format!(r#"{{"{member}":["x"],"more":false}}"#))]);
        assert_eq!(call(&host, action, &parameters).unwrap(), [json!("x")], "{action}");
        let url = only_request(&host).url;
        let path_of_url = url.trim_start_matches("https://api.pagerduty.com");
        assert_eq!(path_of_url.split('?').next(), Some(path), "{action}");
    }
}

#[test]
fn each_lookup_reads_the_member_of_its_record() {
    for (action, parameter, path, member) in [
        ("incident.get", "incident_id", "/incidents/A%2FB", "incident"),
        ("log_entry.get", "log_entry_id", "/log_entries/A%2FB", "log_entry"),
        ("service.get", "service_id", "/services/A%2FB", "service"),
        ("user.get", "user_id", "/users/A%2FB", "user"),
    ] {
        let host = host(&[(200, &format!(r#"{{"{member}":{{"id":"id:A/B"}}}}"#))]);
        let output = call(&host, action, &json!({parameter: "id:A/B"})).unwrap();
        assert_eq!(output, [json!({"id": "id:A/B"})], "{action}");
        assert_eq!(only_request(&host).url, format!("https://api.pagerduty.com{path}"));
    }
}

#[test]
fn the_current_user_needs_no_parameters() {
    let host = host(&[(200, r#"{"user":{"id":"PUSER01"}}"#)]);
    assert_eq!(call(&host, "user.me", &json!({})).unwrap(), [json!({"id": "PUSER01"})]);
    assert_eq!(only_request(&host).url, "https://api.pagerduty.com/users/me");
}

#[test]
fn a_list_with_a_default_range_is_read_through_all_of_time() {
    const NOW: i64 = 1_770_000_000;
    for (action, parameters, member) in [
        ("audit_record.list", json!({"all": true}), "records"),
        ("audit_record.of_team", json!({"team_id": "P0TEAM1", "since": "2025-01-01"}), "records"),
        ("log_entry.list", json!({"all": true}), "log_entries"),
        ("change_event.list", json!({"all": true}), "change_events"),
        (
            "notification.list",
            json!({"since": "2025-01-01", "until": "2026-01-01"}),
            "notifications",
        ),
        (
            "analytics_incident.list",
            json!({"filters": {"created_at_end": "2026-01-01", "team_ids": ["P0TEAM1"]}}),
            "data",
        ),
    ] {
        let body = json!({member: [], "more": false, "next_cursor": null}).to_string();
        let host = Host::answering(move |request| {
            let looked_up = r#"{"team":{"id":"P0TEAM1"}}"#.to_owned();
            let body = if request.url.ends_with("/teams/P0TEAM1") { &looked_up } else { &body };
            Ok(answer(200, body))
        });
        let host = connected(host.at(NOW), json!({"region": "us"}));
        call(&host, action, &parameters).unwrap();
        let mut ranges: Vec<(i64, i64)> = host
            .requests()
            .iter()
            .filter_map(|request| range(&request.url, request.body.as_deref()))
            .collect();
        ranges.sort_unstable();
        let longest = match action {
            "audit_record.list" | "audit_record.of_team" => 31,
            "notification.list" => 89,
            "analytics_incident.list" => 365,
            _ => 40_000,
        };
        let whole = ranges.iter().all(|(since, until)| until - since <= longest * 86_400);
        assert!(whole, "{action}: {ranges:?}");
        let joined = ranges.windows(2).all(|pair| pair[0].1 == pair[1].0);
        assert!(joined, "{action}: {ranges:?}");
        let (first, last) = (ranges[0].0, ranges[ranges.len() - 1].1);
        let bounded = parameters.get("since").is_some();
        let begins = if bounded { first == 1_735_689_600 } else { first <= 1_230_768_000 };
        assert!(begins && last >= 1_767_225_600, "{action}: {ranges:?}");
    }
}

#[test]
fn a_schedule_that_no_policy_uses_still_has_users_on_call() {
    let user = r#"{"id":"PUSER01","type":"user","name":"Ada"}"#;
    let users = format!(r#"{{"users":[{user}]}}"#);
    let schedule = r#"{"schedule":{"id":"P0SCHED"}}"#;
    let none = r#"{"oncalls":[],"more":false}"#;
    let host = host(&[(200, none), (200, schedule), (200, &users)]).at(1_770_000_000);
    let found = call(&host, "on_call.now", &json!({"schedule_id": "P0SCHED"})).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["user"]["name"], "Ada");
    assert_eq!(found[0]["schedule"]["id"], "P0SCHED");
    assert_eq!(found[0]["escalation_level"], Value::Null);
    let asked = &host.requests()[2].url;
    assert!(asked.contains("/schedules/P0SCHED/users?since="), "{asked}");
}

#[test]
fn a_date_and_an_offset_without_a_colon_are_times_of_a_range() {
    for (since, sent) in [
        ("2026-01-17", "2026-01-17T00%3A00%3A00Z"),
        ("2026-01-17T08:42:58.315+0000", "2026-01-17T08%3A42%3A58.315Z"),
    ] {
        let host = host(&[(200, r#"{"incidents":[{"id":"Q1"}],"more":false}"#)]).at(1_770_000_000);
        call(&host, "incident.list", &json!({"since": since})).unwrap();
        let url = only_request(&host).url;
        assert!(url.contains(&format!("since={sent}&")), "{url}");
    }
}

/// The time range of a request.
fn range(url: &str, body: Option<&[u8]>) -> Option<(i64, i64)> {
    let parse = |text: &str| time::parse(text);
    if let Some(body) = body {
        let body: Value = serde_json::from_slice(body).unwrap();
        let filters = &body["filters"];
        let end = |name: &str| parse(filters[name].as_str().unwrap());
        return end("created_at_start").zip(end("created_at_end"));
    }
    let end = |name: &str| {
        let (_, rest) = url.split_once(&format!("{name}="))?;
        parse(&rest.split('&').next()?.replace("%3A", ":"))
    };
    end("since").zip(end("until"))
}
