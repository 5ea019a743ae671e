//! Samples: subscriptions that show the user of an engine what events look like, and create nothing at
//! the service.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use workflow_node_host::Plugin;

use super::{Order, Source, StoredSubscription, Subscriptions};
use crate::connection::random_text;
use crate::database::now;
use crate::error::ApiError;

/// Names of sources without a webhook begin with this. Other names are hexadecimal digits.
const PREFIX: &str = "sample-";

/// The events of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SampleKind {
    /// Those of an equal subscription, whose webhook it shares.
    Shared,
    /// One: the last event of the trigger that the user has received here.
    Recent,
    /// One: the example in the description of the trigger.
    Example,
}

/// An event that can be shown again.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LastEvent {
    pub(crate) occurred_at: Option<u64>,
    pub(crate) received_at: u64,
    pub(crate) event: Box<RawValue>,
}

impl Source {
    /// Whether it exists only here.
    pub(super) fn is_sample(&self) -> bool {
        self.name.starts_with(PREFIX)
    }
}

impl StoredSubscription {
    /// Whether it has no source at the service.
    pub(super) fn is_sample(&self) -> bool {
        self.source.starts_with(PREFIX)
    }
}

/// A source for a sample, and the event to deliver. There is none if the source delivers events.
pub(super) type Sample = (Source, SampleKind, Option<LastEvent>);

impl Subscriptions {
    /// Finds the source of a sample. `before` is that of the subscription until now.
    pub(super) async fn sample(
        self: &Arc<Self>,
        order: &Order,
        before: Option<&str>,
    ) -> Result<Sample, ApiError> {
        let plugin = self.plugin(&order.plugin);
        let plugin = plugin.ok_or_else(|| ApiError::not_found("plugin", &order.plugin))?;
        let name = order.source();
        let of = name.clone();
        let shared = self.with_store(move |store| store.source_of(&of)).await?;
        if let Some(source) = shared.filter(|source| source.is_used) {
            return Ok((source, SampleKind::Shared, None));
        }
        let (by, node, trigger) =
            (order.key.principal.clone(), order.plugin.clone(), order.trigger.clone());
        let recent = self.with_store(move |store| store.last_event(&name, &by, &node, &trigger));
        let (kind, event) = match recent.await? {
            Some(event) => (SampleKind::Recent, event),
            None => (SampleKind::Example, example(plugin, &order.trigger)?),
        };
        let before = before.filter(|name| name.starts_with(PREFIX)).map(str::to_owned);
        let is_new = before.is_none();
        let name = before.unwrap_or_else(|| format!("{PREFIX}{}", random_text()));
        let (by, node, hook) = (order.key.principal.clone(), order.plugin.clone(), random_text());
        let destinations = order.destinations.clone();
        let source = self.with_store(move |store| {
            store.source(&name, &by, &node, &hook, destinations.as_deref())
        });
        let source = source.await?;
        Ok((source, kind, is_new.then_some(event)))
    }
}

/// The example in the description of a trigger.
fn example(plugin: &Plugin, trigger: &str) -> Result<LastEvent, ApiError> {
    let trigger = plugin.description().trigger(trigger);
    let example = trigger.and_then(|trigger| {
        trigger.examples.iter().find_map(|example| example.output.as_deref().cloned())
    });
    let event = example.and_then(|event| serde_json::value::to_raw_value(&event).ok());
    let event = event.ok_or_else(|| {
        let message = "There is no event to show: no equal subscription is active, no event of the \
                       trigger was received, and its description has no example.";
        ApiError::new(StatusCode::CONFLICT, "no-sample", message)
            .next("Subscribe without `sample`, for example by activating the workflow.")
    })?;
    Ok(LastEvent { occurred_at: None, received_at: now(), event })
}
