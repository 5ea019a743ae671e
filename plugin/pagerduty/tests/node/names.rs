//! Names that workflows use do not change.

use pagerduty_declaration::node;

/// Actions with their parameters, one action per line. Add new names when they are released; change
/// a line only with an entry in the changelog.
const NAMES: &str = include_str!("names.txt");

#[test]
fn every_released_action_and_parameter_still_exists() {
    let mut missing = Vec::new();
    for line in NAMES.lines() {
        let (action, parameters) = line.split_once(':').expect("a line names an action");
        let Some(declared) = node().action(action) else {
            missing.push(action.to_owned());
            continue;
        };
        for parameter in parameters.split_whitespace() {
            if !declared.parameters.iter().any(|one| one.name == parameter && one.is_asked()) {
                missing.push(format!("{action}: {parameter}"));
            }
        }
    }
    assert!(NAMES.lines().count() > 450);
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
