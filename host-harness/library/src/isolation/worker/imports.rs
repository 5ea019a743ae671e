//! The contract's imports in a worker: what the guest waits for, the host does.

use std::collections::{HashMap, HashSet, VecDeque};

use wasmtime::component::{HasData, Linker};

use super::super::wire::{Call, FromWorker, Named, ToWorker};
use super::guest::State;
use super::socket::Socket;
use crate::bindings::workflow::node as contract;
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::{Json, OutputItem};
use crate::bindings::workflow::node::{completions, context, http, timer, types};
use crate::imports::metered::add_metered_to_linker;
use crate::imports::{add_wasi_to_linker, draw, not_named, random_length};
use crate::journal::record::Seen;
use crate::limits::exceeded;
use crate::metering::MeterEvent;
use crate::results::GuestResult;

struct HasImports;

impl HasData for HasImports {
    type Data<'a> = &'a mut Imports;
}

pub(super) fn add_to_linker(linker: &mut Linker<State>, metered: bool) -> wasmtime::Result<()> {
    if metered {
        add_metered_to_linker(linker)?;
        return add_wasi_to_linker(linker);
    }
    contract::types::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::completions::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::timer::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::http::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::context::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    add_wasi_to_linker(linker)
}

fn confused() -> wasmtime::Error {
    wasmtime::Error::msg("the host sent an unexpected response")
}

/// Result of a request.
type Answered = Result<Response, SendError>;

/// The contract's imports. What the guest waits for, the host does.
pub(super) struct Imports {
    /// Taken back after the call.
    pub(super) socket: Option<Socket>,
    seen: Seen,
    seed: u64,
    drawn: u64,
    keys: Vec<String>,
    credentials: HashMap<String, context::CredentialView>,
    last_ticket: u64,
    open: HashSet<u64>,
    /// Tickets that the host has named and the guest has not been told of.
    named: VecDeque<(u64, Option<Answered>, Seen)>,
    answers: HashMap<u64, Answered>,
    /// Calls of the host, and how many there may be.
    calls: u32,
    most_calls: u32,
    /// Bytes of output that the engine may not have taken yet.
    not_taken: u64,
    /// How many there may be before the guest waits.
    most_not_taken: u64,
}

impl Imports {
    pub(super) fn new(socket: Socket, call: &mut Call<'_>) -> Self {
        Self {
            socket: Some(socket),
            seen: call.seen,
            seed: call.seed,
            drawn: 0,
            keys: std::mem::take(&mut call.keys),
            credentials: call.credentials.drain(..).collect(),
            last_ticket: call.last_ticket,
            open: HashSet::new(),
            named: VecDeque::new(),
            answers: HashMap::new(),
            calls: 0,
            most_calls: call.host_calls,
            not_taken: 0,
            most_not_taken: call.not_taken,
        }
    }

    fn socket(&mut self) -> wasmtime::Result<&mut Socket> {
        self.socket.as_mut().ok_or_else(|| wasmtime::Error::msg("the call has ended"))
    }

    /// Reports what happens to a guest that is metered.
    pub(super) fn metered(&mut self, event: MeterEvent) -> wasmtime::Result<()> {
        Ok(self.socket()?.gather(&FromWorker::Metered(event))?)
    }

    /// Counts a call of the host. The host counts those that reach it.
    fn count(&mut self) -> wasmtime::Result<()> {
        self.calls += 1;
        if self.calls > self.most_calls {
            let what = "the number of its host calls";
            return Err(wasmtime::Error::msg(exceeded(what, "host_calls", self.most_calls)));
        }
        Ok(())
    }

    /// The guest waits where too much of its output is on its way to the engine.
    fn wait_for_engine(&mut self) -> wasmtime::Result<()> {
        if self.not_taken < self.most_not_taken {
            return Ok(());
        }
        self.not_taken = 0;
        match self.socket()?.ask(&FromWorker::Taken)? {
            ToWorker::Seen(seen) => {
                self.seen = seen;
                Ok(())
            }
            _ => Err(confused()),
        }
    }

    fn start(&mut self, message: &FromWorker) -> wasmtime::Result<u64> {
        self.socket()?.gather(message)?;
        self.last_ticket += 1;
        self.open.insert(self.last_ticket);
        Ok(self.last_ticket)
    }
}

impl types::Host for Imports {}

impl completions::Host for Imports {
    async fn next(&mut self) -> wasmtime::Result<Option<u64>> {
        self.count()?;
        loop {
            while let Some((ticket, answer, seen)) = self.named.pop_front() {
                // One that the guest has cancelled meanwhile is not named.
                if !self.open.remove(&ticket) {
                    continue;
                }
                self.seen = seen;
                if let Some(answer) = answer {
                    self.answers.insert(ticket, answer);
                }
                return Ok(Some(ticket));
            }
            let ToWorker::Named(named) = self.socket()?.ask(&FromWorker::Next)? else {
                return Err(confused());
            };
            if named.is_empty() {
                return Ok(None);
            }
            for Named { ticket, answer, seen } in named {
                let answer = match answer {
                    Some(answer) => Some(self.socket()?.with_body(answer)?),
                    None => None,
                };
                self.named.push_back((ticket, answer, seen));
            }
        }
    }

    async fn cancel(&mut self, ticket: u64) -> wasmtime::Result<()> {
        self.count()?;
        self.open.remove(&ticket);
        self.answers.remove(&ticket);
        Ok(self.socket()?.gather(&FromWorker::Cancel(ticket))?)
    }
}

impl timer::Host for Imports {
    async fn after(&mut self, duration: u64) -> wasmtime::Result<u64> {
        self.count()?;
        self.start(&FromWorker::After(duration))
    }
}

impl http::Host for Imports {
    async fn submit(&mut self, request: Request) -> wasmtime::Result<u64> {
        self.count()?;
        self.start(&FromWorker::Submit(request.into()))
    }

    async fn take(&mut self, ticket: u64) -> wasmtime::Result<Result<Response, SendError>> {
        self.count()?;
        match self.answers.remove(&ticket) {
            Some(answer) => Ok(answer),
            None => Err(not_named(ticket)),
        }
    }

    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, SendError>> {
        self.count()?;
        // The host counts it as a ticket, too.
        self.last_ticket += 1;
        match self.socket()?.ask(&FromWorker::Send(request.into()))? {
            ToWorker::Answer(answer, seen) => {
                self.seen = seen;
                Ok(self.socket()?.with_body(answer)?)
            }
            _ => Err(confused()),
        }
    }
}

impl context::Host for Imports {
    async fn log(
        &mut self,
        level: context::Level,
        message: String,
        fields: Json,
    ) -> wasmtime::Result<()> {
        self.count()?;
        Ok(self.socket()?.gather(&FromWorker::Log { level, message, fields })?)
    }

    async fn progress(
        &mut self,
        done: u64,
        total: Option<u64>,
        message: String,
    ) -> wasmtime::Result<()> {
        self.count()?;
        Ok(self.socket()?.gather(&FromWorker::Progress { done, total, message })?)
    }

    async fn emit(&mut self, item: u32, outputs: Vec<OutputItem>) -> wasmtime::Result<()> {
        self.count()?;
        self.not_taken += outputs.iter().map(|output| output.json.len() as u64 + 64).sum::<u64>();
        self.socket()?.gather(&FromWorker::Emit { item, outputs })?;
        self.wait_for_engine()
    }

    async fn finish_item(&mut self, item: u32, outcome: GuestResult) -> wasmtime::Result<()> {
        self.count()?;
        self.not_taken += match &outcome {
            Ok(outputs) => outputs.iter().map(|output| output.json.len() as u64 + 64).sum(),
            Err(error) => error.message.len() as u64 + 64,
        };
        self.socket()?.gather(&FromWorker::FinishItem { item, outcome })?;
        self.wait_for_engine()
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.count()?;
        Ok(self.seen.cancelled)
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.count()?;
        Ok(self.seen.now)
    }

    async fn deadline(&mut self) -> wasmtime::Result<Option<u64>> {
        self.count()?;
        Ok(self.seen.deadline)
    }

    async fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        let length = random_length(length)?;
        Ok(draw(self.seed, &mut self.drawn, length))
    }

    async fn idempotency_key(&mut self, item: u32) -> wasmtime::Result<String> {
        self.count()?;
        if let Some(key) = self.keys.get(item as usize) {
            return Ok(key.clone());
        }
        match self.socket()?.ask(&FromWorker::Key(item))? {
            ToWorker::Key(key) => Ok(key),
            _ => Err(confused()),
        }
    }

    async fn credential(
        &mut self,
        slot: String,
    ) -> wasmtime::Result<Option<context::CredentialView>> {
        self.count()?;
        Ok(self.credentials.get(&slot).cloned())
    }
}
