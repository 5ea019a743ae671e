//! Checks how a node interprets the errors of a service.

use std::sync::LazyLock;

use workflow_node_documents::Effect;
use workflow_node_host::ItemErrorKind as Kind;

use super::{FAST, Judging};
use crate::check::bench::{Known, shown};
use crate::check::service::Behavior;
use crate::loopback::Reply;

/// Longer than any call may take.
const RETRY_AFTER: &str = "2000000";

/// The response of the service, and the acceptable results of the node.
pub(super) struct Case {
    pub(super) id: &'static str,
    replies: &'static LazyLock<Vec<Reply>>,
    /// The kinds that a node may report.
    kinds: fn(&Known) -> &'static [Kind],
    /// Whether the action may succeed nevertheless.
    may_succeed: fn(&Known) -> bool,
}

macro_rules! replies {
    ($name:ident: $($reply:expr),*) => {
        static $name: LazyLock<Vec<Reply>> = LazyLock::new(|| vec![$($reply),*]);
    };
}

replies!(UNAUTHENTICATED: error(401));
replies!(FORBIDDEN: error(403));
replies!(NOT_FOUND: error(404));
replies!(CONFLICT: error(409));
replies!(RATE_LIMITED: with_header(error(429), "retry-after", RETRY_AFTER));
replies!(UNAVAILABLE: error(500), error(503));
replies!(MALFORMED:
    with_header(
        Reply::Response { status: 200, headers: Vec::new(), body: "<html><body>Welcome</body></html>".into() },
        "content-type",
        "text/html"
    ),
    Reply::json(200, "{\"data\":[{\"id\":\"1\",\"na"));

pub(super) static CASES: &[Case] = &[
    Case {
        id: "error-unauthenticated",
        replies: &UNAUTHENTICATED,
        kinds: |_| &[Kind::Unauthenticated],
        may_succeed: |_| false,
    },
    Case {
        id: "error-forbidden",
        replies: &FORBIDDEN,
        kinds: |_| &[Kind::Forbidden],
        may_succeed: |_| false,
    },
    Case {
        id: "error-not-found",
        replies: &NOT_FOUND,
        kinds: |_| &[Kind::NotFound],
        may_succeed: |known| known.action.effect == Effect::Delete,
    },
    Case {
        id: "error-conflict",
        replies: &CONFLICT,
        kinds: |_| &[Kind::Conflict],
        may_succeed: |known| known.action.effect == Effect::Delete || known.may_repeat(),
    },
    Case {
        id: "error-rate-limited",
        replies: &RATE_LIMITED,
        kinds: |_| &[Kind::RateLimited],
        may_succeed: |_| false,
    },
    Case {
        id: "error-unavailable",
        replies: &UNAVAILABLE,
        kinds: |known| match known.reads() {
            true => &[Kind::Unavailable],
            false => &[Kind::Unavailable, Kind::OutcomeUnknown],
        },
        may_succeed: |_| false,
    },
    Case {
        id: "error-malformed",
        replies: &MALFORMED,
        kinds: |known| match known.reads() {
            true => &[Kind::Unavailable],
            false => &[Kind::Unavailable, Kind::OutcomeUnknown],
        },
        // An unread response cannot be wrong.
        may_succeed: |known| !known.returns_answer,
    },
];

fn error(status: u16) -> Reply {
    let text = "The check made this answer.";
    let body = format!("{{\"message\":\"{text}\",\"error\":{{\"message\":\"{text}\"}}}}");
    Reply::json(status, body)
}

fn with_header(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    if let Reply::Response { headers, .. } = &mut reply {
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value.to_owned()));
    }
    reply
}

pub(super) async fn judge(judging: &mut Judging<'_>, case: &Case) {
    let (bench, known) = (judging.bench, judging.known);
    bench.clock.run_at(FAST);
    let mut problem = None;
    for reply in case.replies.iter() {
        let items = vec![known.parameters.clone()];
        let ran = bench.run_known(known, items, Behavior::Always(reply.clone())).await;
        let kinds = (case.kinds)(known);
        let wanted: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let wanted = wanted.join("` or `");
        let what = match reply {
            Reply::Response { status: 200, body, .. } => {
                format!("a body that is not JSON (`{}`)", String::from_utf8_lossy(body))
            }
            Reply::Response { status, .. } => format!("the status {status}"),
            Reply::Closed => "no answer".to_owned(),
        };
        problem = match (ran.stopped(), ran.error(0)) {
            (Some(stopped), _) => Some(format!("the component stopped after {what}: {stopped}")),
            (None, None) if (case.may_succeed)(known) => None,
            (None, None) => {
                Some(format!("it succeeded after {what}, and should fail with `{wanted}`"))
            }
            (None, Some(error)) if !kinds.contains(&error.kind) => Some(format!(
                "it failed with `{}` after {what}, and should fail with `{wanted}` ({})",
                error.kind,
                shown(&error)
            )),
            (None, Some(error))
                if error.kind == Kind::RateLimited && error.retry_after_ms.is_none() =>
            {
                Some(format!(
                    "the error after {what} does not say how long to wait (`retry-after`)"
                ))
            }
            (None, Some(error)) if error.message.trim().is_empty() => {
                Some(format!("the error after {what} has no message"))
            }
            (None, Some(_)) => None,
        };
        if problem.is_some() {
            break;
        }
    }
    bench.clock.run_at(1);
    judging.judge(problem);
}
