//! Runs the simulator interactively: prints how to reach it, then one line per request.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use jiff::{SignedDuration, Timestamp, Unit};
use pagerduty_simulator::{Account, App, Keys, Origins, RecordedRequest, Simulator};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A PagerDuty simulator on this machine, for experiments and tests. It uses no other network.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// REST requests per minute for each key
    #[arg(long, default_value_t = 960, value_name = "REQUESTS")]
    rate_limit: u32,
    /// Latency of every response, such as 50ms or 1.5s
    #[arg(long, default_value = "0ms", value_parser = duration, value_name = "TIME")]
    latency: Duration,
    /// Lifetime of OAuth access tokens, such as 90s; by default that of PagerDuty
    #[arg(long, value_parser = duration, value_name = "TIME")]
    token_lifetime: Option<Duration>,
    /// Use this port and the four after it; by default the system chooses
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port_base: u16,
    /// Write the certificate authority to this file, and keep the file
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// Add one object of each kind under a documented ID, such as PTEAM000000001, to every account
    #[arg(
        long, default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL"
    )]
    examples: bool,
    /// Also deliver webhooks to receivers with a certificate of this authority, a file in PEM
    #[arg(long, value_name = "PATH")]
    webhook_ca: Vec<PathBuf>,
    /// Print one line of JSON for programs instead of text for people. For each line `secrets` on
    /// standard input, print a line with all tokens and signing secrets that were issued so far
    #[arg(long)]
    print_json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut builder = Simulator::builder()
        .rate_limit(arguments.rate_limit)
        .latency(arguments.latency)
        .port_base(arguments.port_base)
        .examples(arguments.examples)
        .without_recording();
    if let Some(path) = arguments.ca_file {
        builder = builder.ca_file(path);
    }
    for path in arguments.webhook_ca {
        builder = builder.webhook_ca(std::fs::read_to_string(path)?);
    }
    if !arguments.print_json {
        builder = builder.on_request(|request| {
            // The reader may have gone; the servers continue.
            let _read_or_not = writeln!(io::stdout(), "{}", line(request));
        });
    }
    let mut ended = std::pin::pin!(ended()?);
    let simulator = builder.start().await?;
    let lifetime = arguments.token_lifetime;
    simulator.identity().configure(|settings| settings.access_lifetime = lifetime);
    if arguments.print_json {
        println!("{}", machine_readable(&simulator));
        let mut questions = questions();
        loop {
            tokio::select! {
                () = ended.as_mut() => break,
                Some(()) = questions.recv() => {
                    // The reader may have gone; the servers continue.
                    let _read_or_not = writeln!(io::stdout(), "{}", issued(&simulator));
                }
            }
        }
    } else {
        println!("{}", welcome(&simulator));
        ended.as_mut().await;
    }
    if io::stdout().is_terminal() {
        println!();
    }
    simulator.shutdown().await;
    Ok(())
}

/// Listens for Ctrl-C and SIGTERM from now on, and resolves with the first of them.
fn ended() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c()?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

/// Lines `secrets` of the standard input, until it ends.
fn questions() -> mpsc::UnboundedReceiver<()> {
    let (ask, questions) = mpsc::unbounded_channel();
    // Not the runtime's: a read of the standard input would keep it from ending.
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if line == "secrets" && ask.send(()).is_err() {
                return;
            }
        }
    });
    questions
}

/// The secrets that were issued, each with its kind.
fn issued(simulator: &Simulator) -> Value {
    let tokens = simulator.identity().issued_tokens().into_iter();
    let webhooks = simulator.issued_webhook_secrets().into_iter();
    let all = tokens.chain(webhooks.map(|secret| ("webhook secret", secret)));
    all.map(|(kind, value)| json!({"kind": kind, "value": value})).collect()
}

/// Parses `50ms`, `1.5s`, or `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    let duration = parsed.map_err(|_| format!("{text:?} is not a time such as 50ms or 1.5s"))?;
    Duration::try_from(duration).map_err(|_| "a time cannot be negative".to_owned())
}

/// One request: time, method, path, status, key.
fn line(request: &RecordedRequest) -> String {
    let now = Timestamp::now().round(Unit::Second).unwrap_or_default();
    let status = request.response_status.map_or("---".to_owned(), |status| status.to_string());
    let key = request.key_name.as_deref().unwrap_or("no key");
    let (method, path) = (&request.method, &request.path);
    let region = request.origin.region().map_or("--".to_owned(), |region| region.to_string());
    format!("{now}  {region}  {method:<6} {path}  {status}  ({key})")
}

fn keys_json(keys: &Keys) -> Value {
    json!({
        "account": keys.account,
        "account_read_only": keys.account_read_only,
        "user": keys.user,
        "classic_read": keys.classic_read,
        "classic_write": keys.classic_write,
        "app": keys.app,
        "routing": keys.routing,
        "routing_keys": keys.routing_keys,
    })
}

fn account_json(account: &Account) -> Value {
    let services = account.services();
    let users = account.users();
    json!({
        "keys": keys_json(&account.keys()),
        "services": services.iter().map(|s| json!({"id": s.id, "name": s.name})).collect::<Vec<_>>(),
        "users": users
            .iter()
            .map(|u| json!({"id": u.id, "email": u.email, "role": u.role}))
            .collect::<Vec<_>>(),
    })
}

fn app_json(app: &App) -> Value {
    json!({
        "name": app.name,
        "kind": format!("{:?}", app.kind).to_lowercase(),
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uris": app.redirect_uris,
        "scopes": app.scopes,
    })
}

fn machine_readable(simulator: &Simulator) -> Value {
    json!({
        "origins": simulator.origins(),
        "connect_to": simulator.connect_to(),
        "ca_file": simulator.ca_file(),
        "us": account_json(simulator.us()),
        "eu": account_json(simulator.eu()),
        "apps": simulator.identity().apps().iter().map(app_json).collect::<Vec<_>>(),
    })
}

fn welcome(simulator: &Simulator) -> String {
    let Origins { rest_us, rest_eu, events_us, events_eu, identity } = simulator.origins();
    let ca = simulator.ca_file().display();
    let mut text = format!(
        "A PagerDuty that exists on this machine only. Stop it with Ctrl-C.\n\
         \n\
         Servers\n\
         \u{20} REST    US {rest_us}    EU {rest_eu}\n\
         \u{20} Events  US {events_us}    EU {events_eu}\n\
         \u{20} OAuth      {identity}, for both\n\
         \n\
         Certificate authority\n\
         \u{20} {ca}\n\
         \n\
         Keys (made up for this run; they open nothing else)\n"
    );
    for (region, account) in [("US", simulator.us()), ("EU", simulator.eu())] {
        let keys = account.keys();
        for (name, key) in [
            ("account key", &keys.account),
            ("read-only key", &keys.account_read_only),
            ("user key (Ada)", &keys.user),
            ("OAuth token, read", &keys.classic_read),
            ("OAuth token, write", &keys.classic_write),
            ("app token", &keys.app),
            ("routing key", &keys.routing),
        ] {
            // Writing to a string does not fail.
            let _ok = writeln!(text, "  {region}  {name:<18}  {key}");
        }
    }
    text.push_str("\nApps that may ask for OAuth tokens\n");
    let apps = simulator.identity().apps();
    for app in &apps {
        let (name, id) = (&app.name, &app.client_id);
        let secret = app.client_secret.as_deref().unwrap_or("none");
        let _ok = writeln!(text, "  {name:<26}  id {id}  secret {secret}");
    }
    let redirects = apps.first().map(|app| app.redirect_uris.join("  ")).unwrap_or_default();
    let _ok = writeln!(
        text,
        "  Redirect URIs of all of them: {redirects}\n  \
         (with any port where the address is a loopback one)"
    );
    let account = simulator.us();
    let key = account.keys().account;
    let service = &account.services()[0];
    let (id, name) = (&service.id, &service.name);
    let parameters = json!({"title": "Payments time out again", "service_id": id});
    let flags =
        format!("--credential pd --ca-file {ca} --connect-to {}", simulator.connect_to()[0]);
    let _ok = write!(
        text,
        "\n\
         Users: ada@example.com (admin), ben@example.com, chloe@example.com, \
         dan@example.com (may only read)\n\
         \n\
         Try this in another terminal\n\
         \u{20} harness approve pagerduty.wasm\n\
         \u{20} printf %s {key} | harness credential add pd --plugin pagerduty.wasm \
         --type api-token --field region=us --field from_email=ada@example.com \
         --secret api_token=-\n\
         \u{20} harness run pagerduty.wasm service.list {flags}\n\
         \u{20} harness run pagerduty.wasm incident.create --parameters '{parameters}' {flags}\n\
         \n\
         The service is {name:?}. Requests:"
    );
    text
}
