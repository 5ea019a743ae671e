use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use workflow_node_host::{Digest, Secret, chain};

use super::{
    AuthorKey, COMPONENT, LARGEST_CONTENT, LONGEST_NAME, MOST_FILES, Package, PackageError,
    PublicKey, SIGNATURE, archive, sbom, sign,
};

fn key() -> AuthorKey {
    AuthorKey::from_pem(&AuthorKey::generate().unwrap()).unwrap()
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let text = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    BTreeMap::from([
        text(COMPONENT, "\0asm and so on"),
        text("description/node.json", "{}\n"),
        text("reference/README.md", "# Lamps\n"),
    ])
}

/// A package that is signed once for all tests.
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| sign("lamp", 3, &files(), &key()).unwrap());

/// The files of an archive in their order.
fn unpacked(package: &[u8]) -> Vec<(String, Vec<u8>)> {
    archive::read(package).unwrap()
}

fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    archive::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

fn refusal(package: &[u8]) -> String {
    Package::read(package).expect_err("it is refused").to_string()
}

#[test]
fn a_signed_package_is_read_back() {
    let package = Package::read(&SIGNED).unwrap();
    let manifest = package.manifest();
    assert_eq!((manifest.node.as_str(), manifest.version), ("lamp", 3));
    assert_eq!(manifest.component, Digest::of(package.component()));
    for (name, bytes) in files() {
        assert_eq!(package.file(&name), Some(bytes.as_slice()));
    }
    assert_eq!(package.files_of("reference").collect::<Vec<_>>(), ["reference/README.md"]);
    assert!(Package::is_archive(&SIGNED) && !Package::is_archive(package.component()));
}

#[test]
fn the_same_files_and_the_same_key_give_the_same_bytes() {
    let key = key();
    let one = sign("lamp", 3, &files(), &key).unwrap();
    assert_eq!(one, sign("lamp", 3, &files(), &key).unwrap());
    assert_ne!(one, sign("lamp", 4, &files(), &key).unwrap());
}

#[test]
fn a_file_that_was_changed_added_or_removed_is_named() {
    let original = unpacked(&SIGNED);
    for place in 2..original.len() {
        let mut changed = original.clone();
        changed[place].1[0] ^= 1;
        let name = &original[place].0;
        let message = format!("`{name}` was changed after the package was signed");
        assert_eq!(refusal(&packed(&changed)), message);
        let mut removed = original.clone();
        removed.remove(place);
        let message = format!("`{name}` was removed after the package was signed");
        assert_eq!(refusal(&packed(&removed)), message);
    }
    let mut added = original.clone();
    added.push(("reference/extra.md".to_owned(), b"more".to_vec()));
    assert_eq!(
        refusal(&packed(&added)),
        "`reference/extra.md` was added after the package was signed"
    );
    let mut other_order = original;
    other_order.reverse();
    // The order is not signed, so it must not say anything.
    let read = Package::read(&packed(&other_order)).unwrap();
    assert_eq!(read.component(), Package::read(&SIGNED).unwrap().component());
}

#[test]
fn a_package_that_is_not_signed_or_whose_manifest_was_changed_is_refused() {
    let mut unsigned = unpacked(&SIGNED);
    unsigned.retain(|(name, _)| name != SIGNATURE);
    assert_eq!(refusal(&packed(&unsigned)), "The package is not signed: it has no package.sig");

    let mut renamed = unpacked(&SIGNED);
    let text = String::from_utf8(renamed[0].1.clone()).unwrap();
    renamed[0].1 = text.replace("\"lamp\"", "\"desk\"").into_bytes();
    assert!(refusal(&packed(&renamed)).contains("does not fit its package.json"));

    // Who replaces the key as well has another key, and nothing else.
    let mut other = unpacked(&SIGNED);
    let own = Package::read(&SIGNED).unwrap().manifest().key.to_string();
    other[0].1 = text.replace(&own, &key().public().to_string()).into_bytes();
    assert!(refusal(&packed(&other)).contains("somebody else signed it"));

    let mut newer = unpacked(&SIGNED);
    newer[0].1 = text.replace("\"format\": 1", "\"format\": 2").into_bytes();
    assert!(refusal(&packed(&newer)).contains("format 2, which this version does not know"));

    let mut empty = unpacked(&SIGNED);
    empty.remove(0);
    assert!(refusal(&packed(&empty)).contains("no valid package.json: the file is missing"));
}

/// An archive with one entry as it is given.
fn with_entry(kind: EntryType, name: &[u8], link: &str) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(if kind == EntryType::Regular { 1 } else { 0 });
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    if !link.is_empty() {
        header.set_link_name(link).unwrap();
    }
    let room = &mut header.as_old_mut().name;
    room[..name.len()].copy_from_slice(name);
    header.set_cksum();
    let content: &[u8] = if kind == EntryType::Regular { b"x" } else { b"" };
    builder.append(&header, content).unwrap();
    gzip(&builder.into_inner().unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn links_directories_and_names_that_lead_elsewhere_are_refused() {
    for (kind, link) in [
        (EntryType::Symlink, "/etc/passwd"),
        (EntryType::Link, "node.wasm"),
        (EntryType::Directory, ""),
        (EntryType::Char, ""),
        (EntryType::Fifo, ""),
        (EntryType::GNULongName, ""),
        (EntryType::XHeader, ""),
        (EntryType::XGlobalHeader, ""),
        (EntryType::GNUSparse, ""),
    ] {
        let problem = refusal(&with_entry(kind, b"node.wasm", link));
        assert!(problem.contains("`node.wasm` is not a file"), "{kind:?}: {problem}");
    }
    for name in [
        "/etc/passwd",
        "../node.wasm",
        "a/../b",
        "a//b",
        "./a",
        "a/.",
        ".hidden",
        "a/",
        "a\\b",
        "C:a",
        "a\nb",
        "a\u{1b}[2J",
        "trailing.",
        "ü",
        "",
    ] {
        let problem = refusal(&with_entry(EntryType::Regular, name.as_bytes(), ""));
        assert!(problem.contains("cannot be the name of a file"), "{name:?}: {problem}");
        assert!(!problem.contains('\u{1b}'), "{problem:?}");
    }
    assert!(archive::check_name(&"a".repeat(LONGEST_NAME)).is_ok());
    assert!(archive::check_name(&"a".repeat(LONGEST_NAME + 1)).is_err());
}

#[test]
fn an_archive_in_any_other_form_is_refused() {
    let twice = [("a".to_owned(), b"1".to_vec()), ("a".to_owned(), b"2".to_vec())];
    assert!(refusal(&packed(&twice)).contains("it has `a` twice"));
    let many: Vec<_> = (0..=MOST_FILES).map(|place| (format!("f{place}"), Vec::new())).collect();
    assert!(refusal(&packed(&many)).contains("more than 4096 files"));

    let mut more = SIGNED.clone();
    more.extend_from_slice(&SIGNED);
    assert!(refusal(&more).contains("more bytes after its end"));

    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&SIGNED[..]), &mut content)
        .unwrap();
    let mut hidden = content.clone();
    hidden.extend_from_slice(&[7; 512]);
    assert!(refusal(&gzip(&hidden)).contains("not in the form"));
    // The time of the first file.
    let mut dated = content;
    dated[136..147].copy_from_slice(b"14000000000");
    let header = Header::from_byte_slice(&dated[..512]).clone();
    let mut header = header;
    header.set_cksum();
    dated[..512].copy_from_slice(header.as_bytes());
    assert!(refusal(&gzip(&dated)).contains("not in the form"));
    for nothing in [&b""[..], b"\0asm", &gzip(b""), &SIGNED[..SIGNED.len() / 2]] {
        assert!(Package::read(nothing).is_err());
    }
}

#[test]
fn a_small_archive_that_unpacks_to_a_large_one_is_not_unpacked() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..=(LARGEST_CONTENT >> 20) {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    assert!(refusal(&bomb).starts_with("The unpacked archive is larger than"));
}

#[test]
fn the_cause_of_an_unreadable_archive_is_linked_and_printed_once() {
    let mut truncated = SIGNED.clone();
    truncated.truncate(SIGNED.len() / 2);
    let Err(error) = Package::read(&truncated) else { panic!("half an archive was read") };
    assert_eq!(error.to_string(), "The archive cannot be unpacked");
    let cause = std::error::Error::source(&error).expect("the cause is linked");
    assert!(cause.is::<std::io::Error>(), "{cause:?}");
    assert_eq!(chain(&error), format!("The archive cannot be unpacked: {cause}"));

    let error = sbom::check(b"{").unwrap_err();
    let cause = std::error::Error::source(&error).expect("the cause is linked");
    assert_eq!(chain(&error), format!("it cannot be read as CycloneDX (JSON): {cause}"));
}

#[test]
fn only_files_that_can_be_read_again_are_signed() {
    let mut odd = files();
    odd.insert("../up".to_owned(), Vec::new());
    assert!(matches!(sign("lamp", 1, &odd, &key()), Err(PackageError::Archive(_))));
    let mut none = files();
    none.remove(COMPONENT);
    assert!(sign("lamp", 1, &none, &key()).is_err());
}

#[test]
fn keys_are_read_as_they_are_written_and_as_openssl_writes_them() {
    let pem = AuthorKey::generate().unwrap();
    let public = AuthorKey::from_pem(&pem).unwrap().public();
    assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
    let openssl = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ/DxxX2XD4cHkQNmaicsWBBROJqJUmlRnTDhgyiqHSy\n-----END PRIVATE KEY-----\n";
    let read = AuthorKey::from_pem(&Secret::new(openssl)).unwrap().public();
    assert_eq!(read.to_string(), "ed25519:8+4EwfyJXRwxLH1YGqty3vYYzKNSTGQPtzZgnSzT4hA=");
    for wrong in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", "AAAA"] {
        assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
    }
    assert!(AuthorKey::from_pem(&Secret::new("not a key")).is_err());
}

#[test]
fn a_bill_of_materials_lists_what_a_component_is_made_of() {
    let manifest = component_build::workspace_root().join("Cargo.toml");
    let component = std::path::Path::new("target/github.wasm");
    let text = sbom::of_cargo(&manifest, component).unwrap();
    assert_eq!(text, sbom::of_cargo(&manifest, component).unwrap());
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bill["metadata"]["component"]["name"], "github-node");
    let components = bill["components"].as_array().unwrap();
    assert_eq!(sbom::check(text.as_bytes()).unwrap(), components.len());
    let named = |name: &str| components.iter().find(|one| one["name"] == name);
    let from_registry = named("serde_json").unwrap();
    assert_eq!(from_registry["hashes"][0]["content"].as_str().unwrap().len(), 64);
    assert!(from_registry["purl"].as_str().unwrap().starts_with("pkg:cargo/serde_json@1."));
    assert_eq!(named("workflow-node-sdk").unwrap().get("purl"), None);
    // Of the host and of tests.
    assert!(named("wasmtime").is_none() && named("proptest").is_none(), "{text}");
    assert!(!text.contains(&*component_build::workspace_root().to_string_lossy()), "{text}");

    let other = sbom::of_cargo(&manifest, std::path::Path::new("lamp.wasm")).unwrap_err();
    assert!(other.to_string().ends_with("builds `lamp.wasm`"), "{other}");
    let none = sbom::of_cargo(std::path::Path::new("/no/Cargo.toml"), component).unwrap_err();
    assert!(none.to_string().starts_with("cargo metadata has failed"), "{none}");
    for wrong in ["[]", "{}", r#"{"bomFormat":"SPDX"}"#, r#"{"bomFormat":"CycloneDX"}"#] {
        assert!(sbom::check(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let newer = r#"{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{}]}"#;
    assert_eq!(sbom::check(newer.as_bytes()).unwrap(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_change_of_an_archive_is_refused_or_changes_nothing(
        at in any::<prop::sample::Index>(), with in 1_u8..,
    ) {
        let mut changed = SIGNED.clone();
        let at = at.index(changed.len());
        changed[at] ^= with;
        if let Ok(package) = Package::read(&changed) {
            // Of the bytes of gzip, some say nothing.
            let original = Package::read(&SIGNED).unwrap();
            prop_assert_eq!(package.manifest(), original.manifest());
            prop_assert_eq!(package.files, original.files);
        }
    }

    #[test]
    fn any_change_of_the_content_is_refused(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&SIGNED[..]), &mut content)
            .unwrap();
        let at = at.index(content.len());
        content[at] ^= with;
        prop_assert!(Package::read(&gzip(&content)).is_err());
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(Package::read(&bytes).is_err());
        prop_assert!(Package::read(&gzip(&bytes)).is_err());
    }

    #[test]
    fn any_headers_are_refused(
        headers in prop::collection::vec(prop::collection::vec(any::<u8>(), 512), 1..4),
    ) {
        let mut content = Vec::new();
        for bytes in headers {
            let mut header = Header::from_byte_slice(&bytes).clone();
            header.set_size(3);
            header.set_cksum();
            content.extend_from_slice(header.as_bytes());
            content.extend_from_slice(&[7; 512]);
        }
        content.extend_from_slice(&[0; 1_024]);
        prop_assert!(Package::read(&gzip(&content)).is_err());
    }
}
