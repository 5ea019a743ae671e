//! Answers the imports of a guest from a journal, during one call.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::record::{Record, Seen, request_digest};
use crate::bindings::workflow::node::http::{Request, Response, SendError, SendErrorKind};
use crate::request::{over_budget, trimmed};
use crate::text::printable;

type Answer = Result<Response, SendError>;

/// A ticket that was named, with the answer of a request; `None` where no ticket was open.
type Named = Option<(u64, Option<Answer>)>;

/// Tickets that were named, and what the guest saw of time then.
pub(crate) type NamedQueue = VecDeque<(Option<u64>, Seen)>;

/// Recorded input of the guest during one call.
#[derive(Debug)]
pub(crate) struct Script {
    requests: HashMap<u64, Requested>,
    intents: HashMap<u64, bool>,
    answers: HashMap<u64, Answer>,
    named: NamedQueue,
    sent: HashMap<u64, Seen>,
    seen: HashMap<u64, Seen>,
    /// Whether the call ended while it was recorded, and why it was stopped.
    is_ended: bool,
    stopped: Option<String>,
    /// Whether nothing may be sent.
    is_offline: bool,
    most_requests: u32,

    /// Operations that the guest has started and whose completion was not reported to it.
    open: BTreeMap<u64, Open>,
    /// Requests that the guest has made.
    made: u32,
}

#[derive(Debug)]
enum Requested {
    Whole(Request),
    Cut(Request),
}

#[derive(Debug)]
enum Open {
    Request(Request),
    /// When it is due.
    Timer(u64),
}

/// State of a ticket when the journal ends and the execution continues.
pub(crate) enum Rest {
    /// The answer is in the journal.
    Answered(Answer),
    /// It may have been sent, and must not be sent again. The answer is not in the journal.
    Unknown(SendError),
    /// It is sent. `is_recorded`: the request is in the journal.
    Send { request: Request, is_recorded: bool },
    /// A timer that is due then, in milliseconds since 1970.
    Timer(u64),
}

/// Next input of the guest.
pub(crate) enum Told<T> {
    /// Input recorded in the journal.
    Recorded(T, Seen),
    /// The journal ends here.
    Ends,
}

/// Why a call ends that is answered from a journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Break {
    /// The guest did something else than it did when the journal was written.
    Diverged(String),
    /// The journal ends here, and so does the replay. The reason why the guest was stopped, where it
    /// was.
    Ends(Option<String>),
}

impl Script {
    pub(super) fn new(
        most_requests: u32,
        is_ended: bool,
        stopped: Option<String>,
        is_offline: bool,
    ) -> Self {
        Self {
            requests: HashMap::new(),
            intents: HashMap::new(),
            answers: HashMap::new(),
            named: VecDeque::new(),
            sent: HashMap::new(),
            seen: HashMap::new(),
            is_ended,
            stopped,
            is_offline,
            most_requests,
            open: BTreeMap::new(),
            made: 0,
        }
    }

    pub(super) fn add(&mut self, record: &Record) {
        match record {
            Record::Request { ticket, is_whole, request } => {
                let request = request.clone();
                let requested = match is_whole {
                    true => Requested::Whole(request),
                    false => Requested::Cut(request),
                };
                self.requests.insert(*ticket, requested);
            }
            Record::Intent { ticket, repeatable } => {
                self.intents.insert(*ticket, *repeatable);
            }
            Record::Answer { ticket, answer } => {
                self.answers.insert(*ticket, answer.clone());
            }
            Record::Named { ticket, seen } => self.named.push_back((*ticket, *seen)),
            Record::Sent { ticket, seen } => {
                self.sent.insert(*ticket, *seen);
            }
            Record::Seen { emits, seen } => {
                self.seen.insert(*emits, *seen);
            }
            _ => {}
        }
    }

    /// The guest makes a request.
    pub(crate) fn submit(&mut self, ticket: u64, request: Request) -> Result<(), Break> {
        let is_over = self.made >= self.most_requests;
        self.made = self.made.saturating_add(1).min(self.most_requests);
        let request = trimmed(request);
        match self.requests.get(&ticket) {
            Some(recorded) => {
                if let Some(difference) = difference(recorded, &request) {
                    return Err(Break::Diverged(format!("request {ticket} {difference}")));
                }
            }
            // Requests beyond the budget are not recorded.
            None if is_over => {
                self.answers.insert(ticket, Err(over_budget(self.most_requests)));
            }
            // It was stopped when it made this one.
            None if self.stopped.is_some() => return Err(Break::Ends(self.stopped.clone())),
            None if self.is_ended => {
                return Err(Break::Diverged(format!(
                    "request {ticket} ({}) was not made when the journal was written",
                    shown(&request)
                )));
            }
            None => {}
        }
        self.open.insert(ticket, Open::Request(request));
        Ok(())
    }

    /// The guest starts a timer.
    pub(crate) fn after(&mut self, ticket: u64, due: u64) -> Result<(), Break> {
        if self.requests.contains_key(&ticket) {
            return Err(Break::Diverged(format!(
                "ticket {ticket} is a timer, and was a request when the journal was written"
            )));
        }
        self.open.insert(ticket, Open::Timer(due));
        Ok(())
    }

    pub(crate) fn cancel(&mut self, ticket: u64) {
        self.open.remove(&ticket);
    }

    /// The guest waits for any ticket.
    pub(crate) fn next(&mut self) -> Result<Told<Named>, Break> {
        while let Some((ticket, seen)) = self.named.pop_front() {
            let Some(ticket) = ticket else { return Ok(Told::Recorded(None, seen)) };
            // One that the guest has given up meanwhile is not named.
            let Some(open) = self.open.remove(&ticket) else { continue };
            let answer = match open {
                Open::Timer(_) => None,
                Open::Request(_) => match self.answers.remove(&ticket) {
                    Some(answer) => Some(answer),
                    None => {
                        return Err(Break::Diverged(format!(
                            "ticket {ticket} is a request, and was none when the journal was written"
                        )));
                    }
                },
            };
            return Ok(Told::Recorded(Some((ticket, answer)), seen));
        }
        self.ends("it waits for an answer").map(|()| Told::Ends)
    }

    /// The guest waits for this request, which it has made.
    pub(crate) fn send(&mut self, ticket: u64) -> Result<Told<Answer>, Break> {
        if let Some(seen) = self.sent.remove(&ticket)
            && let Some(answer) = self.answers.remove(&ticket)
        {
            self.open.remove(&ticket);
            return Ok(Told::Recorded(answer, seen));
        }
        self.ends("it waits for an answer").map(|()| Told::Ends)
    }

    /// Time as the guest sees it after so many calls of `emit`.
    pub(crate) fn emitted(&mut self, emits: u64) -> Option<Seen> {
        self.seen.remove(&emits)
    }

    /// The guest has returned.
    pub(crate) fn returned(&self) -> Result<(), Break> {
        let (made, recorded) = (self.made as usize, self.requests.len());
        match recorded > made {
            true => Err(Break::Diverged(format!(
                "it made {made} requests, and {recorded} when the journal was written"
            ))),
            false => Ok(()),
        }
    }

    /// The journal contains no further input.
    fn ends(&self, what: &str) -> Result<(), Break> {
        if self.is_ended && self.stopped.is_none() {
            return Err(Break::Diverged(format!(
                "{what}, and had returned when the journal was written"
            )));
        }
        let made = self.made as usize;
        if self.requests.len() > made {
            return Err(Break::Diverged(format!(
                "{what} after {made} requests, and made {} when the journal was written",
                self.requests.len()
            )));
        }
        if self.is_ended || self.is_offline {
            return Err(Break::Ends(self.stopped.clone()));
        }
        Ok(())
    }

    /// How many requests the guest has made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// State of the open tickets, and the completions that must be reported to the guest before any
    /// others: a host may have been ahead of a guest in a worker.
    pub(crate) fn into_rest(mut self) -> (Vec<(u64, Rest)>, NamedQueue) {
        let open = std::mem::take(&mut self.open);
        let rest = open.into_iter().map(|(ticket, open)| {
            let request = match open {
                Open::Timer(due) => return (ticket, Rest::Timer(due)),
                Open::Request(request) => request,
            };
            if let Some(answer) = self.answers.remove(&ticket) {
                return (ticket, Rest::Answered(answer));
            }
            if self.intents.get(&ticket) == Some(&false) {
                return (ticket, Rest::Unknown(unknown()));
            }
            let is_recorded = self.requests.contains_key(&ticket);
            (ticket, Rest::Send { request, is_recorded })
        });
        (rest.collect(), std::mem::take(&mut self.named))
    }
}

/// The error of a request that may have been sent and must not be sent again.
fn unknown() -> SendError {
    SendError {
        kind: SendErrorKind::Unreachable,
        message:
            "the host ended before the answer came; the request may have been received, and it \
                  is not safe to send it again"
                .into(),
        maybe_sent: true,
        retry_after: None,
    }
}

fn shown(request: &Request) -> String {
    format!("{} {}", printable(&request.method), printable(&request.url))
}

/// The first difference between a recorded request and the guest's.
fn difference(recorded: &Requested, now: &Request) -> Option<String> {
    let (was, is_whole) = match recorded {
        Requested::Whole(request) => (request, true),
        Requested::Cut(request) => (request, false),
    };
    let differs = |what: &str, now: &str, was: &str| {
        Some(format!("has {what} `{}`, and had `{}`", printable(now), printable(was)))
    };
    if was.method != now.method {
        return differs("the method", &now.method, &was.method);
    }
    if !is_whole {
        return match now.url.starts_with(&was.url) {
            true => None,
            false => differs("the URL", &now.url, &was.url),
        };
    }
    if was.url != now.url {
        return differs("the URL", &now.url, &was.url);
    }
    for index in 0..was.headers.len().max(now.headers.len()) {
        let text = |headers: &[(String, String)]| match headers.get(index) {
            Some((name, value)) => format!("{name}: {value}"),
            None => "none".to_owned(),
        };
        let (was, now) = (text(&was.headers), text(&now.headers));
        if was != now {
            return differs(&format!("the header {index}"), &now, &was);
        }
    }
    let none = "none".to_owned();
    for (what, was, now) in [
        ("the credential slot", &was.credential, &now.credential),
        ("the idempotency key", &was.idempotency_key, &now.idempotency_key),
    ] {
        if was != now {
            return differs(what, now.as_ref().unwrap_or(&none), was.as_ref().unwrap_or(&none));
        }
    }
    if was.timeout != now.timeout {
        let text = |timeout: Option<u64>| timeout.map_or(none.clone(), |time| time.to_string());
        return differs("the timeout", &text(now.timeout), &text(was.timeout));
    }
    if request_digest(was) == request_digest(now) && was.body == now.body {
        return None;
    }
    let (was, now) =
        (was.body.as_deref().unwrap_or_default(), now.body.as_deref().unwrap_or_default());
    let at = was.iter().zip(now).take_while(|(was, now)| was == now).count();
    let from = |body: &[u8]| {
        let start = at.saturating_sub(8).min(body.len());
        String::from_utf8_lossy(&body[start..body.len().min(at + 24)]).into_owned()
    };
    differs(&format!("another body from byte {at} on:"), &from(now), &from(was))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request {
            method: "POST".into(),
            url: url.into(),
            headers: vec![("accept".into(), "application/json".into())],
            body: Some(br#"{"title":"one"}"#.to_vec()),
            credential: Some("rest".into()),
            timeout: None,
            idempotency_key: None,
        }
    }

    fn response(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: body.into(), retry_after: None }
    }

    fn seen(now: u64) -> Seen {
        Seen { now, cancelled: false, deadline: None }
    }

    fn recorded(ticket: u64, url: &str) -> Record {
        Record::Request { ticket, is_whole: true, request: request(url) }
    }

    fn script(records: &[Record], is_ended: bool) -> Script {
        let mut script = Script::new(100, is_ended, None, !is_ended);
        records.iter().for_each(|record| script.add(record));
        script
    }

    fn diverged<T>(told: Result<T, Break>) -> String {
        match told {
            Err(Break::Diverged(what)) => what,
            Err(Break::Ends(_)) => panic!("it ends"),
            Ok(_) => panic!("it does not diverge"),
        }
    }

    #[test]
    fn the_first_difference_of_a_request_is_named() {
        let url = "https://api.example.com/one";
        let changed = |change: fn(&mut Request)| {
            let mut request = request(url);
            change(&mut request);
            diverged(script(&[recorded(1, url)], true).submit(1, request))
        };
        for (problem, words) in [
            (changed(|it| it.method = "PUT".into()), ["request 1", "method `PUT`", "had `POST`"]),
            (changed(|it| it.url.push('2')), ["the URL", "/one2`", "/one`"]),
            (
                changed(|it| it.headers[0].1 = "text/html".into()),
                ["header 0", "accept: text/html", "accept: application/json"],
            ),
            (changed(|it| it.headers.clear()), ["header 0", "`none`", "accept"]),
            (changed(|it| it.credential = None), ["credential slot", "`none`", "`rest`"]),
            (changed(|it| it.idempotency_key = Some("k".into())), ["key", "`k`", "`none`"]),
            (changed(|it| it.timeout = Some(5)), ["timeout", "`5`", "`none`"]),
            (
                changed(|it| it.body = Some(br#"{"title":"two"}"#.to_vec())),
                ["body from byte 10", "two", "one"],
            ),
            (changed(|it| it.body = None), ["body from byte 0", "``", "title"]),
        ] {
            assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
        }
        assert!(script(&[recorded(1, url)], true).submit(1, request(url)).is_ok());
    }

    #[test]
    fn requests_that_were_made_are_distinguished_from_others() {
        let extra = diverged(script(&[], true).submit(1, request("https://a.example")));
        assert!(extra.contains("request 1") && extra.contains("not made"), "{extra}");
        let lacking = script(&[recorded(1, "https://a.example")], true).returned();
        assert!(diverged(lacking).contains("made 0 requests, and 1"));
        let mut waits = script(&[], true);
        assert!(diverged(waits.next()).contains("had returned"));
    }

    #[test]
    fn tickets_are_named_in_the_recorded_order_without_those_that_were_given_up() {
        let records = [
            recorded(1, "https://a.example"),
            recorded(2, "https://b.example"),
            Record::Answer { ticket: 2, answer: Ok(response("two")) },
            Record::Answer { ticket: 1, answer: Ok(response("one")) },
            Record::Named { ticket: Some(2), seen: seen(20) },
            Record::Named { ticket: Some(1), seen: seen(30) },
            Record::Named { ticket: Some(3), seen: seen(40) },
        ];
        let mut script = script(&records, false);
        script.submit(1, request("https://a.example")).unwrap();
        script.submit(2, request("https://b.example")).unwrap();
        script.after(3, 35).unwrap();
        let Ok(Told::Recorded(Some((2, Some(Ok(answer)))), at)) = script.next() else { panic!() };
        assert_eq!((answer.body, at), (b"two".to_vec(), seen(20)));
        script.cancel(1);
        let Ok(Told::Recorded(Some((3, None)), at)) = script.next() else { panic!() };
        assert_eq!(at, seen(40));
        assert_eq!(script.next().err(), Some(Break::Ends(None)));
    }

    #[test]
    fn open_requests_at_the_end_are_sent_only_if_safe() {
        let url = "https://a.example";
        let records = [
            recorded(1, url),
            Record::Intent { ticket: 1, repeatable: false },
            recorded(2, url),
            Record::Intent { ticket: 2, repeatable: true },
            recorded(3, url),
            Record::Intent { ticket: 3, repeatable: false },
            Record::Answer { ticket: 3, answer: Ok(response("three")) },
            recorded(4, url),
        ];
        let mut script = script(&records, false);
        for ticket in 1..=5 {
            script.submit(ticket, request(url)).unwrap();
        }
        script.after(6, 99).unwrap();
        let (rest, told) = script.into_rest();
        assert!(told.is_empty());
        let shown: Vec<String> = rest
            .iter()
            .map(|(ticket, rest)| match rest {
                Rest::Answered(answer) => format!("{ticket} answered {}", answer.is_ok()),
                Rest::Unknown(error) => format!("{ticket} unknown {}", error.maybe_sent),
                Rest::Send { is_recorded, .. } => format!("{ticket} sent {is_recorded}"),
                Rest::Timer(due) => format!("{ticket} due {due}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "1 unknown true",
                "2 sent true",
                "3 answered true",
                "4 sent true",
                "5 sent false",
                "6 due 99"
            ]
        );
    }
}
