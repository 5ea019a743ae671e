//! Prints an error with the errors that caused it.

/// An error and the errors that caused it, on one line, each part once: some crates print their causes
/// themselves, or repeat the message of an error in its cause.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        let is_repeated = parts.iter().any(|part| part.contains(&text));
        match parts.last_mut() {
            _ if is_repeated => {}
            Some(last) if text.contains(&**last) => *last = text,
            _ => parts.push(text),
        }
        source = cause.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct One(&'static str, Option<Box<Self>>);

    impl fmt::Display for One {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl std::error::Error for One {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn each_cause_is_printed_once() {
        let of = |outer, cause| chain(&One(outer, Some(Box::new(One(cause, None)))));
        assert_eq!(chain(&One("Cannot read a.toml", None)), "Cannot read a.toml");
        assert_eq!(of("Cannot read a.toml", "not found"), "Cannot read a.toml: not found");
        assert_eq!(of("no response: reset", "reset"), "no response: reset");
        assert_eq!(of("not a database", "code 26: not a database"), "code 26: not a database");
    }
}
