//! Lists: filters, order, pages, includes, and single objects.

use std::time::Duration;

use pagerduty_simulator::{NewIncident, Simulator, Status, Urgency};
use serde_json::{Value, json};

use crate::client::{ask, get};

async fn simulator() -> Simulator {
    Simulator::builder().without_rate_limits().start().await.unwrap()
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let simulator = simulator().await;
    simulator.us().add_services(250);
    let mut seen = Vec::new();
    loop {
        let path = format!("/services?limit=100&offset={}", seen.len());
        let answer = get(&simulator, &path).send().await;
        seen.extend(answer.ids("services"));
        assert_eq!(answer.json()["total"], Value::Null);
        if answer.json()["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen.len(), 255);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 255);
    let counted = get(&simulator, "/services?total=true").send().await.json();
    assert_eq!(counted["total"], 255);
    assert_eq!(counted["limit"], 25);
    assert_eq!(counted["services"].as_array().unwrap().len(), 25);
    let beyond = get(&simulator, "/services?offset=300").send().await.json();
    assert_eq!((&beyond["services"], &beyond["more"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn incidents_are_filtered() {
    let simulator = simulator().await;
    let us = simulator.us();
    let services = us.services();
    let day = Duration::from_secs(24 * 3600);
    let new = |status, urgency, service: usize, days: u32| {
        us.add_incident(NewIncident {
            status,
            urgency,
            service_id: Some(services[service].id.clone()),
            age: day * days,
            ..NewIncident::default()
        })
    };
    let seeded = us.incident_count();
    let old = new(Status::Resolved, Urgency::High, 3, 40);
    let fresh = new(Status::Acknowledged, Urgency::Low, 2, 3);
    let list = |query: String| {
        let ask = get(&simulator, &format!("/incidents?limit=100{query}"));
        async move { ask.send().await.ids("incidents") }
    };
    let recent = list(String::new()).await;
    assert!(recent.contains(&fresh) && !recent.contains(&old));
    assert_eq!(list("&date_range=all".to_owned()).await.len(), seeded + 2);
    let both = list("&statuses[]=acknowledged&urgencies[]=low".to_owned()).await;
    assert!(both.contains(&fresh) && both.len() == 2);
    let on_storage = list(format!("&date_range=all&service_ids[]={}", services[3].id)).await;
    assert!(on_storage.contains(&old) && on_storage.len() == 2);
    let ada = us.users()[0].id.clone();
    assert!(list(format!("&user_ids[]={ada}")).await.contains(&fresh));
    let platform = us.teams()[0].id.clone();
    assert!(list(format!("&team_ids[]={platform}")).await.contains(&fresh));
    let moment = us.incident(&fresh).unwrap().created_at;
    let since = moment.to_string();
    let after = list(format!("&since={since}")).await;
    assert!(after.contains(&fresh) && after.len() == 3);
}

#[tokio::test]
async fn incidents_are_sorted() {
    let simulator = simulator().await;
    let list = |query: &str| {
        let path = format!("/incidents?date_range=all&sort_by={query}");
        let ask = get(&simulator, &path);
        async move {
            let answer = ask.send().await.json();
            let incidents = answer["incidents"].as_array().unwrap().clone();
            incidents
                .iter()
                .map(|incident| incident["incident_number"].as_i64().unwrap())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(list("created_at:asc").await, [1, 2, 3, 4, 5]);
    assert_eq!(list("incident_number:desc").await, [5, 4, 3, 2, 1]);
    assert_eq!(list("urgency:desc,incident_number:desc").await, [4, 3, 5, 2, 1]);
}

#[tokio::test]
async fn includes_replace_references_with_full_objects() {
    let simulator = simulator().await;
    let incident = simulator.us().incidents()[3].id.clone();
    let path = format!("/incidents/{incident}");
    let plain = get(&simulator, &path).send().await.json();
    assert_eq!(plain["incident"]["service"]["type"], "service_reference");
    let path = format!(
        "{path}?include[]=services&include[]=assignees&include[]=escalation_policies\
         &include[]=teams&include[]=first_trigger_log_entries&include[]=acknowledgers"
    );
    let whole = get(&simulator, &path).send().await.json();
    let whole = &whole["incident"];
    assert_eq!(whole["service"]["type"], "service");
    assert_eq!(whole["service"]["status"], "critical");
    assert_eq!(whole["assignments"][0]["assignee"]["email"], "ada@example.com");
    assert_eq!(whole["acknowledgements"][0]["acknowledger"]["role"], "admin");
    assert_eq!(whole["escalation_policy"]["type"], "escalation_policy");
    assert_eq!(whole["teams"][0]["type"], "team");
    assert_eq!(whole["first_trigger_log_entry"]["type"], "trigger_log_entry");
    assert_eq!(get(&simulator, &format!("/incidents/{incident}")).send().await.json(), plain);
}

#[tokio::test]
async fn an_integration_shows_its_key_when_it_is_included() {
    let simulator = simulator().await;
    let service = simulator.us().services()[0].clone();
    let path = format!("/services/{}", service.id);
    let plain = get(&simulator, &path).send().await;
    assert!(!String::from_utf8_lossy(&plain.body).contains(&service.routing_key));
    let whole = get(&simulator, &format!("{path}?include[]=integrations")).send().await.json();
    let integration = &whole["service"]["integrations"][0];
    assert_eq!(integration["type"], "events_api_v2_inbound_integration");
    assert_eq!(integration["integration_key"], service.routing_key.as_str());
    let id = integration["id"].as_str().unwrap();
    let alone = get(&simulator, &format!("{path}/integrations/{id}")).send().await.json();
    assert_eq!(&alone["integration"], integration);
}

#[tokio::test]
async fn an_ability_exists_is_missing_or_is_unknown() {
    let simulator = simulator().await;
    let list = get(&simulator, "/abilities").send().await.json();
    assert!(list["abilities"].as_array().unwrap().contains(&json!("teams")));
    let answer = get(&simulator, "/abilities/teams").send().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(get(&simulator, "/abilities/sso").send().await.error(), (402, 2014));
    assert_eq!(get(&simulator, "/abilities/flying").send().await.error(), (404, 2100));
    simulator.us().set_ability("sso", true);
    assert_eq!(get(&simulator, "/abilities/sso").send().await.status, 204);
}

#[tokio::test]
async fn every_simple_list_and_every_object_in_it_can_be_read() {
    let simulator = simulator().await;
    simulator.us().add_users(3);
    for root in ["users", "services", "escalation_policies", "teams", "schedules", "log_entries"] {
        let ids = get(&simulator, &format!("/{root}")).send().await.ids(root);
        assert!(!ids.is_empty(), "{root}");
        for id in ids {
            let one = get(&simulator, &format!("/{root}/{id}")).send().await;
            assert_eq!(one.status, 200);
            let object = one.json();
            let (_, object) = object.as_object().unwrap().iter().next().unwrap();
            assert_eq!(object["id"], id.as_str());
            assert!(object["self"].as_str().unwrap().ends_with(&format!("/{root}/{id}")));
        }
        assert_eq!(get(&simulator, &format!("/{root}/PX")).send().await.error(), (404, 2100));
    }
    let priorities = get(&simulator, "/priorities").send().await.json();
    let names: Vec<&str> = priorities["priorities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|priority| priority["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["P1", "P2", "P3", "P4", "P5"]);
    let ada = simulator.us().users()[0].id.clone();
    let path = format!("/oncalls?user_ids[]={ada}&include[]=users");
    let oncalls = get(&simulator, &path).send().await.json();
    assert_eq!(oncalls["oncalls"][0]["user"]["email"], "ada@example.com");
    assert_eq!(oncalls["oncalls"].as_array().unwrap().len(), 1);
    let found = get(&simulator, "/users?query=BEN").send().await;
    assert_eq!(found.json()["users"][0]["email"], "ben@example.com");
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_log_is_newest_first_and_can_be_narrowed() {
    let simulator = simulator().await;
    let answer = get(&simulator, "/log_entries?limit=100&include[]=channels").send().await.json();
    let entries = answer["log_entries"].as_array().unwrap();
    let times: Vec<&str> = entries.iter().map(|e| e["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other));
    assert!(entries.iter().any(|entry| entry["channel"]["type"] == "note"));
    let since = times[0];
    let last = get(&simulator, &format!("/log_entries?since={since}")).send().await.json();
    assert!(last["log_entries"].as_array().unwrap().len() < entries.len());
}

#[tokio::test]
async fn ids_are_identical_in_every_run_and_keys_are_not() {
    let (one, other) = (simulator().await, simulator().await);
    let ids = |simulator: &Simulator| -> Vec<String> {
        simulator.us().services().into_iter().map(|service| service.id).collect()
    };
    assert_eq!(ids(&one), ids(&other));
    assert_ne!(ids(&one)[0], one.eu().services()[0].id);
    assert_ne!(one.us().keys().account, other.us().keys().account);
    assert_ne!(one.us().keys().routing, one.eu().keys().routing);
    assert_eq!(one.us().keys().routing.len(), 32);
    assert!(one.us().keys().account.len() >= 20);
}

#[tokio::test]
async fn a_list_that_declares_no_cursor_is_paged_by_one_nevertheless() {
    let simulator =
        Simulator::builder().examples(true).without_rate_limits().start().await.unwrap();
    let open = get(&simulator, "/incidents?statuses[]=triggered").send().await;
    let incident = open.ids("incidents").remove(0);
    for number in 0..30 {
        let service = json!({"business_service": {"name": format!("Number {number}")}});
        let made = ask(&simulator, "POST", "/business_services").json(&service).send().await.json();
        let id = made["business_service"]["id"].as_str().unwrap();
        let path = format!("/incidents/{incident}/business_services/{id}/impacts");
        let impacted = json!({"relation": "impacted"});
        assert_eq!(ask(&simulator, "PUT", &path).json(&impacted).send().await.status, 200);
    }
    let path = format!("/incidents/{incident}/business_services/impacts");
    let first = get(&simulator, &path).send().await;
    let mut seen = first.ids("services");
    assert_eq!(seen.len(), 25);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let second = get(&simulator, &format!("{path}?cursor={cursor}")).send().await;
    assert_eq!(second.json()["next_cursor"], Value::Null);
    seen.extend(second.ids("services"));
    seen.sort();
    seen.dedup();
    assert!(seen.len() >= 30, "{}", seen.len());
    assert_eq!(simulator.violations(), [""; 0]);
}
