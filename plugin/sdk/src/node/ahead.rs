//! Requests that are under way at the same time, with answers in the order of asking.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::error::Error;
use crate::http::Response;

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + 'a>>;

enum One<'a> {
    UnderWay(Asked<'a>),
    Answered(Result<Response, Error>),
}

/// Some requests. Those that are dropped unanswered are given up.
#[derive(Default)]
pub(super) struct Ahead<'a>(VecDeque<One<'a>>);

impl<'a> Ahead<'a> {
    /// How many have not been taken.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Starts one more.
    pub(super) fn ask(&mut self, request: impl Future<Output = Result<Response, Error>> + 'a) {
        self.0.push_back(One::UnderWay(Box::pin(request)));
    }

    /// The answer to the first that was not taken; `None` when there is none.
    pub(super) async fn next(&mut self) -> Option<Result<Response, Error>> {
        poll_fn(|context| {
            for one in &mut self.0 {
                if let One::UnderWay(asked) = one
                    && let Poll::Ready(answer) = asked.as_mut().poll(context)
                {
                    *one = One::Answered(answer);
                }
            }
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(One::Answered(answer)) => Poll::Ready(Some(answer)),
                Some(waiting) => {
                    self.0.push_front(waiting);
                    Poll::Pending
                }
            }
        })
        .await
    }
}
