//! Failing receivers: retries, drops, and their effect on others.

use std::time::Duration;

use pagerduty_simulator::{CertificateKind, DeliveryState, Simulator};
use serde_json::{Value, json};

use super::{HOUR, account, change, incident, subscribe, subscription, world};
use crate::receiver::{Answer, Receiver};
use crate::world::{World, id};

#[tokio::test]
async fn failures_are_retried_and_later_deliveries_wait() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let late = Answer::Late(Duration::from_secs(1));
    receiver.answer(&[Answer::Status(503), Answer::Status(429), late, Answer::Status(500)]);
    let path = incident(&world).await;
    change(&world, &path, json!({"status": "acknowledged"})).await;
    receiver.has(6).await;
    world.simulator.webhooks_rest().await;
    let types = receiver.types();
    assert_eq!(types[..5], ["incident.triggered"; 5]);
    assert_eq!(types[5], "incident.acknowledged");
    let arrivals = receiver.arrivals();
    let ids: Vec<&str> = arrivals.iter().map(|one| one.header("x-webhook-id")).collect();
    assert!(ids[..5].iter().all(|id| *id == ids[0]) && ids[5] != ids[0]);
    let first = world.simulator.webhook_deliveries()[0].clone();
    let statuses: Vec<Option<u16>> = first.attempts.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(503), Some(429), None, Some(500), Some(202)]);
    assert!(first.attempts[2].error.as_deref().unwrap().contains("in time"));
}

#[tokio::test]
async fn an_unreachable_receiver_is_retried_for_two_days() {
    let builder =
        Simulator::builder().examples(true).webhook_backoff(Duration::from_secs(60), HOUR * 12);
    let world = World::of(builder.start().await.unwrap()).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let url = format!("http://{nobody}/");
    let body = subscription(&url, &["incident.triggered"], account());
    world.post("/webhook_subscriptions", body).await;
    incident(&world).await;
    let attempts = || world.simulator.webhook_deliveries()[0].attempts.len();
    let mut last = 0;
    for hours in 0..60 {
        let tried = async {
            while world.simulator.webhook_deliveries()[0].state == DeliveryState::Waiting
                && attempts() == last
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // In some hours nothing is due.
        let _due_or_not = tokio::time::timeout(Duration::from_millis(15), tried).await;
        last = attempts();
        if world.simulator.webhook_deliveries()[0].state == DeliveryState::Dropped {
            assert!((36..=50).contains(&hours), "dropped after {hours} hours");
            assert!(last > 8, "{last}");
            return;
        }
        world.simulator.advance_clock(HOUR);
    }
    panic!("never dropped after {last} attempts");
}

#[tokio::test]
async fn three_consecutive_drops_disable_a_subscription_for_a_day() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, _) = subscribe(&world, &receiver).await;
    let disabled = async || {
        let read = world.get(&path).await;
        read["webhook_subscription"]["delivery_method"]["temporarily_disabled"].clone()
    };
    // A success in between resets the count.
    let refused = Answer::Status(400);
    receiver.answer(&[refused, refused, Answer::Status(200), refused, refused]);
    for expected in 1..=5 {
        incident(&world).await;
        receiver.has(expected).await;
    }
    world.simulator.webhooks_rest().await;
    assert_eq!(disabled().await, false);
    world.simulator.hold_webhooks();
    let one = incident(&world).await;
    change(&world, &one, json!({"status": "acknowledged"})).await;
    change(&world, &one, json!({"status": "resolved"})).await;
    receiver.always(refused);
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 6);
    assert_eq!(disabled().await, true);
    let states: Vec<DeliveryState> =
        world.simulator.webhook_deliveries().iter().rev().take(3).map(|one| one.state).collect();
    assert_eq!(
        states,
        [DeliveryState::Discarded, DeliveryState::Discarded, DeliveryState::Dropped]
    );

    let count = world.simulator.webhook_deliveries().len();
    incident(&world).await;
    assert_eq!(world.simulator.webhook_deliveries().len(), count);
    let enabled = world.call("POST", &format!("{path}/enable")).await;
    let method = &enabled["webhook_subscription"]["delivery_method"];
    assert_eq!(method["temporarily_disabled"], false);
    for expected in 7..=9 {
        incident(&world).await;
        receiver.has(expected).await;
    }
    world.simulator.webhooks_rest().await;
    assert_eq!(disabled().await, true);
    world.simulator.advance_clock(HOUR * 23);
    assert_eq!(disabled().await, true);
    world.simulator.advance_clock(HOUR);
    assert_eq!(disabled().await, false);
    receiver.always(Answer::Status(202));
    incident(&world).await;
    receiver.has(10).await;
}

#[tokio::test]
async fn one_failing_resource_does_not_delay_others() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    receiver.answer(&[Answer::Late(Duration::from_millis(250))]);
    let slow = incident(&world).await;
    receiver.has(1).await;
    change(&world, &slow, json!({"status": "acknowledged"})).await;
    let quick = incident(&world).await;
    receiver.has(2).await;
    let second = receiver.arrivals()[1].event()["data"]["id"].clone();
    assert_eq!(format!("/incidents/{}", second.as_str().unwrap()), quick);
    receiver.has(3).await;
}

#[tokio::test]
async fn large_webhooks_are_trimmed_and_huge_ones_never_sent() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let path = format!("/incidents/{}/notes", id("incident"));
    for length in [1_000, 60_000, 270_000] {
        let note = json!({"note": {"content": "a".repeat(length)}});
        world.post(&path, note).await;
    }
    receiver.has(2).await;
    world.simulator.webhooks_rest().await;
    let data: Vec<Value> =
        receiver.arrivals().iter().map(|one| one.event()["data"].clone()).collect();
    assert_eq!((data.len(), &data[0]["trimmed"]), (2, &json!(false)));
    assert_eq!((&data[1]["trimmed"], &data[1]["details_omitted"]), (&json!(true), &json!(true)));
    assert!(receiver.arrivals()[1].body.len() < 56_320);
    let last = world.simulator.webhook_deliveries().pop().unwrap();
    assert_eq!((last.state, last.attempts.len()), (DeliveryState::TooLarge, 0));
}

#[tokio::test]
async fn https_receivers_need_a_trusted_certificate() {
    let world = world().await;
    let issue = |kind| world.simulator.issue_certificate(&["127.0.0.1"], kind).unwrap();
    let good = Receiver::start_tls(&issue(CertificateKind::Good)).await;
    let stranger = Receiver::start_tls(&issue(CertificateKind::SelfSigned)).await;
    let expired = Receiver::start_tls(&issue(CertificateKind::Expired)).await;
    let triggered = ["incident.triggered"];
    for receiver in [&good, &stranger, &expired] {
        let body = subscription(&receiver.url("/"), &triggered, account());
        world.post("/webhook_subscriptions", body).await;
    }
    incident(&world).await;
    good.has(1).await;
    let settled = async {
        loop {
            let all = world.simulator.webhook_deliveries();
            if all[1].state == DeliveryState::Dropped && all[2].attempts.len() > 2 {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(10), settled).await.unwrap();
    // An unknown authority stays unknown; an expired certificate may be renewed.
    assert_eq!((all[1].attempts.len(), all[2].state), (1, DeliveryState::Waiting));
    assert_eq!((stranger.arrivals().len(), expired.arrivals().len()), (0, 0));

    // Another authority can be trusted as well.
    let other = Simulator::builder().start().await.unwrap();
    let certificate = other.issue_certificate(&["127.0.0.1"], CertificateKind::Good).unwrap();
    let receiver = Receiver::start_tls(&certificate).await;
    let builder = Simulator::builder().examples(true).webhook_ca(other.ca_pem());
    let world = World::of(builder.start().await.unwrap()).await;
    let body = subscription(&receiver.url("/"), &triggered, account());
    world.post("/webhook_subscriptions", body).await;
    incident(&world).await;
    receiver.has(1).await;
}
