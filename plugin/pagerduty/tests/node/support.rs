//! A host with credentials, and functions that call the node.

use std::collections::VecDeque;

use pagerduty::PagerDuty;
use serde_json::{Value, json};
use workflow_node_sdk::error::Error;
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{self, Call};
use workflow_node_sdk::testing::{Host, answer};

/// A host whose credentials have these fields; it returns the responses one after the other.
pub(crate) fn host_with(fields: &Value, answers: &[(u16, &str)]) -> Host {
    let mut answers: VecDeque<Response> =
        answers.iter().map(|(status, body)| answer(*status, body)).collect();
    let host = Host::answering(move |request| {
        Ok(answers.pop_front().unwrap_or_else(|| panic!("an answer for {}", request.url)))
    });
    connected(host, fields.clone())
}

/// A host with credentials for both APIs; the credential for the REST API has these fields.
pub(crate) fn connected(host: Host, fields: Value) -> Host {
    host.connected::<PagerDuty>("rest", "api-token", fields).connected::<PagerDuty>(
        "events",
        "events-integration",
        json!({"region": "us"}),
    )
}

/// A host with ordinary credentials.
pub(crate) fn host(answers: &[(u16, &str)]) -> Host {
    host_with(&json!({"region": "us"}), answers)
}

/// Calls an action for one item.
pub(crate) fn call(host: &Host, action: &str, parameters: &Value) -> Result<Vec<Value>, Error> {
    let call = Call {
        node: "pagerduty".into(),
        version: 1,
        action: action.into(),
        items: vec![parameters.to_string()],
        options: "{}".into(),
    };
    let results = host.run(|| node::execute::<PagerDuty>(call))?;
    let outputs = results.into_iter().next().expect("one result per item")?;
    Ok(outputs.iter().map(|output| serde_json::from_str(&output.json).unwrap()).collect())
}

/// The one request that was sent.
pub(crate) fn only_request(host: &Host) -> Request {
    let requests = host.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.into_iter().next().unwrap()
}

/// A header of a request.
pub(crate) fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The body of a request.
pub(crate) fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_deref().expect("it has a body")).unwrap()
}

/// The body that an action sends. The result of the response is not tested here.
pub(crate) fn sent(action: &str, parameters: &Value) -> Value {
    let host = connected(Host::answering(|_| Ok(answer(200, "{}"))), json!({"region": "us"}));
    let outcome = call(&host, action, parameters);
    let requests = host.requests();
    let request = requests.iter().find(|request| request.body.is_some());
    body(request.unwrap_or_else(|| panic!("{action}: {outcome:?}")))
}
