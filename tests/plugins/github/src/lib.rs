//! GitHub as a workflow node: repositories, issues, comments, labels, and a webhook. It shows that the
//! SDK and the checks are not made for one service: other credentials, lists by the header `Link`, and
//! deliveries that are signed with a secret that the host makes.

mod actions;
mod credentials;
mod webhook;

use workflow_node_sdk::declare::{Action, BaseUrl, Node, Reference, Resource, Slot};
use workflow_node_sdk::documents::{
    Configuration, CredentialTypes, Identity, OauthConfiguration, TokenGrant, User,
};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{self, Request, Response};
use workflow_node_sdk::node::{Credential, Declares, Plugin};
use workflow_node_sdk::{Map, Value, export_node, json};

/// Where the API is.
const API: &str = "https://api.github.com";

/// The node.
pub struct Github;

static NODE: Node =
    Node::builder("github", "GitHub", "Reads and changes repositories, issues, and comments.")
        .documentation_url("https://docs.github.com/rest")
        .categories(&["development"])
        .aliases(&["code host", "git"])
        .origins(&[API])
        .slots(&[Slot::new("main", "GitHub account.", &["token", "oauth2"])
            .base_urls(&[BaseUrl::fixed("api", API)])])
        .secrets(webhook::secrets)
        .references(&[
            Reference::new("repository", "a repository", "repository.of_owner")
                .value("name")
                .labels(&["name"])
                .detail("description"),
            Reference::new("label", "a label", "label.list").value("name").labels(&["name"]),
        ])
        .resources(&[
            Resource::new(
                "repository",
                "Repositories",
                "Repositories of users and organizations.",
                &[actions::REPOSITORIES],
            ),
            Resource::new("issue", "Issues", "Issues of a repository.", &[actions::ISSUES]),
            Resource::new("comment", "Comments", "Comments on issues.", &[actions::COMMENTS]),
            Resource::new("label", "Labels", "Labels of a repository.", &[actions::LABELS]),
        ])
        .triggers(&[webhook::EVENT])
        .build();

impl Plugin for Github {
    fn declaration() -> &'static dyn Declares {
        &NODE
    }

    fn credential_types() -> CredentialTypes {
        credentials::types()
    }

    fn configure(
        credential_type: &str,
        _fields: &Map<String, Value>,
        _grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        let configuration = Configuration::new(credentials::audiences());
        Ok(match credential_type {
            "oauth2" => configuration.oauth(
                OauthConfiguration::new(
                    credentials::TOKEN_URL,
                    credentials::SCOPES.map(|(name, _)| name.to_owned()),
                )
                .authorize_url(credentials::AUTHORIZE_URL),
            ),
            _ => configuration,
        })
    }

    async fn test(credential: Credential) -> Result<Identity, Error> {
        let mut request = Request::new("GET", [API, "/user"].concat());
        request.credential.clone_from(&credential.slot);
        add_headers(&mut request);
        let response = http::send(&request).await;
        let response = response.map_err(|error| Error::from_send(error, &request))?;
        if !response.is_success() {
            return Err(refused(&response));
        }
        let user = response.object()?;
        let login = user.get("login").and_then(Value::as_str).unwrap_or_default();
        let identity = Identity::new(["The credential acts as ", login, "."].concat());
        Ok(identity.user(User::default().name(login)))
    }

    fn prepare(request: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        add_headers(request);
        Ok(())
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        refused(response)
    }
}

/// The version of the API that the node is written for.
fn add_headers(request: &mut Request) {
    request.headers.push(("accept".into(), "application/vnd.github+json".into()));
    request.headers.push(("x-github-api-version".into(), "2022-11-28".into()));
}

/// What an unsuccessful response means. The service reports an exhausted rate limit as 403 as well.
fn refused(response: &Response) -> Error {
    let mut error = response.error();
    if response.status == 403 && response.header("x-ratelimit-remaining") == Some("0") {
        error.kind = ErrorKind::RateLimited;
        error.retry_after = response.retry_after;
    }
    if response.status == 404 {
        error.message.push_str(
            ". GitHub reports private repositories as not found if the credential cannot read them",
        );
    }
    if let Some(Value::String(code)) =
        json::value(&response.body).as_ref().and_then(|body| body.pointer("/errors/0/code"))
    {
        error = error.with_code(code.clone());
    }
    error
}

export_node!(Github, webhooks);
