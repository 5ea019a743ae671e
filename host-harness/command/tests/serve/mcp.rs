//! Actions as tools over MCP: over HTTP with tokens, and over standard input and output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use pagerduty_simulator::{Fault, Hold};
use serde_json::{Value, json};

use crate::support::{Answer, Client, World, plugin, read, until};

/// The newest version with a handshake, which most clients speak.
const VERSION: &str = "2025-11-25";
/// The version in which each request stands alone.
const STATELESS: &str = "2026-07-28";

const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("mcp-protocol-version", VERSION),
];

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn call(tool: &str, arguments: Value) -> Value {
    request("tools/call", json!({"name": tool, "arguments": arguments}))
}

/// The response in a stream of events.
fn event(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    messages
        .rfind(|message| message.get("id").is_some())
        .unwrap_or_else(|| panic!("no response: {answer:?}"))
}

fn send(client: &Client, message: &Value) -> Value {
    event(&client.send("POST", "/mcp", &HEADERS, message.to_string().as_bytes()))
}

/// The result of a tool.
#[track_caller]
fn tool(client: &Client, name: &str, arguments: Value) -> Value {
    let response = send(client, &call(name, arguments));
    response.get("result").unwrap_or_else(|| panic!("{response}")).clone()
}

/// The structured content of a call that must succeed.
#[track_caller]
fn good(result: &Value) -> &Value {
    assert_ne!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().expect("text for clients that need it");
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), result["structuredContent"]);
    &result["structuredContent"]
}

/// The error that a model reads.
#[track_caller]
fn error(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    serde_json::from_str::<Value>(text).unwrap()["error"].clone()
}

fn tools(client: &Client) -> Vec<Value> {
    let listed = send(client, &request("tools/list", json!({})));
    listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// Arguments that create one incident.
fn incident(world: &World, title: &str) -> Value {
    json!({
        "plugin": "pagerduty", "action": "incident.create",
        "parameters": {"title": title, "service_id": world.service()},
    })
}

fn writing(world: &World) -> String {
    world.token("writer", &["--role", "run", "--effect", "read", "--effect", "create"])
}

#[test]
fn a_model_searches_describes_and_runs() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&writing(&world));
    let parameters = json!({
        "protocolVersion": VERSION, "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });
    let initialized = send(&client, &request("initialize", parameters));
    assert_eq!(initialized["result"]["protocolVersion"], VERSION, "{initialized}");
    assert_eq!(initialized["result"]["serverInfo"]["name"], "workflow-node-server");
    assert!(initialized["result"]["capabilities"]["tools"].is_object());

    assert_eq!(names(&tools(&client)), ["search_actions", "describe_action", "run_action"]);
    let found = tool(&client, "search_actions", json!({"query": "create an incident"}));
    let first = &good(&found)["actions"][0];
    assert_eq!(
        (&first["plugin"], &first["action"]),
        (&json!("pagerduty"), &json!("incident.create"))
    );
    // Words that no action has do not hide the actions that have the others.
    let most = tool(&client, "search_actions", json!({"query": "create incident zzz"}));
    let most = &good(&most)["actions"];
    assert_eq!(most[0]["action"], "incident.create", "{most}");
    let nothing = tool(&client, "search_actions", json!({"query": "zzz"}));
    assert_eq!(good(&nothing)["actions"], json!([]));
    let described = tool(
        &client,
        "describe_action",
        json!({"plugin": "pagerduty", "action": "incident.create"}),
    );
    let described = good(&described);
    assert!(described["form"]["properties"]["title"].is_object(), "{described}");
    assert_eq!(described["accounts"]["rest"][0]["name"], "work");

    // The only account that fits need not be named.
    let before = world.simulator.us().incident_count();
    let ran = tool(&client, "run_action", incident(&world, "Checkout is down"));
    assert_eq!(good(&ran)["items"][0]["output"][0]["title"], "Checkout is down");
    assert_eq!(world.simulator.us().incident_count(), before + 1);

    // Every result fits the schema that was promised.
    for (name, result) in [("search_actions", &found), ("run_action", &ran)] {
        let tools = tools(&client);
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        let schema = jsonschema::validator_for(&tool["outputSchema"]).unwrap();
        assert!(schema.is_valid(&result["structuredContent"]), "{name}: {result}");
    }
}

#[test]
fn pages_of_a_search_hold_every_action_once() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.token("reader", &["--role", "run"]));
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut arguments = json!({"query": "incident", "limit": 7});
        if !cursor.is_null() {
            arguments["cursor"] = cursor.clone();
        }
        let page = tool(&client, "search_actions", arguments);
        let page = good(&page);
        for action in page["actions"].as_array().unwrap() {
            assert_eq!(action["effect"], "read", "only what the token may run: {action}");
            seen.push(action["action"].as_str().unwrap().to_owned());
        }
        match page.get("next_cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    let all: std::collections::BTreeSet<_> = seen.iter().collect();
    assert!(seen.len() > 14 && all.len() == seen.len(), "{seen:?}");
}

#[test]
fn a_token_only_reads_unless_its_policy_lists_effects() {
    let world = World::new();
    let server = world.serve(&[]);
    let reader = server.client(&world.token("reader", &["--role", "run", "--role", "connect"]));
    let run = |tools: &[Value]| {
        let run = tools.iter().find(|tool| tool["name"] == "run_action").cloned();
        run.unwrap()["annotations"].clone()
    };
    let annotations = run(&tools(&reader));
    assert_eq!(
        (&annotations["readOnlyHint"], &annotations["destructiveHint"]),
        (&json!(true), &json!(false))
    );
    let before = world.simulator.us().incident_count();
    let refused = tool(&reader, "run_action", incident(&world, "No"));
    assert_eq!(error(&refused)["name"], "not-permitted");
    let hidden = json!({"plugin": "pagerduty", "action": "incident.create"});
    assert_eq!(error(&tool(&reader, "describe_action", hidden))["name"], "not-permitted");
    let services = json!({"plugin": "pagerduty", "action": "service.list"});
    assert!(good(&tool(&reader, "run_action", services))["items"][0]["output"].is_array());
    assert_eq!(world.simulator.us().incident_count(), before);

    let writer = server.client(&writing(&world));
    let annotations = run(&tools(&writer));
    assert_eq!(
        (&annotations["readOnlyHint"], &annotations["destructiveHint"]),
        (&json!(false), &json!(false))
    );
    let all = world.token("all", &["--role", "run", "--effect", "update", "--effect", "delete"]);
    assert_eq!(run(&tools(&server.client(&all)))["destructiveHint"], true);

    let none = server.client(&world.token("none", &[]));
    assert_eq!(names(&tools(&none)), ["search_actions", "describe_action"]);
    let services = json!({"plugin": "pagerduty", "action": "service.list"});
    assert_eq!(error(&tool(&none, "run_action", services))["name"], "not-permitted");
}

#[test]
fn pinned_actions_are_tools_with_their_form_and_annotations() {
    let world = World::new();
    let server = world.serve(&[]);
    let pins = ["incident.create", "incident.list", "incident.update", "no.such"];
    let pins = pins.map(|action| format!("pagerduty/{action}"));
    let mut options = vec!["--role", "run", "--effect", "read", "--effect", "create"];
    pins.iter().for_each(|pin| options.extend(["--pin", pin]));
    let client = server.client(&world.token("pinned", &options));
    let all = tools(&client);
    let pinned: Vec<&Value> =
        all.iter().filter(|tool| tool["name"].as_str().unwrap().starts_with("pagerduty")).collect();
    let listed: Vec<&Value> = pinned.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(listed, ["pagerduty_incident_create", "pagerduty_incident_list"]);
    let hints = |tool: &Value| {
        ["readOnlyHint", "destructiveHint"].map(|name| tool["annotations"][name].as_bool().unwrap())
    };
    assert_eq!((hints(pinned[0]), hints(pinned[1])), ([false, false], [true, false]));
    for tool in &pinned {
        jsonschema::validator_for(&tool["inputSchema"]).expect("the schema is one");
    }
    let arguments = json!({"parameters": incident(&world, "Pinned")["parameters"]});
    let schema = jsonschema::validator_for(&pinned[0]["inputSchema"]).unwrap();
    assert!(schema.is_valid(&arguments));
    let ran = tool(&client, "pagerduty_incident_create", arguments);
    assert_eq!(good(&ran)["items"][0]["output"][0]["title"], "Pinned");

    let unknown = send(&client, &call("pagerduty_incident_update", json!({"parameters": {}})));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

#[test]
fn the_endpoint_is_behind_the_tokens_and_the_guard_of_the_server() {
    let world = World::new();
    let server = world.serve(&[]);
    let token = world.token("reader", &["--role", "run"]);
    let client = server.client(&token);
    let list = request("tools/list", json!({})).to_string();
    let refused = server.anybody().send("POST", "/mcp", &HEADERS, list.as_bytes());
    assert_eq!(refused.error(401), "unauthenticated");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    for (name, value, reason) in [
        ("host", "evil.example", "host-refused"),
        ("origin", "https://evil.example", "origin-refused"),
    ] {
        let headers = [&HEADERS[..], &[(name, value)]].concat();
        assert_eq!(client.send("POST", "/mcp", &headers, list.as_bytes()).error(403), reason);
    }
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let answer = server.anybody().get(path);
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
    world.harness(&["token", "revoke", "reader"]);
    assert_eq!(
        client.send("POST", "/mcp", &HEADERS, list.as_bytes()).error(401),
        "unauthenticated"
    );
    // A body that is too large or that is not JSON does no harm.
    let other = server.client(&world.token("other", &["--role", "run"]));
    assert!(other.send("POST", "/mcp", &HEADERS, b"{").status >= 400);
    assert_eq!(tools(&other).len(), 3);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_wrong_call_returns_an_error_to_the_model_and_sends_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&writing(&world));
    let before = world.simulator.us().incident_count();
    let mut wrong = incident(&world, "x");
    wrong["parameters"]["titel"] = json!("typo");
    let error_of = |arguments: Value| error(&tool(&client, "run_action", arguments));
    let refused = error_of(wrong);
    assert_eq!(refused["name"], "invalid-input");
    assert!(refused["problems"][0]["pointer"].is_string(), "{refused}");
    let mut both = incident(&world, "x");
    both["items"] = json!([]);
    assert_eq!(error_of(both)["name"], "invalid-request");
    let mut unknown = incident(&world, "x");
    unknown["paramters"] = json!({});
    assert_eq!(error_of(unknown)["name"], "invalid-request");
    let mut credential = incident(&world, "x");
    credential["credentials"] = json!({"rest": "nobody"});
    assert_eq!(error_of(credential)["name"], "credential-not-found");
    assert_eq!(error_of(json!({"plugin": "none", "action": "x"}))["name"], "not-found");
    assert_eq!(world.simulator.us().incident_count(), before);

    // An item that the service refuses is an error with its result.
    let mut refused = incident(&world, "x");
    refused["parameters"]["service_id"] = json!("PNOSUCH");
    let result = tool(&client, "run_action", refused);
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["items"][0]["status"], "error", "{result}");
}

#[test]
fn a_call_with_the_same_execution_id_runs_once() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&writing(&world));
    let before = world.simulator.us().incident_count();
    let mut once = incident(&world, "Once");
    once["execution_id"] = json!("mcp-1");
    let first = tool(&client, "run_action", once.clone());
    assert_eq!(good(&first)["execution_id"], "mcp-1");
    assert_eq!(tool(&client, "run_action", once.clone()), first);
    once["parameters"]["title"] = json!("Another");
    assert_eq!(error(&tool(&client, "run_action", once))["name"], "execution-conflict");
    // Without an ID, two identical calls that were answered are two calls.
    for _ in 0..2 {
        good(&tool(&client, "run_action", incident(&world, "Twice")));
    }
    assert_eq!(world.simulator.us().incident_count(), before + 3);
}

#[test]
fn a_call_that_is_repeated_after_its_stream_broke_joins_the_first() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&writing(&world));
    let before = world.simulator.us().incident_count();
    let hold = Hold::new();
    let fault = Fault::hold_before_apply(&hold).method("POST").path("/incidents").always();
    world.simulator.fault(fault);
    let message = call("run_action", incident(&world, "Broken")).to_string();
    let stream = client.begin("POST", "/mcp", &HEADERS, message.as_bytes());
    until("a request at the service", || hold.arrived() == 1);
    drop(stream);
    // The execution goes on, although nobody waits for it.
    until("the server notices", || server.log().contains("mcp tool call"));
    let other = server.client(&world.token("other", &["--role", "run", "--effect", "create"]));
    let mut streams = vec![client.begin("POST", "/mcp", &HEADERS, message.as_bytes())];
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(hold.arrived(), 1, "the repeated call has sent nothing");
    // The same call by another token is another call.
    streams.push(other.begin("POST", "/mcp", &HEADERS, message.as_bytes()));
    until("its request at the service", || hold.arrived() == 2);
    world.simulator.clear_faults();
    hold.release();
    for stream in &mut streams {
        let result = event(&read(stream))["result"].clone();
        assert_eq!(good(&result)["status"], "finished");
    }
    assert_eq!(world.simulator.us().incident_count(), before + 2);
    good(&tool(&client, "run_action", incident(&world, "Broken")));
    assert_eq!(world.simulator.us().incident_count(), before + 3, "it was joined once");
}

#[test]
fn large_results_are_cut_and_read_on() {
    let world = World::new();
    let config =
        world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\nmcp_result = 2000\n");
    let server = world.serve(&["--config", &config]);
    let client = server.client(&world.token("reader", &["--role", "run"]));
    let mut seen = Vec::new();
    loop {
        let arguments = json!({
            "plugin": "pagerduty", "action": "user.list", "execution_id": "list-1",
            "first_record": seen.len(),
        });
        let result = tool(&client, "run_action", arguments);
        let item = &good(&result)["items"][0];
        let records = item["output"].as_array().unwrap();
        assert!(!records.is_empty(), "{result}");
        seen.extend(records.iter().map(|record| record["id"].as_str().unwrap().to_owned()));
        if item.get("records_omitted").is_none() {
            break;
        }
    }
    let users: Vec<String> =
        world.simulator.us().users().iter().map(|user| user.id.clone()).collect();
    assert!(users.len() > 2);
    seen.sort();
    let mut users = users;
    users.sort();
    assert_eq!(seen, users);
}

#[test]
fn a_user_connects_an_account_by_a_link() {
    let world = World::new();
    let server = world.serve(&[]);
    let who = ["--as", "grace"];
    let options = ["--role", "run", "--role", "connect", "--effect", "create"];
    let client = server.client(&world.token("grace", &[&who[..], &options].concat()));
    // A client that cannot open links gets the link in the result.
    let asked = error(&tool(&client, "run_action", incident(&world, "Connected")));
    assert_eq!(asked["name"], "credential-missing");
    let next = asked["next"].as_str().unwrap();
    assert!(next.contains("/connect/"), "{next}");

    // A client that can open links is asked to open it.
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
    });
    let headers = [
        HEADERS[0],
        HEADERS[1],
        ("mcp-protocol-version", STATELESS),
        ("mcp-method", "tools/call"),
        ("mcp-name", "run_action"),
    ];
    let mut message = call("run_action", incident(&world, "Connected"));
    message["params"]["_meta"] = meta;
    let answer = client.send("POST", "/mcp", &headers, message.to_string().as_bytes());
    let response = event(&answer);
    let result = &response["result"];
    assert_eq!(result["resultType"], "input_required", "{response}");
    let params = &result["inputRequests"]["connect"]["params"];
    assert_eq!(params["mode"], "url", "{result}");
    assert!(params["url"].as_str().unwrap().contains("/connect/"), "{result}");

    // If the user declines, the call ends at once.
    message["params"]["inputResponses"] = json!({"connect": {"action": "decline"}});
    let since = std::time::Instant::now();
    let answer = client.send("POST", "/mcp", &headers, message.to_string().as_bytes());
    let declined = error(&event(&answer)["result"]);
    assert_eq!(declined["name"], "credential-missing");
    assert!(declined["next"].as_str().unwrap().starts_with("Ask the user"), "{declined}");
    assert!(since.elapsed() < std::time::Duration::from_secs(20), "{:?}", since.elapsed());

    // If the user agrees, the call goes on as soon as the account is connected.
    message["params"]["inputResponses"] = json!({"connect": {"action": "accept"}});
    let stream = client.begin("POST", "/mcp", &headers, message.to_string().as_bytes());
    world.connect(&who, "graces");
    let mut stream = stream;
    let result = event(&read(&mut stream))["result"].clone();
    assert_eq!(good(&result)["items"][0]["output"][0]["title"], "Connected");

    // A token that may not connect accounts gets the command.
    let other = world.token("ada", &["--as", "ada", "--role", "run", "--effect", "create"]);
    let asked = error(&tool(&server.client(&other), "run_action", incident(&world, "No")));
    assert!(asked["next"].as_str().unwrap().contains("harness credential connect"), "{asked}");
}

/// A client on standard input and output.
struct Local {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next: u64,
}

impl Local {
    fn start(world: &World, options: &[&str]) -> Self {
        let mut command = world.command(&[&["mcp", "--plugin", plugin()], options].concat());
        command.arg("--ca-file").arg(world.simulator.ca_file());
        for mapping in world.simulator.connect_to() {
            command.arg("--connect-to").arg(mapping);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut local = Self { child, stdin, stdout: BufReader::new(stdout), next: 0 };
        let initialized = local.request(
            "initialize",
            json!({
                "protocolVersion": VERSION, "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }),
        );
        assert_eq!(initialized["result"]["protocolVersion"], VERSION, "{initialized}");
        local.notify("notifications/initialized", json!({}));
        local
    }

    fn write(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request without waiting, and gives its ID.
    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut log = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
                panic!("the server has ended: {log}");
            }
            let message: Value = serde_json::from_str(&line).expect("only messages are printed");
            if message["id"] == id {
                return message;
            }
        }
    }

    fn tool(&mut self, name: &str, arguments: Value) -> Value {
        let response = self.request("tools/call", json!({"name": name, "arguments": arguments}));
        response.get("result").unwrap_or_else(|| panic!("{response}")).clone()
    }

    fn end(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

#[test]
fn a_local_client_runs_actions_and_only_reads_by_default() {
    let world = World::new();
    let mut local = Local::start(&world, &[]);
    let services = json!({"plugin": "pagerduty", "action": "service.list"});
    let listed = local.tool("run_action", services);
    assert!(good(&listed)["items"][0]["output"].as_array().unwrap().len() > 1, "{listed}");
    let refused = local.tool("run_action", incident(&world, "No"));
    assert_eq!(error(&refused)["name"], "not-permitted");
    // One process at a time, so that an execution ID runs once.
    let second = world.command(&["mcp", "--plugin", plugin()]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("harness serve"), "{told}");
    assert_eq!(local.end(), Some(0));

    let before = world.simulator.us().incident_count();
    let mut local =
        Local::start(&world, &["--effect", "create", "--pin", "pagerduty/incident.create"]);
    let listed = local.request("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(names(tools).contains(&"pagerduty_incident_create"), "{listed}");
    let mut arguments = incident(&world, "Local");
    arguments["execution_id"] = json!("local-1");
    good(&local.tool("run_action", arguments.clone()));
    assert_eq!(local.end(), Some(0));
    // Results are there after a restart.
    let mut local = Local::start(&world, &["--effect", "create"]);
    good(&local.tool("run_action", arguments));
    assert_eq!(world.simulator.us().incident_count(), before + 1);
    assert_eq!(local.end(), Some(0));
}

#[test]
fn a_local_client_cancels_a_call() {
    let world = World::new();
    let mut local = Local::start(&world, &["--effect", "create", "--effect", "read"]);
    let hold = Hold::new();
    let fault = Fault::hold_before_apply(&hold).method("POST").path("/incidents").always();
    world.simulator.fault(fault);
    let mut arguments = incident(&world, "Cancelled");
    arguments["execution_id"] = json!("cancelled-1");
    let arguments = json!({"name": "run_action", "arguments": arguments});
    let id = local.begin("tools/call", arguments);
    until("a request at the service", || hold.arrived() == 1);
    local.notify("notifications/cancelled", json!({"requestId": id}));
    // The server still answers, and ends.
    let services = json!({"plugin": "pagerduty", "action": "service.list"});
    good(&local.tool("run_action", services));
    world.simulator.clear_faults();
    hold.release();
    assert_eq!(local.end(), Some(0));
}
