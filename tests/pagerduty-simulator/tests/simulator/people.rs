//! Users, teams, and policies: ownership, and what cannot be deleted.

use serde_json::{Value, json};

use crate::client::get;
use crate::world::{id, ids, reference, world};

#[tokio::test]
async fn a_user_is_created_changed_and_deleted_with_its_children() {
    let world = world().await;
    let new = json!({"user": {
        "type": "user", "name": "Hana", "email": "hana@example.com", "role": "limited_user",
        "job_title": "Operator", "time_zone": "Asia/Tokyo",
    }});
    let user = world.post("/users", new.clone()).await["user"].clone();
    let path = format!("/users/{}", user["id"].as_str().unwrap());
    assert_eq!(user["job_title"], "Operator");
    assert_eq!(user["contact_methods"][0]["type"], "email_contact_method_reference");
    assert_eq!(world.refused("POST", "/users", new).await, (400, 2001));

    let changed = json!({"user": {"type": "user", "name": "Hana B.", "email": "hb@example.com"}});
    let changed = world.put(&path, changed).await["user"].clone();
    assert_eq!((&changed["name"], &changed["role"]), (&json!("Hana B."), &json!("limited_user")));
    assert_eq!(changed["job_title"], "Operator");
    let taken = json!({"user": {"type": "user", "name": "x", "email": "ADA@example.com"}});
    assert_eq!(world.refused("PUT", &path, taken).await, (400, 2001));

    let contact = json!({"contact_method": {
        "type": "sms_contact_method", "label": "Mobile", "address": "5550199", "country_code": 81,
    }});
    let contact = world.post(&format!("{path}/contact_methods"), contact).await;
    let contact = contact["contact_method"].clone();
    let rule = json!({"notification_rule": {
        "type": "assignment_notification_rule", "start_delay_in_minutes": 5, "urgency": "high",
        "contact_method": {"id": contact["id"], "type": "sms_contact_method_reference"},
    }});
    let rules = format!("{path}/notification_rules");
    let rule = world.post(&rules, rule).await["notification_rule"].clone();
    assert_eq!(rule["contact_method"]["summary"], "Mobile");
    let stranger = json!({"notification_rule": {
        "type": "assignment_notification_rule", "start_delay_in_minutes": 5, "urgency": "high",
        "contact_method": {"id": "PUNKNOWN", "type": "sms_contact_method_reference"},
    }});
    assert_eq!(world.refused("POST", &rules, stranger).await, (400, 2001));
    let high = world.get(&format!("{rules}?urgency=high&include[]=contact_methods")).await;
    let high = high["notification_rules"].as_array().unwrap().clone();
    assert_eq!(high.len(), 2);
    assert_eq!(high[1]["contact_method"]["address"], "5550199");

    let whole = format!("{path}?include[]=contact_methods&include[]=notification_rules");
    let whole = world.get(&whole).await["user"].clone();
    assert_eq!(whole["contact_methods"].as_array().unwrap().len(), 2);
    assert_eq!(whole["notification_rules"].as_array().unwrap().len(), 3);
    assert_eq!(world.delete(&path).await, 204);
    assert_eq!(world.send("GET", &rules, None).await.status, 404);
    world.nothing_noted();
}

#[tokio::test]
async fn a_user_with_an_open_incident_cannot_be_deleted() {
    let world = world().await;
    let path = format!("/users/{}", id("user"));
    assert_eq!(world.refused("DELETE", &path, Value::Null).await, (400, 2001));
    let key = world.simulator.us().mint_user_key("PUSER000000003");
    assert_eq!(world.delete("/users/PUSER000000003").await, 204);
    assert!(!world.simulator.us().revoke(&key), "the key went with its user");
}

#[tokio::test]
async fn a_user_has_the_license_of_the_role_or_the_given_one() {
    let world = world().await;
    let path = format!("/users/{}/license", id("user"));
    assert_eq!(world.get(&path).await["license"]["name"], "Example licence");
    let held = world.get("/licenses").await["licenses"][0].clone();
    let (current, left) =
        (held["current_value"].as_u64().unwrap(), held["allocations_available"].as_u64().unwrap());
    assert_eq!(current as usize, world.simulator.us().users().len());
    assert_eq!(current + left, 100);
    let allocations = world.get("/license_allocations").await;
    assert_eq!(allocations["license_allocations"].as_array().unwrap().len() as u64, current);
}

#[tokio::test]
async fn members_join_teams_with_a_role_and_leave_them() {
    let world = world().await;
    let team = world.post("/teams", json!({"team": {"type": "team", "name": "Night"}})).await;
    let path = format!("/teams/{}", team["team"]["id"].as_str().unwrap());
    assert_eq!(team["team"]["default_role"], "manager");
    let again = json!({"team": {"type": "team", "name": "Night"}});
    assert_eq!(world.refused("POST", "/teams", again).await, (400, 2001));
    let member = format!("{path}/users/{}", id("user"));
    world.put(&member, json!({"role": "responder"})).await;
    world.call("PUT", &format!("{path}/users/PUSER000000002")).await;
    let members = world.get(&format!("{path}/members?include[]=users")).await;
    assert_eq!(members["members"][0]["role"], "responder");
    assert_eq!(members["members"][0]["user"]["email"], "eve@example.com");
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    let teams = world.get(&format!("/users/{}", id("user"))).await["user"]["teams"].clone();
    assert!(ids(&teams).contains(&&path[7..]));
    assert_eq!(world.delete(&member).await, 204);
    assert_eq!(world.delete(&member).await, 404);
    let unknown = format!("{path}/users/PUNKNOWN");
    assert_eq!(world.refused("PUT", &unknown, json!({"role": "observer"})).await, (404, 2100));
}

#[tokio::test]
async fn a_team_owns_policies_until_they_are_moved() {
    let world = world().await;
    let heir = world.post("/teams", json!({"team": {"type": "team", "name": "Heirs"}})).await;
    let heir = heir["team"]["id"].as_str().unwrap().to_owned();
    let policy = format!("/escalation_policies/{}", id("escalation_policy"));
    let owners = async || {
        let policy = world.get(&policy).await;
        ids(&policy["escalation_policy"]["teams"])
            .iter()
            .map(|id| (*id).to_owned())
            .collect::<Vec<_>>()
    };
    let tie = format!("/teams/{heir}{policy}");
    assert_eq!(world.send("PUT", &tie, None).await.status, 204);
    assert_eq!(owners().await, [id("team"), heir.clone()]);
    assert_eq!(world.delete(&tie).await, 204);
    assert_eq!(owners().await, [id("team")]);
    let team = format!("/teams/{}", id("team"));
    let bad = format!("{team}?reassignment_team=PUNKNOWN");
    assert_eq!(world.refused("DELETE", &bad, Value::Null).await, (400, 6001));
    assert_eq!(world.delete(&format!("{team}?reassignment_team={heir}")).await, 204);
    assert_eq!(owners().await, [heir]);
}

#[tokio::test]
async fn a_policy_notifies_users_and_on_call_users_of_schedules() {
    let world = world().await;
    let rule = |target: Value| json!({"escalation_delay_in_minutes": 10, "targets": [target]});
    let policy = json!({"escalation_policy": {
        "type": "escalation_policy", "name": "By turns", "num_loops": 2,
        "escalation_rules": [rule(reference("schedule")), rule(reference("user"))],
    }});
    let made =
        world.post("/escalation_policies", policy.clone()).await["escalation_policy"].clone();
    assert_eq!(made["num_loops"], 2);
    assert_eq!(made["escalation_rules"][0]["targets"][0]["type"], "schedule_reference");
    assert_eq!(made["escalation_rules"][0]["escalation_delay_in_minutes"], 10);
    assert_eq!(world.refused("POST", "/escalation_policies", policy).await, (400, 2001));
    let incident = json!({"incident": {
        "type": "incident", "title": "Who is it?", "service": reference("service"),
        "escalation_policy": {"id": made["id"], "type": "escalation_policy_reference"},
    }});
    let incident = world.post("/incidents", incident).await["incident"].clone();
    let path = format!("/oncalls?schedule_ids[]={}", id("schedule"));
    let on_call = world.get(&path).await["oncalls"][0]["user"]["id"].clone();
    assert_eq!(incident["assignments"][0]["assignee"]["id"], on_call);
    let unknown = json!({"escalation_policy": {
        "type": "escalation_policy", "name": "To nobody",
        "escalation_rules": [rule(json!({"id": "PUNKNOWN", "type": "user_reference"}))],
    }});
    assert_eq!(world.refused("POST", "/escalation_policies", unknown).await, (400, 2001));
    let used = format!("/escalation_policies/{}", id("escalation_policy"));
    assert_eq!(world.refused("DELETE", &used, Value::Null).await, (400, 2001));
    assert_eq!(world.delete("/escalation_policies/PESCALATIONPO3").await, 204);
    world.nothing_noted();
}

#[tokio::test]
async fn objects_of_a_private_team_are_hidden_from_others() {
    let world = world().await;
    let secret = json!({"team": {"type": "team", "name": "Secret", "default_role": "none"}});
    let team = world.post("/teams", secret).await["team"]["id"].clone();
    let teams = json!([{"id": team, "type": "team_reference"}]);
    let schedule = json!({"schedule": {
        "type": "schedule", "name": "Secret nights", "time_zone": "Etc/UTC", "schedule_layers": [],
        "teams": teams,
    }});
    let schedule = world.post("/schedules", schedule).await["schedule"]["id"].clone();
    let user = &world.simulator.us().users()[1];
    assert_eq!(user.role, "user");
    let key = world.simulator.us().mint_user_key(&user.id);
    let path = format!("/schedules/{}", schedule.as_str().unwrap());
    let names = async |key: &str, list: &str| {
        let answer = get(&world.simulator, &format!("/{list}")).token(key).send().await;
        let list = answer.json()[list].clone();
        let has = |name: &str| list.as_array().unwrap().iter().any(|one| one["name"] == name);
        has("Secret") || has("Secret nights")
    };
    let account = world.simulator.us().keys().account;
    for list in ["teams", "schedules"] {
        assert!(names(&account, list).await, "{list} of the account");
        assert!(!names(&key, list).await, "{list} of somebody else");
    }
    let refused = get(&world.simulator, &path).token(&key).send().await;
    assert_eq!(refused.error(), (404, 2100));
    let member = format!("/teams/{}/users/{}", team.as_str().unwrap(), user.id);
    world.put(&member, json!({"role": "responder"})).await;
    assert_eq!(get(&world.simulator, &path).token(&key).send().await.status, 200);
    for list in ["teams", "schedules"] {
        assert!(names(&key, list).await, "{list} of a member");
    }
}
