//! The revocation endpoint (RFC 7009). PagerDuty does not document one, but clients use it.

use super::desk::Desk;
use super::ledger::{GrantEnd, Place};
use super::refusal::{Refusal, refuse};
use super::token::{authenticate, body, unstored};
use crate::recording::RecordedRequest;
use crate::reply::Reply;

/// Responds to a revocation request.
pub(crate) fn answer(desk: &mut Desk<'_>, request: &RecordedRequest) -> Reply {
    unstored(match revoke(desk, request) {
        Ok(()) => Reply::text(200, String::new()),
        Err(refusal) => {
            desk.object(format!("refused with {}: {}", refusal.error, refusal.description));
            refusal.into()
        }
    })
}

fn revoke(desk: &mut Desk<'_>, request: &RecordedRequest) -> Result<(), Refusal> {
    let form = body(request)?;
    let known = ["client_id", "client_secret", "token", "token_type_hint"];
    for name in form.strange(&known) {
        desk.object(format!("unknown field {name}"));
    }
    let app = authenticate(desk, request, &form)?;
    let token = form.require("token")?;
    // An unknown token counts as revoked (2.2). The hint is not needed to find a token.
    let Some(place) = desk.memory.ledger.find(token) else {
        return Ok(());
    };
    let (Place::Access(family) | Place::Refresh(family)) = place;
    if desk.memory.ledger.family(family).client_id != app.client_id {
        return Err(refuse("unauthorized_client", "The token belongs to another app"));
    }
    one(desk, token, &place, GrantEnd::RevokedByApp);
    Ok(())
}

/// Revoking an access token affects only it; revoking a refresh token ends all tokens of the
/// consent.
pub(crate) fn one(desk: &mut Desk<'_>, token: &str, place: &Place, why: GrantEnd) {
    match *place {
        Place::Refresh(family) => desk.end(family, why),
        Place::Access(family) => {
            let region = desk.memory.ledger.family(family).region;
            desk.memory.ledger.drop_access(family, token);
            desk.accounts.of(region).state().key_ring.revoke(token);
        }
    }
}
