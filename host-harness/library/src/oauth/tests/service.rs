//! A token endpoint that rotates refresh tokens and detects their reuse, as strict services do.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Behavior of the service for one request, in place of its normal response.
#[derive(Clone, Debug)]
pub(super) enum Whim {
    /// Answers this status and body, and does nothing.
    Answer(u16, String),
    /// Answers with a redirect.
    Redirect(u16),
    /// Does it, and closes the connection without an answer.
    DoAndClose,
    /// Closes the connection without doing anything.
    Close,
    /// Carries it out, and responds with custom members.
    Answered(String),
}

#[derive(Default)]
pub(super) struct State {
    /// Form fields of every request, with the path and headers.
    pub(super) requests: Vec<BTreeMap<String, String>>,
    pub(super) whims: VecDeque<Whim>,
    pub(super) delay: Duration,
    pub(super) lifetime: Option<u64>,
    pub(super) rotates: bool,
    /// How long a spent token is still taken, in milliseconds.
    pub(super) grace: u64,
    live: Option<String>,
    spent: HashSet<String>,
    last_spent: Option<(String, std::time::Instant)>,
    pub(super) family_revoked: bool,
    pub(super) issued: u32,
    pub(super) revoked: Vec<(String, String)>,
}

/// The service, as long as the runtime lives.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) port: u16,
    pub(super) state: Arc<Mutex<State>>,
}

pub(super) const FIRST: &str = "refresh-token-0000-canary";

impl Service {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            lifetime: Some(3_600),
            rotates: true,
            live: Some(FIRST.to_owned()),
            ..State::default()
        };
        let service = Self { port, state: Arc::new(Mutex::new(state)) };
        let serving = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = serving.clone();
                tokio::spawn(async move { service.serve(stream).await });
            }
        });
        service
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn whim(&self, whim: Whim) {
        self.with(|state| state.whims.push_back(whim));
    }

    /// How often a token was asked for.
    pub(super) fn asked(&self) -> usize {
        self.with(|state| state.requests.len())
    }

    /// The refresh token that the service takes next.
    pub(super) fn live(&self) -> Option<String> {
        self.with(|state| state.live.clone())
    }

    /// Somebody has ended the grant on the service's own pages.
    pub(super) fn revoke(&self) {
        self.with(|state| state.live = None);
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(form) = read(&mut stream).await {
            let delay = self.with(|state| state.delay);
            let whim = self.with(|state| {
                state.requests.push(form.clone());
                state.whims.pop_front()
            });
            if let Some(Whim::Close) = whim {
                return;
            }
            tokio::time::sleep(delay).await;
            let (status, body, more) = match whim {
                Some(Whim::Answer(status, body)) => (status, body, String::new()),
                Some(Whim::Redirect(status)) => {
                    let to = format!("location: http://127.0.0.1:{}/elsewhere\r\n", self.port);
                    (status, String::new(), to)
                }
                Some(Whim::DoAndClose) => {
                    self.act(&form);
                    return;
                }
                Some(Whim::Answered(members)) => {
                    let (status, body) = self.act(&form);
                    let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
                    let members: serde_json::Value = serde_json::from_str(&members).unwrap();
                    for (name, value) in members.as_object().unwrap() {
                        if value.is_null() {
                            body.as_object_mut().unwrap().remove(name);
                        } else {
                            body[name] = value.clone();
                        }
                    }
                    (status, body.to_string(), String::new())
                }
                _ => {
                    let (status, body) = self.act(&form);
                    (status, body, String::new())
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: \
                 {}\r\n\r\n",
                body.len()
            );
            if stream.write_all((head + &body).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn act(&self, form: &BTreeMap<String, String>) -> (u16, String) {
        let error = |name: &str| (400, format!("{{\"error\":\"{name}\"}}"));
        self.with(|state| {
            let get = |name: &str| form.get(name).cloned().unwrap_or_default();
            match (get(":path").as_str(), get("grant_type").as_str()) {
                ("/revoke", _) => {
                    state.revoked.push((get("token_type_hint"), get("token")));
                    return (200, String::new());
                }
                (_, "refresh_token") => {}
                (_, "client_credentials") => {
                    state.issued += 1;
                    return (200, state.answer(None));
                }
                _ => return error("unsupported_grant_type"),
            }
            let token = get("refresh_token");
            let in_grace = state.last_spent.as_ref().is_some_and(|(spent, at)| {
                *spent == token && at.elapsed().as_millis() < u128::from(state.grace)
            });
            if state.spent.contains(&token) && !in_grace {
                // A token that was spent before: it may have been stolen.
                state.family_revoked = true;
                state.live = None;
                return error("invalid_grant");
            }
            if state.live.as_ref() != Some(&token) && !in_grace {
                return error("invalid_grant");
            }
            state.issued += 1;
            if !state.rotates {
                return (200, state.answer(None));
            }
            state.last_spent = Some((token.clone(), std::time::Instant::now()));
            state.spent.insert(token);
            let next = format!("refresh-token-{:04}-canary", state.issued);
            state.live = Some(next.clone());
            (200, state.answer(Some(&next)))
        })
    }
}

impl State {
    fn answer(&self, refresh: Option<&str>) -> String {
        let mut answer = serde_json::json!({
            "access_token": format!("access-token-{:04}-canary", self.issued),
            "token_type": "bearer",
        });
        if let Some(lifetime) = self.lifetime {
            answer["expires_in"] = lifetime.into();
        }
        if let Some(refresh) = refresh {
            answer["refresh_token"] = refresh.into();
        }
        answer.to_string()
    }
}

/// The form of one request, with `:path`, `:query` and its headers under `:name`.
async fn read(stream: &mut TcpStream) -> Option<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|at| at == b"\r\n\r\n") {
            break end;
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut form = BTreeMap::new();
    let target = head.split(' ').nth(1)?.to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    form.insert(":path".to_owned(), path.to_owned());
    form.insert(":query".to_owned(), query.to_owned());
    for line in head.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ") {
            form.insert(format!(":{}", name.to_ascii_lowercase()), value.to_owned());
        }
    }
    let length: usize = form.get(":content-length").and_then(|one| one.parse().ok()).unwrap_or(0);
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => body.extend_from_slice(&buffer[..read]),
        }
    }
    for (name, value) in url::form_urlencoded::parse(&body) {
        form.insert(name.into_owned(), value.into_owned());
    }
    Some(form)
}
