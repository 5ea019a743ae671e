//! Packages: written and signed by an author, verified and approved by an operator.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{World, make_private};

/// A node that passes every check, and an author's key.
pub(crate) fn author() -> World {
    let world = World::with(component_build::guest("judged-node"));
    world.harness(&["package", "key", "new", "author.key"]).expect(0);
    world
}

/// Packages a component.
fn packaged(world: &World, component: &str, key: &str, out: &str) {
    let args = ["package", component, "--key", key, "--out", out, "--format", "json"];
    world.harness(&args).expect(0);
}

/// Another build of the node: a section that changes nothing is added.
fn rebuilt(world: &World, name: &str) -> String {
    let mut bytes = std::fs::read(world.plugin()).unwrap();
    bytes.extend([0, 2, 1, *name.as_bytes().first().unwrap()]);
    let path = world.path(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_package_shows_what_is_in_it_and_the_same_input_gives_the_same_bytes() {
    let world = author();
    let text = world.harness(&["package", world.plugin(), "--key", "author.key"]).expect(0);
    text.shows("Packaged `judged`, version 1, in judged-1.node.tar.gz");
    text.shows("signed with  ed25519:").shows("0 failed, 1 skipped");
    text.shows("3 descriptions, 6 schemas").shows("To see it as an operator does");
    let first = std::fs::read(world.path("judged-1.node.tar.gz")).unwrap();
    packaged(&world, world.plugin(), "author.key", "again.tar.gz");
    assert!(first == std::fs::read(world.path("again.tar.gz")).unwrap(), "other bytes");
    // Another project is above the component: the workspace of the host.
    text.shows("materials    NONE: no package of ").shows("builds `judged_node.wasm`");

    let report = world.harness(&["verify", "again.tar.gz", "--format", "json"]).expect(0).json();
    assert_eq!(report["pinned"], false);
    let package = &report["package"];
    assert_eq!((&package["node"], &package["version"]), (&json!("judged"), &json!(1)));
    assert_eq!(package["checks"]["failed"], 0);
    for name in [
        "node.wasm",
        "check.json",
        "description/node.json",
        "description/credential-type.json",
        "schemas/thing.get.json",
        "reference/README.md",
    ] {
        assert!(package["files"][name]["size"].as_u64().unwrap() > 0, "{name}: {package:#}");
    }
    assert_eq!(package["sbom_components"], Value::Null);
    let signed_by = package["key"].as_str().unwrap();
    world.harness(&["verify", "again.tar.gz", "--signed-by", signed_by]).expect(0);
    world.harness(&["package", "key", "new", "other.key"]).expect(0);
    let other = world.harness(&["package", "key", "show", "other.key"]).expect(0).stdout;
    let refused = world.harness(&["verify", "again.tar.gz", "--signed-by", other.trim()]).expect(4);
    refused.says("is signed with").says(other.trim());
}

#[test]
fn the_bill_of_materials_of_a_cargo_project_lists_its_crates() {
    let world = author();
    let manifest = component_build::workspace_root().join("tests/guests/Cargo.toml");
    let manifest = manifest.to_str().unwrap();
    let args = ["package", world.plugin(), "--key", "author.key", "--manifest-path", manifest];
    let package = |args: &[&str]| {
        // The directory of the user is another one here.
        let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        world.harness(args).env("CARGO_HOME", home.unwrap_or_default())
    };
    package(&args).expect(0).shows("sbom.cdx.json, ");
    let verified = world.harness(&["verify", "judged-1.node.tar.gz", "--format", "json"]);
    let report = verified.expect(0).json();
    assert!(report["package"]["sbom_components"].as_u64().unwrap() > 3, "{report:#}");
    let wrong = [&args[..5], &["none/Cargo.toml"]].concat();
    package(&wrong).expect(2).says("Cannot make a bill of materials");
}

#[test]
fn a_bill_of_materials_of_another_tool_is_taken_and_none_is_reported_as_none() {
    let world = author();
    let component = rebuilt(&world, "copied.wasm");
    let none = world.harness(&["package", &component, "--key", "author.key"]).expect(0);
    none.shows("materials    NONE: no Cargo project is above the component").shows("--sbom FILE");
    world.harness(&["verify", "judged-1.node.tar.gz"]).expect(0).shows("materials    NONE\n");

    let bill = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "components": [{"type": "library", "name": "left-pad", "version": "1.0.0"}],
    });
    let bill = world.file("bill.json", &bill.to_string());
    let args = ["package", &component, "--key", "author.key", "--sbom", &bill];
    world.harness(&args).expect(0).shows("sbom.cdx.json, 1 component\n");
    let wrong = world.file("wrong.json", "{}");
    let args = ["package", &component, "--key", "author.key", "--sbom", &wrong];
    world.harness(&args).expect(2).says("`bomFormat` is not `CycloneDX`").says("npm sbom");
}

#[test]
fn a_component_that_fails_a_check_is_packaged_only_on_demand() {
    let world = World::with(component_build::guest("service-node"));
    world.harness(&["package", "key", "new", "author.key"]).expect(0);
    let refused = world.harness(&["package", world.plugin(), "--key", "author.key"]).expect(1);
    refused.says("Nothing was packaged: ").says("examples").says("--allow-failed-checks");
    assert!(
        !std::fs::read_dir(world.directory())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains(".node.tar.gz") })
    );
    let args = [
        "package",
        world.plugin(),
        "--key",
        "author.key",
        "--allow-failed-checks",
        "--out",
        "p.gz",
    ];
    world.harness(&args).expect(0);
    let report = world.harness(&["verify", "p.gz", "--format", "json"]).expect(0).json();
    assert!(report["package"]["checks"]["failed"].as_u64().unwrap() > 0, "{report:#}");
}

#[test]
fn a_key_is_private_and_never_overwritten() {
    let world = author();
    let text = std::fs::read_to_string(world.path("author.key")).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{text}");
    let again = world.harness(&["package", "key", "new", "author.key"]).expect(2);
    again.says("exists already, and was not changed").says("harness package key show author.key");
    assert_eq!(std::fs::read_to_string(world.path("author.key")).unwrap(), text);
    let missing = world.harness(&["package", world.plugin(), "--key", "none.key"]).expect(2);
    missing.says("harness package key new none.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = world.path("author.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let shared = world.harness(&["package", "key", "show", "author.key"]).expect(2);
        shared.says("other users of this machine can read it").says("chmod 600 author.key");
    }
    world.file("wrong.key", "not a key");
    make_private(&world.path("wrong.key"));
    let wrong = world.harness(&["package", "key", "show", "wrong.key"]).expect(2);
    wrong.says("not an ed25519 key in PEM");
}

#[test]
fn the_first_approval_pins_the_key_and_another_key_needs_a_decision() {
    let world = author();
    world.harness(&["package", "key", "new", "thief.key"]).expect(0);
    let (second, third) = (rebuilt(&world, "2.wasm"), rebuilt(&world, "3.wasm"));
    packaged(&world, world.plugin(), "author.key", "1.gz");
    packaged(&world, &second, "author.key", "2.gz");
    packaged(&world, &third, "thief.key", "3.gz");

    let first = world.harness(&["approve", "1.gz", "--yes"]).expect(0);
    first.shows("Signed with").shows("which this approval pins").shows("Approved in ");
    world
        .harness(&["verify", "1.gz"])
        .expect(0)
        .shows("This is the key that is pinned for `judged`.");
    let report = world.harness(&["approve", "2.gz", "--yes", "--format", "json"]).expect(0).json();
    assert!(report["signed_with"].as_str().unwrap().starts_with("ed25519:"), "{report:#}");

    for command in [
        &["approve", "3.gz", "--yes"][..],
        &["plugin", "install", "3.gz", "--yes"],
        &["verify", "3.gz"],
    ] {
        let refused = world.harness(command).expect(4);
        refused
            .says("Somebody else may have made this package")
            .says("harness approve 3.gz --new-key ed25519:");
    }
    // A build that nobody has signed is refused as well, and one that was approved is not.
    let unsigned = world.harness(&["approve", &third, "--yes"]).expect(4);
    unsigned.says("is not signed").says("--unsigned");
    world.harness(&["approve", &second, "--yes"]).expect(0).shows("Already approved");
    world.harness(&["approve", &third, "--yes", "--unsigned"]).expect(0).shows("nobody, although");

    // Deliberately: the key is named.
    let thief = world.harness(&["package", "key", "show", "thief.key"]).expect(0).stdout;
    let author = world.harness(&["package", "key", "show", "author.key"]).expect(0).stdout;
    let other = ["approve", "3.gz", "--yes", "--new-key", author.trim()];
    world.harness(&other).expect(4).says("and not with");
    let accepted = ["approve", "3.gz", "--yes", "--new-key", thief.trim()];
    world.harness(&accepted).expect(0).shows("which replaces the pinned key");
    world.harness(&["approve", "1.gz", "--yes"]).expect(4).says("Somebody else may have made");
}

#[test]
fn a_package_is_installed_and_run_like_a_component() {
    let world = author();
    packaged(&world, world.plugin(), "author.key", "1.gz");
    world
        .harness(&["plugin", "install", "1.gz", "--yes"])
        .expect(0)
        .shows("`judged` is now sha256:");
    world.harness(&["inspect", "1.gz"]).expect(0).shows("judged");
    let dry = ["run", "judged", "thing.get", "--parameters", r#"{"thing_id":"T1"}"#, "--dry-run"];
    world.harness(&dry).expect(0).says("1 item, 0 failed");
    world.harness(&["check", "1.gz", "--only", "load"]).expect(0);
    let again = world.harness(&["package", "1.gz", "--key", "author.key"]).expect(2);
    again.says("is a package already");
}

#[test]
fn a_package_that_was_changed_is_refused_everywhere() {
    let world = author();
    packaged(&world, world.plugin(), "author.key", "1.gz");
    let bytes = std::fs::read(world.path("1.gz")).unwrap();
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 10] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        std::fs::write(world.path("changed.gz"), changed).unwrap();
        for command in [
            &["verify", "changed.gz"][..],
            &["approve", "changed.gz", "--yes"],
            &["plugin", "install", "changed.gz", "--yes"],
            &["inspect", "changed.gz"],
            &["package", "push", "changed.gz", "registry.example.com/nodes/judged:1"],
        ] {
            let refused = world.harness(command).expect(4);
            refused.says("changed.gz is refused").says("get it again from its author");
        }
    }
    assert!(!Path::new(&world.path("data/approvals.json")).exists());
    let component = world.harness(&["verify", world.plugin()]).expect(4);
    component.says("is a component and not a package").says("harness package ");
}
