//! Triggers: the form of one, and how its events come.

use super::{Action, Example, Param};

/// One trigger.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    /// Name, texts, slot, scopes, parameters, output and examples, as of an action.
    pub form: Action,
    /// How its events come.
    pub delivery: Delivery,
}

/// How events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The service calls.
    Webhook(Webhook),
    /// The host asks, every so many seconds unless the user says otherwise.
    Poll(u32),
}

/// How a service delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Most bytes of a body; 0 for what the host allows.
    pub body_limit: u32,
    /// How deliveries are signed.
    pub signature: Option<Signature>,
    /// The header that is repeated when a delivery is; empty for none.
    pub id_header: &'static str,
    /// How many milliseconds the service waits for an answer; 0 where it does not say.
    pub answer_within_ms: u32,
    /// Whether the plugin answers, and not the host as soon as it has kept the delivery.
    pub is_answered_by_plugin: bool,
}

/// How deliveries are signed: HMAC with SHA-256 over the raw body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Where signatures stand.
    pub header: &'static str,
    /// Whether they are written in base64, and not in hexadecimal digits.
    pub is_base64: bool,
    /// What stands before each; empty for nothing.
    pub prefix: &'static str,
    /// What stands between them; empty where there is one only.
    pub separator: &'static str,
    /// The node's secret that signs.
    pub secret: &'static str,
    /// Where in the state its handle stands.
    pub pointer: &'static str,
    /// How many milliseconds a replaced secret is still accepted.
    pub previous_ms: u32,
}

impl Trigger {
    /// A trigger with a name and a way in which its events come.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        delivery: Delivery,
    ) -> Self {
        Self { form: Action::new(name, title, description, "GET", ""), delivery }
    }

    /// Uses the credential of a slot.
    #[must_use]
    pub const fn with(mut self, slot: &'static str) -> Self {
        self.form.slot = slot;
        self
    }

    /// Needs these scopes.
    #[must_use]
    pub const fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.form.scopes = scopes;
        self
    }

    /// Asks for these parameters.
    #[must_use]
    pub const fn takes(mut self, parameters: &'static [&'static Param]) -> Self {
        self.form.parameters = parameters;
        self
    }

    /// Has this schema of an event (JSON text).
    #[must_use]
    pub const fn gives(mut self, output: &'static str) -> Self {
        self.form.output = output;
        self
    }

    /// Has a page of the service's own.
    #[must_use]
    pub const fn documented(mut self, url: &'static str) -> Self {
        self.form.documentation_url = url;
        self
    }

    /// Shows how it is used.
    #[must_use]
    pub const fn examples(mut self, examples: &'static [Example]) -> Self {
        self.form.examples = examples;
        self
    }
}
