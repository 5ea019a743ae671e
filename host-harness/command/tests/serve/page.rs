//! The page at `/`: how people enter, what their sessions may do, and what protects them.

use serde_json::{Value, json};

use crate::support::{Answer, Client, Served, World, is_on_the_disk, plugin};
use crate::webdriver;

const SESSION: &str = "__Host-harness=";

/// A person's browser: keeps cookies, and says which page a form comes from.
pub(crate) struct Visitor {
    client: Client,
    origin: String,
    cookies: Vec<(String, String)>,
    /// Headers that are sent with every request.
    more: Vec<(&'static str, String)>,
}

impl Visitor {
    pub(crate) fn new(server: &Served) -> Self {
        let origin = format!("http://{}", server.address());
        Self { client: server.anybody(), origin, cookies: Vec::new(), more: Vec::new() }
    }

    /// A browser that has entered with a link of a new token.
    pub(crate) fn entered(world: &World, server: &Served, token: &str, options: &[&str]) -> Self {
        let link = link(world, token, options);
        let mut visitor = Self::new(server);
        let done = visitor.enter(&link);
        assert_eq!(done.status, 303, "{done:?}");
        assert_eq!(done.header("location"), Some("/"));
        visitor
    }

    fn enter(&mut self, link: &str) -> Answer {
        let page = self.get(link);
        assert_eq!(page.status, 200, "{page:?}");
        let form = [("token", token_of(&page.body))];
        self.post(link, &form)
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let path = url.strip_prefix("http://").map_or(url, |rest| &rest[rest.find('/').unwrap()..]);
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend(self.more.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = self.client.send(method, path, &all, body.as_bytes());
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    pub(crate) fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, &[], "")
    }

    pub(crate) fn post(&mut self, url: &str, form: &[(&str, String)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let origin = self.origin.clone();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        self.send("POST", url, &headers, &body.finish())
    }

    /// The proof that a form is one of this session.
    pub(crate) fn token(&mut self) -> String {
        let page = self.get("/");
        assert_eq!(page.status, 200, "{page:?}");
        token_of(&page.body)
    }

    /// Posts a form of this session.
    pub(crate) fn change(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("token", self.token())];
        form.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.post(url, &form)
    }
}

pub(crate) fn token_of(page: &str) -> String {
    let token = page.split("name=\"token\" value=\"").nth(1).expect("the page has a form");
    token[..token.find('"').unwrap()].to_owned()
}

pub(crate) fn link(world: &World, token: &str, options: &[&str]) -> String {
    let args = [&["token", "page", token][..], options].concat();
    world.harness(&args).trim().to_owned()
}

const ALL: [&str; 6] = ["--role", "run", "--role", "connect", "--role", "approve"];

/// Routes that change something, with a form that would.
const CHANGES: [&str; 10] = [
    "/page/leave",
    "/page/plugins/pagerduty/actions/service.list",
    "/page/executions/none/cancel",
    "/page/subscriptions/none/redeliver",
    "/page/subscriptions/none/remove",
    "/page/plugins/pagerduty/approve",
    "/page/credentials",
    "/page/credentials/work/reconnect",
    "/page/credentials/work/test",
    "/page/credentials/work/disconnect",
];

const PAGES: [&str; 7] = [
    "/",
    "/page/plugins/pagerduty",
    "/page/plugins/pagerduty/actions/incident.create",
    "/page/credentials",
    "/page/credentials?plugin=pagerduty&type=oauth2",
    "/page/executions",
    "/page/subscriptions",
];

#[test]
fn a_link_lets_one_browser_in_once_until_the_person_signs_out() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::new(&server);
    let welcome = visitor.get("/");
    assert_eq!(welcome.status, 401);
    assert!(welcome.body.contains("harness token page NAME"), "{}", welcome.body);
    assert!(!welcome.body.contains("PagerDuty"), "a stranger sees nothing: {}", welcome.body);

    let link = link(&world, "ada", &[&ALL[..], &["--as", "ada", "--tenant", "acme"]].concat());
    assert!(link.starts_with(&format!("http://{}/enter/", server.address())), "{link}");
    let secret = link.rsplit('/').next().unwrap().to_owned();
    let page = visitor.get(&link);
    for text in ["<b>ada</b>", "<b>acme</b>", "“ada”"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let form = [("token", token_of(&page.body))];
    // The form works in the browser that has opened the link, and in no other.
    let mut other = Visitor::new(&server);
    assert_eq!(other.post(&link, &form).status, 403);
    other.get(&link);
    assert_eq!(other.post(&link, &form).status, 403);
    assert_eq!(visitor.post(&link, &[("token", "x".to_owned())]).status, 403);
    let entered = visitor.post(&link, &form);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    let set = entered.headers.iter().find(|(_, value)| value.starts_with(SESSION)).unwrap();
    assert!(set.1.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{set:?}");
    let cookie = set.1[SESSION.len()..].split(';').next().unwrap().to_owned();
    assert_eq!(other.get(&link).status, 404, "a link is used once");
    let again = [("token", token_of(&page.body))];
    assert_eq!(visitor.post(&link, &again).status, 403);

    let overview = visitor.get("/");
    assert_eq!(overview.status, 200);
    for text in ["PagerDuty", "Approved", "ada", "acme", "Sign out"] {
        assert!(overview.body.contains(text), "{text}: {}", overview.body);
    }
    assert!(!overview.body.contains(&cookie));
    let left = visitor.change("/page/leave", &[]);
    assert_eq!(left.status, 200, "{left:?}");
    assert_eq!(visitor.get("/").status, 401);
    visitor.cookies = vec![("__Host-harness".to_owned(), cookie.clone())];
    assert_eq!(visitor.get("/").status, 401, "the session has ended on the server");
    let log = server.log();
    assert!(log.contains("page request") && log.contains("a link has admitted a browser"), "{log}");
    assert!(log.contains("actor=acme/ada") || log.contains("ada"), "{log}");
    assert!(!log.contains(&secret) && !log.contains(&cookie), "{log}");
    assert!(!is_on_the_disk(&world, &secret) && !is_on_the_disk(&world, &cookie));
}

#[test]
fn a_session_survives_a_restart_and_ends_with_its_token_and_a_link_needs_one() {
    let world = World::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = || world.serve(&["--listen", &free.to_string()]);
    let server = serve();
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    server.kill();
    let _server = serve();
    assert_eq!(visitor.get("/").status, 200);
    let waiting = link(&world, "ada", &[]);
    world.harness(&["token", "revoke", "ada"]);
    assert_eq!(visitor.get("/").status, 401);
    assert_eq!(visitor.get(&waiting).status, 404);
    for (name, more) in [("ada", &[][..]), ("nobody", &[]), ("ada", &["--role", "run"])] {
        let args = [&["token", "page", name][..], more].concat();
        let output = world.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?} {output:?}");
    }
    let short = link(&world, "ben", &["--role", "run", "--within", "1ms"]);
    assert_eq!(visitor.get(&short).status, 404, "a link expires");
    let elsewhere = link(&world, "ben", &["--url", "https://harness.example.com"]);
    assert!(elsewhere.starts_with("https://harness.example.com/enter/"), "{elsewhere}");
}

#[test]
fn pages_load_nothing_from_elsewhere_and_run_nothing_that_is_written_into_them() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    for path in PAGES {
        let page = visitor.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let policy = page.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        for inline in
            ["<style", " style=", " onclick", " onload", "javascript:", "http://", "https://"]
        {
            let found =
                page.body.find(inline).map(|at| &page.body[at..(at + 80).min(page.body.len())]);
            // Hosts that were approved are text.
            let is_text = inline.starts_with("http") && path.contains("plugins");
            assert!(found.is_none() || is_text, "{path}: {found:?}");
        }
        assert_eq!(page.body.matches("<script").count(), 1, "{path}");
        assert!(page.body.contains("<html lang=\"en\">") && page.body.contains("<main"), "{path}");
    }
    let page = visitor.get("/").body;
    for (mark, media_type) in [
        ("href=\"/page/assets/", "text/css; charset=utf-8"),
        ("src=\"/page/assets/", "text/javascript; charset=utf-8"),
    ] {
        let file = page.split(mark).nth(1).unwrap().split('"').next().unwrap();
        let asset = server.anybody().get(&format!("/page/assets/{file}"));
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(media_type)));
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
    }
    assert_eq!(server.anybody().get("/page/assets/page.css").status, 404);
}

#[test]
fn every_change_needs_a_session_its_form_and_its_origin() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    let own = format!("token={}", {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.append_pair("token", &visitor.token());
        encoded.finish().split_once('=').unwrap().1.to_owned()
    });
    let other = Visitor::entered(&world, &server, "ben", &ALL).token();
    let origin = format!("http://{}", server.address());
    let form = ("content-type", "application/x-www-form-urlencoded");
    world.simulator.clear_requests();
    for path in CHANGES {
        let mut send =
            |headers: &[(&str, &str)], body: &str| visitor.send("POST", path, headers, body).status;
        let from = |origin| [form, ("origin", origin)];
        assert_eq!(send(&from(&origin), ""), 403, "{path}: no proof");
        assert_eq!(send(&from(&origin), "token=x"), 403, "{path}: a wrong proof");
        assert_eq!(
            send(&from(&origin), &format!("token={other}")),
            403,
            "{path}: another session's"
        );
        assert_eq!(send(&[form], &own), 403, "{path}: no origin");
        for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
            assert_eq!(send(&from(foreign), &own), 403, "{path}: {foreign}");
        }
        let json = [("content-type", "application/json"), ("origin", origin.as_str())];
        assert_eq!(send(&json, &own), 415, "{path}: not a form");
        let rebound = [form, ("origin", "http://evil.example"), ("host", "evil.example")];
        assert_eq!(send(&rebound, &own), 403, "{path}: DNS rebinding");
        let has_get = path == "/page/credentials" || path.contains("/actions/");
        assert_eq!(visitor.get(path).status == 405, !has_get, "{path}");
        let mut stranger = Visitor::new(&server);
        assert_eq!(stranger.send("POST", path, &from(&origin), &own).status, 401, "{path}");
    }
    assert_eq!(world.simulator.requests().len(), 0, "nothing was sent");
    for path in PAGES {
        let rebound = visitor.send("GET", path, &[("host", "evil.example")], "");
        assert_eq!(rebound.status, 403, "{path}");
    }
    assert_eq!(visitor.get("/").status, 200, "nobody was signed out");
}

#[test]
fn the_cookie_is_worth_nothing_at_the_api_and_a_token_nothing_on_the_page() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    assert_eq!(visitor.get("/v1/credentials").error(401), "unauthenticated");
    assert_eq!(visitor.send("DELETE", "/v1/credentials/work", &[], "").status, 401);
    let client = server.client(&world.full_token());
    assert_eq!(client.get("/").status, 401);
    assert_eq!(client.get("/page/credentials").status, 401);
}

#[test]
fn a_page_shows_and_does_what_the_policy_allows_and_no_more() {
    let world = World::new();
    world.connect(&["--tenant", "acme", "--as", "ada"], "adas-secret-name");
    let server = world.serve(&[]);
    let who = |tenant: &str, user: &str, more: &[&str]| {
        let options = [&["--tenant", tenant, "--as", user][..], more].concat();
        Visitor::entered(&world, &server, &format!("{tenant}-{user}-{}", more.len()), &options)
    };
    let run = ["--role", "run"];
    let connect = ["--role", "run", "--role", "connect"];
    let mut ada = who("acme", "ada", &connect);
    assert!(ada.get("/page/credentials").body.contains("adas-secret-name"));
    for (tenant, user) in [("acme", "ben"), ("other", "ada")] {
        let mut stranger = who(tenant, user, &connect);
        for path in PAGES {
            let page = stranger.get(path).body;
            assert!(!page.contains("adas-secret-name"), "{tenant} {user} {path}");
        }
        for what in ["test", "reconnect", "disconnect"] {
            let mut change = |name: &str| {
                let answer = stranger.change(&format!("/page/credentials/{name}/{what}"), &[]);
                (answer.status, answer.body.replace(name, "NAME"))
            };
            assert_eq!(change("adas-secret-name"), change("nosuch"), "{what}");
        }
    }
    // Without a role, what it allows is neither offered nor done.
    let mut reader = who("acme", "ada", &run);
    let page = reader.get("/page/credentials").body;
    assert!(page.contains("adas-secret-name") && !page.contains("Disconnect"), "{page}");
    for path in CHANGES.iter().filter(|path| path.starts_with("/page/c")) {
        let path = path.replace("/work/", "/adas-secret-name/");
        let fields = [
            ("plugin", "pagerduty"),
            ("type", "api-token"),
            ("name", "x"),
            ("mode", "private"),
            ("p/from_email", "ada@example.com"),
            ("access", ""),
        ];
        let answer = reader.change(&path, &fields);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    let refused = reader.change("/page/plugins/pagerduty/approve", &[("digest", "sha256:00")]);
    assert_eq!(refused.status, 403);
    let plugin = reader.get("/page/plugins/pagerduty").body;
    assert!(plugin.contains("Approved") && !plugin.contains("Withheld"), "{plugin}");
    // Only people who may approve plugins see the approved permissions. Restricted permissions are
    // named.
    let narrow = [
        "--role",
        "run",
        "--role",
        "approve",
        "--action",
        "incident.*",
        "--effect",
        "read",
        "--destination",
        "https://api.pagerduty.com",
    ];
    let mut narrow = who("acme", "eve", &narrow);
    let page = narrow.get("/page/plugins/pagerduty").body;
    for text in [
        "Hosts",
        "https://events.pagerduty.com",
        "Effects",
        "Scopes",
        "Nothing: the request was granted in full",
        "Your rights are narrower",
        "incident.*",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(
        page.contains("/actions/incident.list") && !page.contains("/actions/incident.create"),
        "{page}"
    );
    assert!(!page.contains("/actions/service.list"), "{page}");
    let mut nothing = who("acme", "max", &["--role", "run", "--plugin", "none"]);
    assert!(!nothing.get("/").body.contains("PagerDuty"));
    assert_eq!(nothing.get("/page/plugins/pagerduty").status, 404);
}

#[test]
fn a_plugin_is_approved_on_the_page_by_its_digest() {
    let world = World::new();
    std::fs::remove_file(world.path("data/approvals.json")).unwrap();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    assert!(visitor.get("/").body.contains("Not approved"));
    let at = "/page/plugins/pagerduty";
    let page = visitor.get(at).body;
    let digest = page.split("name=\"digest\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let approve = format!("{at}/approve");
    let other = format!("sha256:{}", "0".repeat(64));
    assert_eq!(visitor.change(&approve, &[("digest", &other)]).status, 409);
    assert!(visitor.get("/").body.contains("Not approved"));
    assert_eq!(visitor.change(&approve, &[("digest", digest)]).status, 303);
    let page = visitor.get(at).body;
    assert!(page.contains("Approved") && page.contains("token ada"), "{page}");
}

#[test]
fn an_account_is_connected_tested_and_disconnected_on_the_page() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut visitor = Visitor::entered(&world, &server, "ada", &ALL);
    let at = "/page/credentials?plugin=pagerduty&type=api-token";
    let page = visitor.get(at).body;
    for text in ["for=\"name\"", "for=\"p/from_email\"", "name=\"p/from_email\""] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("type=\"password\""), "secrets are typed on the next page: {page}");
    let mut fields = vec![("plugin", "pagerduty"), ("type", "api-token"), ("mode", "private")];
    let refused = visitor.change("/page/credentials", &fields);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("The credential needs a name."), "{}", refused.body);
    fields.push(("name", "alerts"));
    fields.push(("p/from_email", "ada@example.com"));
    let begun = visitor.change("/page/credentials", &fields);
    assert_eq!(begun.status, 200, "{begun:?}");
    let link = begun.body.split("content=\"0; url=").nth(1).unwrap().split('"').next().unwrap();
    let page = visitor.get(link);
    assert!(page.body.contains("secret.api_token"), "{page:?}");
    let key = world.simulator.us().keys().account.clone();
    let form = [("token", token_of(&page.body)), ("secret.api_token", key)];
    let done = visitor.post(link, &form);
    assert!(done.body.contains("is connected"), "{done:?}");
    assert!(done.body.contains("href=\"/page/credentials\""), "the way back: {done:?}");
    let overview = visitor.get("/").body;
    assert!(overview.contains("alerts"));
    let row = overview.split("alerts").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains("PagerDuty") && !row.contains("pagerduty"), "titles, not names: {row}");
    assert!(!row.contains("api-token"), "titles, not names: {row}");
    let tested = visitor.change("/page/credentials/alerts/test", &[]);
    assert_eq!(tested.status, 200);
    assert!(tested.body.contains("“alerts” works"), "{}", tested.body);
    let again = visitor.change("/page/credentials/alerts/reconnect", &[]);
    assert!(again.body.contains("/connect/"), "{again:?}");
    assert_eq!(visitor.change("/page/credentials/alerts/disconnect", &[]).status, 303);
    assert!(visitor.get("/page/credentials").body.contains("Not connected"));
}

#[test]
fn a_trusted_proxy_names_the_person_and_nobody_else_does() {
    let world = World::new();
    let plugin = format!("{:?}", plugin());
    let digest = world.harness(&["inspect", crate::support::plugin(), "--format", "json"]);
    let digest = digest.split("sha256:").nth(1).unwrap()[..64].to_owned();
    let config = |proxy: &str| {
        format!(
            "listen = ['127.0.0.1:0']\n[[plugins]]\nfile = {plugin}\ndigest = 'sha256:{digest}'\n\
             [policies.people]\ntenant = 'acme'\nroles = ['run']\n\
             [policies.operators]\ntenant = 'acme'\nroles = ['run', 'approve']\n\
             [page.proxy]\nheader = 'X-Forwarded-User'\npolicy = 'people'\n\
             users = {{ root = 'operators' }}\n{proxy}\n"
        )
    };
    let path = world.file("serve.toml", &config("addresses = ['127.0.0.1']"));
    let server = world.serve_exactly(&["serve", "--config", &path]);
    let mut visitor = Visitor::new(&server);
    assert_eq!(visitor.get("/").status, 401, "no header");
    visitor.more = vec![("x-forwarded-user", "ada@example.com".to_owned())];
    let first = visitor.get("/page/credentials?plugin=a");
    assert!(first.body.contains("url=/page/credentials?plugin=a&amp;entered=1"), "{first:?}");
    let page = visitor.get("/");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("ada@example.com") && page.body.contains("acme"), "{}", page.body);
    let own = visitor.token();
    // The session belongs to the user that the proxy names.
    visitor.more = vec![("x-forwarded-user", "eve@example.com".to_owned())];
    assert_eq!(visitor.post("/page/leave", &[("token", own.clone())]).status, 401);
    visitor.more.clear();
    assert_eq!(visitor.get("/").status, 401);
    visitor.more = vec![("x-forwarded-user", "root".to_owned())];
    visitor.get("/");
    assert!(
        visitor.get("/page/plugins/pagerduty").body.contains("Withheld"),
        "a policy of the user's own"
    );
    // A browser without cookies is not redirected forever.
    let mut blocked = Visitor::new(&server);
    blocked.more = visitor.more.clone();
    assert_eq!(blocked.get("/?entered=1").status, 401);
    drop(server);

    let path = world.file("serve.toml", &config("addresses = ['192.0.2.1']"));
    let server = world.serve_exactly(&["serve", "--config", &path]);
    let mut visitor = Visitor::new(&server);
    visitor.more = vec![("x-forwarded-user", "root".to_owned())];
    assert_eq!(visitor.get("/").status, 401, "the header of any other client is ignored");
}

#[cfg(unix)]
#[test]
fn the_page_works_over_a_unix_socket_behind_a_proxy() {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    let world = World::new();
    let socket = world.path("s");
    let public = "https://harness.example.com";
    let _server = world.serve(&["--unix", socket.to_str().unwrap(), "--public-url", public]);
    let link = link(&world, "ada", &ALL);
    let path = link.strip_prefix(public).expect("links lead to the public address").to_owned();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let host = headers
            .iter()
            .find(|(name, _)| *name == "host")
            .map_or("harness.example.com", |(_, host)| host);
        let request = crate::support::request(None, host, method, path, headers, body.as_bytes());
        stream.write_all(&request).unwrap();
        crate::support::read(&mut stream)
    };
    let page = send("GET", &path, &[], "");
    assert_eq!(page.status, 200, "{page:?}");
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", &token_of(&page.body));
    let form = form.finish();
    let headers = |origin| {
        [
            ("cookie", cookie.as_str()),
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
    };
    assert_eq!(send("POST", &path, &headers("https://evil.example"), &form).status, 403);
    let entered = send("POST", &path, &headers(public), &form);
    assert_eq!(entered.status, 303, "{entered:?}");
    let session = entered.headers.iter().find(|(_, value)| value.starts_with(SESSION)).unwrap();
    let session = session.1.split(';').next().unwrap().to_owned();
    let page = send("GET", "/", &[("cookie", &session)], "");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("PagerDuty"));
    let rebound = [("cookie", session.as_str()), ("host", "evil.example")];
    assert_eq!(send("GET", "/", &rebound, "").status, 403);
}

/// Accessibility problems that a browser finds in a page: controls without a name, duplicate IDs, and
/// text with too little contrast.
pub(crate) fn audit(browser: &webdriver::Browser) -> Value {
    browser.run(include_str!("accessible.js"))
}

#[test]
fn a_person_enters_and_looks_around_in_a_browser() {
    let world = World::new();
    let Some(browser) = webdriver::Browser::open_with_scripts(&world.simulator) else { return };
    world.connect(&[], "alerts");
    let server = world.serve(&[]);
    let at = format!("http://{}", server.address());
    browser.screen(1100, 800, "light");
    browser.go(&at);
    browser.shows("Sign in · harness");
    browser.picture("page-sign-in");
    // Browsers count the loopback address as trustworthy: they keep a `Secure` cookie from it, also
    // over plain HTTP.
    browser.go(&link(&world, "ada", &ALL));
    browser.shows("Enter this server? · harness");
    browser.picture("page-enter");
    browser.click("main button");
    browser.shows("Overview · harness");
    let text = browser.text("main");
    assert!(text.contains("PagerDuty") && text.contains("alerts"), "{text}");
    assert_eq!(browser.run("return document.cookie"), "", "no script sees the cookie");
    browser.picture("page-overview");
    assert_eq!(audit(&browser), json!([]), "overview");
    for (path, name) in [
        ("/page/plugins/pagerduty", "plugin"),
        ("/page/credentials", "credentials"),
        ("/page/credentials?plugin=pagerduty&type=oauth2", "connect"),
    ] {
        browser.screen(1100, 800, "light");
        browser.go(&format!("{at}{path}"));
        browser.picture(&format!("page-{name}"));
        assert_eq!(audit(&browser), json!([]), "{path}");
        browser.screen(390, 844, "dark");
        browser.picture(&format!("page-{name}-phone-dark"));
        assert_eq!(audit(&browser), json!([]), "{path}, dark and narrow");
        let width = browser.run("return document.documentElement.scrollWidth");
        assert!(width.as_u64().unwrap() <= 390, "{path} is wider than a phone: {width}");
    }
    // A link on another site, from which browsers keep the cookie back at first.
    browser.screen(1100, 800, "light");
    browser.go(&format!("data:text/html,<title>elsewhere</title><a href='{at}/'>go</a>"));
    browser.shows("elsewhere");
    browser.click("a");
    browser.shows("Overview · harness");
    // With the keyboard alone: the first tab leads to the content, the last to signing out.
    browser.type_on("\u{e004}\u{e007}");
    assert_eq!(browser.run("return document.activeElement.id"), "main");
    browser.click(".who button");
    browser.shows("Signed out · harness");
    browser.go(&at);
    browser.shows("Sign in · harness");
}
