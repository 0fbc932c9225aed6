//! Where and when figures were measured: without that they say nothing.

use std::{fmt, fs, process::Command, thread, time::Duration};

use crate::{bpf, holds_within};

/// The machine and the moment.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) machine: String,
    pub(super) cpus: usize,
    pub(super) kernel: String,
    pub(super) date: String,
    pub(super) commit: String,
    /// Too short a run to count.
    pub(super) quick: bool,
    load: String,
    /// BPF programs of others, which take their share of every call that they are attached to.
    programs: usize,
}

impl Host {
    /// Asked before anything is measured.
    pub(super) fn of_this_run(quick: bool) -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("?").to_owned();
        Self {
            machine: processor(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            kernel: said("uname", &["-r"]),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            quick,
            load,
            programs: others(),
        }
    }
}

/// Those of a memguard that has just ended go one by one.
fn others() -> usize {
    holds_within(Duration::from_secs(20), || bpf::loaded().is_empty());
    bpf::loaded().len()
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            cpus,
            kernel,
            date,
            commit,
            quick,
            load,
            programs,
        } = self;
        writeln!(
            formatter,
            "{date}, commit {commit}, Linux {kernel}, {cpus} CPUs ({machine}), load {load} when it \
             began. Repeat it with `cargo xtask bench --write`."
        )?;
        if *programs > 0 {
            writeln!(
                formatter,
                "\n{programs} BPF programs of others were loaded: these figures are worth less."
            )?;
        }
        if *quick {
            writeln!(
                formatter,
                "\nMeasured with `--quick`: these figures do not count."
            )?;
        }
        Ok(())
    }
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| "unknown processor".to_owned())
}

fn said(program: &str, words: &[&str]) -> String {
    let said = Command::new(program).args(words).output();
    let said = said.ok().filter(|said| said.status.success());
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    said.unwrap_or_else(|| "unknown".to_owned())
}
