//! Costs of calls, in counts that are the same on every machine: fuel that the guest consumes, bytes
//! that are copied between host and guest, and memory growth of the guest. A separate host responds
//! immediately, in the order of the requests. A count that exceeds the committed baseline by more than a
//! fifth fails.
//!
//! `UPDATE_COSTS=1 cargo test -p end-to-end --test all costs` updates the baseline.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use serde_json::{Value, json};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Config, Engine, ResourceLimiter, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin",
        additional_derives: [Clone],
    });
}

use bindings::Plugin;
use bindings::exports::workflow::node::node::Call;
use bindings::workflow::node::{completions, context, http, timer, types};

/// How much a count may grow.
const TOLERANCE: f64 = 1.2;

/// The host's side of one instance.
struct Scripted {
    answer: fn(&http::Request) -> (u16, String),
    tickets: u64,
    queue: VecDeque<u64>,
    answers: BTreeMap<u64, http::Response>,
    /// Bytes of strings and bodies that went into the guest, and that came out of it.
    copied: (usize, usize),
    requests: usize,
    memory: usize,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Scripted {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl ResourceLimiter for Scripted {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory += desired - current;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

impl types::Host for Scripted {}

impl completions::Host for Scripted {
    fn next(&mut self) -> Option<u64> {
        self.queue.pop_front()
    }
    fn cancel(&mut self, ticket: u64) {
        self.queue.retain(|open| *open != ticket);
    }
}

impl timer::Host for Scripted {
    fn after(&mut self, _duration: u64) -> u64 {
        self.tickets += 1;
        self.queue.push_back(self.tickets);
        self.tickets
    }
}

impl http::Host for Scripted {
    fn submit(&mut self, request: http::Request) -> u64 {
        let headers: usize =
            request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.copied.1 += request.url.len() + headers + request.body.as_ref().map_or(0, Vec::len);
        self.requests += 1;
        let (status, body) = (self.answer)(&request);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let ticket = timer::Host::after(self, 0);
        let body = body.into_bytes();
        self.answers.insert(ticket, http::Response { status, headers, body, retry_after: None });
        ticket
    }
    fn take(&mut self, ticket: u64) -> Result<http::Response, http::SendError> {
        let response = self.answers.remove(&ticket).expect("an answer is taken once");
        self.copied.0 += response.body.len();
        Ok(response)
    }
    fn send(&mut self, _request: http::Request) -> Result<http::Response, http::SendError> {
        unreachable!("the SDK submits")
    }
}

impl context::Host for Scripted {
    fn log(&mut self, _level: context::Level, message: String, fields: String) {
        self.copied.1 += message.len() + fields.len();
    }
    fn progress(&mut self, _done: u64, _total: Option<u64>, message: String) {
        self.copied.1 += message.len();
    }
    fn emit(&mut self, _item: u32, outputs: Vec<types::OutputItem>) {
        self.copied.1 += outputs.iter().map(|output| output.json.len()).sum::<usize>();
    }
    fn finish_item(&mut self, item: u32, outcome: Result<Vec<types::OutputItem>, types::Error>) {
        if let Ok(outputs) = outcome {
            self.emit(item, outputs);
        }
    }
    fn cancelled(&mut self) -> bool {
        false
    }
    fn now(&mut self) -> u64 {
        1_700_000_000_000
    }
    fn deadline(&mut self) -> Option<u64> {
        None
    }
    fn random(&mut self, length: u32) -> Vec<u8> {
        vec![7; length as usize]
    }
    fn idempotency_key(&mut self, item: u32) -> String {
        format!("wf-{item:032x}")
    }
    fn credential(&mut self, _slot: String) -> Option<context::CredentialView> {
        let base_urls = json!({
            "rest": "https://api.pagerduty.com", "events": "https://events.pagerduty.com",
        });
        Some(context::CredentialView {
            credential_type: "api-token".into(),
            fields: r#"{"region":"us","from_email":"ada@example.com"}"#.into(),
            configuration: json!({"audiences": [], "base_urls": base_urls}).to_string(),
            granted_scopes: None,
        })
    }
}

/// One instance of the component.
struct Instance {
    store: Store<Scripted>,
    plugin: Plugin,
    initial: usize,
}

/// Costs of a call.
#[derive(Clone, Copy, Debug)]
struct Cost {
    fuel: u64,
    into: usize,
    out: usize,
    /// Linear memory above that of a new instance, after the call.
    growth: usize,
    requests: usize,
}

struct Costs {
    engine: Engine,
    component: Component,
    linker: Linker<Scripted>,
    versions: BTreeMap<String, u32>,
}

impl Costs {
    fn new() -> Self {
        let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
        let component = Component::from_file(&engine, component_build::pagerduty()).unwrap();
        let mut linker = Linker::new(&engine);
        Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).unwrap();
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        let mut costs = Self { engine, component, linker, versions: BTreeMap::new() };
        let mut instance = costs.instance(|_| (500, String::new()));
        let Instance { store, plugin, .. } = &mut instance;
        let described = plugin.workflow_node_node().call_describe(store).unwrap();
        let described: Value = serde_json::from_str(&described).unwrap();
        for action in described["actions"].as_array().unwrap() {
            let version = action["version"].as_u64().and_then(|version| version.try_into().ok());
            costs.versions.insert(action["name"].as_str().unwrap().into(), version.unwrap());
        }
        costs
    }

    fn instance(&self, answer: fn(&http::Request) -> (u16, String)) -> Instance {
        let state = Scripted {
            answer,
            tickets: 0,
            queue: VecDeque::new(),
            answers: BTreeMap::new(),
            copied: (0, 0),
            requests: 0,
            memory: 0,
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        store.set_fuel(u64::MAX).unwrap();
        let plugin = Plugin::instantiate(&mut store, &self.component, &self.linker).unwrap();
        let initial = store.data().memory;
        Instance { store, plugin, initial }
    }

    /// Runs an action; all items must succeed.
    fn call(&self, instance: &mut Instance, action: &str, items: &[Value]) -> Cost {
        let Instance { store, plugin, initial } = instance;
        let items: Vec<String> = items.iter().map(Value::to_string).collect();
        let call = Call {
            node: "pagerduty".into(),
            version: self.versions[action],
            action: action.into(),
            items,
            options: r#"{"continue_on_fail":true}"#.into(),
        };
        let into: usize = call.items.iter().map(String::len).sum();
        store.data_mut().copied = (0, 0);
        store.data_mut().requests = 0;
        store.set_fuel(u64::MAX).unwrap();
        let results =
            plugin.workflow_node_node().call_execute(&mut *store, &call).unwrap().unwrap();
        let fuel = u64::MAX - store.get_fuel().unwrap();
        let mut out = 0;
        for result in results {
            let outputs = result.unwrap_or_else(|error| panic!("{action}: {}", error.message));
            out += outputs.iter().map(|output| output.json.len()).sum::<usize>();
        }
        let state = store.data();
        Cost {
            fuel,
            into: state.copied.0 + into,
            out: state.copied.1 + out,
            growth: state.memory - *initial,
            requests: state.requests,
        }
    }
}

/// A record of some 3 kB, as an incident is.
fn record(kind: &str) -> String {
    let assignee = json!({"at": "2026-01-01T00:00:00Z", "assignee": {
        "id": "PUSER000000001", "type": "user_reference", "summary": "Ada Lovelace",
        "self": "https://api.pagerduty.com/users/PUSER000000001", "html_url": null,
    }});
    json!({kind: {
        "id": "PRECORD0000001", "type": kind, "name": "Checkout", "number": 12,
        "summary": "[#12] Checkout answers 500", "urgency": "high", "status": "triggered",
        "assignments": vec![assignee; 12], "description": "x".repeat(200),
    }})
    .to_string()
}

fn answer(request: &http::Request) -> (u16, String) {
    let path = request.url.split(".com").nth(1).unwrap_or_default();
    match (request.method.as_str(), path.split('?').next().unwrap_or_default()) {
        ("GET", "/services") => {
            let offset: usize = path
                .split_once("offset=")
                .and_then(|(_, rest)| rest.split('&').next()?.parse().ok())
                .unwrap_or_default();
            let service = record("service");
            let service = &service[r#"{"service":"#.len()..service.len() - 1];
            // Each its own: a service whose pages bring nothing new would be found out.
            let own = |number: usize| {
                let name = if number == 0 { "Checkout".into() } else { format!("C{number:07}") };
                let id = format!("PRECORD{:07}", number + 1);
                service
                    .replace("PRECORD0000001", &id)
                    .replace(r#""Checkout""#, &format!("{name:?}"))
            };
            let services: Vec<String> = (offset..offset + 100).map(own).collect();
            let services = services.join(",");
            let more = offset < 900;
            let page = format!(
                r#"{{"services":[{services}],"limit":100,"offset":{offset},"more":{more},"total":1000}}"#
            );
            (200, page)
        }
        ("POST", "/incidents") => (201, record("incident")),
        _ if path.starts_with("/services/") => (200, record("service")),
        _ => (200, record("incident")),
    }
}

fn baseline() -> PathBuf {
    component_build::workspace_root().join("tests/end-to-end/tests/costs.json")
}

#[test]
fn no_count_of_what_calls_cost_has_grown() {
    let costs = Costs::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let get = json!({"incident_id": "PRECORD0000001"});
    let named = json!({"service_id": "Checkout"});
    let create = json!({
        "service_id": "PRECORD0000001", "title": "Checkout answers 500", "urgency": "high",
        "details": "Since the release of this morning.",
    });
    for (action, item) in
        [("incident.get", &get), ("incident.create", &create), ("service.get", &named)]
    {
        let one = costs.call(&mut costs.instance(answer), action, std::slice::from_ref(item));
        let many = costs.call(&mut costs.instance(answer), action, &vec![item.clone(); 201]);
        for (name, one, many) in [
            ("fuel", one.fuel, many.fuel),
            ("bytes into the guest", one.into as u64, many.into as u64),
            ("bytes out of the guest", one.out as u64, many.out as u64),
        ] {
            counts.insert(format!("{action}: {name}, one item"), one);
            counts.insert(format!("{action}: {name}, each further item"), (many - one) / 200);
        }
        counts.insert(format!("{action}: memory growth, one item"), one.growth as u64);
        counts.insert(format!("{action}: memory growth, 201 items"), many.growth as u64);
        // A name costs one look-up, however many items give it.
        let lookups = many.requests - 201;
        counts.insert(format!("{action}: look-ups, 201 items"), lookups as u64);
    }
    let list = costs.call(&mut costs.instance(answer), "service.list", &[json!({"all": true})]);
    counts.insert("service.list: fuel, 1,000 records".into(), list.fuel);
    counts.insert("service.list: memory growth, 1,000 records".into(), list.growth as u64);

    if std::env::var_os("UPDATE_COSTS").is_some() {
        let text = serde_json::to_string_pretty(&counts).unwrap() + "\n";
        std::fs::write(baseline(), text).unwrap();
    }
    let committed = std::fs::read_to_string(baseline()).unwrap();
    let committed: BTreeMap<String, u64> = serde_json::from_str(&committed).unwrap();
    let grown: Vec<String> = counts
        .iter()
        .filter_map(|(name, count)| {
            let before = committed.get(name).copied().unwrap_or_default();
            let has_grown = *count as f64 > before as f64 * TOLERANCE;
            has_grown.then(|| format!("{name}: {before} before, {count} now"))
        })
        .collect();
    assert!(
        grown.is_empty(),
        "calls cost more than before. If that is worth it, run with UPDATE_COSTS=1:\n{}",
        grown.join("\n")
    );
    assert_eq!(counts.len(), committed.len(), "the baseline has other counts: UPDATE_COSTS=1");
}

#[test]
fn memory_is_flat_however_many_portions_an_instance_serves() {
    let costs = Costs::new();
    let mut instance = costs.instance(answer);
    let items = vec![json!({"incident_id": "PRECORD0000001"}); 1_000];
    let first = costs.call(&mut instance, "incident.get", &items).growth;
    assert!(first <= 1024 * 1024, "1,000 items grew the guest's memory by {first} bytes");
    for _ in 0..20 {
        let growth = costs.call(&mut instance, "incident.get", &items).growth;
        assert_eq!(growth, first);
    }
    // One item needs no more than an instance has.
    let one = costs.call(&mut costs.instance(answer), "incident.get", &items[..1]).growth;
    assert!(one <= 128 * 1024, "one item grew the guest's memory by {one} bytes");
}
