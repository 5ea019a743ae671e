//! The integrations of services, each with a key for the Events API.

use super::text;
use crate::engine::documents;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[("createServiceIntegration", create)];

/// Every integration gets a key, although the schema does not contain it.
fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let service = call.capture(0).to_owned();
    let mut given = documents::given(call);
    if given.get("service").is_some_and(|one| one["id"] != service.as_str()) {
        return Err(Refusal::invalid(["the service is not that of the path"]));
    }
    let vendor = given.get("vendor").and_then(|vendor| text(&vendor["id"]));
    if vendor.is_some_and(|vendor| !call.state.exists("/vendors", &vendor)) {
        return Err(Refusal::coded(400, 5001, "Vendor Not Found"));
    }
    let kind = given.remove("type").as_ref().and_then(text);
    let kind = kind.unwrap_or_else(|| "generic_events_api_inbound_integration".to_owned());
    if !given.contains_key("name") {
        given.insert("name".to_owned(), kind.replace('_', " ").into());
    }
    let integration = call.state.add_integration(&service, &kind, given);
    call.state.stale();
    Ok(call.answer(&integration))
}
