//! The PagerDuty node through the real component, host and sockets: reading.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use end_to_end::{World, error, values};
use pagerduty_simulator::{ErrorShape, Fault, NewIncident, Simulator};
use serde_json::{Value, json};
use workflow_node_host::{
    CallContext, Identity, ItemErrorKind, OptionsQuery, OptionsRequest, Outcome,
};

#[tokio::test(flavor = "multi_thread")]
async fn services_are_listed() {
    let world = World::new().await;
    let outcome = world.run("service.list", &[json!({})]).await;
    assert_eq!(values(&outcome, 0).len(), world.us().services().len());
    assert_eq!(outcome.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_one_that_pagerduty_would_accept() {
    let world = World::new().await;
    let incident = world.us().incidents()[0].id.clone();
    let service = world.us().services()[0].id.clone();
    for (action, item) in [
        ("service.list", json!({"query": "a", "sort_by": "name:desc", "include": ["teams"]})),
        ("service.get", json!({"service_id": service, "include": ["integrations", "teams"]})),
        ("user.list", json!({"query": "ada"})),
        ("user.me", json!({})),
        ("ability.list", json!({"all": true})),
        ("log_entry.list", json!({"is_overview": true, "limit": 3, "time_zone": "Europe/Berlin"})),
        ("incident.get", json!({"incident_id": incident, "include": ["assignees"]})),
        (
            "incident.list",
            json!({"statuses": ["triggered", "resolved"], "urgencies": ["high"],
            "service_ids": [service], "date_range": "all", "sort_by": ["created_at:desc", "urgency:asc"]}),
        ),
        ("incident_note.list", json!({"incident_id": incident, "all": true})),
        (
            "api.request",
            json!({"method": "GET", "path": "/oncalls", "query": {"limit": 5, "include[]": ["users"]}}),
        ),
    ] {
        let outcome = world.run(action, &[item]).await;
        values(&outcome, 0);
    }
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_means_exactly_that_many_and_all_means_all() {
    let world = World::new().await;
    world.us().add_services(250);
    let total = world.us().services().len();
    for (parameters, expected, requests) in [
        (json!({"limit": 1}), 1, 1),
        (json!({"limit": 100}), 100, 1),
        (json!({"limit": 101}), 101, 2),
        (json!({"limit": 200}), 200, 2),
        (json!({}), 100, 1),
        (json!({"all": true}), total, total.div_ceil(100)),
        (json!({"limit": 100_000}), total, total.div_ceil(100)),
    ] {
        let outcome = world.run("service.list", std::slice::from_ref(&parameters)).await;
        let records = values(&outcome, 0);
        assert_eq!(records.len(), expected, "{parameters}");
        assert_eq!(outcome.requests as usize, requests, "{parameters}");
        let mut ids: Vec<&str> = records.iter().filter_map(|one| one["id"].as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), expected, "no record twice: {parameters}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_id_next_to_a_known_one_in_a_filter_is_an_error() {
    let world = World::new().await;
    world.us().add_incidents(3);
    let services = world.us().services();
    let (first, last) = (&services[0].id, &services[services.len() - 1].id);
    let team = &world.us().teams()[0].id;
    // PagerDuty returns the records for the known ID, and ignores the other one.
    for (action, filter, known) in [
        ("incident.list", "service_ids", first),
        ("service.list", "team_ids", team),
        ("maintenance_window.list", "service_ids", first),
    ] {
        let outcome = world.run(action, &[json!({filter: [known, "PABSENT"]})]).await;
        let error = error(&outcome, 0);
        assert_eq!(error.kind, ItemErrorKind::InvalidInput, "{action}: {error}");
        let place = format!("{filter}/1: `PABSENT` is neither the ID nor the name of a ");
        assert!(error.message.starts_with(&place), "{action}: {error}");
    }
    // A service without incidents is known all the same.
    let outcome = world.run("incident.list", &[json!({"service_ids": [first, last]})]).await;
    assert!(!values(&outcome, 0).is_empty());
    assert_eq!(world.simulator.violations(), [""; 0]);
}

/// The ids of what an item of an action has given; none comes twice.
fn ids(outcome: &Outcome) -> BTreeSet<String> {
    let records = values(outcome, 0);
    let ids: BTreeSet<String> =
        records.iter().filter_map(|one| one["id"].as_str()).map(str::to_owned).collect();
    assert_eq!(ids.len(), records.len(), "no record twice");
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_beyond_the_window_come_complete_while_others_arrive() {
    let world =
        World::with(Simulator::builder().without_rate_limits(), |h| h.rate_limit(Vec::new())).await;
    world.us().add_incidents(10_150);
    let known: BTreeSet<String> = world.us().incidents().into_iter().map(|one| one.id).collect();
    for item in [
        json!({"all": true, "date_range": "all"}),
        json!({"all": true, "sort_by": ["created_at:desc"]}),
    ] {
        let items = [item.clone()];
        let listing = world.run("incident.list", &items);
        tokio::pin!(listing);
        let outcome = loop {
            tokio::select! {
                outcome = &mut listing => break outcome,
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    world.us().add_incident(NewIncident::default());
                }
            }
        };
        let found = ids(&outcome);
        let missing: Vec<_> = known.difference(&found).collect();
        assert_eq!(missing.len(), 0, "{item}: {missing:?}");
    }
    assert!(world.us().incident_count() > known.len() + 4, "others have arrived");
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_entries_beyond_the_window_come_complete_though_many_share_a_second() {
    let world =
        World::with(Simulator::builder().without_rate_limits(), |h| h.rate_limit(Vec::new())).await;
    let known: BTreeSet<String> = world.us().add_incidents(6_000).into_iter().collect();
    let outcome = world.run("log_entry.list", &[json!({"all": true})]).await;
    assert!(ids(&outcome).len() > 10_000);
    // Each incident has the same number of entries, all of the same second.
    let mut entries: BTreeMap<String, usize> = BTreeMap::new();
    for entry in values(&outcome, 0) {
        *entries.entry(entry["incident"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for incident in &known {
        assert_eq!(entries.get(incident), Some(&world.us().log_of(incident).len()), "{incident}");
    }
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_has_no_time_ends_with_an_error_at_the_window_and_what_came_stands() {
    let world =
        World::with(Simulator::builder().without_rate_limits(), |h| h.rate_limit(Vec::new())).await;
    world.us().add_services(10_050);
    let outcome = world.run("service.list", &[json!({"all": true})]).await;
    assert_eq!(outcome.items[0].output.len(), 10_000);
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "invalid-input");
    assert!(error.message.contains("at most 10000 records"), "{}", error.message);
    // A limit within the window is not an error.
    let outcome = world.run("service.list", &[json!({"limit": 10_000})]).await;
    assert_eq!(values(&outcome, 0).len(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eu_region_has_its_own_hosts_and_keys() {
    let world = World::new().await;
    let outcome = world.run_with("eu-user", "service.list", &[json!({})]).await;
    values(&outcome, 0);
    assert_eq!(world.simulator.requests()[0].host, "api.eu.pagerduty.com");
    // A key of the other region is refused, and the error says where to look.
    let key = world.simulator.eu().keys().user;
    world.connect("lost", "api-token", &json!({"region": "us"}), &[("api_token", key)]).await;
    let outcome = world.run_with("lost", "service.list", &[json!({})]).await;
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "unauthenticated");
    assert!(error.message.contains("US service region"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_cannot_lead_to_another_endpoint() {
    let world = World::new().await;
    for id in ["../users/me", "a/b", "a?b=c", "a#b", "..", "%2e%2e", "a\\b"] {
        let outcome = world.run("incident.get", &[json!({"incident_id": id})]).await;
        let kind = error(&outcome, 0).kind;
        assert!(
            matches!(kind, ItemErrorKind::NotFound | ItemErrorKind::InvalidInput),
            "{id}: {kind}"
        );
    }
    for request in world.simulator.requests() {
        assert!(request.path.starts_with("/incidents/"), "{}", request.path);
        assert_eq!(request.path.matches('/').count(), 2, "{}", request.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_an_error_keeps_its_message() {
    let world = World::new().await;
    for shape in ErrorShape::ALL {
        world.simulator.fault(Fault::error(400, shape, "the reason"));
        let outcome = world.run("service.list", &[json!({})]).await;
        let error = error(&outcome, 0);
        assert_eq!(
            (error.kind.as_str(), error.http_status),
            ("invalid-input", Some(400)),
            "{shape:?}"
        );
        assert!(!error.message.is_empty(), "{shape:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_proved_by_real_calls() {
    let world = World::new().await;
    let tested = async |name: &str| -> Identity {
        world.plugin.test_credential(name, CallContext::default()).await.unwrap()
    };
    let user = tested("user").await.user.expect("the key acts as a user");
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert_eq!(tested("account").await.user, None);
    let nobody = tested("nobody").await;
    assert!(nobody.warnings[0].contains("from"), "{nobody:?}");
    assert!(tested("events").await.summary.contains("accepts the key"));
    assert_eq!(tested("eu-user").await.region.as_deref(), Some("EU"));
    let wrong = [("routing_key", "0123456789abcdef0123456789abcdef")];
    world.connect("wrong", "events-integration", &json!({"region": "us"}), &wrong).await;
    let refused = world.plugin.test_credential("wrong", CallContext::default()).await.unwrap_err();
    assert_eq!(refused.item().expect("the service refused").kind, "invalid-input");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_get_their_choices() {
    let world = World::new().await;
    world.us().add_services(150);
    let request =
        |query: &OptionsQuery| OptionsRequest::new(query.clone()).credential("rest", "user");
    let mut query = OptionsQuery::for_action("incident.create", "service_id");
    let mut seen = 0;
    loop {
        let page = world.plugin.load_options(request(&query)).await.unwrap();
        seen += page.choices.len();
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, world.us().services().len());
    for (parameter, search, expected) in [
        ("priority_id", "P1", 1),
        ("assignee_ids", "ada", 1),
        ("escalation_policy_id", "nothing", 0),
    ] {
        let query = OptionsQuery::for_action("incident.create", parameter).search(search);
        let page = world.plugin.load_options(request(&query)).await.unwrap();
        assert_eq!(page.choices.len(), expected, "{parameter}: {page:?}");
    }
    query.parameter = "title".into();
    let error = world.plugin.load_options(request(&query)).await.unwrap_err();
    assert!(error.to_string().contains("service_id"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_unknown_fields_survive_untouched() {
    let world = World::new().await;
    let body = r#"{"services":[{"id":"P1","huge":123456789012345678901234567890,"exact":1.10,"new":{"z":1,"a":null}}],"more":false}"#;
    world.simulator.fault(Fault::response(200, &[("content-type", "application/json")], body));
    let outcome = world.run("service.list", &[json!({})]).await;
    let record = outcome.items[0].output[0].json.get();
    assert_eq!(
        record,
        r#"{"id":"P1","huge":123456789012345678901234567890,"exact":1.10,"new":{"z":1,"a":null}}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn items_run_together_and_come_back_in_order() {
    let world = World::with(
        Simulator::builder().latency(Duration::from_millis(20)).without_rate_limits(),
        |host| host.rate_limit(Vec::new()),
    )
    .await;
    let ids: Vec<String> = world.us().incidents().iter().map(|one| one.id.clone()).collect();
    let items: Vec<Value> = (0..100).map(|n| json!({"incident_id": ids[n % ids.len()]})).collect();
    let outcome = world.run("incident.get", &items).await;
    for (n, item) in items.iter().enumerate() {
        assert_eq!(values(&outcome, n)[0]["id"], item["incident_id"]);
    }
    assert_eq!(world.simulator.connections_opened(), 1, "one HTTP/2 connection serves them all");
}
