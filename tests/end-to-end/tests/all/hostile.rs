//! Plugins that break the contract: each is stopped, the host lives, and the error says why.

use std::time::Duration;

use serde_json::{Value, json};
use workflow_node_host::{CancellationToken, Outcome};

use crate::support::Hostile;

fn stopped(outcome: &Outcome) -> String {
    let error = outcome.stopped.as_ref().expect("the plugin was stopped");
    assert!(error.is_stopped(), "{error}");
    assert_eq!(outcome.items[0].error.as_ref().expect("the item failed").kind, "internal");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_breaks_the_contract_is_stopped_with_a_reason() {
    let hostile = Hostile::new().await;
    for (case, reason) in [
        ("loop", "it computed for longer than 300ms"),
        ("recursion", "stack"),
        ("memory", "more than 64 MiB of memory"),
        ("panic", "unreachable"),
        ("exit", "exit"),
        ("no-result", "0 results for 1 items"),
        ("two-results", "2 results for 1 items"),
        ("wrong-port", "the port `elsewhere`"),
        ("no-json", "not valid JSON"),
        ("deep-json", "nested deeper than 64"),
        ("emit-elsewhere", "`context.emit` for item 7"),
        ("emit-wrong-port", "the port `elsewhere`"),
        ("finish-elsewhere", "`context.finish-item` for item 7"),
        ("finish-wrong-port", "the port `elsewhere`"),
        ("finish-no-json", "not valid JSON"),
        ("take-unknown", "`http.take` of ticket 42"),
        ("take-early", "has not returned"),
        ("too-random", "the limit is 1024"),
        ("ticket-bomb", "open tickets"),
    ] {
        let message = stopped(&hostile.misbehave(case).await);
        assert!(message.contains(reason), "{case}: {message}");
        assert!(!message.contains('\u{1b}'), "{case}");
        // The same host goes on, with a fresh instance.
        let outcome = hostile.misbehave("wait-for-nothing").await;
        assert_eq!(end_to_end::values(&outcome, 0), [json!(true)], "after {case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_has_ended_stays_as_it_ended() {
    let hostile = Hostile::new().await;
    let outcome = hostile.misbehave("finish-and-return").await;
    assert!(outcome.items[0].is_ok() && outcome.stopped.is_none());
    assert_eq!(end_to_end::values(&outcome, 0), [json!("first")]);
    let outcome = hostile.misbehave("finish-and-trap").await;
    let stopped = outcome.stopped.as_ref().unwrap().to_string();
    assert!(stopped.contains("after the item has ended"), "{stopped}");
    assert!(outcome.items[0].is_ok(), "{:?}", outcome.items[0].error);
    assert_eq!(end_to_end::values(&outcome, 0), [json!("first"), json!("second")]);
    for (case, function) in [("emit-after-the-end", "emit"), ("finish-twice", "finish-item")] {
        let outcome = hostile.misbehave(case).await;
        let stopped = outcome.stopped.as_ref().unwrap().to_string();
        let reason = format!("`context.{function}` for item 0, which has ended");
        assert!(stopped.contains(&reason), "{stopped}");
        assert_eq!(end_to_end::values(&outcome, 0), [json!(1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_never_used_again_within_an_instance() {
    let hostile = Hostile::new().await;
    let mut execution = hostile.execution("hostile.misbehave");
    execution.items = vec![json!({"case": "ticket"}); 3];
    execution.concurrency = Some(1);
    execution.context.limits =
        Some(workflow_node_host::Limits { portion_items: 1, ..Default::default() });
    let outcome = hostile.plugin.execute(execution).await.unwrap();
    let tickets: Vec<_> = (0..3).flat_map(|item| end_to_end::values(&outcome, item)).collect();
    assert_eq!(tickets, [json!(1), json!(2), json!(3)], "{:?}", outcome.stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_explained_by_what_the_guest_wrote_and_where_it_was() {
    let hostile = Hostile::new().await;
    for (case, reason, output, function) in [
        (
            "panic",
            "the plugin was stopped: panicked at hostile/src/lib.rs:",
            "a panic with \\u{1b}[31mcolours",
            "hostile::misbehave",
        ),
        ("abort", r"no way on with \u{1b}[31mthis\u{202e} (wasm trap: ", "", "hostile::misbehave"),
        ("recursion", "call stack exhausted", "", "deeper"),
        (
            "memory",
            "stopped: it needed more than 64 MiB of memory (",
            "memory allocation of ",
            "hostile::misbehave",
        ),
    ] {
        let outcome = hostile.misbehave(case).await;
        let message = stopped(&outcome);
        assert!(message.contains(reason), "{case}: {message}");
        assert!(!message.contains('\n'), "{case}: {message}");
        let crash = outcome.stopped.as_ref().and_then(workflow_node_host::Error::crash);
        let crash = crash.unwrap_or_else(|| panic!("{case}: {message}"));
        assert!(crash.output.contains(output), "{case}: {crash:?}");
        assert!(!crash.output.contains(['\u{1b}', '\u{202e}']), "{case}: {crash:?}");
        assert!(
            crash.functions.iter().any(|name| name.contains(function)),
            "{case}: {:?}",
            crash.functions
        );
        // An engine that shows the error of the item shows them, too.
        let detail = outcome.items[0].error.as_ref().unwrap().detail.as_ref().unwrap();
        assert_eq!(detail["crash"]["output"], crash.output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_floods_its_output_leaves_the_end_of_it() {
    let hostile = Hostile::new().await;
    let outcome = hostile.misbehave("flood").await;
    assert!(stopped(&outcome).contains("after the flood (wasm trap"), "{}", stopped(&outcome));
    let crash = outcome.stopped.as_ref().unwrap().crash().unwrap();
    assert!(crash.output.len() <= 8 * 1024, "{}", crash.output.len());
    assert!(crash.output.contains("the last line on standard output\n"), "{crash:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_a_guest_prints_is_taken_out_of_its_crash() {
    let hostile = Hostile::new().await;
    let encodings = end_to_end::scan::encodings(&hostile.token).into_iter();
    let written = encodings.filter(|(encoding, _)| ["raw", "hex", "reversed"].contains(encoding));
    for (_, text) in written {
        let text = String::from_utf8(text).unwrap();
        for case in ["panic-with", "print-with"] {
            let mut execution = hostile.execution("hostile.misbehave");
            execution.items.push(json!({ "case": case, "text": text }));
            let outcome = hostile.plugin.execute(execution).await.unwrap();
            let crash = outcome.stopped.as_ref().unwrap().crash().unwrap();
            assert!(crash.output.contains("[credential removed]"), "{case}: {crash:?}");
            let shown = format!("{outcome:?}");
            // Not even the rest of one that was cut at the beginning of the output.
            let rest = &text[text.len() / 2..];
            assert!(!shown.contains(rest), "{case}: {shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_interface_of_wasi_leads_outside() {
    let hostile = Hostile::new().await;
    // Somebody would answer.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut execution = hostile.execution("hostile.misbehave");
    execution.items.push(json!({ "case": "reach", "address": address }));
    let outcome = hostile.plugin.execute(execution).await.unwrap();
    let report = end_to_end::values(&outcome, 0).remove(0);
    let report = report.as_object().unwrap();
    assert_eq!(report.len(), 13, "{report:?}");
    assert!(report.values().all(Value::is_null), "{report:?}");
    let arrived = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(arrived.is_err(), "a connection has arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_never_sent_do_not_fill_the_host() {
    let hostile = Hostile::new().await;
    let message = stopped(&hostile.misbehave("hoard-requests").await);
    assert!(message.contains("table"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_beyond_the_limit_stops_the_plugin() {
    let hostile = Hostile::new().await;
    for case in ["large-output", "finish-large"] {
        let mut execution = hostile.execution("hostile.misbehave");
        if let Some(limits) = &mut execution.context.limits {
            limits.output = 1 << 20;
        }
        execution.items.push(json!({ "case": case }));
        let outcome = hostile.plugin.execute(execution).await.unwrap();
        assert!(stopped(&outcome).contains("larger than 1048576 bytes"), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_sleeps_is_ended_by_the_deadline() {
    let hostile = Hostile::new().await;
    for case in ["sleep", "wait-long"] {
        let mut execution = hostile.execution("hostile.misbehave");
        if let Some(limits) = &mut execution.context.limits {
            limits.total_time = Duration::from_millis(200);
        }
        execution.items.push(json!({ "case": case }));
        let outcome = hostile.plugin.execute(execution).await.unwrap();
        match case {
            // The host's own timer ends at the deadline, and the guest returns.
            "wait-long" => assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped),
            _ => assert!(stopped(&outcome).contains("after its time limit")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_reaches_a_guest_that_waits() {
    let hostile = Hostile::new().await;
    let mut execution = hostile.execution("hostile.misbehave");
    let cancellation = CancellationToken::new();
    execution.context.cancellation = cancellation.clone();
    execution.items.push(json!({"case": "wait-long"}));
    let running = tokio::spawn({
        let plugin = hostile.plugin.clone();
        async move { plugin.execute(execution).await }
    });
    cancellation.cancel();
    let outcome = running.await.unwrap().unwrap();
    assert_eq!(end_to_end::values(&outcome, 0), [json!({"named": true, "cancelled": true})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_ticket_is_never_named() {
    let hostile = Hostile::new().await;
    let outcome = hostile.misbehave("cancelled-ticket").await;
    assert_eq!(end_to_end::values(&outcome, 0), [json!(true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_no_environment_clock_or_randomness() {
    let hostile = Hostile::new().await;
    let of = async |case: &str| end_to_end::values(&hostile.misbehave(case).await, 0).remove(0);
    assert_eq!(of("environment").await, json!({"variables": 0, "arguments": 0}));
    assert_eq!(of("clock").await, json!(0));
    // Chance comes from the execution's seed: the same id, the same bytes.
    let chance = async |id: &str| -> Value {
        let mut execution = hostile.execution("hostile.misbehave");
        execution.id = Some(id.into());
        execution.items.push(json!({"case": "chance"}));
        end_to_end::values(&hostile.plugin.execute(execution).await.unwrap(), 0).remove(0)
    };
    let first = chance("a").await;
    assert_eq!(first, chance("a").await);
    assert_ne!(first, chance("b").await);
    assert_ne!(first[0], first[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_between_calls() {
    let hostile = Hostile::new().await;
    for _ in 0..3 {
        let outcome = hostile.misbehave("remember").await;
        assert_eq!(end_to_end::values(&outcome, 0), [json!(1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_counted_and_made_harmless() {
    use std::sync::{Arc, Mutex};
    use workflow_node_host::{LogLevel, Observer};
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);
    impl Observer for Lines {
        fn log(&self, _level: LogLevel, message: &str, _fields: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
    let hostile = Hostile::new().await;
    let lines = Arc::new(Lines::default());
    let mut execution = hostile.execution("hostile.misbehave");
    execution.items.push(json!({"case": "logs"}));
    let outcome = hostile.plugin.execute_observed(execution, lines.clone()).await.unwrap();
    assert!(outcome.stopped.is_none());
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 1_000);
    assert!(lines.iter().all(|line| !line.contains(['\u{1b}', '\n', '\u{202e}'])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_beyond_the_description_is_refused() {
    let hostile = Hostile::new().await;
    let fields = json!({"audience": "https://evil.example.com"});
    let fields = fields.as_object().unwrap();
    let error = hostile.plugin.configure("token", fields, None).await.unwrap_err();
    assert!(
        error.is_refused() && error.to_string().contains("https://evil.example.com"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_and_honest_calls_run_side_by_side() {
    let hostile = Hostile::new().await;
    let calls = (0..16).map(|n| {
        let case = ["loop", "memory", "wait-for-nothing", "panic"][n % 4];
        let plugin = hostile.plugin.clone();
        let mut execution = hostile.execution("hostile.misbehave");
        execution.items.push(json!({ "case": case }));
        tokio::spawn(async move { (case, plugin.execute(execution).await.unwrap()) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (case, outcome) = call.await.unwrap();
        assert_eq!(outcome.stopped.is_none(), case == "wait-for-nothing", "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_the_guest_gives_up_are_audited_all_the_same() {
    let hostile = Hostile::new().await;
    hostile.simulator.set_latency(Duration::from_secs(5));
    let outcome = hostile.misbehave("abandon").await;
    assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped);
    let events = hostile.audit.events();
    assert_eq!(events.len(), 2, "{events:?}");
    for event in events {
        assert_eq!(event.verdict, workflow_node_host::audit::Verdict::Failed);
        let reason = event.reason.unwrap();
        assert!(reason.contains("abandoned the request; it may have been received"), "{reason}");
        assert_eq!(event.credential.as_deref(), Some("token"));
    }
}
