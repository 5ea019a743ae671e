//! JSON text that is measured, searched, and changed without a tree of it, which would cost up to a
//! hundred times its size.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::limits::VALUE_OVERHEAD;
use crate::offload::Stop;

/// How much there is in JSON text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Nesting of brackets.
    pub(crate) depth: usize,
    /// Values and names, at most.
    pub(crate) values: usize,
    /// Bytes of text.
    bytes: usize,
}

impl Measure {
    /// Measures text, which need not be JSON.
    pub(crate) fn of(json: &str) -> Self {
        let bytes = json.as_bytes();
        let mut measure = Self { depth: 0, values: 1, bytes: bytes.len() };
        let mut depth = 0_usize;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            match byte {
                // Most of a record is text: its end is looked for, not each of its bytes at.
                b'"' => match end_of_string(bytes, at) {
                    Some(end) => at = end,
                    None => return measure,
                },
                b'[' | b'{' => {
                    depth += 1;
                    measure.values += 1;
                    measure.depth = measure.depth.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' | b':' => measure.values += 1,
                _ => {}
            }
        }
        measure
    }

    /// About how many bytes a tree of it takes; what a document counts.
    pub(crate) fn weight(self) -> usize {
        self.bytes.saturating_add(self.values.saturating_mul(VALUE_OVERHEAD))
    }
}

/// The position after the quotation mark that ends a string whose text begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)? + 1;
        if bytes[at - 1] == b'"' {
            return Some(at);
        }
        at += 1;
    }
}

/// Places in JSON: a tree of pointers (RFC 6901) in which `*` stands for every element or member.
/// `T` is the data of a place.
#[derive(Clone, Debug)]
pub(crate) struct Places<T> {
    named: Vec<(String, Places<T>)>,
    each: Option<Box<Places<T>>>,
    here: Vec<T>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { named: Vec::new(), each: None, here: Vec::new() }
    }
}

impl<T> Places<T> {
    /// Adds a place.
    pub(crate) fn add(&mut self, pointer: &str, here: T) {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            node = match segment {
                "*" => node.each.get_or_insert_with(Box::default),
                name => {
                    let name = name.replace("~1", "/").replace("~0", "~");
                    let known = node.named.iter().position(|(own, _)| *own == name);
                    let at = known.unwrap_or_else(|| {
                        node.named.push((name, Self::default()));
                        node.named.len() - 1
                    });
                    &mut node.named[at].1
                }
            };
        }
        node.here.push(here);
    }
}

/// Why text could not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("not JSON")]
    NotJson,
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    #[error("stopped")]
    Stopped,
}

/// Replaces texts at places by what `replace` says (`None` leaves one as it is) in one walk over the
/// text. Returns `None` if nothing was replaced. Empty texts are left alone.
pub(crate) fn replace_texts<T, E: From<EditError>>(
    json: &[u8],
    places: &Places<T>,
    limit: usize,
    stop: &Stop,
    mut replace: impl FnMut(&[&T], &str) -> Result<Option<String>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let json = checked(json)?;
    let mut edit = Edit {
        scanner: Scanner { json, at: 0 },
        changed: Vec::new(),
        copied: 0,
        limit,
        stop,
        replace: &mut replace,
    };
    edit.value(&[places])?;
    let Edit { mut changed, copied, .. } = edit;
    if copied == 0 {
        return Ok(None);
    }
    changed.extend_from_slice(&json.as_bytes()[copied..]);
    if changed.len() > limit {
        return Err(EditError::TooLarge(limit).into());
    }
    Ok(Some(changed))
}

/// Adds a member to the object at a pointer.
///
/// # Errors
///
/// If the text is not JSON, or too large afterward.
pub(crate) fn add_member(
    json: &[u8],
    pointer: &str,
    name: &str,
    text: &str,
    limit: usize,
) -> Result<Added, EditError> {
    let json = checked(json)?;
    let mut scanner = Scanner { json, at: 0 };
    scanner.space();
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if !scanner.enter(&segment) {
            return Ok(Added::NoObject);
        }
    }
    if !scanner.take(b'{') {
        return Ok(Added::NoObject);
    }
    let start = scanner.at;
    let mut is_empty = true;
    while let Some(key) = scanner.key() {
        is_empty = false;
        if scanner.text(key).as_deref() == Some(name) {
            return Ok(Added::Taken);
        }
        scanner.skip();
        scanner.separator();
    }
    let member = |text: &str| serde_json::to_string(text).map_err(|_| EditError::NotJson);
    let comma = if is_empty { "" } else { "," };
    let member = format!("{}:{}{comma}", member(name)?, member(text)?);
    if json.len() + member.len() > limit {
        return Err(EditError::TooLarge(limit));
    }
    Ok(Added::Text([&json[..start], &member, &json[start..]].concat().into_bytes()))
}

/// Result of [`add_member`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// The text with the member.
    Text(Vec<u8>),
    /// There is no object at the pointer.
    NoObject,
    /// The object has such a member.
    Taken,
}

/// Text that is valid JSON, so code that walks over it needs no further checks.
fn checked(json: &[u8]) -> Result<&str, EditError> {
    let json = std::str::from_utf8(json).map_err(|_| EditError::NotJson)?;
    serde_json::from_str::<IgnoredAny>(json).map_err(|_| EditError::NotJson)?;
    Ok(json)
}

/// Walks over valid JSON. Between calls, the position is at the first byte of a value or after a
/// value.
struct Scanner<'a> {
    json: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// The range of a string with its quotation marks.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        let end = end_of_string(self.json.as_bytes(), start + 1);
        self.at = end.unwrap_or(self.json.len());
        start..self.at
    }

    /// Text of a string; `None` if it contains an unpaired surrogate.
    fn text(&self, range: Range<usize>) -> Option<std::borrow::Cow<'_, str>> {
        let quoted = &self.json[range];
        match quoted.contains('\\') {
            false => Some(quoted[1..quoted.len() - 1].into()),
            true => serde_json::from_str::<String>(quoted).ok().map(Into::into),
        }
    }

    /// Skips a value.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => drop(self.string()),
                Some(b'[' | b'{') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b']' | b'}') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b']' | b'}') | None if depth == 0 => return,
                None => return,
                Some(_) => self.at += 1,
            }
            if depth == 0
                && matches!(self.json.as_bytes().get(self.at - 1), Some(b'"' | b']' | b'}'))
            {
                return;
            }
        }
    }

    /// The name of the next member, up to its value; `None` and past the end of the object if there
    /// is none.
    fn key(&mut self) -> Option<Range<usize>> {
        self.space();
        if self.take(b'}') {
            return None;
        }
        let key = self.string();
        self.space();
        self.take(b':');
        self.space();
        Some(key)
    }

    /// Past what separates elements or members.
    fn separator(&mut self) {
        self.space();
        self.take(b',');
        self.space();
    }

    /// Goes to a member or an element of the value. Of several members of a name the last counts.
    fn enter(&mut self, segment: &str) -> bool {
        let mut found = None;
        if self.take(b'{') {
            while let Some(key) = self.key() {
                if self.text(key).as_deref() == Some(segment) {
                    found = Some(self.at);
                }
                self.skip();
                self.separator();
            }
        } else if self.take(b'[') {
            let Ok(index) = segment.parse::<usize>() else { return false };
            self.space();
            for at in 0_usize.. {
                if self.peek().is_none_or(|byte| byte == b']') {
                    break;
                }
                if at == index {
                    found = Some(self.at);
                    break;
                }
                self.skip();
                self.separator();
            }
        }
        found.map(|at| self.at = at).is_some()
    }
}

struct Edit<'a, F> {
    scanner: Scanner<'a>,
    changed: Vec<u8>,
    /// Up to here the text was copied.
    copied: usize,
    limit: usize,
    stop: &'a Stop,
    replace: &'a mut F,
}

impl<F> Edit<'_, F> {
    fn value<T, E: From<EditError>>(&mut self, places: &[&Places<T>]) -> Result<(), E>
    where
        F: FnMut(&[&T], &str) -> Result<Option<String>, E>,
    {
        if self.stop.is_set() {
            return Err(EditError::Stopped.into());
        }
        self.scanner.space();
        if places.is_empty() {
            self.scanner.skip();
            return Ok(());
        }
        match self.scanner.peek() {
            Some(b'"') => {
                let range = self.scanner.string();
                self.text(places, range)?;
            }
            Some(b'{') => {
                self.scanner.at += 1;
                let mut below = Vec::new();
                while let Some(key) = self.scanner.key() {
                    below.clear();
                    below.extend(places.iter().filter_map(|place| place.each.as_deref()));
                    if places.iter().any(|place| !place.named.is_empty())
                        && let Some(key) = self.scanner.text(key)
                    {
                        let named = places.iter().flat_map(|place| &place.named);
                        below.extend(named.filter(|(own, _)| *own == key).map(|(_, place)| place));
                    }
                    self.value(&below)?;
                    self.scanner.separator();
                }
            }
            Some(b'[') => {
                self.scanner.at += 1;
                self.scanner.space();
                let mut below = Vec::new();
                for index in 0_usize.. {
                    if self.scanner.take(b']') {
                        break;
                    }
                    below.clear();
                    below.extend(places.iter().filter_map(|place| place.each.as_deref()));
                    let named = places.iter().flat_map(|place| &place.named);
                    let is_own = |name: &str| name.parse() == Ok(index);
                    below.extend(named.filter(|(own, _)| is_own(own)).map(|(_, place)| place));
                    self.value(&below)?;
                    self.scanner.separator();
                }
            }
            _ => self.scanner.skip(),
        }
        Ok(())
    }

    fn text<T, E: From<EditError>>(
        &mut self,
        places: &[&Places<T>],
        range: Range<usize>,
    ) -> Result<(), E>
    where
        F: FnMut(&[&T], &str) -> Result<Option<String>, E>,
    {
        let here: Vec<&T> = places.iter().flat_map(|place| &place.here).collect();
        if here.is_empty() || range.len() == 2 {
            return Ok(());
        }
        // A secret that cannot be read cannot be replaced either.
        let text = self.scanner.text(range.clone()).ok_or(EditError::NotJson)?;
        let Some(replaced) = (self.replace)(&here, &text)? else { return Ok(()) };
        let replaced = serde_json::to_vec(&replaced).map_err(|_| EditError::NotJson)?;
        let before = &self.scanner.json.as_bytes()[self.copied..range.start];
        if self.changed.len() + before.len() + replaced.len() > self.limit {
            return Err(EditError::TooLarge(self.limit).into());
        }
        self.changed.extend_from_slice(before);
        self.changed.extend_from_slice(&replaced);
        self.copied = range.end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn replaced(json: &str, pointers: &[&str], limit: usize) -> Result<Option<String>, EditError> {
        let mut places = Places::default();
        for pointer in pointers {
            places.add(pointer, *pointer);
        }
        let stop = Stop::default();
        replace_texts(json.as_bytes(), &places, limit, &stop, |_, text| {
            Ok::<_, EditError>(text.starts_with('x').then(|| format!("<{text}>")))
        })
        .map(|text| text.map(|text| String::from_utf8(text).unwrap()))
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let depth = |json| Measure::of(json).depth;
        assert_eq!(depth(r#"{"a":"[[[{\"[","b":[1,{}]}"#), 3);
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"["a\\",["\\\"[[["]]"#), 2);
        for cut in [r#"["#, r#"["a"#, r#"["a\"#, r#"["\"["#] {
            assert_eq!(depth(cut), 1, "{cut}");
        }
    }

    #[test]
    fn small_values_count_more_than_their_text() {
        let weight = |json: &str| Measure::of(json).weight();
        assert_eq!(weight("1"), 1 + VALUE_OVERHEAD);
        assert!(weight(&"[0],".repeat(1_000)) > 250 * 1_000);
        assert!(weight(&format!("\"{}\"", ",".repeat(1_000))) < 1_500);
    }

    #[test]
    fn texts_are_replaced_and_everything_else_is_unchanged() {
        let json = r#" {"a" : "x1", "b":[ "x2",{"a":"x3"}, 1.50e0 ],"x":"x4","a":"x5"} "#;
        for (pointers, wanted) in [
            (
                &["/a"][..],
                r#" {"a" : "<x1>", "b":[ "x2",{"a":"x3"}, 1.50e0 ],"x":"x4","a":"<x5>"} "#,
            ),
            (
                &["/b/0", "/b/*/a"],
                r#" {"a" : "x1", "b":[ "<x2>",{"a":"<x3>"}, 1.50e0 ],"x":"x4","a":"x5"} "#,
            ),
            (&["/*"], r#" {"a" : "<x1>", "b":[ "x2",{"a":"x3"}, 1.50e0 ],"x":"<x4>","a":"<x5>"} "#),
        ] {
            assert_eq!(replaced(json, pointers, 1_000).unwrap().as_deref(), Some(wanted));
        }
        assert_eq!(replaced(json, &["/b", "/c", "/b/2", "/b/7", "/b/a", ""], 1_000), Ok(None));
        assert_eq!(
            replaced(r#"{"a/b~":"x"}"#, &["/a~1b~0"], 99).unwrap().unwrap(),
            r#"{"a/b~":"<x>"}"#
        );
        assert_eq!(
            replaced(r#"{"\u0061":"\u0078"}"#, &["/a"], 99).unwrap().unwrap(),
            r#"{"\u0061":"<x>"}"#
        );
        assert_eq!(replaced(r#""x""#, &[""], 99).unwrap().unwrap(), r#""<x>""#);
        assert_eq!(replaced(r#"["x","x"]"#, &["/*"], 12), Err(EditError::TooLarge(12)));
        for broken in ["{", r#"{"a":"x"} 1"#, r#"{"a":"\ud800"}"#, "\u{feff}{}"] {
            assert_eq!(replaced(broken, &["/a"], 99), Err(EditError::NotJson), "{broken}");
        }
    }

    #[test]
    fn a_member_is_added_once_and_only_to_an_object() {
        let add = |json: &str, pointer: &str| add_member(json.as_bytes(), pointer, "k", "\"", 60);
        let text = |text: &str| Ok(Added::Text(text.as_bytes().to_vec()));
        assert_eq!(add("{}", ""), text(r#"{"k":"\""}"#));
        assert_eq!(
            add(r#" { "a":[0,{ "b":1.0}]}"#, "/a/1"),
            text(r#" { "a":[0,{"k":"\"", "b":1.0}]}"#)
        );
        assert_eq!(add(r#"{"a":1,"a":{}}"#, "/a"), text(r#"{"a":1,"a":{"k":"\""}}"#));
        assert_eq!(add(r#"{"\u006b":1}"#, ""), Ok(Added::Taken));
        for (json, pointer) in
            [("[]", ""), ("1", ""), ("{}", "/a"), (r#"{"a":[]}"#, "/a/0"), (r#"{"a":"{"}"#, "/a")]
        {
            assert_eq!(add(json, pointer), Ok(Added::NoObject), "{json} {pointer}");
        }
        assert_eq!(add("", ""), Err(EditError::NotJson));
        assert_eq!(
            add(&format!("{{\"a\":\"{}\"}}", "a".repeat(50)), ""),
            Err(EditError::TooLarge(60))
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<i32>().prop_map(|number| json!(number)),
            "[x\\\\\"{\\[\\]},: é]{0,4}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec(("[ab\"]", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn only_replaced_texts_change(json in any_json()) {
            for pointer in ["", "/*", "/a", "/a/*", "/*/*", "/0/b", "/*/a/1"] {
                for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                    let changed = replaced(&text, &[pointer], 10_000).unwrap();
                    let mut wanted = json.clone();
                    let segments: Vec<&str> = pointer.split('/').skip(1).collect();
                    reference(&mut wanted, &segments);
                    let changed = changed.unwrap_or(text);
                    prop_assert_eq!(&serde_json::from_str::<Value>(&changed).unwrap(), &wanted);
                }
            }
        }
    }

    /// The same on a tree.
    fn reference(value: &mut Value, segments: &[&str]) {
        match (value, segments) {
            (Value::String(text), []) if text.starts_with('x') => *text = format!("<{text}>"),
            (Value::Array(list), ["*", rest @ ..]) => {
                list.iter_mut().for_each(|one| reference(one, rest))
            }
            (Value::Object(all), ["*", rest @ ..]) => {
                all.values_mut().for_each(|one| reference(one, rest))
            }
            (Value::Array(list), [index, rest @ ..]) => {
                if let Some(one) = index.parse().ok().and_then(|index: usize| list.get_mut(index)) {
                    reference(one, rest);
                }
            }
            (Value::Object(all), [name, rest @ ..]) => {
                if let Some(one) = all.get_mut(*name) {
                    reference(one, rest);
                }
            }
            _ => {}
        }
    }
}
