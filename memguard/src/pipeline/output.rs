//! Where reports go: file, standard output or standard error.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::fd::{AsFd, AsRawFd as _, RawFd},
    path::{Path, PathBuf},
};

use super::progress::ProgressLine;
use crate::{
    cli::{Colour, CommonArgs, Format},
    failure::Failure,
    model::report::Report,
    screen::Screen,
    sink::{
        Clock, Host, JsonlSink, Redaction, Sink, TextSink,
        text::{Live, TextStyle},
    },
    source::kernel,
};

/// All sinks. An error of one ends it, and is remembered.
#[derive(Default)]
pub(super) struct Outputs {
    sinks: Vec<Box<dyn Sink>>,
    fds: Vec<RawFd>,
    broken: Option<io::Error>,
    /// Findings only, and what became of them.
    quiet: bool,
    screen: Screen,
    /// What is on the terminal while nothing is told.
    pub(super) progress: ProgressLine,
}

impl std::fmt::Debug for Outputs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Outputs")
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

impl Outputs {
    /// With suppressions and a baseline.
    pub(super) fn screened(self, screen: Screen) -> Self {
        Self { screen, ..self }
    }

    /// What decides which findings are told, and which reach a gate.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Tells every sink what is not suppressed.
    pub(super) fn report(&mut self, report: &Report) {
        if let Report::Finding(finding) = report
            && !self.screen.take(finding)
        {
            return;
        }
        let frame = matches!(
            report,
            Report::Started(_) | Report::Census(_) | Report::RunSummary(_) | Report::Stopped(_)
        );
        if !(self.quiet && frame) {
            self.each(|sink| sink.report(report));
        }
    }

    /// What was held back is shown.
    pub(super) fn flush(&mut self) {
        self.each(Sink::flush);
    }

    /// No report follows.
    pub(super) fn finish(&mut self) {
        self.progress.clear();
        self.each(Sink::finish);
    }

    fn each(&mut self, mut tell: impl FnMut(&mut Box<dyn Sink>) -> io::Result<()>) {
        let Self {
            sinks,
            broken,
            progress,
            ..
        } = self;
        let mut keep = |sink: &mut Box<dyn Sink>| match tell(sink) {
            Ok(()) => true,
            Err(error) => {
                broken.get_or_insert(error);
                false
            }
        };
        progress.aside(|| sinks.retain_mut(&mut keep));
    }

    /// Nobody reads any more.
    pub(super) fn is_broken(&self) -> bool {
        self.sinks.is_empty() && self.broken.is_some()
    }

    /// Why a sink ended; a broken pipe is the reader's decision and no error.
    pub(super) fn error(&self) -> Option<&io::Error> {
        self.broken
            .as_ref()
            .filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Descriptors that somebody may wait on.
    pub(super) fn fds(&self) -> &[RawFd] {
        &self.fds
    }
}

/// A file that was opened before memguard knows whether it can work: created at the last moment
/// that an error can still be told, emptied when there is something to write, and removed if that
/// never came.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    file: File,
    created: bool,
    kept: bool,
}

impl OutputFile {
    /// Opens it for writing, without touching what is in it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let created = !path.exists();
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let file = opened.map_err(|error| {
            Failure::usage(format!("cannot write to {}: {error}", path.display()))
                .fix("choose another file with -o FILE")
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            created,
            kept: false,
        })
    }

    /// Empties it; from now on it stays. To be called before the first report, once nothing can
    /// keep it from coming. Pipes and devices cannot be emptied, and need not be.
    /// A file that cannot be emptied is written on.
    pub(super) fn keep(&mut self) {
        self.kept = true;
        let is_file = self.file.metadata().is_ok_and(|it| it.is_file());
        if is_file && let Err(error) = self.file.set_len(0) {
            let path = self.path.display();
            crate::complain(&format!("cannot empty {path}: {error}"));
        }
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.created && !self.kept && std::fs::remove_file(&self.path).is_err() {
            // Somebody else has removed it.
        }
    }
}

/// Where text goes if not into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    /// `watch`.
    Stdout,
    /// `run`: standard output is the command's.
    Stderr,
}

/// Opens the file that `-o` names.
pub(super) fn open(args: &CommonArgs) -> Result<Option<OutputFile>, Failure> {
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    file.map(OutputFile::open).transpose()
}

/// The sinks that the arguments ask for.
pub(super) fn outputs(
    args: &CommonArgs,
    file: Option<&OutputFile>,
    terminal: Terminal,
) -> Result<Outputs, Failure> {
    let mut outputs = Outputs::default();
    let live = if terminal == Terminal::Stderr {
        Live::No
    } else {
        Live::Yes
    };
    if let Some(file) = file {
        let writer = file.file.try_clone();
        let writer = writer.map_err(|error| Failure::caused("cannot write findings", error))?;
        outputs
            .fds
            .extend([writer.as_raw_fd(), file.file.as_raw_fd()]);
        let format = args.format.unwrap_or(Format::Jsonl);
        outputs.sinks.push(sink(args, format, writer, false, live));
        return Ok(outputs);
    }
    let format = args.format.unwrap_or(Format::Text);
    outputs.quiet = args.quiet && format == Format::Text;
    outputs.sinks.push(match terminal {
        Terminal::Stdout => sink(
            args,
            format,
            io::stdout(),
            colours(args.color, io::stdout()),
            live,
        ),
        Terminal::Stderr => sink(
            args,
            format,
            io::stderr(),
            colours(args.color, io::stderr()),
            live,
        ),
    });
    Ok(outputs)
}

fn sink(
    args: &CommonArgs,
    format: Format,
    writer: impl Write + 'static,
    colour: bool,
    live: Live,
) -> Box<dyn Sink> {
    match format {
        Format::Text => Box::new(TextSink::new(writer, style(colour), live)),
        Format::Jsonl => {
            let redaction = if args.no_redact {
                Redaction::Off
            } else {
                Redaction::On
            };
            Box::new(JsonlSink::new(writer, host(), clock(), redaction))
        }
    }
}

/// Text on standard output.
pub fn stdout_style(when: Colour) -> TextStyle {
    style(colours(when, io::stdout()))
}

fn style(colour: bool) -> TextStyle {
    TextStyle {
        colour,
        columns: columns(),
        unicode: is_unicode(),
    }
}

/// What the locale says about characters: the first of its variables that is set decides.
fn is_unicode() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].map(std::env::var_os);
    let mut set = variables.into_iter().flatten();
    let locale = set.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}

fn colours(when: Colour, stream: impl io::IsTerminal) -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match when {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => stream.is_terminal() && !plain,
    }
}

/// Width of the terminal; 80 where there is none.
fn columns() -> u16 {
    let width = |fd: &dyn AsFd| rustix::termios::tcgetwinsize(fd.as_fd()).ok();
    let size = width(&io::stdout()).or_else(|| width(&io::stderr()));
    size.map(|size| size.ws_col)
        .filter(|columns| *columns >= 40)
        .unwrap_or(80)
}

fn host() -> Host {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Host { name }
}

fn clock() -> Clock {
    let nanos = |id| {
        let time = rustix::time::clock_gettime(id);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    let wall = nanos(rustix::time::ClockId::Realtime);
    let boot = nanos(rustix::time::ClockId::Boottime);
    Clock::new(wall, kernel::now().0, boot as u64)
}
