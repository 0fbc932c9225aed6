//! The sentences; how it all ended is in [`outcome`]. `body` of a JSON line and what the text sink
//! prints are the same words.

use crate::{
    model::{
        finding::Limit,
        process::ProcessInfo,
        report::{
            Census, Health, Lost, Mappings, ProcessExited, Report, Started, Threshold,
            ThresholdAlert,
        },
    },
    output::{
        Redaction, outcome, sentence,
        units::{bytes, count},
    },
};

/// Longest name of a process in a sentence, in characters.
const NAME_MAX: usize = 40;

/// One sentence for any report.
pub(super) fn body(report: &Report, redaction: Redaction) -> String {
    match report {
        Report::Started(it) => format!("{}: {}", watching(it, redaction), probes(it)),
        Report::Census(it) => format!("{}: {}", who(&it.process), census(it)),
        Report::Finding(it) => sentence::finding(it),
        Report::Crossed(it) => crossed(it),
        Report::Mappings(it) => mappings(it),
        Report::Exited(it) => exited(it),
        Report::Health(it) => health(it),
        Report::RunSummary(it) | Report::Stopped(it) => outcome::verdict(it),
    }
}

/// `watching pid 4242 and its descendants`.
pub(super) fn watching(started: &Started, redaction: Redaction) -> String {
    format!("watching {}", redaction.apply(&started.scope))
}

/// `api[4242]`, or `pid 4242` where the name is unknown. The name is cut: programs choose it, and a
/// long one must not push the facts out of a line.
pub(super) fn who(process: &ProcessInfo) -> String {
    let (pid, label) = (process.id.tgid, process.label());
    if process.name.is_none() && process.executable.is_none() {
        return label;
    }
    if label.chars().nth(NAME_MAX).is_none() {
        return format!("{label}[{pid}]");
    }
    let cut: String = label.chars().take(NAME_MAX - 1).collect();
    format!("{cut}…[{pid}]")
}

/// `240 descriptors (23 % of RLIMIT_NOFILE 1024), RSS 31 MiB`.
pub(super) fn census(census: &Census) -> String {
    let open = count(census.open, "descriptor", "descriptors");
    let share = census.limit.as_ref().and_then(share).unwrap_or_default();
    let rss = census
        .rss_bytes
        .map(|rss| format!(", RSS {}", bytes(rss)))
        .unwrap_or_default();
    let partial = if census.partial {
        ", not all examined"
    } else {
        ""
    };
    format!("{open}{share}{rss}{partial}")
}

fn share(limit: &Limit) -> Option<String> {
    let percent = u128::from(limit.used) * 100 / u128::from(limit.value).max(1);
    let finite = limit.value != 0 && limit.value != u64::MAX;
    finite.then(|| format!(" ({percent} % of {} {})", limit.name, limit.value))
}

/// `api[4242]: 260 MiB in use, above --rss-warning 256 MiB`.
pub(super) fn crossed(alert: &ThresholdAlert) -> String {
    let who = who(&alert.process);
    let (used, value) = (bytes(alert.used), bytes(alert.value));
    match alert.threshold {
        Threshold::Ceiling(name) => format!("{who}: {used} of {name} {value} in use"),
        Threshold::Warning | Threshold::Critical | Threshold::Emergency => {
            let option = alert.threshold.name();
            format!("{who}: {used} of anonymous memory, above {option} {value}")
        }
    }
}

fn mappings(mappings: &Mappings) -> String {
    let ranges = count(mappings.ranges.len() as u64, "range", "ranges");
    format!("{}: {ranges} mapped", who(&mappings.process))
}

/// `api[4242] exited with 0, 16 descriptors left`.
pub(super) fn exited(exited: &ProcessExited) -> String {
    let ending = match exited.status.map(wait_status) {
        Some((Some(code), _)) => format!("exited with {code}"),
        Some((_, Some(signal))) => format!("was killed by signal {signal}"),
        _ => "exited".to_owned(),
    };
    let left = count(exited.left, "descriptor", "descriptors");
    let doubt = if exited.verified {
        ""
    } else {
        " (not verified)"
    };
    format!("{} {ending}, {left} left{doubt}", who(&exited.process))
}

/// `12 events lost (a 10, b 2); findings of 3 processes are inconclusive`.
pub(super) fn health(health: &Health) -> String {
    let Health {
        lost,
        processes,
        what,
        ..
    } = health;
    let sum = lost
        .iter()
        .fold(0, |sum: u64, (_, number)| sum.saturating_add(*number));
    if *what == Lost::Reports {
        let reports = count(sum, "report", "reports");
        return format!("{reports} dropped, the reader of this output is too slow");
    }
    let each: Vec<_> = lost
        .iter()
        .map(|(name, number)| format!("{name} {number}"))
        .collect();
    let names = if each.is_empty() {
        String::new()
    } else {
        format!(" ({})", each.join(", "))
    };
    let whose = match processes.len() as u64 {
        0 => String::new(),
        number => format!(" about {}", count(number, "process", "processes")),
    };
    format!(
        "{} lost{names}; findings{whose} may be wrong",
        count(sum, "event", "events")
    )
}

fn probes(started: &Started) -> String {
    let attached = count(started.attached.len() as u64, "probe", "probes");
    match started.missing.len() {
        0 => format!("{attached} attached"),
        missing => format!("{attached} attached, {missing} missing"),
    }
}

/// Exit code or signal of a `wait(2)` status.
pub(super) fn wait_status(status: u32) -> (Option<u32>, Option<u32>) {
    match status & 0x7f {
        0 => (Some((status >> 8) & 0xff), None),
        signal => (None, Some(signal)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        model::{finding::Finding, ids::ProcessId},
        output::{sentence::finding, testing},
    };

    #[test]
    fn a_status_is_a_code_or_a_signal() {
        for (status, expected) in [
            (0, (Some(0), None)),
            (23 << 8, (Some(23), None)),
            (9, (None, Some(9))),
            // Bit 7 says that memory was dumped.
            (0x8b, (None, Some(11))),
        ] {
            assert_eq!(wait_status(status), expected, "{status:#x}");
        }
    }

    #[test]
    fn a_nameless_process_is_its_pid() {
        let id = ProcessId {
            tgid: 42,
            start_ticks: 0,
        };
        assert_eq!(who(&ProcessInfo::unknown(id)), "pid 42");
        let process = Arc::new(ProcessInfo::unknown(id));
        let sentence = finding(&Finding {
            process,
            ..testing::finding()
        });
        assert!(
            sentence.starts_with("pid 42: 214 TCP sockets"),
            "{sentence}"
        );
    }

    #[test]
    fn a_long_name_is_cut() {
        let mut process = (*testing::process()).clone();
        process.executable = Some("x".repeat(255));
        let expected = format!("{}…[4242]", "x".repeat(39));
        assert_eq!(who(&process), expected);
        let process = Arc::new(process);
        let sentence = finding(&Finding {
            process,
            ..testing::finding()
        });
        assert!(
            sentence.starts_with(&(expected + ": 214 TCP sockets")),
            "{sentence}"
        );
    }
}
