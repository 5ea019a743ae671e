//! The files: their permissions, and the files that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use workflow_node_host::chain;
use workflow_node_host::credential::CredentialStore;
use workflow_node_host::store::LazyStore;
use workflow_node_host::trigger::TriggerStore;

use super::*;

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.open();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.path()), 0o600);
    assert_eq!(mode(fixture.path().parent().unwrap()), 0o700);
    assert_eq!(mode(&fixture.directory.path().join("store.key")), 0o600);
    for exposed in [0o644, 0o660, 0o604, 0o620] {
        fs::set_permissions(fixture.path(), fs::Permissions::from_mode(exposed)).unwrap();
        let path = fixture.path();
        let path = path.display();
        for error in [
            SqliteStore::open(&fixture.path(), fixture.key.clone()).unwrap_err(),
            SqliteStore::key_kind(&fixture.path()).unwrap_err(),
        ] {
            assert_eq!(
                error.to_string(),
                format!(
                    "other users can access {path} (mode {exposed:04o}). Make it \
                     private: chmod 600 {path}"
                )
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's a key");
    StoreKey::generate_key_file(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = StoreKey::from_key_file(&path).unwrap_err().to_string();
    assert!(error.contains("(mode 0640)") && error.contains(r"/it'\''s a key'"), "{error}");
}

#[test]
fn a_key_file_is_never_overwritten_and_its_content_never_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys").join("store.key");
    StoreKey::generate_key_file(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim_end().len(), 64);
    let error = StoreKey::generate_key_file(&path).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains("store.key"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    for content in [CANARY.as_bytes(), b"", b"\xff\xfe", &text.as_bytes()[1..], &[b'a'; 9000]] {
        fs::write(&path, content).unwrap();
        let error = StoreKey::from_key_file(&path).unwrap_err().to_string();
        assert!(error.starts_with("the key file ") && error.contains("store.key"), "{error}");
        assert!(!error.contains("canary") && !error.contains(text[1..].trim()), "{error}");
    }
    let missing = StoreKey::from_key_file(&directory.path().join("none.key")).unwrap_err();
    assert!(missing.to_string().contains("none.key"), "{missing}");
    assert!(StoreKey::from_key_file(directory.path()).is_err());
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    let fixture = Fixture::new();
    fixture.open();
    fixture.database().pragma_update(None, "user_version", 4).unwrap();
    let before = fs::read(fixture.path()).unwrap();
    let error = SqliteStore::open(&fixture.path(), fixture.key.clone()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 4, known: 3, .. }), "{error}");
    assert!(error.to_string().contains("Use the version that wrote it"), "{error}");
    assert_eq!(fs::read(fixture.path()).unwrap(), before);
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// Opens an incomplete store, and returns why it is refused.
fn refusal(fixture: &Fixture, bytes: &[u8]) -> StoreError {
    let path = fixture.directory.path().join("broken.db");
    write_private(&path, bytes);
    let error = match SqliteStore::open(&path, fixture.key.clone()) {
        Ok(_) => panic!("{} of bytes were taken for a store", bytes.len()),
        Err(error) => error,
    };
    assert!(fs::read(&path).unwrap() == bytes, "{error}: but the file was changed");
    error
}

#[test]
fn a_truncated_store_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for index in 0..20 {
        store.add(new(&format!("work-{index}"), &"t0ken".repeat(100))).unwrap();
    }
    drop(store);
    let whole = fs::read(fixture.path()).unwrap();
    assert!(whole.len() > 20_000);
    for length in (1..whole.len()).step_by(509).chain([15, 16, 60, 99, 100, whole.len() - 1]) {
        let error = refusal(&fixture, &whole[..length]);
        assert!(
            matches!(error, StoreError::Damaged { .. } | StoreError::NotAStore { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_store_with_a_lost_page_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for index in 0..20 {
        store.add(new(&format!("work-{index}"), CANARY)).unwrap();
    }
    drop(store);
    let whole = fs::read(fixture.path()).unwrap();
    let page = 4096;
    assert!(whole.len() >= 4 * page);
    for lost in (page..whole.len()).step_by(page) {
        let mut bytes = whole.clone();
        bytes[lost..lost + page].fill(0);
        let error = refusal(&fixture, &bytes);
        assert!(matches!(error, StoreError::Damaged { .. }), "{lost}: {error}");
        assert!(error.to_string().contains("Restore it from a backup"), "{error}");
    }
}

#[test]
fn an_invalid_store_is_refused_and_left_unchanged() {
    let fixture = Fixture::new();
    for bytes in [&b"# Notes\n\nNot a database.\n"[..], &[0; 5000], &[0xff; 5000], b"\0"] {
        let error = refusal(&fixture, bytes);
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert!(error.to_string().contains("nothing was written to it"), "{error}");
    }
    let foreign = fixture.directory.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE credential (name)").unwrap();
    let error = refusal(&fixture, &fs::read(&foreign).unwrap());
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    let error = SqliteStore::open(fixture.directory.path(), fixture.key.clone()).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("it is not a regular file"), "{error}");
}

#[test]
fn a_store_without_its_tables_is_called_damaged() {
    let fixture = Fixture::new();
    let store = fixture.open();
    fixture.database().execute_batch("DROP TABLE connection; DROP TABLE head").unwrap();
    let error = store.list().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(!error.to_string().contains("SELECT"), "{error}");
}

#[test]
fn no_file_of_an_open_store_contains_a_secret() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.add(new("work", CANARY)).unwrap();
    get(&store, "work").unwrap();
    renew(&store, "work", 1, &CANARY.repeat(3)).unwrap();
    let encodings = encodings(CANARY.as_bytes());
    let finds = |bytes: &[u8]| encodings.iter().any(|one| contains(bytes, one));
    let files: Vec<_> = fs::read_dir(fixture.path().parent().unwrap()).unwrap().collect();
    assert!(!files.is_empty());
    for file in files {
        assert!(!finds(&fs::read(file.unwrap().path()).unwrap()));
    }
    // The scan does find what is there.
    for planted in &encodings {
        assert!(finds(&[b"before ".as_slice(), planted, b" after"].concat()));
    }
    let mut leak = new("leak", CANARY);
    leak.parts.fields.insert("note".into(), STANDARD_NO_PAD.encode(format!("ab{CANARY}")).into());
    store.add(leak).unwrap();
    assert!(finds(&fs::read(fixture.path()).unwrap()));
}

#[test]
fn removed_and_replaced_secrets_leave_not_even_their_seal_behind() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let long = "x".repeat(20_000);
    for name in ["one", "two"] {
        store.add(new(name, &long)).unwrap();
    }
    let sealed = || -> Vec<Vec<u8>> {
        let database = fixture.database();
        let mut statement = database.prepare("SELECT sealed_secrets FROM connection").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let before = sealed();
    store.remove("one").unwrap();
    renew(&store, "two", 1, "short token").unwrap();
    drop(store);
    let bytes = fs::read(fixture.path()).unwrap();
    for sealed in before {
        for piece in sealed.chunks_exact(64) {
            assert!(!contains(&bytes, piece));
        }
    }
}

#[tokio::test]
async fn a_lazy_store_is_opened_once_when_it_is_first_used_and_tried_again_after_a_failure() {
    let fixture = Fixture::new();
    let (path, key) = (fixture.path(), fixture.key.clone());
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = opened.clone();
    let lazy = LazyStore::new(move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Err(StoreError::NotOpened),
        _ => SqliteStore::open(&path, key.clone()),
    });
    assert_eq!(opened.load(Ordering::SeqCst), 0);
    assert!(!fixture.path().exists());
    let store: &dyn CredentialStore = &lazy;
    assert!(store.list().await.is_err());
    let lists = futures_util::future::join_all((0..8).map(|_| store.list())).await;
    assert!(lists.iter().all(|list| list.as_ref().is_ok_and(Vec::is_empty)), "{lists:?}");
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    let subscriptions: &dyn TriggerStore = &lazy;
    assert!(subscriptions.subscriptions().await.unwrap().is_empty());
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_lazy_store_without_an_opener_says_that_it_was_not_opened() {
    let fixture = Fixture::new();
    let lazy = LazyStore::default();
    let error = chain(&CredentialStore::list(&lazy).await.unwrap_err());
    assert!(error.contains("`LazyStore::open_with`"), "{error}");
    lazy.open_with(|| SqliteStore::open(&fixture.path(), fixture.key.clone())).unwrap();
    assert!(CredentialStore::list(&lazy).await.is_ok());
}
