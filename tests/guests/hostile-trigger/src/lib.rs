//! A node whose triggers flood the host: with endless polls, with events, cursors, and states of
//! any size, and with replies to deliveries that set more than a reply may. The parameters of a
//! subscription select the case: `case`, `n`, and `size`.

#![allow(unsafe_code)] // The component's exports are unmangled symbols.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "plugin-with-triggers",
    });
}

use bindings::exports::workflow::node as exports;

struct HostileTrigger;
bindings::export!(HostileTrigger with_types_in bindings);

fn unsupported() -> exports::node::Error {
    exports::node::Error {
        kind: bindings::workflow::node::types::ErrorKind::Unsupported,
        message: "this node has triggers only".into(),
        code: None,
        http_status: None,
        retry_after: None,
        detail: None,
    }
}

impl exports::credential_type::Guest for HostileTrigger {
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

impl exports::node::Guest for HostileTrigger {
    fn describe() -> String {
        r#"{"name":"hostile-trigger","version":1,"display_name":"Hostile trigger","description":"Floods the host.","origins":[],"slots":{},"actions":[{"name":"nothing.get","version":1,"title":"Nothing","description":"Does nothing.","slots":{},"effect":"read","idempotency":"safe","parameters":{"type":"object"},"output":{"main":{}}}]}"#.into()
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

const TRIGGERS: &str = r#"{"triggers":[
{"name":"tick","version":1,"title":"Tick","description":"Polls.","parameters":{"type":"object"},"delivery":{"kind":"poll","interval_ms":60000}},
{"name":"hook","version":1,"title":"Hook","description":"Unsigned.","parameters":{"type":"object"},"delivery":{"kind":"webhook"}},
{"name":"reply","version":1,"title":"Reply","description":"Replies itself.","parameters":{"type":"object"},"delivery":{"kind":"webhook","answered_by":"plugin","body_limit_bytes":1024}}
]}"#;

/// A text parameter: this node needs no other JSON.
fn parameter<'a>(parameters: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = parameters.split_once(&format!("\"{name}\":")) else { return "" };
    let rest = rest.trim_start().trim_start_matches('"');
    rest.split(['"', ',', '}']).next().unwrap_or_default()
}

fn number(parameters: &str, name: &str) -> usize {
    parameter(parameters, name).parse().unwrap_or_default()
}

fn events(parameters: &str) -> Vec<exports::trigger::Event> {
    let text = "e".repeat(number(parameters, "size"));
    let key_size = number(parameters, "key");
    (0..number(parameters, "n"))
        .map(|n| exports::trigger::Event {
            json: format!("\"{text}\""),
            dedup_key: (key_size > 0).then(|| format!("{n}{}", "k".repeat(key_size))),
            occurred: None,
        })
        .collect()
}

impl exports::trigger::Guest for HostileTrigger {
    fn describe() -> String {
        TRIGGERS.into()
    }
    fn setup(
        subscription: exports::trigger::Subscription,
    ) -> Result<String, exports::trigger::Error> {
        let size = number(&subscription.parameters, "state");
        Ok(format!("{{\"text\":\"{}\"}}", "s".repeat(size)))
    }
    fn check(
        _: exports::trigger::Subscription,
    ) -> Result<exports::trigger::Health, exports::trigger::Error> {
        Ok(exports::trigger::Health::Active)
    }
    fn teardown(_: exports::trigger::Subscription) -> Result<(), exports::trigger::Error> {
        Ok(())
    }
    fn receive(
        subscription: exports::trigger::Subscription,
        _: exports::trigger::Delivery,
    ) -> Result<exports::trigger::Received, exports::trigger::Error> {
        let parameters = &subscription.parameters;
        let reply = (subscription.trigger == "reply").then(|| exports::trigger::Reply {
            status: number(parameters, "status") as u16,
            headers: [
                ("Content-Type", "text/plain"),
                ("X-Hook-Secret", "confirmed"),
                ("Set-Cookie", "session=mine; Domain=example.com"),
                ("Connection", "keep-alive"),
                ("Transfer-Encoding", "chunked"),
                ("Content-Length", "1"),
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Credentials", "true"),
                ("Strict-Transport-Security", "max-age=31536000"),
                ("Content-Security-Policy", "default-src *"),
                ("Location", "https://evil.example.com/"),
                ("Refresh", "0;url=https://evil.example.com/"),
                ("Clear-Site-Data", "\"*\""),
                ("Service-Worker-Allowed", "/"),
                ("Alt-Svc", "h3=\"evil.example.com:443\""),
                ("Link", "</x>; rel=preload"),
                ("X-Accel-Redirect", "/etc/passwd"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            body: vec![b'b'; number(parameters, "body")],
        });
        Ok(exports::trigger::Received { events: events(parameters), reply })
    }
    fn poll(
        subscription: exports::trigger::Subscription,
        cursor: Option<String>,
    ) -> Result<exports::trigger::Page, exports::trigger::Error> {
        let parameters = &subscription.parameters;
        let at: u64 = cursor.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        let cursor = match number(parameters, "cursor") {
            0 => (at + 1).to_string(),
            size => format!("\"{}\"", "c".repeat(size)),
        };
        let more = parameter(parameters, "case") == "endless";
        Ok(exports::trigger::Page { events: events(parameters), cursor, more })
    }
}
