//! A webhook whose signing secret the host generates.

use workflow_node_sdk::declare::Trigger;
use workflow_node_sdk::documents::{Signature, SignatureEncoding, SignatureScheme, Webhook};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::{self, Request};
use workflow_node_sdk::trigger::{Delivery, Event, Health, Received, Subscription, Webhooks};
use workflow_node_sdk::{Value, json};

use crate::Service;
use crate::credentials::API;

/// Changed records.
pub(crate) const CHANGED: Trigger =
    Trigger::webhook("thing.changed", "Changed", "Starts when a thing changes.", || {
        let (hmac, hex) = (SignatureScheme::HmacSha256, SignatureEncoding::Hex);
        let signature = Signature::new(hmac, "X-Signature", hex, "hook-secret", "/secret");
        let signature = signature.prefix("sha256=").made_by_host(true).previous_ms(60_000);
        Webhook::default().signature(signature).id_header("X-Delivery")
    })
    .with("main");

impl Webhooks for Service {
    async fn setup(subscription: Subscription) -> Result<Value, Error> {
        let url = subscription.callback_url.clone().unwrap_or_default();
        let secret = subscription.signing_secret.clone().unwrap_or_default();
        let mut hook = json::Object::new();
        hook.text("url", &url);
        hook.text("secret", &secret);
        let body = json::text(&hook.build());
        let mut request = Request::new("POST", [API, "/v1/hooks"].concat())
            .header("content-type", "application/json");
        request.body = Some(body.into_bytes());
        request.credential = Some("main".into());
        let response = http::send(&request)
            .await
            .map_err(|error| Error::new(ErrorKind::Unavailable, error.message))?;
        let echoed = response.text()?;
        let mut state = json::Object::new();
        state.text("secret", &secret);
        // Anything that the guest could see of the secret would be in here.
        state.text("seen", &[secret.as_str(), " ", &echoed].concat());
        Ok(state.build())
    }

    async fn check(_: Subscription) -> Result<Health, Error> {
        Ok(Health::Active)
    }

    async fn teardown(_: Subscription) -> Result<(), Error> {
        Ok(())
    }

    async fn receive(_: Subscription, delivery: Delivery) -> Result<Received, Error> {
        let json = String::from_utf8_lossy(&delivery.body).into_owned();
        Ok(Received { events: vec![Event { json, dedup_key: None, occurred: None }], reply: None })
    }
}
