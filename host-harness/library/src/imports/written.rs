//! Standard output and standard error of a guest. The last part explains a crash.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes that a guest may write at once.
const AT_ONCE: usize = 64 * 1024;

/// The last bytes that were written, to either stream. Cheap to clone; clones share the bytes.
#[derive(Clone)]
pub(crate) struct Written {
    most: usize,
    end: Arc<Mutex<VecDeque<u8>>>,
}

impl Written {
    /// Keeps the last `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, end: Arc::default() }
    }

    /// Takes the bytes that are kept.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock()).into()
    }

    fn add(&self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.most)..];
        let mut end = self.lock();
        let excess = (end.len() + bytes.len()).saturating_sub(self.most);
        end.drain(..excess);
        end.extend(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Written {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Written {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Written {
    async fn ready(&mut self) {}
}

impl OutputStream for Written {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_ONCE)
    }
}

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::Written;

    #[test]
    fn the_last_bytes_are_kept() {
        let written = Written::new(4);
        written.add(b"ab");
        written.clone().add(b"cd");
        written.add(b"e");
        assert_eq!(written.take(), b"bcde");
        written.add(b"0123456789");
        assert_eq!(written.take(), b"6789");
        assert_eq!(written.take(), b"");
    }
}
