//! Finds the operation of a method and a path. It must not depend on what operations do.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::errors::Refusal;
use crate::facts::{self, Operation};

/// One segment of a template.
enum Part {
    Literal(&'static str),
    /// Any non-empty value; one of these values if there are any.
    Capture(&'static [String]),
}

struct Template {
    parts: Vec<Part>,
    operation: &'static Operation,
}

/// An operation, with the values of its path parameters.
pub(crate) struct Matched {
    pub(crate) operation: &'static Operation,
    pub(crate) captures: Vec<String>,
}

/// Templates by their number of segments; literal segments take precedence over parameters.
fn templates() -> &'static HashMap<usize, Vec<Template>> {
    static TEMPLATES: OnceLock<HashMap<usize, Vec<Template>>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let mut templates: HashMap<usize, Vec<Template>> = HashMap::new();
        for operation in facts::operations() {
            let mut values = operation.path_parameters.iter();
            let parts: Vec<Part> = operation
                .path
                .split('/')
                .skip(1)
                .map(|segment| match segment.starts_with('{') {
                    true => Part::Capture(values.next().map_or(&[], |one| &one.values)),
                    false => Part::Literal(segment),
                })
                .collect();
            templates.entry(parts.len()).or_default().push(Template { parts, operation });
        }
        for alike in templates.values_mut() {
            alike.sort_by(specificity);
        }
        templates
    })
}

fn specificity(one: &Template, other: &Template) -> Ordering {
    let rank = |part: &Part| u8::from(matches!(part, Part::Capture(_)));
    one.parts.iter().map(rank).cmp(other.parts.iter().map(rank))
}

/// Finds the operation of a method and a path whose segments have been decoded one by one.
pub(crate) fn find(method: &str, segments: &[String]) -> Result<Matched, Refusal> {
    let mut allowed = BTreeSet::new();
    for template in templates().get(&segments.len()).map_or(&[][..], Vec::as_slice) {
        if let Some(captures) = captures(template, segments) {
            let operation = template.operation;
            if operation.method == method {
                return Ok(Matched { operation, captures });
            }
            if !operation.deprecated {
                allowed.insert(operation.method.as_str());
            }
        }
    }
    if allowed.is_empty() {
        Err(Refusal::not_found())
    } else {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        Err(Refusal::method_not_allowed(&allowed.join(", ")))
    }
}

fn captures(template: &Template, segments: &[String]) -> Option<Vec<String>> {
    let mut captures = Vec::new();
    for (part, segment) in template.parts.iter().zip(segments) {
        match part {
            Part::Literal(text) if text == segment => {}
            Part::Capture(values)
                if !segment.is_empty() && (values.is_empty() || values.contains(segment)) =>
            {
                captures.push(segment.clone());
            }
            _ => return None,
        }
    }
    Some(captures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<String> {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        find(method, &segments).ok().map(|matched| matched.operation.id.clone())
    }

    #[test]
    fn every_operation_is_found_by_its_own_path() {
        for operation in facts::operations() {
            let mut path = operation.path.clone();
            for parameter in &operation.path_parameters {
                let value = parameter.values.first().map_or("PX", String::as_str);
                path = path.replace(&format!("{{{}}}", parameter.name), value);
            }
            assert_eq!(found(&operation.method, &path).as_ref(), Some(&operation.id), "{path}");
        }
    }

    #[test]
    fn literal_segments_take_precedence_over_parameters() {
        assert_eq!(found("GET", "/incidents/types").as_deref(), Some("listIncidentTypes"));
        assert_eq!(found("GET", "/incidents/PX").as_deref(), Some("getIncident"));
        assert_eq!(found("PUT", "/users/me").as_deref(), Some("updateUser"));
        assert_eq!(found("GET", "/users/PX/tags").as_deref(), Some("getEntityTypeByIdTags"));
        assert_eq!(found("GET", "/incidents/PX/tags"), None);
        assert_eq!(found("PUT", "/services/PX/enablements/flying"), None);
    }
}
