//! Looks for secrets in the memory of processes and in files: for tests in other languages.
//!
//! Reads one JSON document from standard input and writes one to standard output.
//!
//! - In: `{"secrets": {NAME: VALUE}, "processes": [PID], "paths": {PLACE: PATH}}`. A path is a file or
//!   a directory with everything in it. Processes include the processes that they have started.
//! - Out: `{"memory": FOUND, "paths": {PLACE: FOUND}, "bytes": {"memory": N, PLACE: N}}`, where FOUND is
//!   `{NAME: [ENCODING]}`. `memory` is null where the system does not show memory (outside of Linux).
//!
//! Files are also searched decoded: bodies of HTTP in chunks, gzip, and the values of SQLite databases.

#![allow(clippy::print_stdout, reason = "it prints its result")]

mod decode;
#[cfg(target_os = "linux")]
mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use end_to_end::scan::Scanner;
use serde_json::{Value, json};

/// Names of the secrets that were found, with their encodings.
#[derive(Default)]
struct Found {
    encodings: BTreeMap<String, BTreeSet<&'static str>>,
    bytes: usize,
}

impl Found {
    fn search(&mut self, scanner: &Scanner<'_>, bytes: &[u8]) {
        self.bytes += bytes.len();
        for (name, encoding) in scanner.leaks(bytes) {
            self.encodings.entry(name.to_owned()).or_default().insert(encoding);
        }
    }

    /// Searches a file, or everything in a directory.
    fn search_path(&mut self, scanner: &Scanner<'_>, path: &Path) -> io::Result<()> {
        let kind = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            // Programs that run may remove their files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if kind.is_dir() {
            for entry in std::fs::read_dir(path)? {
                self.search_path(scanner, &entry?.path())?;
            }
        } else if kind.is_file() {
            let bytes = std::fs::read(path)?;
            for view in decode::views(path, &bytes)? {
                self.search(scanner, &view);
            }
            self.search(scanner, &bytes);
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let asked: Value = serde_json::from_reader(io::stdin())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let secrets = asked["secrets"].as_object().into_iter().flatten();
    let secrets: Vec<_> = secrets.map(|(name, value)| (name.clone(), text(value))).collect();
    let scanner = Scanner::new(&secrets);

    let mut bytes = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for (place, path) in asked["paths"].as_object().into_iter().flatten() {
        let mut found = Found::default();
        found.search_path(&scanner, Path::new(&text(path)))?;
        bytes.insert(place.as_str(), found.bytes);
        paths.insert(place.as_str(), found.encodings);
    }
    let processes: Vec<u64> =
        asked["processes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let memory = memory_of(&processes, &scanner)?;
    if let Some(found) = &memory {
        bytes.insert("memory", found.bytes);
    }
    let memory = memory.map(|found| found.encodings);
    println!("{}", json!({"memory": memory, "paths": paths, "bytes": bytes}));
    Ok(())
}

#[cfg(target_os = "linux")]
fn memory_of(processes: &[u64], scanner: &Scanner<'_>) -> io::Result<Option<Found>> {
    let mut found = Found::default();
    for process in memory::with_descendants(processes)? {
        memory::read(process, scanner.longest(), |part| found.search(scanner, part))?;
    }
    Ok(Some(found))
}

#[cfg(not(target_os = "linux"))]
fn memory_of(_processes: &[u64], _scanner: &Scanner<'_>) -> io::Result<Option<Found>> {
    Ok(None)
}
