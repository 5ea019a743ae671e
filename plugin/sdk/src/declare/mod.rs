//! One declaration per action, as plain data. The form, validation, the request, the documentation,
//! the required scopes, and the examples are all derived from it.

mod check;
pub mod document;
mod form;
mod guarantee;
mod leak;
mod listing;
mod literal;
mod node;
mod output;
mod param;
mod record;
mod reference;
pub(crate) mod request;
mod route;
mod simple;
mod trigger;
pub(crate) mod validate;

use serde::{Deserialize, Serialize};
pub use workflow_node_documents::{Effect, Idempotency};

#[doc(hidden)]
pub use literal::Convert;
pub use literal::Literal;
pub use node::{BaseUrl, Node, NodeBuilder, Resource, Server, Slot};
pub use output::{Field, FieldKind, Output};
pub use param::{Kind, Param, Place};
pub use reference::Reference;
pub use route::{
    Answer, Cursor, Encoding, Failures, FormLists, Link, NextUrl, Offset, PageNumber, Paging,
    Route, TimeKey,
};
pub use simple::{Simple, SimpleField, SimpleKind};
pub use trigger::{Delivery, Trigger};

/// How an action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Run {
    /// Sends the request and decodes the response, as declared.
    Declared,
    /// The node's own code: [`Plugin::custom`](crate::node::Plugin::custom).
    Custom,
    /// The node's own code for all items at once:
    /// [`Plugin::batch`](crate::node::Plugin::batch).
    Batch,
}

/// One action.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Action {
    /// `<resource>.<operation>`.
    pub name: &'static str,
    /// Increased when the parameters or output change incompatibly.
    pub version: u32,
    /// Title in a menu.
    #[serde(skip)]
    pub title: &'static str,
    /// Description for a person who does not know the API.
    #[serde(skip)]
    pub description: &'static str,
    /// Page of the service's documentation.
    #[serde(skip)]
    pub documentation_url: Option<&'static str>,
    /// Slot of the credential that the action uses.
    pub slot: Option<&'static str>,
    /// Scopes that a scoped credential needs.
    #[serde(deserialize_with = "leak::slice")]
    pub scopes: &'static [&'static str],
    /// Effect of the action on the service.
    pub effect: Effect,
    /// Effect of repeating the action.
    pub idempotency: Idempotency,
    /// Whether the action acts as a user. The service defines what that means.
    pub acts_as_user: bool,
    /// Whether the service may still change the operation.
    #[serde(skip)]
    pub is_early_access: bool,
    /// Parameter that identifies the written object if neither the path nor the idempotency key
    /// does: items with the same value run one after the other, in order.
    pub ordered_by: Option<&'static str>,
    /// How to check whether a write took effect if its response was lost.
    pub check: Option<&'static str>,
    /// The form, in order.
    #[serde(skip)]
    pub parameters: &'static [&'static Param],
    /// The request that follows from the parameters.
    pub route: Route,
    /// Where a successful response reports failures.
    #[serde(deserialize_with = "leak::some")]
    pub failures: Option<&'static Failures>,
    /// Time ranges that the action takes. A listing longer than the service allows is split along
    /// the first one.
    #[serde(deserialize_with = "leak::slice")]
    pub ranges: &'static [TimeKey],
    /// How the action runs.
    pub run: Run,
    /// Schema of one output record.
    #[serde(skip)]
    pub output: Output,
    /// The flat form of a record, which the parameter `simplify` selects.
    #[serde(deserialize_with = "leak::some")]
    pub simple: Option<&'static Simple>,
    /// Example parameters that can be run.
    #[serde(skip)]
    pub examples: &'static [Example],
}

/// Checks one item's parameters against an action's form, as the node does before it
/// sends anything.
///
/// # Errors
///
/// Returns an error of kind `invalid-input` that lists every invalid field.
pub fn check(action: &Action, parameters: &serde_json::Value) -> Result<(), crate::Error> {
    let parameters =
        parameters.as_object().ok_or_else(|| crate::Error::invalid("", "must be a JSON object"))?;
    validate::check(action, parameters)
}

/// Example parameters that can be run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Example {
    /// Short description of the example.
    pub title: &'static str,
    /// An object of parameters.
    pub parameters: Literal,
    /// A record that the action returns for it.
    pub output: Option<Literal>,
}

impl Action {
    /// Creates an action with a name, a request, and nothing else. The effect follows from the
    /// method until [`effect`](Self::effect) sets it: GET reads, POST creates, PUT and PATCH
    /// update, and DELETE deletes. GET, PUT, and DELETE are idempotent; POST and PATCH are not.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        method: &'static str,
        path: &'static str,
    ) -> Self {
        let (effect, idempotency) = match method.as_bytes() {
            b"GET" | b"HEAD" | b"OPTIONS" => (Effect::Read, Idempotency::Safe),
            b"PUT" => (Effect::Update, Idempotency::Idempotent),
            b"PATCH" => (Effect::Update, Idempotency::None),
            b"DELETE" => (Effect::Delete, Idempotency::Idempotent),
            _ => (Effect::Create, Idempotency::None),
        };
        Self {
            name,
            version: 1,
            title,
            description,
            documentation_url: None,
            slot: None,
            scopes: &[],
            effect,
            idempotency,
            acts_as_user: false,
            is_early_access: false,
            ordered_by: None,
            check: None,
            parameters: &[],
            route: Route::new(method, path),
            failures: None,
            ranges: &[],
            run: Run::Declared,
            output: Output::Object,
            simple: None,
            examples: &[],
        }
    }

    /// Creates an action that sends GET.
    pub const fn get(
        name: &'static str,
        path: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(name, title, description, "GET", path)
    }

    /// Creates an action that sends POST.
    pub const fn post(
        name: &'static str,
        path: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(name, title, description, "POST", path)
    }

    /// Creates an action that sends PUT.
    pub const fn put(
        name: &'static str,
        path: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(name, title, description, "PUT", path)
    }

    /// Creates an action that sends PATCH.
    pub const fn patch(
        name: &'static str,
        path: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(name, title, description, "PATCH", path)
    }

    /// Creates an action that sends DELETE.
    pub const fn delete(
        name: &'static str,
        path: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(name, title, description, "DELETE", path)
    }

    /// Sets the version. Increase it when the parameters or the output change incompatibly.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Uses the credential in a slot, and the base URL of this name from its configuration.
    #[must_use]
    pub const fn with(mut self, slot: &'static str, base_url: &'static str) -> Self {
        self.slot = Some(slot);
        self.route.base = Some(base_url);
        self
    }

    /// Sends the request to this base URL, without a credential.
    #[must_use]
    pub const fn without_credential(mut self, base_url: &'static str) -> Self {
        self.slot = None;
        self.route.base = Some(base_url);
        self
    }

    /// Requires these scopes.
    #[must_use]
    pub const fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the form, in order.
    #[must_use]
    pub const fn parameters(mut self, parameters: &'static [&'static Param]) -> Self {
        self.parameters = parameters;
        self
    }

    /// Sets the schema of one output record.
    #[must_use]
    pub const fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Sets how a response becomes output.
    #[must_use]
    pub const fn answer(mut self, answer: Answer) -> Self {
        self.route.answer = answer;
        self
    }

    /// Sets the time ranges that the action takes. If one end of a range is given, the SDK also
    /// sends the other. A listing longer than the service allows is read in parts of the first
    /// range.
    #[must_use]
    pub const fn ranges(mut self, ranges: &'static [TimeKey]) -> Self {
        self.ranges = ranges;
        self
    }

    /// Declares where a successful response reports failures. They become the error of the item.
    #[must_use]
    pub const fn failures(mut self, failures: &'static Failures) -> Self {
        self.failures = Some(failures);
        self
    }

    /// Wraps the body in an object at this position (RFC 6901).
    #[must_use]
    pub const fn envelope(mut self, pointer: &'static str) -> Self {
        self.route.envelope = pointer;
        self
    }

    /// Sends these values in every body, by position (RFC 6901) within the envelope.
    #[must_use]
    pub const fn constants(mut self, constants: &'static [(&'static str, Literal)]) -> Self {
        self.route.constants = constants;
        self
    }

    /// Sends the body as a form (`application/x-www-form-urlencoded`), with lists in this notation.
    #[must_use]
    pub const fn form(mut self, lists: FormLists) -> Self {
        self.route.encoding = Encoding::Form(lists);
        self
    }

    /// Sets the effect on the service, and the effect of repeating it.
    #[must_use]
    pub const fn effect(mut self, effect: Effect, idempotency: Idempotency) -> Self {
        self.effect = effect;
        self.idempotency = idempotency;
        self
    }

    /// Sends the execution's idempotency key in this parameter if the item does not set it.
    #[must_use]
    pub const fn keyed(mut self, parameter: &'static str) -> Self {
        self.route.key = Some(parameter);
        self.idempotency = Idempotency::Keyed;
        self
    }

    /// Declares that the action acts as a user.
    #[must_use]
    pub const fn acts_as_user(mut self) -> Self {
        self.acts_as_user = true;
        self
    }

    /// Runs items with the same value of this parameter one after the other. Without it, items that
    /// write to the same path, or with the same idempotency key, keep their order.
    #[must_use]
    pub const fn ordered_by(mut self, parameter: &'static str) -> Self {
        self.ordered_by = Some(parameter);
        self
    }

    /// Sets how the action runs.
    #[must_use]
    pub const fn run(mut self, run: Run) -> Self {
        self.run = run;
        self
    }

    /// Sets the flat form of a record.
    #[must_use]
    pub const fn simple(mut self, simple: &'static Simple) -> Self {
        self.simple = Some(simple);
        self
    }

    /// Declares how to check whether a write took effect if its response was lost.
    #[must_use]
    pub const fn check(mut self, check: &'static str) -> Self {
        self.check = Some(check);
        self
    }

    /// Sets the page of the service's documentation.
    #[must_use]
    pub const fn documentation_url(mut self, url: &'static str) -> Self {
        self.documentation_url = Some(url);
        self
    }

    /// Declares that the service may still change the operation.
    #[must_use]
    pub const fn early_access(mut self) -> Self {
        self.is_early_access = true;
        self
    }

    /// Sends these headers with every request.
    #[must_use]
    pub const fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.route.headers = headers;
        self
    }

    /// Sets the examples.
    #[must_use]
    pub const fn examples(mut self, examples: &'static [Example]) -> Self {
        self.examples = examples;
        self
    }

    /// Whether the action emits its output page by page.
    pub fn is_paged(&self) -> bool {
        let paging = self.route.answer.list().map(|(_, paging)| paging);
        !matches!(paging, None | Some(Paging::None | Paging::Limit(..)))
    }

    /// Whether the action lists records.
    pub fn is_list(&self) -> bool {
        matches!(self.route.answer, Answer::List(..))
    }
}

impl Example {
    /// Creates an example from a title and an object of parameters.
    pub const fn new(title: &'static str, parameters: Literal) -> Self {
        Self { title, parameters, output: None }
    }

    /// Adds a record that the action returns. Hosts check it against the output schema.
    #[must_use]
    pub const fn output(mut self, record: Literal) -> Self {
        self.output = Some(record);
        self
    }
}
