//! Settings of an account: windows, tags, fields, licenses, vendors, extensions, and others.

use jiff::SignedDuration;
use serde_json::json;

use super::State;
use crate::clock::written;
use crate::examples::id;

impl State {
    pub(super) fn seed_settings(&mut self) {
        let service = self.service_reference(&id("service", 1));
        let team = self.team_reference(&id("team", 1));
        let now = self.now();
        let hours = |number: i64| {
            written(now.checked_add(SignedDuration::from_hours(number)).unwrap_or(now))
        };
        self.example(
            "/maintenance_windows",
            "maintenance_window",
            1,
            json!({
                "description": "Moving house", "start_time": hours(240), "end_time": hours(244),
                "services": [service], "teams": [team], "sequence_number": 1,
                "created_by": self.user_reference(&id("user", 1)),
            }),
        );
        self.keep(
            "/addons",
            &id("addon", 1),
            "full_page_addon",
            json!({"name": "Example add-on", "src": "https://example.com/addon", "services": [service]}),
        );
        self.keep(
            "/alert_grouping_settings",
            &id("alert_grouping_setting", 1),
            "time",
            json!({
                "name": "Example grouping", "description": "By time", "services": [service],
                "config": {"timeout": 300},
            }),
        );
        self.example("/tags", "tag", 1, json!({"label": "example"}));
        for entity in [
            format!("/users/{}", id("user", 1)),
            format!("/teams/{}", id("team", 1)),
            format!("/escalation_policies/{}", id("escalation_policy", 1)),
        ] {
            self.store.put(&format!("{entity}/tags"), json!({"id": id("tag", 1)}));
        }
        self.example(
            "/templates",
            "template",
            1,
            json!({
                "template_type": "status_update", "name": "Example template",
                "description": "Says how it stands",
                "templated_fields": {
                    "email_subject": "{{incident.title}}",
                    "email_body": "<p>{{status_update.message}}</p>",
                    "message": "{{incident.title}} is {{incident.status}}",
                },
            }),
        );
        self.seed_fields();
        self.seed_account();
        self.seed_extensions();
    }

    fn seed_fields(&mut self) {
        self.example(
            "/incidents/types",
            "incident_type",
            1,
            json!({
                "name": "example_incident", "display_name": "Example incident", "enabled": true,
                "description": "A type for examples",
                "parent": {"id": id("incident_type", 2), "type": "incident_type_reference"},
            }),
        );
        for home in [
            format!("/incidents/types/{}/custom_fields", id("incident_type", 1)),
            "/services/custom_fields".to_owned(),
        ] {
            let own = json!({
                "name": "environment", "display_name": "Environment", "data_type": "string",
                "field_type": "single_value_fixed", "description": "Where it runs", "enabled": true,
                "default_value": null,
            });
            self.keep(&home, &id("custom_field", 1), "field", own);
            let options = format!("{home}/{}/field_options", id("custom_field", 1));
            for (number, value) in [(1, "production"), (2, "staging")] {
                let own = json!({"data": {"data_type": "string", "value": value}});
                self.example(&options, "field_option", number, own);
            }
        }
    }

    fn seed_account(&mut self) {
        self.example(
            "/ip_allow_lists",
            "ip_allow_list",
            1,
            json!({
                "state": "disabled",
                "cidr_entries": [{"cidr": "192.0.2.0/24", "description": "An example"}],
            }),
        );
        self.example(
            "/standards",
            "standard",
            1,
            json!({
                "active": true, "name": "Service has a description",
                "description": "Says what the service is for", "resource_type": "technical_service",
                "inclusions": [], "exclusions": [],
            }),
        );
        for kind in ["mobile", "web"] {
            self.store.put(
                "/session_configurations",
                json!({
                    "id": kind, "type": kind,
                    "absolute_session_ttl": 86_400, "idle_session_ttl": 3_600,
                }),
            );
        }
        let priority = json!({"id": id("priority", 1), "order": 0});
        self.store.set_single("/business_services/priority_thresholds", priority);
        self.example(
            "/licenses",
            "license",
            1,
            json!({
                "name": "Example licence", "description": "Everything", "total": 100,
                "valid_roles": ["owner", "admin", "user", "limited_user"],
                "role_group": "FullUser",
            }),
        );
        self.example(
            "/sre_agent/memories",
            "memory",
            1,
            json!({
                "content": "Restarting helps.", "service_id": id("service", 1),
                "incident_id": id("incident", 1),
            }),
        );
        if let Some(memory) = self.store.get_mut("/sre_agent/memories", &id("memory", 1)) {
            memory["type"] = json!("runbook");
        }
    }

    fn seed_extensions(&mut self) {
        self.example(
            "/vendors",
            "vendor",
            1,
            json!({
                "name": "Example vendor", "description": "Sends events",
                "website_url": "https://example.com/", "logo_url": null, "thumbnail_url": null,
                "integration_guide_url": null,
            }),
        );
        self.example(
            "/extension_schemas",
            "extension_schema",
            1,
            json!({
                "key": "example_webhook", "label": "Example webhook", "description": "Calls an address",
                "guide_url": null, "logo_url": null, "icon_url": null,
                "send_types": ["trigger", "acknowledge", "resolve"],
                "url": null,
            }),
        );
        let schema = json!({
            "id": id("extension_schema", 1), "type": "extension_schema_reference",
            "summary": "Example webhook",
        });
        self.example(
            "/extensions",
            "extension",
            1,
            json!({
                "name": "Example extension", "endpoint_url": "https://example.com/extension",
                "extension_schema": schema,
                "extension_objects": [self.service_reference(&id("service", 1))],
                "temporarily_disabled": false, "config": {},
            }),
        );
    }
}
