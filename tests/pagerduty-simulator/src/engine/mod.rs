//! The behavior of operations that follows from the facts alone: collections that can be listed,
//! read, added to, changed, and emptied; single documents that can be read and written; references
//! that can be added and removed. It must not depend on any resource.

pub(crate) mod audit;
pub(crate) mod documents;
pub(crate) mod lists;
pub(crate) mod parents;
pub(crate) mod references;

pub(crate) use parents::parents;

use crate::errors::Refusal;
use crate::facts::{self, Basic, Field, Operation};
use crate::judge::Call;
use crate::reply::Reply;

/// The effect of an operation on its collection or document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    List,
    Get,
    Create,
    /// Creates one object for each item of the body.
    CreateMany,
    /// Adds a reference to an existing object to a collection.
    Associate,
    Update,
    Delete,
    ReadSingle,
    WriteSingle,
    DeleteSingle,
}

/// The plan that follows from the facts; none for verbs, which need code.
pub(crate) fn plan(operation: &Operation) -> Option<Plan> {
    let names_one = operation.path.ends_with('}');
    Some(match operation.method.as_str() {
        "GET" if names_one => Plan::Get,
        "GET" if operation.is_list() => Plan::List,
        "GET" => Plan::ReadSingle,
        "PUT" | "PATCH" if names_one => Plan::Update,
        "PUT" => Plan::WriteSingle,
        "DELETE" if names_one => Plan::Delete,
        "DELETE" => Plan::DeleteSingle,
        "POST" if !names_one && is_collection(&operation.path) => match root(operation) {
            Some(field) if field.is_list() => Plan::CreateMany,
            Some(field) if field.is_reference() => Plan::Associate,
            _ => Plan::Create,
        },
        _ => return None,
    })
}

/// Whether a path is a collection of objects.
fn is_collection(path: &str) -> bool {
    let below = |other: &str| {
        other.strip_prefix(path).is_some_and(|rest| {
            rest.strip_prefix("/{").is_some_and(|rest| rest.ends_with('}') && !rest.contains('/'))
        })
    };
    facts::operations().iter().any(|operation| {
        below(&operation.path)
            || (operation.path == path && operation.method == "GET" && operation.is_list())
    })
}

/// The only member of the body that holds the object, if there is one.
pub(crate) fn root(operation: &Operation) -> Option<&Field> {
    let fields = &operation.body.as_ref()?.fields;
    let mut records = fields.iter().filter(|field| field.kind() == Basic::Record);
    match (records.next(), fields.len()) {
        (Some(field), 1) => Some(field),
        _ => None,
    }
}

/// Carries out an operation by its plan.
pub(crate) fn carry_out(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let plan = plan(call.operation);
    match plan {
        Some(Plan::List) => lists::list(call),
        Some(Plan::Get) => documents::get(call),
        Some(Plan::Create) => documents::create(call),
        Some(Plan::CreateMany) => documents::create_many(call),
        Some(Plan::Associate) => references::associate(call),
        Some(Plan::Update) => documents::update(call),
        Some(Plan::Delete) => documents::delete(call),
        Some(Plan::ReadSingle) => documents::read_single(call),
        Some(Plan::WriteSingle) => documents::write_single(call),
        Some(Plan::DeleteSingle) => documents::delete_single(call),
        // A test ensures that every verb has a function.
        None => Err(Refusal::coded(501, 2000, "Not simulated")),
    }
}
