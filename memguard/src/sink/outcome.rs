//! How it all ended, in words.

use crate::{
    model::{
        finding::{Evidence, Verdict},
        report::{RunExit, Summary},
    },
    sink::units::count,
};

/// `1 leak, 16 descriptors left at exit`, and whether that can be trusted.
pub(super) fn verdict(summary: &Summary) -> String {
    let Evidence { reasons, .. } = &summary.evidence;
    doubted(&found(summary), reasons)
}

/// A result, and why it is not certain.
pub(super) fn doubted(found: &str, reasons: &[String]) -> String {
    if reasons.is_empty() {
        return found.to_owned();
    }
    format!(
        "INCONCLUSIVE: {found}; not certain because {}",
        reasons.join("; ")
    )
}

fn found(summary: &Summary) -> String {
    let number = |verdict| summary.found(verdict);
    let leaks = number(Verdict::Leak);
    let leaks = (leaks > 0).then(|| count(leaks, "leak", "leaks"));
    let growing = number(Verdict::Growth);
    let growing = (growing > 0).then(|| {
        count(
            growing,
            "process that keeps growing",
            "processes that keep growing",
        )
    });
    let left = count(summary.left, "descriptor", "descriptors");
    let left = (summary.left > 0).then(|| format!("{left} left at exit"));
    let found: Vec<_> = leaks.into_iter().chain(growing).chain(left).collect();
    let found = if found.is_empty() {
        "nothing leaked".to_owned()
    } else {
        found.join(", ")
    };
    let aged = number(Verdict::Aged);
    let aged = (aged > 0).then(|| format!("{aged} held long"));
    let flat = number(Verdict::Cleared);
    let flat = (flat > 0).then(|| format!("{flat} no longer piling up"));
    let suppressed = summary.suppressed();
    let suppressed = (suppressed > 0).then(|| format!("{suppressed} suppressed"));
    let known = summary
        .known
        .map(|known| format!("{known} known from the baseline"));
    let more = [flat, aged, suppressed, known].into_iter().flatten();
    [found]
        .into_iter()
        .chain(more)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `command exited with 0; memguard exits with 23: --fail-on left`.
pub(super) fn run_exit(exit: &RunExit) -> String {
    let RunExit {
        command_code,
        code,
        reason,
        ..
    } = exit;
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    format!("command exited with {command_code}; memguard exits with {code}{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing;

    #[test]
    fn the_verdict_says_what_was_found_and_whether_it_is_certain() {
        for (findings, left, reasons, expected) in [
            (vec![], 0, vec![], "nothing leaked"),
            (vec![("aged", 3)], 0, vec![], "nothing leaked, 3 held long"),
            (
                vec![("leak", 1)],
                16,
                vec![],
                "1 leak, 16 descriptors left at exit",
            ),
            (vec![("left", 1)], 1, vec![], "1 descriptor left at exit"),
            (
                vec![("leak", 2)],
                0,
                vec!["5 events were lost", "the ring was full"],
                "INCONCLUSIVE: 2 leaks; not certain because 5 events were lost; the ring was full",
            ),
        ] {
            let reasons = reasons.into_iter().map(str::to_owned).collect();
            let evidence = Evidence {
                events_lost: 0,
                reasons,
            };
            let summary = Summary {
                findings,
                left,
                evidence,
                ..testing::summary()
            };
            assert_eq!(verdict(&summary), expected);
        }
    }
}
