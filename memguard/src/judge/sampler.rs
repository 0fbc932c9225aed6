//! Which process is due for a sample of its memory, and when.
//!
//! What moves is sampled at the interval, what stays still ever more rarely, down to every ten
//! seconds. Samples are spread over time: each process has a phase of its own, so that a host with
//! thousands of them never reads all at once. And they have a budget, however many are due. It
//! knows nothing of memory: time comes in, names go out.

use std::{collections::BTreeSet, time::Duration};

use hashbrown::HashMap;

use crate::model::ids::{ProcessId, Stamp};

/// What one sample is reckoned to cost of the budget. Reading `statm` of a process takes 2 µs of
/// CPU time where the machine is idle, and was seen to take 6 where it is busy.
pub const COST: Duration = Duration::from_micros(4);

/// The budget: 0.1 % of one CPU, which is 250 samples a second.
pub const BUDGET_PER_MILLE: u32 = 1;

/// At which interval, at most, what is still is sampled; longer where the interval is.
pub const SLOWEST: Duration = Duration::from_secs(10);

/// Time between two samples within the budget.
const GAP: Duration = Duration::from_nanos(COST.as_nanos() as u64 * 1000 / BUDGET_PER_MILLE as u64);

/// How much budget is kept for later: samples that come at once.
const BURST: Duration = Duration::from_secs(1);

/// After how many samples without movement the interval begins to double.
const STILL: u32 = 3;

/// How soon, at most, a process is sampled first.
const FIRST: Duration = Duration::from_secs(1);

/// Whether a size has moved: by 1 MiB, or by a hundredth.
pub fn has_moved(before: u64, after: u64) -> bool {
    let moved = before.abs_diff(after);
    moved >= 1 << 20 || (moved > 0 && moved >= before / 100)
}

/// A process that is watched.
#[derive(Clone, Copy, Debug)]
struct Watched {
    due: Stamp,
    period: Duration,
    still: u32,
}

/// When each process is due.
#[derive(Debug)]
pub struct Sampler {
    interval: Duration,
    watched: HashMap<ProcessId, Watched>,
    queue: BTreeSet<(Stamp, ProcessId)>,
    /// Up to when the budget has been spent.
    spent: Stamp,
}

impl Sampler {
    /// Samples what moves every `interval`, which is a millisecond or more.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval: interval.max(Duration::from_millis(1)),
            watched: HashMap::new(),
            queue: BTreeSet::new(),
            spent: Stamp(0),
        }
    }

    /// A process to be watched, first sampled within a second, or within the interval where that is
    /// shorter. Nothing where it is already.
    pub fn seen(&mut self, process: ProcessId, now: Stamp) {
        if self.watched.contains_key(&process) {
            return;
        }
        let watched = Watched {
            due: due_after(process, now, self.interval.min(FIRST)),
            period: self.interval,
            still: 0,
        };
        self.queue.insert((watched.due, process));
        self.watched.insert(process, watched);
    }

    /// Who is to be sampled now, the longest due first; no more than the budget allows, the others
    /// at a later call. Who is named and not reported as [`sampled`](Self::sampled) is due again
    /// after the same time.
    pub fn due(&mut self, now: Stamp) -> Vec<ProcessId> {
        self.spent = self.spent.max(now.before(BURST));
        let mut named = Vec::new();
        while self.spent.after(GAP) <= now
            && let Some(&(due, process)) = self.queue.first()
            && due <= now
        {
            self.spent = self.spent.after(GAP);
            self.reschedule(process, now, |_| {});
            named.push(process);
        }
        named
    }

    /// A process was sampled, and its size [has moved](has_moved) since the sample before, or not.
    pub fn sampled(&mut self, process: ProcessId, now: Stamp, moved: bool) {
        let interval = self.interval;
        self.reschedule(process, now, |watched| {
            if moved {
                (watched.period, watched.still) = (interval, 0);
                return;
            }
            watched.still = watched.still.saturating_add(1);
            if watched.still >= STILL {
                let doubled = watched.period.saturating_mul(2);
                watched.period = doubled.min(SLOWEST.max(interval));
            }
        });
    }

    /// A process ended, or is none of ours any more.
    pub fn forget(&mut self, process: ProcessId) {
        if let Some(watched) = self.watched.remove(&process) {
            self.queue.remove(&(watched.due, process));
        }
    }

    /// When to call [`Sampler::due`] next; `None` where nobody is watched. Waking up costs more
    /// than a sample, so it is no more than ten times in an interval or a second, and some are
    /// sampled that much late, always by the same.
    pub fn next_due(&self) -> Option<Stamp> {
        let (due, _) = self.queue.first()?;
        let tick = self.interval.min(Duration::from_secs(1)) / 10;
        let next = (*due).max(self.spent.after(GAP));
        Some(Stamp(
            next.0
                .checked_next_multiple_of(nanos(tick))
                .unwrap_or(next.0),
        ))
    }

    /// How many are watched.
    pub fn len(&self) -> usize {
        self.watched.len()
    }

    /// Nobody is watched.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    fn reschedule(&mut self, process: ProcessId, now: Stamp, change: impl FnOnce(&mut Watched)) {
        let Some(watched) = self.watched.get_mut(&process) else {
            return;
        };
        self.queue.remove(&(watched.due, process));
        change(watched);
        watched.due = due_after(process, now, watched.period);
        self.queue.insert((watched.due, process));
    }
}

/// The first moment after `now`, at most a period later, that is a whole number of periods after
/// the phase of the process.
fn due_after(process: ProcessId, now: Stamp, period: Duration) -> Stamp {
    let period = nanos(period).max(1);
    let since = now.0.saturating_add(period - phase(process, period)) % period;
    Stamp(now.0.saturating_add(period - since))
}

/// Part of the period by which a process is late. Multiples of the golden ratio lie as far from
/// each other as can be, and numbers of processes that start together follow each other.
fn phase(process: ProcessId, period: u64) -> u64 {
    let part = process.tgid.wrapping_mul(0x9e37_79b9);
    ((u128::from(period) * u128::from(part)) >> 32) as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use hashbrown::HashSet;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn process(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: 1,
        }
    }

    /// Samples for some time, always when told to; every sample, by process.
    fn run(
        sampler: &mut Sampler,
        from: Stamp,
        length: Duration,
        mut moved: impl FnMut(ProcessId) -> bool,
    ) -> Vec<(Stamp, ProcessId)> {
        let (mut samples, mut now) = (Vec::new(), from);
        while now <= from.after(length) {
            for process in sampler.due(now) {
                samples.push((now, process));
                sampler.sampled(process, now, moved(process));
            }
            now = sampler.next_due().unwrap().max(now.next());
        }
        samples
    }

    fn times(samples: &[(Stamp, ProcessId)], tgid: u32) -> Vec<u64> {
        let of = samples.iter().filter(|(_, process)| process.tgid == tgid);
        of.map(|(at, _)| at.0 / 1_000_000).collect()
    }

    fn gaps(times: &[u64]) -> Vec<u64> {
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn a_mebibyte_or_a_hundredth_is_movement() {
        const MIB: u64 = 1 << 20;
        for (before, after, expected) in [
            (0, 0, false),
            (0, 1, true),
            (100 * 4096, 101 * 4096, true),
            (100 * 4096, 99 * 4096, true),
            (101 * 4096, 100 * 4096, false),
            (1000 * MIB, 1000 * MIB + MIB, true),
            (1000 * MIB, 1000 * MIB - MIB + 1, false),
            (u64::MAX, 0, true),
        ] {
            assert_eq!(has_moved(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn what_moves_is_sampled_at_the_interval_and_what_is_still_every_ten_seconds() {
        let mut sampler = Sampler::new(SECOND);
        let start = Stamp(7_000_000_123);
        for tgid in [1, 2] {
            sampler.seen(process(tgid), start);
        }
        let samples = run(&mut sampler, start, 100 * SECOND, |process| {
            process.tgid == 1
        });
        let [moving, still] = [1, 2].map(|tgid| times(&samples, tgid));
        assert!(moving[0] <= 8100 && still[0] <= 8100);
        assert!(gaps(&moving).iter().all(|&gap| gap == 1000), "{moving:?}");
        assert_eq!(gaps(&still)[..2], [1000, 1000]);
        assert!(
            gaps(&still)[6..].iter().all(|&gap| gap == 10_000),
            "{still:?}"
        );
        // It begins to move.
        let now = samples.last().unwrap().0;
        sampler.sampled(process(2), now, true);
        let samples = run(&mut sampler, now, 5 * SECOND, |_| true);
        let moving = times(&samples, 2);
        assert!(gaps(&moving).iter().all(|&gap| gap == 1000), "{moving:?}");
    }

    #[test]
    fn an_interval_longer_than_the_slowest_is_kept() {
        let mut sampler = Sampler::new(60 * SECOND);
        sampler.seen(process(1), Stamp(1));
        let samples = run(&mut sampler, Stamp(1), 600 * SECOND, |_| false);
        let times = times(&samples, 1);
        assert!(times[0] <= 1100, "{times:?}");
        assert!(
            gaps(&times)[1..].iter().all(|&gap| gap == 60_000),
            "{times:?}"
        );
    }

    /// Two thousand processes, whether they move or not: 0.1 % of a CPU, and never all at once.
    #[test]
    fn a_whole_host_stays_in_the_budget_and_is_spread_over_time() {
        for (moves, slowest) in [(false, 10_100), (true, 8_100)] {
            let mut sampler = Sampler::new(SECOND);
            let start = Stamp(5_000_000_000);
            (1..=2000).for_each(|tgid| sampler.seen(process(tgid), start));
            let warm = start.after(60 * SECOND);
            run(&mut sampler, start, 60 * SECOND, |_| moves);
            let samples = run(&mut sampler, warm.next(), 100 * SECOND, |_| moves);
            let cost = samples.len() as u32 * COST;
            assert!(cost <= 100 * SECOND / 1000 + BURST / 1000, "{cost:?}");
            for tgid in [1, 2, 1000, 2000] {
                let gaps = gaps(&times(&samples, tgid));
                assert!(gaps.iter().all(|&gap| gap <= slowest), "{gaps:?}");
            }
            let mut ticks: HashMap<Stamp, usize> = HashMap::new();
            for (at, _) in &samples {
                *ticks.entry(*at).or_default() += 1;
            }
            assert!(
                ticks.len() <= 1001 && ticks.values().all(|&count| count <= 50),
                "{moves}"
            );
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        OpenFile(u32),
        Forget(u32),
        Pass(u64),
        Sample(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..2000_u32).prop_map(Step::OpenFile),
            (0..2000_u32).prop_map(Step::Forget),
            (0..3_000_000_000_u64).prop_map(Step::Pass),
            any::<bool>().prop_map(Step::Sample),
        ]
    }

    proptest! {
        /// Whatever happens: who is named is watched, due, and named once; the budget holds; the
        /// next moment is one at which somebody is due; nobody is forgotten.
        #[test]
        fn the_sampler_keeps_its_promises(
            interval in 1_u64..20_000,
            steps in proptest::collection::vec(step(), 1..400),
        ) {
            let mut sampler = Sampler::new(Duration::from_millis(interval));
            let (mut now, mut watched) = (Stamp(1), HashSet::new());
            let (mut total, start) = (0_u64, now);
            for step in steps {
                match step {
                    Step::OpenFile(tgid) => {
                        sampler.seen(process(tgid), now);
                        watched.insert(process(tgid));
                    }
                    Step::Forget(tgid) => {
                        sampler.forget(process(tgid));
                        watched.remove(&process(tgid));
                    }
                    Step::Pass(time) => now = now.after(Duration::from_nanos(time)),
                    Step::Sample(moved) => {
                        let named = sampler.due(now);
                        let once: HashSet<_> = named.iter().copied().collect();
                        prop_assert_eq!(once.len(), named.len());
                        prop_assert!(once.is_subset(&watched));
                        total += named.len() as u64;
                        let earned = now.since(start) + BURST;
                        prop_assert!(u128::from(total) * GAP.as_nanos() <= earned.as_nanos());
                        for process in named {
                            sampler.sampled(process, now, moved);
                        }
                    }
                }
                prop_assert_eq!((sampler.len(), sampler.queue.len()), (watched.len(), watched.len()));
                let latest = now.after(SLOWEST.max(sampler.interval));
                prop_assert!(sampler.queue.iter().all(|&(due, _)| due <= latest));
            }
            while let Some(next) = sampler.next_due() {
                now = now.max(next);
                let named = sampler.due(now);
                prop_assert!(!named.is_empty());
                for process in named {
                    sampler.forget(process);
                    watched.remove(&process);
                }
            }
            prop_assert!(watched.is_empty() && sampler.is_empty());
        }
    }
}
