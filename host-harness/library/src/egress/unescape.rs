//! Undoes encodings that write one character at a time, and remembers where each character came from.

use std::ops::Range;

/// Encodings that write one character at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// JSON and program text (`\\u00e9`, `\\x41`, `\\n`), HTML (`&#233;`, `&amp;`), URLs (`%C3`).
    Common,
    /// Quoted-printable (`=C3`, and `=` before a line break).
    QuotedPrintable,
}

impl Escapes {
    /// Whether bytes may hold an escape or a line break.
    pub(super) fn any(bytes: &[u8]) -> bool {
        memchr::memchr3(b'\\', b'&', b'%', bytes).is_some()
            || memchr::memchr3(b'\n', b'\r', b'=', bytes).is_some()
    }

    /// Whether bytes may hold such an escape.
    pub(super) fn are_in(self, bytes: &[u8]) -> bool {
        self.next(bytes, 0).is_some()
    }

    fn next(self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let found = match self {
            Self::Common => memchr::memchr3(b'\\', b'&', b'%', rest),
            Self::QuotedPrintable => memchr::memchr(b'=', rest),
        };
        Some(from + found?)
    }

    /// The character of an escape at the beginning of bytes, and the length of the escape.
    fn read(self, bytes: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
        match (self, bytes.first()?) {
            (Self::Common, b'\\') => backslash(bytes, plain),
            (Self::Common, b'&') => reference(bytes, plain),
            (Self::Common, b'%') => {
                plain.push(u8::try_from(number(bytes.get(1..3)?, 16)?).ok()?);
                Some(3)
            }
            (Self::QuotedPrintable, b'=') => match bytes.get(1..)? {
                [b'\r', b'\n', ..] => Some(3),
                [b'\n', ..] => Some(2),
                _ => {
                    plain.push(u8::try_from(number(bytes.get(1..3)?, 16)?).ok()?);
                    Some(3)
                }
            },
            _ => None,
        }
    }
}

/// Where the bytes of a text came from.
#[derive(Default)]
pub(super) struct Map {
    /// In order: a part of the text, and what it came from. Within a part of the same length on both
    /// sides each byte came from its own.
    parts: Vec<(Range<usize>, Range<usize>)>,
}

impl Map {
    fn add(&mut self, text: Range<usize>, source: Range<usize>) {
        if !text.is_empty() || !source.is_empty() {
            self.parts.push((text, source));
        }
    }

    /// Source range of a range of the text.
    pub(super) fn source(&self, place: Range<usize>) -> Range<usize> {
        let at = |offset: usize| {
            let after = self.parts.partition_point(|(text, _)| text.end <= offset);
            self.parts.get(after)
        };
        let start = at(place.start).map_or(0, |(text, source)| match text.len() == source.len() {
            true => source.start + (place.start - text.start),
            false => source.start,
        });
        let last = place.end.saturating_sub(1);
        let end = at(last).map_or(start, |(text, source)| match text.len() == source.len() {
            true => source.start + (last - text.start) + 1,
            false => source.end,
        });
        start..end.max(start)
    }
}

/// A text with its escapes undone; `None` when it has none.
pub(super) fn unescaped(bytes: &[u8], escapes: Escapes) -> Option<(Vec<u8>, Map)> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut map = Map::default();
    let (mut from, mut looked) = (0, 0);
    while let Some(at) = escapes.next(bytes, looked) {
        let before = plain.len() + (at - from);
        let mut read = Vec::with_capacity(4);
        match escapes.read(&bytes[at..], &mut read) {
            Some(length) => {
                map.add(plain.len()..before, from..at);
                plain.extend_from_slice(&bytes[from..at]);
                plain.extend_from_slice(&read);
                map.add(before..plain.len(), at..at + length);
                from = at + length;
                looked = from;
            }
            None => looked = at + 1,
        }
    }
    if map.parts.is_empty() {
        return None;
    }
    map.add(plain.len()..plain.len() + (bytes.len() - from), from..bytes.len());
    plain.extend_from_slice(&bytes[from..]);
    Some((plain, map))
}

/// A text without its line breaks and the blanks around them; `None` when it has none.
pub(super) fn without_breaks(bytes: &[u8]) -> Option<(Vec<u8>, Map)> {
    memchr::memchr2(b'\n', b'\r', bytes)?;
    let mut joined = Vec::with_capacity(bytes.len());
    let mut map = Map::default();
    let mut from = 0;
    while from < bytes.len() {
        let length = bytes[from..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        map.add(joined.len()..joined.len() + length, from..from + length);
        joined.extend_from_slice(&bytes[from..from + length]);
        from += length;
        from += bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }
    Some((joined, map))
}

fn backslash(bytes: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
    let byte = match *bytes.get(1)? {
        b'u' if bytes.get(2) == Some(&b'{') => {
            let digits = bytes[3..].iter().take(10).position(|byte| *byte == b'}')?;
            character(number(&bytes[3..3 + digits], 16)?, plain)?;
            return Some(4 + digits);
        }
        b'u' => {
            let first = number(bytes.get(2..6)?, 16)?;
            if !(0xd800..0xdc00).contains(&first) {
                character(first, plain)?;
                return Some(6);
            }
            let second = bytes.get(6..12).filter(|second| second.starts_with(b"\\u"))?;
            let second =
                number(&second[2..], 16)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            character(0x10000 + ((first - 0xd800) << 10) + second, plain)?;
            return Some(12);
        }
        b'U' => {
            character(number(bytes.get(2..10)?, 16)?, plain)?;
            return Some(10);
        }
        b'x' => {
            plain.push(u8::try_from(number(bytes.get(2..4)?, 16)?).ok()?);
            return Some(4);
        }
        b'0'..=b'3' => {
            plain.push(u8::try_from(number(bytes.get(1..4)?, 8)?).ok()?);
            return Some(4);
        }
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        other @ (b'"' | b'\'' | b'\\' | b'/') => other,
        _ => return None,
    };
    plain.push(byte);
    Some(2)
}

/// Characters of ASCII that HTML has names for.
const NAMED: &[(&str, u8)] = &[
    ("Hat", b'^'),
    ("NewLine", b'\n'),
    ("Tab", b'\t'),
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sol", b'/'),
    ("verbar", b'|'),
    ("vert", b'|'),
];

/// A character reference of HTML or XML; the semicolon may be missing after a number.
fn reference(bytes: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
    const DIGITS: usize = 12;
    let rest = bytes.get(1..)?;
    if rest.first() != Some(&b'#') {
        let end = rest.iter().take(9).position(|byte| *byte == b';')?;
        let name = std::str::from_utf8(&rest[..end]).ok()?;
        let (_, byte) = NAMED.iter().find(|(known, _)| {
            *known == name || {
                // The five of XML are also read in capitals.
                known.len() <= 4 && known.eq_ignore_ascii_case(name)
            }
        })?;
        plain.push(*byte);
        return Some(end + 2);
    }
    let (radix, head) = match rest.get(1)? {
        b'x' | b'X' => (16, 2),
        _ => (10, 1),
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let digits = rest[head..].iter().take(DIGITS).take_while(is_digit).count();
    character(number(rest.get(head..head + digits)?, radix)?, plain)?;
    let semicolon = usize::from(rest.get(head + digits) == Some(&b';'));
    Some(1 + head + digits + semicolon)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn character(code: u32, plain: &mut Vec<u8>) -> Option<()> {
    let character = char::from_u32(code)?;
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
