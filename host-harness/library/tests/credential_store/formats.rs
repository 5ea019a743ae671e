//! Stores that earlier versions wrote: `format-1.db` and `format-1-passphrase.db` were written by the
//! version that had format 1.

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
        // Twice: once to bring it up to date, once as it is then.
        for _ in 0..2 {
            let store = SqliteStore::open(&path, key.clone()).unwrap();
            assert_eq!(token(&store, "work"), "newer-token-of-format-1");
            assert_eq!(token(&store, "other"), "second-token-of-format-1");
            let work = store.summary("work").unwrap();
            assert_eq!((work.revision, work.owner.as_deref()), (2, Some("ada")));
            assert_eq!(work.mode, Mode::Shared, "whoever named it could use it");
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
