//! Inspects a component before any of it runs: its imports, its exports, and whether it is a
//! component at all.

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::error::Error;
use crate::imports::WASI_IMPORTS;

/// The package and the version of it that this host speaks.
pub(crate) const CONTRACT: &str = "workflow:node";
pub(crate) const CONTRACT_VERSION: &str = "0.1.0";

/// Largest component, in bytes. Compiling is not bounded otherwise.
const LARGEST: usize = 32 * 1024 * 1024;

/// Interfaces of the contract that a guest may import.
const OWN_IMPORTS: &[&str] = &["types", "completions", "timer", "http", "context"];
/// Interfaces that a guest must export.
const REQUIRED_EXPORTS: &[&str] = &["credential-type", "node"];

/// Imports and exports of a component.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Surface {
    /// Names of imported interfaces.
    pub imports: BTreeSet<String>,
    /// Names of exported interfaces.
    pub exports: BTreeSet<String>,
    /// Size of the file in bytes.
    pub size: usize,
}

impl Surface {
    /// Whether it exports an interface of the contract.
    pub fn exports(&self, interface: &str) -> bool {
        self.exports.contains(&format!("{CONTRACT}/{interface}@{CONTRACT_VERSION}"))
    }
}

/// Reads and judges the outside of a component.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Surface, Error> {
    if bytes.is_empty() {
        return Err(Error::refused("the file is empty"));
    }
    check_size(bytes.len() as u64)?;
    if bytes.starts_with(b"\x7fELF") {
        return Err(Error::refused(
            "the file is precompiled machine code (.cwasm), which is never loaded. Use the .wasm \
             file",
        ));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Error::refused("the file is not a WebAssembly component"));
    }
    if Parser::is_core_wasm(bytes) {
        return Err(Error::refused(
            "the file is a core module, not a component. Build it for wasm32-wasip2, or wrap it \
             with `wasm-tools component new`",
        ));
    }
    Validator::new_with_features(FEATURES).validate_all(bytes).map_err(|error| {
        let message = error.message();
        let reason = if message.contains("async") {
            "it uses async functions of the component model, which portable nodes must not use"
                .into()
        } else if let Some(proposal) = proposal(bytes) {
            format!(
                "it uses the WebAssembly proposal {proposal}, which this host does not support. \
                 Build it without that feature"
            )
        } else {
            MALFORMED.to_owned()
        };
        Error::refused_by(reason, error)
    })?;
    let surface = read(bytes)?;
    judge(&surface)?;
    Ok(surface)
}

/// WebAssembly features that components may use, for both the validator and the engine: those that
/// the supported toolchains emit (rustc and clang for wasm32-wasip2, TinyGo, componentize-js,
/// componentize-py). Every additional proposal exposes more code of wasmtime to untrusted input.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Proposals by their common names, with the features that each needs.
const PROPOSALS: &[(&str, WasmFeatures)] = &[
    ("threads", WasmFeatures::THREADS),
    ("memory64", WasmFeatures::MEMORY64),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("memory-control", WasmFeatures::MEMORY_CONTROL),
    ("reference-types with externref", WasmFeatures::GC_TYPES),
    ("exception-handling", WasmFeatures::EXCEPTIONS.union(WasmFeatures::GC_TYPES)),
    ("legacy exception-handling", WasmFeatures::LEGACY_EXCEPTIONS.union(WasmFeatures::GC_TYPES)),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", WasmFeatures::GC.union(WasmFeatures::FUNCTION_REFERENCES).union(WasmFeatures::GC_TYPES)),
    (
        "custom-descriptors",
        WasmFeatures::CUSTOM_DESCRIPTORS
            .union(WasmFeatures::GC)
            .union(WasmFeatures::FUNCTION_REFERENCES)
            .union(WasmFeatures::GC_TYPES),
    ),
    (
        "stack-switching",
        WasmFeatures::STACK_SWITCHING
            .union(WasmFeatures::EXCEPTIONS)
            .union(WasmFeatures::FUNCTION_REFERENCES)
            .union(WasmFeatures::GC_TYPES),
    ),
    (
        "shared-everything-threads",
        WasmFeatures::SHARED_EVERYTHING_THREADS
            .union(WasmFeatures::THREADS)
            .union(WasmFeatures::FUNCTION_REFERENCES)
            .union(WasmFeatures::GC)
            .union(WasmFeatures::GC_TYPES),
    ),
    ("compact-imports", WasmFeatures::COMPACT_IMPORTS),
    ("component-model values", WasmFeatures::CM_VALUES),
    ("component-model nested names", WasmFeatures::CM_NESTED_NAMES),
    ("component-model error-context", WasmFeatures::CM_ERROR_CONTEXT),
    ("component-model fixed-length lists", WasmFeatures::CM_FIXED_LENGTH_LISTS),
    ("component-model maps", WasmFeatures::CM_MAP),
    ("component-model 64-bit memories", WasmFeatures::CM64.union(WasmFeatures::MEMORY64)),
];

/// The proposal that a component uses beyond the features, where it is one alone.
fn proposal(bytes: &[u8]) -> Option<&'static str> {
    let validates = |features| Validator::new_with_features(features).validate_all(bytes).is_ok();
    let alone = PROPOSALS.iter().find(|(_, needs)| validates(FEATURES.union(*needs)));
    alone.map(|(name, _)| *name)
}

/// Refuses a file that is too large, before it is read.
pub(crate) fn check_size(size: u64) -> Result<(), Error> {
    if size > LARGEST as u64 {
        return Err(Error::refused(format!("the file has {size} bytes; the limit is {LARGEST}")));
    }
    Ok(())
}

const MALFORMED: &str = "the component is malformed";

fn read(bytes: &[u8]) -> Result<Surface, Error> {
    let mut surface =
        Surface { imports: BTreeSet::new(), exports: BTreeSet::new(), size: bytes.len() };
    let malformed = |error| Error::refused_by(MALFORMED, error);
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface.imports.insert(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    surface.exports.insert(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

fn judge(surface: &Surface) -> Result<(), Error> {
    let own = |name: &str| format!("{CONTRACT}/{name}@{CONTRACT_VERSION}");
    for import in &surface.imports {
        let known = OWN_IMPORTS.iter().any(|name| *import == own(name))
            || import.rsplit_once('@').is_some_and(|(name, version)| {
                WASI_IMPORTS.contains(&name) && version.starts_with("0.2.")
            });
        if known {
            continue;
        }
        if let Some(version) = contract_version(import).filter(|one| *one != CONTRACT_VERSION) {
            return Err(Error::refused(format!(
                "it is built for {CONTRACT}@{version}; this host supports \
                 {CONTRACT}@{CONTRACT_VERSION}"
            )));
        }
        return Err(Error::refused(format!(
            "it imports `{import}`, which hosts do not supply. A node can send requests only through \
             {CONTRACT}/http. It may also import cli, clocks, filesystem, http (outgoing), io, \
             random, and sockets of WASI 0.2, which have no effect. Build the component without \
             `{import}`"
        )));
    }
    for name in REQUIRED_EXPORTS {
        if surface.exports(name) {
            continue;
        }
        let other = surface
            .exports
            .iter()
            .filter(|export| export.starts_with(&format!("{CONTRACT}/{name}@")))
            .find_map(|export| contract_version(export));
        return Err(Error::refused(match other {
            Some(version) => format!(
                "it exports {CONTRACT}/{name}@{version}; this host supports \
                 {CONTRACT}@{CONTRACT_VERSION}"
            ),
            None => format!("it does not export `{}`, so it is not a workflow node", own(name)),
        }));
    }
    Ok(())
}

fn contract_version(name: &str) -> Option<&str> {
    let (interface, version) = name.rsplit_once('@')?;
    interface.strip_prefix(CONTRACT)?.starts_with('/').then_some(version)
}
