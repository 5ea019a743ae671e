//! The pages in sequence: from an app, through an account and a consent, back to the app.

use std::time::Duration;

use super::authorize::{self, Unasked};
use super::desk::{Desk, Interaction, later};
use super::form::Form;
use super::{pages, paths};
use crate::ids::secret;
use crate::reply::Reply;

/// How long a page may stay open before it is submitted.
const PATIENCE: Duration = Duration::from_secs(600);

/// A user arrives from an app.
pub(crate) fn arrive(desk: &mut Desk<'_>, query: &str) -> Reply {
    match authorize::read(desk, query) {
        Err(Unasked::Redirected(url)) => see(url),
        Err(Unasked::Shown(refusal)) => {
            desk.object(format!("its authorization was refused: {}", refusal.description));
            pages::refused(&refusal)
        }
        Ok(asked) => {
            let now = desk.now;
            let interactions = &mut desk.memory.interactions;
            interactions.retain(|_, one| later(one.since, PATIENCE) > now);
            let id = secret(32);
            let page = pages::chooser(desk.accounts, &asked, &id);
            interactions.insert(id, Interaction { asked, chosen: None, since: now });
            page
        }
    }
}

/// Shows the account chooser again at the user's request.
pub(crate) fn choose(desk: &mut Desk<'_>, query: &str) -> Reply {
    let (id, found) = open(desk, &Form::read(query.as_bytes()));
    found.map_or_else(pages::over, |one| pages::chooser(desk.accounts, &one.asked, &id))
}

/// A user has chosen an account.
pub(crate) fn chosen(desk: &mut Desk<'_>, body: &[u8]) -> Reply {
    let form = Form::read(body);
    let (id, Some(found)) = open(desk, &form) else {
        return pages::over();
    };
    let user = form.get("user").and_then(|user| desk.accounts.user(user));
    let Some(chosen) = user.filter(|(region, _)| found.asked.app.serves(*region)) else {
        return pages::chooser(desk.accounts, &found.asked, &id);
    };
    if let Some(one) = desk.memory.interactions.get_mut(&id) {
        one.chosen = Some(chosen);
    }
    // A separate page, so that reloading it does not submit the form again.
    see(format!("{}?interaction={id}", paths::CONSENT))
}

/// A user is asked for consent.
pub(crate) fn ask(desk: &mut Desk<'_>, query: &str) -> Reply {
    let (id, found) = open(desk, &Form::read(query.as_bytes()));
    match found {
        None => pages::over(),
        Some(Interaction { asked, chosen: None, .. }) => pages::chooser(desk.accounts, &asked, &id),
        Some(Interaction { asked, chosen: Some((region, user)), .. }) => {
            pages::consent(&asked, region, &user, &id)
        }
    }
}

/// A user has decided.
pub(crate) fn decided(desk: &mut Desk<'_>, body: &[u8]) -> Reply {
    let form = Form::read(body);
    let (id, Some(Interaction { asked, chosen: Some((region, user)), .. })) = open(desk, &form)
    else {
        return pages::over();
    };
    let url = match form.get("decision") {
        Some("allow") => authorize::agree(desk, &asked, region, &user.id),
        Some("deny") => authorize::deny(desk, &asked),
        _ => return pages::consent(&asked, region, &user, &id),
    };
    desk.memory.interactions.remove(&id);
    see(url)
}

/// The interaction of a form or a link, if it is still open.
fn open(desk: &mut Desk<'_>, form: &Form) -> (String, Option<Interaction>) {
    let id = form.get("interaction").unwrap_or_default().to_owned();
    let now = desk.now;
    let found = desk.memory.interactions.get(&id);
    let found = found.filter(|one| later(one.since, PATIENCE) > now).cloned();
    desk.client = found.as_ref().map(|one| one.asked.app.name.clone());
    (id, found)
}

/// 303, which turns every method into GET: forms must not be sent on (RFC 9700, 4.12).
fn see(url: String) -> Reply {
    let mut reply = Reply::text(303, String::new());
    for (name, value) in [
        ("location", url.as_str()),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        reply.headers.push((name, value.to_owned()));
    }
    reply
}
