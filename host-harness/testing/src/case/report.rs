//! Reports for programs: JSON and JUnit.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::suite::{Report, Status};

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// JUnit XML.
    Junit,
    /// One HTML page.
    Html,
}

/// Writes a report in a format.
///
/// # Errors
///
/// If it cannot be written as XML.
pub fn render(report: &Report, format: Format) -> Result<String, String> {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
            Ok(text + "\n")
        }
        Format::Junit => junit(report),
        Format::Html => Ok(report.html()),
    }
}

fn junit(report: &Report) -> Result<String, String> {
    let mut suite = TestSuite::new(report.node.as_str());
    for case in &report.cases {
        let mut status = TestCaseStatus::success();
        if case.status == Status::Failed {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let problems: Vec<&str> =
                case.problems.iter().map(|problem| problem.message.as_str()).collect();
            status.set_message(problems.first().copied().unwrap_or_default());
            status.set_description(problems.join("\n"));
        }
        let mut test = TestCase::new(case.name.as_str(), status);
        test.set_classname(case.action.as_str());
        test.set_time(Duration::from_millis(case.duration_ms));
        suite.add_test_case(test);
    }
    let mut whole = quick_junit::Report::new("harness test");
    whole.add_test_suite(suite);
    whole.to_string().map_err(|error| error.to_string())
}
