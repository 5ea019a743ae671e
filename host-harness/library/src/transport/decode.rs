//! Reads an answer's body to its end, decoded, and never more than the limit.

use std::io::Write;

use bytes::Bytes;
use flate2::write::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{AnswerRoom, TransportError, TransportErrorKind};
use crate::causes::chain;

/// Content encodings that the transport requests.
pub(super) const ACCEPT_ENCODING: &str = "gzip, deflate";

/// Bytes that are decoded at once. Deflate makes up to a thousand times as many of them, and what is
/// decoded is charged afterward.
const PIECE: usize = 512;

/// Receives decoded bytes, and refuses those above the limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + more.len() > self.limit {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "above the limit"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Decoder {
    Identity(Bounded),
    Gzip(GzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
}

impl Decoder {
    fn new(headers: &HeaderMap, limit: usize) -> Result<Self, TransportError> {
        let target = Bounded { bytes: Vec::new(), limit };
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let encoding = encodings.next().and_then(|value| value.to_str().ok()).unwrap_or("identity");
        match (encoding.trim().to_ascii_lowercase().as_str(), encodings.next()) {
            ("identity" | "", None) => Ok(Self::Identity(target)),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip(GzDecoder::new(target))),
            ("deflate", None) => Ok(Self::Deflate(ZlibDecoder::new(target))),
            _ => Err(TransportError::new(
                TransportErrorKind::InvalidResponse,
                format!(
                    "the response has the encoding `{encoding}`, which the host did not \
                         request"
                ),
            )),
        }
    }

    fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Identity(target) => target.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
        }
    }

    /// Bytes that have been decoded.
    fn decoded(&self) -> usize {
        match self {
            Self::Identity(target) => target.bytes.len(),
            Self::Gzip(decoder) => decoder.get_ref().bytes.len(),
            Self::Deflate(decoder) => decoder.get_ref().bytes.len(),
        }
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        Ok(match self {
            Self::Identity(target) => target.bytes,
            Self::Gzip(decoder) => decoder.finish()?.bytes,
            Self::Deflate(decoder) => decoder.finish()?.bytes,
        })
    }
}

/// Reads the body.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    limit: usize,
    room: &AnswerRoom,
    is_head: bool,
) -> Result<Vec<u8>, TransportError> {
    if is_head {
        return Ok(Vec::new());
    }
    let mut decoder = Decoder::new(headers, limit)?;
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            TransportError::new(
                TransportErrorKind::Unreachable,
                format!("the connection broke while reading the response: {}", chain(&error)),
            )
        })?;
        if let Ok(chunk) = frame.into_data() {
            let chunk: Bytes = chunk;
            received += chunk.len();
            for piece in chunk.chunks(PIECE) {
                decoder.write(piece).map_err(|error| decode_error(&error, limit))?;
                room.reserve(decoder.decoded()).await?;
                tokio::task::coop::consume_budget().await;
            }
        }
    }
    // HTTP/2 may end a stream early and call it no error.
    let promised = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if promised.is_some_and(|promised: usize| promised != received) {
        return Err(TransportError::new(
            TransportErrorKind::Unreachable,
            format!("the connection ended after {received} bytes of the response"),
        ));
    }
    if received == 0 {
        return Ok(Vec::new());
    }
    decoder.finish().map_err(|error| decode_error(&error, limit))
}

fn decode_error(error: &std::io::Error, limit: usize) -> TransportError {
    if error.kind() == std::io::ErrorKind::FileTooLarge {
        return TransportError::new(
            TransportErrorKind::TooLarge,
            format!(
                "the response is larger than {limit} bytes. Request less data, or raise the \
                     limit"
            ),
        );
    }
    TransportError::new(
        TransportErrorKind::InvalidResponse,
        format!("the compression of the response is invalid: {error}"),
    )
}
