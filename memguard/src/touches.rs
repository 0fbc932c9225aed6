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
pub struct Touch {
    /// Its first address.
    pub page: u64,
    /// When.
    pub stamp: Stamp,
    /// By whom.
    pub stack: StackId,
}

impl Touch {
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
pub struct Touches {
    processes: HashMap<ProcessId, Process>,
    held: usize,
}

impl Touches {
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
    pub fn touched(&mut self, process: ProcessId, touch: Touch) {
        let Touch { page, stamp, stack } = touch;
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
    pub fn of(&self, process: ProcessId) -> (u64, impl Iterator<Item = Touch>) {
        let process = self.processes.get(&process);
        let pages = process.into_iter().flat_map(|process| &process.pages);
        let touches = pages.map(|(page, (stamp, stack))| Touch {
            page: *page,
            stamp: *stamp,
            stack: *stack,
        });
        (process.map_or(1, |process| process.weight), touches)
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
        let mut keep = false;
        self.pages.retain(|_, _| {
            keep = !keep;
            keep
        });
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
    fn touch(touches: &mut Touches, process: ProcessId, samples: u64) {
        for page in 0..samples {
            if touches.wants(process) {
                let stack = StackId(u32::from(page % 4 == 3));
                touches.touched(process, Touch::new(page * PAGE + 8, Stamp(page), stack));
            }
        }
    }

    /// By how many samples each of both stacks is told.
    fn told(touches: &Touches, process: ProcessId) -> [u64; 2] {
        let (weight, touches) = touches.of(process);
        let mut told = [0; 2];
        for touch in touches {
            told[touch.stack.0 as usize] += weight;
        }
        told
    }

    #[test]
    fn every_sample_counts_while_there_are_few() {
        let mut touches = Touches::default();
        touch(&mut touches, process(1), 400);
        touch(&mut touches, process(2), 4);
        assert_eq!(told(&touches, process(1)), [300, 100]);
        assert_eq!(told(&touches, process(2)), [3, 1]);
        touches.forget(process(1));
        assert_eq!(told(&touches, process(1)), [0, 0]);
        assert_eq!((touches.held, touches.processes.len()), (4, 1));
    }

    #[test]
    fn a_page_belongs_to_who_touched_it_last() {
        let mut touches = Touches::default();
        for stack in [0, 1] {
            let touch = Touch::new(PAGE + 5, Stamp(7), StackId(stack));
            touches.touched(process(1), touch);
        }
        assert_eq!(told(&touches, process(1)), [0, 1]);
        let (_, mut kept) = touches.of(process(1));
        assert_eq!(kept.next().map(|touch| touch.page), Some(PAGE));
    }

    #[test]
    fn many_samples_are_thinned_and_shares_stay() {
        let mut touches = Touches::default();
        // Not in step with the stacks: those that are wanted come at powers of two.
        for page in 0..100_000_u64 {
            let stack = StackId(u32::from(page % 3 == 0));
            if touches.wants(process(1)) {
                touches.touched(process(1), Touch::new(page * PAGE, Stamp(page), stack));
            }
        }
        let [often, seldom] = told(&touches, process(1)).map(|samples| samples as f64);
        assert!(touches.held <= OF_ONE);
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
        let mut touches = Touches::default();
        for tgid in 0..1000 {
            touch(&mut touches, process(tgid), 400);
        }
        let pages = touches
            .processes
            .values()
            .map(|process| process.pages.len());
        assert_eq!(touches.held, pages.sum::<usize>());
        assert!(touches.held <= OF_ALL);
        let [often, seldom] = told(&touches, process(0));
        assert!((200..600).contains(&(often + seldom)), "{often} + {seldom}");
    }
}
