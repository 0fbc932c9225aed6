//! What to do about a finding: one line that is right, or none.
//!
//! Pure. Everything is taken from the finding itself: what is held, by which call or library
//! function, in which language, and of a socket what its peer has done.

mod exec;
mod languages;
mod library;
mod sockets;

#[cfg(test)]
mod tests;

use crate::model::{
    finding::{Finding, Verdict, call_names},
    resource::{Call, Kind, Resource},
};

/// One line for people; `None` where none is certain to be right.
pub fn suggest(finding: &Finding) -> Option<String> {
    match finding.verdict {
        Verdict::Cleared | Verdict::Exhaustion => None,
        Verdict::Aged | Verdict::Hoard => sockets::half_closed(finding),
        Verdict::Inherited => Some(exec::close_on_exec(finding)),
        Verdict::Leak | Verdict::Growth | Verdict::Left | Verdict::Suspect => give_back(finding),
    }
}

fn give_back(finding: &Finding) -> Option<String> {
    if finding.cgroup.is_some() {
        return Some("look which of its processes become larger, or more".to_owned());
    }
    match finding.kind.resource() {
        Resource::Socket => sockets::half_closed(finding)
            .or_else(|| sockets::connected(finding))
            .or_else(|| Some(descriptor(finding))),
        Resource::Fd => Some(descriptor(finding)),
        Resource::Mmap => Some(mapping(finding)),
        _ => rest(finding).map(str::to_owned),
    }
}

/// By the language of the script, by the library function that asked for it, by what it is.
fn descriptor(finding: &Finding) -> String {
    let when = when(finding.verdict);
    if let Some(idiom) = languages::close(finding) {
        return idiom.to_owned();
    }
    if let Some((function, inverse)) = library::inverse(finding) {
        return format!("{inverse} what {function} returned {when}");
    }
    let known = own(finding.kind);
    known.map_or_else(|| close(finding, when), str::to_owned)
}

/// `close what open returned on every path, error paths included`.
fn close(finding: &Finding, when: &str) -> String {
    let calls = &finding.calls;
    let received = |call: &Call| matches!(call, Call::Recvmsg | Call::Recvmmsg);
    if !calls.is_empty() && calls.iter().all(received) {
        return format!("close the descriptors that come with messages (SCM_RIGHTS) {when}");
    }
    let known = calls.iter().filter(|call| **call != Call::Unknown);
    let names: Vec<_> = known.map(|call| as_written(*call, finding)).collect();
    if names.is_empty() {
        return format!("close them {when}");
    }
    format!("close what {} returned {when}", names.join(", "))
}

/// What the source says where the kernel sees `openat`: hardly ever that.
fn as_written(call: Call, finding: &Finding) -> &'static str {
    match call {
        Call::Openat => library::opener(finding).unwrap_or("open"),
        call => call.name(),
    }
}

fn when(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Left {
        "before the process ends"
    } else {
        "on every path, error paths included"
    }
}

/// What has an owner of its own, with whom it should go.
fn own(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Dir => {
            "closedir (or close) each directory when it has been read, also where that fails"
        }
        Kind::Pipe => {
            "close both ends of each pipe; after a fork each process closes the end it does not use"
        }
        Kind::Epoll => "close the epoll descriptor where its event loop ends",
        Kind::Eventfd => {
            "close the eventfd when the last who waits for it, or signals it, has gone"
        }
        Kind::Timerfd => {
            "close the timerfd when its timer is no longer needed: disarming keeps it open"
        }
        Kind::Signalfd => {
            "close the signalfd where its loop ends; to change its mask, give signalfd the old one"
        }
        Kind::Inotify => {
            "close the inotify descriptor where watching ends; one takes any number of watches"
        }
        Kind::Fanotify => "close the group where watching ends, and the descriptor of each event",
        Kind::Memfd => {
            "close the memfd once it is mapped or sent: mapping and receiver keep the memory"
        }
        Kind::Pidfd => "close the pidfd once its process has been waited for",
        Kind::Userfaultfd => "close the userfaultfd when its ranges are unregistered",
        Kind::IoUring => "close the ring where its loop ends: io_uring_queue_exit",
        Kind::Perf => "close the perf event when it has been read: disabling keeps it open",
        Kind::Mqueue => "close the queue with mq_close: mq_unlink removes its name only",
        Kind::Pty => {
            "close the terminal's master when its session ends, and the copy of its other end"
        }
        _ => return None,
    })
}

fn mapping(finding: &Finding) -> String {
    let when = when(finding.verdict);
    if let Some((function, inverse)) = library::inverse(finding) {
        return format!("{inverse} what {function} returned {when}");
    }
    match finding.calls.as_slice() {
        [Call::Shmat] => format!("detach with shmdt what shmat returned {when}"),
        [Call::Mmap] if finding.kind == Kind::Anon => format!(
            "munmap what mmap returned {when}; malloc maps large blocks one by one: there, free it"
        ),
        [Call::Mmap] if finding.kind == Kind::FileBacked => {
            format!("munmap what mmap returned {when}: closing the file does not")
        }
        [] => format!("munmap it {when}"),
        calls => format!("munmap what {} returned {when}", call_names(calls)),
    }
}

/// What is no handle of a call.
fn rest(finding: &Finding) -> Option<&'static str> {
    Some(match finding.kind {
        Kind::HeapAnon => languages::heap(finding).unwrap_or(
            "the kernel sees who asked it for memory, not which malloc call leaked: a heap profiler \
             does, at the first of these places",
        ),
        Kind::HeapShm => "look for memfd, tmpfs or shared memory that is written and never removed",
        Kind::Thread => "threads are started that never end: end them, or use a pool",
        Kind::Unjoined => "join threads that have ended, or start them detached",
        Kind::Zombie => "wait for children that have ended, or ignore SIGCHLD",
        Kind::PosixTimer => "delete with timer_delete what timer_create made",
        Kind::InotifyWatch => {
            "remove each watch (inotify_rm_watch, or close its watcher) when what it is for is over"
        }
        Kind::Key => {
            "unlink or invalidate each key (keyctl_unlink, keyctl_invalidate) when it is used no more: \
             revoked and expired ones still count for some minutes"
        }
        Kind::PosixShm => {
            "unlink with shm_unlink or sem_unlink once everybody has it open: then it goes with the \
             last, whoever crashes"
        }
        Kind::SysvShm => {
            "remove with shmctl IPC_RMID once everybody is attached: then it goes with the last"
        }
        _ => return None,
    })
}
