//! Automation: automation actions, workflows, connections, schedules v3.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::State;
use crate::clock::written;
use crate::engine::references;
use crate::examples::id;

impl State {
    pub(super) fn seed_automation(&mut self) {
        self.seed_actions();
        self.seed_workflows();
        self.seed_new_schedules();
    }

    fn seed_actions(&mut self) {
        let (service, team) =
            (self.service_reference(&id("service", 1)), self.team_reference(&id("team", 1)));
        self.example(
            "/automation_actions/runners",
            "runner",
            1,
            json!({
                "runner_type": "sidecar", "name": "Example runner", "description": "Runs scripts",
                "status": "Configured", "last_seen": null, "teams": [team],
            }),
        );
        self.example(
            "/automation_actions/actions",
            "action",
            1,
            json!({
                "name": "Example action", "description": "Restarts the shop",
                "action_type": "script", "action_classification": "remediation",
                "runner": id("runner", 1), "services": [service], "teams": [team],
                "action_data_reference": {"script": "echo restarted"},
                "only_invocable_on_unresolved_incidents": false,
            }),
        );
        let action = format!("/automation_actions/actions/{}", id("action", 1));
        let runner = format!("/automation_actions/runners/{}", id("runner", 1));
        self.store.put(&format!("{action}/services"), service);
        self.store.put(&format!("{action}/teams"), team.clone());
        self.store.put(&format!("{runner}/teams"), team);
        self.example(
            "/automation_actions/invocations",
            "invocation",
            1,
            json!({
                "action_id": id("action", 1), "runner_id": id("runner", 1), "state": "completed",
                "action_snapshot": {"name": "Example action", "action_type": "script"},
                "metadata": {"incident_id": id("incident", 1), "agent": {"id": id("user", 1)}},
                "duration": 2, "timing": [],
            }),
        );
    }

    fn seed_workflows(&mut self) {
        self.example(
            "/incident_workflows",
            "incident_workflow",
            1,
            json!({
                "name": "Example workflow", "description": "Tells everybody", "is_enabled": true,
                "team": self.team_reference(&id("team", 1)),
                "steps": [{
                    "id": id("step", 1), "type": "step", "name": "Send an update",
                    "action_configuration": {"action_id": id("action", 1), "inputs": []},
                }],
            }),
        );
        self.example(
            "/incident_workflows/actions",
            "action",
            1,
            json!({
                "name": "Send Status Update", "description": "Tells those who watch the incident",
                "domain_name": "pagerduty.com", "package_name": "incidents", "version": "1",
            }),
        );
        let trigger = json!({
            "trigger_type": "manual", "condition": null,
            "workflow": references::shown(self, "incident_workflow", &id("incident_workflow", 1)),
            "services": [self.service_reference(&id("service", 1))],
            "is_subscribed_to_all_services": false, "is_disabled": false,
            "permissions": {"restricted": false, "team_id": null},
        });
        let home = "/incident_workflows/triggers";
        self.keep(home, &id("trigger", 1), "workflow_trigger", trigger);
        self.example(
            "/workflows/integrations",
            "integration",
            1,
            json!({
                "name": "Example chat", "description": "Writes messages",
                "domain_name": "example.com", "package_name": "chat", "icon_svg": null,
                "tags": [], "search_keywords": ["chat"], "is_deprecated": false, "entitled": true,
                "application": "example", "configuration_schema": {}, "secrets_schema": {},
                "created_by": self.user_reference(&id("user", 1)),
            }),
        );
        self.example(
            &format!("/workflows/integrations/{}/connections", id("integration", 1)),
            "connection",
            1,
            json!({
                "name": "Example connection", "integration_id": id("integration", 1),
                "service_url": "https://example.com/", "external_id": "E1",
                "external_id_label": "Workspace", "scopes": [], "is_default": true,
                "health": {"is_healthy": true, "health_message": null}, "configuration": {},
                "secrets": {"token": "********"}, "teams": [], "apps": [],
                "created_by": self.user_reference(&id("user", 1)),
            }),
        );
    }

    fn seed_new_schedules(&mut self) {
        self.example(
            "/v3/schedules",
            "schedule",
            1,
            json!({
                "name": "Example of a new schedule", "time_zone": "Europe/Berlin",
                "description": "With rotations", "teams": [self.team_reference(&id("team", 1))],
            }),
        );
        let home = format!("/v3/schedules/{}", id("schedule", 1));
        let member =
            |number: u8| -> Value { json!({"type": "user_member", "user_id": id("user", number)}) };
        let now = self.now();
        let hours = |number: i64| {
            written(now.checked_add(SignedDuration::from_hours(number)).unwrap_or(now))
        };
        let times = json!({"start_time": hours(1), "end_time": hours(9)});
        let with_times = |mut own: Value| {
            own["start_time"] = times["start_time"].clone();
            own["end_time"] = times["end_time"].clone();
            own
        };
        self.example(
            &format!("{home}/custom_shifts"),
            "custom_shift",
            1,
            with_times(json!({"assignments": [{"type": "shift_assignment", "member": member(1)}]})),
        );
        let own = with_times(json!({
            "rotation_id": id("rotation", 1), "overridden_member": member(1),
            "overriding_member": member(2),
        }));
        self.keep(&format!("{home}/overrides"), &id("override", 1), "override_shift", own);
        let rotations = format!("{home}/rotations");
        self.example(&rotations, "rotation", 1, json!({"name": "Example rotation"}));
        self.example(
            &format!("{rotations}/{}/events", id("rotation", 1)),
            "event",
            1,
            json!({
                "name": "Weekdays",
                "start_time": {"date_time": "2026-01-05T09:00:00", "time_zone": "Europe/Berlin"},
                "end_time": {"date_time": "2026-01-05T17:00:00", "time_zone": "Europe/Berlin"},
                "effective_since": "2026-01-05T00:00:00Z", "effective_until": null,
                "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"],
                "assignment_strategy": {
                    "type": "rotating_member_assignment_strategy", "shifts_per_member": 1,
                    "members": [member(1), member(2)],
                },
            }),
        );
    }
}
