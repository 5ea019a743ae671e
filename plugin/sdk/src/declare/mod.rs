//! One declaration per action, as plain data. What a form shows, what is validated, what is sent,
//! what the documentation says, which scopes are needed and which examples are run: all of it is
//! read from here, and nowhere else.

pub mod document;
mod guarantee;
mod leak;
mod param;
mod record;
pub(crate) mod request;
mod route;
mod simple;
mod trigger;
pub(crate) mod validate;

use serde::{Deserialize, Serialize};
use workflow_node_documents::SecretPosition;

pub use param::{Kind, Param, Place};
pub use route::{Answer, Cursor, Failures, Offset, Paging, Route, TimeKey};
pub use simple::{Simple, SimpleField, SimpleKind};
pub use trigger::{Delivery, Signature, Trigger, Webhook};

/// A node: everything it says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Lower case, e.g. `pagerduty`.
    pub name: &'static str,
    /// Raised when a workflow built with the last version would behave differently.
    pub version: u32,
    /// As people write it.
    pub display_name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Where a person reads more; https.
    pub documentation_url: &'static str,
    /// Icon: SVG text of at most 8 KiB. Hosts show it only as an image.
    pub icon: Option<&'static str>,
    /// Categories that catalogs list the node under, in lower case.
    pub categories: &'static [&'static str],
    /// Other words that people search for.
    pub aliases: &'static [&'static str],
    /// Every origin it may ever talk to.
    pub origins: &'static [&'static str],
    /// The places for credentials.
    pub slots: &'static [Slot],
    /// Schemas shared by name (JSON text); actions refer to them as `#/$defs/NAME`.
    pub schemas: &'static [(&'static str, &'static str)],
    /// Where responses and requests hold secrets.
    pub secrets: fn() -> Vec<SecretPosition>,
    /// What parameters may refer to.
    pub references: &'static [Reference],
    /// The resources, in the order in which a menu shows them.
    pub resources: &'static [Resource],
    /// What starts a workflow.
    pub triggers: &'static [Trigger],
}

impl Node {
    /// All actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &'static Action> + use<> {
        self.resources.iter().flat_map(|resource| resource.actions.iter().copied().flatten())
    }

    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&'static Action> {
        self.actions().find(|action| action.name == name)
    }

    /// The trigger of this name.
    pub fn trigger(&self, name: &str) -> Option<&'static Trigger> {
        self.triggers.iter().find(|trigger| trigger.form.name == name)
    }
}

/// Actions that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// Lower case.
    pub name: &'static str,
    /// What a menu shows, in the plural.
    pub title: &'static str,
    /// What it is, for a person who does not know the service.
    pub description: &'static str,
    /// Its actions, a slice per file.
    pub actions: &'static [&'static [Action]],
}

/// A place for a credential.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Lower case.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Which credential types fit.
    pub credential_types: &'static [&'static str],
}

/// What a parameter may be the id of, and how its choices are found: by an action that lists them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Reference {
    /// What parameters name.
    pub name: &'static str,
    /// Whether people give it a name, by which it can be found. Otherwise every text is an id.
    pub is_named: bool,
    /// In words, for messages: `an escalation policy`.
    pub words: &'static str,
    /// The action that lists them. Its path may need other parameters of the form.
    pub list: &'static str,
    /// The action that looks one up by the parameter of this name; empty for none.
    pub get: &'static str,
    /// The query parameter of the list by which the service searches; empty where it does not.
    pub search: &'static str,
    /// Members of a record that name it for people, the best first.
    #[serde(deserialize_with = "leak::slice")]
    pub labels: &'static [&'static str],
    /// The member that makes a second line; empty for none.
    pub detail: &'static str,
    /// The segments after which an address of the service has the id.
    #[serde(deserialize_with = "leak::slice")]
    pub segments: &'static [&'static str],
    /// What else the node's own code takes for it, in a word: `number`. Empty for nothing.
    #[serde(skip)]
    pub also: &'static str,
}

/// What an action does to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Makes something new.
    Create,
    /// Changes something.
    Update,
    /// Removes something.
    Delete,
    /// Anything else; also what depends on the parameters.
    Execute,
}

/// What happens when an action is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Idempotency {
    /// It changes nothing.
    Safe,
    /// Twice is as once.
    Idempotent,
    /// Twice is as once, by a key derived from the execution.
    Keyed,
    /// Never repeated by anyone.
    None,
}

/// What is done with an action's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {
    /// It is sent, and the answer decoded, as declared.
    Declared,
    /// The node's own code: [`Plugin::run`](crate::node::Plugin::run).
    Custom,
    /// The node's own code for all items at once:
    /// [`Plugin::run_batch`](crate::node::Plugin::run_batch).
    Batch,
}

/// One action.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Action {
    /// `<resource>.<operation>`.
    pub name: &'static str,
    /// Raised when its parameters or output change incompatibly.
    pub version: u32,
    /// What a menu shows.
    #[serde(skip)]
    pub title: &'static str,
    /// What it does, for a person who does not know the API.
    #[serde(skip)]
    pub description: &'static str,
    /// The service's own page; empty for none.
    #[serde(skip)]
    pub documentation_url: &'static str,
    /// The slot whose credential it uses; empty for none.
    pub slot: &'static str,
    /// The scopes that a scoped grant needs.
    #[serde(deserialize_with = "leak::slice")]
    pub scopes: &'static [&'static str],
    /// What it does to the service.
    pub effect: Effect,
    /// What a repetition does.
    pub idempotency: Idempotency,
    /// Whether it acts in the name of a person (what that means is the service's business).
    pub acts_as_user: bool,
    /// Whether the service may still change it.
    #[serde(skip)]
    pub is_early_access: bool,
    /// The parameter that names what is written: items that name the same run one after the other,
    /// in their order. Empty where the order does not matter.
    pub ordered_by: &'static str,
    /// What to look at when nobody knows whether it happened; empty for the obvious.
    pub check: &'static str,
    /// The form, in order.
    #[serde(skip)]
    pub parameters: &'static [&'static Param],
    /// The request that follows from the parameters.
    pub route: Route,
    /// Where a successful answer reports failures.
    #[serde(deserialize_with = "leak::some")]
    pub failures: Option<&'static Failures>,
    /// What is done with the request.
    pub run: Run,
    /// Schema of one output record (JSON text).
    #[serde(skip)]
    pub output: &'static str,
    /// The flat form of a record that `simplify` asks for.
    #[serde(deserialize_with = "leak::some")]
    pub simple: Option<&'static Simple>,
    /// Parameters that really run.
    #[serde(skip)]
    pub examples: &'static [Example],
}

/// Checks one item's parameters (JSON text) against an action's form, as the node does before it
/// sends anything.
///
/// # Errors
///
/// Of kind `invalid-input`, with every wrong field.
pub fn check(action: &Action, parameters: &str) -> Result<(), crate::Error> {
    let parameters = crate::json::object(parameters)
        .ok_or_else(|| crate::Error::invalid("", "must be a JSON object"))?;
    validate::check(action, &parameters)
}

/// Parameters that really run, as a test proves.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// A JSON object (text).
    pub parameters: &'static str,
}

impl Action {
    /// An action with a name, a request and nothing else. What it does to the service follows from
    /// the method until it is said: GET reads, POST creates, PUT and PATCH update, DELETE deletes;
    /// and only what is sure to have one effect when repeated counts as repeatable.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        method: &'static str,
        path: &'static str,
    ) -> Self {
        let (effect, idempotency) = match method.as_bytes() {
            b"GET" => (Effect::Read, Idempotency::Safe),
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
            documentation_url: "",
            slot: "",
            scopes: &[],
            effect,
            idempotency,
            acts_as_user: false,
            is_early_access: false,
            ordered_by: "",
            check: "",
            parameters: &[],
            route: Route {
                method,
                base: "",
                path,
                envelope: "",
                constants: &[],
                headers: &[],
                key: None,
                answer: Answer::Whole,
            },
            failures: None,
            run: Run::Declared,
            output: r#"{"type":"object"}"#,
            simple: None,
            examples: &[],
        }
    }

    /// Uses the credential of a slot, and one of its base URLs.
    #[must_use]
    pub const fn with(mut self, slot: &'static str, base: &'static str) -> Self {
        self.slot = slot;
        self.route.base = base;
        self
    }

    /// Needs these scopes.
    #[must_use]
    pub const fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.scopes = scopes;
        self
    }

    /// Asks for these parameters.
    #[must_use]
    pub const fn takes(mut self, parameters: &'static [&'static Param]) -> Self {
        self.parameters = parameters;
        self
    }

    /// Has this schema of an output record.
    #[must_use]
    pub const fn gives(mut self, output: &'static str) -> Self {
        self.output = output;
        self
    }

    /// Reads its answer so.
    #[must_use]
    pub const fn answer(mut self, answer: Answer) -> Self {
        self.route.answer = answer;
        self
    }

    /// Reports failures in a successful answer: they become the error of the item.
    #[must_use]
    pub const fn fails(mut self, failures: &'static Failures) -> Self {
        self.failures = Some(failures);
        self
    }

    /// Wraps its body in an envelope.
    #[must_use]
    pub const fn envelope(mut self, pointer: &'static str) -> Self {
        self.route.envelope = pointer;
        self
    }

    /// Sends these values in every body.
    #[must_use]
    pub const fn constants(mut self, constants: &'static [(&'static str, &'static str)]) -> Self {
        self.route.constants = constants;
        self
    }

    /// Does this to the service, and this when repeated.
    #[must_use]
    pub const fn effect(mut self, effect: Effect, idempotency: Idempotency) -> Self {
        self.effect = effect;
        self.idempotency = idempotency;
        self
    }

    /// Puts the execution's idempotency key into this parameter when it is not given.
    #[must_use]
    pub const fn keyed(mut self, parameter: &'static str) -> Self {
        self.route.key = Some(parameter);
        self.idempotency = Idempotency::Keyed;
        self
    }

    /// Acts in the name of a person.
    #[must_use]
    pub const fn as_user(mut self) -> Self {
        self.acts_as_user = true;
        self
    }

    /// Runs items that name the same in this parameter one after the other.
    #[must_use]
    pub const fn ordered_by(mut self, parameter: &'static str) -> Self {
        self.ordered_by = parameter;
        self
    }

    /// Runs by the node's own code.
    #[must_use]
    pub const fn runs(mut self, run: Run) -> Self {
        self.run = run;
        self
    }

    /// Has a flat form.
    #[must_use]
    pub const fn simple(mut self, simple: &'static Simple) -> Self {
        self.simple = Some(simple);
        self
    }

    /// Says what to look at when nobody knows whether it happened.
    #[must_use]
    pub const fn check(mut self, check: &'static str) -> Self {
        self.check = check;
        self
    }

    /// Has a page of the service's own.
    #[must_use]
    pub const fn documented(mut self, url: &'static str) -> Self {
        self.documentation_url = url;
        self
    }

    /// May still be changed by the service.
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

    /// Shows how it is used.
    #[must_use]
    pub const fn examples(mut self, examples: &'static [Example]) -> Self {
        self.examples = examples;
        self
    }

    /// Whether it hands its output over page by page.
    pub fn is_paged(&self) -> bool {
        let paging = match self.route.answer {
            Answer::List(_, paging) => *paging,
            _ => Paging::None,
        };
        matches!(paging, Paging::Offset(_) | Paging::Cursor(_))
    }

    /// Whether it lists records.
    pub fn is_list(&self) -> bool {
        matches!(self.route.answer, Answer::List(..))
    }
}

impl Example {
    /// An example.
    pub const fn new(title: &'static str, parameters: &'static str) -> Self {
        Self { title, parameters }
    }
}
