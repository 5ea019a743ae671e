//! Concurrent requests whose responses are returned in the order of the requests.

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

/// Several requests. Dropping them cancels those without a response.
#[derive(Default)]
pub(super) struct Ahead<'a>(VecDeque<One<'a>>);

impl<'a> Ahead<'a> {
    /// How many responses have not been taken.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Starts one more.
    pub(super) fn ask(&mut self, request: impl Future<Output = Result<Response, Error>> + 'a) {
        self.0.push_back(One::UnderWay(Box::pin(request)));
    }

    /// The response to the first request whose response was not taken; `None` if there is none.
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
