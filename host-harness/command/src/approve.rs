//! `harness approve`: shows in words what a plugin asks for, and records that it may.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use workflow_node_host::description::{Action, AnsweredBy, Delivery};
use workflow_node_host::{
    Approval, Approvals as _, FileApprovals, GrantRequest, Plugin, Servers, Withheld, chain,
};

use crate::cli::ApproveArgs;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::groups::groups;
use crate::installed::Installed;
use crate::output::{self, READING, one_line, simple_table, wrapped};
use crate::package::Signer;
use crate::prompt::{ask_terminal, asked};
use crate::setup::Setup;
use crate::words::{EFFECTS, delivery_in_short, effect, every, size};

pub(crate) async fn run(setup: &Setup, args: &ApproveArgs) -> Result<Exit, Failure> {
    let plugin = setup.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    let approvals = FileApprovals::new(&setup.approvals);
    let (_, package) = Installed::new(&setup.data).open(&args.plugin)?;
    let signer =
        Signer::judge(&approvals, &plugin, package.as_ref(), &args.signer, &args.plugin).await?;
    let earlier = approvals
        .latest(&plugin.grant_request().node)
        .await
        .map_err(|error| Failure::input("approvals", chain(&error)))?;
    let growth = plugin.growth().await.map_err(of_plugin)?;
    let mut withheld = Withheld::default();
    if let Some(earlier) = earlier.as_deref().filter(|_| !args.in_full) {
        withheld.extend(earlier.withheld.clone());
        withheld.restrict(plugin.grant_request());
    }
    withheld.extend(asked_to_withhold(plugin.grant_request(), args)?);
    withheld
        .check(plugin.grant_request())
        .map_err(|problem| Failure::input("withheld", problem))?;
    let mut servers = earlier.as_deref().map(|one| one.servers.clone()).unwrap_or_default();
    servers.restrict(plugin.grant_request());
    for (name, _) in args.server.iter().chain(&args.private_server) {
        servers = servers.without(name);
    }
    for (chosen, private) in [(&args.server, false), (&args.private_server, true)] {
        for (name, origin) in chosen {
            servers = servers.with(name, origin.clone(), private);
        }
    }
    servers.check(plugin.grant_request()).map_err(|problem| Failure::input("server", problem))?;
    let already = match plugin.approval().await {
        Ok(approval) => approval.withheld == withheld && approval.servers == servers,
        Err(error) if error.is_disabled() => {
            return Err(of_plugin(error));
        }
        Err(_) => false,
    };
    let already = already && signer.pins().is_none();
    if args.format == Report::Text {
        output::stdout(&shown(
            &plugin,
            &path,
            earlier.as_deref(),
            growth.as_deref(),
            already,
            args.all,
        ))?;
        if let Some(words) = signer.in_words() {
            output::stdout(&format!("Signed with\n{}\n", point(&words)))?;
        }
        output::stdout(&chosen_in_words(&plugin, &servers, &path))?;
        output::stdout(&withheld_in_words(&withheld))?;
    }
    if !already {
        if !args.yes && !confirmed(args, &path)? {
            let failure =
                Failure::new(Exit::Plugin, "not-approved", "Not approved; nothing was changed");
            return Err(failure);
        }
        signer.pin(&approvals, &plugin.description().node.name).await?;
        let approved = plugin.approve_with(servers.clone(), withheld.clone(), approver()).await;
        approved.map_err(of_plugin)?;
    }
    let file = setup.approvals.display();
    match args.format {
        Report::Text if already => output::stdout(&format!("Already approved in {file}.\n"))?,
        Report::Text => output::stdout(&format!("Approved in {file}.\n"))?,
        Report::Json if args.quiet => {}
        Report::Json => {
            let mut report = json!({
                "digest": plugin.digest(),
                "approved": true,
                "already": already,
                "approvals": setup.approvals,
                "earlier": earlier.map(|approval| approval.digest),
                "growth": growth,
                "grant": plugin.grant_request(),
                "withheld": withheld,
            });
            if let Some(key) = &signer.key {
                report["signed_with"] = json!(key);
            }
            if !servers.is_empty() {
                report["servers"] = json!(servers);
            }
            output::stdout_report(&report)?;
        }
    }
    Ok(Exit::Success)
}

/// The user of the operating system, for the record.
pub(crate) fn approver() -> Option<String> {
    let user = ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    user.filter(|name| !name.is_empty())
}

/// Permissions that the options withhold.
fn asked_to_withhold(request: &GrantRequest, args: &ApproveArgs) -> Result<Withheld, Failure> {
    let mut withheld = Withheld {
        origins: args.without_origin.clone(),
        effects: args.without_effect.iter().copied().collect(),
        actions: args.without_action.iter().cloned().collect(),
        scopes: BTreeMap::new(),
    };
    for text in &args.without_scope {
        // A scope may hold a colon itself.
        let of_one =
            text.split_once(':').filter(|(name, _)| request.credentials.contains_key(*name));
        let types: Vec<(&str, &str)> = match of_one {
            Some(one) => vec![one],
            None => request
                .credentials
                .iter()
                .filter(|(_, grant)| grant.scopes.contains(text))
                .map(|(name, _)| (name.as_str(), text.as_str()))
                .collect(),
        };
        if types.is_empty() {
            let message = format!("The plugin does not request the scope `{text}`");
            return Err(Failure::input("withheld", message));
        }
        for (name, scope) in types {
            withheld.scopes.entry(name.to_owned()).or_default().insert(scope.to_owned());
        }
    }
    Ok(withheld)
}

/// The origins of the plugin's servers, and how to choose those that have none.
fn chosen_in_words(plugin: &Plugin, servers: &Servers, path: &str) -> String {
    let asked = &plugin.grant_request().servers;
    if asked.is_empty() {
        return String::new();
    }
    let mut text = "Servers\n".to_owned();
    for line in servers.in_words() {
        text.push_str(&point(&line));
    }
    for server in asked.iter().filter(|server| !servers.iter().any(|(name, _)| name == server.name))
    {
        text.push_str(&point(&format!(
            "{}: not chosen ({}). To choose it: harness approve {} --server {}=https://HOST",
            server.name,
            server.description,
            shell(path),
            server.name
        )));
    }
    text.push('\n');
    text
}

fn withheld_in_words(withheld: &Withheld) -> String {
    if withheld.is_empty() {
        return String::new();
    }
    let mut text = "Withheld\n".to_owned();
    for line in withheld.in_words() {
        text.push_str(&point(&line));
    }
    text.push('\n');
    text
}

fn confirmed(args: &ApproveArgs, path: &str) -> Result<bool, Failure> {
    if args.format == Report::Json || !ask_terminal() {
        let message = "Cannot prompt for confirmation without a terminal";
        return Err(Failure::input("confirmation", message).next(format!(
            "review the requested permissions, then: harness approve {} --yes",
            shell(path)
        )));
    }
    asked("Approve these permissions? [y/N] ")
}

fn shown(
    plugin: &Plugin,
    path: &str,
    earlier: Option<&Approval>,
    growth: Option<&[String]>,
    already: bool,
    all: bool,
) -> String {
    let node = &plugin.description().node;
    let mut text = one_line(&format!(
        "{} ({}), version {}, {}, {}",
        node.name,
        node.display_name,
        node.version,
        size(plugin.surface().size),
        path
    ));
    text.push_str(&format!("\n{}\n", plugin.digest()));
    if let (Some(earlier), Some(growth), false) = (earlier, growth, already) {
        text.push_str(&difference(earlier, growth, path, all));
    }
    text.push_str(&request(plugin, path, all));
    text
}

/// Describes changes since an earlier component of the node was approved.
fn difference(earlier: &Approval, growth: &[String], path: &str, all: bool) -> String {
    let mut text = format!("\nAnother build of this node is approved ({}).\n", earlier.digest);
    if growth.is_empty() {
        text.push_str("This build requests no new permissions.\n");
        return text;
    }
    text.push_str("This build requests new permissions:\n");
    // New rights over addresses, credentials and secrets are always told one by one.
    let is_action = |line: &&String| line.starts_with(NEW_ACTION);
    let (actions, others): (Vec<&String>, Vec<&String>) = growth.iter().partition(is_action);
    for line in others {
        text.push_str(&point(&format!("+ {line}")));
    }
    if all || actions.len() <= ONE_BY_ONE {
        for line in actions {
            text.push_str(&point(&format!("+ {line}")));
        }
        return text;
    }
    text.push_str(&point(&format!("+ {} new actions. To list them:", actions.len())));
    text.push_str(&format!("    harness approve {} --all\n", shell(path)));
    text
}

/// The secrets that the guest does not see, each with its places.
fn secrets(request: &GrantRequest, all: bool) -> String {
    let mut names: Vec<&str> = Vec::new();
    for secret in &request.secrets {
        if !names.contains(&secret.name.as_str()) {
            names.push(&secret.name);
        }
    }
    let mut text = String::new();
    if !names.is_empty() {
        text.push_str("\nSecrets hidden from the plugin\n");
    }
    for name in names {
        let of_name = || request.secrets.iter().filter(|secret| secret.name == name);
        let answers: Vec<String> = of_name()
            .filter_map(|secret| match (&secret.path, &secret.pointer) {
                (Some(path), Some(pointer)) => Some(format!("in responses of {path} at {pointer}")),
                _ => None,
            })
            .collect();
        let mut places = match answers.len() {
            number if number > PLACES && !all => {
                vec![format!("at {number} positions in responses")]
            }
            _ => answers,
        };
        if of_name().any(|secret| secret.path.is_none()) {
            places.push("typed by users".to_owned());
        }
        let written: BTreeSet<String> = of_name()
            .flat_map(|secret| &secret.placements)
            .map(|placement| {
                format!("placed in requests to {} at {}", placement.path, placement.pointer)
            })
            .collect();
        places.extend(written);
        text.push_str(&point(&format!("{name}: {}", places.join("; "))));
    }
    text
}

/// So many places of one secret are read one by one.
const PLACES: usize = 3;

/// Prefix with which the library reports an action that was not granted.
const NEW_ACTION: &str = "the action ";

/// So many actions are read one by one.
const ONE_BY_ONE: usize = 20;

/// The actions by what they do: all of them, or how many of which resource.
fn actions(plugin: &Plugin, path: &str, all: bool) -> String {
    let number = plugin.description().node.actions.len();
    if all || number <= ONE_BY_ONE {
        let mut text = "\nActions\n".to_owned();
        for (kind, actions) in &plugin.grant_request().actions {
            let names: Vec<&str> = actions.iter().map(String::as_str).collect();
            let kind = effect(*kind);
            text.push_str(&point(&format!("{} {kind}: {}", names.len(), names.join(", "))));
        }
        return text;
    }
    let groups = groups(plugin.description());
    let row = |title: &str, actions: &[&Action]| {
        let mut row = vec![title.to_owned()];
        row.extend(EFFECTS.map(|kind| {
            match actions.iter().filter(|action| action.effect == kind).count() {
                0 => "-".to_owned(),
                number => number.to_string(),
            }
        }));
        row
    };
    let mut rows: Vec<Vec<String>> =
        groups.iter().map(|group| row(group.title, &group.actions)).collect();
    rows.push(row("All", &plugin.description().node.actions.iter().collect::<Vec<_>>()));
    let mut headers = vec!["on"];
    headers.extend(EFFECTS.map(effect));
    let mut text = format!("\n{number} actions, by effect\n");
    for line in simple_table(&headers, &rows).lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!("  To list every action: harness approve {} --all\n", shell(path)));
    text
}

/// All that is asked for, in words.
fn request(plugin: &Plugin, path: &str, all: bool) -> String {
    let request = plugin.grant_request();
    let mut text = "\nSends requests to\n".to_owned();
    for origin in &request.origins {
        text.push_str(&point(&origin.to_string()));
    }
    for server in &request.servers {
        let within: Vec<String> = server.within.iter().map(ToString::to_string).collect();
        let (name, within) = (&server.name, within.join(" or "));
        let line = format!("{{{name}}} is a server that you choose within {within}");
        text.push_str(&point(&line));
    }
    for (name, credential) in &request.credentials {
        text.push_str(&format!("\nPlaces credentials of type {}\n", one_line(name)));
        for placement in &credential.placements {
            text.push_str(&point(&placement.in_words()));
        }
        if !credential.oauth_endpoints.is_empty() {
            let list: Vec<&str> = credential.oauth_endpoints.iter().map(String::as_str).collect();
            text.push_str(&point(&format!("obtained by OAuth at {}", list.join(" and "))));
        }
        if !credential.scopes.is_empty() {
            let count = credential.scopes.len();
            let list = folded(&credential.scopes).join(", ");
            text.push_str(&point(&format!("with at most these scopes ({count}): {list}")));
        }
        for (name, values) in credential.authorize_parameters() {
            let values = values.join(" or ");
            text.push_str(&point(&format!("requesting consent with {name}={values}")));
        }
    }
    text.push_str(&secrets(request, all));
    text.push_str(&actions(plugin, path, all));
    if !request.triggers.is_empty() {
        text.push_str("\nTriggers\n");
    }
    for (name, delivery) in &request.triggers {
        text.push_str(&point(&match delivery {
            Delivery::Poll(poll) => format!("{name}: polls {}", every(poll.interval_ms)),
            Delivery::Webhook(webhook) => {
                let signed = match &webhook.signature {
                    Some(signature) => format!("signed in the header {}", signature.header),
                    None => "NOT signed".to_owned(),
                };
                let answered = match webhook.answered_by {
                    AnsweredBy::Plugin => ", answered by the plugin",
                    _ => "",
                };
                format!("{name}: creates webhooks at the service, {signed}{answered}")
            }
            other => format!("{name}: {}", delivery_in_short(other)),
        }));
    }
    text.push('\n');
    text
}

/// Names that differ in their last part only, as one: `users.{read,write}`.
fn folded(names: &BTreeSet<String>) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut alone = Vec::new();
    for name in names {
        match name.rsplit_once('.') {
            Some((first, last)) => groups.entry(first).or_default().push(last),
            None => alone.push(name.clone()),
        }
    }
    let folded = groups.into_iter().map(|(first, lasts)| match lasts.as_slice() {
        [last] => format!("{first}.{last}"),
        lasts => format!("{first}.{{{}}}", lasts.join(",")),
    });
    alone.into_iter().chain(folded).collect()
}

/// One point of a list.
fn point(words: &str) -> String {
    let lines = wrapped(words, READING - 4);
    format!("  {}\n", lines.join("\n    "))
}
