//! The line on a terminal's standard error while there is nothing to tell: gone before anything is
//! printed, and at the end.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::fs::{FileType, fstat};

use super::Agent;
use crate::{
    cli::{CommonArgs, Format, WatchArgs},
    model::report::Progress,
    sink::text,
    source::kernel,
};

/// See the module; none where it would disturb.
#[derive(Debug, Default)]
pub(super) struct ProgressLine(Option<ProgressBar>);

impl ProgressLine {
    /// Where standard error is a terminal and nothing else may print there unasked.
    pub(super) fn new(args: &CommonArgs) -> Self {
        let terminal = std::io::stderr().is_terminal() && !is_dumb();
        if !terminal || args.quiet || disturbs(args) {
            return Self::default();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_msg}");
        Self(style.ok().map(|style| bar.with_style(style)))
    }

    pub(super) fn show(&self, progress: &Progress) {
        if let Some(bar) = &self.0 {
            bar.set_message(text::progress(progress));
            bar.tick();
        }
    }

    /// Prints without it.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// For good.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether what goes to standard output may appear on the same terminal in its own time: lines for
/// machines on the terminal itself, or anything through a pipe.
fn disturbs(args: &CommonArgs) -> bool {
    let to_file = args
        .output
        .as_deref()
        .is_some_and(|path| path.as_os_str() != "-");
    if to_file {
        return false;
    }
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return args.format == Some(Format::Jsonl);
    }
    let kind = fstat(&stdout).map(|stat| FileType::from_raw_mode(stat.st_mode));
    !matches!(kind, Ok(FileType::RegularFile | FileType::CharacterDevice))
}

impl Agent {
    /// Shows how far it has come.
    pub(super) fn show_progress(&self, args: &WatchArgs) {
        let found: u64 = self.findings.counts().iter().map(|(_, count)| count).sum();
        let lost = self.evidence(None).events_lost;
        self.out.progress.show(&Progress {
            observed: kernel::now().since(self.attached_at),
            until: args.duration,
            warm_up: args.warm_up,
            judged_from: args.warm_up.saturating_add(args.min_age),
            held: self.ledger.held_count() as u64,
            findings: found,
            lost,
        });
    }
}

/// How often it is renewed.
pub(super) const EVERY: Duration = Duration::from_secs(1);
