//! Documents written by the builders are valid, both with the fewest members and with every member
//! set. Every member that a schema defines has a method.

use serde_json::{Value, json};
use workflow_node_documents::{
    Access, Account, Action, AnsweredBy, AuthorizationCode, AuthorizeParameter, CallOptions,
    Choice, ClientAuthentication, ClientCredentials, Configuration, CredentialAccess,
    CredentialType, CredentialTypes, Delivery, DeviceAuthorization, Document, Effect, Example,
    FieldBuilder, FormBuilder, Grant, Idempotency, Identity, Node, OauthConfiguration,
    OperationLimit, Options, OptionsQuery, OriginPattern, PathTemplate, Placement, Poll, RateLimit,
    RateReset, RateWindow, ResetFormat, Resource, Schema, Schemas, Scope, SecretPlacement,
    SecretPosition, Server, Signature, SignatureEncoding, SignatureScheme, Slot, SlotUse,
    TokenGrant, Trigger, TriggerOptions, Triggers, User, Webhook,
};

use crate::published::{assert_valid, missing, schema};

fn api() -> OriginPattern {
    "https://api.example.com".parse().unwrap()
}

/// The documents are valid, parse back to the same value, and together have every member that their
/// schema defines.
fn check<D: Document + PartialEq + std::fmt::Debug>(documents: &[D]) -> Vec<Value> {
    let written: Vec<Value> = documents.iter().map(assert_valid).collect();
    for document in documents {
        assert_eq!(&D::from_json(&document.to_json()).unwrap(), document);
    }
    let missing = missing(&schema(D::NAME), &written);
    assert!(missing.is_empty(), "{}: no document has {missing:?}", D::NAME);
    written
}

fn parameters() -> Schema {
    json!({"type": "object", "properties": {"id": {"type": "string"}}}).try_into().unwrap()
}

fn example() -> Example {
    Example::new("One", json!({"id": "P1"}))
}

#[test]
fn a_node_is_built_as_its_document() {
    let least_action = Action::new(
        "incident.get",
        "Get",
        "Returns it.",
        Effect::Read,
        Idempotency::Safe,
        parameters(),
    );
    let least = Node::new("pager", "Pager", "A node.", [api()], [least_action.clone()]);
    let action = least_action
        .version(2)
        .slot("rest", SlotUse::default().required(true).scopes(["incidents.read"]))
        .port("main", Schema::anything())
        .resource("incident")
        .documentation_url("https://example.com/get")
        .guarantee("No record is repeated.")
        .examples([example()])
        .early_access(true)
        .emits(true)
        .batches(true);
    let secret = SecretPosition::new("key", "A key.")
        .methods(["GET"])
        .origins([api()])
        .path("/keys/{id}".parse::<PathTemplate>().unwrap())
        .pointer("/key")
        .required(true)
        .placements([SecretPlacement::new(
            ["POST".to_owned()],
            [api()],
            "/keys".parse::<PathTemplate>().unwrap(),
            "/key/*",
        )]);
    let everything = Node::new("pager", "Pager", "A node.", [api()], [action])
        .version(3)
        .slot("rest", Slot::new(["api-key".to_owned()], "For the API."))
        .documentation_url("https://example.com")
        .icon(r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#)
        .categories(["incident-management"])
        .aliases(["on call"])
        .schemas(Schemas::from_iter([("thing", Schema::anything())]))
        .secrets([secret])
        .resources([Resource::new("incident", "Incidents").description("Problems.")])
        .servers([Server::new("own", "A server.", ["https://*:*".parse().unwrap()])]);
    let written = check(&[least, everything]);
    let members: Vec<&String> = written[0].as_object().unwrap().keys().collect();
    assert_eq!(members.len(), 7, "the least has what is required: {members:?}");
}

fn credential_type(grant: impl Into<Grant>, placement: Placement) -> CredentialType {
    let form = FormBuilder::new()
        .required(FieldBuilder::choice("region", "Region", "Where.", &["us", "eu"]).default("us"))
        .required(
            FieldBuilder::text("key", "Key", "The key.")
                .secret()
                .min_length(8)
                .max_length(99)
                .pattern("^k"),
        )
        .optional(FieldBuilder::text("email", "Email", "Acting user.").email())
        .optional(FieldBuilder::texts("scopes", "Scopes", "To request.", 1, 20).min_items(1))
        .build();
    CredentialType::new("key", "Key", "A key.", form, grant, [api()], [placement])
}

#[test]
fn credential_types_are_built_as_their_document() {
    let urls = || vec!["https://id.example.com/x".to_owned()];
    let header = Placement::header("authorization", "Bearer {access_token}", [api()]);
    let least = credential_type(Grant::Fixed, Placement::query("key", "{key}", [api()]));
    let code =
        AuthorizationCode::new(urls(), urls(), ClientAuthentication::ClientSecretPost, "client_id");
    let full_code = code
        .clone()
        .client_secret_field("client_secret")
        .refresh_grace_ms(1_000)
        .scopes_field("scopes")
        .key_id_field("key_id")
        .revoke_urls(urls())
        .id_token_claims(["aud"])
        .issuers(urls())
        .authorize_parameters([AuthorizeParameter::new(
            "access_type",
            "Asks for a refresh token.",
            ["offline".to_owned()],
        )])
        .iss_in_response(true);
    let app =
        ClientCredentials::new(urls(), ClientAuthentication::ClientSecretBasic, "id", "secret");
    let full_app = ClientCredentials::new(urls(), ClientAuthentication::PrivateKeyJwt, "id", "key");
    let full_app = full_app.scopes_field("scopes").key_id_field("key_id").revoke_urls(urls());
    let device = DeviceAuthorization::new(urls(), urls(), ClientAuthentication::None, "client_id");
    let full_device = device
        .clone()
        .client_secret_field("client_secret")
        .refresh_grace_ms(1_000)
        .scopes_field("scopes")
        .revoke_urls(urls());
    let limit = RateLimit::new([RateWindow::new(960, 60_000)])
        .remaining_header("left")
        .retry_after_header("reset")
        .reset(RateReset::new("x-reset", ResetFormat::UnixSeconds))
        .default_wait_ms(30_000)
        .operations([OperationLimit::new(
            "/a/{id}".parse::<PathTemplate>().unwrap(),
            [RateWindow::new(5, 1)],
        )
        .methods(["GET"])]);
    let body =
        Placement::body("/key", "{key}", [api()]).methods(["POST"]).path("/v2/**".parse().unwrap());
    let everything = credential_type(full_code, header.clone().methods(["GET"]))
        .version(2)
        .documentation_url("https://example.com")
        .rate_limit(limit)
        .scopes([Scope::new("read", "Reads.").access(Access::Read).covers(Access::Read)]);
    let types = [
        least,
        everything,
        credential_type(code, header.clone()),
        credential_type(app, body),
        credential_type(device, header.clone()),
        credential_type(full_device, header.clone()),
        credential_type(Grant::Fixed, Placement::basic("{email}/token", "{key}", [api()])),
        credential_type(Grant::Fixed, Placement::query("k", "{key}:x", [api()]).base64("key ")),
        credential_type(Grant::Fixed, Placement::body("/k", "{key}", [api()]).base64("key ")),
        credential_type(full_app, Placement::query("k", "{key}", [api()]).methods(["PUT"])),
    ];
    let documents =
        [CredentialTypes::default(), CredentialTypes::default().credential_types(types.into())];
    check(&documents);
    let secrets = documents[1].credential_types[0].secret_fields();
    assert_eq!(secrets.into_iter().collect::<Vec<_>>(), ["key"]);
    let fields = &documents[1].credential_types[0].fields;
    assert_eq!(fields["x-ui"]["order"], json!(["region", "key", "email", "scopes"]));
    assert_eq!(fields["required"], json!(["region", "key"]));
    assert!(jsonschema::meta::is_valid(fields));
}

#[test]
fn a_configuration_is_built_as_its_document() {
    let least = Configuration::new([api()]);
    let oauth = OauthConfiguration::new("https://id.example.com/token", ["read".to_owned()]);
    let everything = least
        .clone()
        .base_urls([("rest", "https://api.example.com")])
        .values([("region", "us")])
        .oauth(
            oauth
                .clone()
                .authorize_url("https://id.example.com/authorize")
                .device_authorization_url("https://id.example.com/device")
                .revoke_url("https://id.example.com/revoke")
                .parameters([("prompt", "consent")]),
        );
    check(&[least.clone(), least.oauth(oauth), everything]);
}

#[test]
fn a_token_grant_is_built_as_its_document() {
    let claims = serde_json::Map::from_iter([("sub".to_owned(), json!("u"))]);
    check(&[
        TokenGrant::default(),
        TokenGrant::default().scopes(vec!["read".to_owned()]).claims(claims),
    ]);
}

#[test]
fn an_identity_is_built_as_its_document() {
    let everything = Identity::new("It is accepted.")
        .account(Account::default().id("A").name("Acme").subdomain("acme"))
        .user(User::default().id("U").name("Ada").email("ada@example.com").role("admin"))
        .region("US")
        .access(CredentialAccess::ReadWrite)
        .abilities(["sso"])
        .warnings(["It can change everything."]);
    check(&[Identity::new("It is accepted."), everything]);
}

#[test]
fn options_are_built_as_their_document() {
    let query = OptionsQuery::for_action("incident.get", "id");
    let full = query.clone().version(1).parameters([("a", 1)]).search("x").cursor("c").limit(5);
    assert_eq!(full.form(), "incident.get");
    check(&[query, full, OptionsQuery::for_trigger("event", "services")]);
    let choices = vec![Choice::new("P1", "One"), Choice::new(2, "Two").description("Second line.")];
    check(&[
        Options::default(),
        Options::default().choices(choices).next_cursor("c").stale(["P9"]),
    ]);
}

#[test]
fn options_of_calls_are_built_as_their_document() {
    check(&[
        CallOptions::default(),
        CallOptions::default().concurrency(4).continue_on_fail(true).finish_items(true),
    ]);
    check(&[
        TriggerOptions::default(),
        TriggerOptions::default().limit(100).signing_secret("secret:1"),
    ]);
}

#[test]
fn triggers_are_built_as_their_document() {
    let trigger =
        |delivery: Delivery| Trigger::new("event", "Event", "Starts.", parameters(), delivery);
    let signature = Signature::new(
        SignatureScheme::HmacSha256,
        "X-Signature",
        SignatureEncoding::Hex,
        "signing-secret",
        "/secret",
    );
    let full = Webhook::default()
        .body_limit_bytes(1_000)
        .signature(
            signature.clone().prefix("v1=").separator(",").made_by_host(true).previous_ms(1_000),
        )
        .id_header("X-Id")
        .answer_within_ms(5_000)
        .methods(["POST"])
        .answered_by(AnsweredBy::Plugin);
    let everything = trigger(full.into())
        .version(2)
        .documentation_url("https://example.com")
        .examples([example()])
        .slots([("rest", SlotUse::default().required(true).scopes(["read"]))])
        .output(parameters());
    let triggers = vec![
        trigger(Poll::new(60_000).into()),
        trigger(Webhook::default().into()),
        trigger(Webhook::default().signature(signature).into()),
        everything,
    ];
    check(&[Triggers::default(), Triggers::default().triggers(triggers)]);
}

#[test]
fn a_member_of_the_future_can_be_written_but_does_not_replace_one() {
    let options =
        CallOptions::default().with_extra("from_the_future", 1).with_extra("concurrency", 9);
    assert_eq!(options.to_json(), r#"{"from_the_future":1}"#);
    assert_eq!(options.extra().len(), 1);
}
