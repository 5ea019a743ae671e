//! Cases: runs and their expected results, as readable files.

mod coverage;
mod expect;
mod file;
mod html;
mod report;
mod run;
mod suite;
mod verdict;

pub use coverage::{ActionCoverage, Coverage};
pub(crate) use expect::snapshot;
pub use file::{Case, CredentialOf, Expect, ExpectedError, ExpectedRequest, SCHEMA};
pub use report::{Format, render};
pub use run::{Bench, ItemResult, Live, Ran, RunError};
pub use suite::{CaseResult, Options, Problem, Report, Status, Suite};

/// A case file with every feature of cases.
pub const EXAMPLE: &str = include_str!("../../schemas/case-example.toml");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_schema_accepts_what_the_reader_accepts() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for (text, is_right) in [
            (EXAMPLE, true),
            ("action = \"a\"\n", true),
            ("action = \"a\"\nitems = [{ a = 1 }, '{\"b\":null}']\n", true),
            ("action = \"a\"\nfake = \"f.toml\"\nconcurrency = 2\n", true),
            ("action = \"a\"\n[expect]\nsnapshot = true\nrequests = [\"GET /\"]\n", true),
            ("action = \"a\"\n[expect]\noutputs = []\n", false),
            ("action = \"a\"\nparameters = 1\n", false),
            ("title = \"a\"\n", false),
        ] {
            let json = crate::file::json(&toml::from_str::<toml::Value>(text).unwrap());
            assert_eq!(validator.is_valid(&json), is_right, "{text}");
            let read = Case::parse(Path::new("a.toml"), "a", text);
            assert_eq!(read.is_ok(), is_right, "{text}: {:?}", read.err());
        }
    }
}
