//! The default credential store, tested from outside: its results and errors, and the bytes in its
//! files.
#![cfg(feature = "store")]

#[path = "credential_store/answers.rs"]
mod answers;
#[path = "credential_store/changes.rs"]
mod changes;
#[path = "credential_store/exports.rs"]
mod exports;
#[path = "credential_store/files.rs"]
mod files;
#[path = "credential_store/formats.rs"]
mod formats;
#[path = "credential_store/seals.rs"]
mod seals;
#[path = "credential_store/sharing.rs"]
mod sharing;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use workflow_node_host::credential::{
    Claim, ConnectionKey, ConnectionParts, CredentialStatus, CredentialSummary, Head, HeadChange,
    Health, LastUse, LeaseChange, Mode, NewCredential, Renewal, Stored,
};
use workflow_node_host::store::{KeyKind, PassphraseCost, SqliteStore, StoreError, StoreKey};
use workflow_node_host::{Principal, Secret, Tenant, User};

const CANARY: &str = "pd-canary-7Qz\"x9\\Lw2-e5Rk";

struct Fixture {
    directory: TempDir,
    key: StoreKey,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate_key_file(&directory.path().join("store.key")).unwrap();
        Self { directory, key }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data").join("credentials.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), self.key.clone()).unwrap()
    }

    /// The database, past the store.
    fn database(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

fn passphrase(text: &str) -> StoreKey {
    StoreKey::Passphrase(Secret::new(text))
}

fn secrets(token: &str) -> BTreeMap<String, Secret> {
    [("token".to_owned(), Secret::new(token))].into()
}

fn new(name: &str, token: &str) -> NewCredential {
    NewCredential {
        head: Head {
            tenant: Tenant::default(),
            name: name.into(),
            description: "For the nightly report.".into(),
            owner: Some("ada".into()),
            mode: Mode::Shared,
            allowed_actions: Some(["item.list".to_owned()].into()),
            node: "example".into(),
            credential_type: "api-token".into(),
        },
        user: None,
        parts: ConnectionParts {
            fields: json!({ "region": "eu", "limit": 1.50 }).as_object().unwrap().clone(),
            configuration: serde_json::from_value(json!({
                "base_urls": { "rest": "https://api.example.com" },
                "audiences": ["https://api.example.com"],
            }))
            .unwrap(),
            asked_scopes: Some(vec!["items.read".into(), "items.write".into()]),
            granted_scopes: Some(vec!["items.read".into()]),
            identity: json!({ "account": "A1" }).as_object().unwrap().clone(),
            expires_at: Some(4_102_444_800_000),
            lifetime: Some(86_400_000),
        },
        secrets: secrets(token),
    }
}

fn key(name: &str) -> ConnectionKey {
    ConnectionKey::of(name)
}

fn renewal(token: &str) -> Renewal {
    Renewal { secrets: secrets(token), granted_scopes: None, expires_at: None, lifetime: None }
}

fn renew(store: &SqliteStore, name: &str, revision: u64, token: &str) -> Result<u64, StoreError> {
    store.renew(&key(name), revision, renewal(token))
}

fn get(store: &SqliteStore, name: &str) -> Result<Stored, StoreError> {
    store.read(&key(name))
}

fn token(store: &SqliteStore, name: &str) -> String {
    get(store, name).unwrap().secrets["token"].expose().to_owned()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// A secret in the encodings that a file may contain.
fn encodings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(secret);
    let json = serde_json::to_string(&text).unwrap();
    let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reversed = secret.iter().rev().copied().collect();
    let mut all = vec![secret.to_vec(), json.trim_matches('"').into(), utf16, reversed];
    all.extend([hex.to_uppercase().into_bytes(), hex.into_bytes()]);
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        // The bytes before the secret shift its base64; the first and last characters also
        // depend on the neighboring bytes.
        for shift in 0..3 {
            let encoded = engine.encode([&b"..."[..shift], secret].concat());
            all.push(encoded[4..encoded.len() - 2].into());
        }
    }
    all
}
