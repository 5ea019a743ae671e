//! The identity service: apps, consent, tokens, and metadata. One for both regions, as at
//! PagerDuty. It must not depend on the REST API, except for the accounts.

mod api;
mod app;
mod authorize;
mod desk;
mod form;
mod id_token;
mod ledger;
mod metadata;
mod pages;
mod refusal;
mod revoke;
mod settings;
mod token;
mod visit;
mod words;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

pub use api::{Identity, TokenRequest};
pub use app::{App, AppKind};
pub(crate) use desk::Accounts;
pub use ledger::{Grant, GrantEnd};
pub use settings::IdentitySettings;

use crate::clock::Clock;
use crate::http::exchange::lock;
use crate::judge::{self, Verdict};
use crate::recording::RecordedRequest;
use crate::reply::Reply;
use desk::{Desk, Memory};
use id_token::Signer;
use refusal::refuse;

/// URLs of the endpoints.
mod paths {
    pub(super) const AUTHORIZE: &str = "/oauth/authorize";
    pub(super) const ACCOUNT: &str = "/oauth/authorize/account";
    pub(super) const CONSENT: &str = "/oauth/authorize/consent";
    pub(super) const TOKEN: &str = "/oauth/token";
    pub(super) const REVOKE: &str = "/oauth/revoke";
    pub(super) const METADATA: &str = "/global/oauth/anonymous/.well-known/openid-configuration";
    pub(super) const KEYS: &str = "/global/oauth/anonymous/jwks";
}

/// The service.
pub(crate) struct Service {
    clock: Arc<Clock>,
    memory: Mutex<Memory>,
}

impl Service {
    /// # Errors
    ///
    /// If ID tokens cannot be signed.
    pub(crate) fn new(clock: Arc<Clock>) -> io::Result<Self> {
        Ok(Self {
            clock,
            memory: Mutex::new(Memory {
                settings: IdentitySettings::default(),
                apps: app::at_start(),
                ledger: ledger::Ledger::default(),
                interactions: HashMap::new(),
                failures: VecDeque::new(),
                refreshes: 0,
                signer: Signer::new()?,
            }),
        })
    }

    /// Runs code with the whole state. Requests are handled one after the other here, so that of
    /// several requests that use the same token one is the first.
    fn at_desk<T>(&self, accounts: Accounts<'_>, work: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let mut memory = lock(&self.memory);
        work(&mut Desk {
            memory: &mut memory,
            accounts,
            now: self.clock.now(),
            client: None,
            violations: Vec::new(),
        })
    }

    /// Responds to a request.
    pub(crate) fn judge(&self, accounts: Accounts<'_>, request: &RecordedRequest) -> Verdict {
        self.at_desk(accounts, |desk| {
            judge::host(request, &mut desk.violations);
            let reply = answer(desk, request);
            let violations = std::mem::take(&mut desk.violations);
            Verdict { reply, key_name: desk.client.take(), violations }
        })
    }
}

fn answer(desk: &mut Desk<'_>, request: &RecordedRequest) -> Reply {
    let revocation = desk.memory.settings.has_revocation;
    match (request.path.as_str(), request.method.as_str()) {
        (paths::AUTHORIZE, "GET") => visit::arrive(desk, &request.query),
        (paths::ACCOUNT, "GET") => visit::choose(desk, &request.query),
        (paths::ACCOUNT, "POST") => visit::chosen(desk, &request.body),
        (paths::CONSENT, "GET") => visit::ask(desk, &request.query),
        (paths::CONSENT, "POST") => visit::decided(desk, &request.body),
        (paths::TOKEN, "POST") => token::answer(desk, request),
        (paths::REVOKE, "POST") if revocation => revoke::answer(desk, request),
        (paths::METADATA, "GET") => metadata::document(desk),
        (paths::KEYS, "GET") => metadata::keys(desk),
        (paths::TOKEN, _) => only_post(desk, request),
        (paths::REVOKE, _) if revocation => only_post(desk, request),
        (paths::AUTHORIZE | paths::METADATA | paths::KEYS, _) => {
            allowing(pages::missing(405), "GET")
        }
        (paths::ACCOUNT | paths::CONSENT, _) => allowing(pages::missing(405), "GET, POST"),
        _ => pages::missing(404),
    }
}

fn only_post(desk: &mut Desk<'_>, request: &RecordedRequest) -> Reply {
    desk.object(format!("{} {}", request.method, request.path));
    let mut reply = Reply::from(refuse("invalid_request", "Use POST"));
    reply.status = 405;
    allowing(token::unstored(reply), "POST")
}

fn allowing(mut reply: Reply, methods: &str) -> Reply {
    reply.headers.push(("allow", methods.to_owned()));
    reply
}
