//! What to attach: pure, from facts to a list. Attaching is [`super`]'s.

mod calls;
mod probes;

use std::{collections::BTreeMap, path::Path};

use memguard_common::settings::Layout;
use thiserror::Error;

use self::probes::Field;
pub use self::{
    calls::call_numbers,
    probes::{Category, PROBES, Probe, Program, Rank},
};
use super::features::{self, Format};
use crate::model::status::ComponentStatus;

/// What is to be attached, and what cannot be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// To attach, in this order.
    pub probes: Vec<Probe>,
    /// Not to attach, with the reason.
    pub unavailable: Vec<Unavailable>,
    /// Offsets of tracepoint fields that differ between kernels.
    pub group_dead: Option<u32>,
    /// As above.
    pub clone_flags: Option<u32>,
}

impl Plan {
    /// The layout with the tracepoint offsets filled in.
    pub fn complete(&self, layout: Layout) -> Layout {
        Layout {
            exit_group_dead: self.group_dead.unwrap_or(0),
            newtask_clone_flags: self.clone_flags.unwrap_or(0),
            ..layout
        }
    }

    /// The programs that the probes need, each once.
    pub fn programs(&self) -> Vec<Program> {
        let mut programs: Vec<_> = self.probes.iter().map(|probe| probe.program).collect();
        programs.sort_unstable();
        programs.dedup();
        programs
    }

    /// How each tracepoint is doing once the plan is carried out.
    pub fn statuses(&self) -> impl Iterator<Item = ComponentStatus> {
        let attached = self.probes.iter().filter(|probe| !probe.is_second());
        let attached = attached.map(Probe::component);
        let unavailable = self.unavailable.iter().map(Unavailable::status);
        attached.map(ComponentStatus::running).chain(unavailable)
    }

    /// Tracepoints that the kernel may pass without being seen, to the harm of verdicts.
    pub fn blind(&self) -> impl Iterator<Item = String> {
        let blind = self.unavailable.iter().filter(|it| it.harms_verdicts());
        blind.map(|it| it.probe.tracepoint())
    }

    /// A required probe that is not available.
    pub fn obstacle(&self) -> Option<&Unavailable> {
        self.unavailable.iter().find(|it| it.probe.is_required())
    }
}

/// A probe that cannot be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Which.
    pub probe: Probe,
    /// Why.
    pub reason: Reason,
}

impl Unavailable {
    /// As it is told.
    pub fn status(&self) -> ComponentStatus {
        ComponentStatus::unavailable(self.probe.component(), self.reason)
    }

    /// A call that the kernel does not have harms nobody; nor does `io_uring`, of whose descriptors
    /// the kernel is asked anyway.
    fn harms_verdicts(&self) -> bool {
        match self.probe.category {
            Category::IoUring => false,
            Category::Syscalls => self.reason != Reason::NoTracepoint,
            Category::Sched | Category::Task => true,
        }
    }
}

/// Why a probe cannot be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// A call that is younger than the kernel, as a rule.
    #[error("this kernel has no such tracepoint")]
    NoTracepoint,
    /// A program would read something else.
    #[error("field {field} is expected at {expected}, the kernel has {found:?}")]
    FieldMoved {
        /// Which.
        field: &'static str,
        /// Offset in bytes that the program reads at.
        expected: u32,
        /// Offset in the running kernel; `None` where it has no such field.
        found: Option<u32>,
    },
    /// A field that may lie anywhere is not there.
    #[error("its record has no {0}")]
    NoField(&'static str),
}

/// The records of all tracepoints that memguard has probes for; those that the kernel has.
pub fn formats(tracefs: &Path) -> BTreeMap<String, Format> {
    let read = |probe: &Probe| {
        let format = features::format(tracefs, probe.category.name(), probe.name).ok()?;
        Some((probe.tracepoint(), format))
    };
    PROBES.iter().filter_map(read).collect()
}

/// What is asked for beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Calls about memory.
    pub memory: bool,
    /// Calls that rarely make a descriptor.
    pub rare: bool,
}

impl Wanted {
    /// All there is.
    pub const ALL: Self = Self {
        memory: true,
        rare: true,
    };

    fn has(self, rank: Rank) -> bool {
        match rank {
            Rank::Required | Rank::Usual => true,
            Rank::Memory => self.memory,
            Rank::Rare => self.rare,
        }
    }
}

/// Decides what to attach.
pub fn plan(formats: &BTreeMap<String, Format>, wanted: Wanted) -> Plan {
    let mut plan = Plan {
        group_dead: offset(formats, "sched:sched_process_exit", "group_dead"),
        clone_flags: offset(formats, "task:task_newtask", "clone_flags"),
        ..Plan::default()
    };
    for probe in PROBES.iter().filter(|probe| wanted.has(probe.rank)) {
        match check(probe, formats.get(&probe.tracepoint())) {
            Ok(()) => plan.probes.push(*probe),
            // The first of its tracepoint is told of.
            Err(_) if probe.is_second() => {}
            Err(reason) => plan.unavailable.push(Unavailable {
                probe: *probe,
                reason,
            }),
        }
    }
    plan
}

fn offset(formats: &BTreeMap<String, Format>, tracepoint: &str, field: &str) -> Option<u32> {
    Some(formats.get(tracepoint)?.fields.get(field)?.offset)
}

fn check(probe: &Probe, format: Option<&Format>) -> Result<(), Reason> {
    let format = format.ok_or(Reason::NoTracepoint)?;
    probe
        .fields
        .iter()
        .try_for_each(|field| has(format, *field))
}

fn has(format: &Format, field: Field) -> Result<(), Reason> {
    let found = |name: &str| format.fields.get(name).map(|field| field.offset);
    match field {
        Field::At(field, expected) => match found(field) {
            Some(offset) if offset == expected => Ok(()),
            found => Err(Reason::FieldMoved {
                field,
                expected,
                found,
            }),
        },
        Field::Anywhere(name) => found(name).map(drop).ok_or(Reason::NoField(name)),
    }
}

#[cfg(test)]
mod tests {
    use memguard_common::call::Call;

    use super::{calls::NUMBERS, *};

    fn kernel(without: &str) -> BTreeMap<String, Format> {
        let text = "field:int __syscall_nr; offset:8; size:4;\n\
                    field:long ret; offset:16; size:8;\nfield:unsigned int fd; offset:16; size:8;\n\
                    field:unsigned long addr; offset:16; size:8;\n\
                    field:size_t len; offset:24; size:8;\n\
                    field:unsigned long brk; offset:16; size:8;\n\
                    field:char * shmaddr; offset:16; size:8;\n";
        let sched = "field:pid_t pid; offset:8; size:4;\nfield:char filename; offset:8; size:4;\n\
                     field:u64 clone_flags; offset:32; size:8;\n\
                     field:void * req; offset:16; size:8;\nfield:u8 opcode; offset:32; size:1;\n\
                     field:int res; offset:32; size:4;\nfield:u32 cflags; offset:36; size:4;\n\
                     field:bool group_dead; offset:32; size:1;\n";
        let format = |probe: &Probe| {
            Format::parse(if probe.category == Category::Syscalls {
                text
            } else {
                sched
            })
        };
        let all = PROBES
            .iter()
            .map(|probe| (probe.tracepoint(), format(probe)));
        all.filter(|(name, _)| name != without).collect()
    }

    #[test]
    fn everything_is_attached_where_the_kernel_has_it() {
        let plan = plan(&kernel(""), Wanted::ALL);
        assert_eq!(
            (plan.probes.len(), plan.unavailable.len()),
            (PROBES.len(), 0)
        );
        assert_eq!((plan.group_dead, plan.clone_flags), (Some(32), Some(32)));
        assert!(plan.obstacle().is_none());
        let usual = super::plan(&kernel(""), Wanted::default());
        let rare = PROBES
            .iter()
            .filter(|probe| matches!(probe.rank, Rank::Rare | Rank::Memory))
            .count();
        assert_eq!(
            usual.probes.len(),
            PROBES.len() - rare,
            "the rare are asked for"
        );
    }

    #[test]
    fn every_call_has_its_own_number() {
        let table = call_numbers();
        assert_eq!(
            table.iter().filter(|call| **call != 0).count(),
            NUMBERS.len()
        );
        let openat = table[usize::try_from(libc::SYS_openat).unwrap()];
        assert_eq!(Call::try_from(u32::from(openat)), Ok(Call::Openat));
    }

    #[test]
    fn what_is_missing_is_named_and_only_the_required_is_an_obstacle() {
        for (without, obstacle) in [
            ("syscalls:sys_exit_creat", false),
            ("syscalls:sys_enter_close", true),
        ] {
            let plan = plan(&kernel(without), Wanted::ALL);
            let Unavailable { probe, reason } = plan.unavailable[0];
            assert_eq!(probe.tracepoint(), without);
            assert_eq!(reason, Reason::NoTracepoint);
            let statuses: Vec<_> = plan.statuses().filter_map(|it| it.missing()).collect();
            let why = "this kernel has no such tracepoint";
            assert_eq!(statuses, [(without.to_owned(), why.to_owned())]);
            let tracepoints = PROBES.iter().filter(|probe| !probe.is_second());
            assert_eq!(plan.statuses().count(), tracepoints.count());
            assert_eq!(plan.obstacle().is_some(), obstacle, "{without}");
            let unseen = !without.starts_with("syscalls:") && !without.starts_with("io_uring:");
            assert_eq!(plan.blind().next().is_some(), unseen, "{without}");
        }
    }

    #[test]
    fn a_moved_field_makes_a_probe_unavailable() {
        let mut kernel = kernel("");
        let moved = Format::parse("field:long ret; offset:24; size:8;");
        kernel.insert("syscalls:sys_exit_openat".to_owned(), moved);
        let plan = plan(&kernel, Wanted::default());
        let reason = plan.obstacle().map(|it| it.reason.to_string());
        let expected = "field __syscall_nr is expected at 8, the kernel has None";
        assert_eq!(reason.as_deref(), Some(expected));
        let blind: Vec<_> = plan.blind().collect();
        assert_eq!(blind, ["syscalls:sys_exit_openat"]);
    }

    #[test]
    fn a_fork_that_does_not_tell_its_flags_is_an_obstacle() {
        let mut kernel = kernel("");
        let bare = Format::parse("field:pid_t pid; offset:8; size:4;");
        kernel.insert("task:task_newtask".to_owned(), bare);
        let plan = plan(&kernel, Wanted::default());
        let reason = plan.obstacle().map(|it| it.reason);
        assert_eq!(reason, Some(Reason::NoField("clone_flags")));
    }
}
