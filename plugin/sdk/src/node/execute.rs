//! Runs calls: many items concurrently, with one result per item, in order.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::order::Queue;
use super::{Call, Credential, Hooks, Outcome, Plugin, Task, resolve};
use crate::context;
use crate::declare::{self, Action, Effect, Run};
use crate::error::{Error, ErrorKind};
use crate::executor::{block_on, each_bounded};
use crate::json;

/// How many items run concurrently if the engine does not set it.
const DEFAULT_CONCURRENCY: usize = 64;

/// Bytes of finished output that a call holds until it returns. Output beyond that is emitted as
/// soon as its item finishes, so that memory does not grow with the number of items.
const KEPT_OUTPUT: usize = 64 * 1024;

#[doc(hidden)]
pub fn execute<P: Plugin>(call: Call) -> Result<Vec<Outcome>, Error> {
    run(Hooks::of::<P>(), call)
}

fn run(hooks: Hooks, call: Call) -> Result<Vec<Outcome>, Error> {
    let unsupported = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
    let node = hooks.declaration.name();
    if call.node != node {
        return unsupported(format!("this is the node `{node}`, not `{}`", call.node));
    }
    let Some(action) = hooks.declaration.action(&call.action) else {
        return unsupported(format!("there is no action `{}`", call.action));
    };
    if call.version != action.version {
        return unsupported(format!(
            "the action `{}` is at version {}, the workflow asks for {}: reopen its form",
            action.name, action.version, call.version
        ));
    }
    let options = json::object(&call.options).unwrap_or_default();
    let concurrency = options.get("concurrency").and_then(Value::as_u64);
    let mode = Mode {
        continue_on_fail: options.get("continue_on_fail").and_then(Value::as_bool).unwrap_or(false),
        concurrency: concurrency.map_or(DEFAULT_CONCURRENCY, |limit| limit as usize),
        finish_items: options.get("finish_items").and_then(Value::as_bool).unwrap_or(false),
    };
    let credential = Rc::new(Credential::in_slot(action.slot)?);
    let mut items = Vec::with_capacity(call.items.len());
    for item in call.items {
        items.push(parsed(action, &item));
    }
    let mut outcomes = Vec::new();
    block_on(async {
        if !context::cancelled() {
            resolve::names(hooks, action, &credential, &mut items).await;
        }
        outcomes = all(hooks, action, credential, items, mode).await;
    });
    Ok(outcomes)
}

/// Execution options that the engine set for a call.
#[derive(Clone, Copy)]
struct Mode {
    continue_on_fail: bool,
    concurrency: usize,
    /// Whether each item is reported as soon as it ends.
    finish_items: bool,
}

/// An item's parameters, checked.
pub(crate) fn parsed(action: &Action, item: &str) -> Result<Map<String, Value>, Error> {
    let parameters = json::object(item)
        .ok_or_else(|| Error::invalid("", "the item is not an object of parameters"))?;
    declare::validate::check(action, &parameters)?;
    Ok(parameters)
}

async fn all(
    hooks: Hooks,
    action: &'static Action,
    credential: Rc<Credential>,
    items: Vec<Result<Map<String, Value>, Error>>,
    mode: Mode,
) -> Vec<Outcome> {
    let total = items.len();
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    outcomes.resize_with(total, || None);
    let mut tasks = Vec::with_capacity(total);
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Ok(parameters) => tasks.push(Task {
                item: index as u32,
                action,
                parameters,
                credential: credential.clone(),
                hooks,
            }),
            Err(error) => outcomes[index] = Some(ended(mode, index as u32, Err(error))),
        }
    }
    let failed = Cell::new(tasks.len() < total);
    let may_begin = || {
        if context::cancelled() {
            return Err(not_begun("the run was cancelled"));
        }
        if failed.get() && !mode.continue_on_fail {
            return Err(not_begun("another item failed"));
        }
        Ok(())
    };
    if action.run == Run::Batch {
        let places: Vec<usize> = tasks.iter().map(|task| task.item as usize).collect();
        let results = match may_begin() {
            Ok(()) => match (hooks.batch)(action.name) {
                Some(run) => run(tasks).await,
                None => vec![Err(super::unwritten(action.name)); places.len()],
            },
            Err(error) => vec![Err(error); places.len()],
        };
        for (place, result) in places.into_iter().zip(results) {
            outcomes[place] = Some(result);
        }
    } else {
        let mut done = 0;
        let mut kept = 0;
        let queue = RefCell::new(Queue::default());
        each_bounded(
            tasks,
            mode.concurrency,
            |_, task| {
                let turn = queue.borrow_mut().place(object(&task));
                let may_begin = &may_begin;
                async move {
                    turn.come().await;
                    let place = task.item;
                    let outcome = match may_begin() {
                        Err(error) => Err(error),
                        Ok(()) if action.run == Run::Custom => match (hooks.custom)(action.name) {
                            Some(run) => run(task).await,
                            None => Err(super::unwritten(action.name)),
                        },
                        Ok(()) => task.run_declared().await,
                    };
                    (place, outcome)
                }
            },
            |_, (place, mut outcome)| {
                match &mut outcome {
                    Ok(_) if mode.finish_items => {}
                    Ok(outputs) => {
                        let bytes: usize = outputs.iter().map(|output| output.json.len()).sum();
                        if kept + bytes > KEPT_OUTPUT {
                            context::emit(place, &std::mem::take(outputs));
                        } else {
                            kept += bytes;
                        }
                    }
                    Err(_) => failed.set(true),
                }
                outcomes[place as usize] = Some(ended(mode, place, outcome));
                done += 1;
                if total > 1 {
                    context::progress(done, Some(total as u64), "");
                }
            },
        )
        .await;
    }
    let given = |outcome: Option<Outcome>| {
        outcome.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "it was given no outcome")))
    };
    outcomes.into_iter().map(given).collect()
}

/// Reports an item that has ended, if the engine asked for that. Returns what is left to return for
/// it.
fn ended(mode: Mode, item: u32, outcome: Outcome) -> Outcome {
    if !mode.finish_items {
        return outcome;
    }
    context::finish_item(item, &outcome);
    Ok(Vec::new())
}

fn not_begun(because: &str) -> Error {
    Error::new(ErrorKind::Cancelled, ["not begun, because ", because].concat())
}

/// The object that an item writes to: items that write to the same object run one after the other,
/// in order. It is derived from the request: the IDs in its path, or else the idempotency key.
/// Writes that update or delete without an ID all have the same object.
fn object(task: &Task) -> Option<String> {
    let Action { effect, route, ordered_by, .. } = task.action;
    let value = |name: &str| task.parameters.get(name).map(json::text);
    if let Some(name) = ordered_by {
        return value(name);
    }
    if *effect == Effect::Read {
        return None;
    }
    let ids: Vec<String> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| value(name).unwrap_or_default())
        .collect();
    match !ids.is_empty() || matches!(route.method, "PUT" | "PATCH" | "DELETE") {
        true => Some(ids.join("/")),
        false => value(route.key?),
    }
}
