use crate::support::{World, assert_valid};

fn titles(world: &World) -> Vec<String> {
    world.simulator.us().incidents().into_iter().map(|incident| incident.title).collect()
}

/// The parameters that all items of these tests share.
fn shared(world: &World) -> String {
    serde_json::json!({ "service_id": world.service().id, "title": "shared" }).to_string()
}

fn create<'a>(shared: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["incident.create", "--credential", "work", "--parameters", shared];
    args.extend(more);
    args
}

#[test]
fn without_items_there_is_one() {
    let world = World::connected();
    let before = titles(&world).len();
    world.run(&create(&shared(&world), &[])).expect(0);
    assert_eq!(titles(&world)[before..], ["shared"]);
}

#[test]
fn items_from_standard_input_are_laid_over_the_parameters() {
    let world = World::connected();
    let before = titles(&world).len();
    let shared = shared(&world);
    let run =
        world.run(&create(&shared, &["--items", "-", "--concurrency", "1", "--format", "json"]));
    let output = run.stdin(r#" [{"title":"one"},{},{"title":"three"}]"#).expect(0);
    assert_eq!(titles(&world)[before..], ["one", "shared", "three"]);
    assert_eq!(output.json().as_array().unwrap().len(), 3);
}

#[test]
fn items_can_be_json_lines_in_a_file() {
    let world = World::connected();
    let before = titles(&world).len();
    let items =
        format!("@{}", world.file("items.jsonl", "{\"title\":\"a\"}\n\n{\"title\":\"b\"}\n"));
    let shared = shared(&world);
    world.run(&create(&shared, &["--items", &items, "--concurrency", "1"])).expect(0);
    assert_eq!(titles(&world)[before..], ["a", "b"]);
}

#[test]
fn an_empty_list_of_items_succeeds() {
    let world = World::connected();
    for (text, format, expected) in
        [("[]", "json", "[]\n"), ("", "json", "[]\n"), ("\n", "jsonl", "")]
    {
        let args = ["service.list", "--credential", "work", "--items", "-", "--format", format];
        assert_eq!(world.run(&args).stdin(text).expect(0).stdout, expected);
    }
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn parameters_can_be_in_a_file() {
    let world = World::connected();
    let file = format!("@{}", world.file("parameters.json", "{\"query\":\"no such service\"}"));
    let args = ["service.list", "--credential", "work", "--parameters", &file, "--format", "json"];
    assert_eq!(world.run(&args).expect(0).json()[0]["output"], serde_json::json!([]));
}

#[test]
fn one_wrong_item_stops_all_before_the_first_request() {
    let world = World::connected();
    let before = titles(&world).len();
    let shared = shared(&world);
    let items = r#"[{"title":"good"},{"title":7},{"urgency":"deafening"}]"#;
    let output = world.run(&create(&shared, &["--items", "-"])).stdin(items).expect(2);
    output
        .says("2 items do not match")
        .says("item 1, title: ")
        .says("item 2, urgency: ")
        .says("next: harness inspect");
    let run = world.run(&create(&shared, &["--items", "-", "--format", "json"]));
    let failure = run.stdin(items).expect(2).failure();
    assert_eq!(failure["name"], "invalid-input");
    assert_eq!(failure["problems"][0]["pointer"], "/1/title");
    assert!(world.simulator.requests().is_empty());
    assert_eq!(titles(&world).len(), before);
}

#[test]
fn with_continue_on_fail_a_wrong_item_fails_alone() {
    let world = World::connected();
    let before = titles(&world).len();
    let shared = shared(&world);
    let items = r#"[{"title":"good"},{"title":7},{"title":"also good"}]"#;
    let more = ["--items", "-", "--continue-on-fail", "--concurrency", "1", "--format", "json"];
    let output = world.run(&create(&shared, &more)).stdin(items).expect(1);
    assert_eq!(titles(&world)[before..], ["good", "also good"]);
    let results = output.json();
    assert_valid(None, &results);
    assert_eq!(results[1]["error"]["kind"], "invalid-input");
    assert_eq!(results[2]["output"][0]["title"], "also good");
    assert_eq!(output.failure()["problems"][0]["pointer"], "/1");
}

#[test]
fn a_line_or_an_element_that_cannot_be_read_is_named() {
    let world = World::connected();
    let run = |items: &str| {
        world.run(&["service.list", "--credential", "work", "--items", "-"]).stdin(items).expect(2)
    };
    run("{}\n{\"a\":\n").says("line 2").says("standard input");
    run("{}\n[1]\n").says("line 2: expected an object, not an array");
    run("[{},3]").says("element 1: expected an object, not a number");
    run("[{}").says("invalid JSON");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn bad_input_is_named_before_anything_is_asked_of_anyone() {
    let world = World::connected();
    let cases: &[(&[&str], &str)] = &[
        (&["service.lst"], "action `service.lst` not found"),
        (&["service.list", "--parameters", "{"], "invalid JSON"),
        (&["service.list", "--parameters", "[]"], "expected an object, not an array"),
        (&["service.list", "--parameters", "@nowhere"], "Cannot read nowhere"),
        (&["service.list", "--items", "@nowhere"], "Cannot read nowhere"),
        (&["service.list", "--items", "[]"], "--items expects a file or standard input"),
        (&["service.list", "--parameters", "{\"colour\":1}"], "colour"),
        (&["service.list", "--timeout", "30"], "30s"),
        (&["service.list", "--concurrency", "0"], "--concurrency"),
        (&["service.list", "--execution-id", ""], "--execution-id"),
        (&["service.list", "--format", "xml"], "possible values"),
        (&["service.list", "--connect-to", "https://a.test"], "ORIGIN=ORIGIN"),
        (&["service.list", "--connect-to", "https://a.test=http://b.test"], "both must be http"),
        (&["service.list", "--allow", "*foo.com"], "only a leading"),
        (&["service.list", "--rate-limit", "fast"], "REQUESTS/SECONDS"),
        (&["service.list", "--proxy", "ftp://a.test"], "http://host:port"),
        (&["service.list", "--credential", "attic=work"], "has no slot `attic`"),
        (
            &["service.list", "--credential", "work", "--credential", "rest=work"],
            "has two credentials",
        ),
    ];
    for (args, text) in cases {
        let mut all = vec!["run", world.plugin()];
        all.extend(*args);
        world.harness(&all).expect(2).says(text);
    }
    let missing = ["run", world.plugin(), "service.list", "--ca-file", "nowhere.pem"];
    world.harness(&missing).expect(2).says("nowhere.pem");
    let none = world.file("none.pem", "no certificate");
    let empty = ["run", world.plugin(), "service.list", "--ca-file", &none];
    world.harness(&empty).expect(2).says("CA");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn a_missing_or_unusable_credential_is_reported_before_the_run() {
    let world = World::connected();
    world.run(&["service.list"]).expect(3).says("requires a credential in the slot `rest`");
    world.run(&["service.list", "--credential", "play"]).expect(3).says("Available: work");
    world
        .run(&["event.trigger", "--credential", "work", "--parameters", EVENT])
        .expect(3)
        .says("type");
    let output = world.run(&["service.list", "--format", "json"]).expect(3);
    assert_eq!(output.failure()["name"], "credential");
    assert!(world.simulator.requests().is_empty());
}

const EVENT: &str = r#"{"summary":"Disk full","source":"db-1","severity":"error"}"#;

#[test]
fn a_credential_is_assigned_to_its_slot_automatically_or_explicitly() {
    let world = World::connected();
    world.run(&["service.list", "--credential", "work"]).expect(0);
    world.run(&["service.list", "--credential", "rest=work"]).expect(0);
}

#[test]
fn without_a_store_the_next_step_is_named() {
    let world = World::approved();
    let output = world.run(&["service.list", "--credential", "work"]).expect(3);
    output.says("does not exist yet").says("next: harness credential connect");
}
