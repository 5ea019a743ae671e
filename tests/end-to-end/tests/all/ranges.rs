//! Time ranges: the service applies a default when an end is missing and refuses ranges that are too
//! long, and nobody should notice either.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use end_to_end::{World, error, values};
use pagerduty_simulator::{NewIncident, Simulator};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(86_400);

async fn world() -> World {
    let simulator = Simulator::builder().without_rate_limits().examples(false);
    World::with(simulator, |host| host.rate_limit(Vec::new())).await
}

/// A time so many days ago, as people write one.
fn days_ago(days: u32) -> String {
    let at = SystemTime::now() - DAY * days;
    format!("{:.0}", jiff::Timestamp::try_from(at).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_end_of_a_range_finds_what_both_ends_find() {
    let world = world().await;
    let ages = [1, 20, 45, 99, 101, 250, 400, 800];
    let ids: Vec<String> = ages
        .iter()
        .map(|days| {
            world.us().add_incident(NewIncident { age: DAY * *days, ..NewIncident::default() })
        })
        .collect();
    let of = |newest: usize, oldest: usize| -> BTreeSet<String> {
        ids[newest..oldest].iter().cloned().collect()
    };
    for (parameters, expected) in [
        (json!({"since": days_ago(100), "all": true}), of(0, 4)),
        (json!({"since": days_ago(500)}), of(0, 7)),
        (json!({"until": days_ago(100), "all": true}), of(4, 8)),
        (json!({"since": days_ago(900), "until": days_ago(90), "all": true}), of(3, 8)),
        (json!({"all": true}), of(0, 8)),
    ] {
        let outcome = world.run("incident.list", std::slice::from_ref(&parameters)).await;
        let found: Vec<Value> = values(&outcome, 0);
        let found: Vec<String> =
            found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        let distinct: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(distinct.len(), found.len(), "{parameters}");
        assert_eq!(&distinct & &ids.iter().cloned().collect(), expected, "{parameters}");
    }
    let log = world.run("log_entry.list", &[json!({"all": true})]).await;
    let logged: BTreeSet<String> = values(&log, 0)
        .iter()
        .map(|one| one["incident"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.iter().all(|id| logged.contains(id)), "the log reaches back as far");
    let sorted = json!({"since": days_ago(500), "sort_by": ["urgency:asc"]});
    let refused = world.run("incident.list", &[sorted]).await;
    assert_eq!(error(&refused, 0).kind, "invalid-input");
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_with_a_longest_range_are_read_in_parts() {
    let world = world().await;
    let service = world.us().services()[0].id.clone();
    for (action, parameters) in [
        ("audit_record.list", json!({"since": days_ago(100), "all": true})),
        ("notification.list", json!({"since": days_ago(400), "until": days_ago(0)})),
        ("change_event.list", json!({"since": days_ago(100), "all": true})),
        (
            "analytics_incident.list",
            json!({"filters": {"created_at_start": days_ago(900), "service_ids": [service]}}),
        ),
        (
            "analytics.incident_metrics",
            json!({"filters": {"created_at_end": days_ago(0), "service_ids": [service]}}),
        ),
    ] {
        let outcome = world.run(action, std::slice::from_ref(&parameters)).await;
        values(&outcome, 0);
    }
    assert_eq!(world.simulator.violations(), [""; 0]);
}
