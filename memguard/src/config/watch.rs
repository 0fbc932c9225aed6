//! What `watch` was told to do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use memguard_common::settings::FILTERS;

use super::{CommonConfig, DetectConfig};
use crate::{failure::Failure, findings::gate::Gate};

/// Longest command name, `TASK_COMM_LEN` without its NUL.
const COMM: usize = 15;

/// What `watch` was told to do.
#[derive(Clone, Debug)]
pub struct WatchConfig {
    /// Whom to watch.
    pub target: TargetConfig,
    /// How long; `None` until it is told to end.
    pub duration: Option<Duration>,
    /// How to judge.
    pub detect: DetectConfig,
    /// Sample page faults.
    pub faults: bool,
    /// Where baselines are kept for the next run.
    pub state_dir: Option<PathBuf>,
    /// Tell what processes held when they ended.
    pub left: bool,
    /// At the end, write what each process is believed to have mapped.
    pub show_mappings: bool,
    /// Which findings decide the exit code.
    pub fail_on: Gate,
    /// What is common to `watch` and `run`.
    pub common: CommonConfig,
}

/// Whom to watch; with descendants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetConfig {
    /// The whole host.
    pub all: bool,
    /// Processes.
    pub pids: Vec<u32>,
    /// Whatever is called like this.
    pub comms: Vec<String>,
    /// Directories of cgroups v2.
    pub cgroups: Vec<PathBuf>,
}

/// Looks that anything needs to be judged: a series of them, and of a handle two.
const LOOKS: u32 = 3;

impl WatchConfig {
    /// Why it is certain that nothing will come of it, for a warning; `None` where it is not. What
    /// processes leave is told however short it takes.
    pub fn in_vain(&self) -> Option<String> {
        let duration = self.duration.filter(|_| !self.left)?;
        too_short(duration, self.detect.interval)
    }

    /// Values against each other.
    pub fn check(&self) -> Result<(), Failure> {
        self.target.check()?;
        if self.detect.interval.is_zero() {
            return Err(Failure::usage("-i must be longer than zero"));
        }
        if self.faults && !self.detect.kinds.heap {
            return Err(Failure::usage(
                "--attribute is about memory that grows, which is not looked at",
            )
            .fix("add heap to --kinds"));
        }
        Ok(())
    }
}

/// Why nothing can be judged in this time.
fn too_short(duration: Duration, interval: Duration) -> Option<String> {
    let needed = interval.saturating_mul(LOOKS);
    let short = duration < needed;
    let [duration, interval, needed] = [duration, interval, needed].map(humantime::format_duration);
    short.then(|| {
        format!(
            "nothing can be judged in -d {duration}: it takes {LOOKS} checks, and -i is \
             {interval}; use -d {needed} or more"
        )
    })
}

impl TargetConfig {
    fn check(&self) -> Result<(), Failure> {
        let pids = !self.pids.is_empty() || !self.comms.is_empty();
        match (self.all, self.cgroups.is_empty(), pids) {
            (false, true, false) => {
                return Err(Failure::usage("nothing to watch").fix(
                    "name it: memguard watch -p PID, --comm NAME, --cgroup PATH, or -a for all",
                ));
            }
            (false, false, true) => {
                return Err(Failure::usage(
                    "--cgroup cannot be combined with --pid or --comm",
                ));
            }
            _ => {}
        }
        if self.cgroups.len() > FILTERS || self.comms.len() > FILTERS {
            return Err(Failure::usage(format!(
                "more than {FILTERS} of --cgroup or --comm"
            )));
        }
        match self.comms.iter().find(|comm| comm.len() > COMM) {
            Some(comm) => Err(Failure::usage(format!(
                "--comm {comm} is longer than the {COMM} characters of a command name"
            ))
            .fix("name it as `ps -e` shows it")),
            None => Ok(()),
        }
    }

    /// It is over when the processes that were named are.
    pub fn ends_with_its_processes(&self) -> bool {
        !self.pids.is_empty() && self.comms.is_empty()
    }

    /// In words.
    pub fn scope(&self) -> String {
        if self.all {
            return "the whole host".to_owned();
        }
        let pids = self.pids.iter().map(|pid| format!("pid {pid}"));
        let comms = self.comms.iter().map(|comm| format!("every {comm}"));
        let cgroup = |path: &PathBuf| format!("cgroup {}", Path::display(path));
        let cgroups = self.cgroups.iter().map(cgroup);
        let all: Vec<_> = pids.chain(comms).chain(cgroups).collect();
        format!("{} and descendants", all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: TargetConfig, refused: Option<&str>) {
        let said = target.check().err().map(|failure| failure.to_string());
        match refused {
            Some(why) => assert!(said.is_some_and(|said| said.contains(why)), "{target:?}"),
            None => assert_eq!(said, None, "{target:?}"),
        }
    }

    #[test]
    fn targets_are_checked() {
        let pids = TargetConfig {
            pids: vec![1],
            ..TargetConfig::default()
        };
        let comm = |comm: &str| TargetConfig {
            comms: vec![comm.to_owned()],
            ..TargetConfig::default()
        };
        check(TargetConfig::default(), Some("nothing to watch"));
        check(pids.clone(), None);
        check(comm("nginx"), None);
        check(comm("sixteen-letters-"), Some("longer than"));
        let both = TargetConfig {
            cgroups: vec!["/".into()],
            ..pids
        };
        check(both, Some("cannot be combined"));
    }

    #[test]
    fn a_watch_that_is_too_short_for_anything_says_so() {
        let second = Duration::from_secs;
        for (duration, interval, short) in
            [(5, 2, true), (6, 2, false), (30, 2, false), (9, 5, true)]
        {
            let said = too_short(second(duration), second(interval));
            assert_eq!(said.is_some(), short, "-d {duration}s -i {interval}s");
        }
        let said = too_short(second(1), second(2)).expect("it is too short");
        assert!(said.ends_with("use -d 6s or more"), "{said}");
    }

    #[test]
    fn a_scope_names_everything() {
        let target = TargetConfig {
            pids: vec![42],
            comms: vec!["nginx".to_owned()],
            ..TargetConfig::default()
        };
        assert_eq!(target.scope(), "pid 42, every nginx and descendants");
        assert!(!target.ends_with_its_processes());
    }
}
