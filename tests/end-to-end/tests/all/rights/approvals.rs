//! Approved, withheld, and disabled permissions, and rebuilds that request more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use workflow_node_host::credential::CredentialForm;
use workflow_node_host::oauth::{Actor, ConnectOrder};
use workflow_node_host::{
    Approvals as _, Disabled, Execution, FileApprovals, Host, MemoryApprovals, Plugin, PluginName,
    Withheld,
};

use super::{API, open};
use crate::support::Hostile;

#[tokio::test(flavor = "multi_thread")]
async fn configure_cannot_add_a_parameter_to_a_consent_that_was_not_approved() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()));
    let host: Host = end_to_end::host().credential_store(store).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    let manager = host.credentials().unwrap();
    let begin = async |name: &str, value: &str| {
        let order = ConnectOrder {
            name: "work".into(),
            credential_type: "account".into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"client_id": "c", "extra": {name: value}})),
                ..CredentialForm::default()
            },
            redirect: Some("https://example.com/callback".parse().unwrap()),
            ..ConnectOrder::default()
        };
        let begun = manager.begin(&plugin, order, &Actor::user("ada")).await;
        begun.map(|begun| begun.url.to_string()).map_err(|error| error.to_string())
    };
    for name in [
        "authorization_details",
        "user_scope",
        "optional_scope",
        "include_granted_scopes",
        "claims",
        "resource",
        "audience",
        "prompt",
        "id_token_hint",
        "login_hint",
        "acr_values",
        "dpop_jkt",
        "scope",
        "SCOPE",
        "Scope",
        "scope ",
        " scope",
        "scope\t",
        "%73cope",
        "scope%20",
        "sco\u{200b}pe",
        "\u{17f}cope",
        "scope[]",
        "redirect_uri",
        "REDIRECT_URI",
        "access_type ",
        "ACCESS_TYPE",
    ] {
        let refusal = begin(name, "offline").await.expect_err(name);
        assert!(refusal.contains("OAuth parameter"), "{name}: {refusal}");
    }
    assert!(begin("access_type", "online").await.is_err());
    let url = begin("access_type", "offline").await.unwrap();
    assert!(url.contains("access_type=offline") && url.matches("scope=").count() == 1, "{url}");
}

/// A rebuild of the hostile plugin in which one text of its description is another one.
fn rebuilt(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(component_build::guest("hostile")).unwrap();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{from}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_drops_a_protection_is_not_approved_in_development_mode() {
    let approvals = Arc::new(MemoryApprovals::default());
    let host = end_to_end::host().approvals(approvals).development(true).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    for (from, to, words) in [
        (
            r#""x-secret":"integration-key""#,
            r#""x-sneaky":"integration-key""#,
            "reading the secret",
        ),
        (r#""values":["offline"]"#, r#""values":["forever"]"#, "access_type=forever"),
        (r#""requests":1000"#, r#""requests":9999"#, "more requests"),
        (r#""milliseconds":1000"#, r#""milliseconds":1   "#, "more requests"),
        (r#""rate_limit":{"#, r#""rate_limix":{"#, "more requests"),
        (r#""idempotency":"none""#, r#""idempotency":"safe""#, "may be retried"),
        (r#""path":"/services/{id}""#, r#""path":"/services/none""#, "reading the secret"),
    ] {
        let rebuilt = host.load(rebuilt(from, to)).await.unwrap();
        let error = rebuilt.check_approval().await.expect_err(to);
        assert!(error.is_not_approved(), "{to}: {error}");
        assert!(error.to_string().contains(words), "{to}: {error}");
    }
    // One that asks for nothing new and keeps what protects is approved.
    let from = r#""description":"Breaks the contract.""#;
    let harmless =
        host.load(rebuilt(from, r#""description":"Honors the contract.""#)).await.unwrap();
    harmless.check_approval().await.unwrap();
}

async fn approved_without(withheld: Withheld) -> (Host, Plugin) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()));
    let host = end_to_end::host().credential_store(store).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve_without(withheld, None).await.unwrap();
    (host, plugin)
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_permissions_are_refused_with_the_option_that_withholds_them() {
    // An origin, and one place below a wildcard would be the same.
    let withheld = Withheld { origins: vec![API.parse().unwrap()], ..Withheld::default() };
    let (_, plugin) = approved_without(withheld.clone()).await;
    let execution = Execution::new("hostile.request").item(json!({"url": format!("{API}/users")}));
    let outcome = plugin.execute(execution).await.unwrap();
    let record = end_to_end::values(&outcome, 0).remove(0);
    assert_eq!(record["error"], "SendErrorKind::Denied", "{record}");
    let option = format!("--without-origin {API}");
    assert!(record["message"].as_str().unwrap().contains(&option), "{record}");
    assert_eq!(plugin.approval().await.unwrap().withheld, withheld);

    // An effect and an action: nothing of it runs.
    for (withheld, option) in [
        (
            Withheld { effects: ["execute".parse_effect()].into(), ..Withheld::default() },
            "--without-effect execute",
        ),
        (
            Withheld { actions: ["hostile.request".to_owned()].into(), ..Withheld::default() },
            "--without-action hostile.request",
        ),
    ] {
        let (_, plugin) = approved_without(withheld).await;
        let execution = Execution::new("hostile.request").item(json!({}));
        let error = plugin.execute(execution).await.unwrap_err();
        assert!(error.is_withheld(), "{error}");
        assert!(error.to_string().contains(option), "{error}");
    }

    // A scope is not asked for.
    let scopes = [("account".to_owned(), ["read".to_owned()].into())].into();
    let (host, plugin) = approved_without(Withheld { scopes, ..Withheld::default() }).await;
    let order = ConnectOrder {
        name: "work".into(),
        credential_type: "account".into(),
        form: CredentialForm {
            fields: end_to_end::object(json!({"client_id": "c"})),
            ..CredentialForm::default()
        },
        redirect: Some("https://example.com/callback".parse().unwrap()),
        ..ConnectOrder::default()
    };
    let manager = host.credentials().unwrap();
    let error = manager.begin(&plugin, order, &Actor::user("ada")).await.unwrap_err();
    assert!(error.to_string().contains("--without-scope account:read"), "{error}");

    // A permission that was never requested cannot be withheld: its name must be a typo.
    let withheld =
        Withheld { actions: ["hostile.reqest".to_owned()].into(), ..Withheld::default() };
    assert!(plugin.approve_without(withheld, None).await.unwrap_err().is_invalid_input());
}

trait ParseEffect {
    fn parse_effect(&self) -> workflow_node_host::description::Effect;
}

impl ParseEffect for str {
    fn parse_effect(&self) -> workflow_node_host::description::Effect {
        serde_json::from_value(json!(self)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_plugin_ends_what_runs_and_refuses_what_would() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.json");
    let approvals = Arc::new(FileApprovals::new(&path));
    for by_digest in [false, true] {
        let kept = approvals.clone();
        let hostile = Hostile::with(|transport| transport, |host| host.approvals(kept)).await;
        let plugin = hostile.plugin.clone();
        let running = tokio::spawn(async move {
            let started = Instant::now();
            let outcome = hostile.misbehave("wait-long").await;
            (outcome, started.elapsed(), hostile)
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        // As another process does.
        let other = FileApprovals::new(&path);
        let name = match by_digest {
            true => PluginName::Digest(plugin.digest()),
            false => PluginName::Node("hostile".into()),
        };
        let disabled = Disabled { plugin: name.clone(), since: 0, by: Some("carol".into()) };
        other.disable(disabled).await.unwrap();
        let (outcome, elapsed, hostile) = running.await.unwrap();
        let stopped = outcome.stopped.expect("it was stopped").to_string();
        assert!(stopped.contains("disabled by carol"), "{stopped}");
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
        let error = plugin.execute(hostile.execution("hostile.request")).await.unwrap_err();
        assert!(error.is_disabled(), "{error}");
        assert!(error.to_string().contains(&format!("harness plugin enable {name}")), "{error}");
        assert!(other.enable(&name).await.unwrap());
        assert!(!other.enable(&name).await.unwrap());
        plugin.execute(hostile.execution("hostile.request")).await.unwrap();
    }
}
