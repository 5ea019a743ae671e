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
    assert!(size <= 620_000, "the component has {size} bytes");
}

#[test]
fn every_item_of_the_contract_is_documented_and_none_is_asynchronous() {
    use wit_parser::{FunctionKind, Resolve, TypeDefKind};
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(component_build::workspace_root().join("wit")).unwrap();
    let mut bare = Vec::new();
    let mut check = |docs: &wit_parser::Docs, name: String| {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            bare.push(name);
        }
    };
    assert!(resolve.interfaces.len() >= 8);
    for (_, interface) in &resolve.interfaces {
        let name = interface.name.clone().unwrap_or_default();
        check(&interface.docs, name.clone());
        for function in interface.functions.values() {
            check(&function.docs, format!("{name}.{}", function.name));
            assert!(
                matches!(function.kind, FunctionKind::Freestanding),
                "{name}.{} is asynchronous, or a method of a resource",
                function.name
            );
        }
    }
    for (_, definition) in &resolve.types {
        let Some(name) = definition.name.clone() else { continue };
        match &definition.kind {
            // A name that another interface's `use` brings in is documented there.
            TypeDefKind::Type(wit_parser::Type::Id(_)) => continue,
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    check(&field.docs, format!("{name}.{}", field.name));
                }
            }
            TypeDefKind::Enum(cases) => {
                for case in &cases.cases {
                    check(&case.docs, format!("{name}.{}", case.name));
                }
            }
            _ => {}
        }
        check(&definition.docs, name);
    }
    for (_, world) in &resolve.worlds {
        check(&world.docs, world.name.clone());
    }
    assert_eq!(bare, [""; 0], "items without a word of documentation");
}
