//! What an engine was told in a run, in a file: `--record FILE`.
//!
//! A line is a JSON object. The first says how the engine was set up, every other one is one
//! [`Input`]. Read back and told to an engine, they make the same reports, without root and without
//! the processes. The file holds what `/proc` showed: paths, addresses, command lines.

use std::{
    fs::File,
    io::{self, BufRead, BufWriter, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effect, Engine, Input, Setup},
    failure::Failure,
    judge::question::Answer,
    model::report::Report,
};

/// Version of the format; another one is not read.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    setup: Setup,
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once it could not be written.
    file: Option<BufWriter<File>>,
}

impl Recorder {
    /// Creates the file, which holds what others need not see.
    pub fn create(path: &Path, setup: &Setup) -> Result<Self, Failure> {
        let refused = |error: io::Error| {
            Failure::usage(format!("cannot record to {}: {error}", path.display()))
                .fix("name another file")
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut recorder = Self {
            file: Some(BufWriter::new(options.open(path).map_err(refused)?)),
        };
        let header = Header {
            format: FORMAT,
            setup: setup.clone(),
        };
        recorder.restrict().map_err(refused)?;
        recorder.write(&header).map_err(refused)?;
        Ok(recorder)
    }

    /// Takes what the engine is told. What a process holds when memguard comes is only passed on,
    /// and not recorded.
    pub fn take(&mut self, input: &Input) {
        let passed_on = matches!(
            input,
            Input::Answered {
                answer: Answer::Census(_),
                ..
            }
        );
        if passed_on {
            return;
        }
        if let Err(error) = self.write(input) {
            crate::complain(&format!("the recording ends here: {error}"));
            self.file = None;
        }
    }

    /// Only the user may read it, also where it was there before.
    fn restrict(&self) -> io::Result<()> {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        let file = self.file.as_ref().map(BufWriter::get_ref);
        file.map_or(Ok(()), |file| file.set_permissions(mode))
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            crate::complain(&format!("the recording is not complete: {error}"));
        }
    }
}

/// Tells an engine what was recorded; returns what it reported, in order.
///
/// An error where a line is not what [`Recorder`] writes.
pub fn replay(recording: impl BufRead) -> io::Result<Vec<Report>> {
    let mut lines = recording.lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let Header { format, setup } = serde_json::from_str(&first)?;
    if format != FORMAT {
        let why = format!("a recording of format {format}; this memguard reads {FORMAT}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut engine = Engine::new(setup);
    let mut reports = Vec::new();
    for line in lines {
        let input: Input = serde_json::from_str(&line?)?;
        for effect in engine.handle(input) {
            if let Effect::Report(report) = effect {
                reports.push(*report);
            }
        }
    }
    Ok(reports)
}
