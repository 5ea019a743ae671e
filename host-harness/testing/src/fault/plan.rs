//! Which requests a fault affects.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Spanned;
use workflow_node_host::PathTemplate;

use super::Fault;
use crate::file::{self, FileError, Source};
use crate::message::Request;

/// JSON Schema of a plan.
pub const SCHEMA: &str = include_str!("../../schemas/faults.json");

const NEXT: &str = "harness test --fault-schema prints the format";

/// Which requests a fault affects.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The fault.
    pub fault: Fault,
    /// Only requests with this method and path.
    pub request: Option<(String, PathTemplate)>,
    /// Number of matching requests that pass first.
    pub after: u64,
    /// Number of requests that are affected then.
    pub times: u64,
    /// The fraction of them that is affected, from 0 to 1; the seed determines which ones.
    pub chance: f64,
}

/// Faults and the seed that chooses among requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name on the command line: a file, or the name of a fault.
    pub name: String,
    /// Rules. The first one that matches a request affects it.
    pub rules: Vec<Rule>,
    /// The same seed affects the same requests.
    pub seed: u64,
}

/// Faults without a file, by name.
pub fn builtin() -> Vec<(&'static str, Fault)> {
    vec![
        ("status-500", Fault::Status { status: 500, body: None }),
        ("status-503", Fault::Status { status: 503, body: None }),
        ("rate-limit", Fault::RateLimit { retry_after: Some(7) }),
        ("rate-limit-bare", Fault::RateLimit { retry_after: None }),
        ("delay", Fault::Delay { by: Duration::from_secs(5) }),
        ("slow-body", Fault::SlowBody { over: Duration::from_secs(5) }),
        ("reset-before", Fault::ResetBefore),
        ("reset-after", Fault::ResetAfter),
        ("truncated", Fault::Truncated),
        ("malformed", Fault::Malformed),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    fault: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    fault: Fault,
    request: Option<Spanned<String>>,
    #[serde(default)]
    after: u64,
    times: Option<u64>,
    chance: Option<Spanned<f64>>,
}

impl Plan {
    /// One fault, once, after this many requests.
    pub fn one(name: &str, fault: Fault, after: u64) -> Self {
        let rule = Rule { fault, request: None, after, times: 1, chance: 1.0 };
        Self { name: name.to_owned(), rules: vec![rule], seed: 0 }
    }

    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is invalid; the error names the line and the next step.
    pub fn read(path: &Path, seed: u64) -> Result<Self, FileError> {
        Self::parse(path, &file::read(path)?, seed)
    }

    /// Reads the text of a plan.
    ///
    /// # Errors
    ///
    /// As [`Plan::read`].
    pub fn parse(path: &Path, text: &str, seed: u64) -> Result<Self, FileError> {
        let source = Source { path, text };
        let document: Document = source.parse(NEXT)?;
        let rules = document.fault.into_iter().map(|raw| {
            let request = raw.request.map(|request| {
                let span = request.span();
                let wrong = |problem: String| {
                    source.error(&span, problem).next("write it like \"POST /items/{id}\"")
                };
                let text = request.get_ref();
                let (method, path) = text
                    .split_once(' ')
                    .ok_or_else(|| wrong(format!("`{text}` is not a request")))?;
                let path = path
                    .parse::<PathTemplate>()
                    .map_err(|error| wrong("invalid path".to_owned()).because(error))?;
                Ok::<_, FileError>((method.to_owned(), path))
            });
            let chance = match raw.chance {
                None => 1.0,
                Some(chance) if (0.0..=1.0).contains(chance.get_ref()) => *chance.get_ref(),
                Some(chance) => {
                    let message = "`chance` is not between 0 and 1";
                    return Err(source.error(&chance.span(), message).next("e.g. chance = 0.3"));
                }
            };
            Ok(Rule {
                fault: raw.fault,
                request: request.transpose()?,
                after: raw.after,
                times: raw.times.unwrap_or(if chance < 1.0 { u64::MAX } else { 1 }),
                chance,
            })
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { name: path.display().to_string(), rules, seed })
    }
}

impl Rule {
    /// Whether it matches this request.
    pub(super) fn matches(&self, request: &Request) -> bool {
        self.request.as_ref().is_none_or(|(method, path)| {
            *method == request.method && path.matches(request.url.path())
        })
    }

    /// Whether the `number`th matching request is affected, counted from 0.
    pub(super) fn hits(&self, seed: u64, rule: usize, number: u64) -> bool {
        if number < self.after || number - self.after >= self.times {
            return false;
        }
        let mut hash = Sha256::new();
        for part in [seed, rule as u64, number] {
            hash.update(part.to_le_bytes());
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let drawn = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        f64::from(drawn) < self.chance * (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_parsed_and_an_error_names_its_line() {
        let text = "[[fault]]\nrequest = \"POST /incidents\"\nfault = { kind = \"reset-after\" }\n\
                    after = 2\ntimes = 3\n[[fault]]\nfault = { kind = \"delay\", by = \"2s\" }\n\
                    chance = 0.5\n";
        let plan = Plan::parse(Path::new("p.toml"), text, 1).unwrap();
        assert_eq!(plan.rules[0].fault, Fault::ResetAfter);
        assert_eq!((plan.rules[0].after, plan.rules[0].times), (2, 3));
        assert_eq!(plan.rules[1].times, u64::MAX);
        for (text, line) in [
            ("[[fault]]\nfault = { kind = \"flood\" }\n", 2),
            ("[[fault]]\nfault = { kind = \"reset-after\" }\nrequest = \"POST\"\n", 3),
            ("[[fault]]\nfault = { kind = \"reset-after\" }\nchance = 2.0\n", 3),
        ] {
            let error = Plan::parse(Path::new("p.toml"), text, 1).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.next.is_some(), "{error}");
        }
    }

    #[test]
    fn a_seed_selects_the_same_requests_each_time() {
        let rule = |chance| Rule {
            fault: Fault::ResetAfter,
            request: None,
            after: 0,
            times: u64::MAX,
            chance,
        };
        let chosen = |seed, chance| -> Vec<bool> {
            (0..200).map(|number| rule(chance).hits(seed, 0, number)).collect()
        };
        assert_eq!(chosen(7, 0.3), chosen(7, 0.3));
        assert_ne!(chosen(7, 0.3), chosen(8, 0.3));
        let hits = chosen(7, 0.3).into_iter().filter(|hit| *hit).count();
        assert!((30..=90).contains(&hits), "{hits}");
        assert!(chosen(7, 1.0).into_iter().all(|hit| hit));
        assert!(!chosen(7, 0.0).into_iter().any(|hit| hit));
    }
}
