//! The component runs in every engine: it imports nothing beyond the contract and what a standard
//! library brings along, and none of it is asynchronous.

use end_to_end::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_component_imports_the_contract_and_the_standard_library_only() {
    let world = World::new().await;
    let surface = world.plugin.surface();
    for import in &surface.imports {
        let allowed = ["workflow:node/", "wasi:io/", "wasi:cli/", "wasi:clocks/", "wasi:random/"];
        assert!(allowed.iter().any(|prefix| import.starts_with(prefix)), "{import}");
        let version = import.rsplit_once('@').map(|(_, version)| version);
        assert!(version.is_some_and(|v| v == "0.1.0" || v.starts_with("0.2.")), "{import}");
    }
    for part in ["wasi:http", "wasi:sockets", "wasi:filesystem"] {
        assert!(!surface.imports.iter().any(|import| import.contains(part)), "{part}");
    }
    assert!(surface.exports("node") && surface.exports("credential-type"));
}

#[test]
fn the_component_is_small() {
    let size = std::fs::metadata(component_build::pagerduty()).unwrap().len();
    assert!(size <= 250_000, "the component has {size} bytes");
}
