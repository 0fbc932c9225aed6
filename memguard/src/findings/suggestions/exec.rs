//! How to keep a descriptor from the next program: the flag of the very call.

use crate::model::{finding::Finding, resource::Call};

const ANY: &str = "set FD_CLOEXEC on it with fcntl F_SETFD before exec, so that exec closes it";

/// Of what came over an exec.
pub(super) fn close_on_exec(finding: &Finding) -> String {
    let ways: Vec<_> = finding.calls.iter().map(|call| way(*call)).collect();
    let first = ways.first().copied().flatten();
    match first.filter(|first| ways.iter().all(|way| *way == Some(first))) {
        Some(way) => format!("{way}, so that exec closes it, unless handing it over is meant"),
        None => format!("{ANY}, unless handing it over is meant"),
    }
}

/// `None` where the call has no such flag, or sets it anyway and somebody has cleared it.
fn way(call: Call) -> Option<&'static str> {
    Some(match call {
        Call::Open | Call::Openat | Call::Openat2 | Call::OpenByHandleAt => {
            "open it with O_CLOEXEC (fopen: mode e)"
        }
        Call::Creat => "open it with O_CREAT|O_TRUNC|O_CLOEXEC in place of creat",
        Call::MqOpen => "give mq_open O_CLOEXEC",
        Call::Socket => "give socket SOCK_CLOEXEC",
        Call::Socketpair => "give socketpair SOCK_CLOEXEC",
        Call::Accept => "take accept4 with SOCK_CLOEXEC in place of accept",
        Call::Accept4 => "give accept4 SOCK_CLOEXEC",
        Call::Dup => "copy it with fcntl F_DUPFD_CLOEXEC in place of dup",
        Call::Dup2 => "copy it with dup3 and O_CLOEXEC in place of dup2",
        Call::Dup3 => "give dup3 O_CLOEXEC",
        Call::Fcntl => "copy it with F_DUPFD_CLOEXEC in place of F_DUPFD",
        Call::EpollCreate => "take epoll_create1 with EPOLL_CLOEXEC in place of epoll_create",
        Call::EpollCreate1 => "give epoll_create1 EPOLL_CLOEXEC",
        Call::Eventfd | Call::Eventfd2 => "give eventfd EFD_CLOEXEC",
        Call::TimerfdCreate => "give timerfd_create TFD_CLOEXEC",
        Call::Signalfd | Call::Signalfd4 => "give signalfd SFD_CLOEXEC",
        Call::InotifyInit => "take inotify_init1 with IN_CLOEXEC in place of inotify_init",
        Call::InotifyInit1 => "give inotify_init1 IN_CLOEXEC",
        Call::FanotifyInit => "give fanotify_init FAN_CLOEXEC",
        Call::MemfdCreate => "give memfd_create MFD_CLOEXEC",
        Call::Userfaultfd => "give userfaultfd O_CLOEXEC",
        Call::PerfEventOpen => "give perf_event_open PERF_FLAG_FD_CLOEXEC",
        Call::Fsopen => "give fsopen FSOPEN_CLOEXEC",
        Call::Fspick => "give fspick FSPICK_CLOEXEC",
        Call::Fsmount => "give fsmount FSMOUNT_CLOEXEC",
        Call::OpenTree | Call::OpenTreeAttr => "give open_tree OPEN_TREE_CLOEXEC",
        Call::Pipe => "take pipe2 with O_CLOEXEC in place of pipe",
        Call::Pipe2 => "give pipe2 O_CLOEXEC",
        Call::Recvmsg | Call::Recvmmsg => "receive it with MSG_CMSG_CLOEXEC",
        _ => return None,
    })
}
