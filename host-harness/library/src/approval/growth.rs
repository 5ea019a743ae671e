//! Permissions that a request adds to an earlier one, in words. Rights count, and so does
//! everything that protects a person: a protection that is removed or relaxed is growth.

use std::collections::BTreeSet;

use super::request::{CredentialGrant, GrantRequest};
use crate::description::{
    Delivery, Grant, Idempotency, RateLimit, RateWindow, ServerPattern, Webhook,
};
use crate::origin::OriginPattern;

impl GrantRequest {
    /// Permissions in this request that `granted` does not hold, in words; empty if it did not
    /// grow.
    pub fn growth_over(&self, granted: &Self) -> Vec<String> {
        let mut growth = Vec::new();
        let new_origins = |asked: &[OriginPattern], had: &[OriginPattern]| -> Vec<String> {
            asked
                .iter()
                .filter(|origin| !had.iter().any(|one| one.covers(origin)))
                .map(ToString::to_string)
                .collect()
        };
        for origin in new_origins(&self.origins, &granted.origins) {
            growth.push(format!("requests to {origin}"));
        }
        for asked in &self.servers {
            let had = granted.servers.iter().find(|had| had.name == asked.name);
            let is_new = |pattern: &&ServerPattern| {
                !had.is_some_and(|had| had.within.iter().any(|one| one.covers(pattern)))
            };
            for pattern in asked.within.iter().filter(is_new) {
                growth.push(format!("a server {} within {pattern} that you choose", asked.name));
            }
        }
        for (name, asked) in &self.credentials {
            let Some(had) = granted.credentials.get(name) else {
                growth.push(format!("the credential type {name}"));
                continue;
            };
            for origin in new_origins(&asked.origins, &had.origins) {
                growth.push(format!("credentials of type {name} sent to {origin}"));
            }
            for placement in asked.placements.iter().filter(|one| !had.placements.contains(one)) {
                growth.push(format!("credentials of type {name} {}", placement.in_words()));
            }
            for url in asked.oauth_endpoints.difference(&had.oauth_endpoints) {
                growth.push(format!("the OAuth endpoint {url} for {name}"));
            }
            for scope in asked.scopes.difference(&had.scopes) {
                growth.push(format!("the scope {scope} for {name}"));
            }
            growth.extend(credential_growth(name, asked, had));
        }
        for secret in granted.secrets.iter().filter(|one| !self.secrets.contains(one)) {
            let place = match (&secret.path, &secret.pointer) {
                (Some(path), Some(pointer)) => format!(" at {path}{pointer}"),
                _ => String::new(),
            };
            growth.push(format!("reading the secret {}{place}", secret.name));
        }
        for secret in self.secrets.iter().filter(|one| !granted.secrets.contains(one)) {
            for placement in &secret.placements {
                growth.push(format!(
                    "placing the secret {} in requests to {}{}",
                    secret.name, placement.path, placement.pointer
                ));
            }
        }
        for (effect, asked) in &self.actions {
            let had = granted.actions.get(effect);
            for name in asked.iter().filter(|name| had.is_none_or(|had| !had.contains(*name))) {
                growth.push(format!("the action {name} (effect: {effect})"));
            }
        }
        for (name, asked) in &self.triggers {
            match (granted.triggers.get(name), asked) {
                (None, Delivery::Webhook(_)) => {
                    growth.push(format!("the trigger {name} (creates webhooks at the service)"));
                }
                (None, Delivery::Poll(_)) => growth.push(format!("the trigger {name} (polls)")),
                (None, _) => growth.push(format!("the trigger {name}")),
                (Some(had), asked) => growth.extend(
                    delivery_growth(had, asked)
                        .into_iter()
                        .map(|problem| format!("the trigger {name} {problem}")),
                ),
            }
        }
        growth.extend(self.dropped(granted));
        growth
    }

    /// Protections of actions that an earlier component had and this one does not.
    fn dropped(&self, granted: &Self) -> Vec<String> {
        let Some(had) = &granted.hidden else {
            return vec![
                "the earlier approval does not record which secrets are hidden from the plugin: \
                 review all permissions"
                    .to_owned(),
            ];
        };
        let mut dropped = Vec::new();
        let is_there = |name: &String| {
            self.triggers.contains_key(name) || self.actions.values().any(|all| all.contains(name))
        };
        for (name, places) in had.iter().filter(|(name, _)| is_there(name)) {
            let now = self.hidden.as_ref().and_then(|hidden| hidden.get(name));
            for (place, secret) in places {
                if now.and_then(|now| now.get(place)) != Some(secret) {
                    dropped.push(format!(
                        "reading the secret {secret} that users enter at {place} of {name}"
                    ));
                }
            }
        }
        let claimed = |request: &Self, name: &String| {
            let mut all = request.idempotency.iter();
            all.find(|(_, names)| names.contains(name)).map(|(claim, _)| *claim)
        };
        for (claim, names) in &self.idempotency {
            for name in names {
                if let Some(had) = claimed(granted, name)
                    && repeatable(*claim) > repeatable(had)
                {
                    dropped.push(format!("the action {name} may be retried ({claim}, was {had})"));
                }
            }
        }
        dropped
    }
}

/// How freely a claim lets an action be repeated.
fn repeatable(claim: Idempotency) -> u8 {
    match claim {
        Idempotency::Safe => 3,
        Idempotency::Idempotent => 2,
        Idempotency::Keyed => 1,
        _ => 0,
    }
}

/// Permissions that a credential type adds to an earlier version, other than places and scopes.
fn credential_growth(name: &str, asked: &CredentialGrant, had: &CredentialGrant) -> Vec<String> {
    let mut growth = Vec::new();
    for field in had.secret_fields.difference(&asked.secret_fields) {
        growth.push(format!("credentials of type {name}: the field {field} becomes readable"));
    }
    if let Some(limit) = &had.rate_limit
        && !asked.rate_limit.as_ref().is_some_and(|asked| is_no_faster(asked, limit))
    {
        growth.push(format!("more requests with credentials of type {name} than before"));
    }
    if let (Some(asked), Some(had)) = (&asked.grant, &had.grant) {
        growth.extend(grant_growth(name, asked, had));
    }
    growth
}

/// Whether the requested limit also satisfies every window of the earlier limit.
fn is_no_faster(asked: &RateLimit, had: &RateLimit) -> bool {
    let heeds = |asked: &Option<String>, had: &Option<String>| had.is_none() || asked == had;
    // The first limit that covers an operation counts, so another order is another limit.
    let keeps_operations = had.operations.len() <= asked.operations.len()
        && had.operations.iter().zip(&asked.operations).all(|(had, asked)| {
            had.path == asked.path
                && had.methods == asked.methods
                && keeps(&asked.windows, &had.windows)
        });
    keeps(&asked.windows, &had.windows)
        && keeps_operations
        && heeds(&asked.remaining_header, &had.remaining_header)
        && heeds(&asked.retry_after_header, &had.retry_after_header)
        && (had.reset.is_none() || asked.reset == had.reset)
        && asked.default_wait_ms.unwrap_or(0) >= had.default_wait_ms.unwrap_or(0)
}

fn keeps(asked: &[RateWindow], had: &[RateWindow]) -> bool {
    had.iter().all(|window| {
        asked
            .iter()
            .any(|one| one.requests <= window.requests && one.milliseconds >= window.milliseconds)
    })
}

fn grant_growth(name: &str, asked: &Grant, had: &Grant) -> Vec<String> {
    let mut growth = Vec::new();
    let fields = |grant: &Grant| {
        let field = |field: Option<&str>| field.map(str::to_owned);
        (field(grant.client_id_field()), field(grant.client_secret_field()))
    };
    if fields(asked) != fields(had) {
        growth.push(format!("different fields of {name} as the app's client ID and secret"));
    }
    match (asked, had) {
        (Grant::AuthorizationCode(asked), Grant::AuthorizationCode(had)) => {
            for parameter in &asked.authorize_parameters {
                let before = had.authorize_parameters.iter().find(|one| one.name == parameter.name);
                let is_new =
                    |value: &&String| before.is_none_or(|before| !before.values.contains(*value));
                for value in parameter.values.iter().filter(is_new) {
                    let parameter = &parameter.name;
                    growth.push(format!("the OAuth parameter {parameter}={value} for {name}"));
                }
            }
            let others = asked.issuers.iter().any(|issuer| !had.issuers.contains(issuer));
            if !had.issuers.is_empty() && (asked.issuers.is_empty() || others) {
                growth.push(format!("responses of other issuers for {name}"));
            }
            if had.iss_in_response && !asked.iss_in_response {
                growth.push(format!("responses without an issuer for {name}"));
            }
            for claim in
                had.id_token_claims.iter().filter(|one| !asked.id_token_claims.contains(one))
            {
                growth.push(format!(
                    "the claim {claim} no longer reveals a different account for \
                                     {name}"
                ));
            }
            if asked.refresh_grace_ms.unwrap_or(0) > had.refresh_grace_ms.unwrap_or(0) {
                growth.push(format!("used refresh tokens of {name} may be sent again for longer"));
            }
            if asked.client_authentication != had.client_authentication {
                growth.push(format!("a different client authentication for {name}"));
            }
        }
        (Grant::ClientCredentials(asked), Grant::ClientCredentials(had)) => {
            if asked.client_authentication != had.client_authentication {
                growth.push(format!("a different client authentication for {name}"));
            }
        }
        (Grant::DeviceAuthorization(asked), Grant::DeviceAuthorization(had)) => {
            if asked.refresh_grace_ms.unwrap_or(0) > had.refresh_grace_ms.unwrap_or(0) {
                growth.push(format!("used refresh tokens of {name} may be sent again for longer"));
            }
            if asked.client_authentication != had.client_authentication {
                growth.push(format!("a different client authentication for {name}"));
            }
        }
        (Grant::Fixed, Grant::Fixed) => {}
        _ => growth.push(format!("credentials of type {name} obtained by {}", asked.name())),
    }
    growth
}

/// Rules of deliveries and polls that an earlier component had and this one does not.
fn delivery_growth(had: &Delivery, asked: &Delivery) -> Vec<String> {
    match (had, asked) {
        (Delivery::Poll(had), Delivery::Poll(asked)) if asked.interval_ms < had.interval_ms => {
            vec![format!(
                "polls more often (every {} ms, was {} ms)",
                asked.interval_ms, had.interval_ms
            )]
        }
        (Delivery::Poll(_), Delivery::Poll(_)) => Vec::new(),
        (Delivery::Webhook(had), Delivery::Webhook(asked)) => webhook_growth(had, asked),
        _ => vec!["receives events by a different method".to_owned()],
    }
}

fn webhook_growth(had: &Webhook, asked: &Webhook) -> Vec<String> {
    let mut growth = Vec::new();
    let mut grown = |is: bool, words: &str| {
        if is {
            growth.push(words.to_owned());
        }
    };
    let is_signed_otherwise = had.signature.is_some() && had.signature != asked.signature;
    grown(is_signed_otherwise, "has different signature rules for deliveries");
    let answers = asked.answered_by != had.answered_by
        && asked.answered_by == crate::description::AnsweredBy::Plugin;
    grown(answers, "responds to deliveries itself, before they are stored");
    let forgets = had.id_header.is_some() && had.id_header != asked.id_header;
    grown(forgets, "recognizes duplicate deliveries by a different header");
    let most = |webhook: &Webhook| webhook.body_limit_bytes.unwrap_or(usize::MAX);
    grown(most(asked) > most(had), "accepts larger deliveries");
    let of = |webhook: &Webhook| -> BTreeSet<String> {
        match webhook.methods.is_empty() {
            true => BTreeSet::from(["POST".to_owned()]),
            false => webhook.methods.iter().cloned().collect(),
        }
    };
    grown(!of(asked).is_subset(&of(had)), "accepts deliveries with other methods");
    growth
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::approval::GrantRequest;
    use crate::description::Description;

    /// The documents of a plugin with everything that protects a person.
    fn documents() -> [Value; 3] {
        let origins = json!(["https://api.test"]);
        let node = json!({
            "name": "pager", "version": 1, "display_name": "Pager", "description": "A node.",
            "origins": origins, "slots": {},
            "schemas": {"password": {"type": "string", "x-secret": "password"}},
            "secrets": [{"name": "password", "description": "A password.",
                "placements": [{"methods": ["POST"], "origins": origins, "path": "/users",
                    "pointer": "/password"}]}],
            "actions": [{
                "name": "user.create", "version": 1, "title": "Create", "description": "Creates.",
                "slots": {}, "effect": "create", "idempotency": "keyed",
                "parameters": {"properties": {
                    "password": {"$ref": "#/$defs/password"},
                    "pins": {"type": "array", "items": {"type": "string", "x-secret": "password"}},
                }},
                "output": {"main": {"type": "object"}},
            }],
        });
        let placement = json!({"kind": "header", "name": "x-token", "value": "{access_token}",
            "origins": origins, "path": "/**"});
        let types = json!({"credential_types": [{
            "name": "oauth", "version": 1, "display_name": "OAuth", "description": "An account.",
            "fields": {"properties": {"client_id": {"type": "string"},
                "client_secret": {"type": "string", "writeOnly": true},
                "pin": {"type": "string", "writeOnly": true}}},
            "grant": {"kind": "authorization-code",
                "authorize_urls": ["https://id.test/authorize"],
                "token_urls": ["https://id.test/token"], "pkce": "S256",
                "client_authentication": "client_secret_post", "client_id_field": "client_id",
                "client_secret_field": "client_secret", "id_token_claims": ["sub"],
                "issuers": ["https://id.test"], "iss_in_response": true, "refresh_grace_ms": 1_000},
            "origins": origins, "placements": [placement],
            "rate_limit": {"windows": [{"requests": 100, "milliseconds": 60_000}],
                "remaining_header": "left", "default_wait_ms": 5_000, "operations": [{
                    "path": "/users/{id}", "windows": [{"requests": 5, "milliseconds": 1_000}]}]},
        }]});
        let triggers = json!({"triggers": [{
            "name": "user.created", "version": 1, "title": "Created", "description": "Starts.",
            "parameters": {"properties": {"key": {"type": "string", "x-secret": "password"}}},
            "delivery": {"kind": "webhook", "methods": ["POST"], "id_header": "x-id",
                "body_limit_bytes": 1_000, "answered_by": "host",
                "signature": {"scheme": "hmac-sha256", "header": "x-sig", "encoding": "hex",
                    "secret": "password", "pointer": "/secret"}},
        }, {
            "name": "user.changed", "version": 1, "title": "Changed", "description": "Starts.",
            "parameters": {}, "delivery": {"kind": "poll", "interval_ms": 60_000},
        }]});
        [node, types, triggers]
    }

    fn request([node, types, triggers]: &[Value; 3]) -> GrantRequest {
        let triggers = triggers.to_string();
        GrantRequest::of(
            &Description::read(
                &node.to_string(),
                &types.to_string(),
                Some(&triggers),
                &crate::limits::ProcessLimits::default(),
            )
            .unwrap(),
        )
    }

    #[test]
    fn dropping_a_protection_is_growth() {
        let before = request(&documents());
        assert_eq!(before.growth_over(&before), [""; 0]);
        let grant = "/credential_types/0/grant";
        let limit = "/credential_types/0/rate_limit";
        let hook = "/triggers/0/delivery";
        for (document, pointer, value, words) in [
            (0, "/schemas/password", json!({"type": "string"}), "/password of user.create"),
            (
                0,
                "/actions/0/parameters/properties/pins",
                json!({"type": "array"}),
                "/pins/* of user.create",
            ),
            (0, "/actions/0/idempotency", json!("safe"), "may be retried"),
            (0, "/actions/0/effect", json!("read"), "(effect: read)"),
            (
                1,
                "/credential_types/0/fields/properties/pin",
                json!({"type": "string"}),
                "credentials of type oauth: the field pin becomes readable",
            ),
            (1, &format!("{grant}/issuers"), json!([]), "other issuers"),
            (
                1,
                &format!("{grant}/issuers"),
                json!(["https://id.test", "https://x.test"]),
                "issuers",
            ),
            (1, &format!("{grant}/iss_in_response"), json!(false), "without an issuer"),
            (1, &format!("{grant}/id_token_claims"), json!([]), "claim sub no longer reveals"),
            (1, &format!("{grant}/refresh_grace_ms"), json!(2_000), "used refresh tokens"),
            (1, &format!("{grant}/client_id_field"), json!("client_secret"), "client ID"),
            (1, &format!("{grant}/client_authentication"), json!("none"), "authentication"),
            (1, &format!("{limit}/windows/0/requests"), json!(101), "more requests"),
            (1, &format!("{limit}/windows/0/milliseconds"), json!(59_999), "more requests"),
            (1, &format!("{limit}/remaining_header"), Value::Null, "more requests"),
            (1, &format!("{limit}/default_wait_ms"), json!(4_000), "more requests"),
            (1, &format!("{limit}/operations"), json!([]), "more requests"),
            (1, &format!("{limit}/operations/0/windows/0/requests"), json!(6), "more requests"),
            (1, limit, Value::Null, "more requests"),
            (2, "/triggers/0/parameters", json!({}), "/key of user.created"),
            (2, &format!("{hook}/answered_by"), json!("plugin"), "responds to deliveries itself"),
            (2, &format!("{hook}/id_header"), Value::Null, "recognizes duplicate"),
            (2, &format!("{hook}/body_limit_bytes"), json!(1_001), "larger deliveries"),
            (2, &format!("{hook}/methods"), json!(["POST", "GET"]), "other methods"),
            (2, &format!("{hook}/signature"), Value::Null, "signature rules"),
            (2, "/triggers/1/delivery/interval_ms", json!(59_000), "polls more often"),
        ] {
            let mut documents = documents();
            let place = documents[document].pointer_mut(pointer).expect(pointer);
            *place = value;
            if place.is_null() {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let parent = documents[document].pointer_mut(parent).unwrap();
                parent.as_object_mut().unwrap().remove(name);
            }
            let growth = request(&documents).growth_over(&before);
            assert!(growth.iter().any(|line| line.contains(words)), "{pointer}: {growth:?}");
            // The other way around nothing new is asked for, but where the two cannot be compared.
            let back = before.growth_over(&request(&documents));
            let is_other = ["effect", "authentication", "id_field", "id_header", "issuers"];
            let compares = !is_other.iter().any(|part| pointer.ends_with(part));
            assert!(!compares || back.is_empty(), "{pointer}: {back:?}");
        }
    }

    #[test]
    fn an_approval_that_recorded_no_protections_holds_for_its_component_and_for_no_other() {
        let request = request(&documents());
        let mut older = serde_json::to_value(&request).unwrap();
        for member in ["hidden", "idempotency"] {
            older.as_object_mut().unwrap().remove(member);
        }
        for member in ["grant", "secret_fields", "rate_limit"] {
            older["credentials"]["oauth"].as_object_mut().unwrap().remove(member);
        }
        let older: GrantRequest = serde_json::from_value(older).unwrap();
        assert!(request.growth_over(&older)[0].contains("does not record"));
        assert_eq!(request.growth_over(&older.completed(&request)), [""; 0]);
    }
}
