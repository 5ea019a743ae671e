//! Shows how far a run is, on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::one_line;

/// A line on the terminal that is gone when the run ends.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// `items`: how many there are, where that is known.
    pub(crate) fn start(items: Option<usize>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let total = items.map(|items| u64::try_from(items).unwrap_or(u64::MAX));
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(match total {
            Some(_) => "{spinner} {pos}/{len} items  {elapsed}  {msg}",
            None => "{spinner} {human_pos} items  {elapsed}  {per_sec}  {msg}",
        });
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Progress in steps other than items.
    pub(crate) fn steps() -> Self {
        let progress = Self::start(Some(0));
        let style = ProgressStyle::with_template("{spinner} {pos}/{len}  {elapsed}  {msg}");
        progress.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        progress
    }

    /// Shows progress that the plugin reports.
    pub(crate) fn tell(&self, done: u64, total: Option<u64>, message: &str) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
        self.0.set_message(one_line(message));
    }

    pub(crate) fn requests(&self, answered: u64) {
        self.0.set_message(format!("{answered} responses"));
    }

    /// Writes something else meanwhile.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
