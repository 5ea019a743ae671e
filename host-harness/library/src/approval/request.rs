//! The permissions that a plugin requests, and the protections that it declares. A rebuild that
//! drops a protection also requests more; see `growth`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::description::input_secrets;
use crate::description::{
    CredentialType, Delivery, Description, Effect, Grant, Idempotency, Placement, RateLimit,
    SecretPosition, Server,
};
use crate::origin::OriginPattern;

/// Everything that a plugin asks an operator for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct GrantRequest {
    /// The node's name.
    pub node: String,
    /// The node's version.
    pub version: u32,
    /// Origins that it may send requests to.
    pub origins: Vec<OriginPattern>,
    /// Its servers, whose origins the operator chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// Its credential types.
    pub credentials: BTreeMap<String, CredentialGrant>,
    /// Positions of secrets in answers, and where their handles are filled.
    #[serde(default)]
    pub secrets: Vec<SecretPosition>,
    /// Names of its actions by effect.
    pub actions: BTreeMap<Effect, BTreeSet<String>>,
    /// Its triggers, and how their events come. Those that the service delivers are set up there,
    /// which is a write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Delivery>,
    /// Parameters that users enter as secrets and that it sees as handles: by action or trigger, the
    /// place of the parameter (RFC 6901, `*` for every element or member) and the secret's name.
    /// `None` in an approval that did not record them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Names of its actions by the effect of repeating them; empty in an approval that did not
    /// record them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub idempotency: BTreeMap<Idempotency, BTreeSet<String>>,
}

/// Permissions that a credential type requests.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct CredentialGrant {
    /// Origins that the credential may be sent to.
    pub origins: Vec<OriginPattern>,
    /// Where it is written.
    pub placements: Vec<Placement>,
    /// OAuth endpoints.
    #[serde(default)]
    pub oauth_endpoints: BTreeSet<String>,
    /// Scopes that may be asked for.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    /// How the credential is obtained, with the parameters that `configure` may add to a consent.
    /// `None` in an approval that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Fields of the form that are secret: stored sealed, and kept from the plugin.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secret_fields: BTreeSet<String>,
    /// Rate limit of the service for one credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

impl CredentialGrant {
    /// Parameters that `configure` may add to a consent, with their values.
    pub fn authorize_parameters(&self) -> BTreeMap<&str, &[String]> {
        match &self.grant {
            Some(Grant::AuthorizationCode(grant)) => grant
                .authorize_parameters
                .iter()
                .map(|parameter| (parameter.name.as_str(), parameter.values.as_slice()))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    fn of(credential_type: &CredentialType) -> Self {
        Self {
            origins: credential_type.origins.clone(),
            placements: credential_type.placements.clone(),
            oauth_endpoints: credential_type
                .grant
                .endpoints()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            scopes: credential_type.scopes.iter().map(|one| one.name.clone()).collect(),
            grant: Some(credential_type.grant.clone()),
            secret_fields: credential_type.secret_fields(),
            rate_limit: credential_type.rate_limit.clone(),
        }
    }
}

impl GrantRequest {
    /// Permissions that a description requests.
    pub(crate) fn of(description: &Description) -> Self {
        let node = &description.node;
        let credentials = description
            .credential_types
            .values()
            .map(|one| (one.name.clone(), CredentialGrant::of(one)))
            .collect();
        let mut actions: BTreeMap<Effect, BTreeSet<String>> = BTreeMap::new();
        let mut idempotency: BTreeMap<Idempotency, BTreeSet<String>> = BTreeMap::new();
        for action in &node.actions {
            actions.entry(action.effect).or_default().insert(action.name.clone());
            idempotency.entry(action.idempotency).or_default().insert(action.name.clone());
        }
        Self {
            node: node.name.clone(),
            version: node.version,
            origins: node.origins.clone(),
            servers: node.servers.clone(),
            credentials,
            secrets: node.secrets.clone(),
            actions,
            triggers: description
                .triggers
                .iter()
                .map(|trigger| (trigger.name.clone(), trigger.delivery.clone()))
                .collect(),
            hidden: Some(hidden(description)),
            idempotency,
        }
    }

    /// An approval of the same component, with what it did not record: the component says the same
    /// each time.
    pub(crate) fn completed(&self, same: &Self) -> Self {
        let mut completed = self.clone();
        if completed.hidden.is_none() {
            completed.hidden.clone_from(&same.hidden);
            completed.idempotency.clone_from(&same.idempotency);
            for (name, grant) in &mut completed.credentials {
                if let Some(same) = same.credentials.get(name) {
                    grant.grant.clone_from(&same.grant);
                    grant.secret_fields.clone_from(&same.secret_fields);
                    grant.rate_limit.clone_from(&same.rate_limit);
                }
            }
        }
        completed
    }
}

/// The parameters of actions and triggers that hold secrets.
fn hidden(description: &Description) -> BTreeMap<String, BTreeMap<String, String>> {
    /// A mark may be written with escapes.
    fn may_hold(text: &str, mark: &str) -> bool {
        text.contains(mark) || text.contains("\\u")
    }
    let shared = &description.node.schemas;
    let is_shared = may_hold(shared.text(), "x-secret");
    let actions = description.node.actions.iter().map(|one| (&one.name, &one.parameters));
    let triggers = description.triggers.iter().map(|one| (&one.name, &one.parameters));
    actions
        .chain(triggers)
        // Most forms hold none, and need not be parsed.
        .filter(|(_, form)| {
            may_hold(form.text(), "x-secret") || (is_shared && may_hold(form.text(), "$ref"))
        })
        .filter_map(|(name, form)| {
            // A form that cannot be searched is refused before it is used.
            let found = input_secrets(shared, form).unwrap_or_default();
            let places: BTreeMap<String, String> = found
                .into_iter()
                .map(|secret| (format!("/{}", secret.segments.join("/")), secret.name))
                .collect();
            (!places.is_empty()).then(|| (name.clone(), places))
        })
        .collect()
}
