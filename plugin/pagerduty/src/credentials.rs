//! The four credential types: their description, what follows from their fields, and how each is
//! proved.

use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_sdk::context;
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, send};
use workflow_node_sdk::json;
use workflow_node_sdk::node::{Credential, Plugin, Task};

use crate::{PagerDuty, answers, scopes};

/// Per region: its name in a form, in words, and the origins of its two APIs.
const REGIONS: &[Region] = &[
    Region {
        name: "us",
        words: "US",
        rest: "https://api.pagerduty.com",
        events: "https://events.pagerduty.com",
    },
    Region {
        name: "eu",
        words: "EU",
        rest: "https://api.eu.pagerduty.com",
        events: "https://events.eu.pagerduty.com",
    },
];

#[derive(PartialEq)]
struct Region {
    name: &'static str,
    words: &'static str,
    rest: &'static str,
    events: &'static str,
}

const AUTHORIZE_URL: &str = "https://identity.pagerduty.com/oauth/authorize";
const TOKEN_URL: &str = "https://identity.pagerduty.com/oauth/token";
/// Known from other programs; PagerDuty's documents do not name it.
const REVOKE_URL: &str = "https://identity.pagerduty.com/oauth/revoke";

/// The document: each type's own members stand in `credential_types.json`; what types share, and
/// the scopes, is filled in.
pub(crate) fn describe() -> String {
    let mut document = json::constant(include_str!("credential_types.json"));
    let shared = json::constant(
        r#"{"region":{"type":"string","enum":["us","eu"],"default":"us","title":"Service region","description":"Where the account lives: `eu` if its address ends in eu.pagerduty.com."},
"from_email":{"type":"string","format":"email","maxLength":320,"title":"Act as","description":"E-mail address of the PagerDuty user in whose name incidents are changed. Needed with an account's key or an app's token."}}"#,
    );
    if let Some(Value::Array(types)) = document.get_mut("credential_types") {
        for credential_type in types {
            let Value::Object(members) = credential_type else {
                continue;
            };
            if let Some(Value::Object(fields)) = members.get_mut("fields") {
                fields.insert("$defs".to_owned(), shared.clone());
            }
            if let Some(Value::Array(listed)) = members.get_mut("scopes") {
                if listed.is_empty() {
                    scopes::classic(listed);
                }
                scopes::scoped(listed);
            }
        }
    }
    json::text(&document)
}

/// What follows from a credential's fields, and of a token's ID token once there is one.
pub(crate) fn configure(
    credential_type: &str,
    fields: &Map<String, Value>,
    grant: Option<&Value>,
) -> Result<Value, Vec<FieldError>> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let claims = grant.and_then(|grant| grant.get("claims"));
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
                let message = format!("`{name}` is no scope of PagerDuty's Scoped OAuth");
                return Err(wrong("/scopes", &message));
            }
            scopes.push(name);
        }
    }
    let account;
    let mut oauth = json::Object::new();
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
            oauth.text("authorize_url", AUTHORIZE_URL);
        }
        "oauth2-app" => {
            if scopes.is_empty() {
                return Err(wrong("/scopes", "name at least one, e.g. incidents.read"));
            }
            account = ["as_account-", region.name, ".", text("subdomain")].concat();
            scopes.insert(0, &account);
        }
        other => return Err(wrong("", &format!("there is no credential type `{other}`"))),
    }
    let (api, origin) = match credential_type {
        "events-integration" => ("events", region.events),
        _ => ("rest", region.rest),
    };
    let mut base_urls = json::Object::new();
    base_urls.text(api, origin);
    let mut values = json::Object::new();
    values.text("region", region.name);
    for name in ["subdomain", "account_id", "user_id"] {
        if let Some(value) = claims.and_then(|claims| claims.get(name)?.as_str()) {
            values.text(name, value);
        }
    }
    let mut configuration = json::Object::new();
    configuration.set("base_urls", base_urls.build());
    configuration.set("audiences", json::texts(&[origin]));
    configuration.set("values", values.build());
    if !scopes.is_empty() {
        oauth.text("token_url", TOKEN_URL);
        oauth.text("revoke_url", REVOKE_URL);
        oauth.set("scopes", json::texts(&scopes));
        configuration.set("oauth", oauth.build());
    }
    Ok(configuration.build())
}

/// The region that an ID token is for: its audience holds the address of the region's API. What
/// the claim `region` says of the EU is not documented, so it is asked second.
fn claimed_region(claims: &Value) -> Option<&'static Region> {
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

/// The region of a credential: what was configured knows what a token has told.
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

/// The other region, and how one recognises an account of it.
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

/// Proves a credential with requests that change nothing.
pub(crate) async fn test(credential: Credential) -> Result<Value, Error> {
    let mut identity = json::Object::new();
    let mut warnings = Vec::new();
    let mut access = "unknown";
    let proved = if credential.credential_type == "events-integration" {
        test_routing_key(&credential).await.map(|()| {
            " accepts the key for events. Which service it belongs to, and whether an event opens \
             an incident there, the Events API does not tell."
                .to_owned()
        })
    } else {
        let credential = Rc::new(credential.clone());
        let rest = test_rest(&credential, &mut identity, &mut warnings, &mut access);
        rest.await
    };
    let summary = proved.map_err(|mut error| {
        let has_region = credential.field("region").is_some();
        if error.kind == ErrorKind::Unauthenticated && has_region {
            error.message.push_str(&hint_at_other_region(&credential));
        }
        error
    })?;
    let region = region_in_words(&credential);
    identity.set("summary", ["PagerDuty ", region, &summary].concat().into());
    identity.text("region", region);
    identity.text("access", access);
    identity.set("warnings", json::texts(&warnings));
    Ok(identity.build())
}

/// Roles that change nothing, whatever their key would allow.
const READING_ROLES: &[&str] = &["read_only_user", "read_only_limited_user", "observer"];

/// Asks what only an accepted key or token is told, and whose it is. Returns the rest of the
/// summary.
async fn test_rest(
    credential: &Rc<Credential>,
    identity: &mut json::Object,
    warnings: &mut Vec<String>,
    access: &mut &'static str,
) -> Result<String, Error> {
    let mut account = Account::default();
    if let Some(values) = credential.configuration.get("values") {
        let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        account = Account { id: text("account_id"), subdomain: text("subdomain") };
    }
    // Proves keys and tokens of every kind, and shows what the plan allows.
    match read(credential, "ability.list").await {
        Ok(body) => {
            if let Some(abilities @ Value::Array(_)) = body.get("abilities") {
                identity.set("abilities", abilities.clone());
            }
        }
        Err(error) if error.kind == ErrorKind::Forbidden => {
            warnings
                .push(["the abilities of the account are not shown: ", &error.message].concat());
        }
        Err(error) => return Err(error),
    }
    // Only users have a "me": that tells the kinds of keys apart.
    let mut role = None;
    let mut named = None;
    match read(credential, "user.me").await {
        Ok(body) => {
            if let Some(user) = body.get("user") {
                let text = |name| user.get(name).and_then(Value::as_str);
                let mut members = json::Object::new();
                for name in ["id", "name", "email", "role"] {
                    if let Some(value) = text(name) {
                        members.text(name, value);
                    }
                }
                identity.set("user", members.build());
                role = text("role").map(str::to_owned);
                account.learn(text("html_url"));
                let name = text("name").unwrap_or("a user");
                let email = text("email").unwrap_or("?");
                named = Some([name, " <", email, ">"].concat());
            }
        }
        Err(error) if matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::NotFound) => {}
        Err(error) if error.kind == ErrorKind::Forbidden => {
            warnings.push(["the user is not shown: ", &error.message].concat());
        }
        Err(error) => return Err(error),
    }
    if account.subdomain.is_none()
        && let Ok(body) = read_one(credential, "service.list").await
        && let Some(Value::Array(services)) = body.get("services")
    {
        account.learn(services.first().and_then(|service| service.get("html_url")?.as_str()));
    }
    *access = may_write(credential, role.as_deref()).await;
    let whose = account.in_words();
    if let Some(account) = account.document() {
        identity.set("account", account);
    }
    let does = match *access {
        "read" => " It can only read.",
        "read-write" => " It can read and change.",
        _ => "",
    };
    if let Some(named) = named {
        // Whom a role hides something from is told by nobody else.
        if !matches!(role.as_deref(), Some("admin" | "owner")) {
            let role = role.as_deref().unwrap_or("unknown");
            warnings.push(format!(
                "it sees what this user sees (role {role}): a user who is no administrator does \
                 not see every schedule, and nothing of teams that are private"
            ));
        }
        return Ok([" accepts it", &whose, "; it acts as ", &named, ".", does].concat());
    }
    let nobodys = [" accepts it", &whose, "; it belongs to no user"].concat();
    Ok(match credential.field("from_email") {
        Some(email) => [&nobodys, ", and changes incidents as ", email, ".", does].concat(),
        None => {
            warnings.push(
                "it belongs to no user and has no e-mail address to act as: changing incidents \
                 needs the parameter `from`"
                    .to_owned(),
            );
            [&nobodys, ".", does].concat()
        }
    })
}

/// Whose account it is.
#[derive(Default)]
struct Account {
    id: Option<String>,
    subdomain: Option<String>,
}

impl Account {
    /// Learns the subdomain from the address of any record.
    fn learn(&mut self, html_url: Option<&str>) {
        if self.subdomain.is_some() {
            return;
        }
        let host = html_url.and_then(|url| url.strip_prefix("https://")?.split('/').next());
        if let Some(host) = host
            && host.ends_with(".pagerduty.com")
            && let Some((subdomain, _)) = host.split_once('.')
        {
            self.subdomain = Some(subdomain.to_owned());
        }
    }

    fn in_words(&self) -> String {
        match &self.subdomain {
            Some(subdomain) => [" for the account ", subdomain].concat(),
            None => String::new(),
        }
    }

    fn document(&self) -> Option<Value> {
        let mut members = json::Object::new();
        for (name, value) in [("id", &self.id), ("subdomain", &self.subdomain)] {
            if let Some(value) = value {
                members.text(name, value);
            }
        }
        (self.id.is_some() || self.subdomain.is_some()).then(|| members.build())
    }
}

/// Whether it may change anything: from its scopes and its user's role where they say so, else from
/// how PagerDuty refuses an incident that lacks everything. A key that only reads is told so before
/// the body is looked at.
async fn may_write(credential: &Rc<Credential>, role: Option<&str>) -> &'static str {
    if role.is_some_and(|role| READING_ROLES.contains(&role)) {
        return "read";
    }
    if let Some(granted) = &credential.granted_scopes {
        return match scopes::allow_writing(granted) {
            Some(true) => "read-write",
            Some(false) => "read",
            None => "unknown",
        };
    }
    let Ok(base) = credential.base_url("rest") else { return "unknown" };
    let mut request = Request::new("POST", [base, "/incidents"].concat())
        .header("content-type", "application/json")
        .header("accept", crate::ACCEPT);
    if let Some(email) = credential.field("from_email") {
        request = request.header("from", email);
    }
    request.body = Some(b"{}".to_vec());
    request.credential = Some(credential.slot.clone());
    match send(&request).await.map(|response| response.status) {
        Ok(400) => "read-write",
        Ok(403) => "read",
        _ => "unknown",
    }
}

/// The answer to an action that needs no parameters.
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

/// An acknowledgement of an alert that does not exist: PagerDuty drops it silently, unless it does
/// not know the key.
async fn test_routing_key(credential: &Credential) -> Result<(), Error> {
    let mut dedup_key = String::from("credential-test-");
    for byte in context::random(16) {
        // Letters are enough: nobody reads it.
        dedup_key.push(char::from(b'a' + (byte >> 4)));
        dedup_key.push(char::from(b'a' + (byte & 15)));
    }
    let mut body = json::Object::new();
    body.text("event_action", "acknowledge");
    body.text("dedup_key", &dedup_key);
    let url = [credential.base_url("events")?, "/v2/enqueue"].concat();
    let mut request = Request::new("POST", url).header("content-type", "application/json");
    request.body = Some(json::text(&body.build()).into_bytes());
    request.credential = Some(credential.slot.clone());
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
        configure(credential_type, fields.as_object().unwrap(), None)
    }

    #[test]
    fn a_region_decides_the_origins() {
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
    fn access_or_scopes_decide_what_a_user_is_asked() {
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
    fn an_id_token_decides_the_region_and_names_the_account() {
        let with = |claims: Value| {
            let fields = json!({"client_id": "c"});
            let grant = json!({"scopes": ["openid", "read"], "claims": claims});
            configure("oauth2", fields.as_object().unwrap(), Some(&grant)).unwrap()
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
        // What it does not know stays as the form says.
        let unknown = with(json!({"region": "Mars", "aud": ["https://api.evil.example"]}));
        assert_eq!(unknown["audiences"], json!(["https://api.pagerduty.com"]));
    }
}
