//! Posts of status pages with their updates.

use serde_json::{Value, json};

use super::text;
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::views::reference_to;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listStatusPagePosts", posts),
    ("createStatusPagePost", create_post),
    ("getStatusPagePost", post),
    ("updateStatusPagePost", update_post),
    ("createOrUpdateStatusPagePostmortem", set_postmortem),
];

/// A post with its updates, as references or in full.
fn shown(call: &Call<'_>, mut post: Value) -> Value {
    let id = post["id"].as_str().unwrap_or_default();
    let path = format!("/status_pages/{}/posts/{id}", call.capture(0));
    let whole = call.query.includes().contains(&"status_page_post_update");
    let updates = call.state.store.all(&format!("{path}/post_updates"));
    post["updates"] = updates
        .map(|(_, update)| if whole { update.clone() } else { reference_to(update) })
        .collect();
    let postmortem = call.state.store.single(&format!("{path}/postmortem"));
    post["postmortem"] = postmortem.map_or(Value::Null, reference_to);
    post
}

fn posts(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let statuses = call.query.all("status[]");
    // The status of a post is that of its last update.
    let status = |post: &Value| {
        let below = format!("{path}/{}/post_updates", post["id"].as_str().unwrap_or_default());
        let last = call.state.store.all(&below).next_back();
        last.and_then(|(_, update)| text(&update["status"]["id"])).unwrap_or_default()
    };
    let found = call.state.store.all(&path).filter(|(_, post)| {
        let kind = call.query.one("post_type");
        kind.is_none_or(|kind| post["post_type"] == kind)
            && super::passes(&statuses, &status(post))
            && call.query.one("reviewed_status").is_none_or(|wanted| wanted == "approved")
    });
    let found = found.map(|(place, post)| (place, shown(call, post.clone()))).collect();
    Ok(lists::page(call, found))
}

fn post(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let post = documents::found(call)?;
    Ok(call.answer(&shown(call, post)))
}

/// The page in the body must be that of the path.
fn judge(call: &Call<'_>) -> Result<(), Refusal> {
    let page = &call.body["post"]["status_page"];
    match page.is_null() || page["id"] == call.capture(0) {
        true => Ok(()),
        false => Err(Refusal::invalid(["post.status_page is not the page of the path"])),
    }
}

fn create_post(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call)?;
    let page = call.capture(0).to_owned();
    let updates = call.body["post"]["updates"].clone();
    let created = documents::created(call)?;
    let id = text(&created["id"]).unwrap_or_default();
    let path = format!("/status_pages/{page}/posts/{id}/post_updates");
    for update in updates.as_array().into_iter().flatten() {
        let mut own = update.clone();
        own["post"] = json!({"id": id, "type": "status_page_post"});
        let id = call.state.ids.of_collection(&path);
        if let Some(members) = own.as_object_mut() {
            members.remove("type");
        }
        call.state.keep(&path, &id, "status_page_post_update", own);
    }
    Ok(call.answer(&shown(call, created)))
}

fn update_post(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call)?;
    let post = documents::updated(call)?;
    Ok(call.answer(&shown(call, post)))
}

fn set_postmortem(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let mut document = documents::written_single(call)?;
    if document["id"].is_null() {
        document["id"] = json!(call.state.ids.of_collection(&path));
    }
    document["type"] = json!("status_page_post_postmortem");
    document["self"] = json!(format!("https://{}{path}", call.state.api_host()));
    call.state.store.set_single(&path, document.clone());
    Ok(call.answer(&document))
}
