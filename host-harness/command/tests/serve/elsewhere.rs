//! Secrets that are kept elsewhere: read by reference, again when the service refuses them, and never
//! stored, logged, or returned.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, is_on_the_disk, plugin, until};

const SERVICES: &str = "/v1/plugins/pagerduty/actions/service.list/execute";

fn call(name: &str) -> Value {
    json!({"credentials": {"rest": name}, "items": [{}], "options": {"continue_on_fail": true}})
}

/// Connects a credential whose API token is read by reference.
fn connect(world: &World, name: &str, reference: &str) {
    let reference = format!("api_token={reference}");
    world.harness(&[
        "credential",
        "add",
        name,
        "--plugin",
        plugin(),
        "--type",
        "api-token",
        "--field",
        "from_email=ada@example.com",
        "--secret-reference",
        &reference,
    ]);
}

#[test]
fn a_credential_reads_its_secret_where_an_operator_has_said() {
    let world = World::new();
    let key = world.simulator.us().keys().account;
    let file = world.file("elsewhere", &format!("{key}\n"));
    connect(&world, "by-file", &format!("file:{file}"));
    connect(&world, "by-program", &format!("exec:{}", json!(["cat", file])));
    assert!(!is_on_the_disk_of_elsewhere(&world, &key), "the secret is not in the store");

    // The command uses it, too.
    let sent = |args: &[&str]| {
        let mut command = world.command(args);
        command.arg("--ca-file").arg(world.simulator.ca_file());
        for mapping in world.simulator.connect_to() {
            command.arg("--connect-to").arg(mapping);
        }
        command.output().unwrap()
    };
    for name in ["by-file", "by-program"] {
        let output = sent(&["run", plugin(), "service.list", "--credential", name, "-vvv"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains(&key));
        assert!(!String::from_utf8_lossy(&output.stderr).contains(&key));
    }
    let shown = world.harness(&["credential", "show", "by-program"]);
    assert!(shown.contains("read from exec:") && !shown.contains(&key), "{shown}");
    let shown = world.harness(&["credential", "list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&shown).unwrap();
    let by_file = listed.as_array().unwrap().iter().find(|one| one["name"] == "by-file").unwrap();
    assert_eq!(by_file["references"]["api_token"]["file"], json!(file));

    // One that cannot be read is an error with a next step.
    std::fs::remove_file(&file).unwrap();
    let output = sent(&["run", plugin(), "service.list", "--credential", "by-file"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("Create the file") && error.contains("api_token"), "{error}");
}

/// Whether the data directory holds a text. The files of the test itself are elsewhere.
fn is_on_the_disk_of_elsewhere(world: &World, text: &str) -> bool {
    is_on_the_disk(world, text)
}

#[test]
fn a_secret_that_the_service_refuses_is_read_again() {
    let world = World::new();
    let key = world.simulator.us().keys().account;
    let file = world.file("elsewhere", "not-the-right-key");
    connect(&world, "rotated", &format!("file:{file}"));
    let server = world.serve(&["-v"]);
    let client = server.client(&world.full_token());
    let failed = client.post(SERVICES, &call("rotated")).expect(200);
    assert_eq!(failed["items"][0]["error"]["kind"], "unauthenticated", "{failed}");
    std::fs::write(&file, &key).unwrap();
    // A secret that was just read is not read again for each refusal.
    until("the secret is read again", || {
        std::thread::sleep(Duration::from_millis(500));
        client.post(SERVICES, &call("rotated")).expect(200)["failed"] == 0
    });
    assert!(!server.log().contains(&key), "the secret is in the log");
    assert!(!server.log().contains("not-the-right-key"));
    let credentials = client.get("/v1/credentials");
    assert!(!credentials.body.contains(&file), "engines do not learn where a secret is kept");
    assert!(!is_on_the_disk(&world, &key));

    std::fs::remove_file(&file).unwrap();
    drop(server);
    let server = world.serve(&[]);
    let client = server.client(&world.token("again", &["--role", "run"]));
    let refused = client.post(SERVICES, &call("rotated"));
    assert_eq!(refused.error(503), "credential-unavailable");
    assert!(refused.body.contains("Create the file"), "{refused:?}");
}

#[test]
fn no_token_sets_a_reference() {
    let world = World::new();
    let server = world.serve(&[]);
    let roles = ["--role", "run", "--role", "connect", "--raw-secrets"];
    let client = server.client(&world.token("raw", &roles));
    let named = |name: &str, secrets: Value| {
        json!({"name": name, "plugin": "pagerduty", "type": "api-token", "secrets": secrets,
               "fields": {"from_email": "ada@example.com"}})
    };
    // A value in the form of a reference is stored as the secret itself.
    let key_file = format!("file:{}", world.path("key").display());
    client.post("/v1/credentials", &named("sly", json!({"api_token": key_file}))).expect(201);
    world.simulator.clear_requests();
    client.post(SERVICES, &call("sly")).expect(200);
    let requests = format!("{:?}", world.simulator.requests());
    assert!(requests.contains(&key_file) && !requests.contains(&"5a".repeat(32)));
    for secrets in [
        json!({"\u{0}reference:api_token": key_file}),
        json!({"api_token": {"file": "/etc/passwd"}}),
        json!({"reference:api_token": "env:HOME", "api_token": "long-enough"}),
    ] {
        let refused = client.post("/v1/credentials", &named("slyer", secrets.clone()));
        assert!(matches!(refused.status, 400 | 404 | 422), "{secrets}: {refused:?}");
    }
}

#[test]
fn a_configuration_declares_credentials_and_the_key_of_the_store_by_reference() {
    let world = World::new();
    let file = world.file("elsewhere", &world.simulator.us().keys().account);
    let key = world.path("key");
    let digest = world.digest();
    let config = world.file(
        "serve.toml",
        &format!(
            "listen = ['127.0.0.1:0']\nkey = {{ exec = ['cat', '{}'] }}\n\
             [[plugins]]\nfile = '{}'\ndigest = '{digest}'\n\
             [[credentials]]\nname = 'declared'\ntenant = 'acme'\nowner = 'n8n'\n\
             plugin = 'pagerduty'\ntype = 'api-token'\nfields.from_email = 'ada@example.com'\n\
             secrets.api_token = {{ file = 'elsewhere' }}\n",
            key.display(),
            plugin(),
        ),
    );
    let mut command = world.serving(&["serve", "--config", &config]);
    command.env_remove("WORKFLOW_NODE_KEY_FILE");
    let server = world.start(command);
    let token = world.token("n8n", &["--tenant", "acme", "--as", "n8n", "--role", "run"]);
    let result = server.client(&token).post(SERVICES, &call("declared")).expect(200);
    assert_eq!(result["failed"], 0, "{result}");
    drop(server);

    // Another server finds it as it is; a changed declaration changes it.
    std::fs::remove_file(&file).unwrap();
    let moved = world.file("moved", &world.simulator.us().keys().account);
    drop(world.serve_exactly(&["serve", "--config", &config]));
    let text = std::fs::read_to_string(&config).unwrap().replace("'elsewhere'", "'moved'");
    let config = world.file("serve.toml", &text);
    let server = world.serve_exactly(&["serve", "--config", &config]);
    let result = server.client(&token).post(SERVICES, &call("declared")).expect(200);
    assert_eq!(result["failed"], 0, "{moved}: {result}");
}

#[test]
fn the_key_of_the_store_is_read_by_reference() {
    let world = World::new();
    let key = std::fs::read_to_string(world.path("key")).unwrap();
    let by = |reference: &str, variable: Option<&str>| {
        let mut command = world.command(&[
            "credential",
            "list",
            "--format",
            "json",
            "--key-reference",
            reference,
        ]);
        command.env_remove("WORKFLOW_NODE_KEY_FILE");
        if let Some(value) = variable {
            command.env("KEY_OF_THE_STORE", value);
        }
        command.output().unwrap()
    };
    let program = format!("exec:{}", json!(["cat", world.path("key")]));
    for (reference, variable) in
        [(program.as_str(), None), ("env:KEY_OF_THE_STORE", Some(key.trim()))]
    {
        let output = by(reference, variable);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"work\""));
    }
    for (reference, words) in [
        ("env:KEY_OF_THE_STORE", "Set it in the environment"),
        ("exec:[\"false\"]", "ended with"),
        ("sesame-open", "Not a reference"),
        ("exec:[\"echo\",\"sesame-open\"]", "--key-reference"),
    ] {
        let output = by(reference, None);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(words), "{reference}: {error}");
        assert!(!error.contains("sesame-open"), "{error}");
    }
}
