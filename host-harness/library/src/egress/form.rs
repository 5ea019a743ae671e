//! Bodies of the type `application/x-www-form-urlencoded`: finds, adds, and replaces fields.
//! Callers decide which ones may be written.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::form_urlencoded::{byte_serialize, parse};

use crate::json::EditError;

/// Whether the body of a request is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|value| {
        let value = value.as_bytes();
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// The field that a pointer (RFC 6901) names; `None` for the pointer to a member of a member.
pub(super) fn field(pointer: &str) -> Option<String> {
    let name = pointer.strip_prefix('/').filter(|name| !name.contains('/'))?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

/// Whether a form has a field.
pub(super) fn has(body: &[u8], name: &str) -> bool {
    parse(body).any(|(field, _)| field == name)
}

/// The form with one more field.
pub(super) fn with(body: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut form = body.to_vec();
    if !form.is_empty() {
        form.push(b'&');
    }
    append(&mut form, name, value);
    form
}

/// The form with the values that `replace` gives, `None` where it gives none. `most` bytes.
pub(super) fn replaced<E: From<EditError>>(
    body: &[u8],
    most: usize,
    mut replace: impl FnMut(&str, &str) -> Result<Option<String>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let mut form = Vec::with_capacity(body.len());
    let mut any = false;
    for (name, value) in parse(body) {
        let new = replace(&name, &value)?;
        any |= new.is_some();
        if !form.is_empty() {
            form.push(b'&');
        }
        append(&mut form, &name, &new.map_or(value, Cow::Owned));
        if form.len() > most {
            return Err(EditError::TooLarge(most).into());
        }
    }
    Ok(any.then_some(form))
}

fn append(form: &mut Vec<u8>, name: &str, value: &str) {
    byte_serialize(name.as_bytes()).for_each(|part| form.extend_from_slice(part.as_bytes()));
    form.push(b'=');
    byte_serialize(value.as_bytes()).for_each(|part| form.extend_from_slice(part.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_known_by_its_content_type() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_form(&headers)
        };
        assert!(of("application/x-www-form-urlencoded"));
        assert!(of("Application/X-WWW-Form-Urlencoded ; charset=utf-8"));
        assert!(!of("application/json") && !of("text/x-www-form-urlencoded"));
        assert!(!is_form(&HeaderMap::new()));
    }

    #[test]
    fn fields_are_added_and_replaced_whatever_they_hold() {
        assert_eq!(field("/a~1b~0").as_deref(), Some("a/b~"));
        assert_eq!((field("/a/b"), field("a")), (None, None));
        assert_eq!(with(b"", "to ken", "a&b=\u{e9}"), b"to+ken=a%26b%3D%C3%A9");
        assert_eq!(with(b"a=1", "b", ""), b"a=1&b=");
        assert!(has(b"a=1&to%20ken=x", "to ken") && !has(b"a=token", "token"));
        let body = b"a=secret%3A1&b=+x&c";
        let new = |name: &str, value: &str| {
            Ok::<_, EditError>((name == "a" && value == "secret:1").then(|| "p&w".to_owned()))
        };
        assert_eq!(replaced(body, 100, new).unwrap().unwrap(), b"a=p%26w&b=+x&c=");
        assert_eq!(replaced(b"b=1", 100, new).unwrap(), None);
        assert_eq!(replaced(body, 5, new), Err(EditError::TooLarge(5)));
    }
}
