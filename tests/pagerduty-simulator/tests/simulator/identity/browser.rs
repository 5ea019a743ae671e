//! The pages in a real browser with scripts disabled.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use pagerduty_simulator::{App, Region};

use super::*;
use crate::webdriver::Browser;

const CHOOSER: &str = "Choose an account – PagerDuty simulator";

/// Responds to one request as the listener of an app, and returns its target.
fn listener() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let redirect_uri = format!("http://{}/callback", listener.local_addr().unwrap());
    let answering = thread::spawn(move || {
        let page = "<!DOCTYPE html><title>Connected</title><h1>Connected</h1>";
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]);
            // Browsers open connections that they may never use.
            let Some(target) = request.split(' ').nth(1) else { continue };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{page}",
                page.len()
            )
            .unwrap();
            if target.starts_with("/callback") {
                return target.to_owned();
            }
        }
    });
    (redirect_uri, answering)
}

#[test]
fn a_user_connects_an_app_in_a_real_browser() {
    let simulator = Simulator::builder().start_blocking().unwrap();
    let Some(browser) = Browser::open(&simulator) else { return };
    let app = App::scoped(
        "Night shift reports",
        Region::Us,
        &["incidents.read", "services.read", "users.read", "incidents.write"],
    );
    let app = app.redirect_uri("http://127.0.0.1/callback").published();
    let app = simulator.identity().register(app);
    let scope = "incidents.read incidents.write services.read users.read tags.write";
    let (redirect_uri, answering) = listener();
    let asked = with(question(&app, scope), "redirect_uri", &redirect_uri);

    browser.screen(1100, 900, "light");
    browser.go(&authorize_url(&asked));
    browser.shows(CHOOSER);
    browser.picture("chooser");
    // The policy allows the style: the card is white on a gray background.
    assert_eq!(browser.style("main", "background-color"), "rgba(255, 255, 255, 1)");
    browser.screen(390, 844, "dark");
    browser.picture("chooser-phone-dark");
    browser.screen(1100, 900, "light");

    let chloe = simulator.eu().users()[2].clone();
    browser.click(&format!("button[value='{}']", chloe.id));
    browser.shows("Connect Night shift reports? – PagerDuty simulator");
    assert!(browser.url().contains("/oauth/authorize/consent?interaction="));
    assert!(browser.text(".who").contains("Chloé Lindqvist"));
    assert!(browser.text(".rights").contains("Create and change incidents"));
    browser.picture("consent");
    browser.screen(390, 844, "dark");
    browser.picture("consent-phone-dark");
    browser.screen(390, 844, "light");
    browser.picture("consent-phone");
    // Chooses another account, then consents.
    browser.click("main a");
    browser.shows(CHOOSER);
    let ben = simulator.us().users()[1].clone();
    browser.click(&format!("button[value='{}']", ben.id));
    browser.shows("Connect Night shift reports? – PagerDuty simulator");
    browser.click("button.allow");

    browser.shows("Connected");
    let target = answering.join().unwrap();
    let callback = format!("http://127.0.0.1{target}");
    assert!(browser.url().ends_with(&target));
    assert_eq!(parameter(&callback, "state").as_deref(), Some("a state & more"));
    let code = parameter(&callback, "code").unwrap();
    let form = with(exchange(&app, &code), "redirect_uri", &redirect_uri);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let given = tokens(&runtime.block_on(token(&simulator, &form)));
    assert_eq!(claims(&given["id_token"])["user_id"], ben.id.as_str());
    assert_eq!(given["scope"], "openid incidents.read incidents.write services.read users.read");
    let paths: Vec<_> = simulator.requests().into_iter().map(|one| one.path).collect();
    assert!(paths.iter().all(|path| path.starts_with("/oauth/") || path == "/favicon.ico"));
}

#[test]
fn a_real_browser_shows_link_errors_and_returns_a_refusal() {
    let simulator = Simulator::builder().start_blocking().unwrap();
    let Some(browser) = Browser::open(&simulator) else { return };
    let app = simulator.identity().classic_app();
    browser.screen(1100, 900, "light");
    let wrong = with(question(&app, "read"), "redirect_uri", "https://evil.example/callback");
    browser.go(&authorize_url(&wrong));
    browser.shows("This link does not work – PagerDuty simulator");
    assert!(browser.text("main").contains("The app has not registered this redirect_uri"));
    browser.picture("error");

    let (redirect_uri, answering) = listener();
    browser.go(&authorize_url(&with(question(&app, "write"), "redirect_uri", &redirect_uri)));
    browser.shows(CHOOSER);
    let dan = simulator.us().users()[3].clone();
    browser.click(&format!("button[value='{}']", dan.id));
    browser.shows("Connect Classic app? – PagerDuty simulator");
    assert!(browser.text("main").contains("Dan Whitfield may only read"));
    browser.picture("consent-classic");
    let consent = browser.url();
    browser.click("button.other");
    browser.shows("Connected");
    let target = answering.join().unwrap();
    assert!(target.contains("error=access_denied"), "{target}");
    browser.go(&consent);
    browser.shows("This page is over – PagerDuty simulator");
    browser.picture("over");
}
