//! A two-way sync with an issue tracker: an incident for matching issues, status and comments
//! synchronized, a webhook subscription for each service, no endless loop, and access that expires,
//! is revoked, and is granted again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::engine::{Engine, eventually};
use pagerduty_simulator::{Region, Simulator};
use scenarios::sync::{Sync, VOICE};
use scenarios::tracker::{Progress, Tracker};
use scenarios::{By, REDIRECT, World, api_token, key, shared, user_account};
use serde_json::json;
use workflow_node_host::credential::CredentialStatus;
use workflow_node_host::oauth::{Actor, AskFor};
use workflow_node_host::trigger::{MemoryTriggers, NewSubscription, RunOptions};

const EVENTS: [&str; 6] = [
    "incident.triggered",
    "incident.acknowledged",
    "incident.unacknowledged",
    "incident.resolved",
    "incident.reopened",
    "incident.annotated",
];

/// The running sync on two services, and a user who works in PagerDuty.
struct Shop {
    world: Arc<World>,
    tracker: Arc<Tracker>,
    sync: Arc<Sync>,
    engine: Engine,
    /// The user who has connected it, at PagerDuty.
    person: String,
}

/// A user who works in PagerDuty.
const BEN: By<'static> = By { user: "ben", workflow: "by hand" };

impl Shop {
    /// `ignores_itself`: events of the user who has connected it start nothing.
    async fn open(ignores_itself: bool) -> Self {
        let world = Arc::new(World::new().await);
        let us = world.simulator.us();
        let (person, ben) = (us.users()[2].id.clone(), us.users()[1].id.clone());
        let hand = api_token("by-hand", Region::Us, &us.mint_user_key(&ben));
        world.connect(hand, &Actor::admin()).await.unwrap();
        let tracker = Arc::new(Tracker::default());
        let app = world.simulator.identity().scoped_app(Region::Us);
        let actions = [
            "service.list",
            "incident.create",
            "incident.get",
            "incident.list",
            "incident.acknowledge",
            "incident.resolve",
            "incident.reopen",
            "incident_note.create",
            "incident_note.list",
            "event",
        ];
        let ask = AskFor::Actions(actions.map(str::to_owned).to_vec());
        let order = shared(user_account("pagerduty", &app, ask), "lead", &[]);
        let lead = Actor::user("lead");
        let connection = world.press_connect(order, &person, &lead).await.unwrap();
        world.manager().keep(connection, &lead).await.unwrap();

        let by = By { user: "integration", workflow: "issue-sync" };
        let listed = world.ask(by, "pagerduty", "service.list", json!({"all": true})).await;
        let services: BTreeMap<String, String> = listed
            .unwrap()
            .iter()
            .filter(|one| ["Checkout", "Search"].contains(&one["name"].as_str().unwrap()))
            .map(|one| {
                let text = |name: &str| one[name].as_str().unwrap().to_owned();
                (format!("outage:{}", text("name")), text("id"))
            })
            .collect();
        assert_eq!(services.len(), 2);
        let sync = Sync::new(world.clone(), tracker.clone(), "pagerduty", services.clone());
        let triggers = Arc::new(MemoryTriggers::default());
        let mut engine = Engine::of(&world.plugin, triggers).await;
        for (label, service) in &services {
            let name = label.replace(':', "-");
            let own = if ignores_itself { vec![person.clone()] } else { Vec::new() };
            let parameters = json!({"events": EVENTS, "service_id": service, "ignore_agents": own});
            let new = NewSubscription {
                version: None,
                credentials: [("rest".to_owned(), "pagerduty".to_owned())].into(),
                actor: "integration".into(),
                workflow: Some("issue-sync".into()),
                ..engine.webhook(&name, parameters)
            };
            let key = engine.set_up(new).await.key().to_string();
            engine.run_into(&key, sync.clone(), RunOptions::default());
        }
        Self { world, tracker, sync, engine, person }
    }

    fn simulator(&self) -> &Simulator {
        &self.world.simulator
    }

    async fn file(&self, title: &str) -> (usize, String) {
        let number = self.tracker.file(title, &["outage:Checkout"]);
        self.sync.tracker_changed().await.unwrap();
        (number, self.sync.incident_of(number).await.expect("it has an incident"))
    }

    /// A user acts in PagerDuty.
    async fn by_hand(&self, action: &str, parameters: serde_json::Value) {
        self.world.ask(BEN, "by-hand", action, parameters).await.unwrap();
    }

    fn status(&self, incident: &str) -> String {
        let incident = self.simulator().us().incident(incident).unwrap();
        format!("{:?}", incident.status).to_lowercase()
    }

    fn notes(&self, incident: &str) -> Vec<String> {
        let incident = self.simulator().us().incident(incident).unwrap();
        incident.notes.iter().map(|note| note.content.clone()).collect()
    }

    /// Waits until nothing is in progress: no pending delivery, no unprocessed event, no further
    /// write.
    async fn rest(&self) {
        let mut before = (0, 0);
        let mut still = 0;
        while still < 6 {
            self.simulator().webhooks_rest().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = (self.simulator().requests().len(), self.tracker.issues().len());
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
    }

    async fn until(&self, number: usize, progress: Progress) {
        let issue = || self.tracker.issue(number);
        eventually(|| issue().progress == progress, || format!("{:?}", issue())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matching_issue_creates_exactly_one_incident() {
    let shop = Shop::open(true).await;
    let (number, incident) = shop.file("Nobody can pay").await;
    assert_eq!(shop.simulator().us().incident(&incident).unwrap().title, "Nobody can pay");
    let unrelated = shop.tracker.file("A typo", &["docs"]);
    shop.sync.tracker_changed().await.unwrap();
    assert_eq!(shop.sync.incident_of(unrelated).await, None);
    // Another instance without shared state finds the incident by its key.
    let services = [("outage:Checkout".to_owned(), shop.simulator().us().services()[0].id.clone())];
    let other = Sync::new(
        shop.world.clone(),
        shop.tracker.clone(),
        "pagerduty",
        services.into_iter().collect(),
    );
    other.catch_up().await.unwrap();
    assert_eq!(other.incident_of(number).await, Some(incident));
    shop.rest().await;
    assert_eq!(shop.tracker.issues().iter().filter(|one| one.title == "Nobody can pay").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_comments_are_synchronized_both_ways() {
    let shop = Shop::open(true).await;
    let (number, incident) = shop.file("Nobody can pay").await;
    // From the tracker.
    shop.tracker.set_progress(number, Progress::Started);
    shop.tracker.comment(number, "Eve", "It is the certificate.");
    shop.sync.tracker_changed().await.unwrap();
    assert_eq!(shop.status(&incident), "acknowledged");
    assert_eq!(shop.notes(&incident), ["Eve (in the tracker): It is the certificate."]);
    // From PagerDuty.
    let note = json!({"incident_id": incident, "content": "A new one is on its way."});
    shop.by_hand("incident_note.create", note).await;
    shop.by_hand("incident.resolve", json!({"incident_id": incident})).await;
    shop.until(number, Progress::Done).await;
    shop.rest().await;
    let comments = shop.tracker.issue(number).comments;
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert_eq!(comments[1].author, VOICE);
    assert_eq!(comments[1].text, "Ben Okafor: A new one is on its way.");
    // Reopened in PagerDuty.
    assert!(shop.simulator().us().reopen_incident(&incident));
    shop.until(number, Progress::Open).await;
    shop.by_hand("incident.resolve", json!({"incident_id": incident})).await;
    shop.until(number, Progress::Done).await;
    // Also reopened in the tracker: PagerDuty does not undo a resolution, so there is another
    // incident.
    shop.tracker.set_progress(number, Progress::Started);
    shop.sync.tracker_changed().await.unwrap();
    let next = shop.sync.incident_of(number).await.unwrap();
    assert_ne!(next, incident);
    assert_eq!(
        (shop.status(&incident), shop.status(&next)),
        ("resolved".into(), "acknowledged".into())
    );
    // Moved back to "not started" there.
    shop.by_hand("incident.reopen", json!({"incident_id": next})).await;
    shop.until(number, Progress::Open).await;
    // An incident that begins in PagerDuty becomes an issue.
    let service = shop.simulator().us().services()[0].id.clone();
    shop.by_hand("incident.create", json!({"title": "Slow", "service_id": service})).await;
    eventually(
        || shop.tracker.issues().iter().any(|issue| issue.title == "Slow"),
        || format!("{:?}", shop.tracker.issues()),
    )
    .await;
    assert_eq!(shop.simulator().violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sync_ignores_its_own_changes() {
    let shop = Shop::open(true).await;
    let (number, incident) = shop.file("Nobody can pay").await;
    shop.tracker.set_progress(number, Progress::Started);
    shop.tracker.comment(number, "Eve", "It is the certificate.");
    shop.tracker.set_progress(number, Progress::Done);
    shop.sync.tracker_changed().await.unwrap();
    let requests = shop.simulator().requests().len();
    shop.rest().await;
    let delivered = shop.simulator().webhook_deliveries();
    assert!(delivered.len() >= 3, "PagerDuty told of all of it: {}", delivered.len());
    assert_eq!(shop.simulator().requests().len(), requests, "and nothing was asked or done");
    assert_eq!(shop.status(&incident), "resolved");
}

/// Also if the user who connected it works in PagerDuty, so that no events can be ignored, and if
/// events are repeated, late, and reordered.
#[tokio::test(flavor = "multi_thread")]
async fn reordered_and_repeated_events_cause_no_further_write() {
    let shop = Shop::open(false).await;
    let simulator = shop.simulator();
    let us = simulator.us();
    let same = api_token("same-person", Region::Us, &us.mint_user_key(&shop.person));
    shop.world.connect(same, &Actor::admin()).await.unwrap();
    let (number, incident) = shop.file("Nobody can pay").await;
    let (second, other) = shop.file("Nobody can search").await;
    shop.rest().await;

    simulator.hold_webhooks();
    simulator.duplicate_webhooks(2);
    let id = |incident: &str| json!({ "incident_id": incident });
    let by = By { user: "chloe", workflow: "by hand" };
    for (action, parameters) in [
        ("incident.acknowledge", id(&incident)),
        ("incident.reopen", id(&incident)),
        ("incident.acknowledge", id(&incident)),
        ("incident_note.create", json!({"incident_id": incident, "content": "Mine."})),
        ("incident.acknowledge", id(&other)),
    ] {
        shop.world.ask(by, "same-person", action, parameters).await.unwrap();
    }
    shop.tracker.comment(number, "Eve", "Theirs.");
    shop.tracker.set_progress(second, Progress::Done);
    shop.sync.tracker_changed().await.unwrap();
    let writes = shop.world.writes();
    simulator.release_webhooks_reversed();
    shop.rest().await;
    simulator.redeliver_webhooks(50);
    shop.rest().await;

    assert_eq!(shop.world.writes(), writes, "no event has led to a write");
    assert_eq!(shop.tracker.issue(number).progress, Progress::Started);
    assert_eq!(
        (shop.status(&incident), shop.status(&other)),
        ("acknowledged".into(), "resolved".into())
    );
    assert_eq!(shop.tracker.issue(second).progress, Progress::Done);
    let comments = shop.tracker.issue(number).comments;
    let texts: Vec<&str> = comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(texts, ["Theirs.", "Chloé Lindqvist: Mine."]);
    assert_eq!(shop.notes(&incident).len(), 2);
    assert_eq!(shop.tracker.issues().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refreshed_once() {
    let shop = Shop::open(true).await;
    let (number, incident) = shop.file("Nobody can pay").await;
    let refreshed = shop.simulator().identity().refresh_count();
    shop.simulator().advance_clock(Duration::from_secs(2 * 24 * 3600));
    shop.by_hand("incident.acknowledge", json!({"incident_id": incident})).await;
    let more: Vec<_> = (0..20).map(|_| shop.sync.catch_up()).collect();
    for result in futures_util::future::join_all(more).await {
        result.unwrap();
    }
    shop.until(number, Progress::Started).await;
    assert_eq!(shop.simulator().identity().refresh_count(), refreshed + 1);
    assert_eq!(shop.world.status("pagerduty"), CredentialStatus::Connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_access_is_reported_and_caught_up_after_reconnecting() {
    let shop = Shop::open(true).await;
    let (number, incident) = shop.file("Nobody can pay").await;
    shop.rest().await;
    assert!(shop.simulator().identity().revoke_all_of_user(&shop.person) > 0);
    // Changes in the meantime are not lost on either side.
    shop.by_hand("incident.acknowledge", json!({"incident_id": incident})).await;
    shop.tracker.comment(number, "Eve", "It is the certificate.");
    let refused = shop.sync.tracker_changed().await.unwrap_err();
    assert_eq!(refused.kind, "unauthenticated", "{}", refused.message);
    shop.world.manager().settle().await;
    let CredentialStatus::NeedsReconnect { reason } = shop.world.status("pagerduty") else {
        panic!("it is {:?}", shop.world.status("pagerduty"))
    };
    assert!(!reason.is_empty());
    let told = shop.world.ended.all();
    assert_eq!(told.len(), 1, "told once: {told:?}");
    assert_eq!(told[0].0, "needs-reconnect");
    assert!(told[0].1.dependants.iter().any(|one| one.workflow == "issue-sync"));
    assert_eq!(shop.notes(&incident), Vec::<String>::new());

    let mut again = shop.world.manager().order_again(&key("pagerduty")).await.unwrap();
    again.redirect = Some(REDIRECT.parse().unwrap());
    let lead = Actor::user("lead");
    let connection = shop.world.press_connect(again, &shop.person, &lead).await.unwrap();
    assert!(connection.other_account.is_empty());
    shop.world.manager().keep(connection, &lead).await.unwrap();
    shop.sync.catch_up().await.unwrap();
    assert_eq!(shop.notes(&incident), ["Eve (in the tracker): It is the certificate."]);
    shop.until(number, Progress::Started).await;
    // The subscriptions stayed active: the next event arrives.
    shop.by_hand("incident.resolve", json!({"incident_id": incident})).await;
    shop.until(number, Progress::Done).await;
    assert_eq!(shop.engine.triggers.list().await.unwrap().len(), 2);
}
