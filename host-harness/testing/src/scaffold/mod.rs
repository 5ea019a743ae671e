//! Writes the project of a new node: sources that serve as a tutorial, tests, a case, a CI file,
//! and the SDK.

mod template;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use template::Values;

/// The sources of the SDK and the documents, as packed by `build.rs`.
const VENDORED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vendored"));

macro_rules! templates {
    ($($path:literal from $source:literal $(if $when:literal)?;)*) => {
        /// Path, template, and condition.
        const TEMPLATES: &[(&str, &str, &str)] = &[$((
            $path,
            include_str!(concat!("../../templates/node/", $source, ".in")),
            concat!($($when)?),
        ),)*];
    };
}

templates! {
    "Cargo.toml" from "Cargo.toml";
    "README.md" from "README.md";
    ".gitignore" from "gitignore";
    ".github/workflows/ci.yml" from ".github/workflows/ci.yml";
    "rustfmt.toml" from "rustfmt.toml";
    "src/lib.rs" from "src/lib.rs";
    "src/credentials.rs" from "src/credentials.rs" if "!none";
    "src/webhook.rs" from "src/webhook.rs" if "webhook";
    "tests/node.rs" from "tests/node.rs";
    "tests/component.rs" from "tests/component.rs";
    "cases/items.toml" from "cases/items.toml";
    "cases/fakes/service.toml" from "cases/fakes/service.toml";
}

/// How the credential of a new node is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The user enters a token.
    ApiToken,
    /// OAuth 2.0 authorization code.
    Oauth2,
    /// OAuth 2.0 client credentials.
    ClientCredentials,
    /// The node has no credential.
    None,
}

impl Auth {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::ApiToken, Self::Oauth2, Self::ClientCredentials, Self::None];

    /// The name that templates and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiToken => "api-token",
            Self::Oauth2 => "oauth2",
            Self::ClientCredentials => "client-credentials",
            Self::None => "none",
        }
    }
}

/// A node to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewNode {
    /// Name of the node: lower case, words joined by `-`.
    pub name: String,
    /// How its credential is obtained.
    pub auth: Auth,
    /// Whether it has a trigger whose events the service sends.
    pub webhook: bool,
}

/// Why a project cannot be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// The name is not valid for a node.
    #[error(
        "`{0}` cannot be the name of a node. Use lower-case words of letters and digits, joined by \
         `-`, that begin with a letter, e.g. `issue-tracker`"
    )]
    Name(String),
    /// The directory is not empty.
    #[error("Cannot write into `{0}`: it exists already. Choose another directory with --out")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("Cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl NewNode {
    /// A node with this name.
    ///
    /// # Errors
    ///
    /// If it is not valid as the name of a node and of a Rust package.
    pub fn new(name: &str, auth: Auth, webhook: bool) -> Result<Self, ScaffoldError> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let is_name = name.len() <= 64
            && name.split('-').all(is_word)
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && !RESERVED.contains(&name);
        match is_name {
            true => Ok(Self { name: name.to_owned(), auth, webhook }),
            false => Err(ScaffoldError::Name(name.to_owned())),
        }
    }

    /// The files of the project, by their path.
    pub fn files(&self) -> BTreeMap<String, String> {
        let values = self.values();
        let mut files: BTreeMap<String, String> = TEMPLATES
            .iter()
            .filter(|(_, _, when)| when.is_empty() || values.holds(when))
            .map(|(path, text, _)| ((*path).to_owned(), values.fill(text)))
            .collect();
        files.extend(vendored().into_iter().map(|(path, text)| (format!("vendor/{path}"), text)));
        files
    }

    fn values(&self) -> Values {
        let words = || self.name.split('-');
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        };
        let mut conditions = vec![self.auth.as_str()];
        if self.webhook {
            conditions.push("webhook");
        }
        Values {
            texts: vec![
                ("name", self.name.clone()),
                ("module", self.name.replace('-', "_")),
                ("type", words().map(capital).collect()),
                ("title", words().map(capital).collect::<Vec<_>>().join(" ")),
                ("auth", self.auth.to_string()),
            ],
            conditions,
        }
    }

    /// Writes the project into a new directory. If a file cannot be written, nothing is left.
    ///
    /// # Errors
    ///
    /// If the directory exists and is not empty, or a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), ScaffoldError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ScaffoldError::Write { path, source }
        };
        let mut entries = match fs::read_dir(directory) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(directory)(error)),
        };
        if entries.as_mut().is_some_and(|entries| entries.next().is_some()) {
            return Err(ScaffoldError::Exists(directory.to_owned()));
        }
        // It appears completely or not at all.
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(failed(parent))?;
        let unfinished = parent.join(format!(".{}.{}.new", self.name, std::process::id()));
        let written = self.files().into_iter().try_for_each(|(path, text)| {
            let path = unfinished.join(path);
            let folder = path.parent().unwrap_or(&unfinished);
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(failed(&path))
        });
        let moved =
            written.and_then(|()| fs::rename(&unfinished, directory).map_err(failed(directory)));
        if moved.is_err() {
            // The error that prevented writing would prevent removing as well.
            let _removed = fs::remove_dir_all(&unfinished).is_ok();
        }
        moved
    }
}

/// Names of packages that the project depends on, and Rust's reserved words.
const RESERVED: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "core",
    "std",
    "alloc",
    "plugin",
    "serde",
    "serde-json",
    "libtest-mimic",
    "workflow-node-sdk",
    "workflow-node-documents",
];

/// The vendored files by their path.
fn vendored() -> BTreeMap<String, String> {
    let mut json = Vec::new();
    let read = flate2::read::DeflateDecoder::new(VENDORED).read_to_end(&mut json);
    read.expect("the build script has packed it");
    serde_json::from_slice(&json).expect("the build script has written it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_valid_for_a_node_and_a_package() {
        for name in ["issue-tracker", "github", "s3"] {
            assert!(NewNode::new(name, Auth::None, false).is_ok(), "{name}");
        }
        for name in ["", "Issue", "issue_tracker", "3d", "a--b", "-a", "a-", "ä", "test", "self"] {
            assert!(NewNode::new(name, Auth::None, false).is_err(), "{name}");
        }
    }

    #[test]
    fn every_kind_of_project_is_complete() {
        for auth in Auth::ALL {
            for webhook in [false, true] {
                let files = NewNode::new("issue-tracker", auth, webhook).unwrap().files();
                assert_eq!(files.contains_key("src/webhook.rs"), webhook);
                assert_eq!(files.contains_key("src/credentials.rs"), auth != Auth::None);
                assert!(files["src/lib.rs"].contains("pub struct IssueTracker;"));
                for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("vendor/")) {
                    assert!(!text.contains("<<"), "{path}: {text}");
                    // Templates of the fake and of the CI service have other delimiters.
                    assert!(!text.contains("{{name") && !text.contains("{{module"), "{path}");
                }
            }
        }
    }

    #[test]
    fn the_vendored_manifests_need_no_workspace() {
        let vendored = vendored();
        for name in ["workflow-node-sdk", "workflow-node-documents"] {
            let text = &vendored[&format!("{name}/Cargo.toml")];
            let manifest: toml::Table =
                text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(manifest["package"]["name"].as_str(), Some(name));
            assert!(!text.contains("workspace = true"), "{text}");
            assert!(!manifest.contains_key("dev-dependencies"));
        }
        assert!(vendored.contains_key("workflow-node-sdk/wit/node.wit"));
        assert!(vendored.contains_key("workflow-node-documents/schemas/node.json"));
    }

    #[test]
    fn a_directory_that_is_not_empty_is_left_unchanged() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("lamp");
        let node = NewNode::new("lamp", Auth::ApiToken, false).unwrap();
        node.write(&directory).unwrap();
        assert!(directory.join("vendor/workflow-node-sdk/src/lib.rs").is_file());
        let error = node.write(&directory).unwrap_err();
        assert!(matches!(error, ScaffoldError::Exists(_)), "{error}");
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
