//! Drives a real Chromium with chromedriver (W3C WebDriver), if it is installed.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pagerduty_simulator::{Origin, Simulator};
use serde_json::{Value, json};

/// How WebDriver marks an element in its responses.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window. It ends with the test.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// A browser that resolves the identity service under its own name, accepts its certificate,
    /// and makes no other requests. None without chromedriver, which is reported.
    pub(crate) fn open(simulator: &Simulator) -> Option<Self> {
        Self::start(simulator, false)
    }

    /// As [`Browser::open`], for pages with scripts.
    #[allow(dead_code)] // The tests of the server use it.
    pub(crate) fn open_with_scripts(simulator: &Simulator) -> Option<Self> {
        Self::start(simulator, true)
    }

    fn start(simulator: &Simulator, scripts: bool) -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                // Bypasses the test runner, which hides the output of passing tests.
                let mut terminal = io::stderr();
                writeln!(
                    terminal,
                    "NOT RUN: no browser was tried, because chromedriver cannot be started \
                     ({error}). Install chromium and chromium-driver."
                )
                .unwrap();
                return None;
            }
        };
        let port = port_of(&mut driver);
        let mut browser = Self { driver, port, session: String::new() };
        let address = simulator.address(Origin::Identity);
        let host = Origin::Identity.host();
        let arguments = [
            "--headless=new".to_owned(),
            // Root has no sandbox; the pages are our own.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-first-run".to_owned(),
            format!(
                "--host-resolver-rules=MAP {host}:443 {address},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1"
            ),
        ];
        let preferences = match scripts {
            true => json!({}),
            false => json!({"profile.managed_default_content_settings.javascript": 2}),
        };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments, "prefs": preferences},
        }}});
        let session = browser.call("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            body.len(),
        )?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        for line in reader.by_ref().lines() {
            let line = line?.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        String::from_utf8(answer).map_err(io::Error::other)
    }

    fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.exchange(method, path, &body).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["value"].clone()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.answer(method, path, body);
        assert_eq!(value.get("error"), None, "{method} {path} {body}: {value:#}");
        value
    }

    fn command(&self, method: &str, name: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{name}", self.session), body)
    }

    pub(crate) fn go(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    pub(crate) fn url(&self) -> String {
        self.command("GET", "/url", &Value::Null).as_str().unwrap().to_owned()
    }

    /// Waits for a page, because a click may return before the next page has loaded.
    pub(crate) fn shows(&self, title: &str) {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let shown = self.command("GET", "/title", &Value::Null);
            if shown == title {
                return;
            }
            assert!(Instant::now() < patience, "{shown} is shown, not {title}: {}", self.url());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a command on an element. Waits for the element, because a click may return before the
    /// next page has loaded; until then, the previous page answers, or a part of the next one.
    fn on(&self, css: &str, method: &str, name: &str, body: &Value) -> Value {
        let session = format!("/session/{}", self.session);
        let find = json!({"using": "css selector", "value": css});
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let mut value = self.answer("POST", &format!("{session}/element"), &find);
            if let Some(element) = value[ELEMENT].as_str() {
                value = self.answer(method, &format!("{session}/element/{element}{name}"), body);
            }
            match value.get("error").and_then(Value::as_str) {
                None => return value,
                Some("no such element" | "stale element reference") => {}
                Some(error) => panic!("{error} on {css}: {value:#}"),
            }
            assert!(Instant::now() < patience, "{css} is not on {}: {value:#}", self.url());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The visible text of an element.
    pub(crate) fn text(&self, css: &str) -> String {
        self.on(css, "GET", "/text", &Value::Null).as_str().unwrap().to_owned()
    }

    /// The computed style of an element.
    pub(crate) fn style(&self, css: &str, property: &str) -> String {
        let name = format!("/css/{property}");
        self.on(css, "GET", &name, &Value::Null).as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self, css: &str) {
        self.on(css, "POST", "/click", &json!({}));
    }

    /// Types into an element, as a person does. `\u{e004}` is the tab key, `\u{e007}` the enter key.
    #[allow(dead_code)] // The tests of the server use it.
    pub(crate) fn keys(&self, css: &str, text: &str) {
        self.on(css, "POST", "/value", &json!({"text": text}));
    }

    /// Types into the element that has the focus.
    #[allow(dead_code)] // The tests of the server use it.
    pub(crate) fn type_on(&self, text: &str) {
        let keys = text.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let keys: Vec<Value> = keys.collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]});
        self.command("POST", "/actions", &actions);
    }

    /// Runs a script in the page, and returns what it returns.
    #[allow(dead_code)] // The tests of the server use it.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the text of an element contains something.
    #[allow(dead_code)] // The tests of the server use it.
    pub(crate) fn waits_for(&self, css: &str, text: &str) {
        let patience = Instant::now() + Duration::from_secs(20);
        let find = json!({"using": "css selector", "value": css});
        loop {
            let path = format!("/session/{}/elements", self.session);
            let found = self.call("POST", &path, &find);
            let shown = (!found.as_array().unwrap().is_empty()).then(|| self.text(css));
            if shown.as_ref().is_some_and(|shown| shown.contains(text)) {
                return;
            }
            assert!(Instant::now() < patience, "{css} shows {shown:?}, not {text}: {}", self.url());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Emulates a screen of this size, light or dark.
    pub(crate) fn screen(&self, width: u32, height: u32, colors: &str) {
        let run = |command: &str, parameters: Value| {
            let body = json!({"cmd": command, "params": parameters});
            self.command("POST", "/goog/cdp/execute", &body);
        };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        run("Emulation.setDeviceMetricsOverride", size);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": colors}]});
        run("Emulation.setEmulatedMedia", media);
    }

    /// Saves a screenshot if the variable `SCREENSHOTS` is set.
    pub(crate) fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let picture = self.command("GET", "/screenshot", &Value::Null);
        let picture = STANDARD.decode(picture.as_str().unwrap()).unwrap();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}.png")), picture).unwrap();
    }
}

/// Waits for the line in which a driver prints its address.
fn port_of(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().unwrap());
    let (said, hears) = mpsc::channel();
    // A separate thread, because a silent driver would block forever; it also keeps the pipe open
    // for later output.
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if let Some(port) = line.split("successfully on port ").nth(1) {
                let _test_is_over = said.send(port.trim_end_matches('.').parse());
            }
        }
    });
    let port = hears.recv_timeout(Duration::from_secs(30));
    port.expect("chromedriver says its port within 30 seconds").unwrap()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without ending its session, the browser would outlive its driver.
        if !self.session.is_empty() {
            let _gone_already = self.exchange("DELETE", &format!("/session/{}", self.session), "");
        }
        let _gone_already = self.driver.kill();
        let _gone_already = self.driver.wait();
    }
}
