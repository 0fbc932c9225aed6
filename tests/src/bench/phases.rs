//! Where `memguard run -- true` spends its time, by its own system calls as strace times them.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use super::{Row, Sample};
use crate::{Scratch, machine, programs::on_path};

/// What a call of memguard is for, by how its line begins and what is in it.
const PHASES: [(&str, &str, &str); 7] = [
    ("bpf(BPF_PROG_LOAD", "", "loading programs"),
    ("bpf(BPF_MAP_CREATE", "", "making maps"),
    ("bpf(", "", "other bpf calls"),
    (
        "perf_event_open(",
        "",
        "opening tracepoints and the side-band",
    ),
    ("ioctl(", "PERF_EVENT_IOC", "attaching"),
    ("mmap(", "MAP_SHARED", "mapping shared memory"),
    ("execve(", "", "starting the command"),
];

/// One row for each phase, and one for all together. strace takes its share of every call.
pub(super) fn of_start() -> Vec<Row> {
    if on_path("strace").is_none() {
        return vec![Row::missing(
            "run -- true, by its calls",
            "strace is not installed",
        )];
    }
    let scratch = Scratch::new();
    let log = scratch.text("calls");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-T",
        "-e",
        "trace=bpf,perf_event_open,ioctl,mmap,execve",
        "-o",
        &log,
    ]);
    command
        .arg(machine::memguard())
        .args(["run", "-o", &scratch.text("lines"), "--", "true"]);
    let ran = command.env_remove("SUDO_UID").output();
    assert!(
        ran.is_ok_and(|ran| ran.status.success()),
        "memguard under strace"
    );
    rows(Path::new(&log))
}

fn rows(log: &Path) -> Vec<Row> {
    let log = fs::read_to_string(log).unwrap_or_default();
    let mut phases: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
    for (phase, seconds) in log.lines().filter_map(call) {
        let (count, sum) = phases.entry(phase).or_default();
        *count += 1;
        *sum += seconds;
    }
    let row = |(phase, (count, sum)): (&&str, &(u32, f64))| Row {
        sample: Some(Sample::one(*sum)),
        ..Row::new(format!("run -- true: {phase}"), "s", &[])
            .note(format!("{count} calls, under strace"))
    };
    phases.iter().map(row).collect()
}

/// `PID name(arguments) = result <seconds>`.
fn call(line: &str) -> Option<(&'static str, f64)> {
    let (_, call) = line.trim_start().split_once(' ')?;
    let call = call.trim_start();
    let seconds = call.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()?;
    let phase = PHASES
        .iter()
        .find(|(begin, has, _)| call.starts_with(begin) && call.contains(has));
    phase.map(|(_, _, phase)| (*phase, seconds))
}

#[cfg(test)]
mod tests {
    use super::call;

    /// The first that fits counts, and what is not named does not.
    #[test]
    fn calls_belong_to_phases() {
        let load = r#"12 bpf(BPF_PROG_LOAD, {prog_name="map"}, 148) = 9 <0.012500>"#;
        assert_eq!(call(load), Some(("loading programs", 0.0125)));
        assert_eq!(
            call("12  ioctl(9, PERF_EVENT_IOC_SET_BPF, 8) = 0 <0.000500>"),
            Some(("attaching", 0.0005))
        );
        assert_eq!(call("12 ioctl(1, TCGETS) = -1 ENOTTY <0.000001>"), None);
        assert_eq!(call("12 +++ exited with 0 +++"), None);
    }
}
