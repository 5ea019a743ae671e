//! Ctrl-C and SIGTERM: the first ends the run cleanly, the second at once.

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
        // It begins to listen here: not later than the first request.
        let signals = Signals::listen();
        let listener = tokio::spawn(async move {
            let Ok(mut signals) = signals else { return };
            signals.next().await;
            cancelled.cancel();
            signals.next().await;
            std::process::exit(Exit::Failed.code().into());
        });
        Self { token, listener }
    }

    /// Cancelled by the first signal.
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

/// The signals that ask a program to end: Ctrl-C in a terminal, SIGTERM from a service manager or a
/// container.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on, instead of letting the system end the process.
    ///
    /// # Errors
    ///
    /// If the operating system installs no handler.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signals that ask a program to end: Ctrl-C, and the end of the session or of Windows.
#[cfg(windows)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// Listens from now on, instead of letting the system end the process.
    ///
    /// # Errors
    ///
    /// If the operating system installs no handler.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
