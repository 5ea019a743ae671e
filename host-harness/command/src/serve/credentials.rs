//! The credentials that a configuration file declares: connected when the server starts, if they are new
//! or were declared otherwise before.

use serde_json::{Map, Value};
use workflow_node_host::credential::{ConnectionKey, CredentialError, CredentialId, HeadChange};
use workflow_node_host::description::{CredentialType, Form, Grant};
use workflow_node_host::oauth::{Actor, ConnectOrder, CredentialManager};
use workflow_node_host::{Host, Plugin, Principal};
use workflow_node_server::CredentialConfig;

use crate::exit::{Exit, Failure};

/// Connects the declared credentials.
pub(super) async fn connect(
    host: &Host,
    plugins: &[Plugin],
    declared: &[CredentialConfig],
) -> Result<(), Failure> {
    for one in declared {
        let manager = host.credentials().map_err(|_| {
            let message =
                "The configuration declares credentials, but the server has no credential store";
            Failure::new(Exit::Credential, "no-key", message)
                .next("name the key of the store: `key` in the configuration file")
        })?;
        let plugin = plugins.iter().find(|plugin| plugin.description().node.name == one.plugin);
        let plugin = plugin.ok_or_else(|| {
            let message = format!(
                "Credential `{}` is for plugin `{}`, which is not served",
                one.name, one.plugin
            );
            Failure::input("configuration", message).next("add the plugin to `plugins`")
        })?;
        connect_one(manager, plugin, one).await.map_err(|mut failure| {
            failure.message =
                format!("Cannot connect credential `{}`: {}", one.name, failure.message);
            failure
        })?;
    }
    Ok(())
}

async fn connect_one(
    manager: &CredentialManager,
    plugin: &Plugin,
    declared: &CredentialConfig,
) -> Result<(), Failure> {
    let path = &declared.plugin;
    let described = plugin
        .credential_type(&declared.credential_type)
        .map_err(|error| Failure::of(&error, path))?;
    let mut principal = Principal::default();
    if let Some(tenant) = &declared.tenant {
        principal.tenant = tenant.clone().into();
    }
    if let Some(owner) = &declared.owner {
        principal.user = owner.clone().into();
    }
    let key = ConnectionKey::of(CredentialId::of(principal.tenant.clone(), &declared.name));
    let mut order = ConnectOrder {
        name: declared.name.clone(),
        description: declared.description.clone(),
        owner: Some(principal.user.clone()),
        mode: declared.mode,
        allowed_actions: declared.allowed_actions.clone(),
        credential_type: declared.credential_type.clone(),
        references: declared.secrets.clone(),
        ..ConnectOrder::default()
    };
    order.form.fields = with_defaults(described, &declared.fields);
    let by = Actor { principal, is_admin: true };
    match manager.order_again(&key).await {
        Ok(before) => {
            update_head(manager, &before, &order, &by).await?;
            let is_same = before.form.fields == order.form.fields
                && before.form.secrets.is_empty()
                && before.references == order.references
                && before.credential_type == order.credential_type
                && before.mode == order.mode;
            if is_same {
                return Ok(());
            }
            order.replacing = true;
        }
        Err(CredentialError::Unknown(_)) => {}
        Err(error) => return Err(Failure::of_credential(&error, path)),
    }
    let failed = |error| Failure::connecting(&error, path);
    let connection = match &described.grant {
        Grant::Fixed => manager.connect_fixed(plugin, order, &by).await,
        Grant::ClientCredentials(_) => manager.connect_app(plugin, order, &by).await,
        grant => {
            let message =
                format!("its type is connected by {}, which needs a person", grant.name());
            return Err(Failure::input("configuration", message)
                .next("connect it with `harness credential connect`"));
        }
    };
    let mut connection = connection.map_err(failed)?;
    // The operator has declared it.
    connection.confirm_other_account();
    manager.keep(connection, &by).await.map_err(failed)?;
    tracing::info!(credential = declared.name, tenant = %by.principal.tenant, "credential connected");
    Ok(())
}

/// Changes what belongs to the name, where it was declared otherwise before.
async fn update_head(
    manager: &CredentialManager,
    before: &ConnectOrder,
    declared: &ConnectOrder,
    by: &Actor,
) -> Result<(), Failure> {
    let mut changes = Vec::new();
    if before.owner != declared.owner {
        changes.push(HeadChange::Owner(declared.owner.clone()));
    }
    if before.allowed_actions != declared.allowed_actions {
        changes.push(HeadChange::AllowedActions(declared.allowed_actions.clone()));
    }
    if before.description != declared.description {
        changes.push(HeadChange::Description(declared.description.clone()));
    }
    for change in changes {
        let changed = manager.change(&declared.name, change, by).await;
        changed.map_err(|error| Failure::of_credential(&error, ""))?;
    }
    Ok(())
}

/// Fields with the defaults of those that are required and were not given.
fn with_defaults(described: &CredentialType, given: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = given.clone();
    for field in Form::of_credential_type(described).fields {
        if let Some(default) = field.default.filter(|_| field.is_required && !field.is_secret) {
            fields.entry(field.name).or_insert(default);
        }
    }
    fields
}
