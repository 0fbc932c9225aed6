//! What was open before memguard attached, and is many of the same: grouped as people group what
//! `lsof` prints, by target, or by peer and state.
//!
//! Where it was acquired nobody knows any more. It is told because whoever goes on acquiring the
//! same is most likely who acquired it.

use std::{sync::Arc, time::Duration};

use hashbrown::{HashMap, HashSet};

use super::{Context, SAMPLES};
use crate::{
    findings::fingerprint,
    ledger::population::GroupId,
    model::{
        finding::{Evidence, Finding, Handle, Sample, Verdict},
        ids::{ProcessId, Stamp},
        link_target::{connection, fold_target},
        observed::{HeldBefore, Pile},
        process::ProcessInfo,
        resource::Kind,
    },
};

/// So many descriptors of one file are ordinary: a pool of connections to a database in a file has
/// a few dozen.
const OF_A_FILE: u64 = 31;
/// So many connections to one peer are: the largest pools are of a few hundred.
const OF_A_PEER: u64 = 256;
/// So many connections whose peer has closed are under way on a busy server.
const HALF_CLOSED: u64 = 15;
/// A socket whose peer has just closed is about to be closed too: sockets are told when they are
/// still open after this time.
const SETTLED: Duration = Duration::from_secs(2);
/// Most processes of which hoards are kept.
const PROCESSES: usize = 4096;

/// Devices of which one open is like another; others make something new of each.
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// One hoard.
#[derive(Debug)]
struct Hoard {
    process: Arc<ProcessInfo>,
    kind: Kind,
    target: String,
    /// The numbers that are still open, of before.
    held: Vec<u32>,
    /// How many there were at first.
    first: usize,
    counted: Stamp,
    /// Every descriptor of the process was looked at.
    complete: bool,
    /// So many were told last.
    told: Option<usize>,
}

/// What became of a hoard.
#[derive(Debug)]
pub enum Change {
    /// It is to be told, or there are fewer.
    Held(Box<Finding>),
    /// Most of it was closed.
    Closed,
}

/// All hoards.
#[derive(Debug, Default)]
pub struct Hoards {
    processes: HashMap<ProcessId, Vec<Hoard>>,
    dropped: u64,
}

impl Hoards {
    /// Takes what a process held before memguard attached; what is ordinary is forgotten.
    pub fn take(&mut self, held: HeldBefore, context: &Context) {
        let process = held.process.id;
        let who = Arc::new(held.process);
        let wanted = held.piles.into_iter();
        let wanted = wanted.filter(|pile| context.wants(pile.kind) && is_hoard(pile));
        let hoards: Vec<_> = wanted
            .map(|pile| Hoard::new(Arc::clone(&who), pile, held.complete, context.now))
            .collect();
        if hoards.is_empty() {
            return;
        }
        if self.processes.len() < PROCESSES {
            self.processes.insert(process, hoards);
        } else {
            self.dropped += 1;
        }
    }

    /// Which are to be told, told anew, or are over; by what has been closed since.
    pub fn judge(&mut self, context: &Context) -> Vec<(GroupId, Change)> {
        let mut changes = Vec::new();
        for (process, hoards) in &mut self.processes {
            let known = context.ledger.processes.get(*process);
            let nothing = HashSet::new();
            let open = known.map_or(&nothing, |known| &known.preexisting);
            hoards.retain_mut(|hoard| {
                let change = hoard.judge(open, context);
                let closed = hoard.is_closed();
                changes.extend(change.map(|change| (hoard.group(), change)));
                !closed
            });
        }
        self.processes.retain(|_, hoards| !hoards.is_empty());
        changes.sort_unstable_by_key(|(group, _)| *group);
        changes
    }

    /// How many of what these are of were held before memguard attached.
    pub fn same_as(&self, process: ProcessId, samples: &[Sample]) -> u64 {
        let hoards = self.processes.get(&process).into_iter().flatten();
        let mut same = hoards.filter(|hoard| {
            let mut targets = samples.iter().filter_map(|it| it.target.as_deref());
            targets.any(|target| is_same(&hoard.target, target))
        });
        same.next().map_or(0, |hoard| hoard.held.len() as u64)
    }

    /// Hoards that were not kept, for there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The process has ended.
    pub fn forget(&mut self, process: ProcessId) {
        self.processes.remove(&process);
    }

    /// Whether a hoard of a process is known; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.processes.contains_key(&process)
    }
}

impl Hoard {
    fn new(process: Arc<ProcessInfo>, pile: Pile, complete: bool, now: Stamp) -> Self {
        Self {
            process,
            kind: pile.kind,
            target: pile.target,
            first: pile.fds.len(),
            held: pile.fds,
            counted: now,
            complete,
            told: None,
        }
    }

    fn group(&self) -> GroupId {
        let topic = fingerprint::hash([self.kind.name(), &self.target]);
        GroupId::of_before(self.process.id, self.kind, topic)
    }

    fn is_closed(&self) -> bool {
        self.held.len() * 2 < self.first
    }

    fn judge(&mut self, open: &HashSet<u32>, context: &Context) -> Option<Change> {
        self.held.retain(|fd| open.contains(fd));
        if self.is_closed() {
            return self.told.map(|_| Change::Closed);
        }
        let socket = self.kind == Kind::Tcp;
        let settles = socket && context.now.since(self.counted) < SETTLED;
        if settles || self.told == Some(self.held.len()) {
            return None;
        }
        self.told = Some(self.held.len());
        Some(Change::Held(Box::new(self.describe(context))))
    }

    fn describe(&self, context: &Context) -> Finding {
        let (info, kind) = (Arc::clone(&self.process), self.kind);
        let parts = [kind.name(), "hoard", &fold_target(&self.target)].map(str::to_owned);
        let evidence = Evidence::default();
        let samples = self.held.iter().take(SAMPLES).map(|fd| Sample {
            handle: Handle::Descriptor(*fd),
            acquired_at: None,
            age: None,
            call: None,
            target: Some(self.target.clone()),
        });
        Finding {
            fingerprint: fingerprint::hash(parts.into_iter().chain([info.label()])),
            verified: self.complete,
            open_count: self.held.len() as u64,
            samples: samples.collect(),
            ..Finding::of(info, kind, Verdict::Hoard, evidence, context.now)
        }
    }
}

/// More than is ordinary; and of files, at least half of all that there are of the kind: three
/// files of one database are opened equally often.
fn is_hoard(pile: &Pile) -> bool {
    let count = pile.fds.len() as u64;
    let half = count * 2 >= pile.of_kind;
    let target = pile.target.as_str();
    match pile.kind {
        Kind::File | Kind::Dir | Kind::Pipe => half && count > OF_A_FILE,
        Kind::Device => half && count > OF_A_FILE && DEVICES.contains(&target),
        Kind::Tcp => connection(target).is_some_and(|(peer, state)| match state {
            "CLOSE_WAIT" => count > HALF_CLOSED,
            // Of clients there may be any number.
            _ => peer != "#" && count > OF_A_PEER,
        }),
        // Of the others each is something of its own, or cannot be told from a server's clients.
        _ => false,
    }
}

/// Whether a target that a finding shows is what a hoard is of, in which `#` stands for the end of
/// a connection that differs.
fn is_same(hoard: &str, target: &str) -> bool {
    match (hoard.split_once(" -> "), target.split_once(" -> ")) {
        (Some((near, far)), Some((target_near, target_far))) => {
            let state = |text: &str| text.rsplit(' ').next().map(str::to_owned);
            let far_differs = far.starts_with('#') && state(far) == state(target_far);
            let near_differs = near.ends_with('#');
            (near_differs || near == target_near) && (far_differs || far == target_far)
        }
        _ => hoard == target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::testing::{PROCESS, context, second},
        model::{
            event::{Event, Released},
            ids::TableId,
        },
    };

    fn pile(kind: Kind, target: &str, count: u32, of_kind: u64) -> Pile {
        Pile {
            kind,
            target: target.to_owned(),
            fds: (10..10 + count).collect(),
            of_kind,
        }
    }

    fn held(piles: Vec<Pile>) -> HeldBefore {
        HeldBefore {
            process: ProcessInfo::unknown(PROCESS),
            piles,
            complete: true,
        }
    }

    #[test]
    fn what_is_ordinary_is_no_hoard() {
        let accepted = "tcp 10.0.0.4:80 -> # ESTABLISHED";
        let upstream = "tcp # -> 10.0.0.9:5432 ESTABLISHED";
        for (kind, target, count, of_kind, expected) in [
            (Kind::File, "/etc/hostname", 202, 205, true),
            (Kind::File, "/etc/hostname", 31, 31, false),
            (Kind::File, "/var/lib/app.db", 100, 300, false),
            (Kind::Dir, "/srv", 40, 40, true),
            (Kind::Device, "/dev/null", 40, 40, true),
            (Kind::Device, "/dev/nvidia0", 40, 40, false),
            (Kind::Tcp, accepted, 512, 512, false),
            (Kind::Tcp, "tcp 0.0.0.0:80 LISTEN", 300, 300, false),
            (Kind::Tcp, upstream, 256, 256, false),
            (Kind::Tcp, upstream, 257, 900, true),
            (Kind::Tcp, "tcp # -> 10.0.0.9:80 CLOSE_WAIT", 16, 900, true),
            (Kind::Tcp, "tcp 10.0.0.4:80 -> # CLOSE_WAIT", 190, 900, true),
            (Kind::Tcp, "tcp # -> 10.0.0.9:80 CLOSE_WAIT", 15, 15, false),
            (Kind::Unix, "unix /run/x.sock", 1000, 1000, false),
            (Kind::Eventfd, "anon_inode:[eventfd]", 300, 300, false),
        ] {
            let pile = pile(kind, target, count, of_kind);
            assert_eq!(is_hoard(&pile), expected, "{count} × {target}");
        }
    }

    fn changes(hoards: &mut Hoards, context: &Context) -> Vec<Option<u64>> {
        let changes = hoards.judge(context).into_iter();
        let told = changes.map(|(_, change)| match change {
            Change::Held(finding) => Some(finding.open_count),
            Change::Closed => None,
        });
        told.collect()
    }

    fn with(fds: u32) -> Context {
        let mut context = context();
        let open = (0..fds + 10).collect();
        context.ledger.processes.seed(PROCESS, None, open);
        context
    }

    #[test]
    fn a_hoard_is_told_at_once_and_over_when_most_is_closed() {
        let (mut hoards, mut context) = (Hoards::default(), with(40));
        let piles = vec![
            pile(Kind::File, "/etc/hostname", 40, 40),
            pile(Kind::File, "/etc/passwd", 3, 40),
        ];
        hoards.take(held(piles), &context);
        assert_eq!(changes(&mut hoards, &context), [Some(40)]);
        assert!(changes(&mut hoards, &context).is_empty(), "once");
        for fd in 10..35 {
            context.ledger.apply(Event::Released(Released {
                stamp: second(101),
                table: TableId::placeholder(PROCESS.tgid),
                fd,
                process: PROCESS,
            }));
        }
        context.now = second(102);
        assert_eq!(changes(&mut hoards, &context), [None], "15 are left");
        assert!(!hoards.mentions(PROCESS));
    }

    /// A peer has closed, and so does this side in a moment.
    #[test]
    fn sockets_are_told_when_they_stay() {
        let (mut hoards, mut context) = (Hoards::default(), with(40));
        let target = "tcp # -> 10.0.0.9:5432 CLOSE_WAIT";
        hoards.take(held(vec![pile(Kind::Tcp, target, 40, 40)]), &context);
        assert!(changes(&mut hoards, &context).is_empty());
        context.now = second(103);
        assert_eq!(changes(&mut hoards, &context), [Some(40)]);
    }

    #[test]
    fn who_goes_on_acquiring_the_same_is_told_how_many_there_were() {
        let (mut hoards, context) = (Hoards::default(), with(300));
        let piles = vec![
            pile(Kind::File, "/etc/hostname", 40, 40),
            pile(Kind::Tcp, "tcp # -> 10.0.0.9:5432 CLOSE_WAIT", 20, 40),
            pile(Kind::Tcp, "tcp 10.0.0.4:80 -> # CLOSE_WAIT", 30, 40),
        ];
        hoards.take(held(piles), &context);
        let same = |target: &str| {
            let sample = Sample {
                handle: Handle::Descriptor(90),
                acquired_at: None,
                age: None,
                call: None,
                target: Some(target.to_owned()),
            };
            hoards.same_as(PROCESS, &[sample])
        };
        for (target, expected) in [
            ("/etc/hostname", 40),
            ("/etc/hosts", 0),
            ("tcp 10.0.0.4:41522 -> 10.0.0.9:5432 CLOSE_WAIT", 20),
            ("tcp 10.0.0.4:41522 -> 10.0.0.9:5433 CLOSE_WAIT", 0),
            ("tcp 10.0.0.4:80 -> 10.0.0.7:39000 CLOSE_WAIT", 30),
            ("tcp 10.0.0.4:80 -> 10.0.0.7:39000 ESTABLISHED", 0),
        ] {
            assert_eq!(same(target), expected, "{target}");
        }
    }
}
