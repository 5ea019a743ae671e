//! Templates: `{{name}}` is replaced with text, and lines between `<<if CONDITION>>` and `<<end>>`
//! are written if the condition holds: `a|b` for one of two, `!a` for none. Blocks may be nested.

/// The values of a template.
pub(super) struct Values {
    pub(super) texts: Vec<(&'static str, String)>,
    pub(super) conditions: Vec<&'static str>,
}

impl Values {
    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: &str) -> bool {
        match condition.strip_prefix('!') {
            Some(condition) => !self.holds(condition),
            None => condition.split('|').any(|one| self.conditions.contains(&one)),
        }
    }

    /// A filled template.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut text = String::new();
        let mut blocks: Vec<bool> = Vec::new();
        for line in template.lines() {
            let mark = line.trim();
            if let Some(condition) =
                mark.strip_prefix("<<if ").and_then(|rest| rest.strip_suffix(">>"))
            {
                blocks.push(self.holds(condition));
            } else if mark == "<<end>>" {
                blocks.pop();
            } else if blocks.iter().all(|holds| *holds) {
                text.push_str(line);
                text.push('\n');
            }
        }
        for (name, value) in &self.texts {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_written_if_their_condition_holds() {
        let values = Values { texts: vec![("name", "lamp".into())], conditions: vec!["a", "hook"] };
        let template = "<<if a|b>>\n{{name}}\n<<if !hook>>\nno\n<<end>>\n  <<if hook>>\nyes {{index}}\n  <<end>>\n<<end>>\n<<if b>>\nno\n<<end>>\n";
        assert_eq!(values.fill(template), "lamp\nyes {{index}}\n");
    }
}
