//! Reads a secret by reference, within limits of bytes and time. Messages name the next step and
//! never contain the value.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{KEY_VARIABLES, SecretReference};
use crate::limits::ReferenceLimits;
use crate::secret::Secret;

/// How often a program is asked whether it has ended, once its output has.
const LOOK: Duration = Duration::from_millis(5);

/// Error of reading a secret by reference: the reason and the next step.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the secret from {from}{}", because(problem))]
pub struct ReferenceError {
    from: String,
    problem: Problem,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong, without the error that caused it.
#[derive(Debug)]
enum Problem {
    /// The reason and the next step.
    Text(String),
    /// The next step. The error that caused the problem gives the reason.
    Caused(&'static str),
}

fn because(problem: &Problem) -> String {
    match problem {
        Problem::Text(text) => format!(": {text}"),
        Problem::Caused(next) => format!(". {next}"),
    }
}

/// A problem, and the error that caused it.
struct Failed(Problem, Option<Box<dyn std::error::Error + Send + Sync>>);

impl Failed {
    fn caused(
        next: &'static str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Problem::Caused(next), Some(error.into()))
    }
}

impl From<String> for Failed {
    fn from(problem: String) -> Self {
        Self(Problem::Text(problem), None)
    }
}

impl From<&str> for Failed {
    fn from(problem: &str) -> Self {
        problem.to_owned().into()
    }
}

impl SecretReference {
    /// Reads the secret. Blocks, for at most [`ReferenceLimits::time`].
    ///
    /// # Errors
    ///
    /// If it cannot be read within the limits, is empty, or is not text. The error never contains what
    /// was read.
    pub fn read(&self, limits: &ReferenceLimits) -> Result<Secret, ReferenceError> {
        let failed =
            |Failed(problem, source)| ReferenceError { from: self.shown(), problem, source };
        self.check().map_err(|error| failed(Failed::caused("Change the reference", error)))?;
        let read = match self {
            Self::File(path) => {
                let path = path.clone();
                // Opening a pipe waits until a process writes to it.
                match in_time(move || std::fs::File::open(path), limits) {
                    Ok(Some(bytes)) => Ok(bytes),
                    Ok(None) => Err(too_slow(limits, "Check the file").into()),
                    Err(error) => {
                        Err(Failed::caused("Create the file, or make it readable", error))
                    }
                }
            }
            Self::Env(name) => match std::env::var_os(name) {
                Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
                None => {
                    Err("the variable is not set. Set it in the environment of this process, and \
                             start it again"
                        .into())
                }
            },
            Self::Exec(arguments) => run(arguments, limits),
        };
        read.and_then(|bytes| Ok(secret(bytes, limits)?)).map_err(failed)
    }
}

/// Converts the bytes that were read to a secret.
fn secret(bytes: Zeroizing<Vec<u8>>, limits: &ReferenceLimits) -> Result<Secret, String> {
    if bytes.len() > limits.bytes {
        return Err(format!(
            "it is longer than {} bytes (limit `bytes` of references). Check that the reference names \
             the secret alone",
            limits.bytes
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        "it is not UTF-8 text. Check that the reference names the secret alone".to_owned()
    })?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err("it is empty. Store the secret there".to_owned());
    }
    Ok(Secret::new(text))
}

fn too_slow(limits: &ReferenceLimits, next: &str) -> String {
    format!("it took longer than {:?} (limit `time` of references). {next}", limits.time)
}

/// Reads to the end, or one byte more than is allowed. `None` if it takes too long; the thread that
/// reads is left behind then, until its source ends.
fn in_time<R: Read>(
    open: impl FnOnce() -> std::io::Result<R> + Send + 'static,
    limits: &ReferenceLimits,
) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let most = limits.bytes.saturating_add(1);
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("secret-reference".to_owned()).spawn(move || {
        // With room for all of it, nothing is left behind in memory by a buffer that grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        let read = open().and_then(|source| source.take(most as u64).read_to_end(&mut bytes));
        // The caller may no longer be waiting.
        drop(sender.send(read.map(|_| bytes)));
    })?;
    receiver.recv_timeout(limits.time).map_or(Ok(None), |read| read.map(Some))
}

/// Standard output of a program. Its standard error is discarded, because it may contain the
/// secret.
fn run(arguments: &[String], limits: &ReferenceLimits) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let until = Instant::now() + limits.time;
    let (program, rest) = arguments.split_first().ok_or("it names no program. Name one")?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with(KEY_VARIABLES)) {
            command.env_remove(name);
        }
    }
    // Processes that the program starts end with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(|error| {
        let next = "Install the program, or write its absolute path into the reference";
        Failed::caused(next, error)
    })?;
    let mut child = Running(child);
    let output = child.0.stdout.take().ok_or("it has no output. Check the program")?;
    let slow = || too_slow(limits, "Run the program by itself to see why");
    let read = in_time(move || Ok(output), limits);
    let read = read.map_err(|error| Failed::caused("Check the program", error))?;
    let bytes = read.ok_or_else(slow)?;
    if bytes.len() > limits.bytes {
        return Ok(bytes);
    }
    loop {
        match child.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(bytes),
            Ok(Some(status)) => {
                let problem = format!(
                    "the program ended with {status}. Run it by itself, as the user and with the \
                     environment of this process, to see why"
                );
                return Err(problem.into());
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => return Err(slow().into()),
            Err(error) => return Err(Failed::caused("Check the program", error)),
        }
    }
}

/// A program that is ended, with all that it has started, if it has not ended by itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            let group = rustix::process::Pid::from_child(&self.0);
            let killed = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            if let Err(error) = killed {
                tracing::debug!(%error, "a program has ended by itself");
            }
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::causes::chain;

    fn limits() -> ReferenceLimits {
        ReferenceLimits {
            bytes: 64,
            time: Duration::from_millis(700),
            ..ReferenceLimits::default()
        }
    }

    fn read(reference: &SecretReference) -> Result<String, String> {
        let secret = reference.read(&limits());
        secret.map(|secret| secret.expose().to_owned()).map_err(|error| chain(&error))
    }

    fn shell(script: &str) -> SecretReference {
        SecretReference::Exec(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    #[test]
    fn a_secret_is_read_from_a_file_a_variable_and_a_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        for (content, expected) in
            [("sesame-open", "sesame-open"), ("sesame-open\r\n", "sesame-open"), ("a\n\n", "a\n")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&SecretReference::File(path.clone())).as_deref(), Ok(expected));
        }
        let home = std::env::var("PATH").unwrap();
        let variable = SecretReference::Env("PATH".to_owned());
        let long = ReferenceLimits { bytes: 100_000, ..limits() };
        assert_eq!(variable.read(&long).unwrap().expose(), home);
        assert_eq!(read(&shell("printf sesame-open")).as_deref(), Ok("sesame-open"));
        // No shell is involved, unless the reference names one.
        let plain = SecretReference::Exec(["printf", "%s", "$HOME; x"].map(str::to_owned).to_vec());
        assert_eq!(read(&plain).as_deref(), Ok("$HOME; x"));
    }

    #[test]
    fn an_unreadable_secret_is_an_error_with_a_next_step_and_without_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            SecretReference::File(path)
        };
        for (reference, words) in [
            (SecretReference::File(directory.path().join("missing")), "Create the file"),
            (path("empty", b"\n"), "Store the secret"),
            (path("binary", b"sesame-open\xff"), "not UTF-8"),
            (path("long", &[b's'; 65]), "64 bytes"),
            (SecretReference::Env("NO_SUCH_VARIABLE_HERE".into()), "Set it in the environment"),
            (shell("printf sesame-open; exit 7"), "exit status: 7"),
            (shell("echo sesame-open >&2; exit 1"), "Run it by itself"),
            (SecretReference::Exec(vec!["/no/such/program".into()]), "Install the program"),
            (shell("yes sesame-open"), "64 bytes"),
        ] {
            let error = read(&reference).unwrap_err();
            assert!(error.contains(words), "{error}");
            let prefix = error.split_once(": ").unwrap().1;
            assert!(!prefix.contains("sesame-open"), "{error}");
        }
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_what_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let alive = directory.path().join("alive");
        let script = format!("(sleep 2; touch '{}') & printf sesame-open; wait", alive.display());
        let since = Instant::now();
        let error = read(&shell(&script)).unwrap_err();
        assert!(error.contains("took longer"), "{error}");
        assert!(since.elapsed() < Duration::from_millis(1_900));
        std::thread::sleep(Duration::from_millis(2_200));
        #[cfg(target_os = "linux")]
        assert!(!alive.exists(), "what it has started goes on");
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let since = Instant::now();
        let error = read(&SecretReference::File(path)).unwrap_err();
        assert!(error.contains("took longer"), "{error}");
        assert!(since.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_program_is_not_given_the_key_of_the_store() {
        // Names alone: tests of one process share its environment.
        let listed = read(&shell("env | grep -c '^WORKFLOW_NODE_KEY' || true")).unwrap();
        assert_eq!(listed, "0");
    }
}
