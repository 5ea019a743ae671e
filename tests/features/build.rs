//! Does nothing. Cargo uses the build-dependencies of a crate only if it has a build script.

fn main() {
    // By default, cargo reruns the script, and compiles all other crates again, after any change in
    // this directory.
    println!("cargo::rerun-if-changed=build.rs");
}
