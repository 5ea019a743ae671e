//! The token endpoint: three grants, and every error of RFC 6749, 5.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::app::{App, AppKind};
use super::desk::{Desk, later};
use super::form::Form;
use super::id_token::{half_hash, sha256_base64url};
use super::ledger::{Code, GrantEnd, Shown};
use super::refusal::{Refusal, refuse};
use crate::ids::{secret, uuid};
use crate::keys::Region;
use crate::recording::RecordedRequest;
use crate::reply::Reply;
use crate::state::SUBDOMAIN;

/// Responds to a token request.
pub(crate) fn answer(desk: &mut Desk<'_>, request: &RecordedRequest) -> Reply {
    unstored(match grant(desk, request) {
        Ok(tokens) => Reply::json(200, &Value::Object(tokens)),
        Err(refusal) => {
            desk.object(format!("refused with {}: {}", refusal.error, refusal.description));
            refusal.into()
        }
    })
}

/// Responses with tokens must not be cached (RFC 6749, 5.1).
pub(crate) fn unstored(mut reply: Reply) -> Reply {
    reply.headers.push(("cache-control", "no-store".to_owned()));
    reply.headers.push(("pragma", "no-cache".to_owned()));
    reply
}

fn grant(desk: &mut Desk<'_>, request: &RecordedRequest) -> Result<Map<String, Value>, Refusal> {
    let form = body(request)?;
    let known: &[&str] = match form.require("grant_type")? {
        "authorization_code" => &["code", "redirect_uri", "code_verifier"],
        "refresh_token" => &["refresh_token", "scope"],
        "client_credentials" => &["scope"],
        _ => return Err(refuse("unsupported_grant_type", "This grant_type is not supported")),
    };
    let known = [&["grant_type", "client_id", "client_secret"], known].concat();
    for name in form.strange(&known) {
        desk.object(format!("unknown field {name}"));
    }
    let app = authenticate(desk, request, &form)?;
    match form.get("grant_type") {
        Some("authorization_code") => code(desk, &app, &form),
        Some("refresh_token") => refresh(desk, &app, &form),
        _ => client_credentials(desk, &app, &form),
    }
}

/// The fields of a form body, the only place for them.
pub(crate) fn body(request: &RecordedRequest) -> Result<Form, Refusal> {
    let content_type = request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = "Content-Type must be application/x-www-form-urlencoded";
        return Err(refuse("invalid_request", text));
    }
    if !request.query.is_empty() {
        return Err(refuse("invalid_request", "Parameters belong into the body, not into the URL"));
    }
    let form = Form::read(&request.body);
    form.once_each()?;
    Ok(form)
}

/// The app that sends the request, authenticated by its secret; a public app has none and
/// authenticates nothing.
pub(crate) fn authenticate(
    desk: &mut Desk<'_>,
    request: &RecordedRequest,
    form: &Form,
) -> Result<App, Refusal> {
    let (client_id, secret, basic) = match request.header("authorization") {
        None => {
            let client_id = form.require("client_id")?.to_owned();
            (client_id, form.get("client_secret").map(str::to_owned), false)
        }
        Some(value) => {
            if !desk.memory.settings.accepts_basic {
                let text = "Authenticate with client_id and client_secret in the body";
                return Err(refuse("invalid_client", text).with_challenge());
            }
            if form.get("client_secret").is_some() {
                return Err(refuse("invalid_request", "The app authenticates in two ways"));
            }
            let (client_id, secret) = basic_pair(value).ok_or_else(|| {
                refuse("invalid_client", "Authorization is not HTTP Basic").with_challenge()
            })?;
            if form.get("client_id").is_some_and(|other| other != client_id) {
                return Err(refuse("invalid_request", "client_id is given twice and differs"));
            }
            (client_id, Some(secret), true)
        }
    };
    let refused = |text: &str| {
        let refusal = refuse("invalid_client", text);
        if basic { refusal.with_challenge() } else { refusal }
    };
    let app = desk.app(&client_id).ok_or_else(|| refused("No such app"))?;
    desk.client = Some(app.name.clone());
    match (&app.client_secret, secret) {
        (None, None) => Ok(app),
        (Some(right), Some(sent)) if *right == sent => Ok(app),
        (Some(_), Some(_)) => Err(refused("The client_secret is wrong")),
        (Some(_), None) => Err(refused("client_secret is missing")),
        (None, Some(_)) => Err(refused("This app has no client_secret")),
    }
}

/// The ID and the secret of HTTP Basic, which are form-encoded before they are joined (RFC 6749,
/// 2.3.1).
fn basic_pair(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = joined.split_once(':')?;
    let decode = |text: &str| {
        // As a name without a value, so that `=` does not end it.
        let text = text.replace('=', "%3D").replace('&', "%26");
        url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned())
    };
    Some((decode(client_id)?, decode(secret).unwrap_or_default()))
}

fn code(desk: &mut Desk<'_>, app: &App, form: &Form) -> Result<Map<String, Value>, Refusal> {
    let value = form.require("code")?;
    let redirect_uri = form.require("redirect_uri")?;
    let lifetime = desk.memory.settings.code_lifetime;
    let checks = desk.memory.settings.checks_pkce;
    let now = desk.now;
    let unknown = || refuse("invalid_grant", "The code is not known");
    // A code of another app is left unchanged.
    let found = desk.memory.ledger.code(value).filter(|code| code.client_id == app.client_id);
    let found = found.ok_or_else(unknown)?;
    if found.spent {
        if let Some(family) = found.family {
            desk.end(family, GrantEnd::CodeReused);
        }
        return Err(refuse("invalid_grant", "The code was used already"));
    }
    // If anything is wrong from here on, the code cannot be used again.
    found.spent = true;
    let code = found.clone();
    if later(code.at, lifetime) <= now {
        return Err(refuse("invalid_grant", "The code has expired"));
    }
    if code.redirect_uri != redirect_uri {
        return Err(refuse("invalid_grant", "redirect_uri is not the one of the authorization"));
    }
    if checks {
        verify(code.challenge.as_deref(), form.get("code_verifier"))?;
    }
    let owner = (code.region, Some(code.user.as_str()));
    let family = desk.memory.ledger.start(&app.client_id, owner, code.scopes.clone(), now);
    if let Some(spent) = desk.memory.ledger.code(value) {
        spent.family = Some(family);
    }
    let mut answer = tokens(desk, app, family, &code.scopes);
    let refresh_token = desk.mint_refresh(app.kind, family);
    answer.insert("refresh_token".to_owned(), json!(refresh_token));
    let access_token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    let id_token = id_token(desk, app, family, &code, access_token);
    answer.insert("id_token".to_owned(), json!(id_token));
    answer.insert("client_info".to_owned(), json!("prefix_legacy_app"));
    Ok(answer)
}

/// PKCE (RFC 7636, 4.6). A verifier without a challenge indicates that the challenge was stripped.
fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Refusal> {
    let unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            Err(refuse("invalid_grant", "A code_verifier, but there was no code_challenge"))
        }
        (Some(_), None) => Err(refuse("invalid_request", "code_verifier is missing")),
        (Some(_), Some(verifier))
            if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) =>
        {
            Err(refuse("invalid_request", "code_verifier is malformed"))
        }
        (Some(challenge), Some(verifier)) if sha256_base64url(verifier) != challenge => {
            Err(refuse("invalid_grant", "code_verifier does not match code_challenge"))
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

fn refresh(desk: &mut Desk<'_>, app: &App, form: &Form) -> Result<Map<String, Value>, Refusal> {
    let value = form.require("refresh_token")?;
    let (grace, rotates, reuse_ends) = {
        let settings = &desk.memory.settings;
        (settings.grace, settings.rotates, settings.reuse_ends_family)
    };
    let dead = |text| refuse("invalid_grant", text);
    let shown = desk.memory.ledger.look_at(value, desk.now, grace);
    if let Shown::Good(family) | Shown::Forgiven(family) | Shown::Reused(family) = shown
        && desk.memory.ledger.family(family).client_id != app.client_id
    {
        return Err(dead("The refresh token is not known"));
    }
    let family = match shown {
        Shown::Good(family) | Shown::Forgiven(family) => family,
        Shown::Reused(family) => {
            if reuse_ends {
                desk.end(family, GrantEnd::RefreshTokenReused);
            }
            return Err(dead("The refresh token was used already"));
        }
        Shown::Dead(text) => return Err(dead(text)),
    };
    let granted = desk.memory.ledger.family(family).scopes.clone();
    // An access token may have fewer scopes than were granted, never more (RFC 6749, 6).
    let scopes = match form.get("scope") {
        None => granted,
        Some(asked) => {
            let asked: Vec<String> =
                asked.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
            if !asked.iter().all(|scope| granted.contains(scope)) {
                return Err(refuse("invalid_scope", "scope has more than was granted"));
            }
            asked
        }
    };
    let mut answer = tokens(desk, app, family, &scopes);
    if rotates {
        let now = desk.now;
        desk.memory.ledger.spend(family, value, now);
        let refresh_token = desk.mint_refresh(app.kind, family);
        answer.insert("refresh_token".to_owned(), json!(refresh_token));
    }
    desk.memory.refreshes += 1;
    Ok(answer)
}

fn client_credentials(
    desk: &mut Desk<'_>,
    app: &App,
    form: &Form,
) -> Result<Map<String, Value>, Refusal> {
    if app.kind == AppKind::Classic {
        let text = "Classic apps cannot act as themselves";
        return Err(refuse("unauthorized_client", text));
    }
    if app.client_secret.is_none() {
        return Err(refuse("unauthorized_client", "An app without a secret cannot act as itself"));
    }
    let scope = form.get("scope").unwrap_or_default();
    let mut accounts = scope.split(' ').filter(|one| one.starts_with("as_account-"));
    let (Some(account), None) = (accounts.next(), accounts.next()) else {
        let text = "scope must name one account, such as as_account-us.example";
        return Err(refuse("invalid_scope", text));
    };
    if account != format!("as_account-{}.{SUBDOMAIN}", app.home) {
        return Err(refuse("invalid_scope", "The app has no access to this account"));
    }
    let (mut scopes, dropped) = app.sort_scopes(scope, &desk.memory.settings.withheld_scopes);
    for scope in dropped.iter().filter(|scope| *scope != account) {
        desk.object(format!("scope {scope} is not the app's; it was left out"));
    }
    // There is no user to identify, but an account.
    scopes[0] = account.to_owned();
    let owner = (app.home, None);
    let now = desk.now;
    let family = desk.memory.ledger.start(&app.client_id, owner, scopes.clone(), now);
    Ok(tokens(desk, app, family, &scopes))
}

/// The common part of all token responses.
fn tokens(desk: &mut Desk<'_>, app: &App, family: usize, scopes: &[String]) -> Map<String, Value> {
    let (access_token, lifetime) = desk.mint(app, family, scopes);
    let mut answer = Map::new();
    answer.insert("access_token".to_owned(), json!(access_token));
    answer.insert("token_type".to_owned(), json!("bearer"));
    answer.insert("scope".to_owned(), json!(scopes.join(" ")));
    answer.insert("expires_in".to_owned(), json!(lifetime.as_secs()));
    answer
}

/// The claims that PagerDuty documents. The value of `region` for the EU is not documented.
fn id_token(desk: &Desk<'_>, app: &App, family: usize, code: &Code, access_token: &str) -> String {
    let seconds = desk.now.as_second();
    let (api, region, login) = match code.region {
        Region::Us => ("https://api.pagerduty.com", "UnitedStates", "unitedstates"),
        Region::Eu => ("https://api.eu.pagerduty.com", "Europe", "europe"),
    };
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("iss", json!(desk.memory.settings.issuer));
    put("aud", json!([api, app.client_id]));
    put("azp", json!(app.client_id));
    put("sub", json!(code.user));
    put("user_id", json!(code.user));
    put("account_id", json!(desk.accounts.of(code.region).id()));
    put("subdomain", json!(SUBDOMAIN));
    put("region", json!(region));
    put("iat", json!(seconds));
    put("nbf", json!(seconds));
    put("exp", json!(seconds + 3600));
    put("auth_time", json!(code.at.as_second()));
    put("jti", json!(uuid()));
    put("purpose", json!("id"));
    put("at_hash", json!(half_hash(access_token)));
    put("acr", json!(format!("acr:html-form:{login}")));
    put("amr", json!(format!("acr:html-form:{login}")));
    put("delegation_id", json!(desk.memory.ledger.family(family).id));
    put("sid", json!(secret(16)));
    if let Some(nonce) = &code.nonce {
        put("nonce", json!(nonce));
    }
    for (name, value) in &desk.memory.settings.claims {
        match value {
            Some(value) => claims.insert(name.clone(), value.clone()),
            None => claims.remove(name),
        };
    }
    desk.memory.signer.sign(&Value::Object(claims))
}
