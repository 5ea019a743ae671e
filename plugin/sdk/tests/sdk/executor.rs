//! Futures over the completion queue.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::task::Poll;

use workflow_node_sdk::http::{self, Request};
use workflow_node_sdk::stream::{self, StreamExt};
use workflow_node_sdk::testing::{Host, answer};
use workflow_node_sdk::{block_on, each_bounded, join_all, time};

fn echo_host() -> Host {
    Host::answering(|request| Ok(answer(200, &request.url)))
}

async fn fetch(number: usize) -> String {
    let response = http::send(&Request::new("GET", number.to_string())).await.unwrap();
    String::from_utf8(response.body).unwrap()
}

#[test]
fn joined_requests_run_concurrently_and_keep_their_order() {
    for host in [echo_host(), echo_host().last_first()] {
        let bodies = host.run(|| block_on(join_all((0..50).map(fetch))));
        assert_eq!(bodies, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(host.most_open(), 50);
    }
}

#[test]
fn bounded_work_never_exceeds_its_bound_and_reaches_it() {
    for host in [echo_host(), echo_host().last_first()] {
        let seen = RefCell::new(Vec::new());
        host.run(|| {
            block_on(each_bounded(
                0..20,
                3,
                |_, number| fetch(number),
                |index, body| seen.borrow_mut().push((index, body)),
            ));
        });
        let mut seen = seen.into_inner();
        seen.sort();
        assert_eq!(seen.len(), 20);
        assert!(seen.iter().all(|(index, body)| *body == index.to_string()));
        assert_eq!(host.most_open(), 3);
    }
}

#[test]
fn a_bound_of_zero_still_makes_progress() {
    let host = echo_host();
    let mut count = 0;
    host.run(|| block_on(each_bounded(0..3, 0, |_, number| fetch(number), |_, _| count += 1)));
    assert_eq!((count, host.most_open()), (3, 1));
}

#[test]
fn bounded_work_without_input_ends() {
    echo_host().run(|| {
        block_on(each_bounded(std::iter::empty::<usize>(), 4, |_, n| fetch(n), |_, _| {}));
    });
}

#[test]
fn bounded_work_may_be_nested_in_bounded_work() {
    let host = echo_host().last_first();
    let total = RefCell::new(0);
    host.run(|| {
        block_on(each_bounded(
            0..4,
            2,
            |_, outer| {
                let total = &total;
                each_bounded(
                    0..5,
                    3,
                    move |_, inner| fetch(outer * 10 + inner),
                    move |_, _| *total.borrow_mut() += 1,
                )
            },
            |_, ()| {},
        ));
    });
    assert_eq!(*total.borrow(), 20);
    assert_eq!(host.most_open(), 6);
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    let yield_once = || {
        let mut has_yielded = false;
        poll_fn(move |context| {
            if has_yielded {
                return Poll::Ready(());
            }
            has_yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
    };
    let mut count = 0;
    block_on(each_bounded(0..5, 2, |_, _| yield_once(), |_, ()| count += 1));
    assert_eq!(count, 5);
    block_on(yield_once());
}

#[test]
fn dropping_a_request_cancels_its_ticket() {
    let host = echo_host();
    host.run(|| {
        block_on(async {
            let mut request = Box::pin(fetch(1));
            poll_fn(|context| {
                assert!(request.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(request);
            assert_eq!(fetch(2).await, "2");
        });
    });
    assert_eq!(host.requests().len(), 2);
    assert_eq!(host.given_up(), 1);
}

#[test]
fn a_finished_request_is_not_canceled() {
    let host = echo_host();
    host.run(|| block_on(fetch(1)));
    assert_eq!(host.given_up(), 0);
}

#[test]
fn a_timer_is_a_future() {
    let host = echo_host();
    host.run(|| {
        block_on(async {
            time::sleep(1_000).await;
            join_all([time::sleep(1), time::sleep(2)]).await;
        });
    });
    assert_eq!(host.given_up(), 0);
}

#[test]
fn streams_of_requests_are_buffered() {
    let host = echo_host();
    let bodies: Vec<String> =
        host.run(|| block_on(stream::iter(0..10).map(fetch).buffered(4).collect()));
    assert_eq!(bodies.len(), 10);
    assert_eq!(host.most_open(), 4);
}

#[test]
#[should_panic(expected = "no ticket is open")]
fn waiting_without_an_open_ticket_panics_instead_of_hanging() {
    echo_host().run(|| block_on(std::future::pending::<()>()));
}
