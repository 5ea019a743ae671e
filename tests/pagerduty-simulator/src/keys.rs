//! Keys and tokens: which exist, what each may do, and how it must be presented.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;

use crate::ids::{secret, uuid};

/// A service region. Keys of one region are refused by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// `api.pagerduty.com`
    Us,
    /// `api.eu.pagerduty.com`
    Eu,
}

impl Region {
    /// The part of EU host names after the first label.
    pub(crate) fn infix(self) -> &'static str {
        match self {
            Self::Us => "",
            Self::Eu => "eu.",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Us => "us",
            Self::Eu => "eu",
        })
    }
}

/// The kinds of REST credentials at PagerDuty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A general access key: `Token token=…`, no user, no scopes.
    AccountKey,
    /// A read-only general access key.
    ReadOnlyAccountKey,
    /// A key of one user: `Token token=…`.
    UserKey,
    /// An OAuth token of one user: `Bearer …`, limited by scopes.
    UserToken,
    /// An OAuth token of an app: `Bearer …`, limited by scopes, no user.
    AppToken,
}

impl TokenKind {
    fn is_oauth(self) -> bool {
        matches!(self, Self::UserToken | Self::AppToken)
    }

    /// Required prefix of the token in `Authorization`.
    pub(crate) fn scheme(self) -> &'static str {
        if self.is_oauth() { "Bearer " } else { "Token token=" }
    }
}

/// The initial credentials of an account, random in every run.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Full general access key.
    pub account: String,
    /// Read-only general access key.
    pub account_read_only: String,
    /// User key of Ada, an administrator.
    pub user: String,
    /// Classic OAuth token of Ada with the scope `read`.
    pub classic_read: String,
    /// Classic OAuth token of Ada with the scope `write`.
    pub classic_write: String,
    /// Scoped OAuth app token with every scope that the simulated operations need.
    pub app: String,
    /// Events API v2 routing key of the first service.
    pub routing: String,
    /// Routing keys of all services present at start, in the order of the services.
    pub routing_keys: Vec<String>,
}

/// One credential of an account.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) kind: TokenKind,
    pub(crate) user: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// Time at which it expires; never, except for tokens issued by consent.
    expires_at: Option<Timestamp>,
    /// The last characters of the token, as audit records show them.
    pub(crate) truncated: String,
}

impl Key {
    /// The budget that a request uses. All keys of a user share one; tokens have one per app and
    /// user.
    pub(crate) fn rate_subject(&self, token: &str) -> String {
        match (self.kind, &self.user) {
            (TokenKind::UserKey, Some(user)) => format!("user {user}"),
            (TokenKind::UserToken, Some(user)) => format!("app and user {user}"),
            _ => format!("key {token}"),
        }
    }

    /// Whether the scopes allow an operation; keys have no scopes and classic tokens have two.
    pub(crate) fn allows(&self, scope: Option<&str>, writes: bool) -> bool {
        if !self.kind.is_oauth() {
            return true;
        }
        let has = |wanted: &str| self.scopes.iter().any(|scope| scope == wanted);
        if has("write") || (has("read") && !writes) {
            return true;
        }
        scope.is_none_or(has)
    }
}

/// All credentials of one account.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    by_token: HashMap<String, Key>,
}

impl KeyRing {
    /// The key of a token, while it is valid.
    pub(crate) fn find(&self, token: &str, now: Timestamp) -> Option<&Key> {
        self.by_token.get(token).filter(|key| key.expires_at.is_none_or(|at| now < at))
    }

    pub(crate) fn expire_at(&mut self, token: &str, at: Timestamp) {
        if let Some(key) = self.by_token.get_mut(token) {
            key.expires_at = Some(at);
        }
    }

    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.by_token.remove(token).is_some()
    }

    /// Revokes every credential of a user.
    pub(crate) fn revoke_all_of(&mut self, user: &str) {
        self.by_token.retain(|_, key| key.user.as_deref() != Some(user));
    }

    pub(crate) fn mint(
        &mut self,
        region: Region,
        name: &str,
        kind: TokenKind,
        user: Option<&str>,
        scopes: &[&str],
    ) -> String {
        let token = if kind.is_oauth() {
            // Real OAuth tokens contain `+`, `_`, and `-`; a client that validates the alphabet
            // fails.
            format!("pd{region}+_0{}_{}", secret(6), uuid())
        } else if user.is_some() {
            format!("u+{}-{}", secret(13), secret(6))
        } else {
            format!("y_{}-{}", secret(13), secret(6))
        };
        let key = Key {
            name: name.to_owned(),
            kind,
            user: user.map(str::to_owned),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expires_at: None,
            truncated: token[token.len() - 4..].to_owned(),
        };
        self.by_token.insert(token.clone(), key);
        token
    }
}
