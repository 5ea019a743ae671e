//! OAuth 2.0 with a registered redirect URI, for reading or for reading and writing; Classic User
//! OAuth, with the scopes `read` or `write`, and Scoped OAuth, with individual scopes.

use pagerduty_simulator::Region;
use scenarios::{By, REDIRECT, World, key, owned, user_account};
use serde_json::json;
use workflow_node_host::credential::CredentialStatus;
use workflow_node_host::description::Access;
use workflow_node_host::oauth::{Actor, AskFor, ConnectError};

const ADA: By<'static> = By { user: "ada", workflow: "watch" };

fn query(url: &url::Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_oauth_with_read_and_write_does_both() {
    let world = World::new().await;
    let app = world.simulator.identity().classic_app();
    let ben = world.simulator.us().users()[1].clone();
    let by = Actor::user("ada");
    let order = user_account("pagerduty", &app, AskFor::Access(Access::Write));

    let begun = world.manager().begin(&world.plugin, order, &by).await.unwrap();
    assert_eq!(query(&begun.url, "redirect_uri"), REDIRECT);
    assert_eq!(query(&begun.url, "response_type"), "code");
    assert_eq!(query(&begun.url, "code_challenge_method"), "S256");
    assert!(!query(&begun.url, "state").is_empty() && !query(&begun.url, "nonce").is_empty());
    assert!(query(&begun.url, "scope").split(' ').any(|scope| scope == "write"));
    assert!(!begun.rights.is_empty(), "what is asked for is told in words");
    let callback = world.simulator.identity().approve(begun.url.as_str(), &ben.id).unwrap();
    assert!(callback.starts_with(REDIRECT));
    let connection = world.manager().finish(&callback, &by).await.unwrap();
    assert!(connection.missing.is_empty() && connection.blocked.is_empty());
    world.manager().keep(connection, &by).await.unwrap();

    let created = world.ask(ADA, "pagerduty", "incident.create", world.opening()).await.unwrap();
    let log = world.simulator.us().log_of(created[0]["id"].as_str().unwrap());
    assert!(!log.is_empty());
    let me = world.ask(ADA, "pagerduty", "user.me", json!({})).await.unwrap();
    assert_eq!(me[0]["id"], *ben.id, "it acts as the person who consented");
    let requests = world.simulator.requests();
    let rest = requests.iter().filter(|one| !one.path.starts_with("/oauth/"));
    for request in rest {
        assert!(request.header("authorization").unwrap().starts_with("Bearer "));
        assert_eq!(request.header("from"), None);
    }
    // The callback is valid once.
    assert!(world.manager().finish(&callback, &by).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_oauth_with_read_reports_what_it_cannot_do() {
    let world = World::new().await;
    let app = world.simulator.identity().classic_app();
    let user = world.simulator.us().users()[0].id.clone();
    let by = Actor::user("ada");
    let order = user_account("reader", &app, AskFor::Access(Access::Read));
    let connection = world.press_connect(order, &user, &by).await.unwrap();
    let blocked: Vec<&str> = connection.blocked.iter().map(|(name, _)| name.as_str()).collect();
    assert!(blocked.contains(&"incident.create") && !blocked.contains(&"incident.list"));
    world.manager().keep(connection, &by).await.unwrap();
    assert!(!world.ask(ADA, "reader", "service.list", json!({})).await.unwrap().is_empty());
    let refused = world.ask(ADA, "reader", "incident.create", world.opening()).await.unwrap_err();
    assert!(refused.message.contains("write"), "{}", refused.message);
    assert_eq!(world.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scoped_oauth_requests_what_the_actions_need_and_can_be_extended() {
    let world = World::new().await;
    let app = world.simulator.identity().scoped_app(Region::Us);
    let user = world.simulator.us().users()[0].id.clone();
    let by = Actor::user("ada");
    let actions = ["incident.list".to_owned(), "service.list".to_owned()];
    let order = owned(user_account("scoped", &app, AskFor::Actions(actions.to_vec())), "ada");
    let connection = world.press_connect(order, &user, &by).await.unwrap();
    let mut scopes: Vec<&str> = connection.granted.iter().map(|one| one.scope.as_str()).collect();
    scopes.retain(|scope| *scope != "openid");
    scopes.sort_unstable();
    assert_eq!(scopes, ["incidents.read", "services.read"]);
    world.manager().keep(connection, &by).await.unwrap();
    for action in &actions {
        world.ask(ADA, "scoped", action, json!({})).await.unwrap();
    }
    let refused = world.ask(ADA, "scoped", "incident.create", world.opening()).await.unwrap_err();
    assert!(refused.message.contains("incidents.write"), "{}", refused.message);

    let more = ["incident.create".to_owned()];
    let extended = world.manager().order_extended(&world.plugin, &key("scoped"), &more, &[]).await;
    let (mut order, lacking) = extended.unwrap();
    assert_eq!(lacking, ["incidents.write"]);
    order.redirect = Some(REDIRECT.parse().unwrap());
    let connection = world.press_connect(order, &user, &by).await.unwrap();
    world.manager().keep(connection, &by).await.unwrap();
    world.ask(ADA, "scoped", "incident.create", world.opening()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_not_granted_is_reported_immediately() {
    let world = World::new().await;
    let app = world.simulator.identity().scoped_app(Region::Us);
    let user = world.simulator.us().users()[0].id.clone();
    world.simulator.identity().configure(|settings| {
        settings.withheld_scopes = vec!["incidents.write".into()];
    });
    let by = Actor::user("ada");
    let actions = ["incident.list".to_owned(), "incident.create".to_owned()];
    let order = user_account("scoped", &app, AskFor::Actions(actions.to_vec()));
    let connection = world.press_connect(order, &user, &by).await.unwrap();
    let missing: Vec<&str> = connection.missing.iter().map(|one| one.scope.as_str()).collect();
    assert_eq!(missing, ["incidents.write"]);
    assert!(connection.blocked.iter().any(|(action, _)| action == "incident.create"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_is_that_of_the_chosen_account() {
    let world = World::new().await;
    let app = world.simulator.identity().classic_app();
    let user = world.simulator.eu().users()[0].id.clone();
    let by = Actor::user("ada");
    let order = user_account("europe", &app, AskFor::Access(Access::Read));
    let connection = world.press_connect(order, &user, &by).await.unwrap();
    world.manager().keep(connection, &by).await.unwrap();
    world.ask(ADA, "europe", "service.list", json!({})).await.unwrap();
    assert_eq!(world.simulator.requests().pop().unwrap().host, "api.eu.pagerduty.com");
    assert_eq!(world.status("europe"), CredentialStatus::Connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_redirect_uri_or_another_callback_is_refused() {
    let world = World::new().await;
    let app = world.simulator.identity().classic_app();
    let user = world.simulator.us().users()[0].id.clone();
    let by = Actor::user("ada");
    let mut order = user_account("pagerduty", &app, AskFor::Access(Access::Read));
    order.redirect = Some("http://engine.example/callback".parse().unwrap());
    let refused = world.manager().begin(&world.plugin, order.clone(), &by).await.unwrap_err();
    assert!(refused.to_string().contains("http"), "{refused}");
    // PagerDuty does not know this URI, so nothing is redirected.
    order.redirect = Some("https://engine.example/elsewhere".parse().unwrap());
    let begun = world.manager().begin(&world.plugin, order.clone(), &by).await.unwrap();
    assert!(world.simulator.identity().approve(begun.url.as_str(), &user).is_err());
    order.redirect = Some(REDIRECT.parse().unwrap());
    let begun = world.manager().begin(&world.plugin, order, &by).await.unwrap();
    let callback = world.simulator.identity().approve(begun.url.as_str(), &user).unwrap();
    let foreign = callback.replace(&begun.state, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let refused: ConnectError = world.manager().finish(&foreign, &by).await.unwrap_err();
    assert!(refused.to_string().contains("belongs to no connection"), "{refused}");
    assert_eq!(world.simulator.token_requests().len(), 0);
}
