//! Control of subscriptions and deliveries.

use pagerduty_simulator::{DeliveryState, Region, TokenKind, WebhookSubject, facts};
use serde_json::json;

use super::{account, change, incident, subscribe, subscription, subscription_id, world};
use crate::client::{ask, line};
use crate::receiver::Receiver;
use crate::world::{id, reference};

#[tokio::test]
async fn secrets_can_be_rotated_and_signatures_corrupted() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, first) = subscribe(&world, &receiver).await;
    let own = subscription_id(&path);
    let second = world.simulator.add_webhook_secret(Region::Us, own).unwrap();
    incident(&world).await;
    receiver.has(1).await;
    let both = receiver.arrivals()[0].clone();
    assert!(both.is_signed_with(&first) && both.is_signed_with(&second));
    assert_eq!(both.header("x-pagerduty-signature").split(',').count(), 2);
    let third = world.simulator.rotate_webhook_secret(Region::Us, own).unwrap();
    incident(&world).await;
    receiver.has(2).await;
    let one = receiver.arrivals()[1].clone();
    assert!(
        one.is_signed_with(&third) && !one.is_signed_with(&first) && !one.is_signed_with(&second)
    );
    world.simulator.spoil_webhook_signatures(true);
    incident(&world).await;
    receiver.has(3).await;
    assert!(!receiver.arrivals()[2].is_signed_with(&third));
    world.simulator.spoil_webhook_signatures(false);
    incident(&world).await;
    receiver.has(4).await;
    assert!(receiver.arrivals()[3].is_signed_with(&third));
    assert_eq!(world.simulator.add_webhook_secret(Region::Us, "PUNKNOWN"), None);
}

#[tokio::test]
async fn deliveries_can_be_held_reordered_repeated_and_duplicated() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    let path = incident(&world).await;
    change(&world, &path, json!({"status": "acknowledged"})).await;
    change(&world, &path, json!({"status": "resolved"})).await;
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 0);
    world.simulator.release_webhooks_reversed();
    receiver.has(3).await;
    world.simulator.webhooks_rest().await;
    assert_eq!(
        receiver.types(),
        ["incident.resolved", "incident.acknowledged", "incident.triggered"]
    );
    let before = receiver.arrivals();
    world.simulator.redeliver_webhooks(2);
    receiver.has(5).await;
    world.simulator.webhooks_rest().await;
    let again = receiver.arrivals()[3..].to_vec();
    assert_eq!(again[0].header("x-webhook-id"), before[1].header("x-webhook-id"));
    assert_eq!(again[0].body, before[1].body);
    receiver.forget();
    world.simulator.duplicate_webhooks(1);
    incident(&world).await;
    receiver.has(2).await;
    let twice = receiver.arrivals();
    assert_eq!(twice[0].header("x-webhook-id"), twice[1].header("x-webhook-id"));
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 2);
}

#[tokio::test]
async fn events_of_every_type_can_be_generated() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let us = world.simulator.us();
    let (incident, service) = (id("incident"), id("service"));
    for event in facts::webhook_events().iter().filter(|event| event.data_type != "ping") {
        let subject = match event.event_type.starts_with("service.") {
            true => WebhookSubject::Service(&service),
            false => WebhookSubject::Incident(&incident),
        };
        receiver.forget();
        assert!(us.emit_webhook(&event.event_type, subject, None));
        receiver.has(1).await;
        let arrival = receiver.arrivals()[0].event();
        assert_eq!(arrival["event_type"], event.event_type.as_str());
        assert_eq!(arrival["data"]["type"], event.data_type.as_str(), "{}", event.event_type);
    }
    receiver.forget();
    let subject = WebhookSubject::Incident(&incident);
    assert!(us.emit_webhook("incident.teleported", subject, Some(json!({"type": "new", "x": 1}))));
    receiver.has(1).await;
    assert_eq!(receiver.arrivals()[0].event()["data"], json!({"type": "new", "x": 1}));
    assert!(!us.emit_webhook("incident.triggered", WebhookSubject::Incident("QUNKNOWN"), None));
}

#[tokio::test]
async fn subscriptions_are_judged_when_created_and_changed() {
    let world = world().await;
    let home = "/webhook_subscriptions";
    let url = "http://127.0.0.1:9/";
    let triggered = ["incident.triggered"];
    for (body, code) in [
        (subscription(url, &["incident.exploded"], account()), 2001),
        (subscription(url, &["pagey.ping"], account()), 2001),
        (subscription(url, &["incident.triggered", "incident.triggered"], account()), 2001),
        (subscription(url, &[], account()), 2001),
        (subscription("ftp://127.0.0.1/", &triggered, account()), 2001),
        (subscription("nowhere", &triggered, account()), 2001),
        (subscription(url, &triggered, json!({"type": "service_reference"})), 2001),
        (subscription(url, &triggered, json!({"type": "team_reference", "id": "PUNKNOWN"})), 2001),
    ] {
        assert_eq!(world.refused("POST", home, body.clone()).await, (400, code), "{body}");
    }
    let mut doubled = subscription(url, &triggered, account());
    doubled["webhook_subscription"]["delivery_method"]["custom_headers"] =
        json!([{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]);
    assert_eq!(world.refused("POST", home, doubled).await, (400, 2001));
    let mut last = String::new();
    for _ in 0..10 {
        let made = world.post(home, subscription(url, &triggered, account())).await;
        last = made["webhook_subscription"]["id"].as_str().unwrap().to_owned();
    }
    let eleventh = subscription(url, &triggered, account());
    assert_eq!(world.refused("POST", home, eleventh.clone()).await, (400, 2001));
    let listed = world.get(&format!("{home}?filter_type=account&limit=100")).await;
    assert_eq!(listed["webhook_subscriptions"].as_array().unwrap().len(), 10);
    assert_eq!(world.delete(&format!("{home}/{last}")).await, 204);
    world.post(home, eleventh).await;
    world.nothing_noted();

    let path = format!("{home}/{}", id("webhook_subscription"));
    let moved = json!({"webhook_subscription": {
        "description": "Moved", "delivery_method": {"url": "http://127.0.0.1:10/"},
    }});
    let after = world.put(&path, moved).await["webhook_subscription"].clone();
    assert_eq!(after["description"], "Moved");
    assert_eq!(after["delivery_method"]["url"], url);
    assert!(world.simulator.violations()[0].contains("webhook_subscription.delivery_method"));
    let writer = ["webhook_subscriptions.write"];
    let token = world.simulator.us().mint_token(TokenKind::AppToken, &writer);
    let line = line(&world.simulator).await;
    let service = subscription(url, &triggered, reference("service"));
    let ask = ask(&world.simulator, "POST", home).bearer(&token).json(&service);
    let refused = ask.send_on(&line).await;
    assert_eq!(refused.json()["error"]["required_scopes"], "incidents.read");
}

#[tokio::test]
async fn a_deleted_subscription_and_a_reset_account_deliver_no_events() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, _) = subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    incident(&world).await;
    assert_eq!(world.delete(&path).await, 204);
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(world.simulator.webhook_deliveries()[0].state, DeliveryState::Discarded);
    subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    incident(&world).await;
    world.simulator.reset();
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 0);
}
