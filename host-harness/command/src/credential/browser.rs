//! The way through the browser: what is shown before, how the answer comes back, what is asked after.

use std::io::{BufRead as _, IsTerminal as _};

use serde_json::json;
use url::Url;
use workflow_node_host::Plugin;
use workflow_node_host::oauth::{
    Actor, Authorization, ConnectOrder, CredentialManager, Loopback, NewConnection, Page, Received,
    WAITING,
};

use super::args::Browser;
use super::shown::{point, rights_text};
use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::interrupt::Interrupt;
use crate::output;
use crate::prompt::{ask_terminal, asked};

/// No pasted address is longer.
const LONGEST: u64 = 16 * 1024;

/// How the answer comes back to this machine.
enum Way {
    Listening(Loopback),
    Pasted,
}

/// Goes through the browser. Nothing is kept yet.
pub(super) async fn connection(
    manager: &CredentialManager,
    plugin: &Plugin,
    mut order: ConnectOrder,
    by: &Actor,
    args: &Browser,
    format: Report,
) -> Result<NewConnection, Failure> {
    let path = "";
    let (way, redirect) = way(args).await?;
    let name = order.name.clone();
    let replaces = order.replacing;
    order.redirect = Some(redirect.clone());
    order.insecure_redirect = args.insecure_redirect;
    // First of all, because an app has to be registered with it before anything can work.
    tell(format, &format!("Redirect URI to register with the app:\n  {redirect}\n"));
    if args.redirect_url.is_none() {
        tell(
            format,
            "The port is different each time. If the service requires an exact match with the \
             registered URI, use a fixed port: --redirect-url http://127.0.0.1:8912/callback\n",
        );
    }
    let authorization = manager
        .begin(plugin, order, by)
        .await
        .map_err(|error| Failure::connecting(&error, path))?;
    tell(format, &shown(&authorization, replaces));
    for warning in &authorization.warnings {
        output::warning("redirect", warning, format.into());
    }
    let interrupt = Interrupt::listen();
    if !args.yes && format == Report::Text && ask_terminal() && !asked("Continue? [y/N] ")? {
        manager.abandon(&authorization.state);
        return Err(Failure::input("confirmation", "Canceled; nothing was changed"));
    }
    let told = open(&authorization, args, format, &redirect);
    tell(format, &told);
    let cancelled = interrupt.token();
    let callback = tokio::select! {
        callback = answer(&way) => callback,
        () = cancelled.cancelled() => {
            Err(Failure::new(Exit::Failed, "interrupted", "Canceled; nothing was stored"))
        }
    };
    let (callback, received) = match callback {
        Ok(callback) => callback,
        Err(failure) => {
            manager.abandon(&authorization.state);
            return Err(failure);
        }
    };
    // Regardless of the result, a second response finds no listener.
    drop(way);
    let finished = tokio::select! {
        finished = manager.finish(&callback, by) => finished,
        () = cancelled.cancelled() => {
            return Err(Failure::new(Exit::Failed, "interrupted", "Canceled; nothing was stored"));
        }
    };
    if let Some(received) = received {
        received.show(&page(&name, finished.as_ref().ok())).await;
    }
    finished.map_err(|error| Failure::connecting(&error, path))
}

/// Another account than before is stored only if the user confirms it.
pub(super) fn confirmed(
    mut connection: NewConnection,
    args: &Browser,
    format: Report,
) -> Result<NewConnection, Box<(NewConnection, Failure)>> {
    if connection.other_account.is_empty() {
        return Ok(connection);
    }
    let mut text = "The account or user differs from before:\n".to_owned();
    for one in &connection.other_account {
        text.push_str(&point(&format!("{} was {}, is {}", one.what, one.was, one.is)));
    }
    tell(format, &text);
    let wanted = if args.other_account {
        Ok(true)
    } else if format == Report::Text && ask_terminal() {
        asked("Use the new account or user everywhere this credential is used? [y/N] ")
    } else {
        Ok(false)
    };
    match wanted {
        Ok(true) => {
            connection.confirm_other_account();
            Ok(connection)
        }
        Ok(false) => {
            let message = "The account or user differs from before; nothing was changed";
            let failure = Failure::new(Exit::Failed, "other-account", message)
                .next("to accept the change, add --other-account");
            Err(Box::new((connection, failure)))
        }
        Err(failure) => Err(Box::new((connection, failure))),
    }
}

async fn way(args: &Browser) -> Result<(Way, Url), Failure> {
    let failed = |error: std::io::Error| {
        Failure::input("redirect-url", format!("Cannot listen for the callback: {error}"))
            .next("choose another port, or use --paste with a registered --redirect-url")
    };
    let Some(text) = &args.redirect_url else {
        let listening = Loopback::bind().await.map_err(failed)?;
        let redirect = listening.redirect_url().clone();
        let way = if args.paste { Way::Pasted } else { Way::Listening(listening) };
        return Ok((way, redirect));
    };
    let redirect = Url::parse(text).map_err(|error| {
        Failure::input("redirect-url", format!("`{text}` is not a valid URL: {error}"))
    })?;
    if args.paste {
        return Ok((Way::Pasted, redirect));
    }
    let is_loopback =
        redirect.scheme() == "http" && matches!(redirect.host_str(), Some("127.0.0.1" | "[::1]"));
    if is_loopback {
        let listening = Loopback::for_redirect(&redirect).await.map_err(failed)?;
        return Ok((Way::Listening(listening), redirect));
    }
    if !std::io::stdin().is_terminal() {
        let message =
            format!("{redirect} is not on this machine, so the callback URL must be pasted");
        return Err(Failure::input("redirect-url", message)
            .next("pass the callback URL on standard input with --paste"));
    }
    Ok((Way::Pasted, redirect))
}

/// Lists the permissions that will be requested, before the browser opens.
fn shown(authorization: &Authorization, replaces: bool) -> String {
    let mut text = "\nThe service will ask you to grant\n".to_owned();
    text.push_str(&rights_text(&authorization.rights));
    if replaces && authorization.added.len() < authorization.rights.len() {
        let added = match authorization.added.as_slice() {
            [] => "none; all of these are granted already".to_owned(),
            added => added.join(", "),
        };
        text.push_str(&format!("New: {added}\n"));
    }
    text.push('\n');
    text
}

/// Opens the browser unless that is disabled, and returns the text with the URL.
fn open(authorization: &Authorization, args: &Browser, format: Report, redirect: &Url) -> String {
    let url = authorization.url.as_str();
    if format == Report::Json {
        let event = json!({ "authorize": { "url": url, "redirect_url": redirect.as_str(),
            "rights": authorization.rights, "added": authorization.added } });
        output::stderr(&format!("{event}\n"));
    }
    let is_open = !args.no_browser && !args.paste && open_page(url);
    let mut text = if is_open {
        "The page should open in your browser. If it does not, open this URL:\n".to_owned()
    } else {
        "Open this URL in a browser:\n".to_owned()
    };
    text.push_str(&format!("\n{url}\n\n"));
    text
}

/// Variables that hold secrets, which a browser has no use for.
const SECRET_VARIABLES: &[&str] = &["WORKFLOW_NODE_KEY", "WORKFLOW_NODE_CLIENT_SECRET"];

/// Opens a page of a service: nothing but https, and by no shell.
#[cfg(unix)]
fn open_page(url: &str) -> bool {
    if !url.starts_with("https://") {
        return false;
    }
    for mut command in open::commands(url) {
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        let quiet = std::process::Stdio::null;
        command.stdin(quiet()).stdout(quiet()).stderr(quiet());
        if let Ok(mut child) = command.spawn() {
            // Some of these programs stay as long as the browser does.
            std::thread::spawn(move || child.wait());
            return true;
        }
    }
    false
}

/// The system's own call starts the browser, and no command of ours.
#[cfg(windows)]
fn open_page(url: &str) -> bool {
    let _kept = SECRET_VARIABLES;
    url.starts_with("https://") && webbrowser::open(url).is_ok()
}

#[cfg(not(any(unix, windows)))]
fn open_page(_url: &str) -> bool {
    let _kept = SECRET_VARIABLES;
    false
}

async fn answer(way: &Way) -> Result<(String, Option<Received>), Failure> {
    match way {
        Way::Listening(listening) => {
            let received = listening.receive(WAITING).await.map_err(|error| {
                Failure::new(Exit::Failed, "no-callback", error.to_string()).next(
                    "run the command again, and complete the consent in the browser until it shows \
                     Connected",
                )
            })?;
            Ok((received.url.clone(), Some(received)))
        }
        Way::Pasted => {
            output::stderr(
                "Then paste the complete URL on which the browser ends, even if it shows an \
                 error:\n",
            );
            // A read of standard input cannot be given up; the process may end meanwhile.
            let (sender, line) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let mut line = String::new();
                let read = std::io::Read::take(std::io::stdin().lock(), LONGEST);
                let read = std::io::BufReader::new(read).read_line(&mut line);
                let _told = sender.send(read.map(|_| line)).is_ok();
            });
            let line = line.await.map_err(Failure::internal)?.map_err(Failure::internal)?;
            if line.trim().is_empty() {
                let message = "No callback URL was pasted; nothing was stored";
                return Err(Failure::new(Exit::Failed, "no-callback", message));
            }
            Ok((line, None))
        }
    }
}

fn page(name: &str, connection: Option<&NewConnection>) -> Page {
    let Some(connection) = connection else { return Page::failed(name) };
    if !connection.other_account.is_empty() {
        return Page::to_confirm(name);
    }
    let text = |claim: &str| connection.identity.get(claim).and_then(|value| value.as_str());
    let account = text("subdomain").or_else(|| text("account_id")).unwrap_or_default();
    let rights: Vec<String> = connection
        .granted
        .iter()
        .map(|right| {
            if right.description.is_empty() {
                right.scope.clone()
            } else {
                right.description.clone()
            }
        })
        .collect();
    Page::connected(name, account, &rights)
}

/// Prints progress for people. Programs read the report and the events instead.
fn tell(format: Report, text: &str) {
    if format == Report::Text {
        output::stderr(text);
    }
}
