//! How it all ended, in words.

use crate::{
    model::{
        finding::{Doubt, Evidence, Verdict},
        report::{RunExit, Summary},
    },
    output::units::count,
};

/// `1 leak, 16 descriptors left at exit`, and whether that can be trusted.
pub(super) fn verdict(summary: &Summary) -> String {
    doubted(&found(summary), &texts(&summary.evidence))
}

/// Why a result may be wrong.
pub(super) fn texts(evidence: &Evidence) -> Vec<String> {
    evidence.reasons.iter().map(Doubt::to_string).collect()
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
    let told = summary.left_untold.is_none();
    let found = [
        number(summary, Verdict::Leak, "leak", "leaks"),
        number(
            summary,
            Verdict::Exhaustion,
            "count near its limit",
            "counts near their limits",
        ),
        number(
            summary,
            Verdict::Growth,
            "process that keeps growing",
            "processes that keep growing",
        ),
        left(summary).filter(|_| told),
    ];
    let mut parts: Vec<_> = found.into_iter().flatten().collect();
    if parts.is_empty() {
        parts.push("nothing leaked".to_owned());
    }
    parts.extend(less(summary));
    parts.extend(left(summary).filter(|_| !told));
    let suppressed = Some(summary.suppressed()).filter(|count| *count > 0);
    parts.extend(suppressed.map(|count| format!("{count} suppressed")));
    let known = summary.known;
    parts.extend(known.map(|known| format!("{known} known from the baseline")));
    parts.join(", ")
}

/// What is no leak, or not yet.
fn less(summary: &Summary) -> impl Iterator<Item = String> {
    let hoards = [
        "pile from before memguard attached",
        "piles from before memguard attached",
    ];
    let less = [
        number(summary, Verdict::Suspect, "suspected", "suspected"),
        number(summary, Verdict::Hoard, hoards[0], hoards[1]),
        number(
            summary,
            Verdict::Cleared,
            "no longer piling up",
            "no longer piling up",
        ),
        number(
            summary,
            Verdict::Aged,
            "held for a long time",
            "held for a long time",
        ),
    ];
    less.into_iter().flatten()
}

/// `2 leaks`; nothing where there is none.
fn number(summary: &Summary, verdict: Verdict, one: &str, many: &str) -> Option<String> {
    let number = summary.found(verdict);
    (number > 0).then(|| count(number, one, many))
}

/// `16 descriptors left at exit`; of how many processes, where they were not told one by one.
fn left(summary: &Summary) -> Option<String> {
    let left = count(summary.left, "descriptor", "descriptors");
    let by = summary.left_untold.map(|processes| {
        let processes = count(processes, "process", "processes");
        format!(" by {processes} (--left shows them)")
    });
    (summary.left > 0).then(|| format!("{left} left at exit{}", by.unwrap_or_default()))
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
    use crate::output::testing;

    #[test]
    fn what_was_left_and_not_told_is_said_last() {
        let summary = Summary {
            findings: vec![
                (Verdict::Aged, 1),
                (Verdict::Suspect, 2),
                (Verdict::Hoard, 1),
                (Verdict::Left, 3),
            ],
            left: 9_276,
            left_untold: Some(44),
            ..testing::summary()
        };
        let expected = "nothing leaked, 2 suspected, 1 pile from before memguard attached, 1 held \
                        for a long time, 9276 descriptors left at exit by 44 processes (--left \
                        shows them)";
        assert_eq!(verdict(&summary), expected);
        let near = Summary {
            findings: vec![(Verdict::Exhaustion, 1)],
            left: 0,
            ..summary
        };
        assert_eq!(verdict(&near), "1 count near its limit");
    }

    #[test]
    fn the_verdict_says_what_was_found_and_whether_it_is_certain() {
        for (findings, left, reasons, expected) in [
            (vec![], 0, vec![], "nothing leaked"),
            (
                vec![(Verdict::Aged, 3)],
                0,
                vec![],
                "nothing leaked, 3 held for a long time",
            ),
            (
                vec![(Verdict::Leak, 1)],
                16,
                vec![],
                "1 leak, 16 descriptors left at exit",
            ),
            (
                vec![(Verdict::Left, 1)],
                1,
                vec![],
                "1 descriptor left at exit",
            ),
            (
                vec![(Verdict::Leak, 2)],
                0,
                vec!["5 events were lost", "the ring was full"],
                "INCONCLUSIVE: 2 leaks; not certain because 5 events were lost; the ring was full",
            ),
        ] {
            let written = |reason: &str| Doubt::Written(reason.to_owned());
            let reasons = reasons.into_iter().map(written).collect();
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
