//! PagerDuty as a workflow node: its actions, its credential types, and what PagerDuty's answers
//! mean. How requests are made and lists are paged is the SDK's business; where credentials go is
//! the host's.

mod actions;
mod answers;
mod credentials;
mod options;
mod parameters;
mod schemas;
mod scopes;

use serde_json::{Map, Value};
use workflow_node_sdk::declare::{Action, Node, Slot};
use workflow_node_sdk::error::{Error, FieldError};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{Credential, Options, OptionsQuery, Plugin};

/// The REST API's media type with its version; sent with every REST request.
const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

/// The node.
pub struct PagerDuty;

impl Plugin for PagerDuty {
    const NODE: Node = Node {
        name: "pagerduty",
        version: 1,
        display_name: "PagerDuty",
        description: "Incidents, alerts, people and services of a PagerDuty account, in the US or \
                      the EU service region, through the REST API and the Events API.",
        documentation_url: "https://developer.pagerduty.com/docs/introduction",
        origins: credentials::ORIGINS,
        slots: &[
            Slot {
                name: "rest",
                description: "For the REST API: an API token, or OAuth 2.0 for a user or an app.",
                credential_types: &["api-token", "oauth2", "oauth2-app"],
            },
            Slot {
                name: "events",
                description: "For sending events: the integration key of a service.",
                credential_types: &["events-integration"],
            },
        ],
        schemas: schemas::SHARED,
        secrets: schemas::SECRETS,
        actions: actions::ALL,
    };

    fn credential_types() -> String {
        credentials::describe()
    }

    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&Value>,
    ) -> Result<Value, Vec<FieldError>> {
        credentials::configure(credential_type, fields, grant)
    }

    async fn test(credential: Credential) -> Result<Value, Error> {
        credentials::test(credential).await
    }

    async fn options(query: OptionsQuery) -> Result<Options, Error> {
        options::load(query).await
    }

    fn prepare(
        request: &mut Request,
        action: &Action,
        credential: &Credential,
    ) -> Result<(), Error> {
        if action.slot != "rest" {
            return Ok(());
        }
        request.headers.push(("accept".into(), ACCEPT.into()));
        let names_a_person =
            request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("from"));
        if action.acts_as_user
            && !names_a_person
            && request.method != "GET"
            && let Some(email) = credential.field("from_email")
        {
            request.headers.push(("from".into(), email.into()));
        }
        Ok(())
    }

    fn error(response: &Response, action: &Action, credential: &Credential) -> Error {
        answers::error(response, action, credential)
    }
}

workflow_node_sdk::export_node!(PagerDuty);
