//! A store, a service, a manager, and a plugin's description, approved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use serde_json::json;

use super::service::{FIRST, Service};
use crate::approval::{Approval, Approvals as _, GrantRequest, MemoryApprovals};
use crate::audit::{AuditLog, MemoryAudit};
use crate::clock::SystemClock;
use crate::credential::reference::References;
use crate::credential::{
    ConnectionKey, ConnectionParts, Credential, CredentialError, CredentialRequest,
    CredentialSource as _, Head, Mode, NewCredential, Stored,
};
use crate::description::Description;
use crate::digest::Digest;
use crate::egress::Endpoints;
use crate::limits::ProcessLimits;
use crate::oauth::{Backend, CredentialManager, NoEvents, Timing};
use crate::secret::Secret;
use crate::store::{PassphraseCost, SqliteStore, StoreKey};
use crate::transport::{
    HttpTransport, Transport, TransportError, TransportRequest, TransportResponse,
};

/// Reaches the service without TLS, under the https name that is described.
pub(super) struct Plain(HttpTransport);

impl Plain {
    pub(super) fn to(port: u16) -> Self {
        let mapping = format!("http://id.test=http://127.0.0.1:{port}").parse().unwrap();
        Self(HttpTransport::builder().connect_to(mapping).build().unwrap())
    }
}

#[async_trait]
impl Transport for Plain {
    async fn send(
        &self,
        mut request: TransportRequest,
    ) -> Result<TransportResponse, TransportError> {
        assert_eq!(request.url.scheme(), "https", "tokens are got over https");
        request.url = request.url.as_str().replacen("https", "http", 1).parse().unwrap();
        self.0.send(request).await
    }
}

pub(super) fn description(grace: Option<u64>) -> Arc<Description> {
    let node = json!({
        "name": "example", "version": 1, "display_name": "Example", "description": "An example.",
        "origins": ["https://api.test"],
        "slots": {"main": {"credential_types": ["user", "app"], "description": "A token."}},
        "actions": [
            {"name": "item.list", "version": 1, "title": "List", "description": "Lists.",
             "slots": {"main": {"required": true, "scopes": ["items.read"]}}, "effect": "read",
             "idempotency": "safe", "parameters": {}, "output": {"main": {}}},
            {"name": "item.create", "version": 1, "title": "Create", "description": "Creates.",
             "slots": {"main": {"required": true, "scopes": ["items.write"]}}, "effect": "create",
             "idempotency": "none", "parameters": {}, "output": {"main": {}}}]
    });
    let placement = json!([{"kind": "header", "name": "Authorization", "value":
        "Bearer {access_token}", "origins": ["https://api.test"], "path": "/**"}]);
    let fields = json!({"type": "object", "properties": {"client_id": {"type": "string"},
        "key_id": {"type": "string"},
        "client_secret": {"type": "string", "writeOnly": true}}});
    let scopes = json!([
        {"name": "items.read", "description": "See items.", "access": "read"},
        {"name": "items.write", "description": "Change items.", "access": "write"},
        {"name": "everything", "description": "All of it.", "covers": "write"}]);
    let mut user = json!({"kind": "authorization-code",
        "authorize_urls": ["https://id.test/authorize"], "token_urls": ["https://id.test/token"],
        "revoke_urls": ["https://id.test/revoke"], "pkce": "S256",
        "client_authentication": "client_secret_post", "client_id_field": "client_id",
        "client_secret_field": "client_secret"});
    if let Some(grace) = grace {
        user["refresh_grace_ms"] = grace.into();
    }
    let app = json!({"kind": "client-credentials", "token_urls": ["https://id.test/token"],
        "client_authentication": "client_secret_basic", "client_id_field": "client_id",
        "client_secret_field": "client_secret"});
    let signing = json!({"kind": "client-credentials", "token_urls": ["https://id.test/token"],
        "client_authentication": "private_key_jwt", "client_id_field": "client_id",
        "client_secret_field": "client_secret", "key_id_field": "key_id"});
    let credential_type = |name: &str, grant: &serde_json::Value| {
        json!({"name": name, "version": 1, "display_name": name, "description": name,
            "fields": fields, "grant": grant, "scopes": scopes, "origins": ["https://api.test"],
            "placements": placement})
    };
    let types = json!({"credential_types": [credential_type("user", &user),
        credential_type("app", &app), credential_type("signing", &signing)]});
    Arc::new(
        Description::read(&node.to_string(), &types.to_string(), None, &ProcessLimits::default())
            .unwrap(),
    )
}

pub(super) fn fast() -> Timing {
    Timing {
        lease: Duration::from_secs(10),
        answer: Duration::from_secs(20),
        first_pause: Duration::from_millis(20),
        ..Timing::default()
    }
}

pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) service: Service,
    pub(super) manager: CredentialManager,
    pub(super) store: SqliteStore,
    pub(super) audit: Arc<MemoryAudit>,
    pub(super) request: CredentialRequest,
}

pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join("credentials.db")
}

pub(super) fn open(directory: &Path) -> SqliteStore {
    let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
    SqliteStore::open_with_cost(&path(directory), key, PassphraseCost::for_tests()).unwrap()
}

pub(super) fn digest() -> Digest {
    Digest::of(b"the component")
}

pub(super) fn manager(
    store: &SqliteStore,
    port: u16,
    description: &Description,
    timing: Timing,
    audit: Arc<MemoryAudit>,
) -> CredentialManager {
    let approvals = MemoryApprovals::default();
    approvals
        .record(Approval {
            digest: digest(),
            grant: GrantRequest::of(description),
            withheld: Default::default(),
            servers: Default::default(),
            approved_at: 0,
            approved_by: None,
        })
        .now_or_never()
        .expect("memory answers at once")
        .unwrap();
    let audit = AuditLog::new(audit, &ProcessLimits::default());
    let clock = Arc::new(SystemClock::default());
    CredentialManager::new(Backend {
        store: Arc::new(store.clone()),
        endpoints: Endpoints {
            transport: Arc::new(Plain::to(port)),
            approvals: Arc::new(approvals),
            audit: audit.clone(),
            clock: clock.clone(),
        },
        references: References::new(crate::limits::ReferenceLimits::default(), clock.clone()),
        clock,
        audit,
        events: Arc::new(NoEvents),
        timing,
    })
}

pub(super) fn request(description: &Arc<Description>) -> CredentialRequest {
    CredentialRequest {
        name: "work".into(),
        slot: "main".into(),
        node: "example".into(),
        plugin: Some(digest()),
        action: "item.list".into(),
        description: Some(description.clone()),
        ..CredentialRequest::default()
    }
}

pub(super) fn now() -> u64 {
    crate::clock::Clock::unix_milliseconds(&SystemClock::default())
}

pub(super) fn new(expires_at: Option<u64>, lifetime: Option<u64>) -> NewCredential {
    NewCredential {
        head: Head {
            tenant: Default::default(),
            name: "work".into(),
            description: String::new(),
            owner: Some(Default::default()),
            mode: Mode::Private,
            allowed_actions: None,
            node: "example".into(),
            credential_type: "user".into(),
        },
        user: None,
        parts: ConnectionParts {
            fields: json!({"client_id": "the client/+%: é"}).as_object().unwrap().clone(),
            configuration: serde_json::from_value(json!({"audiences": ["https://api.test"],
            "oauth": {"authorize_url": "https://id.test/authorize",
                "token_url": "https://id.test/token", "revoke_url": "https://id.test/revoke",
                "scopes": ["items.read"]}}))
            .unwrap(),
            asked_scopes: Some(vec!["items.read".into()]),
            granted_scopes: Some(vec!["items.read".into()]),
            identity: serde_json::Map::new(),
            expires_at,
            lifetime,
        },
        secrets: BTreeMap::from([
            ("client_secret".to_owned(), Secret::new("a secret:+% é canary")),
            ("access_token".to_owned(), Secret::new("access-token-0000-canary")),
            ("refresh_token".to_owned(), Secret::new(FIRST)),
        ]),
    }
}

/// An app's own credential.
pub(super) fn app() -> NewCredential {
    let mut app = new(Some(now() - 1), Some(3_600_000));
    app.head.credential_type = "app".into();
    app.secrets.remove("refresh_token");
    app.parts.configuration = serde_json::from_value(json!({"audiences": ["https://api.test"],
        "oauth": {"token_url": "https://id.test/token", "scopes": ["items.read"]}}))
    .unwrap();
    app
}

/// An app's own credential, with a private key in PEM.
pub(super) fn signing(key: &str) -> NewCredential {
    let mut signing = app();
    signing.head.credential_type = "signing".into();
    signing.parts.fields.insert("key_id".into(), "key 7".into());
    signing.secrets.insert("client_secret".into(), Secret::new(key));
    signing
}

impl World {
    /// With a credential whose access token ended a moment ago.
    pub(super) async fn over() -> Self {
        Self::with(new(Some(now() - 1), Some(3_600_000)), None, fast()).await
    }

    pub(super) async fn with(
        credential: NewCredential,
        grace: Option<u64>,
        timing: Timing,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let service = Service::start().await;
        let store = open(directory.path());
        store.add(credential).unwrap();
        let description = description(grace);
        let audit = Arc::new(MemoryAudit::default());
        let manager = manager(&store, service.port, &description, timing, audit.clone());
        Self { directory, service, manager, store, audit, request: request(&description) }
    }

    pub(super) async fn get(&self) -> Result<Credential, CredentialError> {
        self.manager.credential(&self.request).await
    }

    /// The access token that a caller gets.
    pub(super) async fn token(&self) -> String {
        self.get().await.unwrap().secrets["access_token"].expose().to_owned()
    }

    pub(super) fn stored(&self) -> Stored {
        self.store.read(&ConnectionKey::of("work")).unwrap()
    }

    pub(super) fn secret(&self, name: &str) -> String {
        self.stored().secrets[name].expose().to_owned()
    }

    pub(super) fn status(&self) -> &'static str {
        self.store.summary("work").unwrap().status.as_str()
    }

    /// Another process's manager over the same store.
    pub(super) fn another(&self) -> CredentialManager {
        let description = self.request.description.as_ref().unwrap();
        let audit = Arc::new(MemoryAudit::default());
        manager(&open(self.directory.path()), self.service.port, description, fast(), audit)
    }
}
