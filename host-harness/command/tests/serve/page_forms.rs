//! Forms, runs, subscriptions, and events on the page.

use std::time::Duration;

use serde_json::{Value, json};

use crate::page::{Visitor, audit, link};
use crate::support::{Answer, Served, World, until};
use crate::webdriver::Browser;

const CREATE: &str = "/page/plugins/pagerduty/actions/incident.create";
const RUN: [&str; 2] = ["--role", "run"];

/// Fields of a form that creates an incident.
fn incident<'a>(service: &'a str, title: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("slot:rest", "work"),
        ("run", "form-1"),
        ("p/title", title),
        ("p/service_id", service),
        ("p/urgency", "\"high\""),
    ]
}

fn with<'a>(fields: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [fields, more].concat()
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location").unwrap().to_owned()
}

/// Waits until the page of a run shows that it has ended.
fn ended(visitor: &mut Visitor, at: &str) -> String {
    let mut page = String::new();
    until("the end of the run", || {
        page = visitor.get(at).body;
        !page.contains("data-stream")
    });
    page
}

#[test]
fn a_form_is_filled_in_checked_and_run_and_shows_its_result() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let page = visitor.get(CREATE).body;
    for text in [
        "for=\"p/title\"",
        "One-line summary of the incident.",
        "required",
        "name=\"slot:rest\"",
        "value=\"load:/service_id\"",
        "Run: ",
        "Repeating the same run has no further effect.",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    world.simulator.clear_requests();
    let checked = visitor.change(CREATE, &[("do", "check"), ("slot:rest", "work")]);
    assert_eq!(checked.status, 422);
    for text in [
        "id=\"p/title-error\"",
        "id=\"p/service_id-error\"",
        "Fill in this field.",
        "role=\"alert\"",
    ] {
        assert!(checked.body.contains(text), "{text}: {}", checked.body);
    }
    let service = world.service();
    let fields = incident(&service, "Disk <full>");
    let long = "x".repeat(300);
    let wrong = with(&fields, &[("p/incident_key", &long), ("do", "check")]);
    let wrong = visitor.change(CREATE, &wrong);
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert!(wrong.body.contains("id=\"p/incident_key-error\""), "{}", wrong.body);
    assert!(
        wrong.body.contains("value=\"Disk &lt;full&gt;\""),
        "what was entered stays: {}",
        wrong.body
    );
    let good = visitor.change(CREATE, &with(&fields, &[("do", "check")]));
    assert_eq!(good.status, 200, "{good:?}");
    assert!(good.body.contains("The form is complete. Nothing was sent."));
    // Without a button, as with the enter key, nothing is run.
    assert_eq!(visitor.change(CREATE, &fields).status, 200);
    assert_eq!(world.simulator.requests().len(), 0);

    let run = with(&fields, &[("do", "run")]);
    let at = location(&visitor.change(CREATE, &run));
    let page = ended(&mut visitor, &at);
    for text in [
        "Finished",
        "Disk &lt;full&gt;",
        "Requests made",
        "POST",
        "https://api.pagerduty.com/incidents",
        "201",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("Disk <full>"));
    // A second click on the same form sends nothing twice.
    assert_eq!(location(&visitor.change(CREATE, &run)), at);
    ended(&mut visitor, &at);
    let created =
        world.simulator.us().incidents().iter().filter(|one| one.title.contains("Disk")).count();
    assert_eq!(created, 1);
    let other = incident(&service, "Another");
    assert_ne!(location(&visitor.change(CREATE, &with(&other, &[("do", "run")]))), at);
    let list = visitor.get("/page/executions").body;
    assert!(list.contains(&at) && list.contains("the page"), "{list}");
    assert!(list.contains(">Create an incident</a>"), "the title of the action: {list}");
    let key = world.simulator.us().keys().account.clone();
    assert!(!page.contains(&key), "no credential is shown");
}

#[test]
fn several_items_are_pasted_and_run_over_the_fields_of_the_form() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    assert!(visitor.get(CREATE).body.contains("name=\"items\""));
    let service = world.service();
    // The form lacks the title, which each item has.
    let shared = [("p/service_id", service.as_str()), ("slot:rest", "work"), ("p/title", "")];
    let wrong = "{\"title\": \"Pasted 1\"}\n{\"urgency\": \"urgent\"}";
    world.simulator.clear_requests();
    let refused = visitor.change(CREATE, &with(&shared, &[("items", wrong), ("do", "check")]));
    assert_eq!(refused.status, 422);
    for text in ["Item 2", "urgency", "Pasted 1"] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    assert!(!refused.body.contains("Item 1:") && !refused.body.contains("Item 1,"));
    let refused = visitor.change(CREATE, &with(&shared, &[("items", wrong), ("do", "run")]));
    assert!(refused.status == 422 && refused.body.contains("Item 2"), "{refused:?}");
    let broken = visitor.change(CREATE, &with(&shared, &[("items", "[{]"), ("do", "run")]));
    assert!(broken.status == 422 && broken.body.contains("JSON list"), "{broken:?}");
    let many = "{}\n".repeat(1_001);
    let many = visitor.change(CREATE, &with(&shared, &[("items", many.as_str()), ("do", "run")]));
    assert!(many.status == 422 && many.body.contains("page_items"), "{many:?}");
    assert_eq!(world.simulator.requests().len(), 0);

    let items = json!([
        {"title": "Pasted 1"},
        {"title": "Pasted 2", "service_id": "PNOSUCH"},
        {"title": "Pasted 3"},
    ]);
    let items = items.to_string();
    let run = with(&shared, &[("items", items.as_str()), ("goes_on", "true"), ("do", "run")]);
    let at = location(&visitor.change(CREATE, &run));
    let page = ended(&mut visitor, &at);
    for text in ["Pasted 1", "Pasted 3", "Item 2 failed", "3 of 3"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(location(&visitor.change(CREATE, &run)), at, "a second click runs nothing");
    let created = world.simulator.us().incidents();
    let created = created.iter().filter(|one| one.title.starts_with("Pasted")).count();
    assert_eq!(created, 2);
}

#[test]
fn choices_rows_and_variants_change_the_form_and_keep_what_was_entered() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let service = world.simulator.us().services()[0].clone();
    let fields = [("slot:rest", "work"), ("run", "x"), ("p/title", "Kept")];
    let listed = visitor.change(CREATE, &with(&fields, &[("do", "load:/service_id")]));
    assert_eq!(listed.status, 200, "{listed:?}");
    let option = format!("[&quot;{}&quot;,&quot;{}&quot;]", service.id, service.name);
    assert!(
        listed.body.contains(&option) && listed.body.contains("name=\"o/service_id\""),
        "{}",
        listed.body
    );
    assert!(listed.body.contains("value=\"Kept\""));
    // A choice is preserved when another field loads its choices.
    let picked = json!([service.id, service.name]).to_string();
    let next = visitor
        .change(CREATE, &with(&fields, &[("o/service_id", &picked), ("do", "load:/assignee_ids")]));
    assert!(
        next.body.contains(&option) && next.body.contains("name=\"o/assignee_ids\""),
        "{}",
        next.body
    );
    let user = world.simulator.us().users()[0].clone();
    assert!(next.body.contains(&user.name), "{}", next.body);
    let assignee = json!([user.id, user.name]).to_string();
    let chosen = [("o/service_id", picked.as_str()), ("o/assignee_ids", &assignee), ("do", "run")];
    let at = location(&visitor.change(CREATE, &with(&fields, &chosen)));
    let page = ended(&mut visitor, &at);
    assert!(page.contains("Finished") && page.contains(&user.name), "{page}");
    let none = visitor
        .change(CREATE, &with(&fields, &[("slot:rest", "nosuch"), ("do", "load:/service_id")]));
    assert!(
        none.body.contains("name=\"o/service_id\"") || none.body.contains("cannot be loaded"),
        "{}",
        none.body
    );

    // Rows of a list of objects.
    let bulk = "/page/plugins/pagerduty/actions/incident.update_many";
    let page = visitor.get(bulk);
    assert_eq!(page.status, 200, "{page:?}");
    let added = visitor.change(
        bulk,
        &[("do", "add:/incidents"), ("n/incidents", "1"), ("p/incidents/0/title", "first")],
    );
    assert!(
        added.body.contains("id=\"p/incidents/1\"") && added.body.contains("value=\"first\""),
        "{}",
        added.body
    );
    let removed = visitor.change(
        bulk,
        &[("do", "remove:/incidents/0"), ("n/incidents", "2"), ("p/incidents/1/title", "second")],
    );
    assert!(
        !removed.body.contains("id=\"p/incidents/1\"") && removed.body.contains("value=\"second\""),
        "{}",
        removed.body
    );
}

#[test]
fn a_run_that_fails_says_why_and_one_that_runs_can_be_cancelled() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let mut fields = incident("PNOSUCH", "No service");
    fields.push(("do", "run"));
    let at = location(&visitor.change(CREATE, &fields));
    let page = ended(&mut visitor, &at);
    assert!(page.contains("Item 1 failed") && page.contains("Failed"), "{page}");
    world.simulator.set_latency(Duration::from_secs(20));
    let service = world.service();
    let mut fields = incident(&service, "Slow");
    fields.push(("do", "run"));
    let at = location(&visitor.change(CREATE, &fields));
    let page = visitor.get(&at).body;
    assert!(page.contains("data-stream") && page.contains("Cancel"), "{page}");
    assert_eq!(location(&visitor.change(&format!("{at}/cancel"), &[])), at);
    assert!(ended(&mut visitor, &at).contains("Cancelled"));
}

#[test]
fn results_come_as_a_stream_and_go_on_when_the_browser_is_gone() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let service = world.service();
    world.simulator.set_latency(Duration::from_millis(800));
    let mut fields = incident(&service, "Streamed");
    fields.push(("do", "run"));
    let at = location(&visitor.change(CREATE, &fields));
    let stream = visitor.get(&format!("{at}/stream"));
    assert_eq!(stream.header("content-type"), Some("application/x-ndjson"));
    let lines = stream.lines();
    let text = stream.body.clone();
    assert!(lines.len() > 4 && lines.last().unwrap()["end"] == true, "{text}");
    assert!(
        lines[0]["html"].is_string() && text.contains("Streamed") && text.contains("Finished"),
        "{text}"
    );
    assert!(text.contains("api.pagerduty.com/incidents"), "{text}");
    // Nobody watches this one.
    let mut fields = incident(&service, "Alone");
    fields.push(("do", "run"));
    let at = location(&visitor.change(CREATE, &fields));
    assert!(ended(&mut visitor, &at).contains("Finished"));
}

#[test]
fn a_run_of_another_tenant_or_user_looks_like_one_that_does_not_exist() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut ada = Visitor::entered(&world, &server, "ada", &RUN);
    let service = world.service();
    let mut fields = incident(&service, "Private");
    fields.push(("do", "run"));
    let at = location(&ada.change(CREATE, &fields));
    ended(&mut ada, &at);
    let id = at.rsplit('/').next().unwrap().to_owned();
    for (name, who) in [("ben", ["--as", "ben"]), ("eve", ["--tenant", "other"])] {
        let mut stranger = Visitor::entered(&world, &server, name, &[&RUN[..], &who].concat());
        assert!(!stranger.get("/page/executions").body.contains(&id));
        assert!(!stranger.get("/").body.contains(&id));
        for what in ["", "/stream"] {
            let mut get = |id: &str| {
                let answer = stranger.get(&format!("/page/executions/{id}{what}"));
                (answer.status, answer.body.replace(id, "ID"))
            };
            assert_eq!(get(&id), get("nosuch"), "{name}{what}");
            assert_eq!(get(&id).0, 404);
        }
        assert_eq!(stranger.change(&format!("{at}/cancel"), &[]).status, 404);
        // The credential is not this user's either.
        let page = stranger.get(CREATE).body;
        assert!(!page.contains(">work"), "{page}");
        let refused = stranger.change(CREATE, &fields);
        assert_eq!(refused.status, 422, "{refused:?}");
    }
    let mut reader = Visitor::entered(&world, &server, "reader", &["--role", "connect"]);
    assert_eq!(reader.change(CREATE, &fields).status, 403);
    let mut some =
        Visitor::entered(&world, &server, "some", &["--role", "run", "--effect", "read"]);
    assert_eq!(some.get(CREATE).status, 403);
    assert_eq!(some.change(CREATE, &fields).status, 403);
}

/// Waits until the page of the subscription `a` shows a text.
fn shows(visitor: &mut Visitor, text: &str) -> String {
    let mut page = String::new();
    until(text, || {
        page = visitor.get("/page/subscriptions/a").body;
        page.contains(text)
    });
    page
}

fn subscribe(
    world: &World,
    server: &Served,
    workflow: &str,
    options: &[&str],
    deliver_to: Option<String>,
) {
    let token = world.token("n8n", &[&RUN[..], options].concat());
    let order = json!({
        "plugin": "pagerduty", "trigger": "event", "credentials": {"rest": "work"},
        "parameters": {"events": ["incident.triggered"]}, "deliver_to": deliver_to,
        "workflow": workflow,
    });
    server.client(&token).put("/v1/subscriptions/a", &order).expect(200);
}

fn happen(world: &World, server: &Served, name: &str) {
    let token = world.token(name, &RUN);
    let call: Value = world.incidents(name, 1);
    server.client(&token).post(crate::support::EXECUTE, &call).expect(200);
}

#[test]
fn events_are_listed_and_those_that_were_set_aside_are_sent_again() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = listener.local_addr().unwrap();
    drop(listener);
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\n[limits]\nset_aside_ms = 500\ndelivery_pause_ms = 100\n",
    );
    let server = world.serve(&["--config", &config]);
    let origin = format!("http://{engine}");
    let to = Some(format!("{origin}/hook"));
    subscribe(&world, &server, "On-call <alerts>", &["--deliver-to", &origin], to);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let list = visitor.get("/page/subscriptions").body;
    assert!(list.contains("On-call &lt;alerts&gt;"), "{list}");
    assert!(list.contains("PagerDuty: ") && !list.contains(": event<"), "titles: {list}");
    happen(&world, &server, "first");
    let page = shows(&mut visitor, "Send 1 event again");
    for text in ["On-call &lt;alerts&gt;", "Event 1", "refused: ", "Incident 0", " · set aside"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let listener = std::net::TcpListener::bind(engine).unwrap();
    let accepting = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut part = [0; 65_536];
        let length = stream.read(&mut part).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&part[..length]).into_owned()
    });
    let again = visitor.change("/page/subscriptions/a/redeliver", &[("number", "1")]);
    assert_eq!(location(&again), "/page/subscriptions/a");
    assert!(accepting.join().unwrap().starts_with("POST /hook"));
    // The server notes what the workflow has accepted a moment after it has answered.
    let page = shows(&mut visitor, "accepted");
    assert!(page.contains("Event 1") && page.contains("No event was set aside"), "{page}");

    for (name, who) in [("ben", ["--as", "ben"]), ("eve", ["--tenant", "other"])] {
        let mut stranger = Visitor::entered(&world, &server, name, &[&RUN[..], &who].concat());
        assert!(!stranger.get("/page/subscriptions").body.contains("On-call"));
        assert_eq!(stranger.get("/page/subscriptions/a").status, 404);
        for what in ["redeliver", "remove"] {
            assert_eq!(stranger.change(&format!("/page/subscriptions/a/{what}"), &[]).status, 404);
        }
    }
    assert_eq!(visitor.change("/page/subscriptions/a/remove", &[]).status, 303);
    assert_eq!(visitor.get("/page/subscriptions/a").status, 404);
}

#[test]
fn a_person_fills_in_a_form_and_watches_the_run_in_a_browser() {
    let world = World::new();
    let Some(browser) = Browser::open_with_scripts(&world.simulator) else { return };
    let server = world.serve(&[]);
    subscribe(&world, &server, "On-call alerts", &[], None);
    let at = format!("http://{}", server.address());
    browser.screen(1100, 900, "light");
    browser.go(&link(&world, "ada", &["--role", "run", "--role", "connect", "--role", "approve"]));
    browser.click("main button");
    browser.shows("Overview · harness");
    browser.go(&format!("{at}{CREATE}"));
    browser.picture("page-form");
    assert_eq!(audit(&browser), json!([]), "the form");
    // Enter checks the form, and the first message has the focus.
    browser.keys("[id='p/title']", "Checkout is down\u{e007}");
    browser.waits_for("#problems", "Service");
    assert_eq!(browser.run("return document.activeElement.id"), "problems");
    assert_eq!(audit(&browser), json!([]), "the form with messages");
    browser.picture("page-form-problems");
    // The choices replace the field without a reload.
    browser.run("window.same = true");
    browser.click("button[value='load:/service_id']");
    browser.waits_for("select[id='p/service_id']", &world.simulator.us().services()[0].name);
    assert_eq!(browser.run("return window.same"), true, "the page was not loaded again");
    assert_eq!(browser.run("return document.activeElement.id"), "p/service_id");
    browser.type_on("\u{e015}");
    browser.picture("page-form-choices");
    assert_eq!(audit(&browser), json!([]), "the form with choices");
    world.simulator.set_latency(Duration::from_millis(1_500));
    browser.click("button[value='run']:not(.quiet)");
    browser.shows("Create an incident · harness");
    browser.waits_for("#status", "Running");
    browser.picture("page-run-waits");
    browser.waits_for("#status", "Finished");
    browser.waits_for("#records", "Checkout is down");
    browser.waits_for("#made", "https://api.pagerduty.com/incidents");
    assert_eq!(audit(&browser), json!([]), "the run");
    browser.run("document.querySelector('details.record').open = true");
    browser.picture("page-run");
    world.simulator.set_latency(Duration::ZERO);
    for (path, name) in [
        ("/", "overview"),
        (CREATE, "form"),
        ("/page/executions", "runs"),
        ("/page/subscriptions/a", "subscription"),
    ] {
        for (width, colors) in [(1100, "light"), (390, "light"), (390, "dark")] {
            browser.screen(width, 900, colors);
            browser.go(&format!("{at}{path}"));
            browser.picture(&format!("page-{name}-{width}-{colors}"));
            assert_eq!(audit(&browser), json!([]), "{path} {width} {colors}");
            let wide = browser.run("return document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= width.into(), "{path} is {wide} wide on {width}");
        }
    }
}

/// Fields that a browser would send for an unchanged form.
fn sent(page: &str) -> Vec<(String, String)> {
    let form =
        page.split("<form class=\"sheet\" id=\"form\"").nth(1).expect("the page has the form");
    let form = &form[..form.find("</form>").unwrap()];
    let text = |text: &str| {
        let all = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
        all.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let attribute = |tag: &str, name: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(text(&value[..value.find('"')?]))
    };
    let mut all = Vec::new();
    for part in form.split('<').skip(1) {
        let (tag, rest) = part.split_once('>').unwrap();
        let Some(name) = attribute(tag, "name") else {
            if tag.starts_with("option") && tag.ends_with(" selected") {
                let (_, value): &mut (String, String) = all.last_mut().unwrap();
                *value = attribute(tag, "value").unwrap();
            }
            continue;
        };
        let is_box = tag.contains("type=\"checkbox\"");
        match tag.split(' ').next().unwrap() {
            "input" if is_box && !tag.ends_with(" checked") => {}
            "input" => all.push((name, attribute(tag, "value").unwrap_or_else(|| "on".to_owned()))),
            "textarea" => all.push((name, text(rest.strip_prefix('\n').unwrap_or(rest)))),
            "select" => all.push((name, String::new())),
            _ => {}
        }
    }
    all
}

#[test]
fn the_examples_of_all_actions_fit_into_their_forms() {
    let world = World::new();
    world.connect(&[], "alerts");
    let server = world.serve(&[]);
    let client = server.client(&world.token("reader", &RUN));
    let mut visitor =
        Visitor::entered(&world, &server, "ada", &[&RUN[..], &["--raw-secrets"]].concat());
    let list = client.get("/v1/plugins/pagerduty/actions?limit=500").expect(200);
    let mut wrong = Vec::new();
    for action in list["actions"].as_array().unwrap() {
        let name = action["name"].as_str().unwrap();
        let at = format!("/page/plugins/pagerduty/actions/{name}");
        let page = visitor.get(&format!("{at}?example=0"));
        assert_eq!(page.status, 200, "{name}: {page:?}");
        if !page.body.contains("?example=0") {
            continue;
        }
        let mut fields: Vec<(&str, String)> = Vec::new();
        let sent = sent(&page.body);
        for (name, value) in &sent {
            let is_slot = name.starts_with("slot:");
            // Which credential it is does not matter for the form.
            let value = if is_slot { "work".to_owned() } else { value.clone() };
            fields.push((name, value));
        }
        fields.push(("do", "check".to_owned()));
        let checked = visitor.post(&at, &fields);
        if !checked.body.contains("The form is complete.") {
            let at = checked.body.find("id=\"problems\"").unwrap_or_default();
            let end = (at + 700).min(checked.body.len());
            wrong.push(format!("{name}: {} {}", checked.status, &checked.body[at..end]));
        }
    }
    assert!(wrong.is_empty(), "{} of the examples: {wrong:#?}", wrong.len());
}

#[test]
fn the_page_works_in_a_browser_that_runs_no_scripts() {
    let world = World::new();
    let Some(browser) = Browser::open(&world.simulator) else { return };
    let server = world.serve(&[]);
    let service = world.simulator.us().services()[0].clone();
    browser.screen(1100, 900, "light");
    browser.go(&link(&world, "ada", &RUN));
    browser.click("main button");
    browser.shows("Overview · harness");
    browser.go(&format!("http://{}{CREATE}?example=1", server.address()));
    browser.keys("[id='p/title']", " now");
    browser.click("button[value='type:/service_id'], button[value='load:/service_id']");
    // The example names a service that the account does not have, so the list is empty at first.
    browser.waits_for("main", "There are no choices");
    browser.click("button[value='type:/service_id']");
    browser.waits_for("main", "List choices");
    browser.keys("[id='p/service_id']", &service.name);
    browser.click("button[value='load:/service_id']");
    browser.waits_for("select[id='p/service_id']", &service.name);
    browser.keys("select[id='p/service_id']", &service.name);
    browser.click(".run button[value='run']");
    browser.waits_for("h2", "State");
    let at = browser.url();
    until("the end of the run", || {
        browser.go(&at);
        browser.text("#status").contains("Finished")
    });
    assert!(browser.text("#records").contains("Database is full now"), "{}", browser.text("main"));
}

#[test]
fn a_form_offers_stored_secrets_by_name_and_refuses_the_secret_itself() {
    let world = World::new();
    let file = world.file("hook", "sesame-open-hook\n");
    world.harness(&["secret", "set", "hook-key", "--from", &file]);
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &RUN);
    let at = "/page/plugins/pagerduty/actions/webhook_subscription.create";
    let fields = |secret: &'static str| {
        vec![
            ("slot:rest", "work"),
            ("run", "x"),
            ("p/url", "https://engine.example.com/hook"),
            ("p/events", "incident.triggered"),
            ("p/filter_type", "\"account_reference\""),
            ("n/custom_headers", "1"),
            ("p/custom_headers/0/name", "X-Key"),
            ("p/custom_headers/0/value", secret),
            ("do", "run"),
        ]
    };
    let refused = visitor.change(at, &fields("sesame-open-typed"));
    assert_eq!(refused.status, 422, "{refused:?}");
    for text in ["id=\"p/custom_headers/0/value-error\"", "<option value=\"secret:hook-key\">"] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    let run = location(&visitor.change(at, &fields("secret:hook-key")));
    let page = ended(&mut visitor, &run);
    assert!(page.contains("Finished") && !page.contains("sesame-open"), "{page}");
    let mut stranger =
        Visitor::entered(&world, &server, "ben", &[&RUN[..], &["--as", "ben"]].concat());
    let shape = stranger.change(at, &[("do", "add:/custom_headers"), ("run", "x")]);
    assert!(!shape.body.contains("hook-key"), "another user's: {}", shape.body);
}
