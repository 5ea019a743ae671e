//! Passes every check of `harness check`. A test writes the ID of a check over the bytes after
//! `@@judged-mode@@`; the node then violates this check and no other.

#![allow(unsafe_code)] // The component's exports are unmangled symbols; the mode is read as it is.

mod described;
mod run;
mod triggers;

use workflow_node_sdk::bindings as contract;
use workflow_node_sdk::bindings::exports::workflow::node as exports;
use workflow_node_sdk::bindings::workflow::node::types;

struct Judged;

contract::export!(Judged with_types_in contract);

#[used]
static MODE: [u8; 64] = *b"@@judged-mode@@sound                                            ";

/// The check that the node violates; `sound` for none.
fn mode() -> String {
    let mut bytes = [0_u8; 64];
    for (at, byte) in bytes.iter_mut().enumerate() {
        // SAFETY: within the array.
        *byte = unsafe { core::ptr::read_volatile(MODE.as_ptr().add(at)) };
    }
    String::from_utf8_lossy(&bytes[15..]).trim().to_owned()
}

/// Whether the node violates this check.
fn breaks(check: &str) -> bool {
    mode() == check
}

impl exports::credential_type::Guest for Judged {
    fn describe() -> String {
        described::credential_types()
    }

    fn configure(
        _credential_type: String,
        _fields: String,
        _grant: Option<String>,
    ) -> Result<String, Vec<types::FieldError>> {
        Ok(r#"{"audiences":["https://api.judged.example"]}"#.to_owned())
    }

    fn test(_slot: String) -> Result<String, types::Error> {
        Ok(r#"{"summary":"Not checked."}"#.to_owned())
    }
}

impl exports::node::Guest for Judged {
    fn describe() -> String {
        described::node()
    }

    fn execute(
        call: exports::node::Call,
    ) -> Result<Vec<Result<Vec<types::OutputItem>, types::Error>>, types::Error> {
        Ok(run::all(&call.action, &call.items))
    }

    fn load_options(_query: String) -> Result<String, types::Error> {
        run::choices()
    }
}
