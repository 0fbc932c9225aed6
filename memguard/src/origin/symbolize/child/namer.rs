//! The thread that reads symbols and debug information, with blazesym.
//!
//! A file may name others: for its debug information, for what several share. blazesym opens
//! whatever is named there, and opening some files does harm: a watchdog, a tape. So this thread
//! has a root directory of its own, `/proc/self/fd`, in which there are the open files of this
//! process and nothing else.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use rustix::thread::UnshareFlags;

use super::{super::wire::Name, binary::Binary, regular::Identity};

/// Binaries that are kept read.
const KEPT: usize = 16;

/// Bytes of the files that are kept read; what is built from one takes up to about as much again.
const KEPT_BYTES: u64 = 1 << 30;

/// Bytes of stack: blazesym follows nested entries by recursion.
const STACK: usize = 16 << 20;

/// Addresses of one file.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) file: File,
    /// The file that has its debug information, where that is another.
    pub(super) debug: Option<File>,
    /// Read debug information.
    pub(super) lines: bool,
    pub(super) addresses: Vec<u64>,
}

/// The other end of the thread.
#[derive(Debug)]
pub(super) struct Namer {
    jobs: SyncSender<Job>,
    names: Receiver<Vec<Vec<Name>>>,
}

impl Namer {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, jobs_out) = sync_channel(0);
        let (names_in, names) = sync_channel(0);
        let work = move || work(&jobs_out, &names_in);
        let builder = thread::Builder::new().name("memguard-names".to_owned());
        builder.stack_size(STACK).spawn(work).map(drop)?;
        Ok(Self { jobs, names })
    }

    /// Names for each address, innermost first. An error where the thread has died of a file.
    pub(super) fn name(&mut self, job: Job) -> io::Result<Vec<Vec<Name>>> {
        let Self { jobs, names } = self;
        jobs.send(job).map_err(io::Error::other)?;
        names.recv().map_err(io::Error::other)
    }
}

fn work(jobs: &Receiver<Job>, names: &SyncSender<Vec<Vec<Name>>>) {
    let mut recent = Recent {
        shelter: Shelter::enter(),
        binaries: Vec::new(),
    };
    while let Ok(job) = jobs.recv() {
        let addresses = job.addresses.clone();
        let found = recent.binary(job).map(|binary| {
            let name = |address: &u64| binary.names(*address);
            addresses.iter().map(name).collect()
        });
        if names.send(found.unwrap_or_default()).is_err() {
            return;
        }
    }
}

/// What this thread sees of the file system.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shelter {
    /// The files that are open.
    Open,
    /// Everything: it may not change its root. Without privileges it may not do harm either.
    Everything { root: bool },
}

impl Shelter {
    fn enter() -> Self {
        // SAFETY: the root directory of this thread alone; descriptors stay shared.
        let own = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) };
        let entered = own
            .and_then(|()| rustix::process::chroot("/proc/self/fd"))
            .and_then(|()| rustix::process::chdir("/"));
        let root = rustix::process::geteuid().is_root();
        entered.map_or(Self::Everything { root }, |()| Self::Open)
    }

    pub(super) fn path(self, file: &File) -> PathBuf {
        let folder = match self {
            Self::Open => "/",
            Self::Everything { .. } => "/proc/self/fd",
        };
        Path::new(folder).join(file.as_raw_fd().to_string())
    }

    /// Whether names that files give may be followed.
    pub(super) fn is_safe(self) -> bool {
        !matches!(self, Self::Everything { root: true })
    }
}

/// The binaries that were read last, the youngest at the end.
struct Recent {
    shelter: Shelter,
    binaries: Vec<(Key, Binary)>,
}

impl Recent {
    fn binary(&mut self, job: Job) -> io::Result<&mut Binary> {
        let key = Key::of(&job)?;
        let found = self.binaries.iter().position(|(other, _)| *other == key);
        let found = found.map(|at| self.binaries.remove(at));
        let entry = found.unwrap_or_else(|| {
            self.make_room(key.bytes());
            (key, Binary::open(job, self.shelter))
        });
        self.binaries.push(entry);
        let last = self.binaries.last_mut().map(|(_, binary)| binary);
        last.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn make_room(&mut self, bytes: u64) {
        let held =
            |binaries: &[(Key, Binary)]| binaries.iter().map(|(key, _)| key.bytes()).sum::<u64>();
        while !self.binaries.is_empty()
            && (KEPT <= self.binaries.len() || KEPT_BYTES < held(&self.binaries) + bytes)
        {
            self.binaries.remove(0);
        }
    }
}

/// Which files, as they are now, and what is read of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    file: Identity,
    debug: Option<Identity>,
    lines: bool,
}

impl Key {
    fn of(job: &Job) -> io::Result<Self> {
        let identity = |file: &File| file.metadata().map(|metadata| Identity::of(&metadata));
        Ok(Self {
            file: identity(&job.file)?,
            debug: job.debug.as_ref().map(identity).transpose()?,
            lines: job.lines,
        })
    }

    fn bytes(&self) -> u64 {
        let debug = self.debug.map_or(0, |debug| debug.bytes);
        self.file.bytes.saturating_add(debug)
    }
}
