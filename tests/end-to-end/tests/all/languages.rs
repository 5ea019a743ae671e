//! The example nodes in other languages, built with the default settings of their toolchains.
//! `.ci/engines` builds them; without it, these tests say that they were not run.

#![allow(clippy::print_stderr, reason = "a test that is not run says so")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use end_to_end::transport;
use pagerduty_simulator::Simulator;
use serde_json::{Map, json};
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::{Execution, Host, Plugin, Secret};

/// The component of an example, or a sentence on standard error.
fn built(language: &str) -> Option<PathBuf> {
    let component = component_build::example(language);
    if component.is_none() {
        eprintln!(
            "!!! the example in {language} is not built, or older than its sources: ITS TEST WAS NOT \
             RUN. To build it, run: .ci/engines"
        );
        let required = std::env::var_os("REQUIRE_EXAMPLES").is_some();
        assert!(!required, "the example in {language} is required, and not built");
    }
    component
}

/// Loads an example under the default limits, compiled again, and runs it.
async fn loads_runs_and_leads_nowhere(language: &str, exception: &str) {
    let Some(component) = built(language) else { return };
    let simulator = Simulator::builder().start().await.unwrap();
    let credentials = Arc::new(MemoryCredentials::default());
    let host = Host::builder()
        .isolation(end_to_end::isolation())
        .transport(Arc::new(transport(&simulator).build().unwrap()))
        .credential_source(credentials.clone())
        .build()
        .unwrap();
    let begun = Instant::now();
    let plugin = host.load_file(&component).await.unwrap();
    eprintln!(
        "the example in {language} ({} bytes) was loaded in {:?}",
        plugin.surface().size,
        begun.elapsed()
    );
    plugin.approve(None).await.unwrap();
    let configuration = plugin.configure("token", &Map::new(), None).await.unwrap();
    credentials.insert(Credential {
        name: "account".into(),
        node: plugin.description().node.name.clone(),
        credential_type: "token".into(),
        fields: Map::new(),
        secrets: [("token".to_owned(), Secret::new(simulator.us().keys().user))].into(),
        configuration,
        granted_scopes: None,
        revision: 1,
    });
    its_requests_carry_the_credential(&plugin, &simulator).await;
    an_exception_is_the_first_thing_that_its_error_says(&plugin, exception).await;
    its_runtime_leads_nowhere(&plugin).await;
}

async fn its_requests_carry_the_credential(plugin: &Plugin, simulator: &Simulator) {
    let execution = Execution::new("ability.list")
        .credential("account", "account")
        .item(json!({ "prefix": "t" }))
        .item(json!({}));
    let outcome = plugin.execute(execution).await.unwrap();
    assert!(outcome.stopped.is_none(), "{outcome:?}");
    let names = |item: usize| -> Vec<String> {
        let records = end_to_end::values(&outcome, item);
        records.iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(0).iter().all(|name| name.starts_with('t')), "{:?}", names(0));
    assert!(names(1).len() > names(0).len() && !names(0).is_empty());
    assert_eq!(simulator.requests().len(), 2);
}

async fn an_exception_is_the_first_thing_that_its_error_says(plugin: &Plugin, exception: &str) {
    let execution = Execution::new("exception.throw").item(json!({ "message": "no such luck" }));
    let outcome = plugin.execute(execution).await.unwrap();
    let error = outcome.stopped.as_ref().expect("it is stopped");
    let expected = format!("stopped: {exception} (");
    assert!(error.to_string().contains(&expected), "{error}\n{:?}", error.crash());
}

/// Features of the language's runtime outside the contract are refused, and the guest can catch the
/// error.
async fn its_runtime_leads_nowhere(plugin: &Plugin) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let execution = Execution::new("outside.reach").item(json!({ "address": address }));
    let outcome = plugin.execute(execution).await.unwrap();
    assert!(outcome.stopped.is_none(), "{outcome:?}");
    let report = end_to_end::values(&outcome, 0).remove(0);
    assert_eq!(report["reached"], json!([]), "{report}");
    assert!(!report["refused"].as_array().unwrap().is_empty(), "{report}");
    let arrived = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(arrived.is_err(), "a connection has arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_componentize_js_loads_runs_and_leads_nowhere() {
    // The bindings of componentize-js take what is thrown for the error that the contract describes.
    let exception = "\"undefined\" is not one of the cases of error-kind";
    loads_runs_and_leads_nowhere("javascript", exception).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_componentize_py_loads_runs_and_leads_nowhere() {
    loads_runs_and_leads_nowhere("python", "ValueError: no such luck").await;
}
