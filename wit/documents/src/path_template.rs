//! Path templates: `/services/{id}/integrations`, `/**`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A template that the path of a URL matches or does not match.
///
/// `{name}` stands for one segment that is not empty and contains no encoded slash or backslash (a
/// server may decode it into a path). A final `/**` stands for any rest. Segments are compared
/// after percent-decoding, so that `%72outing` does not bypass a template. Matching is
/// case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathTemplate {
    segments: Vec<Segment>,
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Segment {
    Exactly(String),
    Any(String),
}

/// Why a text is not a path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path template: {reason}")]
pub struct PathTemplateError {
    text: String,
    reason: &'static str,
}

impl PathTemplate {
    /// The template that every path matches: `/**`.
    pub const fn everything() -> Self {
        Self { segments: Vec::new(), open: true }
    }

    /// Whether the path of a URL (percent-encoded, as in the URL) matches.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut given = path.split('/');
        for segment in &self.segments {
            let Some(text) = given.next() else {
                return false;
            };
            // Every request is compared with every template of its plugin: most segments are plain.
            let decoded = match text.contains('%') {
                false => Ok(Cow::Borrowed(text)),
                true => percent_encoding::percent_decode_str(text).decode_utf8(),
            };
            let Ok(decoded) = decoded else {
                return false;
            };
            let fits = match segment {
                Segment::Exactly(expected) => decoded == *expected,
                Segment::Any(_) => !decoded.is_empty() && !decoded.contains(['/', '\\']),
            };
            if !fits {
                return false;
            }
        }
        self.open || given.next().is_none()
    }

    /// Whether every path matches.
    pub fn is_everything(&self) -> bool {
        self.open && self.segments.is_empty()
    }
}

impl FromStr for PathTemplate {
    type Err = PathTemplateError;

    fn from_str(text: &str) -> Result<Self, PathTemplateError> {
        let wrong = |reason| PathTemplateError { text: text.into(), reason };
        let Some(rest) = text.strip_prefix('/') else {
            return Err(wrong("it must begin with `/`"));
        };
        let (rest, open) = match rest.strip_suffix("**") {
            Some("") => return Ok(Self::everything()),
            Some(rest) => match rest.strip_suffix('/') {
                Some(rest) => (rest, true),
                None => return Err(wrong("`**` must be the whole last segment")),
            },
            None => (rest, false),
        };
        let segments = rest
            .split('/')
            .map(|segment| {
                match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some("") => Err(wrong("a placeholder needs a name")),
                    Some(name) => Ok(Segment::Any(name.into())),
                    None if segment.contains(['{', '}', '*', '?', '#', '%']) => {
                        Err(wrong("a segment is either a word or a `{name}`"))
                    }
                    None => Ok(Segment::Exactly(segment.into())),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, open })
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Exactly(text) => write!(formatter, "/{text}")?,
                Segment::Any(name) => write!(formatter, "/{{{name}}}")?,
            }
        }
        if self.open { formatter.write_str("/**") } else { Ok(()) }
    }
}

crate::text::text_form!(PathTemplate);

#[cfg(test)]
mod tests {
    use super::PathTemplate;

    #[test]
    fn a_path_matches_segment_by_segment() {
        let cases = [
            ("/v2/enqueue", "/v2/enqueue", true),
            ("/v2/enqueue", "/v2/%65nqueue", true),
            ("/v2/enqueue", "/v2/enqueue/", false),
            ("/v2/enqueue", "/v2/Enqueue", false),
            ("/a/{id}", "/a/P1", true),
            ("/a/{id}", "/a/", false),
            ("/a/{id}", "/a/x%2Fy", false),
            ("/a/{id}", "/a/x%5cy", false),
            ("/a/{id}/b", "/a/P1/b", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/b", false),
            ("/**", "/", true),
            ("/**", "/anything/at%2Fall", true),
        ];
        for (template, path, matches) in cases {
            let template: PathTemplate = template.parse().unwrap();
            assert_eq!(template.matches(path), matches, "{template} {path}");
        }
    }

    #[test]
    fn other_templates_are_refused() {
        for text in ["", "a", "/a**", "/{}", "/a*", "/{a}b", "/a?b"] {
            assert!(text.parse::<PathTemplate>().is_err(), "{text}");
        }
    }
}
