//! Audit records, analytics, notifications, and limits.

use serde_json::{Value, json};

use crate::client::ask;
use crate::world::{at, id, ids, minutes, service, world};

#[tokio::test]
async fn writes_create_audit_records_and_reads_do_not() {
    let world = world().await;
    let records = async |query: &str| {
        world.get(&format!("/audit/records?{query}")).await["records"].as_array().unwrap().clone()
    };
    assert_eq!(records("").await.len(), 0);
    let made = world.post("/services", service(json!({}))).await["service"]["id"].clone();
    let path = format!("/services/{}", made.as_str().unwrap());
    world.put(&path, service(json!({"description": "New"}))).await;
    world.post("/teams", json!({"team": {"type": "team", "name": "Night"}})).await;
    assert_eq!(world.refused("POST", "/teams", json!({"team": {}})).await, (400, 2001));
    assert_eq!(world.delete(&path).await, 204);
    let all = records("").await;
    let actions: Vec<&str> = all.iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "create", "update", "create"]);
    assert_eq!(all[3]["root_resource"]["id"], made);
    assert_eq!(all[3]["actors"][0]["type"], "api_key_reference");
    let fields = all[2]["details"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({"name": "description", "value": "New"})), "{fields:?}");
    assert_eq!(records("actions[]=create&root_resource_types[]=teams").await.len(), 1);
    assert_eq!(records("actor_type=user_reference").await.len(), 0);
    let key = world.simulator.us().keys().account;
    let end = &key[key.len() - 4..];
    assert_eq!(
        records(&format!("method_type=api_token&method_truncated_token={end}")).await.len(),
        4
    );
    let of_user = world.get(&format!("/users/{}/audit/records", id("user"))).await;
    assert_eq!(of_user["records"], json!([]));
    let long = "/audit/records?since=2026-01-01T00:00:00Z&until=2026-02-10T00:00:00Z";
    assert_eq!(world.refused("GET", long, Value::Null).await, (400, 2005));
}

#[tokio::test]
async fn analytics_follow_from_the_incidents_and_are_paged() {
    let world = world().await;
    let count = world.simulator.us().incident_count();
    let all = world.post("/analytics/metrics/incidents/all", json!({})).await;
    assert_eq!(all["data"][0]["total_incident_count"], count);
    let filters = json!({"filters": {"service_ids": [id("service")]}});
    let one = world.post("/analytics/metrics/incidents/services", filters.clone()).await;
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    assert_eq!(one["data"][0]["service_id"], id("service").as_str());
    assert_eq!(one["data"][0]["total_resolved_incidents"], 1);
    assert_eq!(one["filters"], filters["filters"]);
    let daily = json!({"aggregate_unit": "day"});
    let daily = world.post("/analytics/metrics/incidents/teams", daily).await;
    assert!(daily["data"][0]["range_start"].is_string());

    let mut seen: Vec<String> = Vec::new();
    let mut after = Value::Null;
    loop {
        let mut ask = json!({"limit": 2, "order_by": "created_at"});
        if after.is_string() {
            ask["starting_after"] = after.clone();
        }
        let page = world.post("/analytics/raw/incidents", ask).await;
        seen.extend(ids(&page["data"]).into_iter().map(str::to_owned));
        if page["more"] == false {
            let back =
                json!({"limit": 2, "ending_before": page["first"], "order_by": "created_at"});
            let back = world.post("/analytics/raw/incidents", back).await;
            let shown = ids(&page["data"]).len();
            assert_eq!(ids(&back["data"]), seen[seen.len() - shown - 2..seen.len() - shown]);
            break;
        }
        after = page["last"].clone();
    }
    assert_eq!(seen.len(), count);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
    let raw = world.get(&format!("/analytics/raw/incidents/{}", id("incident"))).await;
    assert_eq!(
        (&raw["service_name"], &raw["status"]),
        (&json!("Example service"), &json!("triggered"))
    );
    // A user's key must name services or teams.
    let key = world.simulator.us().keys().user;
    let ask = ask(&world.simulator, "POST", "/analytics/raw/incidents").token(&key);
    assert_eq!(ask.clone().json(&json!({})).send().await.error(), (400, 2001));
    assert_eq!(ask.json(&filters).send().await.status, 200);
}

#[tokio::test]
async fn notifications_contain_the_user_and_the_contact_method() {
    let world = world().await;
    let window = format!("since={}&until={}", at(-5), at(5));
    let list = async |more: &str| {
        let list = world.get(&format!("/notifications?limit=100&{window}{more}")).await;
        list["notifications"].as_array().unwrap().clone()
    };
    let all = list("").await;
    let texts = list("&filter=sms_notification&include[]=users").await;
    assert!(!texts.is_empty() && texts.len() < all.len());
    assert_eq!(texts[0]["user"]["email"], "eve@example.com");
    assert!(texts.iter().all(|one| one["type"] == "sms_notification"));
    let long = format!("/notifications?since={}&until={}", at(-200 * 24 * 60), at(0));
    assert_eq!(world.refused("GET", &long, Value::Null).await, (400, 2005));
}

#[tokio::test]
async fn operations_with_a_separate_limit_enforce_it() {
    let builder = pagerduty_simulator::Simulator::builder().operation_rate_limit(2);
    let simulator = builder.start().await.unwrap();
    let get = |path: &str| crate::client::get(&simulator, path).send();
    assert_eq!(get("/oncalls").await.header("ratelimit-limit"), "2");
    assert_eq!(get("/oncalls").await.header("ratelimit-remaining"), "0");
    let refused = get("/oncalls").await;
    assert_eq!(refused.error(), (429, 2020));
    assert!(refused.header("ratelimit-reset").parse::<u32>().unwrap() > 0);
    let other = get("/services").await;
    assert_eq!((other.status, other.header("ratelimit-limit")), (200, "960"));
    simulator.advance_clock(minutes(1));
    assert_eq!(get("/oncalls").await.status, 200);
}
