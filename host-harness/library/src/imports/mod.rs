//! The imports of the contract, for any store.
//!
//! An engine that builds its own linker puts them beside its own imports:
//!
//! ```no_run
//! # #[cfg(feature = "linker")]
//! # mod engine {
//! use workflow_node_host::imports::{WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView};
//!
//! struct MyState {
//!     node: WorkflowNodeCtx,
//!     // and whatever else the engine's guests may use
//! }
//!
//! impl WorkflowNodeView for MyState {
//!     fn workflow_node(&mut self) -> WorkflowNodeCtxView<'_> {
//!         WorkflowNodeCtxView { ctx: &mut self.node }
//!     }
//! }
//!
//! # fn link(linker: &mut wasmtime::component::Linker<MyState>) -> wasmtime::Result<()> {
//! workflow_node_host::imports::add_to_linker(linker)
//! # }
//! # }
//! ```
//!
//! A [`WorkflowNodeCtx`] comes from [`Plugin::context`](crate::Plugin::context), which checks the
//! approval and fills the slots; there is no other way to make one that can send.

mod calls;
mod ctx;
mod guest_time;
mod host_calls;
pub(crate) mod metered;
mod wasi;
mod written;

use wasmtime::component::{HasData, Linker};

pub(crate) use calls::{not_named, random_length};
pub use ctx::WorkflowNodeCtx;
pub(crate) use ctx::{Parts, Place, Traces, draw};
pub(crate) use wasi::{WASI_IMPORTS, WasiState, add_wasi_to_linker};
pub(crate) use written::Written;

use crate::bindings::workflow::node;

/// Access to the context within a store's state.
pub trait WorkflowNodeView: Send {
    /// The context.
    fn workflow_node(&mut self) -> WorkflowNodeCtxView<'_>;
}

/// State that the imports work with.
pub struct WorkflowNodeCtxView<'a> {
    /// The context of the running call.
    pub ctx: &'a mut WorkflowNodeCtx,
}

struct WorkflowNode;

impl HasData for WorkflowNode {
    type Data<'a> = WorkflowNodeCtxView<'a>;
}

/// Adds `workflow:node/{types,completions,timer,http,context}` to a linker.
///
/// # Errors
///
/// When the linker has one of them already.
pub fn add_to_linker<T: WorkflowNodeView + 'static>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    node::types::add_to_linker::<T, WorkflowNode>(linker, T::workflow_node)?;
    node::completions::add_to_linker::<T, WorkflowNode>(linker, T::workflow_node)?;
    node::timer::add_to_linker::<T, WorkflowNode>(linker, T::workflow_node)?;
    node::http::add_to_linker::<T, WorkflowNode>(linker, T::workflow_node)?;
    node::context::add_to_linker::<T, WorkflowNode>(linker, T::workflow_node)
}
