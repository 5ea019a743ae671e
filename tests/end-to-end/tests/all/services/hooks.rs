//! A webhook whose signing secret the host makes.

use std::sync::Arc;

use bytes::Bytes;
use end_to_end::engine::Engine;
use end_to_end::service::Reply;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use workflow_node_host::Principal;
use workflow_node_host::trigger::{Incoming, MemoryTriggers, NewSubscription};

use super::World;

/// The hexadecimal HMAC-SHA-256 of a text.
fn signature(secret: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, body.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Hooked {
    world: World,
    engine: Engine,
}

impl Hooked {
    /// A subscription at a service that gives back all that it gets.
    async fn new() -> Self {
        let world = World::new(|request| {
            let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
            Reply::json(201, json!({"made": body, "text": request.body}))
        })
        .await;
        let engine = Engine::of(&world.plugin, Arc::new(MemoryTriggers::default())).await;
        Self { world, engine }
    }

    fn subscription(&self) -> NewSubscription {
        NewSubscription {
            name: "hook".into(),
            trigger: "thing.changed".into(),
            version: None,
            parameters: json!({}),
            credentials: [("main".to_owned(), "token".to_owned())].into(),
            callback_url: Some(self.engine.callback("hook")),
            actor: Principal::default(),
            workflow: None,
        }
    }

    /// The secret that the service was sent last.
    fn secret(&self) -> String {
        let request = self.world.service.requests().pop().expect("a webhook was created");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        body["secret"].as_str().unwrap().to_owned()
    }

    /// The status that a delivery with this signature is answered with.
    async fn deliver(&self, id: &str, body: &str, signature: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert("x-signature", format!("sha256={signature}").parse().unwrap());
        headers.insert("x-delivery", id.parse().unwrap());
        let incoming = Incoming {
            method: Method::POST,
            url: self.engine.callback("hook"),
            headers,
            body: Bytes::from(body.to_owned()),
        };
        let name = self.engine.triggers.list().await.unwrap()[0].key().to_string();
        let answer = self.engine.triggers.receive(&self.world.plugin, &name, incoming).await;
        answer.status.as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_generates_the_secret_and_only_the_service_receives_it() {
    let hooked = Hooked::new().await;
    let kept = hooked.engine.set_up(hooked.subscription()).await;
    let secret = hooked.secret();
    assert_eq!(secret.len(), 64);
    assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    // The guest has seen a handle, and a mark where the service gave the secret back.
    let state = kept.state.unwrap();
    let seen = state["seen"].as_str().unwrap();
    assert!(seen.starts_with("secret:") && seen.contains("[credential removed]"), "{seen}");
    assert!(!state.to_string().contains(&secret), "{state}");
    let told = format!("{}{:?}", hooked.world.observed.text(), hooked.world.audit.events());
    assert!(!told.contains(&secret));
    // Only deliveries that are signed with the secret are accepted.
    let body = r#"{"thing":1}"#;
    assert_eq!(hooked.deliver("1", body, &signature(&secret, body)).await, 202);
    assert_eq!(hooked.deliver("2", r#"{"thing":2}"#, &signature(&secret, body)).await, 403);
    let handle = seen.split(' ').next().unwrap();
    for other in ["", handle, "secret", &secret[..32]] {
        assert_eq!(hooked.deliver("3", body, &signature(other, body)).await, 403, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_setup_has_a_separate_secret_and_the_last_one_is_accepted_for_a_while() {
    let hooked = Hooked::new().await;
    hooked.engine.set_up(hooked.subscription()).await;
    let first = hooked.secret();
    hooked.engine.set_up(hooked.subscription()).await;
    let second = hooked.secret();
    assert_ne!(first, second);
    let body = r#"{"thing":1}"#;
    assert_eq!(hooked.deliver("1", body, &signature(&second, body)).await, 202);
    // A delivery that was under way while the secret changed.
    assert_eq!(hooked.deliver("2", body, &signature(&first, body)).await, 202);
}
