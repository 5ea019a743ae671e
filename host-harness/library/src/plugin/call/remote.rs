//! Calls into a guest that runs in a worker.

use std::fs::File;
use std::sync::Arc;

use super::{Ended, Stopped, over, unless_broken, unless_disabled};
use crate::digest::Digest;
use crate::error::{Cause, Error};
use crate::guest::{Invocation, Returned, Stopping};
use crate::imports::WorkflowNodeCtx;
use crate::isolation::{Finished, Lease, Owner, Workers};

/// The code of a component, as workers load it.
pub(crate) struct Program {
    workers: Arc<Workers>,
    plugin: Digest,
    /// Open for reading only.
    code: File,
    has_triggers: bool,
}

impl Program {
    pub(crate) fn new(
        workers: Arc<Workers>,
        plugin: Digest,
        code: File,
        has_triggers: bool,
    ) -> Arc<Self> {
        Arc::new(Self { workers, plugin, code, has_triggers })
    }

    /// A worker that has loaded the code.
    async fn lease(&self, context: &WorkflowNodeCtx) -> Result<Lease, Error> {
        let data = self.workers.limits().memory.saturating_add(context.limits().memory as u64);
        let owner = Owner { plugin: self.plugin, principal: context.principal().cloned(), data };
        let (mut lease, is_loaded) = self.workers.lease(owner).await.map_err(Error::internal)?;
        if !is_loaded {
            lease
                .load(&self.code, self.has_triggers, data, self.workers.metered())
                .await
                .map_err(|error| Cause::Stopped(error.to_string()))?
                .map_err(Error::refused)?;
        }
        Ok(lease)
    }
}

/// An instance in a worker. The worker is given back with it.
pub(crate) struct Instance {
    lease: Option<Lease>,
    memory: usize,
    initial: usize,
    last_ticket: u64,
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Instance {
    /// Makes an instance and runs its first call.
    pub(crate) async fn begin(
        program: &Program,
        mut context: WorkflowNodeCtx,
        invocation: &Invocation,
    ) -> Result<(Returned, Ended, Self), Stopped> {
        let over = over(&context);
        let leased = tokio::select! {
            leased = program.lease(&context) => leased,
            reason = over => Err(Error::from(Cause::Stopped(format!(
                "{reason}; it had no worker yet"
            )))),
        };
        let lease = leased.map_err(Stopped::before)?;
        run(lease, &mut context, invocation, false).await
    }

    /// Runs a further call in the same instance.
    pub(crate) async fn go_on(
        mut self,
        mut context: WorkflowNodeCtx,
        invocation: &Invocation,
    ) -> Result<(Returned, Ended, Self), Stopped> {
        match self.lease.take() {
            Some(lease) => {
                context.number_tickets_after(self.last_ticket);
                run(lease, &mut context, invocation, true).await
            }
            None => Err(Stopped::before(Error::internal("the worker is gone"))),
        }
    }

    /// Growth of linear memory since the instance was created, in bytes.
    pub(crate) fn memory_growth(&self) -> usize {
        self.memory - self.initial
    }
}

async fn run(
    mut lease: Lease,
    context: &mut WorkflowNodeCtx,
    invocation: &Invocation,
    reuse: bool,
) -> Result<(Returned, Ended, Instance), Stopped> {
    let over = over(context);
    if lease.is_metered() {
        context.begin_metering();
    }
    let result = tokio::select! {
        result = lease.call(invocation, reuse, context) => result,
        reason = over => Err(Stopping::from(reason)),
    };
    let result = unless_broken(context, unless_disabled(context, result));
    // A worker whose call was stopped is killed before anything else is waited for.
    let kept = match result {
        Ok(finished) => Ok((finished, lease)),
        Err(stopping) => {
            drop(lease);
            Err(stopping)
        }
    };
    context.abandon_open_tickets().await;
    context.end_metering();
    let traces = context.take_traces();
    match kept {
        Ok((Finished { returned, memory, initial }, lease)) => {
            let ended = Ended { traces, memory, output_bytes: context.output_bytes() };
            let last_ticket = context.last_ticket();
            Ok((returned, ended, Instance { lease: Some(lease), memory, initial, last_ticket }))
        }
        Err(stopping) => Err(Stopped::of(stopping, context, traces).await),
    }
}
