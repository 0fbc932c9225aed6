//! Names of addresses, by way of the two processes: one opens the files, the other reads them.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    time::{Duration, Instant},
};

use super::{
    process::{Failure, Process, Program},
    wire::{Code, FileKind, Job, MappedFile, Name, Names, Opened, Request, decode, encode},
};
use crate::origin::sandbox::Role;

/// The opener and the parser.
#[derive(Debug)]
pub(super) struct Client {
    opener: Process,
    parser: Process,
    deadline: Duration,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Named {
        /// The build id that the file has.
        build_id: Option<String>,
        /// For each address its functions, the innermost first; none where there are no names.
        names: Vec<Vec<Name>>,
    },
    Refused {
        reason: String,
    },
}

impl Client {
    pub(super) fn new(program: Program, deadline: Duration) -> Self {
        Self {
            opener: Process::new(program.clone(), Role::Opener),
            parser: Process::new(program, Role::Parser),
            deadline,
        }
    }

    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        let until = Instant::now() + self.deadline;
        // It gets ready while the opener looks for the file.
        self.parser.start()?;
        let answer = self.opener.ask(&encode(request), &[], until)?;
        match decode(&answer.line) {
            Some(Opened::File { build_id }) => {
                let names = self.read(request, &answer.files, until)?;
                Ok(Answer::Named { build_id, names })
            }
            Some(Opened::Refused { reason }) => Ok(Answer::Refused { reason }),
            None => Err(self.opener.discard()),
        }
    }

    fn read(
        &mut self,
        request: &Request,
        files: &[OwnedFd],
        until: Instant,
    ) -> Result<Vec<Vec<Name>>, Failure> {
        let files: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
        let answer = self.parser.ask(&encode(&job(request)), &files, until)?;
        let names = decode::<Names>(&answer.line);
        match names.filter(|names| names.fit(request.addresses.len())) {
            Some(Names { names }) => Ok(names),
            None => Err(self.parser.discard()),
        }
    }

    /// Ends both processes; the next request starts others.
    pub(super) fn rest(&mut self) {
        self.opener.rest();
        self.parser.rest();
    }
}

fn job(request: &Request) -> Job {
    let kind = match request.code {
        Code::File(MappedFile { lines, .. }) => FileKind::Elf { lines },
        Code::Generated => FileKind::PerfMap,
    };
    Job {
        kind,
        addresses: request.addresses.clone(),
    }
}
