//! The real `/proc`: what is read there is what this process made.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    process::{Child, Command, Stdio, id},
    time::{Duration, Instant},
};

use rustix::{event, fs as rfs};

use super::{
    testing::{look, number, real},
    *,
};
use crate::model::{ids::Stamp, resource::Kind};

/// A `cat` that waits for input, killed at the end.
pub(super) struct Cat(pub(super) Child);

impl Cat {
    /// It has answered, so its loader has opened and closed what it needs.
    pub(super) fn start() -> Self {
        let mut command = Command::new("cat");
        let command = command
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut cat = Self(command.spawn().unwrap());
        cat.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        cat.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        cat
    }

    /// With those that the tests were started with.
    fn descriptors(&self) -> Vec<u32> {
        let directory = fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap();
        let names = directory.map(|entry| entry.unwrap().file_name());
        let mut numbers: Vec<_> = names
            .map(|name| name.to_str().unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn descriptors_are_counted_by_kernels_that_do() {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    assert_eq!(real().counts_descriptors(), version >= (6, 2), "{release}");
}

#[test]
fn a_count_is_the_length_of_the_list() {
    let cat = Cat::start();
    let (procfs, tgid, expected) = (real(), cat.0.id(), cat.descriptors());
    assert_eq!(
        procfs.descriptor_count(tgid).unwrap(),
        expected.len() as u64
    );
    for tid in [None, Some(tgid)] {
        let (listed, more) = procfs.descriptors(tgid, tid, usize::MAX).unwrap();
        assert_eq!((&listed, more), (&expected, false));
    }
    assert_eq!(
        procfs.descriptors(tgid, None, 2).unwrap(),
        (vec![0, 1], true)
    );
}

#[test]
fn a_process_is_who_it_is() {
    let cat = Cat::start();
    let procfs = real();
    let tgid = cat.0.id();
    let info = procfs.info(tgid).unwrap();
    assert_eq!(info.id, procfs.identity(tgid).unwrap());
    assert_eq!(info.parent, Some(id()));
    assert_eq!(info.name.as_deref(), Some("cat"));
    assert_eq!(info.command_line.as_deref(), Some("cat -"));
    assert!(info.executable.is_some() && info.cgroup.is_some());
    assert_eq!(info.uid, Some(fs::metadata("/proc/self").unwrap().uid()));
    assert!(procfs.exists(tgid) && procfs.exists(id()) && !procfs.exists(u32::MAX));
    assert!(procfs.processes().unwrap().contains(&tgid));
    assert!(procfs.with_descendants(&[id()]).unwrap().contains(&tgid));
}

#[test]
fn a_thread_belongs_to_its_process() {
    let thread = std::thread::spawn(|| {
        let tid = rustix::thread::gettid().as_raw_pid().cast_unsigned();
        (real().exists(tid), real().thread_group(tid).unwrap())
    });
    assert_eq!(thread.join().unwrap(), (false, id()));
}

#[test]
fn an_ended_process_is_a_zombie_and_then_gone() {
    let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let (procfs, tgid) = (real(), child.id());
    let deadline = Instant::now() + Duration::from_secs(10);
    while procfs.descriptor_count(tgid).is_ok() {
        assert!(Instant::now() < deadline, "true does not end");
    }
    assert!(procfs.descriptor_count(tgid).unwrap_err().is_gone());
    assert_eq!(procfs.live_thread(tgid, tgid).unwrap(), None);
    assert_eq!(procfs.rss_bytes(tgid), None);
    assert!(procfs.exists(tgid));
    child.wait().unwrap();
    assert!(procfs.identity(tgid).unwrap_err().is_gone());
    assert!(procfs.descriptors(tgid, None, 9).unwrap_err().is_gone());
    assert!(!procfs.exists(tgid));
}

#[test]
fn a_file_is_seen_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("two\nlines (deleted)");
    let file = File::create(&path).unwrap();
    let seen = look(&file);
    let expected = file.metadata().unwrap();
    assert_eq!(
        (seen.dev, seen.ino, seen.mode),
        (expected.dev(), expected.ino(), expected.mode())
    );
    assert_eq!(
        (Path::new(&seen.target), seen.kind()),
        (path.as_path(), Kind::File)
    );
    assert_eq!(real().look(id(), id(), 1_000_000).unwrap(), None);
    assert!(
        real()
            .look(id(), u32::MAX, number(&file))
            .unwrap_err()
            .is_gone()
    );
}

#[test]
fn a_path_longer_than_a_page_is_still_a_file() {
    let root = tempfile::tempdir().unwrap();
    let mut at = File::open(root.path()).unwrap();
    let name = "x".repeat(250);
    for _ in 0..20 {
        rfs::mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty())
            .unwrap()
            .into();
    }
    let seen = look(&at);
    assert_eq!(
        (seen.target.as_bytes(), seen.kind()),
        (LONG_LINK, Kind::Dir)
    );
}

#[test]
fn kinds_are_those_of_the_kernel() {
    let (read, write) = io::pipe().unwrap();
    let epoll = event::epoll::create(event::epoll::CreateFlags::CLOEXEC).unwrap();
    let eventfd = event::eventfd(0, event::EventfdFlags::CLOEXEC).unwrap();
    let memfd = rfs::memfd_create("a (b", rfs::MemfdFlags::CLOEXEC).unwrap();
    let inotify = rfs::inotify::init(rfs::inotify::CreateFlags::CLOEXEC).unwrap();
    let path = File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open("/dev/null")
        .unwrap();
    let namespace = File::open("/proc/self/ns/net").unwrap();
    let directory = File::open("/proc/self/ns").unwrap();
    for (seen, expected) in [
        (look(&read), Kind::Pipe),
        (look(&write), Kind::Pipe),
        (look(&epoll), Kind::Epoll),
        (look(&eventfd), Kind::Eventfd),
        (look(&memfd), Kind::Memfd),
        (look(&inotify), Kind::Inotify),
        (look(&path), Kind::Device),
        (look(&namespace), Kind::Other),
        (look(&directory), Kind::Dir),
    ] {
        assert_eq!(seen.kind(), expected, "{}", seen.target);
    }
}

#[test]
fn memory_and_limits_are_plausible() {
    let procfs = real();
    let rss = procfs.rss_bytes(id()).unwrap();
    let anonymous = procfs.anonymous_rss_bytes(id()).unwrap();
    assert!(
        anonymous > 0 && anonymous < rss + (1 << 20),
        "{anonymous} of {rss}"
    );
    let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    assert_eq!(procfs.nofile_limit(id()), soft);
}

#[test]
fn the_census_of_a_process_is_what_it_holds() {
    let cat = Cat::start();
    let expected = cat.descriptors().len() as u64;
    let census = census(&real(), cat.0.id(), |fd| fd == 0, Stamp(1), 100).unwrap();
    assert_eq!(
        (census.open, census.preexisting, census.partial),
        (expected, 1, false)
    );
    let counts = census.rows.iter().map(|row| row.count);
    assert_eq!(counts.sum::<u64>(), expected);
    let pipes = census
        .rows
        .iter()
        .find(|row| row.kind == Kind::Pipe)
        .unwrap();
    assert!(
        pipes.count >= 2 && pipes.targets[0].0 == "pipe:[#]",
        "{pipes:?}"
    );
    assert!(census.rss_bytes.is_some() && census.limit.is_some());
}
