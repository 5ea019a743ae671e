//! The memory that a guest may use.

use wasmtime::ResourceLimiter;

/// Bounds the linear memory of a call.
pub(crate) struct MemoryLimit {
    most: usize,
    total: usize,
    refused: bool,
}

impl MemoryLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, total: 0, refused: false }
    }

    /// Linear memory in use, in bytes.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Whether the guest wanted more than it may have.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Why a call was stopped: lack of memory, if memory was refused.
    pub(crate) fn explain(&self, cause: String) -> String {
        if !self.refused {
            return cause;
        }
        let most = self.most / (1024 * 1024);
        format!("it needed more than {most} MiB of memory ({cause})")
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All memories of the component together; memory never shrinks.
        let total = self.total.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.most;
        if allowed {
            self.total = total;
        } else {
            self.refused = true;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}
