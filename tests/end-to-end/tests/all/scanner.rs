//! The scanner that tests in other languages use finds a planted secret wherever it is, and nothing
//! where there is none.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use end_to_end::scan::encodings;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const PLANTED: &str = "planted+/canary_0123456789-abcdef";

/// What the scanner says about processes and a path.
fn scan(processes: &[u32], path: &Path) -> Value {
    let mut scanner = Command::new(env!("CARGO_BIN_EXE_end-to-end-scanner"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let secrets = json!({"planted": PLANTED, "absent": "absent+/canary_0123456789-abcdef"});
    let asked = json!({"secrets": secrets, "processes": processes, "paths": {"files": path}});
    scanner.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = scanner.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!found.to_string().contains("absent"), "{found}");
    found
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A response in chunks that are so small that they split every secret.
fn in_chunks(head: &str, body: &[u8]) -> Vec<u8> {
    let mut response =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n").into_bytes();
    for chunk in body.chunks(7) {
        response.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        response.extend([chunk, b"\r\n"].concat());
    }
    response.extend(b"0\r\n\r\n");
    response
}

#[test]
fn a_secret_in_a_file_is_found_in_each_encoding_and_container() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("folder");
    std::fs::create_dir(&path).unwrap();
    for (name, encoded) in encodings(PLANTED) {
        let body = [b"{\"before\": \"".as_slice(), &encoded, b"\"}"].concat();
        let zipped = in_chunks("Content-Encoding: gzip\r\n", &gzip(&body));
        for (container, bytes) in [
            ("plain", body.clone()),
            ("gzip", [b"before".as_slice(), &gzip(&body)].concat()),
            ("chunks", in_chunks("", &body)),
            ("second message", [in_chunks("", b"first"), in_chunks("", &body)].concat()),
            ("gzip in chunks", zipped),
        ] {
            std::fs::write(path.join("file"), bytes).unwrap();
            let found = scan(&[], directory.path());
            let said = found["paths"]["files"]["planted"].as_array();
            assert!(
                said.is_some_and(|all| all.contains(&json!(name))),
                "{name}, {container}: {found}"
            );
        }
    }
    std::fs::write(path.join("file"), in_chunks("", b"nothing of the kind")).unwrap();
    assert_eq!(scan(&[], directory.path())["paths"]["files"], json!({}));
}

#[test]
fn a_secret_that_a_database_splits_between_pages_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("database.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("CREATE TABLE \"a \"\"b\" (value TEXT)", []).unwrap();
    // At every position of a row that is larger than a page, so that some are split.
    let mut split = 0;
    for before in (0..4_200).step_by(24) {
        let value = format!("{}{PLANTED}{}", "x".repeat(before), "y".repeat(9_000 - before));
        database.execute("DELETE FROM \"a \"\"b\"", []).unwrap();
        database.execute("INSERT INTO \"a \"\"b\" VALUES (?1)", [value]).unwrap();
        database.execute("VACUUM", []).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        if bytes.windows(PLANTED.len()).any(|part| part == PLANTED.as_bytes()) {
            continue;
        }
        split += 1;
        let found = scan(&[], &path);
        assert_eq!(found["paths"]["files"]["planted"], json!(["raw"]), "{before}: {found}");
    }
    assert!(split > 0, "no row has split the secret");
}

#[test]
fn a_body_in_an_unknown_encoding_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, in_chunks("Content-Encoding: br\r\n", b"?")).unwrap();
    let asked = json!({"secrets": {"planted": PLANTED}, "paths": {"files": path}});
    let mut scanner = Command::new(env!("CARGO_BIN_EXE_end-to-end-scanner"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    scanner.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = scanner.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("the encoding br"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_secret_in_the_memory_of_a_process_is_found_and_in_that_of_its_children() {
    let directory = tempfile::tempdir().unwrap();
    // The shell holds a variable; in the second case, its child does.
    for (script, held) in [
        ("read planted; echo ready; read end", true),
        ("(read planted; echo ready; read end); :", true),
        ("read nothing; echo ready; read end", false),
    ] {
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = if held { PLANTED } else { "nothing of the kind" };
        writeln!(shell.stdin.as_mut().unwrap(), "{text}").unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let found = scan(&[shell.id()], directory.path());
        // They end with their input.
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(found["bytes"]["memory"].as_u64().unwrap() > 10_000, "{found}");
        let said = found["memory"]["planted"].as_array();
        assert_eq!(said.is_some_and(|all| all.contains(&json!("raw"))), held, "{script}: {found}");
    }
}
