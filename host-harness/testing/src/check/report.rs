//! The findings about a node, for people and for programs.

use std::time::Duration;

use serde::Serialize;

/// The result of the suite. Its JSON is stable: members are added, and none is removed or changed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Digest of the component; `None` if it could not be read.
    pub plugin: Option<String>,
    /// Name of the node; `None` if the component was refused.
    pub node: Option<String>,
    /// Version of the node.
    pub version: Option<u32>,
    /// One result per check, in the order of the suite.
    pub checks: Vec<CheckResult>,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// ID of the check.
    pub id: &'static str,
    /// The requirement.
    pub sentence: &'static str,
    /// Its status.
    pub status: Status,
    /// How many objects were judged: actions, forms, or schemas.
    pub judged: usize,
    /// The findings.
    pub findings: Vec<Finding>,
    /// Objects that could not be judged.
    pub not_judged: Vec<NotJudged>,
    /// How long the check took, in milliseconds.
    pub milliseconds: u64,
}

/// Status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Objects were judged, and no problem was found.
    Passed,
    /// A problem was found.
    Failed,
    /// Nothing could be judged. This is not a pass.
    Skipped,
}

impl Status {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The action, field, or schema that it concerns.
    pub subject: String,
    /// The problem, and how to fix it.
    pub message: String,
}

/// An object that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotJudged {
    /// The action, field, or schema that it concerns.
    pub subject: String,
    /// The reason.
    pub reason: String,
}

impl Report {
    /// How many checks have this status.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Whether no check failed.
    pub fn is_ok(&self) -> bool {
        self.count(Status::Failed) == 0
    }

    /// The report as JUnit XML: one test case per check.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn to_junit(&self) -> Result<String, quick_junit::SerializeError> {
        use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
        let mut junit = quick_junit::Report::new("harness check");
        let mut suite = TestSuite::new(self.node.as_deref().unwrap_or("plugin"));
        for check in &self.checks {
            let details = check.details();
            let status = match check.status {
                Status::Passed => TestCaseStatus::success(),
                Status::Failed => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(check.sentence).set_type(check.id).set_description(details);
                    status
                }
                Status::Skipped => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(details);
                    status
                }
            };
            let mut case = TestCase::new(check.id, status);
            case.set_classname("harness.check").set_time(Duration::from_millis(check.milliseconds));
            suite.add_test_case(case);
        }
        junit.add_test_suite(suite);
        junit.to_string()
    }
}

impl CheckResult {
    /// The findings, or else what could not be judged: one per line.
    pub fn details(&self) -> String {
        let findings = self.findings.iter().map(|one| format!("{}: {}", one.subject, one.message));
        let reasons = self.not_judged.iter().map(|one| format!("{}: {}", one.subject, one.reason));
        match self.status {
            Status::Skipped => reasons.collect::<Vec<_>>().join("\n"),
            _ => findings.collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Collects the findings of a check.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    judged: usize,
    findings: Vec<Finding>,
    not_judged: Vec<NotJudged>,
}

impl Judgement {
    /// Counts an object without a problem.
    pub(super) fn pass(&mut self) {
        self.judged += 1;
    }

    /// Adds a problem of an object.
    pub(super) fn fail(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        self.judged += 1;
        self.findings.push(Finding { subject: subject.into(), message: message.into() });
    }

    /// Judges an object: `problem` is its problem, if any.
    pub(super) fn judge(&mut self, subject: &str, problem: Option<String>) {
        match problem {
            None => self.pass(),
            Some(problem) => self.fail(subject, problem),
        }
    }

    /// Whether nothing was judged, and nothing could not be judged.
    pub(super) fn is_empty(&self) -> bool {
        self.judged == 0 && self.not_judged.is_empty()
    }

    /// Something could not be judged.
    pub(super) fn skip(&mut self, subject: impl Into<String>, reason: impl Into<String>) {
        self.not_judged.push(NotJudged { subject: subject.into(), reason: reason.into() });
    }

    pub(super) fn end(
        self,
        id: &'static str,
        sentence: &'static str,
        took: Duration,
    ) -> CheckResult {
        let status = match (self.findings.is_empty(), self.judged) {
            (false, _) => Status::Failed,
            (true, 0) => Status::Skipped,
            (true, _) => Status::Passed,
        };
        CheckResult {
            id,
            sentence,
            status,
            judged: self.judged,
            findings: self.findings,
            not_judged: self.not_judged,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
