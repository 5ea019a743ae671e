//! Response bodies that can also misbehave.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// One thing that a body does.
pub(crate) enum Step {
    Send(Bytes),
    /// Sends zeros or letters until so many bytes are out.
    Fill {
        byte: u8,
        left: u64,
    },
    /// Lets what was sent reach the network.
    Pause(Pin<Box<tokio::time::Sleep>>),
    /// Breaks off.
    Fail,
    /// Never ends.
    Stall,
}

impl Step {
    pub(crate) fn pause() -> Self {
        Self::Pause(Box::pin(tokio::time::sleep(Duration::from_millis(5))))
    }
}

/// A body that does its steps in order.
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

/// How much a filling body hands over at once.
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
                // Whatever misbehaves does not say how long it is.
                _ => return SizeHint::new(),
            }
        }
        SizeHint::with_exact(total)
    }
}
