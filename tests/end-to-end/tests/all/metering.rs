//! Hosts that meter guests: each call of the host, with the fuel and memory of the guest.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use end_to_end::{World, values, worker};
use pagerduty_simulator::Simulator;
use serde_json::json;
use workflow_node_host::{
    Execution, GuestCall, HostBuilder, HostCall, HostFunction, Isolation, Limits, Observer,
    Outcome, Principal,
};

use crate::support::Hostile;

/// Keeps what is reported.
#[derive(Default)]
struct Metered(Mutex<(Vec<HostCall>, Vec<GuestCall>)>);

impl Observer for Metered {
    fn host_call(&self, call: &HostCall) {
        self.0.lock().unwrap().0.push(call.clone());
    }
    fn guest_call(&self, call: &GuestCall) {
        self.0.lock().unwrap().1.push(call.clone());
    }
}

impl Metered {
    fn take(&self) -> (Vec<HostCall>, Vec<GuestCall>) {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn isolations() -> [Isolation; 2] {
    [Isolation::InProcessUnapproved, Isolation::Process(worker())]
}

async fn world(isolation: Isolation, metered: bool) -> World {
    let simulator = Simulator::builder().without_rate_limits();
    World::without_journals(simulator, |host| host.isolation(isolation).metering(metered)).await
}

async fn listed(world: &World, metered: &Arc<Metered>) -> Outcome {
    let mut execution = world.execution("user", "service.list", &[json!({}), json!({})]);
    // Fuel depends on the order in which responses arrive.
    execution.concurrency = Some(1);
    // Random bytes and keys are derived from it.
    execution.id = Some("metered".to_owned());
    world.plugin.execute_observed(execution, metered.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_the_host_is_reported_with_fuel_and_memory() {
    for isolation in isolations() {
        let name = format!("{isolation:?}");
        let world = world(isolation, true).await;
        let metered = Arc::new(Metered::default());
        let outcome = listed(&world, &metered).await;
        assert!(!values(&outcome, 0).is_empty());
        let (calls, guests) = metered.take();
        let [guest] = guests.as_slice() else { panic!("{name}: {guests:?}") };
        let of =
            |function: HostFunction| calls.iter().filter(move |call| call.function == function);
        let sent = of(HostFunction::Send).count() + of(HostFunction::Submit).count();
        assert_eq!(sent as u64, outcome.requests, "{name}: {calls:?}");
        assert!(of(HostFunction::Credential).count() > 0, "{name}: {calls:?}");
        assert_eq!(guest.host_calls, calls.len() as u64, "{name}");
        // It computes before its first call, between its calls, and after the last one.
        assert!(calls.iter().all(|call| call.fuel > 0), "{name}: {calls:?}");
        let between: u64 = calls.iter().map(|call| call.fuel).sum();
        assert!(between < guest.fuel, "{name}: {between} {guest:?}");
        assert!(calls[0].memory > 100_000, "{name}: {calls:?}");
        assert!(calls.is_sorted_by_key(|call| (call.started_us, call.memory)), "{name}: {calls:?}");
        assert_eq!(guest.memory, outcome.memory as u64, "{name}");
        // A response takes time, and looking at a credential takes almost none.
        let longest = calls.iter().map(|call| call.duration_us).max().unwrap();
        assert!(of(HostFunction::Credential).all(|call| call.duration_us < longest), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_execution_uses_the_same_fuel_in_every_run_and_isolation() {
    type Used = (Vec<(HostFunction, u64, u64)>, u64);
    let mut others: Vec<Used> = Vec::new();
    for isolation in isolations() {
        let name = format!("{isolation:?}");
        let world = world(isolation, true).await;
        let metered = Arc::new(Metered::default());
        let mut before: Option<Used> = None;
        for round in 0..2 {
            listed(&world, &metered).await;
            let (calls, guests) = metered.take();
            let calls = calls.iter().map(|call| (call.function, call.fuel, call.memory)).collect();
            let used = (calls, guests.iter().map(|guest| guest.fuel).sum());
            if let Some(before) = &before {
                assert_eq!(*before, used, "{name}, round {round}");
            }
            before = Some(used);
        }
        others.extend(before);
    }
    // Each world has its own service. The responses of two services differ in a few characters.
    let [inside, outside] = others.as_slice() else { panic!("{others:?}") };
    let functions = |used: &Used| used.0.iter().map(|call| call.0).collect::<Vec<_>>();
    assert_eq!(functions(inside), functions(outside));
    assert!(inside.1.abs_diff(outside.1) < inside.1 / 100, "{inside:?}\n{outside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_meter_reports_no_calls() {
    for isolation in isolations() {
        let world = world(isolation, false).await;
        let metered = Arc::new(Metered::default());
        values(&listed(&world, &metered).await, 0);
        let (calls, guests) = metered.take();
        assert!(calls.is_empty() && guests.is_empty(), "{calls:?} {guests:?}");
    }
}

/// Waits in `completions.next` until its time is over.
fn waiting(total_time: Duration) -> Execution {
    let case = json!({"case": "hoard-and-wait", "text": "x"});
    let mut execution = Execution::new("hostile.misbehave").item(case);
    // A user who has no worker yet.
    execution.context.actor = Principal::user("ada");
    execution.context.limits = Some(Limits { total_time, ..Limits::default() });
    execution
}

async fn hostile(isolation: Isolation) -> Hostile {
    let metered = |host: HostBuilder| host.isolation(isolation).metering(true);
    Hostile::with(|transport| transport, metered).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_a_guest_waits_belongs_to_its_call() {
    for isolation in isolations() {
        let name = format!("{isolation:?}");
        let hostile = hostile(isolation).await;
        let metered = Arc::new(Metered::default());
        let execution = waiting(Duration::from_millis(500));
        hostile.plugin.execute_observed(execution, metered.clone()).await.unwrap();
        let (calls, _) = metered.take();
        let functions: Vec<HostFunction> = calls.iter().map(|call| call.function).collect();
        assert_eq!(functions, [HostFunction::After, HostFunction::Next], "{name}");
        assert!(calls[0].duration_us < 100_000, "{name}: {calls:?}");
        assert!(calls[1].duration_us > 300_000, "{name}: {calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_call_in_which_a_worker_is_killed_is_reported() {
    let hostile = hostile(Isolation::Process(worker())).await;
    let before = hostile.host.worker_processes();
    let metered = Arc::new(Metered::default());
    let running = {
        let (plugin, metered) = (hostile.plugin.clone(), metered.clone());
        tokio::spawn(async move {
            plugin.execute_observed(waiting(Duration::from_secs(60)), metered).await
        })
    };
    let patience = Instant::now() + Duration::from_secs(20);
    let process = loop {
        let new = hostile.host.worker_processes().into_iter().find(|one| !before.contains(one));
        if let Some(process) = new {
            break process;
        }
        assert!(Instant::now() < patience, "no worker has started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(killed.unwrap().success());
    let outcome = running.await.unwrap().unwrap();
    assert!(outcome.stopped.is_some(), "{outcome:?}");
    let (calls, guests) = metered.take();
    let last = calls.last().expect("calls were reported");
    assert_eq!(last.function, HostFunction::Next, "{calls:?}");
    assert!(last.duration_us > 300_000, "{calls:?}");
    let fuel: u64 = calls.iter().map(|call| call.fuel).sum();
    assert_eq!((guests.len(), guests[0].fuel), (1, fuel), "{guests:?}");
}
