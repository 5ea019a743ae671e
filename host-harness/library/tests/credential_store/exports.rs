//! Sealed files for other machines.

use super::*;

fn filled() -> (Fixture, SqliteStore) {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let mut rotating = new("rotating", CANARY);
    rotating.secrets.insert("refresh_token".into(), Secret::new("refresh-canary-0123"));
    store.add(rotating).unwrap();
    (fixture, store)
}

#[test]
fn an_export_brings_credentials_to_another_store() {
    for key in [StoreKey::generate().unwrap(), passphrase("correct horse")] {
        let (_fixture, store) = filled();
        let health = Health::NeedsReconnect { reason: "it was revoked".into() };
        store.set_health(&ConnectionKey::of("work"), 1, health).unwrap();
        let file = store.export(&[], &key, PassphraseCost::for_tests()).unwrap();
        let other = Fixture::new();
        let there = other.open();
        let report = there.import(&file, &key).unwrap();
        assert_eq!(report.imported, ["rotating", "work"]);
        assert_eq!(report.rotating, ["rotating"]);
        let told = |store: &SqliteStore, name: &str| {
            let mut summary = store.summary(name).unwrap();
            summary.created_at = 0;
            summary.connected_at = None;
            summary.updated_at = 0;
            summary
        };
        for name in ["work", "rotating"] {
            assert_eq!(told(&there, name), told(&store, name));
            assert_eq!(token(&there, name), CANARY);
        }
        // Once more changes nothing.
        let again = there.import(&file, &key).unwrap();
        assert_eq!((again.imported.len(), again.skipped.len()), (0, 2));
    }
}

#[test]
fn an_export_holds_nothing_but_what_is_sealed() {
    let (_fixture, store) = filled();
    let key = StoreKey::generate().unwrap();
    let file = store.export(&["work".to_owned()], &key, PassphraseCost::for_tests()).unwrap();
    for encoding in encodings(CANARY.as_bytes()) {
        assert!(!contains(file.as_bytes(), &encoding));
    }
    for word in ["example", "api-token", "items.read", "nightly"] {
        assert!(!file.contains(word), "{word} stands in {file}");
    }
    let unknown = store.export(&["none".to_owned()], &key, PassphraseCost::for_tests());
    assert!(unknown.unwrap_err().is_unknown());
}

#[test]
fn an_export_opens_with_its_own_key_only_and_not_when_it_was_changed() {
    let (_fixture, store) = filled();
    let key = passphrase("correct horse");
    let file = store.export(&[], &key, PassphraseCost::for_tests()).unwrap();
    let other = Fixture::new();
    let there = other.open();
    let refused = |file: &str, key: &StoreKey| {
        let error = there.import(file, key).unwrap_err();
        assert!(matches!(error, StoreError::Import { .. }), "{error}");
        assert!(there.list().unwrap().is_empty());
        error.to_string()
    };
    assert!(refused(&file, &passphrase("correct horsf")).contains("does not match"));
    assert!(refused(&file, &StoreKey::generate().unwrap()).contains("not with a key"));
    let document: serde_json::Value = serde_json::from_str(&file).unwrap();
    for (member, value) in [
        ("version", json!(2)),
        ("format", json!("something else")),
        ("salt", json!("AAAAAAAAAAAAAAAAAAAAAA==")),
        ("salt", json!("")),
        ("iterations", json!(2)),
        ("memory_kib", json!(u32::MAX)),
        ("parallelism", json!(0)),
        ("sealed", json!("AAAA")),
        ("more", json!(1)),
    ] {
        let mut changed = document.clone();
        changed[member] = value;
        refused(&changed.to_string(), &key);
    }
    let sealed = document["sealed"].as_str().unwrap();
    for index in (0..sealed.len()).step_by(7) {
        let mut changed = sealed.as_bytes().to_vec();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let mut document = document.clone();
        document["sealed"] = json!(String::from_utf8(changed).unwrap());
        refused(&document.to_string(), &key);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_an_export_or_refused(text in "\\PC{0,200}", tail in "[{}\\[\\]\":,a-z0-9]{0,80}") {
        let fixture = Fixture::new();
        let store = fixture.open();
        let key = StoreKey::generate().unwrap();
        prop_assert!(store.import(&text, &key).is_err());
        let json = format!("{{\"format\":{tail}");
        prop_assert!(store.import(&json, &key).is_err());
        prop_assert!(store.list().unwrap().is_empty());
    }
}
