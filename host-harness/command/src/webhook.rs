//! `harness webhook send`: a delivery as the service would make it, or wrong on purpose.

use std::io::Read as _;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use workflow_node_host::Secret;
use workflow_node_host::description::{Signature, Trigger, Webhook};
use workflow_node_host::transport::{SentMark, Transport as _, TransportRequest};
use workflow_node_host::trigger::{TriggerStore, sign};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::hosts::transport_to;
use crate::output::{self, simple_table};
use crate::setup::Setup;
use crate::trigger::args::{SendArgs, Tamper, WebhookCommand};

/// Each way in which a delivery can be wrong.
const ALL: &[Tamper] = &[
    Tamper::Signature,
    Tamper::Body,
    Tamper::Secret,
    Tamper::Missing,
    Tamper::Empty,
    Tamper::Version,
    Tamper::Truncated,
    Tamper::Garbage,
    Tamper::Method,
    Tamper::Size,
];

/// A body that no receiver takes, where the trigger names no limit.
const LARGE: usize = 17 * 1024 * 1024;

pub(crate) async fn run(setup: &Setup, command: WebhookCommand) -> Result<Exit, Failure> {
    match command {
        WebhookCommand::Send(args) => send(setup, *args).await,
    }
}

/// Result of a delivery.
#[derive(Serialize)]
struct Sent {
    /// How it was wrong.
    tamper: Option<String>,
    id: Option<String>,
    status: Option<u16>,
    error: Option<String>,
    milliseconds: u128,
    /// Whether the receiver did right.
    right: bool,
}

async fn send(setup: &Setup, args: SendArgs) -> Result<Exit, Failure> {
    let body = read("--body", &args.body)?;
    let plugin = setup.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let trigger = plugin.trigger(&args.trigger).map_err(|error| Failure::of(&error, &path))?;
    let Some(webhook) = trigger.webhook() else {
        return Err(not_delivered(trigger));
    };
    let secret = secret(setup, &args, webhook).await?;
    let transport = transport_to(&args.network, &args.url)?;
    let tampers: Vec<Option<Tamper>> = match args.tamper {
        Some(Tamper::All) => ALL.iter().copied().map(Some).collect(),
        tamper => vec![tamper],
    };
    let mut all = Vec::new();
    for tamper in tampers {
        let id = webhook
            .id_header
            .as_ref()
            .map(|_| args.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())));
        for _ in 0..args.repeat {
            let request = request(&args, webhook, &body, secret.as_ref(), id.as_deref(), tamper)?;
            let began = Instant::now();
            let answer = transport.send(request).await;
            let milliseconds = began.elapsed().as_millis();
            let status = answer.as_ref().ok().map(|answer| answer.status);
            let right = status.is_some_and(|status| match tamper {
                None => status.is_success(),
                Some(_) => status.is_client_error(),
            });
            all.push(Sent {
                tamper: tamper.map(name),
                id: id.clone(),
                status: status.map(|status| status.as_u16()),
                error: answer.err().map(|error| error.to_string()),
                milliseconds,
                right,
            });
        }
    }
    report(&args, &all)
}

fn report(args: &SendArgs, all: &[Sent]) -> Result<Exit, Failure> {
    let wrong = all.iter().filter(|sent| !sent.right).count();
    match args.format {
        Report::Json => output::stdout_report(&all)?,
        Report::Text => {
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            output::stdout(&simple_table(&["delivery", "status", "ms", "as expected"], &rows))?;
        }
    }
    if wrong == 0 {
        return Ok(Exit::Success);
    }
    let should = if args.tamper.is_some() { "rejected with 4xx" } else { "accepted with 2xx" };
    let message = format!("{wrong} of {} deliveries were not {should}", all.len());
    Err(Failure::new(Exit::Failed, "wrong-answer", message))
}

fn row(sent: &Sent) -> Vec<String> {
    let answer = match (&sent.status, &sent.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => output::one_line(error),
        (None, None) => String::new(),
    };
    vec![
        sent.tamper.clone().unwrap_or_else(|| "signed".to_owned()),
        answer,
        sent.milliseconds.to_string(),
        if sent.right { "yes" } else { "NO" }.to_owned(),
    ]
}

fn name(tamper: Tamper) -> String {
    use clap::ValueEnum as _;
    tamper.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn not_delivered(trigger: &Trigger) -> Failure {
    let message = format!("Trigger `{}` polls and does not receive deliveries", trigger.name);
    Failure::input("usage", message)
}

/// The secret that signs; `None` where nothing is signed.
async fn secret(
    setup: &Setup,
    args: &SendArgs,
    webhook: &Webhook,
) -> Result<Option<Secret>, Failure> {
    let Some(rule) = &webhook.signature else { return Ok(None) };
    if let Some(name) = &args.subscription {
        let store = crate::store::open(setup)?;
        let kept = TriggerStore::open(&store, name).await;
        let kept = kept.map_err(|error| Failure::of(&error.into(), ""))?;
        let missing = || {
            Failure::input(
                "secret",
                format!("Subscription `{name}` was never set up, so it has no signing secret"),
            )
        };
        return kept.secret.map(Some).ok_or_else(missing);
    }
    let Some(given) = &args.secret else {
        let message =
            format!("Deliveries are signed with the secret `{}`, which is missing", rule.secret);
        return Err(Failure::input("secret", message).next(
            "pass it with --secret @FILE or --secret - (standard input), or name a stored \
             subscription with --subscription NAME",
        ));
    };
    if args.body == "-" && given == "-" {
        let message = "Standard input can contain the body or the secret, not both";
        return Err(Failure::input("usage", message));
    }
    let text = String::from_utf8(read("--secret", given)?)
        .map_err(|_| Failure::input("secret", "The secret is not valid UTF-8"))?;
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
}

/// Bytes of a file, or of standard input.
fn read(option: &str, given: &str) -> Result<Vec<u8>, Failure> {
    let unreadable = |what: &str, error: std::io::Error| {
        Failure::input("unreadable", format!("Cannot read {what} for {option}: {error}"))
    };
    if given == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable("standard input", error))?;
        return Ok(bytes);
    }
    let Some(file) = given.strip_prefix('@') else {
        let message = format!("{option} expects a file or standard input");
        return Err(
            Failure::input("usage", message).next(format!("use {option} @FILE or {option} -"))
        );
    };
    std::fs::read(file).map_err(|error| unreadable(file, error))
}

fn request(
    args: &SendArgs,
    webhook: &Webhook,
    body: &[u8],
    secret: Option<&Secret>,
    id: Option<&str>,
    tamper: Option<Tamper>,
) -> Result<TransportRequest, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static("harness"));
    for text in &args.header {
        let (name, value) = header(text)?;
        headers.append(name, value);
    }
    if let (Some(name), Some(id)) = (&webhook.id_header, id) {
        put(&mut headers, name, id)?;
    }
    let mut body = body.to_vec();
    if tamper == Some(Tamper::Size) {
        body.resize(webhook.body_limit_bytes.unwrap_or(LARGE) + 1, b' ');
    }
    if let (Some(rule), Some(secret)) = (&webhook.signature, secret)
        && let Some(signature) = signature(rule, &body, secret, tamper)
    {
        put(&mut headers, &rule.header, &signature)?;
    }
    if tamper == Some(Tamper::Body) {
        match body.last_mut() {
            Some(last) => *last ^= 1,
            None => body.push(b' '),
        }
    }
    let known = webhook.methods.first().map_or("POST", String::as_str);
    let method = match tamper {
        Some(Tamper::Method) if known == "POST" => Method::PUT,
        Some(Tamper::Method) => Method::POST,
        _ => known.parse().map_err(Failure::internal)?,
    };
    Ok(TransportRequest {
        plugin: String::new(),
        pool: String::new(),
        method,
        url: args.url.clone(),
        headers,
        body: Some(Bytes::from(body)),
        private_addresses: false,
        response_limit: 1024 * 1024,
        sent: SentMark::default(),
    })
}

/// Value of the signature header. `None` omits the header.
fn signature(
    rule: &Signature,
    body: &[u8],
    secret: &Secret,
    tamper: Option<Tamper>,
) -> Option<String> {
    let right = sign(rule, body, secret);
    let prefix = rule.prefix.as_deref().unwrap_or_default();
    Some(match tamper {
        Some(Tamper::Missing) => return None,
        Some(Tamper::Empty) => String::new(),
        Some(Tamper::Secret) => sign(rule, body, &Secret::new("another secret than this")),
        Some(Tamper::Signature) => {
            let (head, last) = right.split_at(right.len() - 1);
            format!("{head}{}", if last == "0" { "1" } else { "0" })
        }
        Some(Tamper::Truncated) => {
            let digits = right.len() - prefix.len();
            right[..prefix.len() + digits / 2].to_owned()
        }
        Some(Tamper::Version) => format!("v0{}", &right[prefix.len()..]),
        Some(Tamper::Garbage) => format!("{prefix}not a signature"),
        _ => right,
    })
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let parts = text.split_once(':').and_then(|(name, value)| {
        Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    parts.ok_or_else(|| {
        Failure::input("usage", format!("`{text}` is not a valid header"))
            .next("use --header 'Name: value'")
    })
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(Failure::internal)?;
    let value = HeaderValue::from_str(value)
        .map_err(|_| Failure::input("usage", "A header value contains invalid characters"))?;
    headers.insert(name, value);
    Ok(())
}
