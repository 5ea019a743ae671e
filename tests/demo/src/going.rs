//! A command that runs in a separate process, while the demo plays another role: the person who
//! consents in a browser, or a service that has something to tell.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

pub(crate) struct Going {
    child: Child,
    told: Lines<BufReader<ChildStderr>>,
}

impl Going {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the command")?;
        let stderr = child.stderr.take().context("standard error is not piped")?;
        Ok(Self { child, told: BufReader::new(stderr).lines() })
    }

    /// Shows what it says, up to and with the first line that contains this.
    pub(crate) async fn until(&mut self, part: &str) -> Result<String> {
        while let Some(line) = self.told.next_line().await? {
            println!("{line}");
            if line.contains(part) {
                return Ok(line);
            }
        }
        bail!("the command ended before it printed `{part}`")
    }

    /// Shows the rest of what it says, and what it prints.
    pub(crate) async fn end(mut self) -> Result<()> {
        while let Some(line) = self.told.next_line().await? {
            println!("{line}");
        }
        let mut printed = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut printed).await?;
        }
        println!("{printed}");
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the command exited with {status}");
        }
        Ok(())
    }
}

/// Follows an address of this machine, as a browser that was sent there.
pub(crate) async fn follow(url: &str) -> Result<()> {
    let rest = url.strip_prefix("http://").context("the callback URL is not on this machine")?;
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    if !page.starts_with("HTTP/1.1 200") {
        bail!("the callback returned {}", page.lines().next().unwrap_or_default());
    }
    Ok(())
}
