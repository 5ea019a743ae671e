//! Waiting. A guest has no clock of its own; see also [`crate::context::now`].

use crate::executor::Ticket;
use crate::host;

/// Waits for `milliseconds`, or until the execution's deadline or cancellation.
pub async fn sleep(milliseconds: u64) {
    Ticket::new(host::after(milliseconds)).await;
}
