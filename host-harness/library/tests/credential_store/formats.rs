//! Stores that earlier versions wrote: `format-1.db` and `format-2.db`, and those with a passphrase,
//! were written by the versions that had these formats.

use super::*;

fn old(fixture: &Fixture, bytes: &[u8]) -> PathBuf {
    let path = fixture.directory.path().join("old.db");
    fs::write(&path, bytes).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

const WITH_KEY: &[u8] = include_bytes!("format-1.db");
const WITH_PASSPHRASE: &[u8] = include_bytes!("format-1-passphrase.db");

#[test]
fn a_store_of_format_1_is_brought_up_to_date_when_it_is_opened() {
    let with_key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
    for (bytes, key) in [(WITH_KEY, with_key), (WITH_PASSPHRASE, passphrase("correct horse"))] {
        let fixture = Fixture::new();
        let path = old(&fixture, bytes);
        // Twice: once to migrate it, and once after the migration.
        for _ in 0..2 {
            let store = SqliteStore::open(&path, key.clone()).unwrap();
            assert_eq!(token(&store, "work"), "newer-token-of-format-1");
            assert_eq!(token(&store, "other"), "second-token-of-format-1");
            let work = store.summary("work").unwrap();
            assert_eq!((work.revision, work.owner.as_deref()), (2, Some("ada")));
            assert_eq!(work.mode, Mode::Shared, "everyone who named it could use it");
            assert_eq!(work.status, CredentialStatus::Connected);
            assert_eq!(work.granted_scopes, Some(vec!["items.read".to_owned()]));
            assert_eq!(work.last_used.unwrap().by, "example item.list");
            let reason = "the service revoked it".to_owned();
            let other = store.summary("other").unwrap();
            assert_eq!(other.status, CredentialStatus::NeedsReconnect { reason });
        }
        // It can be written to.
        let store = SqliteStore::open(&path, key).unwrap();
        assert_eq!(renew(&store, "work", 2, "third token").unwrap(), 3);
        store.add(new("more", CANARY)).unwrap();
    }
}

#[test]
fn a_wrong_key_leaves_an_old_store_as_it_is() {
    let fixture = Fixture::new();
    let path = old(&fixture, WITH_KEY);
    assert!(SqliteStore::open(&path, fixture.key.clone()).unwrap_err().is_wrong_key());
    assert_eq!(SqliteStore::key_kind(&path).unwrap(), Some(KeyKind::Key));
    assert!(fs::read(&path).unwrap() == WITH_KEY);
}

#[test]
fn an_old_row_that_was_changed_outside_comes_over_without_its_secrets() {
    let fixture = Fixture::new();
    let path = old(&fixture, WITH_KEY);
    let evil = r#"{"audiences":["https://evil.example"]}"#;
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE credential SET configuration = ?1 WHERE name = 'work'", [evil])
        .unwrap();
    let store = SqliteStore::open(&path, StoreKey::from_text(&"5a".repeat(32)).unwrap()).unwrap();
    assert!(get(&store, "work").unwrap().secrets.is_empty());
    let CredentialStatus::NeedsReconnect { reason } = store.summary("work").unwrap().status else {
        panic!("it says that it works")
    };
    assert!(reason.contains("changed outside"), "{reason}");
    assert_eq!(token(&store, "other"), "second-token-of-format-1");
}

#[test]
fn processes_that_open_an_old_store_at_once_all_get_the_new_one() {
    let fixture = Fixture::new();
    let path = old(&fixture, WITH_KEY);
    let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let store = SqliteStore::open(&path, key.clone()).unwrap();
                assert_eq!(token(&store, "work"), "newer-token-of-format-1");
            });
        }
    });
}

const FORMAT_2: &[u8] = include_bytes!("format-2.db");
const FORMAT_2_PASSPHRASE: &[u8] = include_bytes!("format-2-passphrase.db");

fn key_of_format_2() -> StoreKey {
    StoreKey::from_text(&"5a".repeat(32)).unwrap()
}

#[tokio::test]
async fn a_store_of_format_2_comes_over_into_the_default_tenant() {
    use workflow_node_host::trigger::TriggerStore;
    for (bytes, key) in
        [(FORMAT_2, key_of_format_2()), (FORMAT_2_PASSPHRASE, passphrase("correct horse"))]
    {
        let fixture = Fixture::new();
        let path = old(&fixture, bytes);
        for _ in 0..2 {
            let store = SqliteStore::open(&path, key.clone()).unwrap();
            let of = |key: ConnectionKey| {
                let stored = store.read(&key).unwrap();
                (stored.secrets["token"].expose().to_owned(), stored.head)
            };
            // A credential without an owner belongs to the owner of the store.
            let (token, head) = of(ConnectionKey::of("mine"));
            assert_eq!((token.as_str(), head.mode), ("token-of-nobody-1", Mode::Private));
            assert_eq!((head.tenant, head.owner), (Tenant::default(), Some(User::default())));
            let (token, head) = of(ConnectionKey::of("adas"));
            assert_eq!((token.as_str(), head.owner), ("newer-token-of-ada", Some("ada".into())));
            let (token, head) = of(ConnectionKey::of("ours"));
            assert_eq!((token.as_str(), head.owner), ("token-of-all-0001", None));
            assert_eq!(of(ConnectionKey::of_user("team", "ada")).0, "token-of-ada-0002");
            assert_eq!(of(ConnectionKey::of_user("team", "bob")).0, "token-of-bob-0002");
            let adas = store.summary("adas").unwrap();
            assert_eq!((adas.revision, adas.dependants[0].workflow.as_str()), (2, "nightly"));
            assert_eq!(adas.last_used.unwrap().by, "example item.list");
            let team = store.summaries("team").unwrap();
            let bobs = team.iter().find(|one| one.user.as_deref() == Some("bob")).unwrap();
            assert!(matches!(bobs.status, CredentialStatus::NeedsReconnect { .. }), "{bobs:?}");

            let triggers: &dyn TriggerStore = &store;
            let orders = triggers.open("default/ada/orders").await.unwrap();
            assert_eq!(orders.subscription.actor, Principal::user("ada"));
            assert_eq!(orders.subscription.name, "orders");
            assert_eq!(orders.secret.unwrap().expose(), "a secret that signs");
            assert_eq!(orders.parameters["password"], "a secret parameter");
            let waiting = triggers.pending("default/ada/orders").await.unwrap().unwrap();
            assert_eq!(waiting.delivered.body, b"a delivery that waits");
            let polls = triggers.open("polls").await.unwrap();
            assert_eq!(polls.subscription.actor, Principal::default());
            assert_eq!(polls.subscription.cursor, Some(json!({"at": 1})));
            assert_eq!(triggers.event("polls").await.unwrap().unwrap().event.get(), r#"{"n":1}"#);
        }
        // It can be written to, and another tenant has separate names.
        let store = SqliteStore::open(&path, key).unwrap();
        assert_eq!(renew(&store, "adas", 2, "third token").unwrap(), 3);
        let mut other = new("adas", "token-of-another-tenant");
        other.head.tenant = "acme".into();
        store.add(other).unwrap();
        assert_eq!(token(&store, "adas"), "third token");
    }
}

#[test]
fn a_row_of_format_2_that_was_changed_outside_stays_shut() {
    for change in [
        "UPDATE head SET owner = 'eve' WHERE name = 'adas'",
        "UPDATE connection SET configuration = '{\"audiences\":[\"https://evil.example\"]}'",
    ] {
        let fixture = Fixture::new();
        let path = old(&fixture, FORMAT_2);
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let store = SqliteStore::open(&path, key_of_format_2()).unwrap();
        let error = get(&store, "adas").unwrap_err();
        assert!(matches!(error, StoreError::Tampered { .. }), "{change}: {error}");
    }
}

#[test]
fn an_export_keeps_tenants_apart() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let key = StoreKey::generate().unwrap();
    let mut of_tenant = new("work", CANARY);
    of_tenant.head.tenant = "acme".into();
    store.add(of_tenant).unwrap();
    store.add(new("work", "token-of-default")).unwrap();
    let file = store.export(&[], &key, PassphraseCost::for_tests()).unwrap();
    let other = Fixture::new();
    let copy = other.open();
    copy.import(&file, &key).unwrap();
    assert_eq!(token(&copy, "work"), "token-of-default");
    let acme = ConnectionKey { tenant: "acme".into(), ..key_of("work") };
    assert_eq!(copy.read(&acme).unwrap().secrets["token"].expose(), CANARY);
}

fn key_of(name: &str) -> ConnectionKey {
    ConnectionKey::of(name)
}
