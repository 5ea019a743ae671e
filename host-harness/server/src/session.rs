//! Who is at the page: one-time links that admit a browser, sessions of browsers, and the users that a
//! trusted proxy names. A link and a session are 256 random bits each; the database holds their hashes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use url::Url;
use workflow_node_host::Secret;

use crate::connection::random_text;
use crate::database::{Database, DatabaseError, now};
use crate::limits::ServerLimits;
use crate::origins::Peer;
use crate::token::{Caller, Policies, Tokens, signed};

/// Its prefix keeps other hosts of the domain and plain HTTP from setting it.
pub(crate) const COOKIE: &str = "__Host-harness";

/// Addresses of proxies: one, or all that begin with the same bits (`10.0.0.0/8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyRange {
    address: IpAddr,
    bits: u32,
}

impl ProxyRange {
    fn bits_of(address: IpAddr) -> (u128, u32) {
        match address.to_canonical() {
            IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let ((own, family), (other, of_other)) =
            (Self::bits_of(self.address), Self::bits_of(address));
        let differing = (own ^ other).checked_shr(128 - self.bits).unwrap_or_default();
        family == of_other && differing == 0
    }
}

impl FromStr for ProxyRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address such as 10.0.0.5 or 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let family = Self::bits_of(address).1;
        let bits = bits.unwrap_or(family);
        match bits <= family {
            true => Ok(Self { address, bits }),
            false => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for ProxyRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A proxy that signs people in, and names them in a header of every request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProxyIdentity {
    /// Name of the header, such as `X-Forwarded-User`. The proxy must remove it from what browsers
    /// send.
    pub header: String,
    /// Addresses that the proxy connects from. The header of any other client is ignored.
    #[serde(default)]
    pub addresses: Vec<ProxyRange>,
    /// Whether the proxy connects over the Unix socket.
    #[serde(default)]
    pub unix: bool,
    /// Policy of everyone whom `users` does not list. Without it, nobody else can enter. The person
    /// acts as the user whom the header names, in the tenant of the policy.
    #[serde(default)]
    pub policy: Option<String>,
    /// Policies of users, by name.
    #[serde(default)]
    pub users: BTreeMap<String, String>,
}

/// Longest name of a user that a proxy may send, in bytes.
const LONGEST_USER: usize = 200;

impl ProxyIdentity {
    /// A problem that nobody can want.
    pub(crate) fn problem(&self, policies: &Policies) -> Option<String> {
        if HeaderName::from_str(&self.header).is_err() {
            return Some(format!("`{}` is not the name of a header.", self.header));
        }
        if self.addresses.is_empty() && !self.unix {
            return Some(
                "`addresses` is empty and `unix` is false, so the header is never read. Name the \
                 addresses of the proxy."
                    .to_owned(),
            );
        }
        let mut named = self.users.values().chain(&self.policy);
        let unknown = named.find(|name| !policies.contains_key(*name));
        unknown.map(|name| format!("The configuration has no policy `{name}`."))
    }

    fn trusts(&self, peer: Peer) -> bool {
        match peer.address {
            Some(address) => self.addresses.iter().any(|range| range.contains(address)),
            None => peer.is_unix && self.unix,
        }
    }

    /// The user whom a trusted proxy names.
    fn user(&self, headers: &HeaderMap, peer: Peer) -> Option<String> {
        if !self.trusts(peer) {
            return None;
        }
        let mut values = headers.get_all(self.header.as_str()).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let user = value.to_str().ok()?.trim();
        let is_name = !user.is_empty()
            && user.len() <= LONGEST_USER
            && !user.contains(',')
            && !user.chars().any(char::is_control);
        is_name.then(|| user.to_owned())
    }

    fn caller(&self, user: &str, policies: &Policies, expires_at: u64) -> Option<Caller> {
        let name = self.users.get(user).or(self.policy.as_ref())?;
        let mut policy = policies.get(name)?.clone();
        policy.actor = Some(user.to_owned());
        Some(Caller {
            token: "proxy".to_owned(),
            name: user.to_owned(),
            expires_at: Some(expires_at),
            policy,
        })
    }
}

/// The session of a browser.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Permissions of the person: the policy of a token, or that of the proxy's user.
    pub(crate) caller: Caller,
    /// The text of the cookie.
    secret: String,
    /// Whether a proxy has signed the person in.
    pub(crate) is_of_proxy: bool,
}

impl Session {
    /// Names the session in the audit log.
    pub(crate) fn id(&self) -> String {
        hash("session", &self.secret)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Proves that a form was on a page of this session. Computing it requires the cookie.
    pub(crate) fn form_token(&self) -> String {
        STANDARD.encode(hash("form", &self.secret))
    }
}

/// Hash under which the database stores a link or a session. Both are long and random, so a fast hash is
/// as good as a slow one.
fn hash(what: &str, secret: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in ["harness page, 1", what, secret] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Sessions of one user that are kept. Another one ends the oldest.
const SESSIONS: i64 = 20;

/// The sessions of a server. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    database: Database,
    proxy: Option<ProxyIdentity>,
    limits: ServerLimits,
}

/// Whose session it is.
enum Whose<'a> {
    /// The token of this ID.
    Token(&'a str),
    /// The user whom a proxy names.
    User(&'a str),
}

impl Sessions {
    pub(crate) fn new(
        database: Database,
        proxy: Option<ProxyIdentity>,
        limits: ServerLimits,
    ) -> Self {
        Self { database, proxy, limits }
    }

    /// Notes where browsers reach the server, for the command that makes links.
    pub(crate) fn note_address(&self, url: Option<&Url>) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            change.execute("DELETE FROM page_address", [])?;
            if let Some(url) = url {
                change.execute("INSERT INTO page_address (url) VALUES (?1)", [url.as_str()])?;
            }
            Ok(())
        })
    }

    /// The user whom a trusted proxy names in a request.
    pub(crate) fn user(&self, headers: &HeaderMap, peer: Peer) -> Option<String> {
        self.proxy.as_ref()?.user(headers, peer)
    }

    /// The session of a request; `None` if it has ended, or its token can no longer be used.
    pub(crate) fn find(
        &self,
        tokens: &Tokens,
        policies: &Policies,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<Option<Session>, DatabaseError> {
        let Some(secret) = cookie(headers, COOKIE) else { return Ok(None) };
        let found = self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT token, user, expires_at FROM page_session WHERE hash = ?1",
            )?;
            let read = |row: &rusqlite::Row<'_>| {
                let expires: i64 = row.get(2)?;
                Ok((row.get(0)?, row.get(1)?, expires.unsigned_abs()))
            };
            query.query_row([&hash("session", &secret)[..]], read).optional()
        })?;
        let Some((token, user, expires_at)): Option<(Option<String>, Option<String>, u64)> = found
        else {
            return Ok(None);
        };
        if expires_at <= now() {
            return Ok(None);
        }
        let is_of_proxy = token.is_none();
        let caller = match (token, user, &self.proxy) {
            (Some(token), _, _) => tokens.caller_of(&token, policies)?.ok(),
            // The proxy names its user in every request.
            (None, Some(user), Some(proxy)) => {
                let is_same = proxy.user(headers, peer).as_ref() == Some(&user);
                is_same.then(|| proxy.caller(&user, policies, expires_at)).flatten()
            }
            _ => None,
        };
        Ok(caller.map(|caller| Session { caller, secret, is_of_proxy }))
    }

    /// Whether a session goes on.
    pub(crate) fn is_open(
        &self,
        tokens: &Tokens,
        policies: &Policies,
        session: &Session,
    ) -> Result<bool, DatabaseError> {
        let found = self.database.read(|database| {
            let mut query = database
                .prepare_cached("SELECT 1 FROM page_session WHERE hash = ?1 AND expires_at > ?2")?;
            query.exists(params![&hash("session", &session.secret)[..], signed(now())])
        })?;
        let token = (!session.is_of_proxy).then_some(&session.caller.token);
        Ok(match token {
            Some(token) if found => tokens.caller_of(token, policies)?.is_ok(),
            _ => found,
        })
    }

    /// The token that a link admits with. The link stays.
    pub(crate) fn of_link(
        &self,
        tokens: &Tokens,
        policies: &Policies,
        link: &str,
    ) -> Result<Option<Caller>, DatabaseError> {
        let found = self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT token FROM page_link WHERE hash = ?1 AND expires_at > ?2",
            )?;
            let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
            query.query_row(params![&hash("link", link)[..], signed(now())], read).optional()
        })?;
        match found {
            Some(token) => Ok(tokens.caller_of(&token, policies)?.ok()),
            None => Ok(None),
        }
    }

    /// Takes a link, and begins a session of its token. Returns the text of the cookie.
    pub(crate) fn admit(&self, link: &str) -> Result<Option<String>, DatabaseError> {
        let secret = random_text();
        self.database.write(|change| {
            let taken = change.query_row(
                "DELETE FROM page_link WHERE hash = ?1 AND expires_at > ?2 RETURNING token",
                params![&hash("link", link)[..], signed(now())],
                |row| row.get::<_, String>(0),
            );
            let Some(token) = taken.optional()? else { return Ok(None) };
            self.begin(change, Whose::Token(&token), &secret)?;
            Ok(Some(secret))
        })
    }

    /// Begins a session of a proxy's user, if there is a policy for the user.
    pub(crate) fn admit_user(
        &self,
        user: &str,
        policies: &Policies,
    ) -> Result<Option<String>, DatabaseError> {
        let is_known = self.proxy.as_ref().is_some_and(|proxy| {
            let caller = proxy.caller(user, policies, 0);
            caller.is_some()
        });
        if !is_known {
            return Ok(None);
        }
        let secret = random_text();
        self.database.write(|change| {
            self.begin(change, Whose::User(user), &secret)?;
            Ok(Some(secret))
        })
    }

    fn begin(
        &self,
        change: &rusqlite::Transaction<'_>,
        whose: Whose<'_>,
        secret: &str,
    ) -> Result<(), DatabaseError> {
        let (token, user) = match whose {
            Whose::Token(token) => (Some(token), None),
            Whose::User(user) => (None, Some(user)),
        };
        let (created, expires) = (now(), now().saturating_add(self.limits.page_session_ms));
        change.execute(
            "INSERT INTO page_session (hash, token, user, created_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![&hash("session", secret)[..], token, user, signed(created), signed(expires)],
        )?;
        change.execute(
            "DELETE FROM page_session WHERE token IS ?1 AND user IS ?2 AND hash NOT IN \
             (SELECT hash FROM page_session WHERE token IS ?1 AND user IS ?2 \
              ORDER BY created_at DESC, rowid DESC LIMIT ?3)",
            params![token, user, SESSIONS],
        )?;
        Ok(())
    }

    /// Ends a session.
    pub(crate) fn end(&self, session: &Session) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            let hash = hash("session", &session.secret);
            change.execute("DELETE FROM page_session WHERE hash = ?1", [&hash[..]])?;
            Ok(())
        })
    }

    /// Removes what has expired.
    pub(crate) fn prune(&self) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            for table in ["page_link", "page_session"] {
                let delete = format!("DELETE FROM {table} WHERE expires_at <= ?1");
                change.execute(&delete, [signed(now())])?;
            }
            Ok(())
        })
    }
}

/// The value of a cookie that this server has set.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })?;
    let is_own = found.len() == 43
        && found.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_own.then_some(found)
}

/// Makes one-time links to the page.
#[derive(Clone, Debug)]
pub struct PageLinks(Database);

impl PageLinks {
    /// The links of a database.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// Makes a link that admits one browser, once, with the rights of a token. The link is stored as a
    /// hash. `server`: where browsers reach the server; by default, as the server has noted when it
    /// started.
    ///
    /// # Errors
    ///
    /// When there is no token of this name that can be used, the address of the server is not known,
    /// or the database fails.
    pub fn create(
        &self,
        token: &str,
        server: Option<&Url>,
        lifetime: Duration,
    ) -> Result<Secret, DatabaseError> {
        let refused = |message: String| DatabaseError::Refused(message);
        let expires = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires = now().saturating_add(expires);
        let link = random_text();
        self.0.write(|change| {
            let noted = "SELECT url FROM page_address";
            let noted = change.query_row(noted, [], |row| row.get::<_, String>(0)).optional()?;
            let noted = noted.and_then(|url| Url::parse(&url).ok());
            let url = server.cloned().or(noted).and_then(|url| url.join(&format!("enter/{link}")).ok());
            let url = url.ok_or_else(|| {
                refused(
                    "Cannot make a link: the address under which browsers reach the server is not \
                     known. Start the server first, or name the address with --url."
                        .to_owned(),
                )
            })?;
            let id = change.query_row(
                "SELECT id FROM token WHERE name = ?1 AND revoked_at IS NULL \
                 AND coalesce(expires_at, ?2 + 1) > ?2",
                params![token, signed(now())],
                |row| row.get::<_, String>(0),
            );
            let id = id.optional()?.ok_or_else(|| {
                refused(format!(
                    "Cannot make a link with the rights of the token `{token}`: there is no such token, \
                     or it has expired or was revoked. Say what a new one may do, e.g. with --role run \
                     --role connect."
                ))
            })?;
            change.execute(
                "INSERT INTO page_link (hash, token, expires_at) VALUES (?1, ?2, ?3)",
                params![&hash("link", &link)[..], id, signed(expires)],
            )?;
            Ok(Secret::new(url.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Policy, PolicySource};

    struct World {
        _directory: tempfile::TempDir,
        sessions: Sessions,
        tokens: Tokens,
        links: PageLinks,
    }

    fn world(proxy: Option<ProxyIdentity>, limits: ServerLimits) -> World {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let tokens = Tokens::new(database.clone());
        let policy = Policy { tenant: Some("acme".into()), ..Policy::default() };
        tokens.create("ada", &PolicySource::Own(Box::new(policy)), None).unwrap();
        let links = PageLinks::new(database.clone());
        let sessions = Sessions::new(database, proxy, limits);
        World { _directory: directory, sessions, tokens, links }
    }

    fn with_cookie(secret: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("x=1; {COOKIE}={secret}");
        headers.insert(header::COOKIE, value.parse().unwrap());
        headers
    }

    const LOCAL: Peer = Peer { is_unix: false, is_tls: false, address: None };

    fn from(address: &str) -> Peer {
        Peer { address: Some(address.parse().unwrap()), ..LOCAL }
    }

    impl World {
        fn link(&self) -> String {
            let url = Url::parse("http://127.0.0.1:7410").unwrap();
            let link = self.links.create("ada", Some(&url), Duration::from_secs(60)).unwrap();
            link.expose().strip_prefix("http://127.0.0.1:7410/enter/").unwrap().to_owned()
        }

        fn found(&self, headers: &HeaderMap, policies: &Policies, peer: Peer) -> Option<Session> {
            self.sessions.find(&self.tokens, policies, headers, peer).unwrap()
        }
    }

    #[test]
    fn a_link_admits_once_and_its_session_ends_with_its_token() {
        let world = world(None, ServerLimits::default());
        let (link, none) = (world.link(), Policies::new());
        let seen = world.sessions.of_link(&world.tokens, &none, &link).unwrap().unwrap();
        assert_eq!(seen.name, "ada");
        let secret = world.sessions.admit(&link).unwrap().unwrap();
        assert_eq!(world.sessions.admit(&link).unwrap(), None, "a link is used once");
        let headers = with_cookie(&secret);
        let session = world.found(&headers, &none, LOCAL).unwrap();
        assert_eq!(session.caller.policy.tenant.as_deref(), Some("acme"));
        assert!(world.found(&with_cookie(&random_text()), &none, LOCAL).is_none());
        for entry in std::fs::read_dir(world._directory.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for text in [&link, &secret] {
                assert!(!bytes.windows(43).any(|part| part == text.as_bytes()));
            }
        }
        let other = world.link();
        world.tokens.revoke("ada").unwrap();
        assert!(world.found(&headers, &none, LOCAL).is_none(), "the token was revoked");
        assert!(world.sessions.of_link(&world.tokens, &none, &other).unwrap().is_none());
    }

    #[test]
    fn sessions_expire_are_ended_and_are_bounded() {
        let none = Policies::new();
        let expired = world(None, ServerLimits { page_session_ms: 0, ..ServerLimits::default() });
        let secret = expired.sessions.admit(&expired.link()).unwrap().unwrap();
        assert!(expired.found(&with_cookie(&secret), &none, LOCAL).is_none());
        let world = world(None, ServerLimits::default());
        let secrets: Vec<String> =
            (0..=SESSIONS).map(|_| world.sessions.admit(&world.link()).unwrap().unwrap()).collect();
        let is_open = |secret: &String| world.found(&with_cookie(secret), &none, LOCAL).is_some();
        assert!(!is_open(&secrets[0]) && secrets[1..].iter().all(is_open));
        let session = world.found(&with_cookie(&secrets[1]), &none, LOCAL).unwrap();
        world.sessions.end(&session).unwrap();
        assert!(!is_open(&secrets[1]) && is_open(&secrets[2]));
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy_and_for_a_user_with_a_policy() {
        let proxy = ProxyIdentity {
            header: "X-Forwarded-User".into(),
            addresses: vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.7".parse().unwrap()],
            unix: false,
            policy: None,
            users: BTreeMap::from([("ada".to_owned(), "people".to_owned())]),
        };
        let policies = Policies::from([("people".to_owned(), Policy::default())]);
        assert_eq!(proxy.problem(&policies), None);
        assert!(proxy.problem(&Policies::new()).unwrap().contains("`people`"));
        let named = |user: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-user", user.parse().unwrap());
            headers
        };
        for (peer, user, expected) in [
            ("10.1.2.3", "ada", Some("ada")),
            ("::ffff:10.1.2.3", "ada", Some("ada")),
            ("192.0.2.7", " ada ", Some("ada")),
            ("192.0.2.8", "ada", None),
            ("11.0.0.1", "ada", None),
            ("::1", "ada", None),
            ("10.1.2.3", "", None),
            ("10.1.2.3", "ada, eve", None),
        ] {
            let found = proxy.user(&named(user), from(peer));
            assert_eq!(found.as_deref(), expected, "{peer} {user}");
        }
        let mut twice = named("ada");
        twice.append("x-forwarded-user", "eve".parse().unwrap());
        assert_eq!(proxy.user(&twice, from("10.0.0.1")), None);
        let unix = Peer { is_unix: true, ..LOCAL };
        assert_eq!(proxy.user(&named("ada"), unix), None, "the socket is not trusted");
        let on_socket = ProxyIdentity { unix: true, ..proxy.clone() };
        assert_eq!(on_socket.user(&named("ada"), unix).as_deref(), Some("ada"));
        assert_eq!(on_socket.user(&named("ada"), LOCAL), None);

        let world = world(Some(proxy), ServerLimits::default());
        assert_eq!(world.sessions.admit_user("eve", &policies).unwrap(), None);
        let secret = world.sessions.admit_user("ada", &policies).unwrap().unwrap();
        let request = |user: &str| {
            let mut headers = with_cookie(&secret);
            headers.extend(named(user));
            headers
        };
        let session = world.found(&request("ada"), &policies, from("10.0.0.1")).unwrap();
        assert_eq!(session.caller.policy.actor.as_deref(), Some("ada"));
        assert!(world.found(&request("eve"), &policies, from("10.0.0.1")).is_none());
        assert!(world.found(&request("ada"), &policies, from("192.0.2.8")).is_none());
        assert!(world.found(&with_cookie(&secret), &policies, from("10.0.0.1")).is_none());
    }

    #[test]
    fn ranges_of_addresses_are_read_or_refused() {
        let all: ProxyRange = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
        let six: ProxyRange = "2001:db8::/32".parse().unwrap();
        assert!(six.contains("2001:db8:1::1".parse().unwrap()));
        assert!(!six.contains("2001:db9::1".parse().unwrap()));
        for odd in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0/8", "10.0.0.0/8/8"] {
            assert!(odd.parse::<ProxyRange>().is_err(), "{odd}");
        }
    }
}
