//! `harness token`: the tokens with which engines use the server.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::json;
use url::Url;
use workflow_node_host::OriginPattern;
use workflow_node_host::description::Effect;
use workflow_node_server::{
    Config, Database, PageLinks, Policy, PolicySource, Role, TokenRecord, Tokens,
};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::output::{self, simple_table};
use crate::setup::Setup;
use crate::values::{duration, effect};

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token, and print it once. It is stored as a hash
    #[command(after_help = "Examples:
  harness token create n8n --role run --as n8n
  harness token create n8n --policy n8n --config serve.toml --expires 2160h
  harness token create reports --role run --effect read --credential work

Without options, a token can only read descriptions. --tenant and --as set whom the token acts as.")]
    Create(Box<CreateArgs>),
    /// Make a link that lets one person into the server's page, once
    #[command(after_help = "Examples:
  harness token page ada --role run --role connect
  harness token page ada
  harness token page ada --url https://harness.example.com

The first command creates the token `ada`, the second makes another link for it. Open the link in a
browser within 10 minutes. The page can do what the token allows, for 8 hours. Revoking the token ends
its links and sessions: harness token revoke ada")]
    Page(Box<PageArgs>),
    /// List tokens. Their text is not stored
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Refuse all further requests with a token. Running executions go on
    Revoke {
        /// Name of the token
        name: String,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Name of the token in the audit log
    name: String,
    /// Use the policy of this name in the server's configuration file, as it is when the token is used
    #[arg(long, value_name = "NAME", conflicts_with_all = ["roles", "plugins", "actions", "effects",
        "credentials", "destinations", "raw_secrets", "secrets", "inline_credentials", "deliver_to",
        "deliver_to_private", "pins"])]
    policy: Option<String>,
    /// Configuration file in which the policy must be
    #[arg(long, value_name = "FILE", requires = "policy")]
    config: Option<PathBuf>,
    /// What the token may do: run, connect, approve, or monitor. Repeatable
    #[arg(long = "role", value_name = "ROLE",
        value_parser = PossibleValuesParser::new(["run", "connect", "approve", "monitor"]))]
    roles: Vec<String>,
    /// Allow only this plugin. Repeatable
    #[arg(long = "plugin", value_name = "NAME")]
    plugins: Vec<String>,
    /// Allow only this action or trigger; `incident.*` stands for all that begin with `incident.`.
    /// Repeatable
    #[arg(long = "action", value_name = "NAME")]
    actions: Vec<String>,
    /// Allow only actions with this effect: read, create, update, delete, or execute. Repeatable
    #[arg(long = "effect", value_name = "EFFECT", value_parser = effect)]
    effects: Vec<Effect>,
    /// Allow only this credential. Repeatable
    #[arg(long = "credential", value_name = "NAME")]
    credentials: Vec<String>,
    /// Allow requests only to this origin, e.g. https://*.example.com. Repeatable
    #[arg(long = "destination", value_name = "ORIGIN")]
    destinations: Vec<OriginPattern>,
    /// Allow parameters that hold secrets themselves
    #[arg(long)]
    raw_secrets: bool,
    /// Allow only this stored secret in parameters. Repeatable
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,
    /// Allow calls to bring credentials that live as long as their execution
    #[arg(long)]
    inline_credentials: bool,
    /// Allow events to be sent to this origin, e.g. https://n8n.example.com. Its name must have public
    /// addresses; an origin whose host is an address or localhost is reached as it is written.
    /// Repeatable
    #[arg(long = "deliver-to", value_name = "ORIGIN")]
    deliver_to: Vec<String>,
    /// Allow names in --deliver-to to have addresses of private networks
    #[arg(long)]
    deliver_to_private: bool,
    /// Make this action a separate tool for clients of MCP, e.g. pagerduty/incident.list. Repeatable
    #[arg(long = "pin", value_name = "PLUGIN/ACTION")]
    pins: Vec<String>,
    /// How long the token is valid, e.g. 2160h for 90 days [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires: Option<Duration>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Report,
}

#[derive(Args)]
pub(crate) struct PageArgs {
    /// Address under which browsers reach the server [default: as the server noted when it started]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// How long the link works
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    within: Duration,
    #[command(flatten)]
    token: CreateArgs,
}

impl TokenCommand {
    pub(crate) fn format(&self) -> Report {
        match self {
            Self::Create(args) => args.format,
            Self::Page(args) => args.token.format,
            Self::List { format } | Self::Revoke { format, .. } => *format,
        }
    }
}

pub(crate) fn run(setup: &Setup, command: TokenCommand) -> Result<Exit, Failure> {
    let database = Database::open(&setup.data)?;
    let tokens = Tokens::new(database.clone());
    match command {
        TokenCommand::Create(args) => create(setup, &tokens, &args),
        TokenCommand::Page(args) => page(setup, &tokens, &PageLinks::new(database), &args),
        TokenCommand::List { format } => list(&tokens, format),
        TokenCommand::Revoke { name, format } => {
            tokens.revoke(&name)?;
            match format {
                Report::Json => output::stdout_report(&json!({ "token": name, "revoked": true }))?,
                Report::Text => output::stdout("Revoked.\n")?,
            }
            Ok(Exit::Success)
        }
    }
}

impl CreateArgs {
    /// Whether the options say what the token may do.
    fn says_what_is_allowed(&self) -> bool {
        let lists =
            [&self.roles, &self.plugins, &self.actions, &self.credentials, &self.deliver_to];
        lists.iter().any(|list| !list.is_empty())
            || !self.effects.is_empty()
            || !self.destinations.is_empty()
            || self.raw_secrets
            || self.deliver_to_private
    }
}

/// Makes a link with the rights of a token, which is created if the options say what it may do.
fn page(
    setup: &Setup,
    tokens: &Tokens,
    links: &PageLinks,
    args: &PageArgs,
) -> Result<Exit, Failure> {
    let token = &args.token;
    let is_new = token.policy.is_some() || token.says_what_is_allowed();
    if is_new {
        // Nobody needs its text: the link and its session are all that is used of it.
        drop(tokens.create(&token.name, &source(setup, token)?, token.expires)?);
    }
    let link = links.create(&token.name, args.url.as_ref(), args.within)?;
    match token.format {
        Report::Json => {
            output::stdout_report(&json!({ "name": token.name, "url": link.expose() }))?;
        }
        Report::Text => {
            output::stdout(&format!("{}\n", link.expose()))?;
            output::stderr("Open the link in a browser. It works once.\n");
        }
    }
    Ok(Exit::Success)
}

/// The policy that the options say.
fn source(setup: &Setup, args: &CreateArgs) -> Result<PolicySource, Failure> {
    Ok(match &args.policy {
        Some(policy) => {
            if let Some(path) = &args.config
                && !Config::read(path)?.policies.contains_key(policy)
            {
                let message = format!("Configuration {} has no policy `{policy}`", path.display());
                return Err(Failure::input("unknown", message).next("add it to `policies`"));
            }
            PolicySource::Named(policy.clone())
        }
        None => PolicySource::Own(Box::new(own(setup, args))),
    })
}

fn create(setup: &Setup, tokens: &Tokens, args: &CreateArgs) -> Result<Exit, Failure> {
    let token = tokens.create(&args.name, &source(setup, args)?, args.expires)?;
    match args.format {
        Report::Json => {
            output::stdout_report(&json!({ "name": args.name, "token": token.expose() }))?;
        }
        Report::Text => {
            output::stdout(&format!("{}\n", token.expose()))?;
            output::stderr("The token is not shown again. Store it in the engine's credentials.\n");
        }
    }
    Ok(Exit::Success)
}

fn own(setup: &Setup, args: &CreateArgs) -> Policy {
    fn set<T: Ord + Clone>(list: &[T]) -> Option<std::collections::BTreeSet<T>> {
        (!list.is_empty()).then(|| list.iter().cloned().collect())
    }
    let role = |name: &String| match name.as_str() {
        "run" => Role::Run,
        "connect" => Role::Connect,
        "approve" => Role::Approve,
        _ => Role::Monitor,
    };
    let principal = &setup.principal;
    let mut policy = Policy::default();
    policy.tenant = (!principal.tenant.is_default()).then(|| principal.tenant.to_string());
    policy.actor = (!principal.user.is_default()).then(|| principal.user.to_string());
    policy.roles = args.roles.iter().map(role).collect();
    policy.plugins = set(&args.plugins);
    policy.actions = set(&args.actions);
    policy.effects = set(&args.effects);
    policy.credentials = set(&args.credentials);
    policy.destinations = (!args.destinations.is_empty()).then(|| args.destinations.clone());
    policy.raw_secrets = args.raw_secrets;
    policy.secrets = set(&args.secrets);
    policy.inline_credentials = args.inline_credentials;
    policy.deliver_to = args.deliver_to.iter().cloned().collect();
    policy.deliver_to_private = args.deliver_to_private;
    policy.pinned = args.pins.iter().cloned().collect();
    policy
}

fn list(tokens: &Tokens, format: Report) -> Result<Exit, Failure> {
    let all = tokens.list()?;
    if format == Report::Json {
        output::stdout_report(&all)?;
        return Ok(Exit::Success);
    }
    let now = jiff::Timestamp::now();
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let rows: Vec<Vec<String>> = all.iter().map(|token| row(token, now)).collect();
    if !rows.is_empty() {
        output::stdout(&simple_table(&["name", "id", "state", "acts as", "allowed"], &rows))?;
    }
    output::stderr(&format!("{}\n", output::count(rows.len(), "token")));
    Ok(Exit::Success)
}

fn row(token: &TokenRecord, now: u64) -> Vec<String> {
    let date = |time: u64| {
        let time = i64::try_from(time).ok().and_then(|t| jiff::Timestamp::from_millisecond(t).ok());
        time.map_or_else(String::new, |time| time.strftime("%Y-%m-%d").to_string())
    };
    let state = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", date(at)),
        (None, Some(at)) if at <= now => format!("expired {}", date(at)),
        (None, Some(at)) => format!("until {}", date(at)),
        (None, None) => "valid".to_owned(),
    };
    let (actor, allowed) = match &token.policy {
        PolicySource::Named(name) => (String::new(), format!("policy {name}")),
        PolicySource::Own(policy) => {
            let roles: Vec<&str> = policy.roles.iter().map(|role| role.name()).collect();
            (policy.principal().to_string(), roles.join(", "))
        }
        _ => (String::new(), String::new()),
    };
    vec![token.name.clone(), token.id.clone(), state, actor, allowed]
}
