//! memguard's BPF programs: watch what acquires and what releases, pair the young, send the rest.
//!
//! | program | tracepoint | does |
//! |---|---|---|
//! | `acquire` | exit of calls that return a descriptor | puts it into the nursery |
//! | `create` | exit of `open` and its like | tells the agent of a file made in memory |
//! | `key` | exit of `add_key` | tells the agent of a key |
//! | `acquire_pair` | exit of `pipe`, `pipe2`, `socketpair` | likewise, two |
//! | `acquire_one` | exit of `clone`, `clone3`, `getsockopt` | tells the agent of a pidfd |
//! | `acquire_message` | exit of `recvmsg`, `recvmmsg` | tells the agent of descriptors received |
//! | `release_close` | entry of `close` | pairs it, or tells the agent |
//! | `release_range` | exit of `close_range` | tells the agent what is left |
//! | `uring_submit`, `uring_complete` | `io_uring:*` | tells the agent of both kinds |
//! | `map` | exit of `mmap`, `mremap`, `brk` | puts the range into the nursery |
//! | `unmap` | entry of `munmap` | pairs it, or tells the agent |
//! | `heap_moves` | entry of `brk` | likewise where it shrinks |
//! | `remap_begins` | entry of `mremap` | remembers when |
//! | `attach`, `detach` | exit of `shmat`, entry of `shmdt` | tells the agent |
//! | `segment` | exit of `shmget` | tells the agent how large it is |
//! | `process_fork` | `task:task_newtask` | follows children |
//! | `process_exec` | `sched:sched_process_exec` | tells the agent, with the table's bitmap |
//! | `process_exit` | `sched:sched_process_exit` | likewise |
//!
//! Classic tracepoints, because they are the cheapest for everybody else on the host: about 10 ns
//! per direction for an untraced call, where raw tracepoints on `sys_enter` and `sys_exit` take 65
//! to 86 ns (`docs/journal/`). Acquisitions are taken at the exit of the call, when the kernel has
//! said yes, with arguments from the saved registers. `close` is taken at entry: its number is free
//! for other threads before the exit fires.

#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(
        internal_features,
        reason = "core's atomics have no compare-exchange on this target"
    )
)]
#![deny(clippy::large_stack_frames, clippy::float_arithmetic)]

mod emit;
mod filter;
mod kernel;
mod maps;
mod memory;
mod nursery;
mod probes;
mod regs;
mod wide;
mod window;

/// The helpers that memguard calls are open to GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: a panic left in a program makes the verifier refuse it.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
