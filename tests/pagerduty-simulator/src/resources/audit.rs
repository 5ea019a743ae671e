//! Audit records: changes and their actors, newest first.

use serde_json::Value;

use super::passes;
use crate::engine::documents;
use crate::engine::lists;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging::Placed;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listAuditRecords", list),
    ("listUsersAuditRecords", of_object),
    ("listTeamsAuditRecords", of_object),
    ("listServiceAuditRecords", of_object),
    ("listSchedulesAuditRecords", of_object),
    ("listSchedulesAuditRecordsV3", of_object),
    ("listEscalationPolicyAuditRecords", of_object),
    ("listIpAllowListAuditRecords", of_object),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    page(call, None)
}

fn of_object(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let root = path.strip_suffix("/audit/records").unwrap_or(&path).to_owned();
    page(call, Some(&root))
}

fn page(call: &Call<'_>, root: Option<&str>) -> Result<Reply, Refusal> {
    let (since, until) = call.range()?;
    let query = &call.query;
    let is = |name: &str, value: &Value| {
        query.one(name).is_none_or(|wanted| value.as_str() == Some(wanted))
    };
    let kinds = query.all("root_resource_types[]");
    let actions = query.all("actions[]");
    let records: Vec<Placed<Value>> = call
        .state
        .audit
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, one)| {
            since.is_none_or(|since| since <= one.at) && until.is_none_or(|until| one.at <= until)
        })
        .filter(|(_, one)| {
            root.is_none_or(|root| format!("{}/{}", one.collection, one.root_id) == root)
        })
        .filter(|(_, one)| {
            let record = &one.record;
            let kind = one.collection.rsplit('/').next().unwrap_or_default();
            passes(&kinds, kind)
                && passes(&actions, record["action"].as_str().unwrap_or_default())
                && is("actor_type", &record["actors"][0]["type"])
                && is("actor_id", &record["actors"][0]["id"])
                && is("method_type", &record["method"]["type"])
                && is("method_truncated_token", &record["method"]["truncated_token"])
        })
        .map(|(place, one)| (place as u64 + 1, one.record.clone()))
        .collect();
    Ok(lists::page(call, records))
}
