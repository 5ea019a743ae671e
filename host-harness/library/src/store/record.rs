//! The rows of a credential: of its name, and of each connection. Defines their contents, and the
//! data that their seals are bound to.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::schema::Opened;
use super::seal::{Binding, Purpose};
use crate::credential::reference;
use crate::credential::{
    Connection, ConnectionParts, CredentialSummary, Dependant, Head, Health, LastUse, Lease, Stored,
};
use crate::principal::User;
use crate::secret::Secret;

use std::collections::BTreeMap;

/// The columns that [`HeadRow::read`] takes, in its order.
pub(super) const HEAD: &str = "h.tenant, h.name, h.id, h.description, h.owner, h.mode, h.allowed_actions, \
     h.node, h.credential_type, h.created_at, h.seal";

/// Head of a credential as stored. JSON stays text, because seals are bound to that exact text.
#[derive(Clone)]
pub(super) struct HeadRow {
    pub(super) tenant: String,
    pub(super) name: String,
    pub(super) id: Vec<u8>,
    pub(super) description: String,
    pub(super) owner: Option<String>,
    pub(super) mode: String,
    pub(super) allowed_actions: String,
    pub(super) node: String,
    pub(super) credential_type: String,
    pub(super) created_at: i64,
    pub(super) seal: Vec<u8>,
}

impl HeadRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            tenant: row.get(0)?,
            name: row.get(1)?,
            id: row.get(2)?,
            description: row.get(3)?,
            owner: row.get(4)?,
            mode: row.get(5)?,
            allowed_actions: row.get(6)?,
            node: row.get(7)?,
            credential_type: row.get(8)?,
            created_at: row.get(9)?,
            seal: row.get(10)?,
        })
    }

    pub(super) fn of(head: &Head, id: Vec<u8>, created_at: u64) -> Result<Self, StoreError> {
        check_name(&head.name)?;
        Ok(Self {
            tenant: head.tenant.to_string(),
            name: head.name.clone(),
            id,
            description: head.description.clone(),
            owner: head.owner.as_ref().map(User::to_string),
            mode: head.mode.to_string(),
            allowed_actions: json(&head.allowed_actions)?,
            node: head.node.clone(),
            credential_type: head.credential_type.clone(),
            created_at: signed(created_at),
            seal: Vec::new(),
        })
    }

    /// Everything in the row except the seal.
    fn binding(&self, store: &[u8]) -> Binding {
        let begun =
            Binding::new(Purpose::Head).with(store).with(&self.id).with(self.tenant.as_bytes());
        self.bound(begun)
    }

    /// The same, as format 2 had it.
    pub(super) fn binding_of_format_2(&self, store: &[u8]) -> Binding {
        self.bound(Binding::new(Purpose::HeadOfFormat2).with(store).with(&self.id))
    }

    fn bound(&self, begun: Binding) -> Binding {
        begun
            .with(self.name.as_bytes())
            .with(self.description.as_bytes())
            .with_optional(self.owner.as_deref().map(str::as_bytes))
            .with(self.mode.as_bytes())
            .with(self.allowed_actions.as_bytes())
            .with(self.node.as_bytes())
            .with(self.credential_type.as_bytes())
            .with(&self.created_at.to_le_bytes())
    }

    pub(super) fn sealed(mut self, opened: &Opened) -> Result<Self, StoreError> {
        self.seal = opened.data_key.seal_nothing(&self.binding(&opened.id))?;
        Ok(self)
    }

    pub(super) fn head(&self, opened: &Opened) -> Result<Head, StoreError> {
        opened
            .data_key
            .check_nothing(&self.seal, &self.binding(&opened.id))
            .map_err(|_| self.tampered())?;
        Ok(Head {
            tenant: self.tenant.as_str().into(),
            name: self.name.clone(),
            description: self.description.clone(),
            owner: self.owner.as_deref().map(User::from),
            mode: self.mode.parse().map_err(|_| self.tampered())?,
            allowed_actions: parsed(&self.allowed_actions).ok_or_else(|| self.tampered())?,
            node: self.node.clone(),
            credential_type: self.credential_type.clone(),
        })
    }

    pub(super) fn tampered(&self) -> StoreError {
        StoreError::Tampered { name: self.name.clone() }
    }
}

/// The columns that [`ConnectionRow::read`] takes, in its order, after [`HEAD`].
pub(super) const CONNECTION: &str = "c.user, c.fields, c.configuration, c.asked_scopes, \
     c.granted_scopes, c.identity, c.health, c.expires_at, c.lifetime, c.connected_at, \
     c.updated_at, c.revision, c.sealed_secrets, c.course, c.course_seal";

/// A connection as it stands.
#[derive(Clone)]
pub(super) struct ConnectionRow {
    /// Empty where it is nobody's own.
    pub(super) user: String,
    pub(super) fields: String,
    pub(super) configuration: String,
    pub(super) asked_scopes: String,
    pub(super) granted_scopes: String,
    pub(super) identity: String,
    pub(super) health: String,
    pub(super) expires_at: Option<i64>,
    pub(super) lifetime: Option<i64>,
    pub(super) connected_at: i64,
    pub(super) updated_at: i64,
    pub(super) revision: i64,
    pub(super) sealed_secrets: Vec<u8>,
    /// State that changes without a new connection: [`UseState`].
    pub(super) course: String,
    pub(super) course_seal: Vec<u8>,
}

/// State of a connection that its use changes. Sealed separately, so that recording a use does not
/// touch the secrets.
#[derive(Clone, Debug, Default, serde::Deserialize, Serialize)]
pub(super) struct UseState {
    #[serde(default)]
    pub(super) used: Option<LastUse>,
    #[serde(default)]
    pub(super) lease: Lease,
}

impl ConnectionRow {
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            user: row.get(first)?,
            fields: row.get(first + 1)?,
            configuration: row.get(first + 2)?,
            asked_scopes: row.get(first + 3)?,
            granted_scopes: row.get(first + 4)?,
            identity: row.get(first + 5)?,
            health: row.get(first + 6)?,
            expires_at: row.get(first + 7)?,
            lifetime: row.get(first + 8)?,
            connected_at: row.get(first + 9)?,
            updated_at: row.get(first + 10)?,
            revision: row.get(first + 11)?,
            sealed_secrets: row.get(first + 12)?,
            course: row.get(first + 13)?,
            course_seal: row.get(first + 14)?,
        })
    }

    /// A row of a connection, to be sealed.
    pub(super) fn of(connection: &Connection, user: Option<&User>) -> Result<Self, StoreError> {
        Ok(Self {
            user: user.map(User::to_string).unwrap_or_default(),
            fields: json(&connection.parts.fields)?,
            configuration: json(&connection.parts.configuration)?,
            asked_scopes: json(&connection.parts.asked_scopes)?,
            granted_scopes: json(&connection.parts.granted_scopes)?,
            identity: json(&connection.parts.identity)?,
            health: json(&connection.health)?,
            expires_at: connection.parts.expires_at.map(signed),
            lifetime: connection.parts.lifetime.map(signed),
            connected_at: signed(connection.connected_at),
            updated_at: signed(connection.updated_at),
            revision: signed(connection.revision),
            sealed_secrets: Vec::new(),
            course: String::new(),
            course_seal: Vec::new(),
        })
    }

    /// Data that the secrets' seal is bound to: the store, the row, and everything that decides who
    /// gets the secrets, for what purpose, and where they are sent. A row therefore does not open
    /// if it is given another tenant, name, owner, mode, node, or audience, or the secrets of
    /// another row or revision.
    fn binding(&self, head: &HeadRow, store: &[u8]) -> Binding {
        let begun = Binding::new(Purpose::Connection)
            .with(store)
            .with(&head.id)
            .with(head.tenant.as_bytes());
        self.bound(head, begun)
    }

    /// The same, as format 2 had it.
    pub(super) fn binding_of_format_2(&self, head: &HeadRow, store: &[u8]) -> Binding {
        let begun = Binding::new(Purpose::ConnectionOfFormat2).with(store).with(&head.id);
        self.bound(head, begun)
    }

    fn bound(&self, head: &HeadRow, begun: Binding) -> Binding {
        let number = |number: Option<i64>| number.map(i64::to_le_bytes);
        begun
            .with(head.name.as_bytes())
            .with_optional(head.owner.as_deref().map(str::as_bytes))
            .with(head.mode.as_bytes())
            .with(head.allowed_actions.as_bytes())
            .with(head.node.as_bytes())
            .with(head.credential_type.as_bytes())
            .with(self.user.as_bytes())
            .with(self.fields.as_bytes())
            .with(self.configuration.as_bytes())
            .with(self.asked_scopes.as_bytes())
            .with(self.granted_scopes.as_bytes())
            .with(self.identity.as_bytes())
            .with(self.health.as_bytes())
            .with_optional(number(self.expires_at).as_ref().map(<[u8; 8]>::as_slice))
            .with_optional(number(self.lifetime).as_ref().map(<[u8; 8]>::as_slice))
            .with(&self.connected_at.to_le_bytes())
            .with(&self.updated_at.to_le_bytes())
            .with(&self.revision.to_le_bytes())
    }

    fn course_binding(&self, head: &HeadRow, store: &[u8]) -> Binding {
        Binding::new(Purpose::UseState)
            .with(store)
            .with(&head.id)
            .with(self.user.as_bytes())
            .with(self.course.as_bytes())
    }

    pub(super) fn seal(
        &mut self,
        head: &HeadRow,
        opened: &Opened,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<(), StoreError> {
        let binding = self.binding(head, &opened.id);
        self.sealed_secrets = opened.data_key.seal_secrets(secrets, &binding)?;
        Ok(())
    }

    pub(super) fn set_course(
        &mut self,
        course: &UseState,
        head: &HeadRow,
        opened: &Opened,
    ) -> Result<(), StoreError> {
        self.course = json(course)?;
        let binding = self.course_binding(head, &opened.id);
        self.course_seal = opened.data_key.seal_nothing(&binding)?;
        Ok(())
    }

    pub(super) fn secrets(
        &self,
        head: &HeadRow,
        opened: &Opened,
    ) -> Result<BTreeMap<String, Secret>, StoreError> {
        opened
            .data_key
            .open_secrets(&self.sealed_secrets, &self.binding(head, &opened.id))
            .map_err(|_| head.tampered())
    }

    pub(super) fn course(&self, head: &HeadRow, opened: &Opened) -> Result<UseState, StoreError> {
        opened
            .data_key
            .check_nothing(&self.course_seal, &self.course_binding(head, &opened.id))
            .map_err(|_| head.tampered())?;
        parsed(&self.course).ok_or_else(|| head.tampered())
    }

    /// Connection in the row. Trust it only after the secrets' seal has been checked.
    pub(super) fn connection(&self, head: &HeadRow) -> Result<Connection, StoreError> {
        let tampered = || head.tampered();
        Ok(Connection {
            parts: ConnectionParts {
                fields: parsed(&self.fields).ok_or_else(tampered)?,
                configuration: parsed(&self.configuration).ok_or_else(tampered)?,
                asked_scopes: parsed(&self.asked_scopes).ok_or_else(tampered)?,
                granted_scopes: parsed(&self.granted_scopes).ok_or_else(tampered)?,
                identity: parsed(&self.identity).ok_or_else(tampered)?,
                expires_at: self.expires_at.map(unsigned),
                lifetime: self.lifetime.map(unsigned),
            },
            health: parsed(&self.health).ok_or_else(tampered)?,
            connected_at: unsigned(self.connected_at),
            updated_at: unsigned(self.updated_at),
            revision: unsigned(self.revision),
        })
    }

    pub(super) fn stored(&self, head: &HeadRow, opened: &Opened) -> Result<Stored, StoreError> {
        let secrets = self.secrets(head, opened)?;
        Ok(Stored {
            head: head.head(opened)?,
            connection: self.connection(head)?,
            secrets,
            lease: self.course(head, opened)?.lease,
        })
    }
}

/// Summary of a credential.
pub(super) fn summary(
    head: &HeadRow,
    row: Option<&ConnectionRow>,
    opened: &Opened,
    dependants: Vec<Dependant>,
    now: u64,
) -> Result<CredentialSummary, StoreError> {
    let told = head.head(opened)?;
    let stored = row
        .map(|row| {
            // Opening proves that the row is unchanged; the opened secrets are wiped.
            let secrets = row.secrets(head, opened)?;
            let renews = renews(&row.connection(head)?, &secrets);
            let references = reference::of(&secrets);
            Ok((row.connection(head)?, row.course(head, opened)?, renews, references))
        })
        .transpose()?;
    let user = row.map(|row| row.user.as_str()).filter(|user| !user.is_empty()).map(User::from);
    let mut summary = CredentialSummary {
        tenant: told.tenant,
        name: told.name,
        description: told.description,
        owner: told.owner,
        mode: told.mode,
        allowed_actions: told.allowed_actions,
        node: told.node,
        credential_type: told.credential_type,
        user,
        status: crate::credential::CredentialStatus::Disconnected,
        fields: serde_json::Map::new(),
        references: BTreeMap::new(),
        configuration: None,
        asked_scopes: None,
        granted_scopes: None,
        identity: serde_json::Map::new(),
        expires_at: None,
        revision: 0,
        created_at: unsigned(head.created_at),
        connected_at: None,
        updated_at: unsigned(head.created_at),
        last_used: None,
        dependants,
    };
    if let Some((connection, course, renews, references)) = stored {
        summary.references = references;
        summary.status = connection.status(now, renews);
        summary.fields = connection.parts.fields;
        summary.configuration = Some(connection.parts.configuration);
        summary.asked_scopes = connection.parts.asked_scopes;
        summary.granted_scopes = connection.parts.granted_scopes;
        summary.identity = connection.parts.identity;
        summary.expires_at = connection.parts.expires_at;
        summary.revision = connection.revision;
        summary.connected_at = Some(connection.connected_at);
        summary.updated_at = connection.updated_at;
        summary.last_used = course.used;
        if connection.health == Health::Connected && course.lease.sent_at.is_some() {
            // Under way, or lost: the lease decides, once it has run out.
            let lost = course.lease.until <= now;
            let sent_at = course.lease.sent_at.unwrap_or_default();
            if lost {
                let health = Health::RefreshOutcomeUnknown { sent_at };
                let expires_at = summary.expires_at;
                let mut connection = row_connection(row, head)?;
                connection.parts.expires_at = expires_at;
                connection.health = health;
                summary.status = connection.status(now, renews);
            }
        }
    }
    Ok(summary)
}

/// Summary of a credential whose record was changed outside the store.
pub(super) fn tampered(head: &HeadRow, name: String) -> CredentialSummary {
    let reason = StoreError::Tampered { name: name.clone() }.to_string();
    CredentialSummary {
        tenant: head.tenant.as_str().into(),
        name,
        description: String::new(),
        owner: None,
        mode: crate::credential::Mode::Private,
        allowed_actions: None,
        node: String::new(),
        credential_type: String::new(),
        user: None,
        status: crate::credential::CredentialStatus::NeedsReconnect { reason },
        fields: serde_json::Map::new(),
        references: BTreeMap::new(),
        configuration: None,
        asked_scopes: None,
        granted_scopes: None,
        identity: serde_json::Map::new(),
        expires_at: None,
        revision: 0,
        created_at: 0,
        connected_at: None,
        updated_at: 0,
        last_used: None,
        dependants: Vec::new(),
    }
}

fn row_connection(row: Option<&ConnectionRow>, head: &HeadRow) -> Result<Connection, StoreError> {
    row.ok_or_else(|| head.tampered())?.connection(head)
}

/// Whether the host can obtain a new access token without a person: it has a refresh token, or the
/// grant does not need one (an app token, whose client secret is in the form).
fn renews(connection: &Connection, secrets: &BTreeMap<String, Secret>) -> bool {
    secrets.contains_key("refresh_token")
        || connection.parts.configuration.oauth.as_ref().is_some_and(|oauth| {
            oauth.authorize_url.is_none() && oauth.device_authorization_url.is_none()
        })
}

/// Checks that a credential can have this name.
///
/// # Errors
///
/// When it cannot.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let others = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if first && others && name.len() <= 64 {
        Ok(())
    } else {
        Err(StoreError::InvalidName { name: name.chars().take(80).collect() })
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::unwritable)
}

pub(super) fn parsed<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// SQLite has no unsigned integers. None of ours is negative unless somebody made it so.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_name_is_made_of_letters_digits_dots_dashes_and_underscores() {
        let longest = "a".repeat(64);
        for name in ["a", "7", "work", "pagerduty.eu-1_read", "A.", longest.as_str()] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in
            ["", ".", "-a", "_a", "a b", "a/b", "../a", "a\n", "ä", "a\0", "a:b", too_long.as_str()]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
