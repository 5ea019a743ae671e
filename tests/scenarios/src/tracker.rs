//! An issue tracker, as far as a sync sees one: issues with a status, labels and comments, and a list
//! of what has changed since somebody looked. It does not know of PagerDuty. It tells of every change,
//! also of those that a sync makes, as trackers do.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nobody has begun.
    Open,
    /// Somebody works on it.
    Started,
    /// It is done.
    Done,
}

/// Somebody's words below an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub text: String,
}

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: usize,
    /// What it is about.
    pub title: String,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// How it is.
    pub progress: Progress,
    /// The oldest first.
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
    /// When there is none of that number.
    pub fn issue(&self, number: usize) -> Issue {
        self.inner().issues[number - 1].clone()
    }

    /// All issues.
    pub fn issues(&self) -> Vec<Issue> {
        self.inner().issues.clone()
    }

    /// Changes how an issue is.
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

    /// The next issue that has changed since this was asked last.
    pub fn next_change(&self) -> Option<usize> {
        self.inner().changed.pop_front()
    }
}
