//! What a descriptor is, by the target of its link and the type in its mode.

use super::resource::Kind;

/// Kind of a descriptor, from what its link in `/proc/PID/fd` says and `st_mode` (0 where unknown).
///
/// A socket is [`Kind::OtherSocket`]: its link does not say more, the
/// the kernel's tables of sockets do. A POSIX message queue looks like a file.
pub fn kind_of_target(target: &str, mode: u32) -> Kind {
    if let Some(name) = target.strip_prefix("anon_inode:") {
        return anonymous(name);
    }
    match target.split_once(":[") {
        Some(("socket", _)) => Kind::OtherSocket,
        Some(("pipe", _)) => Kind::Pipe,
        Some(("pidfd", _)) => Kind::Pidfd,
        _ if is_memfd(target) => Kind::Memfd,
        // Namespaces, `net:[4026531840]`, have the mode of a file.
        _ if target.starts_with(['/', '(']) => with_path(target, mode),
        _ => Kind::Other,
    }
}

/// Names as the kernel gives them to `anon_inode_getfd`, most of them in brackets.
fn anonymous(name: &str) -> Kind {
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    match name {
        "eventpoll" => Kind::Epoll,
        "eventfd" => Kind::Eventfd,
        "timerfd" => Kind::Timerfd,
        "signalfd" => Kind::Signalfd,
        "inotify" => Kind::Inotify,
        "fanotify" => Kind::Fanotify,
        "pidfd" => Kind::Pidfd,
        "userfaultfd" => Kind::Userfaultfd,
        "io_uring" => Kind::IoUring,
        "perf_event" => Kind::Perf,
        "btf" => Kind::Bpf,
        name if name.starts_with("bpf") => Kind::Bpf,
        _ => Kind::Other,
    }
}

/// memfds have no link in any directory, so the kernel always calls them deleted.
fn is_memfd(target: &str) -> bool {
    target
        .strip_suffix(" (deleted)")
        .is_some_and(|name| name.starts_with("/memfd:") || name == "/secretmem")
}

fn with_path(target: &str, mode: u32) -> Kind {
    match mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Dir,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFCHR if is_terminal(target) => Kind::Pty,
        libc::S_IFCHR | libc::S_IFBLK => Kind::Device,
        _ => Kind::Other,
    }
}

fn is_terminal(target: &str) -> bool {
    target.strip_prefix("/dev/").is_some_and(|name| {
        matches!(name, "ptmx" | "console") || name.starts_with("pts/") || name.starts_with("tty")
    })
}

/// Peer and state of `tcp 10.0.0.4:41522 -> 10.0.0.9:5432 CLOSE_WAIT`; `None` of what has no peer.
pub fn connection(target: &str) -> Option<(&str, &str)> {
    let (_, far) = target.split_once(" -> ")?;
    far.split_once(' ')
}

/// Inode of `socket:[INODE]`.
pub fn socket_inode(target: &str) -> Option<u64> {
    target
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// Runs of digits become `#`, so that `/tmp/log.17` and `/tmp/log.18` are counted together.
pub fn fold_target(target: &str) -> String {
    let mut folded = String::with_capacity(target.len());
    for char in target.chars() {
        match char {
            '0'..='9' if folded.ends_with('#') => {}
            '0'..='9' => folded.push('#'),
            char => folded.push(char),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    const REG: u32 = libc::S_IFREG | 0o644;
    const DIR: u32 = libc::S_IFDIR | 0o755;
    const CHR: u32 = libc::S_IFCHR | 0o620;

    #[test]
    fn targets_tell_the_kind() {
        for (target, mode, expected) in [
            (
                "socket:[1779236]",
                libc::S_IFSOCK | 0o777,
                Kind::OtherSocket,
            ),
            ("pipe:[1779237]", libc::S_IFIFO | 0o600, Kind::Pipe),
            ("/run/x.fifo", libc::S_IFIFO | 0o600, Kind::Pipe),
            ("anon_inode:[eventpoll]", 0o600, Kind::Epoll),
            ("anon_inode:[eventfd]", 0o600, Kind::Eventfd),
            ("anon_inode:[timerfd]", 0o600, Kind::Timerfd),
            ("anon_inode:[signalfd]", 0o600, Kind::Signalfd),
            ("anon_inode:inotify", 0o600, Kind::Inotify),
            ("anon_inode:[fanotify]", 0o600, Kind::Fanotify),
            ("anon_inode:[pidfd]", 0o600, Kind::Pidfd),
            ("pidfd:[4711]", 0o600, Kind::Pidfd),
            ("anon_inode:[userfaultfd]", 0o600, Kind::Userfaultfd),
            ("anon_inode:[io_uring]", 0o600, Kind::IoUring),
            ("anon_inode:[perf_event]", 0o600, Kind::Perf),
            ("anon_inode:bpf-map", 0o600, Kind::Bpf),
            ("anon_inode:bpf_link", 0o600, Kind::Bpf),
            ("anon_inode:btf", 0o600, Kind::Bpf),
            ("anon_inode:seccomp notify", 0o600, Kind::Other),
            ("anon_inode:[landlock-ruleset]", 0o600, Kind::Other),
            ("anon_inode:kvm-vm", 0o600, Kind::Other),
            ("anon_inode:", 0o600, Kind::Other),
            ("/memfd:cache (deleted)", libc::S_IFREG | 0o777, Kind::Memfd),
            ("/secretmem (deleted)", libc::S_IFREG, Kind::Memfd),
            ("/memfd:file in the root directory", REG, Kind::File),
            ("net:[4026531840]", libc::S_IFREG | 0o444, Kind::Other),
            ("/etc/hosts", REG, Kind::File),
            ("/tmp/#123 (deleted)", REG, Kind::File),
            ("/tmp/socket:[1]", REG, Kind::File),
            ("(path too long)", REG, Kind::File),
            ("/tmp", DIR, Kind::Dir),
            ("/dev/null", CHR, Kind::Device),
            ("/dev/pts/0", CHR, Kind::Pty),
            ("/dev/ptmx", CHR, Kind::Pty),
            ("/dev/pts/ptmx", CHR, Kind::Pty),
            ("/dev/tty1", CHR, Kind::Pty),
            ("/dev/tty", REG, Kind::File),
            ("/dev/vda", libc::S_IFBLK, Kind::Device),
            ("/run/docker.sock", libc::S_IFSOCK, Kind::Other),
            ("/stale/mount", 0, Kind::Other),
            ("", 0, Kind::Other),
        ] {
            assert_eq!(kind_of_target(target, mode), expected, "{target}");
        }
    }

    #[test]
    fn digits_are_folded() {
        for (target, expected) in [
            ("socket:[1779236]", "socket:[#]"),
            ("/tmp/log.17", "/tmp/log.#"),
            ("/proc/12/task/13/stat", "/proc/#/task/#/stat"),
            ("/etc/hosts", "/etc/hosts"),
            ("/\u{fffd}4\u{661}", "/\u{fffd}#\u{661}"),
            ("", ""),
        ] {
            assert_eq!(fold_target(target), expected);
        }
    }

    #[test]
    fn only_sockets_have_a_socket_inode() {
        for (target, expected) in [
            ("socket:[7]", Some(7)),
            ("socket:[18446744073709551616]", None),
            ("socket:[]", None),
            ("socket:[7", None),
            ("pipe:[7]", None),
            ("/tmp/socket:[7]", None),
        ] {
            assert_eq!(socket_inode(target), expected, "{target}");
        }
    }
}
