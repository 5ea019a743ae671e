//! Who may use what: private, shared, per user, for listed actions.

use serde_json::json;

use crate::support::World;

fn as_user<'a>(user: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    [&["--as", user][..], args].concat()
}

fn add(world: &World, user: Option<&str>, name: &str, mode: &str) {
    let key = world.simulator.us().keys().account;
    let args = [
        "credential",
        "add",
        name,
        "--plugin",
        world.plugin(),
        "--type",
        "api-token",
        "--mode",
        mode,
        "--secret",
        "api_token=-",
    ];
    let args = user.map_or(args.to_vec(), |user| as_user(user, &args));
    world.harness(&args).stdin(&key).expect(0);
}

fn list(world: &World, user: Option<&str>, name: &str) -> crate::support::Harness {
    let run = ["run", world.plugin(), "service.list", "--credential", name];
    world.sends(&user.map_or(run.to_vec(), |user| as_user(user, &run)))
}

#[test]
fn a_private_credential_is_its_owners_and_a_shared_one_everybodys() {
    let world = World::approved();
    add(&world, Some("ada"), "mine", "private");
    list(&world, Some("ada"), "mine").expect(0);
    list(&world, Some("bob"), "mine").expect(3).says("it is private");
    add(&world, Some("ada"), "ours", "shared");
    list(&world, Some("bob"), "ours").expect(0);
    // Bob may use it, and neither change nor end it.
    for command in [
        &["credential", "describe", "ours", "Bob's."][..],
        &["credential", "unshare", "ours", "--yes"],
        &["credential", "allow-actions", "ours", "--all"],
        &["credential", "disconnect", "ours", "--yes"],
        &["credential", "remove", "ours", "--yes"],
    ] {
        world.harness(&as_user("bob", command)).expect(3).says("nly");
    }
    world.harness(&as_user("ada", &["credential", "describe", "ours", "For all."])).expect(0);
    world.harness(&["credential", "show", "ours"]).expect(0).shows("For all.").shows("ada");
}

#[test]
fn another_mode_asks_to_connect_again() {
    let world = World::connected();
    list(&world, None, "work").expect(0);
    world.harness(&["credential", "share", "work"]).expect(2).says("--yes");
    let output = world.harness(&["credential", "share", "work", "--yes"]).expect(0);
    output.shows("needs reconnect").says("harness credential reconnect work");
    list(&world, None, "work").expect(3).says("its mode was changed to shared");
    let key = world.simulator.us().keys().account;
    let again =
        ["credential", "reconnect", "work", "--plugin", world.plugin(), "--secret", "api_token=-"];
    world.harness(&again).stdin(&key).expect(0);
    list(&world, None, "work").expect(0);
    // The same mode once more changes nothing.
    world.harness(&["credential", "share", "work"]).expect(0).shows("connected");
}

#[test]
fn each_user_connects_their_own_under_one_name() {
    let world = World::approved();
    add(&world, Some("ada"), "each", "per-user");
    list(&world, Some("ada"), "each").expect(0);
    let output = list(&world, Some("bob"), "each").expect(3);
    output.says("bob has not connected `each` yet");
    output.says("next: harness --as bob credential connect each");
    list(&world, None, "each").expect(3).says("no acting user was named");
    add(&world, Some("bob"), "each", "per-user");
    list(&world, Some("bob"), "each").expect(0);
    let listed = world.harness(&["credential", "list", "--format", "json"]).expect(0).json();
    let users: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["user"].clone()).collect();
    assert_eq!(users, [json!("ada"), json!("bob")]);
    let end = as_user("bob", &["credential", "disconnect", "each", "--yes"]);
    world.sends(&end).expect(0);
    list(&world, Some("bob"), "each").expect(3);
    list(&world, Some("ada"), "each").expect(0);
}

#[test]
fn a_credential_for_listed_actions_is_refused_for_others() {
    let world = World::connected();
    world.harness(&["credential", "allow-actions", "work", "user.list"]).expect(0);
    list(&world, None, "work").expect(3).says("only for user.list, not for service.list");
    world.run(&["user.list", "--credential", "work"]).expect(0);
    world.harness(&["credential", "allow-actions", "work", "--all"]).expect(0);
    list(&world, None, "work").expect(0);
}
