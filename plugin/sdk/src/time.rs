//! Timers, and times as text. A guest has no clock; see also [`crate::context::now`].

use crate::executor::Ticket;
use crate::host;

/// Waits for `milliseconds`, or until the execution's deadline or cancellation.
pub async fn sleep(milliseconds: u64) {
    Ticket::new(host::after(milliseconds)).await;
}

/// Seconds since 1970 of a time in ISO 8601 (`2026-01-31T09:30:00+01:00`, `2026-01-31 09:30Z`,
/// `2026-01-31`). Fractions of a second are cut off; a date means midnight, and a time without an
/// offset is in UTC. `None` if it is not a time.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let (date, rest) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00Z"));
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(at);
    let mut clock = clock.trim_ascii_end().splitn(3, ':');
    let hour = number(clock.next()?)?;
    let minute = number(clock.next()?)?;
    let second = match clock.next() {
        None => 0,
        Some(second) => number(second.split(['.', ',']).next()?)?,
    };
    let is_real = (1..=12).contains(&month)
        && (1..=length(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let offset = offset(zone)?;
    is_real.then(|| days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

/// Seconds of an offset: `Z`, `+02:00`, `+0200`, `+02`, or nothing.
fn offset(zone: &str) -> Option<i64> {
    let Some(digits) = zone.strip_prefix(['+', '-']) else {
        return matches!(zone, "" | "Z" | "z").then_some(0);
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 2 => (digits, "0"),
        None => digits.split_at_checked(2)?,
    };
    let seconds = number(hours)? * 3_600 + number(minutes)? * 60;
    Some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// A time in RFC 3339, with its own offset and fraction, and without an offset if it has none; a
/// date means midnight UTC. `None` if it is not a time.
pub fn rfc3339(text: &str) -> Option<String> {
    let seconds = parse(text)?;
    let text = text.trim_ascii();
    let Some((_, rest)) = text.split_once(['T', 't', ' ']) else {
        return Some(format(seconds));
    };
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(at);
    let offset = offset(zone)?;
    let mut written = format(seconds + offset);
    written.pop();
    if let Some((_, fraction)) = clock.trim_ascii_end().split_once(['.', ',']) {
        written.push('.');
        written.push_str(fraction);
    }
    // A local time has its time zone in another field.
    if zone.is_empty() {
        return Some(written);
    }
    if offset == 0 {
        written.push('Z');
        return Some(written);
    }
    written.push(if offset < 0 { '-' } else { '+' });
    pad(&mut written, offset.abs() / 3_600, 2);
    written.push(':');
    pad(&mut written, offset.abs() / 60 % 60, 2);
    Some(written)
}

/// A time in RFC 3339, in UTC.
pub fn format(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days are counted from March 1 of year 0, so that the leap day is the last day of its year and
    // centuries repeat every 146,097 days.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let mut text = String::with_capacity(20);
    pad(&mut text, year, 4);
    for (mark, number) in [
        ('-', month),
        ('-', date),
        ('T', second / 3_600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        text.push(mark);
        pad(&mut text, number, 2);
    }
    text.push('Z');
    text
}

/// Days since 1970 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Number of days in a month.
fn length(year: i64, month: i64) -> i64 {
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    next - days(year, month, 1)
}

fn number(digits: &str) -> Option<i64> {
    let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

fn pad(text: &mut String, number: i64, width: usize) {
    let digits = number.to_string();
    for _ in digits.len()..width {
        text.push('0');
    }
    text.push_str(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_parsed_and_formatted() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-24T13:49:21Z", 1_795_528_161),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("1969-12-31T23:59:59Z", -1),
            ("2100-12-31T12:00:00Z", 4_133_937_600),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
    }

    #[test]
    fn offsets_and_fractions_are_understood() {
        let noon = parse("2026-06-01T12:00:00Z");
        for text in [
            "2026-06-01T14:00:00+02:00",
            "2026-06-01T14:00:00+0200",
            "2026-06-01t08:30:00.123456-03:30",
            "2026-06-01 12:00z",
            "2026-06-01T12:00:00",
            "2026-06-01T14:00+02",
        ] {
            assert_eq!(parse(text), noon, "{text}");
        }
    }

    #[test]
    fn every_form_of_iso_8601_becomes_rfc_3339() {
        for (given, sent) in [
            ("2026-04-17", "2026-04-17T00:00:00Z"),
            ("2026-04-17T08:42:58.315+0000", "2026-04-17T08:42:58.315Z"),
            ("2026-04-17T08:42", "2026-04-17T08:42:00"),
            ("2026-04-17T08:42:58+0530", "2026-04-17T08:42:58+05:30"),
            ("2026-04-17T08:42:58-03", "2026-04-17T08:42:58-03:00"),
            ("2026-04-17T08:42:58Z", "2026-04-17T08:42:58Z"),
            ("2026-04-17T08:42:58+02:00", "2026-04-17T08:42:58+02:00"),
        ] {
            assert_eq!(rfc3339(given).as_deref(), Some(sent), "{given}");
        }
        assert_eq!(rfc3339("soon"), None);
    }

    #[test]
    fn text_that_is_not_a_time_is_not_parsed() {
        for text in [
            "",
            "2026-06",
            "yesterday",
            "2026-06-01T12:00:00X",
            "2026-13-01T00:00:00Z",
            "2026-02-30",
            "2026-02-29T12:00:00Z",
            "2026-11-31T00:00:00+02:00",
            "2026-01-00",
            "x-y-zT1:2:3Z",
            "T",
            "2026-06-01T1é:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_round_trips() {
        for day in -150_000..150_000 {
            let seconds = day * 86_400 + 3_661;
            assert_eq!(parse(&format(seconds)), Some(seconds));
        }
    }
}
