//! Words and numbers for people.

use std::time::Duration;

use crate::database::now;

/// How long ago something was, or in how long it will be.
pub(super) fn when(time: u64) -> String {
    let now = now();
    let apart = Duration::from_millis(now.abs_diff(time)).as_secs();
    let (number, unit) = match apart {
        0..45 => return if time <= now { "just now".into() } else { "in a moment".into() },
        45..5_400 => ((apart + 30) / 60, "minute"),
        5_400..129_600 => ((apart + 1_800) / 3_600, "hour"),
        _ => ((apart + 43_200) / 86_400, "day"),
    };
    let number = number.max(1);
    let plural = if number == 1 { "" } else { "s" };
    match time <= now {
        true => format!("{number} {unit}{plural} ago"),
        false => format!("in {number} {unit}{plural}"),
    }
}

/// `1 item`, `2 items`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A list in a sentence.
pub(super) fn listed<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    let list: Vec<String> = list.into_iter().map(|one| one.to_string()).collect();
    match list.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_read_as_sentences_do() {
        let ago = |seconds: u64| when(now() - seconds * 1_000);
        assert_eq!(ago(3), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7_200), "2 hours ago");
        assert_eq!(ago(3 * 86_400), "3 days ago");
        assert_eq!(when(now() + 3 * 3_600_000 + 500), "in 3 hours");
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(listed(["read", "create", "delete"]), "read, create and delete");
    }
}
