//! Listeners and connections: TCP, TLS, then HTTP/1.1 or HTTP/2 as the client negotiates.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use super::exchange::{Shared, serve};
use super::wire::{Ending, Wire};
use crate::recording::Origin;

/// Maximum number of concurrent requests per connection; benchmarks need more than the usual 200.
const STREAMS: u32 = 1_000;

/// One connection, which a request can close.
pub(crate) struct Line {
    pub(crate) origin: Origin,
    pub(crate) number: u64,
    ending: Arc<Ending>,
    end: Notify,
}

impl Line {
    /// Closes the connection with a TCP reset.
    pub(crate) fn reset(&self) {
        self.ending.set(Ending::RESET);
        self.end.notify_one();
    }

    /// Closes the connection without a reset.
    pub(crate) fn close(&self) {
        self.ending.set(Ending::CLOSE);
        self.end.notify_one();
    }
}

/// Accepts connections until the simulator stops.
pub(crate) async fn listen(
    listener: TcpListener,
    origin: Origin,
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => {
                // The port is free before `stop` reports the end.
                drop(listener);
                return;
            }
        };
        // A connection that was closed before it was accepted can be ignored.
        let Ok((stream, _)) = accepted else { continue };
        // Small responses must not wait for acknowledgements.
        let _works_without = stream.set_nodelay(true);
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let ending = Arc::new(Ending::default());
        let line =
            Arc::new(Line { origin, number, ending: Arc::clone(&ending), end: Notify::new() });
        let wire = Wire::new(stream, ending);
        let connection =
            connection(wire, line, Arc::clone(&shared), acceptor.clone(), stop.clone());
        tokio::spawn(connection);
    }
}

async fn connection(
    wire: Wire,
    line: Arc<Line>,
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    mut stop: watch::Receiver<bool>,
) {
    let handshake = tokio::select! {
        handshake = acceptor.accept(wire) => handshake,
        _ = stop.wait_for(|stopped| *stopped) => return,
    };
    // A client that refuses the certificate may be the purpose of a test.
    let Ok(stream) = handshake else { return };
    let service = service_fn({
        let line = Arc::clone(&line);
        move |request| serve(Arc::clone(&shared), Arc::clone(&line), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(STREAMS);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        // Clients may disconnect at any time.
        _ = serving.as_mut() => {}
        () = line.end.notified() => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
}
