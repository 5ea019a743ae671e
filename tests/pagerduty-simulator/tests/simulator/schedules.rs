//! Schedules: layers, overrides, and who is on call as a result.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{World, id, ids, world};

const HOUR: Duration = Duration::from_secs(3600);

/// A time this many hours from now, in whole seconds.
fn at(hours: i64) -> String {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    now.checked_add(SignedDuration::from_hours(hours)).unwrap().to_string()
}

fn user(number: u8) -> Value {
    json!({"id": format!("PUSER00000000{number}"), "type": "user_reference"})
}

fn layer(users: &[u8]) -> Value {
    json!({
        "name": "Turns", "start": at(-24), "rotation_virtual_start": at(-24),
        "rotation_turn_length_seconds": 24 * 3600,
        "users": users.iter().map(|number| json!({"user": user(*number)})).collect::<Vec<_>>(),
    })
}

fn schedule(layers: Vec<Value>) -> Value {
    json!({"schedule": {
        "type": "schedule", "name": "Night", "time_zone": "Europe/Berlin", "schedule_layers": layers,
    }})
}

/// Creates a schedule and a policy with it on the first level; returns the path of the schedule.
async fn made(world: &World, layers: Vec<Value>) -> String {
    let made = world.post("/schedules", schedule(layers)).await["schedule"].clone();
    let target = json!({"id": made["id"], "type": "schedule_reference"});
    let policy = json!({"escalation_policy": {
        "type": "escalation_policy", "name": "Nights",
        "escalation_rules": [{"escalation_delay_in_minutes": 5, "targets": [target]}],
    }});
    world.post("/escalation_policies", policy).await;
    format!("/schedules/{}", made["id"].as_str().unwrap())
}

async fn on_call(world: &World, schedule: &str, more: &str) -> Vec<String> {
    let id = schedule.rsplit('/').next().unwrap();
    let list = world.get(&format!("/oncalls?schedule_ids[]={id}{more}")).await;
    let list = list["oncalls"].as_array().unwrap().clone();
    list.iter().map(|one| one["user"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn turns_and_overrides_determine_who_is_on_call() {
    let world = world().await;
    let path = made(&world, vec![layer(&[1, 2])]).await;
    // The second turn has just begun.
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000002"]);
    let body = json!({"overrides": [{"start": at(-1), "end": at(2), "user": user(3)}]});
    let answers = world.post(&format!("{path}/overrides"), body).await;
    assert_eq!(answers[0]["status"], 201);
    let stand_in = answers[0]["override"]["id"].as_str().unwrap().to_owned();
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000003"]);
    let window = format!("&since={}&until={}", at(0), at(4));
    assert_eq!(on_call(&world, &path, &window).await, ["PUSER000000003", "PUSER000000002"]);
    let only = format!("{window}&user_ids[]=PUSER000000002");
    assert_eq!(on_call(&world, &path, &only).await, ["PUSER000000002"]);

    // It is current, so it is shortened, and stays once it has ended.
    let gone = format!("{path}/overrides/{stand_in}");
    world.simulator.advance_clock(HOUR);
    assert_eq!(world.delete(&gone).await, 200);
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000002"]);
    assert_eq!(world.refused("DELETE", &gone, Value::Null).await, (400, 4004));
    world.simulator.advance_clock(HOUR * 24);
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000001"]);
    world.nothing_noted();
}

#[tokio::test]
async fn overrides_are_judged_separately_and_listed_by_time() {
    let world = world().await;
    let path = made(&world, vec![layer(&[1])]).await;
    let one = |start: i64, end: i64, user: Value| json!({"start": at(start), "end": at(end), "user": user});
    let unknown = json!({"id": "PUNKNOWN", "type": "user_reference"});
    let body = json!({"overrides": [
        one(10, 12, user(2)), one(12, 11, user(2)), one(-3, -2, user(2)), one(10, 12, unknown),
    ]});
    let answers = world.post(&format!("{path}/overrides"), body).await;
    let statuses: Vec<u64> =
        answers.as_array().unwrap().iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 400, 400, 400]);
    for refused in &answers.as_array().unwrap()[1..] {
        assert!(refused["errors"][0].is_string());
    }
    let list = |since: i64, until: i64, more: &str| {
        let target = format!("{path}/overrides?since={}&until={}{more}", at(since), at(until));
        let world = &world;
        async move { world.get(&target).await["overrides"].clone() }
    };
    let whole = list(0, 24, "").await;
    assert_eq!(whole[0]["start"], at(10).as_str());
    assert_eq!(list(11, 24, "").await[0]["start"], at(11).as_str());
    assert_eq!(list(11, 24, "&overflow=true").await[0]["start"], at(10).as_str());
    assert_eq!(list(13, 24, "").await, json!([]));
    let late = format!("{path}/overrides?since={}", at(0));
    assert_eq!(world.refused("GET", &late, Value::Null).await, (400, 2001));
    let gone = format!("{path}/overrides/{}", ids(&whole)[0]);
    assert_eq!(world.delete(&gone).await, 204);
    assert_eq!(world.delete(&gone).await, 404);
}

#[tokio::test]
async fn a_schedule_contains_its_final_schedule() {
    let world = world().await;
    let mut hours = layer(&[2]);
    hours["restrictions"] = json!([{
        "type": "daily_restriction", "start_time_of_day": "00:00:00", "duration_seconds": 43_200,
    }]);
    let path = made(&world, vec![layer(&[1])]).await;
    // Days of 24 hours throughout the year.
    let mut plain = schedule(vec![layer(&[1]), hours]);
    plain["schedule"]["time_zone"] = json!("Etc/UTC");
    world.put(&path, plain).await;
    let window = format!("since={}&until={}", at(0), at(48));
    let shown = format!("{path}?{window}&include_next_oncall_for_user=PUSER000000002");
    let shown = world.get(&shown).await["schedule"].clone();
    assert_eq!(shown["final_schedule"]["rendered_coverage_percentage"], json!(100.0));
    assert_eq!(shown["schedule_layers"][1]["rendered_coverage_percentage"], json!(50.0));
    let entries = shown["final_schedule"]["rendered_schedule_entries"].as_array().unwrap().clone();
    assert!(entries.len() >= 4, "{entries:?}");
    assert_eq!(shown["next_oncall_for_user"]["user"]["id"], "PUSER000000002");
    assert_eq!(shown["users"].as_array().unwrap().len(), 2);
    assert_eq!(shown["escalation_policies"].as_array().unwrap().len(), 1);
    let users = world.get(&format!("{path}/users?{window}")).await["users"].clone();
    assert_eq!(ids(&users), ["PUSER000000001", "PUSER000000002"]);
    let listed =
        world.get(&format!("/schedules?query=night&include[]=schedule_layers&{window}")).await;
    assert_eq!(listed["schedules"][0]["schedule_layers"].as_array().unwrap().len(), 2);
    let plain = world.get("/schedules?query=night").await;
    assert!(plain["schedules"][0].get("schedule_layers").is_none());
}

#[tokio::test]
async fn a_preview_stores_nothing_and_an_update_replaces_layers() {
    let world = world().await;
    let count = world.simulator.us().schedules().len();
    let window = format!("since={}&until={}", at(0), at(4));
    let body = schedule(vec![layer(&[1])]);
    let preview = world.post(&format!("/schedules/preview?{window}"), body).await;
    let entries = &preview["schedule"]["final_schedule"]["rendered_schedule_entries"];
    assert_eq!(entries[0]["user"]["id"], "PUSER000000001");
    assert_eq!(world.simulator.us().schedules().len(), count);

    let path = made(&world, vec![layer(&[1])]).await;
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000001"]);
    world.put(&path, schedule(vec![layer(&[2])])).await;
    assert_eq!(on_call(&world, &path, "").await, ["PUSER000000002"]);
    let mut nowhere = schedule(vec![layer(&[1])]);
    nowhere["schedule"]["time_zone"] = json!("Middle/Earth");
    assert_eq!(world.refused("PUT", &path, nowhere).await, (400, 3001));
    let mut backwards = layer(&[1]);
    backwards["end"] = json!(at(-48));
    assert_eq!(world.refused("PUT", &path, schedule(vec![backwards])).await, (400, 3001));
    assert_eq!(world.refused("DELETE", &path, Value::Null).await, (400, 3001));
    assert_eq!(world.delete("/schedules/PSCHEDULE00002").await, 204);
}

#[tokio::test]
async fn on_calls_can_be_filtered_and_limited_to_the_earliest() {
    let world = world().await;
    let path = made(&world, vec![layer(&[1, 2])]).await;
    let week = format!("&since={}&until={}", at(1), at(165));
    let all = on_call(&world, &path, &week).await;
    assert_eq!(all.len(), 7);
    let first = on_call(&world, &path, &format!("{week}&earliest=true")).await;
    assert_eq!(first, ["PUSER000000002", "PUSER000000001"]);
    let policy = id("escalation_policy");
    let list = world.get(&format!("/oncalls?escalation_policy_ids[]={policy}&include[]=users&include[]=escalation_policies&include[]=schedules")).await;
    let list = list["oncalls"].as_array().unwrap().clone();
    assert_eq!(list[0]["escalation_level"], 1);
    assert_eq!((&list[0]["schedule"], &list[0]["end"]), (&Value::Null, &Value::Null));
    assert_eq!(list[0]["user"]["email"], "eve@example.com");
    assert_eq!(list[0]["escalation_policy"]["type"], "escalation_policy");
    assert!(list.iter().any(|one| one["schedule"]["type"] == "schedule"));
    // On-calls are computed for ninety days.
    let far = format!("&since={}&until={}", at(24 * 100), at(24 * 101));
    assert!(on_call(&world, &path, &far).await.len() <= 1);
}

#[tokio::test]
async fn shifts_are_created_together_and_listed_by_time() {
    let world = world().await;
    let path = format!("/v3/schedules/{}", id("schedule"));
    let member = json!({"type": "user_member", "user_id": id("user")});
    let shift = |from: i64| {
        json!({
            "type": "custom_shift", "start_time": at(from), "end_time": at(from + 1),
            "assignments": [{"type": "shift_assignment", "member": member}],
        })
    };
    let made = world
        .post(&format!("{path}/custom_shifts"), json!({"custom_shifts": [shift(100), shift(200)]}))
        .await;
    assert_eq!(made["custom_shifts"].as_array().unwrap().len(), 2);
    let list = format!("{path}/custom_shifts?since={}&until={}", at(90), at(110));
    assert_eq!(world.get(&list).await["custom_shifts"].as_array().unwrap().len(), 1);
    let one = ids(&made["custom_shifts"])[1].to_owned();
    let later = json!({"custom_shift": {"end_time": at(205)}});
    let changed = world.put(&format!("{path}/custom_shifts/{one}"), later).await;
    assert_eq!(changed["custom_shift"]["end_time"], at(205).as_str());
    let override_shift = json!({"overrides": [{
        "type": "override_shift", "start_time": at(100), "end_time": at(101),
        "overridden_member": member,
        "overriding_member": {"type": "user_member", "user_id": "PUSER000000003"},
    }]});
    world.post(&format!("{path}/overrides"), override_shift).await;
    let whole = format!("{path}?include[]=final_schedule&since={}&until={}", at(90), at(210));
    let whole = world.get(&whole).await["schedule"]["final_schedule"].clone();
    let members: Vec<&str> = whole["computed_shift_assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["member"]["user_id"].as_str().unwrap())
        .collect();
    assert_eq!(members, ["PUSER000000003", "PUSER000000001"]);
    let backwards = json!({"custom_shifts": [{
        "type": "custom_shift", "start_time": at(2), "end_time": at(1),
        "assignments": [{"type": "shift_assignment", "member": member}],
    }]});
    let refused = world.refused("POST", &format!("{path}/custom_shifts"), backwards).await;
    assert_eq!(refused, (400, 2001));
    let rotation = world.call("POST", &format!("{path}/rotations")).await["rotation"].clone();
    let events = format!("{path}/rotations/{}/events", rotation["id"].as_str().unwrap());
    assert_eq!(world.get(&events).await["events"], json!([]));
}

#[tokio::test]
async fn shift_based_schedules_are_listed_as_references_without_a_name() {
    let world = world().await;
    let listed = world.get("/v3/schedules").await["schedules"][0].clone();
    assert_eq!(listed["type"], "schedule_v3_reference");
    assert_eq!(
        (&listed["summary"], listed.get("name")),
        (&json!("Example of a new schedule"), None)
    );
    let path = format!("/v3/schedules/{}", listed["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await["schedule"]["name"], "Example of a new schedule");
}
