//! `harness fake`: a service from a file, over TLS on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use url::Url;
use workflow_node_host::{Origin, chain};
use workflow_node_testing::fake::{Certificates, Deliver, EXAMPLE, Fake, SCHEMA, Served, Server};

use crate::exit::{Exit, Failure, shell};
use crate::flags::Format;
use crate::interrupt::Interrupt;
use crate::output;

#[derive(Args)]
#[command(after_help = "Examples:
  harness fake --example > issues.toml          a file to begin with
  harness fake issues.toml                      prints how `harness run` reaches it
  harness fake issues.toml --listen 127.0.0.1:8443 --ca-file fake.pem
  harness fake issues.toml --deliver-to http://127.0.0.1:8080      where webhooks go

It answers on this machine only, and each request is a line. Ctrl-C ends it.")]
pub(crate) struct FakeArgs {
    /// File that describes the fake (TOML)
    #[arg(required_unless_present_any = ["schema", "example"])]
    file: Option<PathBuf>,
    /// Address of loopback on which to listen. With port 0, the system chooses a port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the certificate authority to this file, and keep it [default: a temporary file, removed
    /// at the end]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Deliver all webhooks to this origin on this machine, e.g. the --listen address of
    /// `harness trigger listen`
    #[arg(long, value_name = "URL")]
    deliver_to: Option<Url>,
    /// Print the JSON Schema of the file
    #[arg(long, conflicts_with_all = ["file", "example"])]
    schema: bool,
    /// Print a file that shows what a fake can do
    #[arg(long, conflicts_with = "file")]
    example: bool,
    /// Output format. json and jsonl print a line that says how to reach the fake, and then a line
    /// for each request
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

pub(crate) async fn run(args: FakeArgs) -> Result<Exit, Failure> {
    if args.schema {
        return output::stdout(SCHEMA).map(|()| Exit::Success);
    }
    if args.example {
        return output::stdout(EXAMPLE).map(|()| Exit::Success);
    }
    let file = args.file.as_deref().unwrap_or(Path::new(""));
    let fake = Arc::new(Fake::read(file).map_err(|error| Failure::file(&error))?);
    let unusable = |error: std::io::Error| {
        let message = format!("Cannot listen on {}: {error}", args.listen);
        Failure::input("listen", message).next("use another --listen address of 127.0.0.1")
    };
    let certificates = Certificates::new().map_err(Failure::internal)?;
    let ca = CaFile::write(args.ca_file.as_deref(), &certificates.ca_pem())?;
    let is_text = args.format == Format::Text;
    let interrupt = Interrupt::listen();
    let deliver = Deliver::new(args.deliver_to.clone(), move |url, sent| {
        let line = match (is_text, sent) {
            (true, Ok(status)) => format!("webhook to {url}: {status}"),
            (true, Err(error)) => format!("webhook to {url}: not delivered: {}", chain(error)),
            (false, Ok(status)) => json!({ "webhook": url, "status": status }).to_string(),
            (false, Err(error)) => {
                json!({ "webhook": url, "status": null, "error": chain(error) }).to_string()
            }
        };
        // Nobody may be reading any more; the fake goes on.
        let _printed = output::stdout(&format!("{line}\n")).is_ok();
    });
    let name = file.display().to_string();
    let report = move |served: &Served| {
        let line = match is_text {
            true => line(served, &name),
            false => json!({
                "method": served.method,
                "url": served.url,
                "status": served.status,
                "line": served.line,
                "fault": served.fault.as_ref().map(ToString::to_string),
            })
            .to_string(),
        };
        let _printed = output::stdout(&format!("{line}\n")).is_ok();
    };
    let server = Server::start(fake.clone(), &certificates, args.listen, deliver, report);
    let server = server.await.map_err(unusable)?;
    let mappings: Vec<String> = mappings(fake.origins(), server.address());
    if is_text {
        output::stdout(&welcome(&fake, file, &mappings, ca.path()))?;
    } else {
        let line = json!({
            "address": server.address().to_string(),
            "origins": fake.origins(),
            "connect_to": mappings,
            "ca_file": ca.path(),
        });
        output::stdout_line(&line.to_string())?;
    }
    interrupt.token().cancelled().await;
    Ok(Exit::Success)
}

fn mappings(origins: &[Origin], address: SocketAddr) -> Vec<String> {
    origins.iter().map(|origin| format!("{origin}=https://{address}")).collect()
}

fn welcome(fake: &Fake, file: &Path, mappings: &[String], ca: &Path) -> String {
    let routes = output::count(fake.routes(), "route");
    let mut text = format!("{} simulates ", file.display());
    let origins: Vec<String> = fake.origins().iter().map(ToString::to_string).collect();
    text.push_str(&format!("{} with {routes}. To reach it:\n\n", origins.join(", ")));
    text.push_str("  harness run PLUGIN ACTION …");
    for mapping in mappings {
        text.push_str(&format!(" \\\n    --connect-to {}", shell(mapping)));
    }
    text.push_str(&format!(" \\\n    --ca-file {}\n\n", shell(&ca.display().to_string())));
    text
}

fn line(served: &Served, file: &str) -> String {
    let status = served.status.map_or("reset".to_owned(), |status| status.to_string());
    let by = match (served.line, &served.fault) {
        (None, _) => "no route matches".to_owned(),
        (Some(line), None) => format!("{file}:{line}"),
        (Some(line), Some(fault)) => format!("{file}:{line}, {fault}"),
    };
    output::one_line(&format!("{} {} → {status} ({by})", served.method, served.url))
}

/// The authority's certificate on disk.
struct CaFile {
    path: PathBuf,
    is_temporary: bool,
}

impl CaFile {
    fn write(path: Option<&Path>, pem: &str) -> Result<Self, Failure> {
        let is_temporary = path.is_none();
        let path = path.map(Path::to_owned).unwrap_or_else(|| {
            let name = format!("harness-fake-{:016x}.pem", rand::random::<u64>());
            std::env::temp_dir().join(name)
        });
        std::fs::write(&path, pem).map_err(|error| {
            let message = format!("Cannot write CA file {}: {error}", path.display());
            Failure::input("ca-file", message)
        })?;
        Ok(Self { path, is_temporary })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        if self.is_temporary {
            // If the removal fails, the remaining file is public and in the directory for temporary
            // files.
            let _removed = std::fs::remove_file(&self.path).is_ok();
        }
    }
}
