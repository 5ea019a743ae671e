//! Processing and delivery of events: orchestrations, enrichment, webhooks.

use serde_json::json;

use super::State;
use crate::examples::id;
use crate::ids::secret_hex;

impl State {
    pub(super) fn seed_event_handling(&mut self) {
        self.seed_orchestrations();
        self.seed_enrichment();
        self.seed_webhooks();
    }

    fn seed_orchestrations(&mut self) {
        for (number, name) in [(1, "Example orchestration"), (2, "Second example orchestration")] {
            self.example(
                "/event_orchestrations",
                "event_orchestration",
                number,
                json!({
                    "name": name, "description": "Routes events", "routes": 0,
                    "team": self.team_reference(&id("team", 1)), "integrations": [],
                }),
            );
            let orchestration = id("event_orchestration", number);
            let home = format!("/event_orchestrations/{orchestration}/integrations");
            self.ids.want(&home, &id("integration", number));
            self.add_orchestration_integration(&orchestration, name);
        }
        for owner in [id("event_orchestration", 1), format!("services/{}", id("service", 1))] {
            let home = format!("/event_orchestrations/{owner}/cache_variables");
            self.example(
                &home,
                "cache_variable",
                1,
                json!({
                    "name": "last_host", "disabled": false,
                    "configuration": {"type": "recent_value", "source": "event.source", "regex": ".*"},
                    "conditions": [],
                }),
            );
            let data = format!("{home}/{}/data", id("cache_variable", 1));
            let value = json!({
                "cache_variable_data": "web-1", "updated_at": "2025-06-01T12:00:00Z",
            });
            self.store.set_single(&data, value);
        }
        let service = json!({"id": id("service", 1), "type": "service_reference"});
        let rule = |label: &str| {
            json!({
                "label": label, "service": service, "action": "suppress",
                "conditions": [{"expression": "event.severity matches 'info'"}],
            })
        };
        let home = "/recommendations/event_orchestrations";
        for (number, label) in [(1, "Suppress what only informs"), (2, "Suppress probes")] {
            self.example(&format!("{home}/rules"), "rule", number, rule(label));
        }
        let accepted = format!("{home}/services/{}/accepted_rules", id("service", 1));
        self.example(&accepted, "accepted_rule", 1, rule("Suppress tests"));
    }

    fn seed_enrichment(&mut self) {
        let servicenow = "/enrichment/integrations/servicenow";
        let own = json!({"name": "Example CMDB", "description": "Hosts and owners"});
        self.example(servicenow, "integration", 1, own);
        self.example(
            &format!("{servicenow}/credentials"),
            "credential",
            1,
            json!({"instance_endpoint": "https://example.com/", "user": "reader"}),
        );
        self.example(
            &format!("{servicenow}/{}/tables", id("integration", 1)),
            "table",
            1,
            json!({
                "display_name": "Servers", "ci_table_name": "cmdb_ci_server", "query_filter": null,
                "enabled": true,
                "field_mappings": [
                    {"servicenow_field": "name", "event_field": "host", "type": "query"},
                    {"servicenow_field": "owned_by", "event_field": "owner"},
                ],
            }),
        );
        self.example(
            "/enrichment/schemas",
            "schema",
            1,
            json!({
                "integration_type": "CSV", "name": "Example owners", "description": "Who owns what",
                "fields": [{"name": "host", "type": "query"}, {"name": "owner", "type": "enriched"}],
            }),
        );
        let records = format!("/enrichment/schemas/{}/records", id("schema", 1));
        for (number, host, owner) in [(1, "web-1", "ada"), (2, "web-2", "ben")] {
            let own = json!({"data": {"host": host, "owner": owner}});
            self.example(&records, "record", number, own);
        }
        self.example(
            "/enrichment/event_enrichments",
            "event_enrichment",
            1,
            json!({"name": "Example enrichment", "description": "Adds owners", "team": null}),
        );
        let home = format!("/enrichment/event_enrichments/{}", id("event_enrichment", 1));
        let service = self.service_reference(&id("service", 1));
        self.store.put(&format!("{home}/associations"), service);
    }

    /// The subscription is disabled, and its URL has no receiver.
    fn seed_webhooks(&mut self) {
        self.example(
            "/webhook_subscriptions",
            "webhook_subscription",
            1,
            json!({
                "active": false, "description": "Example subscription",
                "events": ["incident.triggered", "incident.resolved"],
                "filter": {"id": id("service", 1), "type": "service_reference"},
                "delivery_method": {
                    "id": id("delivery_method", 1), "type": "http_delivery_method",
                    "url": "http://127.0.0.1:9/", "secret": secret_hex(64),
                    "temporarily_disabled": false, "custom_headers": [], "extension_id": null,
                },
            }),
        );
        self.example(
            "/webhook_subscriptions/oauth_clients",
            "oauth_client",
            1,
            json!({
                "name": "Example client", "client_id": "example", "scope": "hooks",
                "token_url": "http://127.0.0.1:9/token", "grant_type": "client_credentials",
            }),
        );
    }
}
