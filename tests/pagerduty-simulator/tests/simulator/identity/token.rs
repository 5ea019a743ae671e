//! The token endpoint: codes, app tokens, and client authentication.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pagerduty_simulator::{App, GrantEnd, Origin, Region};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_of_its_region_only() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    for (account, own, other) in [
        (simulator.us(), Origin::RestUs, Origin::RestEu),
        (simulator.eu(), Origin::RestEu, Origin::RestUs),
    ] {
        let ben = account.users()[1].clone();
        let url = authorize_url(&question(&app, "write"));
        let callback = simulator.identity().approve(&url, &ben.id).unwrap();
        assert_eq!(parameter(&callback, "subdomain").as_deref(), Some("example"));
        assert_eq!(parameter(&callback, "state").as_deref(), Some("a state & more"));
        let code = parameter(&callback, "code").unwrap();
        let given = tokens(&token(&simulator, &exchange(&app, &code)).await);
        assert_eq!(given["scope"], "openid write");
        assert_eq!(given["expires_in"], 864_000);
        assert_eq!(given["client_info"], "prefix_legacy_app");
        let region = account.region();
        let access = given["access_token"].as_str().unwrap();
        let refresh = given["refresh_token"].as_str().unwrap();
        assert!(access.starts_with(&format!("pd{region}+_0")), "{access}");
        assert!(refresh.starts_with(&format!("pd{region}+_1")), "{refresh}");
        assert_eq!(access.rsplit('_').next().unwrap().len(), 36);
        assert_eq!(status_of(&simulator, own, &given["access_token"]).await, 200);
        assert_eq!(status_of(&simulator, other, &given["access_token"]).await, 401);
        assert_eq!(status_of(&simulator, own, &given["refresh_token"]).await, 401);
        let me = get(&simulator, "/users/me").origin(own).bearer(access).send().await.json();
        assert_eq!(me["user"]["id"], ben.id.as_str());
        let claims = claims(&given["id_token"]);
        assert_eq!(claims["user_id"], ben.id.as_str());
        assert_eq!(claims["account_id"], account.id());
        assert_eq!(claims["subdomain"], account.subdomain());
        let api = format!("https://{}", own.host());
        assert_eq!(claims["aud"], json!([api, app.client_id]));
    }
    let ids: Vec<_> = simulator.identity().grants().into_iter().map(|grant| grant.region).collect();
    assert_eq!(ids, [Region::Us, Region::Eu]);
    assert_ne!(simulator.us().id(), simulator.eu().id());
}

#[tokio::test]
async fn an_id_token_verifies_against_the_published_keys() {
    let simulator = simulator().await;
    let app = simulator.identity().scoped_app(Region::Us);
    let ada = simulator.us().users()[0].id.clone();
    let asked = with(question(&app, "incidents.read"), "nonce", "n-1");
    let callback = simulator.identity().approve(&authorize_url(&asked), &ada).unwrap();
    let code = parameter(&callback, "code").unwrap();
    let given = tokens(&token(&simulator, &exchange(&app, &code)).await);
    let id_token = given["id_token"].as_str().unwrap();

    let metadata =
        fetch(&simulator, "/global/oauth/anonymous/.well-known/openid-configuration").send().await;
    let metadata = metadata.json();
    let keys = metadata["jwks_uri"].as_str().unwrap();
    let keys = keys.strip_prefix("https://identity.pagerduty.com").unwrap();
    let keys = fetch(&simulator, keys).send().await.json();
    let (signed, signature) = id_token.rsplit_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header = decode(signed.split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["alg"], "RS256");
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let [n, e] = ["n", "e"].map(|part| decode(key[part].as_str().unwrap()));
    let key = RsaPublicKeyComponents { n, e };
    let signature = decode(signature);
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    let changed = signed.replacen('e', "f", 1);
    key.verify(&RSA_PKCS1_2048_8192_SHA256, changed.as_bytes(), &signature).unwrap_err();

    let claims = claims(&given["id_token"]);
    assert_eq!(claims["iss"], metadata["issuer"]);
    assert_eq!(claims["sub"], claims["user_id"]);
    assert_eq!(claims["azp"], app.client_id);
    assert_eq!(claims["region"], "UnitedStates");
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["delegation_id"], simulator.identity().grants()[0].id);
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 3600);
    // The left half of the access token's digest (OpenID Connect Core, 3.1.3.6).
    let digest = ring::digest::digest(
        &ring::digest::SHA256,
        given["access_token"].as_str().unwrap().as_bytes(),
    );
    assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));

    simulator.identity().configure(|settings| {
        settings.issuer = "https://elsewhere.example".to_owned();
        settings.claims =
            vec![("email".to_owned(), Some(json!("ada@example.com"))), ("region".to_owned(), None)];
    });
    let given = connected(&simulator, &app, "incidents.read").await;
    let claims = super::claims(&given["id_token"]);
    assert_eq!(claims["iss"], "https://elsewhere.example");
    assert_eq!(claims["email"], "ada@example.com");
    assert_eq!(claims.get("region"), None);
}

#[tokio::test]
async fn scopes_that_an_app_may_not_have_are_omitted_silently() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let scoped = identity.scoped_app(Region::Us);
    let narrow = identity
        .register(App::scoped("Narrow", Region::Us, &["users.read"]).redirect_uri(REDIRECT));
    let reader = App { scopes: vec!["read".to_owned()], ..App::classic("Reader") };
    let reader = identity.register(reader.redirect_uri(REDIRECT));
    for (app, asked, granted) in [
        (&identity.classic_app(), "read write", "openid read write"),
        (&identity.classic_app(), "incidents.read", "openid"),
        (&identity.classic_app(), "Write", "openid"),
        (&reader, "write", "openid"),
        (&scoped, "services.read openid services.read", "openid services.read"),
        (&scoped, "incidents.read nonsense", "openid incidents.read"),
        (&scoped, "read write", "openid"),
        (&narrow, "services.read users.read", "openid users.read"),
    ] {
        let given = connected(&simulator, app, asked).await;
        assert_eq!(given["scope"], granted, "{} asked for {asked}", app.name);
    }
    assert!(simulator.violations().is_empty(), "approved past HTTP");
    let token = connected(&simulator, &narrow, "services.read").await["access_token"].clone();
    assert_eq!(status_of(&simulator, Origin::RestUs, &token).await, 403);
    let token = connected(&simulator, &scoped, "services.read").await["access_token"].clone();
    assert_eq!(status_of(&simulator, Origin::RestUs, &token).await, 200);

    identity.configure(|settings| settings.withheld_scopes = vec!["users.read".to_owned()]);
    let given = connected(&simulator, &scoped, "users.read services.read").await;
    assert_eq!(given["scope"], "openid services.read");
}

#[tokio::test]
async fn a_code_is_valid_once_for_thirty_seconds() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let late = code(&simulator, &app, "read");
    simulator.advance_clock(Duration::from_secs(29));
    let early = code(&simulator, &app, "read");
    simulator.advance_clock(Duration::from_secs(1));
    let answer = token(&simulator, &exchange(&app, &late)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    let given = tokens(&token(&simulator, &exchange(&app, &early)).await);
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 200);

    // The second use revokes the tokens of the first one.
    let again = token(&simulator, &exchange(&app, &early)).await;
    assert_eq!(refusal(&again), refused(400, "invalid_grant"));
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 401);
    let refresh = given["refresh_token"].as_str().unwrap();
    let answer = token(&simulator, &renewal(&app, refresh)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    let grants = simulator.identity().grants();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].ended, Some(GrantEnd::CodeReused));
    assert!(grants[0].access_tokens.is_empty() && grants[0].refresh_tokens.is_empty());
}

#[tokio::test]
async fn a_code_needs_its_app_its_redirect_uri_and_its_verifier() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let other = identity.register(App::classic("Other").redirect_uri(REDIRECT));
    let long = "x".repeat(129);
    for (name, value, error) in [
        ("redirect_uri", "http://127.0.0.1:43118/callback", "invalid_grant"),
        ("redirect_uri", "", "invalid_request"),
        ("code", "unknown", "invalid_grant"),
        ("code", "", "invalid_request"),
        ("code_verifier", CHALLENGE, "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        ("code_verifier", "too-short", "invalid_request"),
        ("code_verifier", &long, "invalid_request"),
        ("code_verifier", "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk", "invalid_request"),
    ] {
        let code = code(&simulator, &app, "read");
        let form = with(exchange(&app, &code), name, value);
        let answer = token(&simulator, &form).await;
        assert_eq!(refusal(&answer), refused(400, error), "{name}={value}");
    }
    let code = code(&simulator, &app, "read");
    let stolen = token(&simulator, &exchange(&other, &code)).await;
    assert_eq!(refusal(&stolen), refused(400, "invalid_grant"));
    tokens(&token(&simulator, &exchange(&app, &code)).await);
    // A wrong attempt of the right app uses the code up.
    let code = super::code(&simulator, &app, "read");
    let wrong = with(exchange(&app, &code), "code_verifier", CHALLENGE);
    assert_eq!(token(&simulator, &wrong).await.status, 400);
    let answer = token(&simulator, &exchange(&app, &code)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_verifier_without_a_challenge_is_a_downgrade() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let ada = simulator.us().users()[0].id.clone();
    let bare = without(without(question(&app, "read"), "code_challenge"), "code_challenge_method");
    let approve = || {
        let callback = identity.approve(&authorize_url(&bare), &ada).unwrap();
        parameter(&callback, "code").unwrap()
    };
    let code = approve();
    let answer = token(&simulator, &exchange(&app, &code)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    let code = approve();
    tokens(&token(&simulator, &without(exchange(&app, &code), "code_verifier")).await);

    // A service without PKCE accepts any verifier.
    identity.configure(|settings| {
        settings.checks_pkce = false;
        settings.code_challenge_methods.clear();
    });
    let code = super::code(&simulator, &app, "read");
    let form = with(exchange(&app, &code), "code_verifier", CHALLENGE);
    tokens(&token(&simulator, &form).await);
}

#[tokio::test]
async fn apps_authenticate_in_the_body() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let (app, public) = (identity.classic_app(), identity.public_app());
    tokens(&token(&simulator, &exchange(&public, &code(&simulator, &public, "read"))).await);
    for (app, name, value, status, error) in [
        (&app, "client_secret", "wrong", 401, "invalid_client"),
        (&app, "client_secret", "", 401, "invalid_client"),
        (&app, "client_id", "unknown", 401, "invalid_client"),
        (&app, "client_id", "", 400, "invalid_request"),
        (&public, "client_secret", "any", 401, "invalid_client"),
        (&app, "grant_type", "", 400, "invalid_request"),
        (&app, "grant_type", "password", 400, "unsupported_grant_type"),
    ] {
        let code = code(&simulator, app, "read");
        let answer = token(&simulator, &with(exchange(app, &code), name, value)).await;
        assert_eq!(refusal(&answer), refused(status, error), "{name}={value}");
        // An unknown client has used nothing up.
        tokens(&token(&simulator, &exchange(app, &code)).await);
    }
}

#[tokio::test]
async fn a_body_that_is_not_a_form_is_refused() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let code = code(&simulator, &app, "read");
    let form = exchange(&app, &code);
    let ask = || post(&simulator, "/oauth/token", &form);
    let json = ask().json(&json!({"grant_type": "authorization_code", "code": code}));
    assert_eq!(refusal(&json.send().await), refused(400, "invalid_request"));
    let plain = ask().header("content-type", "text/plain");
    assert_eq!(refusal(&plain.send().await), refused(400, "invalid_request"));
    let in_url = post(&simulator, &format!("/oauth/token?code={code}"), &form);
    assert_eq!(refusal(&in_url.send().await), refused(400, "invalid_request"));
    let twice = [&form[..], &[("code", "other")]].concat();
    assert_eq!(refusal(&token(&simulator, &twice).await), refused(400, "invalid_request"));
    let got = fetch(&simulator, "/oauth/token").send().await;
    assert_eq!(refusal(&got), refused(405, "invalid_request"));
    assert_eq!(got.header("allow"), "POST");
    let violations = simulator.violations();
    assert_eq!(violations.len(), 5, "{violations:#?}");
    tokens(
        &ask()
            .header("content-type", "Application/X-WWW-Form-URLEncoded; charset=UTF-8")
            .send()
            .await,
    );
}

#[tokio::test]
async fn http_basic_is_refused_unless_enabled() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = App {
        client_id: "a:b%+ ü".to_owned(),
        client_secret: Some("s:e%c+r e=t&ü".to_owned()),
        ..App::classic("Awkward").redirect_uri(REDIRECT)
    };
    let app = identity.register(app);
    let secret = app.client_secret.clone().unwrap();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&app.client_id), encoded(&secret));
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let by_basic = |code: &str| {
        let form = without(without(exchange(&app, code), "client_secret"), "client_id");
        post(&simulator, "/oauth/token", &form).header("authorization", &basic)
    };
    let code = code(&simulator, &app, "read");
    let answer = by_basic(&code).send().await;
    assert_eq!(refusal(&answer), refused(401, "invalid_client"));
    assert!(answer.header("www-authenticate").starts_with("Basic "));

    identity.configure(|settings| settings.accepts_basic = true);
    let both = post(&simulator, "/oauth/token", &exchange(&app, &code));
    let both = both.header("authorization", &basic).send().await;
    assert_eq!(refusal(&both), refused(400, "invalid_request"));
    let wrong = by_basic(&code).header("authorization", "Basic eDp5").send().await;
    assert_eq!(refusal(&wrong), refused(401, "invalid_client"));
    assert!(wrong.header("www-authenticate").starts_with("Basic "));
    tokens(&by_basic(&code).send().await);
    // Special characters in the body work as well.
    let code = super::code(&simulator, &app, "read");
    tokens(&token(&simulator, &exchange(&app, &code)).await);
}

#[tokio::test]
async fn an_app_acts_as_itself_in_its_own_account() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    for (region, own, other) in
        [(Region::Us, Origin::RestUs, Origin::RestEu), (Region::Eu, Origin::RestEu, Origin::RestUs)]
    {
        let app = identity.scoped_app(region);
        let scope = format!("as_account-{region}.example services.read nonsense");
        let form = credentials(&app, &scope);
        let given = tokens(&token(&simulator, &form).await);
        assert_eq!(given["scope"], format!("as_account-{region}.example services.read"));
        assert_eq!(given["expires_in"], 86_400);
        for name in ["refresh_token", "id_token", "client_info"] {
            assert_eq!(given.get(name), None, "{name}");
        }
        assert_eq!(status_of(&simulator, own, &given["access_token"]).await, 200);
        assert_eq!(status_of(&simulator, other, &given["access_token"]).await, 401);
        let users = get(&simulator, "/users").origin(own);
        let users = users.bearer(given["access_token"].as_str().unwrap());
        assert_eq!(users.send().await.status, 403);
        simulator.advance_clock(Duration::from_secs(86_399));
        assert_eq!(status_of(&simulator, own, &given["access_token"]).await, 200);
        simulator.advance_clock(Duration::from_secs(1));
        assert_eq!(status_of(&simulator, own, &given["access_token"]).await, 401);
    }
    assert!(identity.grants().iter().all(|grant| grant.user_id.is_none()));
}

fn credentials<'a>(app: &'a App, scope: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", app.client_id.as_str()),
        ("scope", scope),
    ];
    form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    form
}

#[tokio::test]
async fn only_scoped_apps_act_as_themselves_and_only_in_their_account() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let own = "as_account-us.example services.read";
    let bare =
        identity.register(App::scoped("Bare", Region::Us, &["services.read"]).without_secret());
    for app in [identity.classic_app(), identity.public_app(), bare] {
        let answer = token(&simulator, &credentials(&app, own)).await;
        assert_eq!(refusal(&answer), refused(400, "unauthorized_client"), "{}", app.name);
    }
    let app = identity.scoped_app(Region::Us);
    for scope in [
        "services.read",
        "as_account-eu.example services.read",
        "as_account-us.elsewhere services.read",
        "as_account-us.example as_account-eu.example services.read",
        "",
    ] {
        let answer = token(&simulator, &credentials(&app, scope)).await;
        assert_eq!(refusal(&answer), refused(400, "invalid_scope"), "{scope:?}");
    }
    let form = with(credentials(&app, own), "client_secret", "wrong");
    assert_eq!(refusal(&token(&simulator, &form).await), refused(401, "invalid_client"));
}
