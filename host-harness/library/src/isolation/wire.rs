//! The messages between the host and a worker, and how they are framed.
//!
//! A frame is a length (4 bytes, little-endian) and a message in postcard's format. The host trusts
//! nothing that a worker sends: a frame is bounded before it is read, and every import is checked
//! by the functions that check an in-process guest.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::bindings::workflow::node::context::{CredentialView, Level};
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::OutputItem;
use crate::guest::{Invocation, Returned, Stopping};
use crate::inspection::Surface;
use crate::journal::record::Seen;
use crate::limits::ProcessLimits;
use crate::metering::MeterEvent;
use crate::results::GuestResult;

/// Bytes of a frame's length.
pub(super) const PREFIX: usize = 4;
/// Bytes that a frame may hold in addition to the data that [`crate::Limits::host_call`] bounds.
pub(super) const OVERHEAD: usize = 1024 * 1024;

/// From the host to a worker.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum ToWorker<'a> {
    /// Compile a component. Two descriptors follow: the component, and the file for the code.
    /// `data`: bytes of memory that the worker may use. `metered`: the code counts fuel.
    Compile { data: u64, metered: bool },
    /// Check the documents of a component.
    Check {
        node: String,
        credential_types: String,
        triggers: Option<String>,
        limits: ProcessLimits,
    },
    /// Load compiled code. Its descriptor follows.
    Load { has_triggers: bool, data: u64, metered: bool },
    /// Make a call.
    Call(Box<Call<'a>>),
    /// Drop the instance of the last call.
    Reset,
    /// Answer to [`FromWorker::Next`]: finished tickets in order; none when none is open. The bodies
    /// of their answers follow.
    Named(Vec<Named>),
    /// Answer to [`FromWorker::Send`]. Its body follows.
    Answer(Answer, Seen),
    /// Answer to [`FromWorker::Taken`].
    Seen(Seen),
    /// Answer to [`FromWorker::Key`].
    Key(String),
}

/// A call of an export.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Call<'a> {
    /// The host only lends it.
    pub(super) invocation: Cow<'a, Invocation>,
    /// Whether the instance of the last call serves this one.
    pub(super) reuse: bool,
    /// Limits that the worker keeps itself; see [`crate::Limits`].
    pub(super) memory: u64,
    pub(super) guest_time_ms: u64,
    pub(super) host_call: u64,
    pub(super) host_calls: u32,
    /// Bytes of standard output and standard error that are held.
    pub(super) written: u64,
    pub(super) seed: u64,
    /// Idempotency keys by item.
    pub(super) keys: Vec<String>,
    pub(super) credentials: Vec<(String, CredentialView)>,
    pub(super) seen: Seen,
    /// A guest waits until the engine has taken its output when so many bytes are on their way.
    pub(super) not_taken: u64,
    /// The last ticket of the instance that is used again.
    pub(super) last_ticket: u64,
}

/// A finished ticket.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Named {
    pub(super) ticket: u64,
    /// `None` for a timer.
    pub(super) answer: Option<Answer>,
    pub(super) seen: Seen,
}

/// The answer to a request, without its body. The bodies of all answers of a frame follow it, one
/// after the other, so that a large one is not copied.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Answer(Result<(Response, u64), SendError>);

impl Answer {
    /// Takes the body out.
    pub(super) fn split(answer: Result<Response, SendError>) -> (Self, Vec<u8>) {
        match answer {
            Ok(mut response) => {
                let body = std::mem::take(&mut response.body);
                (Self(Ok((response, body.len() as u64))), body)
            }
            Err(error) => (Self(Err(error)), Vec::new()),
        }
    }

    /// Bytes of the body.
    pub(super) fn length(&self) -> u64 {
        self.0.as_ref().map_or(0, |(_, length)| *length)
    }

    /// Puts the body back.
    pub(super) fn with_body(self, body: Vec<u8>) -> Result<Response, SendError> {
        self.0.map(|(response, _)| Response { body, ..response })
    }
}

/// A request of a guest, with its body apart.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Requested(Request, Option<ByteBuf>);

impl From<Request> for Requested {
    fn from(mut request: Request) -> Self {
        let body = request.body.take().map(ByteBuf::from);
        Self(request, body)
    }
}

impl From<Requested> for Request {
    fn from(requested: Requested) -> Self {
        Self { body: requested.1.map(ByteBuf::into_vec), ..requested.0 }
    }
}

/// From a worker to the host.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum FromWorker {
    Compiled(Result<Surface, String>),
    /// The document and its problem.
    Checked(Result<(), (String, String)>),
    Loaded(Result<(), String>),

    // Imports. Tickets are counted by both sides.
    Submit(Requested),
    After(u64),
    Cancel(u64),
    Log {
        level: Level,
        message: String,
        fields: String,
    },
    Progress {
        done: u64,
        total: Option<u64>,
        message: String,
    },
    Next,
    Send(Requested),
    /// Output; the engine takes it later.
    Emit {
        item: u32,
        outputs: Vec<OutputItem>,
    },
    /// The end of an item; the engine takes it later.
    FinishItem {
        item: u32,
        outcome: GuestResult,
    },
    /// Asks to be answered when the engine has taken all output so far.
    Taken,
    /// The idempotency key of an item that the call does not have.
    Key(u32),

    /// What happens to a guest that is metered.
    Metered(MeterEvent),

    /// The call has ended.
    Returned {
        returned: Returned,
        memory: u64,
        initial: u64,
    },
    /// The call was stopped, and the instance is gone.
    Stopped(Stopping),
}

/// Appends a frame.
pub(super) fn encode(message: &impl Serialize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let start = buffer.len();
    buffer.extend([0; PREFIX]);
    let full = std::mem::take(buffer);
    *buffer = postcard::to_extend(message, full).map_err(io::Error::other)?;
    let length = u32::try_from(buffer.len() - start - PREFIX).map_err(io::Error::other)?;
    buffer[start..start + PREFIX].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads the message of a frame.
pub(super) fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> io::Result<T> {
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than its message"))
        }
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// The length in a frame's prefix.
pub(super) fn length(prefix: [u8; PREFIX], most: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length > most {
        let message = format!("a frame of {length} bytes; the limit is {most}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(length)
}
