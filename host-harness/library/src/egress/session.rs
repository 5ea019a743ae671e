//! Sends requests for one execution.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::admission::{Admission, no_room};
use super::destination::{Approved, Rules};
use super::echo::{EchoFilter, EchoFilters};
use super::ending::Ending;
use super::gate::{Passing, SendGate};
use super::handles::{Handles, Holder, Placed};
use super::judge::{HeaderRules, Judged, judge};
use super::pacing::Pacing;
use super::placement::{self, Filled};
use super::report::{Report, SendSummary};
use super::slot::{SlotCredential, SlotState};
use crate::approval::{Approval, Approvals, Servers};
use crate::audit::{AuditLog, Caller};
use crate::bindings::workflow::node::http::{Request, Response, SendError, SendErrorKind};
use crate::budget::{ByteBudget, Charge};
use crate::clock::Clock;
use crate::credential::CredentialSource;
use crate::deadline::Deadline;
use crate::description::{CredentialType, SecretPosition};
use crate::digest::Digest;
use crate::journal::Recorder;
use crate::limits::{Limits, ProcessLimits, SEARCH_OVERHEAD};
use crate::observer::{Exchange, Observer};
use crate::offload::{Offload, Stop};
use crate::origin::OriginPattern;
use crate::request::refusal;
use crate::secret::Secret;
use crate::text::printable;
use crate::transport::{SentMark, Transport};

/// Bytes that are read or searched on the executor's own thread.
const BRIEF: usize = 16 * 1024;

/// Policy of one plugin, as approved.
pub(crate) struct Policy {
    pub(crate) plugin: Digest,
    pub(crate) node: String,
    /// `User-Agent` of its requests unless it sets another one.
    pub(crate) user_agent: HeaderValue,
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) credential_types: BTreeMap<String, CredentialType>,
    pub(crate) secrets: Vec<SecretPosition>,
}

impl Policy {
    /// The policy with the origins that an operator has chosen for the plugin's servers.
    pub(crate) fn at(&self, servers: &Servers) -> Self {
        let mut secrets = self.secrets.clone();
        for secret in &mut secrets {
            secret.origins = servers.resolved(&secret.origins);
            for placement in &mut secret.placements {
                placement.origins = servers.resolved(&placement.origins);
            }
        }
        Self {
            plugin: self.plugin,
            node: self.node.clone(),
            user_agent: self.user_agent.clone(),
            origins: servers.resolved(&self.origins),
            // Each credential has a separate origin: see `CredentialType::at`.
            credential_types: self.credential_types.clone(),
            secrets,
        }
    }
}

/// Everything that a request of one execution needs.
pub(crate) struct Session {
    pub(crate) policy: Arc<Policy>,
    /// Approval by the operator: the granted permissions, less the withheld ones.
    pub(crate) approval: Arc<Approval>,
    /// Where an operator says that the plugin is disabled.
    pub(crate) approvals: Arc<dyn Approvals>,
    /// The operator's list for this execution; `None` does not narrow.
    pub(crate) operator: Option<Vec<OriginPattern>>,
    pub(crate) slots: BTreeMap<String, SlotState>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: AuditLog,
    /// Requests that the guest gave up, until the audit sink has taken them.
    pub(crate) abandoned: TaskTracker,
    /// The execution's journal, if it has one.
    pub(crate) journal: Option<Arc<Recorder>>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) pacing: Arc<Pacing>,
    pub(crate) echoes: Arc<EchoFilters>,
    pub(crate) limits: Limits,
    pub(crate) in_flight: Semaphore,
    pub(crate) requests: AtomicU32,
    /// Requests beyond the budget.
    pub(crate) over_budget: AtomicU32,
    /// Memory that requests and responses occupy in the host.
    pub(crate) held: Arc<ByteBudget>,
    pub(crate) heavy: Offload,
    pub(crate) process_limits: ProcessLimits,
    /// Answers out of which an echo of a credential was taken.
    pub(crate) echoed: AtomicU32,
    pub(crate) ending: Ending,
    /// On whose behalf requests are made.
    pub(crate) caller: Caller,
    pub(crate) cancellation: CancellationToken,
    pub(crate) deadline: Arc<Deadline>,
    /// Judge, show, and send nothing.
    pub(crate) dry_run: bool,
    pub(crate) gate: SendGate,
    /// Send only what changes nothing at the service.
    pub(crate) reads_only: bool,
}

/// Result of a request, and the budget that it holds until the guest takes it.
pub(crate) struct Answered {
    pub(crate) result: Result<Response, SendError>,
    room: Option<Arc<Charge>>,
}

impl Answered {
    /// A request that was not sent.
    pub(crate) fn refused(error: SendError) -> Self {
        Self { result: Err(error), room: None }
    }

    /// An answer from a journal.
    pub(crate) fn recorded(result: Result<Response, SendError>) -> Self {
        Self { result, room: None }
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
        // Until the answer is in the journal.
        let _passing = match self.gate.pass() {
            Some(passing) => Some(passing),
            None => Box::pin(self.held_back()).await,
        };
        let slot = request.credential.clone();
        let timeout = request.timeout.map(Duration::from_millis);
        let end = self.deadline.moment();
        let deadline = Some(timeout.map_or(end, |timeout| end.min(started + timeout)));
        let mut summary = SendSummary::default();
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
                let slot = slot.as_deref();
                let run = self.run(ticket, request, slot, deadline, &mut summary, &sent, charge);
                Box::pin(run).instrument(span).await
            }
        };
        report.end(&result, &summary).await;
        if let Some(journal) = &self.journal {
            let lookup = |handle: &str| self.handles.known(&self.holder(), handle);
            let recorded = Box::pin(journal.answer(ticket, &result, &lookup)).await;
            if let Err(error) = recorded {
                self.ending.end(error.reason());
            }
        }
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

    /// Waits until the execution is dropped, cancelled, or ended: the gate is closed. In the last two
    /// cases, the request fails without being sent.
    async fn held_back(&self) -> Option<Passing> {
        tokio::select! {
            () = self.cancellation.cancelled() => None,
            _ = self.ending.ended() => None,
        }
    }

    #[allow(clippy::too_many_arguments)] // Each is independent of the others.
    async fn run(
        &self,
        ticket: u64,
        request: Request,
        slot_name: Option<&str>,
        deadline: Option<Duration>,
        summary: &mut SendSummary,
        sent: &SentMark,
        charge: &Arc<Charge>,
    ) -> Result<Response, SendError> {
        let slot = self.slot(slot_name)?;
        let credential = match slot {
            Some(slot) => Some(slot.current.read().await.clone()),
            None => None,
        };
        let rules = Rules {
            plugin: &self.policy.plugin,
            approved: Approved::Origins(&self.policy.origins),
            withheld: &self.approval.withheld,
            operator: self.operator.as_deref(),
            credential: credential.as_deref().map(|one| (one.name.as_str(), &*one.audiences)),
            transport: &*self.transport,
        };
        let header_rules = HeaderRules {
            credential_types: &self.policy.credential_types,
            user_agent: &self.policy.user_agent,
        };
        let judged = judge(request, &rules, &header_rules)?;
        if self.dry_run {
            // Fill to find out whether it can be filled; show nothing of it.
            self.with_secrets(&judged, charge).await?;
            if let Some(credential) = &credential {
                self.filled(&judged, credential).await?;
            }
            return Err(refusal(SendErrorKind::Cancelled, "a dry run sends nothing"));
        }
        let is_read = matches!(judged.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        if self.reads_only && !is_read {
            return Err(SendError {
                kind: SendErrorKind::Cancelled,
                message:
                    "the execution resumes from a backup, and the request may have been received \
                          after the backup was made; it was not sent again"
                        .into(),
                maybe_sent: true,
                retry_after: None,
            });
        }
        if let Some(journal) = &self.journal
            && let Err(error) = journal.intent(ticket, judged.repeatable, is_read).await
        {
            let reason = error.reason();
            self.ending.end(reason.clone());
            let message = format!("{reason}; the request was not sent");
            return Err(refusal(SendErrorKind::Cancelled, message));
        }
        // Boxed, as `run` is: a future that is moved into another is stored twice, and each task of a
        // request would be copied whole when it is spawned.
        let attempts =
            Box::pin(self.attempts(&judged, slot, credential, deadline, sent, summary, charge));
        self.bounded(deadline, sent, attempts).await
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
                ". The request may have been received"
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
        // Only the plugin determines which of several slots and origins it uses: at least the
        // fastest.
        let all = pacers.iter().map(|pacer| (pacer.time_for(requests, now), pacer));
        let ((time, alone), pacer) = all.min_by_key(|(times, _)| *times)?;
        (!time.is_zero()).then(|| (time, alone, pacer.in_words()))
    }

    /// Waits until the audit sink has taken what the guest gave up.
    pub(crate) async fn settle_audit(&self) {
        self.audit.settle(&self.abandoned).await;
    }

    /// Waits for a place among the requests in flight.
    pub(super) async fn place(&self) -> Result<SemaphorePermit<'_>, SendError> {
        self.in_flight.acquire().await.map_err(|_| {
            refusal(SendErrorKind::Cancelled, "the execution has ended; it was not sent")
        })
    }

    pub(super) fn slot(&self, name: Option<&str>) -> Result<Option<&SlotState>, SendError> {
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
    pub(super) async fn work<T: Send + 'static>(
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

    /// Text without the credentials that this execution uses or has used.
    pub(crate) async fn without_credentials(&self, text: Vec<u8>) -> Vec<u8> {
        let mut filters = Vec::new();
        for slot in self.slots.values() {
            filters.push(slot.current.read().await.echo.clone());
            let former = slot.former.lock().unwrap_or_else(PoisonError::into_inner);
            filters.extend(former.iter().map(|credential| credential.echo.clone()));
        }
        let clean = move |_: &Stop| {
            filters.iter().fold(text, |text, filter| filter.clean(&text).unwrap_or(text))
        };
        // Without a thread to search it, nothing of it is shown.
        self.heavy.run(clean).await.unwrap_or_default()
    }

    /// The request with the secrets behind its handles, and what finds them in the answer, as a
    /// credential would be found: the guest has never seen them.
    pub(super) async fn with_secrets(
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
    pub(super) async fn filled(
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

    /// Whom the handles of this execution are for.
    pub(super) fn holder(&self) -> Holder {
        Holder { plugin: self.policy.plugin, principal: self.caller.actor.clone() }
    }
}

/// Memory that a response occupies in the host, in bytes.
fn size(response: &Response) -> usize {
    let heads = response.headers.iter().map(|(name, value)| name.len() + value.len());
    response.body.len() + heads.sum::<usize>()
}
