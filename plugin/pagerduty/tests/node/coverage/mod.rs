//! Nothing is missing without a reason: no operation of PagerDuty's API, and nothing that a peer
//! offers. `docs/coverage.md` says so, and is what it would be if it were written now; to write it:
//!
//! ```sh
//! UPDATE_COVERAGE=1 cargo test -p pagerduty-node --test node coverage
//! ```

mod data;
mod page;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pagerduty_declaration::NODE;
use pagerduty_simulator::facts;

use crate::oracle::{self, assert_none};
use data::{Evidence, exists, left_out, operations_of, peers};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn every_operation_has_an_action_or_a_reason() {
    let left_out = left_out();
    let excluded: BTreeSet<&str> =
        left_out.operations.iter().map(|one| one.name.as_str()).collect();
    let done: BTreeSet<&str> =
        NODE.actions().flat_map(operations_of).map(|one| one.id.as_str()).collect();
    let mut findings = Vec::new();
    for operation in facts::operations().iter().chain(facts::events_api()) {
        let id = operation.id.as_str();
        match (done.contains(id), excluded.contains(id)) {
            (false, false) => findings.push(format!("{id} has no action and no reason")),
            (true, true) => findings.push(format!("{id} has an action, and a reason for none")),
            _ => {}
        }
    }
    findings.extend(
        excluded
            .iter()
            .filter(|id| facts::operation(id).is_none())
            .map(|id| format!("{id} is left out, and is no operation")),
    );
    assert_none(&findings);
    let current: Vec<&str> = excluded
        .iter()
        .copied()
        .filter(|id| facts::operation(id).is_some_and(|one| !one.deprecated))
        .collect();
    let known: Vec<&str> = oracle::EXCLUDED.iter().map(|(id, _)| *id).collect();
    assert_eq!(current, known, "what is not deprecated and left out");
}

#[test]
fn everything_that_a_peer_offers_is_done_or_left_out_for_a_reason() {
    let reasons = left_out().reasons;
    let mut findings = Vec::new();
    let peers = peers();
    let offered = peers.iter().flat_map(|peer| peer.operations.iter().map(move |one| (peer, one)));
    let out = left_out().operations;
    for (whose, one) in offered
        .map(|(peer, one)| (peer.title.as_str(), one))
        .chain(out.iter().map(|one| ("PagerDuty", one)))
    {
        let at = format!("{whose}, {}", one.name);
        if one.ours.is_empty() == one.left_out.is_none() {
            findings.push(format!("{at}: either it is done or there is a reason"));
        }
        for name in one.ours.iter().filter(|name| !exists(name)) {
            findings.push(format!("{at}: there is no {name}"));
        }
        if let Some(reason) = &one.left_out
            && !reasons.iter().any(|known| known.name == *reason)
        {
            findings.push(format!("{at}: {reason} is no reason"));
        }
    }
    assert_none(&findings);
}

#[test]
fn every_reason_is_used_and_no_peer_says_a_thing_twice() {
    let left_out = left_out();
    let peers = peers();
    for reason in &left_out.reasons {
        let offered = peers.iter().flat_map(|peer| &peer.operations).chain(&left_out.operations);
        let mut used = offered.filter_map(|one| one.left_out.as_ref());
        assert!(used.any(|name| *name == reason.name), "{} is a reason for nothing", reason.name);
    }
    for peer in &peers {
        let names: BTreeSet<&str> = peer.operations.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), peer.operations.len(), "{} names one twice", peer.title);
    }
}

#[test]
fn as_much_of_each_peer_is_listed_as_it_is_known_to_offer() {
    let peers = peers();
    for (short, number) in
        [("n8n", 9), ("MCP", 103), ("Terraform", 51 + 35), ("Go", 216), ("Kestra", 2)]
    {
        let peer = peers.iter().find(|peer| peer.short == short).unwrap();
        assert_eq!(peer.operations.len(), number, "{short}");
    }
}

#[test]
fn what_nobody_has_checked_is_marked_so() {
    let page = page::page(&peers(), &left_out());
    for peer in peers().iter().filter(|peer| peer.evidence == Evidence::Unverified) {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", peer.title)));
        assert!(row.unwrap().contains("not checked"), "{}", peer.title);
        assert_eq!(peer.evidence.mark(), "(?)");
    }
}

#[test]
fn every_row_of_ours_names_what_it_sends_and_leads_to_its_reference() {
    let page = page::page(&peers(), &left_out());
    for resource in NODE.resources {
        let reference = docs().join(format!("reference/{}.md", resource.name));
        let reference = std::fs::read_to_string(reference).unwrap();
        for action in resource.actions.iter().copied().flatten() {
            assert!(reference.contains(&format!("\n## {}\n", action.title)), "{}", action.name);
            let start = format!("| [`{}`](reference/{}.md#", action.name, resource.name);
            let row = page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| {
                panic!("{} has no row", action.name);
            });
            let api = row.split(" | ").nth(1).unwrap();
            assert!(api == "any" || api.starts_with('`'), "{row}");
            assert_eq!(row.contains("early access"), action.is_early_access, "{row}");
        }
    }
}

#[test]
fn the_page_is_what_it_would_be_if_it_were_written_now() {
    let path = docs().join("coverage.md");
    let page = page::page(&peers(), &left_out());
    if std::env::var_os("UPDATE_COVERAGE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let differs = there.lines().zip(page.lines()).position(|(a, b)| a != b);
    assert!(
        there == page,
        "docs/coverage.md is not up to date (line {:?}); write it with\n  \
         UPDATE_COVERAGE=1 cargo test -p pagerduty-node --test node coverage",
        differs.map(|line| line + 1)
    );
}
