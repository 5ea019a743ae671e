//! Where a server listens, and to whom it answers.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use pagerduty_simulator::CertificateKind;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::support::{World, plugin, read, request};

#[test]
fn pages_of_other_sites_and_other_names_are_refused() {
    let world = World::new();
    let server = world.serve(&["--host", "harness.example.com"]);
    let client = server.client(&world.full_token());
    let get = |headers: &[(&str, &str)]| client.send("GET", "/v1/health", headers, b"");
    for own in ["localhost", "localhost:1", "127.0.0.1", "[::1]:7410", "harness.example.com"] {
        assert_eq!(get(&[("host", own)]).status, 200, "{own}");
    }
    for path in ["/v1/health", "/healthz", "/v1/openapi.json", "/nothing"] {
        for other in ["evil.example", "localhost.evil.example", "harness.example.com.evil.example"]
        {
            let refused = client.send("GET", path, &[("host", other)], b"");
            assert_eq!(refused.error(403), "host-refused", "{path} {other}");
        }
        let origin = [("origin", "https://evil.example")];
        assert_eq!(client.send("GET", path, &origin, b"").error(403), "origin-refused");
    }
    let own = server.address().to_string();
    let same = format!("http://{own}");
    assert_eq!(get(&[("host", &own), ("origin", &same)]).status, 200);
    assert_eq!(get(&[("origin", "null")]).error(403), "origin-refused");
}

#[test]
fn variables_of_the_environment_configure_a_server() {
    let world = World::new();
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\nhosts = ['file.example']\n");
    let mut command = world.serving(&["serve", "--plugin", plugin(), "--config", &config]);
    command.env("WORKFLOW_NODE_SERVE_HOSTS", "['variable.example']");
    command.env("WORKFLOW_NODE_SERVE_LIMITS__SMALL_BODY", "100");
    let server = world.start(command);
    let client = server.client(&world.full_token());
    let get = |host: &str| client.send("GET", "/v1/health", &[("host", host)], b"").status;
    assert_eq!((get("variable.example"), get("file.example")), (200, 403));
    let options = "/v1/plugins/pagerduty/actions/incident.create/options";
    let large = serde_json::json!({"parameter": "x".repeat(200)});
    assert_eq!(client.post(options, &large).error(413), "body-too-large");
    drop(server);
    let wrong = world
        .command(&["serve", "--plugin", plugin(), "--config", &config])
        .env("WORKFLOW_NODE_SERVE_LIMITS__RUNING", "1")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let error = String::from_utf8_lossy(&wrong.stderr);
    assert!(error.contains("WORKFLOW_NODE_SERVE_LIMITS__RUNING"), "{error}");
}

#[test]
fn headers_and_bodies_have_limits() {
    let world = World::new();
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\n[limits]\nheader_ms = 300\nbody_idle_ms = 300\n\
         json_body = 2000\nndjson_body = 4000\nline = 1000\nitems = 5\nsmall_body = 500\n",
    );
    let server = world.serve(&["--config", &config]);
    let client = server.client(&world.full_token());
    let long = "x".repeat(100_000);
    let answer = client.send("GET", "/v1/health", &[("x-long", &long)], b"");
    assert!(matches!(answer.status, 400 | 431), "{answer:?}");
    let execute = crate::support::EXECUTE;
    let large = serde_json::json!({"items": [{"title": "x".repeat(3_000)}]});
    assert_eq!(client.post(execute, &large).error(413), "body-too-large");
    let options = "/v1/plugins/pagerduty/actions/incident.create/options";
    let large = serde_json::json!({"parameter": "x".repeat(600)});
    assert_eq!(client.post(options, &large).error(413), "body-too-large");
    let lines = [("content-type", "application/x-ndjson")];
    for body in [
        format!("{{}}\n{{\"title\":\"{}\"}}\n", "x".repeat(1_500)),
        format!("{{}}\n{}", "{\"title\":\"a\"}\n".repeat(6)),
        format!("{{}}\n{}", " \n".repeat(3_000)),
    ] {
        let refused = client.send("POST", execute, &lines, body.as_bytes());
        assert_eq!(refused.error(413), "body-too-large", "{body:.40}");
    }
    // Neither headers nor a body may be sent drop by drop.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET /v1/health HTTP/1.1\r\n").unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut slow, &mut rest).unwrap();
    let token = world.token("slow", &["--role", "run"]);
    let text = format!(
        "POST {execute} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n"
    );
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(text.as_bytes()).unwrap();
    slow.write_all(b"{").unwrap();
    assert_eq!(read(&mut slow).error(408), "body-timeout");
}

#[test]
fn a_server_speaks_tls_with_a_certificate_from_files() {
    let world = World::new();
    let issued = world.simulator.issue_certificate(&["localhost"], CertificateKind::Good).unwrap();
    let certificate = world.file("cert.pem", &issued.certificate_pem);
    let key = world.file("key.pem", &issued.key_pem);
    let server = world.serve(&["--tls-certificate", &certificate, "--tls-key", &key]);
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(world.simulator.ca_pem().as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.address()).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let token = world.full_token();
    let headers = [("origin", "https://localhost")];
    let text = request(Some(&token), "localhost", "GET", "/v1/health", &headers, b"");
    stream.write_all(&text).unwrap();
    assert_eq!(read(&mut stream).status, 200);
    // Without TLS there is no answer.
    let mut plain = TcpStream::connect(server.address()).unwrap();
    plain.write_all(&request(None, "localhost", "GET", "/healthz", &[], b"")).unwrap();
    let mut bytes = Vec::new();
    let _reset = std::io::Read::read_to_end(&mut plain, &mut bytes).is_err();
    assert!(!String::from_utf8_lossy(&bytes).contains("200 OK"));
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let path = world.path("harness.sock");
    let socket = path.to_str().unwrap();
    let mut server = world.serve_exactly(&[
        "serve",
        "--plugin",
        plugin(),
        "--listen",
        "127.0.0.1:0",
        "--unix",
        socket,
    ]);
    assert_eq!(server.line(), format!("Listening on {socket}\n"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = world.full_token();
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let text = request(Some(&token), "anything", "GET", "/v1/health", &[], b"");
    stream.write_all(&text).unwrap();
    assert_eq!(read(&mut stream).status, 200);
    for file in ["server.db", "server.lock"] {
        let mode = std::fs::metadata(world.path("data").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn unsafe_or_undeclared_settings_are_refused() {
    let world = World::new();
    let refused = |args: &[&str]| {
        let output = world.command(&[&["serve"], args].concat()).output().unwrap();
        assert_ne!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    let open = refused(&["--plugin", plugin(), "--listen", "0.0.0.0:0"]);
    assert!(open.contains("without TLS"), "{open}");
    assert!(refused(&[]).contains("no plugin"));
    let digest = format!("sha256:{}", "0".repeat(64));
    let other = world
        .file("other.toml", &format!("[[plugins]]\nfile = '{}'\ndigest = '{digest}'\n", plugin()));
    let other = refused(&["--config", &other]);
    assert!(other.contains(&digest) && other.contains("its digest is"), "{other}");
    let twice = refused(&["--plugin", plugin(), "--plugin", plugin(), "--listen", "127.0.0.1:0"]);
    assert!(twice.contains("two plugins"), "{twice}");
    let server = world.serve(&[]);
    let second = refused(&["--plugin", plugin(), "--listen", "127.0.0.1:0"]);
    assert!(second.contains("is using the data directory"), "{second}");
    drop(server);
}
