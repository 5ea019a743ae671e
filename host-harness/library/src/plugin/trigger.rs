//! Calls of the optional interface `trigger`.

use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::Plugin;
use super::call::call;
use crate::bindings::triggers::exports::workflow::node::trigger as contract;
use crate::description::{Document as _, FieldProblem, Trigger, TriggerOptions};
use crate::error::{Cause, Error};
use crate::execution::{Execution, FormOf};
use crate::guest::{Invocation, Returned};
use crate::item::ItemError;
use crate::json::Measure;
use crate::limits::Limits;
use crate::observer::Observer;
use crate::offload::Stop;
use crate::principal::Principal;
use crate::secret::Secret;

pub(crate) use contract::{Health, Received, Reply};

/// Input of a trigger call.
pub(crate) struct TriggerCall<'a> {
    pub(crate) trigger: &'a Trigger,
    pub(crate) parameters: &'a Value,
    pub(crate) callback_url: Option<&'a str>,
    /// Without the handle of the secret.
    pub(crate) state: Option<&'a Value>,
    /// Signs deliveries; the guest is given a handle.
    pub(crate) secret: Option<&'a Secret>,
    /// Whose name and credentials it is made with.
    pub(crate) execution: Execution,
    pub(crate) observer: Arc<dyn Observer>,
}

/// Results of a poll, as the guest returned them.
pub(crate) struct Polled {
    pub(crate) events: Vec<contract::Event>,
    pub(crate) cursor: Value,
    pub(crate) more: bool,
}

/// The outer error: the plugin could not be asked. The inner one: its own error.
pub(crate) type Answered<T> = Result<Result<T, ItemError>, Error>;

impl Plugin {
    /// Problems with the parameters of a trigger.
    ///
    /// # Errors
    ///
    /// When there is no such trigger.
    pub fn validate_trigger(
        &self,
        trigger: &str,
        parameters: &Value,
    ) -> Result<Vec<FieldProblem>, Error> {
        let trigger = self.trigger(trigger)?;
        let form = self.form(&FormOf::Trigger(trigger.name.clone()))?;
        Ok(form.problems(parameters))
    }

    /// As [`Plugin::validate_trigger`], and never works on a thread of the executor.
    pub(crate) async fn check_trigger(
        &self,
        trigger: &str,
        parameters: &Value,
    ) -> Result<Vec<FieldProblem>, Error> {
        let (plugin, trigger) = (self.clone(), trigger.to_owned());
        let parameters = parameters.clone();
        let check = move |_: &Stop| plugin.validate_trigger(&trigger, &parameters);
        self.shared.heavy.of_another().run(check).await?
    }

    /// The state without the handle, and the secret behind it.
    pub(crate) async fn set_up(&self, call: TriggerCall<'_>) -> Answered<(Value, Option<Secret>)> {
        let trigger = call.trigger;
        let by = call.execution.context.actor.clone();
        let options = match self.new_signing_secret(trigger, &by) {
            Some(handle) => TriggerOptions::default().signing_secret(handle),
            None => TriggerOptions::default(),
        };
        let answer = self.ask_with(call, &options, Invocation::SetUp, Returned::document).await?;
        let state = match answer {
            Ok(text) => self.json("state", &text, self.shared.trigger_limits.state)?,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(self.taken_apart(trigger, &by, state)))
    }

    pub(crate) async fn check_up(&self, call: TriggerCall<'_>) -> Answered<Health> {
        self.ask(call, Invocation::Check, Returned::health).await
    }

    pub(crate) async fn tear_down(&self, call: TriggerCall<'_>) -> Answered<()> {
        self.ask(call, Invocation::TearDown, Returned::done).await
    }

    pub(crate) async fn hand_in(
        &self,
        call: TriggerCall<'_>,
        delivery: &contract::Delivery,
    ) -> Answered<Received> {
        let delivery = delivery.clone();
        self.ask(
            call,
            |subscription| Invocation::Receive(subscription, delivery),
            Returned::received,
        )
        .await
    }

    pub(crate) async fn ask_for_new(
        &self,
        call: TriggerCall<'_>,
        cursor: Option<&Value>,
    ) -> Answered<Polled> {
        let cursor = cursor.map(Value::to_string);
        let answer = self
            .ask(call, |subscription| Invocation::Poll(subscription, cursor), Returned::page)
            .await?;
        Ok(match answer {
            Ok(page) => Ok(Polled {
                cursor: self.json("cursor", &page.cursor, self.shared.trigger_limits.cursor)?,
                events: page.events,
                more: page.more,
            }),
            Err(error) => Err(error),
        })
    }

    /// The handle of a new secret for the deliveries of a trigger whose signing secret the host makes.
    /// The guest never sees the secret: the host fills it in where the node says that it is placed.
    fn new_signing_secret(&self, trigger: &Trigger, by: &Principal) -> Option<String> {
        let signature = trigger.webhook()?.signature.as_ref().filter(|one| one.made_by_host)?;
        let mut secret = Zeroizing::new(String::with_capacity(2 * SIGNING_SECRET));
        for byte in rand::random::<[u8; SIGNING_SECRET]>() {
            secret.push_str(&format!("{byte:02x}"));
        }
        let secret = Secret::new(secret.as_str());
        Some(self.shared.handles.keep(&self.holder(by), &signature.secret, secret))
    }

    async fn ask<T>(
        &self,
        asked: TriggerCall<'_>,
        invocation: impl FnOnce(contract::Subscription) -> Invocation,
        expect: impl FnOnce(Returned) -> Option<Result<T, contract::Error>>,
    ) -> Answered<T> {
        self.ask_with(asked, &TriggerOptions::default(), invocation, expect).await
    }

    async fn ask_with<T>(
        &self,
        asked: TriggerCall<'_>,
        options: &TriggerOptions,
        invocation: impl FnOnce(contract::Subscription) -> Invocation,
        expect: impl FnOnce(Returned) -> Option<Result<T, contract::Error>>,
    ) -> Answered<T> {
        let trigger = asked.trigger;
        let form = self.form_elsewhere(FormOf::Trigger(trigger.name.clone())).await?;
        let mut execution = asked.execution;
        let by = execution.context.actor.clone();
        execution.action.clone_from(&trigger.name);
        let limits = self.limits_of(&execution).clone();
        let session = self.session(&execution, Some(&trigger.slots), asked.observer).await?;
        let subscription = contract::Subscription {
            trigger: trigger.name.clone(),
            version: trigger.version,
            parameters: self.without_secrets(&form, &by, asked.parameters).to_string(),
            callback_url: asked.callback_url.map(str::to_owned),
            state: asked.state.map(|state| self.put_together(trigger, &by, state, asked.secret)),
            options: options.to_json(),
        };
        let invocation = invocation(subscription);
        let (answer, _) =
            call(&self.shared, &self.guest, session.context, &invocation, expect).await?;
        Ok(answer.map_err(|error| ItemError::of_guest(error, &limits)))
    }

    /// The state as the guest sees it: with a handle where the description says that it stands.
    fn put_together(
        &self,
        trigger: &Trigger,
        by: &Principal,
        state: &Value,
        secret: Option<&Secret>,
    ) -> String {
        let mut state = state.clone();
        let rule = trigger.webhook().and_then(|webhook| webhook.signature.as_ref());
        if let (Some(rule), Some(secret)) = (rule, secret)
            && let Some(place) = place(&mut state, &rule.pointer)
        {
            let handle = self.shared.handles.keep(&self.holder(by), &rule.secret, secret.clone());
            *place = Value::String(handle);
        }
        state.to_string()
    }

    /// Takes the handle out of a state, and finds the secret behind it.
    fn taken_apart(
        &self,
        trigger: &Trigger,
        by: &Principal,
        mut state: Value,
    ) -> (Value, Option<Secret>) {
        let rule = trigger.webhook().and_then(|webhook| webhook.signature.as_ref());
        let Some(rule) = rule else { return (state, None) };
        let Some(place) = state.pointer_mut(&rule.pointer) else { return (state, None) };
        let handle = std::mem::take(place);
        let secret = handle
            .as_str()
            .and_then(|handle| self.shared.handles.open(&self.holder(by), &rule.secret, handle));
        (state, secret)
    }

    fn limits_of<'a>(&'a self, execution: &'a Execution) -> &'a Limits {
        execution.context.limits.as_ref().unwrap_or(&self.shared.limits)
    }

    /// A document of at most `limit` bytes; the limit has the name `what`.
    fn json(&self, what: &str, text: &str, limit: usize) -> Result<Value, Error> {
        let broken = |problem: String| Error::from(Cause::Stopped(problem));
        if text.len() > limit {
            let length = text.len();
            return Err(broken(format!(
                "the {what} that it returned has {length} bytes; the limit `{what}` is {limit}"
            )));
        }
        if Measure::of(text).depth > self.shared.limits.json_depth {
            return Err(broken(format!("the {what} that it returned is nested too deeply")));
        }
        serde_json::from_str(text).map_err(|error| {
            broken(format!("the {what} that it returned is not valid JSON: {error}"))
        })
    }
}

/// Length of a signing secret that the host makes, in bytes before they are written as hexadecimal
/// digits: as long as the hash of HMAC-SHA-256, so that guessing it is not easier than forging.
const SIGNING_SECRET: usize = 32;

/// The value at a pointer, made where only its last member is missing.
fn place<'a>(state: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    let (parent, name) = pointer.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    match state.pointer_mut(parent)? {
        Value::Object(members) => Some(members.entry(name).or_insert(Value::Null)),
        Value::Array(list) => list.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    }
}
