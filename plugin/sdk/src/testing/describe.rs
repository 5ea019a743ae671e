//! The description of a node.

use workflow_node_documents::{CredentialTypes, Example, Node, Schema, Triggers};

use super::schemas;
use crate::node::{self, Plugin};

/// The description of a node: the documents that its component returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The node and its actions.
    pub node: Node,
    /// The credential types.
    pub credential_types: CredentialTypes,
    /// The triggers.
    pub triggers: Triggers,
}

/// The description of a node, validated against the schemas of the contract.
///
/// ```
/// # use workflow_node_sdk::{declare::*, node::{Declares, Plugin}};
/// use workflow_node_sdk::testing::describe;
/// # struct Weather;
/// # static NODE: Node = Node::builder("weather", "Weather", "Returns the weather of cities.")
/// #     .origins(&["https://api.test"])
/// #     .resources(&[Resource::new("city", "Cities", "Cities.", &[CITIES])]).build();
/// # static CITIES: &[Action] = &[Action::get("city.list", "/", "List cities", "Lists cities.")
/// #     .without_credential("https://api.test")];
/// # impl Plugin for Weather { fn declaration() -> &'static dyn Declares { &NODE } }
///
/// assert_eq!(describe::<Weather>().node.actions[0].name, "city.list");
/// ```
///
/// # Panics
///
/// If a document is not valid, or an action has no code.
pub fn describe<P: Plugin>() -> Description {
    Description {
        node: schemas::read(&node::describe::<P>(true)),
        credential_types: schemas::read(&node::credential_types::<P>()),
        triggers: schemas::read(&P::declaration().describe_triggers()),
    }
}

/// Checks everything about a node that needs no service: its documents, the code of its actions,
/// its examples against their forms, and declared records against their output schemas. A host
/// performs the same checks when it loads the component.
///
/// ```
/// # use workflow_node_sdk::{declare::*, node::{Declares, Plugin}};
/// # use workflow_node_sdk::{literal, testing::assert_sound};
/// # struct Weather;
/// # static NODE: Node = Node::builder("weather", "Weather", "Returns the weather of cities.")
/// #     .origins(&["https://api.test"])
/// #     .resources(&[Resource::new("city", "Cities", "Cities.", &[CITIES])]).build();
/// # static CITIES: &[Action] = &[Action::get("city.list", "/", "List cities", "Lists cities.")
/// #     .without_credential("https://api.test").examples(&[Example::new("All", literal!({}))])];
/// # impl Plugin for Weather { fn declaration() -> &'static dyn Declares { &NODE } }
///
/// assert_sound::<Weather>();
/// ```
///
/// # Panics
///
/// Panics at the first problem.
pub fn assert_sound<P: Plugin>() {
    let description = describe::<P>();
    let types = &description.credential_types.credential_types;
    for (name, slot) in &description.node.slots {
        for one in &slot.credential_types {
            assert!(
                types.iter().any(|known| known.name == *one),
                "the slot `{name}` takes the credential type `{one}`, which the node does not have. \
                 Correct the name in `Slot::new`, or return the type from \
                 `Plugin::credential_types`."
            );
        }
    }
    for action in &description.node.actions {
        check::<P>(&description.node, &action.name, &action.parameters, &action.examples);
    }
    for trigger in &description.triggers.triggers {
        check::<P>(&description.node, &trigger.name, &trigger.parameters, &trigger.examples);
    }
}

/// Checks the examples of an action or a trigger.
fn check<P: Plugin>(node: &Node, name: &str, parameters: &Schema, examples: &[Example]) {
    let form = schemas::validator(&node.schemas, parameters, name);
    let outputs = schemas::outputs::<P>();
    for example in examples {
        let what = format!("the example `{}` of `{name}`", example.title);
        schemas::assert_example(&form, &example.parameters, &what);
        if let (Some(validator), Some(output)) = (outputs.get(name), &example.output) {
            schemas::assert_fits(validator, output, &format!("the output of {what}"));
        }
    }
}
