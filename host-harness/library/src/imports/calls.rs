//! The functions that a guest calls. Each validates its arguments: a guest is untrusted code.

use std::time::Duration;

use super::WorkflowNodeCtxView;
use crate::bindings::workflow::node::types::{Error as GuestError, Json, OutputItem};
use crate::bindings::workflow::node::{completions, context, http, timer, types};
use crate::egress::printable;
use crate::execution::{LogLevel, weight};
use crate::limits::too_much_output;

impl types::Host for WorkflowNodeCtxView<'_> {}

impl completions::Host for WorkflowNodeCtxView<'_> {
    async fn next(&mut self) -> wasmtime::Result<Option<u64>> {
        self.ctx.count_call()?;
        self.ctx.next().await
    }

    async fn cancel(&mut self, ticket: u64) -> wasmtime::Result<()> {
        self.ctx.count_call()?;
        self.ctx.cancel(ticket);
        Ok(())
    }
}

impl timer::Host for WorkflowNodeCtxView<'_> {
    async fn after(&mut self, duration: u64) -> wasmtime::Result<u64> {
        self.ctx.count_call()?;
        self.check_tickets()?;
        self.ctx.after(Duration::from_millis(duration))
    }
}

impl http::Host for WorkflowNodeCtxView<'_> {
    async fn submit(&mut self, request: http::Request) -> wasmtime::Result<u64> {
        self.ctx.count_call()?;
        self.check_tickets()?;
        self.ctx.submit(request)
    }

    async fn take(
        &mut self,
        ticket: u64,
    ) -> wasmtime::Result<Result<http::Response, http::SendError>> {
        self.ctx.count_call()?;
        match self.ctx.take(ticket) {
            Some(answer) => Ok(answer),
            None => Err(not_named(ticket)),
        }
    }

    async fn send(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::SendError>> {
        self.ctx.count_call()?;
        self.ctx.send(request).await
    }
}

impl context::Host for WorkflowNodeCtxView<'_> {
    async fn log(
        &mut self,
        level: context::Level,
        message: String,
        fields: Json,
    ) -> wasmtime::Result<()> {
        self.ctx.count_call()?;
        let ctx = &mut *self.ctx;
        let (lines, bytes) = ctx.limits.log;
        ctx.log_lines = ctx.log_lines.saturating_add(1);
        ctx.log_bytes = ctx.log_bytes.saturating_add(message.len() + fields.len());
        if ctx.log_lines > lines || ctx.log_bytes > bytes {
            if ctx.log_lines == lines + 1 {
                tracing::warn!("the plugin exceeded its log limit; further lines are dropped");
            }
            return Ok(());
        }
        let level = match level {
            context::Level::Trace => LogLevel::Trace,
            context::Level::Debug => LogLevel::Debug,
            context::Level::Info => LogLevel::Info,
            context::Level::Warn => LogLevel::Warn,
            context::Level::Error => LogLevel::Error,
        };
        ctx.observer.log(level, &one_line(&message), &one_line(&fields));
        Ok(())
    }

    async fn progress(
        &mut self,
        done: u64,
        total: Option<u64>,
        message: String,
    ) -> wasmtime::Result<()> {
        self.ctx.count_call()?;
        self.ctx.progressed(done, total, &one_line(&message));
        Ok(())
    }

    async fn emit(&mut self, item: u32, outputs: Vec<OutputItem>) -> wasmtime::Result<()> {
        self.ctx.count_call()?;
        let position = self.ctx.position("emit", item)?;
        let mut bytes = 0;
        for output in &outputs {
            bytes += weight(output);
            if self.ctx.output_bytes + bytes > self.ctx.limits.output {
                wasmtime::bail!("{}", too_much_output(self.ctx.limits.output));
            }
            if !self.ctx.ports.contains(&output.port) {
                wasmtime::bail!(
                    "it emitted output on the port `{}`, which the action does not declare",
                    printable(&output.port)
                );
            }
        }
        let records = self.ctx.records(outputs, bytes).await?;
        self.ctx.emit(position, records, bytes).await
    }

    async fn finish_item(
        &mut self,
        item: u32,
        outcome: Result<Vec<OutputItem>, GuestError>,
    ) -> wasmtime::Result<()> {
        self.ctx.count_call()?;
        let position = self.ctx.position("finish-item", item)?;
        let (outcome, bytes) = self.ctx.outcome(outcome).await?;
        self.ctx.finish_item(position, outcome, bytes).await
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.ctx.count_call()?;
        Ok(self.ctx.cancelled)
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.ctx.count_call()?;
        Ok(self.ctx.now)
    }

    async fn deadline(&mut self) -> wasmtime::Result<Option<u64>> {
        self.ctx.count_call()?;
        Ok(self.ctx.deadline)
    }

    async fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.ctx.count_call()?;
        Ok(self.ctx.random(random_length(length)?))
    }

    async fn idempotency_key(&mut self, item: u32) -> wasmtime::Result<String> {
        self.ctx.count_call()?;
        Ok(self.ctx.idempotency_key(item))
    }

    async fn credential(
        &mut self,
        slot: String,
    ) -> wasmtime::Result<Option<context::CredentialView>> {
        self.ctx.count_call()?;
        Ok(self.ctx.credentials.get(&slot).cloned())
    }
}

impl WorkflowNodeCtxView<'_> {
    /// A ticket costs the host a task: a guest must not pile them up.
    fn check_tickets(&self) -> wasmtime::Result<()> {
        let most = self.ctx.limits.requests as usize + 1_000;
        if self.ctx.open_tickets() >= most {
            wasmtime::bail!("the plugin has {most} open tickets, which is the limit");
        }
        Ok(())
    }
}

/// Why `http.take` traps.
pub(crate) fn not_named(ticket: u64) -> wasmtime::Error {
    wasmtime::format_err!(
        "`http.take` of ticket {ticket}, which `completions.next` has not returned or whose result \
         was already taken"
    )
}

/// How many bytes of chance a guest is given at once.
pub(crate) fn random_length(length: u32) -> wasmtime::Result<usize> {
    const MOST: u32 = 1_024;
    if length > MOST {
        wasmtime::bail!("`context.random` of {length} bytes; the limit is {MOST}");
    }
    Ok(length as usize)
}

/// Foreign text for a terminal or a log: one line, no control characters, no tricks with the
/// direction of writing.
fn one_line(text: &str) -> String {
    const MOST: usize = 4_000;
    if text.len() <= MOST && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    text.chars()
        .take(MOST)
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}
