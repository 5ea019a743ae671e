//! Properties of every collection: created objects can be read, listed, changed, and deleted.

use pagerduty_simulator::facts::{self, Operation};
use pagerduty_simulator::{Simulator, examples};
use serde_json::{Value, json};

use crate::client::{ask, line};
use crate::world::{id, reference, world};

fn current(method: &str, path: &str) -> Option<&'static Operation> {
    let mut operations = facts::operations().iter();
    operations.find(|one| !one.deprecated && one.method == method && one.path == path)
}

/// Operations that create one object which can be read by its ID afterward.
fn creators() -> Vec<(&'static Operation, &'static Operation)> {
    let creators = facts::operations().iter().filter(|one| {
        !one.deprecated
            && one.method == "POST"
            && one.body.is_some()
            && !one.path.starts_with("/analytics")
    });
    creators
        .filter_map(|create| {
            let get = facts::operations().iter().find(|get| {
                let name = get.path.strip_prefix(&create.path).and_then(|r| r.strip_prefix("/{"));
                get.method == "GET"
                    && !get.deprecated
                    && name.is_some_and(|name| name.ends_with('}') && !name.contains('/'))
            })?;
            // The form with a file creates several records, as does a list.
            let one =
                create.root().is_none_or(|root| !root.ends_with('s') || root == "credentials");
            (one && create.id != "uploadEnrichmentCsv").then_some((create, get))
        })
        .collect()
}

#[tokio::test]
async fn created_objects_can_be_read_listed_and_deleted() {
    let builder = Simulator::builder().without_rate_limits().examples(true);
    let simulator = builder.start().await.unwrap();
    let line = line(&simulator).await;
    let mut lived = 0;
    for (create, get) in creators() {
        simulator.reset();
        let path = examples::path(create);
        let made = ask(&simulator, "POST", &path).header("x-early-access", "ip-allow-lists");
        let made = made.json(&examples::body(create).unwrap()).send_on(&line).await.json();
        let made = create.root().map_or(&made, |root| &made[root]).clone();
        let name = &create.id;
        let id = made["id"].as_str().unwrap_or_else(|| panic!("{name}: {made}")).to_owned();
        let object = format!("{path}/{id}");
        let send = |method: &str, target: &str| {
            let ask = ask(&simulator, method, target).header("x-early-access", "ip-allow-lists");
            ask.send_on(&line)
        };
        let read = send("GET", &object).await;
        assert_eq!(Some(read.status), get.status, "{name} {object}");
        let read = get.root().map_or(read.json(), |root| read.json()[root].clone());
        assert_eq!(read["id"], id.as_str(), "{name}: {read}");
        assert_eq!(read["type"], made["type"], "{name}");
        if current("GET", &create.path).is_some() {
            let listed = send("GET", &path).await;
            let text = String::from_utf8_lossy(&listed.body).into_owned();
            assert!(text.contains(&id), "{name} is not listed in {text}");
        }
        if let Some(delete) = current("DELETE", &get.path) {
            assert_eq!(Some(send("DELETE", &object).await.status), delete.status, "{name}");
            assert_eq!(send("GET", &object).await.status, 404, "{name}");
            assert_eq!(send("DELETE", &object).await.status, 404, "{name}");
        }
        lived += 1;
    }
    assert!(lived >= 45, "{lived}");
}

#[tokio::test]
async fn an_update_keeps_omitted_and_read_only_members() {
    let world = world().await;
    let path = format!("/automation_actions/runners/{}", id("runner"));
    let before = world.get(&path).await["runner"].clone();
    let changed = world.put(&path, json!({"runner": {"name": "Another name", "id": "PX"}})).await;
    let after = world.get(&path).await["runner"].clone();
    assert_eq!(changed["runner"], after);
    assert_eq!(after["name"], "Another name");
    assert_eq!(after["summary"], "Another name");
    for member in ["id", "description", "runner_type", "self", "created_at"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    world.nothing_noted();
}

#[tokio::test]
async fn deleting_an_object_deletes_its_children() {
    let world = world().await;
    let integration = format!("/enrichment/integrations/servicenow/{}", id("integration"));
    let table = format!("{integration}/tables/{}", id("table"));
    assert_eq!(
        world.get(&format!("{table}/test")).await["enrichment_data"].as_array().unwrap().len(),
        1
    );
    assert_eq!(world.delete(&integration).await, 204);
    assert_eq!(world.send("GET", &format!("{table}/test"), None).await.error(), (404, 2100));
    let page = format!("/status_pages/{}/posts/{}", id("status_page"), id("post"));
    assert_eq!(world.delete(&page).await, 204);
    assert_eq!(world.send("GET", &format!("{page}/postmortem"), None).await.status, 404);
}

#[tokio::test]
async fn an_unknown_reference_is_refused_and_a_known_one_completed() {
    let world = world().await;
    let body = |service: Value| {
        json!({"alert_grouping_setting": {
            "type": "time", "config": {"timeout": 300}, "services": [service],
        }})
    };
    let unknown = json!({"id": "PUNKNOWN", "type": "service_reference"});
    let refused = world.send("POST", "/alert_grouping_settings", Some(&body(unknown))).await;
    assert_eq!(refused.error(), (400, 2001));
    let error = refused.json()["error"]["errors"][0].as_str().unwrap().to_owned();
    assert!(error.contains("there is no service PUNKNOWN"), "{error}");
    let made = world.post("/alert_grouping_settings", body(reference("service"))).await;
    let service = &made["alert_grouping_setting"]["services"][0];
    assert_eq!(service["summary"], "Example service");
    assert!(service["self"].as_str().unwrap().ends_with("/services/PSERVICE000001"));
}

#[tokio::test]
async fn lists_are_filtered_by_members_of_their_objects() {
    let world = world().await;
    let service = id("service");
    let listed = |list: &Value| list.as_array().unwrap().len();
    let addons = world.get(&format!("/addons?service_ids[]={service}")).await;
    assert_eq!(listed(&addons["addons"]), 1);
    let none = world.get("/addons?service_ids[]=PSERVICE000002").await;
    assert_eq!(listed(&none["addons"]), 0);
    let named = world.get("/extensions?query=EXAMPLE").await;
    assert_eq!(listed(&named["extensions"]), 1);
    let unnamed = world.get("/extensions?query=nobody").await;
    assert_eq!(listed(&unnamed["extensions"]), 0);
    let whole = world.get("/extensions?include[]=extension_objects").await;
    assert_eq!(whole["extensions"][0]["extension_objects"][0]["status"], "critical");
    let sorted = world.get("/event_orchestrations?sort_by=name:desc").await;
    let names: Vec<&str> = sorted["orchestrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Second example orchestration", "Example orchestration"]);
    world.nothing_noted();
}

#[tokio::test]
async fn secrets_are_returned_only_once() {
    let world = world().await;
    let client = json!({"oauth_client": {
        "name": "Receiver", "client_id": "c1", "client_secret": "very-secret",
        "token_url": "https://example.com/token", "grant_type": "client_credentials",
    }});
    let path = "/webhook_subscriptions/oauth_clients";
    let made = world.post(path, client).await;
    let credentials = json!({"credentials": {
        "instance_endpoint": "https://example.com/", "user": "reader", "password": "very-secret",
    }});
    let kept = world.post("/enrichment/integrations/servicenow/credentials", credentials).await;
    let connection = json!({"name": "Chat", "secrets": {"token": "very-secret"}});
    let home = format!("/workflows/integrations/{}/connections", id("integration"));
    let connected = world.post(&home, connection).await;
    assert_eq!(connected["secrets"]["token"], "********");
    let all = world.get("/workflows/integrations/connections").await;
    for shown in [&made, &kept, &connected, &all, &world.get(path).await] {
        assert!(!shown.to_string().contains("very-secret"), "{shown}");
    }
}

#[tokio::test]
async fn hundreds_of_concurrent_requests_create_hundreds_of_objects() {
    let world = world().await;
    let before = world.get("/tags?total=true").await["total"].as_u64().unwrap();
    let numbers: Vec<usize> = (0..300).collect();
    let requests = numbers.into_iter().map(|number| {
        let world = &world;
        async move {
            let tag = json!({"tag": {"type": "tag", "label": format!("number {number}")}});
            world.post("/tags", tag).await["tag"]["id"].as_str().unwrap().to_owned()
        }
    });
    let mut made = futures(requests.collect()).await;
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 300);
    assert_eq!(world.get("/tags?total=true").await["total"], before + 300);
}

/// Waits for all of them together.
async fn futures<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, place) in waiting.iter_mut().zip(&mut done) {
            if place.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *place = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
