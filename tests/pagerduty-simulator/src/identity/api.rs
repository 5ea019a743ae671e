//! Access of tests to the identity service, without its pages.

use std::fmt;
use std::time::Duration;

use super::app::{App, AppKind};
use super::authorize::{self, Asked, Unasked};
use super::desk::{Accounts, Desk};
use super::ledger::{Family, Grant, GrantEnd};
use super::refusal::refuse;
use super::settings::IdentitySettings;
use super::{Service, paths, revoke};
use crate::keys::Region;
use crate::recording::{Origin, RecordedRequest};

/// The identity service of a running simulator.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    service: &'a Service,
    accounts: Accounts<'a>,
}

impl fmt::Debug for Identity<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("apps", &self.apps()).finish_non_exhaustive()
    }
}

/// A request to the token endpoint with the fields of its form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// The decoded fields, in order.
    pub form: Vec<(String, String)>,
    /// The whole request.
    pub request: RecordedRequest,
}

impl TokenRequest {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn of(request: RecordedRequest) -> Option<Self> {
        if request.origin != Origin::Identity || request.path != paths::TOKEN {
            return None;
        }
        let form = url::form_urlencoded::parse(&request.body).into_owned().collect();
        Some(Self { form, request })
    }
}

impl<'a> Identity<'a> {
    pub(crate) fn new(service: &'a Service, accounts: Accounts<'a>) -> Self {
        Self { service, accounts }
    }

    fn at_desk<T>(&self, work: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        self.service.at_desk(self.accounts, work)
    }

    /// All registered apps. At start: classic, classic without a secret, scoped in the US, scoped
    /// in the EU; each with `/callback` on both loopback addresses and on `https://example.com`.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        self.at_desk(|desk| desk.memory.apps.clone())
    }

    fn first(&self, wanted: impl Fn(&App) -> bool) -> App {
        let found = self.apps().into_iter().find(wanted);
        found.expect("the app of the start is still registered")
    }

    /// The classic app with a secret.
    ///
    /// # Panics
    ///
    /// If the test has removed it.
    #[must_use]
    pub fn classic_app(&self) -> App {
        self.first(|app| app.kind == AppKind::Classic && app.client_secret.is_some())
    }

    /// The classic app without a secret.
    ///
    /// # Panics
    ///
    /// If the test has removed it.
    #[must_use]
    pub fn public_app(&self) -> App {
        self.first(|app| app.kind == AppKind::Classic && app.client_secret.is_none())
    }

    /// The scoped app of an account, registered for every scope that the simulated operations need.
    ///
    /// # Panics
    ///
    /// If the test has removed it.
    #[must_use]
    pub fn scoped_app(&self, home: Region) -> App {
        self.first(|app| app.kind == AppKind::Scoped && app.home == home)
    }

    /// Registers an app, or replaces the one with its `client_id`, and returns it.
    pub fn register(&self, app: App) -> App {
        self.at_desk(|desk| {
            desk.memory.apps.retain(|other| other.client_id != app.client_id);
            desk.memory.apps.push(app.clone());
        });
        app
    }

    /// Removes an app. Its tokens stay valid, as at PagerDuty. Returns whether there was one.
    pub fn unregister(&self, client_id: &str) -> bool {
        self.at_desk(|desk| {
            let before = desk.memory.apps.len();
            desk.memory.apps.retain(|app| app.client_id != client_id);
            desk.memory.apps.len() < before
        })
    }

    /// The current settings.
    #[must_use]
    pub fn settings(&self) -> IdentitySettings {
        self.at_desk(|desk| desk.memory.settings.clone())
    }

    /// Changes settings; tokens that were issued before are unchanged.
    pub fn configure(&self, change: impl FnOnce(&mut IdentitySettings)) {
        self.at_desk(|desk| change(&mut desk.memory.settings));
    }

    /// Lifetime of access and refresh tokens that are issued from now on.
    pub fn set_lifetimes(&self, access: Duration, refresh: Duration) {
        self.configure(|settings| {
            settings.access_lifetime = Some(access);
            settings.refresh_lifetime = Some(refresh);
        });
    }

    /// Grace period in which a used refresh token is accepted again.
    pub fn set_grace(&self, grace: Duration) {
        self.configure(|settings| settings.grace = grace);
    }

    /// Lets the next authorization that could be redirected to its app fail with this error.
    pub fn fail_next_authorization(&self, error: &str, description: &str) {
        self.at_desk(|desk| desk.memory.failures.push_back(refuse(error, description)));
    }

    /// Completes the pages as a user who consents, without HTTP, and returns the URL that the
    /// browser would be redirected to. If the request is refused, the URL contains `error`.
    ///
    /// # Errors
    ///
    /// If the browser would show an error page, or if there is no such user.
    pub fn approve(&self, authorize_url: &str, user_id: &str) -> Result<String, String> {
        let (region, user) = self
            .accounts
            .user(user_id)
            .ok_or_else(|| format!("there is no user {user_id} in either account"))?;
        self.answered(authorize_url, |desk, asked| authorize::agree(desk, asked, region, &user.id))
    }

    /// As [`Identity::approve`], but the user declines.
    ///
    /// # Errors
    ///
    /// If the browser would show an error page.
    pub fn deny(&self, authorize_url: &str) -> Result<String, String> {
        self.answered(authorize_url, |desk, asked| authorize::deny(desk, asked))
    }

    fn answered(
        &self,
        authorize_url: &str,
        answer: impl FnOnce(&mut Desk<'_>, &Asked) -> String,
    ) -> Result<String, String> {
        let url = url::Url::parse(authorize_url).map_err(|error| error.to_string())?;
        if url.path() != paths::AUTHORIZE {
            return Err(format!("{} is no page where apps ask", url.path()));
        }
        self.at_desk(|desk| match authorize::read(desk, url.query().unwrap_or_default()) {
            Ok(asked) => Ok(answer(desk, &asked)),
            Err(Unasked::Redirected(url)) => Ok(url),
            Err(Unasked::Shown(refusal)) => {
                Err(format!("{}: {}", refusal.error, refusal.description))
            }
        })
    }

    /// Number of refreshes that were carried out, whether or not their responses arrived.
    #[must_use]
    pub fn refresh_count(&self) -> usize {
        self.at_desk(|desk| desk.memory.refreshes)
    }

    /// All consents and app tokens so far, oldest first, with their valid tokens.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.at_desk(|desk| {
            let (ledger, now) = (&desk.memory.ledger, desk.now);
            let of = |family: &Family| {
                let state = desk.accounts.of(family.region).state();
                ledger.grant(family, now, |token| state.key_ring.find(token, now).is_some())
            };
            ledger.families().iter().map(of).collect()
        })
    }

    /// Every token that was ever issued, with its kind: `access token` or `refresh token`. Contains
    /// those that were used, have expired, or were revoked.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<(&'static str, String)> {
        self.at_desk(|desk| {
            let (access, refresh) = desk.memory.ledger.issued();
            let access = access.map(|token| ("access token", token.clone()));
            access.chain(refresh.map(|token| ("refresh token", token.clone()))).collect()
        })
    }

    fn revoke_where(&self, wanted: impl Fn(&Family) -> bool) -> usize {
        self.at_desk(|desk| {
            let families = desk.memory.ledger.families().iter().enumerate();
            let found: Vec<usize> = families
                .filter(|(_, family)| family.ended.is_none() && wanted(family))
                .map(|(index, _)| index)
                .collect();
            for index in &found {
                desk.end(*index, GrantEnd::RevokedByPerson);
            }
            found.len()
        })
    }

    /// "Revoke all tokens" on the page of an app. Returns how many grants that ended.
    pub fn revoke_all_of_app(&self, client_id: &str) -> usize {
        self.revoke_where(|family| family.client_id == client_id)
    }

    /// Ends all consents of a user. Returns how many grants that ended.
    pub fn revoke_all_of_user(&self, user_id: &str) -> usize {
        self.revoke_where(|family| family.user.as_deref() == Some(user_id))
    }

    /// Revokes one token as `/oauth/revoke` would. Returns whether it was known.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.at_desk(|desk| match desk.memory.ledger.find(token) {
            None => false,
            Some(place) => {
                revoke::one(desk, token, &place, GrantEnd::RevokedByPerson);
                true
            }
        })
    }
}
