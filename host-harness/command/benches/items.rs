//! Memory and time of `harness run --format jsonl` over 1,000, 100,000 and 1,000,000 items, each a
//! request over TLS to a server on loopback that answers at once, with and without a journal, and of a
//! run of one item. Prints the rows of docs/performance.md.
//!
//! `cargo bench -p harness --bench items`, or `… -- 1000 100000` for other numbers.

#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pagerduty_simulator::Simulator;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let numbers = if numbers.is_empty() { vec![1_000, 100_000, 1_000_000] } else { numbers };
    let simulator = Simulator::builder().without_rate_limits().without_recording();
    let simulator = simulator.start_blocking().expect("the simulator starts");
    let directory = tempfile::tempdir().expect("a directory");
    let bench = Bench { simulator, directory: directory.path() };
    bench.connect();
    let incident = bench.simulator.us().incidents()[0].id.clone();
    let item = format!("{{\"incident_id\":\"{incident}\"}}");

    let one = ["--parameters", &item];
    let runs: Vec<Run> = (0..20).map(|_| bench.incidents(&one)).collect();
    let mut times: Vec<Duration> = runs.iter().map(|run| run.time).collect();
    times.sort();
    let memory = runs.iter().map(|run| run.memory).max().unwrap_or_default();
    println!("| items | time | items per second | peak memory of the process |");
    println!("| ---: | ---: | ---: | ---: |");
    println!("| one, start to exit (median of 20) | {:.1?} | | {memory} MiB |", times[10]);
    for number in numbers {
        let path = bench.directory.join("items.jsonl");
        let mut file = BufWriter::new(File::create(&path).expect("a file"));
        for _ in 0..number {
            writeln!(file, "{item}").expect("it is written");
        }
        drop(file);
        let items = format!("@{}", path.display());
        let journal = bench.directory.join(format!("{number}.journal"));
        let journal = journal.to_str().expect("a path in UTF-8");
        let args = ["--format", "jsonl", "--items", &items, "--journal", journal];
        let runs = [(&args[..4], ""), (&args[..], ", with a journal")];
        // More items do not fit the limit of a journal.
        for (args, note) in runs.into_iter().take(if number <= 10_000 { 2 } else { 1 }) {
            let Run { time, memory } = bench.incidents(args);
            let pace = number as f64 / time.as_secs_f64();
            println!("| {number}{note} | {time:.1?} | {pace:.0} | {memory} MiB |");
        }
    }
}

struct Bench<'a> {
    simulator: Simulator,
    directory: &'a Path,
}

/// Measurements of a run.
struct Run {
    time: Duration,
    /// Largest resident memory, in MiB.
    memory: u64,
}

impl Bench<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(args).env("WORKFLOW_NODE_DATA", self.directory.join("data"));
        command.env("WORKFLOW_NODE_KEY", "5a".repeat(32)).stdout(Stdio::null());
        if args[0] == "run" {
            command.arg("--ca-file").arg(self.simulator.ca_file());
            for mapping in self.simulator.connect_to() {
                command.arg("--connect-to").arg(&mapping);
            }
        }
        command
    }

    fn connect(&self) {
        let plugin = component_build::pagerduty();
        let plugin = plugin.to_str().expect("a path in UTF-8");
        let approved = self.command(&["approve", plugin, "--yes"]).status().expect("it runs");
        assert!(approved.success());
        let key = self.simulator.us().keys().account;
        let add = ["credential", "add", "work", "--plugin", plugin, "--type", "api-token"];
        let secrets = ["--field", "from_email=ada@example.com", "--secret", "api_token=-"];
        let mut adding = self
            .command(&[&add[..], &secrets].concat())
            .stdin(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = adding.stdin.take().expect("a pipe");
        stdin.write_all(key.as_bytes()).expect("it reads");
        drop(stdin);
        assert!(adding.wait().expect("it ends").success());
    }

    fn incidents(&self, items: &[&str]) -> Run {
        let plugin = component_build::pagerduty();
        let plugin = plugin.to_str().expect("a path in UTF-8");
        let run = ["run", plugin, "incident.get", "--credential", "work", "--rate-limit", "none"];
        let started = Instant::now();
        let mut child = self.command(&[&run[..], items].concat()).spawn().expect("it runs");
        let mut memory = 0;
        let pause = Duration::from_millis(if items.len() > 2 { 20 } else { 1 });
        let status = loop {
            memory = memory.max(peak(child.id()));
            match child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None => std::thread::sleep(pause),
            }
        };
        assert!(status.success(), "{items:?}");
        Run { time: started.elapsed(), memory }
    }
}

/// Peak resident memory of a process in MiB, or 0 if the system does not report it.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
