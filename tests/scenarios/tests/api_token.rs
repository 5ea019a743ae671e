//! API tokens of a user or of the account, US or EU, reading and writing, replaced when they
//! change, private to one user or shared with the workflows of an app.

use pagerduty_simulator::Region;
use scenarios::{By, World, api_token, key, owned, shared};
use serde_json::json;
use workflow_node_host::CredentialAccess;
use workflow_node_host::credential::{CredentialStatus, Mode};
use workflow_node_host::oauth::Actor;

const ADA: By<'static> = By { user: "ada", workflow: "watch" };
const BEN: By<'static> = By { user: "ben", workflow: "report" };

#[tokio::test(flavor = "multi_thread")]
async fn a_users_token_acts_as_that_user_without_from() {
    let world = World::new().await;
    let us = world.simulator.us();
    let ben = &us.users()[1];
    let token = us.mint_user_key(&ben.id);
    let order = owned(api_token("mine", Region::Us, &token), "ben");
    world.connect(order, &Actor::user("ben")).await.unwrap();

    let identity = world.test(BEN, "mine").await.unwrap();
    assert!(identity.summary.contains("Ben Okafor"), "{identity:?}");
    assert_eq!(identity.access, Some(CredentialAccess::ReadWrite));
    let incident = world.ask(BEN, "mine", "incident.create", world.opening()).await.unwrap();
    let id = incident[0]["id"].clone();
    world.ask(BEN, "mine", "incident.acknowledge", json!({"incident_id": id})).await.unwrap();
    let log = json!({"incident_id": id});
    let log = world.ask(BEN, "mine", "log_entry.of_incident", log).await.unwrap();
    assert!(log.iter().all(|entry| entry["agent"]["id"] == *ben.id), "{log:?}");
    let requests = world.simulator.requests();
    assert!(requests.iter().all(|request| request.header("from").is_none()));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_token_acts_as_the_configured_user() {
    let world = World::new().await;
    let keys = world.simulator.us().keys();
    let admin = Actor::admin();
    let mut order = api_token("account", Region::Us, &keys.account);
    world.connect(order.clone(), &admin).await.unwrap();
    let before = world.simulator.us().incident_count();
    let refused = world.ask(ADA, "account", "incident.create", world.opening()).await.unwrap_err();
    assert!(refused.message.contains("`from`"), "{}", refused.message);
    assert_eq!(world.simulator.us().incident_count(), before);

    order.form.fields.insert("from_email".into(), json!("ada@example.com"));
    order.replacing = true;
    world.connect(order, &admin).await.unwrap();
    world.ask(ADA, "account", "incident.create", world.opening()).await.unwrap();
    let requests = world.simulator.requests();
    assert_eq!(requests.last().unwrap().header("from"), Some("ada@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_token_is_recognized_and_changes_nothing() {
    let world = World::new().await;
    let token = world.simulator.us().keys().account_read_only;
    let mut order = api_token("reader", Region::Us, &token);
    order.form.fields.insert("from_email".into(), json!("ada@example.com"));
    world.connect(order, &Actor::admin()).await.unwrap();
    let identity = world.test(ADA, "reader").await.unwrap();
    assert_eq!(identity.access, Some(CredentialAccess::Read), "{identity:?}");
    assert!(!world.ask(ADA, "reader", "service.list", json!({})).await.unwrap().is_empty());
    let before = world.simulator.us().incident_count();
    let refused = world.ask(ADA, "reader", "incident.create", world.opening()).await.unwrap_err();
    assert_eq!(refused.kind, "forbidden", "{}", refused.message);
    assert_eq!(world.simulator.us().incident_count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_region_is_reported() {
    let world = World::new().await;
    let admin = Actor::admin();
    let eu = world.simulator.eu().keys().account;
    world.connect(api_token("eu", Region::Eu, &eu), &admin).await.unwrap();
    let services = world.ask(ADA, "eu", "service.list", json!({})).await.unwrap();
    assert_eq!(services.len(), world.simulator.eu().services().len());
    assert!(world.simulator.requests().iter().all(|one| one.host == "api.eu.pagerduty.com"));

    world.connect(api_token("astray", Region::Us, &eu), &admin).await.unwrap();
    let refused = world.test(ADA, "astray").await.unwrap_err();
    let refused = refused.item().expect("the service refuses");
    assert_eq!(refused.kind, "unauthenticated");
    assert!(refused.message.contains("region"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_is_reconnected_under_the_same_name() {
    let world = World::new().await;
    let us = world.simulator.us();
    let ada = us.users()[0].id.clone();
    let first = us.mint_user_key(&ada);
    let by = Actor::user("ada");
    let order = shared(api_token("work", Region::Us, &first), "ada", &[]);
    world.connect(order, &by).await.unwrap();
    for who in [ADA, BEN] {
        world.ask(who, "work", "service.list", json!({})).await.unwrap();
    }
    // The key is deleted at PagerDuty.
    us.revoke(&first);
    let refused = world.ask(ADA, "work", "service.list", json!({})).await.unwrap_err();
    assert_eq!(refused.kind, "unauthenticated", "{}", refused.message);
    world.manager().settle().await;
    let CredentialStatus::NeedsReconnect { reason } = world.status("work") else {
        panic!("it is {:?}", world.status("work"))
    };
    assert!(reason.contains("refuse"), "{reason}");
    let told = world.ended.all();
    assert_eq!(told.len(), 1, "{told:?}");
    let mut workflows: Vec<&str> =
        told[0].1.dependants.iter().map(|one| one.workflow.as_str()).collect();
    workflows.sort_unstable();
    assert_eq!((told[0].0, workflows), ("needs-reconnect", vec!["report", "watch"]));

    let mut again = world.manager().order_again(&key("work")).await.unwrap();
    let second = us.mint_user_key(&ada);
    let secret = workflow_node_host::Secret::new(&second);
    again.form.secrets = [("api_token".to_owned(), secret)].into();
    world.connect(again, &by).await.unwrap();
    assert_eq!(world.status("work"), CredentialStatus::Connected);
    for who in [ADA, BEN] {
        world.ask(who, "work", "service.list", json!({})).await.unwrap();
    }
    assert_eq!(world.summary("work").revision, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_private_or_shared_with_workflows() {
    let world = World::new().await;
    let token = world.simulator.us().keys().user;
    let by = Actor::user("ada");
    world.connect(owned(api_token("private", Region::Us, &token), "ada"), &by).await.unwrap();
    world.ask(ADA, "private", "service.list", json!({})).await.unwrap();
    let refused = world.ask(BEN, "private", "service.list", json!({})).await.unwrap_err();
    assert!(refused.message.contains("private"), "{}", refused.message);

    let order = shared(api_token("shared", Region::Us, &token), "ada", &["service.list"]);
    world.connect(order, &by).await.unwrap();
    assert_eq!(world.summary("shared").mode, Mode::Shared);
    world.ask(BEN, "shared", "service.list", json!({})).await.unwrap();
    // Only for the actions that it was shared for.
    let before = world.simulator.requests().len();
    let refused = world.ask(BEN, "shared", "incident.create", world.opening()).await.unwrap_err();
    assert!(refused.message.contains("service.list"), "{}", refused.message);
    assert_eq!(world.simulator.requests().len(), before);
    // Usable only: its owner decides about its end, and no secret is shown.
    let ben = Actor::user("ben");
    let ended = world.manager().disconnect(&key("shared"), &ben, Some(&world.plugin)).await;
    assert!(ended.is_err());
    let shown = serde_json::to_string(&world.summary("shared")).unwrap();
    assert!(!shown.contains(&token) && !format!("{:?}", world.store).contains(&token));
    world.manager().disconnect(&key("shared"), &by, Some(&world.plugin)).await.unwrap();
    assert_eq!(world.status("shared"), CredentialStatus::Disconnected);
}
