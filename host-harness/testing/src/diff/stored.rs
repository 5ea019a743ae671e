//! Parameters that workflows may have stored: generated from the old schema, validated by the new
//! one. They find what a comparison of fields cannot, such as patterns, bounds, and conditions.

use serde_json::{Map, Value};
use workflow_node_documents::Schema;

use super::{Changes, Step};
use crate::sample::{Fill, Fits, Sampler};

/// How many different sets of parameters are generated.
const SETS: u64 = 100;

pub(super) fn parameters(
    name: &str,
    (old, old_shared): (&Schema, &Map<String, Value>),
    (new, new_shared): (&Schema, &Map<String, Value>),
    changes: &mut Changes,
) {
    if old.text() == new.text() && old_shared == new_shared {
        return;
    }
    let (Ok(was), Ok(is)) = (Fits::new(old_shared, old), Fits::new(new_shared, new)) else {
        return;
    };
    let text = |name: &str| format!("text of {name}");
    let fills = [Fill::Required, Fill::All].into_iter().chain((0..SETS).map(Fill::Chosen));
    for fill in fills {
        let sampler = Sampler { shared: old_shared, fill, text: &text };
        let parameters = sampler.value("", old);
        if was.problem(&parameters).is_some() {
            continue;
        }
        if let Some(problem) = is.problem(&parameters) {
            let message = format!("parameters that were valid are not: {parameters}. {problem}");
            return changes.add("stored-parameters", Step::Major, name, message);
        }
    }
}
