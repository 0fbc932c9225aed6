//! What can acquire a descriptor: numbers of our own, for system call numbers differ between
//! architectures.

macro_rules! calls {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// The call, or the way, by which a descriptor was acquired.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Call {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Call {
            /// Name of the system call, as `calls` in the output has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl TryFrom<u32> for Call {
            /// The number that is none.
            type Error = u32;

            fn try_from(number: u32) -> Result<Self, u32> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    other => Err(other),
                }
            }
        }
    };
}

calls! {
    /// `open(2)`; detail: its flags and what was opened, see [`crate::event::opened_detail`].
    Open = 1, "open";
    /// `openat(2)`; detail as for `open`.
    Openat = 2, "openat";
    /// `openat2(2)`; detail as for `open`, without flags.
    Openat2 = 3, "openat2";
    /// `creat(2)`; detail as for `openat2`.
    Creat = 4, "creat";
    /// `socket(2)`; detail: [`crate::event::socket_detail`].
    Socket = 5, "socket";
    /// `accept(2)`; detail: what the open file is, see [`crate::event::file_detail`].
    Accept = 6, "accept";
    /// `accept4(2)`; detail as for `accept`.
    Accept4 = 7, "accept4";
    /// `dup(2)`; detail as for `accept`.
    Dup = 8, "dup";
    /// `dup2(2)`; detail as for `accept`.
    Dup2 = 9, "dup2";
    /// `dup3(2)`; detail as for `accept`.
    Dup3 = 10, "dup3";
    /// `fcntl(2)` with `F_DUPFD` or `F_DUPFD_CLOEXEC`; detail as for `accept`.
    Fcntl = 11, "fcntl";
    /// `epoll_create(2)`.
    EpollCreate = 12, "epoll_create";
    /// `epoll_create1(2)`.
    EpollCreate1 = 13, "epoll_create1";
    /// `eventfd(2)`.
    Eventfd = 14, "eventfd";
    /// `eventfd2(2)`.
    Eventfd2 = 15, "eventfd2";
    /// `timerfd_create(2)`.
    TimerfdCreate = 16, "timerfd_create";
    /// `signalfd(2)` of a new descriptor.
    Signalfd = 17, "signalfd";
    /// `signalfd4(2)` of a new descriptor.
    Signalfd4 = 18, "signalfd4";
    /// `inotify_init(2)`.
    InotifyInit = 19, "inotify_init";
    /// `inotify_init1(2)`.
    InotifyInit1 = 20, "inotify_init1";
    /// `fanotify_init(2)`.
    FanotifyInit = 21, "fanotify_init";
    /// `memfd_create(2)`.
    MemfdCreate = 22, "memfd_create";
    /// `memfd_secret(2)`.
    MemfdSecret = 23, "memfd_secret";
    /// `userfaultfd(2)`.
    Userfaultfd = 24, "userfaultfd";
    /// `pidfd_open(2)`.
    PidfdOpen = 25, "pidfd_open";
    /// `pidfd_getfd(2)`; detail as for `accept`.
    PidfdGetfd = 26, "pidfd_getfd";
    /// `perf_event_open(2)`.
    PerfEventOpen = 27, "perf_event_open";
    /// `bpf(2)`, the commands that make a descriptor.
    Bpf = 28, "bpf";
    /// `io_uring_setup(2)`.
    IoUringSetup = 29, "io_uring_setup";
    /// `landlock_create_ruleset(2)`.
    LandlockCreateRuleset = 30, "landlock_create_ruleset";
    /// `fsopen(2)`.
    Fsopen = 31, "fsopen";
    /// `fspick(2)`.
    Fspick = 32, "fspick";
    /// `fsmount(2)`.
    Fsmount = 33, "fsmount";
    /// `open_tree(2)`.
    OpenTree = 34, "open_tree";
    /// `open_tree_attr(2)`.
    OpenTreeAttr = 35, "open_tree_attr";
    /// `mq_open(3)`.
    MqOpen = 36, "mq_open";
    /// `seccomp(2)` with a listener.
    Seccomp = 37, "seccomp";
    /// `open_by_handle_at(2)`; detail as for `accept`.
    OpenByHandleAt = 38, "open_by_handle_at";
    /// `pipe(2)`.
    Pipe = 39, "pipe";
    /// `pipe2(2)`.
    Pipe2 = 40, "pipe2";
    /// `socketpair(2)`; detail as for `socket`.
    Socketpair = 41, "socketpair";
    /// `clone(2)` with `CLONE_PIDFD`.
    Clone = 42, "clone";
    /// `clone3(2)` with `CLONE_PIDFD`.
    Clone3 = 43, "clone3";
    /// `recvmsg(2)`: descriptors sent by another process; detail as for `accept`.
    Recvmsg = 44, "recvmsg";
    /// `recvmmsg(2)`; detail as for `accept`.
    Recvmmsg = 45, "recvmmsg";
    /// `getsockopt(2)` with `SO_PEERPIDFD`.
    Getsockopt = 46, "getsockopt";
    /// `ioctl(2)`, the requests that make a descriptor; detail as for `accept`.
    Ioctl = 47, "ioctl";
    /// `io_uring` with an operation that makes a descriptor; detail as for `accept`.
    IoUring = 49, "io_uring";
    /// `mmap(2)`; detail: [`crate::event::map_detail`].
    Mmap = 50, "mmap";
    /// `mremap(2)`; detail as for `mmap`, zero.
    Mremap = 51, "mremap";
    /// `shmat(2)`; detail: the segment's id.
    Shmat = 52, "shmat";
    /// `brk(2)` that grew the heap.
    Brk = 53, "brk";
    /// `add_key(2)`; detail: the keyring that it was added to, as the call was given it.
    AddKey = 54, "add_key";
    /// None that was seen: found open by comparing with the kernel's own table.
    Unknown = 48, "unknown";
}
