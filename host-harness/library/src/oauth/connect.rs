//! Connecting: from a form to a credential that is kept. Nothing is stored before all of it has
//! worked, so that a flow that is given up half-way leaves nothing behind.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::callback::{self, Callback, Said};
use super::id_token::{self, Expected};
use super::manage::{CredentialManager, Principal, permit_management};
use super::rights::{self, AskFor, Right};
use super::wire::{Refusal, Tokens, Wire};
use super::{ConnectError, loopback};
use crate::audit::CredentialDeed;
use crate::credential::{
    ConnectionKey, CredentialError, CredentialForm, CredentialRequest, Mode, NewCredential, Stored,
};
use crate::description::{CredentialType, Grant};
use crate::plugin::Plugin;
use crate::secret::Secret;

/// What is to be connected.
#[derive(Clone, Debug, Default)]
pub struct ConnectOrder {
    /// Its name, for good.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whose it is, in the engine's terms.
    pub owner: Option<String>,
    /// Who may use it.
    pub mode: Mode,
    /// The actions that it may be used for; `None` for all.
    pub allowed_actions: Option<BTreeSet<String>>,
    /// With [`Mode::PerUser`] whose connection this is.
    pub user: Option<String>,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form. An engine may fill in the app's client id and secret itself, so that a user only
    /// presses Connect.
    pub form: CredentialForm,
    /// Which rights to ask for.
    pub ask: AskFor,
    /// Replaces the connection that is there, under the same name; else the name must be free.
    pub replacing: bool,
    /// Where the service sends the person back to. For an authorization code only.
    pub redirect: Option<Url>,
    /// Allows a redirect URL of plain http that is not this machine's own.
    pub insecure_redirect: bool,
}

/// An authorization that waits for a person.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Where to send the person's browser.
    pub url: Url,
    /// What names this authorization; the callback carries it.
    pub state: String,
    /// What is asked for, in words.
    pub rights: Vec<Right>,
    /// Of these, what the connection that is to be replaced does not have yet.
    pub added: Vec<String>,
    /// What a person should know before going on.
    pub warnings: Vec<String>,
}

/// What an authorization needs to be finished.
pub(crate) struct Pending {
    plugin: Plugin,
    order: ConnectOrder,
    draft: Draft,
    redirect: Url,
    verifier: Secret,
    nonce: Option<String>,
    began: Duration,
}

/// A form that was checked, and what follows from it.
struct Draft {
    form: CredentialForm,
    configuration: crate::description::Configuration,
    asked: Vec<String>,
    /// What is to be replaced.
    before: Option<Stored>,
}

/// One thing by which the account is another than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The claim.
    pub what: String,
    /// What it was.
    pub was: String,
    /// What it is now.
    pub is: String,
}

/// A connection that works and is not kept yet.
#[derive(Debug)]
#[must_use = "it is not kept until it is kept"]
pub struct NewConnection {
    credential: NewCredential,
    replacing: Option<u64>,
    plugin: Plugin,
    /// Whose it is at the service.
    pub identity: Map<String, Value>,
    /// What was granted, in words; empty where the grant has no scopes.
    pub granted: Vec<Right>,
    /// What was asked for and not granted.
    pub missing: Vec<Right>,
    /// Actions that will not work, each with what it lacks.
    pub blocked: Vec<(String, Vec<String>)>,
    /// How the account or user differs from the one from before. Unless this is empty, it is kept
    /// only once somebody has confirmed it.
    pub other_account: Vec<Difference>,
    /// What a person should know.
    pub warnings: Vec<String>,
    confirmed: bool,
}

impl NewConnection {
    /// Somebody has seen that this is another account or user than before, and wants it so.
    pub fn confirm_other_account(&mut self) {
        self.confirmed = true;
    }
}

impl CredentialManager {
    /// Begins an authorization: what to show the person, and where to send them.
    ///
    /// # Errors
    ///
    /// When the plugin is not approved, the type has no such grant, the form is wrong, the name is
    /// taken, `by` may not, or the redirect URL is none that a code may be sent to.
    pub async fn begin(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Principal,
    ) -> Result<Authorization, ConnectError> {
        let described = self.described(plugin, &order)?;
        let Grant::AuthorizationCode { pkce, id_token_claims, .. } = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        // The schema knows no other; a description that was stored before would.
        if pkce != "S256" {
            return Err(ConnectError::Refused("only PKCE with S256 is used".to_owned()));
        }
        let mut warnings = Vec::new();
        let redirect = order.redirect.clone().ok_or(ConnectError::NoRedirect)?;
        check_redirect(&redirect, order.insecure_redirect, &mut warnings)?;
        let draft = self.draft(plugin, described, &order, by).await?;
        let oauth = draft.configuration.oauth.as_ref().ok_or(ConnectError::NotConfigured)?;
        let authorize = oauth.authorize_url.clone().ok_or(ConnectError::NotConfigured)?;
        self.0
            .endpoints
            .approved(plugin.digest(), &described.name, &authorize)
            .map_err(ConnectError::Refused)?;
        let authorize = Url::parse(&authorize)
            .ok()
            .filter(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty())
            .ok_or_else(|| {
                ConnectError::Refused("the page to consent on is no https address".to_owned())
            })?;
        let state = random_text()?;
        let nonce = if id_token_claims.is_empty() { None } else { Some(random_text()?) };
        let client_id = text_field(&described.grant, &draft.form)
            .ok_or_else(|| ConnectError::Refused("the app's client id is missing".to_owned()))?;
        let (challenge, verifier) = oauth2::PkceCodeChallenge::new_random_sha256_len(48);
        let client = oauth2::basic::BasicClient::new(oauth2::ClientId::new(client_id))
            .set_auth_uri(oauth2::AuthUrl::from_url(authorize));
        let mut request = client
            .authorize_url(|| oauth2::CsrfToken::new(state.clone()))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(std::borrow::Cow::Owned(
                oauth2::RedirectUrl::new(redirect.to_string())
                    .map_err(|error| ConnectError::Refused(error.to_string()))?,
            ))
            .add_scopes(draft.asked.iter().map(|scope| oauth2::Scope::new(scope.clone())));
        for (name, value) in &oauth.parameters {
            request = request.add_extra_param(name.clone(), value.clone());
        }
        if let Some(nonce) = &nonce {
            request = request.add_extra_param("nonce", nonce.clone());
        }
        let (url, _) = request.url();
        let had: Vec<String> = draft
            .before
            .as_ref()
            .and_then(|before| before.connection.granted_scopes.clone())
            .unwrap_or_default();
        let authorization = Authorization {
            url,
            state: state.clone(),
            rights: rights::in_words(plugin.description(), described, &draft.asked),
            added: draft.asked.iter().filter(|scope| !had.contains(scope)).cloned().collect(),
            warnings,
        };
        let pending = Pending {
            plugin: plugin.clone(),
            order,
            draft,
            redirect,
            verifier: Secret::new(verifier.secret().as_str()),
            nonce,
            began: self.0.clock.monotonic(),
        };
        let mut all = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, patience) = (self.0.clock.monotonic(), self.0.timing.pending);
        all.retain(|_, one| now.saturating_sub(one.began) < patience);
        all.insert(state, pending);
        Ok(authorization)
    }

    /// Gives an authorization up.
    pub fn abandon(&self, state: &str) {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
    }

    /// Finishes an authorization with the URL that the service has sent the person back to. Each
    /// can be finished once.
    ///
    /// # Errors
    ///
    /// When the callback belongs to no authorization that waits, comes from somebody else, or the
    /// service refuses. Nothing is kept then.
    pub async fn finish(&self, callback: &str) -> Result<NewConnection, ConnectError> {
        // The state before anything else: without one of ours nothing of it is looked at.
        let callback =
            Callback::read(callback, None).map_err(|why| ConnectError::Callback(why.to_owned()))?;
        let pending = {
            let mut all = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(callback.state().expose())
        };
        let pending = pending.ok_or(ConnectError::State)?;
        let since = self.0.clock.monotonic().saturating_sub(pending.began);
        if since >= self.0.timing.pending {
            return Err(ConnectError::State);
        }
        let wrong = |why: &'static str| ConnectError::Callback(why.to_owned());
        let Pending { plugin, order, draft, redirect, verifier, nonce, .. } = pending;
        let described = self.described(&plugin, &order)?;
        let Grant::AuthorizationCode { issuers, iss_in_response, .. } = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        if !callback.is_at(&redirect) {
            return Err(wrong("it came to another address than the one that was given"));
        }
        match callback.issuer().map_err(wrong)? {
            Some(issuer) if !issuers.is_empty() && !issuers.contains(&issuer) => {
                return Err(wrong("another service than the one that was asked has answered"));
            }
            None if *iss_in_response => {
                return Err(wrong(
                    "it does not say who has answered, and this service always does",
                ));
            }
            _ => {}
        }
        let code = match callback.said().map_err(wrong)? {
            Said::Code(code) => code,
            Said::Refused(error) => {
                let denied = error == "access_denied";
                return Err(ConnectError::Service { reason: callback::in_words(&error), denied });
            }
        };
        let caller = self.caller_of(&plugin, &order, &draft);
        let wire = self.wire(&caller, &described.grant, &draft);
        let tokens = wire.code(&code, &verifier, redirect.as_str()).await;
        drop(code);
        let tokens = tokens.map_err(service)?;
        self.connection(&plugin, described, order, draft, Some(tokens), nonce.as_deref()).await
    }

    /// Gets an app's own token (client credentials).
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), and when the service refuses.
    pub async fn connect_app(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Principal,
    ) -> Result<NewConnection, ConnectError> {
        let described = self.described(plugin, &order)?;
        let Grant::ClientCredentials { .. } = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        let draft = self.draft(plugin, described, &order, by).await?;
        let caller = self.caller_of(plugin, &order, &draft);
        let tokens = self.wire(&caller, &described.grant, &draft).app(&draft.asked).await;
        let tokens = tokens.map_err(service)?;
        self.connection(plugin, described, order, draft, Some(tokens), None).await
    }

    /// Takes secrets that a person has typed in. Nothing is sent: a test proves them.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub async fn connect_fixed(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Principal,
    ) -> Result<NewConnection, ConnectError> {
        let described = self.described(plugin, &order)?;
        if described.grant != Grant::Fixed {
            return Err(ConnectError::Grant { is: described.grant.name() });
        }
        let draft = self.draft(plugin, described, &order, by).await?;
        self.connection(plugin, described, order, draft, None, None).await
    }

    /// Keeps a connection. Returns its revision.
    ///
    /// # Errors
    ///
    /// When it is for another account than before and nobody has confirmed that, when the name was
    /// taken or the connection changed meanwhile, or when the store cannot be written.
    pub async fn keep(
        &self,
        connection: NewConnection,
        by: &Principal,
    ) -> Result<u64, ConnectError> {
        if !connection.other_account.is_empty() && !connection.confirmed {
            return Err(ConnectError::OtherAccount(connection.other_account));
        }
        let name = connection.credential.name.clone();
        let revision = self.0.store.keep(connection.credential, connection.replacing).await?;
        let head = self.0.store.head(&name).await?;
        self.tell_of(&head, CredentialDeed::Connect, by, None);
        Ok(revision)
    }

    /// Lets a connection go that shall not be kept: asks the service to revoke what it has just
    /// given, where there is a way.
    pub async fn discard(&self, connection: NewConnection) {
        let NewConnection { credential, plugin, .. } = connection;
        let Ok(described) = plugin.credential_type(&credential.credential_type) else { return };
        let has_way =
            credential.configuration.oauth.as_ref().is_some_and(|oauth| oauth.revoke_url.is_some());
        if !has_way {
            return;
        }
        let caller = crate::egress::EndpointCaller {
            plugin: plugin.digest(),
            node: credential.node.clone(),
            credential_type: credential.credential_type.clone(),
            credential: credential.name.clone(),
            action: "credential.revoke",
            actor: None,
            workflow: None,
            allow: None,
            configuration: credential.configuration.clone(),
        };
        let wire = Wire {
            endpoints: &self.0.endpoints,
            caller: &caller,
            grant: &described.grant,
            fields: &credential.fields,
            secrets: &credential.secrets,
            configuration: &credential.configuration,
            timeout: Duration::from_secs(10),
        };
        for name in ["refresh_token", "access_token"] {
            if let Some(token) = credential.secrets.get(name)
                && let Some(reason) = self.revoke_one(&wire, name, token).await
            {
                tracing::warn!(credential = credential.name, reason, "a token was not revoked");
            }
        }
    }

    /// An order that connects again what is there: its fields and the app's secrets, what it asked
    /// for, everything but the tokens.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn order_again(&self, key: &ConnectionKey) -> Result<ConnectOrder, CredentialError> {
        let Stored { head, connection, mut secrets, .. } = self.0.store.open(key).await?;
        secrets.retain(|name, _| {
            !["access_token", "refresh_token", "id_token"].contains(&name.as_str())
        });
        Ok(ConnectOrder {
            name: head.name,
            description: head.description,
            owner: head.owner,
            mode: head.mode,
            allowed_actions: head.allowed_actions,
            user: key.user.clone(),
            credential_type: head.credential_type,
            form: CredentialForm { fields: connection.fields, secrets },
            ask: AskFor::Form,
            replacing: true,
            redirect: None,
            insecure_redirect: false,
        })
    }

    /// An order that connects again with more rights: what these actions need, and these scopes,
    /// beside what there is. The second part is what is new; where it is empty, nothing has to be
    /// asked. The request names all of them, because the new token replaces the old one; a service
    /// that remembers what was agreed to asks the person for the new ones alone.
    ///
    /// # Errors
    ///
    /// When there is no such connection or action, or its type takes no list of rights.
    pub async fn order_extended(
        &self,
        plugin: &Plugin,
        key: &ConnectionKey,
        actions: &[String],
        scopes: &[String],
    ) -> Result<(ConnectOrder, Vec<String>), ConnectError> {
        let stored = self.0.store.open(key).await?;
        let described = plugin.credential_type(&stored.head.credential_type)?;
        let field = described.grant.scopes_field().ok_or_else(|| {
            ConnectError::Refused(format!("`{}` takes no list of rights", described.name))
        })?;
        let granted = stored.connection.granted_scopes.clone().unwrap_or_default();
        let mut lacking: BTreeSet<String> = scopes
            .iter()
            .filter(|scope| !rights::is_granted(described, &granted, scope))
            .cloned()
            .collect();
        for action in actions {
            plugin.action(action)?;
            lacking.extend(rights::lacking(plugin.description(), described, &granted, action));
        }
        let mut order = self.order_again(key).await?;
        let asked: Vec<String> = match order.form.fields.get(field).and_then(Value::as_array) {
            Some(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            None => stored.connection.asked_scopes.unwrap_or_default(),
        };
        let covers = |scope: &str| {
            described.scopes.iter().find(|one| one.allows(scope)).and_then(|one| one.covers)
        };
        let has_covering = asked.iter().any(|scope| covers(scope).is_some());
        let mut all: BTreeSet<String> = asked.into_iter().collect();
        if has_covering && !lacking.is_empty() {
            // An app of this kind knows only rights that stand for all others.
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

    fn described<'a>(
        &self,
        plugin: &'a Plugin,
        order: &ConnectOrder,
    ) -> Result<&'a CredentialType, ConnectError> {
        plugin.check_approval()?;
        Ok(plugin.credential_type(&order.credential_type)?)
    }

    /// Checks everything that can be checked before anybody is asked anything.
    async fn draft(
        &self,
        plugin: &Plugin,
        described: &CredentialType,
        order: &ConnectOrder,
        by: &Principal,
    ) -> Result<Draft, ConnectError> {
        let key = ConnectionKey { name: order.name.clone(), user: order.user.clone() };
        let before = match (self.0.store.open(&key).await, order.replacing) {
            (Ok(stored), true) => {
                permit_management(&stored.head, order.user.as_deref(), by)?;
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
            (Err(CredentialError::Unknown(_)), false) => None,
            (Err(error), _) => return Err(error.into()),
        };
        let mut form = order.form.clone();
        let wanted = rights::wanted(plugin.description(), described, &order.ask)
            .map_err(ConnectError::Refused)?;
        if let Some(scopes) = &wanted {
            let field = described.grant.scopes_field().ok_or_else(|| {
                ConnectError::Refused(format!(
                    "`{}` takes no list of rights: leave the choice out",
                    described.name
                ))
            })?;
            form.fields.insert(field.to_owned(), json!(scopes));
        }
        let configuration = plugin.connect(&described.name, &form).await?;
        let asked = configuration.oauth.as_ref().map(|oauth| oauth.scopes.clone());
        Ok(Draft { form, configuration, asked: asked.unwrap_or_default(), before })
    }

    fn wire<'a>(
        &'a self,
        caller: &'a crate::egress::EndpointCaller,
        grant: &'a Grant,
        draft: &'a Draft,
    ) -> Wire<'a> {
        Wire {
            endpoints: &self.0.endpoints,
            caller,
            grant,
            fields: &draft.form.fields,
            secrets: &draft.form.secrets,
            configuration: &draft.configuration,
            timeout: self.0.timing.answer,
        }
    }

    fn caller_of(
        &self,
        plugin: &Plugin,
        order: &ConnectOrder,
        draft: &Draft,
    ) -> crate::egress::EndpointCaller {
        crate::egress::EndpointCaller {
            plugin: plugin.digest(),
            node: plugin.description().node.name.clone(),
            credential_type: order.credential_type.clone(),
            credential: order.name.clone(),
            action: "credential.connect",
            actor: order.user.clone().or_else(|| order.owner.clone()),
            workflow: None,
            allow: None,
            configuration: draft.configuration.clone(),
        }
    }

    /// Puts together what is to be kept, and what a person has to know about it.
    async fn connection(
        &self,
        plugin: &Plugin,
        described: &CredentialType,
        order: ConnectOrder,
        draft: Draft,
        tokens: Option<Tokens>,
        nonce: Option<&str>,
    ) -> Result<NewConnection, ConnectError> {
        let Draft { form, mut configuration, asked, before } = draft;
        let now = self.0.clock.unix_milliseconds();
        let mut warnings = Vec::new();
        let mut secrets = form.secrets.clone();
        let mut identity = Map::new();
        let (mut granted, mut expires_at, mut lifetime) = (None, None, None);
        if let Some(tokens) = tokens {
            let scopes = tokens.scopes.clone().unwrap_or_else(|| asked.clone());
            if let Grant::AuthorizationCode { issuers, id_token_claims, .. } = &described.grant
                && let Some(token) = &tokens.id_token
            {
                let client_id = text_field(&described.grant, &form).unwrap_or_default();
                let expected = Expected { issuers, client_id: &client_id, nonce, now: now / 1_000 };
                identity = id_token::claims(token.expose(), &expected, id_token_claims)
                    .map_err(|why| ConnectError::IdToken(why.to_owned()))?;
            }
            lifetime =
                tokens.lifetime.map(|life| u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            expires_at = lifetime.map(|lifetime| now.saturating_add(lifetime));
            let rotates = matches!(described.grant, Grant::AuthorizationCode { .. });
            if rotates && tokens.refresh_token.is_none() {
                warnings.push(
                    "the service gave nothing to renew the access with: it has to be connected \
                     again when it ends"
                        .to_owned(),
                );
            }
            secrets.insert("access_token".to_owned(), tokens.access_token);
            if let Some(token) = tokens.refresh_token.filter(|_| rotates) {
                secrets.insert("refresh_token".to_owned(), token);
            }
            // Which account it is, and so where it may be sent, shows only now.
            let grant = json!({ "scopes": scopes, "claims": identity });
            configuration = plugin.configure(&described.name, &form.fields, Some(&grant)).await?;
            granted = Some(scopes);
        }
        let description = plugin.description();
        let held = granted.clone().unwrap_or_default();
        let lacking: Vec<String> = asked
            .iter()
            .filter(|scope| granted.is_some() && !rights::is_granted(described, &held, scope))
            .cloned()
            .collect();
        let known = |scope: &&String| described.scopes.iter().any(|one| one.allows(scope));
        let shown: Vec<String> = held.iter().filter(known).cloned().collect();
        let blocked = match &granted {
            Some(granted) => rights::blocked(description, described, granted),
            None => Vec::new(),
        };
        let other_account = before
            .as_ref()
            .map(|before| differences(&before.connection.identity, &identity))
            .unwrap_or_default();
        let replacing = before.as_ref().map(|before| before.connection.revision);
        let is_oauth = granted.is_some();
        // What a test has found out about a secret says nothing about the next one.
        let credential = NewCredential {
            name: order.name,
            description: order.description,
            owner: order.owner,
            mode: order.mode,
            allowed_actions: order.allowed_actions,
            node: description.node.name.clone(),
            credential_type: described.name.clone(),
            user: order.user,
            fields: form.fields,
            secrets,
            configuration,
            asked_scopes: is_oauth.then_some(asked),
            granted_scopes: granted,
            identity: identity.clone(),
            expires_at,
            lifetime,
        };
        Ok(NewConnection {
            granted: rights::in_words(description, described, &shown),
            missing: rights::in_words(description, described, &lacking),
            blocked,
            other_account,
            warnings,
            identity,
            credential,
            replacing,
            plugin: plugin.clone(),
            confirmed: false,
        })
    }
}

/// A code goes to this machine itself, to https, or where somebody has insisted.
fn check_redirect(
    redirect: &Url,
    insecure: bool,
    warnings: &mut Vec<String>,
) -> Result<(), ConnectError> {
    if redirect.fragment().is_some() || !redirect.username().is_empty() || !redirect.has_host() {
        return Err(ConnectError::Redirect(
            "a redirect URL has a host, and neither a fragment nor user information".to_owned(),
        ));
    }
    match redirect.scheme() {
        "https" => Ok(()),
        "http" if loopback::literal_loopback(redirect).is_some() => Ok(()),
        "http" if insecure => {
            warnings.push(format!(
                "{redirect} is plain http: whoever listens on the way gets the code, and may use it \
                 before you do"
            ));
            Ok(())
        }
        "http" => Err(ConnectError::Redirect(format!(
            "{redirect} is plain http, and not this machine's own address (write 127.0.0.1, not \
             localhost): whoever listens on the way would get the code"
        ))),
        other => Err(ConnectError::Redirect(format!("`{other}` is no scheme for a redirect URL"))),
    }
}

fn service(refusal: Refusal) -> ConnectError {
    ConnectError::Service { reason: refusal.reason, denied: false }
}

/// The app's client id.
fn text_field(grant: &Grant, form: &CredentialForm) -> Option<String> {
    let field = match grant {
        Grant::Fixed => return None,
        Grant::AuthorizationCode { client_id_field, .. }
        | Grant::ClientCredentials { client_id_field, .. } => client_id_field,
    };
    match form.secrets.get(field) {
        Some(secret) => Some(secret.expose().to_owned()),
        None => form.fields.get(field)?.as_str().map(str::to_owned),
    }
}

fn differences(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<Difference> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    before
        .iter()
        .filter_map(|(what, was)| {
            let is = now.get(what)?;
            (is != was).then(|| Difference { what: what.clone(), was: text(was), is: text(is) })
        })
        .collect()
}

/// 256 bits from the system, as text.
fn random_text() -> Result<String, ConnectError> {
    let mut bytes = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| ConnectError::Refused(format!("the system gives no chance: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// For requests that belong to no execution.
impl CredentialManager {
    /// Notes whose a credential is, as a test has found out.
    ///
    /// # Errors
    ///
    /// When it is not there or was changed meanwhile.
    pub async fn note_identity(
        &self,
        key: &ConnectionKey,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        let stored = self.0.store.open(key).await?;
        self.0.store.set_identity(key, stored.connection.revision, identity).await
    }

    /// Asks for the connection of a user as an execution would.
    pub fn key_for(&self, mode: Mode, name: &str, by: &Principal) -> ConnectionKey {
        let request = CredentialRequest { name: name.to_owned(), ..CredentialRequest::default() };
        let user = if mode == Mode::PerUser { by.id.clone() } else { None };
        ConnectionKey { name: request.name, user }
    }
}
