//! Documents that a build script compresses and a component contains: text that only `describe`
//! needs.
//!
//! ```
//! let document = r#"{"credential_types":[]}"#;
//! let bytes = workflow_node_sdk::deflated::compress(document); // in build.rs, into OUT_DIR
//! assert_eq!(workflow_node_sdk::deflated::text(&bytes), document); // with include_bytes!
//! ```

/// The text that was compressed.
///
/// # Panics
///
/// If the bytes were not returned by [`compress`].
pub fn text(deflated: &[u8]) -> String {
    let text = miniz_oxide::inflate::decompress_to_vec(deflated).ok().map(String::from_utf8);
    let Some(Ok(text)) = text else { unreachable!("it is as it was compressed") };
    text
}

/// Compresses text, in a build script.
#[cfg(not(target_arch = "wasm32"))]
pub fn compress(text: &str) -> Vec<u8> {
    // The best that deflate does.
    miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 10)
}
