//! Sends requests for one execution.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::admission::{Admission, no_room};
use super::echo::{EchoFilter, EchoFilters};
use super::handles::{Handles, Holder, Placed};
use super::judge::{Judged, judge, printable, refusal};
use super::pacing::{Operation, Pacer, Pacing, pool};
use super::placement::{self, Filled};
use super::report::{Course, Report};
use super::slot::{SlotCredential, SlotState};
use super::waiting::{LONGEST_WAIT, SHORTEST_WAIT, backoff, growing, milliseconds, retry_after};
use crate::approval::{Approval, Approvals, until_disabled};
use crate::audit::AuditSink;
use crate::bindings::workflow::node::http::{Request, Response, SendError, SendErrorKind};
use crate::budget::{ByteBudget, Charge};
use crate::clock::Clock;
use crate::credential::CredentialSource;
use crate::deadline::Deadline;
use crate::description::{CredentialType, SecretPosition};
use crate::digest::Digest;
use crate::execution::{Exchange, Observer};
use crate::journal::{Journal, JournalEntry};
use crate::limits::{Limits, ProcessLimits, SEARCH_OVERHEAD};
use crate::offload::{Offload, Stop};
use crate::origin::OriginPattern;
use crate::principal::Principal;
use crate::secret::Secret;
use crate::transport::{
    AnswerRoom, SentMark, Transport, TransportError, TransportErrorKind, TransportRequest,
    TransportResponse,
};

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

/// Bytes that are read or searched on the executor's own thread.
const BRIEF: usize = 16 * 1024;

/// What one plugin may do, as approved.
pub(crate) struct Policy {
    pub(crate) plugin: Digest,
    pub(crate) node: String,
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) credential_types: BTreeMap<String, CredentialType>,
    pub(crate) secrets: Vec<SecretPosition>,
}

/// Everything that a request of one execution needs.
pub(crate) struct Session {
    pub(crate) policy: Arc<Policy>,
    /// What was granted, less what is withheld.
    pub(crate) approval: Arc<Approval>,
    /// Where an operator says that the plugin is disabled.
    pub(crate) approvals: Arc<dyn Approvals>,
    /// The operator's list for this execution; `None` does not narrow.
    pub(crate) operator: Option<Vec<OriginPattern>>,
    pub(crate) slots: BTreeMap<String, SlotState>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) pacing: Arc<Pacing>,
    pub(crate) echoes: Arc<EchoFilters>,
    pub(crate) limits: Limits,
    pub(crate) in_flight: Semaphore,
    pub(crate) requests: AtomicU32,
    /// Requests beyond the budget.
    pub(crate) over_budget: AtomicU32,
    /// What requests and answers make the host hold.
    pub(crate) held: Arc<ByteBudget>,
    pub(crate) heavy: Offload,
    pub(crate) process_limits: ProcessLimits,
    /// Answers out of which an echo of a credential was taken.
    pub(crate) echoed: AtomicU32,
    pub(crate) ending: Ending,
    /// Who runs it.
    pub(crate) principal: Principal,
    pub(crate) cancellation: CancellationToken,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) action: String,
    pub(crate) execution: String,
    pub(crate) workflow: Option<String>,
    /// Judge, show, and send nothing.
    pub(crate) dry_run: bool,
}

/// What has come of a request, and the room that it takes until the guest has it.
pub(crate) struct Answered {
    pub(crate) result: Result<Response, SendError>,
    room: Option<Arc<Charge>>,
}

impl Answered {
    /// A request that was not sent.
    pub(crate) fn refused(error: SendError) -> Self {
        Self { result: Err(error), room: None }
    }

    /// The answer; its room is free again.
    pub(crate) fn take(self) -> Result<Response, SendError> {
        drop(self.room);
        self.result
    }
}

impl Session {
    /// Sends one request of the guest, in the order that the module's table gives.
    pub(crate) async fn send(&self, ticket: u64, admission: Admission) -> Answered {
        let (request, admitted) = match admission {
            Admission::Admitted(request, charge) => (request, Ok(charge)),
            Admission::Refused(request, error) => (request, Err(error)),
            Admission::Over(error) => return Answered::refused(error),
        };
        let started = self.clock.monotonic();
        let time = self.clock.unix_milliseconds();
        let shown = Exchange::begin(&request, time, self.observer.wants_bodies());
        let slot = request.credential.clone();
        let timeout = request.timeout.map(Duration::from_millis);
        let end = self.deadline.moment();
        let deadline = Some(timeout.map_or(end, |timeout| end.min(started + timeout)));
        let mut course = Course::default();
        // Neither URL nor headers: a span goes wherever an engine sends its traces.
        let span = tracing::info_span!("request", ticket, method = %printable(&shown.method));
        let mut report = Report {
            session: self,
            exchange: Some(shown),
            slot: slot.clone(),
            time,
            started,
            sent: SentMark::default(),
        };
        let sent = report.sent.clone();
        let result = match &admitted {
            Err(error) => Err(error.clone()),
            Ok(charge) => {
                self.run(ticket, request, slot.as_deref(), deadline, &mut course, &sent, charge)
                    .instrument(span)
                    .await
            }
        };
        report.end(&result, &course);
        // From here on only the answer takes room.
        let room = match (&result, admitted) {
            (Ok(response), Ok(charge)) => {
                charge.shrink_to(size(response));
                Some(charge)
            }
            _ => None,
        };
        Answered { result, room }
    }

    #[allow(clippy::too_many_arguments)] // Each is a thing of its own.
    async fn run(
        &self,
        ticket: u64,
        request: Request,
        slot_name: Option<&str>,
        deadline: Option<Duration>,
        course: &mut Course,
        sent: &SentMark,
        charge: &Arc<Charge>,
    ) -> Result<Response, SendError> {
        let slot = self.slot(slot_name)?;
        let credential = match slot {
            Some(slot) => Some(slot.current.read().await.clone()),
            None => None,
        };
        let judged = judge(request, self, credential.as_deref())?;
        if self.dry_run {
            // Fill to find out whether it can be filled; show nothing of it.
            self.with_secrets(&judged, charge).await?;
            if let Some(credential) = &credential {
                self.filled(&judged, credential).await?;
            }
            return Err(refusal(SendErrorKind::Cancelled, "a dry run sends nothing"));
        }
        let is_journaled = self.journal.is_kept();
        if is_journaled {
            let entry = JournalEntry::Intent {
                ticket,
                method: judged.method.to_string(),
                url: judged.url.to_string(),
                repeatable: judged.repeatable,
            };
            if let Err(error) = self.journal.append(entry).await {
                let message = format!("the journal cannot be written ({error}); nothing was sent");
                return Err(refusal(SendErrorKind::Cancelled, message));
            }
        }
        let attempts = self.attempts(&judged, slot, credential, deadline, sent, course, charge);
        let result = self.bounded(deadline, sent, attempts).await;
        if !is_journaled {
            return result;
        }
        let entry = match &result {
            Ok(response) => JournalEntry::Answer {
                ticket,
                status: Some(response.status),
                body: String::from_utf8(response.body.clone()).ok(),
                error: None,
                maybe_sent: true,
            },
            Err(error) => JournalEntry::Answer {
                ticket,
                status: None,
                body: None,
                error: Some(error.message.clone()),
                maybe_sent: error.maybe_sent,
            },
        };
        if let Err(error) = self.journal.append(entry).await {
            tracing::error!(%error, "the journal cannot be written; the answer is handed on");
        }
        result
    }

    /// Ends with the execution: at the deadline, or when it is cancelled.
    async fn bounded(
        &self,
        deadline: Option<Duration>,
        sent: &SentMark,
        attempts: impl Future<Output = Result<Response, SendError>>,
    ) -> Result<Response, SendError> {
        let at_deadline = async {
            match deadline {
                Some(deadline) => {
                    let left = deadline.saturating_sub(self.clock.monotonic());
                    self.clock.sleep(left).await;
                }
                None => std::future::pending().await,
            }
        };
        let ended = |kind, message: &str| {
            let maybe_sent = sent.is_set();
            let fate = if maybe_sent {
                "; the request may have been received"
            } else {
                "; it was not sent"
            };
            Err(SendError {
                kind,
                message: format!("{message}{fate}"),
                maybe_sent,
                retry_after: None,
            })
        };
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => {
                ended(SendErrorKind::Cancelled, "the run was cancelled")
            }
            reason = self.ending.ended() => ended(SendErrorKind::Cancelled, &reason),
            result = attempts => result,
            () = at_deadline => ended(SendErrorKind::Timeout, "the time allowed ran out"),
        }
    }

    #[allow(clippy::too_many_arguments)] // Each is a thing of its own.
    async fn attempts(
        &self,
        judged: &Judged,
        slot: Option<&SlotState>,
        mut credential: Option<Arc<SlotCredential>>,
        deadline: Option<Duration>,
        sent: &SentMark,
        course: &mut Course,
        charge: &Arc<Charge>,
    ) -> Result<Response, SendError> {
        // Secrets are filled by those requests alone that are under way.
        let with_secrets = {
            let _place = self.place().await?;
            self.with_secrets(judged, charge).await?
        };
        let (judged, typed) = match &with_secrets {
            Some((judged, typed)) => (judged, Some(typed)),
            None => (judged, None),
        };
        let pacer = slot.zip(credential.as_deref()).map(|(slot, credential)| {
            let (limit, now) = (credential.rate_limit.as_ref(), self.clock.monotonic());
            self.pacing.pacer(&slot.pace, &judged.origin, limit, now)
        });
        let operation =
            pacer.as_ref().map(|pacer| pacer.operation(judged.method.as_str(), judged.url.path()));
        let paced = pacer.as_deref().zip(operation.as_ref());
        let mut refreshed = false;
        // A refusal by a rate limit is no failed attempt: it is waited for as long as there is time.
        let mut limited = 0;
        let request = charge.bytes();
        loop {
            // What an earlier attempt was answered is gone.
            charge.shrink_to(request);
            let turn = self.turn(paced, deadline, sent).await?;
            let wire = self.wire(judged, credential.as_ref(), sent, charge).await?;
            course.attempts += 1;
            let certain_before = !sent.is_set();
            let answer = self.transport.send_within(wire, &AnswerRoom::beside(charge)).await;
            // Whoever waits lets others send meanwhile.
            drop(turn);
            match answer {
                Ok(response) => {
                    course.version = response.version;
                    let status = response.status.as_u16();
                    limited += u32::from(status == 429);
                    let wait = self.heed(&response, paced, credential.as_deref(), limited);
                    let last = course.attempts - limited >= self.limits.attempts;
                    let again = match status {
                        401 if !refreshed && self.can_refresh(credential.as_deref()) => {
                            refreshed = true;
                            let slot = slot.expect("a credential stands in a slot");
                            match self.refresh(slot, credential.as_deref()).await {
                                Some(newer) => {
                                    credential = Some(newer);
                                    continue;
                                }
                                None => None,
                            }
                        }
                        // A rate limit refuses before anything is done: sending again is safe.
                        429 => wait,
                        408 | 500.. if judged.repeatable && !last => {
                            Some(wait.unwrap_or_else(|| backoff(course.attempts - limited)))
                        }
                        _ => None,
                    };
                    // Refused before anything was done. What an earlier attempt did stays unknown.
                    if status == 429 && certain_before {
                        sent.clear();
                    }
                    let has_time = |wait: &Duration| {
                        (status == 429 || *wait <= LONGEST_WAIT)
                            && self.has_time_for(*wait, deadline)
                    };
                    match again.filter(has_time) {
                        Some(wait) => {
                            drop(response);
                            tracing::debug!(status, ?wait, "waiting to send again");
                            self.clock.sleep(wait).await;
                        }
                        None => {
                            self.note_verdict(status, slot, credential.as_deref());
                            let filters = self.filters(judged, credential.as_deref(), typed).await;
                            return self.clean(judged, response, filters, wait, charge).await;
                        }
                    }
                }
                Err(error) => {
                    let transient = error.kind == TransportErrorKind::Unreachable
                        && (judged.repeatable || !sent.is_set());
                    let failed = course.attempts - limited;
                    let (wait, last) = (backoff(failed), failed >= self.limits.attempts);
                    if !transient || last || !self.has_time_for(wait, deadline) {
                        return Err(unanswered(&error, credential.as_deref(), sent.is_set()));
                    }
                    tracing::debug!(error = %error, ?wait, "waiting to send again");
                    self.clock.sleep(wait).await;
                }
            }
        }
    }

    /// How long requests take at least by the rate limit of the credential that they are sent with:
    /// after what others have sent, and without the others; and that limit in words. `None` where it
    /// costs no time, or no credential is named.
    pub(crate) fn time_for(&self, requests: usize) -> Option<(Duration, Duration, String)> {
        let now = self.clock.monotonic();
        let mut pacers = Vec::new();
        for slot in self.slots.values() {
            // Nothing was sent yet, so nobody renews it.
            let Ok(credential) = slot.current.try_read().map(|one| one.clone()) else { continue };
            let origins = credential.audiences.iter().filter_map(OriginPattern::origin);
            pacers.extend(origins.map(|origin| {
                self.pacing.pacer(&slot.pace, origin, credential.rate_limit.as_ref(), now)
            }));
        }
        // Which of several slots and origins is used, only the plugin knows: at least the fastest.
        let all = pacers.iter().map(|pacer| (pacer.time_for(requests, now), pacer));
        let ((time, alone), pacer) = all.min_by_key(|(times, _)| *times)?;
        (!time.is_zero()).then(|| (time, alone, pacer.in_words()))
    }

    /// Waits for a place among the requests in flight.
    async fn place(&self) -> Result<SemaphorePermit<'_>, SendError> {
        self.in_flight.acquire().await.map_err(|_| {
            refusal(SendErrorKind::Cancelled, "the execution has ended; it was not sent")
        })
    }

    /// Waits for a place among the requests in flight, and for a turn by the credential's rate limit.
    async fn turn(
        &self,
        paced: Option<(&Pacer, &Operation)>,
        deadline: Option<Duration>,
        sent: &SentMark,
    ) -> Result<SemaphorePermit<'_>, SendError> {
        loop {
            let place = self.place().await?;
            let wait =
                paced.and_then(|(pacer, operation)| pacer.claim(operation, self.clock.monotonic()));
            let Some(wait) = wait else { return Ok(place) };
            // Requests that need not wait are sent meanwhile.
            drop(place);
            if deadline.is_some_and(|deadline| self.clock.monotonic() + wait > deadline) {
                return Err(SendError {
                    retry_after: Some(milliseconds(wait)),
                    maybe_sent: sent.is_set(),
                    ..refusal(
                        SendErrorKind::RateLimited,
                        format!(
                            "the credential's rate limit asks to wait {} s, beyond the time \
                             allowed; it was not sent",
                            wait.as_secs() + 1
                        ),
                    )
                });
            }
            self.clock.sleep(wait).await;
        }
    }

    /// Tells the source whether the service takes its credential.
    fn note_verdict(
        &self,
        status: u16,
        slot: Option<&SlotState>,
        credential: Option<&SlotCredential>,
    ) {
        let (Some(slot), Some(credential)) = (slot, credential) else { return };
        match status {
            401 => self.credentials.refused(&slot.request, credential.revision),
            200..=399 => self.credentials.accepted(&slot.request, credential.revision),
            _ => {}
        }
    }

    fn slot(&self, name: Option<&str>) -> Result<Option<&SlotState>, SendError> {
        let Some(name) = name else { return Ok(None) };
        match self.slots.get(name) {
            Some(slot) => Ok(Some(slot)),
            None => Err(refusal(
                SendErrorKind::Credential,
                format!("the slot `{}` holds no credential in this execution", printable(name)),
            )),
        }
    }

    /// Does work on so many bytes: elsewhere, unless it is brief.
    async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, SendError> {
        if bytes <= BRIEF {
            return Ok(work(&Stop::default()));
        }
        let failed = |error| refusal(SendErrorKind::Cancelled, format!("the host failed: {error}"));
        self.heavy.run(work).await.map_err(failed)
    }

    /// The request with the secrets behind its handles, and what finds them in the answer, as a
    /// credential would be found: the guest has never seen them.
    async fn with_secrets(
        &self,
        judged: &Judged,
        charge: &Charge,
    ) -> Result<Option<(Judged, Arc<EchoFilter>)>, SendError> {
        let (handles, policy, holder) = (self.handles.clone(), self.policy.clone(), self.holder());
        let most = (self.limits.request_body, self.process_limits.request_secrets);
        let request = judged.clone();
        let fill = move |stop: &Stop| handles.fill(&policy, &holder, &request, most, stop);
        let size = judged.body.as_ref().map_or(0, Bytes::len);
        let Some(placed) = self.work(size, fill).await?? else { return Ok(None) };
        let search: usize =
            placed.secrets.iter().map(|secret| secret.len() * SEARCH_OVERHEAD).sum();
        charge
            .grow_by(placed.body.len() + search)
            .await
            .map_err(|exhausted| no_room(&exhausted))?;
        let Placed { body, secrets } = placed;
        let filter = move |_: &Stop| {
            let long_enough = |one: &&Secret| one.len() >= Secret::MINIMUM_LENGTH;
            EchoFilter::new(secrets.iter().filter(long_enough))
        };
        let typed = Arc::new(self.work(search / 32, filter).await?);
        Ok(Some((Judged { body: Some(body.into()), ..judged.clone() }, typed)))
    }

    /// The request with the credential in its places.
    async fn filled(
        &self,
        judged: &Judged,
        credential: &Arc<SlotCredential>,
    ) -> Result<Filled, SendError> {
        let most = self.limits.request_body;
        let size = match placement::goes_into_body(judged, credential) {
            true => judged.body.as_ref().map_or(0, Bytes::len),
            false => 0,
        };
        if size <= BRIEF {
            return placement::fill(judged, credential, most);
        }
        let (judged, credential) = (judged.clone(), credential.clone());
        self.work(size, move |_| placement::fill(&judged, &credential, most)).await?
    }

    /// The request as it is sent, with what it holds beside the judged one charged.
    async fn wire(
        &self,
        judged: &Judged,
        credential: Option<&Arc<SlotCredential>>,
        sent: &SentMark,
        charge: &Charge,
    ) -> Result<TransportRequest, SendError> {
        let (url, headers, body) = match credential {
            None => (judged.url.clone(), judged.headers.clone(), judged.body.clone()),
            Some(credential) => {
                if placement::goes_into_body(judged, credential) {
                    let size = judged.body.as_ref().map_or(0, Bytes::len);
                    charge.grow_by(size).await.map_err(|exhausted| no_room(&exhausted))?;
                }
                let filled = self.filled(judged, credential).await?;
                (filled.url, filled.headers, filled.body)
            }
        };
        Ok(TransportRequest {
            plugin: self.policy.plugin.to_string(),
            pool: pool(
                &self.policy.plugin,
                &self.principal,
                credential.map(|credential| credential.name.as_str()),
                "http",
            ),
            method: judged.method.clone(),
            url,
            headers,
            body,
            response_limit: self.limits.response_body,
            sent: sent.clone(),
        })
    }

    /// How long to wait before a request of this kind is sent again, by what the service says about
    /// its pace: for a 429 always, for another status where the service says so. Pauses everybody who
    /// shares the credential and does the same. `limited` counts the refusals of this request.
    fn heed(
        &self,
        response: &TransportResponse,
        paced: Option<(&Pacer, &Operation)>,
        credential: Option<&SlotCredential>,
        limited: u32,
    ) -> Option<Duration> {
        let limit = credential.and_then(|credential| credential.rate_limit.as_ref());
        let number = |name: Option<&String>| -> Option<u64> {
            let name = HeaderName::from_bytes(name?.to_ascii_lowercase().as_bytes()).ok()?;
            response.headers.get(name)?.to_str().ok()?.trim().parse().ok()
        };
        let declared = number(limit.and_then(|limit| limit.retry_after_header.as_ref()))
            .map(|seconds| Duration::from_secs(seconds.min(86_400)));
        let standard = retry_after(&response.headers, self.clock.unix_milliseconds() / 1_000);
        let exhausted = number(limit.and_then(|limit| limit.remaining_header.as_ref())) == Some(0);
        let wait = if response.status.as_u16() == 429 {
            let default = limit.and_then(|limit| limit.default_wait_ms).map(Duration::from_millis);
            let wait = declared.or(standard).or(default).unwrap_or_else(|| growing(limited));
            Some(wait.max(SHORTEST_WAIT))
        } else if exhausted {
            declared.or(standard)
        } else {
            return standard;
        };
        if let (Some((pacer, operation)), Some(wait)) = (paced, wait) {
            pacer.pause(operation, self.clock.monotonic(), wait.min(LONGEST_WAIT));
        }
        wait
    }

    fn has_time_for(&self, wait: Duration, deadline: Option<Duration>) -> bool {
        deadline.is_none_or(|deadline| self.clock.monotonic() + wait < deadline)
    }

    fn can_refresh(&self, credential: Option<&SlotCredential>) -> bool {
        credential.is_some_and(|credential| credential.is_oauth)
    }

    /// One refresh for all who wait for it; `None` when there is nothing newer.
    async fn refresh(
        &self,
        slot: &SlotState,
        stale: Option<&SlotCredential>,
    ) -> Option<Arc<SlotCredential>> {
        let stale = stale?;
        let mut current = slot.current.write().await;
        if current.revision != stale.revision {
            return Some(current.clone());
        }
        match self.credentials.refreshed(&slot.request, stale.revision).await {
            Ok(newer) if newer.revision != stale.revision => {
                let credential_type = self.policy.credential_types.get(&newer.credential_type)?;
                let (echoes, secrets) = (self.echoes.clone(), newer.secrets.clone());
                let filter = move |_: &Stop| echoes.of(secrets.values());
                let echo = self.heavy.run(filter).await.ok()?;
                let newer = Arc::new(SlotCredential::new(newer, credential_type, echo));
                let former = std::mem::replace(&mut *current, newer);
                slot.former.lock().unwrap_or_else(PoisonError::into_inner).push(former);
                Some(current.clone())
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(credential = %stale.name, %error, "it could not be refreshed");
                None
            }
        }
    }

    /// What finds every credential of the execution that is sent to this origin, not only the one
    /// that was: an answer may give back what another request brought. No other answer is searched.
    /// It cannot hold what was never sent there, and what is taken out of it would tell a plugin
    /// which of its guesses was right.
    async fn filters(
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
    async fn clean(
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
                "more than {} answers gave a credential back; a plugin must not go on finding out \
                 what is taken out of them. Limit: `echoes`",
                self.limits.echoes
            ));
        }
        charge.grow_to(heads + body.len()).await.map_err(|exhausted| SendError {
            maybe_sent: true,
            ..refusal(
                SendErrorKind::TooLarge,
                format!("there is no room for the answer: {exhausted}"),
            )
        })?;
        Ok(Response { status: status.as_u16(), headers, body, retry_after: wait.map(milliseconds) })
    }

    /// Waits until the execution is ended from within the host or by an operator, and says why.
    pub(crate) async fn ended(&self) -> String {
        let (digest, node) = (&self.policy.plugin, &self.policy.node);
        tokio::select! {
            reason = self.ending.ended() => reason,
            disabled = until_disabled(&*self.approvals, digest, node) => {
                let by = disabled.by.map(|by| format!(" by {by}")).unwrap_or_default();
                self.ending.end(format!("`{}` was disabled{by}", disabled.plugin));
                self.ending.ended().await
            }
        }
    }

    /// Whom the handles of this execution are for.
    fn holder(&self) -> Holder {
        Holder { plugin: self.policy.plugin, principal: self.principal.clone() }
    }
}

/// Ends an execution from within the host, with a reason that is not the engine's.
#[derive(Default)]
pub(crate) struct Ending {
    token: CancellationToken,
    reason: OnceLock<String>,
}

impl Ending {
    /// Ends it. Only the first reason counts.
    pub(crate) fn end(&self, reason: String) {
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    /// Why it was ended, once it was.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Waits until it was ended, and says why.
    pub(crate) async fn ended(&self) -> String {
        self.token.cancelled().await;
        self.reason.get().cloned().unwrap_or_default()
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

/// What an answer makes the host hold.
fn size(response: &Response) -> usize {
    let heads = response.headers.iter().map(|(name, value)| name.len() + value.len());
    response.body.len() + heads.sum::<usize>()
}

fn unanswered(
    error: &TransportError,
    credential: Option<&SlotCredential>,
    maybe_sent: bool,
) -> SendError {
    let kind = match error.kind {
        TransportErrorKind::Denied => SendErrorKind::Denied,
        TransportErrorKind::Unreachable => SendErrorKind::Unreachable,
        TransportErrorKind::TooLarge => SendErrorKind::TooLarge,
        TransportErrorKind::InvalidResponse => SendErrorKind::InvalidResponse,
    };
    let message = match credential {
        Some(credential) => credential.echo.clean_text(&error.message),
        None => error.message.clone(),
    };
    let fate = if maybe_sent { "; the request may have been received" } else { "" };
    SendError { kind, message: format!("{message}{fate}"), maybe_sent, retry_after: None }
}
