//! The example nodes in `tests/plugins`, judged as their authors judge them.

#![allow(clippy::print_stderr, reason = "a test that is not run says so")]

use std::path::PathBuf;

use crate::support::World;

/// The component of an example in another language, or a sentence on standard error.
fn built(language: &str) -> Option<World> {
    let component = component_build::example(language);
    if component.is_none() {
        eprintln!(
            "!!! the example in {language} is not built, or older than its sources: ITS TEST WAS NOT \
             RUN. To build it, run: .ci/engines"
        );
        let required = std::env::var_os("REQUIRE_EXAMPLES").is_some();
        assert!(!required, "the example in {language} is required, and not built");
    }
    component.map(World::with)
}

fn plugins() -> PathBuf {
    component_build::workspace_root().join("tests/plugins")
}

/// Runs the cases of a directory, and each again with every fault at each request.
fn cases_pass(world: &World, directory: &str) {
    let directory = plugins().join(directory);
    let directory = directory.to_str().unwrap();
    let cases = world.harness(&["test", world.plugin(), directory]).expect(0);
    assert!(!cases.stdout.contains("\n0 cases"), "{cases}");
    world.harness(&["test", world.plugin(), directory, "--fault", "all"]).expect(0);
}

fn an_example_passes_every_check_and_its_cases(language: &str) {
    let Some(world) = built(language) else { return };
    let cases = plugins().join("cases");
    let cases = cases.to_str().unwrap();
    let args = ["check", world.plugin(), "--cases", cases, "--format", "json"];
    let report = world.harness(&args).expect(0).json();
    for check in report["checks"].as_array().unwrap() {
        // It has no lists in pages, no fields with choices, and no triggers.
        let reasons = check["not_judged"].to_string();
        let is_of_no_kind = reasons.contains("no action is of the kind")
            || reasons.contains("nothing")
            || reasons.contains("no trigger");
        assert!(check["status"] == "passed" || is_of_no_kind, "{check:#}");
    }
    cases_pass(&world, "cases");
}

#[test]
fn the_example_in_javascript_passes_every_check_and_its_cases() {
    an_example_passes_every_check_and_its_cases("javascript");
}

#[test]
fn the_example_in_python_passes_every_check_and_its_cases() {
    an_example_passes_every_check_and_its_cases("python");
}

#[test]
fn the_code_host_passes_its_cases() {
    cases_pass(&World::with(component_build::github()), "github/cases");
}
