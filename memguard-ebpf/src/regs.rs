//! The user's registers as they were saved at the entry of a system call: its arguments, and where
//! it came from; one block per architecture.
//!
//! `bpf_task_pt_regs` gives them as a BTF pointer, so that each is a plain load of a few
//! nanoseconds where a stash at entry costs 158. Slots are eight bytes each, in the order of the
//! kernel's `struct pt_regs`:
//! <https://github.com/torvalds/linux/blob/v6.18/arch/x86/include/asm/ptrace.h#L103>

use aya_ebpf::helpers::bpf_task_pt_regs;

use crate::{kernel::Task, memory::read_volatile};

/// Registers of the current task as it entered the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Arguments(*const u64);

/// The registers that unwinding begins with.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// Instruction pointer: behind the instruction that entered the kernel.
    pub(crate) ip: u64,
    /// Frame pointer, or whatever the program keeps in that register.
    pub(crate) bp: u64,
    /// Stack pointer.
    pub(crate) sp: u64,
}

impl Origin {
    /// For who copies no stack.
    pub(crate) const NONE: Self = Self {
        ip: 0,
        bp: 0,
        sp: 0,
    };
}

#[cfg(any(bpf_target_arch = "x86_64", not(target_arch = "bpf")))]
mod slot {
    pub(super) const BP: usize = 4;
    pub(super) const R10: usize = 7;
    pub(super) const R8: usize = 9;
    pub(super) const DX: usize = 12;
    pub(super) const SI: usize = 13;
    pub(super) const DI: usize = 14;
    pub(super) const IP: usize = 16;
    pub(super) const SP: usize = 19;
}

impl Arguments {
    /// Of the call that returns now.
    #[inline(always)]
    pub(crate) fn of(task: Task) -> Self {
        // SAFETY: the task comes from `bpf_get_current_task_btf`.
        let regs = unsafe { bpf_task_pt_regs(task.pointer().cast_mut().cast()) };
        Self(regs as *const u64)
    }

    #[inline(always)]
    fn slot(self, index: usize) -> u64 {
        read_volatile(self.0.wrapping_add(index))
    }

    /// Where the call came from.
    #[inline(always)]
    pub(crate) fn origin(self) -> Origin {
        Origin {
            ip: self.slot(slot::IP),
            bp: self.slot(slot::BP),
            sp: self.slot(slot::SP),
        }
    }

    /// First argument.
    #[inline(always)]
    pub(crate) fn first(self) -> u64 {
        self.slot(slot::DI)
    }

    /// Second argument.
    #[inline(always)]
    pub(crate) fn second(self) -> u64 {
        self.slot(slot::SI)
    }

    /// Third argument.
    #[inline(always)]
    pub(crate) fn third(self) -> u64 {
        self.slot(slot::DX)
    }

    /// Fourth argument.
    #[inline(always)]
    pub(crate) fn fourth(self) -> u64 {
        self.slot(slot::R10)
    }

    /// Fifth argument.
    #[inline(always)]
    pub(crate) fn fifth(self) -> u64 {
        self.slot(slot::R8)
    }
}
