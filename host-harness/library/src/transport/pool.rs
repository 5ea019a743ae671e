//! Open connections: who may use which, how many there are, and when an idle one is closed.
//!
//! Connections are shared only between requests of the same plugin and pool to the same origin, so
//! that no connection that has authenticated one credential serves another.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::pieces::Pieces;
use super::quota::{Exhausted, Quota, Share};
use crate::limits::ConnectionLimits;
use crate::origin::Origin;

/// How long a request waits until another connection may be opened.
const SHARE_WAIT: Duration = Duration::from_secs(30);

/// A request's body.
pub(super) type Body = Pieces;

/// Whose connections these are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    pub(super) plugin: String,
    pub(super) pool: String,
    pub(super) origin: Origin,
    /// Whether the address may be private. What was opened with that right is not used without it.
    pub(super) private: bool,
}

/// Known protocol of an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    #[default]
    Unknown,
    Http1,
    Http2,
}

/// Opens the connections of one key.
#[derive(Default)]
pub(super) struct Opening {
    protocol: Mutex<Protocol>,
    /// Held while a connection is opened to an origin that may speak HTTP/2.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Opening {
    pub(super) fn protocol(&self) -> Protocol {
        *self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, protocol: Protocol) {
        *self.protocol.lock().unwrap_or_else(PoisonError::into_inner) = protocol;
    }
}

/// A connection. The task that drives it ends, and closes it, with the last handle.
enum Connection {
    Http1 { sender: http1::SendRequest<Body>, _task: AbortOnDropHandle<()> },
    Http2(http2::SendRequest<Body>, Arc<AbortOnDropHandle<()>>),
}

/// A connection that may be taken: idle, or one of HTTP/2 that takes further requests.
struct Kept {
    key: Arc<PoolKey>,
    /// When it was last given back.
    since: Instant,
    connection: Connection,
}

impl Kept {
    fn is_idle(&self) -> bool {
        match &self.connection {
            Connection::Http1 { .. } => true,
            Connection::Http2(_, task) => Arc::strong_count(task) == 1,
        }
    }

    fn is_closed(&self) -> bool {
        match &self.connection {
            Connection::Http1 { sender, .. } => sender.is_closed(),
            Connection::Http2(sender, _) => sender.is_closed(),
        }
    }
}

/// The connections of a transport.
pub(super) struct Pools {
    limits: ConnectionLimits,
    quota: Quota,
    state: Mutex<State>,
    /// Notified when a connection has become idle, and could be closed for another.
    idle: Notify,
    reaper: Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Default)]
struct State {
    /// In the order in which they were last used.
    kept: Vec<Kept>,
    openings: HashMap<Arc<PoolKey>, Arc<Opening>>,
}

impl Pools {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            quota: Quota::new(limits.open, limits.open_per_plugin),
            limits,
            state: Mutex::default(),
            idle: Notify::new(),
            reaper: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn opening(&self, key: &Arc<PoolKey>) -> Arc<Opening> {
        self.state().openings.entry(key.clone()).or_default().clone()
    }

    /// A connection that can be used at once.
    pub(super) fn ready(self: &Arc<Self>, key: &Arc<PoolKey>) -> Option<Leased> {
        let mut state = self.state();
        state.kept.retain(|kept| kept.key != *key || !kept.is_closed());
        // The one that was used last is the least likely to be closed by the other side.
        let at = state.kept.iter().rposition(|kept| {
            kept.key == *key
                && match &kept.connection {
                    Connection::Http1 { sender, .. } => {
                        sender.is_ready() && kept.since.elapsed() < self.limits.idle_time
                    }
                    Connection::Http2(..) => true,
                }
        })?;
        if let Connection::Http2(sender, task) = &state.kept[at].connection {
            let connection = Connection::Http2(sender.clone(), task.clone());
            return Some(self.leased(key, connection));
        }
        let kept = state.kept.remove(at);
        Some(self.leased(key, kept.connection))
    }

    /// Waits until another connection may be opened. Where that takes closing an idle one, the one
    /// that has been idle longest is closed.
    ///
    /// # Errors
    ///
    /// When none has ended within [`SHARE_WAIT`]; the text names the limit.
    pub(super) async fn share(&self, plugin: &str) -> Result<Share, String> {
        tokio::time::timeout(SHARE_WAIT, self.share_unbounded(plugin)).await.map_err(|_| {
            let (number, whose, limit) = match self.quota.exhausted(plugin) {
                Some(Exhausted::Plugin) => {
                    (self.limits.open_per_plugin, "this plugin", "open_per_plugin")
                }
                _ => (self.limits.open, "this host", "open"),
            };
            format!(
                "all {number} connections of {whose} (limit `{limit}`) are in use, and none became \
                 free within {SHARE_WAIT:?}. Send fewer concurrent requests"
            )
        })
    }

    async fn share_unbounded(&self, plugin: &str) -> Share {
        let mut share = pin!(self.quota.take(plugin));
        loop {
            let idle = self.idle.notified();
            if let Some(exhausted) = self.quota.exhausted(plugin) {
                let mut state = self.state();
                let found = state.kept.iter().position(|kept| {
                    kept.is_idle() && (exhausted == Exhausted::Process || kept.key.plugin == plugin)
                });
                if let Some(at) = found {
                    state.kept.remove(at);
                }
            }
            tokio::select! {
                biased;
                share = &mut share => return share,
                () = idle => {}
            }
        }
    }

    /// Takes a new HTTP/1.1 connection into use.
    pub(super) fn opened_http1(
        self: &Arc<Self>,
        key: &Arc<PoolKey>,
        opening: &Opening,
        sender: http1::SendRequest<Body>,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Leased {
        opening.learn(Protocol::Http1);
        let task = AbortOnDropHandle::new(tokio::spawn(driver));
        self.leased(key, Connection::Http1 { sender, _task: task })
    }

    /// Adds a new HTTP/2 connection, which other requests may share.
    pub(super) fn opened_http2(
        self: &Arc<Self>,
        key: &Arc<PoolKey>,
        opening: &Opening,
        sender: http2::SendRequest<Body>,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Leased {
        opening.learn(Protocol::Http2);
        let task = Arc::new(AbortOnDropHandle::new(tokio::spawn(driver)));
        let kept = Kept {
            key: key.clone(),
            since: Instant::now(),
            connection: Connection::Http2(sender.clone(), task.clone()),
        };
        self.state().kept.push(kept);
        self.leased(key, Connection::Http2(sender, task))
    }

    fn leased(self: &Arc<Self>, key: &Arc<PoolKey>, connection: Connection) -> Leased {
        Leased { pools: Arc::downgrade(self), key: key.clone(), connection: Some(connection) }
    }

    /// A connection is no longer used.
    fn released(self: &Arc<Self>, key: &Arc<PoolKey>, connection: Option<Connection>) {
        let mut state = self.state();
        let now = Instant::now();
        match connection {
            Some(connection) => state.kept.push(Kept { key: key.clone(), since: now, connection }),
            None => {
                let is_own = |kept: &Kept| {
                    kept.key == *key && matches!(kept.connection, Connection::Http2(..))
                };
                if let Some(at) = state.kept.iter().position(is_own) {
                    let mut kept = state.kept.remove(at);
                    kept.since = now;
                    state.kept.push(kept);
                }
            }
        }
        state.enforce(&key.plugin, &self.limits);
        drop(state);
        self.ensure_reaper();
        self.idle.notify_waiters();
    }

    /// Closes idle connections in time, whether or not anything is sent. The task ends with the
    /// transport, or with the runtime that it runs in: then the next request starts another.
    fn ensure_reaper(self: &Arc<Self>) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if reaper.as_ref().is_some_and(|reaper| !reaper.is_finished()) {
            return;
        }
        let pools = Arc::downgrade(self);
        let every = (self.limits.idle_time / 4).max(Duration::from_millis(10));
        *reaper = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(pools) = pools.upgrade() else { return };
                pools.state().reap(&pools.limits);
            }
        })));
    }
}

impl State {
    /// Closes the connections of a plugin, and of the process, that are beyond what may be idle.
    fn enforce(&mut self, plugin: &str, limits: &ConnectionLimits) {
        loop {
            let idle = || self.kept.iter().filter(|kept| kept.is_idle());
            let own = || idle().filter(|kept| kept.key.plugin == plugin);
            let (of_process, of_plugin) = (idle().count(), own().count());
            let origins = || own().map(|kept| &kept.key).collect::<HashSet<_>>().len();
            let of_plugin_only = of_plugin > limits.idle_per_plugin
                || (of_plugin > limits.idle_origins_per_plugin
                    && origins() > limits.idle_origins_per_plugin);
            if !of_plugin_only && of_process <= limits.idle {
                return;
            }
            let oldest = self
                .kept
                .iter()
                .position(|kept| kept.is_idle() && (!of_plugin_only || kept.key.plugin == plugin));
            let Some(oldest) = oldest else { return };
            self.kept.remove(oldest);
        }
    }

    /// Closes what has been idle too long, and forgets origins that have no connection.
    fn reap(&mut self, limits: &ConnectionLimits) {
        self.kept.retain(|kept| {
            let is_over = kept.is_idle() && kept.since.elapsed() >= limits.idle_time;
            !is_over && !kept.is_closed()
        });
        let kept: HashSet<&Arc<PoolKey>> = self.kept.iter().map(|kept| &kept.key).collect();
        self.openings.retain(|key, opening| kept.contains(key) || Arc::strong_count(opening) > 1);
    }
}

/// A connection in use. Dropping it closes one of HTTP/1.1, whose answer may not have been read, and
/// gives back one of HTTP/2.
pub(super) struct Leased {
    pools: Weak<Pools>,
    key: Arc<PoolKey>,
    connection: Option<Connection>,
}

impl Leased {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.connection, Some(Connection::Http2(..)))
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self.connection.as_mut().expect("it is taken only at the end") {
            Connection::Http1 { sender, .. } => sender.try_send_request(request).await,
            Connection::Http2(sender, _) => sender.try_send_request(request).await,
        }
    }

    /// Gives the connection back, once its answer has been read to the end.
    pub(super) async fn give_back(mut self) {
        if let Some(Connection::Http1 { sender, .. }) = &mut self.connection {
            // It is free again once its driver has seen the end of the body.
            if sender.ready().await.is_ok()
                && let Some(pools) = self.pools.upgrade()
            {
                let connection = self.connection.take();
                pools.released(&self.key, connection);
            }
        }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(connection @ Connection::Http2(..)) = self.connection.take() {
            // First, so that the connection counts as idle where this was its last user.
            drop(connection);
            if let Some(pools) = self.pools.upgrade() {
                pools.released(&self.key, None);
            }
        }
    }
}
