//! Builds of plugins that are installed in the data directory, so that a command can name a plugin
//! instead of a file. Several builds of a plugin are installed side by side; one is current.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use workflow_node_host::Digest;
use workflow_node_testing::package::Package;

use crate::exit::{Failure, shell};

/// One installed build.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Build {
    pub(crate) digest: Digest,
    /// The node's version, as the build describes it.
    pub(crate) version: u32,
    /// Milliseconds since 1970.
    pub(crate) installed_at: u64,
}

/// The builds of one plugin.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Builds {
    pub(crate) current: Digest,
    /// The builds that were current before, the latest last.
    #[serde(default)]
    before: Vec<Digest>,
    pub(crate) builds: Vec<Build>,
}

/// The installed plugins of a data directory.
pub(crate) struct Installed {
    directory: PathBuf,
}

impl Installed {
    pub(crate) fn new(data: &Path) -> Self {
        Self { directory: data.join("plugins") }
    }

    /// The component behind what a user has named: a component, a package, `NAME`, or `NAME@DIGEST`. A
    /// file wins.
    pub(crate) fn file(&self, named: &Path) -> Result<PathBuf, Failure> {
        self.open(named).map(|(component, _)| component)
    }

    /// The component behind what a user has named, and the package that it is in. A package is
    /// verified, and its component is written to the data directory.
    pub(crate) fn open(&self, named: &Path) -> Result<(PathBuf, Option<Package>), Failure> {
        if !named.is_file() {
            return self.installed(named).map(|component| (component, None));
        }
        let Some((_, package)) = crate::archive::read_if_archive(named)? else {
            return Ok((named.to_owned(), None));
        };
        let digest = package.manifest().component;
        let component = self.component(&digest);
        if !fs::read(&component).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
            fs::create_dir_all(&self.directory)
                .and_then(|()| replace(&component, package.component()))
                .map_err(|error| failed("write", &component, error))?;
        }
        Ok((component, Some(package)))
    }

    /// The component of an installed build.
    fn installed(&self, named: &Path) -> Result<PathBuf, Failure> {
        let Some(text) = named.to_str() else { return Ok(named.to_owned()) };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let known = self.plugins()?;
        let Some(builds) = known.get(name) else { return Ok(named.to_owned()) };
        let digest = match digest {
            None => builds.current,
            Some(digest) => builds.find(name, digest)?,
        };
        Ok(self.component(&digest))
    }

    /// All plugins by name.
    pub(crate) fn plugins(&self) -> Result<BTreeMap<String, Builds>, Failure> {
        let path = self.registry();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed("read", &path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Installs a build and makes it current. Returns the build that was current before.
    pub(crate) fn install(
        &self,
        name: &str,
        version: u32,
        digest: Digest,
        component: &Path,
    ) -> Result<Option<Digest>, Failure> {
        let target = self.component(&digest);
        fs::create_dir_all(&self.directory)
            .map_err(|error| failed("create", &self.directory, error))?;
        let bytes = fs::read(component).map_err(|error| failed("read", component, error))?;
        if Digest::of(&bytes) != digest {
            let message = format!("{} has changed while it was approved", component.display());
            return Err(Failure::input("changed", message).next("try again"));
        }
        replace(&target, &bytes).map_err(|error| failed("write", &target, error))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let installed_at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let build = Build { digest, version, installed_at };
        self.change(|plugins| {
            let Some(builds) = plugins.get_mut(name) else {
                let builds = Builds { current: digest, before: Vec::new(), builds: vec![build] };
                plugins.insert(name.to_owned(), builds);
                return Ok(None);
            };
            if builds.builds.iter().all(|known| known.digest != digest) {
                builds.builds.push(build);
            }
            Ok(builds.choose(digest))
        })
    }

    /// Makes another installed build current. Returns it, and the one that was current before.
    pub(crate) fn roll_back(
        &self,
        name: &str,
        to: Option<Digest>,
    ) -> Result<(Digest, Digest), Failure> {
        self.change(|plugins| {
            let Some(builds) = plugins.get_mut(name) else {
                let message = format!("Plugin `{name}` is not installed");
                return Err(Failure::input("unknown", message).next("harness plugin list"));
            };
            let was = builds.current;
            let to = match to {
                Some(digest) => {
                    let digest = builds.find(name, &digest.to_string())?;
                    builds.choose(digest);
                    digest
                }
                None => builds.before.pop().ok_or_else(|| {
                    let message = format!("No other build of `{name}` was current before");
                    Failure::input("no-build", message).next("harness plugin list")
                })?,
            };
            builds.current = to;
            Ok((to, was))
        })
    }

    fn registry(&self) -> PathBuf {
        self.directory.join("plugins.json")
    }

    fn component(&self, digest: &Digest) -> PathBuf {
        self.directory.join(digest.to_string().replace(':', "-")).with_extension("wasm")
    }

    /// Changes the list of plugins; processes do so one after the other.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Builds>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = self.registry();
        let lock = fs::create_dir_all(&self.directory)
            .and_then(|()| File::create(path.with_extension("lock")))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| failed("lock", &path, error))?;
        let mut plugins = self.plugins()?;
        let value = change(&mut plugins)?;
        let mut text = serde_json::to_vec_pretty(&plugins).map_err(Failure::internal)?;
        text.push(b'\n');
        replace(&path, &text).map_err(|error| failed("write", &path, error))?;
        drop(lock);
        Ok(value)
    }
}

impl Builds {
    /// The installed build of a digest, or of its beginning.
    fn find(&self, name: &str, digest: &str) -> Result<Digest, Failure> {
        let is = |build: &&Build| {
            let known = build.digest.to_string();
            known.starts_with(digest) || known.trim_start_matches("sha256:").starts_with(digest)
        };
        match self.builds.iter().filter(is).collect::<Vec<_>>().as_slice() {
            [build] if !digest.is_empty() => Ok(build.digest),
            [] => {
                let message = format!("No build {digest} of `{name}` is installed");
                Err(Failure::input("unknown", message).next("harness plugin list"))
            }
            _ => {
                let message = format!("Several builds of `{name}` begin with {digest}");
                Err(Failure::input("unknown", message).next("harness plugin list"))
            }
        }
    }

    /// Makes a build current. Returns the one that was.
    fn choose(&mut self, digest: Digest) -> Option<Digest> {
        let was = self.current;
        if was == digest {
            return None;
        }
        self.before.retain(|one| *one != digest && *one != was);
        self.before.push(was);
        self.current = digest;
        Some(was)
    }
}

/// Writes a file so that nobody reads half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn failed(what: &str, path: &Path, error: impl std::fmt::Display) -> Failure {
    let path = shell(&path.display().to_string());
    Failure::input("plugins", format!("Cannot {what} {path}: {error}"))
}
