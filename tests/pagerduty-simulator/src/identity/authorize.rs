//! The authorization endpoint: the request of an app, and the response at its redirect URI (RFC
//! 6749, 4.1; RFC 7636; RFC 9207). It must not depend on the pages.

use url::form_urlencoded::Serializer;

use super::app::App;
use super::desk::Desk;
use super::form::Form;
use super::ledger::Code;
use super::refusal::{Refusal, refuse};
use crate::keys::Region;
use crate::state::SUBDOMAIN;

/// Parameters of an authorization request. `nonce` and the rest of OpenID Connect follow the
/// standard; PagerDuty documents neither them nor `state`.
const PARAMETERS: [&str; 10] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "login_hint",
];

/// A valid request that needs consent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) app: App,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) granted: Vec<String>,
    /// Scopes that were requested and are not available.
    pub(crate) dropped: Vec<String>,
    challenge: Option<String>,
    nonce: Option<String>,
}

/// Why no consent is requested.
#[derive(Debug)]
pub(crate) enum Unasked {
    /// There is no valid redirect URI: a page shows the reason.
    Shown(Refusal),
    /// The app receives the error.
    Redirected(String),
}

/// Reads and validates a query.
pub(crate) fn read(desk: &mut Desk<'_>, query: &str) -> Result<Asked, Unasked> {
    let form = Form::read(query.as_bytes());
    let (app, redirect_uri) = destination(desk, &form).map_err(Unasked::Shown)?;
    desk.client = Some(app.name.clone());
    for name in form.strange(&PARAMETERS) {
        desk.object(format!("unknown parameter {name}"));
    }
    if form.get("state").is_none() {
        desk.object("an authorization without state");
    }
    let state = form.get("state").map(str::to_owned);
    match judge(desk, &form, &app) {
        Ok((granted, dropped, challenge)) => {
            for scope in &dropped {
                desk.object(format!("scope {scope} is not the app's; it was left out"));
            }
            let nonce = form.get("nonce").map(str::to_owned);
            Ok(Asked { app, redirect_uri, state, granted, dropped, challenge, nonce })
        }
        Err(refusal) => {
            desk.object(format!("its authorization was refused: {}", refusal.description));
            Err(Unasked::Redirected(error_url(desk, &redirect_uri, state.as_deref(), &refusal)))
        }
    }
}

/// Finds the app and one of its redirect URIs. Without both, nothing is redirected.
fn destination(desk: &Desk<'_>, form: &Form) -> Result<(App, String), Refusal> {
    let client_id = form.require("client_id")?;
    let app = desk
        .app(client_id)
        .ok_or_else(|| refuse("invalid_client", "No app is registered with this client_id"))?;
    let redirect_uri = form.require("redirect_uri")?;
    // Of two values, the first might be validated and the second used.
    let twice = |name| form.pairs().iter().filter(|(other, _)| other == name).count() > 1;
    if twice("client_id") || twice("redirect_uri") {
        let text = "client_id and redirect_uri may be sent once only";
        return Err(refuse("invalid_request", text));
    }
    if !app.may_redirect_to(redirect_uri, desk.memory.settings.any_loopback_port) {
        let text = "The app has not registered this redirect_uri";
        return Err(refuse("invalid_request", text));
    }
    let redirect_uri = redirect_uri.to_owned();
    Ok((app, redirect_uri))
}

type Judged = (Vec<String>, Vec<String>, Option<String>);

fn judge(desk: &mut Desk<'_>, form: &Form, app: &App) -> Result<Judged, Refusal> {
    if let Some(failure) = desk.memory.failures.pop_front() {
        return Err(failure);
    }
    form.once_each()?;
    if form.get("client_secret").is_some() {
        return Err(refuse("invalid_request", "A client_secret does not belong into a URL"));
    }
    if form.require("response_type")? != "code" {
        return Err(refuse("unsupported_response_type", "response_type must be code"));
    }
    let challenge = challenge(desk, form, app)?;
    let asked = form.get("scope").ok_or_else(|| refuse("invalid_scope", "scope is missing"))?;
    // RFC 6749, 3.3.
    let allowed = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\');
    if !asked.split(' ').all(|scope| !scope.is_empty() && scope.chars().all(allowed)) {
        return Err(refuse("invalid_scope", "scope is not a list of scopes"));
    }
    let (granted, dropped) = app.sort_scopes(asked, &desk.memory.settings.withheld_scopes);
    Ok((granted, dropped, challenge))
}

/// The challenge, which must be present if the app requires one, and must use S256.
fn challenge(desk: &mut Desk<'_>, form: &Form, app: &App) -> Result<Option<String>, Refusal> {
    if !desk.memory.settings.checks_pkce {
        return Ok(None);
    }
    let Some(challenge) = form.get("code_challenge") else {
        if app.needs_challenge() {
            return Err(refuse("invalid_request", "code_challenge is missing"));
        }
        if form.get("code_challenge_method").is_some() {
            return Err(refuse("invalid_request", "code_challenge_method without code_challenge"));
        }
        desk.object("an authorization without PKCE");
        return Ok(None);
    };
    if form.get("code_challenge_method") != Some("S256") {
        return Err(refuse("invalid_request", "code_challenge_method must be S256"));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(refuse("invalid_request", "code_challenge is not a SHA-256 in base64url"));
    }
    Ok(Some(challenge.to_owned()))
}

/// The response to the app when the user consents.
pub(crate) fn agree(desk: &mut Desk<'_>, asked: &Asked, region: Region, user_id: &str) -> String {
    if !asked.app.serves(region) {
        let text = "This app is private to another account";
        return refuse_to(desk, asked, &refuse("access_denied", text));
    }
    let code = desk.memory.ledger.add_code(Code {
        client_id: asked.app.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
        scopes: asked.granted.clone(),
        region,
        user: user_id.to_owned(),
        at: desk.now,
        spent: false,
        family: None,
    });
    let pairs = [("code", code.as_str()), ("subdomain", SUBDOMAIN)];
    url(desk, &asked.redirect_uri, &pairs, asked.state.as_deref())
}

/// The response to the app when the user declines.
pub(crate) fn deny(desk: &Desk<'_>, asked: &Asked) -> String {
    let text = "The resource owner or authorization server denied the request.";
    refuse_to(desk, asked, &refuse("access_denied", text))
}

fn refuse_to(desk: &Desk<'_>, asked: &Asked, refusal: &Refusal) -> String {
    error_url(desk, &asked.redirect_uri, asked.state.as_deref(), refusal)
}

fn error_url(
    desk: &Desk<'_>,
    redirect_uri: &str,
    state: Option<&str>,
    refusal: &Refusal,
) -> String {
    let pairs =
        [("error", refusal.error.as_str()), ("error_description", refusal.description.as_str())];
    url(desk, redirect_uri, &pairs, state)
}

/// Appends parameters to those of the redirect URI.
fn url(desk: &Desk<'_>, redirect_uri: &str, pairs: &[(&str, &str)], state: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs);
    query.extend_pairs(state.map(|state| ("state", state)));
    query.extend_pairs(desk.memory.settings.callback_iss.as_ref().map(|iss| ("iss", iss)));
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{separator}{}", query.finish())
}
