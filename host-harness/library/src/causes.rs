//! Prints an error with the errors that caused it.

/// An error and the errors that caused it, on one line. A cause whose text the line already contains
/// is left out: some crates print their causes themselves.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
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
    }
}
