//! The initial state of an account: a few objects of many kinds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::State;
use super::changes::Opening;
use super::directory::{EscalationPolicy, Priority, Service, Team, User};
use super::incident::Urgency;
use super::log::Agent;
use super::schedules::{Layer, Schedule};
use super::store::Store;
use crate::clock::Clock;
use crate::ids::{Ids, secret_hex};
use crate::keys::{KeyRing, Keys, Region, TokenKind};
use crate::rate_limit::RateLimiter;

const ABILITIES: [(&str, bool); 12] = [
    ("advanced_reports", true),
    ("coordinated_responding", true),
    ("event_rules", true),
    ("manage_schedules", true),
    ("manage_users", true),
    ("permissions_service", true),
    ("read_only_users", true),
    ("service_support_hours", true),
    ("sso", false),
    ("teams", true),
    ("urgencies", true),
    ("view_historical_analytics", false),
];

const PRIORITIES: [(&str, &str, &str); 5] = [
    ("P1", "Many customers cannot work", "a8171c"),
    ("P2", "Some customers cannot work", "eb6016"),
    ("P3", "Something is slow or wrong", "f9b406"),
    ("P4", "A nuisance", "555555"),
    ("P5", "For information", "999999"),
];

impl State {
    pub(crate) fn seeded(
        region: Region,
        clock: Arc<Clock>,
        limit: Option<u32>,
        events_limit: Option<u32>,
    ) -> Self {
        let mut state = Self {
            region,
            clock,
            ids: Ids::new(region),
            users: Vec::new(),
            services: Vec::new(),
            service_index: HashMap::new(),
            routing_index: HashMap::new(),
            policies: Vec::new(),
            priorities: Vec::new(),
            teams: Vec::new(),
            schedules: Vec::new(),
            abilities: BTreeMap::new(),
            incidents: Vec::new(),
            incident_index: HashMap::new(),
            open_keys: HashMap::new(),
            snoozed: Vec::new(),
            timeouts: Vec::new(),
            alerts: Vec::new(),
            open_alerts: HashMap::new(),
            log_entries: Vec::new(),
            log_index: HashMap::new(),
            change_events: Vec::new(),
            store: Store::default(),
            team_roles: HashMap::new(),
            subscriptions: Vec::new(),
            audit: Vec::new(),
            hooks: None,
            key_ring: KeyRing::default(),
            keys: Keys {
                account: String::new(),
                account_read_only: String::new(),
                user: String::new(),
                classic_read: String::new(),
                classic_write: String::new(),
                app: String::new(),
                routing: String::new(),
                routing_keys: Vec::new(),
            },
            limiter: RateLimiter::new(limit),
            events_limiter: RateLimiter::new(events_limit),
            operation_limiter: RateLimiter::new(None),
        };
        state.seed_directory();
        state.seed_given();
        state.seed_keys();
        state.seed_history();
        state
    }

    fn seed_directory(&mut self) {
        for (name, has) in ABILITIES {
            self.abilities.insert(name.to_owned(), has);
        }
        for (name, description, color) in PRIORITIES {
            let id = self.ids.next('P', "priority");
            self.priorities.push(Priority {
                id,
                name: name.to_owned(),
                description: description.to_owned(),
                color: color.to_owned(),
            });
        }
        for name in ["Platform", "Storefront"] {
            let id = self.ids.next('P', "team");
            self.teams.push(Team { id, name: name.to_owned(), more: Map::new() });
        }
        let platform = vec![self.teams[0].id.clone()];
        let storefront = vec![self.teams[1].id.clone()];
        self.add_user("Ada Moreno", "ada@example.com", "admin", &platform);
        self.add_user("Ben Okafor", "ben@example.com", "user", &platform);
        self.add_user("Chloé Lindqvist", "chloe@example.com", "limited_user", &storefront);
        self.add_user("Dan Whitfield", "dan@example.com", "read_only_user", &[]);
        let [ada, ben, chloe] = [0, 1, 2].map(|index| self.users[index].id.clone());

        for (name, user) in [("Primary", &ada), ("Storefront hours", &chloe)] {
            self.add_schedule(name, std::slice::from_ref(user));
        }
        let levels = vec![vec![ada], vec![ben.clone()]];
        self.add_policy("Platform on call", levels, &platform);
        self.add_policy("Storefront on call", vec![vec![chloe], vec![ben]], &storefront);
        self.add_policy("Nobody on call", vec![Vec::new()], &[]);
        let [platform_policy, storefront_policy] = [0, 1].map(|i| self.policies[i].id.clone());

        self.add_service("Checkout", "Takes the orders.", &storefront_policy, &storefront);
        self.add_service("Billing", "Sends the invoices.", &storefront_policy, &storefront);
        self.add_service("Search", "Finds the products.", &platform_policy, &platform);
        self.add_service("Object storage", "Keeps the pictures.", &platform_policy, &platform);
        self.add_service("Mail relay (old)", "Switched off.", &platform_policy, &[]);
        self.services[4].status = "disabled".to_owned();
    }

    /// The objects that PagerDuty creates in every account.
    fn seed_given(&mut self) {
        let kind = crate::examples::id("incident_type", 2);
        let own = json!({
            "name": "incident_default", "display_name": "Base incident", "enabled": true,
            "description": "What every incident is", "parent": null,
        });
        self.keep("/incidents/types", &kind, "incident_type", own);
    }

    fn seed_keys(&mut self) {
        let ada = self.users[0].id.clone();
        let region = self.region;
        let ring = &mut self.key_ring;
        let mut mint =
            |name, kind, user, scopes: &[&str]| ring.mint(region, name, kind, user, scopes);
        self.keys = Keys {
            account: mint("account key", TokenKind::AccountKey, None, &[]),
            account_read_only: mint("read-only key", TokenKind::ReadOnlyAccountKey, None, &[]),
            user: mint("user key", TokenKind::UserKey, Some(&ada), &[]),
            classic_read: mint("read token", TokenKind::UserToken, Some(&ada), &["read"]),
            classic_write: mint("write token", TokenKind::UserToken, Some(&ada), &["write"]),
            app: mint(
                "app token",
                TokenKind::AppToken,
                None,
                &crate::facts::scopes().into_iter().collect::<Vec<_>>(),
            ),
            routing: self.services[0].routing_key.clone(),
            routing_keys: self.services.iter().map(|s| s.routing_key.clone()).collect(),
        };
    }

    fn seed_history(&mut self) {
        let now = self.now();
        let ago = |hours: i64| now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
        let [ada, ben] = [0, 1].map(|index| Agent::User(self.users[index].id.clone()));
        // Title, service, hours ago, urgency, progress.
        let history = [
            ("Pictures vanish after upload", 3, 24 * 200, Urgency::High, 2),
            ("Search answers slowly", 2, 24 * 20, Urgency::High, 2),
            ("Invoices are sent twice", 1, 24 * 6, Urgency::Low, 2),
            ("Certificate of the shop expires soon", 0, 30, Urgency::Low, 1),
            ("Payments time out", 0, 2, Urgency::High, 0),
        ];
        for (title, service, hours, urgency, progress) in history {
            let service_id = self.services[service].id.clone();
            let at = ago(hours);
            let mut opening = Opening::new(title, &service_id, at);
            opening.urgency = urgency;
            let agent = Agent::Service(service_id);
            let index = self.open_incident(opening, &agent);
            let later = |minutes: i64| -> Timestamp {
                at.checked_add(SignedDuration::from_mins(minutes)).unwrap_or(at)
            };
            if progress >= 1 {
                self.acknowledge(index, &ada, later(4));
            }
            if progress >= 2 {
                self.annotate(
                    index,
                    "Restarted, and watching it.",
                    &self.users[1].id.clone(),
                    later(20),
                );
                self.resolve(index, &ben, later(45));
            }
        }
    }

    pub(crate) fn add_user(
        &mut self,
        name: &str,
        email: &str,
        role: &str,
        teams: &[String],
    ) -> String {
        let id = self.ids.next('P', "user");
        self.users.push(User {
            id: id.clone(),
            name: name.to_owned(),
            email: email.to_owned(),
            role: role.to_owned(),
            team_ids: teams.to_vec(),
            more: Map::new(),
        });
        let path = format!("/users/{id}/contact_methods");
        let contact = format!("{}1", &id[..13]);
        let own = json!({"label": "Default", "address": email, "send_short_email": false});
        self.keep(&path, &contact, "email_contact_method", own);
        let contact = json!({"id": contact, "type": "email_contact_method_reference"});
        let rules = format!("/users/{id}/notification_rules");
        for (digit, urgency) in [("2", "high"), ("3", "low")] {
            let own = json!({
                "start_delay_in_minutes": 0, "urgency": urgency, "contact_method": contact,
            });
            let rule = format!("{}{digit}", &id[..13]);
            self.keep(&rules, &rule, "assignment_notification_rule", own);
        }
        id
    }

    /// Stores an object without judging it.
    pub(crate) fn keep(&mut self, collection: &str, id: &str, kind: &str, own: Value) {
        let own: Map<String, Value> = own.as_object().cloned().unwrap_or_default();
        let object = self.new_object(collection, id, kind, own);
        self.store.put(collection, object);
    }

    /// A schedule with weekly turns.
    pub(crate) fn add_schedule(&mut self, name: &str, users: &[String]) -> String {
        let id = self.ids.next('P', "schedule");
        let start = Timestamp::constant(1_736_121_600, 0);
        let layer = Layer {
            id: self.ids.next('P', "schedule layer"),
            name: "Layer 1".to_owned(),
            start,
            end: None,
            virtual_start: start,
            turn_seconds: 7 * 24 * 3600,
            users: users.to_vec(),
            restrictions: Vec::new(),
        };
        self.schedules.push(Schedule {
            id: id.clone(),
            name: name.to_owned(),
            user_id: users.first().cloned().unwrap_or_default(),
            time_zone: "Etc/UTC".to_owned(),
            layers: vec![layer],
            overrides: Vec::new(),
            team_ids: Vec::new(),
            more: Map::new(),
        });
        id
    }

    pub(crate) fn add_policy(
        &mut self,
        name: &str,
        levels: Vec<Vec<String>>,
        teams: &[String],
    ) -> String {
        let id = self.ids.next('P', "escalation policy");
        self.policies.push(EscalationPolicy {
            id: id.clone(),
            name: name.to_owned(),
            schedules: vec![Vec::new(); levels.len()],
            delays: vec![30; levels.len()],
            levels,
            team_ids: teams.to_vec(),
            more: Map::new(),
        });
        id
    }

    pub(crate) fn add_service(
        &mut self,
        name: &str,
        description: &str,
        policy: &str,
        teams: &[String],
    ) -> String {
        let id = self.new_service(name, policy, teams);
        if let Some(service) = self.service_mut(&id) {
            service.description = description.to_owned();
        }
        let kind = "events_api_v2_inbound_integration";
        let own = json!({"name": "Events API V2", "vendor": null});
        self.add_integration(&id, kind, own.as_object().cloned().unwrap_or_default());
        id
    }

    /// A service without an integration.
    pub(crate) fn new_service(&mut self, name: &str, policy: &str, teams: &[String]) -> String {
        let id = self.ids.next('P', "service");
        self.service_index.insert(id.clone(), self.services.len());
        self.services.push(Service {
            id: id.clone(),
            name: name.to_owned(),
            description: String::new(),
            status: "active".to_owned(),
            escalation_policy_id: policy.to_owned(),
            team_ids: teams.to_vec(),
            integration_id: String::new(),
            routing_key: String::new(),
            created_at: "2025-01-15T09:00:00Z".to_owned(),
            more: Map::new(),
        });
        id
    }

    /// Adds an integration with a new key to a service.
    pub(crate) fn add_integration(
        &mut self,
        service_id: &str,
        kind: &str,
        mut own: Map<String, Value>,
    ) -> Value {
        let id = self.ids.next('P', "integration");
        let key = secret_hex(32);
        self.routing_index.insert(key.clone(), (service_id.to_owned(), id.clone()));
        let service = self.service_reference(service_id);
        own.insert("service".to_owned(), service);
        own.insert("integration_key".to_owned(), Value::from(key.clone()));
        let path = format!("/services/{service_id}/integrations");
        let integration = self.new_object(&path, &id, kind, own);
        self.store.put(&path, integration.clone());
        if let Some(service) = self.service_mut(service_id)
            && service.integration_id.is_empty()
        {
            service.integration_id = id;
            service.routing_key = key;
        }
        integration
    }
}
