//! `harness run --dry-run`: everything is checked, every request is shown, none is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use workflow_node_host::credential::CredentialId;
use workflow_node_host::description::{FieldProblem, Placement, PlacementKind};
use workflow_node_host::{
    Exchange, Execution, ItemError, ItemErrorKind, Origin, OriginOfUrl as _, Plugin,
};

use workflow_node_testing::trace;

use super::args::RunArgs;
use super::array;
use super::watch::Watch;
use crate::exit::{Exit, Failure};
use crate::flags::Format;
use crate::har::Archive;
use crate::output::{self, DryRunElement, one_line};
use crate::store::LateStore;

/// Without a credential only the parameters can be checked.
pub(super) fn checked_only(
    args: &RunArgs,
    problems: &[Vec<FieldProblem>],
) -> Result<Exit, Failure> {
    let elements: Vec<DryRunElement> = problems
        .iter()
        .enumerate()
        .map(|(item, problems)| match invalid(problems) {
            Some(error) => {
                DryRunElement { item, status: "error", error: Some(error), requests: None }
            }
            None => DryRunElement { item, status: "ok", error: None, requests: None },
        })
        .collect();
    print(args, &elements)?;
    if args.format == Format::Text {
        output::stderr(
            "No credential was named, so no requests are shown. Add --credential \
                        NAME.\n",
        );
    }
    ended(args, &elements)
}

/// Runs the items one by one, so that each request is known to belong to its item.
pub(super) async fn run(
    args: &RunArgs,
    plugin: &Plugin,
    mut execution: Execution,
    items: Vec<Value>,
    problems: &[Vec<FieldProblem>],
    archive: Option<Archive>,
    store: &LateStore,
) -> Result<Exit, Failure> {
    execution.dry_run = true;
    let mut placements = BTreeMap::new();
    for (slot, name) in &execution.credentials {
        let credential_type = store
            .get()?
            .summary(CredentialId::of(execution.context.actor.tenant.clone(), name))?
            .credential_type;
        let described = plugin.description().credential_types.get(&credential_type);
        let described = described.map(|one| one.placements.as_slice()).unwrap_or_default();
        placements.insert(slot.clone(), (name.clone(), described));
    }
    let mut elements = Vec::with_capacity(items.len());
    let mut exchanges = Vec::new();
    let mut host_calls = trace::HostCalls::default();
    for (item, parameters) in items.iter().enumerate() {
        if let Some(error) = invalid(&problems[item]) {
            elements.push(DryRunElement {
                item,
                status: "error",
                error: Some(error),
                requests: None,
            });
            continue;
        }
        if execution.context.cancellation.is_cancelled() {
            let message = "The dry run was interrupted; nothing was sent";
            return Err(Failure::new(Exit::Failed, "interrupted", message));
        }
        let execution = alone(plugin, &execution, item, parameters)?;
        let items = execution.items.len();
        let watch = Arc::new(Watch::new(args, Some(items)));
        let outcome = plugin.execute_observed(execution, watch.clone()).await;
        watch.end();
        let outcome =
            outcome.map_err(|error| Failure::of(&error, &args.plugin.display().to_string()))?;
        if let Some(error) = outcome.stopped {
            return Err(Failure::of(&error, &args.plugin.display().to_string()));
        }
        let seen = watch.exchanges();
        let requests = seen.iter().map(|exchange| shown(exchange, &placements)).collect();
        exchanges.extend(seen);
        host_calls.append(watch.host_calls());
        // That a request was not sent ends the item; what else ends it is what is to be found out.
        let error = outcome.items.into_iter().nth(items - 1).and_then(|item| item.error);
        let error = error.filter(|error| error.kind != ItemErrorKind::Cancelled);
        let status = if error.is_some() { "error" } else { "ok" };
        elements.push(DryRunElement { item, status, error, requests: Some(requests) });
    }
    if let Some(archive) = archive {
        let node = &plugin.description().node;
        let run = trace::Run {
            node: format!("{} {}", node.name, node.version),
            plugin: plugin.digest().to_string(),
            action: args.action.clone(),
            items,
            ..trace::Run::default()
        };
        archive.write(&trace::archive(&run, &exchanges, (&[], 0), &host_calls))?;
    }
    print(args, &elements)?;
    ended(args, &elements)
}

/// An execution of one item that keeps its position, so that the idempotency key is the one that a
/// real run would use. The host omits the placeholders before it.
fn alone(
    plugin: &Plugin,
    execution: &Execution,
    item: usize,
    parameters: &Value,
) -> Result<Execution, Failure> {
    let problems = plugin.validate(&execution.action, &[Value::Null]).map_err(Failure::internal)?;
    let is_left_out = problems.iter().any(|problems| !problems.is_empty());
    let mut items = vec![Value::Null; if is_left_out { item } else { 0 }];
    items.push(parameters.clone());
    let mut alone = execution.clone().continue_on_fail(true);
    alone.context.cancellation = execution.context.cancellation.clone();
    alone.items = items;
    Ok(alone)
}

fn invalid(problems: &[FieldProblem]) -> Option<ItemError> {
    if problems.is_empty() {
        return None;
    }
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut error = ItemError::new(ItemErrorKind::InvalidInput, message);
    error.detail = Some(json!({ "errors": problems }));
    Some(error)
}

fn ended(args: &RunArgs, elements: &[DryRunElement]) -> Result<Exit, Failure> {
    let failed = elements.iter().filter(|element| element.error.is_some()).count();
    let requests: usize =
        elements.iter().filter_map(|element| element.requests.as_ref()).map(Vec::len).sum();
    if args.format == Format::Text {
        let items = output::count(elements.len(), "item");
        let requests = output::count(requests, "request");
        output::stderr(&format!(
            "{items}, {failed} failed · {requests} shown · nothing was sent\n"
        ));
        return Ok(if failed == 0 { Exit::Success } else { Exit::Failed });
    }
    if failed == 0 {
        return Ok(Exit::Success);
    }
    let message = format!("{failed} of {} items would fail; nothing was sent", elements.len());
    Err(Failure::new(Exit::Failed, "items-failed", message))
}

fn print(args: &RunArgs, elements: &[DryRunElement]) -> Result<(), Failure> {
    let lines: Result<Vec<String>, _> = elements.iter().map(serde_json::to_string).collect();
    match args.format {
        Format::Json => output::stdout_json(&array(&lines.map_err(Failure::internal)?)),
        Format::Jsonl => {
            lines.map_err(Failure::internal)?.iter().try_for_each(|line| output::stdout_line(line))
        }
        Format::Text => {
            elements.iter().try_for_each(|element| output::stdout(&element_text(element)))
        }
    }
}

fn element_text(element: &DryRunElement) -> String {
    let mut text = format!("item {}", element.item);
    match &element.error {
        Some(error) => text.push_str(&one_line(&format!(": {}: {}", error.kind, error.message))),
        None if element.requests.is_none() => text.push_str(": parameters are valid"),
        None => {}
    }
    text.push('\n');
    for request in element.requests.iter().flatten() {
        text.push_str(&request_text(request));
    }
    text
}

fn request_text(request: &Value) -> String {
    let member = |name: &str| request[name].as_str().unwrap_or_default();
    let mut text = format!("  {} {}\n", one_line(member("method")), one_line(member("url")));
    for header in request["headers"].as_array().into_iter().flatten() {
        let part = |name: &str| header[name].as_str().unwrap_or_default();
        text.push_str(&format!("  {}: {}\n", one_line(part("name")), one_line(part("value"))));
    }
    let body = match &request["body"] {
        Value::Null => return text,
        Value::String(body) => body.clone(),
        body => serde_json::to_string_pretty(body).unwrap_or_default(),
    };
    for line in body.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// Name of a credential and where its type writes it, by slot.
type Placements<'a> = BTreeMap<String, (String, &'a [Placement])>;

/// The request as it would leave, the credential named where the host would write it.
fn shown(exchange: &Exchange, placements: &Placements<'_>) -> Value {
    let mut request = json!({
        "method": exchange.method,
        "url": exchange.url,
        "headers": exchange
            .headers
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Vec<_>>(),
        "body": exchange.body.as_ref().map(|body| {
            serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.clone()))
        }),
    });
    let slot = exchange.slot.as_ref().and_then(|slot| Some((slot, placements.get(slot)?)));
    if let Some((slot, (name, placements))) = slot {
        request["credential"] = json!({ "slot": slot, "name": name });
        for placement in placements.iter().filter(|placement| holds_for(placement, exchange)) {
            place(&mut request, placement, name);
        }
    }
    request
}

fn holds_for(placement: &Placement, exchange: &Exchange) -> bool {
    let Ok(url) = url::Url::parse(&exchange.url) else { return false };
    let Some(origin) = Origin::of(&url) else { return false };
    (placement.methods.is_empty() || placement.methods.contains(&exchange.method))
        && placement.origins.iter().any(|pattern| pattern.matches(&origin))
        && placement.path.matches(url.path())
}

fn place(request: &mut Value, placement: &Placement, name: &str) {
    let mark = format!("[credential {name}]");
    let mut value = placement.value.clone();
    for field in placement.fields() {
        value = value.replace(&format!("{{{field}}}"), &mark);
    }
    match &placement.kind {
        PlacementKind::Header { name } => {
            if let Some(headers) = request["headers"].as_array_mut() {
                headers.push(json!({ "name": name, "value": value }));
            }
        }
        PlacementKind::Query { name } => {
            let url = request["url"].as_str().unwrap_or_default();
            let separator = if url.contains('?') { '&' } else { '?' };
            request["url"] = json!(format!("{url}{separator}{name}={value}"));
        }
        PlacementKind::Body { pointer } => {
            let Some((parent, member)) = pointer.rsplit_once('/') else { return };
            let member = member.replace("~1", "/").replace("~0", "~");
            if let Some(Value::Object(parent)) = request["body"].pointer_mut(parent) {
                parent.insert(member, json!(value));
            }
        }
        _ => {}
    }
}
