//! Device authorization: a code that the person enters on a page of the service, on any device.

use serde_json::json;
use workflow_node_host::Plugin;
use workflow_node_host::oauth::{
    Actor, ConnectOrder, CredentialManager, DeviceAuthorization, NewConnection,
};

use super::shown::rights_text;
use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::interrupt::Interrupt;
use crate::output;

/// Shows the code, and waits until it was entered. Nothing is kept yet.
pub(super) async fn connection(
    manager: &CredentialManager,
    plugin: &Plugin,
    order: ConnectOrder,
    by: &Actor,
    format: Report,
) -> Result<NewConnection, Failure> {
    let interrupt = Interrupt::listen();
    let cancelled = interrupt.token();
    let connected = manager.connect_device(plugin, order, by, |device| show(device, format));
    tokio::select! {
        connected = connected => connected.map_err(|error| Failure::connecting(&error, "")),
        () = cancelled.cancelled() => {
            Err(Failure::new(Exit::Failed, "interrupted", "Canceled; nothing was stored"))
        }
    }
}

fn show(device: &DeviceAuthorization, format: Report) {
    let minutes = device.expires_in.as_secs().div_ceil(60);
    match format {
        Report::Json => {
            let event = json!({ "device": {
                "url": device.url.as_str(),
                "user_code": device.user_code,
                "complete_url": device.complete_url.as_ref().map(url::Url::as_str),
                "expires_in_seconds": device.expires_in.as_secs(),
                "rights": device.rights,
            } });
            output::stderr(&format!("{event}\n"));
        }
        Report::Text => {
            let page = device.complete_url.as_ref().unwrap_or(&device.url);
            output::stderr(&format!(
                "\nThe service will ask you to grant\n{}\nOpen this page on any device:\n  {page}\n\
                 and enter this code, if it does not show it already:\n  {}\n\n\
                 Waiting for at most {minutes} min …\n",
                rights_text(&device.rights),
                device.user_code,
            ));
        }
    }
}
