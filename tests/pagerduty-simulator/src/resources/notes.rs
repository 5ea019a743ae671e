//! Notes on incidents.

use serde_json::{Value, json};

use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listIncidentNotes", list),
    ("createIncidentNote", create),
    ("updateIncidentNote", update),
    ("deleteIncidentNote", delete),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let notes: Vec<Value> =
        state.incidents[index].notes.iter().map(|note| state.note_json(note)).collect();
    Ok(Reply::json(200, &json!({"notes": notes})))
}

/// Responds with 200, not 201, as in the published schema.
fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let content = call.body["note"]["content"].as_str().unwrap_or_default();
    let user = call.user.as_deref().unwrap_or_default();
    let note = call.state.annotate(index, content, user, call.now);
    Ok(Reply::json(200, &json!({"note": call.state.note_json(&note)})))
}

/// The incident and the position of the note in the path.
fn found(call: &Call<'_>) -> Result<(usize, usize), Refusal> {
    let index = call.incident()?;
    let wanted = call.capture(1);
    let place = call.state.incidents[index].notes.iter().position(|note| note.id == wanted);
    place.map(|place| (index, place)).ok_or_else(Refusal::not_found)
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (index, place) = found(call)?;
    let content = call.body["note"]["content"].as_str().unwrap_or_default().to_owned();
    let incident = call.state.touch(index, call.now);
    incident.notes[place].content = content;
    let note = incident.notes[place].clone();
    Ok(call.answer(&call.state.note_json(&note)))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (index, place) = found(call)?;
    call.state.touch(index, call.now).notes.remove(place);
    Ok(call.done())
}
