//! Triggers: their forms, and how their events arrive.

use workflow_node_documents::Webhook;

use super::{Action, Example, Output, Param};

/// One trigger.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Trigger {
    /// Name, texts, slot, scopes, parameters, output, and examples, as for an action.
    pub form: Action,
    /// How its events arrive.
    pub delivery: Delivery,
}

/// How events arrive.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// The service sends them, as this document describes.
    Webhook(fn() -> Webhook),
    /// The host polls at this interval in seconds, unless the user sets another one.
    Poll(u32),
}

impl Trigger {
    /// Creates a trigger whose events the service sends.
    ///
    /// ```
    /// use workflow_node_sdk::declare::Trigger;
    /// use workflow_node_sdk::documents::{Signature, SignatureEncoding, SignatureScheme, Webhook};
    ///
    /// static PUSHED: Trigger = Trigger::webhook(
    ///     "pushed",
    ///     "When someone pushes",
    ///     "Starts a workflow for every push to a repository.",
    ///     || {
    ///         let (hmac, hex) = (SignatureScheme::HmacSha256, SignatureEncoding::Hex);
    ///         let signature = Signature::new(hmac, "X-Signature", hex, "webhook-secret", "/secret");
    ///         Webhook::default().signature(signature.prefix("sha256=")).id_header("X-Delivery")
    ///     },
    /// );
    /// # let _ = PUSHED;
    /// ```
    pub const fn webhook(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        webhook: fn() -> Webhook,
    ) -> Self {
        let delivery = Delivery::Webhook(webhook);
        Self { form: Action::new(name, title, description, "GET", ""), delivery }
    }

    /// Creates a trigger for which the host polls at this interval in seconds, unless the user sets
    /// another one.
    pub const fn poll(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        seconds: u32,
    ) -> Self {
        let delivery = Delivery::Poll(seconds);
        Self { form: Action::new(name, title, description, "GET", ""), delivery }
    }

    /// Sets the version. Increase it when the parameters or the events change incompatibly.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.form.version = version;
        self
    }

    /// Uses the credential of a slot.
    #[must_use]
    pub const fn with(mut self, slot: &'static str) -> Self {
        self.form.slot = Some(slot);
        self
    }

    /// Requires these scopes.
    #[must_use]
    pub const fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.form.scopes = scopes;
        self
    }

    /// Sets the form, in order.
    #[must_use]
    pub const fn parameters(mut self, parameters: &'static [&'static Param]) -> Self {
        self.form.parameters = parameters;
        self
    }

    /// Sets the schema of an event.
    #[must_use]
    pub const fn output(mut self, output: Output) -> Self {
        self.form.output = output;
        self
    }

    /// Sets the page of the service's documentation.
    #[must_use]
    pub const fn documentation_url(mut self, url: &'static str) -> Self {
        self.form.documentation_url = Some(url);
        self
    }

    /// Sets the examples.
    #[must_use]
    pub const fn examples(mut self, examples: &'static [Example]) -> Self {
        self.form.examples = examples;
        self
    }
}
