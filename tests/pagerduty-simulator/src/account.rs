//! One account as tests see it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ids::Ids;
use crate::keys::{Keys, Region, TokenKind};
use crate::state::changes::Opening;
use crate::state::directory::{EscalationPolicy, Priority, Service, Team, User};
use crate::state::incident::{Incident, Status, Urgency};
use crate::state::log::Agent;
use crate::state::schedules::Schedule;
use crate::state::{SUBDOMAIN, State};

/// The account of one region: what it holds, and shortcuts to put more into it.
pub struct Account {
    region: Region,
    state: Mutex<State>,
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Account").field("region", &self.region).finish_non_exhaustive()
    }
}

/// An incident to put into an account past the API.
#[derive(Clone, Debug)]
pub struct NewIncident {
    /// One line.
    pub title: String,
    /// The service; the first one unless given.
    pub service_id: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// How loudly people are told.
    pub urgency: Urgency,
    /// Its deduplication key; made up unless given.
    pub incident_key: Option<String>,
    /// How long ago it was opened.
    pub age: Duration,
}

impl Default for NewIncident {
    fn default() -> Self {
        Self {
            title: "Something is wrong".to_owned(),
            service_id: None,
            status: Status::Triggered,
            urgency: Urgency::High,
            incident_key: None,
            age: Duration::ZERO,
        }
    }
}

impl Account {
    pub(crate) fn new(region: Region, state: State) -> Self {
        Self { region, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> Region {
        self.region
    }

    /// The id of the account itself.
    #[must_use]
    pub fn id(&self) -> String {
        Ids::new(self.region).next('P', "account")
    }

    /// What stands before `.pagerduty.com` or `.eu.pagerduty.com`.
    #[must_use]
    pub fn subdomain(&self) -> &'static str {
        SUBDOMAIN
    }

    /// The credentials that it started with.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.state().keys.clone()
    }

    /// All services, in the order in which they were made.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        self.state().services.clone()
    }

    /// All users; the first is Ada, an administrator.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.state().users.clone()
    }

    /// All escalation policies; the last one at start has nobody on call.
    #[must_use]
    pub fn escalation_policies(&self) -> Vec<EscalationPolicy> {
        self.state().policies.clone()
    }

    /// The priorities, `P1` first.
    #[must_use]
    pub fn priorities(&self) -> Vec<Priority> {
        self.state().priorities.clone()
    }

    /// All teams.
    #[must_use]
    pub fn teams(&self) -> Vec<Team> {
        self.state().teams.clone()
    }

    /// All schedules.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        self.state().schedules.clone()
    }

    /// The abilities that the account has.
    #[must_use]
    pub fn abilities(&self) -> Vec<String> {
        let state = self.state();
        state.abilities.iter().filter(|(_, has)| **has).map(|(name, _)| name.clone()).collect()
    }

    /// All incidents, oldest number first.
    #[must_use]
    pub fn incidents(&self) -> Vec<Incident> {
        self.state().incidents.clone()
    }

    /// How many incidents there are.
    #[must_use]
    pub fn incident_count(&self) -> usize {
        self.state().incidents.len()
    }

    /// One incident.
    #[must_use]
    pub fn incident(&self, id: &str) -> Option<Incident> {
        let mut state = self.state();
        state.tick();
        state.incident_at(id).map(|index| state.incidents[index].clone())
    }

    /// The types of the log entries of an incident, oldest first.
    #[must_use]
    pub fn log_of(&self, incident_id: &str) -> Vec<String> {
        let state = self.state();
        let Some(index) = state.incident_at(incident_id) else {
            return Vec::new();
        };
        let entries = state.incidents[index].log_entries.iter();
        entries.map(|entry| format!("{}_log_entry", state.log_entries[*entry].kind)).collect()
    }

    /// The status updates of an incident, oldest first, as the API answers them.
    #[must_use]
    pub fn status_updates_of(&self, incident_id: &str) -> Vec<serde_json::Value> {
        let state = self.state();
        let found = state.incident_at(incident_id);
        found.map(|index| state.incidents[index].status_updates.clone()).unwrap_or_default()
    }

    /// Everything of a collection that is kept as the API writes it, such as `/webhook_subscriptions`
    /// or `/incident_workflows/{id}/instances`.
    #[must_use]
    pub fn kept(&self, collection: &str) -> Vec<serde_json::Value> {
        self.state().store.all(collection).map(|(_, one)| one.clone()).collect()
    }

    /// Adds services that are named `Service 1` and so on, and gives their ids.
    pub fn add_services(&self, count: usize) -> Vec<String> {
        let mut state = self.state();
        let policy = state.policies[0].id.clone();
        let before = state.services.len();
        (1..=count)
            .map(|number| {
                let name = format!("Service {:04}", before + number);
                state.add_service(&name, "Made for a test.", &policy, &[])
            })
            .collect()
    }

    /// Adds a user and gives the id.
    pub fn add_user(&self, name: &str, email: &str, role: &str) -> String {
        self.state().add_user(name, email, role, &[])
    }

    /// Adds users `user1@example.com` and so on, and gives their ids.
    pub fn add_users(&self, count: usize) -> Vec<String> {
        let mut state = self.state();
        let before = state.users.len();
        (1..=count)
            .map(|number| {
                let number = before + number;
                let email = format!("user{number}@example.com");
                state.add_user(&format!("User {number:04}"), &email, "user", &[])
            })
            .collect()
    }

    /// Adds triggered incidents, one second apart and the last one now, spread over the services.
    pub fn add_incidents(&self, count: usize) -> Vec<String> {
        let mut state = self.state();
        let now = state.now();
        let services: Vec<String> = state
            .services
            .iter()
            .filter(|service| service.status != "disabled")
            .map(|service| service.id.clone())
            .collect();
        let agent = Agent::User(state.users[0].id.clone());
        (0..count)
            .map(|number| {
                let back = i64::try_from(count - 1 - number).unwrap_or_default();
                let at = now.checked_sub(SignedDuration::from_secs(back)).unwrap_or(now);
                let title = format!("Incident {:05}", number + 1);
                let opening = Opening::new(&title, &services[number % services.len()], at);
                let index = state.open_incident(opening, &agent);
                state.incidents[index].id.clone()
            })
            .collect()
    }

    /// Adds one incident and gives its id.
    ///
    /// # Panics
    ///
    /// When the service does not exist.
    pub fn add_incident(&self, new: NewIncident) -> String {
        let mut state = self.state();
        let service = new.service_id.unwrap_or_else(|| state.services[0].id.clone());
        assert!(state.service(&service).is_some(), "there is no service {service}");
        let now = state.now();
        let at: Timestamp = now.checked_sub(new.age).unwrap_or(now);
        let agent = Agent::User(state.users[0].id.clone());
        let mut opening = Opening::new(&new.title, &service, at);
        opening.urgency = new.urgency;
        opening.incident_key = new.incident_key;
        let index = state.open_incident(opening, &agent);
        match new.status {
            Status::Triggered => {}
            Status::Acknowledged => state.acknowledge(index, &agent, at),
            Status::Resolved => state.resolve(index, &agent, at),
        }
        state.incidents[index].id.clone()
    }

    /// Gives the account an ability or takes it away.
    pub fn set_ability(&self, name: &str, has: bool) {
        self.state().abilities.insert(name.to_owned(), has);
    }

    /// A new credential. Kinds that belong to a user belong to Ada; scopes matter for OAuth only.
    pub fn mint_token(&self, kind: TokenKind, scopes: &[&str]) -> String {
        let mut state = self.state();
        let ada = state.users[0].id.clone();
        let user = matches!(kind, TokenKind::UserKey | TokenKind::UserToken).then_some(ada);
        let region = self.region;
        state.key_ring.mint(region, "minted", kind, user.as_deref(), scopes)
    }

    /// A new key of a user of your choice.
    pub fn mint_user_key(&self, user_id: &str) -> String {
        let region = self.region;
        let kind = TokenKind::UserKey;
        self.state().key_ring.mint(region, "minted user key", kind, Some(user_id), &[])
    }

    /// Makes a credential unknown; whether it was known.
    pub fn revoke(&self, token: &str) -> bool {
        self.state().key_ring.revoke(token)
    }
}
