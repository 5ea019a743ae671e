use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Output, World};

fn docs(world: &World, out: &Path, more: &[&str]) -> crate::support::Harness {
    let out = out.to_str().unwrap();
    world.harness(&[&["docs", world.plugin(), "--out", out][..], more].concat())
}

/// The pages of the real plugin, in a separate directory.
fn written() -> (World, PathBuf, Output) {
    let world = World::new();
    let directory = world.path("reference");
    let output = docs(&world, &directory, &[]).expect(0);
    (world, directory, output)
}

fn pages(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<(String, String)> = entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn the_reference_pages_that_are_checked_in_are_what_the_node_says_of_itself() {
    let world = World::new();
    let reference = component_build::workspace_root().join("docs/reference");
    docs(&world, &reference, &["--check"]).expect(0).shows("up to date");
}

#[test]
fn every_action_is_documented_with_its_parameters_and_examples() {
    let (world, directory, output) = written();
    output.shows("written");
    let document = world.harness(&["inspect", world.plugin(), "--format", "json"]).expect(0).json();
    for action in document["actions"].as_array().unwrap() {
        let name = action["name"].as_str().unwrap();
        let resource = action["resource"].as_str().unwrap();
        let page = fs::read_to_string(directory.join(format!("{resource}.md"))).unwrap();
        let title = format!("\n## {}\n", action["title"].as_str().unwrap());
        let (_, section) = page.split_once(&title).unwrap_or_else(|| panic!("{name}: {title}"));
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains(&format!("\n`{name}`")), "{name}\n{section}");
        assert!(section.contains("- **Effect:**"), "{name}");
        assert_eq!(section.contains("early access"), action["early_access"] == true, "{name}");
        for scope in action["slots"]["rest"]["scopes"].as_array().into_iter().flatten() {
            assert!(section.contains(&format!("`{}`", scope.as_str().unwrap())), "{name}");
        }
        assert!(section.contains("**Example:**"), "{name} has an example");
        assert_eq!(section.contains("no parameters"), !section.contains("| Parameter |"), "{name}");
    }
    let create = fs::read_to_string(directory.join("incident.md")).unwrap();
    for text in [
        "| `title` | string, **required** |",
        "string: ID, name, or address, **required**, has choices",
        "| `urgency` | `high` or `low` |",
        "repeating a run with the same execution ID has no further effect (`keyed`)",
        "beyond 10000 records, the action continues by their time (created_at)",
        "records are returned page by page",
    ] {
        assert!(create.contains(text), "{text}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let (_world, directory, _) = written();
    let pages = pages(&directory);
    let fragments = |name: &str| -> BTreeSet<String> {
        let (_, page) = pages.iter().find(|(page, _)| page == name).unwrap();
        let headings = page.lines().filter(|line| line.starts_with('#'));
        let headings: Vec<&str> =
            headings.map(|line| line.trim_start_matches('#').trim()).collect();
        let unique: BTreeSet<String> = headings.iter().map(|heading| slug(heading)).collect();
        assert_eq!(unique.len(), headings.len(), "the headings of {name} differ");
        unique
    };
    let mut links = 0;
    for (name, page) in &pages {
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { name } else { target };
            assert!(directory.join(target).is_file(), "{name} links to {link}");
            if !fragment.is_empty() {
                assert!(fragments(target).contains(fragment), "{name} links to {link}");
            }
            links += 1;
        }
    }
    assert!(links > 1_000, "{links}");
}

/// As code hosts make a fragment of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_pages_are_the_same_each_time() {
    let (world, directory, _) = written();
    let before = pages(&directory);
    docs(&world, &directory, &[]).expect(0).shows("0 written, 0 removed");
    assert_eq!(pages(&directory), before);
    docs(&world, &directory, &["--check"]).expect(0).shows("up to date");
}

#[test]
fn pages_that_are_not_up_to_date_are_named_and_nothing_is_written() {
    let (world, directory, _) = written();
    let edited = directory.join("tag.md");
    let text = fs::read_to_string(&edited).unwrap();
    fs::write(&edited, text.replacen("Labels for", "Stickers for", 1)).unwrap();
    fs::remove_file(directory.join("vendor.md")).unwrap();
    fs::write(directory.join("gone.md"), text).unwrap();
    let before = pages(&directory);
    let output = docs(&world, &directory, &["--check"]).expect(1);
    output
        .says("tag.md: differs from line 5 on")
        .says("vendor.md: is missing")
        .says("gone.md: is obsolete")
        .says("next: harness docs");
    assert_eq!(pages(&directory), before);
    let failure = docs(&world, &directory, &["--check", "--format", "json"]).expect(1).failure();
    assert_eq!(failure["name"], "out-of-date");
    assert_eq!(failure["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn obsolete_pages_are_removed_and_other_files_are_kept() {
    let (world, directory, _) = written();
    let tag = fs::read_to_string(directory.join("tag.md")).unwrap();
    fs::write(directory.join("gone.md"), &tag).unwrap();
    fs::write(directory.join("ours.md"), "# Written by hand\n").unwrap();
    docs(&world, &directory, &["--check"]).expect(1).says("gone.md");
    let report = docs(&world, &directory, &["--format", "json"]).expect(0).json();
    assert_eq!(report["removed"][0], "gone.md");
    assert!(!directory.join("gone.md").exists() && directory.join("ours.md").exists());
    docs(&world, &directory, &["--check"]).expect(0);
}

#[test]
fn a_checkout_with_other_line_ends_is_up_to_date() {
    let (world, directory, _) = written();
    let page = directory.join("tag.md");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, text.replace('\n', "\r\n")).unwrap();
    docs(&world, &directory, &["--check"]).expect(0);
}

#[test]
fn a_plugin_without_resources_has_pages_too() {
    for name in ["hostile", "trigger-node"] {
        let world = World::with(component_build::guest(name));
        let directory = world.path("reference");
        docs(&world, &directory, &[]).expect(0);
        docs(&world, &directory, &["--check"]).expect(0);
        assert!(directory.join("README.md").is_file());
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_bad_input() {
    let world = World::new();
    let file = world.file("file", "");
    docs(&world, Path::new(&file), &[]).expect(2).says("Cannot use").says("--out");
}
