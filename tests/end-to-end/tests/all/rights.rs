//! No permission is wider than what was approved: attacks of a hostile plugin, one by one.

mod approvals;
mod principals;
mod requests;

use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};

const API: &str = "https://api.pagerduty.com";

/// An origin of the hostile plugin that tests map to a server with plain HTTP.
const PLAIN: &str = "http://plain.example.com";

fn open(directory: &std::path::Path) -> SqliteStore {
    let key = StoreKey::generate().unwrap();
    let cost = PassphraseCost::for_tests();
    SqliteStore::open_with_cost(&directory.join("credentials.db"), key, cost).unwrap()
}
