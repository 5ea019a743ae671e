//! Receives deliveries: checks each, keeps it, answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::manage::Triggers;
use super::signature::{SignatureError, verify};
use crate::causes::chain;
use crate::description::{AnsweredBy, Trigger, Webhook};
use crate::error::{Cause, Error};
use crate::plugin::{Plugin, TriggerReply};
use crate::secret::Secret;
use crate::subscription::{Acceptance, Delivered, StoredSubscription, TriggerStoreError};

/// Maximum length of a delivery ID; longer ones are ignored.
const LONGEST_ID: usize = 200;
/// How long a plugin may take to answer, where its service does not say.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Headers that are hidden from a plugin: credentials, and headers of the connection.
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

/// Headers of a plugin's reply that are sent. Everything else could reach beyond the reply: set
/// cookies for the engine's host, change how browsers treat it, or break the connection. Services ask
/// for these: some want a secret or an origin confirmed in a header.
const REPLIED: &[&str] = &[
    "content-language",
    "content-type",
    "retry-after",
    "webhook-allowed-origin",
    "webhook-allowed-rate",
    "x-hook-secret",
];
/// Bytes of all header values of a plugin's reply.
const LONGEST_REPLY_HEADERS: usize = 8 * 1024;

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

/// Response to the service.
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

/// Reason for the response to a delivery. The sender sees only the status.
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

impl Reason {
    /// The name, which stays the same over versions.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Repeated => "repeated",
            Self::Plugin => "plugin",
            Self::Unknown => "unknown",
            Self::Method => "method",
            Self::TooLarge => "too-large",
            Self::Unsigned => "unsigned",
            Self::WrongSignature => "wrong-signature",
            Self::Full => "full",
            Self::Failed(_) => "failed",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(why) => write!(formatter, "{}: {why}", self.as_str()),
            _ => formatter.pad(self.as_str()),
        }
    }
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
            Err(error) => failed(name, &error),
        }
    }

    /// Judges a delivery by its method and headers, before its body is read. Returns how many bytes
    /// of body it may have. A server calls this first, reads no more than that, and then calls
    /// [`receive`](Self::receive), which judges all of it.
    ///
    /// # Errors
    ///
    /// The answer to give without reading the body.
    pub async fn admit(
        &self,
        plugin: &Plugin,
        name: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<usize, Answer> {
        let admitted = async {
            let found = self.webhook(plugin, name).await?;
            Ok::<_, Error>(found.and_then(|(trigger, _)| {
                let webhook = trigger.webhook().ok_or_else(unknown)?;
                self.admitted(webhook, method, headers)
            }))
        };
        admitted.await.unwrap_or_else(|error| Err(failed(name, &error)))
    }

    async fn received(
        &self,
        plugin: &Plugin,
        name: &str,
        incoming: Incoming,
    ) -> Result<Answer, Error> {
        let (trigger, keep) = match self.webhook(plugin, name).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        plugin.check_run(&trigger.name).await?;
        let Some(webhook) = trigger.webhook() else { return Ok(unknown()) };
        if let Err(refusal) = self.judged(webhook, &keep, &incoming) {
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
        let limits = &self.0.limits;
        let accepted = self.0.store.accept(name, id.as_deref(), &delivered, limits).await?;
        Ok(match accepted {
            Acceptance::Kept => {
                self.waker(name).notify_one();
                Answer::of(StatusCode::ACCEPTED, Reason::Kept)
            }
            Acceptance::Repeated => Answer::of(StatusCode::ACCEPTED, Reason::Repeated),
            Acceptance::Full => Answer::of(StatusCode::SERVICE_UNAVAILABLE, Reason::Full),
        })
    }

    /// The trigger of a subscription that receives deliveries, and the subscription.
    async fn webhook<'a>(
        &self,
        plugin: &'a Plugin,
        name: &str,
    ) -> Result<Result<(&'a Trigger, StoredSubscription), Answer>, Error> {
        // Rules that have not been approved cannot be used for a check.
        plugin.check_approval().await?;
        let keep = match self.0.store.open(name).await {
            Err(TriggerStoreError::Unknown { .. }) => return Ok(Err(unknown())),
            keep => keep?,
        };
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        Ok(if trigger.webhook().is_some() { Ok((trigger, keep)) } else { Err(unknown()) })
    }

    /// How many bytes of body a delivery may have, by its method and headers.
    fn admitted(
        &self,
        webhook: &Webhook,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<usize, Answer> {
        if !webhook.takes(method.as_str()) {
            return Err(Answer::of(StatusCode::METHOD_NOT_ALLOWED, Reason::Method));
        }
        let limit = self.0.limits.delivery_body;
        let limit = webhook.body_limit_bytes.map_or(limit, |own| own.min(limit));
        let length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > limit as u64) {
            return Err(Answer::of(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge));
        }
        if webhook.signature.as_ref().is_some_and(|rule| !headers.contains_key(&rule.header)) {
            return Err(Answer::of(StatusCode::BAD_REQUEST, Reason::Unsigned));
        }
        Ok(limit)
    }

    /// Whether a delivery is accepted: first by what costs least.
    fn judged(
        &self,
        webhook: &Webhook,
        keep: &StoredSubscription,
        incoming: &Incoming,
    ) -> Result<(), Answer> {
        let limit = self.admitted(webhook, &incoming.method, &incoming.headers)?;
        if incoming.body.len() > limit {
            return Err(Answer::of(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge));
        }
        let Some(rule) = &webhook.signature else { return Ok(()) };
        let now = self.0.clock.unix_milliseconds();
        let previous =
            keep.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let secrets: Vec<&Secret> = keep.secret.iter().chain(previous).collect();
        verify(rule, &incoming.headers, &incoming.body, &secrets).map_err(|error| match error {
            SignatureError::Missing { .. } => Answer::of(StatusCode::BAD_REQUEST, Reason::Unsigned),
            SignatureError::Wrong => Answer::of(StatusCode::FORBIDDEN, Reason::WrongSignature),
        })
    }

    /// For services that expect a value in the response.
    async fn answered_by_plugin(
        &self,
        plugin: &Plugin,
        trigger: &Trigger,
        keep: &StoredSubscription,
        delivered: Delivered,
    ) -> Result<Answer, Error> {
        let name = &keep.subscription.key().to_string();
        match self.0.store.room(name, &self.0.limits).await {
            Err(TriggerStoreError::Full { .. }) => {
                return Ok(Answer::of(StatusCode::SERVICE_UNAVAILABLE, Reason::Full));
            }
            room => room?,
        }
        let within = trigger.webhook().and_then(|webhook| webhook.answer_within_ms);
        let within = within.map_or(ANSWER_WITHIN, Duration::from_millis);
        Self::check_version(trigger, &keep.subscription)?;
        let mut call = self.call(trigger, keep, &CancellationToken::new());
        // The answer has a way to go, too.
        let mut limits = self.0.call_limits.clone();
        limits.total_time = limits.total_time.min(within * 4 / 5);
        call.execution.context.limits = Some(limits);
        let delivery = delivered.into();
        let received = plugin.hand_in(call, &delivery).await?;
        let received =
            received.map_err(|error| super::manage::refused("receive for", name, &error))?;
        let events = self.checked(received.events)?;
        // Kept as if it had been settled at once: no delivery has this number.
        self.0.store.settle(name, 0, &events, &self.0.limits).await?;
        self.waker(name).notify_one();
        let Some(reply) = received.reply else {
            return Ok(Answer::of(StatusCode::ACCEPTED, Reason::Plugin));
        };
        answer(reply, self.0.limits.reply_body)
    }
}

fn unknown() -> Answer {
    Answer::of(StatusCode::NOT_FOUND, Reason::Unknown)
}

fn failed(name: &str, error: &Error) -> Answer {
    let reason = chain(error);
    tracing::error!(subscription = name, error = %reason, "cannot receive a delivery");
    Answer::of(StatusCode::SERVICE_UNAVAILABLE, Reason::Failed(reason))
}

/// A plugin's reply, less what a plugin has no say in.
fn answer(reply: TriggerReply, body_limit: usize) -> Result<Answer, Error> {
    let broken = |problem: String| Error::from(Cause::Stopped(problem));
    let status = StatusCode::from_u16(reply.status).ok().filter(|status| {
        status.is_success() || status.is_client_error() || status.is_server_error()
    });
    let Some(status) = status else {
        let problem = format!("it responded to a delivery with the status {}", reply.status);
        return Err(broken(problem));
    };
    if reply.body.len() > body_limit {
        return Err(broken(format!(
            "its reply to a delivery has a body of {} bytes; the limit `reply_body` is {body_limit}",
            reply.body.len()
        )));
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut room = LONGEST_REPLY_HEADERS;
    for (name, value) in reply.headers {
        let name = name.to_ascii_lowercase();
        let is_sent = REPLIED.contains(&name.as_str())
            && HeaderValue::from_str(&value).is_ok()
            && headers.iter().all(|(other, _)| *other != name);
        match room.checked_sub(value.len()) {
            Some(left) if is_sent => {
                room = left;
                headers.push((name, value));
            }
            _ => tracing::warn!(
                header = %name.escape_debug().take(100).collect::<String>(),
                "a header of a plugin's reply to a delivery was dropped"
            ),
        }
    }
    Ok(Answer { status, headers, body: reply.body, reason: Reason::Plugin })
}

/// A delivery as the plugin sees it.
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
