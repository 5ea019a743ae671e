//! Keys and seals: what opens, and what does not.

use super::*;

#[test]
fn a_store_with_a_passphrase_opens_with_it_at_the_default_cost() {
    let fixture = Fixture::new();
    let open = || CredentialStore::open(&fixture.path(), passphrase("correct horse"));
    open().unwrap().add(new("work", CANARY)).unwrap();
    assert_eq!(token(&open().unwrap(), "work"), CANARY);
    let cost: (u32, u32, u32) = fixture
        .database()
        .query_row("SELECT memory_kib, iterations, parallelism FROM store", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(cost, (64 * 1024, 3, 1));
}

#[test]
fn a_file_says_which_kind_of_key_it_takes() {
    let fixture = Fixture::new();
    assert_eq!(CredentialStore::key_kind(&fixture.path()).unwrap(), None);
    assert!(!fixture.path().exists());
    fixture.open();
    assert_eq!(CredentialStore::key_kind(&fixture.path()).unwrap(), Some(KeyKind::Key));
    let error = CredentialStore::open(&fixture.path(), passphrase("correct horse")).unwrap_err();
    assert!(matches!(error, StoreError::WrongKeyKind { .. }) && error.is_wrong_key());
    assert!(error.to_string().ends_with("opens with a key, not with a passphrase"), "{error}");
}

#[test]
fn a_wrong_key_or_passphrase_is_noticed_and_nothing_is_written() {
    let fixture = Fixture::new();
    let cost = PassphraseCost::for_tests();
    let other = fixture.directory.path().join("other.db");
    let open = |key| CredentialStore::open_with_cost(&other, key, cost);
    open(passphrase("correct horse")).unwrap().add(new("work", CANARY)).unwrap();
    fixture.open().add(new("work", CANARY)).unwrap();
    for (path, wrong) in
        [(fixture.path(), StoreKey::generate().unwrap()), (other, passphrase("correct horsf"))]
    {
        let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        let error = CredentialStore::open(&path, wrong).unwrap_err();
        assert!(matches!(error, StoreError::WrongKey { .. }) && error.is_wrong_key(), "{error}");
        assert!(error.to_string().contains("nothing was written"), "{error}");
        assert!(!error.to_string().contains("horsf"), "{error}");
        let after = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        assert!(before == after, "{} was written to", path.display());
    }
}

#[test]
fn a_short_passphrase_makes_no_store() {
    let fixture = Fixture::new();
    let error = CredentialStore::open(&fixture.path(), passphrase("horse")).unwrap_err();
    assert_eq!(error.to_string(), "a store's passphrase has at least 8 bytes: choose a longer one");
    // What was not made does not stand in the way.
    fixture.open().add(new("work", CANARY)).unwrap();
}

#[test]
fn every_flipped_byte_of_sealed_secrets_is_noticed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let database = fixture.database();
    let sealed: Vec<u8> =
        database.query_row("SELECT sealed_secrets FROM credential", [], |row| row.get(0)).unwrap();
    let put = |sealed: &[u8]| {
        database.execute("UPDATE credential SET sealed_secrets = ?1", [sealed]).unwrap();
    };
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1 << (index % 8);
        put(&changed);
        let error = get(&store, "work").unwrap_err().to_string();
        assert!(error.contains("changed outside of the store"), "byte {index}: {error}");
    }
    put(&sealed);
    assert_eq!(token(&store, "work"), CANARY);
}

#[test]
fn sealed_secrets_do_not_open_in_another_row() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("one", "token-of-one")).unwrap();
    store.add(new("two", "token-of-two")).unwrap();
    let database = fixture.database();
    let swap = "UPDATE credential SET sealed_secrets = \
                (SELECT sealed_secrets FROM credential AS o WHERE o.name <> credential.name)";
    database.execute(swap, []).unwrap();
    assert!(get(&store, "one").unwrap_err().to_string().contains("changed outside"));
    database.execute("UPDATE credential SET name = name || '.'", []).unwrap();
    database.execute("UPDATE credential SET name = iif(name = 'one.', 'two', 'one')", []).unwrap();
    assert!(get(&store, "one").unwrap_err().to_string().contains("changed outside"));
    assert!(get(&store, "two").unwrap_err().to_string().contains("changed outside"));
}

#[test]
fn nothing_that_decides_who_gets_a_secret_or_where_it_goes_can_be_changed_unnoticed() {
    let audience = r#"{"base_urls":{},"audiences":["https://evil.example"],"values":{}}"#;
    for (column, value) in [
        ("name", "work2"),
        ("owner", "eve"),
        ("node", "evil"),
        ("credential_type", "oauth2"),
        ("fields", r#"{"region":"us"}"#),
        ("configuration", audience),
        ("granted_scopes", "null"),
        ("revision", "2"),
    ] {
        let fixture = Fixture::new();
        let store = fixture.open();
        store.add(new("work", CANARY)).unwrap();
        let database = fixture.database();
        database.execute(&format!("UPDATE credential SET {column} = ?1"), [value]).unwrap();
        let summary = store.list().unwrap().remove(0);
        let request = CredentialRequest { node: summary.node, ..request(&summary.name) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(store.credential(&request)).unwrap_err().to_string();
        assert!(error.contains("changed outside of the store"), "{column}: {error}");
        // Nor is it made good by the next refresh.
        let replaced =
            store.replace_secrets(&summary.name, summary.revision, &secrets("new token"));
        assert!(matches!(replaced, Err(StoreError::Tampered { .. })), "{column}: {replaced:?}");
    }
}

#[test]
fn older_secrets_do_not_open_at_the_present_revision() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    let database = fixture.database();
    database.execute("CREATE TABLE old AS SELECT sealed_secrets FROM credential", []).unwrap();
    store.replace_secrets("work", 1, &secrets("second token")).unwrap();
    let put_back = "UPDATE credential SET sealed_secrets = (SELECT sealed_secrets FROM old)";
    database.execute(put_back, []).unwrap();
    assert!(get(&store, "work").unwrap_err().to_string().contains("changed outside"));
}

#[test]
fn every_changed_part_of_the_header_is_noticed_when_the_store_is_opened() {
    let fixture = Fixture::new();
    let key = passphrase("correct horse");
    let open = || {
        CredentialStore::open_with_cost(&fixture.path(), key.clone(), PassphraseCost::for_tests())
    };
    open().unwrap();
    let database = fixture.database();
    for column in ["id", "salt", "sealed_data_key"] {
        let whole: Vec<u8> = database
            .query_row(&format!("SELECT {column} FROM store"), [], |row| row.get(0))
            .unwrap();
        let put = |bytes: &[u8]| {
            database.execute(&format!("UPDATE store SET {column} = ?1"), [bytes]).unwrap();
        };
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1 << (index % 8);
            put(&changed);
            let error = open().unwrap_err();
            assert!(matches!(error, StoreError::WrongKey { .. }), "{column} {index}: {error}");
        }
        put(&whole);
        open().unwrap();
    }
    for (column, value) in [("memory_kib", 16), ("iterations", 2), ("parallelism", 2)] {
        let was: u32 = database
            .query_row(&format!("SELECT {column} FROM store"), [], |row| row.get(0))
            .unwrap();
        let set = format!("UPDATE store SET {column} = ?1");
        database.execute("UPDATE store SET memory_kib = 16", []).unwrap();
        database.execute(&set, [value]).unwrap();
        assert!(open().is_err(), "{column}");
        // A cost that would take all memory or time is refused before it is paid.
        database.execute(&set, [u32::MAX]).unwrap();
        assert!(matches!(open().unwrap_err(), StoreError::Damaged { .. }), "{column}");
        database.execute(&set, [was]).unwrap();
        database.execute("UPDATE store SET memory_kib = 8", []).unwrap();
        open().unwrap();
    }
}
