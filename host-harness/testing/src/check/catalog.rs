//! The checks of the suite: the requirements, and the page that explains each.

/// A check of the suite.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Check {
    /// Stable name.
    pub id: &'static str,
    /// The requirement, in one sentence.
    pub sentence: &'static str,
    /// Why it matters, how it is judged, and how to pass: Markdown.
    pub page: &'static str,
}

macro_rules! checks {
    ($($id:literal: $sentence:literal;)*) => {
        /// Every check, in the order of reports.
        pub const CHECKS: &[Check] = &[$(Check {
            id: $id,
            sentence: $sentence,
            page: include_str!(concat!("pages/", $id, ".md")),
        },)*];
    };
}

checks! {
    "load": "The host accepts the component and its description.";
    "descriptions": "Everything that a person chooses from has a description that says more than its title.";
    "forms": "Every field of a form has a title and a description.";
    "schemas": "Schemas describe objects, and their defaults fit them.";
    "references": "What a form refers to exists, and fields with choices have choices.";
    "examples": "Every action has an example, and every example runs.";
    "output": "Every record fits the output schema of its action.";
    "error-unauthenticated": "A rejected credential (401) is reported as `unauthenticated`.";
    "error-forbidden": "A missing permission (403) is reported as `forbidden`.";
    "error-not-found": "A missing object (404) is reported as `not-found`.";
    "error-conflict": "A conflict (409) is reported as `conflict`.";
    "error-rate-limited": "A rate limit (429) is reported as `rate-limited`, with the time to wait.";
    "error-unavailable": "A failing service (5xx) is reported as `unavailable`, or as `outcome-unknown` after a write.";
    "error-malformed": "A response that cannot be read is reported as an error of the service.";
    "cancellation": "A canceled call returns at once.";
    "determinism": "The same call sends the same requests and returns the same records, whichever response arrives first.";
    "concurrency": "Items that read run at the same time.";
    "order": "The results are in the order of the items.";
    "origins": "Every request goes to a declared origin.";
    "paging": "A list ends when the service repeats itself, and has no more records than its limit.";
    "writes": "A write that may have reached the service is not sent again.";
    "trigger-setup": "A webhook that is set up twice is there once, and is gone when it is removed.";
    "trigger-deliveries": "A delivery becomes events that fit their schema; one that is repeated, forged, or malformed does not.";
    "trigger-polling": "A poll returns each event once, and ends.";
    "cases": "Every case of the author passes.";
}

/// The check with this ID.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id)
}

/// The page of every check, as one Markdown document.
pub fn pages() -> String {
    let mut text = String::from(
        "<!-- Generated from host-harness/testing/src/check/pages. Do not edit. -->\n\n\
         # Checks\n\n\
         `harness check PLUGIN` judges a component as it ships. It loads the component in the real \
         host, connects every origin to a service on the loopback interface, and compares what the \
         node does with the contract. Nothing is sent to the network, and no credential is needed.\n\n\
         The service answers with records made from the output schemas. It does not know how your \
         service wraps records, so it tries several ways. An action that understands none of them \
         is reported as not judged, which is not a pass.\n\n\
         With `--cases DIR`, the suite also runs the author's cases, against their recordings and \
         simulated services.\n\n\
         | Check | What must be true |\n| --- | --- |\n",
    );
    for check in CHECKS {
        text.push_str(&format!("| [`{0}`](#{0}) | {1} |\n", check.id, check.sentence));
    }
    for check in CHECKS {
        text.push_str(&format!("\n## {}\n\n{}\n\n{}", check.id, check.sentence, check.page));
    }
    text
}
