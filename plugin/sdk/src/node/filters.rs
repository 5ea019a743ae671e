//! Filters that name nothing. A service answers a filter by an unknown ID with an empty list, so an
//! empty list is trusted only once the IDs in its filters are known to exist.

use serde_json::{Map, Value};

use super::resolve::{self, Lookup, Step};
use super::{Hooks, Task};
use crate::declare::{Param, Place, Reference};
use crate::error::Error;
use crate::executor::each_bounded;

/// How many IDs of an empty listing's filters are looked up.
const CHECKED: usize = 20;

/// How many are looked up at once.
const LOOKUPS: usize = 8;

/// An ID in a filter.
struct Filter {
    at: Vec<Step>,
    reference: &'static Reference,
    lookup: Lookup,
}

/// Looks up what the filters of an empty listing name, each once per execution.
///
/// # Errors
///
/// Of kind `invalid-input`, for the first ID that the service does not know. An ID that cannot be
/// looked up counts as known.
pub(crate) async fn check(task: &Task) -> Result<(), Error> {
    let mut filters = Vec::new();
    let declared = task.action.parameters.iter().filter(|param| param.place != Place::Path);
    let mut at = Vec::new();
    for param in declared {
        collect(task, &[*param], &task.parameters, &mut at, &mut filters);
    }
    filters.truncate(CHECKED);
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
    match unknown.into_iter().min_by_key(|(index, _)| *index) {
        None => Ok(()),
        Some((_, filter)) => Err(Error::invalid(
            resolve::pointer(&filter.at),
            resolve::unknown(filter.reference, &filter.lookup.name),
        )),
    }
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
                    filters.extend(
                        lookup(task.hooks, reference, id, &task.parameters).map(|lookup| Filter {
                            at: at.clone(),
                            reference,
                            lookup,
                        }),
                    );
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

/// What looks an ID up; `None` where it is a part of something that is not named.
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
