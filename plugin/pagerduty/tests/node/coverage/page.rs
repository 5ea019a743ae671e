//! The page `docs/coverage.md`.

use std::collections::BTreeSet;

use pagerduty_declaration::NODE;
use pagerduty_simulator::facts;
use workflow_node_sdk::declare::{Action, Delivery};

use super::data::{Evidence, LeftOut, Offered, Peer, operations_of};

/// The whole page.
pub(super) fn page(peers: &[Peer], left_out: &LeftOut) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&summary(peers, left_out));
    page.push_str(&peers_table(peers));
    page.push_str(READING);
    for resource in NODE.resources {
        page.push_str(&format!("\n### {}\n\n", resource.title));
        let rows: Vec<Row> = resource
            .actions
            .iter()
            .copied()
            .flatten()
            .map(|action| Row {
                name: action.name.to_owned(),
                ours: action_cell(resource.name, action),
                api: api_cell(action),
            })
            .collect();
        page.push_str(&table(&rows, peers));
    }
    page.push_str("\n### Triggers\n\n");
    let rows: Vec<Row> = NODE
        .triggers
        .iter()
        .map(|trigger| {
            let form = &trigger.form;
            let link = format!("reference/triggers.md#{}", fragment(form.title));
            Row {
                name: format!("trigger:{}", form.name),
                ours: format!("[`{}`]({link})", form.name),
                api: match trigger.delivery {
                    Delivery::Webhook(_) => format!("webhooks, {} types of events", subscribable()),
                    Delivery::Poll(_) => "asks again and again".to_owned(),
                },
            }
        })
        .collect();
    page.push_str(&table(&rows, peers));
    page.push_str(&exclusions(peers, left_out));
    page.push_str(&peer_by_peer(peers));
    page
}

const HEAD: &str = "\
<!-- Written by a test of plugin/pagerduty from the node's declaration and plugin/pagerduty/peers. \
Do not edit. -->

# Coverage

What the PagerDuty node does, beside PagerDuty's API and beside what people use with PagerDuty today.
Written from the node's own declaration, from what is known about [the \
API](../tests/pagerduty-simulator/facts) and about [its peers](../plugin/pagerduty/peers/README.md). A \
test fails when an operation is missing without a reason.

";

const READING: &str = "
## Operation by operation

Ours first, then the operation of PagerDuty's API that it sends (several actions may send the same one
in ways of their own), then who else offers it: `●` as its source or a run of it shows, `○` as a page or
an issue of it says, `(?)` from memory, checked by nobody. A peer without a column offers nothing of
the resource. *Early access* means that PagerDuty may still change the operation.
";

fn summary(peers: &[Peer], left_out: &LeftOut) -> String {
    let all = facts::operations();
    let current = all.iter().filter(|one| !one.deprecated).count();
    let is_current = |name: &str| facts::operation(name).is_some_and(|one| !one.deprecated);
    let out = left_out.operations.iter().filter(|one| is_current(&one.name)).count();
    let actions = NODE.actions().count();
    let early = NODE.actions().filter(|action| action.is_early_access).count();
    let offered: Vec<&Offered> = peers.iter().flat_map(|peer| &peer.operations).collect();
    let covered = offered.iter().filter(|one| one.left_out.is_none()).count();
    let rows = [
        ("Operations of the REST API", all.len(), "in the published schema"),
        ("of these not deprecated", current, ""),
        ("of these with an action", current - out, ""),
        ("of these left out", out, "[and why](#left-out-and-why)"),
        ("Operations of the Events API v2", facts::events_api().len(), "all of them"),
        ("Actions of the node", actions, "in [the reference](reference/README.md)"),
        ("of these early access", early, ""),
        ("Triggers of the node", NODE.triggers.len(), "in [the reference](reference/triggers.md)"),
        ("Operations and triggers that peers offer", offered.len(), ""),
        ("of these covered", covered, ""),
        ("of these left out", offered.len() - covered, "[and why](#left-out-and-why)"),
    ];
    let mut text = "| | | |\n| --- | ---: | --- |\n".to_owned();
    for (what, number, note) in rows {
        text.push_str(&format!("| {what} | {number} | {note} |\n"));
    }
    text
}

fn peers_table(peers: &[Peer]) -> String {
    let mut text =
        "\n## Peers\n\n| Peer | What was looked at | How we know | Offers | Covered | Left \
                    out |\n| --- | --- | --- | ---: | ---: | ---: |\n"
            .to_owned();
    for peer in peers {
        let out = peer.operations.iter().filter(|one| one.left_out.is_some()).count();
        let note = peer.note.as_ref().map_or_else(String::new, |note| format!(" {note}"));
        let end = if note.is_empty() { "" } else { "." };
        text.push_str(&format!(
            "| {} | {}{end}{note} | {} | {} | {} | {out} |\n",
            peer.title,
            peer.what,
            peer.evidence.in_words(),
            peer.operations.len(),
            peer.operations.len() - out
        ));
    }
    text
}

/// A row of a table: an action or a trigger.
struct Row {
    /// As the data of peers names it.
    name: String,
    ours: String,
    api: String,
}

/// Rows with a column for each peer that offers one of them.
fn table(rows: &[Row], peers: &[Peer]) -> String {
    let offers = |peer: &Peer, name: &str| {
        peer.operations.iter().any(|one| one.ours.iter().any(|ours| ours == name))
    };
    let shown: Vec<&Peer> =
        peers.iter().filter(|peer| rows.iter().any(|row| offers(peer, &row.name))).collect();
    let mut text = "| Ours | PagerDuty's API |".to_owned();
    for peer in &shown {
        text.push_str(&format!(" {} |", peer.short));
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" :-: |".repeat(shown.len()));
    text.push('\n');
    for row in rows {
        text.push_str(&format!("| {} | {} |", row.ours, row.api));
        for peer in &shown {
            let mark = if offers(peer, &row.name) { peer.evidence.mark() } else { "" };
            text.push_str(&format!(" {mark} |"));
        }
        text.push('\n');
    }
    text
}

fn action_cell(resource: &str, action: &Action) -> String {
    let early = if action.is_early_access { ", *early access*" } else { "" };
    format!("[`{}`](reference/{resource}.md#{}){early}", action.name, fragment(action.title))
}

fn api_cell(action: &Action) -> String {
    if action.name == "api.request" {
        return "any".to_owned();
    }
    let ids: Vec<String> =
        operations_of(action).iter().map(|one| format!("`{}`", one.id)).collect();
    ids.join(", ")
}

/// The fragment that code hosts give a heading.
pub(super) fn fragment(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// How many types of events webhooks can be subscribed to: all but the ping.
fn subscribable() -> usize {
    facts::webhook_events().len() - 1
}

/// Everything that is left out, by reason.
fn exclusions(peers: &[Peer], left_out: &LeftOut) -> String {
    let mut text = "\n## Left out, and why\n".to_owned();
    for reason in &left_out.reasons {
        let of_reason = |one: &&Offered| one.left_out.as_ref() == Some(&reason.name);
        text.push_str(&format!("\n**{}** {}\n\n", in_words(&reason.name), reason.why));
        let operations: Vec<String> = left_out
            .operations
            .iter()
            .filter(of_reason)
            .map(|one| {
                let known = facts::operation(&one.name).expect("a test says that it exists");
                format!("`{}` (`{} {}`)", known.id, known.method, known.path)
            })
            .collect();
        if !operations.is_empty() {
            text.push_str(&format!("- PagerDuty's API: {}\n", operations.join(", ")));
        }
        for peer in peers {
            let names: Vec<String> = peer
                .operations
                .iter()
                .filter(of_reason)
                .map(|one| format!("`{}`", one.name))
                .collect();
            if !names.is_empty() {
                text.push_str(&format!("- {}: {}\n", peer.title, names.join(", ")));
            }
        }
    }
    text
}

/// `old-custom-fields` as a heading.
fn in_words(name: &str) -> String {
    let words = name.replace('-', " ");
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

fn peer_by_peer(peers: &[Peer]) -> String {
    let mut text =
        "\n## Peer by peer\n\nWhat each calls it, and what does the same here.\n".to_owned();
    for peer in peers.iter().filter(|peer| !peer.operations.is_empty()) {
        text.push_str(&format!(
            "\n<details>\n<summary>{}: {}</summary>\n\n| Theirs | Ours |\n| --- | --- |\n",
            peer.title,
            peer.operations.len()
        ));
        for one in &peer.operations {
            let ours: BTreeSet<String> = one.ours.iter().map(|name| ours_in_words(name)).collect();
            let ours = match &one.left_out {
                Some(reason) => format!("left out: {}", reason.replace('-', " ")),
                None => ours.into_iter().collect::<Vec<_>>().join(", "),
            };
            text.push_str(&format!("| `{}` | {ours} |\n", one.name));
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn ours_in_words(name: &str) -> String {
    match name.strip_prefix("trigger:") {
        Some(trigger) => format!("the trigger `{trigger}`"),
        None => format!("`{name}`"),
    }
}

impl Evidence {
    /// What stands in a cell.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Ran | Self::Source => "●",
            Self::Stated => "○",
            Self::Unverified => "(?)",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Ran => "● seen running",
            Self::Source => "● read in its source",
            Self::Stated => "○ a page or an issue says so",
            Self::Unverified => "(?) from memory, not checked",
        }
    }
}
