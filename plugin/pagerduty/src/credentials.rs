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

struct Region {
    name: &'static str,
    words: &'static str,
    rest: &'static str,
    events: &'static str,
}

const AUTHORIZE_URL: &str = "https://identity.pagerduty.com/oauth/authorize";
const TOKEN_URL: &str = "https://identity.pagerduty.com/oauth/token";

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

/// What follows from a credential's fields.
pub(crate) fn configure(
    credential_type: &str,
    fields: &Map<String, Value>,
    _grant: Option<&Value>,
) -> Result<Value, Vec<FieldError>> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let region = match fields.get("region") {
        None => &REGIONS[0],
        Some(name) => named(name.as_str().unwrap_or_default())
            .ok_or_else(|| wrong("/region", "must be us or eu"))?,
    };
    let mut scopes = Vec::new();
    if let Some(Value::Array(list)) = fields.get("scopes") {
        for scope in list {
            let name = scope.as_str().unwrap_or_default();
            if !scopes::is_scoped(name) {
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
                    "read" => "read",
                    "read-write" | "" => "write",
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
    let mut configuration = json::Object::new();
    configuration.set("base_urls", base_urls.build());
    configuration.set("audiences", json::texts(&[origin]));
    configuration.set("values", values.build());
    if !scopes.is_empty() {
        oauth.text("token_url", TOKEN_URL);
        oauth.set("scopes", json::texts(&scopes));
        configuration.set("oauth", oauth.build());
    }
    Ok(configuration.build())
}

fn wrong(pointer: &str, message: &str) -> Vec<FieldError> {
    vec![FieldError { pointer: pointer.into(), message: message.into() }]
}

fn named(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// The region of a credential, in words.
pub(crate) fn region_in_words(credential: &Credential) -> &'static str {
    named(credential.field("region").unwrap_or_default()).unwrap_or(&REGIONS[0]).words
}

/// Proves a credential with requests that change nothing.
pub(crate) async fn test(credential: Credential) -> Result<Value, Error> {
    let mut identity = json::Object::new();
    let mut warnings = Vec::new();
    let summary = if credential.credential_type == "events-integration" {
        test_routing_key(&credential).await?;
        " accepts the key for events. Which service it belongs to, and whether an event opens an \
         incident there, the Events API does not tell."
            .to_owned()
    } else {
        test_rest(&Rc::new(credential.clone()), &mut identity, &mut warnings).await?
    };
    let region = region_in_words(&credential);
    identity.set("summary", ["PagerDuty ", region, &summary].concat().into());
    identity.text("region", region);
    // Whether a key may write shows only when it does.
    identity.text("access", "unknown");
    identity.set("warnings", json::texts(&warnings));
    Ok(identity.build())
}

/// Asks what only an accepted key or token is told, and whose it is. Returns the rest of the
/// summary.
async fn test_rest(
    credential: &Rc<Credential>,
    identity: &mut json::Object,
    warnings: &mut Vec<String>,
) -> Result<String, Error> {
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
                let name = text("name").unwrap_or("a user");
                let email = text("email").unwrap_or("?");
                return Ok([" accepts it; it acts as ", name, " <", email, ">."].concat());
            }
        }
        Err(error) if matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::NotFound) => {}
        Err(error) if error.kind == ErrorKind::Forbidden => {
            warnings.push(["the user is not shown: ", &error.message].concat());
        }
        Err(error) => return Err(error),
    }
    const NOBODYS: &str = " accepts it; it belongs to no user";
    Ok(match credential.field("from_email") {
        Some(email) => [NOBODYS, ", and changes incidents as ", email, "."].concat(),
        None => {
            warnings.push(
                "it belongs to no user and has no e-mail address to act as: changing incidents \
                 needs the parameter `from`"
                    .to_owned(),
            );
            [NOBODYS, "."].concat()
        }
    })
}

/// The answer to an action that needs no parameters.
async fn read(credential: &Rc<Credential>, action: &str) -> Result<Map<String, Value>, Error> {
    let task = Task::aside::<PagerDuty>(action, credential, Map::new())?;
    task.send(task.request()?).await?.object()
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
        assert_eq!(scopes(json!({})), json!(["write"]));
        assert_eq!(scopes(json!({"access": "read"})), json!(["read"]));
        assert_eq!(
            scopes(json!({"access": "read", "scopes": ["oncalls.read"]})),
            json!(["oncalls.read"])
        );
    }
}
