//! The documents that a host passes with calls: `schemas/call-options.json` and
//! `schemas/trigger-options.json`.

use crate::members::document;

document! {
    /// How `node.execute` should run a call, as requested by the engine.
    #[derive(Default)]
    open struct CallOptions {
        number {
            /// Maximum number of items that run concurrently.
            concurrency: u64,
        }
        default {
            /// Whether the other items run after one has failed.
            continue_on_fail: bool,
            /// Whether each item is reported as soon as it has ended.
            finish_items: bool,
        }
    }
}

document! {
    /// Settings that the host passes to a trigger in addition to its parameters.
    #[derive(Default)]
    open struct TriggerOptions {
        optional {
            /// Handle of a signing secret that the host has made for this setup.
            signing_secret: String,
        }
        number {
            /// About how many events one poll should yield at most.
            limit: u64,
        }
    }
}
