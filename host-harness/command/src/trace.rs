//! `harness trace`: shows a trace as a page.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output;

#[derive(Args)]
#[command(after_help = "Examples:
  harness run node.wasm service.list … --trace run.har
  harness trace run.har                     writes run.html
  harness trace run.har --out - > page.html

The page needs no other file and loads nothing. It shows any HTTP Archive, also a browser's.")]
pub(crate) struct TraceArgs {
    /// HTTP Archive, as `harness run --trace` writes it
    file: PathBuf,
    /// Where to write the page; `-` is standard output [default: FILE with the suffix .html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &TraceArgs) -> Result<Exit, Failure> {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Failure::input("trace", format!("Cannot read trace {name}: {error}"))
            .next("write one with harness run … --trace FILE.har")
    })?;
    let not_an_archive = |problem: String| {
        Failure::input("trace", format!("Cannot show trace {name}: {problem}"))
            .next("name an HTTP Archive, as harness run --trace writes it")
    };
    let archive: Value =
        serde_json::from_str(&text).map_err(|error| not_an_archive(error.to_string()))?;
    let page = workflow_node_testing::trace::page(&archive).map_err(not_an_archive)?;
    if args.out.as_ref().is_some_and(|out| out.as_os_str() == "-") {
        return output::stdout(&page).map(|()| Exit::Success);
    }
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("html"));
    write_private(&out, &page).map_err(|error| {
        Failure::internal(format!("Cannot write page {}: {error}", out.display()))
    })?;
    output::stdout(&format!("Open {} in a browser.\n", out.display()))?;
    Ok(Exit::Success)
}

/// For its owner alone, like the trace: answers hold people's data.
fn write_private(path: &std::path::Path, page: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(page.as_bytes())
}
