//! Services: their timeouts, keys, and windows, and event routing.

use pagerduty_simulator::Status;
use serde_json::{Value, json};

use crate::world::{at, event, id, ids, minutes, reference, service, world};

#[tokio::test]
async fn a_created_integration_has_a_working_key() {
    let world = world().await;
    let made = world.post("/services", service(json!({"description": "Waits"}))).await;
    let made = made["service"].clone();
    assert_eq!((&made["status"], &made["integrations"]), (&json!("active"), &json!([])));
    assert_eq!(made["auto_resolve_timeout"], Value::Null, "left out of a create means off");
    assert_eq!(made["acknowledgement_timeout"], Value::Null);
    assert_eq!(world.refused("POST", "/services", service(json!({}))).await, (400, 2001));
    let path = format!("/services/{}", made["id"].as_str().unwrap());
    let new =
        json!({"integration": {"type": "events_api_v2_inbound_integration", "name": "Events"}});
    let integration = world.post(&format!("{path}/integrations"), new).await["integration"].clone();
    let key = integration["integration_key"].as_str().unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(event(&world, key, "full").await, 202);
    assert_eq!(world.get(&path).await["service"]["status"], "critical");
    let one =
        format!("{path}/integrations/{}?include[]=services", integration["id"].as_str().unwrap());
    assert_eq!(world.get(&one).await["integration"]["service"]["name"], "Queue");
    let off = world.put(&path, service(json!({"status": "disabled"}))).await;
    assert_eq!(off["service"]["status"], "disabled");
    let count = world.simulator.us().incident_count();
    assert_eq!(event(&world, key, "again").await, 202);
    assert_eq!(world.simulator.us().incident_count(), count);
    assert_eq!(world.delete(&path).await, 204);
    assert_eq!(event(&world, key, "late").await, 400);
    assert_eq!(world.send("GET", &path, None).await.status, 404);
    world.nothing_noted();
}

#[tokio::test]
async fn a_service_applies_its_timeouts() {
    let world = world().await;
    let timeouts = json!({"acknowledgement_timeout": 600, "auto_resolve_timeout": 7200});
    let made = world.post("/services", service(timeouts)).await["service"]["id"].clone();
    let incident = json!({"incident": {
        "type": "incident", "title": "Slow", "service": {"id": made, "type": "service_reference"},
    }});
    let incident = world.post("/incidents", incident).await["incident"]["id"].clone();
    let incident = incident.as_str().unwrap();
    let status = || world.simulator.us().incident(incident).unwrap().status;
    let taken = json!({"incident": {"type": "incident", "status": "acknowledged"}});
    world.put(&format!("/incidents/{incident}"), taken).await;
    world.simulator.advance_clock(minutes(9));
    assert_eq!(status(), Status::Acknowledged);
    world.simulator.advance_clock(minutes(2));
    assert_eq!(status(), Status::Triggered);
    world.simulator.advance_clock(minutes(120));
    assert_eq!(status(), Status::Resolved);
}

#[tokio::test]
async fn a_maintenance_window_suppresses_incidents() {
    let world = world().await;
    let window = |start: i64, end: i64| {
        json!({"maintenance_window": {
            "type": "maintenance_window", "start_time": at(start), "end_time": at(end),
            "description": "New disks", "services": [reference("service")],
        }})
    };
    let home = "/maintenance_windows";
    assert_eq!(world.refused("POST", home, window(20, 10)).await, (400, 2001));
    assert_eq!(world.refused("POST", home, window(-20, -10)).await, (400, 5003));
    let made = world.post(home, window(10, 20)).await["maintenance_window"].clone();
    assert_eq!(made["created_by"]["summary"], "Ada Moreno");
    assert_eq!(ids(&made["teams"]), [id("team").as_str()]);
    let path = format!("{home}/{}", made["id"].as_str().unwrap());
    let listed = async |filter: &str| {
        let list = world.get(&format!("{home}?query=disks&filter={filter}")).await;
        list["maintenance_windows"].as_array().unwrap().len()
    };
    let service = format!("/services/{}", id("service"));
    let state = async || world.get(&service).await["service"]["status"].clone();
    assert_eq!((listed("future").await, listed("ongoing").await), (1, 0));
    assert_eq!(state().await, "critical");
    world.simulator.advance_clock(minutes(11));
    assert_eq!((listed("future").await, listed("ongoing").await, listed("open").await), (0, 1, 1));
    assert_eq!(state().await, "maintenance");
    let key = world.simulator.us().services().into_iter().find(|one| one.id == id("service"));
    let count = world.simulator.us().incident_count();
    assert_eq!(event(&world, &key.unwrap().routing_key, "quiet").await, 202);
    assert_eq!(world.simulator.us().incident_count(), count);
    // Deleting a current window ends it; a past one stays.
    assert_eq!(world.delete(&path).await, 204);
    assert_eq!((state().await, listed("past").await), (json!("critical"), 1));
    assert_eq!(world.refused("DELETE", &path, Value::Null).await, (405, 5003));
    assert_eq!(world.refused("PUT", &path, window(30, 40)).await, (400, 5003));
    let later = world.post(home, window(60, 70)).await["maintenance_window"]["id"].clone();
    let later = format!("{home}/{}", later.as_str().unwrap());
    assert_eq!(world.delete(&later).await, 204);
    assert_eq!(world.send("GET", &later, None).await.status, 404);
}

#[tokio::test]
async fn an_orchestration_routes_events_with_its_key() {
    let world = world().await;
    let new = json!({"orchestration": {"name": "Front door"}});
    let made = world.post("/event_orchestrations", new).await["orchestration"].clone();
    let key = made["integrations"][0]["parameters"]["routing_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with('R') && key.len() == 32);
    let path = format!("/event_orchestrations/{}", made["id"].as_str().unwrap());
    let router = world.get(&format!("{path}/router")).await["orchestration_path"].clone();
    assert_eq!(router["catch_all"]["actions"]["route_to"], "unrouted");
    let count = world.simulator.us().incident_count();
    assert_eq!(event(&world, &key, "nowhere").await, 202);
    assert_eq!(world.simulator.us().incident_count(), count);
    let rules = json!({"orchestration_path": {
        "type": "router",
        "sets": [{"id": "start", "rules": [{"conditions": [], "actions": {"route_to": id("service")}}]}],
        "catch_all": {"actions": {"route_to": "unrouted"}},
    }});
    let set = world.put(&format!("{path}/router"), rules).await;
    assert!(set["orchestration_path"]["sets"][0]["rules"][0]["id"].is_string());
    assert_eq!(set["warnings"], json!([]));
    assert_eq!(event(&world, &key, "somewhere").await, 202);
    let incidents = world.simulator.us().incidents();
    assert_eq!(incidents.last().unwrap().service_id, id("service"));
    assert_eq!(world.get(&path).await["orchestration"]["routes"], 1);

    let moved = json!({
        "source_id": made["id"], "source_type": "orchestration",
        "integration_id": made["integrations"][0]["id"],
    });
    let target = format!("/event_orchestrations/{}", id("event_orchestration"));
    let all = world.post(&format!("{target}/integrations/migration"), moved).await;
    assert_eq!((all["integrations"].as_array().unwrap().len(), &all["total"]), (2, &json!(2)));
    assert_eq!(world.get(&format!("{path}/integrations")).await["integrations"], json!([]));
    let feature = format!("{path}/enablements/aiops");
    world.put(&feature, json!({"enablement": {"enabled": false}})).await;
    let features = world.get(&format!("{path}/enablements")).await["enablements"].clone();
    assert_eq!(features, json!([{"feature": "aiops", "enabled": false}]));
    let active = format!("/event_orchestrations/services/{}/active", id("service"));
    assert_eq!(world.get(&active).await, json!({"active": true}));
    world.put(&active, json!({"active": false})).await;
    assert_eq!(world.get(&active).await, json!({"active": false}));
    let data = format!("{target}/cache_variables/{}/data", id("cache_variable"));
    world.put(&data, json!({"cache_variable_data": "web-9"})).await;
    assert_eq!(world.get(&data).await["cache_variable_data"], "web-9");
    assert_eq!(world.delete(&data).await, 204);
    assert_eq!(world.send("GET", &data, None).await.status, 404);
    world.nothing_noted();
}

#[tokio::test]
async fn standards_are_scored_by_service() {
    let world = world().await;
    let path = format!("/standards/scores/technical_services/{}", id("service"));
    assert_eq!(world.get(&path).await["score"], json!({"passing": 1, "total": 1}));
    let both =
        format!("/standards/scores/technical_services?ids={}&ids=PSERVICE000002", id("service"));
    assert_eq!(world.get(&both).await["resources"].as_array().unwrap().len(), 2);
    let out = json!({"exclusions": [{"id": id("service"), "type": "technical_service_reference"}]});
    world.put(&format!("/standards/{}", id("standard")), out).await;
    assert_eq!(world.get(&path).await["score"], json!({"passing": 0, "total": 0}));
}
