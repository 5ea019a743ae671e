//! Results and errors of the store.

use super::*;

#[test]
fn a_stored_credential_comes_back_whole() {
    let fixture = Fixture::new();
    fixture.open().add(new("work", CANARY)).unwrap();
    let store = fixture.open();
    let Stored { head, connection, secrets, lease } = get(&store, "work").unwrap();
    let expected = new("work", CANARY);
    assert_eq!((head.name, head.node), (expected.head.name, expected.head.node));
    assert_eq!(head.description, expected.head.description);
    assert_eq!((head.owner, head.mode), (expected.head.owner, expected.head.mode));
    assert_eq!(head.allowed_actions, expected.head.allowed_actions);
    assert_eq!(head.credential_type, expected.head.credential_type);
    let fields = serde_json::to_string(&connection.parts.fields).unwrap();
    assert_eq!(fields, r#"{"region":"eu","limit":1.5}"#);
    assert_eq!(connection.parts.configuration, expected.parts.configuration);
    assert_eq!(connection.parts.asked_scopes, expected.parts.asked_scopes);
    assert_eq!(connection.parts.granted_scopes, expected.parts.granted_scopes);
    assert_eq!(connection.parts.identity, expected.parts.identity);
    assert_eq!(connection.parts.expires_at, expected.parts.expires_at);
    assert_eq!((connection.revision, connection.health), (1, Health::Connected));
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets["token"].expose(), CANARY);
    assert_eq!(lease.sent_at, None);

    let summary = store.summary("work").unwrap();
    assert_eq!(summary.owner.as_deref(), Some("ada"));
    assert_eq!(summary.status, CredentialStatus::Connected);
    assert_eq!(store.list().unwrap(), [summary]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_secrets_come_back_as_they_were(
        given in proptest::collection::btree_map(".{0,20}", any::<String>(), 0..6)
    ) {
        let fixture = Fixture::new();
        let store = fixture.open();
        let secrets: BTreeMap<String, Secret> =
            given.iter().map(|(name, secret)| (name.clone(), Secret::new(secret.clone()))).collect();
        store.add(NewCredential { secrets, ..new("work", "") }).unwrap();
        let found: BTreeMap<String, String> = get(&store, "work")
            .unwrap()
            .secrets
            .into_iter()
            .map(|(name, secret)| (name, secret.expose().to_owned()))
            .collect();
        prop_assert_eq!(found, given);
    }
}

#[test]
fn a_name_that_is_taken_is_refused_and_keeps_its_credential() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    let error = store.add(new("work", CANARY)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "credential `work` already exists. Choose another name, or remove the existing credential"
    );
    assert_eq!(token(&store, "work"), "first token");
}

#[test]
fn an_invalid_name_is_refused() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for name in ["", "-work", "a b", "../work", "work\n", "wörk", &"a".repeat(65)] {
        let error = store.add(new(name, CANARY)).unwrap_err();
        assert!(matches!(error, StoreError::InvalidName { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn an_unknown_name_is_answered_with_those_that_there_are() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let empty = store.summary("work").unwrap_err();
    assert_eq!(empty.to_string(), "credential `work` not found (the store is empty)");
    store.add(new("two", CANARY)).unwrap();
    store.add(new("one", CANARY)).unwrap();
    let text = "credential `work` not found. Available: one, two";
    assert_eq!(store.summary("work").unwrap_err().to_string(), text);
    assert_eq!(store.remove("work").unwrap_err().to_string(), text);
    let error = renew(&store, "work", 1, "x").unwrap_err();
    assert!(error.is_unknown() && error.to_string() == text, "{error}");
    assert!(get(&store, "work").unwrap_err().is_unknown());
}

#[test]
fn tokens_are_replaced_only_at_the_revision_that_was_read() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    assert_eq!(renew(&store, "work", 1, "second token").unwrap(), 2);
    let error = renew(&store, "work", 1, "loser's token").unwrap_err();
    assert!(error.is_changed(), "{error}");
    let stored = get(&store, "work").unwrap();
    assert_eq!((stored.connection.revision, token(&store, "work").as_str()), (2, "second token"));
}

#[test]
fn a_credential_that_must_be_reconnected_says_why_until_it_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    let reason = "the service revoked it".to_owned();
    let health = Health::NeedsReconnect { reason: reason.clone() };
    assert!(store.set_health(&key("work"), 7, health.clone()).unwrap_err().is_changed());
    store.set_health(&key("work"), 1, health).unwrap();
    let status = CredentialStatus::NeedsReconnect { reason };
    assert_eq!(store.summary("work").unwrap().status, status);
    assert_eq!(store.keep(new("work", "second token"), Some(1)).unwrap(), 2);
    assert_eq!(store.summary("work").unwrap().status, CredentialStatus::Connected);
    assert_eq!(token(&store, "work"), "second token");
}

#[test]
fn a_credential_that_was_disconnected_holds_no_secret_any_more() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    store.set_health(&key("work"), 1, Health::Disconnected).unwrap();
    assert!(get(&store, "work").unwrap().secrets.is_empty());
    assert_eq!(store.summary("work").unwrap().status, CredentialStatus::Disconnected);
    // A refresh that was under way does not bring it back.
    assert!(renew(&store, "work", 1, "late token").unwrap_err().is_changed());
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let credential = new("work", CANARY);
    let mut printed = format!("{store:?} {:?} {credential:?}", fixture.key);
    store.add(credential).unwrap();
    printed += &format!("{:?} {:?}", store.list().unwrap(), get(&store, "work").unwrap());
    printed += &serde_json::to_string(&store.list().unwrap()).unwrap();
    printed += &format!("{:?}", store.add(new("work", CANARY)).unwrap_err());
    let encodings = encodings(CANARY.as_bytes());
    assert!(!encodings.iter().any(|encoding| contains(printed.as_bytes(), encoding)), "{printed}");
    let key = fs::read(fixture.directory.path().join("store.key")).unwrap();
    assert!(!contains(printed.as_bytes(), key.trim_ascii()), "{printed}");
}
