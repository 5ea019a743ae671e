//! Filters by unknown IDs. A service answers a filter by an unknown ID with an empty list, and ignores
//! an unknown ID next to a known one. So an empty list is trusted only once the IDs in its filters are
//! known to exist, and so is a list by several IDs, unless its records contain them.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::resolve::{self, Lookup, Step};
use super::{Hooks, OutputItem, Task};
use crate::declare::{Param, Place, Reference};
use crate::error::Error;
use crate::executor::each_bounded;

/// How many IDs in the filters of a listing are looked up.
const CHECKED: usize = 20;

/// How many are looked up concurrently.
const LOOKUPS: usize = 8;

/// An ID in a filter.
struct Filter {
    at: Vec<Step>,
    reference: &'static Reference,
    lookup: Lookup,
    /// Whether the filter has other IDs, for which the service returns records.
    has_siblings: bool,
}

/// The IDs in the filters of a listing, except those that its records contain.
pub(crate) struct Filters(RefCell<Vec<Filter>>);

impl Filters {
    pub(crate) fn of(task: &Task) -> Self {
        let mut filters = Vec::new();
        let declared = task.action.parameters.iter().filter(|param| param.place != Place::Path);
        let mut at = Vec::new();
        for param in declared {
            collect(task, &[*param], &task.parameters, &mut at, &mut filters);
        }
        Self(RefCell::new(filters))
    }

    /// Notes that the IDs in these records exist.
    pub(crate) fn seen(&self, records: &[OutputItem]) {
        let mut filters = self.0.borrow_mut();
        for record in records {
            if !filters.iter().any(|filter| filter.has_siblings) {
                return;
            }
            for text in record.json.as_bytes().split(|byte| *byte == b'"') {
                filters.retain(|filter| filter.lookup.name.as_bytes() != text);
            }
        }
    }

    /// Looks up the other IDs, each once per execution. `is_empty`: there were no records.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `invalid-input` for the first ID that the service does not have. An
    /// ID that cannot be looked up counts as known.
    pub(crate) async fn check(self, task: &Task, is_empty: bool) -> Result<(), Error> {
        let mut filters = self.0.into_inner();
        filters.retain(|filter| is_empty || filter.has_siblings);
        filters.truncate(CHECKED);
        match first_unknown(task, filters).await {
            None => Ok(()),
            Some(filter) => {
                let mut message = resolve::unknown(filter.reference, &filter.lookup.name);
                if !is_empty {
                    message.push_str(
                        ". The service ignored it and returned the records for the other values",
                    );
                }
                Err(Error::invalid(resolve::pointer(&filter.at), message))
            }
        }
    }
}

/// The first ID that the service does not have.
async fn first_unknown(task: &Task, filters: Vec<Filter>) -> Option<Filter> {
    let mut unknown = Vec::new();
    each_bounded(
        filters,
        LOOKUPS,
        |_, filter| async move {
            let is_known = resolve::is_known(task, filter.reference, &filter.lookup).await;
            (filter, is_known)
        },
        |index, (filter, is_known)| {
            if !is_known {
                unknown.push((index, filter));
            }
        },
    )
    .await;
    unknown.into_iter().min_by_key(|(index, _)| *index).map(|(_, filter)| filter)
}

/// Collects the IDs in parameters and in their members.
fn collect(
    task: &Task,
    declared: &[&'static Param],
    given: &Map<String, Value>,
    at: &mut Vec<Step>,
    filters: &mut Vec<Filter>,
) {
    for param in declared {
        let Some(value) = given.get(param.name) else { continue };
        let reference = param.reference_beside(given);
        let reference = reference.and_then(|name| task.hooks.declaration.reference(name));
        at.push(Step::Member(param.name));
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        for (index, one) in list.iter().enumerate() {
            if value.is_array() {
                at.push(Step::Element(index));
            }
            match (one, reference) {
                (Value::Object(inner), _) => collect(task, param.members(), inner, at, filters),
                (Value::String(id), Some(reference)) => {
                    filters.extend(lookup(task.hooks, reference, id, &task.parameters).map(
                        |lookup| Filter {
                            at: at.clone(),
                            reference,
                            lookup,
                            has_siblings: list.len() > 1,
                        },
                    ));
                }
                _ => {}
            }
            if value.is_array() {
                at.pop();
            }
        }
        at.pop();
    }
}

/// How to look an ID up; `None` if it belongs to an object without a reference.
fn lookup(
    hooks: Hooks,
    reference: &'static Reference,
    id: &str,
    parameters: &Map<String, Value>,
) -> Option<Lookup> {
    let mut among = Vec::new();
    for parent in resolve::parents(hooks, reference) {
        among.push((parent, parameters.get(parent)?.as_str()?.to_owned()));
    }
    Some(Lookup { reference: reference.name, among, name: id.to_owned(), may_be_id: true })
}
