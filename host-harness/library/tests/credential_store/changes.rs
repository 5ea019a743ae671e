//! Changes to credentials: modes, users, leases, keys.

use super::*;

fn of(user: &str) -> ConnectionKey {
    ConnectionKey::of_user("each", user)
}

pub(super) fn per_user(user: &str, token: &str) -> NewCredential {
    let mut credential = new("each", token);
    credential.head.mode = Mode::PerUser;
    credential.user = Some(user.into());
    credential
}

#[test]
fn each_user_has_separate_secrets_under_one_name() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for user in ["ada", "bob"] {
        store.add(per_user(user, &format!("token of {user}"))).unwrap();
    }
    assert_eq!(store.read(&of("ada")).unwrap().secrets["token"].expose(), "token of ada");
    assert_eq!(store.read(&of("bob")).unwrap().secrets["token"].expose(), "token of bob");
    let nobody = store.read(&of("eve")).unwrap_err().to_string();
    assert!(nobody.contains("eve has not connected `each` yet"), "{nobody}");
    let unnamed = store.read(&key("each")).unwrap_err().to_string();
    assert!(unnamed.contains("no acting user was named"), "{unnamed}");
    assert!(matches!(store.add(per_user("ada", "again")), Err(StoreError::Exists { .. })));
    let users: Vec<_> = store.list().unwrap().into_iter().map(|one| one.user.unwrap()).collect();
    assert_eq!(users, ["ada", "bob"]);
    // One user's end is not the other's.
    store.set_health(&of("ada"), 1, Health::Disconnected).unwrap();
    assert_eq!(store.read(&of("bob")).unwrap().secrets["token"].expose(), "token of bob");
}

#[test]
fn a_mode_without_users_has_none_and_one_with_users_has_one() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let nobody = NewCredential { user: None, ..per_user("ada", CANARY) };
    assert!(matches!(store.add(nobody), Err(StoreError::UserOfMode { per_user: true, .. })));
    let somebody = NewCredential { user: Some("ada".into()), ..new("work", CANARY) };
    assert!(matches!(store.add(somebody), Err(StoreError::UserOfMode { per_user: false, .. })));
}

#[test]
fn another_mode_wipes_the_secrets_and_asks_to_connect_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    store.change("work", HeadChange::Mode(Mode::Shared)).unwrap();
    assert_eq!(token(&store, "work"), CANARY, "nothing has changed");
    store.change("work", HeadChange::Mode(Mode::Private)).unwrap();
    let stored = get(&store, "work").unwrap();
    assert!(stored.secrets.is_empty());
    assert_eq!(stored.head.mode, Mode::Private);
    assert_eq!(stored.connection.revision, 2);
    let CredentialStatus::NeedsReconnect { reason } = store.summary("work").unwrap().status else {
        panic!("it says that it works")
    };
    assert!(reason.contains("changed to private"), "{reason}");
    assert!(renew(&store, "work", 1, "of a refresh that was under way").is_err());
}

#[test]
fn description_owner_and_actions_change_and_the_secrets_stay() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    store.change("work", HeadChange::Description("For the day.".into())).unwrap();
    store.change("work", HeadChange::AllowedActions(None)).unwrap();
    store.change("work", HeadChange::Owner(Some("bob".into()))).unwrap();
    let stored = get(&fixture.open(), "work").unwrap();
    assert_eq!(stored.head.description, "For the day.");
    assert_eq!(stored.head.allowed_actions, None);
    assert_eq!(stored.head.owner.as_deref(), Some("bob"));
    assert_eq!(stored.secrets["token"].expose(), CANARY);
    assert!(store.change("none", HeadChange::AllowedActions(None)).unwrap_err().is_unknown());
}

#[test]
fn a_name_keeps_its_node_and_type() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let mut other = new("work", "other");
    other.head.credential_type = "oauth2".into();
    assert!(matches!(store.keep(other, Some(1)), Err(StoreError::OtherKind { .. })));
    assert_eq!(token(&store, "work"), CANARY);
}

#[test]
fn one_of_many_gets_the_lease_and_the_last_one_cannot_act_any_more() {
    let fixture = Fixture::new();
    fixture.open().add(new("work", CANARY)).unwrap();
    let granted: Vec<_> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| fixture.open().claim(&key("work"), 60_000).unwrap()))
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect::<Vec<_>>()
    })
    .into_iter()
    .filter_map(|claim| match claim {
        Claim::Granted(lease) => Some(lease),
        Claim::Held(_) => None,
    })
    .collect();
    let [lease] = granted.as_slice() else { panic!("{granted:?}") };
    let store = fixture.open();
    let hold = |fence, change| store.hold(&key("work"), fence, change).unwrap();
    assert!(hold(lease.fence, LeaseChange::Sending(60_000)).unwrap().sent_at.is_some());
    assert_eq!(hold(lease.fence + 1, LeaseChange::NotSent), None);
    hold(lease.fence, LeaseChange::Release { not_before: 0 }).unwrap();
    let Claim::Granted(next) = store.claim(&key("work"), 60_000).unwrap() else {
        panic!("it was given back")
    };
    assert_eq!(next.fence, lease.fence + 1);
    assert!(next.sent_at.is_some(), "what was sent and not answered stays known");
    for change in [
        LeaseChange::Extend(60_000),
        LeaseChange::Sending(60_000),
        LeaseChange::NotSent,
        LeaseChange::Release { not_before: 0 },
    ] {
        assert_eq!(hold(lease.fence, change), None, "{change:?}");
    }
}

#[test]
fn a_process_that_slept_through_its_lease_does_not_send() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let Claim::Granted(lease) = store.claim(&key("work"), 0).unwrap() else { panic!("it is free") };
    assert_eq!(store.hold(&key("work"), lease.fence, LeaseChange::Sending(1_000)).unwrap(), None);
}

#[test]
fn new_tokens_end_what_was_under_way() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let Claim::Granted(lease) = store.claim(&key("work"), 60_000).unwrap() else { panic!() };
    store.hold(&key("work"), lease.fence, LeaseChange::Sending(60_000)).unwrap();
    renew(&store, "work", 1, "second token").unwrap();
    assert_eq!(get(&store, "work").unwrap().lease.sent_at, None);
}

#[test]
fn the_last_use_is_known_to_the_minute_and_by_what_and_workflows_are_remembered() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    assert_eq!(store.summary("work").unwrap().last_used, None);
    let use_of = |at, by: &str, workflow| {
        let last = LastUse { at, by: by.to_owned() };
        store.note_use(&key("work"), &last, workflow).unwrap();
        store.summary("work").unwrap().last_used.unwrap()
    };
    let listed = |at| LastUse { at, by: "example item.list".into() };
    assert_eq!(use_of(2_000, "example item.list", None), listed(2_000));
    assert_eq!(use_of(61_999, "example item.list", None), listed(2_000));
    assert_eq!(use_of(62_000, "example item.list", None), listed(62_000));
    let by = "example item.get in workflow w1 by ada";
    assert_eq!(use_of(62_001, by, Some("w1")), LastUse { at: 62_001, by: by.into() });
    use_of(62_002, "example item.list", Some("w2"));
    // A clock that was set back.
    assert_eq!(use_of(5_000, "example item.list", None), listed(5_000));
    let workflows = |store: &SqliteStore| -> Vec<String> {
        let summary = store.summary("work").unwrap();
        summary.dependants.into_iter().map(|one| one.workflow).collect()
    };
    assert_eq!(workflows(&store), ["w1", "w2"]);
    store.forget_dependant("work", "w1").unwrap();
    assert_eq!(workflows(&store), ["w2"]);
}

#[test]
fn another_key_opens_everything_and_the_old_one_nothing() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let other_process = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    store.add(per_user("ada", "token of ada")).unwrap();
    let used = LastUse { at: 1_000, by: "example item.list".into() };
    store.note_use(&key("work"), &used, Some("w1")).unwrap();
    let cost = PassphraseCost::for_tests();
    let sealed = || -> Vec<Vec<u8>> {
        let database = fixture.database();
        let mut statement = database.prepare("SELECT sealed_secrets FROM connection").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let before = sealed();
    store.change_key(&passphrase("correct horse"), cost).unwrap();
    assert!(sealed().iter().all(|sealed| !before.contains(sealed)), "everything is sealed anew");
    assert_eq!(token(&store, "work"), CANARY);
    let reopened = SqliteStore::open(&fixture.path(), passphrase("correct horse")).unwrap();
    assert_eq!(token(&reopened, "work"), CANARY);
    assert_eq!(reopened.read(&of("ada")).unwrap().secrets["token"].expose(), "token of ada");
    assert_eq!(reopened.summary("work").unwrap().dependants[0].workflow, "w1");
    let error = SqliteStore::open(&fixture.path(), fixture.key.clone()).unwrap_err();
    assert!(error.is_wrong_key(), "{error}");
    // A process that still has it open receives an error, and writes nothing with the old key.
    for error in [
        get(&other_process, "work").unwrap_err(),
        other_process.list().unwrap_err(),
        renew(&other_process, "work", 1, "x").unwrap_err(),
        other_process.add(new("more", CANARY)).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::KeyChanged { .. }), "{error}");
    }
    let short = store.change_key(&passphrase("short"), cost).unwrap_err();
    assert!(matches!(short, StoreError::ShortPassphrase { .. }), "{short}");
}
