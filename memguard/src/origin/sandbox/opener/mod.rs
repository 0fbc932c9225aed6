//! The process that finds files and opens them, and reads no more of them than it takes to know
//! that they are the right ones.

mod calls;
mod debug;
mod elf;
mod locate;
mod perf_map;
mod process;
mod regular;

use std::{fs::File, io, os::fd::AsFd as _};

pub(super) use self::calls::ALLOWED;
use super::Agent;
use crate::origin::symbolize::wire::{Code, MappedFile, Opened, Process, Request, decode, encode};

/// A file, and the one with its debug information, where that is another.
#[derive(Debug)]
struct Found {
    file: File,
    debug: Option<File>,
    build_id: Option<String>,
}

/// Answers questions until nobody asks any more.
pub(super) fn serve(agent: &Agent) -> io::Result<()> {
    while let Some(question) = agent.next()? {
        let request = decode::<Request>(&question.line).ok_or(io::ErrorKind::InvalidData)?;
        answer(agent, &request)?;
    }
    Ok(())
}

fn answer(agent: &Agent, request: &Request) -> io::Result<()> {
    let found = match &request.code {
        Code::File(mapped) => find(&request.process, mapped),
        Code::Generated => perf_map::find(&request.process),
    };
    let found = match found {
        Ok(found) => found,
        Err(reason) => return agent.answer(&encode(&Opened::Refused { reason }), &[]),
    };
    let line = encode(&Opened::File {
        build_id: found.build_id,
    });
    let files = [Some(&found.file), found.debug.as_ref()];
    let files: Vec<_> = files.iter().flatten().map(|file| file.as_fd()).collect();
    agent.answer(&line, &files)
}

fn find(process: &Process, mapped: &MappedFile) -> Result<Found, String> {
    let located = locate::locate(process, mapped)?;
    let find_debug = || debug::find(process, mapped, &located);
    Ok(Found {
        debug: mapped.lines.then(find_debug).flatten(),
        build_id: located.about.build_id.map(|build_id| build_id.to_string()),
        file: located.file,
    })
}
