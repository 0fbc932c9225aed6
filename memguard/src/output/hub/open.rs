//! The hub with the sink that was asked for.

use std::{io::Write, os::fd::AsRawFd as _, sync::Arc};

use super::{
    Hub, Limits,
    line::ProgressLine,
    stream::{StreamWriter, Target},
};
use crate::{
    config::output::{OutputConfig, OutputFormat, Stream},
    failure::Failure,
    output::{
        Clock, Host, JsonlSink, OutputFile, Redaction, Sink, TextSink, WallClock, terminal,
        text::{Live, TextStyle},
    },
};

/// Opens what was asked for, for reports about a host. `file` is the one that the configuration
/// names, opened before.
pub fn open(
    config: &OutputConfig,
    file: Option<&OutputFile>,
    host: Host,
    clock: Box<dyn WallClock>,
) -> Result<Hub, Failure> {
    let mut hub = Hub::new();
    hub.quiet = config.quiet && config.format() == OutputFormat::Text;
    let start = |error| Failure::caused("cannot start a thread for the output", error);
    if terminal::has_progress_line(config) {
        hub.progress = Some(ProgressLine::start(hub.vital()).map_err(start)?);
    }
    let vital = hub.vital();
    let (name, target) = hub.target(config, file)?;
    let mut writer = StreamWriter::new(target, Arc::clone(&vital));
    if let Some(line) = hub.progress.as_ref().filter(|_| writer.is_terminal()) {
        writer = writer.beside(line.shared());
    }
    let sink = sink(config, writer, host, clock);
    hub.add_with(name, Limits::default(), sink, vital)
        .map_err(start)?;
    Ok(hub)
}

impl Hub {
    /// Where bytes go, and how that is called.
    fn target(
        &mut self,
        config: &OutputConfig,
        file: Option<&OutputFile>,
    ) -> Result<(String, Target), Failure> {
        let Some(file) = file else {
            let name = match config.stream {
                Stream::Stdout => "standard output",
                Stream::Stderr => "standard error",
            };
            return Ok((name.to_owned(), Target::Standard(config.stream)));
        };
        let writer = file.writer();
        let writer = writer.map_err(|error| Failure::caused("cannot write findings", error))?;
        self.fds.extend([writer.as_raw_fd(), file.fd()]);
        Ok((file.path().display().to_string(), Target::File(writer)))
    }
}

fn sink(
    config: &OutputConfig,
    writer: impl Write + Send + std::fmt::Debug + 'static,
    host: Host,
    clock: Box<dyn WallClock>,
) -> Box<dyn Sink + Send> {
    let redaction = if config.redact {
        Redaction::On
    } else {
        Redaction::Off
    };
    let live = if config.live { Live::Yes } else { Live::No };
    match config.format() {
        OutputFormat::Text => Box::new(TextSink::new(writer, style(config), live)),
        OutputFormat::Jsonl => {
            let sink = JsonlSink::new(writer, host, Clock::at(clock.read()), redaction);
            Box::new(sink.following(clock))
        }
    }
}

fn style(config: &OutputConfig) -> TextStyle {
    match config.path {
        Some(_) => terminal::file_style(),
        None => terminal::style(config.colour, config.stream),
    }
}
