//! An engine in about 40 lines: loads a node, approves it, makes a credential, and runs an action.
//!
//! ```text
//! cargo run -p component-build                       # prints where pagerduty.wasm is
//! cargo run -p pagerduty-simulator                   # prints a key, a CA file and an address
//! cargo run -p workflow-node-host --example embed -- pagerduty.wasm CA.pem https://127.0.0.1:PORT < key
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::json;
use workflow_node_host::credential::{CredentialForm, MemoryCredentials};
use workflow_node_host::transport::HttpTransport;
use workflow_node_host::{Execution, ExecutionEvent, Host, Isolation, WorkerCommand};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    // Nodes run in worker processes: this program, started with another argument.
    #[cfg(target_os = "linux")]
    if std::env::args().nth(1).as_deref() == Some("worker") {
        workflow_node_host::worker::run();
        return Ok(());
    }
    run()
}

#[tokio::main]
async fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, ca_file, simulator] = arguments.as_slice() else {
        return Err("usage: embed PLUGIN CA_FILE ORIGIN < KEY".into());
    };
    let key = std::io::read_to_string(std::io::stdin())?;

    // The engine supplies credentials, and decides how requests leave the machine.
    let credentials = Arc::new(MemoryCredentials::default());
    let transport = HttpTransport::builder()
        .ca_pem(std::fs::read(ca_file)?)
        .connect_to(format!("https://api.pagerduty.com={simulator}").parse()?)
        .build()?;
    let host = Host::builder()
        .isolation(Isolation::Process(WorkerCommand::current()?.argument("worker")))
        .credential_source(credentials.clone())
        .transport(Arc::new(transport))
        .build()?;

    // Loading grants nothing. An operator reviews what the plugin requests, and approves it.
    let plugin = host.load_file(plugin).await?;
    println!("{} requests {:?}", plugin.grant_request().node, plugin.grant_request().origins);
    plugin.approve(Some("the operator".into())).await?;

    // The plugin sees the fields of the form; the secret stays here.
    let form = CredentialForm::default().field("region", "us").secret("api_token", key.trim());
    credentials.insert(plugin.credential("pd", "api-token", form).await?);

    let execution = Execution::new("service.list").credential("rest", "pd").item(json!({}));
    let mut events = plugin.stream(execution).await?;
    while let Some(event) = events.next().await {
        match event {
            ExecutionEvent::Record { record, .. } => println!("{}", record.json),
            ExecutionEvent::ItemFinished { item, error: Some(error), .. } => {
                eprintln!("item {item} failed: {error}");
            }
            ExecutionEvent::End(end) => {
                return end.stopped.map_or(Ok(()), |error| Err(error.into()));
            }
            _ => {}
        }
    }
    Ok(())
}
