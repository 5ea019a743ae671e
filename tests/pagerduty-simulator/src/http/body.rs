//! Response bodies that can misbehave.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// One step of a body.
pub(crate) enum Step {
    Send(Bytes),
    /// Sends zeros or letters until this many bytes have been sent.
    Fill {
        byte: u8,
        left: u64,
    },
    /// Flushes what was sent to the network.
    Pause(Pin<Box<tokio::time::Sleep>>),
    /// Aborts.
    Fail,
    /// Never ends.
    Stall,
}

impl Step {
    pub(crate) fn pause() -> Self {
        Self::Pause(Box::pin(tokio::time::sleep(Duration::from_millis(5))))
    }
}

/// A body that performs its steps in order.
#[derive(Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect() }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::default() } else { Self::new([Step::Send(bytes)]) }
    }
}

/// Chunk size of generated content.
const CHUNK: u64 = 64 * 1024;

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            match self.steps.front_mut() {
                None => return Poll::Ready(None),
                Some(Step::Stall) => return Poll::Pending,
                Some(Step::Pause(sleep)) => {
                    std::task::ready!(sleep.as_mut().poll(context));
                    self.steps.pop_front();
                }
                Some(Step::Fill { left: 0, .. }) => {
                    self.steps.pop_front();
                }
                Some(Step::Fill { byte, left }) => {
                    let size = (*left).min(CHUNK);
                    *left -= size;
                    let chunk = vec![*byte; usize::try_from(size).unwrap_or_default()];
                    return Poll::Ready(Some(Ok(Frame::data(chunk.into()))));
                }
                Some(Step::Fail) => {
                    self.steps.pop_front();
                    return Poll::Ready(Some(Err(io::Error::other("a fault broke the body off"))));
                }
                Some(Step::Send(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.steps.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut total = 0;
        for step in &self.steps {
            match step {
                Step::Send(bytes) => total += bytes.len() as u64,
                // A misbehaving body does not announce its length.
                _ => return SizeHint::new(),
            }
        }
        SizeHint::with_exact(total)
    }
}
