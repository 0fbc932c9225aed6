//! A window of this very process, ten calls deep, and the threads that unwind it.

use std::{arch::asm, fs::File, hint::black_box, os::unix::fs::FileExt as _};

use memguard::{
    ledger::{AcquisitionId, HandleId},
    model::{
        ids::{ProcessId, Stamp, TableId},
        origin::Window,
    },
    origin::{Answer, ModuleSource, Origins, UnwindTarget, Work},
    source::procfs::Procfs,
};
use tokio::runtime::{Builder, Runtime};

/// What the kernel copies of a stack.
const BYTES: usize = 1952;
const DEPTH: u32 = 10;

/// The agent's end of the threads.
pub(crate) struct Stacks {
    origins: Origins,
    process: ProcessId,
    runtime: Runtime,
}

impl Stacks {
    pub(crate) fn start() -> Self {
        Self {
            origins: Origins::start(ModuleSource::asked(|_| {}), "/proc".into()).unwrap(),
            process: Procfs::new("/proc").identity(std::process::id()).unwrap(),
            runtime: Builder::new_current_thread().build().unwrap(),
        }
    }

    /// Returns when all are unwound.
    pub(crate) fn unwind(&mut self, windows: Vec<Window>) {
        for window in windows {
            let work = self.work(window);
            assert!(self.origins.unwind(work), "the queue is full");
        }
        let barrier = self.origins.barrier();
        let answered = |answer| matches!(answer, Answer::Barrier(number) if number == barrier);
        while !answered(self.runtime.block_on(self.origins.next())) {}
    }

    fn work(&self, window: Window) -> Work {
        let stamp = Stamp(5);
        Work {
            target: UnwindTarget::Acquisition(AcquisitionId::Handle(HandleId {
                table: TableId(1),
                fd: 3,
                stamp,
            })),
            process: self.process,
            stamp,
            window,
            wide: None,
        }
    }
}

/// What the kernel would copy at a system call that is made here.
pub(crate) fn window() -> Window {
    deep(DEPTH)
}

#[inline(never)]
fn deep(depth: u32) -> Window {
    black_box(if depth == 0 { here() } else { deep(depth - 1) })
}

#[inline(never)]
fn here() -> Window {
    let (ip, sp, bp): (u64, u64, u64);
    // SAFETY: getpid changes nothing but the registers that are named.
    unsafe {
        asm!(
            "syscall",
            "2: lea {ip}, [rip + 2b]",
            "mov {sp}, rsp",
            "mov {bp}, rbp",
            ip = out(reg) ip,
            sp = out(reg) sp,
            bp = out(reg) bp,
            inout("rax") libc::SYS_getpid => _,
            out("rcx") _,
            out("r11") _,
        );
    }
    let mut stack = vec![0; BYTES];
    let count = File::open("/proc/self/mem").and_then(|memory| memory.read_at(&mut stack, sp));
    stack.truncate(count.unwrap());
    Window {
        ip,
        sp,
        bp,
        cut: true,
        interrupted: false,
        stack: stack.into(),
    }
}
