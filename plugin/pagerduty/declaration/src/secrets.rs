//! Where responses and requests hold secrets: the host puts handles in their place.

use workflow_node_sdk::documents::SecretPosition;

/// An integration's key opens incidents for whoever holds it; a webhook's secret lets anybody sign
/// deliveries; a calendar's address shows when people work. And there are passwords that PagerDuty
/// is given for other tools.
pub(crate) fn secrets() -> Vec<SecretPosition> {
    serde_json::from_str(include_str!("secrets.json")).expect("secrets.json has secret positions")
}
