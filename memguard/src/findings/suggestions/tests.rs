use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::model::{
    finding::{Handle, Sample},
    origin::{NamedFrame, NamedStack, Origin, StackId},
    testing::finding,
};

fn of(verdict: Verdict, kind: Kind, calls: &[Call]) -> Finding {
    Finding {
        kind,
        calls: calls.to_vec(),
        ..finding(verdict, 20)
    }
}

fn sockets(call: Call, targets: &[&str]) -> Finding {
    let samples = targets.iter().map(|target| Sample {
        handle: Handle::Descriptor(9),
        acquired_at: None,
        age: None,
        call: Some(call),
        target: Some((*target).to_owned()),
    });
    Finding {
        samples: samples.collect(),
        ..of(Verdict::Leak, Kind::Tcp, &[call])
    }
}

/// Innermost first; `main` is the program's own.
fn from(functions: &[&str], interpreter: Option<&'static str>) -> Origin {
    let frames = functions.iter().map(|function| NamedFrame {
        ip: 1,
        module: None,
        offset: 1,
        function: Some(Arc::from(*function)),
        file: None,
        line: None,
        inlined: false,
        application: *function == "main",
    });
    let stack = NamedStack {
        id: StackId(1),
        frames: frames.collect(),
        incomplete: None,
        interpreter,
    };
    Origin {
        stack: Arc::new(stack),
        place: None,
        topic: None,
    }
}

fn check(finding: &Finding, expected: &str) {
    assert_eq!(suggest(finding).as_deref(), Some(expected), "{finding:#?}");
}

#[test]
fn a_peer_that_has_closed_is_named_and_so_is_who_must_close() {
    let one = "tcp 10.0.0.4:41522 -> 10.0.0.9:5432 CLOSE_WAIT";
    let same = "tcp 10.0.0.4:41523 -> 10.0.0.9:5432 CLOSE_WAIT";
    let other = "tcp 10.0.0.4:41524 -> 10.0.0.7:5432 CLOSE_WAIT";
    let open = "tcp 10.0.0.4:41525 -> 10.0.0.7:5432 ESTABLISHED";
    let six = "tcp [::1]:80 -> [2001:db8::7]:5000 CLOSE_WAIT";
    let must = "this process has not: close the socket once read returns 0";
    for (call, targets, who) in [
        (
            Call::Socket,
            &[one, same][..],
            "10.0.0.9:5432 has closed its end",
        ),
        (
            Call::Socket,
            &[other, one, same],
            "10.0.0.9:5432 and others have closed their ends",
        ),
        (
            Call::Socket,
            &[open, one],
            "10.0.0.9:5432 has closed its end",
        ),
        (
            Call::Accept4,
            &[six, six],
            "[2001:db8::7] has closed its end",
        ),
    ] {
        check(&sockets(call, targets), &format!("{who}, {must}"));
    }
    let aged = Finding {
        verdict: Verdict::Aged,
        ..sockets(Call::Socket, &[one])
    };
    check(&aged, &format!("10.0.0.9:5432 has closed its end, {must}"));
    let python = Finding {
        origin: Some(from(&["sock_accept_impl"], Some("python"))),
        ..sockets(Call::Socket, &[one])
    };
    let must = must.replace("read returns 0", "recv returns b''");
    check(
        &python,
        &format!("10.0.0.9:5432 has closed its end, {must}"),
    );
    check(
        &sockets(Call::Socket, &[open, open, one]),
        "close what socket returned on every path, error paths included",
    );
}

#[test]
fn connections_to_one_peer_are_spoken_of_where_all_are_seen() {
    let to = |peer| format!("tcp 10.0.0.4:41525 -> {peer} ESTABLISHED");
    let (one, other) = (to("10.0.0.7:5432"), to("10.0.0.8:5432"));
    let close = "close what socket returned on every path, error paths included";
    let reuse = "connections to 10.0.0.7:5432 pile up and stay connected: use them again, or close \
                 each after use";
    for (targets, expected) in [
        (vec![one.as_str(); 3], reuse),
        (vec![one.as_str(); 2], close),
        (vec![&one, &one, &other], close),
        (vec![&one, &one, &one, "socket:[77]"], close),
    ] {
        check(&sockets(Call::Socket, &targets), expected);
    }
    check(
        &sockets(Call::Accept4, &[one.as_str(); 3]),
        "the clients are still connected: close each when it is served, and the idle ones after a \
         time",
    );
}

#[test]
fn what_came_over_an_exec_is_told_the_flag_of_its_call() {
    let so = ", so that exec closes it, unless handing it over is meant";
    let any = "set FD_CLOEXEC on it with fcntl F_SETFD before exec";
    for (calls, way) in [
        (
            &[Call::Openat][..],
            "open it with O_CLOEXEC (fopen: mode e)",
        ),
        (&[Call::Socket], "give socket SOCK_CLOEXEC"),
        (
            &[Call::Accept],
            "take accept4 with SOCK_CLOEXEC in place of accept",
        ),
        (&[Call::Eventfd2], "give eventfd EFD_CLOEXEC"),
        (&[Call::EpollCreate1], "give epoll_create1 EPOLL_CLOEXEC"),
        (
            &[Call::Fcntl],
            "copy it with F_DUPFD_CLOEXEC in place of F_DUPFD",
        ),
        (
            &[Call::Dup2],
            "copy it with dup3 and O_CLOEXEC in place of dup2",
        ),
        (&[Call::Pipe], "take pipe2 with O_CLOEXEC in place of pipe"),
        (&[Call::MemfdCreate], "give memfd_create MFD_CLOEXEC"),
        (&[Call::TimerfdCreate], "give timerfd_create TFD_CLOEXEC"),
        (&[Call::Recvmsg], "receive it with MSG_CMSG_CLOEXEC"),
        (
            &[Call::Open, Call::Openat],
            "open it with O_CLOEXEC (fopen: mode e)",
        ),
        // These set it by themselves: somebody has cleared it.
        (&[Call::PidfdOpen], any),
        (&[Call::Openat, Call::Socket], any),
        (&[Call::Unknown], any),
        (&[], any),
    ] {
        check(
            &of(Verdict::Inherited, Kind::File, calls),
            &format!("{way}{so}"),
        );
    }
}

#[test]
fn the_function_that_was_called_has_an_inverse() {
    let every = "returned on every path, error paths included";
    for (kind, call, functions, expected) in [
        (
            Kind::File,
            Call::Openat,
            &["openat64", "_IO_file_fopen", "fopen64", "main"][..],
            "fclose what fopen",
        ),
        (
            Kind::Dir,
            Call::Openat,
            &["__opendir", "main"],
            "closedir what opendir",
        ),
        (
            Kind::Anon,
            Call::Mmap,
            &["mmap64", "__libc_malloc", "main"],
            "free what malloc",
        ),
        (
            Kind::Anon,
            Call::Mmap,
            &["mmap64", "malloc", "strdup", "main"],
            "free what strdup",
        ),
        (
            Kind::Anon,
            Call::Mmap,
            &["mmap64", "malloc", "operator new[](unsigned long)", "main"],
            "delete[] what operator new[]",
        ),
        // The program's own function of that name is not the library's.
        (
            Kind::File,
            Call::Openat,
            &["openat64", "main", "fopen"],
            "close what openat",
        ),
    ] {
        let finding = Finding {
            origin: Some(from(functions, None)),
            ..of(Verdict::Leak, kind, &[call])
        };
        check(&finding, &format!("{expected} {every}"));
    }
}

#[test]
fn scripts_are_spoken_to_in_their_language() {
    for (interpreter, kind, functions, expected) in [
        (
            "python",
            Kind::File,
            &["_io_FileIO"][..],
            "open it by `with open(...)`, which closes it on every path",
        ),
        (
            "python",
            Kind::File,
            &["os_open_impl"],
            "os.close in a finally block what os.open returned",
        ),
        (
            "java",
            Kind::Tcp,
            &[],
            "use it in try-with-resources, which closes it on every path",
        ),
        (
            "bash",
            Kind::File,
            &[],
            "close it in the script: exec {fd}>&-",
        ),
        (
            "perl",
            Kind::File,
            &[],
            "close what open returned on every path, error paths included",
        ),
        (
            "node",
            Kind::HeapAnon,
            &[],
            "compare two heap snapshots of the inspector: they name the objects that stay",
        ),
    ] {
        let finding = Finding {
            origin: Some(from(functions, Some(interpreter))),
            ..of(Verdict::Leak, kind, &[Call::Openat])
        };
        check(&finding, expected);
    }
}

#[test]
fn what_was_left_is_to_be_closed_before_the_end() {
    for (kind, calls, expected) in [
        (
            Kind::File,
            &[Call::Openat, Call::Dup][..],
            "close what open, dup returned before the process ends",
        ),
        (
            Kind::Other,
            &[Call::Unknown],
            "close them before the process ends",
        ),
        (
            Kind::File,
            &[Call::Recvmsg],
            "close the descriptors that come with messages (SCM_RIGHTS) before the process ends",
        ),
        (
            Kind::SysvShm,
            &[],
            "remove with shmctl IPC_RMID once everybody is attached: then it goes with the last",
        ),
    ] {
        check(&of(Verdict::Left, kind, calls), expected);
    }
}

#[test]
fn shared_memory_is_detached_and_files_are_unmapped() {
    for (kind, call, expected) in [
        (
            Kind::SharedMap,
            Call::Shmat,
            "detach with shmdt what shmat returned on every path, error paths included",
        ),
        (
            Kind::FileBacked,
            Call::Mmap,
            "munmap what mmap returned on every path, error paths included: closing the file does not",
        ),
    ] {
        check(&of(Verdict::Leak, kind, &[call]), expected);
    }
    let cgroup = Finding {
        cgroup: Some("/x".to_owned()),
        ..of(Verdict::Growth, Kind::HeapAnon, &[])
    };
    check(
        &cgroup,
        "look which of its processes become larger, or more",
    );
}

/// Of each kind of leak something is said, and of most something of their own.
#[test]
fn every_kind_has_its_line() {
    let mut lines = BTreeSet::new();
    // What is limited as a whole never leaks as such.
    let kinds = Kind::ALL.iter().filter(|kind| !kind.is_whole());
    for kind in kinds.filter(|kind| **kind != Kind::Brk) {
        let line = suggest(&of(Verdict::Leak, *kind, &[Call::Mmap]));
        let line = line.unwrap_or_default();
        assert!((20..160).contains(&line.len()), "{kind:?}: {line:?}");
        lines.insert(line);
    }
    assert!(lines.len() > 20, "{lines:#?}");
    assert_eq!(
        suggest(&of(Verdict::Aged, Kind::File, &[Call::Openat])),
        None
    );
    assert_eq!(
        suggest(&of(Verdict::Cleared, Kind::File, &[Call::Openat])),
        None
    );
}
