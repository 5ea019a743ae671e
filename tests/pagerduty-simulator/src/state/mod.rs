//! The state of one account. It must not depend on HTTP.

mod alerts;
pub(crate) mod changes;
pub(crate) mod directory;
mod examples;
pub(crate) mod happenings;
pub(crate) mod incident;
pub(crate) mod log;
mod responders;
pub(crate) mod routing;
pub(crate) mod schedule_views;
pub(crate) mod schedules;
mod seed;
pub(crate) mod store;
mod timeouts;
pub(crate) mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::Clock;
use crate::ids::Ids;
use crate::keys::{KeyRing, Keys, Region};
use crate::rate_limit::RateLimiter;
use crate::webhooks::Dispatcher;
use directory::{EscalationPolicy, Priority, Service, Team, User};
use incident::{Alert, Incident, Status};
use log::LogEntry;
use schedules::Schedule;
use store::Store;

/// The subdomain of the account, the same in both regions.
pub(crate) const SUBDOMAIN: &str = "example";

/// A change event as received.
#[derive(Clone, Debug)]
pub(crate) struct ChangeEvent {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) service_id: String,
    pub(crate) integration_id: String,
    pub(crate) event: Value,
}

/// The changed object, and the object below which it is found.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecord {
    pub(crate) at: Timestamp,
    pub(crate) collection: String,
    pub(crate) root_id: String,
    pub(crate) record: Value,
}

/// A subscriber of an incident or a business service: a user or a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) subscriber: (String, String),
    pub(crate) subscribable: (String, String),
}

/// One account: its directory, its incidents, its keys and their budgets.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) region: Region,
    pub(crate) clock: Arc<Clock>,
    pub(crate) ids: Ids,
    pub(crate) users: Vec<User>,
    pub(crate) services: Vec<Service>,
    pub(crate) service_index: HashMap<String, usize>,
    /// Services and integrations by routing key.
    pub(crate) routing_index: HashMap<String, (String, String)>,
    pub(crate) policies: Vec<EscalationPolicy>,
    pub(crate) priorities: Vec<Priority>,
    pub(crate) teams: Vec<Team>,
    pub(crate) schedules: Vec<Schedule>,
    /// Every existing ability, and whether the account has it.
    pub(crate) abilities: BTreeMap<String, bool>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) incident_index: HashMap<String, usize>,
    /// Open incidents by service, then by key.
    pub(crate) open_keys: HashMap<String, HashMap<String, usize>>,
    /// Snoozed incidents.
    pub(crate) snoozed: Vec<usize>,
    /// Services with timeouts: after how many seconds an incident is resolved, and an
    /// acknowledgement expires.
    pub(crate) timeouts: Vec<(String, Option<i64>, Option<i64>)>,
    pub(crate) alerts: Vec<Alert>,
    /// Open alerts by service and key.
    pub(crate) open_alerts: HashMap<(String, String), usize>,
    pub(crate) log_entries: Vec<LogEntry>,
    pub(crate) log_index: HashMap<String, usize>,
    pub(crate) change_events: Vec<ChangeEvent>,
    /// Objects without a typed collection.
    pub(crate) store: Store,
    /// Roles of users in teams, if given; by team, then by user.
    pub(crate) team_roles: HashMap<(String, String), String>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) audit: Vec<AuditRecord>,
    /// The webhook dispatcher; none while the account is set up.
    pub(crate) hooks: Option<Arc<Dispatcher>>,
    pub(crate) key_ring: KeyRing,
    pub(crate) keys: Keys,
    pub(crate) limiter: RateLimiter,
    pub(crate) events_limiter: RateLimiter,
    /// Budgets of operations with a separate limit, in addition to the key's.
    pub(crate) operation_limiter: RateLimiter,
}

impl State {
    pub(crate) fn api_host(&self) -> String {
        format!("api.{}pagerduty.com", self.region.infix())
    }

    pub(crate) fn web_host(&self) -> String {
        format!("{SUBDOMAIN}.{}pagerduty.com", self.region.infix())
    }

    /// ID of the account.
    pub(crate) fn account_id(&self) -> String {
        Ids::new(self.region).next('P', "account")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn incident_at(&self, id: &str) -> Option<usize> {
        self.incident_index.get(id).copied()
    }

    /// The open incident of a service that has this key.
    pub(crate) fn open_incident_with(&self, service_id: &str, key: &str) -> Option<usize> {
        self.open_keys.get(service_id)?.get(key).copied()
    }

    /// Whether the service has open incidents.
    pub(crate) fn service_status(&self, service: &Service) -> &'static str {
        if service.status == "disabled" {
            return "disabled";
        }
        if self.in_maintenance(&service.id) {
            return "maintenance";
        }
        let mut status = "active";
        for index in self.open_keys.get(&service.id).into_iter().flat_map(HashMap::values) {
            match self.incidents[*index].status {
                Status::Triggered => return "critical",
                Status::Acknowledged => status = "warning",
                Status::Resolved => {}
            }
        }
        status
    }

    /// Whether a maintenance window of the service is running.
    pub(crate) fn in_maintenance(&self, service_id: &str) -> bool {
        let now = self.now();
        let runs = |window: &Value| {
            let moment = |name: &str| window[name].as_str().and_then(crate::clock::read);
            moment("start_time").is_some_and(|start| start <= now)
                && moment("end_time").is_some_and(|end| now < end)
        };
        self.store.all("/maintenance_windows").any(|(_, window)| {
            runs(window)
                && window["services"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|one| one["id"] == service_id)
        })
    }

    /// Applies the passage of time: snoozes end, and timeouts of services expire.
    pub(crate) fn tick(&mut self) {
        self.time_out();
        if self.snoozed.is_empty() {
            return;
        }
        let now = self.now();
        let due: Vec<usize> = self
            .snoozed
            .iter()
            .copied()
            .filter(|index| self.incidents[*index].snoozed_until.is_none_or(|at| at <= now))
            .collect();
        self.snoozed.retain(|index| !due.contains(index));
        for index in due {
            if let Some(at) = self.incidents[index].snoozed_until.take() {
                self.unacknowledge(index, at);
            }
        }
    }
}
