//! Connecting and disconnecting credentials. Secrets of people are typed on a page of this server, not
//! sent by an engine, unless the token's policy allows that.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use workflow_node_host::credential::{CredentialError, CredentialId, Mode};
use workflow_node_host::description::{CredentialType, Field, Grant};
use workflow_node_host::oauth::{Actor, ConnectError, CredentialManager};
use workflow_node_host::{Plugin, Principal};

use super::credentials::{CredentialEntry, entry, visible};
use crate::connection::{
    Ask, Clicked, Connection, PendingConnections, Progress, Wanted, key_of, missing_fields,
    missing_secrets,
};
use crate::error::{ApiError, Failures, Problem};
use crate::extract::{Segments, json, object, secrets};
use crate::state::{Shared, State as Server};
use crate::token::{Caller, Role};

/// Who may use a credential.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModeName {
    /// Its owner alone.
    #[default]
    Private,
    /// Every user of the tenant, with the account of its owner.
    Shared,
    /// Every user of the tenant, each with a separate account.
    PerUser,
}

impl From<ModeName> for Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Private => Self::Private,
            ModeName::Shared => Self::Shared,
            ModeName::PerUser => Self::PerUser,
        }
    }
}

/// Which permissions to ask the service for: at most one of these. By default, the form decides.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AskOrder {
    /// Reading, or reading and changing.
    access: Option<AccessName>,
    /// These scopes.
    scopes: Option<Vec<String>>,
    /// What these actions and triggers need.
    actions: Option<Vec<String>>,
}

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AccessName {
    Read,
    Write,
}

impl AskOrder {
    fn ask(self) -> Result<Ask, ApiError> {
        match (self.access, self.scopes, self.actions) {
            (None, None, None) => Ok(Ask::Form),
            (Some(AccessName::Read), None, None) => Ok(Ask::Read),
            (Some(AccessName::Write), None, None) => Ok(Ask::Write),
            (None, Some(scopes), None) => Ok(Ask::Scopes(scopes)),
            (None, None, Some(actions)) => Ok(Ask::Actions(actions)),
            _ => Err(ApiError::invalid("`ask` has more than one of its members. Choose one.")),
        }
    }
}

/// A credential that is to be connected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectBody {
    /// Name of the new credential.
    pub(crate) name: String,
    /// Name of the plugin.
    pub(crate) plugin: String,
    /// Name of the credential type.
    #[serde(rename = "type")]
    pub(crate) credential_type: String,
    /// For people.
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    mode: ModeName,
    /// Actions and triggers that it may be used for. By default, all.
    #[serde(default)]
    allowed_actions: Option<BTreeSet<String>>,
    /// Fields of the form that are not secret.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// Secrets of the form. Only with a token whose policy sets `raw_secrets`; otherwise, a person
    /// types them on the page of the link.
    #[serde(default, deserialize_with = "secrets")]
    secrets: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "object")]
    ask: AskOrder,
}

/// How a credential is to be connected again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReconnectBody {
    /// Fields of the form that change.
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// Secrets of the form that change. Only with a token whose policy sets `raw_secrets`.
    #[serde(deserialize_with = "secrets")]
    secrets: BTreeMap<String, String>,
    #[serde(deserialize_with = "object")]
    ask: AskOrder,
    /// Adds the permissions of `ask` to those that the credential has. If it has them already, nobody
    /// is asked.
    extend: bool,
    /// Whether the person may connect another account than before.
    allow_other_account: bool,
}

impl ConnectBody {
    /// A credential of the user's own, with the defaults of its form.
    pub(crate) fn of(name: String, plugin: String, credential_type: String) -> Self {
        Self {
            name,
            plugin,
            credential_type,
            description: String::new(),
            mode: ModeName::default(),
            allowed_actions: None,
            fields: Map::new(),
            secrets: BTreeMap::new(),
            ask: AskOrder::default(),
        }
    }
}

/// A connection that has begun.
pub(crate) enum Begun {
    /// It is connected.
    Connected(Box<CredentialEntry>),
    /// A person has to confirm it.
    Waiting(AuthorizationStatus),
}

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        match self {
            Self::Connected(entry) => (StatusCode::CREATED, Json(entry)).into_response(),
            Self::Waiting(status) => (StatusCode::ACCEPTED, Json(status)).into_response(),
        }
    }
}

/// A connection that a person has to confirm.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorizationStatus {
    /// ID of the connection.
    id: String,
    /// Name of the credential.
    credential: String,
    status: Progress,
    /// The link for the person, when the connection is begun. Anyone who opens it can connect an account,
    /// so show it to nobody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Milliseconds since 1970.
    expires_at: u64,
    /// Why it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl AuthorizationStatus {
    fn of(connection: Connection, url: Option<String>) -> Self {
        Self {
            id: connection.id,
            credential: connection.credential,
            status: connection.progress,
            url,
            expires_at: connection.expires_at,
            reason: connection.reason,
        }
    }
}

fn stores(state: &Server) -> Result<(&PendingConnections, &CredentialManager), ApiError> {
    match (&state.connections, state.host.credentials()) {
        (Some(connections), Ok(manager)) => Ok((connections, manager)),
        _ => {
            let message = "The server has no credential store, because it has no key for one.";
            Err(ApiError::new(StatusCode::CONFLICT, "no-credential-store", message)
                .next("Create a key: harness credential key-file FILE"))
        }
    }
}

/// Refuses secrets that an engine sends, unless the token's policy allows them.
fn check_secrets(caller: &Caller, secrets: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if secrets.is_empty() || caller.policy.raw_secrets {
        return Ok(());
    }
    let message = "The token may not send secrets.";
    Err(ApiError::new(StatusCode::FORBIDDEN, "raw-secret", message).next(
        "Leave the secrets out, and let a person type them on the page of the link; or use a token \
         whose policy sets `raw_secrets`.",
    ))
}

fn credential_type<'a>(plugin: &'a Plugin, name: &str) -> Result<&'a CredentialType, ApiError> {
    plugin.credential_type(name).map_err(|_| ApiError::not_found("credential type", name))
}

/// Connects a credential under a new name.
///
/// If a person has to type a secret or to go to the service, the response is 202 with a link to a page
/// of this server, which names the token that asks, and waits for a click.
#[utoipa::path(post, path = "/v1/credentials", operation_id = "connect_credential", tag = "credentials",
    request_body = ConnectBody,
    responses((status = 201, description = "It is connected.", body = CredentialEntry),
              (status = 202, description = "A person has to confirm it.", body = AuthorizationStatus),
              Failures))]
pub(crate) async fn connect(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Begun, ApiError> {
    caller.require(Role::Connect)?;
    let body: ConnectBody = json(&headers, body, &state.limits).await?;
    connect_new(&state, &caller, body).await
}

/// Connects a credential under a new name, as far as that goes without a person.
pub(crate) async fn connect_new(
    state: &Server,
    caller: &Caller,
    body: ConnectBody,
) -> Result<Begun, ApiError> {
    caller.require(Role::Connect)?;
    let plugin = state.plugin(caller, &body.plugin)?.clone();
    plugin.check_approval().await?;
    if !caller.policy.allows_credential(&body.name) {
        let message = "The token's policy does not list a credential of this name.";
        return Err(ApiError::not_permitted(message));
    }
    check_secrets(caller, &body.secrets)?;
    credential_type(&plugin, &body.credential_type)?;
    let (_, manager) = stores(state)?;
    let mode = Mode::from(body.mode);
    check_name(manager, caller, &body.name, mode).await?;
    let wanted = Wanted {
        plugin: body.plugin,
        credential: body.name,
        credential_type: body.credential_type,
        description: body.description,
        mode,
        allowed_actions: body.allowed_actions,
        fields: body.fields,
        secrets: body.secrets,
        ask: body.ask.ask()?,
        replacing: false,
        other_account: false,
        token: caller.name.clone(),
        authorization: None,
    };
    begin(state, caller, &plugin, wanted).await
}

/// Whether the name can be used for a new connection.
async fn check_name(
    manager: &CredentialManager,
    caller: &Caller,
    name: &str,
    mode: Mode,
) -> Result<(), ApiError> {
    let principal = caller.policy.principal();
    let id = CredentialId::of(principal.tenant.clone(), name);
    match manager.store().head(&id).await {
        Err(CredentialError::Unknown(_)) => Ok(()),
        Err(error) => Err(ApiError::from(ConnectError::from(error))),
        Ok(head) => {
            let key = key_of(&principal, name, mode);
            let is_free = head.mode == Mode::PerUser
                && mode == Mode::PerUser
                && manager.store().open(&key).await.is_err();
            match is_free {
                true => Ok(()),
                false => Err(ConnectError::from(CredentialError::Exists(name.to_owned())).into()),
            }
        }
    }
}

/// Connects at once what needs no person, and returns a link for the rest.
async fn begin(
    state: &Server,
    caller: &Caller,
    plugin: &Plugin,
    wanted: Wanted,
) -> Result<Begun, ApiError> {
    let (connections, manager) = stores(state)?;
    let principal = caller.policy.principal();
    let order = wanted.order(manager, plugin, &principal).await?;
    let described = credential_type(plugin, &order.credential_type)?;
    let known = described.secret_fields();
    if let Some(name) = order.form.secrets.keys().find(|name| !known.contains(*name)) {
        return Err(ApiError::not_found("secret of the credential type", name));
    }
    let missing = missing_fields(described, &order);
    if !missing.is_empty() {
        let problem = |field: Field| Problem {
            pointer: format!("/fields/{}", field.name),
            message: "is required".to_owned(),
        };
        let message = "The form of the credential type is not complete.";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input", message)
            .problems(missing.into_iter().map(problem).collect()));
    }
    manager.rights_of(plugin, &order).await?;
    let needs_service = matches!(described.grant, Grant::AuthorizationCode(_));
    let is_missing = missing_secrets(described, &order).iter().any(|field| field.is_required);
    if needs_service || is_missing {
        // Mistakes in the form are reported now, not to the person.
        if needs_service && !is_missing {
            let callback = Some(connections.callback_url()?);
            if let Clicked::Away(authorization) =
                wanted.connect(manager, plugin, &principal, callback).await?
            {
                manager.abandon(&authorization.state);
            }
        }
        let (connection, url) = connections.begin(&principal, wanted).await?;
        return Ok(Begun::Waiting(AuthorizationStatus::of(connection, Some(url.into()))));
    }
    let Clicked::Connected(connection) = wanted.connect(manager, plugin, &principal, None).await?
    else {
        return Err(ApiError::internal(&"a connection without a page went to one"));
    };
    wanted.keep(manager, *connection, &principal).await?;
    let entry = entry(state, caller, &wanted.credential).await?;
    Ok(Begun::Connected(Box::new(entry)))
}

/// Connects a credential again, or asks for more permissions.
#[utoipa::path(post, path = "/v1/credentials/{credential}/authorizations", operation_id = "authorize_credential", tag = "credentials",
    params(("credential" = String, Path, description = "Name of the credential.")),
    request_body = ReconnectBody,
    responses((status = 200, description = "It has these permissions.", body = CredentialEntry),
              (status = 201, description = "It is connected again.", body = CredentialEntry),
              (status = 202, description = "A person has to confirm it.", body = AuthorizationStatus),
              Failures))]
pub(crate) async fn authorize(
    State(state): State<Shared>,
    caller: Caller,
    Segments(name): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    caller.require(Role::Connect)?;
    let head = visible(&state, &caller, &name).await?;
    let plugin = state.plugin(&caller, &head.node);
    let plugin = plugin.map_err(|_| ApiError::not_found("credential", &name))?.clone();
    let body: ReconnectBody = json(&headers, body, &state.limits).await?;
    check_secrets(&caller, &body.secrets)?;
    let (_, manager) = stores(&state)?;
    let principal = caller.policy.principal();
    if head.mode != Mode::PerUser && head.owner.as_ref() != Some(&principal.user) {
        let message = "Only its owner can connect this credential again.";
        return Err(ApiError::not_permitted(message));
    }
    let mut ask = body.ask.clone().ask()?;
    if body.extend {
        let (actions, scopes) = match &ask {
            Ask::Actions(actions) => (actions.clone(), Vec::new()),
            Ask::Scopes(scopes) => (Vec::new(), scopes.clone()),
            _ => {
                return Err(ApiError::invalid("`extend` needs `ask.actions` or `ask.scopes`."));
            }
        };
        let key = key_of(&principal, &name, head.mode);
        let (order, lacking) = manager.order_extended(&plugin, &key, &actions, &scopes).await?;
        if lacking.is_empty() {
            return Ok(Json(entry(&state, &caller, &name).await?).into_response());
        }
        if let workflow_node_host::oauth::AskFor::Scopes(all) = order.ask {
            ask = Ask::Scopes(all);
        }
    }
    let wanted = Wanted {
        plugin: head.node,
        credential: name,
        credential_type: head.credential_type,
        description: head.description,
        mode: head.mode,
        allowed_actions: head.allowed_actions,
        fields: body.fields,
        secrets: body.secrets,
        ask,
        replacing: true,
        other_account: body.allow_other_account,
        token: caller.name.clone(),
        authorization: None,
    };
    Ok(begin(&state, &caller, &plugin, wanted).await?.into_response())
}

/// Returns how far a person has come with a link.
#[utoipa::path(get, path = "/v1/credentials/{credential}/authorizations/{authorization}", operation_id = "get_authorization", tag = "credentials",
    params(("credential" = String, Path, description = "Name of the credential."),
           ("authorization" = String, Path, description = "ID of the connection.")),
    responses((status = 200, description = "The connection.", body = AuthorizationStatus), Failures))]
pub(crate) async fn authorization(
    State(state): State<Shared>,
    caller: Caller,
    Segments((credential, id)): Segments<(String, String)>,
) -> Result<Json<AuthorizationStatus>, ApiError> {
    caller.require(Role::Connect)?;
    let not_found = ApiError::not_found("connection", &id);
    let Some(connections) = &state.connections else { return Err(not_found) };
    let Principal { tenant, user } = caller.policy.principal();
    let found = connections
        .with_store(move |store| store.by_id((tenant.as_str(), user.as_str()), &credential, &id));
    let connection = found.await?.ok_or(not_found)?;
    Ok(Json(AuthorizationStatus::of(connection, None)))
}

/// Result of a disconnection.
#[derive(Serialize, ToSchema)]
pub(crate) struct Disconnected {
    name: String,
    /// `disconnected`.
    status: &'static str,
    /// Tokens that the service was asked to revoke.
    revoked: Vec<RevokedToken>,
    /// Workflows that have used the credential.
    workflows: Vec<String>,
}

/// A token that the service was asked to revoke.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedToken {
    /// `access_token` or `refresh_token`.
    token: String,
    /// Why the service did not revoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Disconnects a credential: the service is asked to revoke its tokens, and they are removed here in
/// any case. The name stays, so that connecting it again restores every workflow that uses it.
#[utoipa::path(delete, path = "/v1/credentials/{credential}", operation_id = "disconnect_credential", tag = "credentials",
    params(("credential" = String, Path, description = "Name of the credential.")),
    responses((status = 200, description = "It is disconnected.", body = Disconnected), Failures))]
pub(crate) async fn disconnect(
    State(state): State<Shared>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<Disconnected>, ApiError> {
    caller.require(Role::Connect)?;
    let head = visible(&state, &caller, &name).await?;
    let plugin = state.plugin(&caller, &head.node);
    let plugin = plugin.map_err(|_| ApiError::not_found("credential", &name))?.clone();
    let (_, manager) = stores(&state)?;
    let principal = caller.policy.principal();
    let key = key_of(&principal, &name, head.mode);
    let (manager, by) = (manager.clone(), Actor::from(principal));
    // A disconnection that has begun is completed, even if the client disconnects.
    let task = tokio::spawn(async move { manager.disconnect(&key, &by, Some(&plugin)).await });
    let done = task.await.map_err(|error| ApiError::internal(&error))?;
    let done = done.map_err(ConnectError::from)?;
    let revoked = done.revoked.into_iter();
    let revoked = revoked.map(|one| RevokedToken { token: one.token, problem: one.failed });
    Ok(Json(Disconnected {
        name,
        status: "disconnected",
        revoked: revoked.collect(),
        workflows: done.dependants.into_iter().map(|one| one.workflow).collect(),
    }))
}
