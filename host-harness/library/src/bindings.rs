//! The contract's bindings, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "wit",
    world: "plugin",
    imports: { default: async | trappable },
    exports: { default: async },
    additional_derives: [Clone, PartialEq, serde::Deserialize, serde::Serialize],
});

/// The optional interface `trigger`, bound where a component exports it.
pub(crate) mod triggers {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package host:triggers;
            world triggers {
                export workflow:node/trigger@0.1.0;
            }
        ",
        world: "host:triggers/triggers",
        with: { "workflow:node/types@0.1.0": crate::bindings::workflow::node::types },
        exports: { default: async },
        additional_derives: [Clone, PartialEq, serde::Deserialize, serde::Serialize],
    });
}
