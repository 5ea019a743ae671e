//! The retired phrases, and how they are found.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::passages::Passage;

/// A phrase that text for people must not contain.
pub(crate) struct Retired {
    /// Words, separated by single spaces. Case is ignored.
    pub(crate) phrase: &'static str,
    /// Words before the phrase that make it acceptable.
    unless_after: &'static [&'static str],
    /// Words after the phrase that make it acceptable.
    unless_before: &'static [&'static str],
    /// Suggested replacement.
    pub(crate) suggestion: &'static str,
}

const fn retired(phrase: &'static str, suggestion: &'static str) -> Retired {
    Retired { phrase, unless_after: &[], unless_before: &[], suggestion }
}

/// Negation with a noun. "There is no" and "is no longer" are ordinary.
const fn negation(phrase: &'static str) -> Retired {
    Retired {
        phrase,
        unless_after: &["there"],
        unless_before: &["longer", "more than"],
        suggestion: "Write \"is not a …\", or state what failed.",
    }
}

const REPORT: &str = "Use report, return, notify, or show.";
const LOCATE: &str = "Use \"is in\", \"is stored in\", or \"contains\".";
const PASS: &str = "Use pass, return, deliver, or issue.";
const OWN: &str = "Use \"separate\" or \"its own …\".";
const OWNER: &str = "Name the owner or the account.";
const AGAIN: &str = "Use \"again\", or a verb such as recreate or reseal.";
const RESULT: &str = "Write \"result of …\" or \"status of …\".";
const AMERICAN: &str = "Use American spelling.";

pub(crate) const RETIRED: &[Retired] = &[
    negation("is no"),
    negation("is none"),
    negation("are no"),
    negation("are none"),
    retired("is told", REPORT),
    retired("are told", REPORT),
    retired("tells", REPORT),
    retired("that is meant", "Name the object."),
    retired("that are meant", "Name the objects."),
    retired("stands in", LOCATE),
    retired("stand in", LOCATE),
    retired("stands on", LOCATE),
    retired("stands at", LOCATE),
    retired("stands there", LOCATE),
    retired("stands where", LOCATE),
    retired("what stands", LOCATE),
    retired("anew", AGAIN),
    retired("besides", "Use \"in addition\"."),
    retired("befall", "Name the event."),
    retired("befalls", "Name the event."),
    retired("hand on", PASS),
    retired("hands on", PASS),
    retired("handed on", PASS),
    retired("hand out", PASS),
    retired("hands out", PASS),
    retired("handed out", PASS),
    retired("hand over", PASS),
    retired("hands over", PASS),
    retired("handed over", PASS),
    retired("whose it is", OWNER),
    retired("whose they are", OWNER),
    retired("what there is", "Name the objects."),
    retired("what has come of", RESULT),
    retired("what has become of", RESULT),
    retired("as it was written", "Write \"unchanged\" or \"exactly as the service wrote it\"."),
    retired("to the letter", "Write \"exactly\"."),
    retired("look after", "Use monitor, check, or manage."),
    retired("looks after", "Use monitor, check, or manage."),
    retired("looked after", "Use monitor, check, or manage."),
    retired("put right", "Use repair or correct."),
    retired("puts right", "Use repair or correct."),
    retired("of today", "Use \"current\"."),
    retired("of one's own", OWN),
    retired("of its own", OWN),
    retired("of their own", OWN),
    retired("must not know", "State what the module owns, then what it must not depend on."),
    retired("twice is as once", "Use \"idempotent\"."),
    retired("as once", "Use \"idempotent\"."),
    retired("is wanted", "Use expected, required, or requested."),
    retired("are wanted", "Use expected, required, or requested."),
    retired("came of", RESULT),
    retired("comes of", RESULT),
    retired("whoever", "Name the person, the task, or the caller."),
    retired("the one who", "Name the person, the task, or the caller."),
    retired("hands those over", PASS),
    retired("hands it over", PASS),
    retired("for ever", AMERICAN),
    retired("misspelt", AMERICAN),
    retired("neighbour", AMERICAN),
    retired("neighbours", AMERICAN),
    retired("licence", AMERICAN),
    retired("licences", AMERICAN),
    retired("behaviour", AMERICAN),
    retired("recognise", AMERICAN),
    retired("recognised", AMERICAN),
    retired("honour", AMERICAN),
    retired("honoured", AMERICAN),
];

/// The retired phrases in a passage, each with its line.
pub(crate) fn find(passage: &Passage) -> Vec<(&'static Retired, usize)> {
    let words = passage.words();
    let matches = |at: usize, phrase: &str| {
        phrase
            .split(' ')
            .zip(at..)
            .all(|(word, at)| words.get(at).is_some_and(|(found, _)| found == word))
    };
    let mut found = Vec::new();
    for (at, (first, line)) in words.iter().enumerate() {
        for retired in by_first_word().get(first.as_str()).into_iter().flatten() {
            let length = retired.phrase.split(' ').count();
            let is_after = |phrase: &&str| {
                let count = phrase.split(' ').count();
                at >= count && matches(at - count, phrase)
            };
            if matches(at, retired.phrase)
                && !retired.unless_after.iter().any(is_after)
                && !retired.unless_before.iter().any(|phrase| matches(at + length, phrase))
            {
                found.push((*retired, *line));
            }
        }
    }
    found
}

fn by_first_word() -> &'static HashMap<&'static str, Vec<&'static Retired>> {
    static MAP: LazyLock<HashMap<&'static str, Vec<&'static Retired>>> = LazyLock::new(|| {
        let mut map: HashMap<_, Vec<_>> = HashMap::new();
        for retired in RETIRED {
            let first = retired.phrase.split(' ').next().unwrap_or_default();
            map.entry(first).or_default().push(retired);
        }
        map
    });
    &MAP
}
