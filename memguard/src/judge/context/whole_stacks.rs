//! Whole stacks of some of the handles whose usual window ended too early.
//!
//! Handles are counted by the short stack, which all of a site have. Whole ones are known of a few,
//! and not of a fair choice of them: the first calls of each second. So they are told only where
//! they are spread over all that is held: a pool that was filled long ago says nothing of what was
//! acquired since, nor what is about to be closed of what has stayed.

use hashbrown::HashMap;

use crate::{
    ledger::AcquisitionId,
    model::{
        ids::{ProcessId, Stamp},
        origin::StackId,
    },
};

/// Most sites that are kept.
const SITES: usize = 1024;
/// Most whole stacks of a site.
const OF_SITE: usize = 64;
/// In each such part of what is held, by age, a whole stack must be known.
const PARTS: usize = 4;

/// A handle whose whole stack is known.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What it is.
    pub acquisition: AcquisitionId,
    /// When it was acquired.
    pub stamp: Stamp,
    /// Its stack.
    pub whole: StackId,
}

#[derive(Debug)]
struct Site {
    /// The first that was known was acquired then.
    since: Stamp,
    samples: Vec<Sample>,
    /// One in so many is kept; a power of two.
    one_in: u64,
}

impl Site {
    fn new(since: Stamp) -> Self {
        Self {
            since,
            samples: Vec::new(),
            one_in: 1,
        }
    }

    /// Chosen by a hash, so that no rhythm of the program is in step with it.
    fn keeps(&self, sample: &Sample) -> bool {
        const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
        (sample.stamp.0.wrapping_mul(PRIME) >> 32).is_multiple_of(self.one_in)
    }

    /// Those go that are not held any more. Where nearly all are, half of them go, so that what is
    /// kept stays spread over all ages.
    fn make_room(&mut self, is_held: impl Fn(AcquisitionId) -> bool) {
        self.samples.retain(|sample| is_held(sample.acquisition));
        if self.samples.len() > OF_SITE / 2 {
            self.one_in = self.one_in.saturating_mul(2);
            let samples = std::mem::take(&mut self.samples);
            let kept = samples.into_iter().filter(|sample| self.keeps(sample));
            self.samples = kept.take(OF_SITE - 1).collect();
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct WholeStacks {
    sites: HashMap<(ProcessId, StackId), Site>,
    refused: u64,
}

impl WholeStacks {
    /// A handle of the short stack `short` has a whole one, which begins with it.
    pub fn learn(
        &mut self,
        process: ProcessId,
        short: StackId,
        sample: Sample,
        is_held: impl Fn(AcquisitionId) -> bool,
    ) {
        let key = (process, short);
        if self.sites.len() >= SITES && !self.sites.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let site = self.sites.entry(key);
        let site = site.or_insert_with(|| Site::new(sample.stamp));
        if !site.keeps(&sample) {
            return;
        }
        if site.samples.len() >= OF_SITE {
            site.make_room(is_held);
        }
        site.samples.push(sample);
    }

    /// Stacks of sites beyond the bound, which are told short.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The whole stacks of a site, each once.
    pub fn of_site(&self, process: ProcessId, short: Option<StackId>) -> Vec<StackId> {
        let site = self.site(process, short);
        let samples = site.into_iter().flat_map(|site| &site.samples);
        distinct(&samples.collect::<Vec<_>>())
    }

    /// The whole stacks of those that were acquired at these moments, which ascend, each once; none
    /// where they do not speak for all of them.
    pub fn of_held(
        &self,
        process: ProcessId,
        short: Option<StackId>,
        held: &[Stamp],
    ) -> Vec<StackId> {
        let Some(site) = self.site(process, short) else {
            return Vec::new();
        };
        // What was acquired before anybody asked is taken to be like the rest.
        let known = held.partition_point(|stamp| *stamp < site.since);
        let held = held.get(known..).unwrap_or_default();
        let of_held = |sample: &&Sample| held.binary_search(&sample.stamp).is_ok();
        let samples: Vec<&Sample> = site.samples.iter().filter(of_held).collect();
        let has_one = |part: &[Stamp]| {
            let mut samples = samples.iter();
            samples.any(|sample| part.binary_search(&sample.stamp).is_ok())
        };
        let mut parts = held.chunks(held.len().div_ceil(PARTS).max(1));
        if parts.all(has_one) {
            distinct(&samples)
        } else {
            Vec::new()
        }
    }

    fn site(&self, process: ProcessId, short: Option<StackId>) -> Option<&Site> {
        self.sites.get(&(process, short?))
    }

    /// The process has ended and was judged.
    pub fn forget(&mut self, process: ProcessId) {
        self.sites.retain(|(of, _), _| *of != process);
    }

    /// Whether something is kept of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.sites.keys().any(|(of, _)| *of == process)
    }
}

fn distinct(samples: &[&Sample]) -> Vec<StackId> {
    let mut stacks: Vec<StackId> = samples.iter().map(|sample| sample.whole).collect();
    stacks.sort_unstable();
    stacks.dedup();
    stacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::HandleId, model::ids::TableId};

    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };
    const SHORT: Option<StackId> = Some(StackId(1));

    fn sample(stamp: u64, whole: u32) -> Sample {
        let stamp = Stamp(stamp);
        Sample {
            acquisition: AcquisitionId::Handle(HandleId {
                table: TableId(1),
                fd: 3,
                stamp,
            }),
            stamp,
            whole: StackId(whole),
        }
    }

    fn learned(samples: &[(u64, u32)]) -> WholeStacks {
        let mut stacks = WholeStacks::default();
        for (stamp, whole) in samples {
            stacks.learn(PROCESS, StackId(1), sample(*stamp, *whole), |_| true);
        }
        stacks
    }

    fn held(stamps: impl IntoIterator<Item = u64>) -> Vec<Stamp> {
        stamps.into_iter().map(Stamp).collect()
    }

    #[test]
    fn only_what_is_held_says_who_forgot_it() {
        let stacks = learned(&[(10, 2), (11, 3), (12, 2)]);
        let of_held =
            |stamps: &[u64]| stacks.of_held(PROCESS, SHORT, &held(stamps.iter().copied()));
        assert_eq!(of_held(&[9, 10, 12]), [StackId(2)]);
        assert_eq!(of_held(&[11, 12]), [StackId(2), StackId(3)]);
        assert_eq!(of_held(&[]), []);
        assert_eq!(stacks.of_site(PROCESS, SHORT), [StackId(2), StackId(3)]);
        assert_eq!(stacks.of_site(PROCESS, None), []);
    }

    /// Forty of a cache and then what another forgets, of which no stack is known.
    #[test]
    fn what_is_known_of_the_oldest_alone_is_not_told_of_all() {
        let cache: Vec<(u64, u32)> = (10..50).map(|stamp| (stamp, 2)).collect();
        let stacks = learned(&cache);
        let stamps = |end| held((10..50).chain((100..end).step_by(2)));
        assert_eq!(stacks.of_held(PROCESS, SHORT, &stamps(100)), [StackId(2)]);
        assert_eq!(stacks.of_held(PROCESS, SHORT, &stamps(140)), []);
    }

    /// What is closed late is known of the youngest alone.
    #[test]
    fn what_is_known_of_the_youngest_alone_is_not_told_of_all() {
        let stacks = learned(&[(10, 2), (90, 3), (95, 3)]);
        let told = stacks.of_held(PROCESS, SHORT, &held((20..100).step_by(5)));
        assert_eq!(told, []);
    }

    #[test]
    fn what_is_kept_is_bounded_and_goes_with_its_process() {
        let mut stacks = WholeStacks::default();
        for stamp in 0..1_000 {
            stacks.learn(PROCESS, StackId(1), sample(stamp, 2), |_| true);
        }
        let told = stacks.of_held(PROCESS, SHORT, &held(0..1_000));
        assert_eq!(told, [StackId(2)], "what is kept is spread over all");
        for short in 0..2_000 {
            stacks.learn(PROCESS, StackId(short), sample(1, 9_999), |_| true);
        }
        assert_eq!((stacks.sites.len(), stacks.refused()), (SITES, 976));
        assert!(stacks.mentions(PROCESS));
        stacks.forget(PROCESS);
        assert!(!stacks.mentions(PROCESS));
    }

    #[test]
    fn what_is_released_makes_room_for_what_stays() {
        let mut stacks = WholeStacks::default();
        let stays = |id: AcquisitionId| match id {
            AcquisitionId::Handle(handle) => handle.stamp.0 % 10 == 0,
            _ => false,
        };
        for stamp in 0..600 {
            let whole = if stamp % 10 == 0 { 2 } else { 3 };
            stacks.learn(PROCESS, StackId(1), sample(stamp, whole), stays);
        }
        let told = stacks.of_held(PROCESS, SHORT, &held((0..600).step_by(10)));
        assert_eq!(told, [StackId(2)]);
    }
}
