//! The implementation of each operation: a specific function, or else the engine.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::engine;
use crate::errors::Refusal;
use crate::facts::Operation;
use crate::judge::Call;
use crate::reply::Reply;
use crate::resources;

/// Implements an operation that has been judged.
pub(crate) type Handler = fn(&mut Call<'_>) -> Result<Reply, Refusal>;

/// The implementation of this operation.
pub(crate) fn handler(operation: &Operation) -> Handler {
    own(&operation.id).unwrap_or(engine::carry_out)
}

/// The function for this operation, if there is one.
fn own(operation: &str) -> Option<Handler> {
    static HANDLERS: OnceLock<HashMap<&str, Handler>> = OnceLock::new();
    let handlers = HANDLERS.get_or_init(|| resources::handlers().collect());
    handlers.get(operation).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts;

    #[test]
    fn every_operation_has_an_implementation() {
        let nobody: Vec<&str> = facts::operations()
            .iter()
            .filter(|operation| !operation.deprecated)
            .filter(|one| own(&one.id).is_none() && engine::plan(one).is_none())
            .map(|operation| operation.id.as_str())
            .collect();
        assert_eq!(nobody, Vec::<&str>::new());
    }

    #[test]
    fn every_function_belongs_to_one_operation() {
        let mut seen = Vec::new();
        for (id, _) in resources::handlers() {
            let operation = facts::operation(id).unwrap_or_else(|| panic!("there is no {id}"));
            assert!(!operation.deprecated, "{id} is deprecated");
            assert!(!seen.contains(&id), "{id} is carried out twice");
            seen.push(id);
        }
    }
}
