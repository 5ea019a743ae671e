//! Who has signed what is approved: the first approval of a package pins its key, and later approvals of
//! the node need the same key, or a decision.

use workflow_node_host::{Approvals as _, FileApprovals, Plugin, chain};
use workflow_node_testing::package::Package;

use super::args::SignerArgs;
use crate::archive::refused;
use crate::exit::{Exit, Failure, shell};

/// Who has signed what is to be approved.
pub(crate) struct Signer {
    /// The key of the package; `None` for a component that nobody has signed.
    pub(crate) key: Option<String>,
    /// The key that was pinned before.
    pinned: Option<String>,
}

impl Signer {
    /// Judges what is to be approved.
    ///
    /// # Errors
    ///
    /// If a package differs from its component, or is signed with another key than the pinned one; if a
    /// component is not signed, although packages of its node are.
    pub(crate) async fn judge(
        approvals: &FileApprovals,
        plugin: &Plugin,
        package: Option<&Package>,
        args: &SignerArgs,
        path: &std::path::Path,
    ) -> Result<Self, Failure> {
        let file = shell(&path.display().to_string());
        let node = &plugin.description().node.name;
        let pinned = pinned(approvals, node).await?;
        let Some(package) = package else {
            if args.new_key.is_some() {
                let message = format!("{file} is a component, which nobody has signed");
                return Err(Failure::input("unsigned", message)
                    .next("--new-key accepts the key of a package. Approve the package"));
            }
            let known = approvals.approval(&plugin.digest()).await;
            let is_approved =
                known.map_err(|error| Failure::input("approvals", chain(&error)))?.is_some();
            if let (Some(key), false, false) = (&pinned, is_approved, args.unsigned) {
                let message = format!(
                    "{file} is not signed, and packages of `{node}` are signed with the pinned key {key}"
                );
                return Err(Failure::new(Exit::Plugin, "unsigned", message).next(format!(
                    "approve the author's package. If you have built this component yourself: harness \
                     approve {file} --unsigned"
                )));
            }
            return Ok(Self { key: None, pinned });
        };
        package.compare(plugin).map_err(|error| refused(path, &error))?;
        let key = package.manifest().key;
        if let Some(accepted) = args.new_key.filter(|accepted| *accepted != key) {
            let message = format!("{file} is signed with {key}, and not with {accepted}");
            return Err(Failure::new(Exit::Plugin, "other-key", message)
                .next("get the package again from its author"));
        }
        let text = key.to_string();
        match &pinned {
            Some(other) if *other != text && args.new_key.is_none() => {
                Err(other_key(&file, node, other, &text))
            }
            _ => Ok(Self { key: Some(text), pinned }),
        }
    }

    /// The key that an approval pins, if it does.
    pub(crate) fn pins(&self) -> Option<&str> {
        self.key.as_deref().filter(|key| self.pinned.as_deref() != Some(*key))
    }

    /// Pins the key.
    pub(crate) async fn pin(&self, approvals: &FileApprovals, node: &str) -> Result<(), Failure> {
        let Some(key) = self.pins() else { return Ok(()) };
        let done = approvals.pin_author_key(node, self.pinned.as_deref(), key).await;
        match done.map_err(|error| Failure::input("approvals", chain(&error)))? {
            true => Ok(()),
            false => {
                let message = format!("Another key was pinned for `{node}` in the meantime");
                Err(Failure::new(Exit::Plugin, "other-key", message).next("try again"))
            }
        }
    }

    /// Who has signed it, for people; `None` where signatures have no part in it.
    pub(crate) fn in_words(&self) -> Option<String> {
        let Some(key) = &self.key else {
            self.pinned.as_ref()?;
            return Some("nobody, although packages of this node are signed".to_owned());
        };
        Some(match &self.pinned {
            Some(pinned) if pinned == key => format!("{key}, the pinned key"),
            Some(pinned) => format!("{key}, which replaces the pinned key {pinned}"),
            None => {
                format!("{key}, which this approval pins: later packages must have the same key")
            }
        })
    }
}

/// The key that is pinned for a node.
pub(super) async fn pinned(
    approvals: &FileApprovals,
    node: &str,
) -> Result<Option<String>, Failure> {
    let key = approvals.author_key(node).await;
    key.map_err(|error| Failure::input("approvals", chain(&error)))
}

/// A package with another key than the pinned one.
pub(super) fn other_key(file: &str, node: &str, pinned: &str, key: &str) -> Failure {
    let message = format!(
        "{file} is signed with {key}, and the key that is pinned for `{node}` is {pinned}. Somebody else \
         may have made this package"
    );
    Failure::new(Exit::Plugin, "other-key", message).next(format!(
        "ask the author, by another way than the one on which you got the package, whether the key has \
         changed. If so: harness approve {file} --new-key {key}"
    ))
}
