//! Components that are refused before any of their code runs, and approvals.

use std::sync::Arc;

use end_to_end::{host, isolation};
use serde_json::json;
use workflow_node_host::{
    Approvals, Error, ErrorKind, Execution, FileApprovals, Host, MemoryApprovals, Plugin,
};

async fn refused(bytes: Vec<u8>) -> String {
    let error = Host::builder()
        .isolation(isolation())
        .build()
        .unwrap()
        .load(bytes)
        .await
        .expect_err("it is refused");
    assert!(error.is_refused(), "{error}");
    error.to_string()
}

async fn refused_wat(text: &str) -> String {
    refused(wat::parse_str(text).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_components_are_refused_with_a_reason() {
    for (bytes, reason) in [
        (Vec::new(), "empty"),
        (b"\x7fELF and so on".to_vec(), "precompiled"),
        (b"#!/bin/sh".to_vec(), "not a WebAssembly component"),
        (wat::parse_str("(module)").unwrap(), "core module"),
        (vec![0; 40 * 1024 * 1024], "the limit is"),
    ] {
        let message = refused(bytes).await;
        assert!(message.contains(reason), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_imports_are_refused_by_name() {
    for import in [
        "wasi:http/incoming-handler@0.2.3",
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:filesystem/types@0.3.0",
        "wasi:clocks/monotonic-clock@0.3.0",
        "evil:host/backdoor@1.0.0",
        "workflow:node/secrets@0.1.0",
    ] {
        let message = refused_wat(&format!("(component (import \"{import}\" (instance)))")).await;
        assert!(message.contains(import), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_contract_is_named() {
    let message =
        refused_wat(r#"(component (import "workflow:node/http@0.2.0" (instance)))"#).await;
    assert!(message.contains("0.2.0") && message.contains("0.1.0"), "{message}");
    let message = refused_wat("(component)").await;
    assert!(message.contains("workflow:node/credential-type@0.1.0"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn async_functions_are_refused() {
    let message = refused_wat(
        r#"(component (import "workflow:node/http@0.1.0" (instance (export "f" (func async)))))"#,
    )
    .await;
    assert!(message.contains("async"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_component_never_brings_the_host_down() {
    let whole = std::fs::read(component_build::guest("minimal-node")).unwrap();
    let host = Host::builder().isolation(isolation()).build().unwrap();
    for cut in [8, 100, whole.len() / 2, whole.len() - 1] {
        assert!(host.load(whole[..cut].to_vec()).await.is_err());
    }
    for position in (8..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x55;
        if let Err(error) = host.load(damaged).await {
            assert!(error.is_refused() || error.is_stopped(), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_optional_interface_trigger_is_bound_where_it_is_exported() {
    let host = host().build().unwrap();
    let plugin = host.load_file(component_build::guest("trigger-node")).await.unwrap();
    let trigger = plugin.trigger("tick").unwrap();
    assert_eq!(trigger.interval(), Some(std::time::Duration::from_secs(60)));
    let plugin = host.load_file(component_build::guest("minimal-node")).await.unwrap();
    assert!(plugin.description().triggers.is_empty());
    let error = plugin.trigger("tick").unwrap_err();
    assert!(error.to_string().contains("tick"), "{error}");
}

/// The hostile plugin as a build in which the action `hostile.misbehave` has this version.
fn build_with_version(version: char) -> Vec<u8> {
    let mut component = std::fs::read(component_build::guest("hostile")).unwrap();
    let name = br#""name":"hostile.misbehave","version":"#;
    let at = component.windows(name.len()).position(|text| text == name).unwrap() + name.len();
    component[at] = u8::try_from(version).unwrap();
    component
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_run_side_by_side_and_each_only_what_was_built_with_its_version() {
    let host = host().build().unwrap();
    let mut builds = Vec::new();
    for version in [1, 2] {
        let component = build_with_version(char::from_digit(version, 10).unwrap());
        let plugin = host.load(component).await.unwrap();
        plugin.approve(None).await.unwrap();
        builds.push((version, plugin));
    }
    assert_ne!(builds[0].1.digest(), builds[1].1.digest());
    for wanted in [1, 2] {
        for (has, plugin) in &builds {
            let execution = Execution::new("hostile.misbehave")
                .version(wanted)
                .item(json!({"case": "wait-for-nothing"}));
            match plugin.execute(execution).await {
                Ok(outcome) => {
                    assert_eq!(wanted, *has);
                    assert!(outcome.items[0].is_ok(), "{outcome:?}");
                }
                Err(error) => {
                    assert_ne!(wanted, *has);
                    assert_eq!(error.kind(), ErrorKind::Version);
                    let message = error.to_string();
                    for text in [
                        format!("built with version {wanted} of the action `hostile.misbehave`"),
                        format!("has version {has}"),
                        "Nothing was sent".to_owned(),
                    ] {
                        assert!(message.contains(&text), "{message}");
                    }
                }
            }
        }
    }
}

async fn minimal(approvals: Arc<dyn Approvals>, development: bool) -> Plugin {
    let host = host().approvals(approvals).development(development).build().unwrap();
    host.load_file(component_build::guest("minimal-node")).await.unwrap()
}

async fn run(plugin: &Plugin) -> Result<(), Error> {
    let execution = Execution::new("echo.get").item(json!({"text": "hello"}));
    let outcome = plugin.execute(execution).await?;
    assert_eq!(end_to_end::values(&outcome, 0), [json!({"text": "hello"})]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_before_it_is_approved() {
    let plugin = minimal(Arc::new(MemoryApprovals::default()), false).await;
    let error = run(&plugin).await.unwrap_err();
    assert!(error.is_not_approved(), "{error}");
    assert!(
        plugin.configure("any", &serde_json::Map::new(), None).await.unwrap_err().is_not_approved()
    );
    plugin.approve(Some("somebody".into())).await.unwrap();
    run(&plugin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_in_a_file_holds_for_the_digest_and_for_no_more_than_was_granted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.json");
    let file = || Arc::new(FileApprovals::new(&path));
    let plugin = minimal(file(), false).await;
    plugin.approve(None).await.unwrap();
    run(&minimal(file(), false).await).await.unwrap();
    // An edited approval file that grants less than the component requests.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("https://example.com", "https://other.example.com"))
        .unwrap();
    let error = run(&minimal(file(), false).await).await.unwrap_err();
    assert!(error.to_string().contains("requests to https://example.com"), "{error}");
    // A changed component is another component.
    let digest = plugin.digest().to_string();
    std::fs::write(&path, text.replace(&digest, &format!("sha256:{}", "0".repeat(64)))).unwrap();
    let error = run(&minimal(file(), false).await).await.unwrap_err();
    assert!(error.is_not_approved() && error.to_string().contains("no new permissions"), "{error}");
    // Development mode lets a rebuild pass that asks for nothing new.
    run(&minimal(file(), true).await).await.unwrap();
    // An invalid file is not an approval.
    std::fs::write(&path, "{").unwrap();
    assert!(run(&minimal(file(), true).await).await.unwrap_err().to_string().contains("approvals"));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_validated_before_anything_is_run() {
    let plugin = minimal(Arc::new(MemoryApprovals::default()), false).await;
    plugin.approve(None).await.unwrap();
    let mut execution = Execution::new("echo.get")
        .item(json!({"text": "good"}))
        .item(json!({"text": 7}))
        .item(json!({"txet": "x"}));
    let error = plugin.execute(execution.clone()).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    let pointers: Vec<&str> = error.problems().iter().map(|one| one.pointer.as_str()).collect();
    assert!(pointers.contains(&"/1/text") && pointers.iter().any(|one| one.starts_with("/2")));
    execution.continue_on_fail = true;
    let outcome = plugin.execute(execution).await.unwrap();
    let kinds: Vec<Option<&str>> = outcome
        .items
        .iter()
        .map(|item| item.error.as_ref().map(|error| error.kind.as_str()))
        .collect();
    assert_eq!(kinds, [None, Some("invalid-input"), Some("invalid-input")]);
    let error = plugin.execute(Execution::new("echo.gte")).await.unwrap_err();
    assert!(error.to_string().contains("echo.get"), "known names are listed: {error}");
}
