//! Where responses and requests contain secrets, which the host replaces with handles.

use workflow_node_sdk::documents::SecretPosition;

/// Anyone with an integration key can open incidents; anyone with the secret of a webhook can sign
/// deliveries; the URL of a calendar reveals working hours. In addition, there are the passwords of
/// other tools that are stored in PagerDuty.
pub(crate) fn secrets() -> Vec<SecretPosition> {
    serde_json::from_str(include_str!("secrets.json")).expect("secrets.json has secret positions")
}
