//! Families of kinds.

/// The family a finding belongs to; `resource` in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A descriptor that is not a socket.
    Fd,
    /// A socket.
    Socket,
    /// A range of addresses.
    Mmap,
    /// Memory in use, however it was acquired.
    Heap,
    /// A thread.
    Thread,
    /// A process.
    Process,
    /// A shared memory segment that no process holds.
    Shm,
    /// A POSIX timer.
    Timer,
    /// Something that the kernel watches for a process.
    Watch,
    /// A key of the kernel.
    Key,
}

impl Resource {
    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fd => "fd",
            Self::Socket => "socket",
            Self::Mmap => "mmap",
            Self::Heap => "heap",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Shm => "shm",
            Self::Timer => "timer",
            Self::Watch => "watch",
            Self::Key => "key",
        }
    }
}
