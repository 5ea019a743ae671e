//! Token and revocation requests, as the `oauth2` crate writes them, sent by the one egress check.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, DeviceAuthorizationUrl,
    DeviceCodeErrorResponse, EndpointNotSet, EndpointSet, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken,
    TokenResponse as _, TokenUrl,
};
use serde_json::{Map, Value};

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answer::TokenAnswer;
use super::assertion::{TYPE, assertion};
use crate::description::{ClientAuthentication, Configuration, Grant};
use crate::egress::{Endpoint, EndpointCaller, EndpointError, EndpointErrorKind, Endpoints};
use crate::secret::Secret;

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Codes that a service issues to a device.
pub(crate) type DeviceCodes = oauth2::StandardDeviceAuthorizationResponse;

/// Maximum wait for a person, even if the service allows a longer one.
pub(crate) const LONGEST_DEVICE_CODE: Duration = Duration::from_secs(30 * 60);

/// New tokens.
pub(crate) struct Tokens {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    pub(crate) lifetime: Option<Duration>,
    /// `None`: as asked (RFC 6749 section 5.1).
    pub(crate) scopes: Option<Vec<String>>,
}

/// Reason for a failed token request.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    /// For people, without anything secret.
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// A rule of this host forbids it, or the stored data is not sufficient.
    Denied,
    /// Nothing left this machine.
    NotSent,
    /// It may have arrived, and no answer that could be read came.
    Lost,
    /// The service cannot just now, and has done nothing.
    Unavailable,
    /// `invalid_grant`: this grant is dead.
    DeadGrant,
    /// The service refuses for another reason; asking again changes nothing.
    Refused,
    /// The person has not answered yet (RFC 8628 section 3.5).
    Pending,
    /// The person has declined.
    Declined,
}

/// The client of a token endpoint for one credential.
pub(crate) struct Wire<'a> {
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) caller: &'a EndpointCaller,
    pub(crate) grant: &'a Grant,
    pub(crate) fields: &'a Map<String, Value>,
    pub(crate) secrets: &'a BTreeMap<String, Secret>,
    pub(crate) configuration: &'a Configuration,
    pub(crate) timeout: Duration,
}

impl Wire<'_> {
    /// An authorization code becomes tokens.
    pub(crate) async fn code(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect: &str,
    ) -> Result<Tokens, Refusal> {
        let client = self.client()?;
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(denied)?;
        let service = self.endpoint_client(Endpoint::Token);
        let request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        let request = self
            .proof()?
            .into_iter()
            .fold(request, |request, (name, value)| request.add_extra_param(name, value));
        service.tokens(request.request_async(&service.client()).await)
    }

    /// A refresh token becomes new tokens.
    pub(crate) async fn refresh(&self) -> Result<Tokens, Refusal> {
        let client = self.client()?;
        let token = self.secrets.get("refresh_token").ok_or_else(|| {
            denied("it has no refresh token, because the service issued none when it was connected")
        })?;
        let token = RefreshToken::new(token.expose().to_owned());
        let service = self.endpoint_client(Endpoint::Token);
        let request = client.exchange_refresh_token(&token);
        let request = self
            .proof()?
            .into_iter()
            .fold(request, |request, (name, value)| request.add_extra_param(name, value));
        service.tokens(request.request_async(&service.client()).await)
    }

    /// An app's own token.
    pub(crate) async fn app(&self, scopes: &[String]) -> Result<Tokens, Refusal> {
        let client = self.client()?;
        let service = self.endpoint_client(Endpoint::Token);
        let scopes = scopes.iter().map(|scope| Scope::new(scope.clone()));
        let request = client.exchange_client_credentials().add_scopes(scopes);
        let request = self
            .proof()?
            .into_iter()
            .fold(request, |request, (name, value)| request.add_extra_param(name, value));
        service.tokens(request.request_async(&service.client()).await)
    }

    /// Asks for a code that a person enters on another device (RFC 8628 section 3.1).
    pub(crate) async fn device(&self, scopes: &[String]) -> Result<DeviceCodes, Refusal> {
        let url = self.configuration.oauth.as_ref();
        let url = url.and_then(|oauth| oauth.device_authorization_url.clone());
        let url = url.ok_or_else(|| denied("it is not configured for device authorization"))?;
        let url = DeviceAuthorizationUrl::new(url).map_err(denied)?;
        let client = self.client()?.set_device_authorization_url(url);
        let scopes = scopes.iter().map(|scope| Scope::new(scope.clone()));
        let service = self.endpoint_client(Endpoint::DeviceAuthorization);
        let request = client.exchange_device_code().add_scopes(scopes);
        request
            .request_async(&service.client())
            .await
            .map_err(|error| refusal(error, service.status()))
    }

    /// Asks for tokens until the person has entered the code, or it has expired. `pause` waits.
    pub(crate) async fn device_tokens<F>(
        &self,
        codes: &DeviceCodes,
        pause: impl Fn(Duration) -> F + Clone + Send + Sync + 'static,
    ) -> Result<Tokens, Refusal>
    where
        F: Future<Output = ()> + Send,
    {
        let client = self.client()?;
        let mut left = codes.expires_in().min(LONGEST_DEVICE_CODE);
        loop {
            let service = self.endpoint_client(Endpoint::Token);
            let request = client.exchange_device_access_token(codes);
            let answer = request.request_async(&service.client(), pause.clone(), Some(left)).await;
            let tokens = service.tokens(answer);
            // Some services report with status 200 that the person has not answered yet.
            match tokens {
                Err(refusal) if refusal.kind == RefusalKind::Pending && !left.is_zero() => {
                    let interval = codes.interval().max(Duration::from_secs(1));
                    pause(interval).await;
                    left = left.saturating_sub(interval);
                }
                tokens => return tokens,
            }
        }
    }

    /// Revokes a token (RFC 7009). A token that the service does not recognize counts as revoked.
    pub(crate) async fn revoke(&self, name: &str, token: &Secret) -> Result<(), Refusal> {
        let url = self.configuration.oauth.as_ref().and_then(|oauth| oauth.revoke_url.clone());
        let url = url.ok_or_else(|| denied("the service does not support revocation"))?;
        let client = self.client()?.set_revocation_url(RevocationUrl::new(url).map_err(denied)?);
        let token = token.expose().to_owned();
        let token = match name {
            "refresh_token" => StandardRevocableToken::RefreshToken(RefreshToken::new(token)),
            _ => StandardRevocableToken::AccessToken(oauth2::AccessToken::new(token)),
        };
        let service = self.endpoint_client(Endpoint::Revocation);
        let request = client.revoke_token(token).map_err(denied)?;
        let request = self
            .proof()?
            .into_iter()
            .fold(request, |request, (name, value)| request.add_extra_param(name, value));
        let answer = request.request_async(&service.client()).await;
        match (answer, service.status()) {
            (Ok(()), _) | (Err(_), Some(200..=299)) => Ok(()),
            (Err(error), status) => Err(refusal(error, status)),
        }
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.field(self.grant.client_id_field()?)
    }

    fn authentication(&self) -> Result<ClientAuthentication, Refusal> {
        self.grant.client_authentication().ok_or_else(|| denied("it has no OAuth grant"))
    }

    /// A field of the form, secret or not.
    fn field(&self, name: &str) -> Option<&str> {
        match self.secrets.get(name) {
            Some(secret) => Some(secret.expose()),
            None => self.fields.get(name)?.as_str(),
        }
    }

    /// Parameters by which a client proves itself with its private key; none for other clients.
    fn proof(&self) -> Result<Vec<(&'static str, String)>, Refusal> {
        if self.authentication()? != ClientAuthentication::PrivateKeyJwt {
            return Ok(Vec::new());
        }
        let key = self.grant.private_key_field().and_then(|field| self.secrets.get(field));
        let key = key.ok_or_else(|| denied("the private key of the app is missing"))?;
        let key_id = self.grant.key_id_field().and_then(|field| self.field(field));
        let id = self.client_id().ok_or_else(|| denied("the client ID of the app is missing"))?;
        let oauth = self.configuration.oauth.as_ref();
        let audience = oauth.map(|oauth| oauth.token_url.as_str()).unwrap_or_default();
        let now = self.endpoints.clock.unix_milliseconds() / 1_000;
        let signed = assertion(key, key_id, id, audience, now).map_err(denied)?;
        Ok(vec![("client_assertion_type", TYPE.to_owned()), ("client_assertion", signed)])
    }

    fn client(&self) -> Result<Client, Refusal> {
        let authentication = self.authentication()?;
        let secret_field = self.grant.client_secret_field();
        let id = self.client_id().ok_or_else(|| denied("the client ID of the app is missing"))?;
        let oauth = self.configuration.oauth.as_ref();
        let oauth = oauth.ok_or_else(|| denied("it is not configured for OAuth"))?;
        let token_url = TokenUrl::new(oauth.token_url.clone()).map_err(denied)?;
        let secret = secret_field.and_then(|field| self.secrets.get(field));
        let client = oauth2::Client::new(ClientId::new(id.to_owned()));
        let mut client: Client = client.set_token_uri(token_url);
        match authentication {
            // A key proves the client in further parameters.
            ClientAuthentication::None | ClientAuthentication::PrivateKeyJwt => {
                client = client.set_auth_type(AuthType::RequestBody);
            }
            ClientAuthentication::ClientSecretPost | ClientAuthentication::ClientSecretBasic => {
                let is_basic = authentication == ClientAuthentication::ClientSecretBasic;
                let how = if is_basic { AuthType::BasicAuth } else { AuthType::RequestBody };
                client = client.set_auth_type(how);
                if let Some(secret) = secret {
                    client =
                        client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
                }
            }
            other => {
                return Err(denied(format!(
                    "this host does not support the client authentication {other}"
                )));
            }
        }
        Ok(client)
    }

    fn endpoint_client(&self, endpoint: Endpoint) -> EndpointClient {
        EndpointClient {
            endpoints: self.endpoints.clone(),
            caller: self.caller.clone(),
            endpoint,
            timeout: self.timeout,
            status: Arc::default(),
        }
    }
}

/// The egress check as the `oauth2` crate's HTTP client; remembers the status of the answer.
#[derive(Clone)]
struct EndpointClient {
    endpoints: Endpoints,
    caller: EndpointCaller,
    endpoint: Endpoint,
    timeout: Duration,
    status: Arc<Mutex<Option<u16>>>,
}

impl EndpointClient {
    fn client(
        &self,
    ) -> impl Fn(
        oauth2::HttpRequest,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = Result<oauth2::HttpResponse, EndpointError>> + Send>,
    > {
        let service = self.clone();
        move |request| {
            let service = service.clone();
            Box::pin(async move {
                let EndpointClient { endpoints, caller, endpoint, timeout, status } = service;
                let answer = endpoints.send(&caller, endpoint, request, timeout).await?;
                *status.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(answer.status().as_u16());
                Ok(answer)
            })
        }
    }

    fn status(&self) -> Option<u16> {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens<E>(
        &self,
        answer: Result<TokenAnswer, RequestTokenError<EndpointError, E>>,
    ) -> Result<Tokens, Refusal>
    where
        E: oauth2::ErrorResponse + Named + 'static,
    {
        let answer = answer.map_err(|error| refusal(error, self.status()))?;
        if let Some(error) = answer.error() {
            return Err(refused(error, None));
        }
        Ok(Tokens {
            access_token: Secret::new(answer.access_token().secret().as_str()),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
            id_token: answer.id_token().cloned(),
            lifetime: answer.expires_in(),
            scopes: answer
                .scopes()
                .map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
        })
    }
}

fn denied(reason: impl ToString) -> Refusal {
    Refusal { kind: RefusalKind::Denied, reason: reason.to_string(), retry_after: None }
}

/// Error of a service in a form that is safe to display. Its text is untrusted and may repeat data
/// that was sent to the service.
fn refused(error: &str, status: Option<u16>) -> Refusal {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let known = !error.is_empty() && error.len() <= 60 && error.chars().all(word);
    let name = if known { error } else { "an invalid error code" };
    let (kind, words) = match name {
        "invalid_grant" => (RefusalKind::DeadGrant, "the grant has expired or was revoked"),
        "invalid_client" => (
            RefusalKind::Refused,
            "the client ID, client secret, or private key of the app was rejected",
        ),
        "unauthorized_client" => {
            (RefusalKind::Refused, "the app is not permitted to use this grant")
        }
        "unsupported_grant_type" => {
            (RefusalKind::Refused, "the service does not support this grant")
        }
        "invalid_scope" => {
            (RefusalKind::Refused, "a requested scope is unknown or not permitted for the app")
        }
        "invalid_request" => (RefusalKind::Refused, "the service rejected the request as invalid"),
        "authorization_pending" | "slow_down" => {
            (RefusalKind::Pending, "the person has not entered the code yet")
        }
        "expired_token" => (RefusalKind::Refused, "the code expired before it was entered"),
        "access_denied" => (RefusalKind::Declined, "the person declined"),
        "temporarily_unavailable" | "server_error" => {
            (RefusalKind::Unavailable, "the service is temporarily unavailable")
        }
        _ => (RefusalKind::Refused, "the service rejected the request"),
    };
    let status = status.map(|status| format!(", status {status}")).unwrap_or_default();
    Refusal { kind, reason: format!("{words} ({name}{status})"), retry_after: None }
}

fn refusal<E>(error: RequestTokenError<EndpointError, E>, status: Option<u16>) -> Refusal
where
    E: oauth2::ErrorResponse + Named + 'static,
{
    match error {
        RequestTokenError::Request(error) => {
            let EndpointError { kind, message, maybe_sent, retry_after } = error;
            let kind = match kind {
                EndpointErrorKind::Denied => RefusalKind::Denied,
                EndpointErrorKind::Unanswered if maybe_sent => RefusalKind::Lost,
                EndpointErrorKind::Unanswered => RefusalKind::NotSent,
                EndpointErrorKind::Unavailable => RefusalKind::Unavailable,
                EndpointErrorKind::Redirected => RefusalKind::Refused,
            };
            Refusal { kind, reason: format!("the token endpoint: {message}"), retry_after }
        }
        RequestTokenError::ServerResponse(answer) => refused(&answer.name(), status),
        // Neither the error nor the body is reported, because both may contain tokens.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => match status {
            Some(status @ 200..=299) => Refusal {
                kind: RefusalKind::Lost,
                reason: format!("the token endpoint returned {status} without a token"),
                retry_after: None,
            },
            Some(status) => refused("", Some(status)),
            None => denied("cannot build the request"),
        },
    }
}

/// The name of an error that a service answers with.
trait Named {
    fn name(&self) -> String;
}

impl Named for BasicErrorResponse {
    fn name(&self) -> String {
        self.error().as_ref().to_owned()
    }
}

impl Named for DeviceCodeErrorResponse {
    fn name(&self) -> String {
        self.error().as_ref().to_owned()
    }
}

impl Named for BasicRevocationErrorResponse {
    fn name(&self) -> String {
        self.error().as_ref().to_owned()
    }
}
