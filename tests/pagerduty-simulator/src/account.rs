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

/// The account of one region, with shortcuts that add objects to it.
pub struct Account {
    region: Region,
    state: Mutex<State>,
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Account").field("region", &self.region).finish_non_exhaustive()
    }
}

/// An incident to add to an account without the API.
#[derive(Clone, Debug)]
pub struct NewIncident {
    /// One line.
    pub title: String,
    /// The service. Default: the first one.
    pub service_id: Option<String>,
    /// Status of the incident.
    pub status: Status,
    /// Urgency of the incident.
    pub urgency: Urgency,
    /// Its deduplication key. Default: generated.
    pub incident_key: Option<String>,
    /// How long ago it was created.
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

    /// ID of the account.
    #[must_use]
    pub fn id(&self) -> String {
        Ids::new(self.region).next('P', "account")
    }

    /// The subdomain before `.pagerduty.com` or `.eu.pagerduty.com`.
    #[must_use]
    pub fn subdomain(&self) -> &'static str {
        SUBDOMAIN
    }

    /// The credentials that exist at start.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.state().keys.clone()
    }

    /// All services, in order of creation.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        self.state().services.clone()
    }

    /// All users; the first is Ada, an administrator.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.state().users.clone()
    }

    /// All escalation policies; the last initial one has nobody on call.
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

    /// The account's abilities.
    #[must_use]
    pub fn abilities(&self) -> Vec<String> {
        let state = self.state();
        state.abilities.iter().filter(|(_, has)| **has).map(|(name, _)| name.clone()).collect()
    }

    /// All incidents, by ascending number.
    #[must_use]
    pub fn incidents(&self) -> Vec<Incident> {
        self.state().incidents.clone()
    }

    /// Number of incidents.
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

    /// The status updates of an incident, oldest first, as the API returns them.
    #[must_use]
    pub fn status_updates_of(&self, incident_id: &str) -> Vec<serde_json::Value> {
        let state = self.state();
        let found = state.incident_at(incident_id);
        found.map(|index| state.incidents[index].status_updates.clone()).unwrap_or_default()
    }

    /// All objects of a collection that is stored as in the API, such as `/webhook_subscriptions`
    /// or `/incident_workflows/{id}/instances`.
    #[must_use]
    pub fn kept(&self, collection: &str) -> Vec<serde_json::Value> {
        self.state().store.all(collection).map(|(_, one)| one.clone()).collect()
    }

    /// Adds services named `Service 1` and so on, and returns their IDs.
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

    /// Adds a user and returns its ID.
    pub fn add_user(&self, name: &str, email: &str, role: &str) -> String {
        self.state().add_user(name, email, role, &[])
    }

    /// Adds users `user1@example.com` and so on, and returns their IDs.
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

    /// Adds one incident and returns its ID.
    ///
    /// # Panics
    ///
    /// If the service does not exist.
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

    /// Adds an ability to the account or removes it.
    pub fn set_ability(&self, name: &str, has: bool) {
        self.state().abilities.insert(name.to_owned(), has);
    }

    /// Creates a credential. Kinds that belong to a user belong to Ada; scopes matter for OAuth
    /// only.
    pub fn mint_token(&self, kind: TokenKind, scopes: &[&str]) -> String {
        let mut state = self.state();
        let ada = state.users[0].id.clone();
        let user = matches!(kind, TokenKind::UserKey | TokenKind::UserToken).then_some(ada);
        let region = self.region;
        state.key_ring.mint(region, "minted", kind, user.as_deref(), scopes)
    }

    /// Creates a key of a user.
    pub fn mint_user_key(&self, user_id: &str) -> String {
        let region = self.region;
        let kind = TokenKind::UserKey;
        self.state().key_ring.mint(region, "minted user key", kind, Some(user_id), &[])
    }

    /// Revokes a credential. Returns whether it was known.
    pub fn revoke(&self, token: &str) -> bool {
        self.state().key_ring.revoke(token)
    }
}
