//! Tries to exhaust or stall the host. A test writes a mode (`what:number:number`) over the bytes
//! after `@@evil-mode@@` to choose the component's description; the item's `case` chooses what
//! `execute` does. `tests/end-to-end/tests/budgets` asserts the limits that hold.

#![allow(unsafe_code)] // The component's exports are unmangled symbols; the mode is read as it lies.
#![allow(clippy::cast_possible_truncation)]

use workflow_node_sdk::bindings as contract;
use workflow_node_sdk::bindings::exports::workflow::node as exports;
use workflow_node_sdk::bindings::workflow::node::{completions, context, http, timer, types};
use workflow_node_sdk::{Map, Value, json};

struct Evil;

contract::export!(Evil with_types_in contract);

#[used]
static MODE: [u8; 64] = *b"@@evil-mode@@plain                                              ";

/// `what:number:number`, as patched.
fn mode() -> (String, usize, usize) {
    let mut bytes = [0_u8; 64];
    for (at, byte) in bytes.iter_mut().enumerate() {
        // SAFETY: within the array.
        *byte = unsafe { core::ptr::read_volatile(MODE.as_ptr().add(at)) };
    }
    let text = String::from_utf8_lossy(&bytes[13..]).trim().to_owned();
    let mut parts = text.split(':');
    let what = parts.next().unwrap_or_default().to_owned();
    let mut number = || parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    (what, number(), number())
}

const CREDENTIAL_TYPES: &str = r#"{"credential_types":[{
"name":"token","version":1,"display_name":"Token","description":"A token.",
"fields":{"type":"object","properties":{"token":{"type":"string","writeOnly":true}},"required":["token"]},
"grant":{"kind":"fixed"},"origins":["http://plain.example.com"],
"rate_limit":{"windows":[{"requests":1000,"milliseconds":1000}]},
"placements":[{"kind":"header","name":"Authorization","value":"Token {token}","origins":["http://plain.example.com"],"path":"/**"}]
},{
"name":"key","version":1,"display_name":"Key","description":"A key in the body.",
"fields":{"type":"object","properties":{"key":{"type":"string","writeOnly":true}},"required":["key"]},
"grant":{"kind":"fixed"},"origins":["http://plain.example.com"],
"placements":[{"kind":"body","pointer":"/key","value":"{key}","methods":["POST"],"origins":["http://plain.example.com"],"path":"/body"}]
},{
"name":"account","version":1,"display_name":"Account","description":"OAuth.",
"fields":{"type":"object","properties":{"client_id":{"type":"string"},"extra":{"type":"object"}}},
"grant":{"kind":"authorization-code","authorize_urls":["https://identity.example.com/authorize"],"token_urls":["https://identity.example.com/token"],"pkce":"S256","client_authentication":"none","client_id_field":"client_id"},
"scopes":[{"name":"read","description":"Read."}],
"origins":["http://plain.example.com"],
"placements":[{"kind":"header","name":"X-Token","value":"Bearer {access_token}","origins":["http://plain.example.com"],"path":"/**"}]
}]}"#;

const ORIGINS: &str = r#"["https://api.pagerduty.com","https://api.eu.pagerduty.com","http://plain.example.com","http://*.plain.example.com"]"#;

fn node(schemas: &str, secrets: &str, parameters: &str, more_actions: &str, tail: &str) -> String {
    format!(
        r#"{{"name":"evil","version":1,"display_name":"Evil","description":"Attacks.","origins":{ORIGINS},
"slots":{{"oauth":{{"credential_types":["account"],"description":"An account."}},"rest":{{"credential_types":["token"],"description":"A token."}},"body":{{"credential_types":["key"],"description":"A key."}}}},
"schemas":{{{schemas}}},
"secrets":[{secrets}],
"actions":[{{"name":"evil.run","version":1,"title":"Run","description":"Runs.","slots":{{"rest":{{"required":false}},"body":{{"required":false}},"oauth":{{"required":false}}}},"effect":"execute","idempotency":"none","parameters":{parameters},"output":{{"main":{{}}}},"examples":[{{"title":"e","parameters":{{}}}}]}}{more_actions}]{tail}}}"#
    )
}

/// A secret in `GET /big` at `/k`, filled into `POST /x` at `/k`.
const BIG: &str = r#"{"name":"k","description":"A key.","methods":["GET"],"origins":["http://plain.example.com"],"path":"/big","pointer":"/k","placements":[{"methods":["POST"],"origins":["http://plain.example.com"],"path":"/x","pointer":"/k"}]}"#;

fn doubling(levels: usize, open: &str, close: &str) -> String {
    let mut schemas = String::from(r#""a0":{"type":"object"}"#);
    for n in 1..=levels {
        let of = n - 1;
        schemas.push_str(&format!(
            r##","a{n}":{{{open}"allOf":[{{"$ref":"#/$defs/a{of}"}},{{"$ref":"#/$defs/a{of}"}}]{close}}}"##
        ));
    }
    schemas
}

fn described() -> String {
    let (what, a, b) = mode();
    let object = r#"{"type":"object","properties":{"choice":{"x-ui":{"options":true}}}}"#;
    match what.as_str() {
        // Every level refers to the next one: no doubling, but depth.
        "chain" => {
            let mut schemas = String::from(r#""a0":{"type":"object"}"#);
            for n in 1..=a {
                schemas.push_str(&format!(r##","a{n}":{{"$ref":"#/$defs/a{}"}}"##, n - 1));
            }
            node(&schemas, "", &format!(r##"{{"$ref":"#/$defs/a{a}"}}"##), "", "")
        }
        // A schema that refers to itself twice for the same member, below `not`: an example with a
        // levels doubles the work with each level. Without levels there is no example.
        "recursion" => {
            let own = r##"{"properties":{"m":{"$ref":"#/$defs/own"}}}"##;
            let schemas = format!(r#""own":{{"not":{{"allOf":[{own},{own},false]}}}}"#);
            let parameters = r##"{"type":"object","$ref":"#/$defs/own"}"##;
            let example = format!("{}1{}", r#"{"m":"#.repeat(a), "}".repeat(a));
            let examples = match a {
                0 => "[]".to_owned(),
                _ => format!(r#"[{{"title":"e","parameters":{example}}}]"#),
            };
            node(&schemas, "", parameters, "", "")
                .replace(r#"[{"title":"e","parameters":{}}]"#, &examples)
        }
        // a patterns, each of which compiles to a large automaton.
        "patterns" => {
            let mut all = String::new();
            for n in 0..a {
                all.push_str(&format!(r#","p{n}":{{"pattern":"\\w{{5}}{n}"}}"#));
            }
            let parameters = format!(r#"{{"type":"object","properties":{{"p":true{all}}}}}"#);
            node("", "", &parameters, "", "")
        }
        // a actions that each refer to b KiB of shared schemas, and have an example.
        "shared" => {
            let mut schemas = String::from(r#""a0":{"type":"object"}"#);
            let mut all = String::new();
            let mut n = 0;
            while schemas.len() < b << 10 {
                n += 1;
                schemas.push_str(&format!(r#","s{n}":{{"type":"object","maxProperties":{n}}}"#));
                all.push_str(&format!(r##",{{"$ref":"#/$defs/s{n}"}}"##));
            }
            schemas.push_str(&format!(r#","all":{{"anyOf":[true{all}]}}"#));
            let mut actions = String::new();
            for n in 0..a {
                actions.push_str(&format!(r##",{{"name":"evil.a{n}","version":1,"title":"t","description":"d","slots":{{}},"effect":"read","idempotency":"safe","parameters":{{"$ref":"#/$defs/all"}},"output":{{"main":{{}}}},"examples":[{{"title":"e","parameters":{{}}}}]}}"##));
            }
            node(&schemas, "", object, &actions, "")
        }
        // a MiB of an unknown member.
        "fat" => {
            let size = a << 20;
            let head = node("", BIG, object, "", "");
            let head = head.strip_suffix('}').unwrap_or_default();
            let mut text = String::with_capacity(size + head.len() + 32);
            text.push_str(head);
            text.push_str(r#","x":["#);
            while text.len() < size {
                text.push_str("[0],");
            }
            text.push_str("0]}");
            text
        }
        // Every level refers twice to the next one.
        "bomb" => {
            let parameters = format!(r##"{{"type":"object","$ref":"#/$defs/a{a}"}}"##);
            node(&doubling(a, "", ""), "", &parameters, "", "")
        }
        // The same where `input_secrets` does not look: below `not`.
        "hidden" => {
            let parameters =
                format!(r##"{{"type":"object","not":{{"not":{{"$ref":"#/$defs/a{a}"}}}}}}"##);
            node(&doubling(a, "", ""), "", &parameters, "", "")
        }
        // The same below `not`, without an example: it is found at the first use of the form.
        "late" => {
            let parameters =
                format!(r##"{{"type":"object","not":{{"not":{{"$ref":"#/$defs/a{a}"}}}}}}"##);
            let text = node(&doubling(a, "", ""), "", &parameters, "", "");
            text.replace(r#","examples":[{"title":"e","parameters":{}}]"#, "")
        }
        // a actions, b KiB of shared schemas.
        "quadratic" => {
            let mut schemas = String::from(r#""a0":{"type":"object"}"#);
            let mut n = 0;
            while schemas.len() < b << 10 {
                n += 1;
                schemas.push_str(&format!(r#","s{n}":{{"type":"string","maxLength":{n}}}"#));
            }
            let mut actions = String::new();
            for n in 0..a {
                actions.push_str(&format!(r#",{{"name":"evil.a{n}","version":1,"title":"t","description":"d","slots":{{}},"effect":"read","idempotency":"safe","parameters":{{"type":"object"}},"output":{{"main":{{}}}}}}"#));
            }
            node(&schemas, "", object, &actions, "")
        }
        // A secret at any position, up to the maximum depth of a pointer.
        "places" => {
            let pointer = "/*".repeat(a.max(1));
            let one = format!(
                r#"{{"name":"k","description":"A key.","methods":["GET"],"origins":["http://plain.example.com"],"path":"/big","pointer":"/k","placements":[{{"methods":["POST"],"origins":["http://plain.example.com"],"path":"/x","pointer":"{pointer}"}}]}}"#
            );
            node("", &one, object, "", "")
        }
        // A secret with two equal placements.
        "equal-placements" => {
            let placement = r#"{"methods":["POST"],"origins":["http://plain.example.com"],"path":"/x","pointer":"/*"}"#;
            let one = format!(
                r#"{{"name":"key","description":"A key.","placements":[{placement},{placement}]}}"#
            );
            node("", &one, object, "", "")
        }
        // 256 secrets of 16 equal placements.
        "placements" => {
            let placement = r#"{"methods":["POST"],"origins":["http://plain.example.com"],"path":"/x","pointer":"/*"}"#;
            let list = [placement; 16].join(",");
            let one = format!(r#"{{"name":"key","description":"A key.","placements":[{list}]}}"#);
            node("", &vec![one; 256].join(","), object, "", "")
        }
        _ => node("", BIG, object, "", ""),
    }
}

/// `head`, followed by an unknown member of this many bytes.
fn fattened(head: &str, size: usize) -> String {
    let head = head.strip_suffix('}').unwrap_or_default();
    format!(r#"{head},"x":{}}}"#, nested(size))
}

impl exports::credential_type::Guest for Evil {
    fn describe() -> String {
        match mode() {
            (what, a, _) if what == "fat-types" => fattened(CREDENTIAL_TYPES, a << 20),
            _ => CREDENTIAL_TYPES.to_owned(),
        }
    }

    fn configure(
        credential_type: String,
        fields: String,
        _grant: Option<String>,
    ) -> Result<String, Vec<types::FieldError>> {
        let fields = json::object(&fields).unwrap_or_default();
        let (what, a, b) = mode();
        if what == "fat-configuration" {
            let mut text =
                String::from(r#"{"audiences":["http://plain.example.com"],"values":{"x":["#);
            while text.len() < a << 20 {
                text.push_str("[0],");
            }
            text.push_str("0]}}");
            return Ok(text);
        }
        if what == "many-problems" {
            let problem = || types::FieldError { pointer: "/x".into(), message: "m".repeat(b) };
            return Err((0..a).map(|_| problem()).collect());
        }
        if credential_type == "account" {
            let extra = fields.get("extra").cloned().unwrap_or_else(|| Value::Object(Map::new()));
            return Ok(format!(
                r#"{{"audiences":["http://plain.example.com"],"oauth":{{"authorize_url":"https://identity.example.com/authorize","token_url":"https://identity.example.com/token","scopes":["read"],"parameters":{extra}}}}}"#
            ));
        }
        Ok(r#"{"audiences":["http://plain.example.com"]}"#.to_owned())
    }

    fn test(_slot: String) -> Result<String, types::Error> {
        let identity = r#"{"summary":"It is what it is."}"#;
        match mode() {
            (what, a, _) if what == "fat-identity" => Ok(fattened(identity, a << 20)),
            _ => Ok(identity.to_owned()),
        }
    }
}

fn error(kind: types::ErrorKind, message: String, detail: Option<String>) -> types::Error {
    types::Error { kind, message, code: None, http_status: None, retry_after: None, detail }
}

impl exports::node::Guest for Evil {
    fn describe() -> String {
        described()
    }

    fn execute(
        call: exports::node::Call,
    ) -> Result<Vec<Result<Vec<types::OutputItem>, types::Error>>, types::Error> {
        let item = call.items.first().and_then(json::object).unwrap_or_default();
        attack(&item, call.items.len())
    }

    fn load_options(_query: String) -> Result<String, types::Error> {
        let options = r#"{"options":[]}"#;
        match mode() {
            (what, a, _) if what == "fat-options" => Ok(fattened(options, a << 20)),
            _ => Ok(options.to_owned()),
        }
    }
}

fn main(json: String) -> types::OutputItem {
    types::OutputItem { port: "main".into(), json }
}

fn plain(method: &str, url: &str, body: Option<Vec<u8>>) -> http::Request {
    http::Request {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body,
        credential: None,
        timeout: None,
        idempotency_key: None,
    }
}

fn told(answer: Result<http::Response, http::SendError>) -> Value {
    let mut record = Map::new();
    match answer {
        Ok(response) => {
            record.insert("status".into(), response.status.into());
            let body = String::from_utf8_lossy(&response.body).into_owned();
            record.insert("body".into(), body.into());
        }
        Err(error) => {
            record.insert("error".into(), format!("{:?}", error.kind).into());
            record.insert("message".into(), error.message.into());
        }
    }
    Value::Object(record)
}

/// `[[0],[0],…]` of this many bytes.
fn nested(size: usize) -> String {
    let mut text = String::with_capacity(size + 8);
    text.push('[');
    while text.len() < size {
        text.push_str("[0],");
    }
    text.push_str("0]");
    text
}

fn attack(
    item: &Map<String, Value>,
    items: usize,
) -> Result<Vec<Result<Vec<types::OutputItem>, types::Error>>, types::Error> {
    let case = item.get("case").and_then(Value::as_str).unwrap_or_default();
    let url = item.get("url").and_then(Value::as_str).unwrap_or("http://plain.example.com/");
    let n = item.get("n").and_then(Value::as_u64).unwrap_or(1) as usize;
    let size = item.get("size").and_then(Value::as_u64).unwrap_or(0) as usize;
    let ms = item.get("ms").and_then(Value::as_u64).unwrap_or(1_000);
    let slot = item.get("slot").and_then(Value::as_str).map(str::to_owned);
    let yes = |text: &str| Ok(vec![Ok(vec![main(text.to_owned())])]);
    match case {
        "nothing" => yes("true"),
        // --- 01
        "hoard-requests" => {
            let request = plain("POST", url, Some(vec![b'x'; size]));
            for _ in 0..n {
                http::submit(&request);
            }
            timer::after(ms);
            let _named = completions::next();
            yes("{}")
        }
        "hoard-answers" => {
            let request = plain("GET", url, None);
            for _ in 0..n {
                http::submit(&request);
            }
            let mut named = 0;
            while completions::next().is_some() {
                named += 1;
            }
            yes(&named.to_string())
        }
        // Nothing in the body, everything elsewhere.
        "hoard-heads" => {
            let fat = "x".repeat(size);
            let text = |name: &str| item.get(name).map(|_| fat.clone());
            for _ in 0..n {
                let mut request = plain("POST", url, None);
                if let Some(fat) = text("url-size") {
                    request.url.push_str(&fat);
                }
                if let Some(fat) = text("header") {
                    request.headers.push(("x-fat".into(), fat));
                }
                if let Some(fat) = text("method") {
                    request.method = fat;
                }
                request.credential = text("credential");
                request.idempotency_key = text("key");
                http::submit(&request);
            }
            timer::after(ms);
            let _named = completions::next();
            yes("{}")
        }
        // Takes every response, but with many requests in flight.
        "honest-answers" => {
            for _ in 0..n {
                http::submit(&plain("GET", url, None));
            }
            let (mut good, mut bad) = (0_u64, Value::Null);
            while let Some(ticket) = completions::next() {
                match http::take(ticket) {
                    Ok(_) => good += 1,
                    refused => bad = told(refused),
                }
            }
            yes(&format!(r#"{{"good":{good},"bad":{bad}}}"#))
        }
        // Bodies that do not fit at the same time, and the result of each.
        "honest-requests" => {
            let request = plain("POST", url, Some(vec![b'x'; size]));
            for _ in 0..n {
                http::submit(&request);
            }
            let (mut good, mut refused) = (0_u64, Value::Null);
            while let Some(ticket) = completions::next() {
                match http::take(ticket) {
                    Ok(_) => good += 1,
                    answer => refused = told(answer),
                }
            }
            let again = http::send(&request).is_ok();
            yes(&format!(r#"{{"good":{good},"refused":{refused},"again":{again}}}"#))
        }
        // --- 02
        "fat-message" => Err(error(types::ErrorKind::Internal, "m".repeat(size), None)),
        "fat-port" => {
            let records = [types::OutputItem { port: "p".repeat(size), json: "1".into() }];
            context::emit(0, &records);
            yes("{}")
        }
        "returned-records" => Ok(vec![Ok((0..size).map(|_| main("1".into())).collect())]),
        "one-record" => Ok(vec![Ok(vec![main(nested(size))])]),
        "fat-detail" => {
            let detail = Some(nested(size));
            Err(error(types::ErrorKind::Internal, "x".into(), detail))
        }
        "fat-detail-each" => Ok((0..items)
            .map(|_| {
                let detail = Some(nested(size));
                Err(error(types::ErrorKind::Internal, "x".into(), detail))
            })
            .collect()),
        "many-records" => {
            let records: Vec<_> = (0..size).map(|_| main("1".into())).collect();
            for _ in 0..n {
                context::emit(0, &records);
            }
            yes("{}")
        }
        "body-placement" => {
            let text = format!("{{\"a\":{}}}", nested(size));
            let mut request =
                plain("POST", "http://plain.example.com/body", Some(text.into_bytes()));
            request.credential = Some("body".into());
            for _ in 0..n {
                http::submit(&request);
            }
            let mut last = Value::Null;
            while let Some(ticket) = completions::next() {
                last = told(http::take(ticket));
            }
            yes(&last.to_string())
        }
        // --- 04
        "placements" => {
            let mut body = Vec::with_capacity(size + 16);
            body.push(b'[');
            while body.len() < size {
                body.extend_from_slice(b"\"a\",");
            }
            body.extend_from_slice(b"\"a\"]");
            let mut request = plain("POST", "http://plain.example.com/x", Some(body));
            request.timeout = Some(1_000);
            for _ in 0..n {
                http::submit(&request);
            }
            while let Some(ticket) = completions::next() {
                let _ = http::take(ticket);
            }
            yes("{}")
        }
        "big-handle" => {
            let answer = http::send(&plain("GET", "http://plain.example.com/big", None));
            let answer = told(answer);
            let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
            let handle = json::object(body).unwrap_or_default();
            let text = Value::Object(handle).to_string();
            if text.len() > 100 {
                return yes(&format!("\"no handle: {} bytes\"", text.len()));
            }
            let request = plain("POST", "http://plain.example.com/x", Some(text.into_bytes()));
            for _ in 0..n {
                http::submit(&request);
            }
            let mut last = Value::Null;
            while let Some(ticket) = completions::next() {
                last = told(http::take(ticket));
            }
            yes(&last.to_string())
        }
        // --- 05 and others: sequential requests, `%` in the URL is the counter.
        "gets" => {
            let mut good = 0;
            for at in 0..n {
                let url = url.replace('%', &at.to_string());
                let mut request = plain("GET", &url, None);
                request.credential = slot.clone();
                good += usize::from(http::send(&request).is_ok());
            }
            yes(&good.to_string())
        }
        "request" => {
            let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            let headers = item.get("headers").and_then(Value::as_array).into_iter().flatten();
            let headers = headers
                .filter_map(|pair| {
                    Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()))
                })
                .collect();
            let answer = http::send(&http::Request {
                method: text("method").unwrap_or_else(|| "GET".into()),
                url: url.to_owned(),
                headers,
                body: text("body").map(String::into_bytes),
                credential: slot,
                timeout: item.get("timeout").and_then(Value::as_u64),
                idempotency_key: None,
            });
            yes(&told(answer).to_string())
        }
        // Looks for the mark among candidates, and reports its position.
        "oracle" => {
            let mut found = Value::Null;
            for at in 0..n {
                let url = url.replace('%', &at.to_string());
                if let Ok(response) = http::send(&plain("GET", &url, None)) {
                    let body = String::from_utf8_lossy(&response.body);
                    let mut lines = body.split('\n');
                    let first: usize = lines.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                    if let Some(place) =
                        lines.position(|line| line.contains("[credential removed]"))
                    {
                        found = Value::from(first + place);
                        break;
                    }
                }
            }
            yes(&found.to_string())
        }
        // A repeated handle: each one would be replaced by the whole secret.
        "many-handles" => {
            let answer = told(http::send(&plain("GET", "http://plain.example.com/big", None)));
            let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
            let handle = json::object(body).unwrap_or_default();
            let handle = handle.get("k").cloned().unwrap_or_default().to_string();
            let body = format!("[{}]", vec![handle.as_str(); size / 44].join(","));
            let request = plain("POST", "http://plain.example.com/x", Some(body.into_bytes()));
            for _ in 0..n {
                http::submit(&request);
            }
            let mut last = Value::Null;
            while let Some(ticket) = completions::next() {
                last = told(http::take(ticket));
            }
            yes(&last.to_string())
        }
        // Different secrets, each in a request that is in flight.
        "many-secrets" => {
            let mut requests = Vec::new();
            for at in 0..n {
                let url = format!("http://plain.example.com/big?{at}");
                let answer = told(http::send(&plain("GET", &url, None)));
                let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
                let body = body.as_bytes().to_vec();
                requests.push(plain("POST", "http://plain.example.com/x", Some(body)));
            }
            for request in &requests {
                http::submit(request);
            }
            let mut good = 0_u64;
            while let Some(ticket) = completions::next() {
                good += u64::from(http::take(ticket).is_ok());
            }
            yes(&good.to_string())
        }
        // --- computing
        "spin" => {
            let mut sum = 0_u64;
            loop {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
            }
        }
        "compute" => {
            let mut sum = 0_u64;
            for at in 0..n {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(at as u64));
            }
            yes(&(sum % 2).to_string())
        }
        // --- floods
        "call-flood" => {
            let what = item.get("call").and_then(Value::as_str).unwrap_or_default();
            for at in 0..n {
                match what {
                    "now" => drop(context::now()),
                    "cancelled" => drop(context::cancelled()),
                    "deadline" => drop(context::deadline()),
                    "random" => drop(context::random(1)),
                    "idempotency-key" => drop(context::idempotency_key(0)),
                    "credential" => drop(context::credential("rest")),
                    "log" => context::log(context::Level::Trace, "", ""),
                    "progress" => context::progress(at as u64, None, ""),
                    "emit" => context::emit(0, &[]),
                    "next" => drop(completions::next()),
                    "cancel" => completions::cancel(7),
                    "after" => completions::cancel(timer::after(1_000)),
                    "timer" => {
                        timer::after(0);
                        let _named = completions::next();
                    }
                    "submit" => {
                        completions::cancel(http::submit(&plain(
                            "GET",
                            "https://refused.example.com/",
                            None,
                        )));
                    }
                    "send" => drop(http::send(&plain("GET", "https://refused.example.com/", None))),
                    "no-slot" => {
                        let mut request = plain("GET", url, None);
                        request.credential = Some("nothing".into());
                        drop(http::send(&request));
                    }
                    _ => return Err(error(types::ErrorKind::Unsupported, what.into(), None)),
                }
            }
            yes("{}")
        }
        "refused-submits" => {
            let request = plain("GET", "https://refused.example.com/", None);
            for _ in 0..n {
                http::submit(&request);
                let _named = completions::next();
            }
            yes("{}")
        }
        "refused-flood" => {
            let until = context::now() + ms;
            let request = plain("GET", "https://refused.example.com/", None);
            let mut sent = 0_u64;
            while context::now() < until {
                let _ = http::send(&request);
                sent += 1;
            }
            yes(&sent.to_string())
        }
        "emit-flood" => {
            for _ in 0..n {
                context::emit(0, &[]);
            }
            yes("{}")
        }
        "progress-flood" => {
            let message = "p".repeat(size);
            for at in 0..n {
                context::progress(at as u64, None, &message);
            }
            yes("{}")
        }
        other => Err(error(types::ErrorKind::Unsupported, format!("no case `{other}`"), None)),
    }
}

// ------------------------------------------------------------------ triggers

const TRIGGERS: &str = r#"{"triggers":[
{"name":"tick","version":1,"title":"Tick","description":"Polls.","parameters":{"type":"object"},"delivery":{"kind":"poll","interval_ms":60000}},
{"name":"hook","version":1,"title":"Hook","description":"Unsigned.","parameters":{"type":"object"},"delivery":{"kind":"webhook"}}
]}"#;

impl exports::trigger::Guest for Evil {
    fn describe() -> String {
        match mode() {
            (what, a, _) if what == "fat-triggers" => fattened(TRIGGERS, a << 20),
            _ => TRIGGERS.into(),
        }
    }

    fn setup(_: exports::trigger::Subscription) -> Result<String, types::Error> {
        match mode() {
            (what, a, _) if what == "fat-state" => Ok(nested(a << 20)),
            _ => Ok("{}".into()),
        }
    }

    fn check(_: exports::trigger::Subscription) -> Result<exports::trigger::Health, types::Error> {
        Ok(exports::trigger::Health::Active)
    }

    fn teardown(_: exports::trigger::Subscription) -> Result<(), types::Error> {
        Ok(())
    }

    fn receive(
        _: exports::trigger::Subscription,
        _: exports::trigger::Delivery,
    ) -> Result<exports::trigger::Received, types::Error> {
        Ok(exports::trigger::Received { events: Vec::new(), reply: None })
    }

    fn poll(
        subscription: exports::trigger::Subscription,
        cursor: Option<String>,
    ) -> Result<exports::trigger::Page, types::Error> {
        let parameters = json::object(&subscription.parameters).unwrap_or_default();
        let case = parameters.get("case").and_then(Value::as_str).unwrap_or_default();
        let n = parameters.get("n").and_then(Value::as_u64).unwrap_or(1) as usize;
        let size = parameters.get("size").and_then(Value::as_u64).unwrap_or(0) as usize;
        let at: u64 = cursor.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        let event = |json: String, key: Option<String>| exports::trigger::Event {
            json,
            dedup_key: key,
            occurred: None,
        };
        let next = (at + 1).to_string();
        Ok(match case {
            "endless" => exports::trigger::Page {
                events: (0..n).map(|_| event(format!("\"{}\"", "e".repeat(size)), None)).collect(),
                cursor: next,
                more: true,
            },
            "fat-cursor" => {
                exports::trigger::Page { events: Vec::new(), cursor: nested(size), more: false }
            }
            "fat-key" => exports::trigger::Page {
                events: vec![event("1".into(), Some("k".repeat(size)))],
                cursor: next,
                more: false,
            },
            "many-events" => exports::trigger::Page {
                events: (0..size).map(|_| event("1".into(), None)).collect(),
                cursor: next,
                more: false,
            },
            // No event, but a cursor that moves: the node asks to be polled again forever.
            "spinning" => exports::trigger::Page { events: Vec::new(), cursor: next, more: true },
            _ => exports::trigger::Page { events: Vec::new(), cursor: "0".into(), more: false },
        })
    }
}
