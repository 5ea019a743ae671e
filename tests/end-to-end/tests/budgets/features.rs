//! WebAssembly proposals that the host does not run, and the release of wasmtime that it needs.

use workflow_node_host::Host;

async fn refused(module: &str) -> String {
    let component = wat::parse_str(format!("(component (core module {module}))")).unwrap();
    let host = Host::builder().isolation(end_to_end::isolation()).build().unwrap();
    let error = host.load(component).await.unwrap_err();
    assert!(error.is_refused(), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_uses_a_proposal_is_refused_by_its_name() {
    for (proposal, module) in [
        ("threads", "(memory 1 1 shared)"),
        ("memory64", "(memory i64 1)"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("tail-call", "(func $f return_call $f)"),
        (
            "relaxed-simd",
            "(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)",
        ),
        (
            "wide-arithmetic",
            "(func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_s)",
        ),
        ("custom-page-sizes", "(memory 1 (pagesize 1))"),
        ("exception-handling", "(tag)"),
        ("function-references", "(type $t (func)) (func (param (ref $t)))"),
        ("gc", "(type (struct (field i32)))"),
        ("stack-switching", "(type $f (func)) (type (cont $f))"),
        ("reference-types with externref", "(table 1 externref)"),
    ] {
        let message = refused(module).await;
        assert!(
            message.contains(&format!("the WebAssembly proposal {proposal},")),
            "{proposal}: {message}"
        );
    }
    // Features that toolchains emit are accepted.
    for module in [
        "(memory 1) (func (param v128) (result v128) local.get 0 v128.not)",
        "(table 1 funcref) (func (result i32 i32) i32.const 1 i32.const 2)",
        "(memory 1) (data \"\") (func i32.const 0 i32.const 0 i32.const 0 memory.init 0 (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(func (param f64) (result i64) local.get 0 i64.trunc_sat_f64_s i64.extend32_s)",
    ] {
        let message = refused(module).await;
        assert!(message.contains("does not export"), "{module}: {message}");
    }
}

#[test]
fn wasmtime_is_at_least_the_release_that_builds_without_gc_and_threads_need() {
    // Later releases of the line fix aborts of the host; the lock file must never fall behind.
    const FLOOR: (u64, u64, u64) = (48, 0, 8);
    let lock = component_build::workspace_root().join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let (_, after) = lock.split_once("name = \"wasmtime\"\nversion = \"").expect("it is locked");
    let version = after.split('"').next().unwrap();
    let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!((numbers[0], numbers[1], numbers[2]) >= FLOOR, "wasmtime {version}");
}
