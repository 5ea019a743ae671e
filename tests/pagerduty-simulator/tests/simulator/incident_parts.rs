//! Parts of incidents: alerts, notes, responders, subscribers, fields, impacts, and related
//! incidents.

use pagerduty_simulator::Status;
use serde_json::{Value, json};

use crate::world::{id, ids, reference, world};

#[tokio::test]
async fn alerts_are_resolved_and_moved_one_by_one_and_together() {
    let world = world().await;
    let home = format!("/incidents/{}/alerts", id("incident"));
    let first = format!("{home}/{}", id("alert"));
    let moved = json!({"alert": {"type": "alert", "incident": {
        "id": "QINCIDENT00002", "type": "incident_reference",
    }}});
    let moved = world.put(&first, moved).await["alert"].clone();
    assert_eq!(moved["incident"]["id"], "QINCIDENT00002");
    assert_eq!(world.send("GET", &first, None).await.status, 404);
    let elsewhere = format!("/incidents/QINCIDENT00002/alerts/{}", id("alert"));
    assert_eq!(world.get(&elsewhere).await["alert"]["status"], "triggered");
    let to_closed =
        json!({"alert": {"incident": {"id": "QINCIDENT00004", "type": "incident_reference"}}});
    assert_eq!(world.refused("PUT", &elsewhere, to_closed).await, (400, 1001));

    let change = |id: &str| json!({"id": id, "type": "alert", "status": "resolved"});
    let both = json!({"alerts": [change("PALERT00000002"), change("PUNKNOWN")]});
    assert_eq!(world.refused("PUT", &home, both).await, (404, 2100));
    assert_eq!(world.get(&home).await["alerts"][0]["status"], "triggered");
    let one = world.put(&home, json!({"alerts": [change("PALERT00000002")]})).await;
    assert_eq!(one["alerts"][0]["status"], "resolved");
    // It was the last one, so its incident is resolved as well.
    assert_eq!(world.simulator.us().incident(&id("incident")).unwrap().status, Status::Resolved);
    let back = json!({"alert": {"status": "triggered"}});
    let resolved = format!("{home}/PALERT00000002");
    assert_eq!(world.refused("PUT", &resolved, back).await, (400, 2001));
    let many: Vec<Value> = (0..251).map(|number| change(&format!("P{number}"))).collect();
    assert_eq!(world.send("PUT", &home, Some(&json!({"alerts": many}))).await.status, 413);
}

#[tokio::test]
async fn notes_are_changed_and_deleted() {
    let world = world().await;
    let path = format!("/incidents/{}/notes", id("incident"));
    let note = format!("{path}/{}", id("note"));
    let changed = world.put(&note, json!({"note": {"content": "Found it."}})).await;
    assert_eq!(changed["note"]["content"], "Found it.");
    assert_eq!(world.get(&path).await["notes"][0]["content"], "Found it.");
    assert_eq!(world.delete(&note).await, 204);
    assert_eq!(world.get(&path).await["notes"], json!([]));
    assert_eq!(world.delete(&note).await, 404);
}

#[tokio::test]
async fn responder_requests_are_created_and_canceled() {
    let world = world().await;
    let incident = format!("/incidents/{}", id("incident"));
    let wrapped = |target: Value| json!({"responder_request_target": target});
    let request = json!({
        "requester_id": id("user"), "message": "Please come",
        "responder_request_targets": [
            wrapped(json!({"id": "PUSER000000003", "type": "user_reference"})),
            wrapped(reference("escalation_policy")),
        ],
    });
    let path = format!("{incident}/responder_requests");
    let made = world.post(&path, request.clone()).await["responder_request"].clone();
    let target = &made["responder_request_targets"][0]["responder_request_target"];
    assert_eq!(target["summary"], "Greta Example");
    assert_eq!(target["incidents_responders"][0]["state"], "pending");
    let shown = world.get(&incident).await["incident"].clone();
    assert_eq!(shown["incidents_responders"].as_array().unwrap().len(), 2);
    let cancel = json!({
        "requester_id": id("user"),
        "responder_request_targets": [{"id": "PUSER000000003", "type": "user_reference"}],
    });
    let cancelled = world.put(&format!("{path}/cancel"), cancel.clone()).await;
    let result = |answer: &Value| answer["responder_request_targets"][0]["result"].clone();
    assert_eq!(cancelled["responder_request_targets"][0]["id"], "PUSER000000003");
    assert_eq!(result(&cancelled), "cancelled");
    let shown = world.get(&incident).await["incident"].clone();
    assert_eq!(shown["incidents_responders"].as_array().unwrap().len(), 1);
    assert_eq!(result(&world.put(&format!("{path}/cancel"), cancel).await), "not_found");
    let mut stranger = request.clone();
    stranger["requester_id"] = json!("PUNKNOWN");
    assert_eq!(world.refused("POST", &path, stranger).await, (400, 1008));
    let closed = "/incidents/QINCIDENT00004/responder_requests";
    assert_eq!(world.refused("POST", closed, request.clone()).await, (400, 1001));
    world.simulator.us().set_ability("coordinated_responding", false);
    assert_eq!(world.refused("POST", &path, request).await, (402, 2014));
}

#[tokio::test]
async fn subscribers_are_the_same_from_both_ends() {
    let world = world().await;
    let incident = "/incidents/QINCIDENT00002/status_updates";
    let user = json!({"subscriber_id": id("user"), "subscriber_type": "user"});
    let nobody = json!({"subscriber_id": "PUNKNOWN", "subscriber_type": "team"});
    let body = json!({"subscribers": [user, nobody, user]});
    let made = world.post(&format!("{incident}/subscribers"), body).await;
    let results: Vec<&str> = made["subscriptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["success", "unauthorized", "duplicate"]);
    let listed = world.get(&format!("{incident}/subscribers")).await;
    assert_eq!(listed["subscribers"][0]["subscriber_id"], id("user").as_str());
    assert!(listed["account_id"].is_string());
    let own = format!("/users/{}/notification_subscriptions", id("user"));
    let seen = world.get(&own).await["subscriptions"].as_array().unwrap().clone();
    assert!(seen.iter().any(|one| one["subscribable_id"] == "QINCIDENT00002"));
    let off = json!({"subscribables": [
        {"subscribable_id": "QINCIDENT00002", "subscribable_type": "incident"},
        {"subscribable_id": "QINCIDENT00003", "subscribable_type": "incident"},
        {"subscribable_id": "QUNKNOWN", "subscribable_type": "incident"},
    ]});
    let counts = world.post(&format!("{own}/unsubscribe"), off).await;
    let expected = json!({"deleted_count": 1, "unauthorized_count": 1, "non_existent_count": 1});
    assert_eq!(counts, expected);
    let listed = world.get(&format!("{incident}/subscribers")).await;
    assert_eq!(listed["subscribers"], json!([]));
    let team = format!("/teams/{}/notification_subscriptions", id("team"));
    assert_eq!(world.get(&team).await["subscriptions"].as_array().unwrap().len(), 2);
    let business = format!("/business_services/{}/subscribers", id("business_service"));
    assert_eq!(world.get(&business).await["subscribers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_status_update_has_its_sender_and_a_template_fills_it() {
    let world = world().await;
    let path = format!("/incidents/{}/status_updates", id("incident"));
    let update = json!({"message": "Half way", "subject": "Checkout"});
    let update = world.post(&path, update).await["status_update"].clone();
    assert_eq!((&update["message"], &update["subject"]), (&json!("Half way"), &json!("Checkout")));
    assert_eq!(update["sender"]["summary"], "Ada Moreno");
    let template = format!("/templates/{}/render", id("template"));
    let body = json!({"incident_id": id("incident"), "status_update": {"message": "Half way"}});
    let rendered = world.post(&template, body).await["templated_fields"].clone();
    assert_eq!(rendered["message"], "Checkout answers slowly is triggered");
    assert_eq!(rendered["email_body"], "<p>Half way</p>");
    let empty = world.post(&template, json!({})).await;
    assert!(!empty["warnings"]["undefined_variables"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn values_of_custom_fields_fit_their_fields() {
    let world = world().await;
    let incident = json!({"incident": {
        "type": "incident", "title": "With fields", "service": reference("service"),
        "incident_type": {"name": "example_incident"},
    }});
    let made = world.post("/incidents", incident).await["incident"]["id"].clone();
    let path = format!("/incidents/{}/custom_fields/values", made.as_str().unwrap());
    let empty = world.get(&path).await["custom_fields"].clone();
    assert_eq!((&empty[0]["name"], &empty[0]["value"]), (&json!("environment"), &Value::Null));
    let set = |value: Value| json!({"custom_fields": [{"name": "environment", "value": value}]});
    let after = world.put(&path, set(json!("staging"))).await["custom_fields"].clone();
    assert_eq!(after[0]["value"], "staging");
    for bad in [json!("moon"), json!(7), json!(["staging"])] {
        assert_eq!(world.refused("PUT", &path, set(bad.clone())).await, (400, 2001), "{bad}");
    }
    let unknown = json!({"custom_fields": [{"name": "colour", "value": "red"}]});
    assert_eq!(world.refused("PUT", &path, unknown).await, (400, 2001));
    let whole = format!("/incidents/{}?include[]=custom_fields", made.as_str().unwrap());
    assert_eq!(world.get(&whole).await["incident"]["custom_fields"][0]["value"], "staging");
    let log = world.simulator.us().log_of(made.as_str().unwrap());
    assert_eq!(log.last().unwrap(), "custom_field_value_change_log_entry");

    let fields = format!("/incidents/types/{}/custom_fields", id("incident_type"));
    let field = json!({"field": {
        "name": "hosts", "display_name": "Hosts", "data_type": "string",
        "field_type": "multi_value_fixed",
        "field_options": [{"data": {"data_type": "string", "value": "web-1"}}],
    }});
    let field = world.post(&fields, field).await["field"].clone();
    assert!(field.get("field_options").is_none());
    let options = format!("{fields}/{}?include[]=field_options", field["id"].as_str().unwrap());
    let options = world.get(&options).await["field"]["field_options"].clone();
    assert_eq!(options[0]["data"]["value"], "web-1");
    // The name of the type leads to the same fields as its ID.
    let named = world.get("/incidents/types/example_incident/custom_fields").await;
    assert_eq!(named["fields"].as_array().unwrap().len(), 2);
    let hosts = json!({"custom_fields": [{"id": field["id"], "value": ["web-1"]}]});
    world.put(&path, hosts).await;
    let service = format!("/services/{}/custom_fields/values", id("service"));
    let value = json!({"custom_fields": [{"id": id("custom_field"), "value": "production"}]});
    assert_eq!(world.put(&service, value).await["custom_fields"][0]["value"], "production");
    world.nothing_noted();
}

#[tokio::test]
async fn incident_types_are_listed_by_whether_they_are_in_use() {
    let world = world().await;
    let count = async |filter: &str| {
        let list = world.get(&format!("/incidents/types{filter}")).await;
        list["incident_types"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    let off = json!({"incident_type": {"enabled": false}});
    world.put("/incidents/types/example_incident", off).await;
    let counts = (count("").await, count("?filter=disabled").await, count("?filter=all").await);
    assert_eq!(counts, (1, 1, 2));
    let new = |name: &str, parent: &str| json!({"incident_type": {"name": name, "display_name": "New", "parent_type": parent}});
    let made = world.post("/incidents/types", new("flood", "incident_default")).await;
    assert_eq!(made["incident_type"]["parent"]["id"], "PINCIDENTTYPE2");
    for (name, parent) in [("flood", "incident_default"), ("fire", "nothing")] {
        let refused = world.refused("POST", "/incidents/types", new(name, parent)).await;
        assert_eq!(refused, (400, 2001), "{name}");
    }
}

#[tokio::test]
async fn business_services_are_impacted_by_dependencies_or_manually() {
    let world = world().await;
    let (shop, office) = (id("business_service"), "PBUSINESSSERV2");
    let status = async |service: &str| {
        let list = world.get(&format!("/business_services/impacts?ids[]={service}")).await;
        list["services"][0]["status"].clone()
    };
    assert_eq!(status(&shop).await, "impacted");
    assert_eq!(status(office).await, "not_impacted");
    let impactors = world.get(&format!("/business_services/impactors?ids[]={shop}")).await;
    assert_eq!(impactors["impactors"].as_array().unwrap().len(), 3);
    let supporting =
        world.get(&format!("/business_services/{shop}/supporting_services/impacts")).await;
    assert_eq!(supporting["services"][0]["id"], id("service").as_str());

    let manual = format!("/incidents/{}/business_services/{office}/impacts", id("incident"));
    let said = world.put(&manual, json!({"relation": "impacted"})).await;
    assert_eq!(said, json!({"relation": "impacted"}));
    assert_eq!(status(office).await, "impacted");
    let impacts = format!("/incidents/{}/business_services/impacts", id("incident"));
    assert_eq!(ids(&world.get(&impacts).await["services"]), [shop.as_str(), office]);
    world.put(&manual, json!({"relation": "not_impacted"})).await;
    assert_eq!(status(office).await, "not_impacted");

    let tie = json!({"relationships": [{
        "supporting_service": {"id": shop, "type": "business_service_reference"},
        "dependent_service": {"id": office, "type": "business_service_reference"},
    }]});
    let made = world.post("/service_dependencies/associate", tie.clone()).await;
    assert_eq!(made["relationships"][0]["type"], "service_dependency");
    assert_eq!(status(office).await, "impacted");
    let of_office = format!("/service_dependencies/business_services/{office}");
    assert_eq!(world.get(&of_office).await["relationships"].as_array().unwrap().len(), 1);
    world.post("/service_dependencies/disassociate", tie.clone()).await;
    assert_eq!(status(office).await, "not_impacted");
    let gone = world.refused("POST", "/service_dependencies/disassociate", tie).await;
    assert_eq!(gone, (404, 2100));
    let dashboard = world.get("/status_dashboards/url_slugs/example/service_impacts?additional_fields[]=total_impacted_count").await;
    assert_eq!(dashboard["additional_fields"]["total_impacted_count"], 1);
    assert_eq!(world.send("GET", "/status_dashboards/url_slugs/none", None).await.status, 404);
}

#[tokio::test]
async fn other_incidents_are_past_related_or_outliers() {
    let world = world().await;
    let first = format!("/incidents/{}", id("incident"));
    let past = world.get(&format!("{first}/past_incidents?total=true")).await;
    assert_eq!(past["past_incidents"][0]["incident"]["id"].as_str().unwrap().len(), 14);
    assert!(past["total"].as_u64().unwrap() >= 1);
    let related = world.get(&format!("{first}/related_incidents")).await;
    assert_eq!(related["related_incidents"], json!([]));
    let elsewhere = json!({"incident": {
        "type": "incident", "title": "Nearby", "service": {"id": "PSERVICE000002", "type": "service_reference"},
    }});
    let nearby = world.post("/incidents", elsewhere).await["incident"]["id"].clone();
    let related =
        world.get(&format!("{first}/related_incidents?additional_details[]=incident")).await;
    assert_eq!(related["related_incidents"][0]["incident"]["id"], nearby);
    assert_eq!(related["related_incidents"][0]["incident"]["status"], "triggered");
    let outlier = world.get(&format!("{first}/outlier_incident")).await["outlier_incident"].clone();
    assert_eq!(outlier["incident"]["occurrence"]["count"], 1);
    let changes = world.get(&format!("{first}/related_change_events")).await;
    assert_eq!(changes["change_events"][0]["summary"], "Version 2 is out");
}

#[tokio::test]
async fn default_values_of_custom_fields_have_the_type_of_the_field() {
    let world = world().await;
    let fields = format!("/incidents/types/{}/custom_fields", id("incident_type"));
    let field = |name: &str, default: Value| {
        json!({"field": {"name": name, "display_name": name, "data_type": "integer",
            "field_type": "single_value", "default_value": default}})
    };
    let made = world.post(&fields, field("hosts_down", json!("3"))).await["field"].clone();
    assert_eq!(made["default_value"], 3);
    assert_eq!(world.refused("POST", &fields, field("hosts_up", json!("few"))).await, (400, 2001));
    let path = format!("{fields}/{}", made["id"].as_str().unwrap());
    let changed = world.put(&path, json!({"field": {"default_value": 4}})).await;
    assert_eq!(changed["field"]["default_value"], 4);
}

#[tokio::test]
async fn a_channel_shows_its_type_unless_it_is_included() {
    let world = world().await;
    let path = format!("/incidents/{}/log_entries?limit=1", id("incident"));
    let channel = &world.get(&path).await["log_entries"][0]["channel"];
    assert_eq!(channel.as_object().unwrap().len(), 1, "{channel}");
    let channel =
        &world.get(&format!("{path}&include[]=channels")).await["log_entries"][0]["channel"];
    assert!(channel["type"].is_string());
}
