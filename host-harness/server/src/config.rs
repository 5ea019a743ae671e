//! The configuration file: what a server serves and what its tokens may do. It can be reviewed in
//! Git.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use workflow_node_host::credential::{Mode, SecretReference};
use workflow_node_host::{Digest, Withheld};

use crate::limits::ServerLimits;
use crate::session::ProxyIdentity;
use crate::tls::TlsFiles;
use crate::token::Policies;

/// A configuration file. Paths in it are relative to its directory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Unix socket to listen on.
    pub unix: Option<PathBuf>,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// Whether addresses other than loopback may be served without TLS.
    pub allow_plain_http: bool,
    /// Names under which clients reach the server.
    pub hosts: Vec<String>,
    /// Address under which browsers and services reach the server: a scheme, a host, and a port.
    /// Links and redirect URIs begin with it. Default: the first address, if it is a loopback
    /// address.
    pub public_url: Option<Url>,
    /// The plugins.
    pub plugins: Vec<PluginConfig>,
    /// Whether the output of executions is stored. Default: yes. Without it, the server stores
    /// outcomes only, and an execution interrupted by a crash is not resumed.
    pub store_output: Option<bool>,
    /// Policies that tokens may name.
    pub policies: Policies,
    /// The page at `/`.
    pub page: PageConfig,
    /// Where the key of the credential store is kept, unless an option or the environment says so.
    pub key: Option<SecretReference>,
    /// Credentials whose secrets are kept elsewhere.
    pub credentials: Vec<CredentialConfig>,
    /// Limits.
    pub limits: ServerLimits,
}

/// The page at `/`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PageConfig {
    /// A proxy that signs people in. Without it, they enter with links alone.
    pub proxy: Option<ProxyIdentity>,
}

/// A credential whose secrets are kept elsewhere. The server connects it when it starts, if it is new or
/// was declared otherwise before.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CredentialConfig {
    /// Its name.
    pub name: String,
    /// Tenant that it belongs to. Default: the default tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// User who owns it. Default: the local user.
    #[serde(default)]
    pub owner: Option<String>,
    /// Name of the plugin that it is for.
    pub plugin: String,
    /// Name of its credential type.
    #[serde(rename = "type")]
    pub credential_type: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Who may use it: `private` or `shared`.
    #[serde(default)]
    pub mode: Mode,
    /// Actions and triggers that it may be used for. By default, all.
    #[serde(default)]
    pub allowed_actions: Option<BTreeSet<String>>,
    /// Fields of the form that are not secret.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// Where the secrets of the form are kept.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretReference>,
}

/// One plugin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PluginConfig {
    /// The component.
    pub file: PathBuf,
    /// Digest of the component. A file with another content is not loaded.
    pub digest: Digest,
    /// Approves exactly this component. Without it, the server uses the approvals of
    /// `harness approve`.
    #[serde(default)]
    pub approval: Option<ApprovalConfig>,
}

/// The approval of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ApprovalConfig {
    /// Who has reviewed what the plugin requests.
    pub by: Option<String>,
    /// Permissions that are withheld.
    pub withheld: Withheld,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file does not have the expected form.
    #[error("Cannot use the configuration file {}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Description of the problem.
        problem: String,
    },
    /// The file, or a variable that replaces a member of it, cannot be read as a configuration.
    #[error("Cannot use the configuration file {}{}", path.display(), with(.variables))]
    Form {
        /// The file.
        path: PathBuf,
        /// Variables of the environment that replace members.
        variables: Vec<String>,
        /// What is wrong, and where.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn with(variables: &[String]) -> String {
    match variables {
        [] => String::new(),
        names => format!(" with the variables {}", names.join(", ")),
    }
}

/// Sets a member of a table, or of a table in it.
fn set(table: &mut toml::Table, member: &str, text: &str) -> Result<(), String> {
    if let Some((outer, inner)) = member.split_once("__") {
        let entry = table.entry(outer).or_insert_with(|| toml::Table::new().into());
        let Some(table) = entry.as_table_mut() else {
            return Err(format!("`{outer}` is not a table"));
        };
        return set(table, inner, text);
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    let parsed = parsed.ok().filter(|all| all.len() == 1).and_then(|mut all| all.remove("value"));
    table.insert(member.to_owned(), parsed.unwrap_or_else(|| text.into()));
    Ok(())
}

impl Config {
    /// The beginning of the names of variables.
    pub const VARIABLE: &str = "WORKFLOW_NODE_SERVE_";

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has an unknown member, or contains a contradictory policy.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::read_with(Some(path), [])
    }

    /// Reads a file, if there is one, and variables of the environment, which replace its members. The name of
    /// a variable is [`Self::VARIABLE`] and the member in upper case, with two underscores before a member
    /// of a table: `WORKFLOW_NODE_SERVE_LIMITS__RUNNING`. Its value is a TOML value, or a text
    /// without quotes. Other variables are ignored. Without a file, paths are relative to the current directory.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn read_with<P: AsRef<Path>>(
        path: Option<P>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let file = path.as_ref().map(AsRef::as_ref);
        let path = file.unwrap_or(Path::new("(none)"));
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = file.map(std::fs::read_to_string).transpose().map_err(failed)?;
        let text = text.unwrap_or_default();
        let invalid = |problem| ConfigError::Invalid { path: path.to_owned(), problem };
        // An error of the file alone names its line.
        let form = |variables: Vec<String>, source| ConfigError::Form {
            path: path.to_owned(),
            variables,
            source,
        };
        let mut config: Self =
            toml::from_str(&text).map_err(|error| form(Vec::new(), error.into()))?;
        let mut table: Option<toml::Table> = None;
        let mut names = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(member) = name.strip_prefix(Self::VARIABLE) else { continue };
            let refused = |problem: String| invalid(format!("the variable {name}: {problem}"));
            let value = value.to_str().ok_or_else(|| refused("it is not UTF-8".to_owned()))?;
            let table = match &mut table {
                Some(table) => table,
                None => table
                    .insert(toml::from_str(&text).map_err(|error| form(Vec::new(), error.into()))?),
            };
            set(table, &member.to_ascii_lowercase(), value).map_err(refused)?;
            names.push(name.to_owned());
        }
        if let Some(table) = table {
            config = table.try_into().map_err(|error| form(names, error.into()))?;
        }
        for (name, policy) in &config.policies {
            if let Some(problem) = policy.problem() {
                return Err(invalid(format!("the policy `{name}`: {problem}")));
            }
        }
        let proxy = config.page.proxy.as_ref();
        if let Some(problem) = proxy.and_then(|proxy| proxy.problem(&config.policies)) {
            return Err(invalid(format!("`page.proxy`: {problem}")));
        }
        let references = config.credentials.iter_mut().flat_map(|one| one.secrets.values_mut());
        for reference in references.chain(&mut config.key) {
            if let SecretReference::File(file) = reference {
                let absolute = std::path::absolute(path).map_err(failed)?;
                *file = absolute.with_file_name("").join(&*file);
            }
            reference.check().map_err(|error| form(Vec::new(), error.into()))?;
        }
        let per_user = config.credentials.iter().find(|one| one.mode == Mode::PerUser);
        if let Some(CredentialConfig { name, .. }) = per_user {
            return Err(invalid(format!(
                "the credential `{name}` is `per-user`. Each user connects a credential of this mode; \
                 declare it as `private` or `shared`"
            )));
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        let absolute = |path: &mut PathBuf| *path = directory.join(&*path);
        config.plugins.iter_mut().for_each(|plugin| absolute(&mut plugin.file));
        config.unix.as_mut().map(absolute);
        if let Some(tls) = &mut config.tls {
            absolute(&mut tls.certificate);
            absolute(&mut tls.key);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use workflow_node_host::chain;

    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("serve.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| chain(&error))
    }

    #[test]
    fn a_configuration_declares_plugins_approvals_policies_and_limits() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let config = read(&format!(
            "listen = ['127.0.0.1:7410']\nhosts = ['harness.example.com']\n\
             [[plugins]]\nfile = 'pagerduty.wasm'\ndigest = '{digest}'\n\
             [plugins.approval]\nby = 'ops@example.com'\nwithheld.effects = ['delete']\n\
             [policies.n8n]\ntenant = 'acme'\nroles = ['run']\nactions = ['incident.*']\n\
             destinations = ['https://*.pagerduty.com']\n[limits]\nrunning = 8\n"
        ))
        .unwrap();
        assert!(config.plugins[0].file.is_absolute());
        assert_eq!(config.plugins[0].digest.to_string(), digest);
        assert!(!config.plugins[0].approval.as_ref().unwrap().withheld.is_empty());
        assert!(config.policies["n8n"].allows_name("incident.create"));
        assert_eq!(config.limits.running, 8);
    }

    #[test]
    fn variables_of_the_environment_replace_members_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("serve.toml");
        let text =
            "listen = ['127.0.0.1:1']\nhosts = ['a.example']\n[limits]\nrunning = 8\nqueued = 9\n";
        std::fs::write(&path, text).unwrap();
        let read = |path: Option<&Path>, all: &[(&str, &str)]| {
            let all = all.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            Config::read_with(path, all.collect::<Vec<_>>()).map_err(|error| chain(&error))
        };
        let config = read(
            Some(&path),
            &[
                ("WORKFLOW_NODE_SERVE_LISTEN", "['127.0.0.1:2', '127.0.0.1:3']"),
                ("WORKFLOW_NODE_SERVE_PUBLIC_URL", "https://harness.example.com"),
                ("WORKFLOW_NODE_SERVE_LIMITS__RUNNING", "4"),
                ("WORKFLOW_NODE_SERVE_TLS__CERTIFICATE", "cert.pem"),
                ("WORKFLOW_NODE_SERVE_TLS__KEY", "key.pem"),
                ("WORKFLOW_NODE_SERVE_STORE_OUTPUT", "false"),
                ("WORKFLOW_NODE_DATA", "elsewhere"),
            ],
        )
        .unwrap();
        assert_eq!(config.listen.len(), 2);
        assert_eq!(config.hosts, ["a.example"]);
        assert_eq!((config.limits.running, config.limits.queued), (4, 9));
        assert_eq!(config.public_url.unwrap().host_str(), Some("harness.example.com"));
        assert_eq!(config.store_output, Some(false));
        assert!(config.tls.unwrap().certificate.starts_with(directory.path()));
        let alone = read(None, &[("WORKFLOW_NODE_SERVE_LISTEN", "['127.0.0.1:2']")]).unwrap();
        assert_eq!(alone.listen.len(), 1);
        for (name, value, words) in [
            ("WORKFLOW_NODE_SERVE_LISENT", "x", "lisent"),
            ("WORKFLOW_NODE_SERVE_LIMITS__RUNNING", "many", "WORKFLOW_NODE_SERVE_LIMITS__RUNNING"),
            ("WORKFLOW_NODE_SERVE_HOSTS__A", "1", "`hosts` is not a table"),
        ] {
            let problem = read(Some(&path), &[(name, value)]).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn an_unknown_member_and_a_plugin_without_a_digest_are_refused() {
        assert!(read("lisen = ['127.0.0.1:7410']").unwrap_err().contains("lisen"));
        assert!(read("[[plugins]]\nfile = 'x.wasm'").unwrap_err().contains("digest"));
        assert!(read("[policies.p]\nactions = ['a*b']").unwrap_err().contains("`a*b`"));
    }

    #[test]
    fn a_proxy_is_trusted_by_its_address_and_for_policies_that_exist() {
        let proxy = "[page.proxy]\nheader = 'X-Forwarded-User'\naddresses = ['10.0.0.0/8']\n\
                     policy = 'people'\n";
        let config = read(&format!("{proxy}[policies.people]\nroles = ['run']")).unwrap();
        assert_eq!(config.page.proxy.unwrap().header, "X-Forwarded-User");
        assert!(read(proxy).unwrap_err().contains("no policy `people`"));
        let nowhere = "[page.proxy]\nheader = 'X-User'\n";
        assert!(read(nowhere).unwrap_err().contains("`addresses` is empty"));
        assert!(read("[page.proxy]\nheader = 'a b'\nunix = true").is_err());
        assert!(read("[page.proxy]\nheader = 'X-User'\naddresses = ['10.0.0']").is_err());
    }
}
