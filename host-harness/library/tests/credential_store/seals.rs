//! Keys and seals: which of them open, and which do not.

use super::*;

#[test]
fn a_store_with_a_passphrase_opens_with_it_at_the_default_cost() {
    let fixture = Fixture::new();
    let open = || SqliteStore::open(&fixture.path(), passphrase("correct horse"));
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
    assert_eq!(SqliteStore::key_kind(&fixture.path()).unwrap(), None);
    assert!(!fixture.path().exists());
    fixture.open();
    assert_eq!(SqliteStore::key_kind(&fixture.path()).unwrap(), Some(KeyKind::Key));
    let error = SqliteStore::open(&fixture.path(), passphrase("correct horse")).unwrap_err();
    assert!(matches!(error, StoreError::WrongKeyKind { .. }) && error.is_wrong_key());
    assert!(error.to_string().ends_with("opens with a key, not with a passphrase"), "{error}");
}

#[test]
fn a_wrong_key_or_passphrase_is_noticed_and_nothing_is_written() {
    let fixture = Fixture::new();
    let cost = PassphraseCost::for_tests();
    let other = fixture.directory.path().join("other.db");
    let open = |key| SqliteStore::open_with_cost(&other, key, cost);
    open(passphrase("correct horse")).unwrap().add(new("work", CANARY)).unwrap();
    fixture.open().add(new("work", CANARY)).unwrap();
    for (path, wrong) in
        [(fixture.path(), StoreKey::generate().unwrap()), (other, passphrase("correct horsf"))]
    {
        let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        let error = SqliteStore::open(&path, wrong).unwrap_err();
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
    let error = SqliteStore::open(&fixture.path(), passphrase("horse")).unwrap_err();
    assert_eq!(error.to_string(), "the passphrase is shorter than 8 bytes. Choose a longer one");
    // A change that failed does not affect later ones.
    fixture.open().add(new("work", CANARY)).unwrap();
}

#[test]
fn every_flipped_byte_of_sealed_secrets_is_noticed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    let database = fixture.database();
    let sealed: Vec<u8> =
        database.query_row("SELECT sealed_secrets FROM connection", [], |row| row.get(0)).unwrap();
    let put = |sealed: &[u8]| {
        database.execute("UPDATE connection SET sealed_secrets = ?1", [sealed]).unwrap();
    };
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1 << (index % 8);
        put(&changed);
        let error = get(&store, "work").unwrap_err().to_string();
        assert!(error.contains("changed outside the store"), "byte {index}: {error}");
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
    let used = LastUse { at: 1_000, by: "example item.list".into() };
    store.note_use(&key("one"), &used, None).unwrap();
    // Every column of one row in the place of the other's, one by one and all together.
    let columns = [
        "fields",
        "configuration",
        "asked_scopes",
        "granted_scopes",
        "identity",
        "health",
        "expires_at",
        "lifetime",
        "connected_at",
        "updated_at",
        "revision",
        "sealed_secrets",
        "course",
        "course_seal",
    ];
    database.execute_batch("CREATE TABLE was AS SELECT * FROM connection").unwrap();
    let set = |columns: &[&str], from: &str| {
        let one = |column: &&str| {
            format!("{column} = (SELECT {column} FROM was WHERE was.head {from} c.head)")
        };
        let list: Vec<String> = columns.iter().map(one).collect();
        database.execute_batch(&format!("UPDATE connection AS c SET {}", list.join(", "))).unwrap();
    };
    let broken = || {
        get(&store, "one").unwrap_err().to_string().contains("changed outside")
            && get(&store, "two").unwrap_err().to_string().contains("changed outside")
    };
    for column in ["sealed_secrets", "course", "course_seal"] {
        set(&[column], "<>");
        assert!(broken(), "{column}");
        set(&[column], "=");
    }
    set(&columns, "<>");
    assert!(broken());
    set(&columns, "=");
    assert_eq!(token(&store, "one"), "token-of-one");
    // And of the names.
    let heads = "UPDATE head SET id = zeroblob(16) WHERE name = 'one'";
    database.execute_batch("PRAGMA foreign_keys = off").unwrap();
    database.execute_batch("CREATE TABLE ids AS SELECT name, id FROM head").unwrap();
    database.execute_batch(heads).unwrap();
    for (name, other) in [("two", "one"), ("one", "two")] {
        let swap = format!(
            "UPDATE head SET id = (SELECT id FROM ids WHERE name = '{other}') WHERE name = '{name}'"
        );
        database.execute_batch(&swap).unwrap();
    }
    assert!(broken());
    // A changed row is reported as such, and does not hide the others.
    store.add(new("three", "token-of-three")).unwrap();
    let told: Vec<CredentialSummary> = store.list().unwrap();
    assert_eq!(told.len(), 3);
    for one in told {
        let is_usable = one.status.is_usable();
        assert_eq!(is_usable, one.name == "three", "{one:?}");
    }
}

#[test]
fn nothing_that_decides_who_gets_a_secret_or_where_it_goes_can_be_changed_unnoticed() {
    let audience = r#"{"base_urls":{},"audiences":["https://evil.example"],"values":{}}"#;
    for (table, column, value) in [
        ("head", "tenant", "evil"),
        ("head", "name", "work2"),
        ("head", "owner", "eve"),
        ("head", "owner", "NULL"),
        ("head", "description", "Harmless."),
        ("head", "mode", "private"),
        ("head", "allowed_actions", "null"),
        ("head", "node", "evil"),
        ("head", "credential_type", "oauth2"),
        ("head", "created_at", "1"),
        ("connection", "user", "eve"),
        ("connection", "fields", r#"{"region":"us"}"#),
        ("connection", "configuration", audience),
        ("connection", "asked_scopes", "null"),
        ("connection", "granted_scopes", "null"),
        ("connection", "identity", "{}"),
        ("connection", "health", r#"{"is":"disconnected"}"#),
        ("connection", "expires_at", "1"),
        ("connection", "expires_at", "NULL"),
        ("connection", "lifetime", "1"),
        ("connection", "connected_at", "1"),
        ("connection", "updated_at", "1"),
        ("connection", "revision", "2"),
        ("connection", "course", "{}"),
    ] {
        let fixture = Fixture::new();
        let store = fixture.open();
        store.add(new("work", CANARY)).unwrap();
        let database = fixture.database();
        let value = if value == "NULL" { value.to_owned() } else { format!("'{value}'") };
        let change = format!("UPDATE {table} SET {column} = {value}");
        database.execute_batch(&change).unwrap();
        let name = if value == "'work2'" { "work2" } else { "work" };
        let user = (column == "user").then(|| User::from("eve"));
        let tenant = if column == "tenant" { "evil".into() } else { Tenant::default() };
        let key = ConnectionKey { user, tenant, ..ConnectionKey::of(name) };
        let error = store.read(&key).unwrap_err().to_string();
        assert!(error.contains("changed outside the store"), "{change}: {error}");
        assert!(!store.list().unwrap()[0].status.is_usable(), "{change}");
        // Nor is it made good by the next refresh, or by another key.
        for revision in [1, 2] {
            let renewed = store.renew(&key, revision, renewal("new token"));
            assert!(renewed.is_err(), "{change}: {renewed:?}");
        }
        let rekeyed = store.change_key(&StoreKey::generate().unwrap(), PassphraseCost::for_tests());
        assert!(matches!(rekeyed, Err(StoreError::Tampered { .. })), "{change}: {rekeyed:?}");
    }
}

#[test]
fn no_changed_byte_of_the_file_changes_what_is_answered() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut first = new("work", CANARY);
    first.parts.expires_at = None;
    store.add(first).unwrap();
    store.add(super::changes::per_user("ada", CANARY)).unwrap();
    let used = LastUse { at: 1_000, by: "example item.list".into() };
    store.note_use(&key("work"), &used, Some("w1")).unwrap();
    let all = |path: &Path| -> Result<Vec<Result<String, StoreError>>, StoreError> {
        let store = SqliteStore::open(path, fixture.key.clone())?;
        let each = ConnectionKey::of_user("each", "ada");
        let open = |key: &ConnectionKey| {
            let Stored { head, connection, secrets, lease } = store.read(key)?;
            let secrets: Vec<String> =
                secrets.values().map(|secret| secret.expose().to_owned()).collect();
            Ok(format!("{head:?}{connection:?}{secrets:?}{lease:?}"))
        };
        let mut told = vec![open(&key("work")), open(&each)];
        told.extend(store.list()?.into_iter().map(|summary| Ok(format!("{summary:?}"))));
        Ok(told)
    };
    drop(store);
    let whole: Vec<String> =
        all(&fixture.path()).unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(whole.len(), 4);
    let bytes = fs::read(fixture.path()).unwrap();
    let path = fixture.directory.path().join("changed.db");
    let (mut noticed, mut harmless) = (0, 0);
    for index in 0..bytes.len() {
        // Most zeros are unused space.
        if bytes[index] == 0 && index % 16 != 0 {
            continue;
        }
        let mut changed = bytes.clone();
        changed[index] ^= 1 << (index % 8);
        fs::write(&path, &changed).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let Ok(told) = all(&path) else {
            noticed += 1;
            continue;
        };
        let is_noticed = told.iter().any(|one| match one {
            Ok(one) => one.contains("changed outside the store"),
            Err(_) => true,
        });
        // A record that is not reported as changed is unchanged.
        for one in told.into_iter().flatten() {
            let is_known = whole.contains(&one) || one.contains("changed outside the store");
            assert!(is_known, "byte {index}: {one}");
        }
        if is_noticed { noticed += 1 } else { harmless += 1 }
    }
    assert!(noticed > 2_000 && harmless > 500, "{noticed} noticed, {harmless} harmless");
}

#[test]
fn older_secrets_do_not_open_at_the_present_revision() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", "first token")).unwrap();
    let database = fixture.database();
    database.execute("CREATE TABLE old AS SELECT sealed_secrets FROM connection", []).unwrap();
    renew(&store, "work", 1, "second token").unwrap();
    let put_back = "UPDATE connection SET sealed_secrets = (SELECT sealed_secrets FROM old)";
    database.execute(put_back, []).unwrap();
    assert!(get(&store, "work").unwrap_err().to_string().contains("changed outside"));
}

#[test]
fn every_changed_part_of_the_header_is_noticed_when_the_store_is_opened() {
    let fixture = Fixture::new();
    let key = passphrase("correct horse");
    let open =
        || SqliteStore::open_with_cost(&fixture.path(), key.clone(), PassphraseCost::for_tests());
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

#[test]
fn the_key_of_journals_follows_from_the_store_and_changes_with_its_key() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let store = fixture.open();
    let key = store.journal_key();
    assert!(key.is_same(&fixture.open().journal_key()));
    assert!(!key.is_same(&other.open().journal_key()));
    store.change_key(&StoreKey::generate().unwrap(), PassphraseCost::for_tests()).unwrap();
    assert!(!key.is_same(&store.journal_key()));
    assert_eq!(format!("{key:?}"), "JournalKey([secret])");
}
