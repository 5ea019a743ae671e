//! Uses of the library by an engine beyond running actions: it links its own imports as well, and
//! provides its own credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use end_to_end::{World, host, transport, values};
use pagerduty_simulator::{Simulator, TokenKind};
use serde_json::{Value, json};
use workflow_node_host::credential::{
    Credential, CredentialError, CredentialRequest, CredentialSource,
};
use workflow_node_host::imports::{WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView};
use workflow_node_host::{Execution, Secret, Silent};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_links_the_imports_beside_its_own() {
    use wasmtime::component::{Component, Linker, ResourceTable};
    use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

    struct MyState {
        node: WorkflowNodeCtx,
        wasi: WasiCtx,
        table: ResourceTable,
    }
    impl WorkflowNodeView for MyState {
        fn workflow_node(&mut self) -> WorkflowNodeCtxView<'_> {
            WorkflowNodeCtxView { ctx: &mut self.node }
        }
    }
    impl WasiView for MyState {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
        }
    }

    let world = World::new().await;
    let engine = wasmtime::Engine::default();
    let mut linker: Linker<MyState> = Linker::new(&engine);
    workflow_node_host::imports::add_to_linker(&mut linker).unwrap();
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    let execution = world.execution("user", "service.list", &[json!({})]);
    let node = world.plugin.context(&execution, Arc::new(Silent)).await.unwrap();
    let state = MyState { node, wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
    let mut store = wasmtime::Store::new(&engine, state);
    let component = Component::from_file(&engine, component_build::pagerduty()).unwrap();
    let instance = linker.instantiate_async(&mut store, &component).await.unwrap();

    // The action's slot is filled, so the plugin can prove the credential through our own store.
    let interface = "workflow:node/credential-type@0.1.0";
    let interface = instance.get_export_index(&mut store, None, interface).unwrap();
    let test = instance.get_export_index(&mut store, Some(&interface), "test").unwrap();
    let test = instance.get_func(&mut store, test).unwrap();
    let mut results = [wasmtime::component::Val::Bool(false)];
    let slot = [wasmtime::component::Val::String("rest".into())];
    test.call_async(&mut store, &slot, &mut results).await.unwrap();
    let text = format!("{results:?}");
    assert!(text.contains("ada@example.com"), "{text}");
    // The abilities of the plan, the user, and the write permission.
    assert_eq!(world.simulator.requests().len(), 3);
}

/// A source whose token was revoked, and that has a newer one.
struct Renewing {
    credential: Credential,
    newer: String,
    refreshes: AtomicUsize,
}

impl Renewing {
    fn with_token(&self, token: &str, revision: u64) -> Credential {
        let mut credential = self.credential.clone();
        credential.secrets = [("access_token".to_owned(), Secret::new(token))].into();
        credential.revision = revision;
        credential
    }
}

#[async_trait]
impl CredentialSource for Renewing {
    async fn credential(&self, _: &CredentialRequest) -> Result<Credential, CredentialError> {
        Ok(self.with_token("pdus+_0XBPWQQ_revoked-revoked-revoked", 1))
    }

    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        assert_eq!((request.name.as_str(), revision), ("mine", 1));
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Ok(self.with_token(&self.newer, 2))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refresh_serves_all_requests_that_were_refused_with_the_old_token() {
    let world = World::new().await;
    let fields = json!({"region": "us", "client_id": "c", "redirect_url": "https://x.test/"});
    let fields = end_to_end::object(fields);
    let configuration = world.plugin.configure("oauth2", &fields, None).await.unwrap();
    let source = Arc::new(Renewing {
        credential: Credential {
            name: "mine".into(),
            node: "pagerduty".into(),
            credential_type: "oauth2".into(),
            fields,
            secrets: [].into(),
            configuration,
            granted_scopes: Some(vec!["read".into()]),
            revision: 1,
        },
        newer: world.us().mint_token(TokenKind::UserToken, &["read"]),
        refreshes: AtomicUsize::new(0),
    });
    let transport = transport(&world.simulator).build().unwrap();
    let host =
        host().transport(Arc::new(transport)).credential_source(source.clone()).build().unwrap();
    let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
    plugin.approve(None).await.unwrap();
    let mut execution = Execution::new("ability.list").credential("rest", "mine");
    execution.items = vec![json!({"limit": 1}); 20];
    let outcome = plugin.execute(execution).await.unwrap();
    for item in 0..20 {
        assert_eq!(values(&outcome, item).len(), 1);
    }
    assert_eq!(source.refreshes.load(Ordering::SeqCst), 1);
    let refused =
        world.simulator.requests().iter().filter(|one| one.response_status == Some(401)).count();
    assert!((1..=20).contains(&refused), "each request is sent again at most once: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_speaks_http_1_only_is_served_over_several_connections() {
    let simulator = Simulator::builder().http1_only().latency(std::time::Duration::from_millis(20));
    let world = World::with(simulator, |host| host).await;
    let items: Vec<Value> = vec![json!({"limit": 1}); 40];
    let outcome = world.run("ability.list", &items).await;
    assert!(outcome.items.iter().all(|item| item.is_ok()));
    let connections = world.simulator.connections_opened();
    assert!((2..=40).contains(&connections), "{connections}");
    assert!(world.simulator.requests().iter().all(|one| one.http_version == "HTTP/1.1"));
    // And they are used again.
    world.run("ability.list", &items).await;
    assert!(world.simulator.connections_opened() < 80, "two runs of 40 requests");
}
