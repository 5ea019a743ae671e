//! `harness verify`: verifies a package and shows its contents to an operator, before approval.

use serde_json::{Value, json};
use workflow_node_host::FileApprovals;
use workflow_node_testing::package::{self, CHECKS, DESCRIPTION, Package, REFERENCE, SBOM};

use super::args::VerifyArgs;
use super::read;
use super::signer::{self, pinned};
use crate::archive::refused;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output::{self, READING, count, wrapped};
use crate::setup::Setup;
use crate::words::size;

pub(crate) async fn run(setup: &Setup, args: &VerifyArgs) -> Result<Exit, Failure> {
    let (_, package) = read(&args.file)?;
    let manifest = package.manifest();
    let file = shell(&args.file.display().to_string());
    if let Some(key) = args.signed_by
        && key != manifest.key
    {
        let message = format!("{file} is signed with {}, and not with {key}", manifest.key);
        return Err(Failure::new(Exit::Plugin, "other-key", message).next(
            "get the package from its author, and compare the key that the author publishes",
        ));
    }
    let plugin = setup.load(&args.file).await?;
    package.compare(&plugin).map_err(|error| refused(&args.file, &error))?;
    let known = pinned(&FileApprovals::new(&setup.approvals), &manifest.node).await?;
    let key = manifest.key.to_string();
    if let Some(other) = known.as_ref().filter(|known| **known != key) {
        return Err(signer::other_key(&file, &manifest.node, other, &key));
    }
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "file": args.file,
            "package": contents(&package),
            "pinned": known.is_some(),
        }))?,
        Report::Text => {
            let head = format!(
                "`{}`, version {}, is as its author has signed it.\n\n",
                manifest.node, manifest.version
            );
            output::stdout(&head)?;
            output::stdout(&in_words(&package, None))?;
            let node = &manifest.node;
            output::stdout(&match known.is_some() {
                true => format!("\nThis is the key that is pinned for `{node}`.\n"),
                false => format!(
                    "\nNo key is pinned for `{node}` yet. Compare this one with the key that the author \
                     publishes.\nTo approve the package and pin the key: harness approve {file}\n"
                ),
            })?;
        }
    }
    Ok(Exit::Success)
}

/// Contents of a package as JSON.
pub(super) fn contents(package: &Package) -> Value {
    let manifest = package.manifest();
    json!({
        "node": manifest.node,
        "version": manifest.version,
        "component": manifest.component,
        "key": manifest.key,
        "written_by": manifest.written_by,
        "files": manifest.files,
        "checks": Checks::of(package).map(|checks| json!({
            "passed": checks.passed, "failed": checks.failed, "skipped": checks.skipped,
        })),
        "sbom_components": bill(package),
    })
}

/// Contents of a package as text. `none`: the reason for a missing bill of materials, if it is known.
pub(super) fn in_words(package: &Package, none: Option<&str>) -> String {
    let manifest = package.manifest();
    let number = |directory: &str, thing: &str| count(package.files_of(directory).count(), thing);
    let checks = match Checks::of(package) {
        None => "no report".to_owned(),
        Some(checks) => {
            let Checks { passed, failed, skipped } = checks;
            format!("{passed} passed, {failed} failed, {skipped} skipped")
        }
    };
    let bill = match (bill(package), none) {
        (Some(number), _) => format!("{SBOM}, {}", count(number, "component")),
        (None, Some(reason)) => format!("NONE: {reason}"),
        (None, None) => "NONE".to_owned(),
    };
    let rows = [
        ("signed with", manifest.key.to_string()),
        ("component", format!("{}, {}", manifest.component, size(package.component().len()))),
        (
            "documents",
            format!(
                "{}, {}, {}",
                number(DESCRIPTION, "description"),
                number("schemas", "schema"),
                number(REFERENCE, "reference page")
            ),
        ),
        ("checks", checks),
        ("materials", bill),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        for (place, line) in wrapped(&value, READING - 15).iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            text.push_str(&format!("  {name:<12} {line}\n"));
        }
    }
    text
}

/// Numbers of checks by result.
struct Checks {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Checks {
    fn of(package: &Package) -> Option<Self> {
        let report: Value = serde_json::from_slice(package.file(CHECKS)?).ok()?;
        let checks = report.get("checks")?.as_array()?;
        let number = |status: &str| checks.iter().filter(|one| one["status"] == status).count();
        let (passed, failed) = (number("passed"), number("failed"));
        Some(Self { passed, failed, skipped: number("skipped") })
    }
}

/// How many components a bill of materials has.
fn bill(package: &Package) -> Option<usize> {
    package::sbom::check(package.file(SBOM)?).ok()
}
