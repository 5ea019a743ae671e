//! The verbs that people think in do what their names say, as the simulator's state shows.

use std::time::{Duration, SystemTime};

use end_to_end::{World, error, values};
use pagerduty_simulator::{NewIncident, Simulator, Status, Urgency};
use serde_json::{Value, json};

/// A world with an object of every kind, and a new incident.
async fn with_incident() -> (World, String) {
    let world = World::with(Simulator::builder().examples(true), |host| host).await;
    let incident = world.us().add_incident(NewIncident::default());
    (world, incident)
}

fn on(incident: &str) -> Value {
    json!({ "incident_id": incident })
}

fn on_with(incident: &str, more: Value) -> Value {
    let mut parameters = on(incident);
    for (name, value) in end_to_end::object(more) {
        parameters[name] = value;
    }
    parameters
}

fn log_has(world: &World, incident: &str, kind: &str) -> usize {
    world
        .us()
        .log_of(incident)
        .iter()
        .filter(|entry| **entry == format!("{kind}_log_entry"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_snoozed_reopened_and_resolved_with_a_note() {
    let (world, id) = with_incident().await;
    let now = || world.us().incident(&id).unwrap();
    world.one("incident.acknowledge", on(&id)).await;
    assert_eq!(now().status, Status::Acknowledged);
    assert_eq!(now().acknowledgements[0].0, world.us().users()[0].id);
    world.one("incident.snooze", on_with(&id, json!({"duration": 3600}))).await;
    let until = SystemTime::from(now().snoozed_until.unwrap());
    let left = until.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(3_500) && left <= Duration::from_secs(3_600), "{left:?}");
    world.simulator.advance_clock(Duration::from_secs(3_601));
    assert_eq!(now().status, Status::Triggered, "the snooze is over");
    world.one("incident.acknowledge", on(&id)).await;
    world.one("incident.reopen", on(&id)).await;
    assert_eq!(now().status, Status::Triggered);
    world.one("incident.resolve", on_with(&id, json!({"resolution": "A new disk."}))).await;
    assert_eq!(now().status, Status::Resolved);
    let notes: Vec<String> = now().notes.into_iter().map(|note| note.content).collect();
    assert_eq!(notes, ["Resolution Note: A new disk."]);
    // A resolved incident remains resolved.
    let outcome = world.run("incident.reopen", &[on(&id)]).await;
    let refused = error(&outcome, 0);
    assert_eq!((refused.kind.as_str(), refused.code.as_deref()), ("conflict", Some("1001")));
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_given_to_others_and_escalated() {
    let (world, id) = with_incident().await;
    let now = || world.us().incident(&id).unwrap();
    let ben = world.us().users()[1].id.clone();
    world
        .one("incident.reassign", on_with(&id, json!({"assignee_ids": ["ben@example.com"]})))
        .await;
    assert_eq!(now().assignee_ids, [ben]);
    let policy = world.us().escalation_policies()[0].clone();
    world
        .one("incident.reassign", on_with(&id, json!({"escalation_policy_id": policy.name})))
        .await;
    assert_eq!((now().escalation_policy_id, now().escalation_level), (policy.id.clone(), 1));
    world.one("incident.escalate", on_with(&id, json!({"escalation_level": 2}))).await;
    assert_eq!(now().escalation_level, 2);
    assert_eq!(now().assignee_ids, policy.levels[1]);
    let outcome =
        world.run("incident.escalate", &[on_with(&id, json!({"escalation_level": 9}))]).await;
    let refused = error(&outcome, 0);
    assert_eq!((refused.kind.as_str(), refused.code.as_deref()), ("conflict", Some("1006")));
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_urgency_and_custom_fields_are_set() {
    let (world, id) = with_incident().await;
    let now = || world.us().incident(&id).unwrap();
    world.one("incident.change_priority", on_with(&id, json!({"priority_id": "name:P2"}))).await;
    assert_eq!(now().priority_id.as_ref(), Some(&world.us().priorities()[1].id));
    world.one("incident.change_priority", on_with(&id, json!({"priority_id": null}))).await;
    assert_eq!(now().priority_id, None);
    world.one("incident.change_urgency", on_with(&id, json!({"urgency": "low"}))).await;
    assert_eq!(now().urgency, Urgency::Low);
    // The first example has a type with such a field.
    let first = "QINCIDENT00001";
    let fields = json!({"fields": {"environment": "staging"}});
    world.run("incident.set_custom_fields", &[on_with(first, fields)]).await;
    let listed = world.run("incident_field_value.list", &[on(first)]).await;
    let field = values(&listed, 0).into_iter().find(|one| one["name"] == "environment").unwrap();
    assert_eq!(field["value"], "staging");
    assert_eq!(log_has(&world, first, "custom_field_value_change"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_merged_into_one() {
    let (world, target) = with_incident().await;
    let sources: Vec<String> =
        (0..2).map(|_| world.us().add_incident(NewIncident::default())).collect();
    // By id and by number.
    let number = format!("#{}", world.us().incident(&sources[1]).unwrap().number);
    let parameters = on_with(&target, json!({"source_incident_ids": [sources[0], number]}));
    world.one("incident.merge", parameters).await;
    for source in &sources {
        let source = world.us().incident(source).unwrap();
        assert_eq!(source.merged_into.as_deref(), Some(target.as_str()));
        assert_eq!(source.status, Status::Resolved);
    }
    assert_eq!(world.us().incident(&target).unwrap().status, Status::Triggered);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_asked_to_help_where_the_plan_allows_it() {
    let (world, id) = with_incident().await;
    let ask = || {
        on_with(
            &id,
            json!({"message": "Please help.", "user_ids": ["Ben Okafor"],
                "escalation_policy_ids": ["Storefront on call"]}),
        )
    };
    world.us().set_ability("coordinated_responding", false);
    for action in ["incident.add_responders", "incident_responder.request"] {
        let parameters = match action {
            "incident.add_responders" => ask(),
            _ => on_with(
                &id,
                json!({"message": "Please help.", "responder_request_targets":
                    [{"id": world.us().users()[1].id, "type": "user_reference"}]}),
            ),
        };
        let outcome = world.run(action, &[parameters]).await;
        let refused = error(&outcome, 0);
        assert_eq!(
            (refused.kind.as_str(), refused.http_status),
            ("forbidden", Some(402)),
            "{action}"
        );
        assert!(refused.message.contains("`coordinated_responding`"), "{}", refused.message);
    }
    world.us().set_ability("coordinated_responding", true);
    let made = world.one("incident.add_responders", ask()).await;
    // Who asks is the one to whom the key belongs.
    assert_eq!(made["requester"]["id"], world.us().users()[0].id);
    let shown = world.one("incident.get", on(&id)).await;
    let asked: Vec<&str> = shown["incidents_responders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["user"]["summary"].as_str().unwrap())
        .collect();
    assert_eq!(asked, ["Ben Okafor", "Chloé Lindqvist"]);
    // A key that is nobody's, and acts as nobody, does not know who asks.
    let outcome = world.run_with("nobody", "incident.add_responders", &[ask()]).await;
    assert!(error(&outcome, 0).message.contains("requester_id"), "{:?}", error(&outcome, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_update_is_posted_and_a_workflow_started() {
    let (world, id) = with_incident().await;
    let update = on_with(&id, json!({"message": "A fix is on its way."}));
    world.one("incident_status_update.create", update).await;
    let posted = world.us().status_updates_of(&id);
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0]["message"], "A fix is on its way.");
    assert_eq!(posted[0]["sender"]["id"], world.us().users()[0].id);
    let workflow = "PINCIDENTWORK1";
    let started = "/incident_workflows/PINCIDENTWORK1/instances";
    let before = world.us().kept(started).len();
    let name = world.one("incident_workflow.get", json!({"incident_workflow_id": workflow})).await
        ["name"]
        .clone();
    world.one("incident_workflow.start", on_with(&id, json!({"incident_workflow_id": name}))).await;
    let instances = world.us().kept(started);
    assert_eq!(instances.len(), before + 1);
    assert_eq!(instances.last().unwrap()["incident"]["id"], id);
}

/// The summaries of the users that are on call, level by level.
async fn on_call(world: &World, parameters: Value) -> Vec<(u64, String)> {
    let outcome = world.run("on_call.now", std::slice::from_ref(&parameters)).await;
    let mut found = Vec::new();
    for one in values(&outcome, 0) {
        let level = one["escalation_level"].as_u64().unwrap();
        let name = one["user"]["summary"].as_str().unwrap_or_default().to_owned();
        found.push((level, name));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn on_calls_are_found_for_a_service_a_policy_a_schedule_a_team_and_a_time() {
    let world = World::new().await;
    let names = |list: &[(u64, &str)]| -> Vec<(u64, String)> {
        list.iter().map(|(level, name)| (*level, (*name).to_owned())).collect()
    };
    let storefront = names(&[(1, "Chloé Lindqvist"), (2, "Ben Okafor")]);
    let platform = names(&[(1, "Ada Moreno"), (2, "Ben Okafor")]);
    assert_eq!(on_call(&world, json!({"service_id": "Checkout"})).await, storefront);
    assert_eq!(on_call(&world, json!({"service_id": "Search"})).await, platform);
    let by_policy = json!({"escalation_policy_id": "Platform on call"});
    assert_eq!(on_call(&world, by_policy).await, platform);
    assert_eq!(on_call(&world, json!({"team_id": "Storefront"})).await, storefront);
    let first = json!({"team_id": "Platform", "level": 1});
    assert_eq!(on_call(&world, first).await, platform[..1]);
    let nobody = json!({"escalation_policy_id": "Nobody on call"});
    assert_eq!(on_call(&world, nobody).await, []);
    let outcome = world.run("on_call.now", &[json!({})]).await;
    assert_eq!(error(&outcome, 0).kind, "invalid-input");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_changes_who_is_on_call_during_its_times_only() {
    let world = World::with(Simulator::builder().examples(true), |host| host).await;
    let schedule = "PSCHEDULE00001";
    let at = |time: &str| json!({"schedule_id": schedule, "at": time});
    let (before, during) = ("2027-03-01T07:59:00Z", "2027-03-01T08:00:00Z");
    let after = "2027-03-01T20:00:00Z";
    let usual = on_call(&world, at(before)).await;
    assert!(!usual.is_empty() && usual.iter().all(|(_, name)| name != "Chloé Lindqvist"));
    // Times may have any offset.
    let made = world
        .one(
            "schedule_override.create",
            json!({"schedule_id": schedule, "user_id": "chloe@example.com",
                "start": "2027-03-01T09:00:00+01:00", "end": "2027-03-01T20:00:00Z"}),
        )
        .await;
    assert_eq!(made["user"]["summary"], "Chloé Lindqvist");
    let stands_in = on_call(&world, at(during)).await;
    assert!(stands_in.iter().all(|(_, name)| name == "Chloé Lindqvist"), "{stands_in:?}");
    assert_eq!(stands_in.len(), usual.len());
    assert_eq!(on_call(&world, at(before)).await, usual);
    assert_eq!(on_call(&world, at(after)).await, usual);
    for (parameters, words) in [
        (json!({"end": "2027-03-01T07:00:00Z", "minutes": 5}), "one of end and minutes"),
        (json!({"start": "2027-03-01T08:00:00Z", "end": "2027-03-01T07:00:00Z"}), "must be after"),
    ] {
        let mut all = json!({"schedule_id": schedule, "user_id": "chloe@example.com"});
        for (name, value) in end_to_end::object(parameters) {
            all[name] = value;
        }
        let outcome = world.run("schedule_override.create", &[all]).await;
        assert!(error(&outcome, 0).message.contains(words), "{}", error(&outcome, 0).message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_put_under_maintenance_from_now_on() {
    let world = World::new().await;
    let parameters = json!({"service_ids": ["Checkout", "Billing"], "minutes": 30,
        "description": "New disks"});
    let window = world.one("maintenance_window.start", parameters).await;
    let ids: Vec<&Value> =
        window["services"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    let services = world.us().services();
    assert_eq!(ids, [&json!(services[0].id), &json!(services[1].id)]);
    let listed = world.run("maintenance_window.list", &[json!({"filter": "ongoing"})]).await;
    let listed = values(&listed, 0);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["description"]), (&window["id"], &json!("New disks")));
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_by_the_whole_address_alone() {
    let world = World::new().await;
    // An address that holds the other one, and a name that is one.
    world.us().add_user("ben@example.com", "other@example.com", "user");
    world.us().add_user("Ruben", "ruben@example.com", "user");
    let found = world.one("user.find", json!({"email": "BEN@example.com"})).await;
    assert_eq!(found["id"], world.us().users()[1].id);
    let outcome = world.run("user.find", &[json!({"email": "nobody@example.com"})]).await;
    assert_eq!(error(&outcome, 0).kind, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_found_by_number_key_and_address() {
    let world = World::new().await;
    let keyed = |status| NewIncident {
        incident_key: Some("disk".into()),
        status,
        ..NewIncident::default()
    };
    let old = world.us().add_incident(keyed(Status::Resolved));
    let open = world.us().add_incident(keyed(Status::Triggered));
    let later = world.us().add_incident(keyed(Status::Resolved));
    let number = world.us().incident(&old).unwrap().number;
    let found =
        async |parameters: Value| world.one("incident.find", parameters).await["id"].clone();
    assert_eq!(found(json!({"number": number})).await, old);
    assert_eq!(found(json!({"incident_key": "disk"})).await, open);
    for url in [
        format!("https://example.pagerduty.com/incidents/{later}"),
        format!("https://example.eu.pagerduty.com/incidents/{later}/timeline?x=1#y"),
    ] {
        assert_eq!(found(json!({ "url": url })).await, later);
    }
    for parameters in [json!({"number": 999_999}), json!({"incident_key": "none"})] {
        let outcome = world.run("incident.find", &[parameters]).await;
        assert_eq!(error(&outcome, 0).kind, "not-found");
    }
    for parameters in [
        json!({}),
        json!({"number": 1, "incident_key": "disk"}),
        json!({"url": "https://example.pagerduty.com/services/PSERVICE000001"}),
    ] {
        let outcome = world.run("incident.find", &[parameters]).await;
        assert_eq!(error(&outcome, 0).kind, "invalid-input");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_named_by_id_name_or_address() {
    let world = World::new().await;
    let service = world.us().services()[0].clone();
    for given in [
        service.id.clone(),
        format!("id:{}", service.id),
        service.name.clone(),
        service.name.to_uppercase(),
        format!("name:{}", service.name),
        format!("https://example.pagerduty.com/service-directory/{}", service.id),
        format!("https://example.eu.pagerduty.com/services/{}?tab=x", service.id),
    ] {
        let made = world.one("incident.create", json!({"title": "t", "service_id": given})).await;
        assert_eq!(made["service"]["id"], service.id, "{given}");
    }
    let incident = world.us().incidents()[0].clone();
    for given in [
        incident.id.clone(),
        incident.number.to_string(),
        format!("#{}", incident.number),
        format!("https://example.pagerduty.com/incidents/{}", incident.id),
    ] {
        assert_eq!(world.one("incident.get", on(&given)).await["id"], incident.id, "{given}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_clear_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    let twins: Vec<String> = (0..2)
        .map(|n| world.us().add_user("Sam Twin", &format!("sam{n}@example.com"), "user"))
        .collect();
    let incident = world.us().add_incident(NewIncident::default());
    world.simulator.clear_requests();
    let refused = async |assignee: &str| {
        let parameters = on_with(&incident, json!({"assignee_ids": [assignee]}));
        let outcome = world.run("incident.reassign", &[parameters]).await;
        let refused = error(&outcome, 0).clone();
        assert_eq!(refused.kind, "invalid-input", "{assignee}");
        assert_eq!(refused.detail.as_ref().unwrap()["errors"][0]["pointer"], "/assignee_ids/0");
        refused.message
    };
    let several = refused("Sam Twin").await;
    assert!(twins.iter().all(|id| several.contains(id)), "{several}");
    let unknown = refused("Sam").await;
    assert!(unknown.contains("similar: Sam Twin"), "{unknown}");
    let elsewhere = refused("https://example.pagerduty.com/teams/PTEAM000000001").await;
    assert!(elsewhere.contains("is an address, but not of a user"), "{elsewhere}");
    assert!(world.simulator.requests().iter().all(|one| one.method == "GET"));
    // A name in one item does not hinder the others.
    let items = [
        on_with(&incident, json!({"assignee_ids": ["Sam Twin"]})),
        on_with(&incident, json!({"assignee_ids": ["Ben Okafor"]})),
    ];
    let outcome = world.run("incident.reassign", &items).await;
    assert_eq!(error(&outcome, 0).kind, "invalid-input");
    values(&outcome, 1);
}
