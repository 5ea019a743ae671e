//! The state that the identity service uses while it handles one request.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::app::{App, AppKind};
use super::authorize::Asked;
use super::id_token::Signer;
use super::ledger::{GrantEnd, Ledger};
use super::refusal::Refusal;
use super::settings::IdentitySettings;
use crate::account::Account;
use crate::keys::{Region, TokenKind};
use crate::state::directory::User;

/// The accounts that users can choose from.
#[derive(Clone, Copy)]
pub(crate) struct Accounts<'a> {
    pub(crate) us: &'a Account,
    pub(crate) eu: &'a Account,
}

impl<'a> Accounts<'a> {
    pub(crate) fn of(self, region: Region) -> &'a Account {
        match region {
            Region::Us => self.us,
            Region::Eu => self.eu,
        }
    }

    /// The user with this ID, in any account.
    pub(crate) fn user(self, id: &str) -> Option<(Region, User)> {
        [Region::Us, Region::Eu].into_iter().find_map(|region| {
            let users = self.of(region).users();
            users.into_iter().find(|user| user.id == id).map(|user| (region, user))
        })
    }
}

/// A consent in progress: the page is open, and the user has not decided.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    pub(crate) asked: Asked,
    pub(crate) chosen: Option<(Region, User)>,
    pub(crate) since: Timestamp,
}

/// All state of the service.
pub(crate) struct Memory {
    pub(crate) settings: IdentitySettings,
    pub(crate) apps: Vec<App>,
    pub(crate) ledger: Ledger,
    pub(crate) interactions: HashMap<String, Interaction>,
    /// Errors with which the next authorizations end.
    pub(crate) failures: VecDeque<Refusal>,
    pub(crate) refreshes: usize,
    pub(crate) signer: Signer,
}

/// The state and the accounts, for one request.
pub(crate) struct Desk<'a> {
    pub(crate) memory: &'a mut Memory,
    pub(crate) accounts: Accounts<'a>,
    pub(crate) now: Timestamp,
    /// The app that has authenticated itself or was named.
    pub(crate) client: Option<String>,
    pub(crate) violations: Vec<String>,
}

impl Desk<'_> {
    pub(crate) fn object(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<App> {
        self.memory.apps.iter().find(|app| app.client_id == client_id).cloned()
    }

    pub(crate) fn later(&self, by: Duration) -> Timestamp {
        later(self.now, by)
    }

    /// Issues an access token of a family, which is valid for the REST API from now on.
    pub(crate) fn mint(
        &mut self,
        app: &App,
        family: usize,
        scopes: &[String],
    ) -> (String, Duration) {
        let lifetime = self.memory.settings.access(app.kind);
        let good_until = self.later(lifetime);
        let of = self.memory.ledger.family(family);
        let (region, user) = (of.region, of.user.clone());
        let kind = if user.is_some() { TokenKind::UserToken } else { TokenKind::AppToken };
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let ring = &mut self.accounts.of(region).state().key_ring;
        let token = ring.mint(region, &app.name, kind, user.as_deref(), &scopes);
        ring.expire_at(&token, good_until);
        self.memory.ledger.add_access(family, token.clone());
        (token, lifetime)
    }

    /// Issues a refresh token of a family. Its lifetime ends with the consent.
    pub(crate) fn mint_refresh(&mut self, kind: AppKind, family: usize) -> String {
        let settings = &self.memory.settings;
        let window = later(self.memory.ledger.family(family).since, settings.window(kind));
        let good_until = self.later(settings.refresh(kind)).min(window);
        self.memory.ledger.add_refresh(family, good_until)
    }

    /// Revokes a family with all of its tokens.
    pub(crate) fn end(&mut self, family: usize, why: GrantEnd) {
        let region = self.memory.ledger.family(family).region;
        let tokens = self.memory.ledger.end(family, why);
        let ring = &mut self.accounts.of(region).state().key_ring;
        for token in tokens {
            ring.revoke(&token);
        }
    }
}

pub(crate) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}
