//! How components are compiled and run.

use wasmtime::{Config, WasmFeatures};

use crate::inspection::FEATURES;

/// Stack of a guest, in bytes.
const WASM_STACK: usize = 512 * 1024;
/// Stack of a fiber: the guest's, and room for host functions at its edge.
const ASYNC_STACK: usize = WASM_STACK + 1024 * 1024;

/// How components are compiled and run, in whichever process. `metered`: with code that counts fuel.
pub(crate) fn engine_config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        .epoch_interruption(true)
        .consume_fuel(metered)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // Frames tell an author where a guest trapped. Core dumps, which would hold its memory,
        // are not compiled in.
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config
}
