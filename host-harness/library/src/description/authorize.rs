//! Parameters of authorization requests: which of them a plugin may describe, and which of those that
//! it describes it may ask for. A parameter can widen what a person consents to, so each has to be
//! described with its values, and is approved with them.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::Grant;

/// Parameters that are the host's, in canonical form: those that it writes, those that could replace
/// what it writes, and those by which the answer would come back in another way.
const HOSTS: &[&str] = &[
    "clientassertion",
    "clientassertiontype",
    "clientid",
    "clientsecret",
    "code",
    "codechallenge",
    "codechallengemethod",
    "codeverifier",
    "display",
    "dpopjkt",
    "error",
    "granttype",
    "idtoken",
    "idtokenhint",
    "iss",
    "nonce",
    "redirecturi",
    "redirecturl",
    "registration",
    "request",
    "requesturi",
    "responsemode",
    "responsetype",
    "scope",
    "scopes",
    "state",
    "token",
    "username",
    "password",
    "webmessageuri",
];

/// Canonical form of a name that all parsers of the name share: percent-decoded, reduced to letters
/// and digits, in lower case.
fn canonical(name: &str) -> String {
    let mut text = name.to_owned();
    for _ in 0..3 {
        text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Checks the parameters that a grant describes, and those that its pages to consent on carry.
pub(super) fn check(grant: &Grant) -> Result<(), String> {
    let Grant::AuthorizationCode(grant) = grant else { return Ok(()) };
    let hosts = |name: &str| HOSTS.contains(&canonical(name).as_str());
    let mut names = BTreeSet::new();
    for parameter in &grant.authorize_parameters {
        let name = &parameter.name;
        if hosts(name) {
            return Err(format!("OAuth parameter `{name}` belongs to the host"));
        }
        if !names.insert(canonical(name)) {
            return Err(format!("OAuth parameter `{name}` is declared twice"));
        }
    }
    for page in &grant.authorize_urls {
        let url = Url::parse(page).map_err(|error| format!("`{page}`: {error}"))?;
        for (name, _) in url.query_pairs() {
            if hosts(&name) {
                return Err(format!(
                    "the authorization endpoint `{page}` sets the OAuth parameter `{name}`, which \
                     belongs to the host"
                ));
            }
            if !names.insert(canonical(&name)) {
                return Err(format!("`{page}` also sets the OAuth parameter `{name}`"));
            }
        }
        // Another page of the same grant may carry the same parameters.
        names.retain(|name| {
            grant.authorize_parameters.iter().any(|one| canonical(&one.name) == *name)
        });
    }
    Ok(())
}

/// Checks that a configuration asks for described parameters, with described values.
pub(super) fn check_parameters(
    grant: &Grant,
    asked: &BTreeMap<String, String>,
) -> Result<(), String> {
    let described = match grant {
        Grant::AuthorizationCode(grant) => grant.authorize_parameters.as_slice(),
        _ => &[],
    };
    for (name, value) in asked {
        if HOSTS.contains(&canonical(name).as_str()) {
            return Err(format!("OAuth parameter `{}` belongs to the host", shown(name)));
        }
        // Letter by letter: what only looks like a described name is another one.
        let Some(parameter) = described.iter().find(|one| one.name == *name) else {
            return Err(format!("OAuth parameter `{}` is not declared", shown(name)));
        };
        if !parameter.values.contains(value) {
            return Err(format!("OAuth parameter `{name}` has a value that is not declared"));
        }
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(page: &str, parameters: serde_json::Value) -> Grant {
        serde_json::from_value(json!({
            "kind": "authorization-code",
            "authorize_urls": [page],
            "token_urls": ["https://identity.example.com/token"],
            "pkce": "S256",
            "client_authentication": "none",
            "client_id_field": "client_id",
            "authorize_parameters": parameters,
        }))
        .unwrap()
    }

    const PAGE: &str = "https://identity.example.com/authorize";

    fn parameter(name: &str) -> serde_json::Value {
        json!([{"name": name, "description": "d", "values": ["v"]}])
    }

    #[test]
    fn a_parameter_of_the_host_cannot_be_described_in_any_spelling() {
        for name in ["scope", "SCOPE", "Scope", "sco_pe", "redirect-uri", "state", "request_uri"] {
            assert!(check(&grant(PAGE, parameter(name))).is_err(), "{name}");
        }
        check(&grant(PAGE, parameter("access_type"))).unwrap();
        let twice = json!([
            {"name": "access_type", "description": "d", "values": ["offline"]},
            {"name": "ACCESS-TYPE", "description": "d", "values": ["online"]},
        ]);
        assert!(check(&grant(PAGE, twice)).is_err());
    }

    #[test]
    fn a_page_to_consent_on_sets_no_parameter_of_the_host() {
        for query in
            ["scope=admin", "SCOPE=admin", "%73cope=admin", "scope%20=admin", "%2573cope=a"]
        {
            let page = format!("{PAGE}?{query}");
            assert!(check(&grant(&page, json!([]))).is_err(), "{query}");
        }
        check(&grant(&format!("{PAGE}?tenant=common"), json!([]))).unwrap();
    }

    #[test]
    fn only_described_parameters_with_described_values_are_sent() {
        let grant = grant(PAGE, parameter("access_type"));
        let asked = |name: &str, value: &str| {
            check_parameters(&grant, &BTreeMap::from([(name.to_owned(), value.to_owned())]))
        };
        asked("access_type", "v").unwrap();
        for (name, value) in [
            ("access_type", "w"),
            ("ACCESS_TYPE", "v"),
            ("access_type ", "v"),
            ("access%5Ftype", "v"),
            ("user_scope", "admin"),
            ("scope", "admin"),
            ("SCOPE", "admin"),
            ("scope ", "admin"),
            ("%73cope", "admin"),
            ("scope[]", "admin"),
            ("scope\0", "admin"),
        ] {
            assert!(asked(name, value).is_err(), "{name}");
        }
    }
}
