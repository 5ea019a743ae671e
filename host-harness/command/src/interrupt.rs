//! Ctrl-C: the first ends the run cleanly, the second at once.

use std::future::Future as _;
use std::task::{Context, Poll, Waker};

use workflow_node_host::CancellationToken;

use crate::exit::Exit;

/// Listens until it is dropped. Only commands that send listen: elsewhere the system's own way of
/// ending a program is right.
pub(crate) struct Interrupt {
    token: CancellationToken,
    listener: tokio::task::JoinHandle<()>,
}

impl Interrupt {
    pub(crate) fn listen() -> Self {
        let token = CancellationToken::new();
        let cancelled = token.clone();
        let mut first = Box::pin(tokio::signal::ctrl_c());
        // The first look at it is what begins to listen: not later than the first request.
        let looked = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let listener = tokio::spawn(async move {
            let happened = match looked {
                Poll::Ready(happened) => happened,
                Poll::Pending => first.await,
            };
            if happened.is_err() {
                return;
            }
            cancelled.cancel();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(Exit::Failed.code().into());
            }
        });
        Self { token, listener }
    }

    /// Cancelled by the first Ctrl-C.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub(crate) fn happened(&self) -> bool {
        self.token.is_cancelled()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
