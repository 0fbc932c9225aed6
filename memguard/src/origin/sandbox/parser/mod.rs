//! The process that reads symbols, debug information and lists of generated code, and can do
//! nothing else.

mod binary;
mod calls;
mod perf_map;
mod recent;
mod symbols;

#[cfg(test)]
mod tests;

use std::{fs::File, io, os::fd::OwnedFd};

pub(super) use self::calls::ALLOWED;
use self::recent::{Files, Recent};
use super::Agent;
use crate::origin::symbolize::wire::{FileKind, Job, Name, Names, decode, encode};

/// Answers questions until nobody asks any more.
pub(super) fn serve(agent: &Agent) -> io::Result<()> {
    let mut recent = Recent::default();
    while let Some(question) = agent.next()? {
        let job = decode::<Job>(&question.line).ok_or(io::ErrorKind::InvalidData)?;
        let names = names(&job, question.files, &mut recent)?;
        agent.answer(&encode(&Names { names }), &[])?;
    }
    Ok(())
}

/// Names for each address, innermost first.
fn names(job: &Job, files: Vec<OwnedFd>, recent: &mut Recent) -> io::Result<Vec<Vec<Name>>> {
    let mut files = files.into_iter().map(File::from);
    let file = files.next().ok_or(io::ErrorKind::InvalidData)?;
    let debug = files.next();
    Ok(match job.kind {
        FileKind::PerfMap => perf_map::names(file, &job.addresses),
        FileKind::Elf { lines } => {
            let binary = recent.binary(Files { file, debug, lines })?;
            let name = |address: &u64| binary.names(*address);
            job.addresses.iter().map(name).collect()
        }
    })
}
