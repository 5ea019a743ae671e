//! Connecting accounts through the API: links, pages, callbacks, and who may do what.

use std::net::{SocketAddr, TcpListener};

use pagerduty_simulator::App;
use serde_json::{Value, json};

use crate::support::{Answer, Client, EXECUTE, Served, World, is_on_the_disk};
use crate::webdriver;

const COOKIE: &str = "__Host-harness-connect";

/// Stands for a person's browser: has cookies, and no token.
struct Browser {
    client: Client,
    cookie: Option<String>,
}

impl Browser {
    fn new(server: &Served) -> Self {
        Self { client: server.anybody(), cookie: None }
    }

    fn send(&mut self, method: &str, url: &str, form: Option<&str>) -> Answer {
        let path = url.strip_prefix("http://").map_or(url, |rest| &rest[rest.find('/').unwrap()..]);
        let mut headers = Vec::new();
        let cookie = self.cookie.as_ref().map(|value| format!("other=1; {COOKIE}={value}"));
        if let Some(cookie) = &cookie {
            headers.push(("cookie", cookie.as_str()));
        }
        if form.is_some() {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let body = form.unwrap_or_default();
        let answer = self.client.send(method, path, &headers, body.as_bytes());
        if let Some(set) = answer.header("set-cookie") {
            let value = set.split(';').next().unwrap().strip_prefix(COOKIE).unwrap();
            self.cookie = Some(value[1..].to_owned());
        }
        answer
    }

    fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, None)
    }

    /// Opens a link, fills in the secrets, and clicks.
    fn confirm(&mut self, url: &str, secrets: &[(&str, &str)]) -> Answer {
        let page = self.get(url);
        assert_eq!(page.status, 200, "{page:?}");
        let form = form(&token_of(&page.body), secrets);
        self.send("POST", url, Some(&form))
    }
}

fn token_of(page: &str) -> String {
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap();
    token[..token.find('"').unwrap()].to_owned()
}

fn form(token: &str, secrets: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token);
    for (name, value) in secrets {
        form.append_pair(&format!("secret.{name}"), value);
    }
    form.finish()
}

/// Where a page sends the browser.
fn target(page: &str) -> String {
    let target = page.split("content=\"0; url=").nth(1).expect("the page leads on");
    target[..target.find('"').unwrap()].replace("&amp;", "&")
}

fn connect_roles(world: &World, name: &str, options: &[&str]) -> String {
    world.token(name, &[&["--role", "run", "--role", "connect"], options].concat())
}

fn api_token(name: &str) -> Value {
    json!({
        "name": name, "plugin": "pagerduty", "type": "api-token",
        "fields": {"from_email": "ada@example.com"},
    })
}

fn url_of(answer: &Answer) -> String {
    answer.expect(202)["url"].as_str().unwrap().to_owned()
}

/// Whether an incident can be created with a credential.
fn works(world: &World, client: &Client, credential: &str) -> bool {
    let mut call = world.incidents(&format!("try-{credential}-{}", rand::random::<u64>()), 1);
    call["credentials"]["rest"] = json!(credential);
    let answer = client.post(EXECUTE, &call);
    answer.status == 200 && answer.json()["failed"] == 0
}

fn app(world: &World) -> App {
    let identity = world.simulator.identity();
    let app = identity.classic_app().redirect_uri("http://127.0.0.1/v1/oauth/callback");
    identity.register(app)
}

fn oauth(name: &str, app: &App) -> Value {
    json!({
        "name": name, "plugin": "pagerduty", "type": "oauth2",
        "fields": {"client_id": app.client_id}, "ask": {"access": "write"},
    })
}

/// A user of the account agrees. Gives the URL that the service sends the browser to.
fn agree(world: &World, page: &Answer, user: usize) -> String {
    assert_eq!(page.status, 200, "{page:?}");
    let user = world.simulator.us().users()[user].id.clone();
    world.simulator.identity().approve(&target(&page.body), &user).unwrap()
}

#[test]
fn a_secret_is_typed_on_a_page_that_names_who_asks() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&connect_roles(&world, "n8n", &[]));
    let answer = client.post("/v1/credentials", &api_token("alerts"));
    let (link, id) = (url_of(&answer), answer.json()["id"].clone());
    let status = format!("/v1/credentials/alerts/authorizations/{}", id.as_str().unwrap());
    assert_eq!(client.get(&status).expect(200)["status"], "waiting");

    let mut browser = Browser::new(&server);
    let page = browser.get(&link);
    assert_eq!(page.status, 200);
    for text in ["“n8n”", "alerts", "Only local", "type=\"password\"", "secret.api_token"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("<script"), "{}", page.body);
    let set = page.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    let policy = page.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("cache-control"), Some("no-store"));

    // Only the page that this browser has opened can be confirmed.
    let key = world.simulator.us().keys().account.clone();
    let good = form(&token_of(&page.body), &[("api_token", &key)]);
    let mut other = Browser::new(&server);
    assert_eq!(other.send("POST", &link, Some(&good)).status, 403, "no cookie");
    other.get(&link);
    assert_eq!(other.send("POST", &link, Some(&good)).status, 403, "another browser's form");
    let forged = form("x", &[("api_token", &key)]);
    assert_eq!(browser.send("POST", &link, Some(&forged)).status, 403, "no page's form");
    // An invalid form can be corrected and sent again.
    let short = form(&token_of(&page.body), &[("api_token", "x")]);
    let again = browser.send("POST", &link, Some(&short));
    assert_eq!(again.status, 422, "{again:?}");
    assert!(again.body.contains("role=\"alert\""), "{again:?}");

    let done = browser.send("POST", &link, Some(&good));
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.body.contains("“alerts” is connected."), "{}", done.body);
    assert_eq!(client.get(&status).expect(200)["status"], "connected");
    assert!(works(&world, &client, "alerts"));
    assert_eq!(browser.get(&link).status, 404, "a link is used once");
    assert_eq!(browser.send("POST", &link, Some(&good)).status, 404);
    let log = server.log();
    let secret = link.rsplit('/').next().unwrap();
    assert!(log.contains("credential connected through a link"), "{log}");
    assert!(!log.contains(secret) && !log.contains(&key), "{log}");
    assert!(!is_on_the_disk(&world, &key) && !is_on_the_disk(&world, secret));
}

#[test]
fn an_account_is_connected_by_the_browser_that_has_confirmed_and_by_no_other() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&connect_roles(&world, "n8n", &[]));
    let app = app(&world);
    let secret = app.client_secret.clone().unwrap();
    let link = url_of(&client.post("/v1/credentials", &oauth("team", &app)));
    let mut browser = Browser::new(&server);
    let page = browser.get(&link);
    assert!(page.body.contains("See and change everything"), "{}", page.body);
    let away = browser.confirm(&link, &[("client_secret", &secret)]);
    assert!(away.body.contains("Your browser goes on to"), "{}", away.body);
    let callback = agree(&world, &away, 0);
    let tokens = world.simulator.token_requests().len();

    // The address of the service, forwarded to somebody else, connects nothing of theirs.
    let mut victim = Browser::new(&server);
    let refused = victim.get(&callback);
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("did not start the connection"), "{}", refused.body);
    assert!(!refused.body.contains("team"), "a stranger learns no name: {}", refused.body);
    victim.get(&link);
    assert_eq!(victim.get(&callback).status, 403, "a cookie of another browser");
    for odd in ["", "?code=x", "?state=x&code=y", "?state=a&state=b&code=c"] {
        assert_eq!(browser.get(&format!("/v1/oauth/callback{odd}")).status, 404, "{odd}");
    }
    assert_eq!(world.simulator.token_requests().len(), tokens, "no code was used");

    let done = browser.get(&callback);
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.body.contains("It acts for example."), "{}", done.body);
    assert!(works(&world, &client, "team"));
    assert_eq!(browser.get(&callback).status, 404, "a callback is used once");
    assert!(!is_on_the_disk(&world, &secret));
}

#[test]
fn a_person_connects_an_account_in_a_browser() {
    let world = World::new();
    let Some(browser) = webdriver::Browser::open(&world.simulator) else { return };
    let server = world.serve(&[]);
    let client = server.client(&connect_roles(&world, "n8n", &[]));
    let identity = world.simulator.identity();
    let app = identity.public_app().redirect_uri("http://127.0.0.1/v1/oauth/callback");
    let app = identity.register(app);
    let link = url_of(&client.post("/v1/credentials", &oauth("team", &app)));
    browser.screen(1100, 900, "light");
    browser.go(&link);
    browser.shows("Connect PagerDuty?");
    let page = browser.text("body");
    assert!(page.contains("“n8n” asks") && page.contains("Only local"), "{page}");
    browser.picture("serve-connect");
    browser.screen(390, 844, "dark");
    browser.picture("serve-connect-phone-dark");
    // The policy of the page permits its style.
    assert_eq!(browser.style("body", "background-color"), "rgba(13, 17, 23, 1)");
    browser.click("button");
    browser.shows("Choose an account – PagerDuty simulator");
    browser.click(&format!("button[value='{}']", world.simulator.us().users()[0].id));
    browser.click("button.allow");
    browser.shows("Connected");
    let page = browser.text("body");
    assert!(page.contains("“team” is connected. It acts for example."), "{page}");
    browser.picture("serve-connected");
    assert!(works(&world, &client, "team"));
}

#[test]
fn a_connection_survives_a_restart_between_the_click_and_the_callback() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = |address: &SocketAddr| world.serve(&["--listen", &address.to_string()]);
    let token = connect_roles(&world, "n8n", &[]);
    let app = app(&world);
    let secret = app.client_secret.clone().unwrap();
    let server = serve(&free);
    let link = url_of(&server.client(&token).post("/v1/credentials", &oauth("team", &app)));
    let mut browser = Browser::new(&server);
    let away = browser.confirm(&link, &[("client_secret", &secret)]);
    let callback = agree(&world, &away, 0);
    server.kill();
    assert!(!is_on_the_disk(&world, &secret), "what waits is sealed");
    let server = serve(&free);
    browser.client = server.anybody();
    let done = browser.get(&callback);
    assert_eq!(done.status, 200, "{done:?}");
    assert!(works(&world, &server.client(&token), "team"));
}

#[test]
fn the_policy_of_a_token_limits_what_it_may_connect() {
    let world = World::new();
    let server = world.serve(&[]);
    let reader = server.client(&world.token("reader", &["--role", "run"]));
    assert_eq!(reader.post("/v1/credentials", &api_token("a")).error(403), "not-permitted");
    assert_eq!(reader.delete("/v1/credentials/work").error(403), "not-permitted");
    let some = server.client(&connect_roles(&world, "some", &["--credential", "mine"]));
    assert_eq!(some.post("/v1/credentials", &api_token("a")).error(403), "not-permitted");
    assert_eq!(some.post("/v1/credentials", &api_token("mine")).status, 202);
    let mut with_secret = api_token("a");
    let key = world.simulator.us().keys().account.clone();
    with_secret["secrets"] = json!({"api_token": key});
    let plain = server.client(&connect_roles(&world, "plain", &[]));
    assert_eq!(plain.post("/v1/credentials", &with_secret).error(403), "raw-secret");
    let raw = server.client(&connect_roles(&world, "raw", &["--raw-secrets"]));
    let connected = raw.post("/v1/credentials", &with_secret).expect(201);
    assert_eq!((&connected["name"], &connected["status"]), (&json!("a"), &json!("connected")));
    assert!(!connected.to_string().contains(&key));
    assert!(works(&world, &raw, "a"));
    assert_eq!(raw.post("/v1/credentials", &with_secret).error(409), "credential-exists");
    let mut odd = with_secret.clone();
    odd["name"] = json!("b");
    odd["secrets"]["unknown"] = json!("12345678");
    assert_eq!(raw.post("/v1/credentials", &odd).error(404), "not-found");
    let mut incomplete = oauth("b", &app(&world));
    incomplete["fields"] = json!({});
    assert_eq!(raw.post("/v1/credentials", &incomplete).error(422), "invalid-input");
    let mut odd = api_token("b");
    odd["type"] = json!("nosuch");
    assert_eq!(raw.post("/v1/credentials", &odd).error(404), "not-found");
    let both = json!({"ask": {"access": "read", "scopes": ["x"]}});
    let again = "/v1/credentials/a/authorizations";
    assert_eq!(raw.post(again, &both).error(400), "invalid-request");
}

#[test]
fn a_credential_is_disconnected_and_connected_again_under_its_name() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&connect_roles(&world, "n8n", &[]));
    let app = app(&world);
    let secret = app.client_secret.clone().unwrap();
    let link = url_of(&client.post("/v1/credentials", &oauth("team", &app)));
    let mut browser = Browser::new(&server);
    let away = browser.confirm(&link, &[("client_secret", &secret)]);
    assert_eq!(browser.get(&agree(&world, &away, 0)).status, 200);

    // Another person of the account is noticed.
    let again = |body: &Value| client.post("/v1/credentials/team/authorizations", body);
    let answer = again(&json!({}));
    let (link, id) = (url_of(&answer), answer.json()["id"].as_str().unwrap().to_owned());
    let away = browser.confirm(&link, &[]);
    let refused = browser.get(&agree(&world, &away, 1));
    assert_eq!(refused.status, 409, "{refused:?}");
    let status = client.get(&format!("/v1/credentials/team/authorizations/{id}")).expect(200);
    assert_eq!(status["status"], "failed");
    assert!(status["reason"].as_str().unwrap().contains("another account"), "{status}");
    assert!(works(&world, &client, "team"), "the connection from before stays");
    let link = url_of(&again(&json!({"allow_other_account": true})));
    let away = browser.confirm(&link, &[]);
    assert_eq!(browser.get(&agree(&world, &away, 1)).status, 200);

    let done = client.delete("/v1/credentials/team").expect(200);
    assert_eq!(done["status"], "disconnected");
    assert!(!works(&world, &client, "team"));
    let link = url_of(&again(
        &json!({"allow_other_account": true, "fields": {"client_id": app.client_id}}),
    ));
    let away = browser.confirm(&link, &[("client_secret", &secret)]);
    assert_eq!(browser.get(&agree(&world, &away, 0)).status, 200);
    assert!(works(&world, &client, "team"));
    // A person who declines leaves everything as it is.
    let link = url_of(&again(&json!({})));
    let away = browser.confirm(&link, &[]);
    let denied = world.simulator.identity().deny(&target(&away.body)).unwrap();
    assert_eq!(browser.get(&denied).status, 400);
    assert!(works(&world, &client, "team"));
}

#[test]
fn a_connection_of_another_tenant_or_user_looks_like_one_that_does_not_exist() {
    let world = World::new();
    let server = world.serve(&[]);
    let who = |tenant: &str, user: &str| {
        let options = ["--tenant", tenant, "--as", user];
        server.client(&connect_roles(&world, &format!("{tenant}-{user}"), &options))
    };
    let (ada, ben, eve) = (who("acme", "ada"), who("acme", "ben"), who("other", "eve"));
    let answer = ada.post("/v1/credentials", &api_token("alerts"));
    let (link, id) = (url_of(&answer), answer.json()["id"].as_str().unwrap().to_owned());
    let none = "A".repeat(id.len());
    let get = |client: &Client, id: &str| {
        let answer = client.get(&format!("/v1/credentials/alerts/authorizations/{id}"));
        (answer.status, answer.body.replace(id, "ID"))
    };
    for stranger in [&ben, &eve] {
        assert_eq!(get(stranger, &id), get(stranger, &none));
        assert_eq!(get(stranger, &id).0, 404);
    }
    let key = world.simulator.us().keys().account.clone();
    let mut browser = Browser::new(&server);
    assert_eq!(browser.confirm(&link, &[("api_token", &key)]).status, 200);
    assert!(works(&world, &ada, "alerts"));
    for stranger in [&ben, &eve] {
        assert!(!works(&world, stranger, "alerts"));
        for path in ["/v1/credentials/NAME", "/v1/credentials/NAME/authorizations"] {
            let send = |name: &str| {
                let path = path.replace("NAME", name);
                let answer = match path.ends_with("authorizations") {
                    true => stranger.post(&path, &json!({})),
                    false => stranger.delete(&path),
                };
                (answer.status, answer.body.replace(name, "NAME"))
            };
            assert_eq!(send("alerts"), send("nosuch"));
        }
    }
    // The same name of another tenant is another credential.
    let link = url_of(&eve.post("/v1/credentials", &api_token("alerts")));
    assert_eq!(browser.confirm(&link, &[("api_token", &key)]).status, 200);
    assert_eq!(eve.delete("/v1/credentials/alerts").expect(200)["status"], "disconnected");
    assert!(works(&world, &ada, "alerts"));
    // A page of another site cannot confirm.
    let link = url_of(&ada.post("/v1/credentials", &api_token("more")));
    browser.get(&link);
    let path = &link[link.find("/connect").unwrap()..];
    let headers =
        [("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(server.anybody().send("POST", path, &headers, b"token=x").status, 403);
}

#[test]
fn the_public_url_is_where_links_and_redirects_lead() {
    let world = World::new();
    let server = world.serve(&["--public-url", "https://harness.example.com:8443"]);
    let client = server.client(&connect_roles(&world, "n8n", &[]));
    let link = url_of(&client.post("/v1/credentials", &api_token("a")));
    let path = link.strip_prefix("https://harness.example.com:8443").expect("the public URL");
    let as_public = [("host", "harness.example.com:8443")];
    let page = server.anybody().send("GET", path, &as_public, b"");
    assert_eq!(page.status, 200, "{page:?}");
    for wrong in ["ftp://x.example", "https://x.example/path", "https://x.example/?q"] {
        let mut command = world.command(&["serve", "--plugin", crate::support::plugin()]);
        let output = command.args(["--public-url", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
    }
}
