//! A node that exports the optional interface `trigger`, built on the contract without the SDK: the
//! host binds each interface separately.

#![allow(unsafe_code)] // The component's exports are unmangled symbols.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "plugin-with-triggers",
    });
}

use bindings::exports::workflow::node as exports;

struct TriggerNode;
bindings::export!(TriggerNode with_types_in bindings);

fn unsupported() -> exports::node::Error {
    exports::node::Error {
        kind: bindings::workflow::node::types::ErrorKind::Unsupported,
        message: "this node is for a test of its description".into(),
        code: None,
        http_status: None,
        retry_after: None,
        detail: None,
    }
}

impl exports::credential_type::Guest for TriggerNode {
    fn describe() -> String {
        r#"{"credential_types":[]}"#.into()
    }
    fn configure(
        _: String,
        _: String,
        _: Option<String>,
    ) -> Result<String, Vec<exports::credential_type::FieldError>> {
        Err(Vec::new())
    }
    fn test(_: String) -> Result<String, exports::credential_type::Error> {
        Err(unsupported())
    }
}

impl exports::node::Guest for TriggerNode {
    fn describe() -> String {
        r#"{"name":"trigger-node","version":1,"display_name":"Trigger","description":"Has a trigger.","origins":[],"slots":{},"actions":[{"name":"nothing.get","version":1,"title":"Nothing","description":"Does nothing.","slots":{},"effect":"read","idempotency":"safe","parameters":{"type":"object"},"output":{"main":{}}}]}"#.into()
    }
    fn execute(
        _: exports::node::Call,
    ) -> Result<
        Vec<Result<Vec<exports::node::OutputItem>, exports::node::Error>>,
        exports::node::Error,
    > {
        Err(unsupported())
    }
    fn load_options(_: String) -> Result<String, exports::node::Error> {
        Err(unsupported())
    }
}

impl exports::trigger::Guest for TriggerNode {
    fn describe() -> String {
        r#"{"triggers":[{"name":"tick","version":1,"title":"Tick","description":"Every now and then.","parameters":{"type":"object"},"delivery":{"kind":"poll","interval_ms":60000}}]}"#.into()
    }
    fn setup(_: exports::trigger::Subscription) -> Result<String, exports::trigger::Error> {
        Err(unsupported())
    }
    fn check(
        _: exports::trigger::Subscription,
    ) -> Result<exports::trigger::Health, exports::trigger::Error> {
        Err(unsupported())
    }
    fn teardown(_: exports::trigger::Subscription) -> Result<(), exports::trigger::Error> {
        Err(unsupported())
    }
    fn receive(
        _: exports::trigger::Subscription,
        _: exports::trigger::Delivery,
    ) -> Result<exports::trigger::Received, exports::trigger::Error> {
        Err(unsupported())
    }
    fn poll(
        _: exports::trigger::Subscription,
        _: Option<String>,
    ) -> Result<exports::trigger::Page, exports::trigger::Error> {
        Err(unsupported())
    }
}
