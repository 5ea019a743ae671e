//! What runs in a worker process: compiling, or one guest after the other.
//!
//! The worker trusts its host and nobody else. It owns no state that outlives it: the host may kill
//! it at any moment.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::time::Timespec;
use wasmtime::component::{Component, HasData, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::confine::{self, Role};
use super::wire::{self, Answer, Call, FromWorker, Named, PREFIX, Seen, ToWorker};
use crate::bindings::workflow::node as contract;
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::{Json, OutputItem};
use crate::bindings::workflow::node::{completions, context, http, timer, types};
use crate::clock::processor_time;
use crate::description::Description;
use crate::host::engine_config;
use crate::imports::{WasiState, add_wasi_to_linker, draw, not_named, random_length};
use crate::limits::exceeded;
use crate::plugin::{Exports, Invocation, Linked, MemoryLimit, trap_text};
use crate::ticker::TICK;

/// Messages that need no answer are sent when so many bytes have gathered, or when the guest waits.
const GATHERED: usize = 64 * 1024;
/// A guest waits until the engine has taken its output when so many bytes are on their way.
const NOT_TAKEN: usize = 256 * 1024;
/// Documents and components are not bounded by a worker: its memory is, and the host has bounded
/// what it sends.
const MOST: usize = u32::MAX as usize;

/// Serves a host until it closes the socket. A worker's `main` calls this before anything else: no
/// thread may have been started, and no file opened. The socket is standard input.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if std::env::args().nth(1).as_deref() == Some("worker") {
///         return workflow_node_host::worker::run();
///     }
///     // The program itself.
///     std::process::ExitCode::SUCCESS
/// }
/// ```
pub fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Confines this process as a worker that runs guests is confined, and returns. For tests, which
/// then try what a guest could do that has taken its worker over.
///
/// # Errors
///
/// When the system refuses a layer that it has.
#[doc(hidden)]
pub fn confine_for_test() -> io::Result<()> {
    confine::close_inherited()?;
    confine::begin(&[], 1 << 30)?;
    confine::finish(Role::Guest)
}

fn serve() -> io::Result<()> {
    confine::close_inherited()?;
    let mut socket = Socket::of_standard_input();
    let mut guest: Option<Guest> = None;
    let mut is_compiler = false;
    while let Some(frame) = socket.receive()? {
        match wire::decode(&frame)? {
            ToWorker::Compile { data } => {
                let [input, output] = socket.receive_files()?;
                if !std::mem::replace(&mut is_compiler, true) {
                    confine::begin(&[], data)?;
                    confine::finish(Role::Compiler)?;
                }
                let compiled = compile(input.into(), output.into())?;
                socket.send(&FromWorker::Compiled(compiled))?;
            }
            ToWorker::Check { node, credential_types, triggers, limits } => {
                if !is_compiler {
                    return Err(io::Error::other("only a compiler checks documents"));
                }
                let read =
                    Description::read(&node, &credential_types, triggers.as_deref(), &limits);
                let checked =
                    read.map(drop).map_err(|error| (error.document.into_owned(), error.problem));
                socket.send(&FromWorker::Checked(checked))?;
            }
            ToWorker::Load { has_triggers, data } => {
                let [code] = socket.receive_files()?;
                if is_compiler || guest.is_some() {
                    return Err(io::Error::other("a worker loads one component"));
                }
                confine::begin(&[code.as_fd()], data)?;
                let loaded = Guest::load(&code, has_triggers, &socket);
                drop(code);
                confine::finish(Role::Guest)?;
                let answer = match loaded? {
                    Ok(loaded) => {
                        guest = Some(loaded);
                        Ok(())
                    }
                    Err(problem) => Err(problem),
                };
                socket.send(&FromWorker::Loaded(answer))?;
            }
            ToWorker::Call(call) => {
                let guest = guest.as_mut().ok_or_else(|| io::Error::other("nothing is loaded"))?;
                socket = guest.call(socket, *call)?;
            }
            ToWorker::Reset => {
                if let Some(guest) = &mut guest {
                    guest.instance = None;
                }
            }
            ToWorker::Named(_) | ToWorker::Answer(..) | ToWorker::Seen(_) | ToWorker::Key(_) => {
                return Err(io::Error::other("an answer without a question"));
            }
        }
    }
    Ok(())
}

/// Validates and compiles a component, and writes the code.
fn compile(mut input: File, mut output: File) -> io::Result<Result<crate::Surface, String>> {
    let mut bytes = Vec::new();
    input.rewind()?;
    input.read_to_end(&mut bytes)?;
    let surface = match crate::inspection::inspect(&bytes) {
        Ok(surface) => surface,
        Err(error) => return Ok(Err(error.into_refusal())),
    };
    let engine = Engine::new(&engine_config()).map_err(io::Error::other)?;
    match engine.precompile_component(&bytes) {
        Ok(code) => {
            output.write_all(&code)?;
            Ok(Ok(surface))
        }
        Err(error) => Ok(Err(format!("it cannot be compiled: {error:#}"))),
    }
}

/// The connection to the host.
struct Socket {
    stream: UnixStream,
    gathered: Vec<u8>,
}

impl Socket {
    fn of_standard_input() -> Self {
        #[allow(unsafe_code)]
        // SAFETY: standard input is open, and nothing else in this process uses it.
        let stream = unsafe { OwnedFd::from_raw_fd(0) };
        Self { stream: stream.into(), gathered: Vec::new() }
    }

    /// The next message; `None` when the host has closed the socket.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut prefix = [0; PREFIX];
        match self.stream.read_exact(&mut prefix) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut frame = vec![0; wire::length(prefix, MOST)?];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame))
    }

    /// An answer with the body that follows.
    fn with_body(&mut self, answer: Answer) -> io::Result<Result<Response, SendError>> {
        let mut body = vec![0; usize::try_from(answer.length()).map_err(io::Error::other)?];
        self.stream.read_exact(&mut body)?;
        Ok(answer.with_body(body))
    }

    /// The descriptors that the host sends after a message.
    fn receive_files<const COUNT: usize>(&mut self) -> io::Result<[OwnedFd; COUNT]> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        recvmsg(&self.stream, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut files = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors);
            }
        }
        files.try_into().map_err(|_| io::Error::other("descriptors are missing"))
    }

    /// Keeps a message until the guest waits.
    fn gather(&mut self, message: &FromWorker) -> io::Result<()> {
        wire::encode(message, &mut self.gathered)?;
        if self.gathered.len() > GATHERED { self.flush() } else { Ok(()) }
    }

    fn send(&mut self, message: &FromWorker) -> io::Result<()> {
        wire::encode(message, &mut self.gathered)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Asks the host, and waits for its answer.
    fn ask(&mut self, message: &FromWorker) -> wasmtime::Result<ToWorker> {
        self.send(message)?;
        match self.receive()? {
            Some(frame) => Ok(wire::decode(&frame)?),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
}

fn confused() -> wasmtime::Error {
    wasmtime::Error::msg("the host has answered another question")
}

/// A component that was loaded, and the instance of the last call.
struct Guest {
    engine: Engine,
    linked: Linked<State>,
    ticker: Arc<Ticker>,
    runtime: tokio::runtime::Runtime,
    instance: Option<(Store<State>, Exports, usize)>,
}

impl Guest {
    /// The inner error is the component's fault.
    fn load(
        code: &OwnedFd,
        has_triggers: bool,
        socket: &Socket,
    ) -> io::Result<Result<Self, String>> {
        let engine = Engine::new(&engine_config()).map_err(io::Error::other)?;
        let path = format!("/proc/self/fd/{}", code.as_raw_fd());
        #[allow(unsafe_code)]
        // SAFETY: the host has passed a file that a compiler has written for it, and that nobody
        // else can write; wasmtime checks version and settings again. Should the compiler have been
        // taken over, this process is all that it can reach.
        let component =
            unsafe { Component::deserialize_file(&engine, path) }.map_err(io::Error::other)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(io::Error::other)?;
        let linked = match linker.instantiate_pre(&component) {
            Ok(pre) => Linked::new(pre, has_triggers)
                .map_err(|error| format!("its exports are not the contract's: {error:#}")),
            Err(error) => Err(format!("it cannot be linked: {error:#}")),
        };
        let linked = match linked {
            Ok(linked) => linked,
            Err(problem) => return Ok(Err(problem)),
        };
        let ticker = Ticker::start(engine.clone(), socket.stream.try_clone()?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Ok(Self { engine, linked, ticker, runtime, instance: None }))
    }

    fn call(&mut self, socket: Socket, call: Call) -> io::Result<Socket> {
        let imports = Imports::new(socket, &call);
        let guest_time = Duration::from_millis(call.guest_time_ms);
        let former = self.instance.take().filter(|_| call.reuse);
        let (mut store, exports) = match former {
            Some((mut store, exports, initial)) => {
                let state = store.data_mut();
                state.imports = imports;
                state.begun = processor_time();
                store.set_hostcall_fuel(usize::try_from(call.host_call).unwrap_or(usize::MAX));
                (store, Some((exports, initial)))
            }
            None => (self.new_store(imports, &call, guest_time), None),
        };
        let _ticking = self.ticker.run();
        let invocation = &call.invocation;
        let linked = &self.linked;
        let result = self.runtime.block_on(async {
            let (exports, initial) = match exports {
                Some(known) => known,
                None => {
                    let exports = linked.instantiate(&mut store).await?;
                    let initial = store.data().memory.total();
                    (exports, initial)
                }
            };
            let returned = invocation.invoke(&exports, &mut store).await?;
            Ok::<_, wasmtime::Error>((returned, exports, initial))
        });
        let message = match result {
            Ok((returned, exports, initial)) => {
                let memory = store.data().memory.total() as u64;
                let message = FromWorker::Returned { returned, memory, initial: initial as u64 };
                let socket = store.data_mut().imports.socket.take();
                if let Invocation::Execute(_) = invocation {
                    self.instance = Some((store, exports, initial));
                }
                (message, socket)
            }
            Err(error) => {
                let message = store.data().memory.explain(trap_text(&error));
                (FromWorker::Stopped { message }, store.data_mut().imports.socket.take())
            }
        };
        let (message, socket) = message;
        let mut socket = socket.ok_or_else(|| io::Error::other("the socket is gone"))?;
        socket.send(&message)?;
        Ok(socket)
    }

    fn new_store(&self, imports: Imports, call: &Call, guest_time: Duration) -> Store<State> {
        let state = State {
            imports,
            wasi: WasiState::new(),
            memory: MemoryLimit::new(usize::try_from(call.memory).unwrap_or(usize::MAX)),
            begun: processor_time(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(call.host_call).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |store| {
            if processor_time().saturating_sub(store.data().begun) > guest_time {
                wasmtime::bail!("it computed for longer than {guest_time:?}");
            }
            Ok(UpdateDeadline::Continue(1))
        });
        store
    }
}

/// Advances the engine's epoch while a call runs, and ends the process when the host is gone.
struct Ticker {
    is_running: Mutex<bool>,
    changed: Condvar,
}

impl Ticker {
    fn start(engine: Engine, socket: UnixStream) -> io::Result<Arc<Self>> {
        let ticker = Arc::new(Self { is_running: Mutex::new(false), changed: Condvar::new() });
        let own = ticker.clone();
        std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            loop {
                let running = own.is_running.lock().unwrap_or_else(PoisonError::into_inner);
                let running = own.changed.wait_while(running, |is_running| !*is_running);
                drop(running.unwrap_or_else(PoisonError::into_inner));
                std::thread::sleep(TICK);
                engine.increment_epoch();
                let mut polled = [PollFd::new(&socket, PollFlags::empty())];
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                if poll(&mut polled, Some(&now)).is_ok_and(|count| count > 0) {
                    std::process::exit(1);
                }
            }
        })?;
        Ok(ticker)
    }

    fn run(self: &Arc<Self>) -> Ticking {
        self.set(true);
        Ticking(self.clone())
    }

    fn set(&self, is_running: bool) {
        *self.is_running.lock().unwrap_or_else(PoisonError::into_inner) = is_running;
        self.changed.notify_one();
    }
}

struct Ticking(Arc<Ticker>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The state of a store.
struct State {
    imports: Imports,
    wasi: WasiState,
    memory: MemoryLimit,
    /// Processor time of the thread when the call began.
    begun: Duration,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

struct HasImports;

impl HasData for HasImports {
    type Data<'a> = &'a mut Imports;
}

fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    contract::types::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::completions::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::timer::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::http::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    contract::context::add_to_linker::<_, HasImports>(linker, |state| &mut state.imports)?;
    add_wasi_to_linker(linker)
}

/// What has come of a request.
type Answered = Result<Response, SendError>;

/// The contract's imports. What the guest waits for, the host does.
struct Imports {
    /// Taken back after the call.
    socket: Option<Socket>,
    seen: Seen,
    seed: u64,
    drawn: u64,
    keys: Vec<String>,
    credentials: HashMap<String, context::CredentialView>,
    last_ticket: u64,
    open: HashSet<u64>,
    /// Tickets that the host has named and the guest has not been told of.
    named: VecDeque<(u64, Option<Answered>, Seen)>,
    answers: HashMap<u64, Answered>,
    /// Calls of the host, and how many there may be.
    calls: u32,
    most_calls: u32,
    /// Bytes of output that the engine may not have taken yet.
    not_taken: usize,
}

impl Imports {
    fn new(socket: Socket, call: &Call) -> Self {
        Self {
            socket: Some(socket),
            seen: call.seen,
            seed: call.seed,
            drawn: 0,
            keys: call.keys.clone(),
            credentials: call.credentials.iter().cloned().collect(),
            last_ticket: 0,
            open: HashSet::new(),
            named: VecDeque::new(),
            answers: HashMap::new(),
            calls: 0,
            most_calls: call.host_calls,
            not_taken: 0,
        }
    }

    fn socket(&mut self) -> wasmtime::Result<&mut Socket> {
        self.socket.as_mut().ok_or_else(|| wasmtime::Error::msg("the call has ended"))
    }

    /// Counts a call of the host. The host counts those that reach it.
    fn count(&mut self) -> wasmtime::Result<()> {
        self.calls += 1;
        if self.calls > self.most_calls {
            let what = "the number of its calls of the host";
            return Err(wasmtime::Error::msg(exceeded(what, "host_calls", self.most_calls)));
        }
        Ok(())
    }

    fn start(&mut self, message: &FromWorker) -> wasmtime::Result<u64> {
        self.socket()?.gather(message)?;
        self.last_ticket += 1;
        self.open.insert(self.last_ticket);
        Ok(self.last_ticket)
    }
}

impl types::Host for Imports {}

impl completions::Host for Imports {
    async fn next(&mut self) -> wasmtime::Result<Option<u64>> {
        self.count()?;
        loop {
            while let Some((ticket, answer, seen)) = self.named.pop_front() {
                // One that the guest has cancelled meanwhile is not named.
                if !self.open.remove(&ticket) {
                    continue;
                }
                self.seen = seen;
                if let Some(answer) = answer {
                    self.answers.insert(ticket, answer);
                }
                return Ok(Some(ticket));
            }
            let ToWorker::Named(named) = self.socket()?.ask(&FromWorker::Next)? else {
                return Err(confused());
            };
            if named.is_empty() {
                return Ok(None);
            }
            for Named { ticket, answer, seen } in named {
                let answer = match answer {
                    Some(answer) => Some(self.socket()?.with_body(answer)?),
                    None => None,
                };
                self.named.push_back((ticket, answer, seen));
            }
        }
    }

    async fn cancel(&mut self, ticket: u64) -> wasmtime::Result<()> {
        self.count()?;
        self.open.remove(&ticket);
        self.answers.remove(&ticket);
        Ok(self.socket()?.gather(&FromWorker::Cancel(ticket))?)
    }
}

impl timer::Host for Imports {
    async fn after(&mut self, duration: u64) -> wasmtime::Result<u64> {
        self.count()?;
        self.start(&FromWorker::After(duration))
    }
}

impl http::Host for Imports {
    async fn submit(&mut self, request: Request) -> wasmtime::Result<u64> {
        self.count()?;
        self.start(&FromWorker::Submit(request.into()))
    }

    async fn take(&mut self, ticket: u64) -> wasmtime::Result<Result<Response, SendError>> {
        self.count()?;
        match self.answers.remove(&ticket) {
            Some(answer) => Ok(answer),
            None => Err(not_named(ticket)),
        }
    }

    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, SendError>> {
        self.count()?;
        match self.socket()?.ask(&FromWorker::Send(request.into()))? {
            ToWorker::Answer(answer, seen) => {
                self.seen = seen;
                Ok(self.socket()?.with_body(answer)?)
            }
            _ => Err(confused()),
        }
    }
}

impl context::Host for Imports {
    async fn log(
        &mut self,
        level: context::Level,
        message: String,
        fields: Json,
    ) -> wasmtime::Result<()> {
        self.count()?;
        Ok(self.socket()?.gather(&FromWorker::Log { level, message, fields })?)
    }

    async fn progress(
        &mut self,
        done: u64,
        total: Option<u64>,
        message: String,
    ) -> wasmtime::Result<()> {
        self.count()?;
        Ok(self.socket()?.gather(&FromWorker::Progress { done, total, message })?)
    }

    async fn emit(&mut self, item: u32, outputs: Vec<OutputItem>) -> wasmtime::Result<()> {
        self.count()?;
        self.not_taken += outputs.iter().map(|output| output.json.len() + 64).sum::<usize>();
        self.socket()?.gather(&FromWorker::Emit { item, outputs })?;
        if self.not_taken < NOT_TAKEN {
            return Ok(());
        }
        self.not_taken = 0;
        match self.socket()?.ask(&FromWorker::Taken)? {
            ToWorker::Seen(seen) => {
                self.seen = seen;
                Ok(())
            }
            _ => Err(confused()),
        }
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.count()?;
        Ok(self.seen.cancelled)
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.count()?;
        Ok(self.seen.now)
    }

    async fn deadline(&mut self) -> wasmtime::Result<Option<u64>> {
        self.count()?;
        Ok(self.seen.deadline)
    }

    async fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        let length = random_length(length)?;
        Ok(draw(self.seed, &mut self.drawn, length))
    }

    async fn idempotency_key(&mut self, item: u32) -> wasmtime::Result<String> {
        self.count()?;
        if let Some(key) = self.keys.get(item as usize) {
            return Ok(key.clone());
        }
        match self.socket()?.ask(&FromWorker::Key(item))? {
            ToWorker::Key(key) => Ok(key),
            _ => Err(confused()),
        }
    }

    async fn credential(
        &mut self,
        slot: String,
    ) -> wasmtime::Result<Option<context::CredentialView>> {
        self.count()?;
        Ok(self.credentials.get(&slot).cloned())
    }
}
