//! Extracts the text for people from a file: paragraphs of Markdown, documentation comments, string
//! literals, and values of JSON and TOML files.

/// Kind of text in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Markdown,
    /// Comments and string literals.
    Rust,
    /// Comments only: the literals of tests are data.
    RustComments,
    Wit,
    /// Every line is text.
    Data,
}

impl Kind {
    pub(crate) fn is_rust(self) -> bool {
        matches!(self, Self::Rust | Self::RustComments)
    }
}

/// The kind of a file that contains text for people.
pub(crate) fn kind(path: &str) -> Option<Kind> {
    let extension = path.rsplit_once('.')?.1;
    let is_source = path.contains("/src/") && !path.contains("/src/oauth/tests/");
    let shipped = ["host-harness/", "wit/documents/", "plugin/"];
    match extension {
        "md" => Some(Kind::Markdown),
        "wit" => Some(Kind::Wit),
        "json" if path.contains("/schemas/") => Some(Kind::Data),
        "toml" if path.starts_with("plugin/pagerduty/actions/") => Some(Kind::Data),
        "rs" if is_source && shipped.iter().any(|start| path.starts_with(start)) => {
            Some(Kind::Rust)
        }
        // The retired phrases themselves.
        "rs" if path.starts_with("tests/features/") => None,
        "rs" => Some(Kind::RustComments),
        _ => None,
    }
}

/// Text that is read as one piece, with the line of each part.
#[derive(Debug)]
pub(crate) struct Passage {
    parts: Vec<(usize, String)>,
}

impl Passage {
    pub(crate) fn new(line: usize, text: &str) -> Self {
        let parts = text.lines().zip(line..).map(|(text, line)| (line, text.to_owned()));
        Self { parts: parts.collect() }
    }

    /// The words in lowercase, each with its line. Punctuation between words ends a phrase.
    pub(crate) fn words(&self) -> Vec<(String, usize)> {
        let mut words = Vec::new();
        for (line, text) in &self.parts {
            for piece in text.split_whitespace() {
                let mut word = String::new();
                for character in piece.chars() {
                    if character.is_alphanumeric() || character == '\'' {
                        word.extend(character.to_lowercase());
                        continue;
                    }
                    if !word.is_empty() {
                        words.push((std::mem::take(&mut word), *line));
                    }
                    words.push((character.to_string(), *line));
                }
                if !word.is_empty() {
                    words.push((word, *line));
                }
            }
        }
        words
    }
}

/// The passages of a file.
pub(crate) fn passages(kind: Kind, text: &str) -> Vec<Passage> {
    match kind {
        Kind::Markdown => markdown(text),
        Kind::Wit => comments(text),
        Kind::Rust => comments(text).into_iter().chain(literals(text)).collect(),
        Kind::RustComments => comments(text),
        Kind::Data => text.lines().zip(1..).map(|(text, line)| Passage::new(line, text)).collect(),
    }
}

/// Consecutive lines as passages. A line for which `text` returns `None` ends a passage.
fn grouped<'a>(text: &'a str, mut part: impl FnMut(&'a str) -> Option<&'a str>) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut parts: Vec<(usize, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match part(line).filter(|part| !part.trim().is_empty()) {
            Some(part) => parts.push((number, part.to_owned())),
            None if parts.is_empty() => {}
            None => passages.push(Passage { parts: std::mem::take(&mut parts) }),
        }
    }
    if !parts.is_empty() {
        passages.push(Passage { parts });
    }
    passages
}

/// Paragraphs and table rows outside code blocks.
fn markdown(text: &str) -> Vec<Passage> {
    let mut is_code = false;
    grouped(text, |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some(line)
    })
}

/// Comments on lines of code or between them, outside code blocks.
fn comments(text: &str) -> Vec<Passage> {
    let mut is_code = false;
    grouped(text, |line| {
        let line = line.trim_start();
        let comment = ["///", "//!", "//"].iter().find_map(|prefix| line.strip_prefix(prefix));
        let Some(comment) = comment else {
            is_code = false;
            return None;
        };
        let is_fence = comment.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some(comment)
    })
}

/// String literals, with their continuation lines joined.
fn literals(text: &str) -> Vec<Passage> {
    let bytes = text.as_bytes();
    let mut passages = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => line += 1,
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'\'' => at += character(&bytes[at..]),
            b'"' => {
                let hashes = bytes[..at].iter().rev().take_while(|byte| **byte == b'#').count();
                let is_raw = bytes[..at - hashes].last() == Some(&b'r');
                let length = if is_raw {
                    let end = format!("\"{}", "#".repeat(hashes));
                    text[at + 1..].find(&end).unwrap_or(text.len() - at - 1)
                } else {
                    literal(&bytes[at + 1..])
                };
                let content = &text[at + 1..at + 1 + length];
                let content: Vec<(usize, String)> = content
                    .split('\n')
                    .zip(line..)
                    .map(|(part, line)| {
                        (line, part.strip_suffix('\\').unwrap_or(part).replace("\\n", " \n "))
                    })
                    .collect();
                line += content.len() - 1;
                passages.push(Passage { parts: content });
                at += length + 1;
            }
            _ => {}
        }
        at += 1;
    }
    passages
}

/// Length of a string literal up to its closing quotation mark.
fn literal(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Length of a character literal after its opening mark; 0 for a lifetime.
fn character(bytes: &[u8]) -> usize {
    match bytes {
        [_, b'\\', ..] => {
            let end = bytes.iter().skip(3).position(|byte| *byte == b'\'');
            end.map_or(0, |end| end + 3)
        }
        [_, _, b'\'', ..] => 2,
        _ => 0,
    }
}
