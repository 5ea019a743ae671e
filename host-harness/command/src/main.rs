//! The command `harness`; all of it is in the library, so that programs can call it in-process.

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run_as_worker().unwrap_or_else(run)
}

#[tokio::main]
async fn run() -> ExitCode {
    ExitCode::from(harness::run(std::env::args_os(), harness::own_worker()).await)
}
