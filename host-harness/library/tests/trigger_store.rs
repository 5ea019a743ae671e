//! Stores of subscriptions, tested through their trait: the one in memory and the one in a file
//! follow the same rules. The last tests cover failures of the file store only.
#![cfg(feature = "store")]

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::trigger::{
    Acceptance, Delivered, MemoryTriggers, NewEvent, Status, StoredSubscription, Subscription,
    SubscriptionKey, TriggerStore, TriggerStoreError,
};
use workflow_node_host::{Principal, Secret, TriggerLimits, chain};

const CANARY: &str = "a secret that signs 7Qz-x9";

struct File {
    directory: TempDir,
    key: StoreKey,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate_key_file(&directory.path().join("store.key")).unwrap();
        Self { directory, key }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data").join("credentials.db")
    }

    fn open(&self) -> Arc<dyn TriggerStore> {
        Arc::new(SqliteStore::open(&self.path(), self.key.clone()).unwrap())
    }

    fn past_the_store(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }
}

fn keep(name: &str) -> StoredSubscription {
    StoredSubscription {
        subscription: Subscription {
            name: name.into(),
            node: "pagerduty".into(),
            trigger: "event".into(),
            version: 1,
            credentials: [("rest".to_owned(), "work".to_owned())].into(),
            callback_url: Some("https://example.com/hook".into()),
            actor: Principal::default(),
            workflow: None,
            state: Some(json!({"id": "P1", "secret": null})),
            cursor: None,
            status: Status::Active,
            created_at: 1,
            updated_at: 2,
            revision: 0,
        },
        parameters: json!({"events": ["incident.triggered"], "password": CANARY}),
        secret: Some(Secret::new(CANARY)),
        previous: Some((Secret::new("the one before"), 5_000)),
    }
}

fn event(key: Option<&str>, json: Value) -> NewEvent {
    NewEvent {
        json: RawValue::from_string(json.to_string()).unwrap(),
        dedup_key: key.map(str::to_owned),
        occurred_at: Some(7),
    }
}

fn delivered(body: &str) -> Delivered {
    Delivered {
        method: "POST".into(),
        url: "https://example.com/hook".into(),
        headers: vec![("x-webhook-id".into(), "w1".into())],
        body: body.into(),
        received_at: 9,
    }
}

fn limits() -> TriggerLimits {
    TriggerLimits::default()
}

/// Runs the rules over both stores.
async fn both<F: Future<Output = ()>>(rules: impl Fn(Arc<dyn TriggerStore>) -> F) {
    rules(Arc::new(MemoryTriggers::default())).await;
    let file = File::new();
    rules(file.open()).await;
}

#[tokio::test]
async fn stored_data_is_returned_completely() {
    both(|store| async move {
        assert_eq!(store.keep(keep("a"), None).await.unwrap(), 1);
        let back = store.open("a").await.unwrap();
        let mut expected = keep("a").subscription;
        expected.revision = 1;
        assert_eq!(back.subscription, expected);
        assert_eq!(back.parameters, keep("a").parameters);
        assert_eq!(back.secret.unwrap().expose(), CANARY);
        let (previous, until) = back.previous.unwrap();
        assert_eq!((previous.expose(), until), ("the one before", 5_000));
        assert_eq!(store.subscriptions().await.unwrap().len(), 1);
        let unknown = store.open("b").await.unwrap_err();
        assert!(matches!(unknown, TriggerStoreError::Unknown { known, .. } if known == ["a"]));
        store.remove("a").await.unwrap();
        store.remove("a").await.unwrap();
        assert!(store.subscriptions().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_change_counts_only_at_the_revision_that_was_read_and_leaves_the_cursor() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        let taken = store.keep(keep("a"), None).await.unwrap_err();
        assert!(matches!(taken, TriggerStoreError::Exists(_)), "{taken}");
        store.advance("a", None, &json!({"since": 1}), &[], &limits()).await.unwrap();
        assert_eq!(store.keep(keep("a"), Some(1)).await.unwrap(), 2);
        let stale = store.keep(keep("a"), Some(1)).await.unwrap_err();
        assert!(matches!(stale, TriggerStoreError::Changed(_)), "{stale}");
        let cursor = store.open("a").await.unwrap().subscription.cursor;
        assert_eq!(cursor, Some(json!({"since": 1})));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_waits_until_it_is_settled_and_its_id_is_remembered() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        let three = TriggerLimits { waiting_deliveries: 3, ..limits() };
        let accept =
            async |id, body| store.accept("a", id, &delivered(body), &three).await.unwrap();
        assert_eq!(accept(Some("w1"), "1").await, Acceptance::Kept);
        assert_eq!(accept(Some("w1"), "1").await, Acceptance::Repeated);
        assert_eq!(accept(Some("w2"), "2").await, Acceptance::Kept);
        assert_eq!(accept(None, "3").await, Acceptance::Kept);
        // No room: it will come again, and must count then.
        assert_eq!(accept(Some("w4"), "4").await, Acceptance::Full);
        let first = store.pending("a").await.unwrap().unwrap();
        assert_eq!(first.delivered, delivered("1"));
        assert_eq!(store.pending("a").await.unwrap().unwrap().number, first.number);
        assert_eq!(
            store
                .settle("a", first.number, &[event(Some("e1"), json!(1))], &limits())
                .await
                .unwrap(),
            1
        );
        assert_eq!(accept(Some("w4"), "4").await, Acceptance::Kept);
        assert_eq!(accept(Some("w1"), "1").await, Acceptance::Repeated);
        // One that cannot be read does not hold up those behind it.
        let second = store.pending("a").await.unwrap().unwrap();
        store.fail("a", second.number, "crashed", false, &limits()).await.unwrap();
        assert_eq!(store.pending("a").await.unwrap().unwrap().failures, 1);
        store.fail("a", second.number, "crashed", true, &limits()).await.unwrap();
        let third = store.pending("a").await.unwrap().unwrap();
        assert_eq!(third.delivered, delivered("3"));
    })
    .await;
}

#[tokio::test]
async fn an_event_is_delivered_once_and_in_order() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        store.keep(keep("b"), None).await.unwrap();
        let events = [
            event(Some("e1"), json!({"n": 1})),
            event(Some("e2"), json!({"n": 2})),
            event(Some("e1"), json!({"n": 1})),
            event(None, json!({"n": 3})),
            event(None, json!({"n": 3})),
        ];
        assert_eq!(store.settle("a", 0, &events, &limits()).await.unwrap(), 4);
        // Another way of coming is the same event still; another subscription has its own.
        let cursor = json!(1);
        assert_eq!(store.advance("a", None, &cursor, &events[..2], &limits()).await.unwrap(), 0);
        assert_eq!(store.advance("b", None, &cursor, &events[..2], &limits()).await.unwrap(), 2);
        let mut seen = Vec::new();
        while let Some(event) = store.event("a").await.unwrap() {
            let again = store.event("a").await.unwrap().unwrap();
            assert_eq!(again.number, event.number);
            seen.push(event.event.get().to_owned());
            store.taken("a", event.number).await.unwrap();
        }
        assert_eq!(seen, [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#, r#"{"n":3}"#]);
        assert!(store.event("b").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_moves_only_from_where_it_was_read() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        store.advance("a", None, &json!(1), &[], &limits()).await.unwrap();
        let late =
            store.advance("a", None, &json!(2), &[event(Some("e"), json!(0))], &limits()).await;
        assert!(matches!(late, Err(TriggerStoreError::Changed(_))), "{late:?}");
        assert!(store.event("a").await.unwrap().is_none(), "nothing of it is kept");
        store.advance("a", Some(&json!(1)), &json!(2), &[], &limits()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn principals_share_no_subscription_and_learn_of_no_other() {
    both(|store| async move {
        let all = [
            Principal::default(),
            Principal::user("ada"),
            Principal::of("acme", "ada"),
            Principal::of("acme/ada", "x"),
        ];
        for (n, actor) in all.iter().enumerate() {
            let mut own = keep("a");
            own.subscription.actor = actor.clone();
            own.subscription.workflow = Some(format!("w{n}"));
            let key = own.subscription.key().to_string();
            assert_eq!(store.keep(own, None).await.unwrap(), 1, "{key}");
        }
        for (n, actor) in all.iter().enumerate() {
            let key = SubscriptionKey { principal: actor.clone(), name: "a".into() };
            let found = store.open(&key.to_string()).await.unwrap().subscription;
            assert_eq!((found.workflow, &found.actor), (Some(format!("w{n}")), actor));
            let other = SubscriptionKey { name: "b".into(), ..key.clone() };
            let error = store.open(&other.to_string()).await.unwrap_err();
            assert!(
                matches!(&error, TriggerStoreError::Unknown { known, .. } if *known == [key.to_string()]),
                "{error}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn removing_a_subscription_removes_its_deliveries() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        store.accept("a", Some("w1"), &delivered("1"), &limits()).await.unwrap();
        store.settle("a", 0, &[event(Some("e1"), json!(1))], &limits()).await.unwrap();
        store.remove("a").await.unwrap();
        store.keep(keep("a"), None).await.unwrap();
        assert!(store.pending("a").await.unwrap().is_none());
        assert!(store.event("a").await.unwrap().is_none());
        let accepted = store.accept("a", Some("w1"), &delivered("1"), &limits()).await.unwrap();
        assert_eq!(accepted, Acceptance::Kept);
    })
    .await;
}

#[tokio::test]
async fn all_data_survives_a_restart_and_the_file_contains_no_secret() {
    let file = File::new();
    let store = file.open();
    store.keep(keep("a"), None).await.unwrap();
    store.accept("a", Some("w1"), &delivered("1"), &limits()).await.unwrap();
    store.settle("a", 0, &[event(Some("e1"), json!({"n": 1.50}))], &limits()).await.unwrap();
    store.advance("a", None, &json!({"since": 5}), &[], &limits()).await.unwrap();
    drop(store);
    let bytes = std::fs::read(file.path()).unwrap();
    assert!(!bytes.windows(CANARY.len()).any(|at| at == CANARY.as_bytes()));
    let store = file.open();
    assert_eq!(store.open("a").await.unwrap().secret.unwrap().expose(), CANARY);
    assert_eq!(store.pending("a").await.unwrap().unwrap().delivered, delivered("1"));
    assert_eq!(store.event("a").await.unwrap().unwrap().event.get(), r#"{"n":1.5}"#);
    let again = store.accept("a", Some("w1"), &delivered("1"), &limits()).await.unwrap();
    assert_eq!(again, Acceptance::Repeated);
    assert_eq!(store.settle("a", 0, &[event(Some("e1"), json!(1))], &limits()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_changed_row_is_noticed_and_not_made_good() {
    for column in [
        "callback_url = 'https://elsewhere.example/hook'",
        "credentials = '{\"rest\":\"another\"}'",
        "actor = 'eve'",
        "tenant = 'evil'",
        "actor = 'eve', name = 'default/eve/a'",
        "tenant = 'evil', name = 'evil/local/a'",
        "node = 'other'",
        "trigger_name = 'other'",
        "state = '{\"id\":\"P2\",\"secret\":null}'",
        "version = 2",
        "revision = 5",
    ] {
        let file = File::new();
        file.open().keep(keep("a"), None).await.unwrap();
        file.past_the_store(&format!("UPDATE subscription SET {column}"));
        let store = file.open();
        let name =
            column.split_once("name = '").map_or("a", |(_, name)| name.trim_end_matches('\''));
        let name = if column.starts_with("trigger_name") { "a" } else { name };
        let error = chain(&store.open(name).await.unwrap_err());
        assert!(error.contains("changed outside"), "{column}: {error}");
        if name != "a" {
            continue;
        }
        let mut other = keep("a");
        other.subscription.workflow = Some("other".into());
        for revision in [1, 5] {
            assert!(store.keep(other.clone(), Some(revision)).await.is_err(), "{column}");
        }
    }
}

#[tokio::test]
async fn another_key_of_the_store_opens_the_subscriptions_too() {
    let file = File::new();
    let store = SqliteStore::open(&file.path(), file.key.clone()).unwrap();
    let subscriptions: Arc<dyn TriggerStore> = Arc::new(store.clone());
    subscriptions.keep(keep("a"), None).await.unwrap();
    let new = StoreKey::generate_key_file(&file.directory.path().join("new.key")).unwrap();
    store.change_key(&new, PassphraseCost::default()).unwrap();
    drop((store, subscriptions));
    assert!(SqliteStore::open(&file.path(), file.key.clone()).is_err());
    let store: Arc<dyn TriggerStore> = Arc::new(SqliteStore::open(&file.path(), new).unwrap());
    assert_eq!(store.open("a").await.unwrap().secret.unwrap().expose(), CANARY);
}

#[tokio::test]
async fn deliveries_that_wait_are_bounded_in_bytes() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        let limits = TriggerLimits { waiting_delivery_bytes: 10_000, ..limits() };
        let large = delivered(&"x".repeat(4_000));
        let accept = async |id| store.accept("a", Some(id), &large, &limits).await.unwrap();
        assert_eq!(accept("w1").await, Acceptance::Kept);
        assert_eq!(accept("w2").await, Acceptance::Kept);
        assert_eq!(accept("w3").await, Acceptance::Full);
        // It was not remembered: the service delivers it again.
        let first = store.pending("a").await.unwrap().unwrap();
        store.settle("a", first.number, &[], &limits).await.unwrap();
        assert_eq!(accept("w3").await, Acceptance::Kept);
    })
    .await;
}

#[tokio::test]
async fn deliveries_that_were_put_aside_are_bounded_and_the_newest_stay() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        let limits = TriggerLimits { put_aside_deliveries: 2, waiting_deliveries: 1, ..limits() };
        for number in 0..50 {
            let id = number.to_string();
            let accepted = store.accept("a", Some(&id), &delivered(&id), &limits).await.unwrap();
            assert_eq!(accepted, Acceptance::Kept, "those put aside take nobody's place");
            let pending = store.pending("a").await.unwrap().unwrap();
            store.fail("a", pending.number, &"r".repeat(1 << 20), true, &limits).await.unwrap();
        }
    })
    .await;
    let file = File::new();
    let store = file.open();
    store.keep(keep("a"), None).await.unwrap();
    let limits = TriggerLimits { put_aside_bytes: 10_000, ..limits() };
    for number in 0..20 {
        let large = delivered(&"x".repeat(4_000));
        store.accept("a", Some(&number.to_string()), &large, &limits).await.unwrap();
        let pending = store.pending("a").await.unwrap().unwrap();
        store.fail("a", pending.number, &"r".repeat(1 << 20), true, &limits).await.unwrap();
    }
    let (count, reasons): (i64, i64) = Connection::open(file.path())
        .unwrap()
        .query_row("SELECT count(*), sum(length(reason)) FROM delivery", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(count, 2);
    assert!(reasons <= 2_000, "{reasons}");
}

#[tokio::test]
async fn events_that_wait_are_bounded_in_count_and_in_bytes() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        for limits in [
            TriggerLimits { waiting_events: 4, ..limits() },
            TriggerLimits { waiting_event_bytes: 4 * 1_002, ..limits() },
        ] {
            let two =
                [event(None, json!("x".repeat(1_000))), event(None, json!("x".repeat(1_000)))];
            store.room("a", &limits).await.unwrap();
            let cursor = store.open("a").await.unwrap().subscription.cursor;
            store.advance("a", cursor.as_ref(), &json!("next"), &two, &limits).await.unwrap();
            store.settle("a", 0, &two, &limits).await.unwrap();
            let full = store.room("a", &limits).await.unwrap_err();
            assert!(matches!(&full, TriggerStoreError::Full { .. }), "{full}");
            assert!(full.to_string().contains("waiting_event"), "{full}");
            let before = json!("next");
            let refused = store.advance("a", Some(&before), &json!("later"), &two, &limits).await;
            assert!(matches!(refused, Err(TriggerStoreError::Full { .. })), "{refused:?}");
            let refused = store.settle("a", 0, &two, &limits).await;
            assert!(matches!(refused, Err(TriggerStoreError::Full { .. })), "{refused:?}");
            // Nothing of it is stored, and the cursor is where it was.
            assert_eq!(store.open("a").await.unwrap().subscription.cursor, Some(before));
            let mut taken = 0;
            while let Some(event) = store.event("a").await.unwrap() {
                store.taken("a", event.number).await.unwrap();
                taken += 1;
            }
            assert_eq!(taken, 4);
            store.room("a", &limits).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn ids_that_are_remembered_are_bounded_and_the_oldest_is_forgotten() {
    both(|store| async move {
        store.keep(keep("a"), None).await.unwrap();
        let limits = TriggerLimits { remembered: 20, ..limits() };
        for number in 0..200 {
            let id = number.to_string();
            store.accept("a", Some(&id), &delivered("x"), &limits).await.unwrap();
            let key = format!("event {number}");
            store.settle("a", 0, &[event(Some(&key), json!(0))], &limits).await.unwrap();
            // The time by which they are ordered.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let accept =
            async |id| store.accept("a", Some(id), &delivered("x"), &limits).await.unwrap();
        assert_eq!(accept("199").await, Acceptance::Repeated);
        assert_eq!(accept("0").await, Acceptance::Kept);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_triggers_have_filled_still_takes_subscriptions_and_gives_room_again() {
    let file = File::new();
    let store = file.open();
    store.keep(keep("a"), None).await.unwrap();
    store.keep(keep("b"), None).await.unwrap();
    let limits = TriggerLimits { store: 2 << 20, ..limits() };
    let large = delivered(&"x".repeat(100_000));
    let mut accepted = 0;
    while store.accept("a", None, &large, &limits).await.unwrap() == Acceptance::Kept {
        accepted += 1;
        assert!(accepted < 100, "it is never full");
    }
    let size = || std::fs::metadata(file.path()).unwrap().len();
    assert!(size() <= (2 << 20) + (64 << 10), "{} bytes", size());
    // Of all subscriptions, and of events as of deliveries.
    assert_eq!(store.accept("b", None, &large, &limits).await.unwrap(), Acceptance::Full);
    let events = [event(None, json!("x".repeat(100_000)))];
    let refused = store.settle("b", 0, &events, &limits).await.unwrap_err();
    assert!(refused.to_string().contains("limit `store`"), "{refused}");
    // Other data is written.
    store.keep(keep("c"), None).await.unwrap();
    // A delivery that has become nothing is removed, and gives its room to others.
    let pending = store.pending("a").await.unwrap().unwrap();
    store.settle("a", pending.number, &[], &limits).await.unwrap();
    assert_eq!(store.accept("b", None, &large, &limits).await.unwrap(), Acceptance::Kept);
    for _ in 0..20 {
        let pending = store.pending("b").await.unwrap().unwrap();
        store.settle("b", pending.number, &[], &limits).await.unwrap();
        store.accept("b", None, &large, &limits).await.unwrap();
    }
    assert!(size() <= (2 << 20) + (64 << 10), "room that was given back is used: {}", size());
}

#[tokio::test]
async fn triggers_leave_space_of_the_file_system_to_credentials() {
    let file = File::new();
    let store = file.open();
    store.keep(keep("a"), None).await.unwrap();
    // More than any file system has.
    let limits = TriggerLimits { disk_reserve: u64::MAX / 2, ..limits() };
    let accepted = store.accept("a", None, &delivered("x"), &limits).await.unwrap();
    assert_eq!(accepted, Acceptance::Full);
    let refused = store.settle("a", 0, &[event(None, json!(1))], &limits).await.unwrap_err();
    assert!(refused.to_string().contains("disk_reserve"), "{refused}");
    let refused = store.room("a", &limits).await.unwrap_err();
    assert!(refused.to_string().contains("disk_reserve"), "{refused}");
    store.settle("a", 0, &[], &limits).await.unwrap();
    store.keep(keep("b"), None).await.unwrap();
}
