//! Explains why a guest was stopped: the panic message, its output, and the functions that ran.
//!
//! All of it is untrusted text. It is bounded and escaped, and credentials are removed.

use serde::{Deserialize, Serialize};
use wasmtime::WasmBacktrace;
use wasmtime_wasi::I32Exit;

use super::memory::MemoryLimit;
use crate::crash::Crash;
use crate::error::{Cause, Error};
use crate::imports::{WorkflowNodeCtx, Written};
use crate::limits::{Limits, exceeded};

/// Message of wasmtime when a guest passes more data than a host call may copy. The error has no
/// specific type; a test checks the text.
const TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";

/// Characters of the cause of a stop, and of a panic message.
const SENTENCE: usize = 1_000;
/// Functions, and characters of the name of each.
const FUNCTIONS: (usize, usize) = (20, 200);
/// The host holds so many times the output that it shows. A credential that was cut where the held
/// part begins is not in the shown part.
const HELD: usize = 4;

/// Why a guest was stopped, as reported by the process that ran it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Stop {
    cause: String,
    /// The guest ended itself, and its own message is better than that of its host.
    is_own: bool,
    functions: Vec<String>,
    output: Vec<u8>,
}

impl From<String> for Stop {
    fn from(cause: String) -> Self {
        Self { cause, ..Self::default() }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        error.to_string().into()
    }
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Self {
        Self::of(&error)
    }
}

impl Stop {
    /// Of a call that failed.
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        let trap = error.downcast_ref::<wasmtime::Trap>();
        Self {
            cause: cause(error),
            is_own: trap == Some(&wasmtime::Trap::UnreachableCodeReached)
                || error.downcast_ref::<I32Exit>().is_some(),
            functions: functions(error),
            output: Vec::new(),
        }
    }

    /// With what the guest has written, and the memory that it was refused.
    pub(crate) fn explained(mut self, memory: &MemoryLimit, written: &Written) -> Self {
        // A guest that is refused memory cannot report any other reason.
        self.is_own &= !memory.was_refused();
        self.cause = memory.explain(self.cause);
        self.output = written.take();
        self
    }

    /// The error that is reported, and whether the guest passed more data to the host than one call
    /// may. The stop may come from a worker, which is not trusted.
    pub(crate) async fn into_error(self, context: &WorkflowNodeCtx) -> (Error, bool) {
        let limits = context.limits();
        if self.cause.contains(TOO_MUCH) {
            let what = "what it passed to the host at once";
            let problem = exceeded(what, "host_call", limits.host_call);
            return (Cause::Stopped(problem).into(), true);
        }
        let mut output = self.output;
        output.drain(..output.len().saturating_sub(held(limits)));
        let (most, longest) = FUNCTIONS;
        let mut functions = self.functions;
        functions.truncate(most);
        let names = functions.join("\n").into_bytes();
        if let Some(session) = context.session() {
            output = session.without_credentials(output).await;
        }
        let names = match context.session() {
            Some(session) => session.without_credentials(names).await,
            None => names,
        };
        let names = String::from_utf8_lossy(&names);
        let names = names.lines().filter(|name| !name.is_empty());
        let crash = Crash {
            output: end(&escaped(&String::from_utf8_lossy(&output)), limits.guest_output),
            functions: names.map(|name| one_line(name, longest)).collect(),
        };
        let cause = one_line(&self.cause, SENTENCE);
        let reason = match own_words(&crash.output).filter(|_| self.is_own) {
            Some(words) => format!("{} ({cause})", one_line(&words, SENTENCE)),
            None => cause,
        };
        match crash == Crash::default() {
            true => (Cause::Stopped(reason).into(), false),
            false => (Cause::Crashed { reason, crash: Box::new(crash) }.into(), false),
        }
    }
}

/// Bytes of output that are held while a guest runs.
pub(crate) fn held(limits: &Limits) -> usize {
    limits.guest_output.saturating_mul(HELD)
}

/// The cause of a stop, without the frames.
fn cause(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.starts_with("error while executing"))
        .collect();
    causes.dedup();
    tracing::debug!(error = ?error, "a guest was stopped");
    causes.join(": ").chars().take(SENTENCE).collect()
}

/// Names of the functions that were running, the innermost first. What a language's runtime runs
/// after a panic is left out, and a function that called itself is named once.
fn functions(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .map(|frame| frame.func_name().map(demangled).unwrap_or_default())
        .collect();
    if names.iter().all(String::is_empty) {
        return Vec::new();
    }
    let own = names.iter().position(|name| !is_runtime(name)).unwrap_or_default();
    let mut counted: Vec<(String, usize)> = Vec::new();
    for name in names.into_iter().skip(own) {
        let name = if name.is_empty() { "(unnamed)".into() } else { name };
        match counted.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => counted.push((name, 1)),
        }
    }
    let written = |(name, count)| match count {
        1 => name,
        count => format!("{name} ({count} times)"),
    };
    counted.into_iter().map(written).collect()
}

fn demangled(name: &str) -> String {
    match rustc_demangle::try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    }
}

/// Whether a function belongs to a runtime that ends a guest, rather than to what failed.
fn is_runtime(name: &str) -> bool {
    const PREFIXES: &[&str] =
        &["std::", "core::panicking::", "core::option::", "core::result::", "__rust"];
    const NAMES: &[&str] = &["abort", "_Exit", "exit", "rust_panic", "rust_begin_unwind"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Message of a guest that gave up: that of a panic or an uncaught exception, or else the last
/// line.
fn own_words(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().filter(|line| !says_nothing(line)).collect();
    // Python: a traceback, and the exception on the first line that is not indented. The runtime of
    // componentize-py panics below it.
    if let Some(at) = lines.iter().rposition(|line| line.starts_with("Traceback ")) {
        let exception = lines[at + 1..].iter().find(|line| !line.starts_with(' '));
        return exception.map(|line| (*line).to_owned());
    }
    // Rust: `thread '<unnamed>' (1) panicked at src/lib.rs:1:2:`, and the message below.
    if let Some(at) = lines.iter().rposition(|line| line.contains(" panicked at ")) {
        let (_, place) = lines[at].split_once(" panicked at ")?;
        let message = lines[at + 1..].join(" ");
        return Some(format!("panicked at {place} {message}"));
    }
    // JavaScript: the exception, and its stack below.
    let stack = lines.iter().rposition(|line| line.starts_with("Stack:"));
    let last = &lines[..stack.unwrap_or(lines.len())];
    last.iter().rfind(|line| !line.trim().is_empty()).map(|line| (*line).to_owned())
}

/// Lines that runtimes write below the reason, for any reason.
fn says_nothing(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE")
        || line.starts_with("Redirecting call to abort() to mozalloc_abort")
}

/// Text with line breaks, in which every other control character, and every character that turns
/// the direction of writing or is invisible, is written out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped.push('\n'),
            '\t' => escaped.push_str("    "),
            '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => escaped.extend(character.escape_unicode()),
            character if character.is_control() => escaped.extend(character.escape_unicode()),
            character => escaped.push(character),
        }
    }
    escaped
}

/// The end of a text: whole lines, as far as it has any.
fn end(text: &str, most: usize) -> String {
    let text = text.trim_end();
    if text.len() <= most {
        return text.trim_start_matches('\n').to_owned();
    }
    let end = &text[text.ceil_char_boundary(text.len() - most)..];
    match end.split_once('\n') {
        Some((_, lines)) => lines.to_owned(),
        None => end.to_owned(),
    }
}

fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    escaped(&words.join(" ")).chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_found_in_what_a_guest_wrote() {
        for (output, words) in [
            (
                "reading\n\nthread '<unnamed>' (1) panicked at src/lib.rs:3:5:\nno name\nin it\n\
                 note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
                "panicked at src/lib.rs:3:5: no name in it",
            ),
            (
                "Traceback (most recent call last):\n  File \"/0/node.py\", line 3, in execute\n    \
                 raise ValueError(\"no name\")\nValueError: no name\n\n\
                 thread '<unnamed>' (1) panicked at runtime/src/lib.rs:1293:29:\n\
                 Python function threw an unexpected exception\n",
                "ValueError: no name",
            ),
            ("no luck\nnote: run with `RUST_BACKTRACE=1` to see more\n", "no luck"),
            (
                "Error: no name\nStack:\n  execute@node.js:3:9\n\n\
                 Redirecting call to abort() to mozalloc_abort",
                "Error: no name",
            ),
        ] {
            assert_eq!(own_words(output).as_deref(), Some(words));
        }
        assert_eq!(own_words("\n \n"), None);
    }

    #[test]
    fn terminal_control_sequences_are_escaped() {
        assert_eq!(escaped("a\u{1b}[31m\r\n\tb\u{202e}"), "a\\u{1b}[31m\\u{d}\n    b\\u{202e}");
    }

    #[test]
    fn the_end_of_a_long_text_is_whole_lines() {
        assert_eq!(end("first\nsecond\nthird\n", 100), "first\nsecond\nthird");
        assert_eq!(end("first\nsecond\nthird\n", 10), "third");
        assert_eq!(end(&"ü".repeat(10), 5), "üü");
    }

    #[test]
    fn functions_are_named_where_the_component_names_them() {
        let run = |module: &str| {
            let engine = wasmtime::Engine::new(&crate::engine::engine_config(false)).unwrap();
            let module = wasmtime::Module::new(&engine, wat::parse_str(module).unwrap()).unwrap();
            let mut store = wasmtime::Store::new(&engine, ());
            store.set_epoch_deadline(1_000_000);
            let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
            Stop::of(&run.call(&mut store, ()).unwrap_err())
        };
        let stop = run(r#"(module
            (func $abort unreachable)
            (func $_ZN4node4read17h0123456789abcdefE call $abort)
            (func $outer (export "run") call $_ZN4node4read17h0123456789abcdefE))"#);
        assert_eq!(stop.functions, ["node::read", "outer"]);
        assert!(stop.is_own);
        let stop = run(r#"(module (func $deeper (export "run") call $deeper))"#);
        assert_eq!(stop.functions, ["deeper (20 times)"]);
        assert!(!stop.is_own && stop.cause.contains("stack"), "{}", stop.cause);
    }
}
