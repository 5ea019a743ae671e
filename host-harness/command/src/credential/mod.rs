//! `harness credential`: connects accounts, shows whether they work, shares and ends them. Secrets go
//! in and never come out.

pub(crate) mod args;
mod browser;
mod connect;
mod device;
mod end;
mod form;
mod keys;
mod secrets;
mod share;
mod shown;

use std::path::Path;

use serde_json::Map;
use workflow_node_host::credential::{ConnectionKey, Mode};
use workflow_node_host::oauth::CredentialManager;
use workflow_node_host::store::SqliteStore;
use workflow_node_host::{Host, Identity, ItemErrorKind, Plugin};

use crate::exit::{Exit, Failure, shell};
use crate::flags::{Network, Report};
use crate::interrupt::Interrupt;
use crate::output;
use crate::prompt::{ask_terminal, asked};
use crate::setup::Setup;
use crate::store::LateStore;
use args::{CredentialCommand, TestArgs};
pub(crate) use end::ToldOnTerminal;

pub(crate) async fn run(setup: &Setup, command: CredentialCommand) -> Result<Exit, Failure> {
    match command {
        CredentialCommand::Connect(args) => connect::connect(setup, *args).await,
        CredentialCommand::Add(args) => connect::add(setup, *args).await,
        CredentialCommand::Reconnect(args) => connect::reconnect(setup, *args).await,
        CredentialCommand::Extend(args) => connect::extend(setup, *args).await,
        CredentialCommand::List { format } => shown::list(setup, format),
        CredentialCommand::Show { name, format } => shown::show(setup, &name, format),
        CredentialCommand::Test(args) => test(setup, &args).await,
        CredentialCommand::Describe { name, text, format } => {
            share::describe(setup, &name, text, format).await
        }
        CredentialCommand::Share(args) => share::share(setup, args).await,
        CredentialCommand::Unshare { name, yes, format } => {
            share::unshare(setup, &name, yes, format).await
        }
        CredentialCommand::AllowActions { name, actions, all, format } => {
            share::allow(setup, &name, (!all).then_some(actions), format).await
        }
        CredentialCommand::Disconnect(args) => end::disconnect(setup, *args).await,
        CredentialCommand::Remove { name, yes, format } => end::remove(setup, &name, yes, format),
        CredentialCommand::Export(args) => keys::export(setup, &args),
        CredentialCommand::Import(args) => keys::import(setup, &args),
        CredentialCommand::KeyFile { file } => keys::key_file(&file),
        CredentialCommand::RotateKey(args) => keys::rotate(setup, &args),
    }
}

/// A host over the store, and what manages the credentials in it.
struct World<'a> {
    setup: &'a Setup,
    host: Host,
    store: LateStore,
}

impl<'a> World<'a> {
    fn new(setup: &'a Setup, network: &Network) -> Result<Self, Failure> {
        let store = LateStore::default();
        let host = setup.host(network, Some(&store))?;
        Ok(Self { setup, host, store })
    }

    async fn load(&self, plugin: &Path) -> Result<Plugin, Failure> {
        self.setup.load_with(&self.host, plugin).await
    }

    fn manager(&self) -> Result<&CredentialManager, Failure> {
        self.host.credentials().map_err(|error| Failure::of(&error, ""))
    }

    fn store(&self) -> Result<&SqliteStore, Failure> {
        self.store.get()
    }
}

/// The connection that a name refers to: that of the acting user for a per-user credential.
fn key_of(setup: &Setup, store: &SqliteStore, name: &str) -> Result<ConnectionKey, Failure> {
    let id = setup.credential(name);
    let head = store.head(&id)?;
    if head.mode != Mode::PerUser {
        return Ok(ConnectionKey::of(id));
    }
    if !setup.is_named {
        let message = format!("`{name}` has one connection per user; name the user");
        return Err(Failure::input("user", message).next("name the user with --as USER"));
    }
    Ok(ConnectionKey::of_user(id, setup.principal.user.clone()))
}

/// Asks a question, unless `yes` has answered it.
fn confirm(yes: bool, question: &str, otherwise: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !ask_terminal() {
        let message = "Cannot prompt for confirmation without a terminal";
        return Err(Failure::input("confirmation", message).next(otherwise));
    }
    if asked(question)? {
        return Ok(());
    }
    Err(Failure::input("confirmation", "Canceled; nothing was changed"))
}

async fn test(setup: &Setup, args: &TestArgs) -> Result<Exit, Failure> {
    let world = World::new(setup, &args.network)?;
    let plugin = world.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    plugin.check_approval().await.map_err(of_plugin)?;
    let store = world.store.open(setup)?;
    let key = key_of(setup, store, &args.name)?;
    let interrupt = Interrupt::listen();
    let context = setup.context(&args.network).cancellation(interrupt.token());
    let tested = plugin.test_credential(&args.name, context).await;
    world.manager()?.settle().await;
    let identity = tested.map_err(|error| {
        let Some(item) = error.item().cloned() else { return of_plugin(error) };
        let exit = match item.kind {
            ItemErrorKind::Unauthenticated | ItemErrorKind::Forbidden => Exit::Credential,
            _ => Exit::Failed,
        };
        let mut failure = Failure::answered(exit, item);
        if exit == Exit::Credential {
            let (name, path) = (shell(&args.name), shell(&path));
            failure.next = Some(format!("harness credential reconnect {name} --plugin {path}"));
        }
        failure
    })?;
    remember(&world, &key, &identity).await?;
    match args.format {
        Report::Json => output::stdout_report(&identity)?,
        Report::Text => output::stdout(&shown::identity_text(&identity))?,
    }
    Ok(Exit::Success)
}

/// Whose a typed-in secret is shows only when it is proved; what an ID token has said stays.
async fn remember(
    world: &World<'_>,
    key: &ConnectionKey,
    identity: &Identity,
) -> Result<(), Failure> {
    let stored = world.store()?.read(key)?;
    if stored.connection.parts.configuration.oauth.is_some() {
        return Ok(());
    }
    let mut known = Map::new();
    let identity = serde_json::to_value(identity).map_err(Failure::internal)?;
    for (name, pointer) in [
        ("account", "/account/subdomain"),
        ("account_id", "/account/id"),
        ("user", "/user/email"),
        ("user_id", "/user/id"),
        ("region", "/region"),
        ("access", "/access"),
    ] {
        if let Some(value) = identity.pointer(pointer).filter(|value| value.is_string()) {
            known.insert(name.to_owned(), value.clone());
        }
    }
    world
        .manager()?
        .note_identity(key, known)
        .await
        .map_err(|error| Failure::of_credential(&error, ""))
}
