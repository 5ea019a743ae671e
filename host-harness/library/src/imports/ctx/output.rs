//! Output and results of items that a guest reports before its call returns.

use super::{BRIEF, WorkflowNodeCtx};
use crate::bindings::workflow::node::types::OutputItem;
use crate::item::{ItemError, OutputRecord};
use crate::journal::record::Record;
use crate::results::{GuestResult, checked_results, is_brief};

impl WorkflowNodeCtx {
    /// Records that were checked, elsewhere if there is much of them.
    pub(in crate::imports) async fn records(
        &mut self,
        outputs: Vec<OutputItem>,
        bytes: usize,
    ) -> wasmtime::Result<Vec<OutputRecord>> {
        let depth = self.limits.json_depth;
        let check = move || -> Result<Vec<OutputRecord>, String> {
            outputs.into_iter().map(|output| OutputRecord::checked(output, depth)).collect()
        };
        let checked = match self.session.as_ref().filter(|_| bytes > BRIEF) {
            Some(session) => {
                let _waits = self.time.waits();
                let checked = session.heavy.run(move |_| check()).await;
                checked.map_err(|error| error.to_string()).and_then(|checked| checked)
            }
            None => check(),
        };
        checked.map_err(wasmtime::Error::msg)
    }

    /// The position of an item of the call that has not ended. `function`: what the guest called.
    pub(in crate::imports) fn position(&self, function: &str, item: u32) -> wasmtime::Result<u32> {
        let Some(position) = self.positions.get(item as usize).copied() else {
            let items = self.positions.len();
            wasmtime::bail!("`context.{function}` for item {item}, but the call has {items}");
        };
        if self.ended.contains_key(&position) {
            wasmtime::bail!("`context.{function}` for item {item}, which has ended");
        }
        Ok(position)
    }

    /// How an item has ended, checked, and what its output counts.
    pub(in crate::imports) async fn outcome(
        &mut self,
        outcome: GuestResult,
    ) -> wasmtime::Result<(Result<Vec<OutputRecord>, ItemError>, usize)> {
        let outcome = vec![outcome];
        let is_brief = is_brief(&outcome);
        let (ports, limits, before) = (self.ports.clone(), self.limits.clone(), self.output_bytes);
        let check = move || checked_results(&ports, outcome, 1, &limits, before);
        let checked = match self.session.as_ref().filter(|_| !is_brief) {
            Some(session) => {
                let _waits = self.time.waits();
                let checked = session.heavy.run(move |_| check()).await;
                checked.map_err(|error| error.to_string()).and_then(|checked| checked)
            }
            None => check(),
        };
        let (mut outcomes, bytes) = checked.map_err(wasmtime::Error::msg)?;
        let outcome = outcomes.pop().ok_or_else(|| wasmtime::Error::msg("no outcome"))?;
        Ok((outcome, bytes - before))
    }

    /// An item has ended. `bytes`: what its last output counts.
    pub(in crate::imports) async fn finish_item(
        &mut self,
        item: u32,
        outcome: Result<Vec<OutputRecord>, ItemError>,
        bytes: usize,
    ) -> wasmtime::Result<()> {
        let (records, error) = match outcome {
            Ok(records) => (records, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let observer = self.observer.clone();
        let waits = self.time.waits();
        self.tell(item, records, bytes).await?;
        observer.item_finished(item, error.as_ref()).await;
        self.ended.insert(item, error);
        drop(waits);
        let done = self.ended.len() as u64;
        if done > self.progress {
            self.progress = done;
            self.ends.item_finished();
        }
        self.told().await
    }

    /// `bytes`: what the records count.
    pub(in crate::imports) async fn emit(
        &mut self,
        item: u32,
        records: Vec<OutputRecord>,
        bytes: usize,
    ) -> wasmtime::Result<()> {
        self.tell(item, records, bytes).await?;
        self.told().await
    }

    /// Hands output to the engine.
    async fn tell(
        &mut self,
        item: u32,
        records: Vec<OutputRecord>,
        bytes: usize,
    ) -> wasmtime::Result<()> {
        let _waits = self.time.waits();
        self.emits += 1;
        if self.journal.is_some() || self.script.is_some() {
            let parts = self.emitted_digests.entry(item).or_default();
            records.iter().for_each(|record| record.add_to(parts));
        }
        // A resumed execution must yield again the records that the engine has received, so the
        // journal records that lead to them are written first.
        if let Some(journal) = self.journal.as_ref().filter(|_| self.script.is_none()) {
            journal.flush(false).await.map_err(|error| wasmtime::Error::msg(error.reason()))?;
        }
        if !records.is_empty() {
            self.observer.output(item, &records).await;
        }
        if self.observer.keeps_output() {
            self.output_bytes += bytes;
            self.emitted.entry(item).or_default().extend(records);
        }
        Ok(())
    }

    /// The engine has been handed what the guest reported.
    async fn told(&mut self) -> wasmtime::Result<()> {
        if !self.is_remote {
            self.taken()?;
        }
        let _waits = self.time.waits();
        self.relieve().await
    }

    /// The engine has taken the records emitted so far, and the guest sees the time.
    pub(crate) fn taken(&mut self) -> wasmtime::Result<()> {
        if let Some(script) = &mut self.script {
            if let Some(seen) = script.emitted(self.emits) {
                self.see(seen);
            }
            return Ok(());
        }
        let before = self.seen();
        self.observe_time();
        match self.seen() == before {
            true => Ok(()),
            false => self.record(Record::Seen { emits: self.emits, seen: self.seen() }),
        }
    }
}
