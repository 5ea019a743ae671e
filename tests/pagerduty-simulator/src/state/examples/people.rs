//! People: teams, users with their contact methods and rules, policies, schedules, priorities.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::State;
use crate::examples::id;
use crate::state::directory::{Priority, Team};
use crate::state::schedules::Override;

impl State {
    pub(super) fn seed_people(&mut self) {
        for (number, name) in [(1, "Example team"), (2, "Second example team")] {
            let team = Team { id: id("team", number), name: name.to_owned(), more: Map::new() };
            self.teams.push(team);
        }
        self.priorities.push(Priority {
            id: id("priority", 1),
            name: "SEV-1".to_owned(),
            description: "An example of a priority".to_owned(),
            color: "a8171c".to_owned(),
        });
        for (number, name, role) in [
            (1, "Eve Example", "admin"),
            (2, "Finn Example", "user"),
            (3, "Greta Example", "limited_user"),
        ] {
            self.ids.want("user", &id("user", number));
            let email = format!("{}@example.com", name[..name.len() - 8].to_lowercase());
            self.add_user(name, &email, role, &[id("team", 1)]);
            self.seed_contacts(number, &email);
        }
        let users = [1, 2].map(|number| id("user", number));
        for (number, name) in [(1, "Example schedule"), (2, "Second example schedule")] {
            self.ids.want("schedule", &id("schedule", number));
            self.ids.want("schedule layer", &id("schedule_layer", number));
            self.add_schedule(name, &users);
        }
        self.seed_overrides();
        for (number, name) in
            [(1, "Example policy"), (2, "Second example policy"), (3, "Unused example policy")]
        {
            self.ids.want("escalation policy", &id("escalation_policy", number));
            let levels = vec![vec![users[0].clone()], vec![users[1].clone()]];
            self.add_policy(name, levels, &[id("team", 1)]);
            if let Some(policy) = self.policies.last_mut()
                && number == 1
            {
                policy.schedules[1].push(id("schedule", 1));
            }
        }
    }

    fn seed_overrides(&mut self) {
        let now = self.now();
        let hours = |number: i64| -> Timestamp {
            now.checked_add(SignedDuration::from_hours(number)).unwrap_or(now)
        };
        if let Some(schedule) = self.schedules.iter_mut().find(|one| one.id == id("schedule", 1)) {
            schedule.team_ids.push(id("team", 1));
            schedule.overrides.push(Override {
                id: id("override", 1),
                start: hours(24),
                end: hours(32),
                user_id: id("user", 2),
            });
        }
    }

    fn seed_contacts(&mut self, number: u8, email: &str) {
        let user = format!("/users/{}", id("user", number));
        self.store.forget(&user);
        let contacts = format!("{user}/contact_methods");
        for (number, kind, own) in [
            (1, "email_contact_method", json!({"label": "Work", "address": email})),
            (
                2,
                "phone_contact_method",
                json!({
                    "label": "Mobile", "address": "5550100", "country_code": 1,
                }),
            ),
            (
                3,
                "sms_contact_method",
                json!({
                    "label": "Texts", "address": "5550101", "country_code": 1,
                }),
            ),
        ] {
            self.keep(&contacts, &id("contact_method", number), kind, own);
        }
        let contact = json!({
            "id": id("contact_method", 1), "type": "email_contact_method_reference",
            "summary": "Work", "html_url": null,
            "self": format!("https://{}{contacts}/{}", self.api_host(), id("contact_method", 1)),
        });
        for (number, urgency) in [(1, "high"), (2, "low")] {
            let own = json!({
                "start_delay_in_minutes": 0, "urgency": urgency, "contact_method": contact,
            });
            let rule = id("notification_rule", number);
            let rules = format!("{user}/notification_rules");
            self.keep(&rules, &rule, "assignment_notification_rule", own);
        }
        self.example(
            &format!("{user}/oncall_handoff_notification_rules"),
            "oncall_handoff_notification_rule",
            1,
            json!({
                "notify_advance_in_minutes": 60, "handoff_type": "both", "contact_method": contact,
            }),
        );
        self.example(
            &format!("{user}/status_update_notification_rules"),
            "status_update_notification_rule",
            1,
            json!({"contact_method": contact}),
        );
        self.example(
            &format!("{user}/oauth_delegations"),
            "oauth_delegation",
            1,
            json!({
                "status": "issued", "client_id": "PDMOBILE", "delegation_type": "mobile",
                "scope": "read write", "created_at": "2025-06-01T12:00:00Z",
                "expires_at": "2035-06-01T12:00:00Z",
            }),
        );
    }
}
