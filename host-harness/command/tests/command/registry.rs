//! Packages in an OCI registry: Debian's `docker-registry` on the loopback interface. Where it is not
//! installed, the tests say so and are not run.

#![allow(clippy::print_stderr, reason = "a test that is not run says so")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::package::author;
use crate::support::World;

/// A registry that ends with the test.
struct Registry {
    process: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.process.kill().is_ok();
        let _ended = self.process.wait().is_ok();
    }
}

impl Registry {
    /// `None` where none is installed. `more`: of the configuration's section `http`, and beside it.
    fn start(world: &World, http: &str, more: &str) -> Option<Self> {
        let config = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ inmemory: {{}} }}\nhttp: {{ addr: \
             '127.0.0.1:0'{http} }}\n{more}"
        );
        let config = world.file("registry.yml", &config);
        let started = Command::new("docker-registry")
            .args(["serve", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut process) = started else {
            eprintln!("SKIPPED: docker-registry is not installed, so no registry was tried");
            return None;
        };
        let log = process.stderr.take().expect("standard error is a pipe");
        let mut lines = BufReader::new(log).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split([',', '"']).next()?.to_owned())
        });
        // It must not wait for a reader.
        std::thread::spawn(move || lines.count());
        Some(Self { process, address: address.expect("the registry listens") })
    }
}

/// Packages the node of the world.
fn package(world: &World) -> Vec<u8> {
    let args = ["package", world.plugin(), "--key", "author.key", "--out", "lamp.gz"];
    world.harness(&args).expect(0);
    std::fs::read(world.path("lamp.gz")).unwrap()
}

#[test]
fn a_package_is_pushed_under_a_tag_and_pulled_by_its_digest() {
    let world = author();
    let Some(registry) = Registry::start(&world, "", "") else { return };
    let archive = package(&world);
    let tag = format!("{}/nodes/judged:1", registry.address);
    let args = ["package", "push", "lamp.gz", &tag, "--plain-http", "--format", "json"];
    let pushed = world.harness(&args).expect(0).json();
    let name = pushed["name"].as_str().unwrap();
    let digest = pushed["digest"].as_str().unwrap();
    assert_eq!(name, format!("{}/nodes/judged@{digest}", registry.address));
    for name in [name, &tag] {
        let args = ["package", "pull", name, "--plain-http", "--format", "json"];
        let pulled = world.harness(&args).expect(0).json();
        assert_eq!(
            (&pulled["digest"], &pulled["file"]),
            (&pushed["digest"], &Value::from("judged-1.node.tar.gz"))
        );
        assert!(std::fs::read(world.path("judged-1.node.tar.gz")).unwrap() == archive);
        std::fs::remove_file(world.path("judged-1.node.tar.gz")).unwrap();
    }
    // The same package has the same digest.
    let again = world.harness(&args).expect(0).json();
    assert_eq!(again["digest"], pushed["digest"]);

    let missing = format!("{}/nodes/judged:2", registry.address);
    let missing = world.harness(&["package", "pull", &missing, "--plain-http"]).expect(1);
    missing.says("has no `");
    let other = format!("{}/nodes/judged@sha256:{}", registry.address, "0".repeat(64));
    world.harness(&["package", "pull", &other, "--plain-http"]).expect(1).says("has no `");
    let with_digest =
        world.harness(&["package", "push", "lamp.gz", name, "--plain-http"]).expect(2);
    with_digest.says("registry/repository:tag");
}

#[test]
fn a_registry_is_reached_over_tls_and_with_credentials() {
    let world = author();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let ca = world.file("ca.pem", &certified.cert.pem());
    let key = world.file("tls.key", &certified.signing_key.serialize_pem());
    // bcrypt of `lantern-7`.
    let users =
        world.file("users", "ada:$2b$04$f6JZBAcpeMiLL5DJipxyKunJXzseHg/n34d81yLNpnoEReyKHnd0y\n");
    let http = format!(", tls: {{ certificate: '{ca}', key: '{key}' }}");
    let auth = format!("auth: {{ htpasswd: {{ realm: lamps, path: '{users}' }} }}\n");
    let Some(registry) = Registry::start(&world, &http, &auth) else { return };
    let archive = package(&world);
    let tag = format!("{}/nodes/judged:1", registry.address);
    let (right, wrong) = (world.file("right", "ada:lantern-7"), world.file("wrong", "ada:nothing"));
    let (right, wrong) = (format!("@{right}"), format!("@{wrong}"));
    let push = |more: &[&str]| {
        let args = ["package", "push", "lamp.gz", &tag, "--format", "json"];
        world.harness(&[&args[..], more].concat())
    };
    push(&[]).expect(1).says("cannot be used");
    for refused in [&["--ca-file", &ca][..], &["--ca-file", &ca, "--registry-credentials", &wrong]]
    {
        let refused = push(refused).expect(1);
        refused.says("refuses the credentials, or requires some");
        assert!(!refused.stderr.contains("nothing"), "{refused}");
    }
    let pushed = push(&["--ca-file", &ca, "--registry-credentials", &right]).expect(0).json();
    let name = pushed["name"].as_str().unwrap();
    let args = [
        "package",
        "pull",
        name,
        "--out",
        "pulled.gz",
        "--ca-file",
        &ca,
        "--registry-credentials",
        &right,
    ];
    world.harness(&args).expect(0).shows("harness verify pulled.gz");
    assert!(std::fs::read(world.path("pulled.gz")).unwrap() == archive);
}

#[test]
fn a_name_without_a_tag_and_a_registry_elsewhere_without_tls_are_refused() {
    let world = author();
    package(&world);
    for name in ["lamp", "registry.example.com/lamp", "registry.example.com/nodes/La mp:1"] {
        let refused = world.harness(&["package", "push", "lamp.gz", name]).expect(2);
        refused.says("does not name a package in a registry");
    }
    for host in ["registry.example.com", "127.0.0.1.example.com", "10.0.0.1:5000"] {
        let name = format!("{host}/nodes/lamp:1");
        let refused =
            world.harness(&["package", "push", "lamp.gz", &name, "--plain-http"]).expect(2);
        refused.says("only a registry on this machine");
    }
    assert!(!Path::new(&world.path("judged-1.node.tar.gz")).exists());
}
