//! Credentials that are encoded: HTTP Basic.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use end_to_end::service::Reply;
use end_to_end::values;
use serde_json::json;

use super::{PASSWORD, TOKEN, World};

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_and_a_token_as_user_are_sent_as_http_basic() {
    let world = World::new(|_| Reply::json(200, json!({}))).await;
    values(&world.run("basic", "thing.get", json!({})).await, 0);
    values(&world.run("token", "thing.get", json!({})).await, 0);
    let sent = world.service.requests();
    let basic = format!("Basic {}", STANDARD.encode(format!("ada@example.com:{PASSWORD}")));
    assert_eq!(sent[0].header("authorization"), Some(&*basic));
    let token = format!("Basic {}", STANDARD.encode(format!("{TOKEN}:")));
    assert_eq!(sent[1].header("authorization"), Some(&*token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_gives_an_encoded_credential_back_shows_nothing_of_it() {
    let world = World::new(|request| {
        let header = request.header("authorization").unwrap_or_default().to_owned();
        let encoded = header.trim_start_matches("Basic ").to_owned();
        let plain = STANDARD.decode(&encoded).unwrap_or_default();
        let plain = String::from_utf8_lossy(&plain).into_owned();
        let hexadecimal: String = encoded.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = encoded.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let reversed: String = encoded.chars().rev().collect();
        Reply::json(
            200,
            json!({
                "header": header,
                "encoded": encoded,
                "unpadded": encoded.trim_end_matches('='),
                "url_safe": URL_SAFE_NO_PAD.encode(&plain),
                "twice": STANDARD.encode(&encoded),
                "within": STANDARD.encode(format!("x Basic {encoded}")),
                "hexadecimal": hexadecimal,
                "percent": percent,
                "reversed": reversed,
                "plain": plain,
            }),
        )
        .header("x-echo", header)
    })
    .await;
    for (credential, plain) in
        [("basic", format!("ada@example.com:{PASSWORD}")), ("token", format!("{TOKEN}:"))]
    {
        let outcome = world.run(credential, "thing.get", json!({})).await;
        let record = values(&outcome, 0).remove(0);
        for (name, value) in record.as_object().unwrap() {
            let value = value.as_str().unwrap();
            assert!(value.contains("[credential removed]"), "{credential} {name}: {value}");
        }
        // Of the encoded forms nothing is left, not even the ends.
        for name in ["encoded", "unpadded", "url_safe", "hexadecimal", "percent", "reversed"] {
            assert_eq!(record[name], "[credential removed]", "{credential} {name}");
        }
        assert_eq!(record["header"], "Basic [credential removed]");
        let shown = format!("{record}{}{:?}", world.observed.text(), world.audit.events());
        for part in [STANDARD.encode(&plain), plain.clone()] {
            assert!(!shown.contains(part.trim_end_matches('=')), "{credential}: {shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_says_what_is_encoded() {
    let world = World::new(|_| Reply::json(200, json!({}))).await;
    let grant = &world.plugin.grant_request().credentials["basic"];
    assert_eq!(
        grant.placements[0].in_words(),
        "in the header Authorization of every request to https://api.service.test, as `Basic ` and \
         the base64 of `{user}:{password}`"
    );
}
