//! `cargo run -p component-build`: builds the PagerDuty component. Its path goes to standard
//! output, for scripts; its size to standard error.

use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without standard error there is nobody to tell.
            let _ignored = writeln!(io::stderr(), "component-build: {error}").is_ok();
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let component = component_build::build_pagerduty()?;
    let size = std::fs::metadata(&component)?.len();
    writeln!(io::stderr(), "component-build: {size} bytes")?;
    writeln!(io::stdout(), "{}", component.display())?;
    Ok(())
}
