//! Budgets in bytes for the data that guests make the host hold.
//!
//! A request charges its size when the guest submits it, or is refused. It never waits, so a guest
//! cannot deadlock itself. A response charges its size while it is read. If the budget is
//! exhausted, the response waits until something is released. One response at a time may exceed the
//! budget, so a guest that takes responses always gets the next one. A guest that waits for another
//! response without taking those that were reported to it would never release anything; responses
//! that would wait for it fail instead.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A budget of a process or, within it, of a call.
pub(crate) struct ByteBudget {
    /// How the limit is called.
    name: &'static str,
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
    parent: Option<Arc<ByteBudget>>,
}

#[derive(Default)]
struct State {
    held: usize,
    /// An answer is exceeding the limit.
    is_exceeded: bool,
    /// The guest waits without having taken its answers.
    is_hoarded: bool,
}

/// There is no room in a budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{held} of {limit} bytes are in use (limit `{name}`)")]
pub(crate) struct Exhausted {
    pub(crate) name: &'static str,
    pub(crate) limit: usize,
    pub(crate) held: usize,
    /// The budget is shared: others use it up, and it may be free later.
    pub(crate) is_shared: bool,
}

impl ByteBudget {
    /// A budget of all executions.
    pub(crate) fn of_process(limit: usize) -> Arc<Self> {
        Self::new("ProcessLimits::held_bytes", limit, None)
    }

    /// A budget of a call, which also counts against that of the process.
    pub(crate) fn of_call(limit: usize, process: Arc<Self>) -> Arc<Self> {
        Self::new("held_bytes", limit, Some(process))
    }

    fn new(name: &'static str, limit: usize, parent: Option<Arc<Self>>) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { name, limit, state, changed, parent })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exhausted(&self, held: usize) -> Exhausted {
        let is_shared = self.parent.is_none();
        Exhausted { name: self.name, limit: self.limit, held, is_shared }
    }

    /// Charges bytes at once, or not at all.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Result<Charge, Exhausted> {
        self.take(bytes)?;
        if let Some(parent) = &self.parent
            && let Err(exhausted) = parent.take(bytes)
        {
            self.release(bytes, false);
            return Err(exhausted);
        }
        Ok(Charge::new(self.clone(), bytes))
    }

    /// A charge that grows later.
    #[cfg(test)]
    pub(crate) fn nothing(self: &Arc<Self>) -> Charge {
        Charge::new(self.clone(), 0)
    }

    /// Notes whether the guest waits without having taken the answers that were reported to it.
    pub(crate) fn hoard(&self, is_hoarded: bool) {
        self.state().is_hoarded = is_hoarded;
        if is_hoarded {
            self.changed.notify_waiters();
        }
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.state().held
    }

    fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let mut state = self.state();
        match state.held.checked_add(bytes).filter(|held| *held <= self.limit) {
            Some(held) => {
                state.held = held;
                Ok(())
            }
            None => Err(self.exhausted(state.held)),
        }
    }

    /// Waits until bytes are free. `exceeds`: this charge is the one that may exceed the limit.
    /// `passes`: it is the one of the process, and waits for nobody.
    async fn wait_for(
        &self,
        bytes: usize,
        exceeds: &AtomicBool,
        passes: bool,
    ) -> Result<(), Exhausted> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                let fits = state.held.saturating_add(bytes) <= self.limit;
                if !fits && !passes && !exceeds.load(Ordering::Relaxed) {
                    if state.is_hoarded {
                        return Err(self.exhausted(state.held));
                    }
                    if !state.is_exceeded && state.held <= self.limit {
                        state.is_exceeded = true;
                        exceeds.store(true, Ordering::Relaxed);
                    }
                }
                if fits || passes || exceeds.load(Ordering::Relaxed) {
                    state.held = state.held.saturating_add(bytes);
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    fn release(&self, bytes: usize, exceeded: bool) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(bytes);
        if exceeded {
            state.is_exceeded = false;
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

/// Bytes that are held until this is dropped.
pub(crate) struct Charge {
    budget: Arc<ByteBudget>,
    bytes: AtomicUsize,
    /// Whether this charge exceeds the budget, and that of the process.
    exceeds: (AtomicBool, AtomicBool),
}

impl Charge {
    fn new(budget: Arc<ByteBudget>, bytes: usize) -> Self {
        Self { budget, bytes: AtomicUsize::new(bytes), exceeds: Default::default() }
    }

    /// Charges as many bytes as are missing to `bytes`, and waits until they are free.
    ///
    /// # Errors
    ///
    /// If waiting would have no end, because the guest does not take its answers.
    pub(crate) async fn grow_to(&self, bytes: usize) -> Result<(), Exhausted> {
        match bytes.saturating_sub(self.bytes.load(Ordering::Relaxed)) {
            0 => Ok(()),
            more => self.grow_by(more).await,
        }
    }

    /// Charges further bytes, and waits until they are free.
    ///
    /// # Errors
    ///
    /// As [`Charge::grow_to`].
    pub(crate) async fn grow_by(&self, more: usize) -> Result<(), Exhausted> {
        // Otherwise two charges could wait for each other, each being the one of a budget.
        let passes = self.exceeds.1.load(Ordering::Relaxed);
        self.budget.wait_for(more, &self.exceeds.0, passes).await?;
        // Given back if this future is dropped while it waits for the process.
        let taken = Taken { budget: &self.budget, bytes: more };
        if let Some(parent) = &self.budget.parent {
            parent.wait_for(more, &self.exceeds.1, false).await?;
        }
        std::mem::forget(taken);
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }
}

impl Charge {
    /// Bytes that are charged.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Releases everything above `bytes`.
    pub(crate) fn shrink_to(&self, bytes: usize) {
        let before = self.bytes.fetch_min(bytes, Ordering::Relaxed);
        let less = before.saturating_sub(bytes);
        if less > 0 {
            self.budget.release(less, false);
            if let Some(parent) = &self.budget.parent {
                parent.release(less, false);
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.budget.release(bytes, *self.exceeds.0.get_mut());
        if let Some(parent) = &self.budget.parent {
            parent.release(bytes, *self.exceeds.1.get_mut());
        }
    }
}

/// Bytes that were taken from one budget and not yet from the next.
struct Taken<'a> {
    budget: &'a ByteBudget,
    bytes: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.release(self.bytes, false);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn budgets() -> (Arc<ByteBudget>, Arc<ByteBudget>, Arc<ByteBudget>) {
        let process = ByteBudget::of_process(150);
        let one = ByteBudget::of_call(100, process.clone());
        let other = ByteBudget::of_call(100, process.clone());
        (process, one, other)
    }

    async fn is_stuck(grows: impl Future<Output = Result<(), Exhausted>>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), grows).await.is_err()
    }

    #[test]
    fn a_charge_that_does_not_fit_is_refused_by_the_budget_that_is_used_up() {
        let (process, one, other) = budgets();
        let held = one.charge(90).unwrap();
        assert_eq!(one.charge(20).err().unwrap().name, "held_bytes");
        let exhausted = other.charge(70).err().unwrap();
        assert!(exhausted.is_shared);
        assert_eq!(
            exhausted.to_string(),
            "90 of 150 bytes are in use (limit `ProcessLimits::held_bytes`)"
        );
        assert_eq!((process.held(), one.held(), other.held()), (90, 90, 0));
        drop(held);
        assert_eq!((process.held(), one.held()), (0, 0));
        other.charge(70).unwrap();
    }

    #[tokio::test]
    async fn one_answer_at_a_time_may_exceed_a_budget_and_the_others_wait() {
        let (process, one, _) = budgets();
        let [first, second, third] = [(); 3].map(|()| one.nothing());
        first.grow_to(80).await.unwrap();
        second.grow_to(60).await.unwrap();
        second.grow_to(70).await.unwrap();
        assert!(is_stuck(third.grow_to(10)).await);
        assert_eq!((one.held(), process.held()), (150, 150));
        drop(second);
        third.grow_to(10).await.unwrap();
        assert!(!is_stuck(third.grow_to(30)).await, "it is its turn");
        third.shrink_to(5);
        assert_eq!((one.held(), process.held()), (85, 85));
        drop((first, third));
        assert_eq!((one.held(), process.held()), (0, 0));
    }

    #[tokio::test]
    async fn an_answer_does_not_wait_for_a_guest_that_takes_none() {
        let (_, one, _) = budgets();
        let [first, second, third] = [(); 3].map(|()| one.nothing());
        first.grow_to(100).await.unwrap();
        second.grow_to(10).await.unwrap();
        let waits = tokio::spawn(async move { third.grow_to(10).await });
        tokio::task::yield_now().await;
        one.hoard(true);
        assert_eq!(waits.await.unwrap().unwrap_err().held, 110);
        one.hoard(false);
        let third = one.nothing();
        assert!(is_stuck(third.grow_to(10)).await);
    }

    #[tokio::test]
    async fn the_answers_that_exceed_the_two_budgets_do_not_wait_for_each_other() {
        let (process, one, _) = budgets();
        let [first, second] = [(); 2].map(|()| one.nothing());
        first.grow_to(90).await.unwrap();
        let others = process.charge(60).unwrap();
        // The first exceeds the budget of the process, the second that of the call.
        first.grow_to(95).await.unwrap();
        let waits = tokio::spawn(async move { second.grow_to(20).await.map(|()| second) });
        tokio::task::yield_now().await;
        assert!(!is_stuck(first.grow_to(130)).await);
        drop((first, others));
        waits.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_canceled_wait_holds_no_budget() {
        let (process, one, other) = budgets();
        let _held = process.charge(140).unwrap();
        let [first, second] = [one.nothing(), other.nothing()];
        first.grow_to(20).await.unwrap();
        assert!(is_stuck(second.grow_to(20)).await);
        assert_eq!(other.held(), 0);
    }
}
