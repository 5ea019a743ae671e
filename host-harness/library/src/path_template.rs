//! Path templates: `/services/{id}/integrations`, `/**`.

use std::fmt;
use std::str::FromStr;

/// A template that a URL's path matches or does not. `{name}` stands for one segment that is not
/// empty and holds no encoded slash or backslash (a server may decode it into a path); a final
/// `/**` for any rest. Segments are compared after percent-decoding, so that `%72outing` is no way
/// around a template, and case matters.
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

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no path template: {reason}")]
pub struct PathTemplateError {
    text: String,
    reason: &'static str,
}

impl PathTemplate {
    /// Whether a URL's path (as it stands in the URL, percent-encoded) matches.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut given = path.split('/');
        for segment in &self.segments {
            let Some(text) = given.next() else {
                return false;
            };
            let Ok(decoded) = percent_encoding::percent_decode_str(text).decode_utf8() else {
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

    /// Whether it matches every path.
    pub fn is_everything(&self) -> bool {
        self.open && self.segments.is_empty()
    }
}

impl FromStr for PathTemplate {
    type Err = PathTemplateError;

    fn from_str(text: &str) -> Result<Self, PathTemplateError> {
        let wrong = |reason| PathTemplateError { text: text.into(), reason };
        let Some(rest) = text.strip_prefix('/') else {
            return Err(wrong("it begins with /"));
        };
        let (rest, open) = match rest.strip_suffix("**") {
            Some("") => {
                return Ok(Self { segments: Vec::new(), open: true });
            }
            Some(rest) => match rest.strip_suffix('/') {
                Some(rest) => (rest, true),
                None => return Err(wrong("`**` stands alone in the last segment")),
            },
            None => (rest, false),
        };
        let segments = rest
            .split('/')
            .map(|segment| {
                match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some("") => Err(wrong("a place holder has a name")),
                    Some(name) => Ok(Segment::Any(name.into())),
                    None if segment.contains(['{', '}', '*', '?', '#', '%']) => {
                        Err(wrong("a segment is a word or a {name}"))
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

crate::origin::text_form!(PathTemplate);
use serde::{Deserialize, Serialize};

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
