//! How long to wait before a request is sent again.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Full-jitter backoff: first step and cap.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A failed request is repeated only where the service asks for no longer wait than this; others that
/// share a credential are paused no longer than this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// After a refusal by a rate limit there is a wait of at least this, whatever the service says.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(250);

/// How long to wait after the `count`th refusal in a row by a rate limit that does not say how long:
/// twice as long each time, and never much less than that.
pub(super) fn growing(count: u32) -> Duration {
    let step = BACKOFF.0.saturating_mul(2 << count.saturating_sub(1).min(10)).min(BACKOFF.1);
    step.mul_f64(0.75 + rand::random::<f64>() / 4.0)
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Full jitter over an exponential step.
pub(super) fn backoff(attempt: u32) -> Duration {
    let (first, cap) = BACKOFF;
    let step = first.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(cap);
    step.mul_f64(rand::random::<f64>())
}

/// RFC 9110 section 10.2.3: seconds, or an HTTP date. Nonsense counts as absent.
pub(super) fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds.min(86_400)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let seconds = date.as_second() - i64::try_from(now).ok()?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_dates_and_ignores_nonsense() {
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, 1_700_000_000)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Tue, 14 Nov 2023 22:13:30 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(wait("Tue, 14 Nov 2000 22:13:30 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("-5"), None);
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("999999999999"), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_rate_limit_that_says_nothing_is_waited_for_longer_each_time() {
        let seconds: Vec<u64> =
            (1..8).map(|count| growing(count).as_secs_f64().ceil() as u64).collect();
        assert_eq!(seconds[0], 1);
        // The last two are at the cap, less their jitter.
        assert!(seconds[..6].is_sorted(), "{seconds:?}");
        assert!(seconds[5..].iter().all(|one| (23..=30).contains(one)), "{seconds:?}");
    }

    #[test]
    fn backoff_grows_and_stays_below_its_cap() {
        for attempt in 1..40 {
            assert!(backoff(attempt) <= BACKOFF.1);
        }
    }
}
