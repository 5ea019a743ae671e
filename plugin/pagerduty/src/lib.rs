//! PagerDuty as a workflow node: actions with custom code, credential types, and the interpretation
//! of PagerDuty's responses. The description of the node is in `pagerduty-declaration`. The SDK
//! owns how requests are made and lists are paged; the host owns where credentials are sent.

mod actions;
mod answers;
mod credentials;
mod ids;
mod triggers;

use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_sdk::context;
use workflow_node_sdk::declare::{Action, Reference};
use workflow_node_sdk::deflated;
use workflow_node_sdk::documents::{Configuration, Identity, TokenGrant};
use workflow_node_sdk::error::{Error, FieldError};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{
    Batch, Credential, Custom, Declares, Found, Likeness, Options, OptionsQuery, Plugin, choices,
};
use workflow_node_sdk::packed::Packed;
use workflow_node_sdk::time;

/// The REST API's media type with its version; sent with every REST request.
const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

/// How far ahead overrides and shifts are offered as choices, in seconds: half a year.
const CHOICES_AHEAD: i64 = 180 * 86_400;

static PACKED: Packed = workflow_node_sdk::packed!();

/// The document that the build script has written.
const CREDENTIAL_TYPES: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/credential-types.json.deflated"));

/// The node.
pub struct PagerDuty;

impl Plugin for PagerDuty {
    fn declaration() -> &'static dyn Declares {
        &PACKED
    }

    fn describe_credential_types() -> String {
        deflated::text(CREDENTIAL_TYPES)
    }

    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        credentials::configure(credential_type, fields, grant)
    }

    async fn test(credential: Credential) -> Result<Identity, Error> {
        credentials::test(credential).await
    }

    fn prepare(
        request: &mut Request,
        action: &Action,
        credential: &Credential,
    ) -> Result<(), Error> {
        if action.slot != Some("rest") {
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

    /// Lists of shifts and overrides require a time range.
    async fn options(mut query: OptionsQuery) -> Result<Options, Error> {
        let now = i64::try_from(context::now() / 1_000).unwrap_or_default();
        for (name, at) in [("since", now), ("until", now + CHOICES_AHEAD)] {
            query.parameters.entry(name).or_insert_with(|| Value::from(time::format(at)));
        }
        choices::<Self>(query).await
    }

    fn likeness(reference: &Reference, text: &str) -> Likeness {
        ids::likeness(reference, text)
    }

    fn find(reference: &Reference, name: &str, credential: &Rc<Credential>) -> Option<Found> {
        ids::find(reference, name, credential)
    }

    fn custom(action: &str) -> Option<Custom> {
        actions::custom(action)
    }

    fn batch(action: &str) -> Option<Batch> {
        actions::batch(action)
    }
}

workflow_node_sdk::export_node!(PagerDuty, webhooks, polls);
