//! The only body that is not JSON: a form with a file. Reads as much of RFC 7578 as needed.

use serde_json::{Map, Value};

pub(crate) const CONTENT_TYPE: &str = "multipart/form-data";

/// The parts of a form by name, as text; none if it is malformed.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Option<Value> {
    let boundary = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    })?;
    let text = std::str::from_utf8(body).ok()?;
    let delimiter = format!("--{boundary}");
    let mut pieces = text.split(delimiter.as_str()).skip(1);
    let mut parts = Map::new();
    loop {
        let piece = pieces.next()?;
        if piece.starts_with("--") {
            return Some(Value::Object(parts));
        }
        let piece = piece.strip_prefix("\r\n")?.strip_suffix("\r\n")?;
        let (head, content) = piece.split_once("\r\n\r\n")?;
        let name = head.split(';').find_map(|parameter| {
            let value = parameter.trim().strip_prefix("name=")?;
            Some(value.split("\r\n").next().unwrap_or_default().trim_matches('"').to_owned())
        })?;
        parts.insert(name, Value::from(content));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_by_the_names_of_its_parts() {
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
                    Content-Type: text/csv\r\n\r\nhost,owner\r\nweb-1,ada\r\n--xyz--\r\n";
        let form = read("multipart/form-data; boundary=xyz", body.as_bytes()).unwrap();
        assert_eq!(form["file"], "host,owner\r\nweb-1,ada");
        assert!(read("multipart/form-data", body.as_bytes()).is_none());
        let broken = &body[..body.len() - 10];
        assert!(read("multipart/form-data; boundary=xyz", broken.as_bytes()).is_none());
    }
}
