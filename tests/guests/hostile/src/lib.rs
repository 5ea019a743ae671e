//! Does on demand what a plugin must not do. `hostile.request` sends any request and returns its
//! result; `hostile.misbehave` breaks the contract in the way that `case` names.

#![allow(unsafe_code)] // The component's exports are unmangled symbols; some cases read memory.

use workflow_node_sdk::bindings as contract;
use workflow_node_sdk::bindings::exports::workflow::node as exports;
use workflow_node_sdk::bindings::workflow::node::{completions, context, http, timer, types};
use workflow_node_sdk::{Map, Value, json};

mod reach;

struct Hostile;

contract::export!(Hostile with_types_in contract);

const CREDENTIAL_TYPES: &str = r#"{"credential_types":[{
"name":"token","version":1,"display_name":"Token","description":"A token.",
"fields":{"type":"object","properties":{"token":{"type":"string","writeOnly":true}},"required":["token"]},
"grant":{"kind":"fixed"},"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],
"rate_limit":{"windows":[{"requests":1000,"milliseconds":1000}]},
"placements":[{"kind":"header","name":"Authorization","value":"Token token={token}","origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/**"}]
},{
"name":"key","version":1,"display_name":"Key","description":"A key in the body.",
"fields":{"type":"object","properties":{"key":{"type":"string","writeOnly":true}},"required":["key"]},
"grant":{"kind":"fixed"},"origins":["https://events.pagerduty.com"],
"placements":[{"kind":"body","pointer":"/routing_key","value":"{key}","methods":["POST"],"origins":["https://events.pagerduty.com"],"path":"/v2/enqueue"}]
},{
"name":"plain","version":1,"display_name":"Plain","description":"A token for a server without TLS.",
"fields":{"type":"object","properties":{"token":{"type":"string","writeOnly":true}},"required":["token"]},
"grant":{"kind":"fixed"},"origins":["http://plain.example.com"],
"placements":[{"kind":"header","name":"X-Plain-Token","value":"{token}","origins":["http://plain.example.com"],"path":"/**"}]
},{
"name":"account","version":1,"display_name":"Account","description":"OAuth.",
"fields":{"type":"object","properties":{"client_id":{"type":"string"},"extra":{"type":"object"}}},
"grant":{"kind":"authorization-code","authorize_urls":["https://identity.example.com/authorize"],"token_urls":["https://identity.example.com/token"],"pkce":"S256","client_authentication":"none","client_id_field":"client_id",
"authorize_parameters":[{"name":"access_type","description":"Asks for a refresh token.","values":["offline"]}]},
"scopes":[{"name":"read","description":"Reads."}],
"origins":["https://api.pagerduty.com"],
"placements":[{"kind":"header","name":"X-Token","value":"Bearer {access_token}","origins":["https://api.pagerduty.com"],"path":"/**"}]
}]}"#;

const NODE: &str = r#"{
"name":"hostile","version":1,"display_name":"Hostile","description":"Does what a plugin must not do.",
"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com","https://events.pagerduty.com","https://inside.example.com","http://plain.example.com"],
"slots":{"plain":{"credential_types":["plain"],"description":"A token."},"rest":{"credential_types":["token"],"description":"A token."},"events":{"credential_types":["key"],"description":"A key."}},
"secrets":[
 {"name":"integration-key","description":"A key.","methods":["GET"],"origins":["https://api.pagerduty.com"],"path":"/services/{id}","pointer":"/service/integrations/*/integration_key",
  "placements":[{"methods":["POST"],"origins":["https://events.pagerduty.com"],"path":"/v2/enqueue","pointer":"/routing_key"}]}],
"actions":[
 {"name":"hostile.request","version":1,"title":"Request","description":"Sends any request.","slots":{"plain":{"required":false},"rest":{"required":false},"events":{"required":false}},"effect":"execute","idempotency":"none","parameters":{"type":"object","properties":{"password":{"type":"string","x-secret":"integration-key"}}},"output":{"main":{}}},
 {"name":"hostile.misbehave","version":1,"title":"Misbehave","description":"Breaks the contract.","slots":{"rest":{"required":false}},"effect":"execute","idempotency":"none","parameters":{"type":"object"},"output":{"main":{}}}
]}"#;

impl exports::credential_type::Guest for Hostile {
    fn describe() -> String {
        CREDENTIAL_TYPES.to_owned()
    }

    fn configure(
        credential_type: String,
        fields: String,
        _grant: Option<String>,
    ) -> Result<String, Vec<types::FieldError>> {
        // With a field `audience`, it claims an origin that it has not declared.
        let fields = json::object(&fields).unwrap_or_default();
        if let Some(Value::String(audience)) = fields.get("audience") {
            return Ok(format!(r#"{{"audiences":["{audience}"]}}"#));
        }
        if credential_type == "account" {
            // It requests the permissions in `extra`.
            let extra = fields.get("extra").cloned().unwrap_or_else(|| Map::new().into());
            return Ok(format!(
                r#"{{"audiences":["https://api.pagerduty.com"],"oauth":{{"authorize_url":"https://identity.example.com/authorize","token_url":"https://identity.example.com/token","scopes":["read"],"parameters":{extra}}}}}"#
            ));
        }
        Ok(match credential_type.as_str() {
            "key" => r#"{"audiences":["https://events.pagerduty.com"]}"#,
            "plain" => r#"{"audiences":["http://plain.example.com"]}"#,
            _ => r#"{"audiences":["https://api.pagerduty.com"]}"#,
        }
        .to_owned())
    }

    fn test(_slot: String) -> Result<String, types::Error> {
        Ok(r#"{"summary":"It is what it is."}"#.to_owned())
    }
}

impl exports::node::Guest for Hostile {
    fn describe() -> String {
        NODE.to_owned()
    }

    fn execute(
        call: exports::node::Call,
    ) -> Result<Vec<Result<Vec<types::OutputItem>, types::Error>>, types::Error> {
        if call.action == "hostile.request" {
            let results = call.items.iter().map(|item| request(item)).collect();
            return Ok(results);
        }
        let item = call.items.first().and_then(json::object).unwrap_or_default();
        misbehave(&item)
    }

    fn load_options(_query: String) -> Result<String, types::Error> {
        Ok("{}".to_owned())
    }
}

fn main(json: String) -> types::OutputItem {
    types::OutputItem { port: "main".into(), json }
}

fn request(item: &str) -> Result<Vec<types::OutputItem>, types::Error> {
    let item = json::object(item).unwrap_or_default();
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let headers = item.get("headers").and_then(Value::as_array).into_iter().flatten();
    let headers = headers
        .filter_map(|pair| {
            Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()))
        })
        .collect();
    let answer = http::send(&http::Request {
        method: text("method").unwrap_or_else(|| "GET".into()),
        url: text("url").unwrap_or_default(),
        headers,
        body: text("body").map(String::into_bytes),
        credential: text("credential"),
        timeout: item.get("timeout").and_then(Value::as_u64),
        idempotency_key: text("idempotency_key"),
    });
    let mut record = Map::new();
    match answer {
        Ok(response) => {
            record.insert("status".into(), response.status.into());
            let body = String::from_utf8_lossy(&response.body).into_owned();
            record.insert("body".into(), body.into());
            let headers = response.headers.into_iter();
            let headers = headers.map(|(name, value)| (name, Value::from(value))).collect();
            record.insert("headers".into(), Value::Object(headers));
        }
        Err(error) => {
            record.insert("error".into(), format!("{:?}", error.kind).into());
            record.insert("message".into(), error.message.into());
            record.insert("maybe_sent".into(), error.maybe_sent.into());
            record.insert("retry_after".into(), error.retry_after.into());
        }
    }
    Ok(vec![main(Value::Object(record).to_string())])
}

#[allow(clippy::infinite_loop)]
#[inline(never)] // A test looks for its name.
fn misbehave(
    item: &Map<String, Value>,
) -> Result<Vec<Result<Vec<types::OutputItem>, types::Error>>, types::Error> {
    let case = item.get("case").and_then(Value::as_str).unwrap_or_default();
    let yes = |text: &str| Ok(vec![Ok(vec![main(text.to_owned())])]);
    match case {
        "loop" => loop {
            std::hint::black_box(0);
        },
        "recursion" => {
            #[allow(unconditional_recursion)]
            fn deeper(n: u64) -> u64 {
                std::hint::black_box(deeper(std::hint::black_box(n) + 1)) + 1
            }
            yes(&deeper(0).to_string())
        }
        "memory" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 1 << 20]);
                std::hint::black_box(&hoard);
            }
        }
        "panic" => panic!("a panic with \u{1b}[31mcolours\u{1b}[0m in it"),
        "panic-with" => {
            let text = item.get("text").and_then(Value::as_str).unwrap_or_default();
            context::log(context::Level::Error, &format!("about to panic: {text}"), "");
            panic!("a panic with {text} in it")
        }
        "exit" => std::process::exit(3),
        "abort" => {
            eprintln!("no way on with \u{1b}[31mthis\u{202e}");
            std::process::abort()
        }
        "divide" => yes(&(1 / std::hint::black_box(0_i32).wrapping_mul(2)).to_string()),
        "reach" => yes(&reach::outside(item)),
        "hoard-requests" => reach::hoard(),
        "flood" => {
            // On one line, so that it must be truncated.
            for number in 0..500 {
                eprint!("flood {number}, {}", "x".repeat(1_000));
            }
            println!("\nthe last line on standard output");
            panic!("after the flood")
        }
        "print-with" => {
            let text = item.get("text").and_then(Value::as_str).unwrap_or_default();
            for place in 0..1_000 {
                eprint!("{}{text}", ".".repeat(place % 37));
            }
            println!();
            std::process::abort()
        }
        "ticket" => yes(&timer::after(1).to_string()),
        "no-result" => Ok(Vec::new()),
        "two-results" => Ok(vec![Ok(Vec::new()), Ok(Vec::new())]),
        "wrong-port" => {
            Ok(vec![Ok(vec![types::OutputItem { port: "elsewhere".into(), json: "{}".into() }])])
        }
        "no-json" => yes("{not json"),
        "deep-json" => yes(&("[".repeat(100_000) + &"]".repeat(100_000))),
        "large-output" => {
            let big = format!("\"{}\"", "x".repeat(1 << 20));
            Ok(vec![Ok((0..40).map(|_| main(big.clone())).collect())])
        }
        "emit-elsewhere" => {
            context::emit(7, &[main("{}".into())]);
            yes("{}")
        }
        "finish-elsewhere" => {
            context::finish_item(7, Ok(&[]));
            yes("{}")
        }
        "finish-twice" => {
            context::finish_item(0, Ok(&[main("1".into())]));
            context::finish_item(0, Ok(&[main("2".into())]));
            yes("{}")
        }
        "emit-after-the-end" => {
            context::finish_item(0, Ok(&[main("1".into())]));
            context::emit(0, &[main("2".into())]);
            yes("{}")
        }
        "finish-wrong-port" => {
            let output = types::OutputItem { port: "elsewhere".into(), json: "{}".into() };
            context::finish_item(0, Ok(&[output]));
            yes("{}")
        }
        "finish-no-json" => {
            context::finish_item(0, Ok(&[main("{not json".into())]));
            yes("{}")
        }
        "finish-large" => {
            let big = format!("\"{}\"", "x".repeat(1 << 20));
            let outputs: Vec<_> = (0..40).map(|_| main(big.clone())).collect();
            context::finish_item(0, Ok(&outputs));
            yes("{}")
        }
        "finish-and-return" => {
            context::finish_item(0, Ok(&[main("\"first\"".into())]));
            yes("\"second\"")
        }
        "finish-and-trap" => {
            context::emit(0, &[main("\"first\"".into())]);
            context::finish_item(0, Ok(&[main("\"second\"".into())]));
            panic!("after the item has ended")
        }
        "emit-wrong-port" => {
            context::emit(0, &[types::OutputItem { port: "elsewhere".into(), json: "{}".into() }]);
            yes("{}")
        }
        "abandon" => {
            // One request is canceled, and one is still in flight when the call returns.
            let given_up = http::submit(&get("https://api.pagerduty.com/abilities"));
            http::submit(&get("https://api.pagerduty.com/users"));
            timer::after(50);
            let _named = completions::next();
            completions::cancel(given_up);
            yes("{}")
        }
        "take-unknown" => {
            let _answer = http::take(42);
            yes("{}")
        }
        "take-early" => {
            let ticket = http::submit(&get("https://api.pagerduty.com/abilities"));
            let _answer = http::take(ticket);
            yes("{}")
        }
        "too-random" => yes(&context::random(1_025).len().to_string()),
        "wait-for-nothing" => yes(if completions::next().is_none() { "true" } else { "false" }),
        "wait-long" => {
            timer::after(3_600_000);
            let named = completions::next();
            yes(&format!(r#"{{"named":{},"cancelled":{}}}"#, named.is_some(), context::cancelled()))
        }
        "cancelled-ticket" => {
            let given_up = timer::after(1);
            let kept = timer::after(20);
            completions::cancel(given_up);
            let named = completions::next();
            let then = completions::next();
            yes(if named == Some(kept) && then.is_none() { "true" } else { "false" })
        }
        "logs" => {
            for line in 0..5_000 {
                let message = format!("line {line}\u{1b}[2J\nforged: ok\u{202e}");
                context::log(context::Level::Info, &message, "");
            }
            yes("{}")
        }
        "ticket-bomb" => {
            for _ in 0..1_000_000 {
                timer::after(3_600_000);
            }
            yes("{}")
        }
        "environment" => {
            let variables: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            let arguments = std::env::args().count();
            yes(&format!(r#"{{"variables":{},"arguments":{arguments}}}"#, variables.len()))
        }
        "clock" => {
            let now = std::time::SystemTime::now();
            let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            yes(&since.as_millis().to_string())
        }
        "chance" => {
            let bytes = context::random(16);
            let again = context::random(16);
            yes(&format!("[{bytes:?},{again:?}]"))
        }
        "idempotency" => yes(&Value::from(context::idempotency_key(0)).to_string()),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
            yes("{}")
        }
        "credential" => {
            let view = context::credential("rest");
            yes(&match view {
                Some(view) => format!(r#"{{"fields":{}}}"#, view.fields),
                None => "null".to_owned(),
            })
        }
        "remember" => {
            static mut SEEN: u32 = 0;
            // SAFETY: a component has one thread.
            let seen = unsafe {
                SEEN += 1;
                SEEN
            };
            yes(&seen.to_string())
        }
        "hoard-and-wait" => {
            let text = item.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
            std::hint::black_box(text.into_bytes().leak());
            timer::after(3_600_000);
            completions::next();
            yes("{}")
        }
        "hoard-secret" => {
            // Keeps its input where a scan of its memory must find it.
            let text = item.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
            std::mem::forget(text.clone().into_bytes());
            yes("{}")
        }
        other => Err(types::Error {
            kind: types::ErrorKind::Unsupported,
            message: format!("there is no case `{other}`"),
            code: None,
            http_status: None,
            retry_after: None,
            detail: None,
        }),
    }
}

fn get(url: &str) -> http::Request {
    http::Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        credential: Some("rest".into()),
        timeout: None,
        idempotency_key: None,
    }
}
