//! Running an action for a model.

use std::collections::BTreeMap;

use rmcp::RoleServer;
use rmcp::model::{CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow_node_host::description::Effect;

use super::calls::{Calls, Delivery, Open};
use super::connect::{self, Missing};
use super::search;
use crate::api::executions::{Call, ExecuteOptions, ExecuteOrder, Target, random_id, results};
use crate::error::ApiError;
use crate::execution::{ExecutionStatus, Started, Stored};
use crate::state::Shared;
use crate::token::Caller;

/// Arguments of the tool that runs any action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) plugin: String,
    pub(super) action: String,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    #[serde(default)]
    items: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    continue_on_fail: bool,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    first_record: usize,
}

/// Arguments of a pinned action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinnedOrder {
    parameters: Map<String, Value>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    first_record: usize,
}

impl PinnedOrder {
    pub(super) fn of(self, plugin: String, action: String) -> Order {
        Order {
            plugin,
            action,
            parameters: Some(self.parameters),
            items: None,
            continue_on_fail: false,
            credentials: self.credentials,
            execution_id: self.execution_id,
            first_record: self.first_record,
        }
    }
}

/// A call of a tool that runs an action.
pub(super) struct Run<'a> {
    pub(super) state: &'a Shared,
    pub(super) caller: &'a Caller,
    pub(super) calls: &'a Calls,
    pub(super) context: &'a RequestContext<RoleServer>,
    /// Delivery of the HTTP response. `None` on standard output.
    pub(super) delivery: Option<&'a Delivery>,
    /// Whether the user has agreed to open the link of an earlier call. `None` if the user was not asked.
    pub(super) agreed: Option<bool>,
}

impl Run<'_> {
    pub(super) async fn order(&self, order: Order) -> Result<CallToolResponse, ApiError> {
        let Self { state, caller, .. } = self;
        let target = Target::permitted(state, caller, &order.plugin, &order.action).await?;
        let items = match (order.parameters, order.items) {
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid("Send `parameters` or `items`, not both."));
            }
            (None, Some(items)) => items,
            (parameters, None) => vec![parameters.unwrap_or_default()],
        };
        let mut credentials = order.credentials;
        while let Some(missing) =
            self.choose(&order.plugin, &order.action, &mut credentials).await?
        {
            if let Some(response) = connect::ask(self, &order.plugin, &missing).await? {
                return Ok(response);
            }
        }
        let mut options = ExecuteOptions::default();
        options.continue_on_fail = order.continue_on_fail;
        let call = ExecuteOrder {
            execution_id: order.execution_id,
            workflow: Some("mcp".to_owned()),
            credentials,
            inline_credentials: std::collections::BTreeMap::new(),
            items,
            options,
        };
        let call = Call::of(call, &state.limits)?;
        let reads = self.reads(&order.plugin, &order.action);
        // Whether the client has not chosen an execution ID.
        let mut unnamed = false;
        let name = |fingerprint: &[u8; 32]| {
            unnamed = true;
            let joined = (!reads).then(|| self.calls.join(&caller.token, fingerprint));
            joined.flatten().unwrap_or_else(random_id)
        };
        let job = target.prepare(state, caller, call, name).await?;
        let id = job.request.key.id.clone();
        if let Some(delivery) = self.delivery.filter(|_| unnamed && !reads) {
            let same = (caller.token.clone(), job.request.fingerprint);
            delivery.hold(Open { same, execution: id.clone() });
        }
        // A call that may change something continues when its stream breaks, so that a repeated call
        // finds its result. A call that only reads is canceled with its last client.
        let started = state.executions.start(job, None, !reads).await?;
        let stored = match started {
            Started::Ended(stored) => *stored,
            Started::Running(attachment) | Started::Joined(attachment) => {
                tokio::select! {
                    outcome = attachment.outcome() => outcome?,
                    () = self.context.ct.cancelled() => self.cancelled(&id).await?,
                }
            }
        };
        self.result(&stored, order.first_record).await
    }

    fn reads(&self, plugin: &str, action: &str) -> bool {
        let plugin = self.state.plugin(self.caller, plugin);
        let action = plugin.ok().and_then(|plugin| plugin.description().node.action(action));
        action.is_some_and(|action| action.effect == Effect::Read)
    }

    /// The client canceled the call, or its stream broke: over HTTP, these look the same.
    async fn cancelled(&self, id: &str) -> Result<Stored, ApiError> {
        let by = self.caller.policy.principal();
        match self.delivery {
            None => self.state.executions.cancel(&by, id).await,
            Some(_) => self.state.executions.get(&by, id).await,
        }
    }

    /// Fills required slots that the call leaves out with the only credential that fits. Returns a slot
    /// for which there is none.
    async fn choose(
        &self,
        plugin: &str,
        action: &str,
        credentials: &mut BTreeMap<String, String>,
    ) -> Result<Option<Missing>, ApiError> {
        let node = &self.state.plugin(self.caller, plugin)?.description().node;
        let Some(action) = node.action(action) else { return Ok(None) };
        for (slot, used) in &action.slots {
            if !used.required || credentials.contains_key(slot) {
                continue;
            }
            let mut fitting = search::fitting(self.state, self.caller, plugin, slot).await?;
            fitting.retain(search::is_usable);
            match fitting.as_slice() {
                [] => {
                    let types = node.slots.get(slot).map(|slot| slot.credential_types.clone());
                    let types = types.unwrap_or_default();
                    return Ok(Some(Missing { slot: slot.clone(), types }));
                }
                [only] => {
                    credentials.insert(slot.clone(), only.name.clone());
                }
                several => {
                    let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
                    let message = format!("The slot `{slot}` needs a credential, and several fit.");
                    let next = format!("Set `credentials.{slot}` to one of {}.", names.join(", "));
                    let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
                    return Err(ApiError::new(status, "credential", message).next(next));
                }
            }
        }
        Ok(None)
    }

    /// The result of an execution, as far as it fits.
    async fn result(&self, stored: &Stored, first: usize) -> Result<CallToolResponse, ApiError> {
        const PORTION: usize = 64;
        let status = ExecutionStatus::from(stored);
        let mut result = json!({
            "execution_id": status.execution_id,
            "status": status.status,
            "item_count": status.item_count,
            "finished": status.finished,
            "failed": status.failed,
        });
        if let Some(error) = &status.error {
            result["error"] = json!(error);
        }
        let mut room = self.state.limits.mcp_result;
        let (mut items, mut next) = (Vec::new(), 0);
        while next < stored.items && room > 0 {
            let portion = results(&self.state.executions, stored, next, PORTION).await?;
            if portion.is_empty() {
                break;
            }
            for (item, body) in portion {
                if room == 0 {
                    break;
                }
                let mut body: Value =
                    serde_json::from_str(&body).map_err(|error| ApiError::internal(&error))?;
                room = room.saturating_sub(fit(&mut body, first, room));
                items.push(body);
                next = item + 1;
            }
        }
        if next < stored.items {
            result["items_omitted"] = (stored.items - next).into();
        }
        let all_failed = items.iter().all(|item| item["status"] != "ok");
        result["items"] = Value::Array(items);
        Ok(match all_failed && stored.items > 0 {
            true => CallToolResult::structured_error(result).into(),
            false => CallToolResult::structured(result).into(),
        })
    }
}

/// Leaves out the first records of an item, and those at the end that do not fit. Returns how much room
/// the rest takes.
fn fit(item: &mut Value, first: usize, room: usize) -> usize {
    const HEAD: usize = 64;
    let mut taken = HEAD;
    let mut omitted = 0;
    let size = |value: &Value| value.to_string().len();
    if let Some(records) = item.get_mut("output").and_then(Value::as_array_mut) {
        records.drain(..first.min(records.len()));
        let whole = records.len();
        let mut fitting = 0;
        for record in records.iter() {
            taken += size(record) + 1;
            if taken > room && fitting > 0 {
                break;
            }
            fitting += 1;
        }
        records.truncate(fitting);
        omitted = whole - fitting;
    }
    taken += ["error", "outputs"].iter().filter_map(|name| item.get(name)).map(size).sum::<usize>();
    if omitted > 0 {
        item["records_omitted"] = omitted.into();
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_do_not_fit_are_counted_and_can_be_read_later() {
        let records: Vec<Value> = (0..10).map(|number| json!({"number": number})).collect();
        let item = json!({"item": 0, "status": "ok", "output": records});
        let (mut whole, mut seen) = (item.clone(), Vec::new());
        fit(&mut whole, 0, 1_000_000);
        assert_eq!(whole, item);
        while seen.len() < 10 {
            let mut part = item.clone();
            fit(&mut part, seen.len(), 120);
            let records = part["output"].as_array().unwrap();
            assert!(!records.is_empty() && records.len() < 10, "{part}");
            seen.extend(records.clone());
            let omitted = part.get("records_omitted").and_then(Value::as_u64).unwrap_or(0);
            assert_eq!(omitted, 10 - seen.len() as u64);
        }
        assert_eq!(seen, records);
    }
}
