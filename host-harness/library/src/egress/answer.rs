//! An answer as the guest may see it: secrets behind handles, echoes of credentials taken out, headers of
//! the connection left out.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::echo::EchoFilter;
use super::judge::Judged;
use super::session::Session;
use super::slot::SlotCredential;
use super::waiting::milliseconds;
use crate::bindings::workflow::node::http::{Response, SendError, SendErrorKind};
use crate::budget::Charge;
use crate::offload::Stop;
use crate::request::refusal;
use crate::transport::TransportResponse;

/// Headers of an answer that a guest does not see.
const DROPPED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "set-cookie",
    "set-cookie2",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Session {
    /// Finds every credential of the execution that may be sent to this origin, not only the one of
    /// this request, because a response may echo what another request sent. Responses of other
    /// origins are not searched. They cannot contain what was never sent there, and a marker in
    /// them would show a plugin which of its guesses was correct.
    pub(super) async fn filters(
        &self,
        judged: &Judged,
        credential: Option<&SlotCredential>,
        typed: Option<&Arc<EchoFilter>>,
    ) -> Vec<Arc<EchoFilter>> {
        let mut filters: Vec<Arc<EchoFilter>> = Vec::with_capacity(self.slots.len() + 2);
        let mut add = |credential: &SlotCredential| {
            let is_sent_here =
                credential.audiences.iter().any(|audience| audience.matches(&judged.origin));
            if is_sent_here && !filters.iter().any(|known| Arc::ptr_eq(known, &credential.echo)) {
                filters.push(credential.echo.clone());
            }
        };
        for slot in self.slots.values() {
            add(&*slot.current.read().await);
            let former = slot.former.lock().unwrap_or_else(PoisonError::into_inner);
            former.iter().for_each(|one| add(one));
        }
        if let Some(sent) = credential {
            add(sent);
        }
        filters.extend(typed.cloned());
        filters
    }

    /// The answer as the guest may see it.
    pub(super) async fn clean(
        &self,
        judged: &Judged,
        response: TransportResponse,
        filters: Vec<Arc<EchoFilter>>,
        wait: Option<Duration>,
        charge: &Charge,
    ) -> Result<Response, SendError> {
        let TransportResponse { status, headers, body, .. } = response;
        let heads: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let size = heads + body.len();
        let (handles, policy, holder) = (self.handles.clone(), self.policy.clone(), self.holder());
        let most = (self.limits.response_body, self.process_limits.secret);
        let request = Judged { body: None, ..judged.clone() };
        let clean = move |stop: &Stop| {
            let is_success = status.is_success();
            let body = handles
                .replace(&policy, &holder, &request, is_success, &body, most, stop)?
                .unwrap_or(body);
            Ok::<_, SendError>(cleaned(&filters, body, &headers))
        };
        let (body, headers, is_echo) = self.work(size, clean).await??;
        if is_echo && self.echoed.fetch_add(1, Ordering::Relaxed) >= self.limits.echoes {
            self.ending.end(format!(
                "more than {} responses echoed a credential. The plugin was stopped so that it \
                 cannot keep guessing the secret. Limit: `echoes`",
                self.limits.echoes
            ));
        }
        charge.grow_to(heads + body.len()).await.map_err(|exhausted| SendError {
            maybe_sent: true,
            ..refusal(SendErrorKind::TooLarge, format!("cannot hold the response: {exhausted}"))
        })?;
        Ok(Response { status: status.as_u16(), headers, body, retry_after: wait.map(milliseconds) })
    }
}

/// An answer without echoes, and whether there were any. Takes time with the answer.
fn cleaned(
    filters: &[Arc<EchoFilter>],
    mut body: Vec<u8>,
    headers: &http::HeaderMap,
) -> (Vec<u8>, Vec<(String, String)>, bool) {
    let mut any = false;
    for filter in filters {
        if let Some(cleaned) = filter.clean(&body) {
            (body, any) = (cleaned, true);
        }
    }
    let mut kept = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if DROPPED.contains(&name.as_str()) {
            continue;
        }
        // A name has no room for a mark: the header goes.
        if !filters.iter().all(|filter| filter.clean_any_case(name.as_str())) {
            any = true;
            continue;
        }
        let mut value = value.as_bytes().to_vec();
        for filter in filters {
            if let Some(cleaned) = filter.clean(&value) {
                (value, any) = (cleaned, true);
            }
        }
        kept.push((name.as_str().to_owned(), String::from_utf8_lossy(&value).into_owned()));
    }
    (body, kept, any)
}
