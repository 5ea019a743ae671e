//! `harness trigger listen`: one subscription, from its setting up to its taking down.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;
use workflow_node_host::trigger::{Listener, NewSubscription, RunOptions, Subscription, Triggers};
use workflow_node_host::{CancellationToken, Plugin};

use super::args::ListenArgs;
use super::of_plugin;
use super::sink::{Printer, heard};
use crate::exit::{Exit, Failure, shell};
use crate::interrupt::Interrupt;
use crate::output;
use crate::setup::Setup;
use crate::store::LateStore;
use crate::{input, slots};

/// How long taking down may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(setup: &Setup, args: ListenArgs) -> Result<Exit, Failure> {
    let parameters = Value::Object(input::parameters(args.parameters.as_deref())?);
    let late = LateStore::default();
    let host = setup.host(&args.network, Some(&late))?;
    let plugin = setup.load_with(&host, &args.plugin).await?;
    let path = args.plugin.display().to_string();
    let failed = of_plugin(&path);
    let trigger = plugin
        .trigger(&args.trigger)
        .map_err(|error| failed(error).next(format!("harness inspect {}", shell(&path))))?;
    refuse_invalid(&plugin, &args, &parameters)?;
    refuse_unfit(&args, trigger.webhook().is_some())?;
    plugin.check_approval().await.map_err(&failed)?;
    let uses = slots::Uses { name: &trigger.name, slots: &trigger.slots };
    let credentials = slots::fill(setup, &plugin, uses, &args.credential, &late)?;
    super::open(setup, &late)?;
    let triggers = host.triggers().map_err(&failed)?;
    let interrupt = Interrupt::listen();
    let token = interrupt.token();

    let name = args
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{:08x}", args.trigger, rand::random::<u32>()));
    let key = setup.subscription(&name);
    let before = triggers.store().open(&key).await.ok().map(|keep| keep.subscription);
    let listening = match trigger.webhook() {
        None => None,
        Some(_) => Some(Listening::bind(&args, &name, before.as_ref()).await?),
    };
    let new = NewSubscription {
        name: name.clone(),
        trigger: args.trigger.clone(),
        version: args.trigger_version,
        parameters,
        credentials,
        callback_url: listening.as_ref().map(|listening| listening.callback.to_string()),
        actor: setup.principal.clone(),
        workflow: None,
    };
    let listener = Listener::new(triggers.clone(), plugin.clone(), heard);
    let server = listening.map(|listening| listening.serve(&listener, &key));
    let set_up = triggers.set_up(&plugin, new, &token).await;
    let result = match set_up {
        Ok(subscription) => {
            output::stderr(&begun(&args, &subscription));
            listen(&args, triggers, &plugin, &key, &token).await
        }
        Err(error) => Err(Failure::of(&error, &path)),
    };
    // One that could not be set up may be there in part.
    let taken_down = match args.keep && result.is_ok() {
        true => Ok(()),
        false => take_down(&args, triggers, &plugin, &key).await,
    };
    if let Some(server) = server {
        server.abort();
    }
    if let Ok(credentials) = host.credentials() {
        credentials.settle().await;
    }
    let printed = match (result, taken_down) {
        (Ok(printed), Ok(())) => printed,
        (Ok(_), Err(failure)) | (Err(failure), Ok(())) => return Err(failure),
        (Err(mut failure), Err(left)) => {
            failure
                .message
                .push_str(&format!("; subscription `{name}` may still exist: {}", left.message));
            failure.next = left.next;
            return Err(failure);
        }
    };
    output::stderr(&format!(
        "{}\n",
        output::count(usize::try_from(printed).unwrap_or(usize::MAX), "event")
    ));
    Ok(Exit::Success)
}

/// Prints events until it is ended. Returns how many.
async fn listen(
    args: &ListenArgs,
    triggers: &Triggers,
    plugin: &Plugin,
    name: &str,
    token: &CancellationToken,
) -> Result<u64, Failure> {
    let end = token.child_token();
    let printer = Arc::new(Printer::new(args.format, args.count, end.clone()));
    let options = RunOptions { interval: args.interval, ..RunOptions::default() };
    let path = args.plugin.display().to_string();
    let run = triggers.run(plugin, name, printer.clone(), options, &end);
    run.await.map_err(of_plugin(&path))?;
    match printer.failure() {
        Some(failure) => Err(failure),
        None => Ok(printer.printed()),
    }
}

async fn take_down(
    args: &ListenArgs,
    triggers: &Triggers,
    plugin: &Plugin,
    name: &str,
) -> Result<(), Failure> {
    let path = shell(&args.plugin.display().to_string());
    let next = format!("harness trigger stop {path} {}", shell(name));
    output::stderr("Removing the subscription …\n");
    // The first Ctrl-C has brought us here; it must not keep this from being done.
    let token = CancellationToken::new();
    let taken_down = triggers.tear_down(plugin, name, &token);
    match tokio::time::timeout(PATIENCE, taken_down).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::of(&error, &args.plugin.display().to_string()).next(next)),
        Err(_) => {
            let message = format!("The service did not remove subscription `{name}` in time");
            Err(Failure::new(Exit::Failed, "timeout", message).next(next))
        }
    }
}

fn begun(args: &ListenArgs, subscription: &Subscription) -> String {
    let how = match &subscription.callback_url {
        Some(url) => format!("delivers to {url}"),
        None => "is polled".to_owned(),
    };
    let end = if args.keep { "keep" } else { "remove" };
    format!("`{}` {how}. Press Ctrl-C to stop and {end} it.\n", subscription.name)
}

fn refuse_invalid(plugin: &Plugin, args: &ListenArgs, parameters: &Value) -> Result<(), Failure> {
    let path = args.plugin.display().to_string();
    let problems = plugin.validate_trigger(&args.trigger, parameters).map_err(of_plugin(&path))?;
    if problems.is_empty() {
        return Ok(());
    }
    let message =
        format!("The parameters do not match trigger `{}`; nothing was sent", args.trigger);
    let mut failure = Failure::input("invalid-input", message);
    failure.problems = problems;
    Err(failure.next(format!("harness inspect {} {}", shell(&path), args.trigger)))
}

/// Options that mean nothing to this trigger.
fn refuse_unfit(args: &ListenArgs, is_webhook: bool) -> Result<(), Failure> {
    let option = match is_webhook {
        true if args.interval.is_some() => "--interval",
        false if args.callback_url.is_some() => "--callback-url",
        _ => return Ok(()),
    };
    let is = if is_webhook { "uses a webhook" } else { "polls" };
    let message = format!("Trigger `{}` {is}, so {option} has no effect", args.trigger);
    Err(Failure::input("usage", message).next(format!("remove {option}")))
}

/// Address of the listener, and the callback URL for the service.
struct Listening {
    socket: TcpListener,
    callback: Url,
    path: String,
}

impl Listening {
    async fn bind(
        args: &ListenArgs,
        name: &str,
        before: Option<&Subscription>,
    ) -> Result<Self, Failure> {
        let socket = TcpListener::bind(args.listen).await.map_err(|error| {
            let message = format!("Cannot listen on {}: {error}", args.listen);
            Failure::input("listen", message).next("choose another address with --listen ADDRESS")
        })?;
        if let Some(callback) = &args.callback_url {
            let path = callback.path().to_owned();
            return Ok(Self { socket, callback: callback.clone(), path });
        }
        let address = socket.local_addr().map_err(Failure::internal)?;
        // The same path as before, so that the same port is the same address.
        let before = before.and_then(|before| Url::parse(before.callback_url.as_deref()?).ok());
        let path = before
            .map(|url| url.path().to_owned())
            .unwrap_or_else(|| format!("/hooks/{name}-{:032x}", rand::random::<u128>()));
        let callback = format!("http://{address}{path}");
        let callback = Url::parse(&callback).map_err(Failure::internal)?;
        Ok(Self { socket, path: callback.path().to_owned(), callback })
    }

    fn serve(self, listener: &Listener, name: &str) -> tokio::task::JoinHandle<()> {
        listener.route(&self.path, name);
        let listener = listener.clone();
        tokio::spawn(async move {
            if let Err(error) = listener.serve(self.socket).await {
                output::stderr(&format!("Stopped listening: {error}\n"));
            }
        })
    }
}
