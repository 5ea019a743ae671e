//! `harness test`: recording, replay, snapshots, faults, and reports.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Harness, World};

const CREDENTIAL: &str = "\n[credentials.rest]\ntype = \"api-token\"\n\
                          fields = { region = \"us\", from_email = \"ada@example.com\" }\n";

struct Cases {
    world: World,
    directory: PathBuf,
}

impl Cases {
    fn new() -> Self {
        let world = World::connected();
        let directory = world.path("cases");
        std::fs::create_dir(&directory).unwrap();
        Self { world, directory }
    }

    fn case(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn test(&self, args: &[&str]) -> Harness {
        self.world.harness(&[&["test", self.world.plugin(), "cases"], args].concat())
    }

    fn record(&self) -> Harness {
        let plugin = self.world.plugin();
        let args = ["test", plugin, "cases", "--record", "--credential", "work"];
        self.world.sends(&args)
    }

    /// A note, which must not be sent twice.
    fn note(&self) -> PathBuf {
        let incident = self.world.simulator.us().incidents()[0].id.clone();
        self.case(
            "note",
            &format!(
                "action = \"incident_note.create\"\nparameters = {{ incident_id = \"{incident}\", \
                 content = \"checked\" }}\n{CREDENTIAL}\n[expect]\noutput = [{{ content = \"checked\" \
                 }}]\nrequests = [\"POST /incidents/{incident}/notes\"]\n"
            ),
        )
    }
}

fn read(path: &Path, suffix: &str) -> String {
    std::fs::read_to_string(path.with_extension(suffix)).unwrap()
}

#[test]
fn a_recording_holds_no_secret_and_replays_without_a_network() {
    let cases = Cases::new();
    let note = cases.note();
    let secret = cases.case(
        "webhook",
        &format!(
            "action = \"webhook_subscription.create\"\nparameters = {{ url = \
             \"https://hooks.example.com/a\", events = [\"incident.triggered\"], filter_type = \
             \"account_reference\" }}\n{CREDENTIAL}"
        ),
    );
    cases.record().expect(0).shows("recorded note").shows("recorded webhook");
    let key = cases.world.simulator.us().keys().account;
    let issued = cases.world.simulator.us().kept("webhook_subscriptions");
    let issued = issued.iter().find_map(|one| one["delivery_method"]["secret"].as_str());
    for path in [&note, &secret] {
        let text = read(path, "recording.json");
        assert!(!text.contains(&key), "{text}");
        assert!(issued.is_none_or(|issued| !text.contains(issued)), "{text}");
    }
    let recorded = read(&secret, "recording.json");
    assert!(recorded.contains("redacted-secret-1"), "{recorded}");
    let snapshot = read(&secret, "expected.json");
    assert!(snapshot.contains("secret:…"), "{snapshot}");

    let sent = cases.world.simulator.requests().len();
    for _ in 0..2 {
        let run = cases.test(&[]).expect(0);
        run.shows("ok       note").shows("2 cases, 0 failed").shows("2 of 4");
    }
    assert_eq!(cases.world.simulator.requests().len(), sent);
}

#[test]
fn a_run_that_is_not_as_expected_is_not_recorded() {
    let cases = Cases::new();
    let path = cases.case(
        "services",
        &format!("action = \"service.list\"\n{CREDENTIAL}\n[expect]\nerror = {{ kind = \"forbidden\" }}\n"),
    );
    let refused = cases.record().expect(1);
    refused.shows("Item 0 succeeded; expected was forbidden").shows("next: Nothing was recorded");
    assert!(!path.with_extension("recording.json").exists());
    cases.test(&[]).expect(1).shows("has no recording yet").shows("next: record it with --record");
}

#[test]
fn a_changed_result_fails_until_it_is_accepted() {
    let cases = Cases::new();
    let text = |limit: u32| {
        format!(
            "action = \"service.list\"\nparameters = {{ limit = {limit}, simplify = true }}\n{CREDENTIAL}"
        )
    };
    let path = cases.case("services", &text(3));
    cases.record().expect(0);
    let snapshot = path.with_extension("expected.json");
    let was = std::fs::read_to_string(&snapshot).unwrap();
    std::fs::write(&snapshot, was.replace("Checkout", "Billing portal")).unwrap();
    let failed = cases.test(&[]).expect(1);
    failed.shows("The result differs at /items/0/output/main/1/name").shows("--update");
    failed.shows("again: harness test").shows("--case services");
    cases.test(&["--update"]).expect(0).shows("updated  services");
    assert_eq!(std::fs::read_to_string(&snapshot).unwrap(), was);
    // A request that was not recorded names the nearest one.
    cases.case("services", &text(2));
    let failed = cases.test(&[]).expect(1);
    failed.shows("is not in the recording: recorded was GET").shows("record the case again");
}

#[test]
fn faults_are_judged_and_a_failure_names_the_command_that_repeats_it() {
    let cases = Cases::new();
    cases.note();
    cases.record().expect(0);
    let all = cases.test(&["--fault", "all", "--format", "json"]).expect(0).json();
    let kind = |fault: &str| {
        let of_fault = |case: &&Value| case["fault"][0] == fault;
        let case = all["cases"].as_array().unwrap().iter().find(of_fault).unwrap();
        (case["result"]["items"][0]["error"]["kind"].clone(), case["requests"].clone())
    };
    for fault in ["reset-before", "reset-after", "truncated"] {
        assert_eq!(kind(fault), ("outcome-unknown".into(), 1.into()), "{fault}");
    }
    assert_eq!(kind("rate-limit"), (Value::Null, 2.into()));
    let waited =
        all["cases"].as_array().unwrap().iter().find(|one| one["fault"][0] == "rate-limit");
    assert!(waited.unwrap()["virtual_ms"].as_u64().unwrap() >= 7_000, "{waited:?}");
    // An answer that nobody can expect of a node: the harness says how to repeat it.
    std::fs::write(
        cases.world.path("plan.toml"),
        "[[fault]]\nfault = { kind = \"status\", status = 404 }\nchance = 0.999\n",
    )
    .unwrap();
    let mut case = std::fs::read_to_string(cases.directory.join("note.toml")).unwrap();
    case = case.replace("incident_note.create", "incident_note.list");
    case.truncate(case.find("[expect]").unwrap());
    cases.case("list", &case.replace(", content = \"checked\"", ""));
    cases.record().expect(0);
    let ran = cases.test(&["--fault", "plan.toml", "--seed", "5", "--case", "list"]);
    ran.expect(0).shows("list [plan.toml at request 0]");
    let wrong = cases.test(&["--fault", "flood"]).expect(2);
    assert!(wrong.stderr.contains("`flood` is not a fault"), "{wrong}");
}

#[test]
fn reports_are_written_for_programs_and_people() {
    let cases = Cases::new();
    cases.note();
    cases.record().expect(0);
    cases.case("broken", &format!("action = \"service.list\"\n{CREDENTIAL}"));
    let reports = ["--report", "a.json", "--report", "a.xml", "--report", "a.html"];
    cases.test(&reports).expect(1);
    let text = |name: &str| std::fs::read_to_string(cases.world.path(name)).unwrap();
    let json: Value = serde_json::from_str(&text("a.json")).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let used = json["coverage"]["credential_types"].as_object().unwrap();
    assert_eq!(used["api-token"], true);
    let xml = text("a.xml");
    assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
    let html = text("a.html");
    assert!(html.contains("has no recording yet") && html.contains("incident_note.create"));
    for outside in ["<script src", "<link", "url(http", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let junit = cases.test(&["--format", "junit"]).expect(1);
    assert!(junit.stdout.starts_with("<?xml"), "{junit}");
}

#[test]
fn a_mistake_in_a_case_names_its_line_and_the_next_step() {
    let cases = Cases::new();
    for (text, line, words) in [
        ("action = 1\n", 1, "next: harness test --schema"),
        ("action = \"a\"\n\n[expect]\nerror = { kind = \"gone\" }\n", 4, "next: use one of"),
        ("action = \"a\"\nparameters = '''[1]'''\n", 2, "next: e.g. parameters"),
        ("action = \"a\"\nparameter = {}\n", 2, "parameter"),
        ("action = \"a\"\n[expect]\nrequests = [\"GET items\"]\n", 3, "next: write it like"),
    ] {
        cases.case("wrong", text);
        let refused = cases.test(&[]).expect(2);
        refused.says(&format!("wrong.toml, line {line}: ")).says(words);
    }
    cases.case("wrong", "action = \"no.such\"\n");
    cases.test(&[]).expect(1).shows("next: record it with --record");
}

#[test]
fn the_schema_of_cases_accepts_the_example_and_the_recorded_cases() {
    let world = World::new();
    let example = world.harness(&["test", "--example"]).expect(0).stdout;
    assert!(example.contains("[expect]"));
    let schema = world.harness(&["test", "--schema"]).expect(0).json();
    assert!(schema["properties"]["action"].is_object());
    let plan = world.harness(&["test", "--fault-schema"]).expect(0).json();
    assert!(plan["properties"]["fault"].is_object());
}

#[test]
fn the_cases_of_the_pagerduty_node_pass_offline_and_with_every_fault() {
    let world = World::new();
    let cases = component_build::workspace_root().join("plugin/pagerduty/cases");
    let cases = cases.to_str().unwrap();
    world.harness(&["test", world.plugin(), cases]).expect(0);
    world.harness(&["test", world.plugin(), cases, "--fault", "all"]).expect(0);
}

#[test]
fn a_run_can_be_spoiled() {
    let world = World::connected();
    let args = ["ability.list", "--credential", "work", "--format", "json", "--fault"];
    let began = std::time::Instant::now();
    let limited = "[[fault]]\nfault = { kind = \"rate-limit\", retry_after = 1 }\n";
    let plan = world.file("plan.toml", limited);
    world.run(&[&args[..], &[&plan]].concat()).expect(0);
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(world.simulator.requests().len(), 1);
    let wrong = world.run(&[&args[..], &["flood"]].concat()).expect(2);
    assert!(wrong.failure()["next"].as_str().unwrap().contains("reset-after"), "{wrong}");
}
