//! The component of a worker, and its calls.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::super::wire::{Call, FromWorker};
use super::imports::{Imports, add_to_linker};
use super::socket::Socket;
use crate::clock::processor_time;
use crate::engine::engine_config;
use crate::guest::{Exports, Invocation, Linked, MemoryLimit, Stopping};
use crate::imports::metered::{self, MeteredState};
use crate::imports::{WasiState, Written};
use crate::metering::{Meter, MeterEvent};
use crate::ticker::TICK;

/// A component that was loaded, and the instance of the last call.
pub(super) struct Guest {
    engine: Engine,
    metered: bool,
    linked: Linked<State>,
    ticker: Arc<Ticker>,
    runtime: tokio::runtime::Runtime,
    instance: Option<(Store<State>, Exports, usize)>,
}

impl Guest {
    /// The inner error is the component's fault.
    pub(super) fn load(
        code: &OwnedFd,
        has_triggers: bool,
        metered: bool,
        socket: &Socket,
    ) -> io::Result<Result<Self, String>> {
        let engine = Engine::new(&engine_config(metered)).map_err(io::Error::other)?;
        let path = format!("/proc/self/fd/{}", code.as_raw_fd());
        #[allow(unsafe_code)]
        // SAFETY: the host has passed a file that a compiler has written for it, and that nobody
        // else can write; wasmtime checks version and settings again. Should the compiler have been
        // taken over, this process is all that it can reach.
        let component =
            unsafe { Component::deserialize_file(&engine, path) }.map_err(io::Error::other)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, metered).map_err(io::Error::other)?;
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
        Ok(Ok(Self { engine, metered, linked, ticker, runtime, instance: None }))
    }

    pub(super) fn call(&mut self, socket: Socket, mut call: Call<'_>) -> io::Result<Socket> {
        let imports = Imports::new(socket, &mut call);
        let guest_time = Duration::from_millis(call.guest_time_ms);
        let former = self.instance.take().filter(|_| call.reuse);
        let (mut store, exports) = match former {
            Some((mut store, exports, initial)) => {
                let state = store.data_mut();
                state.imports = imports;
                state.begun = processor_time();
                drop(state.written.take());
                store.set_hostcall_fuel(usize::try_from(call.host_call).unwrap_or(usize::MAX));
                (store, Some((exports, initial)))
            }
            None => (self.new_store(imports, &call, guest_time), None),
        };
        let _ticking = self.ticker.run();
        let invocation = &*call.invocation;
        let linked = &self.linked;
        let result = self.runtime.block_on(async {
            metered::begin(&mut store)?;
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
        let metered = metered::end(&mut store);
        let message = match result.and_then(|ended| metered.map(|()| ended)) {
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
                let state = store.data_mut();
                let stopping = Stopping::of(&error).explained(&state.memory, &state.written);
                (FromWorker::Stopped(stopping), state.imports.socket.take())
            }
        };
        let (message, socket) = message;
        let mut socket = socket.ok_or_else(|| io::Error::other("the socket is closed"))?;
        socket.send(&message)?;
        Ok(socket)
    }

    /// Drops the instance of the last call.
    pub(super) fn reset(&mut self) {
        self.instance = None;
    }

    fn new_store(&self, imports: Imports, call: &Call<'_>, guest_time: Duration) -> Store<State> {
        let written = Written::new(usize::try_from(call.written).unwrap_or(usize::MAX));
        let state = State {
            imports,
            wasi: WasiState::new(&written),
            written,
            memory: MemoryLimit::new(usize::try_from(call.memory).unwrap_or(usize::MAX)),
            begun: processor_time(),
            meter: self.metered.then(Meter::new),
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
pub(super) struct State {
    pub(super) imports: Imports,
    wasi: WasiState,
    written: Written,
    memory: MemoryLimit,
    /// Processor time of the thread when the call began.
    begun: Duration,
    /// Of the running call, if the guest is metered.
    meter: Option<Meter>,
}

impl MeteredState for State {
    type Imports<'a> = &'a mut Imports;

    fn imports(&mut self) -> &mut Imports {
        &mut self.imports
    }

    fn meter(&mut self) -> (&mut Option<Meter>, usize) {
        (&mut self.meter, self.memory.total())
    }

    fn metered(&mut self, event: MeterEvent) -> wasmtime::Result<()> {
        self.imports.metered(event)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.wasi.http_view()
    }
}
