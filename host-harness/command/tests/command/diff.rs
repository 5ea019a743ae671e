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
    // Changes that an operator must approve come first.
    assert_eq!(changes[0]["rule"], "permission-added");
    assert!(changes.iter().any(|one| one["rule"] == "node-renamed" && one["step"] == "major"));

    let limited = world.harness(&["diff", world.plugin(), other, "--most", "minor"]).expect(1);
    limited.shows("permission-added");
    limited.shows(
        "The release needs a major version, and an operator has to approve new permissions.",
    );
}

#[test]
fn cases_that_a_build_runs_in_another_way_are_reported() {
    let world = World::with(component_build::guest("judged-node"));
    let cases = component_build::workspace_root().join("host-harness/testing/tests/check/cases");
    let cases = cases.to_str().unwrap();
    let same = ["diff", world.plugin(), world.plugin(), "--replay", cases];
    world.harness(&same).expect(0).shows("1 case run with both builds, 0 changed.");

    // The same description, and other requests.
    let bytes = std::fs::read(world.plugin()).unwrap();
    let mark = b"@@judged-mode@@";
    let at = bytes.windows(mark.len()).position(|part| part == mark).unwrap() + mark.len();
    let mut other = bytes;
    other[at..at + 5].copy_from_slice(b"cases");
    let path = world.path("other.wasm");
    std::fs::write(&path, other).unwrap();
    let args =
        ["diff", world.plugin(), path.to_str().unwrap(), "--replay", cases, "--format", "json"];
    let report = world.harness(&args).expect(0).json();
    assert_eq!(report["replayed"]["changed"], 1, "{report:#}");
    let changes = report["changes"].as_array().unwrap();
    let of = |rule: &str| changes.iter().find(|one| one["rule"] == rule).unwrap();
    let request = of("request-changed");
    assert_eq!(
        (&request["step"], &request["subject"]),
        (&"patch".into(), &"thing.get, case `thing`".into())
    );
    assert!(request["message"].as_str().unwrap().contains("?old=1, and was GET"), "{request:#}");
    assert_eq!(of("result-changed")["step"], "major");
    assert_eq!(report["step"], "major");
}
