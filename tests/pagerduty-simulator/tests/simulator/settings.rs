//! Settings: services and their timeouts, windows, tags, sessions, orchestrations, enrichment,
//! workflows, status pages, records and figures.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::{Origin, Status};
use serde_json::{Value, json};

use crate::client::ask;
use crate::world::{World, id, ids, reference, world};

/// A moment so many minutes from now.
fn at(minutes: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_mins(minutes)).unwrap().to_string()
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(number * 60)
}

/// Sends an event to the Events API.
async fn event(world: &World, routing_key: &str, key: &str) -> u16 {
    let event = json!({
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": key,
        "payload": {"summary": "Disk is full", "source": "db-1", "severity": "error"},
    });
    let ask = ask(&world.simulator, "POST", "/v2/enqueue").origin(Origin::EventsUs);
    ask.header("authorization", "").json(&event).send().await.status
}

fn service(more: Value) -> Value {
    let mut service = json!({
        "type": "service", "name": "Queue", "escalation_policy": reference("escalation_policy"),
    });
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"service": service})
}

#[tokio::test]
async fn a_service_is_made_with_an_integration_whose_key_works() {
    let world = world().await;
    let made = world.post("/services", service(json!({"description": "Waits"}))).await;
    let made = made["service"].clone();
    assert_eq!((&made["status"], &made["integrations"]), (&json!("active"), &json!([])));
    assert_eq!(made["auto_resolve_timeout"], 14_400);
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
async fn a_service_forgets_acknowledgements_and_resolves_what_is_old() {
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
async fn a_maintenance_window_keeps_a_service_quiet_while_it_lasts() {
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
    // Deleting a running window ends it; a finished one stays.
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
async fn tags_are_tied_to_entities_and_made_when_they_are_new() {
    let world = world().await;
    let user = format!("/users/{}", id("user"));
    let change = json!({
        "add": [{"type": "tag", "label": "night"}, {"type": "tag_reference", "id": id("tag")}],
    });
    world.post(&format!("{user}/change_tags"), change).await;
    let tags = world.get(&format!("{user}/tags")).await["tags"].clone();
    let labels: Vec<&str> =
        tags.as_array().unwrap().iter().map(|tag| tag["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["example", "night"]);
    let night = ids(&tags)[1].to_owned();
    let tied = world.get(&format!("/tags/{night}/users")).await;
    assert_eq!(ids(&tied["users"]), [id("user").as_str()]);
    assert_eq!(world.get(&format!("/tags/{night}/teams")).await["teams"], json!([]));
    let remove = json!({"remove": [{"type": "tag_reference", "id": night}]});
    world.post(&format!("{user}/change_tags"), remove).await;
    assert_eq!(world.get(&format!("/tags/{night}/users")).await["users"], json!([]));
    let unknown = json!({"add": [{"type": "tag_reference", "id": "PUNKNOWN"}]});
    assert_eq!(world.refused("POST", &format!("{user}/change_tags"), unknown).await, (400, 2001));
    let again = json!({"tag": {"type": "tag", "label": "night"}});
    assert_eq!(world.refused("POST", "/tags", again).await, (400, 2001));
    assert_eq!(world.delete(&format!("/tags/{}", id("tag"))).await, 204);
    assert_eq!(world.get(&format!("{user}/tags")).await["tags"], json!([]));
    assert_eq!(world.get("/tags?query=NIGHT").await["tags"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn session_configurations_are_set_by_kind() {
    let world = world().await;
    let set = json!({"session_configuration": {"absolute_session_ttl": 604_800, "idle_session_ttl": 86_400}});
    let answer = world.put("/session_configurations?type=web", set.clone()).await;
    assert_eq!(answer["session_configurations"][0]["absolute_session_ttl"], 604_800);
    let all = world.get("/session_configurations").await;
    assert_eq!(all["session_configurations"].as_array().unwrap().len(), 2);
    assert_eq!(world.delete("/session_configurations?type=web").await, 204);
    assert_eq!(world.delete("/session_configurations?type=web").await, 404);
    assert_eq!(world.refused("PUT", "/session_configurations?type=tv", set).await, (400, 2001));
}

#[tokio::test]
async fn an_orchestration_routes_events_of_its_own_key() {
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
async fn enrichment_finds_what_a_file_said() {
    let world = world().await;
    let path = format!("/enrichment/schemas/{}/records", id("schema"));
    let form = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"o.csv\"\r\n\r\n\
                host,owner\nweb-7,grace\n\r\n--edge--\r\n";
    let ask = ask(&world.simulator, "POST", &format!("{path}?filename=owners.csv"));
    let answer = ask.header("content-type", "multipart/form-data; boundary=edge").bytes(form);
    let answer = answer.send().await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["filename"], "owners.csv");
    let question = |host: &str| json!({"schema_id": id("schema"), "query": [{"field": "host", "value": host}]});
    let found = world.post("/enrichment/query", question("web-7")).await["records"].clone();
    assert_eq!(found[0]["data"]["owner"], "grace");
    let record = format!("{path}/{}", ids(&found)[0]);
    assert_eq!(world.call("DELETE", &record).await["record"]["data"]["host"], "web-7");
    assert_eq!(world.post("/enrichment/query", question("web-7")).await["records"], json!([]));
    let home = "/enrichment/event_enrichments";
    let set = json!({"default": reference("event_enrichment")});
    let set = world.put(&format!("{home}/default"), set).await;
    assert_eq!(set["default"]["id"], id("event_enrichment").as_str());
    let ties = format!("{home}/{}/associations", id("event_enrichment"));
    let tie = json!({"associations": [reference("event_orchestration")]});
    world.post(&ties, tie.clone()).await;
    assert_eq!(world.get(&ties).await["associations"].as_array().unwrap().len(), 2);
    let gone = world.send("DELETE", &ties, Some(&tie)).await;
    assert_eq!((gone.status, gone.json()["status"].clone()), (200, json!("success")));
    assert_eq!(world.get(&ties).await["associations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn workflows_are_started_for_incidents() {
    let world = world().await;
    let path = format!("/incident_workflows/{}/instances", id("incident_workflow"));
    let start = |incident: &str| {
        json!({"incident_workflow_instance": {
            "incident": {"id": incident, "type": "incident_reference"},
        }})
    };
    let instance = world.post(&path, start(&id("incident"))).await;
    let instance = instance["incident_workflow_instance"].clone();
    assert_eq!(instance["incident_workflow"]["summary"], "Example workflow");
    assert_eq!(world.refused("POST", &path, start("QUNKNOWN")).await, (400, 2001));
    let off = json!({"incident_workflow": {"is_enabled": false}});
    world.put(&format!("/incident_workflows/{}", id("incident_workflow")), off).await;
    assert_eq!(world.refused("POST", &path, start(&id("incident"))).await, (400, 2001));

    let trigger = format!("/incident_workflows/triggers/{}", id("trigger"));
    let second = json!({"service": {"id": "PSERVICE000002", "type": "service_reference"}});
    let tied = world.post(&format!("{trigger}/services"), second).await["trigger"].clone();
    assert_eq!(ids(&tied["services"]), [id("service").as_str(), "PSERVICE000002"]);
    let gone = format!("{trigger}/services/{}", id("service"));
    let left = world.call("DELETE", &gone).await["trigger"].clone();
    assert_eq!(ids(&left["services"]), ["PSERVICE000002"]);
    assert_eq!(world.delete(&gone).await, 404);
    let list = async |query: &str| {
        let list = world.get(&format!("/incident_workflows/triggers?{query}")).await;
        list["triggers"].as_array().unwrap().len()
    };
    assert_eq!(list("service_id=PSERVICE000002&sort_by=workflow_name%20asc").await, 1);
    assert_eq!(list(&format!("service_id={}", id("service"))).await, 0);
    assert_eq!(list("workflow_name_contains=nothing").await, 0);
    let action = format!("/automation_actions/actions/{}/invocations", id("action"));
    let run = json!({"invocation": {"metadata": {"incident_id": id("incident")}}});
    let run = world.post(&action, run).await["invocation"].clone();
    let invocations = format!(
        "/automation_actions/invocations?action_id={}&invocation_state=created",
        id("action")
    );
    assert_eq!(ids(&world.get(&invocations).await["invocations"]), [run["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_post_of_a_status_page_has_its_updates() {
    let world = world().await;
    let page = format!("/status_pages/{}", id("status_page"));
    let update = |status: u8| {
        json!({
            "type": "status_page_post_update", "post": {}, "message": "Looking",
            "status": {"id": format!("PSTATUS000000{status}")}, "severity": {"id": id("severity")},
            "impacted_services": [], "update_frequency_ms": null, "notify_subscribers": false,
        })
    };
    let post = |page: &str| {
        json!({"post": {
            "type": "status_page_post", "title": "Slow", "post_type": "incident",
            "starts_at": at(0), "ends_at": null, "updates": [update(1)],
            "status_page": {"id": page},
        }})
    };
    let posts = format!("{page}/posts");
    assert_eq!(world.refused("POST", &posts, post("PUNKNOWN")).await, (400, 2001));
    let made = world.post(&posts, post(&id("status_page"))).await["post"].clone();
    assert_eq!(made["updates"].as_array().unwrap().len(), 1);
    let path = format!("{posts}/{}", made["id"].as_str().unwrap());
    let mut second = update(2);
    second["post"] = json!({"id": made["id"]});
    world.post(&format!("{path}/post_updates"), json!({"post_update": second})).await;
    let whole =
        world.get(&format!("{path}?include[]=status_page_post_update")).await["post"].clone();
    assert_eq!(whole["updates"][1]["message"], "Looking");
    let list = async |query: &str| {
        world.get(&format!("{posts}?{query}")).await["posts"].as_array().unwrap().len()
    };
    assert_eq!(list("status[]=PSTATUS0000002").await, 1);
    assert_eq!(list("post_type=maintenance").await, 0);
    let postmortem = format!("{path}/postmortem");
    assert_eq!(world.send("GET", &postmortem, None).await.status, 404);
    let body = json!({"postmortem": {
        "post": {"id": made["id"]}, "message": "It was DNS.", "notify_subscribers": false,
    }});
    world.put(&postmortem, body).await;
    assert_eq!(world.get(&postmortem).await["postmortem"]["message"], "It was DNS.");
    assert_eq!(world.delete(&postmortem).await, 204);
}

#[tokio::test]
async fn recommended_rules_are_accepted_or_dismissed_once() {
    let world = world().await;
    let home = format!("/recommendations/event_orchestrations/services/{}", id("service"));
    let all = "/recommendations/event_orchestrations/rules";
    let count = async || world.get(all).await["recommended_rules"].as_array().unwrap().len();
    assert_eq!(count().await, 2);
    let accept = format!("{home}/rules/{}/accept", id("rule"));
    world.call("POST", &accept).await;
    assert_eq!(world.send("POST", &accept, None).await.status, 404);
    let dismiss = format!("{home}/rules/PRULE000000002/dismiss");
    world.post(&dismiss, json!({"decision": {"feedback": "negative"}})).await;
    assert_eq!(count().await, 0);
    let accepted = format!("{home}/accepted_rules/{}", id("rule"));
    assert_eq!(world.delete(&accepted).await, 200);
    assert_eq!(world.delete(&accepted).await, 404);
}

#[tokio::test]
async fn writes_leave_records_and_reads_leave_none() {
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
    assert_eq!(all[2]["details"]["fields"][0]["name"], "description");
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
    assert_eq!(world.refused("GET", long, Value::Null).await, (400, 2001));
}

#[tokio::test]
async fn figures_follow_from_the_incidents_and_pages_from_their_ends() {
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
    // A key of a person must say which services or teams are meant.
    let key = world.simulator.us().keys().user;
    let ask = ask(&world.simulator, "POST", "/analytics/raw/incidents").token(&key);
    assert_eq!(ask.clone().json(&json!({})).send().await.error(), (400, 2001));
    assert_eq!(ask.json(&filters).send().await.status, 200);
}

#[tokio::test]
async fn notifications_say_who_was_told_and_how() {
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

#[tokio::test]
async fn operations_with_a_limit_of_their_own_keep_it() {
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
