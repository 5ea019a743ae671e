//! Futures over the completion queue: the guest waits in one place, in `completions.next`.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::host;

/// State of an open ticket: the task that waits for it, or that it has been named.
enum Slot {
    Waiting(Option<Waker>),
    Finished,
}

thread_local! {
    /// Sorted by ticket: hosts count upward, so a new ticket is appended.
    static OPEN: RefCell<Vec<(u64, Slot)>> = const { RefCell::new(Vec::new()) };
}

fn position(open: &[(u64, Slot)], ticket: u64) -> Result<usize, usize> {
    open.binary_search_by_key(&ticket, |(id, _)| *id)
}

/// Removes a ticket; `None` if it is not open.
fn close(ticket: u64) -> Option<Slot> {
    OPEN.with_borrow_mut(|open| position(open, ticket).ok().map(|at| open.remove(at).1))
}

/// An operation that was started. It finishes when the host names its ticket; dropping it before
/// cancels the operation.
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(crate) fn new(id: u64) -> Self {
        OPEN.with_borrow_mut(|open| {
            let at = position(open, id).unwrap_or_else(|at| at);
            open.insert(at, (id, Slot::Waiting(None)));
        });
        Self(id)
    }

    pub(crate) fn id(&self) -> u64 {
        self.0
    }
}

impl Future for Ticket {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        OPEN.with_borrow_mut(|open| {
            let Ok(at) = position(open, self.0) else {
                return Poll::Ready(());
            };
            if let Slot::Waiting(waker) = &mut open[at].1 {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            open.remove(at);
            Poll::Ready(())
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if close(self.0).is_some() {
            host::cancel(self.0);
        }
    }
}

/// Marks a ticket as finished and wakes the task that waits for it.
fn finish(ticket: u64) {
    let slot = OPEN.with_borrow_mut(|open| {
        let at = position(open, ticket).ok()?;
        Some(std::mem::replace(&mut open[at].1, Slot::Finished))
    });
    if let Some(Slot::Waiting(Some(waker))) = slot {
        waker.wake();
    }
}

/// The waker that is notified when one of several futures can make progress. All of them share it,
/// and it is replaced whenever their owner is polled.
type Parent = Mutex<Option<Waker>>;

fn set(parent: &Parent, waker: Option<Waker>) -> Option<Waker> {
    std::mem::replace(&mut *parent.lock().unwrap_or_else(PoisonError::into_inner), waker)
}

/// Whether a future can make progress.
struct Woken {
    is_woken: AtomicBool,
    parent: Arc<Parent>,
}

impl Woken {
    fn new(parent: &Arc<Parent>) -> Arc<Self> {
        Arc::new(Self { is_woken: AtomicBool::new(true), parent: parent.clone() })
    }

    fn take(&self) -> bool {
        self.is_woken.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        if let Some(parent) = set(&self.parent, None) {
            parent.wake();
        }
    }
}

/// Runs a future to completion, and waits for completions whenever it cannot make progress.
///
/// # Panics
///
/// If the future waits for something that is not an open ticket, because it would wait forever.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut output = None;
    drive(pin!(async { output = Some(future.await) }));
    output.expect("the future has ended")
}

/// Not generic, so that the component contains it once.
fn drive(mut future: Pin<&mut dyn Future<Output = ()>>) {
    let woken = Woken::new(&Arc::default());
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        while woken.take() {
            if future.as_mut().poll(&mut context).is_ready() {
                return;
            }
        }
        finish(host::next().expect("a future waits, but no ticket is open"));
    }
}

/// One of the futures of [`each_bounded`].
struct Child<F> {
    index: usize,
    woken: Arc<Woken>,
    future: Pin<Box<F>>,
}

/// Runs one future per input, at most `limit` at a time, and yields each output when it is ready,
/// with the input's position.
pub async fn each_bounded<I, F, T>(
    inputs: I,
    limit: usize,
    mut start: impl FnMut(usize, I::Item) -> F,
    mut finished: impl FnMut(usize, T),
) where
    I: IntoIterator,
    F: Future<Output = T>,
{
    let mut inputs = inputs.into_iter().enumerate();
    let mut running: Vec<Child<F>> = Vec::new();
    let parent = Arc::default();
    poll_fn(|context| {
        set(&parent, Some(context.waker().clone()));
        loop {
            while running.len() < limit.max(1)
                && let Some((index, input)) = inputs.next()
            {
                let future = Box::pin(start(index, input));
                running.push(Child { index, woken: Woken::new(&parent), future });
            }
            let before = running.len();
            // Only futures that were woken are polled: with many in progress, most are still
            // waiting.
            running.retain_mut(|child| {
                if !child.woken.take() {
                    return true;
                }
                let waker = Waker::from(child.woken.clone());
                match child.future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Pending => true,
                    Poll::Ready(output) => {
                        finished(child.index, output);
                        false
                    }
                }
            });
            if running.is_empty() && before == 0 {
                return Poll::Ready(());
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
}
