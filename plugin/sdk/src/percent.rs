//! Percent-encoding (RFC 3986), so that a guest needs no URL library.

/// Appends `text` with all but the unreserved bytes encoded: safe as a path segment, and as the
/// name or the value of a query parameter.
pub fn encode_into(target: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                target.push(char::from(byte));
            }
            _ => {
                target.push('%');
                target.push(hex_digit(byte >> 4));
                target.push(hex_digit(byte & 15));
            }
        }
    }
}

fn hex_digit(number: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(number & 15)])
}

/// As [`encode_into`], into a new string.
pub fn encode(text: &str) -> String {
    let mut target = String::with_capacity(text.len());
    encode_into(&mut target, text);
    target
}

/// Whether `text` is valid as a path segment: a URL parser would drop `.` and `..`, however they
/// are encoded, and an empty segment names another resource.
pub fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
}

/// Appends `name=value` to a URL's query.
pub fn append_query(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    encode_into(url, name);
    url.push('=');
    encode_into(url, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_byte_is_encoded() {
        assert_eq!(encode("a b/../users/X?y=1#é"), "a%20b%2F..%2Fusers%2FX%3Fy%3D1%23%C3%A9");
    }

    #[test]
    fn dot_segments_are_not_valid_segments() {
        assert!(!is_segment("..") && !is_segment(".") && !is_segment("") && is_segment("P1"));
    }
}
