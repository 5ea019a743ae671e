//! Options with a special syntax.

use std::path::PathBuf;
use std::time::Duration;

use workflow_node_host::description::{Effect, RateWindow};

use crate::words::EFFECTS;

/// Windows to pace by instead of those that a credential type describes.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit(pub(crate) Vec<RateWindow>);

impl std::str::FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let window = text.split_once('/').and_then(|(requests, seconds)| {
            let requests: u32 = requests.parse().ok()?;
            let seconds: u32 = seconds.parse().ok()?;
            (requests > 0 && seconds > 0)
                .then_some(RateWindow::new(requests, u64::from(seconds) * 1_000))
        });
        window
            .map(|window| Self(vec![window]))
            .ok_or_else(|| "use REQUESTS/SECONDS, e.g. 100/60, or none".to_owned())
    }
}

/// Where a user name and a password are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    File(PathBuf),
    Ask,
}

impl Credentials {
    /// Not read by the parser of the command line, which quotes what it refuses.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(file) if !file.is_empty() => Some(Self::File(file.into())),
            _ => (text == "ask").then_some(Self::Ask),
        }
    }
}

/// `30s`, `5m`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "include the unit, e.g. 30s or 5m".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// An effect, by its name.
pub(crate) fn effect(text: &str) -> Result<Effect, String> {
    let named = EFFECTS.into_iter().find(|one| one.as_str() == text);
    named.ok_or_else(|| format!("use one of {}", EFFECTS.map(Effect::as_str).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for text in ["", "30", "0s", "-1s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_limit_is_requests_in_seconds_or_none() {
        let windows = |text: &str| text.parse::<RateLimit>().map(|limit| limit.0);
        assert_eq!(windows("none"), Ok(Vec::new()));
        assert_eq!(windows("100/60"), Ok(vec![RateWindow::new(100, 60_000)]));
        for text in ["", "100", "0/60", "100/0", "a/b", "-1/5"] {
            assert!(windows(text).is_err(), "{text}");
        }
    }
}
