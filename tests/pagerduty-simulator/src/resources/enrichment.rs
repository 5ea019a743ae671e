//! Enrichment: tables from ServiceNow, records from CSV files, and the services that they enrich.

use serde_json::{Map, Value, json};

use super::text;
use crate::clock::written;
use crate::engine::{documents, lists, references};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listServiceNowIntegrations", integrations),
    ("createServiceNowIntegration", create_integration),
    ("getServiceNowIntegration", integration),
    ("enableServiceNowTableSync", enable_table),
    ("testServiceNowTable", test_table),
    ("uploadEnrichmentCsv", upload),
    ("queryEnrichmentData", query),
    ("getAccountDefaultEventEnrichment", default_enrichment),
    ("markEventEnrichmentAsDefault", set_default),
    ("listEventEnrichmentAssociations", associations),
    ("addEventEnrichmentAssociations", associate),
    ("deleteEventEnrichmentAssociations", dissociate),
    ("getEventEnrichmentRules", rules),
    ("updateEventEnrichmentRules", set_rules),
];

const SERVICENOW: &str = "/enrichment/integrations/servicenow";
const SCHEMAS: &str = "/enrichment/schemas";
const DEFAULT: &str = "/enrichment/event_enrichments/default";

fn with_tables(call: &Call<'_>, mut integration: Value) -> Value {
    let id = integration["id"].as_str().unwrap_or_default();
    let tables = call.state.store.all(&format!("{SERVICENOW}/{id}/tables"));
    integration["cmdb_tables"] = tables.map(|(_, table)| table.clone()).collect();
    integration
}

fn integrations(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let all = call.state.store.all(SERVICENOW);
    let all: Vec<Value> = all.map(|(_, one)| with_tables(call, one.clone())).collect();
    Ok(call.answer(&json!(all)))
}

fn integration(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let integration = documents::found(call)?;
    Ok(call.answer(&with_tables(call, integration)))
}

/// Stores the tables of an integration as separate objects.
fn create_integration(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let tables = call.body["cmdb_tables"].clone();
    let object = documents::created(call)?;
    let id = text(&object["id"]).unwrap_or_default();
    let path = format!("{SERVICENOW}/{id}/tables");
    for table in tables.as_array().into_iter().flatten() {
        let id = call.state.ids.of_collection(&path);
        call.state.keep(&path, &id, "cmdb_table", table.clone());
    }
    Ok(call.answer(&with_tables(call, object)))
}

/// The table of the path, and its collection.
fn table(call: &Call<'_>) -> Result<(String, Value), Refusal> {
    let path = format!("{SERVICENOW}/{}/tables", call.capture(0));
    let table = call.state.store.get(&path, call.capture(1)).cloned();
    table.map(|table| (path, table)).ok_or_else(Refusal::not_found)
}

fn enable_table(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, mut table) = table(call)?;
    table["enabled"] = json!(true);
    call.state.store.put(&path, table);
    Ok(Reply::json(call.status(), &json!({"status": "success", "message": "Sync was enabled"})))
}

/// One generated record, with the fields that the table maps.
fn test_table(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (_, table) = table(call)?;
    let mappings = table["field_mappings"].as_array().into_iter().flatten();
    let names = mappings.filter_map(|one| one.as_object()?.values().find_map(Value::as_str));
    let record: Map<String, Value> =
        names.map(|name| (name.to_owned(), json!("an example"))).collect();
    Ok(call.answer(&json!([record])))
}

/// A file is processed immediately, although PagerDuty processes it asynchronously.
fn upload(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let schema = call.capture(0).to_owned();
    let file = text(&call.body["file"]).unwrap_or_default();
    let path = format!("{SCHEMAS}/{schema}/records");
    let mut lines = file.lines().filter(|line| !line.trim().is_empty());
    let cells = |line: &str| -> Vec<String> {
        line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let names = lines.next().map(cells).ok_or_else(|| Refusal::invalid(["the file is empty"]))?;
    let rows: Vec<Vec<String>> = lines.map(cells).collect();
    if rows.iter().any(|row| row.len() != names.len()) {
        return Err(Refusal::invalid(["a row has not as many cells as the head"]));
    }
    for row in rows {
        let values: Map<String, Value> =
            names.iter().cloned().zip(row.into_iter().map(Value::from)).collect();
        let id = call.state.ids.of_collection(&path);
        call.state.keep(&path, &id, "record", json!({"data": values}));
    }
    let answer = json!({
        "upload_id": call.state.ids.next('P', "upload"),
        "schema_id": schema,
        "filename": call.query.one("filename").unwrap_or("records.csv"),
        "size_bytes": file.len(),
        "status": "accepted",
        "accepted_at": written(call.now),
    });
    Ok(Reply::json(call.status(), &answer))
}

fn query(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let schema = call.body["schema_id"].as_str().unwrap_or_default();
    if !call.state.exists(SCHEMAS, schema) {
        return Err(Refusal::not_found());
    }
    let wanted = call.body["query"].as_array().cloned().unwrap_or_default();
    let fits = |record: &Value| {
        wanted.iter().all(|one| {
            let field = one["field"].as_str().unwrap_or_default();
            record["data"][field] == one["value"]
        })
    };
    let records = call.state.store.all(&format!("{SCHEMAS}/{schema}/records"));
    let found: Vec<Value> =
        records.filter(|(_, one)| fits(one)).map(|(_, one)| one.clone()).collect();
    Ok(call.answer(&json!(found)))
}

fn default_enrichment(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let kept = call.state.store.single(DEFAULT);
    let kept = kept.cloned().unwrap_or_else(|| json!({"default": null, "previous_default": null}));
    Ok(Reply::json(call.status(), &kept))
}

fn set_default(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let wanted = &call.body["default"];
    if let Some(id) = wanted["id"].as_str()
        && !call.state.exists("/enrichment/event_enrichments", id)
    {
        return Err(Refusal::not_found());
    }
    let old = call.state.store.single(DEFAULT).map_or(Value::Null, |one| one["default"].clone());
    let kept = json!({"default": wanted, "previous_default": old});
    call.state.store.set_single(DEFAULT, kept.clone());
    Ok(Reply::json(call.status(), &kept))
}

fn associations(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let wanted = call.query.one("association_type");
    let kind = |one: &Value| {
        wanted.is_none_or(|wanted| {
            one["type"].as_str().is_some_and(|kind| kind.starts_with(wanted.trim_end_matches('s')))
        })
    };
    let found = call.state.store.all(&path).filter(|(_, one)| kind(one));
    let found = found.map(|(place, one)| (place, one.clone())).collect();
    Ok(lists::page(call, found))
}

fn associate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    each_association(call, "created", |state, kind, id| {
        let reference = references::shown(state, kind, id);
        state.store.put(&path, reference);
        201
    })
}

fn dissociate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    each_association(call, "ok", |state, _, id| {
        state.store.remove(&path, id);
        200
    })
}

/// Each association succeeds or fails separately. If one fails, the response contains the result of
/// each.
fn each_association(
    call: &mut Call<'_>,
    success: &str,
    change: impl Fn(&mut State, &str, &str) -> u16,
) -> Result<Reply, Refusal> {
    let mut results = Vec::new();
    let mut failed = false;
    for given in call.body["associations"].as_array().cloned().unwrap_or_default() {
        let member = |name: &str| text(&given[name]).unwrap_or_default();
        let (kind, id) = (member("type"), member("id"));
        let exists = references::home(&kind).is_some_and(|home| call.state.exists(home, &id));
        let (status, errors) = match exists {
            true => (change(call.state, &kind, &id), json!([])),
            false => (404, json!(["Not Found"])),
        };
        failed |= !exists;
        let association = json!({"type": kind, "id": id});
        results.push(json!({"status": status, "errors": errors, "association": association}));
    }
    match failed {
        true => Ok(Reply::json(207, &json!({"associations": results}))),
        false => Ok(Reply::json(call.status(), &json!({"status": success}))),
    }
}

fn rules(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let none = json!({
        "type": "event_enrichment",
        "parent": {"id": call.capture(0), "type": "event_enrichment_reference"},
        "sets": [{"id": "start", "rules": []}],
    });
    let kept = call.state.store.single(&path).cloned();
    Ok(call.answer(&kept.unwrap_or(none)))
}

fn set_rules(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut document = documents::written_single(call)?;
    document["parent"] = json!({"id": call.capture(0), "type": "event_enrichment_reference"});
    Ok(call.answer(&document))
}
