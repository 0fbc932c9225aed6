//! Piles up while the process runs.

use std::time::Duration;

use super::{Check, Detector, Subject};
use crate::model::{finding::Verdict, ids::Stamp};

/// Suspects a group that acquired again and again although its survivors stay:
///
/// * where it releases nothing, in at least three separate tenths of the observed life, and at
///   least twice after its oldest survivor was twice the minimum age: what has filled by then is
///   full;
/// * where it releases others, there is an age, the minimum age or more, that five of its survivors
///   or more have passed, acquired in three separate tenths, and that hardly any of those had that
///   were released: one for eight of the survivors; and that age was seen to pass three times since
///   the warm-up, or nobody can have been seen to leave at it. So it does not matter how many
///   others there are, nor how long they live, as long as they live shorter than what stays; and
///   who leaves sooner or later, at whatever age, is known by those who have left at that age. At
///   least two must have come after the oldest survivor had outlived the median life;
///
/// and whose count is still climbing, with the total of what is held, so that a steady population,
/// however old, and a filled cache are none. What came during the warm-up counts as resident. No
/// verdict before the oldest survivor is twice the minimum age, unless the group has released
/// something.
#[derive(Clone, Copy, Debug)]
pub struct Accumulation;

/// Acquisitions after it is clear that the survivors stay.
pub(super) const AGAIN: usize = 2;
const TENTHS: u32 = 3;
/// Survivors of an age that others hardly reach.
const SURVIVORS: u64 = 5;
/// So many for each one that reached it and was released after all.
const FOR_EACH_RELEASED: u64 = 8;
/// An age must have been seen to pass so often before it says anything.
const TIMES_SEEN: u32 = 3;

impl Detector for Accumulation {
    fn check(&self, subject: &Subject<'_>) -> Check {
        let Some(oldest) = subject.late().next() else {
            return Check::Clear;
        };
        let ripe = subject.now.since(oldest) >= subject.min_age.saturating_mul(2);
        if !ripe && subject.population.released == 0 {
            return Check::Recheck;
        }
        if !keeps_acquiring(subject) {
            return Check::Clear;
        }
        match subject.history.climbs() {
            Some(true) => Check::Suspect(Verdict::Leak),
            Some(false) => Check::Clear,
            None => Check::Recheck,
        }
    }
}

fn keeps_acquiring(subject: &Subject<'_>) -> bool {
    if let Some(lives) = subject.population.lives() {
        return comes_again(subject, lives.median) && stays(subject);
    }
    let twice = subject.min_age.saturating_mul(2);
    comes_again(subject, twice) && tenths(subject, Duration::ZERO) >= TENTHS
}

/// Whether some were acquired after the oldest survivor had outlived this.
fn comes_again(subject: &Subject<'_>, life: Duration) -> bool {
    let Some(oldest) = subject.late().next() else {
        return false;
    };
    let outlived = oldest.after(life);
    let all = subject.late().chain(subject.young.iter().copied());
    all.filter(|stamp| *stamp > outlived).count() >= AGAIN
}

/// Whether there is an age that survivors pass and others do not.
fn stays(subject: &Subject<'_>) -> bool {
    let ages = subject.population.longer();
    let seen = subject.now.since(subject.warm_at);
    let ages = ages.skip_while(|(age, _)| *age < subject.min_age);
    let mut ages = ages.take_while(|(age, _)| age.saturating_mul(TIMES_SEEN) <= seen);
    ages.any(|(age, released)| {
        let survivors = older(subject, age).count() as u64;
        let hardly_any = released.saturating_mul(FOR_EACH_RELEASED) <= survivors;
        survivors >= SURVIVORS && hardly_any && tenths(subject, age) >= TENTHS
    })
}

fn older<'a>(subject: &Subject<'a>, age: Duration) -> impl Iterator<Item = Stamp> + 'a {
    let before = subject.now.before(age);
    subject.late().take_while(move |stamp| *stamp < before)
}

/// In how many tenths of the observed life those survivors were acquired that are older than this.
pub(super) fn tenths(subject: &Subject<'_>, age: Duration) -> u32 {
    let life = subject.now.since(subject.observed_from).as_nanos().max(1);
    let tenth = |stamp: Stamp| {
        let at = stamp.since(subject.observed_from).as_nanos();
        (at.saturating_mul(10) / life).min(9) as u32
    };
    let hit = older(subject, age).fold(0u32, |hit, stamp| hit | 1 << tenth(stamp));
    hit.count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::History, ledger::population::Population};

    fn climbing() -> History {
        let mut history = History::default();
        for second in 0..20u64 {
            history.record(Stamp(second * 1_000_000_000), second, second as i64);
        }
        history
    }

    fn check(seconds: &[f64], history: &History) -> Check {
        let at = |second: &f64| Stamp((second * 1e9) as u64);
        let survivors: Vec<_> = seconds.iter().map(at).collect();
        let population = Population::default();
        Accumulation.check(&Subject {
            survivors: &survivors,
            young: &[],
            population: &population,
            history,
            observed_from: Stamp(0),
            warm_at: Stamp(1_000_000_000),
            min_age: Duration::from_secs(5),
            now: Stamp(100_000_000_000),
        })
    }

    fn leaks(check: Check) -> bool {
        check == Check::Suspect(Verdict::Leak)
    }

    #[test]
    fn a_site_that_releases_nothing_must_pile_up_in_three_tenths() {
        let climbing = climbing();
        for (seconds, expected, why) in [
            (&[5.0, 25.0, 45.0][..], true, "three tenths"),
            (&[5.0, 25.0], false, "two"),
            (&[5.0, 6.0, 7.0, 8.0, 9.0], false, "a burst"),
            (&[0.2, 0.4, 0.6], false, "during the warm-up"),
        ] {
            assert_eq!(leaks(check(seconds, &climbing)), expected, "{why}");
        }
    }

    #[test]
    fn a_count_that_does_not_climb_is_no_pile() {
        let mut steady = History::default();
        for second in 0..20u64 {
            steady.record(Stamp(second * 1_000_000_000), 3, 3);
        }
        assert_eq!(check(&[5.0, 25.0, 45.0], &steady), Check::Clear);
        assert_eq!(
            check(&[5.0, 25.0, 45.0], &History::default()),
            Check::Recheck
        );
    }

    #[test]
    fn nothing_is_said_of_the_young() {
        assert_eq!(check(&[95.0, 96.0, 99.0], &climbing()), Check::Recheck);
    }
}
