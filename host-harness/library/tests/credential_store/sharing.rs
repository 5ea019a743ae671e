//! Several at once: threads, processes, and one that is killed.

use super::*;

#[test]
fn handles_that_write_at_once_lose_nothing() {
    let fixture = Fixture::new();
    // All of them also make the store at once.
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let fixture = &fixture;
            scope.spawn(move || {
                let store = fixture.open();
                let own = format!("own-{thread}");
                store.add(new(&own, &own.repeat(8))).unwrap();
                store.add(new("shared", CANARY)).ok();
                raise(&store, 5);
            });
        }
    });
    let store = fixture.open();
    assert_eq!(store.list().unwrap().len(), 7);
    assert_eq!(store.summary("shared").unwrap().revision, 31);
    for thread in 0..6 {
        let own = format!("own-{thread}");
        assert_eq!(token(&store, &own), own.repeat(8));
    }
}

/// Replaces the shared credential's secrets so many times, each time by what fits its revision.
fn raise(store: &SqliteStore, times: u32) {
    let mut raised = 0;
    while raised < times {
        let revision = store.summary("shared").unwrap().revision;
        match renew(store, "shared", revision, &format!("{CANARY} {revision}")) {
            Ok(next) => {
                assert_eq!(next, revision + 1);
                raised += 1;
            }
            Err(error) => assert!(error.is_changed(), "{error}"),
        }
    }
}

const CHILD: &str = "WORKFLOW_NODE_TEST_STORE";

/// How often the other process replaces the secrets.
const TIMES: &str = "WORKFLOW_NODE_TEST_STORE_TIMES";

/// Not a test by itself: the other process of the tests below.
#[test]
fn this_process_plays_another_one() {
    let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let key = StoreKey::from_key_file(&directory.join("store.key")).unwrap();
    let store = SqliteStore::open(&directory.join("data/credentials.db"), key).unwrap();
    store.add(new("shared", CANARY)).ok();
    raise(&store, std::env::var(TIMES).unwrap().parse().unwrap());
    assert!(token(&store, "shared").starts_with(CANARY));
}

fn spawn(fixture: &Fixture, times: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sharing::this_process_plays_another_one", "--nocapture"])
        .env(CHILD, fixture.directory.path())
        .env(TIMES, times.to_string())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn concurrent_processes_lose_nothing_and_write_no_secret() {
    let fixture = Fixture::new();
    let mut children: Vec<Child> = (0..3).map(|_| spawn(&fixture, 30)).collect();
    let encodings = encodings(CANARY.as_bytes());
    let data = fixture.directory.path().join("data");
    let deadline = Instant::now() + Duration::from_secs(120);
    let (mut journals, mut databases) = (0, 0);
    // This process has no lock on the files that reading them could give up.
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        assert!(Instant::now() < deadline, "the other processes hang");
        for entry in fs::read_dir(&data).into_iter().flatten() {
            let path = entry.unwrap().path();
            // A journal may be gone by now.
            let Ok(bytes) = fs::read(&path) else { continue };
            assert!(!encodings.iter().any(|one| contains(&bytes, one)), "{}", path.display());
            let journal = path.to_string_lossy().ends_with("-journal");
            *(if journal { &mut journals } else { &mut databases }) += 1;
        }
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert!(journals > 0 && databases > 0, "{journals} journals and {databases} databases seen");
    let store = fixture.open();
    assert_eq!(store.summary("shared").unwrap().revision, 91);
    assert_eq!(token(&store, "shared"), format!("{CANARY} 90"));
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_whole_secrets_behind() {
    let fixture = Fixture::new();
    fixture.open().add(new("shared", &format!("{CANARY} 0"))).unwrap();
    let mut last = 1;
    for round in 0..12 {
        let mut child = spawn(&fixture, u32::MAX);
        let patience = Instant::now() + Duration::from_secs(60);
        while fixture.open().summary("shared").unwrap().revision < last + 3 {
            assert!(Instant::now() < patience, "the other process does not write");
        }
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = fixture.open();
        let revision = store.summary("shared").unwrap().revision;
        assert!(revision >= last + 3, "a write that was done is undone");
        assert_eq!(token(&store, "shared"), format!("{CANARY} {}", revision - 1));
        last = revision;
    }
}
