//! Notes on incidents.

use serde_json::{Value, json};

use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;

pub(crate) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let notes: Vec<Value> =
        state.incidents[index].notes.iter().map(|note| state.note_json(note)).collect();
    Ok(Reply::json(200, &json!({"notes": notes})))
}

/// Answers 200, not 201, as the published schema has it.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let content = call.body["note"]["content"].as_str().unwrap_or_default();
    let user = call.user.as_deref().unwrap_or_default();
    let note = call.state.annotate(index, content, user, call.now);
    Ok(Reply::json(200, &json!({"note": call.state.note_json(&note)})))
}
