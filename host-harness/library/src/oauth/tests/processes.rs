//! Several processes over one store, and processes that die: O13 and O15 with real kills.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::service::Service;
use super::world::{World, description, fast, manager, new, now, open, request};
use crate::audit::MemoryAudit;
use crate::credential::{ConnectionKey, CredentialSource as _};
use crate::oauth::Timing;

const DIRECTORY: &str = "WORKFLOW_NODE_TEST_DIRECTORY";
const PORT: &str = "WORKFLOW_NODE_TEST_PORT";
const TASKS: &str = "WORKFLOW_NODE_TEST_TASKS";
const LEASE: &str = "WORKFLOW_NODE_TEST_LEASE";

/// Not a test by itself: the other process of the tests below. Prints the tokens that its tasks
/// got.
#[test]
#[allow(clippy::print_stdout)]
fn this_process_plays_another_one() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let number = |name: &str| -> u64 { std::env::var(name).unwrap().parse().unwrap() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let description = description(None);
        let timing = Timing { lease: Duration::from_millis(number(LEASE)), ..fast() };
        let port = u16::try_from(number(PORT)).unwrap();
        let audit = Arc::new(MemoryAudit::default());
        let manager = manager(&open(&directory), port, &description, timing, audit);
        let request = request(&description);
        let all = (0..number(TASKS)).map(|_| manager.credential(&request));
        for credential in futures_util::future::join_all(all).await {
            match credential {
                Ok(credential) => println!("got {}", credential.secrets["access_token"].expose()),
                Err(error) => println!("failed {error}"),
            }
        }
    });
}

fn spawn(world: &World, tasks: u32, lease: u64, crash_at: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "oauth::tests::processes::this_process_plays_another_one", "--nocapture"])
        .env(DIRECTORY, world.directory.path())
        .env(PORT, world.service.port.to_string())
        .env(TASKS, tasks.to_string())
        .env(LEASE, lease.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(point) = crash_at {
        command.env("WORKFLOW_NODE_CRASH_AT", point);
    }
    command.spawn().unwrap()
}

async fn output(child: Child) -> (bool, Vec<String>) {
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("got ") || line.starts_with("failed "));
    (output.status.success(), lines.map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn o13_four_processes_of_64_tasks_cause_exactly_one_refresh() {
    let world = World::over().await;
    world.service.with(|state| state.delay = Duration::from_millis(400));
    let children: Vec<Child> = (0..4).map(|_| spawn(&world, 64, 10_000, None)).collect();
    let outputs = futures_util::future::join_all(children.into_iter().map(output)).await;
    let all: Vec<String> = outputs.into_iter().flat_map(|(_, lines)| lines).collect();
    assert_eq!(all.len(), 256);
    for line in &all {
        assert_eq!(line, "got access-token-0001-canary");
    }
    assert_eq!(world.service.asked(), 1, "exactly one refresh");
    assert!(!world.service.with(|state| state.family_revoked));
    assert_eq!(world.secret("refresh_token"), "refresh-token-0001-canary");
}

/// Expectations after a process was killed at a point: the number of requests to the service by
/// then, and whether the next process can continue without a person.
struct Point {
    name: &'static str,
    asked: usize,
    goes_on: bool,
}

const POINTS: [Point; 5] = [
    // It has the lease, and has sent nothing.
    Point { name: "claimed", asked: 0, goes_on: true },
    // The intent to send is recorded, and nothing was sent. The next process cannot determine that.
    Point { name: "sending", asked: 0, goes_on: false },
    // The service has rotated the token, and nothing is written down.
    Point { name: "answered", asked: 1, goes_on: false },
    // The same, killed while the service takes its time.
    Point { name: "while waiting", asked: 1, goes_on: false },
    // Everything is written down.
    Point { name: "written", asked: 1, goes_on: true },
];

#[tokio::test(flavor = "multi_thread")]
async fn o15_a_hundred_kills_leave_no_torn_record_and_no_wrong_status() {
    for Point { name, asked, goes_on } in POINTS {
        for round in 0..20 {
            let context = format!("{name}, round {round}");
            let world = World::over().await;
            let by_itself = name != "while waiting";
            if !by_itself {
                world.service.with(|state| state.delay = Duration::from_secs(20));
            }
            let mut child = spawn(&world, 3, 400, by_itself.then_some(name));
            if !by_itself {
                while world.service.asked() == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                tokio::time::sleep(Duration::from_micros(500 * round)).await;
                child.kill().unwrap();
                world.service.with(|state| state.delay = Duration::ZERO);
            }
            let (success, lines) = output(child).await;
            assert!(!success && lines.is_empty(), "{context}: it was to be killed: {lines:?}");
            assert_eq!(world.service.asked(), asked, "{context}");
            // The store contains one revision or the other, completely.
            let stored = world.store.read(&ConnectionKey::of("work")).unwrap();
            let tokens = (
                stored.connection.revision,
                stored.secrets["access_token"].expose(),
                stored.secrets["refresh_token"].expose(),
            );
            let before = (1, "access-token-0000-canary", super::service::FIRST);
            let after = (2, "access-token-0001-canary", "refresh-token-0001-canary");
            assert_eq!(tokens, if name == "written" { after } else { before }, "{context}");
            // The next process sees what happened, and nothing is sent twice.
            let (success, lines) = output(spawn(&world, 3, 400, None)).await;
            assert!(success, "{context}");
            assert_eq!(lines.len(), 3, "{context}");
            if goes_on {
                let good = |line: &String| line == "got access-token-0001-canary";
                assert!(lines.iter().all(good), "{context}: {lines:?}");
                assert_eq!(world.status(), "connected", "{context}");
                assert_eq!(world.service.asked(), 1, "{context}");
            } else {
                let told = |line: &String| line.contains("refresh-outcome-unknown");
                assert!(lines.iter().all(told), "{context}: {lines:?}");
                assert_eq!(world.status(), "needs-reconnect", "{context}");
                assert_eq!(world.service.asked(), asked, "{context}");
            }
            assert!(!world.service.with(|state| state.family_revoked), "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o14_a_process_that_sleeps_while_it_holds_the_lease_does_not_spend_the_token_twice() {
    let timing = Timing { lease: Duration::from_millis(300), ..fast() };
    let world = World::with(new(Some(now() - 1), Some(3_600_000)), None, timing).await;
    let service: &Service = &world.service;
    service.with(|state| state.delay = Duration::from_millis(500));
    let child = spawn(&world, 1, 300, None);
    while service.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let signal = |name: &str| {
        let id = child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    };
    signal("-STOP");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    // Its lease has run out, and it had sent: the outcome is unknown to everybody else.
    let error = world.get().await.unwrap_err().to_string();
    assert!(error.contains("refresh-outcome-unknown"), "{error}");
    signal("-CONT");
    let (_, lines) = output(child).await;
    // The process sees the outcome and records it: no newer token is there.
    assert_eq!(lines, ["got access-token-0001-canary"]);
    assert_eq!(service.asked(), 1);
    assert_eq!(world.status(), "connected");
    assert_eq!(world.token().await, "access-token-0001-canary");
}
