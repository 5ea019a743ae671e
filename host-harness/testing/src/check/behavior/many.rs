//! Checks with several items at once: concurrency, order, and determinism.

use std::time::Instant;

use super::{OVER, not_usable};
use crate::check::Results;
use crate::check::bench::{Bench, Known, Ran, is_of};
use crate::check::report::Judgement;
use crate::check::service::Behavior;
use crate::loopback::Reply;

/// How many items run concurrently.
const ITEMS: usize = 4;

/// Runs a sample of the actions with several items twice, and judges both runs.
pub(super) async fn judge(bench: &Bench, results: &mut Results<'_>, known: &[Known]) {
    let ids = ["determinism", "concurrency", "order"];
    if !ids.iter().any(|id| results.plan.wants(id)) {
        return;
    }
    let started = Instant::now();
    let mut judgements = [Judgement::default(), Judgement::default(), Judgement::default()];
    for judgement in &mut judgements {
        not_usable(known, |_| true, judgement);
    }
    let [determinism, concurrency, order] = &mut judgements;
    let sample = results.plan.sample(known, Known::is_usable);
    for (done, one) in sample.iter().enumerate() {
        let name = &one.action.name;
        results.plan.progress.step(done, sample.len(), &format!("several items: {name}"));
        if results.plan.is_over() {
            for judgement in [&mut *determinism, &mut *concurrency, &mut *order] {
                judgement.skip(name, OVER);
            }
            continue;
        }
        let forward = run(bench, one, false).await;
        let reversed = run(bench, one, true).await;
        if !forward.is_ok() {
            for judgement in [&mut *determinism, &mut *concurrency, &mut *order] {
                judgement.skip(name, format!("several items at once fail: {}", forward.problem()));
            }
            continue;
        }
        determinism.judge(name, difference(&forward, &reversed));
        if one.reads() {
            judge_concurrency(one, &forward, concurrency);
        }
        match &one.marked {
            None => order.skip(name, "no parameter distinguishes its items"),
            // The output does not depend on the request, but whether the call fails does.
            Some(_) if !one.returns_answer => match refused(bench, one).await {
                Ok(problem) => order.judge(name, problem),
                Err(reason) => order.skip(name, reason),
            },
            Some(_) => order.judge(name, misplaced(&reversed)),
        }
    }
    if sample.iter().all(|one| !one.reads()) {
        concurrency.skip("node", "no action that reads ran");
    }
    for (id, judgement) in ids.into_iter().zip(judgements) {
        let took = if id == "determinism" { started.elapsed() } else { Default::default() };
        results.add(id, judgement, took);
    }
}

async fn run(bench: &Bench, known: &Known, reversed: bool) -> Ran {
    let items: Vec<_> = (0..ITEMS).map(|place| known.item(place)).collect();
    bench.run_known(known, items, Behavior::Together { count: ITEMS, reversed }).await
}

/// Judges whether requests of several items were in flight at once.
fn judge_concurrency(known: &Known, ran: &Ran, judgement: &mut Judgement) {
    let name = &known.action.name;
    if known.action.batches || ran.seen.len() < ITEMS {
        return judgement.skip(name, "one request serves several items");
    }
    let problem = (ran.held < 2)
        .then(|| format!("{ITEMS} items sent {} requests one after the other", ran.seen.len()));
    judgement.judge(name, problem);
}

/// The differences between two runs of the same items.
fn difference(one: &Ran, other: &Ran) -> Option<String> {
    let requests = |ran: &Ran| {
        let mut all: Vec<(String, String)> =
            ran.seen.iter().map(|seen| (seen.fingerprint.clone(), seen.in_short())).collect();
        all.sort();
        all
    };
    let (first, second) = (requests(one), requests(other));
    if first != second {
        let differing = first.iter().find(|request| !second.contains(request));
        let differing = differing.or_else(|| second.iter().find(|one| !first.contains(one)));
        let differing = differing.map_or("the number of requests", |(_, in_short)| in_short);
        return Some(format!(
            "the same items sent other requests when responses arrived in another order: {differing}"
        ));
    }
    (0..ITEMS).find(|item| one.text(*item) != other.text(*item)).map(|item| {
        format!(
            "item {item} returned other records when responses arrived in another order: {}",
            first_difference(&one.text(item), &other.text(item))
        )
    })
}

/// Where two texts begin to differ, shortened.
fn first_difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| {
        let start = text.floor_char_boundary(at.saturating_sub(20));
        let end = text.floor_char_boundary((at + 30).min(text.len()));
        text.get(start..end).unwrap_or_default().to_owned()
    };
    format!("`{}` and `{}`", part(one), part(other))
}

/// Judges which item fails if the service refuses the requests of one. `Err`: why that says nothing.
async fn refused(bench: &Bench, known: &Known) -> Result<Option<String>, String> {
    const REFUSED: usize = 1;
    let items: Vec<_> = (0..ITEMS).map(|place| known.item(place)).collect();
    let reply = Reply::json(403, r#"{"message":"The check made this answer."}"#);
    let ran = bench.run_known(known, items, Behavior::Refuses(REFUSED, reply)).await;
    let failed: Vec<usize> = (0..ITEMS).filter(|item| ran.error(*item).is_some()).collect();
    match failed.as_slice() {
        [REFUSED] => Ok(None),
        [] => Err("no item fails if its request is refused".to_owned()),
        [other] => {
            Ok(Some(format!("item {other} failed, and the request of item {REFUSED} was refused")))
        }
        _ => Err("one request serves several items".to_owned()),
    }
}

/// An item whose result is of another item's request.
fn misplaced(ran: &Ran) -> Option<String> {
    (0..ITEMS).find_map(|item| {
        let text = ran.text(item);
        let of_others = ran.seen.iter().find(|seen| {
            let is_others = (0..ITEMS).any(|other| other != item && is_of(seen, other));
            is_others && !is_of(seen, item) && text.contains(&seen.fingerprint)
        })?;
        let other = (0..ITEMS).find(|other| is_of(of_others, *other))?;
        Some(format!("item {item} returned the answer to the request of item {other}"))
    })
}
