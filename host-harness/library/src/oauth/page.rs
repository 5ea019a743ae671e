//! The page that a person lands on after the service. Plain and fixed: no script, nothing from
//! elsewhere, and no word of the callback. What it names comes from this side: the credential and
//! the rights.

use std::fmt::Write as _;

/// Contents of the page.
#[derive(Clone, Debug)]
pub struct Page {
    /// One line.
    pub title: String,
    /// A sentence or two.
    pub text: String,
    /// A list below it.
    pub points: Vec<String>,
    /// Whether it went well.
    pub success: bool,
}

impl Page {
    /// Something was connected, with these rights.
    pub fn connected(what: &str, account: &str, rights: &[String]) -> Self {
        let account =
            if account.is_empty() { String::new() } else { format!(" It acts for {account}.") };
        let rights_are = if rights.is_empty() { "" } else { " Granted permissions:" };
        Self {
            title: "Connected".to_owned(),
            text: format!("“{what}” is connected.{account}{rights_are}"),
            points: rights.to_vec(),
            success: true,
        }
    }

    /// It works, and is another account than before: somebody has to confirm that.
    pub fn to_confirm(what: &str) -> Self {
        Self {
            title: "Almost done".to_owned(),
            text: format!(
                "“{what}” would be connected to a different account than before. Confirm the \
                 change where you started."
            ),
            points: Vec::new(),
            success: false,
        }
    }

    /// The connection failed. The reason is shown where the user started.
    pub fn failed(what: &str) -> Self {
        Self {
            title: "Not connected".to_owned(),
            text: format!("“{what}” was not connected. The reason is shown where you started."),
            points: Vec::new(),
            success: false,
        }
    }

    /// The page as HTML, for engines that show it themselves. To be sent with
    /// `Cache-Control: no-store` and `Referrer-Policy: no-referrer`.
    pub fn html(&self) -> String {
        let points: String = self.points.iter().fold(String::new(), |mut list, point| {
            write!(list, "<li>{}</li>", escaped(point)).expect("writing to a string does not fail");
            list
        });
        let list = if points.is_empty() { String::new() } else { format!("<ul>{points}</ul>") };
        let mark = if self.success { "#1a7f37" } else { "#b42318" };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"referrer\" content=\"no-referrer\"><title>{title}</title><style>\
             body{{font:17px/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;\
             padding:0 1.5rem;color:#1f2328;background:#fff}}h1{{font-size:1.5rem;\
             border-left:.4rem solid {mark};padding-left:.8rem}}li{{margin:.2rem 0}}\
             .end{{color:#6a737d}}\
             @media(prefers-color-scheme:dark){{body{{color:#e6edf3;background:#0d1117}}}}\
             </style></head><body><h1>{title}</h1><p>{text}</p>{list}\
             <p class=\"end\">You can close this page.</p></body></html>",
            title = escaped(&self.title),
            text = escaped(&self.text),
        )
    }
}

pub(crate) fn nothing_here() -> String {
    Page {
        title: "Nothing here".to_owned(),
        text: "This address only receives the callback of a service.".to_owned(),
        points: Vec::new(),
        success: false,
    }
    .html()
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn values_on_the_page_are_escaped() {
        let evil = "<script>alert(1)</script>\"'&\u{1b}";
        let html = Page::connected(evil, evil, &[evil.to_owned()]).html();
        assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
        assert_eq!(
            html.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count(),
            3
        );
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let html = Page::connected("work", "acme", &["See incidents.".to_owned()]).html();
        for part in ["src=", "href=", "http:", "https:", "@import", "onload", "<script", "<form"] {
            assert!(!html.contains(part), "{part}");
        }
    }
}
