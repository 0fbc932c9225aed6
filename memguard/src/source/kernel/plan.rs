//! What to attach: pure, from facts to a list. Attaching is [`super`]'s.

use std::{collections::BTreeMap, path::Path};

use memguard_common::{
    call::Call,
    settings::{CALLS, IO_URING_NUMBER, Layout},
};

use super::features::{self, Format};

/// A program and a tracepoint it belongs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Program in the object.
    pub program: &'static str,
    /// Tracepoint category.
    pub category: &'static str,
    /// Tracepoint name.
    pub name: &'static str,
    fields: Fields,
    /// Whether it is attached, and what its absence means.
    pub rank: Rank,
}

/// How much hangs on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rank {
    /// Nothing works without it.
    Required,
    /// Attached where the kernel has it.
    Usual,
    /// Attached where memory is asked for, `--kinds mmap` or `heap`.
    Memory,
    /// Attached only with `--kinds all`: frequent calls that rarely make a descriptor. Without it
    /// their descriptors are found by comparing with `/proc`, as of unknown origin.
    Rare,
}

impl Probe {
    /// `category:name`, as the kernel's tools write it.
    pub fn tracepoint(&self) -> String {
        format!("{}:{}", self.category, self.name)
    }

    /// Nothing works without it.
    pub fn is_required(&self) -> bool {
        self.rank == Rank::Required
    }
}

/// Fields that a program reads at fixed offsets.
type Fields = &'static [(&'static str, u32)];

/// A program that reads the result of a system call.
const fn exit(program: &'static str, name: &'static str, rank: Rank) -> Probe {
    let fields = &[("__syscall_nr", 8), ("ret", 16)];
    probe(program, "syscalls", name, fields, rank)
}

/// A program that reads the arguments of a call about memory.
const fn entry(program: &'static str, name: &'static str, fields: Fields) -> Probe {
    probe(program, "syscalls", name, fields, Rank::Memory)
}

/// A program of `io_uring`.
const fn uring(program: &'static str, name: &'static str, fields: Fields) -> Probe {
    probe(program, "io_uring", name, fields, Rank::Usual)
}

const fn other(
    program: &'static str,
    category: &'static str,
    name: &'static str,
    fields: Fields,
) -> Probe {
    probe(program, category, name, fields, Rank::Required)
}

const fn probe(
    program: &'static str,
    category: &'static str,
    name: &'static str,
    fields: Fields,
    rank: Rank,
) -> Probe {
    Probe {
        program,
        category,
        name,
        fields,
        rank,
    }
}

/// Every probe memguard has.
///
/// What gives back comes first: a descriptor acquired before its release can be seen would be held
/// for ever. Many calls do not exist on every architecture, or not on every kernel.
pub const PROBES: &[Probe] = &[
    other(
        "release_close",
        "syscalls",
        "sys_enter_close",
        &[("__syscall_nr", 8), ("fd", 16)],
    ),
    other("process_exit", "sched", "sched_process_exit", &[]),
    other(
        "process_exec",
        "sched",
        "sched_process_exec",
        &[("filename", 8)],
    ),
    other("process_fork", "task", "task_newtask", &[("pid", 8)]),
    uring(
        "uring_submit",
        "io_uring_submit_req",
        &[("req", 16), ("opcode", 32)],
    ),
    uring(
        "uring_complete",
        "io_uring_complete",
        &[("req", 16), ("res", 32), ("cflags", 36)],
    ),
    exit("release_range", "sys_exit_close_range", Rank::Usual),
    entry("unmap", "sys_enter_munmap", &[("addr", 16), ("len", 24)]),
    entry("remap_begins", "sys_enter_mremap", &[("addr", 16)]),
    entry("heap_moves", "sys_enter_brk", &[("brk", 16)]),
    entry("detach", "sys_enter_shmdt", &[("shmaddr", 16)]),
    exit("map", "sys_exit_mmap", Rank::Memory),
    exit("map", "sys_exit_mremap", Rank::Memory),
    exit("map", "sys_exit_brk", Rank::Memory),
    exit("segment", "sys_exit_shmget", Rank::Memory),
    exit("attach", "sys_exit_shmat", Rank::Memory),
    exit("acquire", "sys_exit_openat", Rank::Required),
    exit("acquire", "sys_exit_open", Rank::Usual),
    exit("acquire", "sys_exit_openat2", Rank::Usual),
    exit("acquire", "sys_exit_creat", Rank::Usual),
    exit("acquire", "sys_exit_open_by_handle_at", Rank::Usual),
    exit("acquire", "sys_exit_socket", Rank::Required),
    exit("acquire", "sys_exit_accept4", Rank::Required),
    exit("acquire", "sys_exit_accept", Rank::Usual),
    exit("acquire", "sys_exit_dup", Rank::Usual),
    exit("acquire", "sys_exit_dup2", Rank::Usual),
    exit("acquire", "sys_exit_dup3", Rank::Usual),
    exit("acquire", "sys_exit_fcntl", Rank::Usual),
    exit("acquire", "sys_exit_epoll_create", Rank::Usual),
    exit("acquire", "sys_exit_epoll_create1", Rank::Usual),
    exit("acquire", "sys_exit_eventfd", Rank::Usual),
    exit("acquire", "sys_exit_eventfd2", Rank::Usual),
    exit("acquire", "sys_exit_timerfd_create", Rank::Usual),
    exit("acquire", "sys_exit_signalfd", Rank::Usual),
    exit("acquire", "sys_exit_signalfd4", Rank::Usual),
    exit("acquire", "sys_exit_inotify_init", Rank::Usual),
    exit("acquire", "sys_exit_inotify_init1", Rank::Usual),
    exit("acquire", "sys_exit_fanotify_init", Rank::Usual),
    exit("acquire", "sys_exit_memfd_create", Rank::Usual),
    exit("acquire", "sys_exit_memfd_secret", Rank::Usual),
    exit("acquire", "sys_exit_userfaultfd", Rank::Usual),
    exit("acquire", "sys_exit_pidfd_open", Rank::Usual),
    exit("acquire", "sys_exit_pidfd_getfd", Rank::Usual),
    exit("acquire", "sys_exit_perf_event_open", Rank::Usual),
    exit("acquire", "sys_exit_io_uring_setup", Rank::Usual),
    exit("acquire", "sys_exit_landlock_create_ruleset", Rank::Usual),
    exit("acquire", "sys_exit_fsopen", Rank::Usual),
    exit("acquire", "sys_exit_fspick", Rank::Usual),
    exit("acquire", "sys_exit_fsmount", Rank::Usual),
    exit("acquire", "sys_exit_open_tree", Rank::Usual),
    exit("acquire", "sys_exit_open_tree_attr", Rank::Usual),
    exit("acquire", "sys_exit_mq_open", Rank::Usual),
    exit("acquire_pair", "sys_exit_pipe", Rank::Usual),
    exit("acquire_pair", "sys_exit_pipe2", Rank::Usual),
    exit("acquire_pair", "sys_exit_socketpair", Rank::Usual),
    exit("acquire_one", "sys_exit_clone", Rank::Usual),
    exit("acquire_one", "sys_exit_clone3", Rank::Usual),
    exit("acquire_message", "sys_exit_recvmsg", Rank::Usual),
    exit("acquire_message", "sys_exit_recvmmsg", Rank::Rare),
    exit("acquire_one", "sys_exit_getsockopt", Rank::Rare),
    exit("acquire", "sys_exit_ioctl", Rank::Rare),
    exit("acquire", "sys_exit_seccomp", Rank::Rare),
    exit("acquire", "sys_exit_bpf", Rank::Rare),
];

/// Which call a system call number is, on the architecture that this is built for; zero for none.
pub fn call_numbers() -> [u8; CALLS] {
    let mut table = [0; CALLS];
    for (number, call) in NUMBERS {
        if let Some(entry) = usize::try_from(*number)
            .ok()
            .and_then(|at| table.get_mut(at))
        {
            *entry = *call as u8;
        }
    }
    table
}

/// `open_tree_attr(2)`, of Linux 6.15, has no name in libc yet; the number is the same everywhere.
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

const NUMBERS: &[(libc::c_long, Call)] = &[
    (IO_URING_NUMBER as libc::c_long, Call::IoUring),
    (libc::SYS_openat, Call::Openat),
    (libc::SYS_openat2, Call::Openat2),
    (libc::SYS_open_by_handle_at, Call::OpenByHandleAt),
    (libc::SYS_socket, Call::Socket),
    (libc::SYS_accept, Call::Accept),
    (libc::SYS_accept4, Call::Accept4),
    (libc::SYS_dup, Call::Dup),
    (libc::SYS_dup3, Call::Dup3),
    (libc::SYS_fcntl, Call::Fcntl),
    (libc::SYS_epoll_create1, Call::EpollCreate1),
    (libc::SYS_eventfd2, Call::Eventfd2),
    (libc::SYS_timerfd_create, Call::TimerfdCreate),
    (libc::SYS_signalfd4, Call::Signalfd4),
    (libc::SYS_inotify_init1, Call::InotifyInit1),
    (libc::SYS_fanotify_init, Call::FanotifyInit),
    (libc::SYS_memfd_create, Call::MemfdCreate),
    (libc::SYS_memfd_secret, Call::MemfdSecret),
    (libc::SYS_userfaultfd, Call::Userfaultfd),
    (libc::SYS_pidfd_open, Call::PidfdOpen),
    (libc::SYS_pidfd_getfd, Call::PidfdGetfd),
    (libc::SYS_perf_event_open, Call::PerfEventOpen),
    (libc::SYS_io_uring_setup, Call::IoUringSetup),
    (
        libc::SYS_landlock_create_ruleset,
        Call::LandlockCreateRuleset,
    ),
    (libc::SYS_fsopen, Call::Fsopen),
    (libc::SYS_fspick, Call::Fspick),
    (libc::SYS_fsmount, Call::Fsmount),
    (libc::SYS_open_tree, Call::OpenTree),
    (SYS_OPEN_TREE_ATTR, Call::OpenTreeAttr),
    (libc::SYS_mq_open, Call::MqOpen),
    (libc::SYS_pipe2, Call::Pipe2),
    (libc::SYS_socketpair, Call::Socketpair),
    (libc::SYS_clone, Call::Clone),
    (libc::SYS_clone3, Call::Clone3),
    (libc::SYS_recvmsg, Call::Recvmsg),
    (libc::SYS_recvmmsg, Call::Recvmmsg),
    (libc::SYS_getsockopt, Call::Getsockopt),
    (libc::SYS_ioctl, Call::Ioctl),
    (libc::SYS_seccomp, Call::Seccomp),
    (libc::SYS_mmap, Call::Mmap),
    (libc::SYS_mremap, Call::Mremap),
    (libc::SYS_brk, Call::Brk),
    (libc::SYS_shmat, Call::Shmat),
    (libc::SYS_bpf, Call::Bpf),
    // The calls that only x86-64 still has.
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Call::Open),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, Call::Creat),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_dup2, Call::Dup2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_create, Call::EpollCreate),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_eventfd, Call::Eventfd),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_signalfd, Call::Signalfd),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_inotify_init, Call::InotifyInit),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_pipe, Call::Pipe),
];

/// What is to be attached, and what cannot be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// To attach, in this order.
    pub probes: Vec<Probe>,
    /// Not to attach, with the reason.
    pub unavailable: Vec<(Probe, String)>,
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
    pub fn programs(&self) -> Vec<&'static str> {
        let mut programs: Vec<_> = self.probes.iter().map(|probe| probe.program).collect();
        programs.sort_unstable();
        programs.dedup();
        programs
    }

    /// Tracepoints that the kernel may pass without being seen, to the harm of verdicts. A call
    /// that it does not have is none of them; nor is `io_uring`, of whose descriptors the kernel is
    /// asked anyway.
    pub fn blind(&self) -> impl Iterator<Item = String> {
        let harms = |(probe, reason): &&(Probe, String)| match probe.category {
            "io_uring" => false,
            "syscalls" => reason != NO_TRACEPOINT,
            _ => true,
        };
        let blind = self.unavailable.iter().filter(harms);
        blind.map(|(probe, _)| probe.tracepoint())
    }

    /// A required probe that is not available.
    pub fn obstacle(&self) -> Option<&(Probe, String)> {
        self.unavailable
            .iter()
            .find(|(probe, _)| probe.is_required())
    }
}

/// The records of all tracepoints that memguard has probes for; those that the kernel has.
pub fn formats(tracefs: &Path) -> BTreeMap<String, Format> {
    let read = |probe: &Probe| {
        let format = features::format(tracefs, probe.category, probe.name).ok()?;
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
            Err(reason) => plan.unavailable.push((*probe, reason)),
        }
    }
    plan
}

fn offset(formats: &BTreeMap<String, Format>, tracepoint: &str, field: &str) -> Option<u32> {
    Some(formats.get(tracepoint)?.fields.get(field)?.offset)
}

/// Why most are unavailable that are: calls that are younger than the kernel.
const NO_TRACEPOINT: &str = "this kernel has no such tracepoint";

fn check(probe: &Probe, format: Option<&Format>) -> Result<(), String> {
    let format = format.ok_or_else(|| NO_TRACEPOINT.to_owned())?;
    for (name, offset) in probe.fields {
        let found = format.fields.get(*name).map(|field| field.offset);
        if found != Some(*offset) {
            return Err(format!(
                "field {name} is expected at {offset}, the kernel has {found:?}"
            ));
        }
    }
    if probe.program == "process_fork" && !format.fields.contains_key("clone_flags") {
        return Err("its record has no clone_flags".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Format::parse(if probe.category == "syscalls" {
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
            let (probe, reason) = &plan.unavailable[0];
            assert_eq!(probe.tracepoint(), without);
            assert!(reason.contains("no such tracepoint"), "{reason}");
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
        assert!(
            plan.obstacle()
                .is_some_and(|(_, reason)| reason.contains("__syscall_nr"))
        );
        let blind: Vec<_> = plan.blind().collect();
        assert_eq!(blind, ["syscalls:sys_exit_openat"]);
    }
}
