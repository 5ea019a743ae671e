//! Counts requests, and injects the faults of a plan.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use workflow_node_host::transport::{
    AnswerRoom, Transport, TransportError, TransportRequest, TransportResponse,
};
use workflow_node_host::{Clock, Origin};

use super::{Fault, Plan, inject};
use crate::message::Request;

/// One request as it was sent: a repeated request counts as two.
#[derive(Clone)]
pub struct Sent {
    /// The request, with the credential in it.
    pub request: Request,
    /// When it was sent, by the host's clock.
    pub at: Duration,
    /// When its response arrived or it failed; 0 while it is in flight.
    pub ended: Duration,
    /// Status of the response.
    pub status: Option<u16>,
    /// Why there was no response.
    pub error: Option<String>,
    /// The fault that affected it.
    pub fault: Option<Fault>,
}

impl Sent {
    /// Whether the service has processed it, as far as the harness determines that.
    pub fn is_processed(&self) -> bool {
        match &self.fault {
            Some(fault) => fault.is_processed(),
            None => self.status.is_none_or(|status| status != 429),
        }
    }
}

/// A transport that counts requests, and injects the faults of a plan.
pub struct Wire {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    plan: Option<Plan>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    /// How many requests matched each rule.
    matched: Vec<u64>,
}

impl Wire {
    /// `clock`: that of the host.
    pub fn new(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>, plan: Option<Plan>) -> Arc<Self> {
        let matched = plan.as_ref().map_or(0, |plan| plan.rules.len());
        let state = Mutex::new(State { sent: Vec::new(), matched: vec![0; matched] });
        Arc::new(Self { inner, clock, plan, state })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the clock showed zero, in milliseconds since 1970.
    pub fn clock_began(&self) -> u64 {
        let passed = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.clock.unix_milliseconds().saturating_sub(passed)
    }

    /// The requests of plugins, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// Records a request, and decides whether a fault affects it.
    fn begin(&self, request: Request) -> (usize, Option<Fault>) {
        let mut state = self.state();
        let mut fault = None;
        for (at, rule) in self.plan.iter().flat_map(|plan| &plan.rules).enumerate() {
            if !rule.matches(&request) {
                continue;
            }
            let number = state.matched[at];
            state.matched[at] += 1;
            let seed = self.plan.as_ref().map_or(0, |plan| plan.seed);
            if fault.is_none() && rule.hits(seed, at, number) {
                fault = Some(rule.fault.clone());
            }
        }
        state.sent.push(Sent {
            request,
            at: self.clock.monotonic(),
            ended: Duration::ZERO,
            status: None,
            error: None,
            fault: fault.clone(),
        });
        (state.sent.len() - 1, fault)
    }

    async fn pass(
        &self,
        request: TransportRequest,
        room: Option<&AnswerRoom>,
    ) -> Result<TransportResponse, TransportError> {
        let inner = |request| async {
            match room {
                Some(room) => self.inner.send_within(request, room).await,
                None => self.inner.send(request).await,
            }
        };
        // The host's own requests are not the plugin's.
        if request.plugin.is_empty() {
            return inner(request).await;
        }
        let (at, fault) = self.begin(Request::of(&request));
        let answer = match fault {
            None => inner(request).await,
            Some(fault) => {
                tracing::info!(
                    target: "workflow_node::fault",
                    method = %request.method, path = request.url.path(), ?fault, "injected"
                );
                let sent = request.sent.clone();
                inject(&fault, &*self.clock, &sent, || inner(request)).await
            }
        };
        let mut state = self.state();
        let sent = &mut state.sent[at];
        sent.ended = self.clock.monotonic();
        match &answer {
            Ok(response) => sent.status = Some(response.status.as_u16()),
            Err(error) => sent.error = Some(error.message.clone()),
        }
        answer
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        self.pass(request, None).await
    }

    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        self.pass(request, Some(room)).await
    }

    fn is_mapped(&self, origin: &Origin) -> bool {
        self.inner.is_mapped(origin)
    }
}
