//! Errors of the store: the reason and the next step. No text here holds a secret, a key, or SQL.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::key::KeyKind;
use crate::credential::CredentialError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the store cannot do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A [`LazyStore`](super::LazyStore) without an opener was used before it was opened.
    #[error(
        "Cannot use the credential store: it was not opened. Call `LazyStore::open_with` first"
    )]
    NotOpened,
    /// The file system refuses.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// Operation that failed.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// Others than the owner may read or write a file that is to be private.
    #[error(
        "other users can access {} (mode {mode:04o}). Make it private: chmod 600 {}", path.display(), quoted(path)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another program's database, or no database at all.
    #[error(
        "{} is not a credential store; nothing was written to it. Choose another file, or move \
         this one away to create a new store", path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is incomplete or was changed by something else.
    #[error(
        "the credential store {} is damaged ({detail}). Nothing was written to it. Restore it from \
         a backup, or move it away and connect the credentials again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        detail: String,
    },
    /// A newer version of this program wrote it.
    #[error(
        "the credential store {} has format {found}, and this version supports formats up to \
         {known}. Use the version that wrote it, or a newer one", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The key or passphrase is another than the one the store was made with.
    #[error(
        "the {kind} does not match the credential store {}; nothing was written. Use the one that \
         the store was created with", path.display()
    )]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// Kind of key that was used.
        kind: KeyKind,
    },
    /// A key was given for a store with a passphrase, or the other way round.
    #[error(
        "the credential store {} opens with a {expected}, not with a {given}", path.display()
    )]
    WrongKeyKind {
        /// The file.
        path: PathBuf,
        /// Kind of key that the store requires.
        expected: KeyKind,
        /// Kind of key that was given.
        given: KeyKind,
    },
    /// The passphrase for a new store is too short.
    #[error("the passphrase is shorter than {minimum} bytes. Choose a longer one")]
    ShortPassphrase {
        /// How long it has to be.
        minimum: usize,
    },
    /// The cost for a new passphrase is outside the range that Argon2id supports.
    #[error(
        "{memory_kib} KiB, {iterations} iterations, {parallelism} lanes are not a valid cost for \
         Argon2id"
    )]
    PassphraseCost {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        iterations: u32,
        /// Lanes.
        parallelism: u32,
    },
    /// A text that is not a key.
    #[error(
        "{origin} does not contain a key. A key is 32 random bytes, written as 64 hexadecimal \
         digits or in base64, e.g. the output of `openssl rand -hex 32`"
    )]
    NoKey {
        /// Where the text is from.
        origin: String,
    },
    /// A name that no credential can have.
    #[error(
        "invalid credential name `{}`. A name has 1 to 64 letters, digits, `.`, `_`, or `-`, and \
         begins with a letter or digit", name.escape_debug()
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The name is taken.
    #[error(
        "credential `{name}` already exists. Choose another name, or remove the existing \
         credential"
    )]
    Exists {
        /// The name.
        name: String,
    },
    /// There is none of this name.
    #[error("credential `{}` not found{}", name.escape_debug(), known_names(known))]
    Unknown {
        /// The name.
        name: String,
        /// All that there are.
        known: Vec<String>,
    },
    /// Somebody else has changed the credential meanwhile.
    #[error(
        "credential `{name}` was changed in the meantime: its revision is {found}, not {expected}. \
         Read it again"
    )]
    Changed {
        /// The name.
        name: String,
        /// The revision that was to be replaced.
        expected: u64,
        /// The one that is there.
        found: u64,
    },
    /// A record that something else than this store has changed.
    #[error(
        "the record of credential `{name}` was changed outside the store, so its secrets cannot be \
         opened. Restore the store from a backup, or remove the credential and connect it again"
    )]
    Tampered {
        /// The name.
        name: String,
    },
    /// Other processes hold the store.
    #[error(
        "the credential store {} is in use by another process. Try again after that process has \
         finished",
        path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The store may be read only.
    #[error(
        "cannot write to the credential store {}: the file or its directory is read-only",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Nobody has connected under the name, or not this user.
    #[error("{}", crate::credential::not_connected(name, user.as_ref()))]
    NotConnected {
        /// The name.
        name: String,
        /// The user, if each user has a separate connection.
        user: Option<crate::principal::User>,
    },
    /// The name is there, and is something else.
    #[error(
        "credential `{name}` has different properties ({is}), which cannot change. Choose another \
         name, or disconnect and remove the existing credential"
    )]
    OtherKind {
        /// The name.
        name: String,
        /// Its properties.
        is: String,
    },
    /// A user where there is none, or none where each has their own.
    #[error("{}", user_of_mode(name, *per_user))]
    UserOfMode {
        /// The name.
        name: String,
        /// Whether each user has a separate connection.
        per_user: bool,
    },
    /// Another process has given the store another key.
    #[error(
        "its key was changed: the credential store {} must be opened again with the new key",
        path.display()
    )]
    KeyChanged {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be imported.
    #[error("cannot read the export: {reason}")]
    Import {
        /// The reason and the next step.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("the system provides no random bytes")]
    Random(#[source] Source),
    /// SQLite fails for another reason, e.g. a full disk.
    #[error("the credential store {} cannot be used", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Error of SQLite.
        source: Source,
    },
    /// A credential that cannot be serialized for the store.
    #[error("cannot write the credential")]
    Unwritable(#[source] Source),
}

impl StoreError {
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => return Self::NotAStore { path },
            Some(ErrorCode::DatabaseCorrupt) => {
                return Self::Damaged { path, detail: error.to_string() };
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return Self::Busy { path };
            }
            Some(ErrorCode::ReadOnly) => return Self::ReadOnly { path },
            _ => {}
        }
        match error {
            // A table or column that is not there, or holds something else: not as we made it. The
            // error's own text would quote the statement.
            rusqlite::Error::SqlInputError { msg: detail, .. } => Self::Damaged { path, detail },
            rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error { extended_code: rusqlite::ffi::SQLITE_ERROR, .. },
                Some(detail),
            ) => Self::Damaged { path, detail },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => {
                Self::Damaged { path, detail: "a column holds an unexpected value".into() }
            }
            error => Self::Database { path, source: error.into() },
        }
    }

    pub(super) fn unwritable(error: impl Into<Source>) -> Self {
        Self::Unwritable(error.into())
    }

    pub(super) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// The key or passphrase is wrong, or of the wrong kind: worth asking for again.
    pub fn is_wrong_key(&self) -> bool {
        matches!(self, Self::WrongKey { .. } | Self::WrongKeyKind { .. })
    }

    /// There is no credential of the name.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The credential was changed since it was read. Read it and decide again.
    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }
}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown { name, .. } => Self::Unknown(name),
            StoreError::Exists { name } => Self::Exists(name),
            StoreError::NotConnected { name, user } => Self::NotConnected { name, user },
            StoreError::Changed { name, .. } => Self::Changed(name),
            error @ (StoreError::InvalidName { .. }
            | StoreError::OtherKind { .. }
            | StoreError::UserOfMode { .. }) => Self::Invalid(error.to_string()),
            error => Self::source_failed(error),
        }
    }
}

fn user_of_mode(name: &str, per_user: bool) -> String {
    if per_user {
        format!("`{name}` has one connection per user. Name the user")
    } else {
        format!("`{name}` has one connection for everyone. Only a per-user credential has users")
    }
}

fn known_names(known: &[String]) -> String {
    match known {
        [] => " (the store is empty)".to_owned(),
        known => format!(". Available: {}", known.join(", ")),
    }
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@".contains(&byte);
    if path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
