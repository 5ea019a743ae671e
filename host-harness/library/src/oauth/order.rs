//! Order to connect a credential, validated as far as possible before anybody is asked anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use url::Url;

use super::connect::Connector;
use super::manage::{Actor, permit_management};
use super::wire::Wire;
use super::{ConnectError, loopback};
use crate::audit::Caller;
use crate::credential::reference::{self, Freshness};
use crate::credential::rights::{self, AskFor};
use crate::credential::{
    ConnectionKey, CredentialError, CredentialForm, Mode, SecretReference, Stored,
};
use crate::description::{CredentialType, Grant};
use crate::egress::EndpointCaller;
use crate::plugin::Plugin;
use crate::principal::{Principal, User};

/// Order to connect a credential.
#[derive(Clone, Debug, Default)]
pub struct ConnectOrder {
    /// Its name, for good.
    pub name: String,
    /// For people.
    pub description: String,
    /// The owner, who may change and disconnect it. If `None`, a private credential belongs to the
    /// user who connects it, and only administrators can change any other. Only an administrator
    /// can connect an account for another user.
    pub owner: Option<User>,
    /// Who may use it.
    pub mode: Mode,
    /// The actions that it may be used for; `None` for all.
    pub allowed_actions: Option<BTreeSet<String>>,
    /// With [`Mode::PerUser`] whose connection this is; `None` for the user who connects it. Only an
    /// administrator connects for somebody else.
    pub user: Option<User>,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form. An engine may fill in the app's client id and secret itself, so that a user only
    /// presses Connect.
    pub form: CredentialForm,
    /// References to secrets of the form that are stored elsewhere. They are read once now, to
    /// check them, and not stored. For operators: never pass on references from a user of an
    /// engine.
    pub references: BTreeMap<String, SecretReference>,
    /// Which rights to ask for.
    pub ask: AskFor,
    /// Replaces the connection that is there, under the same name; else the name must be free.
    pub replacing: bool,
    /// Where the service sends the person back to. For an authorization code only.
    pub redirect: Option<Url>,
    /// Allows a redirect URL of plain http that is not this machine's own.
    pub insecure_redirect: bool,
}

impl ConnectOrder {
    /// The order with the connecting user in place of missing values.
    pub(crate) fn by(mut self, by: &Actor) -> Self {
        let acting = || Some(by.principal.user.clone());
        match self.mode {
            Mode::Private => self.owner = self.owner.or_else(acting),
            Mode::PerUser => self.user = self.user.or_else(acting),
            Mode::Shared => {}
        }
        self
    }
}

/// A checked form, with the values derived from it.
pub(crate) struct Draft {
    pub(crate) form: CredentialForm,
    /// Secrets of the form that are kept elsewhere.
    pub(crate) references: BTreeMap<String, SecretReference>,
    pub(crate) configuration: crate::description::Configuration,
    pub(crate) asked: Vec<String>,
    /// Existing connection to replace.
    pub(crate) before: Option<Stored>,
}

impl Connector {
    /// See [`CredentialManager::order_again`](super::CredentialManager::order_again).
    pub(crate) async fn order_again(
        &self,
        key: &ConnectionKey,
    ) -> Result<ConnectOrder, CredentialError> {
        let Stored { head, connection, mut secrets, .. } = self.backend.store.open(key).await?;
        secrets.retain(|name, _| {
            !["access_token", "refresh_token", "id_token"].contains(&name.as_str())
        });
        let references = reference::take(&mut secrets);
        Ok(ConnectOrder {
            name: head.name,
            description: head.description,
            owner: head.owner,
            mode: head.mode,
            allowed_actions: head.allowed_actions,
            user: key.user.clone(),
            credential_type: head.credential_type,
            form: CredentialForm { fields: connection.parts.fields, secrets },
            references,
            ask: AskFor::Form,
            replacing: true,
            redirect: None,
            insecure_redirect: false,
        })
    }

    /// See [`CredentialManager::order_extended`](super::CredentialManager::order_extended).
    pub(crate) async fn order_extended(
        &self,
        plugin: &Plugin,
        key: &ConnectionKey,
        actions: &[String],
        scopes: &[String],
    ) -> Result<(ConnectOrder, Vec<String>), ConnectError> {
        let stored = self.backend.store.open(key).await?;
        let described = plugin.credential_type(&stored.head.credential_type)?;
        let field = described.grant.scopes_field().ok_or_else(|| {
            ConnectError::Refused(format!("`{}` does not accept a list of scopes", described.name))
        })?;
        let granted = stored.connection.parts.granted_scopes.clone().unwrap_or_default();
        let mut lacking: BTreeSet<String> = scopes
            .iter()
            .filter(|scope| !rights::is_granted(described, &granted, scope))
            .cloned()
            .collect();
        for action in actions {
            if plugin.description().slots_of(action).is_none() {
                return Err(ConnectError::Refused(rights::unknown(plugin.description(), action)));
            }
            lacking.extend(rights::lacking(plugin.description(), described, &granted, action));
        }
        let mut order = self.order_again(key).await?;
        let asked: Vec<String> = match order.form.fields.get(field).and_then(Value::as_array) {
            Some(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            None => stored.connection.parts.asked_scopes.unwrap_or_default(),
        };
        let covers = |scope: &str| {
            described.scopes.iter().find(|one| one.allows(scope)).and_then(|one| one.covers)
        };
        let has_covering = asked.iter().any(|scope| covers(scope).is_some());
        let mut all: BTreeSet<String> = asked.into_iter().collect();
        if has_covering && !lacking.is_empty() {
            // An app of this kind has only rights that stand for all others.
            let everything = described
                .scopes
                .iter()
                .find(|scope| scope.covers == Some(crate::description::Access::Write));
            lacking = everything.map(|scope| scope.name.clone()).into_iter().collect();
            all.clear();
        }
        all.extend(lacking.iter().cloned());
        order.ask = AskFor::Scopes(all.into_iter().collect());
        Ok((order, lacking.into_iter().collect()))
    }

    pub(crate) async fn described<'a>(
        &self,
        plugin: &'a Plugin,
        order: &ConnectOrder,
    ) -> Result<&'a CredentialType, ConnectError> {
        plugin.check_approval().await?;
        Ok(plugin.credential_type(&order.credential_type)?)
    }

    /// Checks everything that can be checked before anybody is asked anything.
    pub(crate) async fn draft(
        &self,
        plugin: &Plugin,
        described: &CredentialType,
        order: &ConnectOrder,
        by: &Actor,
    ) -> Result<Draft, ConnectError> {
        let Principal { tenant, user: acting } = &by.principal;
        let for_another = |user: &Option<User>| user.as_ref().is_some_and(|user| user != acting);
        let forbidden = || CredentialError::Forbidden {
            name: order.name.clone(),
            reason: "only an administrator can connect an account for another user".to_owned(),
        };
        // A user who could connect for another one would make that user act as the wrong account.
        if for_another(&order.user) && !by.is_admin {
            return Err(forbidden().into());
        }
        let key = ConnectionKey {
            tenant: tenant.clone(),
            name: order.name.clone(),
            user: order.user.clone(),
        };
        let before = match (self.backend.store.open(&key).await, order.replacing) {
            (Ok(stored), true) => {
                permit_management(&stored.head, order.user.as_ref(), by)?;
                let same = stored.head.node == plugin.description().node.name
                    && stored.head.credential_type == described.name;
                if !same {
                    let is = format!("{} of {}", stored.head.credential_type, stored.head.node);
                    return Err(ConnectError::OtherType { name: order.name.clone(), is });
                }
                Some(stored)
            }
            (Ok(_), false) => return Err(CredentialError::Exists(order.name.clone()).into()),
            // One more user of a credential that is there.
            (Err(CredentialError::NotConnected { .. }), false) if order.user.is_some() => None,
            (Err(CredentialError::NotConnected { .. }), true) => None,
            (Err(CredentialError::Unknown(_)), false)
                if for_another(&order.owner) && !by.is_admin =>
            {
                return Err(forbidden().into());
            }
            (Err(CredentialError::Unknown(_)), false) => None,
            (Err(error), _) => return Err(error.into()),
        };
        let mut form = order.form.clone();
        // A value given directly replaces a reference of the same name.
        let mut references = order.references.clone();
        references.retain(|name, _| !form.secrets.contains_key(name));
        if !references.is_empty() {
            let mut kept = BTreeMap::new();
            reference::keep(&references, &mut kept);
            let read = self.backend.references.fill(&order.name, kept, Freshness::Refused).await?;
            form.secrets.extend(read.0);
        }
        let wanted = rights::requested_scopes(plugin.description(), described, &order.ask)
            .map_err(ConnectError::Refused)?;
        if let Some(scopes) = &wanted {
            let field = described.grant.scopes_field().ok_or_else(|| {
                ConnectError::Refused(format!(
                    "`{}` does not accept a list of scopes. Do not choose scopes",
                    described.name
                ))
            })?;
            form.fields.insert(field.to_owned(), json!(scopes));
        }
        let configuration = plugin.configured(&described.name, &form).await?;
        let asked = configuration.oauth.as_ref().map(|oauth| oauth.scopes.clone());
        let approval = plugin.approval().await?;
        approval
            .withheld
            .check_scopes(
                &described.name,
                asked.iter().flatten().map(String::as_str),
                |scope, withheld| rights::is_granted(described, &[scope.to_owned()], withheld),
            )
            .map_err(ConnectError::Refused)?;
        Ok(Draft { form, references, configuration, asked: asked.unwrap_or_default(), before })
    }

    pub(crate) fn wire<'a>(
        &'a self,
        caller: &'a EndpointCaller,
        grant: &'a Grant,
        draft: &'a Draft,
    ) -> Wire<'a> {
        Wire {
            endpoints: &self.backend.endpoints,
            caller,
            grant,
            fields: &draft.form.fields,
            secrets: &draft.form.secrets,
            configuration: &draft.configuration,
            timeout: self.backend.timing.answer,
        }
    }

    pub(crate) fn caller_of(
        &self,
        plugin: &Plugin,
        order: &ConnectOrder,
        draft: &Draft,
        by: &Actor,
    ) -> EndpointCaller {
        EndpointCaller {
            on_behalf_of: Caller {
                plugin: plugin.digest(),
                node: plugin.description().node.name.clone(),
                action: "credential.connect".to_owned(),
                execution: String::new(),
                actor: by.principal.clone(),
                workflow: None,
            },
            credential_type: order.credential_type.clone(),
            credential: order.name.clone(),
            allow: None,
            configuration: draft.configuration.clone(),
        }
    }
}

/// A code goes to this machine itself, to https, or where somebody has insisted.
pub(crate) fn check_redirect(
    redirect: &Url,
    insecure: bool,
    warnings: &mut Vec<String>,
) -> Result<(), ConnectError> {
    if redirect.fragment().is_some() || !redirect.username().is_empty() || !redirect.has_host() {
        return Err(ConnectError::Redirect(
            "a redirect URI must have a host, and neither a fragment nor user information"
                .to_owned(),
        ));
    }
    match redirect.scheme() {
        "https" => Ok(()),
        "http" if loopback::literal_loopback(redirect).is_some() => Ok(()),
        "http" if insecure => {
            warnings.push(format!(
                "{redirect} uses plain http. Anyone who can read the network traffic can obtain \
                 the authorization code and use it before you do"
            ));
            Ok(())
        }
        "http" => Err(ConnectError::Redirect(format!(
            "{redirect} uses plain http and is not an address of this machine (use 127.0.0.1, not \
             localhost). Anyone who can read the network traffic could obtain the authorization \
             code"
        ))),
        other => Err(ConnectError::Redirect(format!(
            "`{other}` is not a valid scheme for a redirect URI"
        ))),
    }
}

/// The app's client id.
pub(crate) fn client_id(grant: &Grant, form: &CredentialForm) -> Option<String> {
    let field = grant.client_id_field()?;
    match form.secrets.get(field) {
        Some(secret) => Some(secret.expose().to_owned()),
        None => form.fields.get(field)?.as_str().map(str::to_owned),
    }
}
