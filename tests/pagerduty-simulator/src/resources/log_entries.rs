//! The log of an account or an incident, newest first.

use serde_json::Value;

use super::any_passes;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listLogEntries", list),
    ("listIncidentLogEntries", of_incident),
    ("getLogEntry", get),
    ("updateLogEntryChannel", update_channel),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let all = 0..call.state.log_entries.len();
    page(call, all)
}

fn of_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let entries = call.state.incidents[call.incident()?].log_entries.clone();
    page(call, entries)
}

fn page(call: &Call<'_>, entries: impl IntoIterator<Item = usize>) -> Result<Reply, Refusal> {
    let (since, until) = call.range()?;
    let overview = call.query.flag("is_overview");
    let teams = call.query.all("team_ids[]");
    let include = call.query.includes();
    let state = &*call.state;
    let mut matching: Vec<usize> = entries
        .into_iter()
        .filter(|index| {
            let entry = &state.log_entries[*index];
            let service = state.service(&state.incidents[entry.incident].service_id);
            since.is_none_or(|since| entry.at >= since)
                && until.is_none_or(|until| entry.at < until)
                && (!overview || entry.in_overview())
                && service.is_none_or(|service| any_passes(&teams, &service.team_ids))
        })
        .collect();
    // Entries of the same time keep their order, reversed.
    matching.sort_by_key(|index| std::cmp::Reverse((state.log_entries[*index].at, *index)));
    Ok(paging::reply(call.operation, &call.page(), matching, |index| {
        state.log_entry_json(*index, &include).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.state.log_index.get(call.capture(0)).copied();
    let index = index.ok_or_else(Refusal::not_found)?;
    let entry = call.state.log_entry_json(index, &call.query.includes());
    Ok(Reply::wrapped(200, "log_entry", &entry.to_string()))
}

/// Changes the channel of an entry; PagerDuty does this asynchronously.
fn update_channel(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.state.log_index.get(call.capture(0)).copied();
    let index = index.ok_or_else(Refusal::not_found)?;
    let channel = &call.body["channel"];
    let entry = &mut call.state.log_entries[index];
    if entry.channel["type"] != channel["type"] {
        let error = "the type of the channel cannot be changed";
        return Err(Refusal::invalid([error]));
    }
    entry.channel["details"] = channel["details"].clone();
    entry.channel["summary"] = Value::from(channel["details"].as_str().unwrap_or_default());
    Ok(call.done())
}
