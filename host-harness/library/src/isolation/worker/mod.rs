//! Code that runs in a worker process: compiles components, or runs one guest after another.
//!
//! The worker trusts its host and nobody else. It owns no state that outlives it: the host may kill
//! it at any moment.

mod guest;
mod imports;
mod socket;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use guest::Guest;
use socket::Socket;
use wasmtime::Engine;

use super::confine::{self, Role};
use super::wire::{self, FromWorker, ToWorker};
use crate::description::Description;
use crate::engine::engine_config;

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

/// Confines this process as a worker that runs guests is confined, and returns; with
/// `is_seccomp_missing` as on a system without seccomp. For tests, which then try what a guest could
/// do that has taken its worker over.
///
/// # Errors
///
/// When the system refuses a layer that it has.
#[doc(hidden)]
pub fn confine_for_test(is_seccomp_missing: bool) -> io::Result<()> {
    confine::close_inherited()?;
    confine::begin(&[], 1 << 30)?;
    if is_seccomp_missing { Ok(()) } else { confine::finish(Role::Guest) }
}

fn serve() -> io::Result<()> {
    confine::close_inherited()?;
    let mut socket = Socket::of_standard_input();
    let mut guest: Option<Guest> = None;
    let mut is_compiler = false;
    while let Some(frame) = socket.receive()? {
        match wire::decode(&frame)? {
            ToWorker::Compile { data, metered } => {
                let [input, output] = socket.receive_files()?;
                if !std::mem::replace(&mut is_compiler, true) {
                    confine::begin(&[], data)?;
                    confine::finish(Role::Compiler)?;
                }
                let compiled = compile(input.into(), output.into(), metered)?;
                socket.send(&FromWorker::Compiled(compiled))?;
            }
            ToWorker::Check { node, credential_types, triggers, limits } => {
                if !is_compiler {
                    return Err(io::Error::other("only a compiling worker checks documents"));
                }
                let read =
                    Description::read(&node, &credential_types, triggers.as_deref(), &limits);
                let checked =
                    read.map(drop).map_err(|error| (error.document.into_owned(), error.problem));
                socket.send(&FromWorker::Checked(checked))?;
            }
            ToWorker::Load { has_triggers, data, metered } => {
                let [code] = socket.receive_files()?;
                if is_compiler || guest.is_some() {
                    return Err(io::Error::other("a worker loads one component"));
                }
                confine::begin(&[code.as_fd()], data)?;
                let loaded = Guest::load(&code, has_triggers, metered, &socket);
                drop(code);
                confine::finish(Role::Guest)?;
                let loaded = loaded?.map(|loaded| guest = Some(loaded));
                socket.send(&FromWorker::Loaded(loaded))?;
            }
            ToWorker::Call(call) => {
                let guest =
                    guest.as_mut().ok_or_else(|| io::Error::other("no component is loaded"))?;
                socket = guest.call(socket, *call)?;
            }
            ToWorker::Reset => {
                if let Some(guest) = &mut guest {
                    guest.reset();
                }
            }
            ToWorker::Named(_) | ToWorker::Answer(..) | ToWorker::Seen(_) | ToWorker::Key(_) => {
                return Err(io::Error::other("an unexpected response"));
            }
        }
    }
    Ok(())
}

/// Validates and compiles a component, and writes the code.
fn compile(
    mut input: File,
    mut output: File,
    metered: bool,
) -> io::Result<Result<crate::Surface, String>> {
    let mut bytes = Vec::new();
    input.rewind()?;
    input.read_to_end(&mut bytes)?;
    let surface = match crate::inspection::inspect(&bytes) {
        Ok(surface) => surface,
        Err(error) => return Ok(Err(error.into_refusal())),
    };
    let engine = Engine::new(&engine_config(metered)).map_err(io::Error::other)?;
    match engine.precompile_component(&bytes) {
        Ok(code) => {
            output.write_all(&code)?;
            Ok(Ok(surface))
        }
        Err(error) => Ok(Err(format!("it cannot be compiled: {error:#}"))),
    }
}
