//! Timeouts of services: they resolve incidents, and acknowledgements expire.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::State;
use super::incident::Status;
use super::log::Agent;

impl State {
    /// Records which services have timeouts, so that the others cost nothing.
    pub(crate) fn find_timeouts(&mut self) {
        let seconds = |value: Option<&Value>| value.and_then(Value::as_i64);
        self.timeouts = self
            .services
            .iter()
            .map(|service| {
                let resolve = seconds(service.more.get("auto_resolve_timeout"));
                let forget = seconds(service.more.get("acknowledgement_timeout"));
                (service.id.clone(), resolve, forget)
            })
            .filter(|(_, resolve, forget)| resolve.is_some() || forget.is_some())
            .collect();
    }

    /// Applies timeouts to the open incidents of their services.
    pub(super) fn time_out(&mut self) {
        if self.timeouts.is_empty() {
            return;
        }
        let now = self.now();
        let after = |moment: Timestamp, seconds: i64| {
            moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
        };
        let mut resolved: Vec<(usize, Timestamp)> = Vec::new();
        let mut forgotten: Vec<(usize, Timestamp)> = Vec::new();
        for (service, resolve, forget) in &self.timeouts {
            for index in self.open_keys.get(service).into_iter().flat_map(|keys| keys.values()) {
                let incident = &self.incidents[*index];
                let due = resolve.map(|seconds| after(incident.created_at, seconds));
                if let Some(due) = due.filter(|due| *due <= now) {
                    resolved.push((*index, due));
                } else if incident.status == Status::Acknowledged
                    && incident.snoozed_until.is_none()
                {
                    let due = forget.map(|seconds| after(incident.last_status_change_at, seconds));
                    forgotten.extend(due.filter(|due| *due <= now).map(|due| (*index, due)));
                }
            }
        }
        for (index, at) in forgotten {
            self.unacknowledge(index, at);
        }
        for (index, at) in resolved {
            let service = Agent::Service(self.incidents[index].service_id.clone());
            self.resolve(index, &service, at);
        }
    }
}
