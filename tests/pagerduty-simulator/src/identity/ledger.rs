//! Consents: codes, and the families of their tokens. It must not depend on HTTP, and contains only
//! the IDs of apps.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::ids::{secret, uuid};
use crate::keys::Region;

/// Why a family of tokens ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantEnd {
    /// A code was used a second time.
    CodeReused,
    /// A used refresh token was used again.
    RefreshTokenReused,
    /// The app revoked its token.
    RevokedByApp,
    /// Someone revoked it on PagerDuty's pages.
    RevokedByPerson,
}

/// One consent, or one request of an app for itself, and its valid tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grant {
    /// Shared by all tokens of one consent; `delegation_id` in ID tokens.
    pub id: String,
    /// The app.
    pub client_id: String,
    /// The account.
    pub region: Region,
    /// The user; none if the app acts as itself.
    pub user_id: Option<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// Valid access tokens.
    pub access_tokens: Vec<String>,
    /// Refresh tokens that are neither used nor expired.
    pub refresh_tokens: Vec<String>,
    /// Why it ended, if it has.
    pub ended: Option<GrantEnd>,
}

/// A consent before the app has fetched its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) region: Region,
    pub(crate) user: String,
    pub(crate) at: Timestamp,
    pub(crate) spent: bool,
    /// The granted scopes.
    pub(crate) family: Option<usize>,
}

#[derive(Clone, Debug)]
struct RefreshToken {
    value: String,
    good_until: Timestamp,
    spent_at: Option<Timestamp>,
}

/// All tokens of one consent.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) region: Region,
    pub(crate) user: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) since: Timestamp,
    access: Vec<String>,
    refresh: Vec<RefreshToken>,
    pub(crate) ended: Option<GrantEnd>,
}

/// State of a refresh token that a client presents.
pub(crate) enum Shown {
    Good(usize),
    /// Used, but within the grace period.
    Forgiven(usize),
    /// Used.
    Reused(usize),
    /// Not usable: unknown, expired, or its family has ended.
    Dead(&'static str),
}

/// The family of a token.
pub(crate) enum Place {
    Access(usize),
    Refresh(usize),
}

/// All codes and families.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    codes: HashMap<String, Code>,
    families: Vec<Family>,
    by_access: HashMap<String, usize>,
    by_refresh: HashMap<String, usize>,
}

impl Ledger {
    pub(crate) fn add_code(&mut self, code: Code) -> String {
        let value = secret(43);
        self.codes.insert(value.clone(), code);
        value
    }

    pub(crate) fn code(&mut self, value: &str) -> Option<&mut Code> {
        self.codes.get_mut(value)
    }

    pub(crate) fn start(
        &mut self,
        client_id: &str,
        (region, user): (Region, Option<&str>),
        scopes: Vec<String>,
        since: Timestamp,
    ) -> usize {
        self.families.push(Family {
            id: uuid(),
            client_id: client_id.to_owned(),
            region,
            user: user.map(str::to_owned),
            scopes,
            since,
            access: Vec::new(),
            refresh: Vec::new(),
            ended: None,
        });
        self.families.len() - 1
    }

    pub(crate) fn family(&self, index: usize) -> &Family {
        &self.families[index]
    }

    pub(crate) fn families(&self) -> &[Family] {
        &self.families
    }

    pub(crate) fn add_access(&mut self, family: usize, token: String) {
        self.by_access.insert(token.clone(), family);
        self.families[family].access.push(token);
    }

    pub(crate) fn add_refresh(&mut self, family: usize, good_until: Timestamp) -> String {
        let region = self.families[family].region;
        // PagerDuty's refresh tokens have a 1 here, unlike its access tokens.
        let value = format!("pd{region}+_1{}_{}", secret(6), uuid());
        self.by_refresh.insert(value.clone(), family);
        let token = RefreshToken { value: value.clone(), good_until, spent_at: None };
        self.families[family].refresh.push(token);
        value
    }

    /// Every access token, and every refresh token, that was ever issued.
    pub(crate) fn issued(&self) -> (impl Iterator<Item = &String>, impl Iterator<Item = &String>) {
        (self.by_access.keys(), self.by_refresh.keys())
    }

    pub(crate) fn find(&self, token: &str) -> Option<Place> {
        let access = self.by_access.get(token).copied().map(Place::Access);
        access.or_else(|| self.by_refresh.get(token).copied().map(Place::Refresh))
    }

    /// Looks at a refresh token without using it.
    pub(crate) fn look_at(&self, token: &str, now: Timestamp, grace: std::time::Duration) -> Shown {
        let Some(&index) = self.by_refresh.get(token) else {
            return Shown::Dead("The refresh token is not known");
        };
        let family = &self.families[index];
        if family.ended.is_some() {
            return Shown::Dead("The refresh token was revoked");
        }
        let found = family.refresh.iter().find(|one| one.value == token);
        match found {
            None => Shown::Dead("The refresh token is not known"),
            Some(RefreshToken { spent_at: Some(at), .. }) => {
                let since = now.duration_since(*at);
                if !grace.is_zero() && since.unsigned_abs() <= grace {
                    Shown::Forgiven(index)
                } else {
                    Shown::Reused(index)
                }
            }
            Some(one) if one.good_until <= now => Shown::Dead("The refresh token has expired"),
            Some(_) => Shown::Good(index),
        }
    }

    pub(crate) fn spend(&mut self, family: usize, token: &str, now: Timestamp) {
        let found = self.families[family].refresh.iter_mut().find(|one| one.value == token);
        if let Some(found) = found {
            found.spent_at.get_or_insert(now);
        }
    }

    /// Removes one access token.
    pub(crate) fn drop_access(&mut self, family: usize, token: &str) {
        self.families[family].access.retain(|one| one != token);
    }

    /// Ends a family and returns its access tokens, which must be revoked.
    pub(crate) fn end(&mut self, family: usize, why: GrantEnd) -> Vec<String> {
        let family = &mut self.families[family];
        family.ended.get_or_insert(why);
        std::mem::take(&mut family.access)
    }

    /// A family as tests see it; `alive` lists the valid access tokens.
    pub(crate) fn grant(
        &self,
        family: &Family,
        now: Timestamp,
        alive: impl Fn(&str) -> bool,
    ) -> Grant {
        let good = |one: &&RefreshToken| {
            family.ended.is_none() && one.spent_at.is_none() && one.good_until > now
        };
        Grant {
            id: family.id.clone(),
            client_id: family.client_id.clone(),
            region: family.region,
            user_id: family.user.clone(),
            scopes: family.scopes.clone(),
            access_tokens: family.access.iter().filter(|one| alive(one)).cloned().collect(),
            refresh_tokens: family
                .refresh
                .iter()
                .filter(good)
                .map(|one| one.value.clone())
                .collect(),
            ended: family.ended,
        }
    }
}
