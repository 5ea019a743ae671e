//! Secrets that are kept elsewhere: an operator says where the host reads one (a file, an environment
//! variable, or the output of a program), and the store keeps this reference instead of the secret.

mod cache;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

pub(crate) use cache::{Freshness, References};
pub use read::ReferenceError;

/// Where the host reads a secret.
///
/// As text: `file:PATH`, `env:NAME`, or `exec:ARGUMENTS` with the program and its arguments as a
/// JSON array of strings. No shell is involved. The value must be UTF-8; one trailing line break is
/// not part of the secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretReference {
    /// The content of a file. The path is absolute.
    File(PathBuf),
    /// An environment variable of this process.
    Env(String),
    /// Standard output of a program: its name, and its arguments.
    Exec(Vec<String>),
}

/// A text that is not a reference. The message does not quote it, because it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Not a reference to a secret: {0}. Use file:PATH with an absolute path, env:NAME, or \
     exec:[\"PROGRAM\",\"ARGUMENT\",…]"
)]
pub struct InvalidReference(&'static str);

/// Variables that hold the key of the credential store, or say where it is. No reference reads them,
/// and no program is given them.
const KEY_VARIABLES: &str = "WORKFLOW_NODE_KEY";

/// Marks a reference among the secrets of a stored connection. No form has a field of this name, see
/// [`CredentialForm::check`](super::CredentialForm::check).
const MARK: &str = "\0reference:";

impl SecretReference {
    /// Checks that the target of a reference is valid, without reading it.
    ///
    /// # Errors
    ///
    /// If a path is not absolute, a variable cannot exist or holds the key of the store, or there is
    /// no program.
    pub fn check(&self) -> Result<(), InvalidReference> {
        let problem = match self {
            Self::File(path) if !path.is_absolute() => "the path is not absolute",
            Self::Env(name) if name.is_empty() || name.contains(['=', '\0']) => {
                "an environment variable cannot have this name"
            }
            Self::Env(name) if name.starts_with(KEY_VARIABLES) => {
                "this environment variable is for the key of the credential store"
            }
            Self::Exec(arguments) if arguments.first().is_none_or(String::is_empty) => {
                "it names no program"
            }
            Self::Exec(arguments) if arguments.iter().any(|one| one.contains('\0')) => {
                "an argument contains a null character"
            }
            _ => return Ok(()),
        };
        Err(InvalidReference(problem))
    }

    /// The kind and the name, for messages. Arguments of a program are left out.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => format!("file:{}", path.display()),
            Self::Env(name) => format!("env:{name}"),
            Self::Exec(arguments) => {
                format!("exec:{}", arguments.first().map_or("", String::as_str))
            }
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Env(name) => write!(formatter, "env:{name}"),
            Self::Exec(arguments) => {
                let list = serde_json::to_string(arguments).map_err(|_| fmt::Error)?;
                write!(formatter, "exec:{list}")
            }
        }
    }
}

impl FromStr for SecretReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reference = match text.split_once(':') {
            Some(("file", path)) => Self::File(path.into()),
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("exec", list)) => Self::Exec(serde_json::from_str(list).map_err(|_| {
                InvalidReference("what follows `exec:` is not a JSON array of strings")
            })?),
            _ => return Err(InvalidReference("it begins with none of `file:`, `env:`, `exec:`")),
        };
        reference.check()?;
        Ok(reference)
    }
}

/// Puts references among the secrets of a connection, in the places of the secrets themselves.
pub(crate) fn keep(
    references: &BTreeMap<String, SecretReference>,
    secrets: &mut BTreeMap<String, Secret>,
) {
    for (name, reference) in references {
        secrets.remove(name);
        secrets.insert(format!("{MARK}{name}"), Secret::new(reference.to_string()));
    }
}

/// Takes references out of the secrets of a connection. One that cannot be read stays out: the secret is
/// missing then.
pub(crate) fn take(secrets: &mut BTreeMap<String, Secret>) -> BTreeMap<String, SecretReference> {
    let mut references = BTreeMap::new();
    secrets.retain(|key, text| match key.strip_prefix(MARK) {
        None => true,
        Some(name) => {
            if let Ok(reference) = text.expose().parse() {
                references.insert(name.to_owned(), reference);
            }
            false
        }
    });
    references
}

/// The references among the secrets of a connection.
pub(crate) fn of(secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, SecretReference> {
    let references = secrets.iter().filter_map(|(key, text)| {
        let name = key.strip_prefix(MARK)?;
        Some((name.to_owned(), text.expose().parse().ok()?))
    });
    references.collect()
}

/// Whether a name could be taken for that of a reference.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_the_text_that_it_is_written_as() {
        for text in ["file:/run/secrets/token", "env:PD_TOKEN", r#"exec:["vault","kv","get"]"#] {
            let reference: SecretReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            let json = serde_json::to_value(&reference).unwrap();
            assert_eq!(serde_json::from_value::<SecretReference>(json).unwrap(), reference);
        }
    }

    #[test]
    fn a_text_that_is_not_a_reference_is_refused_and_not_quoted() {
        for text in [
            "sesame-open",
            "http:sesame-open",
            "file:sesame-open",
            "file:",
            "env:",
            "env:sesame-open=1",
            "env:WORKFLOW_NODE_KEY",
            "exec:sesame-open",
            "exec:[]",
            "exec:[\"\"]",
            "exec:[1]",
            "exec:[\"a\",\"sesame-open\\u0000\"]",
        ] {
            let error = text.parse::<SecretReference>().unwrap_err().to_string();
            assert!(!error.contains("sesame-open"), "{error}");
            assert!(error.contains("env:NAME"), "{error}");
        }
    }

    #[test]
    fn references_are_kept_in_the_places_of_secrets_and_taken_out_again() {
        let reference: SecretReference = "env:PD_TOKEN".parse().unwrap();
        let references = BTreeMap::from([("api_token".to_owned(), reference)]);
        let mut secrets = BTreeMap::from([
            ("api_token".to_owned(), Secret::new("resolved")),
            ("other".to_owned(), Secret::new("typed")),
        ]);
        keep(&references, &mut secrets);
        assert!(!secrets.contains_key("api_token"));
        assert_eq!(of(&secrets), references);
        assert_eq!(take(&mut secrets), references);
        assert_eq!(secrets.keys().collect::<Vec<_>>(), ["other"]);
    }
}
