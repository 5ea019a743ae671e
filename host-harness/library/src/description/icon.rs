//! The icon of a node. It is untrusted markup, so it is only ever shown as an image, in which no
//! script runs and nothing is fetched. What is checked here keeps readers of images safe; it does
//! not make the markup fit for a page.

use workflow_node_documents::ICON_LIMIT;

pub(super) fn check(icon: &str) -> Result<(), String> {
    if icon.len() > ICON_LIMIT {
        return Err(format!("the icon has {} bytes; the limit is {ICON_LIMIT}", icon.len()));
    }
    let refuse = |reason: &str| Err(format!("the icon is not SVG text: {reason}"));
    let Some(after) = icon.strip_prefix("<svg") else {
        return refuse("it does not begin with `<svg`");
    };
    let Some((tag, _)) = after.split_once('>') else {
        return refuse("its first tag does not end");
    };
    if !tag.starts_with(|symbol: char| symbol.is_ascii_whitespace() || symbol == '/') {
        return refuse("it does not begin with `<svg`, or has no namespace");
    }
    if !tag.contains("xmlns=\"http://www.w3.org/2000/svg\"") {
        return refuse("its first tag lacks xmlns=\"http://www.w3.org/2000/svg\"");
    }
    let is_alone = tag.ends_with('/') && icon.ends_with("/>") && icon.matches('<').count() == 1;
    if !is_alone && !icon.trim_ascii_end().ends_with("</svg>") {
        return refuse("it does not end with `</svg>`");
    }
    // A document type can define entities that expand without bounds.
    if icon.contains("<!") || icon.contains("<?") {
        return refuse("comments, document types, and processing instructions are not accepted");
    }
    if icon.chars().any(|symbol| symbol.is_control() && !symbol.is_ascii_whitespace()) {
        return refuse("it contains a control character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    const OPEN: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">"#;

    #[test]
    fn svg_text_is_accepted() {
        for icon in [
            format!("{OPEN}<path d=\"M0 0h1\"/></svg>"),
            format!("{OPEN}\n</svg>\n"),
            r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#.to_owned(),
        ] {
            assert_eq!(check(&icon), Ok(()), "{icon}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let large = format!("{OPEN}{}</svg>", " ".repeat(8 * 1024));
        for (icon, reason) in [
            ("", "begin"),
            ("iVBORw0KGgo", "begin"),
            ("<html><svg></svg></html>", "begin"),
            ("<svgx xmlns=\"http://www.w3.org/2000/svg\"></svgx>", "begin"),
            ("<svg></svg>", "namespace"),
            ("<svg viewBox=\"0 0 1 1\"></svg>", "xmlns"),
            ("<svg xmlns=\"http://www.w3.org/2000/svg\"", "end"),
            (&format!("{OPEN}<path/>"), "`</svg>`"),
            (&format!("{OPEN}<!-- --></svg>"), "comments"),
            (&format!("{OPEN}<!ENTITY a \"b\"></svg>"), "comments"),
            (&format!("{OPEN}<?xml-stylesheet href=\"https://a.test\"?></svg>"), "comments"),
            (&format!("{OPEN}\u{0}</svg>"), "control"),
            (&large, "the limit is 8192"),
        ] {
            let refused = check(icon).unwrap_err();
            assert!(refused.contains(reason), "{icon}: {refused}");
        }
    }
}
