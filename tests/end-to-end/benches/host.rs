//! Cost of the sandbox, compared with plain Rust that sends the same requests over the same HTTP client,
//! connections, and simulator. Prints the table of docs/performance.md at the end.

#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{Criterion, SamplingMode};
use end_to_end::World;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method};
use pagerduty_simulator::Simulator;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use workflow_node_host::audit::TracingAudit;
use workflow_node_host::transport::{HttpTransport, SentMark, Transport as _, TransportRequest};
use workflow_node_host::{Execution, Host, Limits};

const CONCURRENCY: usize = 200;

fn main() {
    let started = SystemTime::now();
    let runtime = Runtime::new().expect("a runtime");
    let mut criterion = Criterion::default().configure_from_args();
    let bench = runtime.block_on(Bench::new());
    bench.loading(&mut criterion, &runtime);
    bench.executing(&mut criterion, &runtime);
    criterion.final_summary();
    runtime.block_on(bench.report(started));
}

struct Bench {
    world: World,
    floor: HttpTransport,
    component: PathBuf,
    token: String,
    incident: String,
}

impl Bench {
    async fn new() -> Self {
        let simulator = Simulator::builder().without_rate_limits().without_recording();
        let limits = Limits { concurrent_requests: CONCURRENCY, ..Limits::default() };
        // As an engine runs it: what a test keeps would grow with every iteration.
        let world = World::without_journals(simulator, |host| {
            host.rate_limit(Vec::new()).limits(limits).audit(Arc::new(TracingAudit))
        })
        .await;
        let floor = end_to_end::transport(&world.simulator).build().expect("a transport");
        let token = world.us().keys().user;
        let incident = world.us().incidents()[0].id.clone();
        Self { world, floor, component: component_build::pagerduty(), token, incident }
    }

    fn loading(&self, criterion: &mut Criterion, runtime: &Runtime) {
        let bytes = std::fs::read(&self.component).expect("the component");
        let mut group = criterion.benchmark_group("load");
        group.sample_size(10);
        let plain = Host::builder().isolation(end_to_end::isolation()).build().expect("a host");
        group.bench_function("compile", |bencher| {
            bencher.to_async(runtime).iter(|| async {
                plain.load(bytes.clone()).await.expect("it loads");
            });
        });
        group.sample_size(50);
        group.bench_function("cached", |bencher| {
            bencher.to_async(runtime).iter(|| async {
                self.world.host.load(bytes.clone()).await.expect("it loads");
            });
        });
        group.bench_function("instantiate", |bencher| {
            bencher.to_async(runtime).iter(|| async {
                self.world.plugin.instantiate().await.expect("an instance");
            });
        });
        group.finish();
    }

    fn executing(&self, criterion: &mut Criterion, runtime: &Runtime) {
        for (latency, counts) in [(0, &[1, 200, 1_000][..]), (50, &[200, 1_000])] {
            self.world.simulator.set_latency(Duration::from_millis(latency));
            let mut group = criterion.benchmark_group(format!("execute at {latency} ms"));
            group.sample_size(if latency == 0 { 30 } else { 10 });
            group.sampling_mode(SamplingMode::Flat);
            for count in counts {
                let items = vec![json!({"incident_id": self.incident}); *count];
                group.bench_function(format!("{count} in the sandbox"), |bencher| {
                    bencher.to_async(runtime).iter(|| self.in_the_sandbox(items.clone()));
                });
                group.bench_function(format!("{count} in plain Rust"), |bencher| {
                    bencher.to_async(runtime).iter(|| self.in_plain_rust(*count));
                });
            }
            group.finish();
        }
        self.world.simulator.set_latency(Duration::ZERO);
    }

    async fn in_the_sandbox(&self, items: Vec<Value>) {
        let mut execution = Execution::new("incident.get").credential("rest", "user");
        execution.items = items;
        execution.concurrency = Some(CONCURRENCY);
        let outcome = self.world.plugin.execute(execution).await.expect("it runs");
        assert!(outcome.items.iter().all(|item| item.is_ok()));
    }

    /// The same requests, as few lines of Rust would send them.
    async fn in_plain_rust(&self, count: usize) {
        let results: Vec<Box<RawValue>> = futures_util::stream::iter(0..count)
            .map(|_| self.one())
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        assert_eq!(results.len(), count);
    }

    async fn one(&self) -> Box<RawValue> {
        let mut headers = HeaderMap::new();
        let authorization = format!("Token token={}", self.token);
        headers.insert("authorization", HeaderValue::from_str(&authorization).expect("a header"));
        let accept = HeaderValue::from_static("application/vnd.pagerduty+json;version=2");
        headers.insert("accept", accept);
        let request = TransportRequest {
            plugin: String::new(),
            pool: "plain".into(),
            method: Method::GET,
            url: format!("https://api.pagerduty.com/incidents/{}", self.incident)
                .parse()
                .expect("a URL"),
            headers,
            body: None::<Bytes>,
            private_addresses: false,
            response_limit: 16 << 20,
            sent: SentMark::default(),
        };
        let response = self.floor.send(request).await.expect("an answer");
        let mut body: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&response.body).expect("JSON");
        body.remove("incident").expect("an incident")
    }

    /// The table, from what criterion has measured in this run. It keeps no figures in quick mode.
    async fn report(&self, started: SystemTime) {
        let criterion = component_build::workspace_root().join("target/criterion");
        let nanoseconds = |path: &str| -> Option<f64> {
            let file: PathBuf = Path::new(&criterion).join(path).join("new/estimates.json");
            let measured = std::fs::metadata(&file).ok()?.modified().ok()?;
            if measured < started {
                return None;
            }
            let estimates: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
            estimates["median"]["point_estimate"].as_f64()
        };
        println!("\n| measured (median) | sandbox | plain Rust | ratio | more per item |");
        println!("| --- | ---: | ---: | ---: | ---: |");
        for name in ["compile", "cached", "instantiate"] {
            if let Some(time) = nanoseconds(&format!("load/{name}")) {
                println!("| {name} | {} | | | |", readable(time));
            }
        }
        for (latency, counts) in [(0, &[1, 200, 1_000][..]), (50, &[200, 1_000])] {
            for count in counts {
                let of = |place: &str| {
                    nanoseconds(&format!("execute at {latency} ms/{count} in {place}"))
                };
                let (Some(sandbox), Some(plain)) = (of("the sandbox"), of("plain Rust")) else {
                    continue;
                };
                let more = (sandbox - plain) / f64::from(*count);
                println!(
                    "| {count} items, {latency} ms each | {} | {} | {:.2} | {} |",
                    readable(sandbox),
                    readable(plain),
                    sandbox / plain,
                    readable(more)
                );
            }
        }
        let execution = Execution::new("incident.get")
            .credential("rest", "user")
            .item(json!({"incident_id": self.incident}));
        let outcome = self.world.plugin.execute(execution).await.expect("it runs");
        println!("| linear memory of an instance, 1 item | {} kB | | | |", outcome.memory / 1_000);
        let mut execution = Execution::new("incident.get").credential("rest", "user");
        execution.items = vec![json!({"incident_id": self.incident}); 1_000];
        let outcome = self.world.plugin.execute(execution).await.expect("it runs");
        println!("| the same, 1,000 items | {} kB | | | |", outcome.memory / 1_000);
        let size = std::fs::metadata(&self.component).expect("the component").len();
        println!("| component | {} kB | | | |", size / 1_000);
    }
}

fn readable(nanoseconds: f64) -> String {
    match nanoseconds.abs() {
        t if t < 1e6 => format!("{:.0} µs", nanoseconds / 1e3),
        t if t < 1e9 => format!("{:.1} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}
