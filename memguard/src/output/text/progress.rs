//! How far it has come, in one line.

use crate::{
    model::report::Progress,
    output::units::{count, duration},
};

/// `12 s of 5 min, warm-up until 60 s: 214 held, no findings, 0 lost`.
pub fn progress(progress: &Progress) -> String {
    let of = progress
        .until
        .map(|until| format!(" of {}", duration(until)));
    let findings = match progress.findings {
        0 => "no findings".to_owned(),
        number => count(number, "finding", "findings"),
    };
    let (held, lost) = (progress.held, progress.lost);
    format!(
        "{} s{}, {}: {held} held, {findings}, {lost} lost",
        progress.observed.as_secs(),
        of.unwrap_or_default(),
        phase(progress)
    )
}

fn phase(progress: &Progress) -> String {
    let observed = progress.observed;
    if observed < progress.warm_up {
        format!("warm-up until {}", duration(progress.warm_up))
    } else if observed < progress.judged_from {
        format!("judging from {}", duration(progress.judged_from))
    } else {
        "judging".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_says_when_what_begins() {
        let seconds = Duration::from_secs;
        for (observed, until, findings, expected) in [
            (
                12,
                Some(300),
                0,
                "12 s of 5 min, warm-up until 60 s: 7 held, no findings, 0 lost",
            ),
            (
                70,
                None,
                0,
                "70 s, judging from 90 s: 7 held, no findings, 0 lost",
            ),
            (600, None, 1, "600 s, judging: 7 held, 1 finding, 0 lost"),
        ] {
            let line = progress(&Progress {
                observed: seconds(observed),
                until: until.map(seconds),
                warm_up: seconds(60),
                judged_from: seconds(90),
                held: 7,
                findings,
                lost: 0,
            });
            assert_eq!(line, expected);
        }
    }
}
