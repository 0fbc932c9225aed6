//! Random histories of processes and threads that open, copy, close, fork, execute and end, and
//! what is left by each in the end, as a naive [`model`] of the kernel has it.
//!
//! `tests/programs/history.c` carries out the same [`script`] step by step, with real processes;
//! the model knows every number beforehand, so the two are compared at every step, and with `/proc`
//! at the end of every process.

pub mod model;
pub mod random;
pub mod script;

use std::collections::BTreeMap;

use self::{
    model::{Left, World},
    random::Random,
    script::{Operation, Step},
};

/// No more actors than the program has room for.
const ACTORS: usize = 64;
/// No more at the same time.
const ALIVE: usize = 12;
const PROCESSES: usize = 6;

/// Which tables there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// One for each process, used by all its threads and nobody else.
    OnePerProcess,
    /// Tables of threads, and tables that processes share, too.
    Any,
}

/// A history and its outcome.
#[derive(Debug)]
pub struct History {
    /// It is made of this number and nothing else.
    pub seed: u64,
    kept_to: Tables,
    steps: Vec<Step>,
    world: World,
}

impl History {
    /// About `length` steps, chosen by `seed`, and the ends of all processes.
    pub fn random(seed: u64, length: usize, kept_to: Tables) -> Self {
        let mut history = Self {
            seed,
            kept_to,
            steps: Vec::new(),
            world: World::new(),
        };
        let mut random = Random::new(seed);
        while history.steps.len() < length {
            let actor = *random.one_of(&history.world.alive());
            let operation = history.choose(actor, &mut random);
            history.take(actor, operation);
        }
        while let Some(actor) = random.one_of_or_none(&history.world.alive()) {
            history.take(*actor, Operation::EndProcess);
        }
        history
    }

    /// The file that `history.c` reads.
    pub fn encoded(&self) -> Vec<u8> {
        script::encode(&self.steps)
    }

    /// How many steps it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The steps, a line each.
    pub fn told(&self) -> String {
        let step = |(index, step): (usize, &Step)| {
            let Step {
                actor,
                operation,
                result,
            } = step;
            format!("{index}: actor {actor} {operation:?} gives {result:?}\n")
        };
        self.steps.iter().enumerate().map(step).collect()
    }

    /// There are always some.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What each process leaves, by the actor with which it began.
    pub fn left(&self) -> &BTreeMap<usize, Left> {
        &self.world.left
    }

    /// What is open in each table when its process ends, by actor.
    pub fn tables(&self) -> &BTreeMap<usize, Vec<i32>> {
        &self.world.last_tables
    }

    /// How often each operation is in it.
    pub fn operations(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.operation.name()).or_default() += 1;
        }
        counts
    }

    fn take(&mut self, actor: usize, operation: Operation) {
        let result = self.world.perform(actor, operation);
        self.steps.push(Step {
            actor,
            operation,
            result,
        });
    }

    fn choose(&self, actor: usize, random: &mut Random) -> Operation {
        loop {
            let operation = self.any(actor, random);
            if self.is_possible(actor, operation) {
                return operation;
            }
        }
    }

    /// Any operation, the frequent ones more often.
    fn any(&self, actor: usize, random: &mut Random) -> Operation {
        let open = self.world.open(actor);
        let one = random.one_of_or_none(&open).copied().unwrap_or(3);
        let other = random.number();
        let (low, high) = (one.min(other), one.max(other));
        let new = self.world.actors();
        match random.below(100) {
            0..10 => Operation::OpenFile,
            10..17 => Operation::OpenSocket,
            17..22 => Operation::OpenEpoll,
            22..26 => Operation::OpenEventfd,
            26..31 => Operation::OpenPipe,
            31..39 => Operation::Dup(one),
            39..49 => Operation::Dup2(one, other),
            49..66 => Operation::Close(one),
            66..69 => Operation::Close(other),
            69..71 => Operation::CloseRange(low, high.min(low + 6)),
            71..73 => Operation::CloseRangeOwn(low, high.min(low + 6)),
            73..79 => Operation::Cloexec(one),
            79..84 => Operation::Fork(new),
            84..86 => Operation::ForkSharing(new),
            86..90 => Operation::Thread(new),
            90..93 => Operation::Unshare,
            93..96 => Operation::Exec,
            96..98 => Operation::EndThread,
            _ => Operation::EndProcess,
        }
    }

    fn is_possible(&self, actor: usize, operation: Operation) -> bool {
        let world = &self.world;
        let room = world.actors() < ACTORS && world.alive().len() < ALIVE;
        let open = |number: i32| world.open(actor).contains(&number);
        let parts = matches!(
            operation,
            Operation::ForkSharing(_) | Operation::Unshare | Operation::CloseRangeOwn(..)
        );
        if parts && self.kept_to == Tables::OnePerProcess {
            return false;
        }
        match operation {
            Operation::Dup(number) | Operation::Dup2(number, _) | Operation::Cloexec(number) => {
                open(number)
            }
            Operation::Fork(_) | Operation::ForkSharing(_) => {
                room && world.processes_alive() < PROCESSES
            }
            Operation::Thread(_) => room,
            Operation::EndThread => !world.leads(actor),
            Operation::EndProcess => world.processes_alive() > 1,
            Operation::OpenFile
            | Operation::OpenSocket
            | Operation::OpenEpoll
            | Operation::OpenEventfd
            | Operation::OpenPipe => world.open(actor).len() < 30,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{History, Tables};

    /// The same seed makes the same history, another makes another, and all operations come about.
    #[test]
    fn histories_are_reproducible() {
        let one = History::random(7, 200, Tables::Any);
        assert_eq!(
            one.encoded(),
            History::random(7, 200, Tables::Any).encoded()
        );
        assert_ne!(
            one.encoded(),
            History::random(8, 200, Tables::Any).encoded()
        );
        assert!(one.len() >= 200);
        let mut operations = std::collections::BTreeSet::new();
        for seed in 0..20 {
            operations.extend(
                History::random(seed, 200, Tables::Any)
                    .operations()
                    .into_keys(),
            );
        }
        assert_eq!(operations.len(), 18, "{operations:?}");
    }
}
