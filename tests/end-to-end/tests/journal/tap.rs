//! A host whose requests are counted, and a PagerDuty behind it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use end_to_end::{World, host, transport, worker};
use pagerduty_simulator::Simulator;
use serde_json::{Map, Value, json};
use workflow_node_host::credential::Credential;
use workflow_node_host::journal::{
    JournalKey, JournalName, JournalStore as _, Journals, MemoryJournals,
};
use workflow_node_host::transport::{
    AnswerRoom, HttpTransport, Transport, TransportError, TransportRequest, TransportResponse,
};
use workflow_node_host::{
    CallContext, Execution, Host, Isolation, ItemOutcome, JournalLimits, Limits, Origin, Outcome,
    Plugin, Secret,
};

/// A request that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) body: Value,
    /// Bytes of the journal when it was sent.
    pub(crate) journal: u64,
}

/// Counts requests on their way.
pub(crate) struct Tap {
    inner: HttpTransport,
    sent: Mutex<Vec<Sent>>,
    journals: Mutex<MemoryJournals>,
    /// How long a write takes before it is answered.
    pub(crate) delay: Mutex<std::time::Duration>,
}

impl Tap {
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn writes(&self) -> Vec<Sent> {
        self.take().into_iter().filter(|sent| sent.method != "GET").collect()
    }

    async fn note(&self, request: &TransportRequest) {
        let journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let journal = journals.list().await.unwrap().first().map_or(0, |stored| stored.bytes);
        let body = request.body.as_deref().unwrap_or(b"null");
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent {
            method: request.method.to_string(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            journal,
        });
    }
}

#[async_trait]
impl Transport for Tap {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        self.send_within(request, &AnswerRoom::default()).await
    }

    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        self.note(&request).await;
        let delay = *self.delay.lock().unwrap_or_else(PoisonError::into_inner);
        let is_read = request.method == "GET";
        let answer = self.inner.send_within(request, room).await;
        if !is_read {
            tokio::time::sleep(delay).await;
        }
        answer
    }

    fn is_mapped(&self, origin: &Origin) -> bool {
        self.inner.is_mapped(origin)
    }
}

/// A mode of isolation, and its name.
pub(crate) fn modes() -> Vec<(&'static str, Isolation)> {
    vec![
        ("in this process", Isolation::InProcessUnapproved),
        ("in workers", Isolation::Process(worker())),
    ]
}

/// A service, and hosts that run PagerDuty's node against it.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) tap: Arc<Tap>,
    pub(crate) host: Host,
    pub(crate) plugin: Plugin,
    pub(crate) key: JournalKey,
}

impl Bench {
    pub(crate) async fn new(isolation: Isolation) -> Self {
        let simulator = Simulator::builder().without_rate_limits();
        let world = World::with(simulator, |host| host).await;
        let tap = Arc::new(Tap {
            inner: transport(&world.simulator).build().unwrap(),
            sent: Mutex::default(),
            journals: Mutex::default(),
            delay: Mutex::default(),
        });
        let (host, plugin) = Self::host(&world, &tap, isolation).await;
        Self { world, tap, host, plugin, key: JournalKey::generate().unwrap() }
    }

    /// Another host, as after a restart.
    pub(crate) async fn restart(&mut self, isolation: Isolation) {
        (self.host, self.plugin) = Self::host(&self.world, &self.tap, isolation).await;
    }

    async fn host(world: &World, tap: &Arc<Tap>, isolation: Isolation) -> (Host, Plugin) {
        let host = host()
            .isolation(isolation)
            .transport(tap.clone())
            .credential_source(world.credentials.clone())
            .rate_limit(Vec::new())
            .build()
            .unwrap();
        let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
        plugin.approve(None).await.unwrap();
        (host, plugin)
    }

    /// The guest of the same host that uses `http.send`, with a credential `token`.
    pub(crate) async fn hostile(&self) -> Plugin {
        let plugin = self.host.load_file(component_build::guest("hostile")).await.unwrap();
        plugin.approve(None).await.unwrap();
        let configuration = plugin.configure("token", &Map::new(), None).await.unwrap();
        self.world.credentials.insert(Credential {
            name: "token".into(),
            node: "hostile".into(),
            credential_type: "token".into(),
            fields: Map::new(),
            secrets: [("token".to_owned(), Secret::new(self.world.us().keys().user))].into(),
            configuration,
            granted_scopes: None,
            revision: 1,
        });
        plugin
    }

    /// An empty store of journals, whose size each request notes.
    pub(crate) fn journals(&self) -> (MemoryJournals, Journals) {
        let memory = MemoryJournals::default();
        *self.tap.journals.lock().unwrap() = memory.clone();
        let limits = JournalLimits::default();
        let journals = Journals::new(Arc::new(memory.clone()), self.key.clone(), limits);
        (memory, journals)
    }

    /// A store with a journal that was cut off.
    pub(crate) fn cut(&self, name: &JournalName, bytes: &[u8]) -> (MemoryJournals, Journals) {
        let (memory, journals) = self.journals();
        memory.insert(*name, bytes.to_vec());
        (memory, journals)
    }
}

/// The name of the journal of [`execution`].
pub(crate) fn name() -> JournalName {
    JournalName::of(&CallContext::default().actor.tenant, ID)
}

pub(crate) const ID: &str = "execution-1";

/// An execution that is recorded.
pub(crate) fn execution(action: &str, items: &[Value], journals: &Journals) -> Execution {
    let mut execution = Execution::new(action).credential("rest", "user");
    execution.items = items.to_vec();
    execution.continue_on_fail = true;
    execution.id = Some(ID.into());
    execution.concurrency = Some(2);
    execution.context.journal = Some(journals.clone());
    execution.context.limits = Some(Limits { portion_items: 2, ..Limits::default() });
    execution
}

/// Result of an execution, for comparison.
pub(crate) fn told(outcome: &Outcome) -> Value {
    let item = |item: &ItemOutcome| {
        let output: Vec<Value> = item.output.iter().map(|record| record.value()).collect();
        json!({ "output": output, "error": item.error })
    };
    json!({
        "items": outcome.items.iter().map(item).collect::<Vec<_>>(),
        "stopped": outcome.stopped.as_ref().map(ToString::to_string),
    })
}

/// Where a journal is cut off: at the end of each record, and in the middle of it. The format is in
/// docs/journal.md.
pub(crate) fn cuts(bytes: &[u8]) -> Vec<usize> {
    const HEADER: usize = 132;
    const PREFIX: usize = 40;
    let (mut cuts, mut at) = (vec![0, HEADER / 2], HEADER);
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let end = at + PREFIX + length;
        cuts.extend([at, (at + end) / 2]);
        at = end;
    }
    assert_eq!(at, bytes.len());
    cuts.push(at);
    cuts
}
