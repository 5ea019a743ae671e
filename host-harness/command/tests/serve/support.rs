//! A server in a separate process over a simulator, and a client that says exactly what it sends.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pagerduty_simulator::Simulator;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Timeout of clients.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulator, a data directory with the approved plugin and credentials, and tokens.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    directory: TempDir,
}

impl World {
    /// The credential `work` belongs to the local user of the default tenant.
    pub(crate) fn new() -> Self {
        let simulator = Simulator::builder().without_rate_limits().start_blocking();
        let world = Self {
            simulator: simulator.expect("the simulator starts"),
            directory: tempfile::tempdir().expect("there is a place for temporary files"),
        };
        std::fs::write(world.path("key"), format!("{}\n", "5a".repeat(32))).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(world.path("key"), private).unwrap();
        }
        world.harness(&["approve", plugin(), "--yes"]);
        world.connect(&[], "work");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, and gives its path as text.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(args).current_dir(self.directory.path());
        for name in ["WORKFLOW_NODE_KEY", "WORKFLOW_NODE_APPROVALS", "RUST_LOG"] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.directory.path())
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("command"))
            .env("WORKFLOW_NODE_DATA", self.path("data"))
            .env("WORKFLOW_NODE_KEY_FILE", self.path("key"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the command, which must succeed, and returns its standard output.
    pub(crate) fn harness(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("the command runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stores the account's API token under a name. `who`: options that name tenant and user.
    pub(crate) fn connect(&self, who: &[&str], name: &str) {
        let secret = self.file("secret", &self.simulator.us().keys().account);
        let secret = format!("api_token=@{secret}");
        let mut args = who.to_vec();
        args.extend(["credential", "add", name, "--plugin", plugin(), "--type", "api-token"]);
        args.extend(["--field", "from_email=ada@example.com", "--secret", &secret]);
        self.harness(&args);
    }

    /// Creates a token with these options.
    pub(crate) fn token(&self, name: &str, options: &[&str]) -> String {
        let mut args = vec!["token", "create", name];
        args.extend(options);
        self.harness(&args).trim().to_owned()
    }

    /// A token that may do everything in the default tenant.
    pub(crate) fn full_token(&self) -> String {
        let roles = ["run", "connect", "approve", "monitor"].map(|role| ["--role", role]);
        self.token("full", &roles.concat())
    }

    /// Starts a server with the plugin and more options.
    pub(crate) fn serve(&self, options: &[&str]) -> Served {
        let mut all = vec!["serve", "--plugin", plugin()];
        all.extend(options);
        self.serve_exactly(&all)
    }

    pub(crate) fn serve_exactly(&self, args: &[&str]) -> Served {
        self.start(self.serving(args))
    }

    /// The command that starts a server which reaches the simulator.
    pub(crate) fn serving(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        if !args.contains(&"--listen") && !args.contains(&"--config") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.arg("--ca-file").arg(self.simulator.ca_file());
        for mapping in self.simulator.connect_to() {
            command.arg("--connect-to").arg(mapping);
        }
        command
    }

    /// Starts a server.
    pub(crate) fn start(&self, mut command: Command) -> Served {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (written, mut stderr) = (log.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                let text = String::from_utf8_lossy(&part[..length]);
                written.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let mut served = Served { child, log, address: None, stdout };
        let Some(address) = line.trim().strip_prefix("Listening on ") else {
            let ended = served.child.wait();
            std::thread::sleep(Duration::from_millis(200));
            panic!("the server does not listen: {line:?} {ended:?} {}", served.log());
        };
        served.address = address.split("://").nth(1).and_then(|address| address.parse().ok());
        served
    }

    /// The digest of the plugin.
    pub(crate) fn digest(&self) -> String {
        let listed = self.harness(&["inspect", plugin(), "--format", "json"]);
        let digest = listed.split("sha256:").nth(1).map(|rest| &rest[..64]);
        format!("sha256:{}", digest.expect("the plugin has a digest"))
    }

    /// The ID of a service of the account.
    pub(crate) fn service(&self) -> String {
        self.simulator.us().services()[0].id.clone()
    }

    /// A call that creates so many incidents.
    pub(crate) fn incidents(&self, id: &str, count: usize) -> Value {
        let service = self.service();
        let item = |number| json!({"title": format!("Incident {number}"), "service_id": service});
        json!({
            "execution_id": id,
            "credentials": {"rest": "work"},
            "items": (0..count).map(item).collect::<Vec<_>>(),
        })
    }
}

pub(crate) const EXECUTE: &str = "/v1/plugins/pagerduty/actions/incident.create/execute";

/// The PagerDuty component.
pub(crate) fn plugin() -> &'static str {
    static PLUGIN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PLUGIN.get_or_init(|| component_build::pagerduty().to_str().unwrap().to_owned())
}

/// A server that runs.
pub(crate) struct Served {
    child: Child,
    log: Arc<Mutex<String>>,
    address: Option<SocketAddr>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Served {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("the server listens on TCP")
    }

    /// The next line that the server prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client with this token.
    pub(crate) fn client(&self, token: &str) -> Client {
        Client { address: self.address(), token: Some(token.to_owned()) }
    }

    pub(crate) fn anybody(&self) -> Client {
        Client { address: self.address(), token: None }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(killed.success());
    }

    /// Sends a signal to the process group of a server that was started as its leader.
    #[cfg(unix)]
    pub(crate) fn signal_group(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let killed = Command::new("kill").args(["-s", name, "--", &group]).status().unwrap();
        assert!(killed.success());
    }

    /// Kills the server, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the server has ended by itself, and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(since.elapsed() < PATIENCE, "the server does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Sends requests.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// Response of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON: {error}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// The name of an error that must have this status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        let body = self.expect(status);
        body["error"]["name"].as_str().expect("an error has a name").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send("PUT", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// Posts JSON, and receives lines.
    pub(crate) fn post_for_lines(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("accept", "application/x-ndjson")];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        read(&mut self.begin(method, path, headers, body))
    }

    /// Sends a request, and leaves the answer to be read.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = self.address.to_string();
        let text = request(self.token.as_deref(), &host, method, path, headers, body);
        // A server that refuses a body may close the connection before it has read all of it.
        let _refused = stream.write_all(&text).is_err();
        stream
    }
}

/// The bytes of a request.
pub(crate) fn request(
    token: Option<&str>,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str(&format!("host: {host}\r\n"));
    }
    if let Some(token) = token {
        text.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT") {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// Reads an answer to its end.
pub(crate) fn read(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    // A reset does not discard the data that arrived before it.
    let _reset = stream.read_to_end(&mut bytes).is_err();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = &bytes[end + 4..];
    let chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let mut whole = Vec::new();
    if chunked {
        while let Some(end) = body.windows(2).position(|part| part == b"\r\n") {
            let length = std::str::from_utf8(&body[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            let from = end + 2;
            if length == 0 || body.len() < from + length {
                break;
            }
            whole.extend_from_slice(&body[from..from + length]);
            body = &body[from + length + 2..];
        }
    } else {
        whole = body.to_vec();
    }
    Answer { status, headers, body: String::from_utf8(whole).unwrap() }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a file of the data directory holds this text.
pub(crate) fn is_on_the_disk(world: &World, text: &str) -> bool {
    let mut directories = vec![world.path("data")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                return true;
            }
        }
    }
    false
}
