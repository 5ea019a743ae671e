//! Checks with one item: examples, cancellation, paging, and writes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use workflow_node_documents::Idempotency;
use workflow_node_host::ItemErrorKind as Kind;

use super::{FAST, Judging};
use crate::check::answer::Pages;
use crate::check::bench::{Bench, Known, Quality, shown};
use crate::check::report::Judgement;
use crate::check::service::{Behavior, Seen};
use crate::loopback::Reply;

/// Number of pages after which a repeating list counts as endless.
const MOST_PAGES: usize = 60;
/// How often a list may send the same request. Pages that are read ahead may be read again.
const MOST_REPEATED: usize = 3;
/// How long requests of a canceled call may still arrive that were sent before.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// Judges how an example ran.
pub(super) async fn example(bench: &Bench, known: &Known, title: &str, judgement: &mut Judgement) {
    let subject = format!("{}, example `{title}`", known.action.name);
    if known.quality != Quality::Failed {
        return judgement.pass();
    }
    // Its first response explains the failure; the kind decides whether the node caused it.
    let items = vec![known.parameters.clone()];
    let ran = bench.run_known(known, items, Behavior::Answers).await;
    if let Some(stopped) = ran.stopped() {
        return judgement.fail(subject, stopped);
    }
    match (&ran.outcome, ran.error(0)) {
        (Err(error), _) => judgement.fail(subject, format!("it cannot run: {error:#}")),
        (Ok(_), Some(error)) => match error.kind {
            Kind::Unsupported | Kind::DeniedByHost => judgement.fail(subject, shown(&error)),
            Kind::InvalidInput | Kind::Internal if ran.seen.is_empty() => {
                judgement.fail(subject, shown(&error));
            }
            _ => {
                let reason =
                    format!("the node does not understand generated answers ({})", shown(&error));
                judgement.skip(subject, reason);
            }
        },
        (Ok(_), None) => judgement.pass(),
    }
}

pub(super) async fn cancellation(judging: &mut Judging<'_>) {
    let (bench, known) = (judging.bench, judging.known);
    let items = vec![known.parameters.clone(); 2];
    let answering = bench.answering_known(known, &items);
    let service = bench.service.clone();
    let until = async move {
        service.until(1).await;
        tokio::time::sleep(UNDER_WAY).await;
    };
    let ran = bench.run_until(&known.action, items, Behavior::Holds, answering, Some(until)).await;
    if let Some(stopped) = ran.stopped() {
        return judging.judge(Some(format!(
            "it did not return after the call was canceled, and was stopped: {stopped}"
        )));
    }
    let wrong = (0..2).find_map(|item| match ran.error(item) {
        None => Some("an item succeeded without an answer of the service".to_owned()),
        Some(error) => match error.kind {
            Kind::Cancelled | Kind::OutcomeUnknown | Kind::Timeout => None,
            _ => Some(format!(
                "an item of a canceled call failed with `{}`, and should fail with `cancelled` or \
                 `outcome-unknown` ({})",
                error.kind,
                shown(&error)
            )),
        },
    });
    judging.judge(wrong);
}

pub(super) async fn paging(judging: &mut Judging<'_>) {
    let (bench, known) = (judging.bench, judging.known);
    let mut problem = None;
    for pages in [Pages::Repeated, Pages::Empty] {
        let parameters = asking_for_all(known, bench);
        let ran = paged(bench, known, pages, parameters).await;
        let all: Vec<&Seen> = ran.seen.iter().collect();
        problem = match repeated(&all) {
            Some((request, times)) if times > MOST_REPEATED => Some(format!(
                "{request} was sent {times} times, although the answer was always the same"
            )),
            _ if pages == Pages::Empty && ran.seen.len() >= MOST_PAGES => {
                Some(format!("the list did not end after {MOST_PAGES} pages that were empty"))
            }
            _ => None,
        };
        if problem.is_some() {
            break;
        }
        if let Some(stopped) = ran.stopped() {
            problem = Some(format!("the component stopped: {stopped}"));
            break;
        }
    }
    if problem.is_none() && takes(known, bench, "limit", "integer") {
        let mut parameters = known.parameters.clone();
        if let Value::Object(members) = &mut parameters {
            members.remove("all");
            members.insert("limit".to_owned(), json!(2));
        }
        let ran = paged(bench, known, Pages::Repeated, parameters).await;
        let count = ran.records(0).len();
        if count > 2 {
            problem = Some(format!("with `limit` 2, it returned {count} records"));
        }
    }
    judging.judge(problem);
}

async fn paged(
    bench: &Bench,
    known: &Known,
    pages: Pages,
    parameters: Value,
) -> crate::check::bench::Ran {
    let items = vec![parameters];
    let mut answering = bench.answering_known(known, &items);
    answering.pages = pages;
    let service = bench.service.clone();
    let until = async move { service.until(MOST_PAGES).await };
    bench.run_until(&known.action, items, Behavior::Answers, answering, Some(until)).await
}

/// Parameters that request the whole list, if the action has a parameter for it.
fn asking_for_all(known: &Known, bench: &Bench) -> Value {
    let mut parameters = known.parameters.clone();
    if let (true, Value::Object(members)) = (takes(known, bench, "all", "boolean"), &mut parameters)
    {
        members.remove("limit");
        members.insert("all".to_owned(), Value::Bool(true));
        let valid = bench.plugin.validate(&known.action.name, std::slice::from_ref(&parameters));
        if !valid.is_ok_and(|problems| problems.iter().all(Vec::is_empty)) {
            return known.parameters.clone();
        }
    }
    parameters
}

/// Whether an action has a parameter of this name and type.
fn takes(known: &Known, bench: &Bench, name: &str, of_type: &str) -> bool {
    bench.plugin.action_form(&known.action.name).is_ok_and(|form| {
        form.field(name).is_some_and(|field| field.types.iter().any(|one| one == of_type))
    })
}

pub(super) async fn writes(judging: &mut Judging<'_>) {
    let (bench, known) = (judging.bench, judging.known);
    bench.clock.run_at(FAST);
    let mut problem = None;
    let mut was_sent = false;
    for reply in [Reply::Closed, Reply::json(503, "{}")] {
        let is_closed = matches!(reply, Reply::Closed);
        let items = vec![known.parameters.clone()];
        let ran = bench.run_known(known, items, Behavior::Writes(reply)).await;
        let writes: Vec<&Seen> = ran.seen.iter().filter(|one| !one.request.reads()).collect();
        if writes.is_empty() {
            break;
        }
        was_sent = true;
        let after = match is_closed {
            true => "the connection was closed",
            false => "the status 503",
        };
        problem = match known.action.idempotency {
            Idempotency::Keyed => differing(&writes).map(|request| {
                format!("{request} was sent again after {after}, with another content or key")
            }),
            _ => repeated(&writes).map(|(request, times)| {
                format!("{request} was sent {times} times after {after}, and must be sent once")
            }),
        };
        let unknown = ran.error(0).is_some_and(|error| error.kind == Kind::OutcomeUnknown);
        if problem.is_none()
            && is_closed
            && known.action.idempotency == Idempotency::None
            && !unknown
        {
            problem = Some(format!(
                "it must fail with `outcome-unknown` after {after}. Instead: {}",
                ran.problem()
            ));
        }
        if problem.is_some() {
            break;
        }
    }
    bench.clock.run_at(1);
    match was_sent {
        true => judging.judge(problem),
        false => judging.skip("it sent no request that writes"),
    }
}

/// A request that was sent more than once.
fn repeated(writes: &[&Seen]) -> Option<(String, usize)> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for one in writes {
        *times.entry(&one.fingerprint).or_default() += 1;
    }
    let twice = writes.iter().find(|one| times.get(one.fingerprint.as_str()) > Some(&1))?;
    Some((twice.in_short(), times.get(twice.fingerprint.as_str()).copied()?))
}

/// A request that was sent again to the same path in another form.
fn differing(writes: &[&Seen]) -> Option<String> {
    let key = |one: &Seen| {
        let headers = one.request.headers.iter();
        headers.filter(|(name, _)| name.contains("idempotency")).cloned().collect::<Vec<_>>()
    };
    writes.iter().enumerate().find_map(|(place, one)| {
        let earlier = writes.iter().take(place).find(|other| other.in_short() == one.in_short())?;
        let is_same = earlier.fingerprint == one.fingerprint && key(earlier) == key(one);
        (!is_same).then(|| one.in_short())
    })
}
