//! Receives deliveries: checks each, keeps it, answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::manage::Triggers;
use super::signature::{SignatureError, verify};
use super::store::{Acceptance, TriggerStoreError};
use super::subscription::{Delivered, Keep};
use crate::description::{AnsweredBy, Trigger, Webhook};
use crate::error::Error;
use crate::plugin::{Plugin, TriggerReply};
use crate::secret::Secret;

/// Largest body of a delivery, in bytes, whatever the trigger says.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// Deliveries that wait for the plugin at most, for each subscription. Beyond that the service is
/// told to try again later.
const MOST_WAITING: usize = 10_000;
/// Longest id of a delivery that is told apart.
const LONGEST_ID: usize = 200;
/// How long a plugin may take to answer, where its service does not say.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Headers that a plugin does not see: credentials, and what is about the connection.
const DROPPED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request to a callback URL.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its method.
    pub method: Method,
    /// The URL that was called.
    pub url: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
}

/// What the service is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Headers, where the plugin gives any.
    pub headers: Vec<(String, String)>,
    /// The body, where the plugin gives one.
    pub body: Vec<u8>,
    /// Why.
    pub reason: Reason,
}

/// Why a delivery was answered so. Nothing of it is told to the sender but the status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is kept.
    Kept,
    /// It was kept before.
    Repeated,
    /// The plugin has answered.
    Plugin,
    /// There is no such subscription.
    Unknown,
    /// Deliveries have another method.
    Method,
    /// Its body is too large.
    TooLarge,
    /// It is not signed.
    Unsigned,
    /// Its signature is wrong.
    WrongSignature,
    /// So many wait that there is no room.
    Full,
    /// The host cannot keep it; the text says why.
    Failed(String),
}

impl Answer {
    pub(super) fn of(status: StatusCode, reason: Reason) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), reason }
    }

    /// Whether the delivery was taken.
    pub fn is_taken(&self) -> bool {
        matches!(self.reason, Reason::Kept | Reason::Repeated | Reason::Plugin)
    }
}

impl Triggers {
    /// Receives a delivery for a subscription. Runs no code of the plugin, unless the trigger is
    /// described as answered by it; what is kept is worked on by [`Triggers::run`].
    pub async fn receive(&self, plugin: &Plugin, name: &str, incoming: Incoming) -> Answer {
        match self.received(plugin, name, incoming).await {
            Ok(answer) => {
                tracing::debug!(subscription = name, status = %answer.status, reason = ?answer.reason, "delivery");
                answer
            }
            Err(error) => {
                tracing::error!(subscription = name, %error, "a delivery cannot be received");
                Answer::of(StatusCode::SERVICE_UNAVAILABLE, Reason::Failed(error.to_string()))
            }
        }
    }

    async fn received(
        &self,
        plugin: &Plugin,
        name: &str,
        incoming: Incoming,
    ) -> Result<Answer, Error> {
        // Rules that nobody has approved are none to check by.
        plugin.check_approval()?;
        let keep = match self.0.store.open(name).await {
            Err(TriggerStoreError::Unknown { .. }) => {
                return Ok(Answer::of(StatusCode::NOT_FOUND, Reason::Unknown));
            }
            keep => keep?,
        };
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        plugin.check_run(&trigger.name)?;
        let Some(webhook) = trigger.webhook() else {
            return Ok(Answer::of(StatusCode::NOT_FOUND, Reason::Unknown));
        };
        if let Some(refusal) = self.refusal(webhook, &keep, &incoming) {
            return Ok(refusal);
        }
        let id = webhook
            .id_header
            .as_deref()
            .and_then(|header| incoming.headers.get(header)?.to_str().ok())
            .filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)
            .map(str::to_owned);
        let delivered = delivered(webhook, incoming, self.0.clock.unix_milliseconds());
        if webhook.answered_by == AnsweredBy::Plugin {
            return self.answered_by_plugin(plugin, trigger, &keep, delivered).await;
        }
        let accepted = self.0.store.accept(name, id.as_deref(), &delivered, MOST_WAITING).await?;
        Ok(match accepted {
            Acceptance::Kept => {
                self.waker(name).notify_one();
                Answer::of(StatusCode::ACCEPTED, Reason::Kept)
            }
            Acceptance::Repeated => Answer::of(StatusCode::ACCEPTED, Reason::Repeated),
            Acceptance::Full => Answer::of(StatusCode::SERVICE_UNAVAILABLE, Reason::Full),
        })
    }

    /// Why a delivery is not taken: in the order of what costs least.
    fn refusal(&self, webhook: &Webhook, keep: &Keep, incoming: &Incoming) -> Option<Answer> {
        let refuse = |status, reason| Some(Answer::of(status, reason));
        if !webhook.takes(incoming.method.as_str()) {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, Reason::Method);
        }
        if incoming.body.len() > webhook.body_limit_bytes.unwrap_or(LARGEST).min(LARGEST) {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge);
        }
        let rule = webhook.signature.as_ref()?;
        let now = self.0.clock.unix_milliseconds();
        let previous =
            keep.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let secrets: Vec<&Secret> = keep.secret.iter().chain(previous).collect();
        match verify(rule, &incoming.headers, &incoming.body, &secrets) {
            Ok(()) => None,
            Err(SignatureError::Missing { .. }) => {
                refuse(StatusCode::BAD_REQUEST, Reason::Unsigned)
            }
            Err(SignatureError::Wrong) => refuse(StatusCode::FORBIDDEN, Reason::WrongSignature),
        }
    }

    /// For services that want to read something in the answer.
    async fn answered_by_plugin(
        &self,
        plugin: &Plugin,
        trigger: &Trigger,
        keep: &Keep,
        delivered: Delivered,
    ) -> Result<Answer, Error> {
        let name = &keep.subscription.name;
        let within = trigger.webhook().and_then(|webhook| webhook.answer_within_ms);
        let within = within.map_or(ANSWER_WITHIN, Duration::from_millis);
        let mut call = self.call(trigger, keep, &CancellationToken::new());
        // The answer has a way to go, too.
        let mut limits = self.0.limits.clone();
        limits.total_time = limits.total_time.min(within * 4 / 5);
        call.execution.limits = Some(limits);
        let delivery = delivered.into();
        let received = plugin.hand_in(call, &delivery).await?;
        let received =
            received.map_err(|error| super::manage::refused("receive for", name, &error))?;
        let events = self.checked(received.events)?;
        // Kept as if it had been settled at once: no delivery has this number.
        self.0.store.settle(name, 0, &events).await?;
        self.waker(name).notify_one();
        let Some(reply) = received.reply else {
            return Ok(Answer::of(StatusCode::ACCEPTED, Reason::Plugin));
        };
        answer(reply)
    }
}

fn answer(reply: TriggerReply) -> Result<Answer, Error> {
    let status = StatusCode::from_u16(reply.status).ok().filter(|status| {
        status.is_success()
            || status.is_redirection()
            || status.is_client_error()
            || status.is_server_error()
    });
    let Some(status) = status else {
        let problem = format!("it answers a delivery with the status {}", reply.status);
        return Err(crate::error::ErrorKind::Stopped(problem).into());
    };
    Ok(Answer { status, headers: reply.headers, body: reply.body, reason: Reason::Plugin })
}

/// What a plugin sees of a delivery.
fn delivered(webhook: &Webhook, incoming: Incoming, received_at: u64) -> Delivered {
    let signature = webhook.signature.as_ref().map(|rule| rule.header.as_str());
    let is_dropped = |name: &str| {
        DROPPED.contains(&name) || signature.is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    let headers = incoming
        .headers
        .iter()
        .filter(|(name, _)| !is_dropped(name.as_str()))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    Delivered {
        method: incoming.method.to_string(),
        url: incoming.url,
        headers,
        body: incoming.body.into(),
        received_at,
    }
}

impl From<Delivered> for crate::bindings::triggers::exports::workflow::node::trigger::Delivery {
    fn from(delivered: Delivered) -> Self {
        Self {
            method: delivered.method,
            url: delivered.url,
            headers: delivered.headers,
            body: delivered.body,
            received: delivered.received_at,
        }
    }
}
