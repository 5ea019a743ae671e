//! Granted scopes determine which actions run, for every action of the node.

use std::collections::BTreeSet;
use std::sync::Arc;

use end_to_end::{host, transport};
use pagerduty_simulator::Simulator;
use serde_json::{Value, json};
use workflow_node_host::audit::{CredentialOperation, MemoryAudit};
use workflow_node_host::credential::{ConnectionParts, Head, Mode, NewCredential};
use workflow_node_host::description::Effect;
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::{ErrorKind, Execution};

/// Scopes to write that some actions need which only read.
const READS_BY_WRITING: [&str; 2] = ["analytics.write", "schedules.write"];

/// A credential of type `oauth2` with these scopes and a token that nobody has given out.
fn credential(name: &str, scopes: &[&str], configuration: Value) -> NewCredential {
    NewCredential {
        head: Head {
            tenant: Default::default(),
            name: name.into(),
            description: String::new(),
            owner: Some(Default::default()),
            mode: Mode::Private,
            allowed_actions: None,
            node: "pagerduty".into(),
            credential_type: "oauth2".into(),
        },
        user: None,
        parts: ConnectionParts {
            fields: json!({"client_id": "c"}).as_object().unwrap().clone(),
            configuration: serde_json::from_value(configuration).unwrap(),
            asked_scopes: None,
            granted_scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
            identity: serde_json::Map::new(),
            expires_at: None,
            lifetime: None,
        },
        secrets: [("access_token".to_owned(), workflow_node_host::Secret::new("no-such-token"))]
            .into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_with_rights_to_read_every_reading_action_runs_and_every_other_lacks_a_scope() {
    let simulator = Simulator::builder().without_rate_limits().start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_with_cost(
        &directory.path().join("credentials.db"),
        StoreKey::generate().unwrap(),
        PassphraseCost::for_tests(),
    )
    .unwrap();
    let audit = Arc::new(MemoryAudit::default());
    let host = host()
        .transport(Arc::new(transport(&simulator).build().unwrap()))
        .credential_store(Arc::new(store.clone()))
        .audit(audit.clone())
        .build()
        .unwrap();
    let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
    plugin.approve(None).await.unwrap();
    let fields = json!({"client_id": "c"});
    let configuration =
        plugin.configure("oauth2", fields.as_object().unwrap(), None).await.unwrap();
    let configuration = serde_json::to_value(configuration).unwrap();
    let described = &plugin.description().credential_types["oauth2"];
    let scoped: Vec<&str> = described
        .scopes
        .iter()
        .map(|scope| scope.name.as_str())
        .filter(|name| name.ends_with(".read"))
        .collect();
    for (name, scopes) in [("scoped", &scoped[..]), ("classic", &["openid", "read"])] {
        store.add(credential(name, scopes, configuration.clone())).unwrap();
    }
    let (mut read, mut refused) = (0, 0);
    let mut reads_by_writing = BTreeSet::new();
    let before = audit.credential_events().len();
    for action in &plugin.description().node.actions {
        let Some(slot_use) = action.slots.get("rest") else { continue };
        let reads = slot_use.scopes.iter().all(|scope| scope.ends_with(".read"));
        for name in ["scoped", "classic"] {
            let mut execution = Execution::new(&action.name).credential("rest", name);
            let example = action.examples.first().map(|example| example.parameters.value().clone());
            execution.items = vec![example.unwrap_or_else(|| json!({}))];
            let outcome = plugin.execute(execution).await;
            if reads {
                // The token is made up: what is asked is whether it is tried at all.
                assert!(outcome.is_ok(), "{} {name}: {outcome:?}", action.name);
                read += 1;
            } else {
                let error = outcome.expect_err(&action.name);
                assert_eq!(error.kind(), ErrorKind::InsufficientScope, "{}: {error}", action.name);
                refused += 1;
            }
        }
        if !reads && action.effect == Effect::Read {
            reads_by_writing.extend(slot_use.scopes.iter().map(String::as_str));
        }
    }
    assert!(read >= 400 && refused >= 400, "{read} {refused}");
    // Analytics and the preview of a schedule are read with POST. They need a write scope although they
    // change nothing.
    assert_eq!(Vec::from_iter(reads_by_writing), READS_BY_WRITING);
    // Every use leaves an entry, allowed or not; the response to an invented token is not a use.
    let events = audit.credential_events();
    let uses: Vec<_> = events[before..]
        .iter()
        .filter(|event| event.operation == CredentialOperation::Use)
        .collect();
    assert_eq!(uses.len(), read + refused);
    assert_eq!(uses.iter().filter(|event| event.refused.is_some()).count(), refused);
    assert!(uses.iter().all(|event| event.plugin.is_some() && event.action.is_some()));
}
