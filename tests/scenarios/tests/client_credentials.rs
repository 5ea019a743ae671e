//! Client credentials of an app: `as_account-…` and chosen scopes at the token endpoint, then the
//! list of incidents with the token.

use std::time::Duration;

use pagerduty_simulator::{NewIncident, Region};
use scenarios::{By, World, app_account};
use serde_json::json;
use workflow_node_host::credential::CredentialStatus;
use workflow_node_host::oauth::Actor;

const NIGHTLY: By<'static> = By { user: "ada", workflow: "nightly" };

async fn reads_incidents_of(region: Region) {
    let world = World::new().await;
    let account = world.simulator.account(region);
    let id = account.add_incident(NewIncident::default());
    let app = world.simulator.identity().scoped_app(region);
    let order = app_account("app", &app, region, &["incidents.read"]);
    world.connect(order, &Actor::admin()).await.unwrap();

    let asked = world.simulator.token_requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].field("grant_type"), Some("client_credentials"));
    let scope = format!("as_account-{region}.example incidents.read");
    assert_eq!(asked[0].field("scope"), Some(scope.as_str()));
    let incidents = world.ask(NIGHTLY, "app", "incident.list", json!({"all": true})).await.unwrap();
    assert!(incidents.iter().any(|one| one["id"] == *id), "{incidents:?}");
    let request = world.simulator.requests().pop().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/incidents"));
    assert!(request.header("authorization").unwrap().starts_with("Bearer "));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_chosen_scopes_lists_the_incidents() {
    reads_incidents_of(Region::Us).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eu_app_lists_the_incidents_of_the_eu() {
    reads_incidents_of(Region::Eu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_named_before_anything_is_sent() {
    let world = World::new().await;
    let app = world.simulator.identity().scoped_app(Region::Us);
    let order = app_account("app", &app, Region::Us, &["incidents.read"]);
    world.connect(order, &Actor::admin()).await.unwrap();
    let service = world.simulator.us().services()[0].id.clone();
    let new = json!({"title": "x", "service_id": service, "from": "ada@example.com"});
    let refused = world.ask(NIGHTLY, "app", "incident.create", new).await.unwrap_err();
    assert!(refused.message.contains("incidents.write"), "{}", refused.message);
    assert_eq!(world.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_serves_many_runs_until_it_expires() {
    let world = World::new().await;
    let app = world.simulator.identity().scoped_app(Region::Us);
    let order = app_account("app", &app, Region::Us, &["incidents.read"]);
    world.connect(order, &Actor::admin()).await.unwrap();
    let run = || world.ask(NIGHTLY, "app", "incident.list", json!({}));
    for result in futures(20, run).await {
        result.unwrap();
    }
    assert_eq!(world.simulator.token_requests().len(), 1);
    // There is no refresh token: a new token is requested with the client credentials.
    world.simulator.advance_clock(Duration::from_secs(40 * 24 * 3600));
    for result in futures(20, run).await {
        result.unwrap();
    }
    let asked = world.simulator.token_requests();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].field("grant_type"), Some("client_credentials"));
    assert_eq!(world.status("app"), CredentialStatus::Connected);
}

/// Number of concurrent requests.
async fn futures<F: std::future::Future>(count: usize, make: impl Fn() -> F) -> Vec<F::Output> {
    futures_util::future::join_all((0..count).map(|_| make())).await
}
