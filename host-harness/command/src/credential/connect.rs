//! `harness credential connect`, `add`, `reconnect` and `extend`: from a form to a credential that is
//! kept.

use serde_json::json;
use workflow_node_host::Plugin;
use workflow_node_host::credential::{ConnectionKey, Mode};
use workflow_node_host::description::{Access as Covers, CredentialType, Grant};
use workflow_node_host::oauth::{AskFor, ConnectOrder, NewConnection};

use super::args::{Access, AddArgs, AgainArgs, Browser, ConnectArgs, ExtendArgs, Naming, Rights};
use super::shown::{outcome_text, summary_text};
use super::{World, browser, form, key_of};
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output;
use crate::setup::Setup;

pub(super) async fn connect(setup: &Setup, args: ConnectArgs) -> Result<Exit, Failure> {
    let given = form::given(&args.form)?;
    let world = World::new(setup, &args.network)?;
    let plugin = world.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let credential_type = credential_type(&plugin, &args.credential_type, &path)?;
    given.check(credential_type)?;
    check_rights(credential_type, &args.rights)?;
    plugin.check_approval().await.map_err(|error| Failure::of(&error, &path))?;
    let mut order = named(setup, &args.name, &args.naming, credential_type)?;
    refuse_taken(setup, &world, &order)?;
    order.ask = ask(&args.rights);
    given.fill(credential_type, &mut order)?;
    let made = Made { world: &world, plugin: &plugin, path: &path, format: args.format };
    made.make(setup, order, &args.browser).await
}

pub(super) async fn add(setup: &Setup, args: AddArgs) -> Result<Exit, Failure> {
    let given = form::given(&args.form)?;
    let world = World::new(setup, &crate::flags::Network::default())?;
    let plugin = world.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    let credential_type = credential_type(&plugin, &args.credential_type, &path)?;
    if credential_type.grant != Grant::Fixed {
        let message = format!(
            "Credential type `{}` cannot be typed in; it is connected by {}",
            credential_type.name,
            credential_type.grant.name()
        );
        let (name, path) = (shell(&args.name), shell(&path));
        return Err(Failure::input("unsupported", message).next(format!(
            "harness credential connect {name} --plugin {path} --type {}",
            shell(&credential_type.name)
        )));
    }
    given.check(credential_type)?;
    plugin.check_approval().await.map_err(|error| Failure::of(&error, &path))?;
    let mut order = named(setup, &args.name, &args.naming, credential_type)?;
    refuse_taken(setup, &world, &order)?;
    given.fill(credential_type, &mut order)?;
    let made = Made { world: &world, plugin: &plugin, path: &path, format: args.format };
    made.make(setup, order, &Browser::default()).await
}

pub(super) async fn reconnect(setup: &Setup, args: AgainArgs) -> Result<Exit, Failure> {
    let given = form::given(&args.form)?;
    let world = World::new(setup, &args.network)?;
    let plugin = world.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    plugin.check_approval().await.map_err(|error| Failure::of(&error, &path))?;
    let store = world.store.open(setup)?;
    let key = key_of(setup, store, &args.name)?;
    let mut order = world
        .manager()?
        .order_again(&key)
        .await
        .map_err(|error| Failure::of_credential(&error, &path))?;
    let credential_type = credential_type(&plugin, &order.credential_type, &path)?;
    check_rights(credential_type, &args.rights)?;
    order.ask = ask(&args.rights);
    if credential_type.grant == Grant::Fixed {
        // The secret is what is to be replaced; one that is kept elsewhere is read again.
        order.form.secrets.clear();
    }
    given.fill(credential_type, &mut order)?;
    let made = Made { world: &world, plugin: &plugin, path: &path, format: args.format };
    made.make(setup, order, &args.browser).await
}

pub(super) async fn extend(setup: &Setup, args: ExtendArgs) -> Result<Exit, Failure> {
    let world = World::new(setup, &args.network)?;
    let plugin = world.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    plugin.check_approval().await.map_err(|error| Failure::of(&error, &path))?;
    let store = world.store.open(setup)?;
    let key = key_of(setup, store, &args.name)?;
    let (order, lacking) = world
        .manager()?
        .order_extended(&plugin, &key, &args.actions, &args.scope)
        .await
        .map_err(|error| Failure::connecting(&error, &path))?;
    if lacking.is_empty() {
        let summary = world.store()?.summary(setup.credential(&args.name))?;
        match args.format {
            Report::Json => output::stdout_report(&json!({ "credential": summary, "added": [] }))?,
            Report::Text => {
                output::stdout("These scopes are granted already; nothing was requested.\n")?
            }
        }
        return Ok(Exit::Success);
    }
    let made = Made { world: &world, plugin: &plugin, path: &path, format: args.format };
    made.make(setup, order, &args.browser).await
}

/// Context that all ways to connect share.
struct Made<'a> {
    world: &'a World<'a>,
    plugin: &'a Plugin,
    path: &'a str,
    format: Report,
}

impl Made<'_> {
    async fn make(
        &self,
        setup: &Setup,
        order: ConnectOrder,
        browser: &Browser,
    ) -> Result<Exit, Failure> {
        let Self { world, plugin, path, format } = *self;
        let failed = |error| Failure::connecting(&error, path);
        let (manager, by) = (world.manager()?, setup.actor());
        let key = ConnectionKey {
            user: order.user.clone(),
            ..ConnectionKey::of(setup.credential(&order.name))
        };
        let credential_type = credential_type(plugin, &order.credential_type, path)?;
        let connection = match &credential_type.grant {
            Grant::Fixed => manager.connect_fixed(plugin, order, &by).await.map_err(failed)?,
            Grant::ClientCredentials(_) => {
                manager.connect_app(plugin, order, &by).await.map_err(failed)?
            }
            Grant::DeviceAuthorization(_) => {
                super::device::connection(manager, plugin, order, &by, format).await?
            }
            // An authorization code; the library refuses a grant that it does not know.
            _ => browser::connection(manager, plugin, order, &by, browser, format).await?,
        };
        let connection = match browser::confirmed(connection, browser, format) {
            Ok(connection) => connection,
            Err(declined) => {
                let (connection, failure) = *declined;
                manager.discard(connection).await;
                return Err(failure);
            }
        };
        let report = Told::of(&connection);
        let text = outcome_text(&connection);
        manager.keep(connection, &by).await.map_err(failed)?;
        self.tell(&key, report, &text, credential_type)?;
        Ok(Exit::Success)
    }

    fn tell(
        &self,
        key: &ConnectionKey,
        report: Told,
        text: &str,
        credential_type: &CredentialType,
    ) -> Result<(), Failure> {
        let summaries = self.world.store()?.summaries(key.credential())?;
        let summary = summaries.into_iter().find(|one| one.user == key.user);
        let summary =
            summary.ok_or_else(|| Failure::internal("The stored credential cannot be found"))?;
        let is_fixed = credential_type.grant == Grant::Fixed;
        match self.format {
            Report::Json if is_fixed => output::stdout_report(&json!(summary))?,
            Report::Json => output::stdout_report(&json!({
                "credential": summary,
                "granted": report.granted,
                "missing": report.missing,
                "blocked": report.blocked,
                "warnings": report.warnings,
            }))?,
            Report::Text => {
                output::stdout(&summary_text(&summary))?;
                let (name, path) = (shell(&key.name), shell(self.path));
                let next = format!("harness credential test {name} --plugin {path}");
                let said = if is_fixed {
                    format!("Stored. To test it: {next}\n")
                } else {
                    format!("\nConnected. {text}To check the account and permissions: {next}\n")
                };
                output::stderr(&said);
            }
        }
        Ok(())
    }
}

/// Report of a connection for programs.
struct Told {
    granted: serde_json::Value,
    missing: serde_json::Value,
    blocked: Vec<serde_json::Value>,
    warnings: Vec<String>,
}

impl Told {
    fn of(connection: &NewConnection) -> Self {
        let blocked =
            |(action, lacks): &(String, Vec<String>)| json!({ "action": action, "lacks": lacks });
        Self {
            granted: json!(connection.granted),
            missing: json!(connection.missing),
            blocked: connection.blocked.iter().map(blocked).collect(),
            warnings: connection.warnings.clone(),
        }
    }
}

fn credential_type<'a>(
    plugin: &'a Plugin,
    name: &str,
    path: &str,
) -> Result<&'a CredentialType, Failure> {
    plugin
        .credential_type(name)
        .map_err(|error| Failure::of(&error, path).next(format!("harness inspect {}", shell(path))))
}

fn named(
    setup: &Setup,
    name: &str,
    naming: &Naming,
    credential_type: &CredentialType,
) -> Result<ConnectOrder, Failure> {
    if naming.mode == Mode::PerUser && !setup.is_named {
        let message = "A per-user credential needs the user that the connection belongs to";
        return Err(Failure::input("user", message).next("name the user with --as USER"));
    }
    let own = || setup.principal.user.clone();
    let user = (naming.mode == Mode::PerUser).then(own);
    let actions: std::collections::BTreeSet<String> =
        naming.allow_actions.iter().cloned().collect();
    Ok(ConnectOrder {
        name: name.to_owned(),
        description: naming.description.clone(),
        owner: Some(own()),
        mode: naming.mode,
        allowed_actions: (!actions.is_empty()).then_some(actions),
        user,
        credential_type: credential_type.name.clone(),
        ..ConnectOrder::default()
    })
}

/// Before anybody is asked anything, or sent anywhere.
fn refuse_taken(setup: &Setup, world: &World<'_>, order: &ConnectOrder) -> Result<(), Failure> {
    let store = world.store.open_or_make(setup)?;
    let id = setup.credential(&order.name);
    let Ok(head) = store.head(&id) else { return Ok(()) };
    let is_free = head.mode == Mode::PerUser
        && order.mode == Mode::PerUser
        && store
            .read(&ConnectionKey { user: order.user.clone(), ..ConnectionKey::of(&id) })
            .is_err();
    if is_free {
        return Ok(());
    }
    let name = shell(&order.name);
    let error = workflow_node_host::store::StoreError::Exists { name: order.name.clone() };
    Err(Failure::from(error).next(format!(
        "to connect the existing credential again: harness credential reconnect \
                       {name} --plugin …"
    )))
}

fn check_rights(credential_type: &CredentialType, rights: &Rights) -> Result<(), Failure> {
    let asks = rights.access.is_some() || !rights.scope.is_empty() || !rights.actions.is_empty();
    if asks && credential_type.grant.scopes_field().is_none() {
        let message = format!(
            "Credential type `{}` has no scopes to choose; its permissions are set where the \
             secret was created",
            credential_type.name
        );
        return Err(Failure::input("rights", message));
    }
    Ok(())
}

fn ask(rights: &Rights) -> AskFor {
    match rights {
        Rights { access: Some(Access::Read), .. } => AskFor::Access(Covers::Read),
        Rights { access: Some(Access::ReadWrite), .. } => AskFor::Access(Covers::Write),
        Rights { scope, .. } if !scope.is_empty() => AskFor::Scopes(scope.clone()),
        Rights { actions, .. } if !actions.is_empty() => AskFor::Actions(actions.clone()),
        _ => AskFor::Form,
    }
}
