//! Bodies as forms.

use end_to_end::service::Reply;
use end_to_end::{error, values};
use serde_json::json;

use super::{KEY, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_sent_as_a_form_with_the_credential_and_the_secret_in_it() {
    let world = World::new(|request| {
        // A service that gives back all that it gets.
        Reply::json(200, json!({ "body": request.body }))
    })
    .await;
    let item = json!({"amount": 5, "tags": ["a b", "c&d"], "password": "typed+secret&1"});
    let outcome = world.run("form-key", "charge.create", item).await;
    let record = values(&outcome, 0).remove(0);
    let sent = world.service.requests().remove(0);
    assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(sent.field("amount").as_deref(), Some("5"));
    assert_eq!(sent.field("currency").as_deref(), Some("usd"));
    assert_eq!(sent.field("api_key").as_deref(), Some(KEY), "{sent:?}");
    assert_eq!(sent.field("password").as_deref(), Some("typed+secret&1"), "{sent:?}");
    let tags: Vec<_> = url::form_urlencoded::parse(sent.body.as_bytes())
        .filter(|(name, _)| name == "metadata[tags][]")
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(tags, ["a b", "c&d"]);
    // Neither comes back, in the encoding of a form either.
    let shown = format!("{record}{}", world.observed.text());
    for secret in ["typed", "typed%2Bsecret", "0123456789"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(record.to_string().contains("[credential removed]"), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_belongs_to_the_credential_is_not_the_plugins() {
    let world = World::new(|_| Reply::json(200, json!({}))).await;
    // The credential of this type has its place in a form, and this request has none.
    let outcome = world.run("form-key", "thing.get", json!({})).await;
    assert!(error(&outcome, 0).message.contains("body"), "{outcome:?}");
    assert_eq!(world.service.requests().len(), 0);
}
