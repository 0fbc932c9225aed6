//! What kinds of handles there are, and which call makes which.

mod family;

pub use memguard_common::{
    call::Call,
    event::{detail_mode, file_mark},
};
use serde::{Deserialize, Serialize};

pub use self::family::Resource;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $noun:literal, $nouns:literal;)*) => {
        /// What a handle is; `kind` in the output.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in the output.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// What people call `count` of them.
            pub fn noun(self, count: u64) -> &'static str {
                match self { $(Self::$name => if count == 1 { $noun } else { $nouns },)* }
            }
        }
    };
}

kinds! {
    /// A regular file.
    File = "file", "file", "files";
    /// A directory.
    Dir = "dir", "directory", "directories";
    /// A pipe or FIFO.
    Pipe = "pipe", "pipe end", "pipe ends";
    /// A TCP socket.
    Tcp = "tcp", "TCP socket", "TCP sockets";
    /// A UDP socket.
    Udp = "udp", "UDP socket", "UDP sockets";
    /// A Unix domain socket.
    Unix = "unix", "Unix socket", "Unix sockets";
    /// A netlink socket.
    Netlink = "netlink", "netlink socket", "netlink sockets";
    /// epoll.
    Epoll = "epoll", "epoll descriptor", "epoll descriptors";
    /// eventfd.
    Eventfd = "eventfd", "eventfd", "eventfds";
    /// timerfd.
    Timerfd = "timerfd", "timerfd", "timerfds";
    /// signalfd.
    Signalfd = "signalfd", "signalfd", "signalfds";
    /// inotify.
    Inotify = "inotify", "inotify descriptor", "inotify descriptors";
    /// fanotify.
    Fanotify = "fanotify", "fanotify descriptor", "fanotify descriptors";
    /// memfd.
    Memfd = "memfd", "memfd", "memfds";
    /// pidfd.
    Pidfd = "pidfd", "pidfd", "pidfds";
    /// userfaultfd.
    Userfaultfd = "userfaultfd", "userfaultfd", "userfaultfds";
    /// `io_uring`.
    IoUring = "io_uring", "io_uring ring", "io_uring rings";
    /// A perf event.
    Perf = "perf", "perf event", "perf events";
    /// A BPF object.
    Bpf = "bpf", "BPF object", "BPF objects";
    /// A terminal.
    Pty = "pty", "terminal", "terminals";
    /// A POSIX message queue.
    Mqueue = "mqueue", "message queue", "message queues";
    /// A device node.
    Device = "device", "device", "devices";
    /// Anything else.
    Other = "other", "descriptor", "descriptors";
    /// A socket of another family.
    OtherSocket = "other", "socket", "sockets";
    /// Memory mapped of no file.
    Anon = "anon", "anonymous mapping", "anonymous mappings";
    /// A file mapped into memory.
    FileBacked = "file-backed", "file mapping", "file mappings";
    /// Memory that processes share: anonymous, or attached by `shmat`.
    SharedMap = "shm", "shared mapping", "shared mappings";
    /// A piece of the heap proper, grown by `brk`.
    Brk = "brk", "heap extension", "heap extensions";
    /// Anonymous memory in use, `RssAnon` and swap.
    HeapAnon = "anon", "byte of anonymous memory", "bytes of anonymous memory";
    /// Shared memory in use, `RssShmem`: memfd, tmpfs, shared anonymous and `SysV` memory.
    HeapShm = "shm", "byte of shared memory", "bytes of shared memory";
    /// A thread that runs or waits.
    Thread = "thread", "thread", "threads";
    /// A thread that has ended and that nobody has joined: its stack stays.
    Unjoined = "unjoined", "unjoined thread", "unjoined threads";
    /// A child that has ended and that nobody has waited for.
    Zombie = "zombie", "zombie", "zombies";
    /// A `SysV` shared memory segment.
    SysvShm = "sysv", "SysV shared memory segment", "SysV shared memory segments";
    /// What `shm_open(3)` or `sem_open(3)` made: a file in `/dev/shm`.
    PosixShm = "posix", "POSIX shared memory segment", "POSIX shared memory segments";
    /// A timer of `timer_create(2)`.
    PosixTimer = "posix", "POSIX timer", "POSIX timers";
    /// All descriptors of a process, as `RLIMIT_NOFILE` counts them.
    AllDescriptors = "all", "descriptor", "descriptors";
    /// All threads of a process.
    AllThreads = "all", "thread", "threads";
    /// All mappings of a process, as `vm.max_map_count` counts them.
    AllMappings = "all", "mapping", "mappings";
    /// All anonymous memory of a process, swapped or not.
    AllMemory = "all", "byte of memory", "bytes of memory";
    /// The address space of a process, as `RLIMIT_AS` counts it.
    AddressSpace = "space", "byte of address space", "bytes of address space";
    /// All watches of inotify of a process, as `fs.inotify.max_user_watches` counts those of a user.
    AllWatches = "all", "inotify watch", "inotify watches";
    /// All keys that a process has added, as the quota of its user counts them.
    AllKeys = "all", "kernel key", "kernel keys";
    /// A watch of inotify: any number of them are in one descriptor.
    InotifyWatch = "inotify-watch", "inotify watch", "inotify watches";
    /// A key of `add_key(2)`.
    Key = "key", "kernel key", "kernel keys";
}

impl Kind {
    /// The kinds that are told apart from nothing: all that a process has of something that is
    /// limited.
    pub const WHOLE: [Self; 7] = [
        Self::AllDescriptors,
        Self::AllThreads,
        Self::AllMappings,
        Self::AllMemory,
        Self::AddressSpace,
        Self::AllWatches,
        Self::AllKeys,
    ];

    /// All that a process has of something, and no handles of one sort.
    pub fn is_whole(self) -> bool {
        Self::WHOLE.contains(&self)
    }

    /// Measured in bytes, not counted.
    pub fn is_size(self) -> bool {
        matches!(
            self,
            Self::HeapAnon | Self::HeapShm | Self::AllMemory | Self::AddressSpace
        )
    }

    /// The family the kind belongs to.
    pub fn resource(self) -> Resource {
        match self {
            Self::Tcp | Self::Udp | Self::Unix | Self::Netlink | Self::OtherSocket => {
                Resource::Socket
            }
            Self::Anon
            | Self::FileBacked
            | Self::SharedMap
            | Self::AllMappings
            | Self::AddressSpace => Resource::Mmap,
            Self::Brk | Self::HeapAnon | Self::HeapShm | Self::AllMemory => Resource::Heap,
            Self::Thread | Self::Unjoined | Self::AllThreads => Resource::Thread,
            Self::Zombie => Resource::Process,
            Self::SysvShm | Self::PosixShm => Resource::Shm,
            Self::PosixTimer => Resource::Timer,
            Self::InotifyWatch | Self::AllWatches => Resource::Watch,
            Self::Key | Self::AllKeys => Resource::Key,
            _ => Resource::Fd,
        }
    }
}

impl Kind {
    /// From the names of family and kind in the output; a kind that this version does not know is
    /// the family's other kind, where it has one.
    pub fn named(resource: &str, kind: &str) -> Option<Self> {
        let family = || {
            Self::ALL
                .iter()
                .filter(|it| it.resource().name() == resource)
        };
        let other = || family().find(|it| it.name() == "other");
        family()
            .find(|it| it.name() == kind)
            .or_else(other)
            .copied()
    }

    /// What a call made, as far as the call itself tells; `/proc` knows better while the process
    /// lives. `detail` is [`memguard_common::event::Acquired::detail`].
    pub fn made_by(call: Call, detail: u64) -> Self {
        match call {
            Call::Open | Call::Openat | Call::Openat2 | Call::Creat => opened(detail),
            Call::Socket | Call::Socketpair => socket(detail),
            Call::EpollCreate | Call::EpollCreate1 => Self::Epoll,
            Call::Eventfd | Call::Eventfd2 => Self::Eventfd,
            Call::TimerfdCreate => Self::Timerfd,
            Call::Signalfd | Call::Signalfd4 => Self::Signalfd,
            Call::InotifyInit | Call::InotifyInit1 => Self::Inotify,
            Call::FanotifyInit => Self::Fanotify,
            Call::MemfdCreate | Call::MemfdSecret => Self::Memfd,
            Call::Userfaultfd => Self::Userfaultfd,
            Call::PidfdOpen | Call::Clone | Call::Clone3 | Call::Getsockopt => Self::Pidfd,
            Call::PerfEventOpen => Self::Perf,
            Call::Bpf => Self::Bpf,
            Call::IoUringSetup => Self::IoUring,
            Call::MqOpen => Self::Mqueue,
            Call::Pipe | Call::Pipe2 => Self::Pipe,
            Call::Fsmount | Call::OpenTree | Call::OpenTreeAttr => Self::Dir,
            Call::Accept
            | Call::Accept4
            | Call::Dup
            | Call::Dup2
            | Call::Dup3
            | Call::Fcntl
            | Call::PidfdGetfd
            | Call::OpenByHandleAt
            | Call::Recvmsg
            | Call::Recvmmsg
            | Call::IoUring
            | Call::Unknown => file(detail),
            // Namespaces are regular files, and were not told apart in earlier recordings.
            Call::Ioctl => match file(detail) {
                Self::File => Self::Other,
                Self::Device => Self::Pty,
                kind => kind,
            },
            Call::Mmap | Call::Mremap => mapped(detail as u32),
            Call::Shmat => Self::SharedMap,
            Call::Brk => Self::Brk,
            Call::AddKey => Self::Key,
            Call::LandlockCreateRuleset | Call::Fsopen | Call::Fspick | Call::Seccomp => {
                Self::Other
            }
        }
    }
}

/// Detail as [`memguard_common::event::file_detail`] packs it.
fn file(detail: u64) -> Kind {
    let mode = detail_mode(detail);
    match u32::from(mode) & libc::S_IFMT {
        libc::S_IFREG if mode & file_mark::NAMESPACE != 0 => Kind::Other,
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Dir,
        libc::S_IFCHR if mode & file_mark::TERMINAL != 0 => Kind::Pty,
        libc::S_IFCHR | libc::S_IFBLK => Kind::Device,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFSOCK => socket(detail),
        _ => Kind::Other,
    }
}

/// Flags as `mmap(2)` takes them.
fn mapped(flags: u32) -> Kind {
    let flags = flags as libc::c_int;
    let anonymous = flags & libc::MAP_ANONYMOUS != 0;
    match flags & libc::MAP_TYPE {
        libc::MAP_SHARED | libc::MAP_SHARED_VALIDATE if anonymous => Kind::SharedMap,
        0 | libc::MAP_PRIVATE if anonymous || flags == 0 => Kind::Anon,
        _ => Kind::FileBacked,
    }
}

/// Detail as [`memguard_common::event::opened_detail`] packs it. Sockets are opened by `O_PATH`
/// only.
fn opened(detail: u64) -> Kind {
    match u32::from(detail_mode(detail)) & libc::S_IFMT {
        0 => asked_to_open(detail),
        libc::S_IFSOCK => Kind::Other,
        _ => file(detail),
    }
}

/// Flags as `open(2)` takes them; `O_DIRECTORY` is part of `O_TMPFILE`, which makes a file.
fn asked_to_open(flags: u64) -> Kind {
    let flags = flags as libc::c_int;
    let tmpfile = flags & libc::O_TMPFILE == libc::O_TMPFILE;
    if flags & libc::O_DIRECTORY != 0 && !tmpfile {
        Kind::Dir
    } else {
        Kind::File
    }
}

/// Detail as [`memguard_common::event::socket_detail`] packs it.
fn socket(detail: u64) -> Kind {
    let family = i32::from(detail as u16);
    let kind = i32::from((detail >> 16) as u16);
    let protocol = i32::from((detail >> 32) as u16);
    match (family, kind, protocol) {
        (libc::AF_UNIX, ..) => Kind::Unix,
        (libc::AF_NETLINK, ..) => Kind::Netlink,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => Kind::Tcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => Kind::Udp,
        _ => Kind::OtherSocket,
    }
}

#[cfg(test)]
mod tests {
    use memguard_common::event::{file_detail, opened_detail, socket_detail};

    use super::*;

    #[test]
    fn names_lead_back_to_their_kind() {
        for kind in Kind::ALL {
            assert_eq!(
                Kind::named(kind.resource().name(), kind.name()),
                Some(*kind)
            );
        }
        for (resource, kind, expected) in [
            ("socket", "quic", Some(Kind::OtherSocket)),
            ("fd", "tcp", Some(Kind::Other)),
            ("heap", "tcp", None),
            ("gpu", "buffer", None),
        ] {
            assert_eq!(Kind::named(resource, kind), expected, "{resource} {kind}");
        }
    }

    #[test]
    fn the_call_tells_the_kind() {
        let tcp = socket_detail(libc::AF_INET as u16, libc::SOCK_STREAM as u16, 0);
        let icmp = socket_detail(libc::AF_INET as u16, libc::SOCK_RAW as u16, 1);
        let dir = (libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
        let opened = |kind: u32, mark: u16| opened_detail(0, kind as u16 | mark);
        let (terminal, namespace) = (file_mark::TERMINAL, file_mark::NAMESPACE);
        let a_socket = file_detail(libc::S_IFSOCK as u16, tcp);
        for (call, detail, expected) in [
            (Call::Openat, 0, Kind::File),
            (Call::Openat, dir, Kind::Dir),
            (Call::Open, libc::O_TMPFILE as u64, Kind::File),
            (Call::Creat, opened(libc::S_IFIFO, 0), Kind::Pipe),
            (Call::Openat, opened(libc::S_IFDIR, 0), Kind::Dir),
            (Call::Openat, opened(libc::S_IFREG, 0), Kind::File),
            (Call::Openat, opened(libc::S_IFREG, namespace), Kind::Other),
            (Call::Openat2, opened(libc::S_IFCHR, 0), Kind::Device),
            (Call::Openat, opened(libc::S_IFCHR, terminal), Kind::Pty),
            (Call::Openat, opened(libc::S_IFSOCK, 0), Kind::Other),
            (Call::Openat, opened(libc::S_IFREG, 0) | dir, Kind::File),
            (Call::Socket, tcp, Kind::Tcp),
            (Call::Accept4, a_socket, Kind::Tcp),
            (Call::Dup, a_socket, Kind::Tcp),
            (Call::Dup, file_detail(libc::S_IFREG as u16, 0), Kind::File),
            (Call::Dup, 0, Kind::Other),
            (Call::Socket, icmp, Kind::OtherSocket),
            (Call::Pipe2, 0, Kind::Pipe),
        ] {
            assert_eq!(
                Kind::made_by(call, detail),
                expected,
                "{call:?} {detail:#x}"
            );
        }
    }
}
