use std::sync::Arc;

use serde_json::{Value, json};
use workflow_node_host::transport::{HttpTransport, SentMark, Transport, TransportRequest};

use super::*;

fn fake(text: &str) -> Fake {
    Fake::parse(Path::new("fake.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.into(),
        url: format!("https://issues.example.com{target}").parse().unwrap(),
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

fn ask(fake: &Fake, method: &str, target: &str) -> (u16, Value) {
    let response = fake.answer(&request(method, target), 0).response;
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
}

#[test]
fn the_example_answers_as_its_comments_say() {
    let fake = fake(EXAMPLE);
    let created = Request {
        headers: vec![("authorization".into(), "Bearer x".into())],
        body: json!({ "title": "Disk full" }).to_string().into(),
        ..request("POST", "/repos/a/b/issues")
    };
    let answered = fake.answer(&created, 0);
    let body: Value = serde_json::from_slice(&answered.response.body).unwrap();
    assert_eq!(answered.response.status, 201);
    assert_eq!(body["title"], "Disk full");
    assert_eq!(body["created_at"], "1970-01-01T00:00:00Z");
    assert_eq!(answered.response.header("x-request-id"), Some("fake-1"));
    assert_eq!(ask(&fake, "POST", "/repos/a/b/issues").0, 401);
    let first = fake.answer(&request("GET", "/user"), 0);
    assert_eq!(first.fault, Some(Fault::RateLimit { retry_after: Some(1) }));
    let second = fake.answer(&request("GET", "/user"), 0);
    assert_eq!(second.fault, None);
    let hook = Request {
        body: json!({ "config": { "url": "http://127.0.0.1:9/hook", "secret": "s" } })
            .to_string()
            .into(),
        ..request("POST", "/repos/a/b/hooks")
    };
    let delivery = fake.answer(&hook, 0).webhooks.remove(0);
    assert_eq!(delivery.to, "http://127.0.0.1:9/hook");
    let signature = delivery.headers.iter().find(|(name, _)| name == "x-signature-256").unwrap();
    let expected = signed("s", &delivery.body, Encoding::Hex);
    assert_eq!(signature.1, format!("sha256={expected}"));
}

#[test]
fn each_style_of_paging_returns_all_records_once() {
    for (style, member, size) in [
        ("link", None, "per_page"),
        ("link", Some("issues"), "per_page"),
        ("page", Some("issues"), "per_page"),
        ("offset", Some("issues"), "limit"),
        ("cursor", Some("issues"), "limit"),
    ] {
        let named = member.map(|member| format!("member = \"{member}\"\n")).unwrap_or_default();
        let fake = fake(&format!(
            "origins = [\"https://issues.example.com\"]\n[[route]]\nrequest = \"GET /issues\"\n\
             [route.paging]\nstyle = \"{style}\"\nsize = 10\ncount = 47\n{named}\
             item = {{ number = \"{{{{index}}}}\" }}\n"
        ));
        let (mut numbers, mut pages) = (Vec::new(), 0);
        let mut target = Some(format!("/issues?state=open&{size}=7"));
        while let Some(asked) = target.take() {
            pages += 1;
            assert!(pages < 20, "{style} does not end");
            let response = fake.answer(&request("GET", &asked), 0).response;
            let body: Value = serde_json::from_slice(&response.body).unwrap();
            let list = member.map_or(&body, |member| &body[member]).as_array().unwrap();
            numbers.extend(list.iter().map(|one| one["number"].as_u64().unwrap()));
            let more = |position: String| Some(format!("/issues?{size}=7&{position}"));
            target = match style {
                "link" => response.header("link").map(|link| {
                    let url = link.trim_start_matches('<').split('>').next().unwrap();
                    assert!(url.contains("state=open"), "{url}");
                    url.trim_start_matches("https://issues.example.com").to_owned()
                }),
                "page" if numbers.len() < body["total"].as_u64().unwrap() as usize => {
                    more(format!("page={}", pages + 1))
                }
                "offset" if body["more"] == true => more(format!("offset={}", numbers.len())),
                "cursor" => {
                    body["next_cursor"].as_str().and_then(|next| more(format!("cursor={next}")))
                }
                _ => None,
            };
        }
        assert_eq!(numbers, (1..=47).collect::<Vec<u64>>(), "{style}");
        assert_eq!(pages, 7, "{style}");
        assert_eq!(ask(&fake, "GET", &format!("/issues?{size}=0")).0, 400);
    }
}

#[test]
fn routes_match_by_path_query_headers_body_and_number_of_uses() {
    let fake = fake(
        "origins = [\"https://issues.example.com\", \"https://other.example.com\"]
         [[route]]\nrequest = \"GET /a/{id}\"\nquery = { state = \"open*\" }\nanswer = { text = \"1\" }
         [[route]]\nrequest = \"GET /a/{id}\"\ntimes = 1\nanswer = { text = \"2\" }
         [[route]]\nrequest = \"GET /a/{id}\"\norigin = \"https://other.example.com\"\nanswer = { text = \"3\" }
         [[route]]\nrequest = \"POST /a\"\nbody = { kind = { name = \"x\" }, n = 1 }\nanswer = { text = \"4\" }
         [[route]]\nrequest = \"GET /turns\"\nanswers = [{ text = \"a\" }, { text = \"b\" }]\n",
    );
    let text = |request: &Request| {
        let response = fake.answer(request, 0).response;
        format!("{} {}", response.status, String::from_utf8_lossy(&response.body))
    };
    assert_eq!(text(&request("GET", "/a/x?state=opened")), "200 1");
    assert_eq!(text(&request("GET", "/a/x?state=closed")), "200 2");
    let again = text(&request("GET", "/a/x?state=closed"));
    assert!(again.starts_with("404") && again.contains("GET /a/{id}"), "{again}");
    let mut elsewhere = request("GET", "/a/x");
    elsewhere.url = "https://other.example.com/a/x".parse().unwrap();
    assert_eq!(text(&elsewhere), "200 3");
    let post = |body: Value| Request { body: body.to_string().into(), ..request("POST", "/a") };
    assert_eq!(text(&post(json!({ "kind": { "name": "x", "more": 1 }, "n": 1.0 }))), "200 4");
    assert!(text(&post(json!({ "kind": { "name": "y" }, "n": 1 }))).starts_with("404"));
    let turns: Vec<String> = (0..3).map(|_| text(&request("GET", "/turns"))).collect();
    assert_eq!(turns, ["200 a", "200 b", "200 b"]);
}

#[test]
fn a_mistake_in_a_file_names_its_line_and_the_next_step() {
    let start = "origins = [\"https://issues.example.com\"]\n[[route]]\n";
    for (text, line, words) in [
        (
            "origins = [\"https://issues.example.com/v1\"]\n[[route]]\nrequest = \"GET /\"\n",
            1,
            "origin",
        ),
        (&format!("{start}request = \"GET items\"\n"), 3, "path template"),
        (&format!("{start}request = \"get /items\"\n"), 3, "upper case"),
        (&format!("{start}request = \"GET /items?a=b\"\n"), 3, "query"),
        (&format!("{start}request = \"GET /items\"\n"), 3, "no answer"),
        (&format!("{start}request = \"GET /items\"\nanswer = {{ stats = 1 }}\n"), 4, "stats"),
        (&format!("{start}request = \"GET /items\"\nanswer = {{ status = 100 }}\n"), 4, "status"),
        (
            &format!(
                "{start}request = \"GET /items\"\nanswer = {{ text = \"{{{{path.id}}}}\" }}\n"
            ),
            4,
            "no placeholder",
        ),
        (&format!("{start}request = \"GET /items\"\nfault = {{ kind = \"flood\" }}\n"), 4, "flood"),
        (
            &format!("{start}request = \"GET /items\"\n[route.paging]\nstyle = \"link\"\n"),
            4,
            "count",
        ),
        (
            &format!("{start}request = \"GET /items\"\norigin = \"https://x.example\"\n"),
            4,
            "origins",
        ),
        ("origins = [\"https://a.example\"]\nroutes = 1\n", 2, "routes"),
    ] {
        let error = Fake::parse(Path::new("fake.toml"), text).err().expect(text);
        let told = format!("{} {:?}", workflow_node_host::chain(&error), error.next);
        assert_eq!(error.line, Some(line), "{told}\n{text}");
        assert!(told.contains(words) && error.next.is_some(), "{told}");
    }
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let json = |text: &str| crate::file::json(&toml::from_str::<toml::Value>(text).unwrap());
    let problems: Vec<String> =
        validator.iter_errors(&json(EXAMPLE)).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let start = "origins = [\"https://a.example\"]\n[[route]]\nrequest = \"GET /a\"\n";
    for (rest, is_right) in [
        ("answer = { json = [1] }", true),
        ("answers = [{ text = \"a\", headers = { a = \"b\" } }]\ntimes = 2", true),
        ("fault = { kind = \"delay\", by = \"2s\" }", true),
        ("fault = { kind = \"reset-after\" }", true),
        ("fault = { kind = \"status\", status = 503, body = \"x\" }", true),
        ("fault = { kind = \"delay\" }", false),
        ("fault = { kind = \"delay\", by = \"soon\" }", false),
        ("answer = { code = 1 }", false),
        ("paging = { style = \"pages\", items = [] }", false),
        ("paging = { style = \"link\", items = [1, 2], size = 1 }", true),
    ] {
        let text = format!("{start}{rest}\n");
        assert_eq!(validator.is_valid(&json(&text)), is_right, "{rest}");
        assert_eq!(Fake::parse(Path::new("a"), &text).is_ok(), is_right, "{rest}");
    }
}

/// A fake over TLS, and a transport that reaches it.
async fn served(text: &str) -> (Server, HttpTransport) {
    let certificates = Certificates::new().unwrap();
    let deliver = Deliver::new(None, |_, _| {});
    let address = "127.0.0.1:0".parse().unwrap();
    let server =
        Server::start(Arc::new(fake(text)), &certificates, address, deliver, |_| {}).await.unwrap();
    let mapping = format!("https://issues.example.com=https://{}", server.address());
    let transport = HttpTransport::builder()
        .ca_pem(certificates.ca_pem())
        .connect_to(mapping.parse().unwrap())
        .build()
        .unwrap();
    (server, transport)
}

fn to_send(target: &str) -> TransportRequest {
    TransportRequest {
        plugin: String::new(),
        pool: "test".into(),
        method: http::Method::POST,
        url: format!("https://issues.example.com{target}").parse().unwrap(),
        headers: http::HeaderMap::new(),
        body: Some("{}".into()),
        private_addresses: false,
        response_limit: 1 << 20,
        sent: SentMark::default(),
    }
}

#[tokio::test]
async fn faults_reach_a_client_over_tls() {
    let kinds = ["reset-before", "reset-after", "truncated", "malformed"];
    let routes: String = kinds
        .iter()
        .map(|kind| {
            format!(
                "[[route]]\nrequest = \"POST /{kind}\"\nfault = {{ kind = \"{kind}\" }}\n\
                 answer = {{ json = {{ text = \"a body that is long enough to be cut\" }} }}\n"
            )
        })
        .collect();
    let (_server, transport) = served(&format!(
        "origins = [\"https://issues.example.com\"]\n{routes}\
         [[route]]\nrequest = \"POST /slow\"\nfault = {{ kind = \"slow-body\", over = \"300ms\" }}\n\
         answer = {{ text = \"0123456789\" }}\n\
         [[route]]\nrequest = \"POST /limited\"\nfault = {{ kind = \"rate-limit\" }}\n"
    ))
    .await;
    for kind in ["reset-before", "reset-after", "truncated"] {
        let error = transport.send(to_send(&format!("/{kind}"))).await.expect_err(kind);
        assert!(!error.message.is_empty(), "{kind}");
    }
    let malformed = transport.send(to_send("/malformed")).await.unwrap();
    assert_eq!(malformed.status, 200);
    assert!(serde_json::from_slice::<Value>(&malformed.body).is_err());
    let began = std::time::Instant::now();
    let slow = transport.send(to_send("/slow")).await.unwrap();
    assert_eq!(slow.body, b"0123456789");
    assert!(began.elapsed() >= Duration::from_millis(250));
    assert_eq!(transport.send(to_send("/limited")).await.unwrap().status, 429);
}

#[tokio::test]
async fn a_fake_delivers_webhooks_to_this_machine_only() {
    let delivery = |to: &str| Delivery {
        to: to.into(),
        headers: vec![("x-event".into(), "issues".into())],
        body: "{}".into(),
        after: Duration::ZERO,
    };
    let deliver = Deliver::new(None, |_, _| {});
    let refused = deliver.one(&delivery("https://hooks.example.com/a")).await.unwrap_err();
    assert!(refused.to_string().contains("--deliver-to"), "{refused}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}", listener.local_addr().unwrap());
    let received = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let deliver = Deliver::new(Some(to.parse().unwrap()), |_, _| {});
    let status = deliver.one(&delivery("https://hooks.example.com/a?b=c")).await.unwrap();
    let text = received.await.unwrap();
    assert_eq!(status, 202);
    assert!(text.starts_with("POST /a?b=c ") && text.contains("x-event: issues"), "{text}");
}
