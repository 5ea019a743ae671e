//! Replaces a person with a browser: reads the address that the command shows, goes through
//! the service's pages, and comes back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ChildStderr;

use serde_json::Value;

use crate::support::{Harness, Output, Running, World};

/// A command that waits for somebody to come back from the service.
pub(crate) struct Waiting {
    running: Running,
    stderr: BufReader<ChildStderr>,
    said: String,
    /// Where to send the browser.
    pub(crate) url: String,
}

impl Waiting {
    /// Starts a command with `--format json`, and waits until it shows an address.
    pub(crate) fn start(harness: Harness) -> Self {
        let mut running = harness.start_with_input();
        let mut stderr = BufReader::new(running.child.stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if stderr.read_line(&mut line).unwrap() == 0 {
                let output = running.child.wait_with_output().unwrap();
                panic!("it ended before it showed an address: {said} {output:?}");
            }
            said.push_str(&line);
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = event["authorize"]["url"].as_str() {
                let url = url.to_owned();
                return Self { running, stderr, said, url };
            }
        }
    }

    /// The events that it has printed so far.
    pub(crate) fn event(&self) -> Value {
        let last = self.said.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap()
    }

    /// A user of the US account agrees. Gives the page that the browser ends on.
    pub(crate) fn agreed(&self, world: &World, user: usize) -> String {
        let user = world.simulator.us().users()[user].id.clone();
        get(&world.simulator.identity().approve(&self.url, &user).unwrap())
    }

    /// Types something into its standard input.
    pub(crate) fn paste(&mut self, text: &str) {
        let stdin = self.running.child.stdin.as_mut().expect("standard input is a pipe");
        stdin.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.child.id()
    }

    pub(crate) fn expect(mut self, code: i32) -> Output {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let mut output = self.running.expect(code);
        output.stderr = self.said;
        output
    }
}

/// Opens an address on this machine as a browser does. Gives the whole answer.
pub(crate) fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    exchange(authority, &format!("GET {target} HTTP/1.1\r\nhost: {authority}\r\n\r\n"))
}

/// Says something to an address on this machine, and gives all that is answered.
pub(crate) fn exchange(authority: &str, text: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(authority) else { return "refused".to_owned() };
    let mut answer = String::new();
    if stream.write_all(text.as_bytes()).is_err() {
        return "closed".to_owned();
    }
    let _read = stream.read_to_string(&mut answer).is_ok();
    answer
}
