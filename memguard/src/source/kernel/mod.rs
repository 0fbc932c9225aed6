//! The kernel side as the agent sees it: loads the programs, attaches them, reads and steers them.
//!
//! [`features`] are facts, [`plan`] decides, this module does. It is the only one that knows aya.

mod cast;
mod counters;
#[cfg(feature = "debug-log")]
mod debug_log;
mod error;
pub mod faults;
pub mod features;
mod holder;
mod info;
mod load;
mod mapping;
mod maps;
mod nursery;
mod own;
pub mod perf;
pub mod plan;
mod ring;
mod settings;
pub mod sideband;
mod sizes;
mod target;
#[cfg(test)]
mod tests;
pub mod tracefs;
mod wide;

use std::time::Duration;

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::{HashMap as BpfHashMap, MapData, PerCpuArray, RingBuf},
};
use memguard_common::{
    event::POOL_ELEMENT,
    settings::{Layout, Settings},
    wide::WIDE_SITES,
};

pub use self::{
    counters::Counters,
    error::KernelError,
    nursery::{Nursery, NurseryReader, RECORD, Taken, Windows},
    own::OwnTime,
    ring::Ring,
    sizes::Sizes,
    target::Target,
    wide::WideSites,
};
use self::{
    mapping::Mapping,
    maps::{map_array, take},
    plan::{Plan, Probe},
    settings::SettingsWriter,
};
use crate::model::ids::Stamp;

/// The programs, compiled; `cargo xtask build-ebpf` makes them, `build.rs` checks that they are
/// current.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../bpf/memguard.bpf.o");

/// [`Layout`] as aya takes it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct LayoutBytes(Layout);

// SAFETY: 32-bit integers without padding, asserted in `memguard_common::settings`.
unsafe impl aya::Pod for LayoutBytes {}

/// Programs, maps and links.
pub struct Kernel {
    ebpf: Ebpf,
    settings: SettingsWriter,
    counters: PerCpuArray<MapData, [u64; counters::NUMBER]>,
    /// A bit for each thread group.
    watched: Mapping,
    losses: BpfHashMap<MapData, u32, [u64; 2]>,
    /// The young generation.
    pub nursery: Nursery,
    /// Where wide windows are copied.
    pub wide: WideSites,
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
        let bytes = maps::memory(&ebpf);
        #[cfg(feature = "debug-log")]
        let lines = debug_log::Lines::of(&mut ebpf);
        let slots = sizes.slots() as usize;
        let words = map_array(&ebpf, "WORDS", slots * size_of::<u64>())?;
        let records = map_array(&ebpf, "RECORDS", slots * RECORD)?;
        let windows = map_array(&ebpf, "WINDOWS", sizes.pool())?;
        let windows = Windows::new(windows, sizes.window_bytes);
        let settings = map_array(&ebpf, "SETTINGS", size_of::<Settings>())?;
        let wide = map_array(&ebpf, "WIDE", WIDE_SITES as usize * size_of::<u64>())?;
        Ok(Self {
            settings: SettingsWriter::new(settings, sizes),
            counters: take(&mut ebpf, "STATS")?,
            watched: map_array(
                &ebpf,
                "WATCHED",
                sizes.watched() as usize * size_of::<u64>(),
            )?,
            losses: take(&mut ebpf, "LOSSES")?,
            nursery: Nursery::new(words, records, windows, sizes.nursery_sets),
            wide: WideSites::new(wide, sizes),
            ring: Some(take(&mut ebpf, "RING")?),
            attached: Vec::new(),
            ebpf,
            bytes,
            ring_bytes: sizes.ring_bytes,
            #[cfg(feature = "debug-log")]
            lines,
        })
    }

    /// Attaches what the plan says. Returns the stamp from before the first.
    pub fn attach(&mut self, plan: &Plan) -> Result<Stamp, KernelError> {
        let before = now();
        for probe in &plan.probes {
            let program = load::program(&mut self.ebpf, probe.program)?;
            program
                .attach(probe.category.name(), probe.name)
                .map_err(|source| KernelError::Attach {
                    program: probe.program.name(),
                    tracepoint: probe.tracepoint(),
                    source: Box::new(source),
                })?;
            self.attached.push(*probe);
        }
        Ok(before)
    }

    /// The consumer's end of the ring; once.
    pub fn ring(&mut self) -> Result<Ring, KernelError> {
        let ring = self.ring.take().ok_or(KernelError::Map("RING"))?;
        Ring::new(ring).map_err(|error| KernelError::Io("RING", error))
    }

    /// Allows wide windows anew.
    pub fn refill_wide(&self) {
        self.wide.refill(&self.settings);
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
        self.settings.stop();
    }

    /// Leaves the detaching, which takes about 80 ms a tracepoint, to a process of its own, so that
    /// memguard can end at once. To be followed by the end of the process, which detaches itself,
    /// and takes its time, after an error.
    pub fn leave(mut self) -> Result<(), KernelError> {
        self.stop();
        let held = holder::links().and_then(|links| holder::hold(&links));
        // The links must not be closed here, before the holder has outlived us.
        std::mem::forget(self);
        held.map(drop).map_err(KernelError::Holder)
    }
}

/// How long the host was suspended since its boot: by as much `CLOCK_BOOTTIME` is ahead.
pub fn suspended() -> Duration {
    let at = |clock| {
        let time = rustix::time::clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let boot = at(rustix::time::ClockId::Boottime);
    boot.saturating_sub(at(rustix::time::ClockId::Monotonic))
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
