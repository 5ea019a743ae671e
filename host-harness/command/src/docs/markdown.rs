//! Markdown that says what a plugin's texts say, and nothing that they would like it to do: as a
//! plugin is foreign, so are its words. Code spans between backticks stay what they are.

/// Text in a paragraph or a cell: one line, with its markup escaped.
pub(super) fn text(text: &str) -> String {
    let text = one_line(text);
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('`') {
        escape(before, &mut escaped);
        match after.split_once('`') {
            Some((inner, after)) => {
                escaped.push_str(&code(inner));
                rest = after;
            }
            None => {
                escaped.push_str("\\`");
                rest = after;
            }
        }
    }
    escape(rest, &mut escaped);
    // At the start of a line these would begin a heading, a list or a quotation.
    if escaped.starts_with(['#', '+', '-', '>', '=', '~']) {
        escaped.insert(0, '\\');
    }
    let digits = escaped.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && escaped[digits..].starts_with(['.', ')']) {
        escaped.insert(digits, '\\');
    }
    escaped
}

fn escape(text: &str, escaped: &mut String) {
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_in_word = |other: Option<char>| other.is_some_and(char::is_alphanumeric);
        let is_markup = match character {
            '\\' | '*' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '!' | '$' => true,
            // Inside of a word it is a letter like others: `incident_number`.
            '_' => !(is_in_word(before) && is_in_word(characters.peek().copied())),
            _ => false,
        };
        // An exclamation mark only means something before a bracket.
        let is_markup = is_markup && (character != '!' || characters.peek() == Some(&'['));
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
        before = Some(character);
    }
}

/// Code inside of a line, or of a cell.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    if text.is_empty() {
        return String::new();
    }
    if !text.contains('`') {
        return format!("`{text}`");
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    format!("{fence} {text} {fence}")
}

/// Code of several lines.
pub(super) fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", harmless(text.trim_end()))
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

/// An address of which a person may follow a link to: only `https`, and nothing that could end the
/// link.
pub(super) fn url(url: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"`\\".contains(&byte);
    if url.starts_with("https://") && url.bytes().all(is_plain) {
        format!("<{url}>")
    } else {
        code(url)
    }
}

/// A row of a table, of cells that are Markdown already.
pub(super) fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A table without one column of which every cell is empty.
pub(super) fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let shown: Vec<usize> = (0..headers.len())
        .filter(|column| rows.iter().any(|row| !row[*column].is_empty()))
        .collect();
    let pick = |cells: &[String]| -> Vec<String> {
        shown.iter().map(|column| cells[*column].clone()).collect()
    };
    let heads: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let mut text = row(&pick(&heads));
    text.push_str(&row(&vec!["---"; shown.len()]));
    for cells in rows {
        text.push_str(&row(&pick(cells)));
    }
    text
}

/// Points with a name each.
pub(super) fn points<T: AsRef<str>>(points: &[(T, String)]) -> String {
    let line = |(name, words): &(T, String)| format!("- **{}:** {words}\n", text(name.as_ref()));
    points.iter().map(line).collect()
}

/// The fragment that code hosts give a heading of this text.
pub(super) fn fragment(heading: &str) -> String {
    let heading = one_line(heading).to_lowercase();
    let kept = heading.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        other if other.is_alphanumeric() => Some(other),
        _ => None,
    });
    kept.collect()
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    harmless(&words.join(" "))
}

fn harmless(text: &str) -> String {
    crate::output::harmless(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_plugin_is_escaped_as_markup() {
        assert_eq!(text("a [link](x) <b> *c* | d"), "a \\[link\\](x) \\<b\\> \\*c\\* \\| d");
        assert_eq!(text("![x](https://spy.example)"), "\\!\\[x\\](https://spy.example)");
        assert_eq!(text("# no heading"), "\\# no heading");
        assert_eq!(text("1. no list"), "1\\. no list");
        assert_eq!(text("a\n\n- b"), "a - b");
        assert_eq!(text("&lt;"), "\\&lt;");
        assert_eq!(text("some_field, _em_"), "some_field, \\_em\\_");
        assert_eq!(text("fine! really."), "fine! really.");
    }

    #[test]
    fn code_spans_stay_and_what_is_left_open_opens_nothing() {
        assert_eq!(text("see `a|b_c` there"), "see `a\\|b_c` there");
        assert_eq!(text("a ` b"), "a \\` b");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(block("json", "a ``` b"), "````json\na ``` b\n````\n");
    }

    #[test]
    fn only_safe_addresses_become_links() {
        assert_eq!(url("https://a.example/x"), "<https://a.example/x>");
        assert_eq!(url("javascript:alert(1)"), "`javascript:alert(1)`");
        assert_eq!(url("https://a.example/> x"), "`https://a.example/> x`");
    }

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        let rows = vec![vec!["1".into(), String::new(), "3".into()]];
        assert_eq!(table(&["a", "b", "c"], &rows), "| a | c |\n| --- | --- |\n| 1 | 3 |\n");
    }

    #[test]
    fn fragments_are_those_of_code_hosts() {
        assert_eq!(fragment("Set custom fields, by name"), "set-custom-fields-by-name");
        assert_eq!(fragment("A service's key"), "a-services-key");
        assert_eq!(fragment("incident_note"), "incident_note");
    }
}
