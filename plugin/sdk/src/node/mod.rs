//! The trait that a node implements, and the calls that a host makes into it.

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

use crate::declare::{Action, Delivery, Node, Reference, Run, Slot, document};
use crate::error::{Error, ErrorKind, FieldError};
use crate::executor::block_on;
use crate::http::{Request, Response};
use crate::json;

pub use crate::bindings::exports::workflow::node::node::Call;
pub use crate::bindings::workflow::node::types::OutputItem;
pub use crate::host::Outcome;
pub use options::{Choice, Options, OptionsQuery, choices};
pub use task::{Credential, Task};

#[doc(hidden)]
pub use execute::execute;
#[doc(hidden)]
pub use options::load_options;

/// A node and its credential types, as [`crate::export_node!`] exports them.
pub trait Plugin {
    /// The declaration: a [`Node`], or a packed one from a build script.
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

    /// The configuration that follows from a credential's fields: where it may be sent, and base
    /// URLs. By default the credential may be sent to the origins of its type, and the base URLs are
    /// those that are [fixed](crate::declare::BaseUrl::fixed).
    ///
    /// # Errors
    ///
    /// Returns the invalid fields.
    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        let _ = (fields, grant);
        let types = Self::credential_types().credential_types;
        match types.into_iter().find(|one| one.name == credential_type) {
            Some(one) => Ok(Configuration::new(one.origins)),
            None => Err(vec![unknown_type(credential_type)]),
        }
    }

    /// Tests a credential with real requests that change nothing. By default it sends none and
    /// reports that.
    fn test(credential: Credential) -> impl Future<Output = Result<Identity, Error>> {
        let _ = credential;
        std::future::ready(Ok(Identity::new(
            "Not tested: this node has no request that tests a credential.",
        )))
    }

    /// Completes a request that was built from the declaration: headers of the service, and the
    /// acting user. By default it adds nothing.
    ///
    /// # Errors
    ///
    /// If the request cannot be built.
    fn prepare(
        request: &mut Request,
        action: &Action,
        credential: &Credential,
    ) -> Result<(), Error> {
        let _ = (request, action, credential);
        Ok(())
    }

    /// Turns an unsuccessful response into an error. By default its kind follows from the status
    /// ([`Response::error`]).
    fn error(response: &Response, action: &Action, credential: &Credential) -> Error {
        let _ = (action, credential);
        response.error()
    }

    /// The choices of a parameter. By default those of its [`Reference`].
    fn options(query: OptionsQuery) -> impl Future<Output = Result<Options, Error>>
    where
        Self: Sized,
    {
        choices::<Self>(query)
    }

    /// Whether text looks like an ID or a name. By default, it may be either if the reference
    /// accepts [names](Reference::named), which costs one lookup per ID.
    fn likeness(reference: &Reference, text: &str) -> Likeness {
        let _ = text;
        if reference.is_named { Likeness::Either } else { Likeness::Id }
    }

    /// Finds the ID of an object by its name in the node's own way; `None` uses the list.
    fn find(reference: &Reference, name: &str, credential: &Rc<Credential>) -> Option<Found> {
        let _ = (reference, name, credential);
        None
    }

    /// The longest URL that the service accepts, in bytes. A listing with a longer URL is requested
    /// in parts: its longest list of IDs is split, and the results are merged. 2,000 is what nearly
    /// every server and proxy accepts.
    fn longest_url() -> usize {
        2_000
    }

    /// The code of an action declared as [`Run::Custom`], which runs for each item. A component in
    /// which such an action has no code is not loaded.
    ///
    /// ```
    /// # use workflow_node_sdk::node::{Custom, Outcome, Task};
    /// # async fn find(task: Task) -> Outcome { task.run_declared().await }
    /// fn custom(action: &str) -> Option<Custom> {
    ///     match action {
    ///         "city.find" => Some(|task| Box::pin(find(task))),
    ///         _ => None,
    ///     }
    /// }
    /// # assert!(custom("city.find").is_some());
    /// ```
    fn custom(action: &str) -> Option<Custom> {
        let _ = action;
        None
    }

    /// The code of an action declared as [`Run::Batch`], which runs once for all items of a call.
    /// It returns one outcome per task, in order.
    fn batch(action: &str) -> Option<Batch> {
        let _ = action;
        None
    }
}

/// Form of a reference that was passed as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// An ID.
    Id,
    /// A name.
    Name,
    /// An ID or a name: both are looked up.
    Either,
}

fn unknown_type(credential_type: &str) -> FieldError {
    let message = ["there is no credential type `", credential_type, "`"].concat();
    FieldError { pointer: String::new(), message }
}

pub(crate) fn unwritten(name: &str) -> Error {
    Error::new(ErrorKind::Internal, ["`", name, "` is declared, and has no code"].concat())
}

/// A running action with custom code: `Box::pin(async move { … })`.
pub type Work = Pin<Box<dyn Future<Output = Outcome>>>;

/// A running action with custom code for all items.
pub type BatchWork = Pin<Box<dyn Future<Output = Vec<Outcome>>>>;

/// The custom code of an action for one item; see [`Plugin::custom`].
pub type Custom = fn(Task) -> Work;

/// The custom code of an action for all items; see [`Plugin::batch`].
pub type Batch = fn(Vec<Task>) -> BatchWork;

/// The ID that a lookup finds.
pub type Found = Pin<Box<dyn Future<Output = Result<String, Error>>>>;

/// A declaration inside a component: a [`Node`], which is suitable for a few dozen actions, or a
/// packed one from a build script ([`Packed`](crate::packed::Packed)), for hundreds.
pub trait Declares: Sync {
    /// The node's name.
    fn name(&self) -> &'static str;

    /// The document of `schemas/node.json`.
    fn describe(&self) -> String;

    /// The document of `schemas/trigger.json`.
    fn describe_triggers(&self) -> String;

    /// The action of this name, with what running it needs.
    fn action(&self, name: &str) -> Option<&'static Action>;

    /// The form of the trigger of this name, with what using it needs.
    fn trigger(&self, name: &str) -> Option<&'static Action>;

    /// The reference of this name.
    fn reference(&self, name: &str) -> Option<&'static Reference>;

    /// The slots, without their descriptions.
    fn slots(&self) -> &'static [Slot];

    /// The actions with custom code, and how they run.
    fn own_code(&self) -> Vec<(&'static str, Run)>;

    /// The triggers, and whether each polls.
    fn polls(&self) -> Vec<(&'static str, bool)>;
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

    fn slots(&self) -> &'static [Slot] {
        self.slots
    }

    fn own_code(&self) -> Vec<(&'static str, Run)> {
        let mut all = Vec::new();
        for action in self.actions() {
            if action.run != Run::Declared {
                all.push((action.name, action.run));
            }
        }
        all
    }

    fn polls(&self) -> Vec<(&'static str, bool)> {
        let mut all = Vec::new();
        for trigger in self.triggers {
            all.push((trigger.form.name, matches!(trigger.delivery, Delivery::Poll(_))));
        }
        all
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
    pub(crate) custom: fn(&str) -> Option<Custom>,
    pub(crate) batch: fn(&str) -> Option<Batch>,
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
            custom: P::custom,
            batch: P::batch,
        }
    }
}

/// An output record on the port `main`.
pub fn main(json: String) -> OutputItem {
    OutputItem { port: "main".into(), json }
}

#[doc(hidden)]
pub fn describe<P: Plugin>(exports_triggers: bool) -> String {
    let declaration = P::declaration();
    if let Some(problem) = missing_code(declaration, P::custom, P::batch) {
        panic!("{problem}");
    }
    if !exports_triggers && !declaration.polls().is_empty() {
        panic!("the node declares triggers. Export them with `export_node!(…, webhooks, polls)`.");
    }
    declaration.describe()
}

/// The problem with an action that is declared to have custom code and has none.
pub(crate) fn missing_code(
    declaration: &dyn Declares,
    custom: fn(&str) -> Option<Custom>,
    batch: fn(&str) -> Option<Batch>,
) -> Option<String> {
    for (name, run) in declaration.own_code() {
        let (kind, function, is_there) = match run {
            Run::Batch => ("Batch", "batch", batch(name).is_some()),
            _ => ("Custom", "custom", custom(name).is_some()),
        };
        if !is_there {
            let parts = [
                "action `",
                name,
                "`: it is declared `Run::",
                kind,
                "`, and has no code. Return a function for it from `Plugin::",
                function,
                "`, or remove `.run(…)`.",
            ];
            return Some(parts.concat());
        }
    }
    None
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
        || vec![FieldError { pointer: String::new(), message: "is not a JSON object".to_owned() }];
    let fields = json::object(&fields).ok_or_else(wrong)?;
    let grant = match grant {
        Some(text) => Some(json::value(&text).and_then(TokenGrant::from_value).ok_or_else(wrong)?),
        None => None,
    };
    configured::<P>(&credential_type, &fields, grant.as_ref()).map(|value| value.to_json())
}

/// The configuration with the base URLs that are the same for every credential.
pub(crate) fn configured<P: Plugin>(
    credential_type: &str,
    fields: &Map<String, Value>,
    grant: Option<&TokenGrant>,
) -> Result<Configuration, Vec<FieldError>> {
    let mut configuration = P::configure(credential_type, fields, grant)?;
    for slot in P::declaration().slots() {
        if !slot.credential_types.contains(&credential_type) {
            continue;
        }
        for base in slot.base_urls {
            if configuration.base_urls.contains_key(base.name) {
                continue;
            }
            let Some(url) = base.url else {
                let parts = [
                    "the node returned no base URL `",
                    base.name,
                    "` for a credential of type `",
                    credential_type,
                    "`, which the slot `",
                    slot.name,
                    "` needs: add it to `base_urls` in `Plugin::configure`",
                ];
                let message = parts.concat();
                return Err(vec![FieldError { pointer: String::new(), message }]);
            };
            configuration.base_urls.insert(base.name.to_owned(), url.to_owned());
        }
    }
    Ok(configuration)
}

#[doc(hidden)]
pub fn test<P: Plugin>(slot: String) -> Result<String, Error> {
    let credential = Credential::in_slot(Some(&slot))?;
    block_on(P::test(credential)).map(|identity| identity.to_json())
}
