//! What the store answers.

use super::*;

#[test]
fn a_stored_credential_comes_back_whole() {
    let fixture = Fixture::new();
    fixture.open().add(new("work", CANARY)).unwrap();
    let store = fixture.open();
    let Credential {
        name,
        node,
        credential_type,
        fields,
        secrets,
        configuration,
        granted_scopes,
        revision,
    } = get(&store, "work").unwrap();
    let expected = new("work", CANARY);
    assert_eq!((name, node), (expected.name, expected.node));
    assert_eq!(credential_type, expected.credential_type);
    assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"region":"eu","limit":1.5}"#);
    assert_eq!(configuration, expected.configuration);
    assert_eq!(granted_scopes, expected.granted_scopes);
    assert_eq!(revision, 1);
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets["token"].expose(), CANARY);

    let summary = store.summary("work").unwrap();
    assert_eq!(summary.owner.as_deref(), Some("ada"));
    assert_eq!(summary.state, CredentialState::Connected);
    assert_eq!(summary.last_used.as_ref().unwrap().by, "example item.list");
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
        "there is a credential `work` already. Choose another name, or remove that one first"
    );
    assert_eq!(token(&store, "work"), "first token");
}

#[test]
fn a_name_that_is_none_is_refused() {
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
    assert_eq!(empty.to_string(), "there is no credential `work`: the store is empty");
    store.add(new("two", CANARY)).unwrap();
    store.add(new("one", CANARY)).unwrap();
    let text = "there is no credential `work`. There is: one, two";
    assert_eq!(store.summary("work").unwrap_err().to_string(), text);
    assert_eq!(store.remove("work").unwrap_err().to_string(), text);
    let error = store.replace_secrets("work", 1, &secrets("x")).unwrap_err();
    assert!(error.is_unknown() && error.to_string() == text, "{error}");
    assert!(matches!(get(&store, "work"), Err(CredentialError::Unknown(name)) if name == "work"));
}

#[test]
fn secrets_are_replaced_only_at_the_revision_that_was_read() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    assert_eq!(store.replace_secrets("work", 1, &secrets("second token")).unwrap(), 2);
    let error = store.replace_secrets("work", 1, &secrets("loser's token")).unwrap_err();
    assert!(error.is_changed(), "{error}");
    let credential = get(&store, "work").unwrap();
    assert_eq!((credential.revision, token(&store, "work").as_str()), (2, "second token"));
}

#[test]
fn a_refused_credential_is_exchanged_for_a_newer_one_if_there_is_one() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refreshed = |revision| runtime.block_on(store.refreshed(&request("work"), revision));
    assert!(matches!(refreshed(1), Err(CredentialError::NotRefreshable(_))));
    fixture.open().replace_secrets("work", 1, &secrets("second token")).unwrap();
    assert_eq!(refreshed(1).unwrap().secrets["token"].expose(), "second token");
    assert!(matches!(refreshed(2), Err(CredentialError::NotRefreshable(_))));
}

#[test]
fn a_credential_that_must_be_reconnected_is_not_given_out_until_it_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    assert!(store.require_reconnect("work", 7, "stale").unwrap_err().is_changed());
    store.require_reconnect("work", 1, "the service revoked it").unwrap();
    let reason = "the service revoked it".to_owned();
    assert_eq!(store.summary("work").unwrap().state, CredentialState::Reconnect { reason });
    let error = get(&store, "work").unwrap_err().to_string();
    assert_eq!(error, "the credential `work` must be connected again: the service revoked it");
    store.replace_secrets("work", 1, &secrets("second token")).unwrap();
    assert_eq!(token(&store, "work"), "second token");
}

#[test]
fn another_node_does_not_get_a_credential() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let other = CredentialRequest { node: "other".into(), ..request("work") };
    let error = runtime.block_on(store.credential(&other)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the credential `work` may not be used here: it was connected for the node `example`"
    );
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
