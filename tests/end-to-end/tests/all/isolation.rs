//! Guests in worker processes, whatever mode the other tests run in: what a worker holds, what it
//! can reach, and what its end means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use end_to_end::scan::{Scanner, found};
use end_to_end::spy::read_process;
use end_to_end::{World, error, host, values, worker};
use pagerduty_simulator::{Fault, FaultAction, Simulator};
use serde_json::json;
use workflow_node_host::{
    Execution, Host, Isolation, Limits, MemoryApprovals, Plugin, Principal, WorkerCommand,
    WorkerLimits,
};

use crate::support::{Everything, Hostile};

async fn isolated_world() -> World {
    World::with(Simulator::builder(), |host| host.isolation(Isolation::Process(worker()))).await
}

async fn isolated_hostile() -> Hostile {
    Hostile::with(|transport| transport, |host| host.isolation(Isolation::Process(worker()))).await
}

/// Runs a case of the hostile guest in the background.
fn start(
    hostile: &Hostile,
    case: serde_json::Value,
    limits: Limits,
) -> tokio::task::JoinHandle<workflow_node_host::Outcome> {
    let plugin = hostile.plugin.clone();
    tokio::spawn(async move {
        let mut execution = Execution::new("hostile.misbehave").item(case);
        // A user who has no worker yet.
        execution.context.actor = Principal::user("ada");
        execution.context.limits = Some(limits);
        plugin.execute(execution).await.expect("it is run")
    })
}

/// The one worker that runs, waited for.
async fn running(host: &Host, before: &[u32]) -> u32 {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let new = host.worker_processes().into_iter().find(|one| !before.contains(one));
        if let Some(process) = new {
            return process;
        }
        assert!(Instant::now() < patience, "no worker has started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_holds_no_secret_in_any_encoding_while_its_guest_runs() {
    let world = isolated_world().await;
    let keys = world.us().keys();
    let secrets = [&keys.user, &keys.account, &keys.account_read_only, &keys.routing];
    let host = world.host.clone();
    // Reads every worker again and again, so that each moment of a call has its turn.
    let stop = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicUsize::new(0));
    let watching = {
        let (stop, reads, host) = (stop.clone(), reads.clone(), host.clone());
        let secrets = secrets.map(|secret| (String::new(), secret.clone()));
        std::thread::spawn(move || {
            let scanner = Scanner::new(&secrets);
            while !stop.load(Ordering::SeqCst) {
                for memory in host.worker_processes().into_iter().filter_map(read_process) {
                    assert_eq!(scanner.leaks(&memory), [], "in a worker");
                    reads.fetch_add(usize::from(memory.len() > 1_000_000), Ordering::SeqCst);
                }
            }
        })
    };
    let everything = Arc::new(Everything::default());
    let incident = json!({"title": "t", "service_id": world.us().services()[0].id});
    let mut told = String::new();
    let faults = [None, Some(FaultAction::EchoRequest), Some(FaultAction::Garbage)];
    for (round, fault) in faults.iter().cycle().enumerate() {
        // Each fault once at least, and on until enough was read.
        let is_enough = round >= faults.len() && reads.load(Ordering::SeqCst) >= 6;
        if is_enough || watching.is_finished() {
            break;
        }
        for (credential, action, item) in [
            ("user", "service.list", json!({})),
            ("account", "incident.create", incident.clone()),
            ("events", "event.trigger", json!({"summary": "s", "source": "s", "severity": "info"})),
        ] {
            if let Some(action) = fault {
                world.simulator.fault(Fault::new(action.clone()).always());
            }
            let mut execution = world.execution(credential, action, &[item.clone(), item]);
            if let Some(limits) = &mut execution.context.limits {
                limits.attempts = 1;
            }
            let outcome = world.plugin.execute_observed(execution, everything.clone()).await;
            world.simulator.clear_faults();
            told.push_str(&format!("{outcome:?}"));
        }
    }
    stop.store(true, Ordering::SeqCst);
    watching.join().expect("no secret was found");
    assert!(told.contains("[credential removed]"), "the echo has given credentials back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scanner_finds_a_guests_data_in_its_worker() {
    let hostile = isolated_hostile().await;
    let before = hostile.host.worker_processes();
    let planted = "planted-canary-0123456789";
    let call = start(
        &hostile,
        json!({"case": "hoard-and-wait", "text": planted}),
        Limits { total_time: Duration::from_secs(3), ..Limits::default() },
    );
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let memories = hostile.host.worker_processes().into_iter().filter_map(read_process);
        if memories.into_iter().any(|memory| !found(planted, &memory).is_empty()) {
            break;
        }
        assert!(Instant::now() < patience, "the scan does not find what is there ({before:?})");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_no_environment_and_no_descriptor_but_its_socket_and_its_code() {
    let hostile = isolated_hostile().await;
    let before = hostile.host.worker_processes();
    let call = start(
        &hostile,
        json!({"case": "hoard-and-wait", "text": "x"}),
        Limits { total_time: Duration::from_secs(5), ..Limits::default() },
    );
    let process = match before.first() {
        // One that has configured the credentials serves nobody else, so another one starts.
        Some(_) | None => running(&hostile.host, &before).await,
    };
    // Until it is confined it has the file of the code, too.
    let patience = Instant::now() + Duration::from_secs(20);
    let descriptors = loop {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let is_confined = status.lines().any(|line| line == "Seccomp_filters:\t2");
        let descriptors: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .map(|target| target.display().to_string())
            .collect();
        if is_confined || Instant::now() > patience {
            assert!(status.contains("NoNewPrivs:\t1"), "{status}");
            break descriptors;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    // The ticker polls the same socket; the code is open for reading, because the memories of new
    // instances are copies of what is in it.
    let (code, sockets): (Vec<_>, Vec<_>) =
        descriptors.iter().partition(|one| one.ends_with(".cwasm"));
    assert!(code.len() == 1 && !sockets.is_empty(), "{descriptors:?}");
    assert!(sockets.iter().all(|one| *one == sockets[0]), "{descriptors:?}");
    assert!(sockets[0].starts_with("socket:"), "{descriptors:?}");
    assert_eq!(std::fs::read(format!("/proc/{process}/environ")).unwrap(), b"");
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_is_one_executions_error() {
    let hostile = isolated_hostile().await;
    let before = hostile.host.worker_processes();
    let call = start(
        &hostile,
        json!({"case": "hoard-and-wait", "text": "x"}),
        Limits { total_time: Duration::from_secs(30), ..Limits::default() },
    );
    let process = running(&hostile.host, &before).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(killed.unwrap().success());
    let outcome = call.await.unwrap();
    let message = outcome.stopped.expect("it was stopped").to_string();
    assert!(message.contains("worker process ended unexpectedly (signal 9)"), "{message}");
    assert_eq!(error_of(&outcome.items[0]), "internal");
    // The next execution gets another worker.
    let outcome = hostile.execute("hostile.misbehave", json!({"case": "credential"})).await;
    assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped);
}

fn error_of(item: &workflow_node_host::ItemOutcome) -> &str {
    item.error.as_ref().map_or("none", |error| error.kind.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_kills_a_worker_whose_guest_does_not_return() {
    let hostile = isolated_hostile().await;
    let before = hostile.host.worker_processes();
    let started = Instant::now();
    let outcome = start(
        &hostile,
        json!({"case": "loop"}),
        Limits {
            total_time: Duration::from_millis(300),
            guest_time: Duration::from_secs(600),
            ..Limits::default()
        },
    )
    .await
    .unwrap();
    let message = outcome.stopped.expect("it was stopped").to_string();
    assert!(message.contains("did not return"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let after = hostile.host.worker_processes();
    assert!(after.iter().all(|one| before.contains(one)), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_an_execution_kills_its_worker() {
    let hostile = isolated_hostile().await;
    let before = hostile.host.worker_processes();
    let call = start(&hostile, json!({"case": "loop"}), Limits::default());
    let process = running(&hostile.host, &before).await;
    call.abort();
    let patience = Instant::now() + Duration::from_secs(10);
    while std::path::Path::new(&format!("/proc/{process}")).exists() {
        assert!(Instant::now() < patience, "the worker still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_one_user_only() {
    let world = isolated_world().await;
    let run = async |actor: &str| {
        let mut execution = world.execution("user", "service.list", &[json!({})]);
        execution.context.actor = Principal::user(actor);
        let before = world.host.worker_processes();
        let outcome = world.plugin.execute(execution).await.unwrap();
        assert!(outcome.items[0].is_ok(), "{:?}", outcome.items[0].error);
        let after = world.host.worker_processes();
        after.into_iter().filter(|one| !before.contains(one)).count()
    };
    assert_eq!(run("ada").await, 1, "the first execution of a user starts a worker");
    assert_eq!(run("ada").await, 0, "the next one uses it");
    assert_eq!(run("mallory").await, 1, "another user's does not");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_workers_end_after_a_while() {
    let limits = {
        let mut limits = WorkerLimits::default();
        limits.idle_time = Duration::from_millis(200);
        limits
    };
    let world = World::with(Simulator::builder(), |host| {
        host.isolation(Isolation::Process(worker())).worker_limits(limits)
    })
    .await;
    values(&world.run("service.list", &[json!({})]).await, 0);
    let patience = Instant::now() + Duration::from_secs(10);
    while !world.host.worker_processes().is_empty() {
        assert!(Instant::now() < patience, "{:?}", world.host.worker_processes());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_wait_for_a_free_worker_within_their_time() {
    let limits = {
        let mut limits = WorkerLimits::default();
        limits.workers = 1;
        limits
    };
    let hostile = Hostile::with(
        |transport| transport,
        |host| host.isolation(Isolation::Process(worker())).worker_limits(limits),
    )
    .await;
    let limits = |milliseconds| Limits {
        total_time: Duration::from_millis(milliseconds),
        ..Limits::default()
    };
    let long = start(&hostile, json!({"case": "hoard-and-wait", "text": "x"}), limits(20_000));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let short = start(&hostile, json!({"case": "credential"}), limits(100)).await.unwrap();
    let message = short.stopped.expect("it was stopped").to_string();
    assert!(message.contains("it had no worker yet"), "{message}");
    long.abort();
    let next = start(&hostile, json!({"case": "credential"}), limits(20_000)).await.unwrap();
    assert!(next.stopped.is_none(), "{:?}", next.stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_bytes_cross_the_socket_unharmed() {
    let world = isolated_world().await;
    let body = "x".repeat(1_000_000);
    let item = json!({"method": "PUT", "path": "/incidents", "body": {"a": body}});
    world.simulator.fault(Fault::new(FaultAction::EchoRequest).always());
    let outcome = world.run("api.request", &[item]).await;
    world.simulator.clear_faults();
    let text = format!("{outcome:?}");
    assert!(text.len() > 900_000, "{}", text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_workers_a_component_that_is_not_approved_is_not_loaded() {
    let approvals = Arc::new(MemoryApprovals::default());
    let build =
        |isolation| host().approvals(approvals.clone()).isolation(isolation).build().unwrap();
    let component = component_build::guest("minimal-node");
    let refused = build(Isolation::InProcess).load_file(&component).await.unwrap_err();
    assert!(refused.is_refused(), "{refused}");
    assert!(refused.to_string().contains("Isolation::InProcessUnapproved"), "{refused}");
    let plugin = build(Isolation::Process(worker())).load_file(&component).await.unwrap();
    plugin.approve(None).await.unwrap();
    build(Isolation::InProcess).load_file(&component).await.expect("it is approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_be_started_is_named() {
    let host = host()
        .isolation(Isolation::Process(WorkerCommand::new("/nowhere/worker")))
        .build()
        .unwrap();
    let bytes = std::fs::read(component_build::guest("minimal-node")).unwrap();
    // Another digest, so that the cache does not have it.
    let bytes = [bytes, custom_section()].concat();
    let error = host.load(bytes).await.unwrap_err().to_string();
    assert!(error.contains("cannot start the worker /nowhere/worker"), "{error}");
}

fn custom_section() -> Vec<u8> {
    b"\0\x0a\x05empty1234".to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_load_the_same_description() {
    let bytes = std::fs::read(component_build::pagerduty()).unwrap();
    let load = async |isolation| -> Plugin {
        Host::builder().isolation(isolation).build().unwrap().load(bytes.clone()).await.unwrap()
    };
    let [local, remote] =
        [load(Isolation::InProcessUnapproved).await, load(Isolation::Process(worker())).await];
    assert_eq!(local.grant_request(), remote.grant_request());
    assert_eq!(local.surface(), remote.surface());
    assert_eq!(format!("{:?}", local.description()), format!("{:?}", remote.description()));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_send_the_same_keys_and_see_the_same_chance() {
    let run = async |isolation| {
        let world = World::with(Simulator::builder(), |host| host.isolation(isolation)).await;
        let service = world.us().services()[0].id.clone();
        let items: Vec<_> =
            (0..20).map(|at| json!({"title": format!("t{at}"), "service_id": service})).collect();
        let mut execution = world.execution("account", "incident.create", &items);
        execution.id = Some("same".into());
        let outcome = world.plugin.execute(execution).await.unwrap();
        assert!(outcome.items.iter().all(|item| item.is_ok()), "{:?}", error(&outcome, 0));
        let mut bodies: Vec<String> = world
            .simulator
            .requests()
            .iter()
            .filter(|request| request.method == "POST")
            .map(|request| String::from_utf8_lossy(&request.body).replace(&service, "SERVICE"))
            .collect();
        bodies.sort();
        assert_eq!(bodies.len(), 20);
        bodies
    };
    assert_eq!(run(Isolation::InProcessUnapproved).await, run(Isolation::Process(worker())).await);
}

/// Tries, in a process that is confined as a worker is, what a guest could try that has taken its
/// worker over. Returns what it reports.
fn take_over(layers: &str) -> Vec<String> {
    let (mut own, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a key").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = std::process::Command::new(worker_program())
        .args(["take-over", layers])
        .arg(secret.path())
        .arg(listener.local_addr().unwrap().to_string())
        .arg(std::process::id().to_string())
        .env("SECRET", "in the environment")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    let mut report = String::new();
    std::io::Read::read_to_string(&mut own, &mut report).unwrap();
    let status = child.wait().unwrap();
    assert!(report.ends_with("done\n"), "{status}: {report}");
    assert!(report.lines().count() > 30, "{report}");
    report.lines().map(str::to_owned).collect()
}

#[test]
fn a_worker_that_is_taken_over_finds_no_file_no_network_and_no_other_process() {
    let report = take_over("all-layers");
    assert!(!report.iter().any(|line| line.starts_with("COULD")), "{report:#?}");
}

/// Each layer holds without the other: all that the last test tries is refused by seccomp already.
#[test]
fn without_seccomp_landlock_still_denies_files_and_network() {
    let report = take_over("without-seccomp");
    for attempt in [
        "read a file",
        "write a file",
        "make a file",
        "remove a file",
        "list a directory",
        "read /etc/passwd",
        "open the host's environ",
        "open the host's mem",
        "connect by TCP",
        "bind a TCP port",
        "run a program",
        "trace its host",
    ] {
        let denied = format!("could not {attempt}:");
        assert!(report.iter().any(|line| line.starts_with(&denied)), "{attempt}: {report:#?}");
    }
}

fn worker_program() -> std::path::PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("end-to-end-worker")
}
