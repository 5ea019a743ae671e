//! The identity service: an app and a browser without a screen.

mod authorize;
mod browser;
mod faults;
mod pages;
mod refresh;
mod revoke;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pagerduty_simulator::{App, Origin, Simulator};
use serde_json::Value;
use url::form_urlencoded;

use crate::client::{Answer, Ask, ask, get};

/// A verifier and its challenge: the pair of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:43117/callback";

pub(crate) async fn simulator() -> Simulator {
    Simulator::builder().start().await.unwrap()
}

pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A request with a form, as an app sends it, without the headers of the REST API.
pub(crate) fn post<'a>(simulator: &'a Simulator, path: &str, pairs: &[(&str, &str)]) -> Ask<'a> {
    bare(ask(simulator, "POST", path))
        .header("content-type", "application/x-www-form-urlencoded")
        .bytes(encode(pairs))
}

pub(crate) fn fetch<'a>(simulator: &'a Simulator, target: &str) -> Ask<'a> {
    bare(get(simulator, target))
}

fn bare(ask: Ask<'_>) -> Ask<'_> {
    let ask = ask.origin(Origin::Identity).header("accept", "").header("from", "");
    ask.header("authorization", "")
}

/// A valid authorization request.
pub(crate) fn question<'a>(app: &'a App, scope: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("client_id", &app.client_id),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "a state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

pub(crate) fn with<'a>(
    mut pairs: Vec<(&'static str, &'a str)>,
    name: &'static str,
    value: &'a str,
) -> Vec<(&'static str, &'a str)> {
    pairs.retain(|(other, _)| *other != name);
    pairs.push((name, value));
    pairs
}

pub(crate) fn without<'a>(
    mut pairs: Vec<(&'static str, &'a str)>,
    name: &str,
) -> Vec<(&'static str, &'a str)> {
    pairs.retain(|(other, _)| *other != name);
    pairs
}

pub(crate) fn authorize_url(pairs: &[(&str, &str)]) -> String {
    format!("https://identity.pagerduty.com/oauth/authorize?{}", encode(pairs))
}

/// One parameter of a callback.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// A code from Ada's consent in the US.
pub(crate) fn code(simulator: &Simulator, app: &App, scope: &str) -> String {
    let ada = simulator.account(app.home).users()[0].id.clone();
    let url = authorize_url(&question(app, scope));
    let callback = simulator.identity().approve(&url, &ada).unwrap();
    parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"))
}

/// The form that exchanges a code.
pub(crate) fn exchange<'a>(app: &'a App, code: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", app.client_id.as_str()),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    form
}

pub(crate) fn renewal<'a>(app: &'a App, refresh_token: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", app.client_id.as_str()),
        ("refresh_token", refresh_token),
    ];
    form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    form
}

pub(crate) async fn token(simulator: &Simulator, form: &[(&str, &str)]) -> Answer {
    post(simulator, "/oauth/token", form).send().await
}

/// The response of the token endpoint, which must contain tokens.
pub(crate) fn tokens(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.json()["token_type"], "bearer");
    answer.json()
}

/// Tokens of Ada's consent.
pub(crate) async fn connected(simulator: &Simulator, app: &App, scope: &str) -> Value {
    let code = code(simulator, app, scope);
    tokens(&token(simulator, &exchange(app, &code)).await)
}

/// The status and the error of a refusal, whose form is checked as well.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-type").starts_with("application/json"));
    let description = body["error_description"].as_str().unwrap();
    // RFC 6749, 5.2 allows no quotation marks, no backslashes and nothing outside ASCII.
    let allowed = |letter: char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    assert!(!description.is_empty() && description.chars().all(allowed), "{description}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    (answer.status, body["error"].as_str().unwrap().to_owned())
}

pub(crate) fn refused(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(id_token: &Value) -> Value {
    let part = id_token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The status of a harmless request to the REST API with this token.
pub(crate) async fn status_of(simulator: &Simulator, origin: Origin, token: &Value) -> u16 {
    let ask = get(simulator, "/services").origin(origin).bearer(token.as_str().unwrap());
    ask.send().await.status
}
