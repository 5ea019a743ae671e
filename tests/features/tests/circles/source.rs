//! Finds the paths in a Rust source that begin at the root of its crate. A small scanner suffices:
//! formatted code has no path that it could mistake.

use std::collections::BTreeMap;

/// The code of a source, without comments, the contents of literals, and modules of tests.
pub(crate) fn code(text: &str) -> String {
    without_tests(&without_literals(text))
}

fn without_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest, code.chars().last());
        if length > 0 {
            code.push(' ');
        } else {
            code.push(first);
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    code
}

/// Length of the comment or literal that a text begins with; 0 if it does not.
fn literal(text: &str, before: Option<char>) -> usize {
    let is_word = |one: char| one.is_alphanumeric() || one == '_';
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if text.starts_with('r') && !before.is_some_and(is_word) {
        let hashes = text[1..].chars().take_while(|one| *one == '#').count();
        if text[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            return text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len());
        }
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    // A character, and not a lifetime.
    let mut characters = text.chars();
    if characters.next() == Some('\'') {
        let (first, second) = (characters.next(), characters.next());
        if first == Some('\\') || (first.is_some() && second == Some('\'')) {
            return quoted(text, '\'');
        }
    }
    0
}

fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            one if one == quote => return at + one.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) =
        ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|it| rest.find(it)).min()
    {
        kept.push_str(&rest[..at]);
        let after = &rest[at..];
        // An attribute on something else than a module with a body ends before the next brace.
        let open = after.find('{').unwrap_or(after.len());
        let is_module = after[..open].trim_end().rsplit(']').next().is_some_and(|item| {
            let item = item.trim_start();
            item.starts_with("mod ") && !item.contains(';')
        });
        let length = match is_module {
            true => open + block(&after[open..]),
            false => after.find(']').map_or(after.len(), |end| end + 1),
        };
        rest = &after[length..];
    }
    kept.push_str(rest);
    kept
}

/// Length of a block in braces.
fn block(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, one) in code.char_indices() {
        match one {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + one.len_utf8();
        }
    }
    code.len()
}

fn word(code: &str) -> &str {
    let end = code.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(code.len());
    &code[..end]
}

/// The first names after a path to the root: of `one::Two` or `{one::Two, three}`.
fn first_names(code: &str) -> Vec<String> {
    let Some(group) = code.strip_prefix('{') else { return vec![word(code).to_owned()] };
    let mut names = Vec::new();
    let (mut depth, mut is_first) = (0_usize, true);
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            one if is_first && !one.is_whitespace() => {
                names.push(word(&group[at..]).to_owned());
                is_first = false;
            }
            _ => {}
        }
    }
    names
}

/// The names at the root of the crate that code uses. `depth`: how many modules the code is below it.
pub(crate) fn paths(code: &str, depth: usize) -> Vec<String> {
    let above = "super::".repeat(depth);
    let mut names = Vec::new();
    for root in ["crate::", &above] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().last();
            let is_part =
                before.is_some_and(|one| one.is_alphanumeric() || one == '_' || one == ':');
            if !is_part {
                names.extend(first_names(&code[at + root.len()..]));
            }
        }
    }
    names
}

/// The names that the root of a crate re-exports, with the module that each is from.
pub(crate) fn re_exports(code: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in code.split(';') {
        let Some((_, path)) = statement.rsplit_once("use ") else { continue };
        let Some((module, rest)) = path.trim().split_once("::") else { continue };
        let module = module.trim();
        if module.contains(['{', '}', ' ']) || matches!(module, "crate" | "self" | "super") {
            continue;
        }
        let words = rest.split(|one: char| !one.is_alphanumeric() && one != '_');
        for name in words.filter(|name| !name.is_empty()) {
            names.insert(name.to_owned(), module.to_owned());
        }
    }
    names
}
