//! Connecting: from a form to a credential that is kept. Nothing is stored before all of it has
//! worked, so that a flow that is given up half-way leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use url::Url;

use super::ConnectError;
use super::backend::{Backend, TokenQuestion};
use super::callback::{self, Callback, CallbackResult};
use super::manage::Actor;
use super::order::{ConnectOrder, Draft, check_redirect, client_id};
use super::outcome::NewConnection;
use super::wire::{DeviceCodes, LONGEST_DEVICE_CODE, Refusal, RefusalKind};
use crate::credential::rights::{self, Right};
use crate::description::{Grant, PkceMethod};
use crate::plugin::Plugin;
use crate::secret::Secret;

/// An authorization that waits for a person.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Where to send the person's browser.
    pub url: Url,
    /// Identifier of this authorization; the callback carries it.
    pub state: String,
    /// Requested permissions.
    pub rights: Vec<Right>,
    /// Requested permissions that the connection to be replaced does not have yet.
    pub added: Vec<String>,
    /// Warnings to show before the person continues.
    pub warnings: Vec<String>,
}

/// The service is asked at least so often whether the person has entered the code.
const LONGEST_POLL: Duration = Duration::from_secs(60);

/// Steps for a person to connect a credential on any device (RFC 8628 section 3.2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceAuthorization {
    /// The page of the service on which the person enters the code.
    pub url: Url,
    /// The code that the person enters: at most 64 printable ASCII characters.
    pub user_code: String,
    /// The page with the code in its address, if the service has one.
    pub complete_url: Option<Url>,
    /// How long the code is accepted.
    pub expires_in: Duration,
    /// Requested permissions.
    pub rights: Vec<Right>,
}

impl DeviceAuthorization {
    /// Displayable part of the codes that the service issued. Their text is untrusted.
    fn of(codes: &DeviceCodes, rights: Vec<Right>) -> Result<Self, ConnectError> {
        /// Bytes of an address.
        const ADDRESS: usize = 2_048;
        let wrong = |what: &str| ConnectError::Service {
            reason: format!("the device authorization endpoint returned an invalid {what}"),
            denied: false,
        };
        let page = |text: &str| {
            let url = Url::parse(text).ok().filter(|_| text.len() <= ADDRESS)?;
            (url.scheme() == "https" && url.username().is_empty() && url.password().is_none())
                .then_some(url)
        };
        let user_code = codes.user_code().secret().clone();
        let is_printable = user_code.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if user_code.is_empty() || user_code.len() > 64 || !is_printable {
            return Err(wrong("user code"));
        }
        let complete = codes.verification_uri_complete();
        Ok(Self {
            url: page(codes.verification_uri().as_str())
                .ok_or_else(|| wrong("verification address"))?,
            user_code,
            complete_url: complete.and_then(|url| page(url.secret())),
            expires_in: codes.expires_in().min(LONGEST_DEVICE_CODE),
            rights,
        })
    }
}

/// Data needed to finish an authorization.
pub(super) struct Pending {
    pub(super) plugin: Plugin,
    pub(super) order: ConnectOrder,
    pub(super) draft: Draft,
    pub(super) redirect: Url,
    pub(super) verifier: Secret,
    pub(super) nonce: Option<String>,
    pub(super) began: Duration,
    /// Who has begun it, and alone can finish it.
    pub(super) by: Actor,
}

/// Connects credentials, and ends connections. Owns the authorizations that a person has not come back
/// from yet.
pub(crate) struct Connector {
    pub(super) backend: Arc<Backend>,
    /// By their state.
    pub(super) pending: Mutex<HashMap<String, Pending>>,
}

impl Connector {
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        Self { backend, pending: Mutex::default() }
    }

    /// See [`CredentialManager::begin`](super::CredentialManager::begin).
    pub(crate) async fn begin(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<Authorization, ConnectError> {
        let order = order.by(by);
        let described = self.described(plugin, &order).await?;
        let Grant::AuthorizationCode(grant) = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        if grant.pkce != PkceMethod::S256 {
            return Err(ConnectError::Refused("only PKCE with S256 is supported".to_owned()));
        }
        let mut warnings = Vec::new();
        let redirect = order.redirect.clone().ok_or(ConnectError::NoRedirect)?;
        check_redirect(&redirect, order.insecure_redirect, &mut warnings)?;
        let draft = self.draft(plugin, described, &order, by).await?;
        let oauth = draft.configuration.oauth.as_ref().ok_or(ConnectError::NotConfigured)?;
        let authorize = oauth.authorize_url.clone().ok_or(ConnectError::NotConfigured)?;
        let authorize = self
            .backend
            .endpoints
            .approved(plugin.digest(), &described.name, &authorize, None)
            .await
            .map_err(ConnectError::Refused)?;
        // The browser goes there, and mapped origins do not apply to a browser.
        if !authorize.origin.is_https() {
            let problem = "the authorization endpoint is not an https URL".to_owned();
            return Err(ConnectError::Refused(problem));
        }
        let authorize = authorize.url;
        let state = random_text()?;
        let nonce = if grant.id_token_claims.is_empty() { None } else { Some(random_text()?) };
        let client = client_id(&described.grant, &draft.form).ok_or_else(|| {
            ConnectError::Refused("the client ID of the app is missing".to_owned())
        })?;
        let (challenge, verifier) = oauth2::PkceCodeChallenge::new_random_sha256_len(48);
        let client = oauth2::basic::BasicClient::new(oauth2::ClientId::new(client))
            .set_auth_uri(oauth2::AuthUrl::from_url(authorize));
        let mut request = client
            .authorize_url(|| oauth2::CsrfToken::new(state.clone()))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(std::borrow::Cow::Owned(
                oauth2::RedirectUrl::new(redirect.to_string())
                    .map_err(|error| ConnectError::Prepare(error.into()))?,
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
            .and_then(|before| before.connection.parts.granted_scopes.clone())
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
            began: self.backend.clock.monotonic(),
            by: by.clone(),
        };
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, patience) = (self.backend.clock.monotonic(), self.backend.timing.pending);
        all.retain(|_, one| now.saturating_sub(one.began) < patience);
        all.insert(state, pending);
        Ok(authorization)
    }

    /// See [`CredentialManager::abandon`](super::CredentialManager::abandon).
    pub(crate) fn abandon(&self, state: &str) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
    }

    /// See [`CredentialManager::finish`](super::CredentialManager::finish).
    pub(crate) async fn finish(
        &self,
        callback: &str,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        // The state before anything else: without one of ours nothing of it is looked at.
        let callback =
            Callback::read(callback, None).map_err(|why| ConnectError::Callback(why.to_owned()))?;
        let pending = {
            let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(callback.state().expose())
        };
        // The same words for one that is unknown and one that is another's.
        let pending =
            pending.filter(|one| one.by.principal == by.principal).ok_or(ConnectError::State)?;
        let since = self.backend.clock.monotonic().saturating_sub(pending.began);
        if since >= self.backend.timing.pending {
            return Err(ConnectError::State);
        }
        let wrong = |why: &'static str| ConnectError::Callback(why.to_owned());
        let Pending { plugin, order, draft, redirect, verifier, nonce, .. } = pending;
        let described = self.described(&plugin, &order).await?;
        let Grant::AuthorizationCode(grant) = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        if !callback.is_at(&redirect) {
            return Err(wrong("it arrived at a different address than the redirect URI"));
        }
        match callback.issuer().map_err(wrong)? {
            Some(issuer) if !grant.issuers.is_empty() && !grant.issuers.contains(&issuer) => {
                return Err(wrong("it was sent by another service"));
            }
            None if grant.iss_in_response => {
                return Err(wrong(
                    "it does not name its issuer, although this service always does",
                ));
            }
            _ => {}
        }
        let code = match callback.result().map_err(wrong)? {
            CallbackResult::Code(code) => code,
            CallbackResult::Refused(error) => {
                let denied = error == "access_denied";
                return Err(ConnectError::Service { reason: callback::in_words(&error), denied });
            }
        };
        let caller = self.caller_of(&plugin, &order, &draft, by);
        let wire = self.wire(&caller, &described.grant, &draft);
        let question =
            TokenQuestion::Code { code: &code, verifier: &verifier, redirect: redirect.as_str() };
        let tokens = self.backend.first_tokens(&wire, question).await;
        drop(code);
        let tokens = tokens.map_err(service)?;
        self.connection(&plugin, described, order, draft, by, Some((tokens, nonce.as_deref())))
            .await
    }

    /// See [`CredentialManager::connect_app`](super::CredentialManager::connect_app).
    pub(crate) async fn connect_app(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        let order = order.by(by);
        let described = self.described(plugin, &order).await?;
        let Grant::ClientCredentials { .. } = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        let draft = self.draft(plugin, described, &order, by).await?;
        let caller = self.caller_of(plugin, &order, &draft, by);
        let wire = self.wire(&caller, &described.grant, &draft);
        let tokens =
            self.backend.first_tokens(&wire, TokenQuestion::App { scopes: &draft.asked }).await;
        let tokens = tokens.map_err(service)?;
        self.connection(plugin, described, order, draft, by, Some((tokens, None))).await
    }

    /// See [`CredentialManager::connect_device`](super::CredentialManager::connect_device).
    pub(crate) async fn connect_device(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
        show: impl FnOnce(&DeviceAuthorization) + Send,
    ) -> Result<NewConnection, ConnectError> {
        let order = order.by(by);
        let described = self.described(plugin, &order).await?;
        let Grant::DeviceAuthorization(_) = &described.grant else {
            return Err(ConnectError::Grant { is: described.grant.name() });
        };
        let draft = self.draft(plugin, described, &order, by).await?;
        let caller = self.caller_of(plugin, &order, &draft, by);
        let wire = self.wire(&caller, &described.grant, &draft);
        let codes = wire.device(&draft.asked).await.map_err(service)?;
        let rights = rights::in_words(plugin.description(), described, &draft.asked);
        show(&DeviceAuthorization::of(&codes, rights)?);
        let (clock, least) = (self.backend.clock.clone(), self.backend.timing.first_pause);
        let pause = move |time: Duration| {
            let clock = clock.clone();
            // A service may ask for no pause at all.
            async move { clock.sleep(time.clamp(least, LONGEST_POLL)).await }
        };
        let tokens = wire.device_tokens(&codes, pause).await.map_err(|refusal| {
            let denied = refusal.kind == RefusalKind::Declined;
            ConnectError::Service { reason: refusal.reason, denied }
        })?;
        self.connection(plugin, described, order, draft, by, Some((tokens, None))).await
    }

    /// See [`CredentialManager::connect_fixed`](super::CredentialManager::connect_fixed).
    pub(crate) async fn connect_fixed(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        let order = order.by(by);
        let described = self.described(plugin, &order).await?;
        if described.grant != Grant::Fixed {
            return Err(ConnectError::Grant { is: described.grant.name() });
        }
        let draft = self.draft(plugin, described, &order, by).await?;
        self.connection(plugin, described, order, draft, by, None).await
    }
}

fn service(refusal: Refusal) -> ConnectError {
    ConnectError::Service { reason: refusal.reason, denied: false }
}

/// 256 bits from the system, as text.
fn random_text() -> Result<String, ConnectError> {
    let mut bytes = [0; 32];
    let filled = rand::rngs::SysRng.try_fill_bytes(&mut bytes);
    filled.map_err(|error| ConnectError::Prepare(error.into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
