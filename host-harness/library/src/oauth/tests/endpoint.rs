//! Requests that are sent to an endpoint, and requests that are refused: O18, O20, O21.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{self, VerificationAlgorithm};

use super::service::Whim;
use super::world::{World, app, description, fast, new, now, signing};
use crate::credential::{CredentialError, CredentialSource as _};
use crate::description::check_configuration;
use crate::origin::OriginPattern;

#[tokio::test(flavor = "multi_thread")]
async fn o18_a_client_proves_itself_in_the_body_or_by_basic_and_never_by_both() {
    let (id, secret) = ("the client/+%: é", "a secret:+% é canary");
    let post = World::over().await;
    post.token().await;
    let form = post.service.with(|state| state.requests[0].clone());
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), (id, secret));
    assert!(!form.contains_key(":authorization"));

    let basic = World::with(app(), None, fast()).await;
    basic.token().await;
    let form = basic.service.with(|state| state.requests[0].clone());
    assert!(!form.contains_key("client_id") && !form.contains_key("client_secret"));
    let header = form[":authorization"].strip_prefix("Basic ").unwrap();
    let header = String::from_utf8(STANDARD.decode(header).unwrap()).unwrap();
    let (sent_id, sent_secret) = header.split_once(':').unwrap();
    let decoded = |text: &str| {
        url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned()
    };
    assert_eq!((decoded(sent_id).as_str(), decoded(sent_secret).as_str()), (id, secret));
    assert!(!sent_id.contains([' ', '/', '+', ':', 'é']) || sent_id.contains('+'), "{sent_id}");
}

/// Private keys in PEM, the name of their algorithm, and what verifies their signatures.
fn keys() -> Vec<(String, &'static str, &'static dyn VerificationAlgorithm, Vec<u8>)> {
    // The simulator's: to generate an RSA key takes long.
    let rsa =
        include_bytes!("../../../../../tests/pagerduty-simulator/src/identity/signing-key.pk8");
    let public = signature::RsaKeyPair::from_pkcs8(rsa).unwrap().public().as_ref().to_vec();
    let base64 = STANDARD.encode(rsa);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    // On one line, as an environment variable holds it.
    let mut keys: Vec<(_, _, &'static dyn VerificationAlgorithm, _)> =
        vec![(pem.replace('\n', "\\n"), "RS256", &signature::RSA_PKCS1_2048_8192_SHA256, public)];
    let generated: [(_, _, &'static dyn VerificationAlgorithm); 3] = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "ES256", &signature::ECDSA_P256_SHA256_FIXED),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "ES384", &signature::ECDSA_P384_SHA384_FIXED),
        (&rcgen::PKCS_ED25519, "EdDSA", &signature::ED25519),
    ];
    for (kind, name, verifier) in generated {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        keys.push((pair.serialize_pem(), name, verifier, pair.public_key_raw().to_vec()));
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn o18_a_client_with_a_private_key_proves_itself_by_a_signature() {
    let mut ids = BTreeSet::new();
    for (pem, algorithm, verifier, public) in keys() {
        let world = World::with(signing(&pem), None, fast()).await;
        world.token().await;
        let form = world.service.with(|state| state.requests[0].clone());
        assert!(!form.contains_key("client_secret") && !form.contains_key(":authorization"));
        assert_eq!(form["client_id"], "the client/+%: é");
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let (signed, signature) = form["client_assertion"].rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = signature::UnparsedPublicKey::new(verifier, public);
        key.verify(signed.as_bytes(), &signature).unwrap_or_else(|_| panic!("{algorithm}"));
        let read = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (read(header), read(claims));
        assert_eq!((&header["alg"], &header["kid"]), (&algorithm.into(), &"key 7".into()));
        for name in ["iss", "sub"] {
            assert_eq!(claims[name], "the client/+%: é");
        }
        assert_eq!(claims["aud"], "https://id.test/token");
        let [issued, expires] = ["iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        assert!(issued.abs_diff(now() / 1_000) < 60 && expires - issued <= 300);
        assert!(ids.insert(claims["jti"].as_str().unwrap().to_owned()), "each is used once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o18_a_private_key_that_cannot_be_read_is_an_error_before_anything_is_sent() {
    let world = World::with(signing("no-key-but-a-canary"), None, fast()).await;
    let error = world.get().await.unwrap_err().to_string();
    assert!(error.contains("private key") && !error.contains("canary"), "{error}");
    assert_eq!(world.service.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn o20_no_redirect_of_the_token_endpoint_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::over().await;
        world.service.whim(Whim::Redirect(status));
        let error = world.get().await.unwrap_err().to_string();
        assert!(error.contains("redirect"), "{status}: {error}");
        assert_eq!(world.service.asked(), 1, "{status}: nothing came to the other place");
        assert_eq!(world.secret("refresh_token"), super::service::FIRST);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o20_only_an_endpoint_that_is_approved_and_configured_and_https_is_asked() {
    let refused = async |change: &dyn Fn(&mut World)| {
        let mut world = World::over().await;
        change(&mut world);
        let error = world.get().await.unwrap_err();
        assert!(matches!(error, CredentialError::Forbidden { .. }), "{error}");
        assert_eq!(world.service.asked(), 0, "{error}");
        let audited = world.audit.events();
        assert_eq!(audited.len(), 1, "{error}");
        assert_eq!(audited[0].verdict, crate::audit::Verdict::Refused);
        error.to_string()
    };
    // Of a component that nobody has approved.
    let unapproved = |world: &mut World| {
        world.request.plugin = Some(crate::Digest::of(b"another component"));
    };
    assert!(refused(&unapproved).await.contains("was not approved"));
    // Stored for an endpoint that the approved description does not name, or that does not use https.
    for (url, reason) in [
        ("https://evil.test/token", "was not approved"),
        ("http://id.test/token", "is not https"),
        ("https://id.test/token?next=https://evil.test", "was not approved"),
    ] {
        let change = |world: &mut World| {
            let mut credential = new(Some(now() - 1), Some(3_600_000));
            credential.parts.configuration.oauth.as_mut().unwrap().token_url = url.to_owned();
            world.store.keep(credential, Some(1)).unwrap();
        };
        let error = refused(&change).await;
        assert!(error.contains(reason), "{url}: {error}");
    }
    // Outside of the operator's list.
    let narrowed = |world: &mut World| {
        let api: OriginPattern = "https://api.test".parse().unwrap();
        world.request.allow = Some(vec![api]);
    };
    assert!(refused(&narrowed).await.contains("--allow https://id.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn o21_tokens_travel_in_bodies_and_headers_and_never_in_a_url() {
    for credential in [new(Some(now() - 1), Some(3_600_000)), app()] {
        let world = World::with(credential, None, fast()).await;
        world.token().await;
        for form in world.service.with(|state| state.requests.clone()) {
            assert_eq!((form[":path"].as_str(), form[":query"].as_str()), ("/token", ""));
            let encoded = [":content-type", ":accept"].map(|name| form[name].clone());
            assert_eq!(encoded, ["application/x-www-form-urlencoded", "application/json"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_not_handed_to_the_host_at_all() {
    let world = World::over().await;
    let credential = world.get().await.unwrap();
    let names: Vec<&str> = credential.secrets.keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "client_secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_no_longer_describes_the_type_renews_nothing() {
    let mut world = World::over().await;
    let mut narrower = (*description(None)).clone();
    narrower.credential_types.remove("user");
    world.request.description = Some(std::sync::Arc::new(narrower));
    let error = world.get().await.unwrap_err().to_string();
    assert!(error.contains("has expired"), "{error}");
    assert!(world.manager.refreshed(&world.request, 1).await.is_err());
    assert_eq!(world.service.asked(), 0);
}

#[test]
fn o8_neither_rights_nor_redirect_nor_pkce_are_the_running_guests_to_choose() {
    let described = &description(None).credential_types["user"];
    let configured = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut configuration = serde_json::json!({"audiences": ["https://api.test"],
            "oauth": {"authorize_url": "https://id.test/authorize",
                "token_url": "https://id.test/token", "scopes": ["items.read"]}});
        change(&mut configuration);
        check_configuration(described, &serde_json::from_value(configuration).unwrap())
    };
    assert!(configured(&|_| {}).is_ok());
    for (pointer, value) in [
        ("/oauth/scopes/0", "admin"),
        ("/oauth/scopes/0", "items.read items.write"),
        ("/oauth/authorize_url", "https://evil.test/authorize"),
        ("/oauth/authorize_url", "javascript:alert(1)"),
        ("/oauth/token_url", "https://evil.test/token"),
        ("/oauth/token_url", "https://id.test/token/../evil"),
        ("/audiences/0", "https://evil.test"),
    ] {
        let change = |configuration: &mut serde_json::Value| {
            *configuration.pointer_mut(pointer).unwrap() = value.into();
        };
        assert!(configured(&change).is_err(), "{pointer} {value}");
    }
    for parameter in [
        "response_type",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "client_id",
        "response_mode",
        "request",
        "request_uri",
    ] {
        let change = |configuration: &mut serde_json::Value| {
            configuration["oauth"]["parameters"] = serde_json::json!({ parameter: "token" });
        };
        let refused = configured(&change).unwrap_err();
        assert!(refused.contains("belongs to the host"), "{parameter}: {refused}");
    }
}
