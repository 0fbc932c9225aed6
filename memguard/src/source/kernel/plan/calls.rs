//! Which call a system call number is, on the architecture that this is built for.

use memguard_common::{
    call::Call,
    settings::{CALLS, IO_URING_NUMBER},
};

/// The [`Call`] of each number; zero for none.
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

pub(super) const NUMBERS: &[(libc::c_long, Call)] = &[
    (IO_URING_NUMBER as libc::c_long, Call::IoUring),
    (libc::SYS_openat, Call::Openat),
    (libc::SYS_openat2, Call::Openat2),
    (libc::SYS_open_by_handle_at, Call::OpenByHandleAt),
    (libc::SYS_socket, Call::Socket),
    (libc::SYS_accept, Call::Accept),
    (libc::SYS_add_key, Call::AddKey),
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
