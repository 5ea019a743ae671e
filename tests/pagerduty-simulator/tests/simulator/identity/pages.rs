//! The pages in a browser without a screen and without scripts.

use std::time::Duration;

use pagerduty_simulator::{App, Region};

use super::*;

/// The value of the first hidden field.
fn interaction(page: &str) -> String {
    let after = page.split("name=\"interaction\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

async fn open(simulator: &Simulator, asked: &[(&str, &str)]) -> (String, Answer) {
    let answer = fetch(simulator, &format!("/oauth/authorize?{}", encode(asked))).send().await;
    (String::from_utf8(answer.body.to_vec()).unwrap(), answer)
}

async fn page(simulator: &Simulator, target: &str) -> String {
    let answer = fetch(simulator, target).send().await;
    assert_eq!(answer.status, 200, "{target}");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

async fn press(simulator: &Simulator, path: &str, form: &[(&str, &str)]) -> Answer {
    post(simulator, path, form).send().await
}

#[tokio::test]
async fn a_user_goes_from_the_app_through_account_and_consent_back_to_the_app() {
    let simulator = simulator().await;
    let app = simulator.identity().scoped_app(Region::Us);
    let (chooser, _) = open(&simulator, &question(&app, "services.read incidents.write odd")).await;
    for user in simulator.us().users() {
        assert!(chooser.contains(&format!("value=\"{}\"", user.id)), "{}", user.name);
        assert!(chooser.contains(&user.name) && chooser.contains(&user.email));
    }
    for text in
        [app.name.as_str(), "example.pagerduty.com", "example.eu.pagerduty.com", "private to"]
    {
        assert!(chooser.contains(text), "{text} is missing in {chooser}");
    }
    // The scoped app belongs to the US account only.
    let eu = simulator.eu().users()[0].id.clone();
    assert!(!chooser.contains(&eu));
    let id = interaction(&chooser);
    let ben = simulator.us().users()[1].clone();
    let elsewhere = [("interaction", id.as_str()), ("user", eu.as_str())];
    assert_eq!(press(&simulator, "/oauth/authorize/account", &elsewhere).await.status, 200);
    let chosen = [("interaction", id.as_str()), ("user", ben.id.as_str())];
    let answer = press(&simulator, "/oauth/authorize/account", &chosen).await;
    assert_eq!(answer.status, 303);
    let consent = page(&simulator, answer.header("location")).await;
    for text in [
        "Connect Scoped app (US)?",
        "Ben Okafor",
        "ben@example.com",
        "See services",
        "Create and change incidents",
        "incidents.write",
        "not registered for it: odd",
        "http://127.0.0.1:43117",
        "This is not PagerDuty",
    ] {
        assert!(consent.contains(text), "{text} is missing in {consent}");
    }
    let decision = |value| [("interaction", id.as_str()), ("decision", value)];
    assert_eq!(press(&simulator, "/oauth/authorize/consent", &decision("")).await.status, 200);
    let answer = press(&simulator, "/oauth/authorize/consent", &decision("allow")).await;
    assert_eq!(answer.status, 303);
    let callback = answer.header("location");
    assert!(callback.starts_with(REDIRECT), "{callback}");
    let code = parameter(callback, "code").unwrap();
    let given = tokens(&token(&simulator, &exchange(&app, &code)).await);
    assert_eq!(given["scope"], "openid services.read incidents.write");
    assert_eq!(claims(&given["id_token"])["user_id"], ben.id.as_str());
    // Submitting twice returns no second code.
    let again = press(&simulator, "/oauth/authorize/consent", &decision("allow")).await;
    assert_eq!((again.status, again.header("location")), (400, ""));
}

#[tokio::test]
async fn a_user_can_choose_again_and_decline() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let (chooser, _) = open(&simulator, &question(&app, "write")).await;
    let id = interaction(&chooser);
    let early = page(&simulator, &format!("/oauth/authorize/consent?interaction={id}")).await;
    assert!(early.contains("Choose an account"));
    let dan = simulator.eu().users()[3].clone();
    let form = [("interaction", id.as_str()), ("user", dan.id.as_str())];
    let answer = press(&simulator, "/oauth/authorize/account", &form).await;
    let consent = page(&simulator, answer.header("location")).await;
    assert!(consent.contains("Dan Whitfield may only read"), "{consent}");
    assert!(consent.contains("example.eu.pagerduty.com"));
    let again = format!("/oauth/authorize/account?interaction={id}");
    assert!(consent.contains(&again));
    assert!(page(&simulator, &again).await.contains("Choose an account"));
    let form = [("interaction", id.as_str()), ("decision", "deny")];
    let answer = press(&simulator, "/oauth/authorize/consent", &form).await;
    let callback = answer.header("location");
    assert_eq!(parameter(callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(callback, "state").as_deref(), Some("a state & more"));
    assert_eq!(simulator.identity().grants().len(), 0);
}

#[tokio::test]
async fn a_page_that_was_open_for_too_long_expires() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let (chooser, _) = open(&simulator, &question(&app, "read")).await;
    let id = interaction(&chooser);
    simulator.advance_clock(Duration::from_secs(600));
    let ada = simulator.us().users()[0].id.clone();
    let form = [("interaction", id.as_str()), ("user", ada.as_str())];
    for (path, form) in [
        ("/oauth/authorize/account", &form[..]),
        ("/oauth/authorize/consent", &[("interaction", "unknown"), ("decision", "allow")]),
        ("/oauth/authorize/consent", &[]),
    ] {
        let answer = press(&simulator, path, form).await;
        assert_eq!(answer.status, 400);
        assert!(String::from_utf8_lossy(&answer.body).contains("This page is over"));
    }
}

#[tokio::test]
async fn no_page_echoes_a_script() {
    const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>";
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = App::scoped(EVIL, Region::Us, &["services.read"]).redirect_uri(REDIRECT);
    let app = identity.register(app.published());
    let mallory = simulator.us().add_user(EVIL, EVIL, EVIL);
    let mut pages = Vec::new();
    let (chooser, answer) =
        open(&simulator, &with(question(&app, "services.read <b>"), "state", EVIL)).await;
    let id = interaction(&chooser);
    pages.push((chooser, answer));
    let form = [("interaction", id.as_str()), ("user", mallory.as_str())];
    let chosen = press(&simulator, "/oauth/authorize/account", &form).await;
    let consent = fetch(&simulator, chosen.header("location")).send().await;
    assert!(String::from_utf8_lossy(&consent.body).contains("&lt;b&gt;"));
    pages.push((String::from_utf8(consent.body.to_vec()).unwrap(), consent));
    for asked in [
        with(question(&app, "services.read"), "client_id", EVIL),
        with(question(&app, "services.read"), "redirect_uri", EVIL),
    ] {
        pages.push(open(&simulator, &asked).await);
    }
    for target in [
        "/oauth/authorize/consent?interaction=%22%3E%3Cscript%3E",
        "/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        let answer = fetch(&simulator, target).send().await;
        pages.push((String::from_utf8(answer.body.to_vec()).unwrap(), answer));
    }
    for (page, answer) in &pages {
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
        assert!(!policy.contains("script"), "{policy}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(page.contains("This is not PagerDuty"), "{page}");
        assert!(page.contains("name=\"viewport\"") && page.contains("<html lang=\"en\">"));
    }
    // The style is allowed by its digest, so the digest must match the style.
    let (page, answer) = &pages[0];
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(answer.header("content-security-policy").contains(&format!("'sha256-{digest}'")));
    // Browsers follow the redirect of a form only to destinations in the policy.
    assert!(
        pages[1]
            .1
            .header("content-security-policy")
            .contains("form-action 'self' http://127.0.0.1:43117;")
    );
}

#[tokio::test]
async fn unknown_paths_and_unknown_methods_are_distinguished() {
    let simulator = simulator().await;
    for (method, path, status, allow) in [
        ("GET", "/", 404, ""),
        ("GET", "/oauth", 404, ""),
        ("POST", "/oauth/authorize", 405, "GET"),
        ("PUT", "/oauth/authorize/consent", 405, "GET, POST"),
        ("POST", "/global/oauth/anonymous/jwks", 405, "GET"),
        ("DELETE", "/oauth/token", 405, "POST"),
    ] {
        let ask = ask(&simulator, method, path).origin(Origin::Identity);
        let answer = ask.header("authorization", "").send().await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
    }
}
