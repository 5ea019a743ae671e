//! Writes a package: collects its files, runs the checks, and signs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use workflow_node_host::chain;
use workflow_node_testing::check;
use workflow_node_testing::package::{self, CHECKS, COMPONENT, Package, REFERENCE, SBOM, sbom};

use super::args::WriteArgs;
use super::keys;
use super::verify::contents;
use crate::archive::{read_if_archive, refused};
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::installed::Installed;
use crate::output::{self, count};
use crate::setup::Setup;

pub(super) async fn run(setup: &Setup, args: WriteArgs) -> Result<Exit, Failure> {
    let (Some(plugin_name), Some(key)) = (&args.plugin, &args.key) else {
        return Err(Failure::internal("the command line is not complete"));
    };
    let key = keys::read(key)?;
    let plugin_path = plugin_name.display().to_string();
    if plugin_name.is_file() && read_if_archive(plugin_name)?.is_some() {
        let message = format!("{} is a package already", shell(&plugin_path));
        return Err(Failure::input("package", message).next("pass the component (.wasm file)"));
    }
    let plugin = setup.load(plugin_name).await?;
    let component = Installed::new(&setup.data).file(plugin_name)?;
    let bill = bill(&args, &component)?;
    let mut files = package::documents(&plugin);
    for (name, text) in crate::docs::pages_of(plugin.description()) {
        files.insert(format!("{REFERENCE}/{name}"), text.into_bytes());
    }
    let bytes = fs::read(&component).map_err(|error| {
        Failure::input("unreadable", format!("Cannot read the component: {error}"))
    })?;
    files.insert(COMPONENT.to_owned(), bytes);
    let none = match bill {
        Bill::Of(text) => {
            files.insert(SBOM.to_owned(), text);
            None
        }
        Bill::None(reason) => Some(reason),
    };
    let report = checked(setup, component, &args).await?;
    files.insert(CHECKS.to_owned(), report);
    let node = &plugin.description().node;
    let archive = package::sign(&node.name, node.version, &files, &key);
    let archive = archive.map_err(|error| Failure::input("package", chain(&error)))?;
    let name = format!("{}-{}.node.tar.gz", node.name, node.version);
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let package = Package::read(&archive).map_err(|error| refused(&out, &error))?;
    if package.manifest().component != plugin.digest() {
        let message = format!("{} was changed while it was packaged", shell(&plugin_path));
        return Err(Failure::input("changed", message).next("try again"));
    }
    replace(&out, &archive)?;
    let file = shell(&out.display().to_string());
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "file": out,
            "package": contents(&package),
            "sbom_missing": none,
        }))?,
        Report::Text => {
            let head =
                format!("Packaged `{}`, version {}, in {file}.\n\n", node.name, node.version);
            output::stdout(&head)?;
            output::stdout(&super::verify::in_words(&package, none.as_deref()))?;
            output::stdout(&format!("\nTo see it as an operator does: harness verify {file}\n"))?;
        }
    }
    Ok(Exit::Success)
}

/// A bill of materials, or why there is none.
enum Bill {
    Of(Vec<u8>),
    None(String),
}

fn bill(args: &WriteArgs, component: &Path) -> Result<Bill, Failure> {
    if let Some(path) = &args.sbom {
        let name = shell(&path.display().to_string());
        let text = fs::read(path).map_err(|error| {
            Failure::input("sbom", format!("Cannot read bill of materials {name}: {error}"))
        })?;
        sbom::check(&text).map_err(|error| {
            Failure::input("sbom", format!("Cannot use {name}: {}", chain(&error)))
                .next("write it in CycloneDX, e.g. npm sbom --sbom-format cyclonedx")
        })?;
        return Ok(Bill::Of(text));
    }
    let advice = "To add one that another tool has written: --sbom FILE";
    let chosen = args.manifest_path.clone();
    let Some(manifest) = chosen.or_else(|| sbom::manifest_above(component)) else {
        return Ok(Bill::None(format!("no Cargo project is above the component. {advice}")));
    };
    match sbom::of_cargo(&manifest, component) {
        Ok(text) => Ok(Bill::Of(text.into_bytes())),
        Err(error @ sbom::SbomError::OtherProject { .. }) if args.manifest_path.is_none() => {
            Ok(Bill::None(format!("{error}. {advice}")))
        }
        Err(error) => {
            let message = format!("Cannot make a bill of materials: {}", chain(&error));
            let failure = Failure::input("sbom", message);
            Err(match args.manifest_path {
                Some(_) => failure,
                None => {
                    failure.next("repair the project, or pass a bill of materials: --sbom FILE")
                }
            })
        }
    }
}

/// Runs the checks. Returns their report without durations, which differ each time.
async fn checked(setup: &Setup, component: PathBuf, args: &WriteArgs) -> Result<Vec<u8>, Failure> {
    let suite = check::Suite::new(setup.bare_host(), component);
    let report = crate::check::shown(suite).await?;
    if !report.is_ok() && !args.allow_failed_checks {
        let failed = report.checks.iter().filter(|one| one.status == check::Status::Failed);
        let failed: Vec<&str> = failed.map(|one| one.id).collect();
        let plugin = args.plugin.as_deref().unwrap_or(Path::new("")).display().to_string();
        let message = format!(
            "Nothing was packaged: {} failed ({})",
            count(failed.len(), "check"),
            failed.join(", ")
        );
        return Err(Failure::new(Exit::Failed, "checks", message).next(format!(
            "to see why: harness check {}. To package it nevertheless: --allow-failed-checks",
            shell(&plugin)
        )));
    }
    let mut document = serde_json::to_value(&report).map_err(Failure::internal)?;
    for check in document.get_mut("checks").and_then(Value::as_array_mut).into_iter().flatten() {
        check.as_object_mut().map(|check| check.shift_remove("milliseconds"));
    }
    let mut text = serde_json::to_vec_pretty(&document).map_err(Failure::internal)?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a file so that nobody reads half of it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| {
            // It may not be there.
            let _removed = fs::remove_file(&temporary).is_ok();
            let path = shell(&path.display().to_string());
            Failure::input("unwritable", format!("Cannot write {path}: {error}"))
        })
}
