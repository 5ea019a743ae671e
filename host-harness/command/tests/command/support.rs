//! Runs the command in a separate world, and prints everything if it does not behave as expected.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pagerduty_simulator::{Builder, Service, Simulator};
use serde_json::Value;
use tempfile::TempDir;

/// A simulator, a directory, a key file; nothing is approved and nothing is stored.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    directory: TempDir,
    component: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(component_build::pagerduty())
    }

    /// With another component.
    pub(crate) fn with(component: PathBuf) -> Self {
        Self::over(component, Simulator::builder().without_rate_limits())
    }

    /// With an account in which everything is that examples name.
    pub(crate) fn with_examples() -> Self {
        let builder = Simulator::builder().without_rate_limits().examples(true);
        let world = Self::over(component_build::pagerduty(), builder);
        world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
        world
    }

    fn over(component: PathBuf, simulator: Builder) -> Self {
        let world = Self {
            simulator: simulator.start_blocking().expect("the simulator starts"),
            directory: tempfile::tempdir().expect("there is a place for temporary files"),
            component,
        };
        std::fs::write(world.path("key"), format!("{}\n", "5a".repeat(32))).unwrap();
        make_private(&world.path("key"));
        world
    }

    /// The plugin is approved, too.
    pub(crate) fn approved() -> Self {
        let world = Self::new();
        world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
        world
    }

    /// The plugin is approved, and the credential `work` is the account's key.
    pub(crate) fn connected() -> Self {
        let world = Self::approved();
        let key = world.simulator.us().keys().account;
        world.connect("work", &key);
        world
    }

    /// Stores an API token under a name.
    pub(crate) fn connect(&self, name: &str, token: &str) {
        let plugin = self.plugin();
        self.harness(&[
            "credential",
            "add",
            name,
            "--plugin",
            plugin,
            "--type",
            "api-token",
            "--field",
            "from_email=ada@example.com",
            "--secret",
            "api_token=-",
        ])
        .stdin(token)
        .expect(0);
    }

    pub(crate) fn plugin(&self) -> &str {
        self.component.to_str().expect("a path in UTF-8")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
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

    pub(crate) fn service(&self) -> Service {
        self.simulator.us().services()[0].clone()
    }

    /// The command with these arguments.
    pub(crate) fn harness(&self, args: &[&str]) -> Harness {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(args).current_dir(self.directory.path());
        for name in [
            "WORKFLOW_NODE_KEY",
            "WORKFLOW_NODE_APPROVALS",
            "WORKFLOW_NODE_CLIENT_SECRET",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.directory.path())
            // Compiled once for all tests, not once for each.
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("command"))
            .env("WORKFLOW_NODE_DATA", self.path("data"))
            .env("WORKFLOW_NODE_KEY_FILE", self.path("key"));
        Harness { command, stdin: None }
    }

    /// `harness run PLUGIN` over this world's simulator.
    pub(crate) fn run(&self, args: &[&str]) -> Harness {
        let mut all = vec!["run", self.plugin()];
        all.extend(args);
        self.sends(&all)
    }

    /// A command that sends to this world's simulator.
    pub(crate) fn sends(&self, args: &[&str]) -> Harness {
        let mut harness = self.harness(args);
        harness.command.arg("--ca-file").arg(self.simulator.ca_file());
        for mapping in self.simulator.connect_to() {
            harness.command.arg("--connect-to").arg(mapping);
        }
        harness
    }
}

impl World {
    /// A command as it was printed, pasted into a shell; it sends to this world's simulator.
    #[cfg(unix)]
    pub(crate) fn pasted(&self, line: &str) -> Harness {
        let mut harness = self.harness(&[]);
        let mut shell = Command::new("sh");
        let mut flags = format!("--ca-file '{}'", self.simulator.ca_file().display());
        for mapping in self.simulator.connect_to() {
            flags.push_str(&format!(" --connect-to '{mapping}'"));
        }
        let binary = env!("CARGO_BIN_EXE_harness");
        let script = format!("harness() {{ '{binary}' \"$@\" {flags}; }}\n{line}");
        shell.arg("-c").arg(script).current_dir(self.directory.path());
        for (name, value) in harness.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        harness.command = shell;
        harness
    }
}

/// The command, about to run.
pub(crate) struct Harness {
    command: Command,
    stdin: Option<String>,
}

impl Harness {
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Starts it, to be waited for with [`Running::expect`].
    pub(crate) fn start(mut self) -> Running {
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the command starts");
        if let Some(text) = self.stdin {
            let mut stdin = child.stdin.take().expect("standard input is a pipe");
            // In a thread, because a command may write before it has read everything. One that
            // refuses its arguments does not read.
            std::thread::spawn(move || stdin.write_all(text.as_bytes()).is_ok());
        }
        Running { command: format!("{:?}", self.command), child }
    }

    /// Starts it with an open standard input.
    pub(crate) fn start_with_input(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().expect("the command starts");
        Running { command: format!("{:?}", self.command), child }
    }

    /// Runs it, and panics with all that there is to know unless it ends with this code.
    pub(crate) fn expect(self, code: i32) -> Output {
        self.start().expect(code)
    }
}

pub(crate) struct Running {
    command: String,
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn expect(self, code: i32) -> Output {
        let output = self.child.wait_with_output().expect("the command ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        let output = Output {
            command: self.command,
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert_eq!(output.status, Some(code), "expected the exit code {code}\n{output}");
        output
    }
}

/// Output of a command.
pub(crate) struct Output {
    command: String,
    status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(
            formatter,
            "\n=== command\n{command}\n=== status\n{status:?}\n=== standard output\n{stdout}\n\
             === standard error\n{stderr}\n==="
        )
    }
}

impl Output {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is no JSON: {error}{self}"))
    }

    /// The lines of standard output, each a JSON document.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let line = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("a line is no JSON: {error}: {line}{self}"))
        };
        self.stdout.lines().map(line).collect()
    }

    /// The error on standard error, checked against its schema.
    pub(crate) fn failure(&self) -> Value {
        let failure: Value = serde_json::from_str(&self.stderr)
            .unwrap_or_else(|error| panic!("standard error is no JSON: {error}{self}"));
        assert_valid(Some("failure"), &failure);
        failure["error"].clone()
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "standard error does not say {text:?}{self}");
        self
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "standard output does not show {text:?}{self}");
        self
    }
}

/// Checks a document against the published schema, or against one of its definitions.
#[track_caller]
pub(crate) fn assert_valid(definition: Option<&str>, document: &Value) {
    let text = include_str!("../../schemas/run-output.json");
    let mut schema: Value = serde_json::from_str(text).unwrap();
    if let Some(name) = definition {
        schema = serde_json::json!({
            "$schema": schema["$schema"],
            "$ref": format!("#/$defs/{name}"),
            "$defs": schema["$defs"],
        });
    }
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let problems: Vec<String> =
        validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}\n{document:#}");
}

/// Compares with a snapshot what people read; what differs from run to run is masked.
macro_rules! assert_text {
    ($world:expr, $text:expr) => {
        let directory = $world.directory().to_str().unwrap().to_owned();
        insta::with_settings!({
            filters => vec![
                (directory.as_str(), "DIRECTORY"),
                ($world.plugin(), "node.wasm"),
                (r"(?s)Imports  .*?\n\n", "Imports LIST\n\n"),
                (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
                (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
                (r"\b\d+ ms\b|\b\d+\.\d s\b", "SOME TIME"),
                (r"\b\d+ kB\b", "SIZE"),
                (r"wf-[0-9a-f]{32}", "wf-KEY"),
                (r"\b[0-9a-f]{32}\b", "EXECUTION"),
            ],
            prepend_module_to_snapshot => true,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($text);
        });
    };
}
pub(crate) use assert_text;

#[cfg(unix)]
pub(crate) fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
pub(crate) fn make_private(_path: &Path) {}
