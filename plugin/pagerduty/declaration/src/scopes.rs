//! The scopes of Scoped OAuth, and the two of Classic User OAuth.

use workflow_node_sdk::documents::{Access, Scope};

/// Resource in words, and which of `.read` and `.write` it has.
const SCOPED: &[(&str, &str, &str)] = &[
    ("abilities", "the abilities of the account", "r"),
    ("addons", "add-ons", "rw"),
    ("analytics", "analytics", "rw"),
    ("audit_records", "audit records", "r"),
    ("change_events", "change events", "rw"),
    ("contextual_data", "contextual data", "rw"),
    ("custom_fields", "custom fields", "rw"),
    ("escalation_policies", "escalation policies", "rw"),
    ("event_orchestrations", "event orchestrations", "rw"),
    ("event_rules", "event rules", "rw"),
    ("extension_schemas", "extension schemas", "r"),
    ("extensions", "extensions", "rw"),
    ("incident", "memories about an incident", "r"),
    ("incident_types", "incident types", "rw"),
    ("incident_workflows", "incident workflows", "rw"),
    ("incident_workflows:instances", "runs of incident workflows", "w"),
    ("incidents", "incidents, their notes, alerts and log entries", "rw"),
    ("ip_allow_lists", "IP allow lists", "rw"),
    ("licenses", "licenses", "r"),
    ("oauth_delegations", "delegations of users' sessions", "rw"),
    ("oncalls", "who is on call", "r"),
    ("priorities", "priorities", "r"),
    ("recommendations", "recommendations", "rw"),
    ("schedules", "schedules and their overrides", "rw"),
    ("services", "services, business services and maintenance windows", "rw"),
    ("session_configurations", "session configurations", "rw"),
    ("sre_agent", "the SRE agent", "w"),
    ("standards", "standards", "rw"),
    ("status_dashboards", "status dashboards", "r"),
    ("status_pages", "status pages", "rw"),
    ("subscribers", "subscribers", "rw"),
    ("tags", "tags", "rw"),
    ("teams", "teams and their members", "rw"),
    ("templates", "templates of status updates", "rw"),
    ("users", "users", "rw"),
    ("users:contact_methods", "contact methods and notification rules of users", "rw"),
    ("users:notifications", "notifications that users got", "r"),
    ("users:sessions", "sessions of users", "rw"),
    ("vendors", "vendors", "r"),
    ("webhook_subscriptions", "webhook subscriptions", "rw"),
    ("workflow_integrations", "workflow integrations", "r"),
    ("workflow_integrations:connections", "connections of workflow integrations", "rw"),
];

/// The scopes of Scoped OAuth.
pub fn scoped() -> Vec<Scope> {
    let mut scopes = Vec::new();
    for (resource, words, access) in SCOPED {
        for letter in access.chars() {
            let (suffix, verb, access) = match letter {
                'r' => (".read", "See ", Access::Read),
                _ => (".write", "Change ", Access::Write),
            };
            let scope = Scope::new([resource, suffix].concat(), [verb, words, "."].concat());
            scopes.push(scope.access(access));
        }
    }
    scopes
}

/// The scopes of Classic User OAuth. `write` includes `read`.
pub fn classic() -> Vec<Scope> {
    let mut scopes = Vec::new();
    for (access, words) in CLASSIC {
        scopes.push(Scope::new(access.as_str(), *words).covers(*access));
    }
    scopes
}

const CLASSIC: &[(Access, &str)] = &[
    (Access::Read, "See everything that the user sees."),
    (Access::Write, "See and change everything that the user may."),
];

/// Whether a name is a scope of Classic User OAuth.
pub fn is_classic(name: &str) -> bool {
    CLASSIC.iter().any(|(known, _)| known.as_str() == name)
}

/// Whether granted scopes allow changes; `None` if only the service can tell.
pub fn allow_writing(granted: &[String]) -> Option<bool> {
    let mut known = false;
    for scope in granted {
        if scope == "write" || scope.ends_with(".write") {
            return Some(true);
        }
        known |= is_classic(scope) || is_scoped(scope);
    }
    known.then_some(false)
}

/// Whether a name is a scope of Scoped OAuth.
pub fn is_scoped(name: &str) -> bool {
    for (resource, _, access) in SCOPED {
        let letter = match name.strip_prefix(resource) {
            Some(".read") => 'r',
            Some(".write") => 'w',
            _ => continue,
        };
        return access.contains(letter);
    }
    false
}
