//! Connecting in a real browser: the command waits, Chromium goes through the service's pages and comes
//! back. Where no browser is installed the test says so and is not run.

use crate::browser::Waiting;
use crate::support::{World, make_private};
use crate::webdriver::Browser;

/// The command with `--format json`, waiting for a classic app's answer.
fn waiting(world: &World, more: &[&str]) -> Waiting {
    let app = world.simulator.identity().classic_app();
    let secret = world.file("client-secret", app.client_secret.as_deref().unwrap());
    make_private(&world.path("client-secret"));
    let (id, secret) = (format!("client_id={}", app.client_id), format!("@{secret}"));
    let args = [
        "credential",
        "connect",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2",
        "--field",
        &id,
        "--client-secret",
        &secret,
        "--no-browser",
        "--yes",
        "--format",
        "json",
    ];
    Waiting::start(world.sends(&[&args[..], more].concat()))
}

#[test]
fn a_person_connects_an_account_and_lands_on_a_page_that_can_be_closed() {
    let world = World::approved();
    let Some(browser) = Browser::open(&world.simulator) else { return };
    let waiting = waiting(&world, &["--access", "read-write"]);
    browser.screen(1100, 900, "light");
    browser.go(&waiting.url);
    browser.shows("Choose an account – PagerDuty simulator");
    let ada = world.simulator.us().users()[0].clone();
    browser.click(&format!("button[value='{}']", ada.id));
    browser.picture("consent");
    browser.click("button.allow");
    browser.shows("Connected");
    let page = browser.text("body");
    assert!(page.contains("“work” is connected. It acts for example."), "{page}");
    assert!(page.contains("See and change everything that the user may."), "{page}");
    assert!(page.contains("You can close this page"), "{page}");
    browser.picture("connected");
    browser.screen(390, 844, "dark");
    browser.picture("connected-phone-dark");
    assert_eq!(browser.style("body", "background-color"), "rgba(13, 17, 23, 1)");
    let report = waiting.expect(0).json();
    assert_eq!(report["credential"]["identity"]["user_id"], ada.id.as_str());
    world.run(&["service.list", "--credential", "work"]).expect(0);
}

#[test]
fn declining_is_reported_in_the_browser_and_the_terminal() {
    let world = World::approved();
    let Some(browser) = Browser::open(&world.simulator) else { return };
    let waiting = waiting(&world, &["--access", "read"]);
    browser.screen(1100, 900, "light");
    browser.go(&waiting.url);
    let ada = world.simulator.us().users()[0].clone();
    browser.click(&format!("button[value='{}']", ada.id));
    browser.click("button.other");
    browser.shows("Not connected");
    browser.picture("not-connected");
    let output = waiting.expect(1);
    assert!(output.stderr.contains("\"declined\""), "{output}");
    let listed = world.harness(&["credential", "list", "--format", "json"]).expect(0).json();
    assert_eq!(listed, serde_json::json!([]));
}
