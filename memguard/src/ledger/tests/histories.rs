//! Random histories against a naive model of the kernel.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One step of a history, as the kernel executes it.
#[derive(Clone, Debug)]
enum Step {
    Open { late: bool },
    Close(u8),
    Exec { cloexec: u64 },
    Die,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|late| Step::Open { late }),
        4 => any::<u8>().prop_map(Step::Close),
        1 => any::<u64>().prop_map(|cloexec| Step::Exec { cloexec }),
        1 => Just(Step::Die),
        1 => Just(Step::Sweep),
    ]
}

/// The kernel: one table in one piece of memory, used by one process after the other.
#[derive(Default)]
struct Kernel {
    open: BTreeMap<u32, u64>,
    tgid: u32,
    now: u64,
    /// Records that are still in the nursery.
    nursery: Vec<Acquired>,
}

impl Kernel {
    fn open_fds(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }
}

/// Drives the ledger as the agent does and notes what it ought to say.
#[derive(Default)]
struct Play {
    kernel: Kernel,
    ledger: Ledger,
    expected: Vec<(u32, Vec<u32>)>,
    judged: Vec<(u32, Vec<u32>)>,
}

impl Play {
    fn step(&mut self, step: &Step) {
        self.kernel.now += 10;
        match step {
            Step::Open { late } => self.open(*late),
            Step::Close(pick) => self.close(*pick),
            Step::Exec { cloexec } => self.exec(*cloexec),
            Step::Die => self.die(),
            Step::Sweep => self.sweep(),
        }
    }

    fn open(&mut self, late: bool) {
        let Kernel {
            open: table,
            tgid,
            now,
            ..
        } = &mut self.kernel;
        let fd = (3..10_000).find(|fd| !table.contains_key(fd)).unwrap();
        table.insert(fd, *now);
        match open(*tgid + 1, fd, *now) {
            Event::Acquired(acquired) if late => self.kernel.nursery.push(acquired),
            event => self.ledger.apply(event),
        }
    }

    fn close(&mut self, pick: u8) {
        let fds = self.kernel.open_fds();
        if fds.is_empty() {
            return;
        }
        let fd = fds[usize::from(pick) % fds.len()];
        self.kernel.open.remove(&fd);
        self.ledger
            .apply(close(self.kernel.tgid + 1, fd, self.kernel.now));
    }

    fn exec(&mut self, cloexec: u64) {
        self.kernel
            .open
            .retain(|fd, _| cloexec >> (fd % 64) & 1 == 0);
        let (tgid, now) = (self.kernel.tgid + 1, self.kernel.now);
        self.ledger
            .apply(snapshot(tgid, Occasion::Exec, &self.kernel.open_fds(), now));
    }

    fn die(&mut self) {
        let (tgid, now) = (self.kernel.tgid + 1, self.kernel.now);
        let open = self.kernel.open_fds();
        for event in death(tgid, &open, now) {
            self.ledger.apply(event);
        }
        self.expected.push((tgid, open));
        self.kernel.open.clear();
        self.kernel.tgid += 1;
    }

    fn sweep(&mut self) {
        let sweep = self.ledger.begin_sweep();
        for acquired in std::mem::take(&mut self.kernel.nursery) {
            self.ledger.apply(Event::Acquired(acquired));
        }
        let judged = self.ledger.end_sweep(sweep, Stamp(self.kernel.now));
        let fds = |held: &[HeldFd]| held.iter().map(|held| held.acquired.fd).collect();
        self.judged
            .extend(judged.iter().map(|j| (j.exited.process.tgid, fds(&j.left))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever the order in which records come, what is held and what was left is what the kernel says.
    #[test]
    fn histories_end_as_the_kernel_says(steps in prop::collection::vec(step(), 1..120)) {
        let mut play = Play::default();
        for step in &steps {
            play.step(step);
        }
        play.sweep();
        play.sweep();
        prop_assert_eq!(held(&play.ledger), play.kernel.open_fds());
        prop_assert_eq!(&play.judged, &play.expected);
        let tables = play.ledger.tables.len();
        prop_assert!(tables <= 1 && play.ledger.marks.is_empty(), "state is left behind");
    }

    /// Any records at all: no panic, and dead processes leave nothing.
    #[test]
    fn nonsense_does_no_harm(
        events in prop::collection::vec((0u8..6, 1u32..4, 0u32..6, 0u64..100), 0..200)
    ) {
        let mut ledger = Ledger::new();
        for (what, tgid, fd, stamp) in events {
            ledger.apply(match what {
                0 | 1 => open(tgid, fd, stamp),
                2 => close(tgid, fd, stamp),
                3 => snapshot(tgid, Occasion::Exec, &[fd], stamp),
                4 => snapshot(tgid, Occasion::Death, &[fd], stamp),
                _ => exit(tgid, stamp, fd % 2 == 0, fd % 3 == 0),
            });
        }
        judge(&mut ledger, u64::MAX);
        judge(&mut ledger, u64::MAX);
        prop_assert!(ledger.marks.is_empty() && ledger.ends.deaths.is_empty());
    }
}
