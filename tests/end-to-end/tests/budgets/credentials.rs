//! Credentials that are larger than one is, when they are connected.

use std::sync::Arc;

use serde_json::json;
use workflow_node_host::Secret;
use workflow_node_host::credential::CredentialForm;
use workflow_node_host::oauth::{Actor, ConnectOrder};
use workflow_node_host::store::{SqliteStore, StoreKey};

use crate::evil::alone;

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_could_not_be_used_is_refused_when_it_is_connected() {
    let _alone = alone().await;
    let directory = tempfile::tempdir().unwrap();
    let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
    let store = SqliteStore::open(&directory.path().join("store.db"), key).unwrap();
    let host = end_to_end::host().credential_store(Arc::new(store)).build().unwrap();
    let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
    plugin.approve(None).await.unwrap();
    let manager = host.credentials().unwrap();
    for (limit, secret, email) in [
        ("`credential`", 16 * 1024 + 1, 10),
        ("`credential`", 64 << 20, 10),
        ("`credential_fields`", 20, 64 * 1024 + 1),
    ] {
        let order = ConnectOrder {
            name: "large".into(),
            credential_type: "api-token".into(),
            form: CredentialForm {
                fields: end_to_end::object(json!({"from_email": "a".repeat(email)})),
                secrets: [("api_token".to_owned(), Secret::new("s".repeat(secret)))].into(),
            },
            ..ConnectOrder::default()
        };
        let connected = manager.connect_fixed(&plugin, order, &Actor::admin()).await;
        let Err(error) = connected else { panic!("{limit}: it is connected") };
        let error = error.to_string();
        assert!(error.contains(limit), "{limit}: {error}");
        assert!(error.len() < 500, "{limit}: {} bytes", error.len());
    }
}
