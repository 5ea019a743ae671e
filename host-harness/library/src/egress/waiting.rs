//! How long to wait before a request is sent again.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

use crate::description::{RateReset, ResetFormat};

/// Full-jitter backoff: first step and cap.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A failed request is repeated only where the service asks for no longer wait than this; others that
/// share a credential are paused no longer than this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Minimum wait after a refusal by a rate limit, even if the service states a shorter one.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(250);

/// No service is taken to ask for a longer wait than this, in seconds.
pub(super) const LONGEST_NAMED: u64 = 86_400;

/// Duration until the time in a header, relative to the `Date` of the response if present, and
/// otherwise to `now` (milliseconds since 1970). An invalid value counts as absent.
pub(super) fn until(headers: &HeaderMap, reset: &RateReset, now: u64) -> Option<Duration> {
    let header = HeaderName::from_bytes(reset.header.to_ascii_lowercase().as_bytes()).ok()?;
    let value = headers.get(header)?.to_str().ok()?.trim();
    let at = match reset.format {
        ResetFormat::UnixSeconds => whole_milliseconds(value.parse::<f64>().ok()? * 1_000.0)?,
        ResetFormat::UnixMilliseconds => whole_milliseconds(value.parse::<f64>().ok()?)?,
        ResetFormat::HttpDate => http_date(value)?,
        ResetFormat::Rfc3339 => value.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
        _ => return None,
    };
    let date = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    let now = date.or_else(|| i64::try_from(now).ok())?;
    let wait = u64::try_from(at.saturating_sub(now)).unwrap_or(0);
    Some(Duration::from_millis(wait.min(LONGEST_NAMED * 1_000)))
}

fn http_date(value: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    Some(parser.parse_timestamp(value.trim()).ok()?.as_millisecond())
}

fn whole_milliseconds(number: f64) -> Option<i64> {
    // The cast saturates; a value that is not a number is invalid.
    number.is_finite().then_some(number as i64)
}

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
        return Some(Duration::from_secs(seconds.min(LONGEST_NAMED)));
    }
    let seconds = http_date(value)? / 1_000 - i64::try_from(now).ok()?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LONGEST_NAMED)))
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
    fn a_time_in_each_format_is_waited_for_by_the_services_own_clock() {
        const NOW: u64 = 1_700_000_000_000;
        let wait = |format, value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("x-reset", value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            let reset = RateReset::new("X-Reset", format);
            until(&headers, &reset, NOW).map(|wait| wait.as_millis())
        };
        for (format, value) in [
            (ResetFormat::UnixSeconds, "1700000010"),
            (ResetFormat::UnixSeconds, "1700000010.0"),
            (ResetFormat::UnixMilliseconds, "1700000010000"),
            (ResetFormat::HttpDate, "Tue, 14 Nov 2023 22:13:30 GMT"),
            (ResetFormat::Rfc3339, "2023-11-14T22:13:30Z"),
            (ResetFormat::Rfc3339, "2023-11-14T23:13:30+01:00"),
        ] {
            assert_eq!(wait(format, value, None), Some(10_000), "{value}");
            // The service's clock is 4 s ahead.
            let date = Some("Tue, 14 Nov 2023 22:13:24 GMT");
            assert_eq!(wait(format, value, date), Some(6_000), "{value}");
            assert_eq!(wait(format, value, Some("nonsense")), Some(10_000), "{value}");
        }
        assert_eq!(wait(ResetFormat::UnixSeconds, "1700000000.5", None), Some(500));
        assert_eq!(wait(ResetFormat::UnixSeconds, "5", None), Some(0), "it is over");
        let far = Some(u128::from(LONGEST_NAMED) * 1_000);
        assert_eq!(wait(ResetFormat::UnixSeconds, "9e300", None), far);
        for nonsense in ["", "soon", "NaN", "inf", "2023-11-14T22:13:30Z"] {
            assert_eq!(wait(ResetFormat::UnixSeconds, nonsense, None), None, "{nonsense}");
        }
        assert_eq!(wait(ResetFormat::Rfc3339, "1700000010", None), None);
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
