//! An engine in some forty lines: loads a node, approves it, connects a credential, runs an action.
//!
//! ```text
//! cargo run -p component-build                       # prints where pagerduty.wasm is
//! cargo run -p pagerduty-simulator                   # prints a key, a CA file and an address
//! cargo run -p workflow-node-host --example embed -- pagerduty.wasm CA.pem https://127.0.0.1:PORT < key
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::io::Read as _;
use std::sync::Arc;

use serde_json::{Map, json};
use workflow_node_host::credential::{Credential, CredentialForm, MemoryCredentials};
use workflow_node_host::transport::HttpTransport;
use workflow_node_host::{Execution, Host, Isolation, Secret, WorkerCommand};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Nodes run in worker processes: this program, started with another argument.
    #[cfg(target_os = "linux")]
    if std::env::args().nth(1).as_deref() == Some("worker") {
        workflow_node_host::worker::run();
        return Ok(());
    }
    run()
}

#[tokio::main]
async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let [_, plugin, ca_file, simulator] =
        <[String; 4]>::try_from(std::env::args().collect::<Vec<_>>())
            .map_err(|_| "usage: embed PLUGIN CA_FILE ORIGIN < KEY")?;
    let mut key = String::new();
    std::io::stdin().read_to_string(&mut key)?;

    // The engine brings its credentials, and says how requests leave the machine.
    let credentials = Arc::new(MemoryCredentials::default());
    let transport = HttpTransport::builder()
        .ca_pem(std::fs::read(ca_file)?)
        .connect_to(format!("https://api.pagerduty.com={simulator}").parse()?)
        .build()?;
    let host = Host::builder()
        .isolation(Isolation::Process(WorkerCommand::current()?.argument("worker")))
        .credentials(credentials.clone())
        .transport(Arc::new(transport))
        .build()?;

    // Loading grants nothing. An operator looks at what the plugin asks for, and approves it.
    let plugin = host.load_file(plugin).await?;
    for origin in &plugin.grant_request().origins {
        println!("{} asks for {origin}", plugin.grant_request().node);
    }
    plugin.approve(Some("the operator".into()))?;

    // The plugin says what follows from the form; the secret stays here.
    let form = CredentialForm {
        fields: Map::from_iter([("region".into(), json!("us"))]),
        secrets: [("api_token".into(), Secret::new(key.trim()))].into(),
    };
    let configuration = plugin.connect("api-token", &form).await?;
    credentials.insert(Credential {
        name: "pd".into(),
        node: plugin.description().node.name.clone(),
        credential_type: "api-token".into(),
        fields: form.fields,
        secrets: form.secrets,
        configuration,
        granted_scopes: None,
        revision: 1,
    });

    // One result per item, in order.
    let execution = Execution::new("service.list").credential("rest", "pd").item(json!({}));
    for item in plugin.execute(execution).await?.items {
        match item.error {
            Some(error) => println!("failed: {} ({})", error.message, error.kind),
            None => item.output.iter().for_each(|record| println!("{}", record.json)),
        }
    }
    Ok(())
}
