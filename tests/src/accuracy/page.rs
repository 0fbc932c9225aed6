//! `docs/accuracy.md`: both runs, and of which detectors they are.

use std::{fs, path::Path};

use super::{
    Report, Times, default_table,
    figures::{Figure, figures},
    table,
};

/// What the page has of the detectors that it is of.
const DIGEST: &str = "Detectors: `sha256:";

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Its times.
    pub times: Times,
    /// What came of it.
    pub report: Report,
}

/// All that the page is made of.
#[derive(Debug)]
pub struct Page {
    /// When it began, RFC 3339.
    pub when: String,
    /// Which detectors.
    pub digest: String,
    /// At default options.
    pub by_default: Run,
    /// With a minimum age.
    pub by_age: Run,
    /// Workloads of either that are not what they are called, and why.
    pub untrue: Vec<String>,
}

impl Page {
    /// What is required and whether it is so.
    pub fn figures(&self) -> Vec<Figure> {
        let (by_default, by_age) = (&self.by_default.report, &self.by_age.report);
        let mut all = figures(by_default, &[by_default.claims(), by_age.claims()].concat());
        let untrue: Vec<_> = self.untrue.iter().map(String::as_str).collect();
        all.push(Figure::none(
            "workloads that are not what they are called",
            &untrue,
        ));
        all
    }

    /// Writes it.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) {
        fs::write(path, self.text())
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    fn text(&self) -> String {
        let (by_default, by_age) = (&self.by_default.report, &self.by_age.report);
        let claims = [by_default.claims(), by_age.claims()].concat();
        [
            self.head(),
            default_table::required(&self.figures()),
            CONFIDENCE.to_owned(),
            default_table::calibration(&claims),
            self.intro_by_default(),
            default_table::tables(by_default),
            self.intro_by_age(),
            table::tables(by_age),
        ]
        .join("\n")
    }

    fn head(&self) -> String {
        let Self { when, digest, .. } = self;
        let date = when.split('T').next().unwrap_or(when);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').nth(1).unwrap_or("unknown");
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = kernel.trim();
        format!(
            "# Accuracy

Written by `cargo xtask accuracy`; do not edit. {date}, Linux {kernel}, {processors} processors, load
average {load} over the last five minutes.
{DIGEST}{digest}`
{WHAT}"
        )
    }

    fn intro_by_default(&self) -> String {
        let (seconds, all) = of(&self.by_default);
        format!(
            "## At default options

{all} workloads side by side for {seconds} seconds under one plain `memguard watch -p`.
{BY_DEFAULT}"
        )
    }

    fn intro_by_age(&self) -> String {
        let (seconds, all) = of(&self.by_age);
        let options = self.by_age.times.options().join(" ");
        format!(
            "## With a minimum age

{all} workloads side by side for {seconds} seconds under one `memguard watch {options}`, the
warm-up longer by as much as the programs had been there before.
{BY_AGE}"
        )
    }
}

/// Seconds and workloads.
fn of(run: &Run) -> (u64, usize) {
    let seconds = (run.times.span + run.times.settled).as_secs();
    (seconds, run.report.rows.len())
}

const WHAT: &str = "
The workloads are the programs `work*` and `forget*` in `tests/programs`, where each is described, and
real servers with a few clients. What a workload loses it says itself, and `/proc` has to show the same,
without memguard's help, or the run is worth nothing.

A *hit* is a `leak` or `growth` that stands at the end, of the right process, resource and kind, with the
function that loses it among the frames, and an `exhaustion` where a low limit is ahead; anything else is
a *miss*. *False* is any `leak`, `growth` or `exhaustion` at any time that is not so, even if it was
withdrawn. Where threads are started is not asked for: memguard names who had their stacks mapped, and
the C library hands the stack of a thread that has ended on to whoever starts the next.

## What is required
";

const CONFIDENCE: &str = "
Each line told as `leak`, `growth`, `suspect` or `exhaustion`, of both runs, is so or is not. A suspicion
is so where the process loses such handles, an exhaustion where it loses what counts against that limit.
The interval is Wilson's.
";

const BY_DEFAULT: &str = "*Age* is for how long a workload had been at work by then. Times are from when
memguard was there, or the first handle was lost, whichever was later; a leak that comes without a
suspicion before it counts as one too. *A second* is how many handles are lost in one.

A suspicion of a healthy workload is *before* where it was taken back within ten seconds of the first
time, since memguard came, that something was given back which had stayed: all at once by a collector,
for the first time by a cache or a pool. It is before as well where nothing is ever given back and an end
was reached. Of a workload that gives back from its beginning it is *after*.
";

const BY_AGE: &str = "An *age* is `--min-age`, by which all their paces are measured. *Held* is what had
been lost when the work was done, and *told* the number in the last line. Where the function that loses
some also makes others that live for longer than the minimum age, memguard counts those with them.
`aged` is no verdict, and is counted only.
";

/// The digest that a page has.
pub fn digest_of(page: &str) -> Option<&str> {
    page.lines()
        .find_map(|line| line.strip_prefix(DIGEST))?
        .split('`')
        .next()
}

#[cfg(test)]
mod tests {
    use super::{Page, Run, digest_of};
    use crate::accuracy::{
        Report,
        times::{DEFAULT, LONG},
    };

    /// The page has both runs, and says of which detectors it is in a way that is read back.
    #[test]
    fn the_digest_is_read_back() {
        let run = |times| Run {
            times,
            report: Report { rows: Vec::new() },
        };
        let page = Page {
            when: "2026-11-29T02:00:00Z".to_owned(),
            digest: "00ff".to_owned(),
            by_default: run(DEFAULT),
            by_age: run(LONG),
            untrue: vec!["storm: never done".to_owned()],
        };
        let text = page.text();
        assert_eq!(digest_of(&text), Some("00ff"));
        for part in [
            "2026-11-29,",
            "`memguard watch -p`",
            "--min-age 20s -i 2s`",
            "| leaking workloads | ≥ 60 | 0 | **fail** |",
            "| none | 1: storm: never done | **fail** |",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(digest_of("# Accuracy\n"), None);
    }
}
