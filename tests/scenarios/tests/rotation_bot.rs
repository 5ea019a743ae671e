//! A bot that maintains rotations: it reads schedules, on-calls, and users, creates overrides, and
//! lets every rotation fall back to manual when its access ends.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::Region;
use scenarios::rotation::{Bot, Keeping, Shift};
use scenarios::{By, Ended, REDIRECT, World, api_token, key, shared, user_account};
use serde_json::{Value, json};
use workflow_node_host::credential::CredentialStatus;
use workflow_node_host::oauth::{Actor, AskFor, ConnectOrder};

const ACTIONS: [&str; 5] =
    ["schedule.list", "on_call.now", "user.list", "user.find", "schedule_override.create"];

async fn world() -> (World, Arc<Bot>) {
    let bot = Arc::new(Bot::default());
    let world = World::telling(Arc::new(Ended::default()), Some(bot.clone())).await;
    bot.take_over("primary", "Primary");
    // A schedule alone puts nobody on call: an escalation policy must use it.
    let token = world.simulator.us().keys().user;
    world.connect(api_token("admin", Region::Us, &token), &Actor::admin()).await.unwrap();
    for schedule in world.simulator.us().schedules() {
        let rules = json!([{"escalation_delay_in_minutes": 30,
            "targets": [{"type": "schedule_reference", "id": schedule.name}]}]);
        let name = format!("{} first", schedule.name);
        let policy = json!({"name": name, "escalation_rules": rules});
        world.ask(BOT, "admin", "escalation_policy.create", policy).await.unwrap();
    }
    (world, bot)
}

fn at(hours: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_hours(hours)).unwrap().to_string()
}

fn shift(who: &str, from: i64, until: i64) -> Shift {
    Shift { who: who.into(), start: at(from), end: at(until) }
}

/// Scoped OAuth for the bot, with the consent of a user.
async fn connected(world: &World, person: &str) {
    let app = world.simulator.identity().scoped_app(Region::Us);
    let actions = ACTIONS.map(str::to_owned).to_vec();
    let order = user_account("rotations", &app, AskFor::Actions(actions));
    let order = shared(order, "lead", &[]);
    let by = Actor::user("lead");
    let connection = world.press_connect(order, person, &by).await.unwrap();
    world.manager().keep(connection, &by).await.unwrap();
}

const BOT: By<'static> = By { user: "bot", workflow: "primary" };

async fn names(world: &World, credential: &str, action: &str) -> Vec<String> {
    let list = world.ask(BOT, credential, action, json!({"all": true})).await.unwrap();
    list.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_key_shows_who_is_on_call_and_leaves_changes_to_people() {
    let (world, bot) = world().await;
    let token = world.simulator.us().keys().account_read_only;
    let order: ConnectOrder = shared(api_token("rotations", Region::Us, &token), "lead", &[]);
    world.connect(order, &Actor::user("lead")).await.unwrap();
    assert!(names(&world, "rotations", "schedule.list").await.contains(&"Primary".to_owned()));
    assert!(names(&world, "rotations", "user.list").await.contains(&"Ben Okafor".to_owned()));
    let on_call = bot.on_call(&world, "bot", "rotations", "primary").await.unwrap();
    assert_eq!(on_call, ["Ada Moreno"]);
    let done =
        bot.apply(&world, "bot", "rotations", "primary", &[shift("ben@example.com", 1, 2)]).await;
    assert_eq!(done[0].as_ref().unwrap_err().kind, "forbidden");
    assert!(matches!(bot.rotation("primary").keeping, Keeping::Manual(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shift_becomes_an_override_and_its_user_is_on_call() {
    let (world, bot) = world().await;
    connected(&world, &world.simulator.us().users()[0].id).await;
    assert_eq!(bot.on_call(&world, "bot", "rotations", "primary").await.unwrap(), ["Ada Moreno"]);
    let shifts = [
        shift("ben@example.com", -1, 8),
        shift("chloe@example.com", 8, 16),
        shift("ada@example.com", 16, 24),
    ];
    let done = bot.apply(&world, "bot", "rotations", "primary", &shifts).await;
    let who: Vec<&Value> =
        done.iter().map(|one| &one.as_ref().unwrap()["user"]["summary"]).collect();
    assert_eq!(who, ["Ben Okafor", "Chloé Lindqvist", "Ada Moreno"], "one for each, in order");
    assert_eq!(bot.on_call(&world, "bot", "rotations", "primary").await.unwrap(), ["Ben Okafor"]);
    let later = json!({"schedule_id": "Primary", "at": at(10), "simplify": true});
    let later = world.ask(BOT, "rotations", "on_call.now", later).await.unwrap();
    assert_eq!(later[0]["user"], "Chloé Lindqvist");
    assert_eq!(bot.rotation("primary").keeping, Keeping::Automatic);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn private_teams_are_hidden_from_other_users_with_a_warning() {
    let (world, _) = world().await;
    let team = json!({"name": "Secret", "default_role": "none"});
    let team = world.ask(BOT, "admin", "team.create", team).await.unwrap();
    let hidden = json!({"name": "Secret nights", "time_zone": "Etc/UTC",
        "additional_fields": {"teams": [{"id": team[0]["id"], "type": "team_reference"}]},
        "schedule_layers": []});
    world.ask(BOT, "admin", "schedule.create", hidden).await.unwrap();
    assert!(names(&world, "admin", "schedule.list").await.contains(&"Secret nights".to_owned()));

    let ben = world.simulator.us().users()[1].clone();
    assert_eq!(ben.role, "user");
    connected(&world, &ben.id).await;
    let seen = names(&world, "rotations", "schedule.list").await;
    assert!(seen.contains(&"Primary".to_owned()) && !seen.contains(&"Secret nights".to_owned()));
    let identity = world.test(BOT, "rotations").await.unwrap();
    let warnings = identity.warnings;
    let tells = |one: &String| one.contains("does not see every schedule");
    assert!(warnings.iter().any(tells), "{warnings:?}");
    let by_name = json!({"schedule_id": "Secret nights"});
    let refused = world.ask(BOT, "rotations", "on_call.now", by_name).await.unwrap_err();
    assert!(refused.message.contains("Secret nights"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_disconnection_every_rotation_becomes_manual() {
    let (world, bot) = world().await;
    bot.take_over("evenings", "Storefront hours");
    bot.take_over("elsewhere", "Primary");
    connected(&world, &world.simulator.us().users()[0].id).await;
    for rotation in ["primary", "evenings"] {
        bot.on_call(&world, "bot", "rotations", rotation).await.unwrap();
    }
    let lead = Actor::user("lead");
    let plugin = Some(&world.plugin);
    let ended = world.manager().disconnect(&key("rotations"), &lead, plugin).await.unwrap();
    assert_eq!(ended.revoked.len(), 2, "{ended:?}");
    assert!(ended.revoked.iter().all(|one| one.failed.is_none()), "{ended:?}");
    assert!(world.simulator.identity().grants().iter().all(|grant| grant.ended.is_some()));
    for rotation in ["primary", "evenings"] {
        let keeping = bot.rotation(rotation).keeping;
        assert_eq!(keeping, Keeping::Manual("it was disconnected".into()), "{rotation}");
    }
    assert_eq!(bot.rotation("elsewhere").keeping, Keeping::Automatic, "it never used it");
    let before = world.simulator.requests().len();
    let refused = bot.on_call(&world, "bot", "rotations", "primary").await.unwrap_err();
    assert!(refused.message.contains("connect"), "{}", refused.message);
    assert_eq!(world.simulator.requests().len(), before);
    assert_eq!(world.status("rotations"), CredentialStatus::Disconnected);

    // After reconnecting, the name works as before.
    let mut again = world.manager().order_again(&key("rotations")).await.unwrap();
    again.redirect = Some(REDIRECT.parse().unwrap());
    let app = world.simulator.identity().scoped_app(Region::Us);
    again.form = user_account("rotations", &app, AskFor::Form).form;
    again.ask = AskFor::Actions(ACTIONS.map(str::to_owned).to_vec());
    let person = world.simulator.us().users()[0].id.clone();
    let connection = world.press_connect(again, &person, &lead).await.unwrap();
    world.manager().keep(connection, &lead).await.unwrap();
    assert_eq!(bot.on_call(&world, "bot", "rotations", "primary").await.unwrap(), ["Ada Moreno"]);
}
