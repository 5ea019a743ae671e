//! The command `harness`; all of it is in the library, so that programs can call it in-process.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(harness::run(std::env::args_os()).await)
}
