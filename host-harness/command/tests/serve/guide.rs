//! The commands of docs/serve.md, as an operator types them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{World, plugin, until};

/// The shell commands of a section of the page.
fn commands(section: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/serve.md");
    let from = page.find(&format!("## {section}\n")).expect("the page has the section");
    let text = &page[from + 3..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let blocks = text.split("```sh\n").skip(1);
    let block = |block: &str| -> String {
        let lines = block.split("```").next().unwrap_or_default().lines();
        lines.map(|line| format!("{}\n", line.trim_start())).collect()
    };
    blocks.map(block).collect()
}

#[test]
fn the_guide_leads_from_nothing_to_a_running_server_with_a_connected_account() {
    let world = World::new();
    let start = tempfile::tempdir().unwrap();
    std::fs::copy(plugin(), start.path().join("pagerduty.wasm")).unwrap();
    std::fs::write(start.path().join("api-key"), world.simulator.us().keys().account).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The simulator in place of the service, and a port that is free.
    let mut flags = format!("--ca-file '{}'", world.simulator.ca_file().display());
    for mapping in world.simulator.connect_to() {
        flags.push_str(&format!(" --connect-to '{mapping}'"));
    }
    let binary = env!("CARGO_BIN_EXE_harness");
    let harness = format!(
        "harness() {{ case $1 in serve) exec '{binary}' \"$@\" {flags} --listen 127.0.0.1:{free};; \
         *) '{binary}' \"$@\";; esac; }}\n"
    );
    let shell = |script: &str| {
        let mut shell = Command::new("sh");
        shell.arg("-euc").arg(format!("{harness}{script}")).current_dir(start.path());
        for (name, value) in world.command(&[]).get_envs() {
            match (name.to_str(), value) {
                (Some("WORKFLOW_NODE_KEY_FILE"), _) | (_, None) => shell.env_remove(name),
                (Some("WORKFLOW_NODE_DATA"), _) => shell.env(name, start.path().join("data")),
                (_, Some(value)) => shell.env(name, value),
            };
        }
        shell.stdin(Stdio::null());
        shell
    };
    let steps = commands("Start a server");
    let (serve, others): (Vec<_>, Vec<_>) =
        steps.iter().partition(|step| step.starts_with("harness serve"));
    let ([serve], [calls @ .., curl]) = (&serve[..], &others[..]) else {
        panic!("the guide has other steps: {steps:?}")
    };
    let before: String = calls.iter().map(|step| step.as_str()).collect();
    let output = shell(&before).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The variable of the first step is still set in the terminal.
    let exported = before.lines().filter(|line| line.starts_with("export ")).collect::<Vec<_>>();
    let serve = format!("{}\n{serve}", exported.join("\n"));
    let mut server = shell(&serve).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the server", || std::net::TcpStream::connect(("127.0.0.1", free)).is_ok());
    let curl = curl.replace("127.0.0.1:7410", &format!("127.0.0.1:{free}"));
    let called = shell(&curl).output();
    server.kill().unwrap();
    server.wait().unwrap();
    let called = called.unwrap();
    assert!(called.status.success(), "{}", String::from_utf8_lossy(&called.stderr));
    let result: Value = serde_json::from_slice(&called.stdout).unwrap();
    assert_eq!(result["status"], "finished");
    let service = &world.simulator.us().services()[0].id;
    assert!(result["items"][0]["output"].to_string().contains(service), "{result}");
}

#[test]
fn the_configuration_of_a_proxy_in_the_guide_can_be_used() {
    let page = include_str!("../../../../docs/serve.md");
    let mut examples = page.split("```toml\n").map(|rest| rest.split("```").next().unwrap());
    let example = examples.find(|example| example.contains("[page.proxy]")).unwrap();
    let world = World::new();
    let config = world.file("serve.toml", &format!("listen = ['127.0.0.1:0']\n{example}"));
    let server = world.serve(&["--config", &config]);
    assert_eq!(server.anybody().get("/").status, 401);
    let unknown = example.replace("[policies.people]", "[policies.others]");
    let config = world.file("serve.toml", &unknown);
    let output = world.command(&["serve", "--config", &config]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_configuration_of_the_guide_can_be_used() {
    let page = include_str!("../../../../docs/serve.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let world = World::new();
    std::fs::remove_file(world.path("data/approvals.json")).unwrap();
    std::fs::copy(plugin(), world.path("pagerduty.wasm")).unwrap();
    let listed = world.harness(&["inspect", plugin(), "--format", "json"]);
    let digest = listed.split("sha256:").nth(1).map(|rest| &rest[..64]).unwrap();
    let example = example
        .replace("sha256:…", &format!("sha256:{digest}"))
        .replace("127.0.0.1:7410", "127.0.0.1:0");
    let config = world.file("serve.toml", &example);
    let server = world.serve_exactly(&["serve", "--config", &config]);
    world.connect(&["--tenant", "acme", "--as", "n8n"], "work");
    let token = world.token("n8n", &["--policy", "n8n", "--config", &config]);
    let client = server.client(&token);
    assert_eq!(client.get("/v1/plugins").expect(200)["plugins"][0]["approved"], true);
    let call = serde_json::json!({"credentials": {"rest": "work"}, "items": [{}]});
    let run = |action: &str| {
        client.post(&format!("/v1/plugins/pagerduty/actions/{action}/execute"), &call)
    };
    assert_eq!(run("service.list").expect(200)["status"], "finished");
    assert_eq!(run("team.list").error(403), "not-permitted");
}
