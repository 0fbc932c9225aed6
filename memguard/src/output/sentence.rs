//! A finding in one sentence.

use crate::{
    model::{
        finding::{Finding, Growth, Moment, Resolution, Shape, State, Verdict},
        resource::{Kind, Resource},
    },
    output::{
        nearing,
        units::{bytes, duration},
        words,
    },
};

/// What is held, by whom, and why that matters.
pub(super) fn finding(finding: &Finding) -> String {
    let who = who(finding);
    if finding.state == State::Resolved {
        return format!("{who}: {}", resolved(finding));
    }
    match finding.verdict {
        Verdict::Growth => format!("{who}: {}", grows(finding)),
        Verdict::Exhaustion => format!("{who}: {}", nearing::exhaustion(finding)),
        Verdict::Hoard => format!("{who}: {}", nearing::hoard(finding)),
        _ => {
            let growth = finding.growth.map_or_else(String::new, rate);
            let (what, outcome) = (what(finding), outcome_text(finding));
            let before = nearing::more_of_before(finding);
            format!("{who}: {what} {outcome}{growth}{before}")
        }
    }
}

/// The process, or the whole control group.
fn who(finding: &Finding) -> String {
    match &finding.cgroup {
        Some(cgroup) => format!("cgroup {cgroup}"),
        None => words::who(&finding.process),
    }
}

/// `214 TCP sockets from connect_upstream (pool.c:88)`.
fn what(finding: &Finding) -> String {
    let without_stack = finding.without_stack;
    let count = finding.open_count.saturating_sub(without_stack);
    let size = finding.open_bytes.map(|size| format!(" ({})", bytes(size)));
    let size = size.unwrap_or_default();
    format!(
        "{count} {}{size}{}{}",
        finding.kind.noun(count),
        origin_text(finding),
        more_without_stack(without_stack)
    )
}

/// `, and 32 more without a stack,`; nothing of none.
pub(super) fn more_without_stack(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(", and {count} more without a stack,"),
    }
}

/// The place, the calls where none is known, and nothing where neither is.
pub(super) fn origin_text(finding: &Finding) -> String {
    let origin = finding.origin_text();
    match finding.kind {
        _ if origin.is_empty() => origin,
        Kind::Thread | Kind::Unjoined => format!(" started by {origin}"),
        _ => format!(" from {origin}"),
    }
}

pub(super) fn outcome_text(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Aged => "held for a long time",
        Verdict::Leak if is_left_shm(finding) => "left behind again and again, never unlinked",
        Verdict::Leak => match finding.moment {
            Moment::Running => never(finding.kind),
            Moment::Exit => "piled up, still open at exit",
            Moment::End => "piled up, still open when the run ended",
        },
        Verdict::Growth => "growing",
        Verdict::Left if finding.kind == Kind::SysvShm => "left behind, with no process attached",
        Verdict::Left if finding.kind == Kind::PosixShm => "left behind, held by no process",
        Verdict::Left if finding.kind == Kind::Key => "left behind",
        Verdict::Left if finding.moment == Moment::End => "still open when the run ended",
        Verdict::Left => "still open at exit",
        Verdict::Inherited => "inherited over exec",
        Verdict::Cleared => "no longer piling up",
        Verdict::Suspect => "piling up so far",
        Verdict::Exhaustion => "in use, near the limit",
        Verdict::Hoard => "acquired before memguard attached",
    }
}

/// Of makers that have ended.
fn is_left_shm(finding: &Finding) -> bool {
    finding.kind == Kind::PosixShm && finding.moment == Moment::Exit
}

/// What has not been done with them.
fn never(kind: Kind) -> &'static str {
    match kind {
        Kind::Unjoined => "never joined",
        Kind::Thread => "never ended",
        Kind::Zombie => "never waited for",
        Kind::PosixTimer => "never deleted",
        Kind::InotifyWatch => "never removed",
        Kind::Key => "never unlinked",
        Kind::PosixShm => "never unlinked",
        kind if kind.resource() == Resource::Mmap => "never unmapped",
        _ => "never closed",
    }
}

fn rate(growth: Growth) -> String {
    let seconds = growth.window.as_secs_f64();
    format!(", {:+.1}/s for {seconds:.0} s", growth.slope_per_second)
}

/// `anonymous memory grows steadily by 3.1 MiB/s for 20 s, from 12 MiB to 80 MiB`.
fn grows(finding: &Finding) -> String {
    let memory = memory(finding.kind);
    let Some(growth) = &finding.growth else {
        return format!("{memory} grows");
    };
    let time = duration(growth.window);
    let rate = speed(growth.slope_per_second);
    let (from, how) = growth
        .trend
        .map_or((None, ""), |trend| (Some(trend.baseline), how(trend.shape)));
    let span = match (from, finding.open_bytes) {
        (Some(from), Some(to)) => format!(", from {} to {}", bytes(from), bytes(to)),
        _ => String::new(),
    };
    format!("{memory} grows{how} by {rate} for {time}{span}")
}

fn memory(kind: Kind) -> &'static str {
    if kind == Kind::HeapShm {
        "shared memory"
    } else {
        "anonymous memory"
    }
}

fn how(shape: Shape) -> &'static str {
    match shape {
        Shape::Exponential => " faster and faster",
        Shape::Stepwise => " in steps",
        Shape::Linear => "",
    }
}

/// `3.1 MiB/s`; per hour where it is slow.
fn speed(per_second: f64) -> String {
    const SLOW: f64 = 65_536.0;
    if per_second < SLOW {
        format!("{}/h", bytes((per_second * 3600.0) as u64))
    } else {
        format!("{}/s", bytes(per_second as u64))
    }
}

fn resolved(finding: &Finding) -> String {
    let noun = match finding.kind {
        _ if finding.verdict == Verdict::Growth => memory(finding.kind).to_owned(),
        kind => format!("{}{}", kind.noun(2), origin_text(finding)),
    };
    format!("{noun}{}", why(finding.resolution))
}

fn why(resolution: Option<Resolution>) -> &'static str {
    match resolution {
        Some(Resolution::Released) => ": released",
        Some(Resolution::Ended) => ": the process has ended",
        Some(Resolution::Stopped) => ": no longer growing",
        Some(Resolution::Withdrawn) => ": withdrawn",
        None => ": released, or the process has ended",
    }
}
