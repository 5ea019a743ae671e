//! How long to wait before a request is sent again.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Full-jitter backoff: first step and cap.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A service that asks for a longer wait than this is not waited for; the guest is told.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

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
    fn backoff_grows_and_stays_below_its_cap() {
        for attempt in 1..40 {
            assert!(backoff(attempt) <= BACKOFF.1);
        }
    }
}
