use crate::support::World;

#[test]
fn a_release_is_compared_with_the_one_before() {
    let world = World::with(component_build::guest("minimal-node"));
    let same = world.harness(&["diff", world.plugin(), world.plugin()]).expect(0);
    same.shows("0 changes. The release needs a patch version.");

    let other = component_build::guest("service-node");
    let other = other.to_str().unwrap();
    let report = ["diff", world.plugin(), other, "--format", "json"];
    let report = world.harness(&report).expect(0).json();
    assert_eq!(report["step"], "major");
    assert_eq!(report["needs_approval"], true);
    let changes = report["changes"].as_array().unwrap();
    // What an operator has to approve again is first.
    assert_eq!(changes[0]["rule"], "permission-added");
    assert!(changes.iter().any(|one| one["rule"] == "node-renamed" && one["step"] == "major"));

    let limited = world.harness(&["diff", world.plugin(), other, "--most", "minor"]).expect(1);
    limited.shows("permission-added");
    limited.shows(
        "The release needs a major version, and an operator has to approve new permissions.",
    );
}
