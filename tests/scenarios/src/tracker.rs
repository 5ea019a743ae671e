//! An issue tracker as a sync sees it: issues with a status, labels, and comments, and a feed of
//! changes. It must not depend on PagerDuty. It reports every change, including those of a sync, as
//! trackers do.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Status of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Not started.
    Open,
    /// In progress.
    Started,
    /// Done.
    Done,
}

/// A comment on an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its author.
    pub author: String,
    /// Its text.
    pub text: String,
}

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its status.
    pub progress: Progress,
    /// Comments, the oldest first.
    pub comments: Vec<Comment>,
}

/// The tracker.
#[derive(Debug, Default)]
pub struct Tracker(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    issues: Vec<Issue>,
    changed: VecDeque<usize>,
}

impl Tracker {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files an issue and returns its number.
    pub fn file(&self, title: &str, labels: &[&str]) -> usize {
        let mut inner = self.inner();
        let number = inner.issues.len() + 1;
        inner.issues.push(Issue {
            number,
            title: title.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            progress: Progress::Open,
            comments: Vec::new(),
        });
        inner.changed.push_back(number);
        number
    }

    /// An issue.
    ///
    /// # Panics
    ///
    /// If there is no issue with this number.
    pub fn issue(&self, number: usize) -> Issue {
        self.inner().issues[number - 1].clone()
    }

    /// All issues.
    pub fn issues(&self) -> Vec<Issue> {
        self.inner().issues.clone()
    }

    /// Changes the status of an issue.
    pub fn set_progress(&self, number: usize, progress: Progress) {
        let mut inner = self.inner();
        inner.issues[number - 1].progress = progress;
        inner.changed.push_back(number);
    }

    /// Comments on an issue.
    pub fn comment(&self, number: usize, author: &str, text: &str) {
        let mut inner = self.inner();
        let comment = Comment { author: author.to_owned(), text: text.to_owned() };
        inner.issues[number - 1].comments.push(comment);
        inner.changed.push_back(number);
    }

    /// The next issue that has changed since the last call.
    pub fn next_change(&self) -> Option<usize> {
        self.inner().changed.pop_front()
    }
}
