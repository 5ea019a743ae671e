//! Starts workers, keeps idle ones, and ends them.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{WorkerCommand, wire};
use crate::digest::Digest;
use crate::limits::WorkerLimits;
use crate::principal::Principal;

/// How often idle workers are looked at.
const REAPED: Duration = Duration::from_millis(500);

/// Whose a worker is. It never serves anybody else: should a guest take its worker over, it meets
/// only what the same plugin would have been given for the same user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) plugin: Digest,
    /// The principal of the execution; `None` for calls without one.
    pub(crate) principal: Option<Principal>,
    /// Memory that the worker may use, in bytes.
    pub(crate) data: u64,
}

/// Workers of a host.
pub(crate) struct Workers {
    command: WorkerCommand,
    limits: WorkerLimits,
    /// Whether guests are metered.
    metered: bool,
    running: Arc<Semaphore>,
    /// By owner, each since when; the least recently used first.
    idle: Mutex<HashMap<Owner, Vec<(Instant, Worker)>>>,
    processes: Arc<Mutex<BTreeSet<u32>>>,
    /// Takes the processes that were killed, to wait for their end.
    ended: mpsc::Sender<Child>,
}

impl Workers {
    pub(crate) fn new(
        command: WorkerCommand,
        limits: WorkerLimits,
        metered: bool,
    ) -> io::Result<Arc<Self>> {
        let (ended, children) = mpsc::channel();
        let workers = Arc::new(Self {
            command,
            running: Arc::new(Semaphore::new(limits.workers)),
            limits,
            metered,
            idle: Mutex::default(),
            processes: Arc::default(),
            ended,
        });
        let pool = Arc::downgrade(&workers);
        std::thread::Builder::new()
            .name("workflow-node-reaper".into())
            .spawn(move || look_after(&pool, &children))?;
        Ok(workers)
    }

    /// Whether guests are metered.
    pub(crate) fn metered(&self) -> bool {
        self.metered
    }

    pub(crate) fn limits(&self) -> &WorkerLimits {
        &self.limits
    }

    /// A worker of this owner: an idle one, or one that has not been told what to do (`false`).
    pub(crate) async fn lease(self: &Arc<Self>, owner: Owner) -> io::Result<(Lease, bool)> {
        let permit = self.running.clone().acquire_owned().await.map_err(io::Error::other)?;
        let known = lock(&self.idle).get_mut(&owner).and_then(Vec::pop);
        let (mut worker, is_loaded) = match known {
            Some((_, worker)) => (worker, true),
            None => (self.blank().await?, false),
        };
        worker.executions += 1;
        Ok((Lease { worker: Some(worker), pool: self.clone(), owner, _permit: permit }, is_loaded))
    }

    /// A worker that has not been told what to do.
    pub(super) async fn blank(self: &Arc<Self>) -> io::Result<Worker> {
        // Starting a process holds up the thread that does it.
        let pool = self.clone();
        tokio::task::spawn_blocking(move || pool.start()).await.map_err(io::Error::other)?
    }

    fn start(&self) -> io::Result<Worker> {
        let (own, theirs) = UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let child = Command::new(&self.command.program)
            .args(&self.command.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the host alone, which lets executions end.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let program = self.command.program.display();
                io::Error::new(error.kind(), format!("cannot start the worker {program}: {error}"))
            })?;
        lock(&self.processes).insert(child.id());
        Ok(Worker {
            child: Some(child),
            processes: self.processes.clone(),
            stream: own,
            executions: 0,
            ended: self.ended.clone(),
        })
    }

    /// Ends workers that nobody has used for a while.
    fn reap(&self) {
        let kept = self.limits.idle_time;
        let mut old = Vec::new();
        {
            let mut idle = lock(&self.idle);
            let is_old = |(since, _): &mut (Instant, Worker)| since.elapsed() > kept;
            for workers in idle.values_mut() {
                old.extend(workers.extract_if(.., is_old));
            }
            idle.retain(|_, workers| !workers.is_empty());
        }
        // Killed outside of the lock.
        drop(old);
    }

    fn put_back(&self, owner: Owner, worker: Worker) {
        if worker.executions >= self.limits.executions {
            return;
        }
        let mut idle = lock(&self.idle);
        if idle.values().map(Vec::len).sum::<usize>() < self.limits.idle {
            idle.entry(owner).or_default().push((Instant::now(), worker));
        }
    }

    /// Process IDs of all workers.
    pub(crate) fn processes(&self) -> Vec<u32> {
        lock(&self.processes).iter().copied().collect()
    }
}

/// Waits for the end of workers that were killed, and ends those that are idle, until the pool and
/// all its workers are gone.
fn look_after(pool: &Weak<Workers>, children: &mpsc::Receiver<Child>) {
    loop {
        match children.recv_timeout(REAPED) {
            Ok(mut child) => {
                if let Err(error) = child.wait() {
                    tracing::debug!(%error, "cannot wait for the end of a worker");
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some(pool) = pool.upgrade() {
                    pool.reap();
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker process. Dropping it kills it.
pub(super) struct Worker {
    child: Option<Child>,
    /// Not blocking.
    stream: UnixStream,
    executions: u32,
    processes: Arc<Mutex<BTreeSet<u32>>>,
    ended: mpsc::Sender<Child>,
}

impl Worker {
    /// How the process has ended, in words; called when its socket was closed.
    async fn end(&mut self) -> String {
        let Some(child) = &mut self.child else { return "it was killed".into() };
        // The socket closes a moment before the process is gone.
        let patience = Instant::now() + Duration::from_millis(200);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return match (status.signal(), status.code()) {
                        (Some(signal), _) => format!("signal {signal}"),
                        (None, code) => format!("exit code {}", code.unwrap_or_default()),
                    };
                }
                Ok(None) if Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                _ => return "it closed its socket".into(),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            lock(&self.processes).remove(&child.id());
            if let Err(error) = child.kill() {
                tracing::debug!(%error, "a worker had ended already");
            }
            drop(self.ended.send(child));
        }
    }
}

/// A worker that serves one execution. Dropping it kills the worker: only one whose last call has
/// ended is given back.
pub(crate) struct Lease {
    worker: Option<Worker>,
    pool: Arc<Workers>,
    owner: Owner,
    /// The worker's place among those that run.
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Lets the worker be used again.
    pub(crate) fn give_back(mut self) {
        let Some(worker) = self.worker.take() else { return };
        let mut frame = Vec::new();
        // The contents of the guest's memory do not outlive the execution.
        let reset = wire::encode(&wire::ToWorker::Reset, &mut frame)
            .and_then(|()| io::Write::write_all(&mut &worker.stream, &frame));
        if reset.is_ok() {
            self.pool.put_back(self.owner.clone(), worker);
        }
    }

    /// Whether the worker meters its guest.
    pub(crate) fn is_metered(&self) -> bool {
        self.pool.metered
    }

    /// The connection, for as long as a call lasts.
    pub(super) fn link(&mut self) -> io::Result<Link<'_>> {
        let worker =
            self.worker.as_mut().ok_or_else(|| io::Error::other("the worker has ended"))?;
        Link::new(worker)
    }
}

/// Bytes of a buffer that is kept for the next message. What a large one has taken is given back.
const KEPT: usize = 256 * 1024;

/// Bytes of messages that are handled before other work of the executor gets its turn. A worker may have
/// sent thousands of messages at once, none of which waits for anything.
const TURN: usize = 32 * 1024;

/// The connection to a worker.
pub(super) struct Link<'a> {
    worker: &'a mut Worker,
    stream: tokio::net::UnixStream,
    inbox: Vec<u8>,
    /// Where the next frame begins.
    read: usize,
    /// Bytes of messages since the last turn of other work.
    turn: usize,
    outbox: Vec<u8>,
}

impl<'a> Link<'a> {
    pub(super) fn new(worker: &'a mut Worker) -> io::Result<Self> {
        let stream = tokio::net::UnixStream::from_std(worker.stream.try_clone()?)?;
        Ok(Self { worker, stream, inbox: Vec::new(), read: 0, turn: 0, outbox: Vec::new() })
    }

    pub(super) async fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.send_with(message, &[]).await
    }

    /// Sends a message and what follows it.
    pub(super) async fn send_with(
        &mut self,
        message: &impl Serialize,
        bodies: &[Vec<u8>],
    ) -> io::Result<()> {
        self.outbox.clear();
        wire::encode(message, &mut self.outbox)?;
        // Small ones are written at once.
        let mut large = None;
        for (at, body) in bodies.iter().enumerate() {
            if self.outbox.len() + body.len() > KEPT {
                large = Some(at);
                break;
            }
            self.outbox.extend_from_slice(body);
        }
        let mut sent = self.stream.write_all(&self.outbox).await;
        for body in large.map_or(&[][..], |at| &bodies[at..]) {
            if sent.is_ok() {
                sent = self.stream.write_all(body).await;
            }
        }
        if self.outbox.capacity() > KEPT {
            self.outbox = Vec::new();
        }
        match sent {
            Ok(()) => Ok(()),
            Err(error) => Err(self.ended(error).await),
        }
    }

    /// Why a worker does not answer any more.
    async fn ended(&mut self, error: io::Error) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionReset | UnexpectedEof => {
                let end = self.worker.end().await;
                io::Error::other(format!("its worker process ended unexpectedly ({end})"))
            }
            _ => error,
        }
    }

    /// Sends descriptors after a message.
    pub(super) async fn send_files(&mut self, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            self.stream.writable().await?;
            let sent = self.stream.try_io(tokio::io::Interest::WRITABLE, || {
                let mut space =
                    [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                control.push(SendAncillaryMessage::ScmRights(files));
                let byte = [io::IoSlice::new(&[0])];
                sendmsg(self.worker.stream.as_fd(), &byte, &mut control, SendFlags::empty())
                    .map_err(io::Error::from)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map(drop),
            }
        }
    }

    /// The next message, of at most so many bytes.
    pub(super) async fn receive<T: serde::de::DeserializeOwned>(
        &mut self,
        most: usize,
    ) -> io::Result<T> {
        let length = loop {
            let rest = &self.inbox[self.read..];
            let mut missing = 0;
            if let Some((prefix, rest)) = rest.split_first_chunk::<{ wire::PREFIX }>() {
                let length = wire::length(*prefix, most)?;
                if rest.len() >= length {
                    break length;
                }
                missing = length - rest.len();
            }
            self.inbox.drain(..self.read);
            self.read = 0;
            self.inbox.reserve_exact(missing.max(64 * 1024));
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => return Err(self.ended(io::ErrorKind::UnexpectedEof.into()).await),
                Ok(_) => {}
                Err(error) => return Err(self.ended(error).await),
            }
        };
        self.turn += length;
        if self.turn >= TURN {
            self.turn = 0;
            tokio::task::yield_now().await;
        }
        let start = self.read + wire::PREFIX;
        let message = wire::decode(&self.inbox[start..start + length]);
        self.read = start + length;
        if self.read == self.inbox.len() {
            self.inbox.clear();
            self.read = 0;
            if self.inbox.capacity() > KEPT {
                self.inbox = Vec::new();
            }
        }
        message
    }
}
