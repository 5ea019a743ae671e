//! Executions in portions, collected and as streams: whatever the portions are, positions, keys,
//! order, and failures are those of the execution.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::{World, error};
use futures_util::{Stream, StreamExt as _};
use pagerduty_simulator::{Fault, Hold, Simulator};
use serde_json::{Value, json};
use workflow_node_host::{
    Execution, ExecutionEnd, ExecutionEvent, ExecutionStream, ItemError, ItemErrorKind, Limits,
    Silent,
};

/// Portions of so many items at most.
const PORTION: usize = 50;

/// A world in which nothing limits the rate of requests.
async fn unpaced() -> World {
    let simulator = Simulator::builder().without_rate_limits();
    World::with(simulator, |host| host.rate_limit(Vec::new())).await
}

fn execution(action: &str) -> Execution {
    let mut execution = Execution::new(action).credential("rest", "account");
    execution.context.limits = Some(Limits { portion_items: PORTION, ..Limits::default() });
    execution.continue_on_fail = true;
    execution
}

fn items(list: Vec<Value>) -> impl Stream<Item = Result<Value, Infallible>> + Send {
    futures_util::stream::iter(list).map(Ok)
}

async fn start(world: &World, execution: Execution, list: Vec<Value>) -> ExecutionStream {
    world.plugin.stream_items(execution, items(list), Arc::new(Silent)).await.expect("it begins")
}

/// Events of a stream: for each item its records and its error, in the order in which items finished.
#[derive(Default)]
struct Told {
    items: Vec<(u32, Vec<Value>, Option<ItemError>)>,
    open: std::collections::BTreeMap<u32, Vec<Value>>,
}

async fn told(mut events: ExecutionStream) -> (Told, ExecutionEnd) {
    let mut told = Told::default();
    while let Some(event) = events.next().await {
        match event {
            ExecutionEvent::Record { item, record } => {
                told.open.entry(item).or_default().push(record.value());
            }
            ExecutionEvent::ItemFinished { item, records, error } => {
                let yielded = told.open.remove(&item).unwrap_or_default();
                assert_eq!(yielded.len() as u64, records);
                told.items.push((item, yielded, error));
            }
            ExecutionEvent::End(end) => {
                assert!(events.next().await.is_none(), "nothing comes after the end");
                assert!(told.open.is_empty(), "a record belongs to no finished item");
                return (told, end);
            }
            _ => {}
        }
    }
    panic!("the stream ended without an end")
}

fn incidents(world: &World, count: usize) -> Vec<Value> {
    vec![json!({"incident_id": world.us().incidents()[0].id}); count]
}

/// Creates incidents on one service, which is named.
fn creations(count: usize) -> Vec<Value> {
    let item = |index| json!({"service_id": "Checkout", "title": format!("Number {index}")});
    (0..count).map(item).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_stream_is_finished_once_with_its_records() {
    let world = unpaced().await;
    let count = 5 * PORTION + 7;
    let (told, end) =
        told(start(&world, execution("incident.get"), incidents(&world, count)).await).await;
    let mut positions: Vec<u32> = told.items.iter().map(|(item, ..)| *item).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..count as u32).collect::<Vec<_>>());
    assert!(told.items.iter().all(|(_, records, error)| records.len() == 1 && error.is_none()));
    assert_eq!((end.items, end.failed, end.requests), (count as u64, 0, count as u64));
    assert!(end.stopped.is_none());
    assert!(end.memory_growth <= 1024 * 1024, "{}", end.memory_growth);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_finished_while_others_of_its_portion_are_under_way() {
    let world = unpaced().await;
    let hold = Hold::new();
    world.simulator.fault(Fault::hold_before_apply(&hold).path("/incidents/PHELD"));
    let known = incidents(&world, 1).remove(0);
    let list = vec![
        json!({"incident_id": "PHELD"}),
        known.clone(),
        json!({"incident_id": "PNONE"}),
        known,
    ];
    let mut events = start(&world, execution("incident.get"), list).await;
    let mut finished = BTreeSet::new();
    let mut records = 0;
    while finished.len() < 3 {
        let next = tokio::time::timeout(Duration::from_secs(20), events.next());
        match next.await.expect("the held item holds up no other") {
            Some(ExecutionEvent::Record { item, .. }) => {
                assert!(!finished.contains(&item));
                records += 1;
            }
            Some(ExecutionEvent::ItemFinished { item, error, .. }) => {
                assert_eq!(error.is_some(), item == 2, "{error:?}");
                assert!(finished.insert(item));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((finished, records), (BTreeSet::from([1, 2, 3]), 2));
    hold.release();
    let (told, end) = told(events).await;
    assert_eq!(told.items.len(), 1, "each item is finished once");
    assert_eq!((told.items[0].0, end.items, end.failed), (0, 4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_of_the_execution_and_not_of_the_portion() {
    let world = unpaced().await;
    let count = 2 * PORTION + 10;
    let before = world.us().incidents().len();
    for portion in [PORTION, 17, 1_000] {
        let mut execution = execution("incident.create");
        execution.id = Some("one execution".into());
        execution.context.limits = Some(Limits { portion_items: portion, ..Limits::default() });
        let (told, _) = told(start(&world, execution, creations(count)).await).await;
        assert_eq!(told.items.len(), count);
        // Other portions of the same items repeat the same keys, and so create nothing.
        assert_eq!(world.us().incidents().len(), before + count, "portions of {portion}");
    }
    let mut collected = execution("incident.create");
    collected.id = Some("one execution".into());
    collected.items = creations(count);
    let outcome = world.plugin.execute(collected).await.unwrap();
    assert_eq!(outcome.items.len(), count);
    assert_eq!(world.us().incidents().len(), before + count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_once_for_all_portions() {
    let world = unpaced().await;
    world.simulator.clear_requests();
    let count = 4 * PORTION;
    let (told, end) =
        told(start(&world, execution("incident.create"), creations(count)).await).await;
    assert!(told.items.iter().all(|(_, _, error)| error.is_none()));
    assert_eq!(end.requests, count as u64 + 1, "one look-up, and a request per item");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_item_of_a_stream_fails_like_any_other() {
    let world = unpaced().await;
    let mut list = incidents(&world, 3 * PORTION);
    let wrong = PORTION + 3;
    list[wrong] = json!({"incident_id": 7});
    let (all, end) = told(start(&world, execution("incident.get"), list.clone()).await).await;
    let failed: Vec<_> = all.items.iter().filter(|(_, _, error)| error.is_some()).collect();
    assert_eq!((failed.len(), failed[0].0), (1, wrong as u32));
    assert_eq!(failed[0].2.as_ref().unwrap().kind, "invalid-input");
    assert_eq!((end.items, end.failed), (3 * PORTION as u64, 1));

    // Without leave to continue, its portion is not begun, and nothing after it is read.
    world.simulator.clear_requests();
    let mut strict = execution("incident.get");
    strict.continue_on_fail = false;
    let (first, end) = told(start(&world, strict, list).await).await;
    let kinds: BTreeSet<&str> = first
        .items
        .iter()
        .filter_map(|(_, _, error)| Some(error.as_ref()?.kind.as_str()))
        .collect();
    assert_eq!(kinds, ["cancelled", "invalid-input"].into());
    assert!(end.items < 3 * PORTION as u64, "{}", end.items);
    assert!(world.simulator.requests().len() <= wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collected_execution_ends_with_the_portion_in_which_an_item_failed() {
    let world = unpaced().await;
    let mut execution = execution("incident.get");
    execution.continue_on_fail = false;
    execution.items = incidents(&world, 3 * PORTION);
    execution.items[PORTION + 3] = json!({"incident_id": "PNONE0000000000"});
    let outcome = world.plugin.execute(execution).await.unwrap();
    assert_eq!(outcome.items.len(), 3 * PORTION);
    assert!(outcome.items[..PORTION].iter().all(|item| item.is_ok()));
    assert_eq!(error(&outcome, PORTION + 3).kind, "not-found");
    for item in 2 * PORTION..3 * PORTION {
        assert_eq!(error(&outcome, item).kind, "cancelled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_stream_ends_the_execution() {
    let world = unpaced().await;
    world.simulator.set_latency(Duration::from_millis(20));
    let mut events = start(&world, execution("incident.get"), incidents(&world, 20_000)).await;
    while !matches!(events.next().await, Some(ExecutionEvent::ItemFinished { .. })) {}
    drop(events);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let sent = world.simulator.requests().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.simulator.requests().len(), sent, "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stalls_ends_and_one_that_goes_on_does_not() {
    let world = unpaced().await;
    let limits = |stall| Limits {
        portion_items: PORTION,
        stall_time: Duration::from_millis(stall),
        ..Limits::default()
    };
    // One item after the other takes longer than the limit, but none of them does.
    world.simulator.set_latency(Duration::from_millis(60));
    let mut slow = execution("incident.get");
    slow.concurrency = Some(1);
    slow.context.limits = Some(limits(700));
    let (told_slow, end) = told(start(&world, slow, incidents(&world, 30)).await).await;
    assert!(end.stopped.is_none());
    assert!(told_slow.items.iter().all(|(_, _, error)| error.is_none()));

    world.simulator.set_latency(Duration::from_secs(5));
    let mut stalled = execution("incident.get");
    stalled.context.limits = Some(limits(300));
    let (told_stalled, _) = told(start(&world, stalled, incidents(&world, 3)).await).await;
    let kind = told_stalled.items[0].2.as_ref().map(|error| error.kind);
    assert_eq!(kind, Some(ItemErrorKind::Timeout));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_cannot_be_read_end_the_execution_after_those_before_them() {
    let world = unpaced().await;
    let list = incidents(&world, 10).into_iter().map(Ok);
    let broken = std::iter::once(Err(std::io::Error::other("the disk is on fire")));
    let source = futures_util::stream::iter(list.chain(broken));
    let events = world
        .plugin
        .stream_items(execution("incident.get"), source, Arc::new(Silent))
        .await
        .unwrap();
    let (all, end) = told(events).await;
    assert_eq!(all.items.len(), 10);
    let stopped = end.stopped.unwrap();
    assert!(stopped.is_invalid_input());
    assert_eq!(stopped.to_string(), "cannot read item 10: the disk is on fire");
}

/// The records of an item, and its ends.
type ReceivedItem = (Vec<Value>, Vec<Option<ItemError>>);

/// Calls to an observer: for each item its records and its end.
#[derive(Default)]
struct Received {
    items: std::sync::Mutex<std::collections::BTreeMap<u32, ReceivedItem>>,
    keeps_output: bool,
}

#[async_trait::async_trait]
impl workflow_node_host::Observer for Received {
    async fn output(&self, item: u32, records: &[workflow_node_host::OutputRecord]) {
        let mut items = self.items.lock().unwrap();
        let (received, ends) = items.entry(item).or_default();
        assert!(ends.is_empty(), "item {item} has a record after its end");
        received.extend(records.iter().map(|record| record.value()));
    }

    async fn item_finished(&self, item: u32, error: Option<&ItemError>) {
        let mut items = self.items.lock().unwrap();
        items.entry(item).or_default().1.push(error.cloned());
    }

    fn keeps_output(&self) -> bool {
        self.keeps_output
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_receives_each_record_once_and_the_end_of_each_item() {
    let world = unpaced().await;
    world.us().add_services(120);
    // Long lists are emitted page by page, short results are returned at the end, one item is
    // invalid, and one does not exist.
    for (action, list) in [
        ("service.list", vec![json!({"all": true}), json!({"limit": 3}), json!({"limit": "many"})]),
        ("incident.get", {
            let mut list = incidents(&world, 2 * PORTION + 7);
            list[1] = json!({"incident_id": "PNOTHERE"});
            list
        }),
    ] {
        for keeps_output in [true, false] {
            let received = Arc::new(Received { keeps_output, ..Received::default() });
            let run = execution(action).items(list.clone());
            let outcome = world.plugin.execute_observed(run, received.clone()).await.unwrap();
            let events = world.plugin.stream(execution(action).items(list.clone())).await.unwrap();
            let (streamed, _) = told(events).await;
            let received = received.items.lock().unwrap();
            assert_eq!((received.len(), streamed.items.len()), (list.len(), list.len()));
            for (item, records, error) in streamed.items {
                let (observed, ends) = &received[&item];
                let ends: Vec<_> = ends.iter().map(|end| end.as_ref().map(|e| e.kind)).collect();
                assert_eq!(observed, &records, "{action}: item {item}");
                assert_eq!(ends, [error.map(|error| error.kind)], "{action}: item {item}");
                let kept = &outcome.items[item as usize].output;
                let kept: Vec<Value> = kept.iter().map(|record| record.value()).collect();
                assert_eq!(kept, if keeps_output { records } else { Vec::new() });
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_the_engine_has_taken_do_not_count_as_output() {
    let world = unpaced().await;
    world.us().add_services(900);
    let limits = Limits { output: 400 * 1024, ..Limits::default() };
    let run = || {
        let mut run = execution("service.list").items(vec![json!({"all": true})]);
        run.context.limits = Some(limits.clone());
        run
    };
    let taken = Arc::new(Received::default());
    let outcome = world.plugin.execute_observed(run(), taken.clone()).await.unwrap();
    assert!(outcome.stopped.is_none() && outcome.items[0].is_ok(), "{outcome:?}");
    let bytes =
        |records: &[Value]| -> usize { records.iter().map(|one| one.to_string().len()).sum() };
    let received = bytes(&taken.items.lock().unwrap()[&0].0);
    assert!(received > 2 * limits.output, "only {received} bytes");
    let (streamed, end) = told(world.plugin.stream(run()).await.unwrap()).await;
    assert!(end.stopped.is_none(), "{end:?}");
    assert_eq!(bytes(&streamed.items[0].1), received);
    // Kept for the outcome, the same output is too much.
    let kept = Arc::new(Received { keeps_output: true, ..Received::default() });
    let outcome = world.plugin.execute_observed(run(), kept).await.unwrap();
    let stopped = outcome.stopped.expect("it is stopped").to_string();
    assert!(stopped.contains("limit `output`"), "{stopped}");
}
