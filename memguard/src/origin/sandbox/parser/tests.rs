//! What a parser can do that a file has taken over.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
};

use super::{
    super::{channel::send, confine, trap},
    *,
};

/// Tells this very program, started once more, to be the parser.
const PROBE: &str = "MEMGUARD_TEST_PROBE";

type Attempt = fn() -> io::Result<()>;

/// What is tried, and the error number that it has to end with.
const ATTEMPTS: &[(&str, Attempt, i32)] = &[
    ("open", || File::open("/etc/passwd").map(drop), libc::ENOENT),
    ("look", || fs::metadata("/").map(drop), libc::ENOENT),
    ("list", || fs::read_dir("/").map(drop), libc::ENOENT),
    ("make", || File::create("/tmp/x").map(drop), libc::ENOENT),
    (
        "open itself",
        || File::open(trap::path(0)).map(drop),
        libc::ENOENT,
    ),
    ("connect", || UnixStream::pair().map(drop), libc::EPERM),
    (
        "execute",
        || Command::new("/bin/true").spawn().map(drop),
        libc::EPERM,
    ),
    ("signal", || call(libc::SYS_kill, [1, 0, 0]), libc::EPERM),
    ("trace", || call(libc::SYS_ptrace, [0; 3]), libc::EPERM),
    ("fork", || call(libc::SYS_fork, [0; 3]), libc::EPERM),
    ("find out", || call(libc::SYS_openat2, [0; 3]), libc::EPERM),
    (
        "read memory",
        || call(libc::SYS_process_vm_readv, [0; 3]),
        libc::EPERM,
    ),
    (
        "become root",
        || call(libc::SYS_setuid, [0; 3]),
        libc::EPERM,
    ),
    ("undo", || call(libc::SYS_prctl, [0; 3]), libc::EPERM),
    (
        "write to stdout",
        || call(libc::SYS_write, [1, 0, 0]),
        libc::EPERM,
    ),
    (
        "code",
        || call(libc::SYS_mmap, [0, 4096, libc::PROT_EXEC.into()]),
        libc::EPERM,
    ),
];

fn call(number: libc::c_long, [a, b, c]: [libc::c_long; 3]) -> io::Result<()> {
    // SAFETY: calls with arguments that do nothing here even if they are allowed, but for a fork,
    // whose child then fails the test as its parent does.
    let result = unsafe { libc::syscall(number, a, b, c, 0, 0, 0) };
    (result >= 0)
        .then_some(())
        .ok_or_else(io::Error::last_os_error)
}

/// Is this test in another process, whose standard input is a socket.
#[test]
fn a_parser_that_was_taken_over_can_do_nothing() {
    if std::env::var_os(PROBE).is_some() {
        probe();
    }
    let (socket, its) = UnixStream::pair().unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let mut child = Command::new("/proc/self/exe")
        .args([name.as_str(), "--exact", "--nocapture"])
        .env(PROBE, "1")
        .stdin(OwnedFd::from(its))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    (&socket).read_to_string(&mut said).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let expected = ATTEMPTS
        .iter()
        .map(|(what, _, errno)| format!("{what}: {errno}\n"));
    let expected: String = expected.chain(["own file: 4\n".to_owned()]).collect();
    assert_eq!(said, expected);
}

/// Becomes the parser, tries everything, and tells what came of it.
fn probe() -> ! {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"text").unwrap();
    confine::give_up_everything(ALLOWED).unwrap();
    let mut said = String::new();
    for (what, attempt, _) in ATTEMPTS {
        let errno = attempt().err().and_then(|error| error.raw_os_error());
        writeln!(said, "{what}: {}", errno.unwrap_or(0)).unwrap();
    }
    // What it is given it can open, and only for so long.
    trap::make_available([Some(file.as_raw_fd()), None]);
    let own = File::open(trap::path(file.as_raw_fd())).unwrap();
    writeln!(said, "own file: {}", own.metadata().unwrap().len()).unwrap();
    send(
        io::stdin(),
        said.as_bytes(),
        &[],
        rustix::net::SendFlags::empty(),
    )
    .unwrap();
    // SAFETY: ends this process, of which nothing is needed any more.
    unsafe { libc::_exit(0) }
}
