//! Sends one request over the network. Does not depend on credentials or plugins; whether a request
//! may be sent has been decided before. Only the address is checked here, because it is not
//! available earlier.

mod address;
mod client;
mod connector;
mod decode;
mod pieces;
mod pool;
mod proxy;
mod quota;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::budget::Charge;
use crate::names::names;

pub use address::{AddressRefused, judge_address, judge_private_address};
pub use client::{HttpTransport, HttpTransportBuilder, TransportBuildError};
pub use connector::{ConnectTo, ConnectToError, Resolver, SystemResolver};

/// A request, complete: placements are filled. Not `Debug`: it holds secrets.
pub struct TransportRequest {
    /// The plugin that it is sent for, e.g. its digest; empty for the host's own. Connections and name
    /// look-ups are limited for each, and connections are never shared between two.
    pub plugin: String,
    /// Connections are shared only between requests of the same pool: one per credential.
    pub pool: String,
    /// Its method.
    pub method: Method,
    /// Its URL.
    pub url: Url,
    /// Its headers, without those that belong to the connection.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Option<Bytes>,
    /// Whether the name of its origin may have private addresses: see [`judge_private_address`].
    pub private_addresses: bool,
    /// Most bytes of the answer's body, after decompression.
    pub response_limit: usize,
    /// Set by the transport before the first byte may reach a connection.
    pub sent: SentMark,
}

/// Whether a request may have left. Shared, so that it can be read when the future is dropped.
#[derive(Clone, Debug, Default)]
pub struct SentMark(Arc<AtomicBool>);

impl SentMark {
    /// It may leave now.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// It is certain that it did not leave.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether it may have left.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Room for an answer in the budgets of an execution and of the process: see
/// [`Limits::held_bytes`](crate::Limits::held_bytes).
#[derive(Clone, Default)]
pub struct AnswerRoom(Option<(Arc<Charge>, usize)>);

impl AnswerRoom {
    /// Room beside what the request takes, in the same charge: otherwise requests could take all of
    /// the room that their own answers wait for.
    pub(crate) fn beside(charge: &Arc<Charge>) -> Self {
        Self(Some((charge.clone(), charge.bytes())))
    }

    /// Waits until the answer may have so many bytes in all. What is reserved is given back when
    /// the guest takes the answer or gives it up.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::TooLarge`] if the guest waits for more answers instead of taking those
    /// that it has, so that there would never be room.
    pub async fn reserve(&self, bytes: usize) -> Result<(), TransportError> {
        let Some((charge, request)) = &self.0 else { return Ok(()) };
        charge.grow_to(request.saturating_add(bytes)).await.map_err(|exhausted| {
            let message = format!(
                "the plugin waits for more responses without taking those that it has: {exhausted}"
            );
            TransportError::new(TransportErrorKind::TooLarge, message)
        })
    }
}

/// An answer, its body decoded.
#[derive(Clone, Debug)]
pub struct TransportResponse {
    /// 200 to 599; interim answers are skipped.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
}

names! {
    /// Why the request was not answered.
    pub enum TransportErrorKind {
        /// The address is not allowed.
        Denied = "denied",
        /// No connection, or it broke.
        Unreachable = "unreachable",
        /// The answer is above the limit.
        TooLarge = "too-large",
        /// The answer is not HTTP, or its encoding is broken.
        InvalidResponse = "invalid-response",
    }
}

/// A request without a response. Its [`SentMark`] states whether it may have been sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Kind of the error.
    pub kind: TransportErrorKind,
    /// Cause and next step.
    pub message: String,
}

impl TransportError {
    /// An error of this kind.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Sends requests. An engine may provide its own implementation, which must then check addresses
/// itself.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and reads its answer whole. Dropping the future abandons it. It follows no
    /// redirect, and repeats nothing that may have been sent.
    ///
    /// # Errors
    ///
    /// When no answer came.
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError>;

    /// As [`Transport::send`], and reserves room for the answer. The default reserves it once the
    /// answer is there; a transport that reserves it while it reads holds less.
    ///
    /// # Errors
    ///
    /// As [`Transport::send`] and [`AnswerRoom::reserve`].
    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        let response = self.send(request).await?;
        room.reserve(response.body.len()).await?;
        Ok(response)
    }

    /// Whether the operator maps an origin elsewhere. A plain http origin is reachable only so.
    fn is_mapped(&self, origin: &crate::origin::Origin) -> bool {
        let _ = origin;
        false
    }
}
