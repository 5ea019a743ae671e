//! Throughput, latency, and memory of `harness serve` with 1, 16, and 256 clients and batches of 1,
//! 100, and 10,000 items, next to the library with the same executions, both with workers and
//! journals. Each item is a request over TLS to a simulator on the same machine that answers at once.
//! Prints the table of docs/performance.md.
//!
//! `cargo bench -p harness --bench serve`, or `… -- 10` for 10 seconds per cell (default: 3).

#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pagerduty_simulator::Simulator;
use serde_json::{Value, json};
use workflow_node_host::journal::{AtLimit, FileJournals, JournalOptions, Journals};
use workflow_node_host::store::{SqliteStore, StoreKey};
use workflow_node_host::transport::HttpTransport;
use workflow_node_host::{Execution, Host, Isolation, JournalLimits, Plugin};

const CELLS: [(usize, usize); 8] =
    [(1, 1), (16, 1), (256, 1), (1, 100), (16, 100), (256, 100), (1, 10_000), (16, 10_000)];
/// The limits of the server are not what is measured.
const LIMITS: &str = "[limits]\nrunning = 256\nrunning_per_tenant = 256\nqueued = 10000\n\
                      queued_per_tenant = 10000\n";

fn main() -> ExitCode {
    harness::run_as_worker().unwrap_or_else(measure)
}

#[tokio::main]
async fn measure() -> ExitCode {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(3);
    let seconds = Duration::from_secs(seconds);
    let simulator = Simulator::builder().without_rate_limits().without_recording();
    let world = World { simulator: simulator.start().await.expect("it starts"), data: data() };
    world.connect();
    let library = world.library().await;
    let server = world.serve("load");
    println!(
        "| Clients | Items per call | Library: items/s | p50 | p99 | Server: items/s | p50 | p99 | \
         Server beside library, p50 | Peak memory of the server |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (clients, items) in CELLS {
        let of_library = load(clients, items, seconds, || library.call(items)).await;
        let of_server = load(clients, items, seconds, || server.call(items)).await;
        println!(
            "| {clients} | {items} | {} | {} | {:+.2} ms, {:.2} × | {} MiB |",
            of_library.row(),
            of_server.row(),
            millis(of_server.p50) - millis(of_library.p50),
            millis(of_server.p50) / millis(of_library.p50),
            peak(server.process.id()),
        );
    }
    // A data directory has one server at a time.
    drop(server);
    println!("\n| Items streamed in one call | Items/s | Peak memory of the server |");
    println!("| ---: | ---: | ---: |");
    for items in [1_000, 10_000, 100_000] {
        let server = world.serve(&format!("stream-{items}"));
        let started = Instant::now();
        server.stream(items).await;
        let pace = items as f64 / started.elapsed().as_secs_f64();
        println!("| {items} | {pace:.0} | {} MiB |", peak(server.process.id()));
    }
    ExitCode::SUCCESS
}

/// Measurements in a cell of the table.
struct Load {
    items_per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl Load {
    fn row(&self) -> String {
        let Self { items_per_second, p50, p99 } = self;
        format!("{items_per_second:.0} | {:.1} ms | {:.1} ms", millis(*p50), millis(*p99))
    }
}

/// Lets clients call one after the other for some time, after each has called once.
async fn load<C: Future<Output = ()>>(
    clients: usize,
    items: usize,
    seconds: Duration,
    call: impl Fn() -> C,
) -> Load {
    let client = async |until: Instant| {
        let mut times = Vec::new();
        while times.is_empty() || Instant::now() < until {
            let started = Instant::now();
            call().await;
            times.push(started.elapsed());
        }
        times
    };
    let all = |until| futures_util::future::join_all((0..clients).map(move |_| client(until)));
    all(Instant::now()).await;
    let started = Instant::now();
    let mut times = all(started + seconds).await.concat();
    let took = started.elapsed();
    times.sort();
    Load {
        items_per_second: (times.len() * items) as f64 / took.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn data() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

struct World {
    simulator: Simulator,
    data: tempfile::TempDir,
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn incident(&self) -> String {
        self.simulator.us().incidents()[0].id.clone()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(args).env("WORKFLOW_NODE_DATA", self.path("data"));
        command.env("WORKFLOW_NODE_KEY", "5a".repeat(32)).stdin(Stdio::null());
        command
    }

    fn harness(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Approves the plugin, and stores the key of the account.
    fn connect(&self) {
        let plugin = plugin();
        self.harness(&["approve", &plugin, "--yes"]);
        let secret = self.path("secret");
        std::fs::write(&secret, self.simulator.us().keys().account).expect("it is written");
        let secret = format!("api_token=@{}", secret.display());
        let add = ["credential", "add", "work", "--plugin", &plugin, "--type", "api-token"];
        let fields = ["--field", "from_email=ada@example.com", "--secret", &secret];
        self.harness(&[&add[..], &fields].concat());
    }

    /// The library in this process, with the credentials that the command has stored.
    async fn library(&self) -> Library {
        let mut transport = HttpTransport::builder().ca_pem(self.simulator.ca_pem());
        for mapping in self.simulator.connect_to() {
            transport = transport.connect_to(mapping.parse().expect("an origin"));
        }
        let key = StoreKey::from_text(&"5a".repeat(32)).expect("a key");
        let store = SqliteStore::open(&self.path("data/credentials.db"), key).expect("a store");
        let files = Arc::new(FileJournals::in_directory(self.path("journals")));
        let mut options = JournalOptions::default();
        options.at_limit = AtLimit::Continue;
        let journals = Journals::new(files, store.journal_key(), JournalLimits::default());
        let worker = harness::own_worker().expect("workers");
        let host = Host::builder()
            .isolation(Isolation::Process(worker))
            .transport(Arc::new(transport.build().expect("a transport")))
            .credential_store(Arc::new(store))
            .rate_limit(Vec::new())
            .journals(journals.with(options))
            .build()
            .expect("a host");
        let plugin = host.load_file(plugin()).await.expect("it loads");
        plugin.approve(None).await.expect("it is approved");
        Library { plugin, incident: self.incident() }
    }

    /// A server, and a token of this name.
    fn serve(&self, token: &str) -> Server {
        let config = self.path("serve.toml");
        std::fs::write(&config, LIMITS).expect("it is written");
        let config = config.to_str().expect("text").to_owned();
        let token = self.harness(&["token", "create", token, "--role", "run"]).trim().to_owned();
        let plugin = plugin();
        let mut command = self.command(&["serve", "--plugin", &plugin, "--config", &config]);
        command.args(["--listen", "127.0.0.1:0", "--rate-limit", "none", "--ca-file"]);
        command.arg(self.simulator.ca_file());
        for mapping in self.simulator.connect_to() {
            command.arg("--connect-to").arg(mapping);
        }
        // Its log is written, and nobody reads it.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let line = lines.next().expect("a line").expect("text");
        let url = line.split_whitespace().last().expect("an address");
        let action = "v1/plugins/pagerduty/actions/incident.get/execute";
        Server {
            process,
            url: format!("{url}/{action}"),
            token,
            client: Client::builder(TokioExecutor::new()).build_http(),
            incident: self.incident(),
        }
    }
}

fn plugin() -> String {
    component_build::pagerduty().to_str().expect("a path in UTF-8").to_owned()
}

struct Library {
    plugin: Plugin,
    incident: String,
}

impl Library {
    async fn call(&self, items: usize) {
        let mut execution = Execution::new("incident.get").credential("rest", "work");
        execution.items = vec![json!({"incident_id": self.incident}); items];
        let outcome = self.plugin.execute(execution).await.expect("it runs");
        assert!(outcome.items.iter().all(|item| item.is_ok()), "{:?}", outcome.stopped);
    }
}

struct Server {
    process: Child,
    url: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
    incident: String,
}

impl Server {
    async fn send(&self, media: &str, body: String) -> http::Response<hyper::body::Incoming> {
        let request = http::Request::post(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media)
            .header("accept", media)
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        self.client.request(request).await.expect("a response")
    }

    /// Sends the items as lines, and reads the results as lines, keeping none.
    async fn stream(&self, items: usize) {
        let item = json!({"incident_id": self.incident}).to_string() + "\n";
        let call = json!({"credentials": {"rest": "work"}}).to_string() + "\n";
        let response = self.send("application/x-ndjson", call + &item.repeat(items)).await;
        assert!(response.status().is_success(), "{}", response.status());
        let (mut body, mut last) = (response.into_body(), Bytes::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.expect("a frame").into_data() {
                last = data;
            }
        }
        let last = String::from_utf8_lossy(&last);
        assert!(last.contains(&format!("\"finished\":{items},\"failed\":0")), "{last}");
    }

    async fn call(&self, items: usize) {
        let items = vec![json!({"incident_id": self.incident}); items];
        let body = json!({"credentials": {"rest": "work"}, "items": items}).to_string();
        let response = self.send("application/json", body).await;
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        if body.len() < 1 << 20 {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(body["failed"], 0, "{body:.500}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::io::stdout().flush().ok();
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Peak resident memory of a process in MiB, or 0 if the system does not report it.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
