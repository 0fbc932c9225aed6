//! What the programs have counted and what they have lost.

use std::os::fd::AsFd as _;

use aya::maps::MapError;
use memguard_common::stats::{ProcessLosses, Stat};

use super::{Kernel, KernelError, info};
use crate::model::ids::ProcessId;

/// How many counters there are.
pub(super) const NUMBER: usize = Stat::COUNT as usize;

/// What the programs counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    values: [u64; NUMBER],
    /// Runs that the kernel skipped.
    pub skipped: u64,
}

impl Counters {
    /// One counter.
    pub fn get(&self, stat: Stat) -> u64 {
        self.values.get(stat as usize).copied().unwrap_or(0)
    }
}

impl Kernel {
    /// Every counter of the programs, summed over the CPUs, in the order of [`Stat::ALL`]; and how
    /// often the kernel skipped a program because another one was running on the CPU. An error is
    /// no absence of losses: what they are is not known then.
    pub fn counters(&self) -> Result<Counters, KernelError> {
        Ok(Counters {
            values: self.values()?,
            skipped: self.sum(info::RECURSION_MISSES)?,
        })
    }

    pub(super) fn values(&self) -> Result<[u64; NUMBER], KernelError> {
        let per_cpu = self.counters.get(&0, 0);
        let per_cpu = per_cpu.map_err(|error| KernelError::MapAccess("STATS", Box::new(error)))?;
        let mut values = [0_u64; NUMBER];
        for cpu in per_cpu.iter() {
            for (sum, value) in values.iter_mut().zip(cpu) {
                *sum = sum.saturating_add(*value);
            }
        }
        Ok(values)
    }

    /// A number that the kernel keeps of each program, of all that are loaded together.
    pub(super) fn sum(&self, word: usize) -> Result<u64, KernelError> {
        let programs = self.ebpf.programs();
        // An error says that it is not loaded, as the plan has no use for it.
        let loaded = programs.filter_map(|(_, program)| program.fd().ok());
        let number = |fd: &aya::programs::ProgramFd| info::word(fd.as_fd(), word);
        loaded
            .map(number)
            .sum::<Result<_, _>>()
            .map_err(KernelError::ProgramInfo)
    }

    /// Events lost so far, by process. An entry stays until [`Self::forget_losses`], also that of a
    /// process that has ended: its results are still to be judged. One whose number has gone to
    /// another process is replaced once that one loses something.
    pub fn losses(&self) -> Result<Vec<(ProcessId, u64)>, KernelError> {
        let entries = self.losses.iter();
        let entries = entries.map(|entry| entry.map(|(tgid, value)| lost(tgid, value)));
        entries.collect::<Result<_, _>>().map_err(losses_error)
    }

    /// The process was judged for the last time, or is none that is known and does not run: its
    /// place in the table is another's. What a later process of the same number has lost stays.
    pub fn forget_losses(&mut self, process: ProcessId) -> Result<(), KernelError> {
        match self.losses.get(&process.tgid, 0) {
            Ok(value) if lost(process.tgid, value).0 == process => {
                self.losses.remove(&process.tgid).map_err(losses_error)
            }
            Ok(_) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(losses_error(error)),
        }
    }
}

/// An entry of the loss table: a [`ProcessLosses`] in words.
fn lost(tgid: u32, [start, count]: [u64; 2]) -> (ProcessId, u64) {
    const { assert!(size_of::<ProcessLosses>() == size_of::<[u64; 2]>()) };
    (ProcessId::from_boottime(tgid, start), count)
}

fn losses_error(error: MapError) -> KernelError {
    KernelError::MapAccess("LOSSES", Box::new(error))
}
