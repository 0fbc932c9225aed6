//! Who touches new memory, by samples of page faults, in bounded memory.
//!
//! Pure. Of every process the sampled pages are kept with the stack that touched them. Where they
//! are too many, every other one is forgotten, at random, and those that are left stand for twice
//! as many.

use hashbrown::HashMap;

use crate::model::{
    ids::{ProcessId, Stamp},
    memory::PAGE,
    origin::StackId,
};

/// Most pages that are kept of one process: enough for a site of a tenth to be told to a tenth.
const OF_ONE: usize = 4096;
/// Most pages that are kept of all.
const OF_ALL: usize = 128 * 1024;

/// A page that was touched and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultSample {
    /// Its first address.
    pub page: u64,
    /// When.
    pub stamp: Stamp,
    /// By whom.
    pub stack: StackId,
}

impl FaultSample {
    /// Of the page that an address lies in.
    pub fn new(address: u64, stamp: Stamp, stack: StackId) -> Self {
        let page = address - address % PAGE;
        Self { page, stamp, stack }
    }
}

/// What is kept of one process.
#[derive(Debug)]
struct Process {
    /// How many samples each one that is kept stands for.
    weight: u64,
    /// How many came since the last that was wanted.
    passed: u64,
    pages: HashMap<u64, (Stamp, StackId)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct FaultSamples {
    processes: HashMap<ProcessId, Process>,
    held: usize,
}

impl FaultSamples {
    /// Whether the next sample of a process is wanted: of one that touches much, not every one is.
    pub fn wants(&mut self, process: ProcessId) -> bool {
        let Some(process) = self.processes.get_mut(&process) else {
            return true;
        };
        process.passed += 1;
        let wanted = process.passed >= process.weight;
        if wanted {
            process.passed = 0;
        }
        wanted
    }

    /// Takes a sample. A page that is touched anew had been given back.
    pub fn add(&mut self, process: ProcessId, sample: FaultSample) {
        let FaultSample { page, stamp, stack } = sample;
        let known = self.processes.entry(process).or_insert(Process {
            weight: 1,
            passed: 0,
            pages: HashMap::new(),
        });
        let before = known.pages.insert(page, (stamp, stack));
        self.held += usize::from(before.is_none());
        if known.pages.len() > OF_ONE {
            self.held -= known.thin();
        }
        if self.held > OF_ALL {
            self.thin();
        }
    }

    /// What is kept of a process, in no order, and how many samples each of it stands for.
    pub fn of(&self, process: ProcessId) -> (u64, impl Iterator<Item = FaultSample>) {
        let process = self.processes.get(&process);
        let pages = process.into_iter().flat_map(|process| &process.pages);
        let samples = pages.map(|(page, (stamp, stack))| FaultSample {
            page: *page,
            stamp: *stamp,
            stack: *stack,
        });
        (process.map_or(1, |process| process.weight), samples)
    }

    /// The process has ended, or runs another program.
    pub fn forget(&mut self, process: ProcessId) {
        let gone = self.processes.remove(&process);
        self.held -= gone.map_or(0, |process| process.pages.len());
    }

    /// Of all; those of whom nothing is left had hardly anything.
    fn thin(&mut self) {
        for process in self.processes.values_mut() {
            self.held -= process.thin();
        }
        self.processes
            .retain(|_, process| !process.pages.is_empty());
    }
}

impl Process {
    /// Forgets half; returns how many.
    fn thin(&mut self) -> usize {
        let before = self.pages.len();
        let mut pages: Vec<u64> = self.pages.keys().copied().collect();
        pages.sort_unstable();
        for page in pages.into_iter().step_by(2) {
            self.pages.remove(&page);
        }
        self.weight = self.weight.saturating_mul(2);
        before - self.pages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: 1,
        }
    }

    /// Takes what is wanted of this many samples, of which every fourth is of another stack.
    fn take(samples: &mut FaultSamples, process: ProcessId, count: u64) {
        for page in 0..count {
            if samples.wants(process) {
                let stack = StackId(u32::from(page % 4 == 3));
                samples.add(
                    process,
                    FaultSample::new(page * PAGE + 8, Stamp(page), stack),
                );
            }
        }
    }

    /// By how many samples each of both stacks is told.
    fn told(samples: &FaultSamples, process: ProcessId) -> [u64; 2] {
        let (weight, samples) = samples.of(process);
        let mut told = [0; 2];
        for sample in samples {
            told[sample.stack.0 as usize] += weight;
        }
        told
    }

    #[test]
    fn every_sample_counts_while_there_are_few() {
        let mut samples = FaultSamples::default();
        take(&mut samples, process(1), 400);
        take(&mut samples, process(2), 4);
        assert_eq!(told(&samples, process(1)), [300, 100]);
        assert_eq!(told(&samples, process(2)), [3, 1]);
        samples.forget(process(1));
        assert_eq!(told(&samples, process(1)), [0, 0]);
        assert_eq!((samples.held, samples.processes.len()), (4, 1));
    }

    #[test]
    fn a_page_belongs_to_who_touched_it_last() {
        let mut samples = FaultSamples::default();
        for stack in [0, 1] {
            let sample = FaultSample::new(PAGE + 5, Stamp(7), StackId(stack));
            samples.add(process(1), sample);
        }
        assert_eq!(told(&samples, process(1)), [0, 1]);
        let (_, mut kept) = samples.of(process(1));
        assert_eq!(kept.next().map(|sample| sample.page), Some(PAGE));
    }

    #[test]
    fn many_samples_are_thinned_and_shares_stay() {
        let mut samples = FaultSamples::default();
        // Not in step with the stacks: those that are wanted come at powers of two.
        for page in 0..100_000_u64 {
            let stack = StackId(u32::from(page % 3 == 0));
            if samples.wants(process(1)) {
                samples.add(
                    process(1),
                    FaultSample::new(page * PAGE, Stamp(page), stack),
                );
            }
        }
        let [often, seldom] = told(&samples, process(1)).map(|samples| samples as f64);
        assert!(samples.held <= OF_ONE);
        assert!(
            (85_000.0..115_000.0).contains(&(often + seldom)),
            "{often} + {seldom}"
        );
        assert!(
            (0.27..0.40).contains(&(seldom / (often + seldom))),
            "{seldom} of {often}"
        );
    }

    #[test]
    fn all_together_are_bounded() {
        let mut samples = FaultSamples::default();
        for tgid in 0..1000 {
            take(&mut samples, process(tgid), 400);
        }
        let pages = samples
            .processes
            .values()
            .map(|process| process.pages.len());
        assert_eq!(samples.held, pages.sum::<usize>());
        assert!(samples.held <= OF_ALL);
        let [often, seldom] = told(&samples, process(0));
        assert!((200..600).contains(&(often + seldom)), "{often} + {seldom}");
    }
}
