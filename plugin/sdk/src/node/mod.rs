//! A plugin's own code, and the calls that a host makes into it.

mod ahead;
pub(crate) mod execute;
pub(crate) mod filters;
mod follow;
mod listing;
mod offset;
mod options;
mod order;
mod pages;
mod reported;
pub(crate) mod resolve;
mod span;
mod split;
mod task;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_documents::{
    Configuration, CredentialTypes, Document as _, Identity, TokenGrant,
};

use crate::declare::{Action, Node, Reference, document};
use crate::error::{Error, ErrorKind, FieldError};
use crate::executor::block_on;
use crate::http::{Request, Response};
use crate::json;

pub use crate::bindings::exports::workflow::node::node::Call;
pub use crate::bindings::workflow::node::types::OutputItem;
pub use options::{Choice, Options, OptionsQuery, choices};
pub use task::{Credential, Task};

#[doc(hidden)]
pub use execute::execute;
#[doc(hidden)]
pub use options::load_options;

/// A node and its credential types, as [`crate::export_node!`] exports them.
pub trait Plugin {
    /// The declaration: a [`Node`], or what a build script has packed of one.
    fn declaration() -> &'static dyn Declares;

    /// The credential types. By default there are none.
    fn credential_types() -> CredentialTypes {
        CredentialTypes::default()
    }

    /// The document of `schemas/credential-type.json`. A build script can write
    /// [`credential_types`](Self::credential_types) instead, so that the code that builds them is
    /// not part of the component.
    fn describe_credential_types() -> String {
        Self::credential_types().to_json()
    }

    /// The configuration that follows from a credential's fields; see the contract.
    ///
    /// # Errors
    ///
    /// The wrong fields.
    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>>;

    /// Proves a credential with real calls.
    fn test(credential: Credential) -> impl Future<Output = Result<Identity, Error>>;

    /// Completes a request that follows from the declaration: headers of the service, and whose
    /// name it acts in.
    ///
    /// # Errors
    ///
    /// When the request cannot be made so.
    fn prepare(
        request: &mut Request,
        action: &Action,
        credential: &Credential,
    ) -> Result<(), Error>;

    /// What an unsuccessful answer means.
    fn error(response: &Response, action: &Action, credential: &Credential) -> Error;

    /// The choices of a parameter. By default those of the [`Reference`] that it is declared with.
    fn options(query: OptionsQuery) -> impl Future<Output = Result<Options, Error>>
    where
        Self: Sized,
    {
        choices::<Self>(query)
    }

    /// Whether a text is the ID of something or its name. Asked for parameters that take both.
    fn likeness(reference: &Reference, text: &str) -> Likeness {
        let _ = (reference, text);
        Likeness::Id
    }

    /// Finds the id of something by its name in a way of the node's own; `None`: by its list.
    fn find(reference: &Reference, name: &str, credential: &Rc<Credential>) -> Option<Found> {
        let _ = (reference, name, credential);
        None
    }

    /// The longest URL that the service takes, in bytes. A listing whose URL would be longer is asked
    /// for in parts: its longest list of IDs is split, and what comes is merged. 2,000 is what nearly
    /// every server and proxy takes.
    fn longest_url() -> usize {
        2_000
    }

    /// Runs an action that is declared [`Run::Custom`](crate::declare::Run::Custom), for one item.
    fn run(task: Task) -> Work {
        Box::pin(async move { Err(unwritten(task.action)) })
    }

    /// Runs an action that is declared [`Run::Batch`](crate::declare::Run::Batch), for all items.
    /// One outcome per task, in order.
    fn run_batch(tasks: Vec<Task>) -> BatchWork {
        Box::pin(async move { tasks.iter().map(|task| Err(unwritten(task.action))).collect() })
    }
}

/// What a text that refers to something looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// An ID.
    Id,
    /// A name.
    Name,
    /// An ID or a name: both are looked up.
    Either,
}

fn unwritten(action: &Action) -> Error {
    Error::new(ErrorKind::Internal, ["`", action.name, "` is declared, but not written"].concat())
}

/// What an item yields.
pub type Outcome = Result<Vec<OutputItem>, Error>;

/// An action's own code under way: `Box::pin(async move { … })`.
pub type Work = Pin<Box<dyn Future<Output = Outcome>>>;

/// An action's own code for all items under way.
pub type BatchWork = Pin<Box<dyn Future<Output = Vec<Outcome>>>>;

/// The id of something that is looked for.
pub type Found = Pin<Box<dyn Future<Output = Result<String, Error>>>>;

/// A declaration that a component holds: as it was written (a [`Node`]), which is good for some dozen
/// actions, or as a build script has packed it ([`Packed`](crate::packed::Packed)), for hundreds.
pub trait Declares: Sync {
    /// The node's name.
    fn name(&self) -> &'static str;

    /// The document of `schemas/node.json`.
    fn describe(&self) -> String;

    /// The document of `schemas/trigger.json`.
    fn describe_triggers(&self) -> String;

    /// The action of this name, as far as running it needs.
    fn action(&self, name: &str) -> Option<&'static Action>;

    /// The form of the trigger of this name, as far as using it needs.
    fn trigger(&self, name: &str) -> Option<&'static Action>;

    /// The reference of this name.
    fn reference(&self, name: &str) -> Option<&'static Reference>;
}

impl Declares for Node {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        document::node(self).to_json()
    }

    fn describe_triggers(&self) -> String {
        document::triggers(self).to_json()
    }

    fn action(&self, name: &str) -> Option<&'static Action> {
        Node::action(self, name)
    }

    fn trigger(&self, name: &str) -> Option<&'static Action> {
        Node::trigger(self, name).map(|trigger| &trigger.form)
    }

    fn reference(&self, name: &str) -> Option<&'static Reference> {
        self.references.iter().find(|reference| reference.name == name)
    }
}

type Find = fn(&Reference, &str, &Rc<Credential>) -> Option<Found>;

/// The hooks of a [`Plugin`], so that tasks need not be generic.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    pub(crate) declaration: &'static dyn Declares,
    pub(crate) prepare: fn(&mut Request, &Action, &Credential) -> Result<(), Error>,
    pub(crate) error: fn(&Response, &Action, &Credential) -> Error,
    pub(crate) likeness: fn(&Reference, &str) -> Likeness,
    pub(crate) find: Find,
    pub(crate) longest_url: usize,
    /// Whether an empty listing is trusted without looking up the IDs in its filters.
    pub(crate) trusts_filters: bool,
    pub(crate) run: fn(Task) -> Work,
    pub(crate) run_batch: fn(Vec<Task>) -> BatchWork,
}

impl Hooks {
    pub(crate) fn of<P: Plugin>() -> Self {
        Self {
            declaration: P::declaration(),
            prepare: P::prepare,
            error: P::error,
            likeness: P::likeness,
            find: P::find,
            longest_url: P::longest_url(),
            trusts_filters: false,
            run: P::run,
            run_batch: P::run_batch,
        }
    }
}

/// An output record on the port `main`.
pub fn main(json: String) -> OutputItem {
    OutputItem { port: "main".into(), json }
}

#[doc(hidden)]
pub fn describe<P: Plugin>() -> String {
    P::declaration().describe()
}

#[doc(hidden)]
pub fn credential_types<P: Plugin>() -> String {
    P::describe_credential_types()
}

#[doc(hidden)]
pub fn configure<P: Plugin>(
    credential_type: String,
    fields: String,
    grant: Option<String>,
) -> Result<String, Vec<FieldError>> {
    let wrong =
        || vec![FieldError { pointer: String::new(), message: "is no JSON object".to_owned() }];
    let fields = json::object(&fields).ok_or_else(wrong)?;
    let grant = match grant {
        Some(text) => Some(json::value(&text).and_then(TokenGrant::from_value).ok_or_else(wrong)?),
        None => None,
    };
    P::configure(&credential_type, &fields, grant.as_ref()).map(|value| value.to_json())
}

#[doc(hidden)]
pub fn test<P: Plugin>(slot: String) -> Result<String, Error> {
    let credential = Credential::in_slot(Some(&slot))?;
    block_on(P::test(credential)).map(|identity| identity.to_json())
}
