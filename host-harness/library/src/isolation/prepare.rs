//! Compiles components and checks their documents in a process that runs no guest code.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};

use super::pool::{Link, Worker, Workers};
use super::wire::{self, FromWorker, ToWorker};
use crate::description::DescriptionError;
use crate::error::{Cause, Error};
use crate::inspection::Surface;
use crate::limits::ProcessLimits;

/// A process that compiles one component and checks its documents.
pub(crate) struct Compiler {
    worker: Worker,
    time: Duration,
    data: u64,
    /// Whether the code counts fuel.
    metered: bool,
}

impl Workers {
    /// A compiler for a component of so many bytes.
    pub(crate) async fn compiler(self: &Arc<Self>, size: usize) -> Result<Compiler, Error> {
        let worker = self.blank().await.map_err(Error::internal)?;
        Ok(Compiler {
            worker,
            time: self.limits().compile_time_of(size),
            data: self.limits().compile_memory_of(size),
            metered: self.metered(),
        })
    }
}

impl Compiler {
    /// Validates and compiles a component, and writes the code into `output`.
    pub(crate) async fn compile(
        &mut self,
        component: Vec<u8>,
        output: &File,
    ) -> Result<Surface, Error> {
        let input = tokio::task::spawn_blocking(move || {
            let mut file = File::from(memfd_create("component", MemfdFlags::CLOEXEC)?);
            io::Write::write_all(&mut file, &component)?;
            Ok::<_, io::Error>(file)
        });
        let input = input.await.map_err(Error::internal)?.map_err(Error::internal)?;
        let (data, metered) = (self.data, self.metered);
        let compiled = self.ask("compiling it", async |link| {
            link.send(&ToWorker::Compile { data, metered }).await?;
            link.send_files(&[input.as_fd(), output.as_fd()]).await?;
            link.receive(wire::OVERHEAD).await
        });
        match compiled.await? {
            FromWorker::Compiled(Ok(surface)) => Ok(surface),
            FromWorker::Compiled(Err(problem)) => Err(Error::refused(problem)),
            _ => Err(Error::internal("the compiler sent an unexpected response")),
        }
    }

    /// Checks the documents of a component.
    pub(crate) async fn check(
        &mut self,
        node: &str,
        credential_types: &str,
        triggers: Option<&str>,
        limits: &ProcessLimits,
    ) -> Result<(), Error> {
        let question = ToWorker::Check {
            node: node.to_owned(),
            credential_types: credential_types.to_owned(),
            triggers: triggers.map(str::to_owned),
            limits: limits.clone(),
        };
        let checked = self.ask("checking its description", async |link| {
            link.send(&question).await?;
            link.receive(wire::OVERHEAD).await
        });
        match checked.await? {
            FromWorker::Checked(Ok(())) => Ok(()),
            FromWorker::Checked(Err((document, problem))) => {
                Err(Cause::Description(DescriptionError { document: document.into(), problem })
                    .into())
            }
            _ => Err(Error::internal("the compiler sent an unexpected response")),
        }
    }

    /// Asks within the time and memory allowed. What exceeds them is the component's fault.
    async fn ask(
        &mut self,
        what: &str,
        question: impl AsyncFnOnce(&mut Link<'_>) -> io::Result<FromWorker>,
    ) -> Result<FromWorker, Error> {
        let time = self.time;
        let mut link = Link::new(&mut self.worker).map_err(Error::internal)?;
        match tokio::time::timeout(time, question(&mut link)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(Error::refused_by(format!("{what} exceeded the limits of a process"), error))
            }
            Err(_) => Err(Error::refused(format!("{what} took longer than {time:?}"))),
        }
    }
}
