//! A journal cut off at any byte is continued: what was read is read again, what was written with a key
//! exists once, and what was written without one was sent at most once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use workflow_node_host::journal::{
    JournalError, JournalName, JournalStore as _, Journals, Recording,
};
use workflow_node_host::{
    CallContext, Error, ExecutionEvent, ExecutionStream, OptionsQuery, OptionsRequest, Plugin,
    Resume, Silent,
};

use crate::tap::{Bench, Sent, cuts, execution, modes, told};

/// Call that is recorded.
enum Scenario {
    List(&'static str, Vec<Value>),
    /// With another plugin, whose credential is `token`.
    Of(Plugin, &'static str, Vec<Value>),
    Stream(&'static str, Vec<Value>),
    Choices(Box<OptionsQuery>),
}

impl Scenario {
    async fn run(&self, bench: &Bench, journals: &Journals) -> Value {
        match self {
            Self::List(action, items) => {
                let execution = execution(action, items, journals);
                told(&bench.plugin.execute(execution).await.unwrap())
            }
            Self::Of(plugin, action, items) => {
                let mut execution = execution(action, items, journals);
                execution.credentials = [("rest".to_owned(), "token".to_owned())].into();
                told(&plugin.execute(execution).await.unwrap())
            }
            Self::Stream(action, items) => {
                let execution = execution(action, &[], journals);
                let items = stream::iter(items.clone()).map(Ok::<_, Infallible>);
                let events =
                    bench.plugin.stream_items(execution, items, Arc::new(Silent)).await.unwrap();
                of_stream(events).await.unwrap()
            }
            Self::Choices(query) => {
                let context = CallContext::default().journal(journals.clone());
                let request = OptionsRequest::new((**query).clone())
                    .credential("rest", "user")
                    .context(context);
                assert!(!bench.plugin.load_options(request).await.unwrap().choices.is_empty());
                let name = journals.list().await.unwrap()[0].name;
                told(&bench.plugin.resume(journals, &name, Resume::default()).await.unwrap())
            }
        }
    }

    fn plugin<'a>(&'a self, bench: &'a Bench) -> &'a Plugin {
        match self {
            Self::Of(plugin, ..) => plugin,
            _ => &bench.plugin,
        }
    }

    /// Goes on with the journal, or begins again where nothing was begun.
    async fn resume(&self, bench: &Bench, journals: &Journals, name: &JournalName) -> Value {
        let begun = match self {
            Self::Stream(_, items) => {
                let known = match journals.read(name).await {
                    Ok(recording) => recording.items(),
                    Err(error) => {
                        assert!(matches!(error, JournalError::NotBegun), "{error}");
                        0
                    }
                };
                let items = stream::iter(items[known..].to_vec()).map(Ok::<_, Infallible>);
                let resume = Resume::default();
                match bench.plugin.resume_stream(journals, name, items, resume).await {
                    Ok(events) => of_stream(events).await,
                    Err(error) => Err(error),
                }
            }
            _ => {
                let plugin = self.plugin(bench);
                let resumed = plugin.resume(journals, name, Resume::default()).await;
                resumed.map(|outcome| told(&outcome))
            }
        };
        match begun {
            Ok(told) => told,
            Err(error) => {
                let is_begun = !matches!(error.journal(), Some(JournalError::NotBegun));
                assert!(!is_begun, "{error}");
                journals.remove(name).await.unwrap();
                self.run(bench, journals).await
            }
        }
    }
}

async fn of_stream(mut events: ExecutionStream) -> Result<Value, Error> {
    let mut output = BTreeMap::<u32, Vec<Value>>::new();
    let mut items = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            ExecutionEvent::Record { item, record } => {
                output.entry(item).or_default().push(record.value());
            }
            ExecutionEvent::ItemFinished { item, error, records, .. } => {
                let output = output.remove(&item).unwrap_or_default();
                assert_eq!(records, output.len() as u64);
                let former = items.insert(item, json!({ "output": output, "error": error }));
                assert!(former.is_none(), "item {item} is finished once");
            }
            ExecutionEvent::End(end) => {
                if let Some(error) = end.stopped {
                    return Err(error);
                }
            }
            _ => {}
        }
    }
    let items: Vec<Value> = items.into_values().collect();
    Ok(json!({ "items": items, "stopped": null }))
}

/// Runs a scenario, and goes on from every cut that leaves something else of its journal, and once more
/// from within each record. That all cuts within a record leave the same is tested with the format.
/// `judge` is given what happened before the cut, what was sent afterward, and what was told then and at
/// first.
async fn every_cut(
    bench: &Bench,
    scenario: &Scenario,
    mut judge: impl FnMut(&str, &[Sent], &[Sent], &Value, &Value),
) {
    let (memory, journals) = bench.journals();
    bench.tap.take();
    let whole = scenario.run(bench, &journals).await;
    let sent = bench.tap.take();
    let name = journals.list().await.unwrap()[0].name;
    let bytes = memory.read(&name).await.unwrap();
    let cuts = cuts(&bytes);
    assert!(cuts.len() > 15, "{} cuts", cuts.len());
    for cut in cuts {
        let (memory, journals) = bench.cut(&name, &bytes[..cut]);
        let before: Vec<Sent> =
            sent.iter().filter(|sent| sent.journal <= cut as u64).cloned().collect();
        let resumed = scenario.resume(bench, &journals, &name).await;
        let what = format!("cut at {cut} of {}", bytes.len());
        judge(&what, &before, &bench.tap.take(), &resumed, &whole);
        // The journal that was continued holds all of it: it replays, and sends nothing.
        let name = journals.list().await.unwrap()[0].name;
        let bytes = memory.read(&name).await.unwrap();
        let recording = Recording::open(&bytes, &bench.key).unwrap();
        let replay = scenario.plugin(bench).replay(&recording, Arc::new(Silent)).await.unwrap();
        assert!(replay.is_complete, "{what}");
        assert_eq!(told(&replay.outcome), resumed, "{what}");
        assert!(bench.tap.take().is_empty(), "{what}");
    }
}

/// Number of writes that contain this text.
fn count(sent: &[Sent], content: &str) -> usize {
    let writes = sent.iter().filter(|sent| sent.method == "POST");
    writes.filter(|sent| sent.body.to_string().contains(content)).count()
}

fn is_equal(what: &str, _: &[Sent], after: &[Sent], resumed: &Value, whole: &Value) {
    assert_eq!(resumed, whole, "{what}");
    assert!(after.iter().all(|sent| sent.method == "GET"), "{what}: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_reads_are_repeated() {
    for (_, isolation) in modes() {
        let bench = Bench::new(isolation).await;
        let service = bench.world.us().services()[0].id.clone();
        let read = Scenario::List("service.get", vec![json!({ "service_id": service })]);
        every_cut(&bench, &read, is_equal).await;
        bench.world.us().add_services(103);
        let pages = json!({"all": true, "simplify": true});
        let pages = Scenario::List("service.list", vec![pages]);
        every_cut(&bench, &pages, is_equal).await;
        let query = OptionsQuery::for_action("incident.create", "service_id");
        every_cut(&bench, &Scenario::Choices(Box::new(query)), is_equal).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_keyed_creates_create_once() {
    for (mode, isolation) in modes() {
        let bench = Bench::new(isolation).await;
        let service = bench.world.us().services()[0].id.clone();
        let items: Vec<Value> = (0..5)
            .map(|n| json!({"title": format!("number {n}"), "service_id": service}))
            .collect();
        let before = bench.world.us().incident_count();
        let scenario = Scenario::List("incident.create", items.clone());
        every_cut(&bench, &scenario, |what, _, _, resumed, whole| {
            let id = |told: &Value, item: usize| told["items"][item]["output"][0]["id"].clone();
            for item in 0..5 {
                assert!(id(whole, item).is_string(), "{whole}");
                assert_eq!(id(resumed, item), id(whole, item), "{what} {mode}: {resumed}");
            }
        })
        .await;
        assert_eq!(bench.world.us().incident_count() - before, 5, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_sent_once_or_its_outcome_is_unknown() {
    for (mode, isolation) in modes() {
        let bench = Bench::new(isolation).await;
        let incident = bench.world.us().add_incidents(1)[0].clone();
        let contents: Vec<String> = (0..5).map(|n| format!("note number {n}")).collect();
        let items: Vec<Value> = contents
            .iter()
            .map(|content| json!({"incident_id": incident, "content": content}))
            .collect();
        for scenario in [
            Scenario::List("incident_note.create", items.clone()),
            Scenario::Stream("incident_note.create", items.clone()),
        ] {
            let mut unknown = 0;
            every_cut(&bench, &scenario, |what, before, after, resumed, whole| {
                for (item, content) in contents.iter().enumerate() {
                    assert!(whole["items"][item]["error"].is_null(), "{whole}");
                    let (before, after) = (count(before, content), count(after, content));
                    let told = &resumed["items"][item];
                    let what = format!("{what} {mode}, item {item}: {before} + {after}: {told}");
                    match told["error"]["kind"].as_str() {
                        None => assert_eq!(before + after, 1, "{what}"),
                        Some(kind) => {
                            unknown += 1;
                            assert_eq!(kind, "outcome-unknown", "{what}");
                            assert_eq!(after, 0, "{what}");
                        }
                    }
                }
            })
            .await;
            assert!(unknown >= 5, "{unknown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_waits_for_each_request_sends_none_twice() {
    for (mode, isolation) in modes() {
        let bench = Bench::new(isolation).await;
        let hostile = bench.hostile().await;
        let incident = bench.world.us().add_incidents(1)[0].clone();
        let url = format!("https://api.pagerduty.com/incidents/{incident}/notes");
        let accept = ["Accept", "application/vnd.pagerduty+json;version=2"];
        let json_type = ["Content-Type", "application/json"];
        let from = ["From", "ada@example.com"];
        let request = |method: &str, content: Option<&str>, key: Option<&str>| {
            let body = content.map(|text| json!({"note": {"content": text}}).to_string());
            let mut request = json!({
                "method": method, "url": url, "credential": "rest",
                "headers": [accept, json_type, from],
            });
            if let Some(body) = body {
                request["body"] = json!(body);
            }
            if let Some(key) = key {
                request["idempotency_key"] = json!(key);
            }
            request
        };
        let items = vec![
            request("POST", Some("plain 0"), None),
            request("GET", None, None),
            request("POST", Some("keyed 1"), Some("key")),
            request("POST", Some("plain 2"), None),
        ];
        let scenario = Scenario::Of(hostile, "hostile.request", items);
        let (mut repeated, mut unknown) = (0, 0);
        every_cut(&bench, &scenario, |what, before, after, resumed, whole| {
            for (item, content) in ["plain 0", "", "keyed 1", "plain 2"].into_iter().enumerate() {
                let what = format!("{what} {mode}: {resumed}");
                assert!(whole["items"][item]["output"][0]["status"].is_u64(), "{whole}");
                let record = &resumed["items"][item]["output"][0];
                let sent = count(before, content) + count(after, content);
                match item {
                    1 => assert_eq!(record["status"], 200, "{what}"),
                    // It may be sent again: the guest says that the service knows the key.
                    2 => {
                        assert!(record["status"].is_u64() && sent >= 1, "{what}");
                        repeated += usize::from(sent == 2);
                    }
                    _ if record["status"].is_u64() => assert_eq!(sent, 1, "{what}"),
                    _ => {
                        unknown += 1;
                        assert_eq!(record["maybe_sent"], true, "{what}");
                        assert_eq!(count(after, content), 0, "{what}");
                    }
                }
            }
        })
        .await;
        assert!(repeated > 0 && unknown > 0, "{repeated} {unknown}");
    }
}
