//! Renewing: O11 to O16, O19, and the result of each response of a token endpoint.

use std::time::Duration;

use super::service::{FIRST, Whim};
use super::world::{World, app, fast, new, now};
use crate::credential::{
    Claim, ConnectionKey, CredentialError, CredentialSource as _, CredentialStatus, Health,
    LeaseChange,
};
use crate::oauth::Timing;

fn is_reconnect<T>(result: &Result<T, CredentialError>) -> bool {
    matches!(result, Err(CredentialError::Reconnect { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn o11_a_rotated_refresh_token_is_stored_before_first_use_and_an_old_one_stays_without_a_new_one()
 {
    let world = World::over().await;
    assert_eq!(world.token().await, "access-token-0001-canary");
    assert_eq!(world.secret("refresh_token"), "refresh-token-0001-canary");
    assert_eq!(world.secret("access_token"), "access-token-0001-canary");
    assert_eq!(world.secret("client_secret"), "a secret:+% é canary");
    assert_eq!(world.stored().connection.revision, 2);

    let keeping = World::over().await;
    keeping.service.with(|state| state.rotates = false);
    keeping.token().await;
    assert_eq!(keeping.secret("refresh_token"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn o11_nobody_gets_a_token_that_is_not_written_down() {
    let world = World::over().await;
    // The disk does not take it.
    let database = rusqlite::Connection::open(super::world::path(world.directory.path())).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON connection WHEN NEW.revision > 1 BEGIN SELECT \
             RAISE(ABORT, 'the disk is full'); END",
        )
        .unwrap();
    let (manager, request) = (world.manager.clone(), world.request.clone());
    let waiting = tokio::spawn(async move { manager.credential(&request).await });
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!waiting.is_finished(), "the new tokens are tried to be written again and again");
    assert_eq!(world.secret("access_token"), "access-token-0000-canary");
    database.execute_batch("DROP TRIGGER full").unwrap();
    let credential = waiting.await.unwrap().unwrap();
    assert_eq!(credential.secrets["access_token"].expose(), "access-token-0001-canary");
    assert_eq!(world.service.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn o12_a_token_is_renewed_early_by_a_skew_that_fits_its_lifetime() {
    const MINUTE: u64 = 60_000;
    // Lifetime in minutes, minutes before the end, whether it is renewed.
    for (lifetime, left, renewed) in [
        (60 * 24, 1.6, false),
        (60 * 24, 0.9, true),
        (10, 1.6, false),
        (10, 0.9, true),
        (1, 0.2, false),
        (1, 0.09, true),
        (1, -1.0, true),
    ] {
        let ends = now().saturating_add_signed((left * MINUTE as f64) as i64);
        let world = World::with(new(Some(ends), Some(lifetime * MINUTE)), None, fast()).await;
        world.token().await;
        assert_eq!(world.service.asked() == 1, renewed, "{lifetime} {left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o12_what_the_service_says_of_the_lifetime_is_counted_from_our_own_clock() {
    for (said, lifetime) in [
        ("3600", Some(3_600_000)),
        ("\"3600\"", Some(3_600_000)),
        ("0", None),
        ("-5", None),
        ("\"soon\"", None),
        ("null", None),
        ("1000000000000", Some(10 * 366 * 24 * 3_600_000)),
    ] {
        let world = World::over().await;
        world.service.whim(Whim::Answered(format!("{{\"expires_in\":{said}}}")));
        world.token().await;
        let connection = world.stored().connection;
        assert_eq!(connection.parts.lifetime, lifetime, "{said}");
        match lifetime {
            Some(lifetime) => {
                let expected = now() + lifetime;
                assert!(connection.parts.expires_at.unwrap().abs_diff(expected) < 10_000, "{said}");
            }
            None => assert_eq!(connection.parts.expires_at, None, "{said}"),
        }
        // None of them makes the next use ask again.
        world.token().await;
        assert_eq!(world.service.asked(), 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o12_a_clock_that_is_five_minutes_off_costs_one_refresh_and_no_more() {
    // Ours goes ahead: everything looks five minutes nearer to its end. Or behind: the service
    // says 401 before we expect it.
    let ahead = World::with(new(Some(now() - 300_000), Some(3_600_000)), None, fast()).await;
    ahead.token().await;
    ahead.token().await;
    assert_eq!(ahead.service.asked(), 1);
    let behind = World::with(new(Some(now() + 300_000), Some(3_600_000)), None, fast()).await;
    assert_eq!(behind.token().await, "access-token-0000-canary");
    let newer = behind.manager.refreshed(&behind.request, 1).await.unwrap();
    assert_eq!(newer.revision, 2);
    assert_eq!(behind.service.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn o12_one_forced_refresh_serves_all_who_were_refused_with_the_same_token() {
    let world = World::with(new(Some(now() + 3_600_000), Some(3_600_000)), None, fast()).await;
    let refused =
        futures_util::future::join_all((0..64).map(|_| world.manager.refreshed(&world.request, 1)))
            .await;
    for credential in refused {
        let credential = credential.unwrap();
        assert_eq!(credential.secrets["access_token"].expose(), "access-token-0001-canary");
    }
    assert_eq!(world.service.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn o13_tasks_of_one_process_cause_one_refresh() {
    let world = World::over().await;
    world.service.with(|state| state.delay = Duration::from_millis(50));
    let all = futures_util::future::join_all((0..64).map(|_| world.token())).await;
    assert!(all.iter().all(|token| token == "access-token-0001-canary"));
    assert_eq!(world.service.asked(), 1);
    assert!(!world.service.with(|state| state.family_revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn o13_a_caller_that_goes_away_does_not_take_the_refresh_with_it() {
    let world = World::over().await;
    world.service.with(|state| state.delay = Duration::from_millis(200));
    let (manager, request) = (world.manager.clone(), world.request.clone());
    let caller = tokio::spawn(async move { manager.credential(&request).await });
    while world.service.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    caller.abort();
    world.manager.settle().await;
    assert_eq!(world.secret("refresh_token"), "refresh-token-0001-canary");
    assert_eq!(world.status(), "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn o14_a_service_slower_than_the_lease_is_asked_once() {
    let timing = Timing { lease: Duration::from_millis(300), ..fast() };
    let world = World::with(new(Some(now() - 1), Some(3_600_000)), None, timing).await;
    world.service.with(|state| state.delay = Duration::from_millis(1_200));
    let another = world.another();
    let (one, other) =
        tokio::join!(world.manager.credential(&world.request), another.credential(&world.request));
    for credential in [one.unwrap(), other.unwrap()] {
        assert_eq!(credential.secrets["access_token"].expose(), "access-token-0001-canary");
    }
    assert_eq!(world.service.asked(), 1);
    assert_eq!(world.service.live(), Some("refresh-token-0001-canary".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn o14_who_lost_the_lease_before_sending_sends_nothing() {
    let world = World::over().await;
    let key = ConnectionKey::of("work");
    let Claim::Granted(late) = world.store.claim(&key, 0).unwrap() else { panic!("it is free") };
    assert_eq!(world.token().await, "access-token-0001-canary");
    let sending = world.store.hold(&key, late.fence, LeaseChange::Sending(60_000)).unwrap();
    assert_eq!(sending, None);
    assert_eq!(world.service.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn o15_a_refresh_whose_response_was_lost_is_reported_and_not_sent_again() {
    for whim in [Whim::DoAndClose, Whim::Answer(200, "{\"access_tok".into()), Whim::Close] {
        let world = World::with(new(Some(now() + 10_000), Some(3_600_000)), None, fast()).await;
        world.service.whim(whim.clone());
        // It has a few seconds to live still.
        assert_eq!(world.token().await, "access-token-0000-canary", "{whim:?}");
        assert_eq!(world.status(), "refresh-outcome-unknown", "{whim:?}");
        assert_eq!(world.token().await, "access-token-0000-canary", "{whim:?}");
        assert_eq!(world.service.asked(), 1, "{whim:?}");
        assert!(!world.service.with(|state| state.family_revoked));
        // And when the service does not take it any more, a person is asked for.
        let error = world.manager.refreshed(&world.request, 1).await.unwrap_err();
        assert!(error.to_string().contains("refresh-outcome-unknown"), "{error}");
        assert_eq!(world.status(), "needs-reconnect", "{whim:?}");
        assert_eq!(world.service.asked(), 1, "{whim:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o15_a_refresh_whose_answer_was_lost_is_sent_again_within_the_grace_that_the_type_declares()
{
    let over = || new(Some(now() - 1), Some(3_600_000));
    let world = World::with(over(), Some(30_000), fast()).await;
    world.service.with(|state| state.grace = 30_000);
    world.service.whim(Whim::DoAndClose);
    assert_eq!(world.token().await, "access-token-0002-canary");
    assert_eq!(world.status(), "connected");
    assert_eq!(world.service.asked(), 2);

    // Of a process that died: the next one finds that something was sent.
    let late = World::with(over(), Some(1_000), fast()).await;
    let key = ConnectionKey::of("work");
    let Claim::Granted(lease) = late.store.claim(&key, 60_000).unwrap() else { panic!() };
    late.store.hold(&key, lease.fence, LeaseChange::Sending(50)).unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(is_reconnect(&late.get().await), "the grace is over");
    assert_eq!(late.service.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn o15_what_never_left_is_tried_again() {
    let world = World::over().await;
    let dead = super::world::manager(
        &world.store,
        1,
        world.request.description.as_ref().unwrap(),
        Timing { attempts: 2, ..fast() },
        world.audit.clone(),
    );
    let error = dead.credential(&world.request).await.unwrap_err();
    assert!(matches!(error, CredentialError::Unavailable { .. }), "{error}");
    assert_eq!(world.stored().lease.sent_at, None);
    assert_eq!(world.stored().connection.health, Health::Connected);
    assert_eq!(world.secret("refresh_token"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn o16_a_dead_grant_asks_for_a_person_and_is_not_tried_again() {
    let world = World::over().await;
    world.service.revoke();
    let error = world.get().await.unwrap_err();
    assert!(error.to_string().contains("must be reconnected"), "{error}");
    assert_eq!(world.service.asked(), 1, "it is not retried");
    let CredentialStatus::NeedsReconnect { reason } = world.store.summary("work").unwrap().status
    else {
        panic!("it says that it works")
    };
    assert!(reason.contains("invalid_grant"), "{reason}");
    for _ in 0..20 {
        assert!(is_reconnect(&world.get().await));
        assert!(is_reconnect(&world.manager.refreshed(&world.request, 1).await));
    }
    assert_eq!(world.service.asked(), 1, "nobody asks again for a minute, nor ever");
    assert!(world.stored().lease.not_before > now() + 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn o16_a_loser_of_a_race_does_not_erase_the_winners_token() {
    let world = World::over().await;
    world.service.with(|state| state.delay = Duration::from_millis(300));
    world.service.whim(Whim::Answer(400, "{\"error\":\"invalid_grant\"}".into()));
    let (manager, request) = (world.manager.clone(), world.request.clone());
    let loser = tokio::spawn(async move { manager.credential(&request).await });
    while world.service.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Somebody connects it again while the old token is on its way.
    let mut newer = new(Some(now() + 3_600_000), Some(3_600_000));
    newer.secrets.insert("access_token".into(), crate::Secret::new("the-winners-token"));
    world.store.keep(newer, Some(1)).unwrap();
    let credential = loser.await.unwrap().unwrap();
    assert_eq!(credential.secrets["access_token"].expose(), "the-winners-token");
    assert_eq!(world.secret("access_token"), "the-winners-token");
    assert_eq!(world.status(), "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn o7_each_refusal_of_the_token_endpoint_has_its_own_end() {
    for (status, error, words) in [
        (400, "invalid_request", "rejected the request as invalid"),
        (401, "invalid_client", "client ID, client secret, or private key"),
        (400, "unauthorized_client", "not permitted to use this grant"),
        (400, "unsupported_grant_type", "does not support this grant"),
        (400, "invalid_scope", "unknown or not permitted"),
        (400, "something_new", "the service rejected the request"),
        (400, "<script>alert(1)</script>", "an invalid error code"),
    ] {
        let world = World::over().await;
        let description = "canary-in-the-description access-token-0000-canary";
        world.service.whim(Whim::Answer(
            status,
            format!("{{\"error\":\"{error}\",\"error_description\":\"{description}\"}}"),
        ));
        let said = world.get().await.unwrap_err().to_string();
        assert!(said.contains(words), "{error}: {said}");
        assert!(!said.contains("canary") && !said.contains("<script>"), "{said}");
        assert_eq!(world.service.asked(), 1, "{error}");
        assert_eq!(world.secret("refresh_token"), FIRST, "{error}");
        // While the access token lives, it is used.
        let alive = World::with(new(Some(now() + 5_000), Some(3_600_000)), None, fast()).await;
        alive.service.whim(Whim::Answer(status, format!("{{\"error\":\"{error}\"}}")));
        assert_eq!(alive.token().await, "access-token-0000-canary", "{error}");
        assert_eq!(alive.token().await, "access-token-0000-canary", "{error}");
        assert_eq!(alive.service.asked(), 1, "{error}: at most once a minute");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o7_a_service_that_cannot_just_now_is_asked_again_and_the_credential_stays() {
    let world = World::over().await;
    for _ in 0..3 {
        world.service.whim(Whim::Answer(503, String::new()));
    }
    assert_eq!(world.token().await, "access-token-0001-canary");
    assert_eq!(world.service.asked(), 4);

    let down = World::over().await;
    for _ in 0..4 {
        down.service.whim(Whim::Answer(500, "<html>canary</html>".into()));
    }
    let error = down.get().await.unwrap_err();
    assert!(matches!(error, CredentialError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("500") && !error.to_string().contains("canary"), "{error}");
    assert_eq!(down.stored().connection.health, Health::Connected);
    assert_eq!(down.stored().lease.sent_at, None);
    assert_eq!(down.secret("refresh_token"), FIRST);
    // Hundreds of executions do not hammer it meanwhile.
    for _ in 0..10 {
        assert!(down.get().await.is_err());
    }
    assert_eq!(down.service.asked(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn o19_an_apps_token_is_got_once_per_lifetime_and_not_per_execution() {
    let world = World::with(app(), None, fast()).await;
    for _ in 0..40 {
        let some = futures_util::future::join_all((0..25).map(|_| world.token())).await;
        assert!(some.iter().all(|token| token == "access-token-0001-canary"));
    }
    assert_eq!(world.service.asked(), 1, "a thousand uses");
    assert!(!world.stored().secrets.contains_key("refresh_token"));
    let form = world.service.with(|state| state.requests[0].clone());
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["scope"], "items.read");
    // 401: a new one, once.
    let newer = world.manager.refreshed(&world.request, 2).await.unwrap();
    assert_eq!(newer.secrets["access_token"].expose(), "access-token-0002-canary");
    // A lost answer costs nothing: nothing rotates.
    world.service.whim(Whim::DoAndClose);
    let newest = world.manager.refreshed(&world.request, 3).await.unwrap();
    assert_eq!(newest.secrets["access_token"].expose(), "access-token-0004-canary");
    assert_eq!(world.status(), "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refresh_leaves_an_audit_entry_without_a_word_of_the_tokens() {
    let world = World::over().await;
    world.token().await;
    let requests = world.audit.events();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].action, "credential.refresh");
    assert_eq!(
        (requests[0].origin.as_str(), requests[0].path.as_str()),
        ("https://id.test", "/token")
    );
    let deeds = world.audit.credential_events();
    assert_eq!(deeds.len(), 1);
    let told = format!("{requests:?}{deeds:?}");
    assert!(!told.contains("canary"), "{told}");
}
