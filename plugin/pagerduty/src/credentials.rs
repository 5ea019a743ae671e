//! The configuration that follows from the fields of a credential, and the test of each type.

use std::rc::Rc;

use pagerduty_declaration::{AUTHORIZE_URL, REGIONS, REVOKE_URL, Region, TOKEN_URL, scopes};
use serde_json::{Map, Value};
use workflow_node_sdk::context;
use workflow_node_sdk::documents::{
    Account, Configuration, CredentialAccess, Identity, OauthConfiguration, OriginPattern,
    TokenGrant, User,
};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, send};
use workflow_node_sdk::json;
use workflow_node_sdk::node::{Credential, Plugin, Task};

use crate::{PagerDuty, answers};

/// An origin of a region.
fn origin(text: &str) -> OriginPattern {
    let Ok(origin) = text.parse() else { unreachable!("a region has origins") };
    origin
}

/// The configuration that follows from a credential's fields and, once there is a token, from its
/// ID token.
pub(crate) fn configure(
    credential_type: &str,
    fields: &Map<String, Value>,
    grant: Option<&TokenGrant>,
) -> Result<Configuration, Vec<FieldError>> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let claims = grant.map(|grant| &grant.claims);
    let region = match (claims.and_then(claimed_region), fields.get("region")) {
        (Some(region), _) => region,
        (None, None) => &REGIONS[0],
        (None, Some(name)) => named(name.as_str().unwrap_or_default())
            .ok_or_else(|| wrong("/region", "must be us or eu"))?,
    };
    let mut scopes = Vec::new();
    if let Some(Value::Array(list)) = fields.get("scopes") {
        for scope in list {
            let name = scope.as_str().unwrap_or_default();
            let is_classic = credential_type == "oauth2" && scopes::is_classic(name);
            if !is_classic && !scopes::is_scoped(name) {
                let message = format!("`{name}` is not a scope of PagerDuty's Scoped OAuth");
                return Err(wrong("/scopes", &message));
            }
            scopes.push(name);
        }
    }
    let account;
    let mut authorize_url = None;
    match credential_type {
        "api-token" | "events-integration" => scopes.clear(),
        "oauth2" => {
            if scopes.is_empty() {
                scopes.push(match text("access") {
                    "read" | "" => "read",
                    "read-write" => "write",
                    _ => return Err(wrong("/access", "must be read or read-write")),
                });
            }
            authorize_url = Some(AUTHORIZE_URL.to_owned());
        }
        "oauth2-app" => {
            if scopes.is_empty() {
                return Err(wrong("/scopes", "name at least one, e.g. incidents.read"));
            }
            account = ["as_account-", region.name, ".", text("subdomain")].concat();
            scopes.insert(0, &account);
        }
        other => return Err(wrong("", &format!("unknown credential type `{other}`"))),
    }
    let (api, base) = match credential_type {
        "events-integration" => ("events", region.events),
        _ => ("rest", region.rest),
    };
    let mut configuration = Configuration::new([origin(base)]).base_urls([(api, base)]);
    let mut set = |name: &str, value: &str| {
        configuration.values.insert(name.to_owned(), Value::from(value));
    };
    set("region", region.name);
    for name in ["subdomain", "account_id", "user_id"] {
        if let Some(value) = claims.and_then(|claims| claims.get(name)?.as_str()) {
            set(name, value);
        }
    }
    if !scopes.is_empty() {
        let scopes: Vec<String> = scopes.into_iter().map(str::to_owned).collect();
        let mut oauth = OauthConfiguration::new(TOKEN_URL, scopes).revoke_url(REVOKE_URL);
        oauth.authorize_url = authorize_url;
        configuration.oauth = Some(oauth);
    }
    Ok(configuration)
}

/// The region of an ID token: its audience contains the URL of the region's API. The value of the
/// claim `region` for the EU is not documented, so it is checked second.
fn claimed_region(claims: &Map<String, Value>) -> Option<&'static Region> {
    let audience = claims.get("aud");
    let names = |origin: &str| match audience {
        Some(Value::Array(list)) => list.iter().any(|one| is_at(one, origin)),
        Some(one) => is_at(one, origin),
        None => false,
    };
    if let Some(region) = REGIONS.iter().find(|region| names(region.rest)) {
        return Some(region);
    }
    match claims.get("region")?.as_str()? {
        "UnitedStates" | "us" | "US" => Some(&REGIONS[0]),
        "Europe" | "EuropeanUnion" | "eu" | "EU" => Some(&REGIONS[1]),
        _ => None,
    }
}

fn is_at(audience: &Value, origin: &str) -> bool {
    audience.as_str().is_some_and(|audience| audience.trim_end_matches('/') == origin)
}

fn wrong(pointer: &str, message: &str) -> Vec<FieldError> {
    vec![FieldError { pointer: pointer.into(), message: message.into() }]
}

fn named(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// The region of a credential: the configuration contains the region of the token.
fn region(credential: &Credential) -> &'static Region {
    let values = credential.configuration.get("values");
    let configured = values.and_then(|values| values.get("region")?.as_str());
    let name = configured.or_else(|| credential.field("region")).unwrap_or_default();
    named(name).unwrap_or(&REGIONS[0])
}

/// The region of a credential, in words.
pub(crate) fn region_in_words(credential: &Credential) -> &'static str {
    region(credential).words
}

/// The other region, and how to recognize an account in it.
fn hint_at_other_region(credential: &Credential) -> String {
    let (other, address) = if *region(credential) == REGIONS[0] {
        ("eu", "ends in .eu.pagerduty.com")
    } else {
        ("us", "does not end in .eu.pagerduty.com")
    };
    format!(
        " A key of one region is refused by the other: if the address of the account {address}, \
         connect it with the region {other}."
    )
}

/// Tests a credential with requests that change nothing.
pub(crate) async fn test(credential: Credential) -> Result<Identity, Error> {
    let mut identity = Identity::new("").access(CredentialAccess::Unknown);
    let proved = if credential.credential_type == "events-integration" {
        test_routing_key(&credential).await.map(|()| {
            " accepts the key for events. The Events API does not report which service the key \
             belongs to, or whether an event opens an incident there."
                .to_owned()
        })
    } else {
        let credential = Rc::new(credential.clone());
        test_rest(&credential, &mut identity).await
    };
    let summary = proved.map_err(|mut error| {
        let has_region = credential.field("region").is_some();
        if error.kind == ErrorKind::Unauthenticated && has_region {
            error.message.push_str(&hint_at_other_region(&credential));
        }
        error
    })?;
    let region = region_in_words(&credential);
    identity.summary = ["PagerDuty ", region, &summary].concat();
    Ok(identity.region(region))
}

/// Roles that change nothing, whatever their key allows.
const READING_ROLES: &[&str] = &["read_only_user", "read_only_limited_user", "observer"];

/// Sends a request that succeeds only with a valid key or token, and identifies its owner. Returns
/// the rest of the summary.
async fn test_rest(credential: &Rc<Credential>, identity: &mut Identity) -> Result<String, Error> {
    let mut account = Account::default();
    if let Some(values) = credential.configuration.get("values") {
        let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        account.id = text("account_id");
        account.subdomain = text("subdomain");
    }
    // Accepted for keys and tokens of every kind; the response shows the plan's abilities.
    match read(credential, "ability.list").await {
        Ok(body) => {
            if let Some(Value::Array(abilities)) = body.get("abilities") {
                for ability in abilities {
                    identity.abilities.extend(ability.as_str().map(str::to_owned));
                }
            }
        }
        Err(error) if error.kind == ErrorKind::Forbidden => {
            identity
                .warnings
                .push(["the abilities of the account are not shown: ", &error.message].concat());
        }
        Err(error) => return Err(error),
    }
    // Only users have `/users/me`, which distinguishes the kinds of keys.
    let mut role = None;
    let mut named = None;
    match read(credential, "user.me").await {
        Ok(body) => {
            if let Some(user) = body.get("user") {
                let text = |name| user.get(name).and_then(Value::as_str);
                let owned = |name| text(name).map(str::to_owned);
                let mut described = User::default();
                described.id = owned("id");
                described.name = owned("name");
                described.email = owned("email");
                described.role = owned("role");
                identity.user = Some(described);
                role = text("role").map(str::to_owned);
                learn(&mut account, text("html_url"));
                let name = text("name").unwrap_or("a user");
                let email = text("email").unwrap_or("?");
                named = Some([name, " <", email, ">"].concat());
            }
        }
        Err(error) if matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::NotFound) => {}
        Err(error) if error.kind == ErrorKind::Forbidden => {
            identity.warnings.push(["the user is not shown: ", &error.message].concat());
        }
        Err(error) => return Err(error),
    }
    if account.subdomain.is_none()
        && let Ok(body) = read_one(credential, "service.list").await
        && let Some(Value::Array(services)) = body.get("services")
    {
        let first = services.first().and_then(|service| service.get("html_url")?.as_str());
        learn(&mut account, first);
    }
    let access = may_write(credential, role.as_deref()).await;
    let whose = in_words(&account);
    identity.access = Some(access);
    identity.account = (account.id.is_some() || account.subdomain.is_some()).then_some(account);
    let does = match access {
        CredentialAccess::Read => " It can only read.",
        CredentialAccess::ReadWrite => " It can read and change.",
        _ => "",
    };
    if let Some(named) = named {
        // Nothing else reports that a role restricts what is visible.
        if !matches!(role.as_deref(), Some("admin" | "owner")) {
            let role = role.as_deref().unwrap_or("unknown");
            identity.warnings.push(format!(
                "The credential sees what this user sees (role {role}). A user who is not an \
                 administrator does not see every schedule, and sees nothing of private teams"
            ));
        }
        return Ok([" accepts it", &whose, "; it acts as ", &named, ".", does].concat());
    }
    let nobodys = [" accepts it", &whose, "; it belongs to no user"].concat();
    Ok(match credential.field("from_email") {
        Some(email) => [&nobodys, ", and changes incidents as ", email, ".", does].concat(),
        None => {
            identity.warnings.push(
                "it belongs to no user and has no e-mail address to act as: changing incidents \
                 needs the parameter `from`"
                    .to_owned(),
            );
            [&nobodys, ".", does].concat()
        }
    })
}

/// Reads the subdomain of an account from the URL of any record.
fn learn(account: &mut Account, html_url: Option<&str>) {
    if account.subdomain.is_some() {
        return;
    }
    let host = html_url.and_then(|url| url.strip_prefix("https://")?.split('/').next());
    if let Some(host) = host
        && host.ends_with(".pagerduty.com")
        && let Some((subdomain, _)) = host.split_once('.')
    {
        account.subdomain = Some(subdomain.to_owned());
    }
}

fn in_words(account: &Account) -> String {
    match &account.subdomain {
        Some(subdomain) => [" for the account ", subdomain].concat(),
        None => String::new(),
    }
}

/// Whether it may change anything: determined by its scopes and its user's role if possible, or
/// else by how PagerDuty refuses an empty incident. A read-only key is refused before the body is
/// read.
async fn may_write(credential: &Rc<Credential>, role: Option<&str>) -> CredentialAccess {
    if role.is_some_and(|role| READING_ROLES.contains(&role)) {
        return CredentialAccess::Read;
    }
    if let Some(granted) = &credential.granted_scopes {
        return match scopes::allow_writing(granted) {
            Some(true) => CredentialAccess::ReadWrite,
            Some(false) => CredentialAccess::Read,
            None => CredentialAccess::Unknown,
        };
    }
    let Ok(base) = credential.base_url("rest") else { return CredentialAccess::Unknown };
    let mut request = Request::new("POST", [base, "/incidents"].concat())
        .header("content-type", "application/json")
        .header("accept", crate::ACCEPT);
    if let Some(email) = credential.field("from_email") {
        request = request.header("from", email);
    }
    request.body = Some(b"{}".to_vec());
    request.credential = credential.slot.clone();
    match send(&request).await.map(|response| response.status) {
        Ok(400) => CredentialAccess::ReadWrite,
        Ok(403) => CredentialAccess::Read,
        _ => CredentialAccess::Unknown,
    }
}

/// The response to an action that needs no parameters.
async fn read(credential: &Rc<Credential>, action: &str) -> Result<Map<String, Value>, Error> {
    let task = Task::aside::<PagerDuty>(action, credential, Map::new())?;
    task.send(task.request()?).await?.object()
}

/// The first record of a list.
async fn read_one(credential: &Rc<Credential>, action: &str) -> Result<Map<String, Value>, Error> {
    let task = Task::aside::<PagerDuty>(action, credential, Map::new())?;
    let mut request = task.request()?;
    workflow_node_sdk::percent::append_query(&mut request.url, "limit", "1");
    task.send(request).await?.object()
}

/// Acknowledges an alert that does not exist: PagerDuty ignores it, unless the key is unknown.
async fn test_routing_key(credential: &Credential) -> Result<(), Error> {
    let mut dedup_key = String::from("credential-test-");
    for byte in context::random(16) {
        // Letters suffice, because nobody reads it.
        dedup_key.push(char::from(b'a' + (byte >> 4)));
        dedup_key.push(char::from(b'a' + (byte & 15)));
    }
    let mut body = json::Object::new();
    body.text("event_action", "acknowledge");
    body.text("dedup_key", &dedup_key);
    let url = [credential.base_url("events")?, "/v2/enqueue"].concat();
    let mut request = Request::new("POST", url).header("content-type", "application/json");
    request.body = Some(json::text(&body.build()).into_bytes());
    request.credential = credential.slot.clone();
    request.idempotency_key = Some(dedup_key);
    let response = send(&request).await.map_err(|error| Error::from_send(error, &request))?;
    if response.is_success() {
        return Ok(());
    }
    let action = PagerDuty::declaration().action("event.acknowledge");
    let action = action.expect("the node has this action");
    Err(answers::error(&response, action, credential))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(credential_type: &str, fields: &Value) -> Result<Value, Vec<FieldError>> {
        let configuration = configure(credential_type, fields.as_object().unwrap(), None)?;
        Ok(serde_json::to_value(configuration).unwrap())
    }

    #[test]
    fn a_region_determines_the_origins() {
        let us = configured("api-token", &json!({})).unwrap();
        assert_eq!(us["audiences"], json!(["https://api.pagerduty.com"]));
        let eu = configured("events-integration", &json!({"region": "eu"})).unwrap();
        assert_eq!(eu["base_urls"]["events"], "https://events.eu.pagerduty.com");
        assert!(configured("api-token", &json!({"region": "mars"})).is_err());
    }

    #[test]
    fn an_app_asks_for_its_account_and_its_scopes() {
        let fields = json!({"region": "eu", "subdomain": "acme", "scopes": ["incidents.read"]});
        let app = configured("oauth2-app", &fields).unwrap();
        assert_eq!(app["oauth"]["scopes"], json!(["as_account-eu.acme", "incidents.read"]));
        assert!(configured("oauth2-app", &json!({"subdomain": "acme"})).is_err());
        assert!(configured("oauth2-app", &json!({"scopes": ["everything"]})).is_err());
    }

    #[test]
    fn access_or_scopes_determine_the_requested_consent() {
        let scopes = |fields| configured("oauth2", &fields).unwrap()["oauth"]["scopes"].clone();
        assert_eq!(scopes(json!({})), json!(["read"]));
        assert_eq!(scopes(json!({"access": "read-write"})), json!(["write"]));
        assert_eq!(scopes(json!({"scopes": ["write"]})), json!(["write"]));
        assert_eq!(
            scopes(json!({"access": "read", "scopes": ["oncalls.read"]})),
            json!(["oncalls.read"])
        );
    }

    #[test]
    fn an_id_token_contains_the_region_and_the_account() {
        let with = |claims: Value| {
            let fields = json!({"client_id": "c"});
            let grant = TokenGrant::default()
                .scopes(vec!["openid".to_owned(), "read".to_owned()])
                .claims(claims.as_object().unwrap().clone());
            let configured = configure("oauth2", fields.as_object().unwrap(), Some(&grant));
            serde_json::to_value(configured.unwrap()).unwrap()
        };
        let eu = with(json!({"aud": ["c", "https://api.eu.pagerduty.com"], "subdomain": "acme",
            "account_id": "PA1", "user_id": "PU1", "region": "somewhere"}));
        assert_eq!(eu["audiences"], json!(["https://api.eu.pagerduty.com"]));
        assert_eq!(
            eu["values"],
            json!({"region": "eu", "subdomain": "acme", "account_id": "PA1",
            "user_id": "PU1"})
        );
        let us = with(json!({"region": "UnitedStates"}));
        assert_eq!(us["base_urls"]["rest"], "https://api.pagerduty.com");
        // A member that it does not contain stays as in the form.
        let unknown = with(json!({"region": "Mars", "aud": ["https://api.evil.example"]}));
        assert_eq!(unknown["audiences"], json!(["https://api.pagerduty.com"]));
    }
}
