//! Reading and building JSON. One reader reads everything into few types: each additional type or
//! reader would add code to the component, and serde's own messages for a value of the wrong type
//! alone add 25 kB of float formatting.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads any value; `None` if it is not JSON. Numbers keep their notation.
pub fn value(bytes: impl AsRef<[u8]>) -> Option<Value> {
    read(bytes.as_ref())
}

fn read(bytes: &[u8]) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_str(std::str::from_utf8(bytes).ok()?);
    let Tree(value) = Tree::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Reads an object; `None` for any other value.
pub fn object(bytes: impl AsRef<[u8]>) -> Option<Map<String, Value>> {
    match read(bytes.as_ref()) {
        Some(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// Reads JSON text from the code itself.
///
/// # Panics
///
/// If it is not JSON, which a test of the declaration finds.
pub fn constant(text: &str) -> Value {
    read(text.as_bytes()).expect("a declaration holds JSON text")
}

/// A value as compact JSON text. (Its `Display` would also compile in the pretty format.)
pub fn text(value: &Value) -> String {
    let Ok(text) = serde_json::to_string(value) else { unreachable!("a value can be written") };
    text
}

/// A builder for an object.
#[derive(Default)]
pub struct Object(Map<String, Value>);

impl Object {
    /// Creates an empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Creates an object with these members.
    pub fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Sets a member to a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.set(name, Value::String(text.to_owned()));
    }

    /// The object as a value.
    pub fn build(self) -> Value {
        Value::Object(self.0)
    }
}

/// A list of text values.
pub fn texts<T: AsRef<str>>(list: &[T]) -> Value {
    let mut values = Vec::with_capacity(list.len());
    for text in list {
        values.push(Value::from(text.as_ref()));
    }
    Value::Array(values)
}

/// The members of an object as raw JSON: numbers, order, and unknown fields are preserved.
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// The JSON text of a member.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        // Of two members with the same name, the last one counts, as in every other reader.
        self.0.iter().rev().find(|(candidate, _)| candidate == name).map(|(_, text)| *text)
    }

    /// The JSON text at a path of member names, separated by `/`; see [`at`].
    pub fn at(&self, path: &str) -> Option<&'a str> {
        let path = path.strip_prefix('/').unwrap_or(path);
        match path.split_once('/') {
            Some((name, rest)) => at(self.get(&unescaped(name))?, rest),
            None => self.get(&unescaped(path)),
        }
    }

    /// The JSON text of the only member whose value begins with this character: `{` for an object,
    /// `[` for a list. `None` if there are several, if it is an object without members, or if it
    /// reports an error.
    pub fn only(&self, begin: char) -> Option<&'a str> {
        let mut found = self.0.iter().filter(|(_, text)| text.starts_with(begin));
        let (Some((name, text)), None) = (found.next(), found.next()) else { return None };
        let is_empty = members(text.as_bytes()).is_some_and(|members| members.0.is_empty());
        (!is_empty && !matches!(&**name, "error" | "errors")).then_some(*text)
    }
}

/// The members of an object; `None` for any other value.
pub fn members(bytes: &[u8]) -> Option<Members<'_>> {
    let mut scanner = Scanner(std::str::from_utf8(bytes).ok()?);
    let mut members = Vec::new();
    let mut more = scanner.begins(b'{', b'}')?;
    while more {
        let quoted = scanner.value()?;
        let name = match value(quoted)? {
            Value::String(decoded) if decoded.len() + 2 != quoted.len() => Cow::Owned(decoded),
            _ => Cow::Borrowed(quoted.strip_prefix('"')?.strip_suffix('"')?),
        };
        if scanner.symbol()? != b':' {
            return None;
        }
        members.push((name, scanner.value()?));
        more = scanner.goes_on(b'}')?;
    }
    scanner.is_at_end().then_some(Members(members))
}

/// The raw value at a path of member names and positions, separated by `/`; the whole text for the
/// empty path. `~1` is a `/` in a name, `~0` a `~` (RFC 6901), and a leading `/` may be omitted.
pub fn at<'a>(text: &'a str, path: &str) -> Option<&'a str> {
    let mut value = text;
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(value);
    }
    for name in path.split('/') {
        value = match value.starts_with('[') {
            true => elements(value)?.get(name.parse::<usize>().ok()?).copied()?,
            false => members(value.as_bytes())?.get(&unescaped(name))?,
        };
    }
    Some(value)
}

/// A name, escaped for a path.
fn unescaped(name: &str) -> Cow<'_, str> {
    match name.contains('~') {
        true => Cow::Owned(name.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(name),
    }
}

/// The elements of an array as raw JSON; `None` for any other value.
pub fn elements(array: &str) -> Option<Vec<&str>> {
    let mut scanner = Scanner(array);
    let mut elements = Vec::new();
    let mut more = scanner.begins(b'[', b']')?;
    while more {
        elements.push(scanner.value()?);
        more = scanner.goes_on(b']')?;
    }
    scanner.is_at_end().then_some(elements)
}

/// A raw value without the white space around it; `None` if it is not JSON.
pub fn raw(bytes: &[u8]) -> Option<&str> {
    let mut scanner = Scanner(std::str::from_utf8(bytes).ok()?);
    let value = scanner.value()?;
    scanner.is_at_end().then_some(value)
}

/// Splits JSON text into its values without parsing them: serde_json finds where each one ends.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// The next value's text.
    fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (value, rest) = self.0.split_at_checked(values.byte_offset())?;
        self.0 = rest;
        Some(value)
    }

    /// The next symbol.
    fn symbol(&mut self) -> Option<u8> {
        self.skip_space();
        let first = *self.0.as_bytes().first()?;
        self.0 = self.0.get(1..)?;
        Some(first)
    }

    /// Consumes the opening symbol, and returns whether there is content before the closing one.
    fn begins(&mut self, open: u8, close: u8) -> Option<bool> {
        if self.symbol()? != open {
            return None;
        }
        self.skip_space();
        let is_empty = self.0.as_bytes().first() == Some(&close);
        if is_empty { self.symbol().map(|_| false) } else { Some(true) }
    }

    /// Consumes a comma (`true`) or the closing symbol (`false`).
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        match self.symbol()? {
            b',' => Some(true),
            symbol if symbol == close => Some(false),
            _ => None,
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.0.is_empty()
    }
}

/// The name under which serde_json passes a number in its original notation
/// (`arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";

/// Reads a [`Value`] as serde_json does, but never reports a wrong type.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Value, E> {
        unreachable!("numbers come as they were written")
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Tree(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Tree(value) = members.next_value()?;
            if name == NUMBER
                && let Value::String(digits) = &value
                && let Ok(number) = digits.parse()
            {
                return Ok(Value::Number(number));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_serde_json_reads_it() {
        for text in [
            r#"{"a":[1,-2,3.50,1e400,12345678901234567890123,true,false,null,"\u00e9\n\"x"],"b":{}}"#,
            " [ ] ",
            "0",
            "-0.0",
            r#""text""#,
            r#"{"a":1,"a":2}"#,
        ] {
            let theirs: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value(text).unwrap(), theirs, "{text}");
            assert_eq!(super::text(&theirs), theirs.to_string(), "{text}");
        }
        let deep = "[".repeat(100_000);
        for text in ["", "{", "[1,]", "{\"a\"}", "1 2", "nul", "\"\\x\"", "[1}", deep.as_str()] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(b"\"\xff\""), None);
    }

    #[test]
    fn a_number_keeps_its_notation() {
        // Except for an exponent, which serde_json writes as `e` with a sign.
        for number in ["12345678901234567890123", "1.10", "1e+2", "-0", "1e+400"] {
            assert_eq!(text(&value(number).unwrap()), number);
        }
    }

    #[test]
    fn members_keep_their_text() {
        let members =
            members(br#" { "a\"b" : 12345678901234567890123 , "c":[1, 2],"d":{} , "c":"\u00e9"} "#)
                .unwrap();
        assert_eq!(members.get("a\"b"), Some("12345678901234567890123"));
        assert_eq!(members.get("c"), Some(r#""\u00e9""#));
        assert_eq!(members.get("d"), Some("{}"));
        assert_eq!(members.get("e"), None);
        assert!(super::members(b"{}").is_some() && super::members(b" { } ").is_some());
    }

    #[test]
    fn elements_keep_their_text() {
        assert_eq!(elements("[]").unwrap(), [""; 0]);
        assert_eq!(
            elements(r#" [ 1.0,{"a" : [ ]} ,"x,]",null ] "#).unwrap(),
            ["1.0", r#"{"a" : [ ]}"#, r#""x,]""#, "null"]
        );
    }

    #[test]
    fn a_path_finds_a_value_at_any_depth() {
        let text = r#"{"a":{"b/c":[{"d~":1.0},{"d~":2}]},"":3,"e":null}"#;
        for (path, value) in [
            ("", Some(text)),
            ("a/b~1c/1/d~0", Some("2")),
            ("/a/b~1c/0/d~0", Some("1.0")),
            ("e", Some("null")),
            ("e/f", None),
            ("a/b~1c/2", None),
            ("a/b~1c/x", None),
            ("b", None),
        ] {
            assert_eq!(at(text, path), value, "{path}");
            if !path.is_empty() {
                assert_eq!(super::members(text.as_bytes()).unwrap().at(path), value, "{path}");
            }
        }
    }

    #[test]
    fn invalid_json_has_no_parts() {
        for text in ["", "[", "{", "[1", "[1 2]", "[1,]", "[,1]", "[1]x", "[1}", "{}", "[tru]"] {
            assert_eq!(elements(text), None, "{text}");
        }
        for text in [
            "",
            "[]",
            "{",
            r#"{"a""#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            r#"{1:1}"#,
            r#"{"a":1]"#,
            r#"{"a":1}}"#,
            r#"{"a" 1}"#,
        ] {
            assert!(members(text.as_bytes()).is_none(), "{text}");
        }
        for text in ["", "{\"a\":1", "1 2", "<html>"] {
            assert_eq!(raw(text.as_bytes()), None, "{text}");
        }
        assert_eq!(raw(b" {\"a\" : 1.0 }\n"), Some("{\"a\" : 1.0 }"));
    }
}
