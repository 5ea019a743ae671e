//! Sets up, checks, repairs, and removes subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::bindings::triggers::exports::workflow::node::trigger as contract;
use crate::clock::Clock;
use crate::description::Trigger;
use crate::error::{Cause, Error};
use crate::execution::{CallContext, Execution};
use crate::item::ItemError;
use crate::json::Measure;
use crate::limits::{Limits, TriggerLimits};
use crate::observer::Observer;
use crate::origin::OriginPattern;
use crate::plugin::{Plugin, TriggerCall, TriggerHealth, check_version};
use crate::subscription::{
    NewEvent, NewSubscription, Status, StoredSubscription, Subscription, SubscriptionKey,
    TriggerStore, TriggerStoreError,
};

/// The subscriptions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Triggers(pub(super) Arc<Inner>, Option<Arc<[OriginPattern]>>);

pub(super) struct Inner {
    pub(super) store: Arc<dyn TriggerStore>,
    pub(super) clock: Arc<dyn Clock>,
    /// Of calls of the plugin.
    pub(super) call_limits: Limits,
    pub(super) limits: TriggerLimits,
    pub(super) observer: Arc<dyn Observer>,
    /// Wakes the task that processes a subscription when something was received for it.
    wakers: Mutex<HashMap<String, Arc<Notify>>>,
}

/// Reason that a subscription cannot be set up, checked, or removed.
pub(super) type Failure = Error;

impl Triggers {
    /// `call_limits`: of calls of the plugin.
    pub(crate) fn new(
        store: Arc<dyn TriggerStore>,
        observer: Arc<dyn Observer>,
        clock: Arc<dyn Clock>,
        call_limits: Limits,
        limits: TriggerLimits,
    ) -> Self {
        let wakers = Mutex::default();
        Self(Arc::new(Inner { store, clock, call_limits, limits, observer, wakers }), None)
    }

    /// The same subscriptions, for calls of plugins that reach only these origins; `None` does not
    /// narrow. Not stored: narrow each call of a subscription.
    #[must_use]
    pub fn narrowed(&self, allow: Option<Vec<OriginPattern>>) -> Self {
        Self(self.0.clone(), allow.map(Arc::from))
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn TriggerStore> {
        &self.0.store
    }

    /// Sets a subscription up: makes it, or changes and repairs the one of this name. Doing it
    /// twice leaves one. It is kept as [unfinished](Status::Unfinished) before the service is
    /// asked, so that an interruption leaves nothing that could not be torn down.
    ///
    /// # Errors
    ///
    /// If the plugin is not approved, does not have the trigger, or rejects the parameters, the
    /// service rejects the request, or the service returns no secret although deliveries are
    /// signed.
    pub async fn set_up(
        &self,
        plugin: &Plugin,
        new: NewSubscription,
        cancellation: &CancellationToken,
    ) -> Result<Subscription, Failure> {
        plugin.check_approval().await?;
        let trigger = plugin.trigger(&new.trigger)?;
        check_version("trigger", &trigger.name, new.version, trigger.version)?;
        plugin.check_run(&trigger.name).await?;
        let problems = plugin.check_trigger(&new.trigger, &new.parameters).await?;
        if !problems.is_empty() {
            let what = format!("the parameters of `{}`", new.trigger);
            return Err(Cause::Invalid { what, problems }.into());
        }
        if trigger.webhook().is_some() != new.callback_url.is_some() {
            let needs = match trigger.webhook() {
                Some(_) => "requires a callback URL",
                None => "polls and does not accept a callback URL",
            };
            return Err(Cause::Trigger(format!("the trigger `{}` {needs}", new.trigger)).into());
        }
        let now = self.0.clock.unix_milliseconds();
        let key = SubscriptionKey { principal: new.actor.clone(), name: new.name.clone() };
        let before = match self.0.store.open(&key.to_string()).await {
            Ok(keep) => Some(keep),
            Err(TriggerStoreError::Unknown { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let node = &plugin.description().node.name;
        if let Some(before) = &before
            && (&before.subscription.node, &before.subscription.trigger) != (node, &new.trigger)
        {
            return Err(TriggerStoreError::Exists(new.name).into());
        }
        let replacing = before.as_ref().map(|before| before.subscription.revision);
        let mut keep = StoredSubscription {
            subscription: Subscription {
                name: new.name,
                node: node.clone(),
                trigger: new.trigger,
                version: trigger.version,
                credentials: new.credentials,
                callback_url: new.callback_url,
                actor: new.actor,
                workflow: new.workflow,
                state: before.as_ref().and_then(|before| before.subscription.state.clone()),
                cursor: None,
                status: Status::Unfinished,
                created_at: before.as_ref().map_or(now, |before| before.subscription.created_at),
                updated_at: now,
                revision: 0,
            },
            parameters: new.parameters,
            secret: before.as_ref().and_then(|before| before.secret.clone()),
            previous: before.and_then(|before| before.previous),
        };
        keep.subscription.revision = self.0.store.keep(keep.clone(), replacing).await?;
        self.finish(plugin, trigger, keep, cancellation).await
    }

    /// Asks the service how a subscription is, and keeps the answer.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub async fn check(
        &self,
        plugin: &Plugin,
        name: &str,
        cancellation: &CancellationToken,
    ) -> Result<Status, Failure> {
        let mut keep = self.0.store.open(name).await?;
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        if trigger.webhook().is_none() || keep.subscription.status == Status::Unfinished {
            return Ok(keep.subscription.status);
        }
        let call = self.call(trigger, &keep, cancellation);
        let health =
            plugin.check_up(call).await?.map_err(|error| refused("check", name, &error))?;
        let status = match health {
            TriggerHealth::Active => Status::Active,
            TriggerHealth::Disabled => Status::Disabled,
            TriggerHealth::Missing => Status::Missing,
        };
        if status != keep.subscription.status {
            let revision = keep.subscription.revision;
            keep.subscription.status = status.clone();
            keep.subscription.updated_at = self.0.clock.unix_milliseconds();
            self.0.store.keep(keep, Some(revision)).await?;
        }
        Ok(status)
    }

    /// Sets up a stored subscription again: repairs one that the service has disabled or lost.
    ///
    /// # Errors
    ///
    /// As [`Triggers::set_up`].
    pub async fn repair(
        &self,
        plugin: &Plugin,
        name: &str,
        cancellation: &CancellationToken,
    ) -> Result<Subscription, Failure> {
        plugin.check_approval().await?;
        let keep = self.0.store.open(name).await?;
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        self.finish(plugin, trigger, keep, cancellation).await
    }

    /// Removes a subscription at the service, and then from the store with all received data. It is
    /// not an error if the subscription no longer exists.
    ///
    /// # Errors
    ///
    /// When it cannot be removed at the service: it is kept then, so that it can be tried again.
    pub async fn tear_down(
        &self,
        plugin: &Plugin,
        name: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), Failure> {
        let keep = match self.0.store.open(name).await {
            Err(TriggerStoreError::Unknown { .. }) => return Ok(()),
            keep => keep?,
        };
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        if trigger.webhook().is_some() {
            let call = self.call(trigger, &keep, cancellation);
            plugin.tear_down(call).await?.map_err(|error| refused("remove", name, &error))?;
        }
        Ok(self.0.store.remove(name).await?)
    }

    /// The subscriptions.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<Subscription>, Failure> {
        Ok(self.0.store.subscriptions().await?)
    }

    /// Lets the plugin set it up at the service, and stores the result.
    async fn finish(
        &self,
        plugin: &Plugin,
        trigger: &Trigger,
        mut keep: StoredSubscription,
        cancellation: &CancellationToken,
    ) -> Result<Subscription, Failure> {
        let name = keep.subscription.key().to_string();
        if let Some(webhook) = trigger.webhook() {
            let call = self.call(trigger, &keep, cancellation);
            let (state, secret) =
                plugin.set_up(call).await?.map_err(|error| refused("set up", &name, &error))?;
            keep.subscription.state = Some(state);
            if let Some(signature) = &webhook.signature {
                let Some(secret) = secret else {
                    return Err(Cause::Trigger(format!(
                        "the plugin set up the subscription `{name}` without the secret `{}`, so \
                         its deliveries cannot be verified. Remove the subscription",
                        signature.secret
                    ))
                    .into());
                };
                let is_same = |old: &crate::Secret| old.expose() == secret.expose();
                if let Some(old) = keep.secret.take().filter(|old| !is_same(old)) {
                    let until =
                        self.0.clock.unix_milliseconds().saturating_add(signature.previous_ms);
                    keep.previous = Some((old, until));
                }
                keep.secret = Some(secret);
            }
        }
        keep.subscription.version = trigger.version;
        keep.subscription.status = Status::Active;
        keep.subscription.updated_at = self.0.clock.unix_milliseconds();
        let revision = keep.subscription.revision;
        keep.subscription.revision = self.0.store.keep(keep.clone(), Some(revision)).await?;
        Ok(keep.subscription)
    }

    /// Refuses to poll, or to read a delivery, with another version of the trigger than the subscription
    /// was set up with.
    pub(super) fn check_version(
        trigger: &Trigger,
        subscription: &Subscription,
    ) -> Result<(), Failure> {
        let (wanted, has) = (subscription.version, trigger.version);
        if wanted == has {
            return Ok(());
        }
        Err(Cause::Version(format!(
            "Subscription `{}` was set up with version {wanted} of the trigger `{}`, and this plugin \
             has version {has}. Nothing was sent, and what was received is kept. Load a build of the \
             plugin that has version {wanted}, or set the subscription up again with this one",
            subscription.name, trigger.name
        ))
        .into())
    }

    pub(super) fn call<'a>(
        &self,
        trigger: &'a Trigger,
        keep: &'a StoredSubscription,
        cancellation: &CancellationToken,
    ) -> TriggerCall<'a> {
        let subscription = &keep.subscription;
        TriggerCall {
            trigger,
            parameters: &keep.parameters,
            callback_url: subscription.callback_url.as_deref(),
            state: subscription.state.as_ref(),
            secret: keep.secret.as_ref(),
            execution: Execution {
                credentials: BTreeMap::clone(&subscription.credentials),
                context: CallContext {
                    workflow: subscription.workflow.clone(),
                    cancellation: cancellation.clone(),
                    allow: self.1.as_deref().map(<[OriginPattern]>::to_vec),
                    ..CallContext::of(subscription.actor.clone())
                },
                ..Execution::default()
            },
            observer: self.0.observer.clone(),
        }
    }

    pub(super) fn waker(&self, name: &str) -> Arc<Notify> {
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.entry(name.to_owned()).or_default().clone()
    }

    /// Events of a guest, checked.
    pub(super) fn checked(&self, events: Vec<contract::Event>) -> Result<Vec<NewEvent>, Error> {
        let broken = |problem: String| Error::from(Cause::Stopped(problem));
        let limits = &self.0.limits;
        if events.len() > limits.events_per_call {
            return Err(broken(format!(
                "it returned {} events from one call; the limit `events_per_call` is {}",
                events.len(),
                limits.events_per_call
            )));
        }
        let key_length = |event: &contract::Event| event.dedup_key.as_ref().map_or(0, String::len);
        let bytes: usize = events.iter().map(|event| event.json.len() + key_length(event)).sum();
        if bytes > limits.event_bytes_per_call {
            return Err(broken(format!(
                "it returned events of {bytes} bytes from one call; the limit \
                 `event_bytes_per_call` is {}",
                limits.event_bytes_per_call
            )));
        }
        let mut checked = Vec::with_capacity(events.len());
        for event in events {
            if key_length(&event) > limits.dedup_key {
                return Err(broken(format!(
                    "it returned an event whose key is longer than {} bytes (limit `dedup_key`)",
                    limits.dedup_key
                )));
            }
            if Measure::of(&event.json).depth > self.0.call_limits.json_depth {
                return Err(broken("an event that it returned is nested too deeply".into()));
            }
            let json = RawValue::from_string(event.json).map_err(|error| {
                broken(format!("an event that it returned is not valid JSON: {error}"))
            })?;
            checked.push(NewEvent {
                json,
                dedup_key: event.dedup_key,
                occurred_at: event.occurred,
            });
        }
        Ok(checked)
    }
}

/// The service or the plugin says no.
pub(super) fn refused(deed: &str, name: &str, error: &ItemError) -> Error {
    Cause::Rejected(
        format!("cannot {deed} the subscription `{name}`: {error}"),
        Box::new(error.clone()),
    )
    .into()
}
