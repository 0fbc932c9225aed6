//! Piles up while the process runs.

use std::time::Duration;

use super::{Check, Detector, GroupSample, parts_hit};
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
/// * where it releases many at once, as a collector does, five survivors or more have outlived
///   twice the longest time that it took to come again, and three minutes;
///
/// and whose count is still climbing, with the total of what is held, so that a steady population,
/// however old, and a filled cache are none; unless it is the limit of the process that keeps it
/// from climbing. What came during the warm-up counts as resident. No
/// verdict before the oldest survivor is older than [`GroupSample::quiet`], unless the group has
/// released something, and not many at once.
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
    fn check(&self, group: &GroupSample<'_>) -> Check {
        let Some(oldest) = group.late().next() else {
            return Check::Clear;
        };
        let ripe = group.now.since(oldest) >= group.quiet;
        if !ripe && (group.population.released == 0 || group.in_bulk) {
            return Check::Recheck;
        }
        if group.in_bulk && (older(group, group.quiet).count() as u64) < SURVIVORS {
            return Check::Recheck;
        }
        if !keeps_acquiring(group) {
            return Check::Clear;
        }
        match group.history.climbs() {
            Some(true) => Check::Suspect(Verdict::Leak),
            Some(false) if group.is_full => Check::Suspect(Verdict::Leak),
            Some(false) => Check::Clear,
            None => Check::Recheck,
        }
    }
}

fn keeps_acquiring(group: &GroupSample<'_>) -> bool {
    if let Some(lives) = group.population.lives() {
        return comes_again(group, lives.median) && stays(group);
    }
    let twice = group.min_age.saturating_mul(2);
    let again = group.is_full || comes_again(group, twice);
    again && tenths(group, Duration::ZERO) >= TENTHS
}

/// Whether some were acquired after the oldest survivor had outlived this.
fn comes_again(group: &GroupSample<'_>, life: Duration) -> bool {
    let Some(oldest) = group.late().next() else {
        return false;
    };
    let outlived = oldest.after(life);
    let all = group.late().chain(group.young.iter().copied());
    all.filter(|stamp| *stamp > outlived).count() >= AGAIN
}

/// Whether there is an age that survivors pass and others do not.
fn stays(group: &GroupSample<'_>) -> bool {
    let ages = group.population.longer();
    let seen = group.now.since(group.warm_at);
    let ages = ages.skip_while(|(age, _)| *age < group.min_age);
    let mut ages = ages.take_while(|(age, _)| age.saturating_mul(TIMES_SEEN) <= seen);
    ages.any(|(age, released)| {
        let survivors = older(group, age).count() as u64;
        let hardly_any = released.saturating_mul(FOR_EACH_RELEASED) <= survivors;
        survivors >= SURVIVORS && hardly_any && tenths(group, age) >= TENTHS
    })
}

fn older<'a>(group: &GroupSample<'a>, age: Duration) -> impl Iterator<Item = Stamp> + 'a {
    let before = group.now.before(age);
    group.late().take_while(move |stamp| *stamp < before)
}

/// In how many tenths of the observed life those survivors were acquired that are older than this.
pub(super) fn tenths(group: &GroupSample<'_>, age: Duration) -> u32 {
    parts_hit(older(group, age), group.observed_from, group.now, 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::{History, testing::sample},
        ledger::population::Population,
    };

    fn climbing() -> History {
        let mut history = History::default();
        for second in 0..20u64 {
            history.record(Stamp(second * 1_000_000_000), second, second as i64);
        }
        history
    }

    fn check(seconds: &[f64], history: &History) -> Check {
        check_where(seconds, history, false)
    }

    fn check_where(seconds: &[f64], history: &History, is_full: bool) -> Check {
        let at = |second: &f64| Stamp((second * 1e9) as u64);
        let survivors: Vec<_> = seconds.iter().map(at).collect();
        let population = Population::default();
        Accumulation.check(&GroupSample {
            survivors: &survivors,
            warm_at: Stamp(1_000_000_000),
            min_age: Duration::from_secs(5),
            quiet: Duration::from_secs(10),
            is_full,
            ..sample(&population, history)
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

    /// At its limit a process acquires nothing more, and what it holds climbs no further.
    #[test]
    fn a_full_table_need_not_climb() {
        let mut steady = History::default();
        for second in 0..20u64 {
            steady.record(Stamp(second * 1_000_000_000), 3, 3);
        }
        let filled: Vec<_> = (2..32).map(f64::from).collect();
        for (is_full, expected) in [(true, true), (false, false)] {
            let said = check_where(&filled, &steady, is_full);
            assert_eq!(leaks(said), expected, "full: {is_full}");
        }
    }

    #[test]
    fn nothing_is_said_of_the_young() {
        assert_eq!(check(&[95.0, 96.0, 99.0], &climbing()), Check::Recheck);
    }
}
