//! What is known of a guest that was stopped.

use serde::Serialize;

/// State of a guest when it was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Crash {
    /// The last part of the guest's standard output and standard error: at most
    /// [`Limits::guest_output`](crate::Limits::guest_output) bytes. Text of the plugin, with control characters escaped and
    /// credentials removed.
    pub output: String,
    /// Names of the functions that were running, the innermost first. Empty where the component has
    /// no name section.
    pub functions: Vec<String>,
}
