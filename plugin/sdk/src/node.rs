//! Runs calls: one result per item, in order, many items at once.

mod paging;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::context::{self, CredentialView};
use crate::declare::{self, Action, Answer, Node, Paging};
use crate::error::{Error, ErrorKind, FieldError};
use crate::executor::{block_on, each_bounded};
use crate::http::{self, Request, Response};
use crate::json;

pub use crate::bindings::exports::workflow::node::node::Call;
pub use crate::bindings::workflow::node::types::OutputItem;

/// How many items are under way at once when the engine does not say.
const DEFAULT_CONCURRENCY: usize = 64;

/// A node and its credential types, as [`crate::export_node!`] exports them.
pub trait Plugin {
    /// The declaration.
    const NODE: Node;

    /// The credential types (a document of `schemas/credential-type.json`).
    fn credential_types() -> String;

    /// The configuration that follows from a credential's fields; see the contract.
    ///
    /// # Errors
    ///
    /// The wrong fields.
    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&Value>,
    ) -> Result<Value, Vec<FieldError>>;

    /// Proves a credential with real calls (a document of `schemas/identity.json`).
    fn test(credential: Credential) -> impl Future<Output = Result<Value, Error>>;

    /// The choices of a parameter.
    fn options(query: OptionsQuery) -> impl Future<Output = Result<Options, Error>>;

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
}

/// What an item yields.
pub type Outcome = Result<Vec<OutputItem>, Error>;

/// An action's own code under way: `Box::pin(async move { … })`.
pub type Work = Pin<Box<dyn Future<Output = Outcome>>>;

/// What is done with an action's request.
#[derive(Clone, Copy)]
pub enum Run {
    /// It is sent, and the answer decoded, as declared.
    Declared,
    /// The node's own code, usually around [`Task::send`].
    Custom(fn(Task) -> Work),
}

/// A slot's credential, as far as a guest may know it.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// The slot; empty where the action uses none.
    pub slot: String,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form's fields without secrets.
    pub fields: Map<String, Value>,
    /// What `configure` returned.
    pub configuration: Map<String, Value>,
    /// `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
}

impl Credential {
    /// The credential in a slot; one that holds nothing where the slot's name is empty.
    ///
    /// # Errors
    ///
    /// Of kind `unauthenticated`, when the slot is empty.
    pub fn in_slot(slot: &str) -> Result<Self, Error> {
        if slot.is_empty() {
            return Ok(Self::default());
        }
        let Some(view) = context::credential(slot) else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!("the slot `{slot}` holds no credential: connect one and select it"),
            ));
        };
        let CredentialView { credential_type, fields, configuration, granted_scopes } = view;
        let object = |text: &str| json::object(text).unwrap_or_default();
        Ok(Self {
            slot: slot.into(),
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
    /// Of kind `unauthenticated`, when this credential has no such URL: it is not for this action.
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

/// One item of one action: what its code works with.
pub struct Task {
    /// The item's position in the call.
    pub item: u32,
    /// The action.
    pub action: &'static Action,
    /// The item's parameters, validated.
    pub parameters: Map<String, Value>,
    /// The credential of the action's slot.
    pub credential: Rc<Credential>,
    service: ServiceHooks,
}

/// The hooks of a [`Plugin`], so that tasks need not be generic.
#[derive(Clone, Copy)]
struct ServiceHooks {
    prepare: fn(&mut Request, &Action, &Credential) -> Result<(), Error>,
    error: fn(&Response, &Action, &Credential) -> Error,
}

impl ServiceHooks {
    fn of<P: Plugin>() -> Self {
        Self { prepare: P::prepare, error: P::error }
    }
}

impl Task {
    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// The request that follows from the declaration.
    ///
    /// # Errors
    ///
    /// When a parameter cannot stand where it is declared to.
    pub fn request(&self) -> Result<Request, Error> {
        let base = match self.action.route.base {
            address if self.action.slot.is_empty() => address,
            name => self.credential.base_url(name)?,
        };
        let key = self.action.route.key.is_some().then(|| context::idempotency_key(self.item));
        declare::request::build(self.action, base, &self.parameters, key.as_deref())
    }

    /// Sends a request with the service's headers and the slot's credential; an unsuccessful
    /// answer is an error.
    ///
    /// # Errors
    ///
    /// No answer, or an unsuccessful one.
    pub async fn send(&self, mut request: Request) -> Result<Response, Error> {
        (self.service.prepare)(&mut request, self.action, &self.credential)?;
        let slot = &self.credential.slot;
        request.credential = (!slot.is_empty()).then(|| slot.clone());
        let repeatable = request.is_repeatable();
        let response =
            http::send(&request).await.map_err(|error| Error::from_send(error, &request))?;
        if response.is_success() {
            return Ok(response);
        }
        let mut error = (self.service.error)(&response, self.action, &self.credential);
        if response.status >= 500 && !repeatable {
            error.kind = ErrorKind::OutcomeUnknown;
            error.retry_after = None;
        }
        Err(error)
    }

    /// Sends the declared request and decodes the answer as declared.
    ///
    /// # Errors
    ///
    /// As [`Task::send`], or an answer of another shape.
    pub async fn run_declared(&self) -> Outcome {
        if let Answer::List(member, paging) = self.action.route.answer {
            return paging::list(self, member, paging).await;
        }
        let request = self.request()?;
        let repeatable = request.is_repeatable();
        let response = self.send(request).await?;
        let record = match self.action.route.answer {
            Answer::Nothing(record) => Ok(record.to_owned()),
            Answer::Object(member) => response.member(member),
            Answer::Whole | Answer::List(..) => response.text(),
        };
        match record {
            Ok(record) => Ok(vec![main(record)]),
            // Something said yes to the write; whether it was the service, nobody knows.
            Err(mut error) if !repeatable => {
                error.kind = ErrorKind::OutcomeUnknown;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// An output record on the port `main`.
pub fn main(json: String) -> OutputItem {
    OutputItem { port: "main".into(), json }
}

impl Action {
    /// Whether it hands its output over page by page.
    pub fn is_paged(&self) -> bool {
        matches!(self.route.answer, Answer::List(_, paging) if paging != Paging::None)
    }
}

#[doc(hidden)]
pub fn describe<P: Plugin>() -> String {
    json::text(&declare::document::node(&P::NODE))
}

#[doc(hidden)]
pub fn execute<P: Plugin>(call: Call) -> Result<Vec<Outcome>, Error> {
    let unsupported = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
    if call.node != P::NODE.name {
        return unsupported(format!("this is the node `{}`, not `{}`", P::NODE.name, call.node));
    }
    let Some(action) = P::NODE.action(&call.action) else {
        return unsupported(format!("there is no action `{}`", call.action));
    };
    if call.version != action.version {
        return unsupported(format!(
            "the action `{}` is at version {}, the workflow asks for {}: reopen its form",
            action.name, action.version, call.version
        ));
    }
    let options = json::object(&call.options).unwrap_or_default();
    let continue_on_fail =
        options.get("continue_on_fail").and_then(Value::as_bool).unwrap_or(false);
    let concurrency = options.get("concurrency").and_then(Value::as_u64);
    let credential = Rc::new(Credential::in_slot(action.slot)?);
    let total = call.items.len();
    let mut results: Vec<Option<Outcome>> = Vec::new();
    results.resize_with(total, || None);
    let failed = std::cell::Cell::new(false);
    let mut done = 0;
    block_on(each_bounded(
        call.items,
        concurrency.map_or(DEFAULT_CONCURRENCY, |limit| limit as usize),
        |item, parameters| {
            let stop = failed.get() && !continue_on_fail;
            let credential = credential.clone();
            async move {
                let because = if context::cancelled() {
                    Some("not begun, because the run was cancelled")
                } else if stop {
                    Some("not begun, because another item failed")
                } else {
                    None
                };
                if let Some(because) = because {
                    return Err(Error::new(ErrorKind::Cancelled, because));
                }
                let service = ServiceHooks::of::<P>();
                run_item(service, action, credential, item as u32, &parameters).await
            }
        },
        |item, result| {
            failed.set(failed.get() || result.is_err());
            results[item] = Some(result);
            done += 1;
            if total > 1 {
                context::progress(done, Some(total as u64), "");
            }
        },
    ));
    Ok(results.into_iter().map(|result| result.expect("each item has ended")).collect())
}

async fn run_item(
    service: ServiceHooks,
    action: &'static Action,
    credential: Rc<Credential>,
    item: u32,
    parameters: &str,
) -> Outcome {
    let parameters = json::object(parameters)
        .ok_or_else(|| Error::invalid("", "the item is not an object of parameters"))?;
    declare::validate::check(action, &parameters)?;
    let task = Task { item, action, parameters, credential, service };
    match action.run {
        Run::Declared => task.run_declared().await,
        Run::Custom(run) => run(task).await,
    }
}

/// What a form asks for the choices of a field.
#[derive(Clone, Debug)]
pub struct OptionsQuery {
    /// The action's name.
    pub action: String,
    /// The parameter's name.
    pub parameter: String,
    /// What the form holds so far.
    pub parameters: Map<String, Value>,
    /// What the user typed.
    pub search: Option<String>,
    /// From the last answer.
    pub cursor: Option<String>,
    /// How many at most.
    pub limit: Option<u64>,
}

/// Choices of a field.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In the order to show.
    pub choices: Vec<Choice>,
    /// Given to the next query for more.
    pub next_cursor: Option<String>,
}

/// One choice.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What the parameter is set to.
    pub value: Value,
    /// What a form shows.
    pub label: String,
    /// A second line.
    pub description: Option<String>,
}

#[doc(hidden)]
pub fn load_options<P: Plugin>(query: String) -> Result<String, Error> {
    let query =
        json::object(&query).ok_or_else(|| Error::invalid("", "the query is no JSON object"))?;
    let text = |name: &str| query.get(name).and_then(Value::as_str).map(str::to_owned);
    let query = OptionsQuery {
        action: text("action").unwrap_or_default(),
        parameter: text("parameter").unwrap_or_default(),
        parameters: match query.get("parameters") {
            Some(Value::Object(parameters)) => parameters.clone(),
            _ => Map::new(),
        },
        search: text("search"),
        cursor: text("cursor"),
        limit: query.get("limit").and_then(Value::as_u64),
    };
    let has_options = P::NODE
        .action(&query.action)
        .and_then(|action| action.parameters.iter().find(|param| param.name == query.parameter))
        .map(|param| param.has_options);
    let refuse = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
    match has_options {
        Some(true) => {}
        Some(false) => return refuse(format!("`{}` has no choices", query.parameter)),
        None => {
            let OptionsQuery { action, parameter, .. } = query;
            return refuse(format!("there is no parameter `{parameter}` of `{action}`"));
        }
    }
    let options = block_on(P::options(query))?;
    let mut choices = Vec::new();
    for choice in options.choices {
        let mut members = json::Object::new();
        members.set("value", choice.value);
        members.set("label", choice.label.into());
        if let Some(description) = choice.description {
            members.set("description", description.into());
        }
        choices.push(members.build());
    }
    let mut members = json::Object::new();
    members.set("choices", Value::Array(choices));
    if let Some(cursor) = options.next_cursor {
        members.set("next_cursor", cursor.into());
    }
    Ok(json::text(&members.build()))
}

/// Fetches something outside an item's action, e.g. choices, by the declaration of `action`.
///
/// # Errors
///
/// As [`Task::send`].
pub async fn fetch<P: Plugin>(
    action: &'static Action,
    credential: &Rc<Credential>,
    url: String,
) -> Result<Response, Error> {
    let service = ServiceHooks::of::<P>();
    let task =
        Task { item: 0, action, parameters: Map::new(), credential: credential.clone(), service };
    task.send(Request::new("GET", url)).await
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
        Some(text) => Some(json::value(&text).ok_or_else(wrong)?),
        None => None,
    };
    P::configure(&credential_type, &fields, grant.as_ref()).map(|value| json::text(&value))
}

#[doc(hidden)]
pub fn test<P: Plugin>(slot: String) -> Result<String, Error> {
    let credential = Credential::in_slot(&slot)?;
    block_on(P::test(credential)).map(|identity| json::text(&identity))
}
