//! Settings: tags, sessions, enrichment, workflows, status pages, recommendations.

use serde_json::json;

use crate::client::ask;
use crate::world::{at, id, ids, reference, world};

#[tokio::test]
async fn tags_are_assigned_to_entities_and_created_if_new() {
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
async fn enrichment_finds_uploaded_records() {
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
    assert_eq!((gone.status, gone.json()["status"].clone()), (200, json!("ok")));
    let nobody = json!({"id": "PNOBODY", "type": "service_reference"});
    let both = json!({"associations": [nobody, reference("event_orchestration")]});
    let partial = world.send("POST", &ties, Some(&both)).await;
    assert_eq!(partial.status, 207);
    assert_eq!(partial.json()["associations"][0]["errors"], json!(["Not Found"]));
    assert_eq!(partial.json()["associations"][1]["status"], 201);
    world.send("DELETE", &ties, Some(&tie)).await;
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
async fn a_status_page_post_has_updates() {
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
async fn a_recommended_rule_is_accepted_or_dismissed_once() {
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
