//! The imports of the contract for guests that are metered: each reads fuel and memory before it
//! does what the ordinary import does. Ordinary linkers do not hold these, so that guests that are
//! not metered pay nothing.

use wasmtime::component::Linker;
use wasmtime::{Store, StoreContextMut};

use crate::bindings::workflow::node::types::{Error, Json, OutputItem};
use crate::bindings::workflow::node::{completions, context, http, timer};
use crate::metering::{HostFunction, Meter, MeterEvent};

/// The state of a store whose guest may be metered.
pub(crate) trait MeteredState: Send + Sized + 'static {
    /// The ordinary imports.
    type Imports<'a>: completions::Host + timer::Host + http::Host + context::Host + Send
    where
        Self: 'a;

    /// The ordinary imports.
    fn imports(&mut self) -> Self::Imports<'_>;

    /// The meter of the running call, `None` if the guest is not metered, and the guest's linear memory in bytes.
    fn meter(&mut self) -> (&mut Option<Meter>, usize);

    /// Takes an event of the meter.
    fn metered(&mut self, event: MeterEvent) -> wasmtime::Result<()>;
}

/// Meters the call that begins now, with more fuel than it can use up. Returns false if the guest
/// is not metered.
pub(crate) fn begin<T: MeteredState>(store: &mut Store<T>) -> wasmtime::Result<bool> {
    if store.data_mut().meter().0.is_none() {
        return Ok(false);
    }
    store.set_fuel(u64::MAX)?;
    *store.data_mut().meter().0 = Some(Meter::new());
    Ok(true)
}

/// The call has ended. Does nothing if the guest is not metered.
pub(crate) fn end<T: MeteredState>(store: &mut Store<T>) -> wasmtime::Result<()> {
    if store.data_mut().meter().0.is_none() {
        return Ok(());
    }
    let used = used(store.get_fuel()?);
    let state = store.data_mut();
    let (meter, memory) = state.meter();
    let Some(event) = meter.as_mut().map(|meter| meter.ended(used, memory)) else { return Ok(()) };
    state.metered(event)
}

fn used(left: u64) -> u64 {
    u64::MAX - left
}

fn called<T: MeteredState>(
    store: &mut StoreContextMut<'_, T>,
    function: HostFunction,
) -> wasmtime::Result<()> {
    let used = used(store.get_fuel()?);
    let state = store.data_mut();
    let (meter, memory) = state.meter();
    let Some(event) = meter.as_mut().map(|meter| meter.called(function, used, memory)) else {
        return Ok(());
    };
    state.metered(event)
}

fn answered<T: MeteredState>(store: &mut StoreContextMut<'_, T>) -> wasmtime::Result<()> {
    let state = store.data_mut();
    let Some(event) = state.meter().0.as_ref().map(Meter::answered) else { return Ok(()) };
    state.metered(event)
}

/// Adds one function: `name => Interface::function(arguments) -> result`, whose result is a tuple
/// as wasmtime wants it.
macro_rules! function {
    ($instance:ident, $T:ident, $Function:ident: $name:literal,
     $interface:ident::$function:ident($($argument:ident: $Type:ty),*) $(-> $returned:ident)?) => {
        $instance.func_wrap_async(
            $name,
            |mut store: StoreContextMut<'_, $T>, ($($argument,)*): ($($Type,)*)| {
                Box::new(async move {
                    called(&mut store, HostFunction::$Function)?;
                    let mut imports = store.data_mut().imports();
                    let result =
                        $interface::Host::$function(&mut imports, $($argument),*).await;
                    drop(imports);
                    answered(&mut store)?;
                    function!(@result result $($returned)?)
                })
            },
        )?
    };
    (@result $result:ident) => { $result };
    (@result $result:ident value) => { Ok(($result?,)) };
}

/// Adds `workflow:node/{types,completions,timer,http,context}` to a linker, metered.
///
/// # Errors
///
/// When the linker has one of them already.
pub(crate) fn add_metered_to_linker<T: MeteredState>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    // It has no functions.
    linker.instance("workflow:node/types@0.1.0")?;
    let mut instance = linker.instance("workflow:node/completions@0.1.0")?;
    function!(instance, T, Next: "next", completions::next() -> value);
    function!(instance, T, Cancel: "cancel", completions::cancel(ticket: u64));
    let mut instance = linker.instance("workflow:node/timer@0.1.0")?;
    function!(instance, T, After: "after", timer::after(duration: u64) -> value);
    let mut instance = linker.instance("workflow:node/http@0.1.0")?;
    function!(instance, T, Submit: "submit", http::submit(request: http::Request) -> value);
    function!(instance, T, Take: "take", http::take(ticket: u64) -> value);
    function!(instance, T, Send: "send", http::send(request: http::Request) -> value);
    add_context(linker)
}

fn add_context<T: MeteredState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    type Outcome = Result<Vec<OutputItem>, Error>;
    let mut instance = linker.instance("workflow:node/context@0.1.0")?;
    function!(instance, T, Log: "log",
        context::log(level: context::Level, message: String, fields: Json));
    function!(instance, T, Progress: "progress",
        context::progress(done: u64, total: Option<u64>, message: String));
    function!(instance, T, Emit: "emit", context::emit(item: u32, outputs: Vec<OutputItem>));
    function!(instance, T, FinishItem: "finish-item",
        context::finish_item(item: u32, outcome: Outcome));
    function!(instance, T, Cancelled: "cancelled", context::cancelled() -> value);
    function!(instance, T, Now: "now", context::now() -> value);
    function!(instance, T, Deadline: "deadline", context::deadline() -> value);
    function!(instance, T, Random: "random", context::random(length: u32) -> value);
    function!(instance, T, IdempotencyKey: "idempotency-key",
        context::idempotency_key(item: u32) -> value);
    function!(instance, T, Credential: "credential", context::credential(slot: String) -> value);
    Ok(())
}
