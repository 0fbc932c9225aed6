//! The kernel as a textbook has it: tables of numbers, the lowest free one is handed out, fork and
//! `unshare` copy the table, exec closes what is marked.
//!
//! What a process leaves is what is open in its tables when it ends, and was acquired in that very
//! table: copies that came with a table are nobody's acquisition. A table that others still use is
//! left by the last of them. What is left in a table that only a thread used which ends is told
//! with the end of its process, unless that has become another program by then.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::script::{Gives, Operation};

/// Numbers below are standard input, output and error, which histories leave alone.
const LOWEST: i32 = 3;
/// What a call returns that fails.
const FAILED: Gives = Gives::One(-1);

/// What a descriptor is: resource, kind.
type Kind = &'static str;

/// What a process leaves: verdict, kind and call, with their count.
pub type Left = BTreeMap<(&'static str, Kind, &'static str), u64>;

/// How a number came to be open in its table.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// It was there when the table was copied.
    Copied,
    /// By a call, in the program image with this number.
    Acquired(&'static str, u32),
}

#[derive(Clone, Copy, Debug)]
struct Handle {
    kind: Kind,
    origin: Origin,
    cloexec: bool,
}

type Table = BTreeMap<i32, Handle>;

#[derive(Clone, Copy, Debug)]
struct Actor {
    process: usize,
    table: usize,
    alive: bool,
}

#[derive(Clone, Copy, Debug)]
struct Process {
    /// The actor with which it began, and that whose thread is the first now.
    first: usize,
    leader: usize,
    image: u32,
}

/// All actors, and what has become of those that ended.
#[derive(Debug)]
pub struct World {
    tables: Vec<Table>,
    actors: Vec<Actor>,
    processes: Vec<Process>,
    /// What threads with tables of their own left in them, by process.
    left_by_threads: BTreeMap<usize, Left>,
    /// What each process left, by the actor with which it began.
    pub left: BTreeMap<usize, Left>,
    /// What was open in the table of each actor when its process ended.
    pub last_tables: BTreeMap<usize, Vec<i32>>,
}

impl World {
    /// One process with nothing open.
    pub(super) fn new() -> Self {
        let process = Process {
            first: 0,
            leader: 0,
            image: 0,
        };
        let actor = Actor {
            process: 0,
            table: 0,
            alive: true,
        };
        Self {
            tables: vec![Table::new()],
            actors: vec![actor],
            processes: vec![process],
            left_by_threads: BTreeMap::new(),
            left: BTreeMap::new(),
            last_tables: BTreeMap::new(),
        }
    }

    /// How many actors there have been.
    pub(super) fn actors(&self) -> usize {
        self.actors.len()
    }

    /// Those that have not ended.
    pub(super) fn alive(&self) -> Vec<usize> {
        (0..self.actors.len())
            .filter(|actor| self.actors[*actor].alive)
            .collect()
    }

    /// How many processes have not ended.
    pub(super) fn processes_alive(&self) -> usize {
        let mut processes: Vec<_> = self
            .alive()
            .iter()
            .map(|actor| self.actors[*actor].process)
            .collect();
        processes.sort_unstable();
        processes.dedup();
        processes.len()
    }

    /// Whether it is the first thread of its process.
    pub(super) fn leads(&self, actor: usize) -> bool {
        self.processes[self.actors[actor].process].leader == actor
    }

    /// The numbers that are open in its table.
    pub(super) fn open(&self, actor: usize) -> Vec<i32> {
        self.tables[self.actors[actor].table]
            .keys()
            .copied()
            .collect()
    }

    /// Takes a step and returns what it gives.
    pub(super) fn perform(&mut self, actor: usize, operation: Operation) -> Gives {
        match operation {
            Operation::OpenFile => self.acquire(actor, "fd file", "openat"),
            Operation::OpenSocket => self.acquire(actor, "socket unix", "socket"),
            Operation::OpenEpoll => self.acquire(actor, "fd epoll", "epoll_create1"),
            Operation::OpenEventfd => self.acquire(actor, "fd eventfd", "eventfd2"),
            Operation::OpenPipe => self.pipe(actor),
            Operation::Dup(number) => {
                let kind = as_copied(self.kind(actor, number));
                self.acquire(actor, kind, "dup")
            }
            Operation::Dup2(number, onto) => self.dup2(actor, number, onto),
            Operation::Close(number) => {
                let closed = self.table(actor).remove(&number);
                closed.map_or(FAILED, |_| Gives::One(0))
            }
            Operation::CloseRange(first, last) => self.close_range(actor, first, last),
            Operation::CloseRangeOwn(first, last) => {
                self.unshare(actor);
                self.close_range(actor, first, last)
            }
            Operation::Cloexec(number) => self.mark(actor, number),
            Operation::Fork(_) => {
                let table = self.copied(actor);
                self.fork(actor, table)
            }
            Operation::ForkSharing(_) => self.fork(actor, self.actors[actor].table),
            Operation::Thread(_) => {
                self.actors.push(self.actors[actor]);
                Gives::One(0)
            }
            Operation::Unshare => {
                self.unshare(actor);
                Gives::One(0)
            }
            Operation::Exec => self.exec(actor),
            Operation::EndThread => self.end_thread(actor),
            Operation::EndProcess => self.end(actor),
        }
    }

    fn table(&mut self, actor: usize) -> &mut Table {
        &mut self.tables[self.actors[actor].table]
    }

    fn kind(&self, actor: usize, number: i32) -> Kind {
        self.tables[self.actors[actor].table][&number].kind
    }

    fn handle(&self, actor: usize, kind: Kind, call: &'static str) -> Handle {
        let image = self.processes[self.actors[actor].process].image;
        Handle {
            kind,
            origin: Origin::Acquired(call, image),
            cloexec: false,
        }
    }

    fn lowest_free(&self, actor: usize) -> i32 {
        let table = &self.tables[self.actors[actor].table];
        let mut free = LOWEST;
        while table.contains_key(&free) {
            free += 1;
        }
        free
    }

    fn acquire(&mut self, actor: usize, kind: Kind, call: &'static str) -> Gives {
        let handle = self.handle(actor, kind, call);
        let number = self.lowest_free(actor);
        self.table(actor).insert(number, handle);
        Gives::One(number)
    }

    fn pipe(&mut self, actor: usize) -> Gives {
        let mut end = || match self.acquire(actor, "fd pipe", "pipe2") {
            Gives::One(number) | Gives::Two(number, _) => number,
        };
        Gives::Two(end(), end())
    }

    fn dup2(&mut self, actor: usize, number: i32, onto: i32) -> Gives {
        if number != onto {
            let kind = as_copied(self.kind(actor, number));
            let handle = self.handle(actor, kind, "dup2");
            self.table(actor).insert(onto, handle);
        }
        Gives::One(onto)
    }

    fn close_range(&mut self, actor: usize, first: i32, last: i32) -> Gives {
        self.table(actor)
            .retain(|number, _| !(first..=last).contains(number));
        Gives::One(0)
    }

    fn mark(&mut self, actor: usize, number: i32) -> Gives {
        if let Some(handle) = self.table(actor).get_mut(&number) {
            handle.cloexec = true;
        }
        Gives::One(0)
    }

    /// A new table with copies of all that is in the actor's.
    fn copied(&mut self, actor: usize) -> usize {
        let mut copy = self.table(actor).clone();
        for handle in copy.values_mut() {
            handle.origin = Origin::Copied;
        }
        self.tables.push(copy);
        self.tables.len() - 1
    }

    fn fork(&mut self, actor: usize, table: usize) -> Gives {
        let child = self.actors.len();
        let image = self.processes[self.actors[actor].process].image;
        self.processes.push(Process {
            first: child,
            leader: child,
            image,
        });
        self.actors.push(Actor {
            process: self.processes.len() - 1,
            table,
            alive: true,
        });
        Gives::One(0)
    }

    /// A table of its own, unless it has one already.
    fn unshare(&mut self, actor: usize) {
        let table = self.actors[actor].table;
        let shared = |other: &usize| *other != actor && self.actors[*other].table == table;
        if self.alive().iter().any(shared) {
            self.actors[actor].table = self.copied(actor);
        }
    }

    fn exec(&mut self, actor: usize) -> Gives {
        let process = self.actors[actor].process;
        for (number, other) in self.actors.iter_mut().enumerate() {
            other.alive &= other.process != process || number == actor;
        }
        self.unshare(actor);
        self.table(actor).retain(|_, handle| !handle.cloexec);
        self.processes[process].image += 1;
        self.left_by_threads.remove(&process);
        self.processes[process].leader = actor;
        Gives::One(0)
    }

    fn end_thread(&mut self, actor: usize) -> Gives {
        let Actor { process, table, .. } = self.actors[actor];
        self.actors[actor].alive = false;
        let uses = |other: &usize| self.actors[*other].table == table;
        if !self.alive().iter().any(uses) {
            let mut left = self.left_in(&[table], self.processes[process].image);
            left.retain(|(verdict, ..), _| *verdict == "left");
            add(self.left_by_threads.entry(process).or_default(), left);
        }
        Gives::One(0)
    }

    fn end(&mut self, actor: usize) -> Gives {
        let process = self.actors[actor].process;
        let mut tables = Vec::new();
        for other in self.alive() {
            if self.actors[other].process == process {
                tables.push(self.actors[other].table);
                self.last_tables.insert(other, self.open(other));
            }
        }
        for other in &mut self.actors {
            other.alive &= other.process != process;
        }
        tables.sort_unstable();
        tables.dedup();
        let alive = self.alive();
        tables.retain(|table| {
            alive
                .iter()
                .all(|other| self.actors[*other].table != *table)
        });
        let mut left = self.left_in(&tables, self.processes[process].image);
        add(
            &mut left,
            self.left_by_threads.remove(&process).unwrap_or_default(),
        );
        self.left.insert(self.processes[process].first, left);
        Gives::One(0)
    }

    fn left_in(&self, tables: &[usize], image: u32) -> Left {
        let mut left = Left::new();
        for handle in tables.iter().flat_map(|table| self.tables[*table].values()) {
            if let Origin::Acquired(call, acquired_by) = handle.origin {
                let verdict = if acquired_by < image {
                    "inherited"
                } else {
                    "left"
                };
                *left.entry((verdict, handle.kind, call)).or_default() += 1;
            }
        }
        left
    }
}

fn add(left: &mut Left, more: Left) {
    for (what, count) in more {
        *left.entry(what).or_default() += count;
    }
}

/// What memguard calls a copy at exit. Files, pipes and sockets can be told by their mode; what has
/// none, only `/proc` can tell, while the process lives.
fn as_copied(kind: Kind) -> Kind {
    match kind {
        "fd epoll" | "fd eventfd" => "fd other",
        told => told,
    }
}
