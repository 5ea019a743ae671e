//! Features that a common service needs: every kind of paging, bodies as JSON and as forms, and
//! credentials that are encoded, limited, or sent in a form. It sends only what it declares.

mod actions;
mod credentials;
mod hooks;

use workflow_node_sdk::declare::{Action, BaseUrl, Node, Resource, Server, Slot};
use workflow_node_sdk::documents::{Configuration, CredentialTypes, Identity, TokenGrant};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{self, Request, Response};
use workflow_node_sdk::node::{Credential, Custom, Declares, Outcome, Plugin, Task, main};
use workflow_node_sdk::{Map, Value};

struct Service;

static NODE: Node = Node::builder("service", "Service", "A service as there are many.")
    .version(3)
    .documentation_url("https://service.test/docs")
    .origins(&[credentials::API, credentials::OWN])
    .servers(&[Server::new("own", "A server of your own.", &["https://*:*"])])
    .slots(&[
        Slot::new("main", "An account.", &["basic", "token", "form-key", "device", "signed"])
            .base_urls(&[BaseUrl::configured("api")]),
        Slot::new("own", "An account of a server of your own.", &["own"])
            .base_urls(&[BaseUrl::configured("own")]),
    ])
    .secrets(credentials::secrets)
    .triggers(&[hooks::CHANGED])
    .resources(&[Resource::new(
        "thing",
        "Things",
        "What the service has.",
        &[actions::LISTS, actions::OTHERS],
    )])
    .build();

impl Plugin for Service {
    fn declaration() -> &'static dyn Declares {
        &NODE
    }

    fn credential_types() -> CredentialTypes {
        credentials::types()
    }

    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        credentials::configure(credential_type, fields, grant)
    }

    async fn test(_: Credential) -> Result<Identity, Error> {
        Ok(Identity::new("Not checked."))
    }

    fn prepare(_: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        Ok(())
    }

    fn custom(action: &str) -> Option<Custom> {
        (action == "own.fetch").then_some(|task| Box::pin(fetch(task)))
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        let kind = match response.status {
            401 => ErrorKind::Unauthenticated,
            429 => ErrorKind::RateLimited,
            _ => ErrorKind::Unavailable,
        };
        let mut error = Error::new(kind, String::from_utf8_lossy(&response.body).into_owned());
        error.http_status = Some(response.status);
        error
    }
}

/// Sends a request to the URL in the item.
async fn fetch(task: Task) -> Outcome {
    let mut request = Request::new("GET", task.text("url").unwrap_or_default());
    if task.flag("with_credential") {
        request.credential = Some("own".into());
    }
    match http::send(&request).await {
        Ok(response) => Ok(vec![main(response.text()?)]),
        Err(error) => Err(Error::new(ErrorKind::Forbidden, error.message)),
    }
}

workflow_node_sdk::export_node!(Service, webhooks);
