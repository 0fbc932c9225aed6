//! What the actors do. The nursery's functions are the very ones that the programs run; what is
//! around them mirrors `memguard-ebpf/src/probes/fd/{fresh,release}.rs` and, for the sweep,
//! `memguard/src/source/kernel/nursery.rs`, line by line, and has to be changed with them.

use memguard_common::{
    event::{Acquired, Head, kind},
    nursery::{self, Identity, Memory as _, Phase, Placed, State, Ticket},
    stats::Stat,
};

use super::{
    actor::{Stop, View},
    changed::Changed,
    ghost::{Closing, Told},
    op::{Compare, Op, Record, halves, owner_of},
    scenario::{Change, Role},
};

/// Runs an actor's script until it is through or stopped.
pub(crate) fn run(role: Role, view: &View<'_>) -> Result<(), Stop> {
    match role {
        Role::Open { key, owner } => open(view, Op::Install { key, owner }, key, owner),
        Role::Direct { key, owner } => direct(view, key, owner),
        Role::Onto { key, owner, after } => {
            wait(view, after)?;
            open(view, Op::Overwrite { key, owner }, key, owner)
        }
        Role::Close { key, owner, after } => {
            wait(view, after)?;
            close(view, key, owner)
        }
        Role::Sweep => (0..view.usable()).try_for_each(|way| sweep(view, way)),
    }
}

fn wait(view: &View<'_>, after: Option<usize>) -> Result<(), Stop> {
    after.map_or(Ok(()), |actor| view.ask(Op::Await(actor)).map(drop))
}

/// A descriptor that was just given, on its way into the nursery.
struct Fresh<'a, 'w> {
    view: &'a View<'w>,
    key: usize,
    handle: usize,
    record: Acquired,
    /// The call was `dup2`.
    is_dup: bool,
}

/// The kernel's call, then the program at its exit: `Success::take` and `Success::place`.
fn open(view: &View<'_>, install: Op, key: usize, owner: u32) -> Result<(), Stop> {
    let handle = view.ask(install)? as usize;
    view.ask(Op::Count(Stat::Seen, 1))?;
    let is_dup = matches!(install, Op::Overwrite { .. });
    let fresh = Fresh::stamped(view, key, handle, owner, is_dup)?;
    let record = &fresh.record;
    let placed = nursery::acquire(&Changed::acquiring(view, record), record)?;
    view.forget_all_but(1, (handle, record.head.stamp, placed));
    fresh.place(placed)?;
    view.ask(Op::Return(handle)).map(drop)
}

/// The same, past the nursery: `Success::direct`.
fn direct(view: &View<'_>, key: usize, owner: u32) -> Result<(), Stop> {
    let handle = view.ask(Op::Install { key, owner })? as usize;
    view.ask(Op::Count(Stat::Seen, 1))?;
    if view.ask(Op::Look { key, handle: None })? == 0 {
        view.ask(Op::Count(Stat::TakenBack, 1))?;
    } else {
        Fresh::stamped(view, key, handle, owner, false)?.tell()?;
    }
    view.ask(Op::Return(handle)).map(drop)
}

impl<'a, 'w> Fresh<'a, 'w> {
    fn stamped(
        view: &'a View<'w>,
        key: usize,
        handle: usize,
        owner: u32,
        is_dup: bool,
    ) -> Result<Self, Stop> {
        let stamp = view.ask(Op::Stamp(Some(handle)))?;
        let place = view.scenario.keys[key];
        let record = Acquired {
            head: Head {
                kind: kind::ACQUIRED,
                flags: 0,
                stamp,
            },
            table: place.table,
            tgid: owner,
            handle: place.handle,
            ..Acquired::default()
        };
        Ok(Self {
            view,
            key,
            handle,
            record,
            is_dup,
        })
    }

    fn place(&self, placed: Placed) -> Result<(), Stop> {
        match placed {
            Placed::Fresh(ticket) | Placed::Evicted(ticket) => {
                self.close_other()?;
                self.check(ticket)
            }
            Placed::Replaced(ticket) => {
                self.view.ask(Op::Count(Stat::Replaced, 1))?;
                self.check(ticket)
            }
            Placed::Nowhere => {
                self.close_other()?;
                self.tell()
            }
        }
    }

    fn tell(&self) -> Result<(), Stop> {
        self.view.ask(Op::Tell(halves(&self.record)))?;
        self.view.ask(Op::Count(Stat::Direct, 1))?;
        if self.is_open()? {
            Ok(())
        } else {
            self.taken_back()
        }
    }

    fn check(&self, ticket: Ticket) -> Result<(), Stop> {
        if self.view.scenario.change == Some(Change::NoLook) || self.is_open()? {
            return Ok(());
        }
        let memory = Changed::taking_back(self.view, &self.record);
        if nursery::take_back(&memory, ticket)? {
            self.view.ask(Op::Count(Stat::TakenBack, 1)).map(drop)
        } else {
            self.taken_back()
        }
    }

    /// What `dup2` has closed, the agent may hold.
    fn close_other(&self) -> Result<(), Stop> {
        if self.is_dup && self.view.scenario.change != Some(Change::DupTellsNobody) {
            self.released(self.record.head.stamp - 1)
        } else {
            Ok(())
        }
    }

    fn is_open(&self) -> Result<bool, Stop> {
        let look = Op::Look {
            key: self.key,
            handle: Some(self.handle),
        };
        Ok(self.view.ask(look)? == 1)
    }

    fn taken_back(&self) -> Result<(), Stop> {
        self.released(self.record.head.stamp)
    }

    fn released(&self, stamp: u64) -> Result<(), Stop> {
        let key = self.key;
        self.view.ask(Op::TellReleased { key, stamp })?;
        self.view.ask(Op::Count(Stat::TakeBacksSent, 1)).map(drop)
    }
}

/// The program at the entry of `close`, `release_close`; then the kernel's call.
fn close(view: &View<'_>, key: usize, owner: u32) -> Result<(), Stop> {
    view.ask(Op::Count(Stat::Releases, 1))?;
    let early = match view.scenario.change {
        Some(Change::StampBeforeScan) => Some(view.ask(Op::Stamp(None))?),
        _ => None,
    };
    let witness = view.ask(Op::Witness(key))?;
    let identity = Identity {
        key: view.scenario.keys[key],
        owner: owner_of(owner),
    };
    let erased = nursery::release(&Changed::releasing(view, &identity), &identity)?;
    view.forget_all_but(2, (witness, early, erased));
    let told = if erased > 0 {
        view.ask(Op::Count(Stat::Paired, erased as u8))?;
        view.ask(Op::Count(Stat::ReleasesPaired, 1))?;
        Told::Paired
    } else if view.ask(Op::Look { key, handle: None })? == 0 {
        view.ask(Op::Count(Stat::NotOpen, 1))?;
        Told::NotOpen
    } else {
        missed(view, key, early)?
    };
    view.forget_all_but(3, (witness, told));
    view.ask(Op::Clear {
        key,
        closing: Closing { told, witness },
    })
    .map(drop)
}

fn missed(view: &View<'_>, key: usize, early: Option<u64>) -> Result<Told, Stop> {
    let stamp = match early {
        Some(stamp) => stamp,
        None => view.ask(Op::Stamp(None))?,
    };
    view.ask(Op::TellReleased { key, stamp })?;
    view.ask(Op::Count(Stat::ReleasesSent, 1))?;
    Ok(Told::Sent)
}

/// The agent's `Nursery::sweep`, of one way; everything is due.
fn sweep(view: &View<'_>, way: u32) -> Result<(), Stop> {
    view.forget_all_but(4, way);
    let seen = view.state(way)?;
    if seen.phase() != Phase::Live {
        return Ok(());
    }
    let record = if view.scenario.change == Some(Change::SweepReadsLate) {
        exchange(view, way, seen)?
            .then(|| read(view, way))
            .transpose()?
    } else {
        let record = read(view, way)?;
        exchange(view, way, seen)?.then_some(record)
    };
    record.map_or(Ok(()), |record| view.ask(Op::Tell(record)).map(drop))
}

fn read(view: &View<'_>, way: u32) -> Result<Record, Stop> {
    Ok([view.read(way, 0)?, view.read(way, 1)?])
}

fn exchange(view: &View<'_>, way: u32, seen: State) -> Result<bool, Stop> {
    let how = match view.scenario.change {
        Some(Change::SweepStores) => Compare::Nothing,
        Some(Change::NoGenerations) => Compare::AllButGeneration,
        _ => Compare::Whole,
    };
    view.swap(way, seen, seen.emptied(), how)
}
