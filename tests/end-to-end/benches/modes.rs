//! Cost of process isolation, compared with guests in the host's own process, and the behavior of both
//! modes with concurrent executions and with pages. Prints the tables of docs/performance.md.

#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::time::{Duration, Instant};

use end_to_end::{World, worker};
use pagerduty_simulator::Simulator;
use serde_json::{Value, json};
use workflow_node_host::{Execution, Isolation, Limits, Principal};

/// The default of [`Limits::concurrent_requests`].
const IN_FLIGHT: usize = 64;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let local = Mode::large(Isolation::InProcessUnapproved).await;
    let remote = Mode::large(Isolation::Process(worker())).await;

    println!("\n| measured (median) | in process | in workers | difference |");
    println!("| --- | ---: | ---: | ---: |");
    for (count, runs) in [(1, 300), (200, 60), (1_000, 20)] {
        let [a, b] = both(&local, &remote, runs, async |mode| mode.run(count).await).await;
        let each = micros(b.saturating_sub(a)) / count as f64;
        println!(
            "| {count} items in one execution, no latency | {:.2} ms | {:.2} ms | {each:.0} µs each |",
            millis(a),
            millis(b)
        );
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        let fresh = Mode::small(Isolation::Process(worker())).await;
        let started = Instant::now();
        fresh.run_for("a new user", 1).await;
        times.push(started.elapsed());
    }
    let first = middle(times);
    println!("| first execution of a host, its worker included | | {:.1} ms | |", millis(first));

    println!("\n| processor time for each of 1,000 items | this process | workers |");
    println!("| --- | ---: | ---: |");
    for (name, mode) in [("in process", &local), ("in workers", &remote)] {
        let before = (processor_time("self"), mode.processor_time());
        for _ in 0..10 {
            mode.run(1_000).await;
        }
        let each = |now: Duration, then: Duration| micros(now.saturating_sub(then)) / 10_000.0;
        println!(
            "| {name} | {:.0} µs | {:.0} µs |",
            each(processor_time("self"), before.0),
            each(mode.processor_time(), before.1)
        );
    }

    println!("\n| concurrent executions of one item | in process | in workers |");
    println!("| --- | ---: | ---: |");
    for latency in [0, 50] {
        for mode in [&local, &remote] {
            mode.world.simulator.set_latency(Duration::from_millis(latency));
        }
        for (count, runs) in [(1, 50), (16, 30), (256, 10)] {
            let [a, b] = both(&local, &remote, runs, async |mode| {
                let all = (0..count).map(|_| mode.run(1));
                futures_util::future::join_all(all).await;
            })
            .await;
            println!("| {count} at {latency} ms | {:.1} ms | {:.1} ms |", millis(a), millis(b));
        }
    }
    println!(
        "\nworkers after 256 concurrent executions: {}; memory of one: {}",
        remote.world.host.worker_processes().len(),
        memory(&remote)
    );
    for mode in [&local, &remote] {
        mode.world.simulator.set_latency(Duration::ZERO);
    }

    println!("\n| `incident.list`, pages of 100 | in process | in workers | each page |");
    println!("| --- | ---: | ---: | ---: |");
    for pages in [1, 10, 50] {
        let [a, b] = both(&local, &remote, 10, async |mode| mode.list(pages).await).await;
        println!(
            "| {pages} | {:.1} ms | {:.1} ms | {:.1} ms |",
            millis(a),
            millis(b),
            millis(a) / pages as f64
        );
    }
}

struct Mode {
    world: World,
    incident: String,
}

impl Mode {
    async fn small(isolation: Isolation) -> Self {
        let simulator = Simulator::builder().without_rate_limits().without_recording();
        let world = World::without_journals(simulator, |host| {
            host.isolation(isolation)
                .rate_limit(Vec::new())
                .audit(std::sync::Arc::new(workflow_node_host::audit::TracingAudit))
        })
        .await;
        let incident = world.us().incidents()[0].id.clone();
        Self { world, incident }
    }

    /// With 5,000 incidents more.
    async fn large(isolation: Isolation) -> Self {
        let mode = Self::small(isolation).await;
        let world = &mode.world;
        let service = world.us().services()[0].id.clone();
        let items: Vec<Value> = (0..100)
            .map(|at| json!({"title": format!("incident {at}"), "service_id": service}))
            .collect();
        for _ in 0..50 {
            let outcome = world.run_with("account", "incident.create", &items).await;
            assert!(outcome.items.iter().all(|item| item.is_ok()));
        }
        mode
    }

    async fn run(&self, count: usize) {
        self.run_for("ada", count).await;
    }

    async fn run_for(&self, actor: &str, count: usize) {
        let mut execution = Execution::new("incident.get").credential("rest", "user");
        execution.items = vec![json!({"incident_id": self.incident}); count];
        execution.concurrency = Some(IN_FLIGHT);
        execution.context.actor = Principal::user(actor);
        let outcome = self.world.plugin.execute(execution).await.expect("it runs");
        assert!(outcome.items.iter().all(|item| item.is_ok()), "{:?}", outcome.stopped);
    }

    /// Of all its workers.
    fn processor_time(&self) -> Duration {
        let workers = self.world.host.worker_processes();
        workers.iter().map(|process| processor_time(&process.to_string())).sum()
    }

    async fn list(&self, pages: usize) {
        let mut execution = Execution::new("incident.list").credential("rest", "user");
        execution.items = vec![json!({"limit": pages * 100, "date_range": "all"})];
        execution.context.limits = Some(Limits { output: 256 << 20, ..Limits::default() });
        let outcome = self.world.plugin.execute(execution).await.expect("it runs");
        assert!(outcome.items[0].is_ok(), "{:?}", outcome.items[0].error);
        assert_eq!(outcome.items[0].output.len(), pages * 100);
    }
}

/// The median time in both modes, measured in turns, so that both meet the same noise.
async fn both(local: &Mode, remote: &Mode, runs: usize, run: impl AsyncFn(&Mode)) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (mode, times) in [local, remote].into_iter().zip(&mut times) {
            let started = Instant::now();
            run(mode).await;
            times.push(started.elapsed());
        }
    }
    times.map(middle)
}

/// Of a process, in its whole life.
fn processor_time(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    // Hundredths of a second, in user and in kernel mode.
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|one| one.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Resident memory of a worker, and its private share, in MiB.
fn memory(mode: &Mode) -> String {
    let process = mode.world.host.worker_processes().first().copied().unwrap_or_default();
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    let rollup = rollup.unwrap_or_default();
    let of = |name: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    format!(
        "{} MiB resident, {} MiB of them its own",
        of("Rss:") / 1024,
        (of("Private_Clean:") + of("Private_Dirty:")) / 1024
    )
}
