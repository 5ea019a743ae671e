//! Variants of problems that people have reported about PagerDuty integrations: other resources, other
//! fields, another order, and other values of the same kind.

use serde_json::{Value, json};
use workflow_node_sdk::declare::{Place, Run};
use workflow_node_sdk::error::ErrorKind;
use workflow_node_sdk::testing::{Host, answer};

use crate::oracle::least_parameters;
use crate::support::{body, call, connected, host, sent};

/// A host that answers every request with this body.
fn answering(body: &Value) -> Host {
    let body = body.to_string();
    connected(Host::answering(move |_| Ok(answer(200, &body))), json!({"region": "us"}))
}

#[test]
fn additional_fields_reach_the_request_of_actions_with_custom_code() {
    let found = json!({"user": {"id": "PUSER01", "email": "ada@example.com"}});
    let mut checked = Vec::new();
    for action in pagerduty_declaration::node().actions() {
        let takes = |place: fn(Place) -> bool| action.parameters.iter().any(|one| place(one.place));
        if action.run == Run::Declared || !takes(|place| matches!(place, Place::BodyMembers(_))) {
            continue;
        }
        let mut parameters = least_parameters(action);
        match action.name {
            "incident.add_responders" => parameters["user_ids"] = json!(["PUSER01"]),
            "incident.reassign" => parameters["assignee_ids"] = json!(["PUSER01"]),
            "incident.set_custom_fields" => parameters["fields"] = json!({"a": 1}),
            "schedule_override.create" => parameters["minutes"] = json!(60),
            _ => {}
        }
        parameters["additional_fields"] = json!({"not_in_the_form": {"deep": [1]}});
        let host = answering(&found);
        let outcome = call(&host, action.name, &parameters);
        let is_sent = host.requests().iter().any(|request| {
            let body = request.body.as_deref().unwrap_or_default();
            String::from_utf8_lossy(body).contains(r#""not_in_the_form":{"deep":[1]}"#)
        });
        assert!(is_sent, "{}: {:?} {outcome:?}", action.name, host.requests());
        checked.push(action.name);
    }
    assert!(checked.len() >= 15, "{checked:?}");
}

#[test]
fn a_bulk_change_of_incidents_keeps_additional_fields_next_to_them() {
    let parameters =
        json!({"incidents": [{"id": "Q1", "title": "t"}], "additional_fields": {"note": "n"}});
    let sent = sent("incident.update_many", &parameters);
    assert_eq!(sent["note"], "n");
    assert_eq!(sent["incidents"][0]["title"], "t");
}

#[test]
fn more_alerts_than_one_request_takes_are_sent_in_several() {
    let alerts: Vec<Value> = (0..600)
        .map(|number| json!({"id": format!("PALERT{number}"), "status": "resolved"}))
        .collect();
    let parameters = json!({"incident_id": "Q1", "alerts": alerts});
    let host = connected(
        Host::answering(|request| {
            let sent: Value = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
            Ok(answer(200, &json!({"alerts": sent["alerts"], "more": false}).to_string()))
        }),
        json!({"region": "us"}),
    );
    let changed = call(&host, "incident_alert.update_many", &parameters).unwrap();
    let ids: Vec<&Value> = changed.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, alerts.iter().map(|one| &one["id"]).collect::<Vec<_>>());
    let sizes: Vec<usize> =
        host.requests().iter().map(|one| body(one)["alerts"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [250, 250, 100]);
}

#[test]
fn alerts_changed_before_a_refused_request_are_in_the_error() {
    let alerts: Vec<Value> = (0..251)
        .map(|number| json!({"id": format!("PALERT{number}"), "status": "resolved"}))
        .collect();
    let done = json!({"alerts": alerts[..250]}).to_string();
    let host = host(&[(200, &done), (404, r#"{"error":{"message":"Not Found","code":2100}}"#)]);
    let parameters = json!({"incident_id": "Q1", "alerts": alerts});
    let error = call(&host, "incident_alert.update_many", &parameters).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.message.ends_with("The first 250 of 251 alerts were changed."),
        "{}",
        error.message
    );
}

#[test]
fn an_incident_is_found_by_every_address_of_the_web_app() {
    for address in [
        "https://a.pagerduty.com/incidents/Q1ABC",
        "https://a.pagerduty.com/incidents/Q1ABC?utm_source=mail",
        "https://a.pagerduty.com/incidents/Q1ABC/timeline#notes",
        "https://a.eu.pagerduty.com/#/incidents/Q1ABC",
        "https://a.pagerduty.com/incidents#Q1ABC",
    ] {
        let host = host(&[(200, r#"{"incident":{"id":"Q1ABC"}}"#)]);
        call(&host, "incident.find", &json!({"url": address})).unwrap();
        assert_eq!(
            host.requests()[0].url,
            "https://api.pagerduty.com/incidents/Q1ABC",
            "{address}"
        );
    }
    for address in ["https://a.pagerduty.com/incidents?status=open", "https://a.pagerduty.com/x"] {
        let error = call(&host(&[]), "incident.find", &json!({"url": address})).unwrap_err();
        assert!(error.message.contains("not the URL of an incident"), "{}", error.message);
    }
}

#[test]
fn objects_are_identified_by_addresses_of_the_web_app() {
    for (action, parameter, address, path, envelope) in [
        (
            "team.get",
            "team_id",
            "https://a.pagerduty.com/teams/P0TEAM1/users",
            "/teams/P0TEAM1",
            "team",
        ),
        (
            "service.get",
            "service_id",
            "https://a.pagerduty.com/service-directory/P0SERV1",
            "/services/P0SERV1",
            "service",
        ),
        (
            "schedule.get",
            "schedule_id",
            "https://a.pagerduty.com/schedules#P0SCHED",
            "/schedules/P0SCHED",
            "schedule",
        ),
        (
            "user.get",
            "user_id",
            "https://a.pagerduty.com/users/P0USER1/on-call",
            "/users/P0USER1",
            "user",
        ),
        (
            "business_service.get",
            "business_service_id",
            "https://a.pagerduty.com/business-services/P0BUSI1",
            "/business_services/P0BUSI1",
            "business_service",
        ),
    ] {
        let host = answering(&json!({envelope: {"id": "P0"}}));
        let outcome = call(&host, action, &json!({parameter: address}));
        let requests = host.requests();
        assert_eq!(requests.len(), 1, "{address}: {outcome:?}");
        assert_eq!(requests[0].url, format!("https://api.pagerduty.com{path}"), "{address}");
    }
}

#[test]
fn an_unknown_id_beside_a_known_one_is_an_error() {
    for (action, filter, member, known, path) in [
        (
            "incident.list",
            "service_ids",
            "incidents",
            json!({"service": {"id": "P0SERV1"}}),
            "/services/P0WRONG",
        ),
        (
            "on_call.list",
            "escalation_policy_ids",
            "oncalls",
            json!({"escalation_policy": {"id": "P0SERV1"}}),
            "/escalation_policies/P0WRONG",
        ),
        (
            "maintenance_window.list",
            "team_ids",
            "maintenance_windows",
            json!({"teams": [{"id": "P0SERV1"}]}),
            "/teams/P0WRONG",
        ),
        (
            "log_entry.list",
            "team_ids",
            "log_entries",
            json!({"teams": [{"id": "P0SERV1"}]}),
            "/teams/P0WRONG",
        ),
    ] {
        let mut record = known.clone();
        record["id"] = json!("Q1");
        record["created_at"] = json!("2026-02-01T00:00:00Z");
        let listed = json!({member: [record], "more": false}).to_string();
        let host = Host::answering(move |request| {
            let wrong = request.url.ends_with(path);
            Ok(if wrong { answer(404, r#"{"error":{"code":2100}}"#) } else { answer(200, &listed) })
        });
        let host = connected(host.at(1_770_000_000), json!({"region": "us"}));
        let parameters = json!({filter: ["P0SERV1", "P0WRONG"]});
        let error = call(&host, action, &parameters).expect_err(action);
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{action}");
        assert!(error.message.starts_with(&format!("{filter}/1: `P0WRONG`")), "{}", error.message);
        // One look-up more than the list itself.
        let looked_up = host.requests().iter().filter(|one| one.url.ends_with(path)).count();
        assert_eq!(looked_up, 1, "{action}");
    }
}

#[test]
fn names_in_capitals_with_accents_and_with_spaces_are_found() {
    for (action, filter, list, name) in [
        ("incident.list", "team_ids", "teams", "SUPPORT"),
        ("incident.list", "team_ids", "teams", "Équipe Île-de-France"),
        ("incident.list", "service_ids", "services", "決済サービス"),
        ("incident.list", "service_ids", "services", "PAYMENTS2"),
        ("on_call.list", "schedule_ids", "schedules", "  Nachtdienst Süd "),
        ("incident.list", "user_ids", "users", "Zoë Ångström"),
    ] {
        let found = json!({list: [{"id": "P0FOUND", "name": name}], "more": false}).to_string();
        let host = Host::answering(move |request| {
            Ok(if request.url.contains(&format!("/{list}/")) {
                answer(404, "{}")
            } else if request.url.contains(&format!("/{list}?")) {
                answer(200, &found)
            } else {
                answer(200, r#"{"incidents":[{"id":"Q1"}],"oncalls":[{"id":"Q1"}],"more":false}"#)
            })
        });
        let host = connected(host, json!({"region": "us"}));
        call(&host, action, &json!({filter: [name]}))
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let requests = host.requests();
        let last = &requests.last().unwrap().url;
        assert!(last.contains(&format!("{filter}%5B%5D=P0FOUND")), "{name}: {last}");
    }
}

#[test]
fn a_field_of_any_resource_can_be_cleared() {
    for (action, id, envelope, fields) in [
        ("user.update", "user_id", "user", json!({"job_title": null, "description": null})),
        (
            "business_service.update",
            "business_service_id",
            "business_service",
            json!({"team_id": null, "description": ""}),
        ),
        (
            "escalation_policy.update",
            "escalation_policy_id",
            "escalation_policy",
            json!({"description": "", "team_ids": []}),
        ),
        ("team.update", "team_id", "team", json!({"description": ""})),
        (
            "event_orchestration.update",
            "event_orchestration_id",
            "orchestration",
            json!({"team_id": null, "description": ""}),
        ),
        (
            "maintenance_window.update",
            "maintenance_window_id",
            "maintenance_window",
            json!({"description": ""}),
        ),
        (
            "incident.update",
            "incident_id",
            "incident",
            json!({"priority_id": null, "conference_url": null}),
        ),
    ] {
        let mut parameters = fields.clone();
        parameters[id] = json!("P0BC123");
        let sent = sent(action, &parameters)[envelope].to_string();
        for (name, value) in fields.as_object().unwrap() {
            let plain = name.replace("_ids", "s").replace("_id", "");
            assert!(sent.contains(&format!("\"{plain}\":{value}")), "{action}: {name}: {sent}");
        }
    }
}

#[test]
fn every_documented_form_of_a_time_is_taken_and_an_impossible_one_is_refused() {
    let window = |start: &str| json!({"start_time": start, "end_time": "2027-04-18T00:00:00Z", "service_ids": ["P0SERV1"]});
    for (given, written) in [
        ("2026-04-17", "2026-04-17T00:00:00Z"),
        ("2026-03-29T02:30:00+01:00", "2026-03-29T02:30:00+01:00"),
        ("2026-10-25T02:30:00+0200", "2026-10-25T02:30:00+02:00"),
        ("2026-04-17T08:42Z", "2026-04-17T08:42:00Z"),
        ("2026-04-17 08:42:58.315-03", "2026-04-17T08:42:58.315-03:00"),
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
    ] {
        let sent = sent("maintenance_window.create", &window(given));
        assert_eq!(sent["maintenance_window"]["start_time"], written, "{given}");
    }
    for wrong in
        ["2026-02-30", "2025-02-29T12:00:00Z", "2026-04-31", "2026-04-17T24:30:00Z", "17.04.2026"]
    {
        let error = call(&host(&[]), "maintenance_window.create", &window(wrong)).unwrap_err();
        assert!(
            error.message.contains("start_time: must be a date or a time"),
            "{wrong}: {}",
            error.message
        );
    }
}

#[test]
fn a_list_that_repeats_its_page_ends_with_an_error() {
    for (action, parameters, page) in [
        (
            "tag.entities",
            json!({"tag_id": "P0TAG01", "entity_type": "teams", "all": true}),
            json!({"teams": [{"id": "P1"}], "more": true}),
        ),
        ("user.list", json!({"all": true}), json!({"users": [{"id": "P1"}], "more": true})),
        (
            "status_dashboard.list",
            json!({"all": true}),
            json!({"status_dashboards": [{"id": "P1"}], "next_cursor": "same"}),
        ),
        (
            "alert_grouping_setting.list",
            json!({"all": true}),
            json!({"alert_grouping_settings": [{"id": "P1"}], "after": "same"}),
        ),
        (
            "analytics_user.list",
            json!({"all": true}),
            json!({"data": [{"user_id": "P1"}], "last": "same", "more": true}),
        ),
    ] {
        let host = answering(&page);
        let error = call(&host, action, &parameters).expect_err(action);
        assert!(error.message.contains("would never end"), "{action}: {}", error.message);
        assert!(host.requests().len() < 6, "{action}: {}", host.requests().len());
    }
}

#[test]
fn all_entities_with_a_tag_are_listed() {
    let host = connected(
        Host::answering(|request| {
            let offset = request.url.split("offset=").nth(1).unwrap_or("0");
            let offset = offset.split('&').next().and_then(|text| text.parse::<u32>().ok());
            let start = offset.unwrap_or_default();
            let users: Vec<Value> =
                (start..(start + 100).min(250)).map(|id| json!({"id": format!("P{id}")})).collect();
            Ok(answer(200, &json!({"users": users, "more": start + 100 < 250}).to_string()))
        }),
        json!({"region": "us"}),
    );
    let parameters = json!({"tag_id": "P0TAG01", "entity_type": "users", "all": true});
    let last = call(&host, "tag.entities", &parameters).unwrap();
    let mut ids: Vec<String> = host.emitted().into_iter().map(|(_, output)| output.json).collect();
    ids.extend(last.iter().map(Value::to_string));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 250);
}

#[test]
fn a_failure_in_a_successful_response_is_an_error_in_every_envelope() {
    let overrides = json!([{"start": "2027-01-01T18:00:00Z", "end": "2027-01-02T06:00:00Z", "user_id": "PUSER01"}]);
    let refused = json!([{"status": 400, "errors": ["Override must end after its start"]}]);
    let note = json!({"incident_id": "Q1", "content": "n"});
    let associations = json!({"event_enrichment_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "associations": [{"type": "service_reference", "id": "PSVC001"}]});
    for (action, parameters, status, body, reason) in [
        (
            "schedule_override.create_many",
            json!({"schedule_id": "P0SCHED", "overrides": overrides}),
            201,
            refused.clone(),
            "must end after",
        ),
        (
            "schedule_override.create_many",
            json!({"schedule_id": "P0SCHED", "overrides": overrides}),
            201,
            json!({"overrides": refused}),
            "must end after",
        ),
        (
            "incident_note.create",
            note.clone(),
            200,
            json!({"error": {"message": "Not allowed", "code": 2010}}),
            "Not allowed",
        ),
        (
            "incident_note.create",
            note,
            207,
            json!({"errors": [{"message": "Note was dropped"}]}),
            "Note was dropped",
        ),
        (
            "event_enrichment_association.create",
            associations.clone(),
            207,
            json!({"results": [{"status": 500, "errors": ["Internal"], "association": {"id": "PSVC001"}}]}),
            "Internal",
        ),
        (
            "event_enrichment_association.create",
            associations,
            207,
            json!([{"status": 403, "errors": ["Forbidden"]}]),
            "Forbidden",
        ),
    ] {
        let host = host(&[(status, &body.to_string())]);
        let error = call(&host, action, &parameters).expect_err(action);
        assert!(error.message.contains(reason), "{action}: {}", error.message);
        assert!(
            !matches!(error.kind, ErrorKind::Unavailable | ErrorKind::RateLimited),
            "{error:?}"
        );
    }
}

#[test]
fn the_second_deletion_of_an_object_is_reported() {
    let items = json!({"tag_id": "P0TAG01"});
    let host = host(&[(204, ""), (404, r#"{"error":{"message":"Not Found","code":2100}}"#)]);
    assert_eq!(call(&host, "tag.delete", &items).unwrap(), [json!({"deleted": true})]);
    assert_eq!(call(&host, "tag.delete", &items).unwrap_err().kind, ErrorKind::NotFound);
    // PagerDuty answers 200 with the rest of an override that has begun.
    let parameters = json!({"schedule_id": "P0SCHED", "override_id": "Q0OVERRIDE1234"});
    let host = self::host(&[(200, r#"{"override":{"id":"Q0OVERRIDE1234"}}"#)]);
    assert_eq!(
        call(&host, "schedule_override.delete", &parameters).unwrap(),
        [json!({"deleted": true})]
    );
}

#[test]
fn a_rate_limit_between_two_pages_does_not_end_a_list_as_complete() {
    let page = json!({"users": [{"id": "P1"}], "more": true}).to_string();
    let host = host(&[(200, &page), (429, "")]);
    let error = call(&host, "user.list", &json!({"all": true})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
}

#[test]
fn one_end_of_a_time_range_is_completed_by_the_other() {
    let none = json!({"incidents": [], "change_events": [], "log_entries": [], "records": [],
        "paused_incident_reporting_counts": {"paused_count": 1}, "more": false});
    for action in [
        "incident.list",
        "change_event.list",
        "log_entry.list",
        "audit_record.list",
        "paused_incident.counts",
    ] {
        for (end, value) in [("since", "2025-12-01"), ("until", "2026-01-15T00:00:00+01:00")] {
            for all in [false, true] {
                let body = none.to_string();
                let host = Host::answering(move |_| Ok(answer(200, &body)));
                let host = connected(host.at(1_770_000_000), json!({"region": "us"}));
                let mut parameters = json!({end: value});
                if all && action != "paused_incident.counts" {
                    parameters["all"] = json!(true);
                }
                call(&host, action, &parameters)
                    .unwrap_or_else(|error| panic!("{action}: {error:?}"));
                for request in host.requests() {
                    let has = |name: &str| request.url.contains(&format!("{name}="));
                    // The oldest incident shows where a range without a start begins.
                    let is_probe = has("date_range") && request.url.ends_with("limit=1");
                    let is_complete = has("since") && has("until");
                    assert!(is_complete || is_probe, "{action}: {}", request.url);
                }
            }
        }
    }
}

#[test]
fn an_empty_list_clears_a_list_and_does_not_filter() {
    let sent = sent(
        "event_orchestration.update",
        &json!({"event_orchestration_id": "P0ORCHE", "object": {"name": "n"}}),
    );
    assert_eq!(sent["orchestration"], json!({"name": "n"}));
    let policy = json!({"escalation_policy_id": "P0POLIC", "team_ids": []});
    assert_eq!(
        crate::support::sent("escalation_policy.update", &policy)["escalation_policy"]["teams"],
        json!([])
    );
    let host = answering(&json!({"incidents": [{"id": "Q1"}], "more": false}));
    call(&host, "incident.list", &json!({"service_ids": []})).unwrap();
    assert!(!host.requests()[0].url.contains("service_ids"), "{}", host.requests()[0].url);
    // Nobody is not an assignee, and no incident is not a bulk change.
    for (action, parameters) in [
        ("incident.update", json!({"incident_id": "Q1", "assignee_ids": []})),
        ("incident.update_many", json!({"incidents": []})),
        ("incident.merge", json!({"incident_id": "Q1", "source_incident_ids": []})),
        ("incident_alert.update_many", json!({"incident_id": "Q1", "alerts": []})),
    ] {
        let error = call(&self::host(&[]), action, &parameters).expect_err(action);
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{action}");
    }
}
