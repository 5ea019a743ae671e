//! `harness fake`.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Running, World};

/// A running fake, and what it has said: how to reach it first.
struct Fake {
    running: Running,
    lines: BufReader<std::process::ChildStdout>,
    reach: Value,
}

impl Fake {
    fn start(world: &World, args: &[&str]) -> Self {
        let mut running =
            world.harness(&[&["fake"], args, &["--format", "jsonl"]].concat()).start();
        let mut lines = BufReader::new(running.child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let reach = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { running, lines, reach }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The options that the fake prints.
    fn options(&self) -> Vec<String> {
        let mut options =
            vec!["--ca-file".to_owned(), self.reach["ca_file"].as_str().unwrap().into()];
        for mapping in self.reach["connect_to"].as_array().unwrap() {
            options.extend(["--connect-to".to_owned(), mapping.as_str().unwrap().to_owned()]);
        }
        options
    }

    #[cfg(unix)]
    fn end(mut self) {
        let id = self.running.child.id().to_string();
        let status = std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
        let until = Instant::now() + Duration::from_secs(20);
        while self.running.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the fake does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let file = self.reach["ca_file"].as_str().unwrap();
        assert!(!std::path::Path::new(file).exists(), "{file} is left");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ended = self.running.child.kill().is_ok();
    }
}

#[cfg(unix)]
#[test]
fn a_run_reaches_a_fake_with_the_options_that_it_prints() {
    let world = World::connected();
    let file = world.file(
        "pagerduty.toml",
        r#"
origins = ["https://api.pagerduty.com"]

[[route]]
request = "GET /services"

[route.paging]
style = "offset"
member = "services"
size = 25
count = 230
item = { id = "PS{{index}}", type = "service", summary = "S", name = "Service {{index}}" }

[[route]]
request = "GET /abilities"
times = 1
fault = { kind = "rate-limit", retry_after = 1 }

[[route]]
request = "GET /abilities"
headers = { authorization = "Token token=*" }
answer = { json = { abilities = ["sso"] } }
"#,
    );
    let mut fake = Fake::start(&world, &[&file]);
    let options = fake.options();
    let run = |args: &[&str]| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let plugin = world.plugin();
        let args = [&["run", plugin], args, &["--credential", "work", "--format", "json"]].concat();
        world.harness(&[args, options].concat())
    };
    let listed = run(&["service.list", "--parameters", "{\"all\":true}"]).expect(0).json();
    assert_eq!(listed[0]["output"].as_array().unwrap().len(), 230);
    let asked = fake.next();
    assert_eq!((&asked["status"], &asked["line"]), (&Value::from(200), &Value::from(5)));
    while fake.next()["url"].as_str().is_some_and(|url| !url.contains("offset=200")) {}
    let began = Instant::now();
    run(&["ability.list"]).expect(0);
    assert!(began.elapsed() >= Duration::from_millis(900));
    assert_eq!([fake.next()["status"].clone(), fake.next()["status"].clone()], [429, 200]);
    let unknown = run(&["user.get", "--parameters", "{\"user_id\":\"PU1\"}"]).expect(1).json();
    assert_eq!(unknown[0]["error"]["kind"], "not-found");
    assert_eq!(fake.next()["line"], Value::Null);
    fake.end();
}

#[test]
fn a_mistake_in_the_file_names_its_line_and_the_next_step() {
    let world = World::new();
    let file =
        world.file("fake.toml", "origins = [\"https://a.example\"]\n[[route]]\nrequest = 1\n");
    let refused = world.harness(&["fake", &file]).expect(2);
    refused.says("fake.toml, line 3: ").says("next: harness fake --schema");
    let missing = world.harness(&["fake", "missing.toml"]).expect(2);
    missing.says("missing.toml: Cannot read the file");
    let example = world.harness(&["fake", "--example"]).expect(0).stdout;
    let file = world.file("example.toml", &example);
    let outside = world.harness(&["fake", &file, "--listen", "0.0.0.0:0"]).expect(2);
    outside.says("not an address of loopback");
    let schema = world.harness(&["fake", "--schema"]).expect(0).json();
    assert!(schema["properties"]["route"].is_object());
}
