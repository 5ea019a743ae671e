//! Judges whether a node and its host behaved correctly with a fault.

use std::time::Duration;

use workflow_node_host::ItemErrorKind;
use workflow_node_host::description::Idempotency;

use super::{ItemResult, Ran};
use crate::fault::{Fault, Sent};

/// The problems of a run with faults. `calm`: the same run without them.
pub(crate) fn problems(calm: &Ran, ran: &Ran, idempotency: Idempotency) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(stopped) = &ran.stopped {
        problems.push(format!("the plugin was stopped: {stopped}"));
    }
    let spoiled: Vec<&Sent> = ran.sent.iter().filter(|sent| sent.fault.is_some()).collect();
    for (position, item) in ran.items.iter().enumerate() {
        let calm = calm.items.get(position);
        problems.extend(item_problem(position, item, calm, &spoiled, idempotency));
    }
    problems.extend(repeated_writes(&ran.sent, idempotency));
    problems.extend(spoiled.iter().filter_map(|sent| too_early(sent, &ran.sent)));
    problems
}

/// Kinds that describe a fault correctly to an engine.
fn honest(fault: &Fault, is_write: bool, may_repeat: bool) -> Vec<ItemErrorKind> {
    use ItemErrorKind as Kind;
    let unknown = is_write && !may_repeat;
    match fault {
        Fault::Status { status, .. } => match status {
            408 | 500.. if unknown => vec![Kind::OutcomeUnknown, Kind::Unavailable],
            408 | 500.. => vec![Kind::Unavailable, Kind::Timeout, Kind::OutcomeUnknown],
            429 => vec![Kind::RateLimited],
            401 => vec![Kind::Unauthenticated],
            403 => vec![Kind::Forbidden],
            404 => vec![Kind::NotFound],
            409 => vec![Kind::Conflict],
            _ => Vec::new(),
        },
        Fault::RateLimit { .. } => vec![Kind::RateLimited],
        Fault::Delay { .. } | Fault::SlowBody { .. } if unknown => vec![Kind::OutcomeUnknown],
        Fault::Delay { .. } | Fault::SlowBody { .. } => {
            vec![Kind::Timeout, Kind::Unavailable, Kind::OutcomeUnknown]
        }
        Fault::ResetBefore | Fault::ResetAfter | Fault::Truncated if unknown => {
            vec![Kind::OutcomeUnknown]
        }
        Fault::ResetBefore | Fault::ResetAfter | Fault::Truncated => {
            vec![Kind::Unavailable, Kind::OutcomeUnknown]
        }
        // An invalid response may be the service's fault only.
        Fault::Malformed if unknown => {
            vec![Kind::OutcomeUnknown, Kind::Internal, Kind::Unavailable]
        }
        Fault::Malformed => vec![Kind::Internal, Kind::Unavailable, Kind::OutcomeUnknown],
    }
}

fn item_problem(
    position: usize,
    item: &ItemResult,
    calm: Option<&ItemResult>,
    spoiled: &[&Sent],
    idempotency: Idempotency,
) -> Option<String> {
    let Some(kind) = item.kind else {
        // It reports success, so its result must be that of a run without faults.
        let same = calm.is_none_or(|calm| calm.kind.is_none() && calm.json == item.json);
        return (!same).then(|| {
            format!("item {position} succeeded with another result than without the fault")
        });
    };
    // Without the fault it fails as well.
    if calm.is_some_and(|calm| calm.kind == Some(kind)) {
        return None;
    }
    if spoiled.is_empty() || kind == ItemErrorKind::Cancelled {
        return (spoiled.is_empty())
            .then(|| format!("item {position} failed ({kind}), although nothing was spoiled"));
    }
    let may_repeat = idempotency != Idempotency::None;
    let honest: Vec<ItemErrorKind> = spoiled
        .iter()
        .filter_map(|sent| {
            // The meaning of a corrupted error of the service is unknown.
            let is_refusal = sent.status.is_some_and(|status| status >= 400);
            if sent.fault == Some(Fault::Malformed) && is_refusal {
                return Some(vec![kind]);
            }
            let is_write = !sent.request.is_read();
            Some(honest(sent.fault.as_ref()?, is_write, may_repeat))
        })
        .flatten()
        .collect();
    if honest.is_empty() || honest.contains(&kind) {
        return None;
    }
    let mut names: Vec<&str> = honest.iter().map(|kind| kind.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Some(format!("item {position} failed as {kind}; right would be {}", names.join(" or ")))
}

/// A write that may have been processed is not sent again, unless it is idempotent.
fn repeated_writes(sent: &[Sent], idempotency: Idempotency) -> Vec<String> {
    if idempotency != Idempotency::None {
        return Vec::new();
    }
    let is_same = |one: &Sent, other: &Sent| {
        one.request.method == other.request.method
            && one.request.url == other.request.url
            && one.request.body == other.request.body
    };
    let mut problems = Vec::new();
    for (at, one) in sent.iter().enumerate().filter(|(_, sent)| !sent.request.is_read()) {
        let unclear = one.fault.as_ref().is_some_and(|fault| {
            !matches!(fault, Fault::RateLimit { .. } | Fault::Status { status: 429, .. })
        });
        if unclear && sent[at + 1..].iter().any(|other| is_same(one, other)) {
            problems.push(format!(
                "{} {} was sent again after a fault, although the service may have processed it",
                one.request.method,
                one.request.url.path()
            ));
        }
    }
    problems
}

/// After a rate limit with `Retry-After`, the same request waits at least that long.
fn too_early(sent: &Sent, all: &[Sent]) -> Option<String> {
    let Some(Fault::RateLimit { retry_after: Some(seconds) }) = &sent.fault else { return None };
    let next = all.iter().find(|other| {
        other.at >= sent.ended
            && other.request.method == sent.request.method
            && other.request.url == sent.request.url
            && !std::ptr::eq(*other, sent)
            && other.at != sent.at
    })?;
    let waited = next.at.saturating_sub(sent.ended);
    (waited < Duration::from_secs(*seconds)).then(|| {
        format!(
            "{} {} was sent again after {:.1} s, although the service asked for {seconds} s",
            sent.request.method,
            sent.request.url.path(),
            waited.as_secs_f64()
        )
    })
}
