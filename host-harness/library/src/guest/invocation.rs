//! The calls of a node's exports, as data: an instance in this process or in a worker makes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::exports::workflow::node::node::Call;
use crate::bindings::triggers::exports::workflow::node::trigger::{
    Delivery, Health, Page, Received, Subscription,
};
use crate::bindings::triggers::{Triggers, TriggersIndices};
use crate::bindings::workflow::node::types::{Error, FieldError, OutputItem};
use crate::bindings::{Plugin as Node, PluginIndices};

/// One call of an export.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Invocation {
    /// Calls nothing: the instance is made and dropped.
    Instantiate,
    DescribeNode,
    DescribeCredentialTypes,
    DescribeTriggers,
    Configure {
        credential_type: String,
        fields: String,
        grant: Option<String>,
    },
    Test {
        slot: String,
    },
    LoadOptions {
        query: String,
    },
    Execute(Call),
    SetUp(Subscription),
    Check(Subscription),
    TearDown(Subscription),
    Receive(Subscription, Delivery),
    Poll(Subscription, Option<String>),
}

/// Results that `execute` returns.
pub(crate) type GuestResults = Result<Vec<Result<Vec<OutputItem>, Error>>, Error>;

/// Return value of an export.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Returned {
    Nothing,
    /// A description.
    Text(String),
    Configured(Result<String, Vec<FieldError>>),
    /// A document of the plugin, which may need requests to be made.
    Document(Result<String, Error>),
    Executed(GuestResults),
    Done(Result<(), Error>),
    Health(Result<Health, Error>),
    Received(Result<Received, Error>),
    Page(Result<Page, Error>),
}

/// Takes the result of one kind of call; `None` where another kind was returned.
macro_rules! take {
    ($($name:ident: $kind:ident => $result:ty),* $(,)?) => {
        impl Returned {
            $(pub(crate) fn $name(self) -> Option<$result> {
                match self {
                    Self::$kind(value) => Some(value),
                    _ => None,
                }
            })*
        }
    };
}

take! {
    text: Text => String,
    configured: Configured => Result<String, Vec<FieldError>>,
    document: Document => Result<String, Error>,
    executed: Executed => GuestResults,
    done: Done => Result<(), Error>,
    health: Health => Result<Health, Error>,
    received: Received => Result<Received, Error>,
    page: Page => Result<Page, Error>,
}

impl Returned {
    pub(crate) fn nothing(self) -> Option<()> {
        matches!(self, Self::Nothing).then_some(())
    }
}

/// A component, linked, whose exports have been looked up.
pub(crate) struct Linked<T: 'static> {
    pre: InstancePre<T>,
    indices: Arc<Indices>,
}

impl<T: 'static> Clone for Linked<T> {
    fn clone(&self) -> Self {
        Self { pre: self.pre.clone(), indices: self.indices.clone() }
    }
}

struct Indices {
    node: PluginIndices,
    triggers: Option<TriggersIndices>,
}

impl<T: Send + 'static> Linked<T> {
    /// Looks up the exports of a component.
    ///
    /// # Errors
    ///
    /// When an export is missing or has another type than the contract's.
    pub(crate) fn new(pre: InstancePre<T>, has_triggers: bool) -> wasmtime::Result<Self> {
        let node = PluginIndices::new(&pre)?;
        let triggers = has_triggers.then(|| TriggersIndices::new(&pre)).transpose()?;
        Ok(Self { pre, indices: Arc::new(Indices { node, triggers }) })
    }

    /// Makes an instance.
    pub(crate) async fn instantiate(&self, store: &mut Store<T>) -> wasmtime::Result<Exports> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        Ok(Exports { instance, indices: self.indices.clone() })
    }
}

/// The exports of an instance.
pub(crate) struct Exports {
    instance: Instance,
    indices: Arc<Indices>,
}

impl Exports {
    fn node<T: Send + 'static>(&self, store: &mut Store<T>) -> wasmtime::Result<Node> {
        self.indices.node.load(store, &self.instance)
    }

    fn triggers<T: Send + 'static>(&self, store: &mut Store<T>) -> wasmtime::Result<Triggers> {
        match &self.indices.triggers {
            Some(indices) => indices.load(store, &self.instance),
            None => wasmtime::bail!("it has no triggers"),
        }
    }
}

impl Invocation {
    /// Makes the call in an instance.
    pub(crate) async fn invoke<T: Send + 'static>(
        &self,
        exports: &Exports,
        store: &mut Store<T>,
    ) -> wasmtime::Result<Returned> {
        Ok(match self {
            Self::Instantiate => Returned::Nothing,
            Self::DescribeNode => {
                let node = exports.node(store)?;
                Returned::Text(node.workflow_node_node().call_describe(store).await?)
            }
            Self::DescribeCredentialTypes => {
                let node = exports.node(store)?;
                Returned::Text(node.workflow_node_credential_type().call_describe(store).await?)
            }
            Self::DescribeTriggers => {
                let triggers = exports.triggers(store)?;
                Returned::Text(triggers.workflow_node_trigger().call_describe(store).await?)
            }
            Self::Configure { credential_type, fields, grant } => {
                let node = exports.node(store)?;
                let types = node.workflow_node_credential_type();
                let grant = grant.as_ref();
                let configured = types.call_configure(store, credential_type, fields, grant);
                Returned::Configured(configured.await?)
            }
            Self::Test { slot } => {
                let node = exports.node(store)?;
                let tested = node.workflow_node_credential_type().call_test(store, slot);
                Returned::Document(tested.await?)
            }
            Self::LoadOptions { query } => {
                let node = exports.node(store)?;
                let loaded = node.workflow_node_node().call_load_options(store, query);
                Returned::Document(loaded.await?)
            }
            Self::Execute(call) => {
                let node = exports.node(store)?;
                Returned::Executed(node.workflow_node_node().call_execute(store, call).await?)
            }
            Self::SetUp(subscription) => {
                let triggers = exports.triggers(store)?;
                let state = triggers.workflow_node_trigger().call_setup(store, subscription);
                Returned::Document(state.await?)
            }
            Self::Check(subscription) => {
                let triggers = exports.triggers(store)?;
                let health = triggers.workflow_node_trigger().call_check(store, subscription);
                Returned::Health(health.await?)
            }
            Self::TearDown(subscription) => {
                let triggers = exports.triggers(store)?;
                let done = triggers.workflow_node_trigger().call_teardown(store, subscription);
                Returned::Done(done.await?)
            }
            Self::Receive(subscription, delivery) => {
                let triggers = exports.triggers(store)?;
                let triggers = triggers.workflow_node_trigger();
                Returned::Received(triggers.call_receive(store, subscription, delivery).await?)
            }
            Self::Poll(subscription, cursor) => {
                let triggers = exports.triggers(store)?;
                let triggers = triggers.workflow_node_trigger();
                Returned::Page(triggers.call_poll(store, subscription, cursor.as_ref()).await?)
            }
        })
    }
}
