//! The worker's end of the connection to its host.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::super::wire::{self, Answer, FromWorker, PREFIX, ToWorker};
use crate::bindings::workflow::node::http::{Response, SendError};

/// Messages that need no answer are sent when so many bytes have gathered, or when the guest waits.
const GATHERED: usize = 64 * 1024;
/// Documents and components are not bounded by a worker: its memory is, and the host has bounded
/// what it sends.
const MOST: usize = u32::MAX as usize;

/// The connection to the host.
pub(super) struct Socket {
    pub(super) stream: UnixStream,
    gathered: Vec<u8>,
}

impl Socket {
    pub(super) fn of_standard_input() -> Self {
        #[allow(unsafe_code)]
        // SAFETY: standard input is open, and nothing else in this process uses it.
        let stream = unsafe { OwnedFd::from_raw_fd(0) };
        Self { stream: stream.into(), gathered: Vec::new() }
    }

    /// The next message; `None` when the host has closed the socket.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut prefix = [0; PREFIX];
        match self.stream.read_exact(&mut prefix) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut frame = vec![0; wire::length(prefix, MOST)?];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame))
    }

    /// An answer with the body that follows.
    pub(super) fn with_body(&mut self, answer: Answer) -> io::Result<Result<Response, SendError>> {
        let mut body = vec![0; usize::try_from(answer.length()).map_err(io::Error::other)?];
        self.stream.read_exact(&mut body)?;
        Ok(answer.with_body(body))
    }

    /// The descriptors that the host sends after a message.
    pub(super) fn receive_files<const COUNT: usize>(&mut self) -> io::Result<[OwnedFd; COUNT]> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        recvmsg(&self.stream, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut files = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors);
            }
        }
        files.try_into().map_err(|_| io::Error::other("descriptors are missing"))
    }

    /// Keeps a message until the guest waits.
    pub(super) fn gather(&mut self, message: &FromWorker) -> io::Result<()> {
        wire::encode(message, &mut self.gathered)?;
        if self.gathered.len() > GATHERED { self.flush() } else { Ok(()) }
    }

    pub(super) fn send(&mut self, message: &FromWorker) -> io::Result<()> {
        wire::encode(message, &mut self.gathered)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Asks the host, and waits for its answer.
    pub(super) fn ask(&mut self, message: &FromWorker) -> wasmtime::Result<ToWorker<'static>> {
        self.send(message)?;
        match self.receive()? {
            Some(frame) => Ok(wire::decode(&frame)?),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
}
