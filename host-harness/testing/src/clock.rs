//! A clock whose waits take no time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use workflow_node_host::{Clock, Sleep};

/// How often it checks whether every task waits.
const TICK: Duration = Duration::from_millis(2);

/// How long everything must be idle before time advances. A guest may be computing meanwhile.
const QUIET: Duration = Duration::from_millis(6);

/// A wait of at least this is a limit, not something that the node or the host waits for.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How long everything must be idle before even limits pass, because something hangs.
const HANGS: Duration = Duration::from_secs(20);

/// A clock that begins at a chosen time. While everything waits, it jumps to the next deadline, so
/// that retries, pacing, and timers take no time, and every run sees the same times. Waits of half
/// an hour or more count as limits and are not jumped to.
#[derive(Clone)]
pub struct VirtualClock(Arc<Mutex<State>>);

struct State {
    start: u64,
    now: Duration,
    number: u64,
    waiting: BTreeMap<(Duration, u64), Option<Waker>>,
    /// How many pieces of work run outside the clock.
    busy: usize,
    /// Time of the last activity.
    active: Instant,
    is_driven: bool,
}

impl VirtualClock {
    /// `start`: milliseconds since 1970.
    pub fn starting(start: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            start,
            now: Duration::ZERO,
            number: 0,
            waiting: BTreeMap::new(),
            busy: 0,
            active: Instant::now(),
            is_driven: false,
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps time from advancing until the result is dropped.
    pub fn busy(&self) -> Busy {
        let mut state = self.state();
        state.busy += 1;
        state.active = Instant::now();
        Busy(self.clone())
    }

    /// Advances time to this time after the start, unless it is later already.
    pub fn move_to(&self, time: Duration) {
        let mut state = self.state();
        state.now = state.now.max(time);
        state.active = Instant::now();
        state.wake();
    }

    /// Advances time while everything waits.
    fn drive(&self, state: &mut State) {
        if std::mem::replace(&mut state.is_driven, true) {
            return;
        }
        let clock = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(clock) = Weak::upgrade(&clock) else { return };
                let mut state = clock.lock().unwrap_or_else(PoisonError::into_inner);
                state.pass();
            }
        });
    }
}

impl State {
    fn pass(&mut self) {
        let quiet = self.active.elapsed();
        let Some(next) = self.waiting.keys().next().map(|(at, _)| *at) else { return };
        let is_limit = next.saturating_sub(self.now) >= LIMIT;
        if self.busy > 0 || quiet < if is_limit { HANGS } else { QUIET } {
            return;
        }
        self.now = self.now.max(next);
        self.active = Instant::now();
        self.wake();
    }

    fn wake(&mut self) {
        let now = self.now;
        for ((at, _), waker) in &mut self.waiting {
            if *at <= now
                && let Some(waker) = waker.take()
            {
                waker.wake();
            }
        }
    }
}

/// Work during which no time passes.
pub struct Busy(VirtualClock);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        state.active = Instant::now();
    }
}

impl Clock for VirtualClock {
    fn unix_milliseconds(&self) -> u64 {
        let mut state = self.state();
        state.active = Instant::now();
        let passed = u64::try_from(state.now.as_millis()).unwrap_or(u64::MAX);
        state.start.saturating_add(passed)
    }

    fn monotonic(&self) -> Duration {
        self.state().now
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut state = self.state();
        self.drive(&mut state);
        state.active = Instant::now();
        state.number += 1;
        let key = (state.now.saturating_add(duration), state.number);
        state.waiting.insert(key, None);
        drop(state);
        Box::pin(Wait { clock: self.clone(), key })
    }
}

struct Wait {
    clock: VirtualClock,
    key: (Duration, u64),
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        state.waiting.insert(self.key, Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        state.waiting.remove(&self.key);
        state.active = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_take_no_time_and_end_in_order() {
        let clock = VirtualClock::starting(1_000);
        let began = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let wait = |seconds: u64| {
            let (clock, order) = (clock.clone(), order.clone());
            async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                order.lock().unwrap().push(seconds);
            }
        };
        tokio::join!(wait(300), wait(60), wait(120));
        assert_eq!(*order.lock().unwrap(), [60, 120, 300]);
        assert_eq!(clock.unix_milliseconds(), 301_000);
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn no_time_passes_during_work_and_limits_do_not_pass() {
        let clock = VirtualClock::starting(0);
        let busy = clock.busy();
        let limit = tokio::spawn(clock.sleep(Duration::from_secs(3_600)));
        let wait = tokio::spawn(clock.sleep(Duration::from_secs(5)));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(!wait.is_finished());
        drop(busy);
        wait.await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(!limit.is_finished());
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }
}
