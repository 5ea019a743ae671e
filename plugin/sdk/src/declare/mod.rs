//! One declaration per action, as plain data. What a form shows, what is validated, what is sent,
//! what the documentation says, which scopes are needed and which examples are run: all of it is
//! read from here, and nowhere else.

pub mod document;
pub(crate) mod request;
pub(crate) mod validate;

use crate::node::Run;

/// A node: everything it says about itself.
#[derive(Clone, Copy)]
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
    /// Every origin it may ever talk to.
    pub origins: &'static [&'static str],
    /// The places for credentials.
    pub slots: &'static [Slot],
    /// Schemas shared by name (JSON text); actions refer to them as `#/$defs/NAME`.
    pub schemas: &'static [(&'static str, &'static str)],
    /// Positions in answers that hold secrets (a JSON array, as in `schemas/node.json`).
    pub secrets: &'static str,
    /// The actions, a slice per resource.
    pub actions: &'static [&'static [Action]],
}

impl Node {
    /// All actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &'static Action> + use<> {
        self.actions.iter().flat_map(|actions| actions.iter())
    }

    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&'static Action> {
        self.actions().find(|action| action.name == name)
    }
}

/// A place for a credential.
#[derive(Clone, Copy)]
pub struct Slot {
    /// Lower case.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Which credential types fit.
    pub credential_types: &'static [&'static str],
}

/// What an action does to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// One action.
#[derive(Clone, Copy)]
pub struct Action {
    /// `<resource>.<operation>`.
    pub name: &'static str,
    /// Raised when its parameters or output change incompatibly.
    pub version: u32,
    /// What a menu shows.
    pub title: &'static str,
    /// What it does, for a person who does not know the API.
    pub description: &'static str,
    /// The service's own page; empty for none.
    pub documentation_url: &'static str,
    /// The slot whose credential it uses; empty for none.
    pub slot: &'static str,
    /// The scopes that a scoped grant needs.
    pub scopes: &'static [&'static str],
    /// What it does to the service.
    pub effect: Effect,
    /// What a repetition does.
    pub idempotency: Idempotency,
    /// Whether it acts in the name of a person (what that means is the service's business).
    pub acts_as_user: bool,
    /// The form, in order.
    pub parameters: &'static [&'static Param],
    /// The request that follows from the parameters.
    pub route: Route,
    /// What is done with the request: sent as declared, or by the node's own code.
    pub run: Run,
    /// Schema of one output record (JSON text).
    pub output: &'static str,
    /// Parameters that really run.
    pub examples: &'static [Example],
}

impl Action {
    const fn base(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        method: &'static str,
        path: &'static str,
    ) -> Self {
        Self {
            name,
            version: 1,
            title,
            description,
            documentation_url: "",
            slot: "",
            scopes: &[],
            effect: Effect::Read,
            idempotency: Idempotency::Safe,
            acts_as_user: false,
            parameters: &[],
            route: Route {
                method,
                base: "",
                path,
                constants: &[],
                key: None,
                answer: Answer::Whole,
            },
            run: Run::Declared,
            output: r#"{"type":"object"}"#,
            examples: &[],
        }
    }

    /// An action that reads. The other fields are set by struct update.
    pub const fn get(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        path: &'static str,
    ) -> Self {
        Self::base(name, title, description, "GET", path)
    }

    /// An action that writes, by `method`. Not repeatable unless declared so.
    pub const fn write(
        effect: Effect,
        name: &'static str,
        title: &'static str,
        description: &'static str,
        method: &'static str,
        path: &'static str,
    ) -> Self {
        Self {
            effect,
            idempotency: Idempotency::None,
            ..Self::base(name, title, description, method, path)
        }
    }
}

/// The request of an action.
#[derive(Clone, Copy)]
pub struct Route {
    /// In upper case.
    pub method: &'static str,
    /// Which of the configuration's `base_urls`; for an action without a slot, the URL itself.
    pub base: &'static str,
    /// With `{parameter}` for a segment.
    pub path: &'static str,
    /// Values (JSON text) that stand in every body, by pointer.
    pub constants: &'static [(&'static str, &'static str)],
    /// The parameter that takes the execution's idempotency key when it is not given.
    pub key: Option<&'static str>,
    /// How the answer becomes output.
    pub answer: Answer,
}

/// How a successful answer becomes output records.
#[derive(Clone, Copy)]
pub enum Answer {
    /// The whole body is one record.
    Whole,
    /// One record under this member.
    Object(&'static str),
    /// One record per element under this member.
    List(&'static str, Paging),
    /// No body; the record is this JSON text.
    Nothing(&'static str),
}

/// How a service hands out a long list.
#[derive(Clone, Copy, PartialEq)]
pub enum Paging {
    /// All at once; a limit is applied here.
    None,
    /// `limit` and `offset`, and a member that says whether there is more.
    Offset {
        /// The largest page.
        page: u64,
        /// `offset + limit` may not exceed this.
        window: u64,
        /// Name of the query parameter and member.
        limit: &'static str,
        /// Name of the query parameter and member.
        offset: &'static str,
        /// Name of the member.
        more: &'static str,
    },
    /// An opaque cursor from one page to the next.
    Cursor {
        /// The largest page.
        page: u64,
        /// Name of the query parameter.
        limit: &'static str,
        /// Name of the query parameter.
        cursor: &'static str,
        /// Name of the member; null or absent at the end.
        next: &'static str,
    },
}

/// Parameters that really run, as a test proves.
#[derive(Clone, Copy)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// A JSON object (text).
    pub parameters: &'static str,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One line.
    Text,
    /// Many lines.
    LongText,
    /// An e-mail address.
    Email,
    /// An absolute URL.
    Url,
    /// RFC 3339 with an offset.
    DateTime,
    /// Whole number.
    Integer(i64, i64),
    /// True or false.
    Boolean,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Several of one kind.
    List(&'static Kind),
    /// Any JSON object.
    Map,
    /// Any JSON value.
    Json,
    /// Several objects with these members.
    Objects(&'static [&'static Param]),
}

/// Where a parameter goes in the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// Nowhere; the code that runs the action reads it.
    Control,
    /// The path segment of its own name.
    Path,
    /// A query parameter; a list repeats it.
    Query(&'static str),
    /// A query parameter; a list is joined by commas.
    QueryJoined(&'static str),
    /// A header.
    Header(&'static str),
    /// A position in the JSON body (RFC 6901).
    Body(&'static str),
    /// A position in the JSON body, where each value `v` becomes the JSON text with `$` replaced by
    /// the value: `{"id":$,"type":"service_reference"}`.
    BodyAs(&'static str, &'static str),
}

/// One parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// As the API names the field.
    pub name: &'static str,
    /// What a form shows.
    pub title: &'static str,
    /// What it means, its unit and its default.
    pub description: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where it goes.
    pub place: Place,
    /// Whether it must be given.
    pub is_required: bool,
    /// Whether null is a value (it clears the field).
    pub is_nullable: bool,
    /// Whether `load-options` has choices for it.
    pub has_options: bool,
    /// JSON text, shown in the form; the service's own default, never sent by us.
    pub default: Option<&'static str>,
    /// Most characters, elements or members; 0 for no limit.
    pub max: u32,
}

impl Param {
    /// A parameter of any kind; not sent anywhere until placed with [`Param::at`].
    pub const fn new(
        kind: Kind,
        name: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            title,
            description,
            kind,
            place: Place::Control,
            is_required: false,
            is_nullable: false,
            has_options: false,
            default: None,
            max: 0,
        }
    }

    /// One line of text.
    pub const fn text(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self::new(Kind::Text, name, title, description)
    }

    /// Places it in the request.
    #[must_use]
    pub const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// May be null.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }

    /// Has choices.
    #[must_use]
    pub const fn options(mut self) -> Self {
        self.has_options = true;
        self
    }

    /// What happens when it is absent.
    #[must_use]
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// At most so many characters, elements or members.
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }
}
