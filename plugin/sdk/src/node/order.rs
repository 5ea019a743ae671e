//! Runs items that write to the same object one after the other, in order.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use serde_json::{Map, Value};

/// Signals that an item has ended.
#[derive(Default)]
struct End {
    is_over: bool,
    waker: Option<Waker>,
}

/// The order of items.
#[derive(Default)]
pub(super) struct Queue {
    /// The signal of the last item, by object.
    places: Map<String, Value>,
    ends: Vec<Rc<RefCell<End>>>,
}

/// An item's place in the order: it waits for the item before, and the next one waits until it is
/// dropped.
pub(super) struct Turn {
    before: Option<Rc<RefCell<End>>>,
    own: Option<Rc<RefCell<End>>>,
}

impl Queue {
    /// The next place for an object; an item whose object is `None` never waits.
    pub(super) fn place(&mut self, name: Option<String>) -> Turn {
        let Some(name) = name else {
            return Turn { before: None, own: None };
        };
        let own: Rc<RefCell<End>> = Rc::default();
        let before = self.places.insert(name, self.ends.len().into());
        let before = before.and_then(|index| self.ends.get(index.as_u64()? as usize).cloned());
        self.ends.push(own.clone());
        Turn { before, own: Some(own) }
    }
}

impl Turn {
    /// Waits until the item before has ended.
    pub(super) async fn come(&self) {
        let Some(before) = &self.before else {
            return;
        };
        poll_fn(|context| {
            let mut before = before.borrow_mut();
            if before.is_over {
                return Poll::Ready(());
            }
            before.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let mut own = own.borrow_mut();
            own.is_over = true;
            if let Some(waker) = own.waker.take() {
                waker.wake();
            }
        }
    }
}
