//! The TCP stream below TLS, which can be closed in several ways.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// How a stream is closed when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Ending(AtomicU8);

impl Ending {
    /// With a reset; unsent data is lost.
    pub(crate) const RESET: u8 = 1;
    /// Always without a reset.
    pub(crate) const CLOSE: u8 = 2;

    pub(crate) fn set(&self, ending: u8) {
        self.0.store(ending, Ordering::Release);
    }
}

/// A stream that is closed in a chosen way.
pub(crate) struct Wire {
    /// None only while it is dropped.
    stream: Option<TcpStream>,
    ending: Arc<Ending>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, ending: Arc<Ending>) -> Self {
        Self { stream: Some(stream), ending }
    }

    fn with<T>(
        mut self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.stream {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        match self.ending.0.load(Ordering::Acquire) {
            Ending::RESET => {
                // Without lingering, closing discards unsent data and resets the connection.
                let _closed_already = stream.set_zero_linger();
            }
            Ending::CLOSE => {
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(close(stream));
                }
            }
            _ => {}
        }
    }
}

/// Shuts down sending, and reads until the client has done so too: a socket that is closed with
/// unread data would reset the connection.
async fn close(mut stream: TcpStream) {
    let _closed_already = stream.shutdown().await;
    let mut rest = [0; 1024];
    let draining = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _patience = tokio::time::timeout(Duration::from_secs(10), draining).await;
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(context))
    }
}
