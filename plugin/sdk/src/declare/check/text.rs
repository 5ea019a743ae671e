//! Text that the compiler can compare, slice, and join.

pub(super) const fn has_segment(path: &str, name: &str) -> bool {
    let path = path.as_bytes();
    let mut at = 0;
    while at < path.len() {
        let mut next = at;
        while next < path.len() && path[next] != b'/' {
            next += 1;
        }
        if next > at + 2 && path[at] == b'{' && is(part(path, at + 1, next - 1), name) {
            return true;
        }
        at = next + 1;
    }
    false
}

pub(super) const fn ends_with_parameter(path: &str) -> bool {
    matches!(path.as_bytes(), [.., b'}'])
}

pub(super) const fn contains(list: &[&str], text: &str) -> bool {
    let mut i = 0;
    while i < list.len() {
        if is(list[i], text) {
            return true;
        }
        i += 1;
    }
    false
}

pub(super) const fn is(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    // Names with the same beginning often differ at the end.
    let mut at = one.len();
    while at > 0 {
        at -= 1;
        if one[at] != other[at] {
            return false;
        }
    }
    true
}

pub(super) const fn part(bytes: &[u8], from: usize, to: usize) -> &str {
    let (before, _) = bytes.split_at(to);
    let (_, part) = before.split_at(from);
    match std::str::from_utf8(part) {
        Ok(text) => text,
        Err(_) => panic!("a path is cut at ASCII characters"),
    }
}

/// A message that the compiler can build.
pub(super) struct Message {
    bytes: [u8; 512],
    length: usize,
}

impl Message {
    pub(super) const fn new(before: &str, name: &str, after: &str) -> Self {
        Self { bytes: [0; 512], length: 0 }.and(before, name, after)
    }

    pub(super) const fn and(self, before: &str, name: &str, after: &str) -> Self {
        self.text(before).text(name).text(after)
    }

    pub(super) const fn text(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.length + text.len() <= self.bytes.len() {
            let mut i = 0;
            while i < text.len() {
                self.bytes[self.length] = text[i];
                self.length += 1;
                i += 1;
            }
        }
        self
    }

    /// Ends the build with the message and the remedy.
    pub(super) const fn fail(self, remedy: &str) -> ! {
        let message = self.text(remedy);
        panic!("{}", part(&message.bytes, 0, message.length))
    }
}
