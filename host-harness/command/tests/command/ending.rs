//! The end of an access: from here, and from the service's side.

use pagerduty_simulator::Fault;
use serde_json::{Value, json};

use crate::browser::Waiting;
use crate::support::{World, make_private};

/// A world in which `work` is connected by OAuth, and used by two workflows.
fn connected() -> World {
    let world = World::approved();
    let app = world.simulator.identity().classic_app();
    let secret = world.file("client-secret", app.client_secret.as_deref().unwrap());
    make_private(&world.path("client-secret"));
    let (id, secret) = (format!("client_id={}", app.client_id), format!("@{secret}"));
    let args = [
        "credential",
        "connect",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2",
        "--field",
        &id,
        "--client-secret",
        &secret,
        "--access",
        "read-write",
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    let waiting = Waiting::start(world.sends(&args));
    waiting.agreed(&world, 0);
    waiting.expect(0);
    world
}

fn disconnect<'a>(world: &'a World, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["credential", "disconnect", "work", "--plugin", world.plugin()];
    [&args[..], more].concat()
}

fn status(world: &World) -> Value {
    let shown = world.harness(&["credential", "show", "work", "--format", "json"]).expect(0).json();
    shown["status"].clone()
}

/// Bodies of the revocation requests that the service received.
fn revoked(world: &World) -> Vec<String> {
    world
        .simulator
        .requests()
        .iter()
        .filter(|request| request.path == "/oauth/revoke")
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect()
}

#[test]
fn o17_both_tokens_are_revoked_and_wiped() {
    let world = connected();
    world.run(&["service.list", "--credential", "work"]).expect(0);
    world.sends(&disconnect(&world, &[])).expect(2).says("--yes");
    let output = world.sends(&disconnect(&world, &["--yes"])).expect(0);
    output.shows("confirmed that it revoked the refresh token");
    output.shows("confirmed that it revoked the access token");
    let requests = revoked(&world);
    assert_eq!(requests.len(), 2);
    assert!(requests[0].contains("token_type_hint=refresh_token"), "{requests:?}");
    assert!(requests[1].contains("token_type_hint=access_token"), "{requests:?}");
    assert_eq!(status(&world), "disconnected");
    world.run(&["service.list", "--credential", "work"]).expect(3).says("credential reconnect");
    // The service does not know the tokens any more: that is success, too.
    let again = [
        "credential",
        "reconnect",
        "work",
        "--plugin",
        world.plugin(),
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    let secret = world.path("client-secret");
    let secret = format!("@{}", secret.display());
    let waiting =
        Waiting::start(world.sends(&[&again[..], &["--client-secret", &secret]].concat()));
    waiting.agreed(&world, 0);
    waiting.expect(0);
    world.run(&["service.list", "--credential", "work"]).expect(0);
}

#[test]
fn o17_a_service_that_is_down_is_asked_again_and_does_not_keep_the_secret_here() {
    let world = connected();
    world.simulator.fault(Fault::status(503).path("/oauth/revoke").times(1));
    let output = world.sends(&disconnect(&world, &["--yes"])).expect(0);
    output.shows("confirmed that it revoked");
    assert_eq!(revoked(&world).len(), 3, "503 was tried again");

    let world = connected();
    world.simulator.fault(Fault::status(503).path("/oauth/revoke").always());
    let report = world.sends(&disconnect(&world, &["--yes", "--format", "json"])).expect(0).json();
    assert_eq!(report["revoked"].as_array().unwrap().len(), 2);
    for token in report["revoked"].as_array().unwrap() {
        assert!(token["failed"].as_str().unwrap().contains("503"), "{report}");
    }
    assert_eq!(status(&world), "disconnected");
}

#[test]
fn impossible_operations_are_reported() {
    let world = connected();
    world.simulator.identity().configure(|settings| settings.has_revocation = false);
    let output = world.sends(&disconnect(&world, &["--yes"])).expect(0);
    output.shows("did not revoke the refresh token").shows("pages of the service");
    // A typed-in key belongs to the person who created it; without the plugin, the host cannot revoke it.
    let world = World::connected();
    let output = world.sends(&disconnect(&world, &["--yes"])).expect(0);
    output.shows("Delete it at the service");
    let world = connected();
    let output = world.sends(&["credential", "disconnect", "work", "--yes"]).expect(0);
    output.shows("which describes how tokens are revoked");
    assert_eq!(status(&world), "disconnected");
}

#[test]
fn a_revocation_on_the_services_side_shows_at_the_next_call() {
    let world = connected();
    let app = world.simulator.identity().classic_app();
    assert_eq!(status(&world), "connected");
    world.simulator.identity().revoke_all_of_app(&app.client_id);
    world.run(&["service.list", "--credential", "work"]).expect(1);
    assert_eq!(status(&world), "needs-reconnect");
    let output = world.run(&["service.list", "--credential", "work"]).expect(3);
    output.says("must be reconnected").says("invalid_grant");
    output.says("next: harness credential reconnect work --plugin");
    world.harness(&["credential", "list"]).expect(0).shows("needs reconnect");
}

#[test]
fn an_access_token_that_has_ended_is_renewed_without_anybody_noticing() {
    let world = World::approved();
    let identity = world.simulator.identity();
    identity.set_lifetimes(std::time::Duration::from_secs(2), std::time::Duration::from_secs(600));
    let app = identity.classic_app();
    let secret = app.client_secret.clone().unwrap();
    let id = format!("client_id={}", app.client_id);
    let args = [
        "credential",
        "connect",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2",
        "--field",
        &id,
        "--access",
        "read",
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    let harness = world.sends(&args).env("WORKFLOW_NODE_CLIENT_SECRET", &secret);
    let waiting = Waiting::start(harness);
    waiting.agreed(&world, 0);
    waiting.expect(0);
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.run(&["service.list", "--credential", "work"]).expect(0);
    assert_eq!(identity.refresh_count(), 1);
    let shown = world.harness(&["credential", "show", "work", "--format", "json"]).expect(0).json();
    assert_eq!((&shown["revision"], &shown["status"]), (&json!(2), &json!("connected")));
    // A dry run renews nothing.
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.run(&["service.list", "--credential", "work", "--dry-run"]).expect(0);
    assert_eq!(identity.refresh_count(), 1);
}
