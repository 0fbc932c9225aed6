//! The kernel side as the agent sees it: loads the programs, attaches them, reads and steers them.
//!
//! [`features`] are facts, [`plan`] decides, this module does. It is the only one that knows aya.

mod cast;
#[cfg(feature = "debug-log")]
mod debug_log;
pub mod faults;
pub mod features;
mod holder;
mod info;
mod load;
mod mapping;
mod nursery;
mod own;
pub mod perf;
pub mod plan;
mod ring;
pub mod sideband;
pub mod tracefs;

use std::{
    fs,
    io::{self, BufRead as _},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, RawFd},
    sync::atomic::Ordering,
};

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::{HashMap as BpfHashMap, Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::ProgramError,
};
use memguard_common::{
    event::{POOL_ELEMENT, WINDOW_SHIFT},
    nursery::{SETS, WAYS},
    settings::{CgroupFilter, FILTERS, Layout, Scope, Settings},
    stats::Stat,
};
use thiserror::Error;

use self::{
    mapping::Mapping,
    plan::{Plan, Probe},
};
pub use self::{
    nursery::{Nursery, RECORD, Windows},
    own::OwnTime,
    ring::Ring,
};
use crate::model::ids::Stamp;

/// The programs, compiled; `cargo xtask build-ebpf` makes them, `build.rs` checks that they are
/// current.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../bpf/memguard.bpf.o");

const COUNTERS: usize = Stat::COUNT as usize;

/// Why the programs do not run.
#[derive(Debug, Error)]
pub enum KernelError {
    /// The object was refused: permission, verifier, or a kernel that is too old.
    #[error("the kernel refused memguard's BPF object")]
    Load(#[source] Box<aya::EbpfError>),
    /// One program was refused.
    #[error("the kernel refused the program {program}")]
    Program {
        /// Which.
        program: &'static str,
        /// Why, with the verifier's words.
        #[source]
        source: Box<ProgramError>,
    },
    /// One program could not be attached.
    #[error("cannot attach {program} to the tracepoint {tracepoint}")]
    Attach {
        /// Which.
        program: &'static str,
        /// Where to.
        tracepoint: String,
        /// Why.
        #[source]
        source: Box<ProgramError>,
    },
    /// A map is missing or of another kind than the agent expects: object and agent do not match.
    #[error("map {0} is not what it should be")]
    Map(&'static str),
    /// A map could not be read or written.
    #[error("cannot use the map {0}")]
    MapAccess(&'static str, #[source] Box<MapError>),
    /// Mapping or polling failed.
    #[error("cannot map or poll {0}")]
    Io(&'static str, #[source] io::Error),
}

/// How large the kernel side is. Both are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Sets of eight slots in the nursery.
    pub nursery_sets: u32,
    /// Bytes of the ring.
    pub ring_bytes: u32,
    /// Bytes of a slot in the pool of windows.
    pub window_bytes: u32,
    /// Thread groups can have numbers below this.
    pub pid_max: u32,
}

impl Sizes {
    /// The usual ones. The memory for windows is the same whatever their size, a power of two, and
    /// the number of slots follows; windows without a stack need less.
    pub fn of_windows(window_bytes: u32) -> Self {
        let sets = SETS * (1 << WINDOW_SHIFT) / window_bytes;
        Self {
            nursery_sets: sets.min(SETS),
            ring_bytes: 4 << 20,
            window_bytes,
            pid_max: pid_max(),
        }
    }

    /// Where acquisitions begin to be dropped: the last quarter of the ring is for releases and
    /// deaths.
    fn watermark(self) -> u32 {
        self.ring_bytes / 4 * 3
    }

    fn slots(self) -> u32 {
        self.nursery_sets.saturating_mul(WAYS)
    }

    /// Words of the set of watched thread groups.
    fn watched(self) -> u32 {
        self.pid_max.div_ceil(u64::BITS)
    }

    /// Bytes of the pool of windows.
    fn pool(self) -> usize {
        let bytes = self.slots() as usize * self.window_bytes as usize;
        bytes.next_multiple_of(POOL_ELEMENT)
    }
}

/// Which tasks to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Those that [`Kernel::watch`] names, their descendants, and what is called like this on exec.
    #[default]
    Pids,
    /// Those in these cgroups v2, given by id and level, and below.
    Cgroups(Vec<(u64, u32)>),
    /// All.
    All,
}

/// [`Layout`] as aya takes it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct LayoutBytes(Layout);

// SAFETY: 32-bit integers without padding, asserted in `memguard_common::settings`.
unsafe impl aya::Pod for LayoutBytes {}

/// Programs, maps and links.
pub struct Kernel {
    ebpf: Ebpf,
    settings: Mapping,
    current: Settings,
    counters: PerCpuArray<MapData, [u64; COUNTERS]>,
    /// A bit for each thread group.
    watched: Mapping,
    losses: BpfHashMap<MapData, u32, u64>,
    /// The young generation.
    pub nursery: Nursery,
    ring: Option<RingBuf<MapData>>,
    attached: Vec<Probe>,
    bytes: u64,
    ring_bytes: u32,
    #[cfg(feature = "debug-log")]
    lines: Option<debug_log::Lines>,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Kernel")
            .field("attached", &self.attached)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// Loads the maps and the programs of the plan; nothing is attached yet, and nothing is
    /// watched.
    pub fn load(layout: Layout, plan: &Plan, sizes: Sizes) -> Result<Self, KernelError> {
        // Writing the log takes longer than verifying; it is wanted only of what is refused. A
        // kernel that knows the cast may refuse it none the less, where it does not compile
        // programs: the second attempt goes without.
        match Self::load_with(layout, plan, sizes, VerifierLogLevel::DISABLE) {
            Err(KernelError::Program { .. }) => {
                let plain = cast::without(layout);
                Self::load_with(plain, plan, sizes, VerifierLogLevel::VERBOSE)
            }
            other => other,
        }
    }

    fn load_with(
        layout: Layout,
        plan: &Plan,
        sizes: Sizes,
        log: VerifierLogLevel,
    ) -> Result<Self, KernelError> {
        let object = cast::resolved(object(), layout.rdonly_cast);
        let layout = LayoutBytes(layout);
        let numbers = plan::call_numbers();
        let shift = sizes.window_bytes.trailing_zeros();
        let elements = (sizes.pool() / POOL_ELEMENT) as u32;
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .verifier_log_level(log)
            .override_global("LAYOUT", &layout, true)
            .override_global("CALL_NUMBERS", &numbers, true)
            .override_global("NURSERY_SETS", &sizes.nursery_sets, true)
            .map_max_entries("WORDS", sizes.nursery_sets)
            .override_global("WINDOW_SHIFT", &shift, true)
            .map_max_entries("RECORDS", sizes.slots())
            .map_max_entries("WINDOWS", elements)
            .map_max_entries("RING", sizes.ring_bytes)
            .map_max_entries("WATCHED", sizes.watched())
            .load(&object)
            .map_err(|error| KernelError::Load(Box::new(error)))?;
        load::programs(&mut ebpf, &plan.programs())?;
        Self::assemble(ebpf, sizes)
    }

    fn assemble(mut ebpf: Ebpf, sizes: Sizes) -> Result<Self, KernelError> {
        let bytes = memory(&ebpf);
        #[cfg(feature = "debug-log")]
        let lines = debug_log::Lines::of(&mut ebpf);
        let slots = sizes.slots() as usize;
        let words = map_array(&ebpf, "WORDS", slots * size_of::<u64>())?;
        let records = map_array(&ebpf, "RECORDS", slots * RECORD)?;
        let windows = map_array(&ebpf, "WINDOWS", sizes.pool())?;
        let windows = Windows::new(windows, sizes.window_bytes);
        let mut kernel = Self {
            settings: map_array(&ebpf, "SETTINGS", size_of::<Settings>())?,
            current: Settings::default(),
            counters: take(&mut ebpf, "STATS")?,
            watched: map_array(
                &ebpf,
                "WATCHED",
                sizes.watched() as usize * size_of::<u64>(),
            )?,
            losses: take(&mut ebpf, "LOSSES")?,
            nursery: Nursery::new(words, records, windows, sizes.nursery_sets),
            ring: Some(take(&mut ebpf, "RING")?),
            attached: Vec::new(),
            ebpf,
            bytes,
            ring_bytes: sizes.ring_bytes,
            #[cfg(feature = "debug-log")]
            lines,
        };
        kernel.current.agent = std::process::id();
        kernel.current.ring_watermark = sizes.watermark();
        kernel.current.window_watermark = sizes.ring_bytes / 2;
        kernel.settings.store(&kernel.current);
        Ok(kernel)
    }

    /// Attaches what the plan says. Returns the stamp from before the first.
    pub fn attach(&mut self, plan: &Plan) -> Result<Stamp, KernelError> {
        let before = now();
        for probe in &plan.probes {
            let program = load::program(&mut self.ebpf, probe.program)?;
            program
                .attach(probe.category, probe.name)
                .map_err(|source| KernelError::Attach {
                    program: probe.program,
                    tracepoint: probe.tracepoint(),
                    source: Box::new(source),
                })?;
            self.attached.push(*probe);
        }
        Ok(before)
    }

    /// Says which tasks to watch; from now on they are.
    pub fn target(&mut self, target: &Target, comms: &[String]) {
        self.current.scope = match target {
            Target::Pids => Scope::Pids,
            Target::Cgroups(_) => Scope::Cgroups,
            Target::All => Scope::All,
        } as u32;
        if let Target::Cgroups(cgroups) = target {
            for (place, (id, level)) in self.current.cgroups.iter_mut().zip(cgroups) {
                *place = CgroupFilter {
                    id: *id,
                    level: *level,
                    pad: 0,
                };
            }
            self.current.cgroup_count = cgroups.len().min(FILTERS) as u32;
        }
        for (place, comm) in self.current.comms.iter_mut().zip(comms) {
            for (to, from) in place.iter_mut().take(15).zip(comm.bytes()) {
                *to = from;
            }
        }
        self.current.comm_count = comms.len().min(FILTERS) as u32;
        self.settings.store(&self.current);
    }

    /// Watches a process and what it will fork.
    pub fn watch(&mut self, tgid: u32) -> Result<(), KernelError> {
        let word = self.watched.words().get((tgid / u64::BITS) as usize);
        let word = word.ok_or(KernelError::Map("WATCHED"))?;
        word.fetch_or(1 << (tgid % u64::BITS), Ordering::Relaxed);
        Ok(())
    }

    /// The consumer's end of the ring; once.
    pub fn ring(&mut self) -> Result<Ring, KernelError> {
        let ring = self.ring.take().ok_or(KernelError::Map("RING"))?;
        Ring::new(ring).map_err(|error| KernelError::Io("RING", error))
    }

    /// Every counter of the programs, summed over the CPUs, in the order of [`Stat::ALL`]; and how
    /// often the kernel skipped a program because another one was running on the CPU.
    pub fn counters(&self) -> Result<Counters, KernelError> {
        Ok(Counters {
            values: self.values()?,
            skipped: self.sum(info::RECURSION_MISSES),
        })
    }

    fn values(&self) -> Result<[u64; COUNTERS], KernelError> {
        let per_cpu = self.counters.get(&0, 0);
        let per_cpu = per_cpu.map_err(|error| KernelError::MapAccess("STATS", Box::new(error)))?;
        let mut values = [0_u64; COUNTERS];
        for cpu in per_cpu.iter() {
            for (sum, value) in values.iter_mut().zip(cpu) {
                *sum = sum.saturating_add(*value);
            }
        }
        Ok(values)
    }

    /// A number that the kernel keeps of each program, of all together.
    fn sum(&self, word: usize) -> u64 {
        let programs = self.ebpf.programs();
        let programs = programs.filter_map(|(_, program)| program.fd().ok());
        programs
            .filter_map(|fd| info::word(fd.as_fd(), word).ok())
            .sum()
    }

    /// Events lost so far, by thread group.
    pub fn losses(&self) -> Vec<(u32, u64)> {
        self.losses.iter().filter_map(Result::ok).collect()
    }

    /// After how many full budgets of [`Ring::drain`] everything has been taken that can have been
    /// in the ring at first.
    pub fn ring_budgets(&self) -> usize {
        self.ring_bytes as usize / ring::BUDGET / ring::SMALLEST + 1
    }

    /// Shows what the programs have logged; with the feature `debug-log` only.
    #[cfg(feature = "debug-log")]
    pub fn show_log(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.flush();
        }
    }

    /// What is attached.
    pub fn attached(&self) -> &[Probe] {
        &self.attached
    }

    /// Memory that maps and programs take in the kernel, as the kernel accounts it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes every program return at once.
    pub fn stop(&mut self) {
        self.current.stopped = 1;
        if let Some(stopped) = self.settings.halves().first() {
            stopped.store(1, Ordering::Relaxed);
        }
    }

    /// Leaves the detaching, which takes about 80 ms a tracepoint, to a process of its own, so that
    /// memguard can end at once. To be followed by the end of the process. `close` are descriptors
    /// that somebody may wait on, beside the standard ones.
    pub fn leave(mut self, close: &[RawFd]) {
        self.stop();
        if holder::hold(close).is_err() {
            // Then the end of this process detaches, and takes its time.
        }
        // The links must not be closed here, before the holder has outlived us.
        std::mem::forget(self);
    }
}

/// What the programs counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    values: [u64; COUNTERS],
    /// Runs that the kernel skipped.
    pub skipped: u64,
}

impl Counters {
    /// One counter.
    pub fn get(&self, stat: Stat) -> u64 {
        self.values.get(stat as usize).copied().unwrap_or(0)
    }
}

/// `CLOCK_MONOTONIC` now, the clock of the stamps.
pub fn now() -> Stamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Stamp(
        (time.tv_sec as u64)
            .saturating_mul(1_000_000_000)
            .saturating_add(time.tv_nsec as u64),
    )
}

/// The programs to load.
#[cfg(not(feature = "debug-log"))]
fn object() -> &'static [u8] {
    OBJECT
}

/// The programs to load: those that log, where the environment names them.
#[cfg(feature = "debug-log")]
fn object() -> Vec<u8> {
    debug_log::object().unwrap_or_else(|| OBJECT.to_vec())
}

/// One more than the largest process id; where it cannot be read, than the largest of all:
/// `PID_MAX_LIMIT`.
fn pid_max() -> u32 {
    const LIMIT: u32 = 4 << 20;
    let text = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    text.trim().parse().unwrap_or(LIMIT).min(LIMIT)
}

fn take<T: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError> {
    let map = ebpf.take_map(name).ok_or(KernelError::Map(name))?;
    T::try_from(map).ok().ok_or(KernelError::Map(name))
}

fn map_array(ebpf: &Ebpf, name: &'static str, bytes: usize) -> Result<Mapping, KernelError> {
    let Some(Map::Array(map)) = ebpf.map(name) else {
        return Err(KernelError::Map(name));
    };
    Mapping::new(map.fd().as_fd(), bytes).map_err(|error| KernelError::Io(name, error))
}

fn memory(ebpf: &Ebpf) -> u64 {
    let maps = ebpf.maps().filter_map(|(_, map)| match map {
        Map::Array(map)
        | Map::PerCpuArray(map)
        | Map::HashMap(map)
        | Map::LruHashMap(map)
        | Map::RingBuf(map) => fdinfo(map.fd().as_fd(), "memlock:"),
        _ => None,
    });
    let programs = ebpf.programs().filter_map(|(_, program)| program.fd().ok());
    let programs = programs.filter_map(|fd| fdinfo(fd.as_fd(), "memlock:"));
    maps.sum::<u64>() + programs.sum::<u64>()
}

/// A number from `/proc/self/fdinfo`.
fn fdinfo(fd: BorrowedFd<'_>, key: &str) -> Option<u64> {
    let file = fs::File::open(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    let lines = io::BufReader::new(file).lines().map_while(Result::ok);
    let value = lines
        .into_iter()
        .find_map(|line| line.strip_prefix(key).map(str::to_owned))?;
    value.trim().parse().ok()
}
