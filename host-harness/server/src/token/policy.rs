//! Permissions of a token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use workflow_node_host::description::{Action, Effect};
use workflow_node_host::{CallContext, OriginPattern, Principal};

/// A permission of a token. A token without roles can only read descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Runs actions, and reads and cancels its executions.
    Run,
    /// Connects, tests, and disconnects credentials.
    Connect,
    /// Approves plugins.
    Approve,
    /// Reads the metrics of the server, which count the requests of all tenants.
    Monitor,
}

impl Role {
    /// The name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Connect => "connect",
            Self::Approve => "approve",
            Self::Monitor => "monitor",
        }
    }
}

/// Permissions of a token, and the user that it acts as. If a set is absent, everything is allowed; an
/// empty set allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Tenant that the token acts in. Default: the default tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// User that the token acts as. Default: the local user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Roles of the token.
    pub roles: BTreeSet<Role>,
    /// Names of the plugins that the token may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<BTreeSet<String>>,
    /// Names of the actions and triggers that the token may use. `incident.*` names all that begin
    /// with `incident.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<BTreeSet<String>>,
    /// Effects of the actions that the token may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<BTreeSet<Effect>>,
    /// Names of the credentials that the token may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<BTreeSet<String>>,
    /// Origins that plugins may send requests to on behalf of this token, e.g.
    /// `https://*.example.com`. Narrows what was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<OriginPattern>>,
    /// Whether parameters that are secrets may hold the secrets themselves, and whether the token may
    /// store secrets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub raw_secrets: bool,
    /// Names of the stored secrets that the token may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeSet<String>>,
    /// Whether a call may bring credentials that live as long as its execution.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inline_credentials: bool,
    /// Origins that events may be sent to, such as `https://n8n.example.com`. An empty set allows none.
    /// Names are judged by what they resolve to at each connection: public addresses only. An origin
    /// whose host is an address or `localhost` is reached as it is written.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub deliver_to: BTreeSet<String>,
    /// Whether names in `deliver_to` may have addresses of private networks. Loopback and metadata
    /// service addresses are never allowed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deliver_to_private: bool,
    /// Actions that clients of MCP see as separate tools, e.g. `pagerduty/incident.list`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub pinned: BTreeSet<String>,
}

impl Policy {
    /// The principal that the token acts as.
    pub fn principal(&self) -> Principal {
        let mut principal = Principal::default();
        if let Some(tenant) = &self.tenant {
            principal.tenant = tenant.clone().into();
        }
        if let Some(actor) = &self.actor {
            principal.user = actor.clone().into();
        }
        principal
    }

    pub(crate) fn allows_plugin(&self, name: &str) -> bool {
        self.plugins.as_ref().is_none_or(|plugins| plugins.contains(name))
    }

    /// Whether the token may see an action or a trigger.
    pub(crate) fn allows_name(&self, name: &str) -> bool {
        let Some(allowed) = &self.actions else { return true };
        allowed.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }

    pub(crate) fn allows_action(&self, action: &Action) -> bool {
        let effect = |effects: &BTreeSet<Effect>| effects.contains(&action.effect);
        self.allows_name(&action.name) && self.effects.as_ref().is_none_or(effect)
    }

    pub(crate) fn allows_credential(&self, name: &str) -> bool {
        self.credentials.as_ref().is_none_or(|credentials| credentials.contains(name))
    }

    pub(crate) fn allows_secret(&self, name: &str) -> bool {
        self.secrets.as_ref().is_none_or(|secrets| secrets.contains(name))
    }

    /// The context of a call with this token.
    pub(crate) fn context(&self) -> CallContext {
        let context = CallContext::of(self.principal());
        match &self.destinations {
            Some(destinations) => context.allow(destinations.iter().cloned()),
            None => context,
        }
    }

    /// A contradiction in the policy.
    pub(crate) fn problem(&self) -> Option<String> {
        let empty =
            |name: &Option<String>| name.as_deref().is_some_and(|name| name.trim().is_empty());
        if empty(&self.tenant) || empty(&self.actor) {
            return Some("A tenant or an actor has an empty name.".to_owned());
        }
        let is_origin = |text: &&String| {
            Url::parse(text).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == **text
                    && !text.contains('*')
            })
        };
        if let Some(odd) = self.deliver_to.iter().find(|text| !is_origin(text)) {
            return Some(format!(
                "`{odd}` in `deliver_to` is not an origin: write a scheme, a host, and a port that is \
                 not the scheme's own, such as https://n8n.example.com."
            ));
        }
        if let Some(pin) = self.pinned.iter().find(|pin| !pin.contains('/')) {
            return Some(format!("`{pin}` does not name an action: write PLUGIN/ACTION."));
        }
        let patterns = self.actions.iter().flatten();
        let mut odd =
            patterns.filter(|one| one.trim_end_matches('*').contains('*') || *one == "**");
        odd.next().map(|one| format!("`{one}` is not a name of an action: `*` may only end it."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_absent_set_allows_all_and_an_empty_one_nothing() {
        let all = policy("");
        assert!(all.allows_plugin("pagerduty") && all.allows_credential("pd"));
        assert!(all.allows_name("incident.create") && all.roles.is_empty());
        let none = policy("plugins = []\ncredentials = []\nactions = []");
        assert!(!none.allows_plugin("pagerduty") && !none.allows_credential("pd"));
        assert!(!none.allows_name("incident.create"));
    }

    #[test]
    fn a_pattern_of_actions_ends_with_an_asterisk() {
        let some = policy("actions = ['incident.*', 'service.list']");
        assert!(some.allows_name("incident.create") && some.allows_name("service.list"));
        assert!(!some.allows_name("incident_note.create") && !some.allows_name("service.list2"));
        assert!(some.problem().is_none());
        assert!(policy("actions = ['*.create']").problem().is_some());
        assert!(policy("tenant = ' '").problem().is_some());
        assert!(policy("deliver_to = ['http://127.0.0.1:5678']").problem().is_none());
        for odd in
            ["https://*.example.com", "https://x.test/", "https://x.test:443", "x", "file:///"]
        {
            assert!(policy(&format!("deliver_to = ['{odd}']")).problem().is_some(), "{odd}");
        }
        assert!(toml::from_str::<Policy>("rolls = ['run']").is_err());
    }
}
