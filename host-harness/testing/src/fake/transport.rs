//! Answers a host from a fake in the same process, without sockets.

use std::sync::Arc;

use async_trait::async_trait;
use workflow_node_host::transport::{
    Transport, TransportError, TransportRequest, TransportResponse,
};
use workflow_node_host::{Clock, Origin};

use super::Fake;
use crate::fault::inject;
use crate::message::Request;

/// Responds to every request from a fake. Faults take the time of the host's clock.
pub struct FakeTransport {
    fake: Arc<Fake>,
    clock: Arc<dyn Clock>,
}

impl FakeTransport {
    /// `clock`: that of the host.
    pub fn new(fake: Arc<Fake>, clock: Arc<dyn Clock>) -> Self {
        Self { fake, clock }
    }
}

#[async_trait]
impl Transport for FakeTransport {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        let answered = self.fake.answer(&Request::of(&request), self.clock.unix_milliseconds());
        let limit = request.response_limit;
        match answered.fault {
            None => {
                request.sent.set();
                answered.response.into_transport(limit)
            }
            Some(fault) => {
                let sent = request.sent.clone();
                inject(&fault, &*self.clock, &sent, || async {
                    answered.response.into_transport(limit)
                })
                .await
            }
        }
    }

    fn is_mapped(&self, _origin: &Origin) -> bool {
        true
    }
}
