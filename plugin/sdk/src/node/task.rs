//! One item of one action, and the credential that it works with.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Hooks, Outcome, OutputItem, Plugin, listing, main, reported, span};
use crate::context::{self, CredentialView};
use crate::declare::{self, Action, Answer, Idempotency};
use crate::error::{Error, ErrorKind};
use crate::http::{self, Request, Response};
use crate::json;

/// The non-secret part of a slot's credential.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// The slot; `None` if the action uses none.
    pub slot: Option<String>,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form's fields without secrets.
    pub fields: Map<String, Value>,
    /// The result of `configure`.
    pub configuration: Map<String, Value>,
    /// `None` if the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
}

impl Credential {
    /// The credential in a slot; an empty one if there is no slot.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unauthenticated` if the slot is empty.
    pub fn in_slot(slot: Option<&str>) -> Result<Self, Error> {
        let Some(slot) = slot else {
            return Ok(Self::default());
        };
        let Some(view) = context::credential(slot) else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!("the slot `{slot}` holds no credential: connect one and select it"),
            ));
        };
        let CredentialView { credential_type, fields, configuration, granted_scopes } = view;
        let object = |text: &str| json::object(text).unwrap_or_default();
        Ok(Self {
            slot: Some(slot.into()),
            credential_type,
            fields: object(&fields),
            configuration: object(&configuration),
            granted_scopes,
        })
    }

    /// A text field of the form.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// One of the configuration's base URLs.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unauthenticated` if this credential has no such URL and so cannot
    /// be used for this action.
    pub fn base_url(&self, name: &str) -> Result<&str, Error> {
        self.configuration.get("base_urls").and_then(|urls| urls.get(name)?.as_str()).ok_or_else(
            || {
                Error::new(
                    ErrorKind::Unauthenticated,
                    format!(
                        "a credential of type `{}` knows no `{name}` address: reconnect it",
                        self.credential_type
                    ),
                )
            },
        )
    }
}

/// One item of one action: the context of custom code.
pub struct Task {
    /// The item's position in the call.
    pub item: u32,
    /// The action.
    pub action: &'static Action,
    /// The item's parameters, validated, with IDs in place of names and URLs.
    pub parameters: Map<String, Value>,
    /// The credential of the action's slot.
    pub credential: Rc<Credential>,
    pub(crate) hooks: Hooks,
}

impl Task {
    /// A task outside the items of a call, for other requests of a plugin: choices, credentials,
    /// triggers.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unsupported` if there is no such action.
    pub fn aside<P: Plugin>(
        action: &str,
        credential: &Rc<Credential>,
        parameters: Map<String, Value>,
    ) -> Result<Self, Error> {
        Self::with_hooks(Hooks::of::<P>(), 0, action, credential, parameters)
    }

    pub(crate) fn with_hooks(
        hooks: Hooks,
        item: u32,
        action: &str,
        credential: &Rc<Credential>,
        parameters: Map<String, Value>,
    ) -> Result<Self, Error> {
        let action = hooks.declaration.action(action).ok_or_else(|| {
            let message = ["there is no action `", action, "`"].concat();
            Error::new(ErrorKind::Unsupported, message)
        })?;
        Ok(Self { item, action, parameters, credential: credential.clone(), hooks })
    }

    /// Another action for the same item, with the same credential.
    ///
    /// # Errors
    ///
    /// As [`Task::aside`].
    pub fn other(&self, action: &str, parameters: Map<String, Value>) -> Result<Self, Error> {
        Self::with_hooks(self.hooks, self.item, action, &self.credential, parameters)
    }

    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// A list parameter, or a list of a single value.
    pub fn list(&self, name: &str) -> &[Value] {
        match self.parameters.get(name) {
            Some(Value::Array(list)) => list,
            Some(Value::Null) | None => &[],
            Some(one) => std::slice::from_ref(one),
        }
    }

    /// Whether a parameter is true.
    pub fn flag(&self, name: &str) -> bool {
        self.parameters.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The request that is derived from the declaration.
    ///
    /// # Errors
    ///
    /// If a parameter is not valid in its place.
    pub fn request(&self) -> Result<Request, Error> {
        let base = self.action.route.base.unwrap_or_default();
        let base = match self.action.slot {
            None => base,
            Some(_) => self.credential.base_url(base)?,
        };
        // Some reads use POST. A request with a safe method needs no key.
        let is_idempotent =
            matches!(self.action.idempotency, Idempotency::Idempotent | Idempotency::Safe)
                && !http::reads(self.action.route.method);
        let has_key = self.action.route.key.is_some() || is_idempotent;
        let key = has_key.then(|| context::idempotency_key(self.item));
        let completed = span::completed(self);
        let parameters = completed.as_ref().unwrap_or(&self.parameters);
        let mut request = declare::request::build(self.action, base, parameters, key.as_deref())?;
        if is_idempotent && request.idempotency_key.is_none() {
            request.idempotency_key = key;
        }
        Ok(request)
    }

    /// Sends a request with the service's headers and the slot's credential; an unsuccessful
    /// answer is an error.
    ///
    /// # Errors
    ///
    /// If there is no response, or an unsuccessful one.
    pub async fn send(&self, mut request: Request) -> Result<Response, Error> {
        (self.hooks.prepare)(&mut request, self.action, &self.credential)?;
        request.credential = self.credential.slot.clone();
        let repeatable = request.is_repeatable();
        let response = http::send(&request).await.map_err(|error| {
            let reads = request.reads() || self.action.idempotency == Idempotency::Safe;
            self.checkable(Error::of_send(error, reads, repeatable))
        })?;
        if response.is_success() {
            reported::check(&response, self.action.failures, repeatable && self.reads())?;
            return Ok(response);
        }
        let error = (self.hooks.error)(&response, self.action, &self.credential);
        // A previous run that failed or timed out may have sent it.
        let stumbled = response.status >= 500
            || matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Timeout);
        if stumbled && !repeatable { Err(self.unknown(error)) } else { Err(self.checkable(error)) }
    }

    /// Interprets a successful response to a request. If it cannot be read and the request was a
    /// write, the outcome is unknown: something returned success, but perhaps not the service.
    ///
    /// # Errors
    ///
    /// Returns the error of `read`; after a write, with the kind `outcome-unknown`.
    pub fn understood<T>(&self, repeatable: bool, read: Result<T, Error>) -> Result<T, Error> {
        // A write that was answered with 2xx has taken effect. Although it could be repeated, this
        // is not a temporary failure of the service.
        read.map_err(|error| if repeatable && self.reads() { error } else { self.unknown(error) })
    }

    /// Whether the action changes nothing.
    pub(super) fn reads(&self) -> bool {
        self.action.idempotency == Idempotency::Safe || http::reads(self.action.route.method)
    }

    fn unknown(&self, mut error: Error) -> Error {
        error.kind = ErrorKind::OutcomeUnknown;
        error.retry_after = None;
        self.checkable(error)
    }

    /// Adds to an error how to check whether the write took effect, if that is unknown.
    fn checkable(&self, mut error: Error) -> Error {
        if error.kind != ErrorKind::OutcomeUnknown {
            return error;
        }
        let resource = self.action.name.split('.').next().unwrap_or_default();
        let list = [resource, ".list"].concat();
        let hint = if let Some(check) = self.action.check {
            check.to_owned()
        } else if self.hooks.declaration.action(&list).is_some() {
            ["Look with `", &list, "` whether it has happened before you run it again."].concat()
        } else {
            "Look at the service whether it has happened before you run it again.".to_owned()
        };
        if !error.message.ends_with(['.', '!']) {
            error.message.push('.');
        }
        error.message.push(' ');
        error.message.push_str(&hint);
        error
    }

    /// Sends the declared request and decodes the response as declared. A long list is emitted page
    /// by page.
    ///
    /// # Errors
    ///
    /// As [`Task::send`], or if the response has another shape.
    pub async fn run_declared(&self) -> Outcome {
        if let Some((member, paging)) = self.action.route.answer.list() {
            let emit = |outputs: Vec<OutputItem>| context::emit(self.item, &outputs);
            // Boxed, so that actions without listings do not reserve memory for it.
            return Box::pin(listing::list(self, member, paging, &emit)).await;
        }
        let request = self.request()?;
        let repeatable = request.is_repeatable();
        let response = self.send(request).await?;
        self.understood(repeatable, self.decoded(&response))
    }

    /// The output of a response.
    ///
    /// # Errors
    ///
    /// If it does not have the declared shape.
    pub fn decoded(&self, response: &Response) -> Outcome {
        let record = match self.action.route.answer {
            Answer::Nothing(record) => json::text(&record.value()),
            Answer::Object(member) => {
                let members = response.members()?;
                // The documentation and the service sometimes use different names.
                let record = members.get(member).or_else(|| members.only('{'));
                let record = record
                    .ok_or_else(|| response.unexpected(&["has no `", member, "`"].concat()))?;
                let record = record.to_owned();
                // Some services return a list with one element.
                if let Some(elements) = json::elements(&record) {
                    return Ok(elements.into_iter().map(|one| self.output(one)).collect());
                }
                record
            }
            Answer::Whole | Answer::List(..) => response.text()?,
            Answer::Elements => {
                let body = response.text()?;
                let elements =
                    json::elements(&body).ok_or_else(|| response.unexpected("is not a list"))?;
                let mut outputs = Vec::with_capacity(elements.len());
                for element in elements {
                    outputs.push(self.output(element));
                }
                return Ok(outputs);
            }
        };
        Ok(vec![self.output(&record)])
    }

    /// An output record: unchanged, or flat if requested.
    pub fn output(&self, record: &str) -> OutputItem {
        if let Some(simple) = self.action.simple
            && self.flag("simplify")
            && let Some(value) = json::value(record)
        {
            return main(json::text(&simple.of(&value)));
        }
        main(record.to_owned())
    }

    /// Every record of the declared request, for code that processes them.
    ///
    /// # Errors
    ///
    /// As [`Task::run_declared`].
    pub async fn records(&self) -> Result<Vec<Value>, Error> {
        let earlier = std::cell::RefCell::new(Vec::new());
        let outputs = match self.action.route.answer.list() {
            Some((member, paging)) => {
                let keep = |outputs: Vec<OutputItem>| earlier.borrow_mut().extend(outputs);
                listing::list(self, member, paging, &keep).await?
            }
            None => self.run_declared().await?,
        };
        let mut all = earlier.into_inner();
        all.extend(outputs);
        let mut records = Vec::with_capacity(all.len());
        for output in all {
            records.extend(json::value(output.json));
        }
        Ok(records)
    }
}
