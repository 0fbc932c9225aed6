//! The programs, and the tracepoints they belong on.

use self::Field::{Anywhere, At};
use crate::model::status::Component;

/// Kinds of tracepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Entries and exits of system calls.
    Syscalls,
    /// Execs and exits.
    Sched,
    /// Forks.
    Task,
    /// Requests of `io_uring`.
    IoUring,
}

impl Category {
    /// As tracefs has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syscalls => "syscalls",
            Self::Sched => "sched",
            Self::Task => "task",
            Self::IoUring => "io_uring",
        }
    }
}

macro_rules! programs {
    ($($name:ident = $label:literal,)*) => {
        /// A program of the object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Program {
            $(
                #[doc = concat!("`", $label, "`")]
                $name,
            )*
        }

        impl Program {
            /// Its name in the object.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

programs! {
    Acquire = "acquire",
    AcquireMessage = "acquire_message",
    AcquireOne = "acquire_one",
    AcquirePair = "acquire_pair",
    Attach = "attach",
    Create = "create",
    Detach = "detach",
    HeapMoves = "heap_moves",
    Key = "key",
    Map = "map",
    ProcessExec = "process_exec",
    ProcessExit = "process_exit",
    ProcessFork = "process_fork",
    ReleaseClose = "release_close",
    ReleaseRange = "release_range",
    RemapBegins = "remap_begins",
    Segment = "segment",
    Unmap = "unmap",
    UringComplete = "uring_complete",
    UringSubmit = "uring_submit",
}

impl Program {
    /// Whether the verifier has much to do for it: those that acquire, with the nursery's protocol,
    /// and those that send texts and bitmaps.
    pub const fn is_large(self) -> bool {
        matches!(
            self,
            Self::Acquire
                | Self::AcquireMessage
                | Self::AcquireOne
                | Self::AcquirePair
                | Self::Map
                | Self::ProcessExec
                | Self::ProcessExit
        )
    }
}

/// A program and a tracepoint it belongs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Program in the object.
    pub program: Program,
    /// Tracepoint category.
    pub category: Category,
    /// Tracepoint name.
    pub name: &'static str,
    pub(super) fields: Fields,
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
        self.component().to_string()
    }

    /// As its status names it.
    pub fn component(&self) -> Component {
        Component::Tracepoint {
            category: self.category.name(),
            name: self.name,
        }
    }

    /// Another probe is on the same tracepoint, and reads the same of it.
    pub fn is_second(&self) -> bool {
        self.program == Program::Create
    }

    /// Nothing works without it.
    pub fn is_required(&self) -> bool {
        self.rank == Rank::Required
    }
}

/// A field that a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    /// At this offset.
    At(&'static str, u32),
    /// Wherever the kernel has it: the program is told.
    Anywhere(&'static str),
}

type Fields = &'static [Field];

/// A program that reads the result of a system call.
const fn exit(program: Program, name: &'static str, rank: Rank) -> Probe {
    let fields = &[At("__syscall_nr", 8), At("ret", 16)];
    probe(program, Category::Syscalls, name, fields, rank)
}

/// A program that reads the arguments of a call about memory.
const fn entry(program: Program, name: &'static str, fields: Fields) -> Probe {
    probe(program, Category::Syscalls, name, fields, Rank::Memory)
}

/// A program of `io_uring`.
const fn uring(program: Program, name: &'static str, fields: Fields) -> Probe {
    probe(program, Category::IoUring, name, fields, Rank::Usual)
}

const fn other(program: Program, category: Category, name: &'static str, fields: Fields) -> Probe {
    probe(program, category, name, fields, Rank::Required)
}

const fn probe(
    program: Program,
    category: Category,
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
        Program::ReleaseClose,
        Category::Syscalls,
        "sys_enter_close",
        &[At("__syscall_nr", 8), At("fd", 16)],
    ),
    other(
        Program::ProcessExit,
        Category::Sched,
        "sched_process_exit",
        &[],
    ),
    other(
        Program::ProcessExec,
        Category::Sched,
        "sched_process_exec",
        &[At("filename", 8)],
    ),
    other(
        Program::ProcessFork,
        Category::Task,
        "task_newtask",
        &[At("pid", 8), Anywhere("clone_flags")],
    ),
    uring(
        Program::UringSubmit,
        "io_uring_submit_req",
        &[At("req", 16), At("opcode", 32)],
    ),
    uring(
        Program::UringComplete,
        "io_uring_complete",
        &[At("req", 16), At("res", 32), At("cflags", 36)],
    ),
    exit(Program::ReleaseRange, "sys_exit_close_range", Rank::Usual),
    entry(
        Program::Unmap,
        "sys_enter_munmap",
        &[At("addr", 16), At("len", 24)],
    ),
    entry(Program::RemapBegins, "sys_enter_mremap", &[At("addr", 16)]),
    entry(Program::HeapMoves, "sys_enter_brk", &[At("brk", 16)]),
    entry(Program::Detach, "sys_enter_shmdt", &[At("shmaddr", 16)]),
    exit(Program::Map, "sys_exit_mmap", Rank::Memory),
    exit(Program::Map, "sys_exit_mremap", Rank::Memory),
    exit(Program::Map, "sys_exit_brk", Rank::Memory),
    exit(Program::Segment, "sys_exit_shmget", Rank::Memory),
    exit(Program::Attach, "sys_exit_shmat", Rank::Memory),
    exit(Program::Create, "sys_exit_openat", Rank::Memory),
    exit(Program::Create, "sys_exit_open", Rank::Memory),
    exit(Program::Create, "sys_exit_openat2", Rank::Memory),
    exit(Program::Create, "sys_exit_creat", Rank::Memory),
    exit(Program::Key, "sys_exit_add_key", Rank::Usual),
    exit(Program::Acquire, "sys_exit_openat", Rank::Required),
    exit(Program::Acquire, "sys_exit_open", Rank::Usual),
    exit(Program::Acquire, "sys_exit_openat2", Rank::Usual),
    exit(Program::Acquire, "sys_exit_creat", Rank::Usual),
    exit(Program::Acquire, "sys_exit_open_by_handle_at", Rank::Usual),
    exit(Program::Acquire, "sys_exit_socket", Rank::Required),
    exit(Program::Acquire, "sys_exit_accept4", Rank::Required),
    exit(Program::Acquire, "sys_exit_accept", Rank::Usual),
    exit(Program::Acquire, "sys_exit_dup", Rank::Usual),
    exit(Program::Acquire, "sys_exit_dup2", Rank::Usual),
    exit(Program::Acquire, "sys_exit_dup3", Rank::Usual),
    exit(Program::Acquire, "sys_exit_fcntl", Rank::Usual),
    exit(Program::Acquire, "sys_exit_epoll_create", Rank::Usual),
    exit(Program::Acquire, "sys_exit_epoll_create1", Rank::Usual),
    exit(Program::Acquire, "sys_exit_eventfd", Rank::Usual),
    exit(Program::Acquire, "sys_exit_eventfd2", Rank::Usual),
    exit(Program::Acquire, "sys_exit_timerfd_create", Rank::Usual),
    exit(Program::Acquire, "sys_exit_signalfd", Rank::Usual),
    exit(Program::Acquire, "sys_exit_signalfd4", Rank::Usual),
    exit(Program::Acquire, "sys_exit_inotify_init", Rank::Usual),
    exit(Program::Acquire, "sys_exit_inotify_init1", Rank::Usual),
    exit(Program::Acquire, "sys_exit_fanotify_init", Rank::Usual),
    exit(Program::Acquire, "sys_exit_memfd_create", Rank::Usual),
    exit(Program::Acquire, "sys_exit_memfd_secret", Rank::Usual),
    exit(Program::Acquire, "sys_exit_userfaultfd", Rank::Usual),
    exit(Program::Acquire, "sys_exit_pidfd_open", Rank::Usual),
    exit(Program::Acquire, "sys_exit_pidfd_getfd", Rank::Usual),
    exit(Program::Acquire, "sys_exit_perf_event_open", Rank::Usual),
    exit(Program::Acquire, "sys_exit_io_uring_setup", Rank::Usual),
    exit(
        Program::Acquire,
        "sys_exit_landlock_create_ruleset",
        Rank::Usual,
    ),
    exit(Program::Acquire, "sys_exit_fsopen", Rank::Usual),
    exit(Program::Acquire, "sys_exit_fspick", Rank::Usual),
    exit(Program::Acquire, "sys_exit_fsmount", Rank::Usual),
    exit(Program::Acquire, "sys_exit_open_tree", Rank::Usual),
    exit(Program::Acquire, "sys_exit_open_tree_attr", Rank::Usual),
    exit(Program::Acquire, "sys_exit_mq_open", Rank::Usual),
    exit(Program::AcquirePair, "sys_exit_pipe", Rank::Usual),
    exit(Program::AcquirePair, "sys_exit_pipe2", Rank::Usual),
    exit(Program::AcquirePair, "sys_exit_socketpair", Rank::Usual),
    exit(Program::AcquireOne, "sys_exit_clone", Rank::Usual),
    exit(Program::AcquireOne, "sys_exit_clone3", Rank::Usual),
    exit(Program::AcquireMessage, "sys_exit_recvmsg", Rank::Usual),
    exit(Program::AcquireMessage, "sys_exit_recvmmsg", Rank::Rare),
    exit(Program::AcquireOne, "sys_exit_getsockopt", Rank::Rare),
    exit(Program::Acquire, "sys_exit_ioctl", Rank::Rare),
    exit(Program::Acquire, "sys_exit_seccomp", Rank::Rare),
    exit(Program::Acquire, "sys_exit_bpf", Rank::Rare),
];
