//! Files that are made in memory: what `shm_open` and `sem_open` make outlives its descriptor, its
//! mapping and its maker. Rare, so they go straight to the agent.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{
    event::{Acquired, Head, kind},
    stats::Stat,
};

use crate::{
    emit::{count, lose},
    filter,
    kernel::{self, Table, Task},
    maps::{self, layout},
    memory::now,
    probes::{RESULT_OR_FIRST, SYSCALL_NUMBER, field},
    regs::Arguments,
    window::StackBuf,
};

/// A file that its opening has made.
#[derive(Clone, Copy)]
struct Created {
    inode: u64,
    device: u32,
}

impl Created {
    /// `None` where the file was there before, or is not at the top of a file system in memory:
    /// <https://github.com/torvalds/linux/blob/v6.18/include/linux/fs.h#L183>
    #[inline(always)]
    fn of(file: u64) -> Option<Self> {
        const FMODE_CREATED: u32 = 1 << 20;
        const TMPFS_MAGIC: u64 = 0x0102_1994;
        if kernel::field::<u32>(file, layout!(file_mode)) & FMODE_CREATED == 0 {
            return None;
        }
        let inode: u64 = kernel::field(file, layout!(file_inode));
        let filesystem: u64 = kernel::field(inode, layout!(inode_super));
        if kernel::field::<u64>(filesystem, layout!(super_magic)) != TMPFS_MAGIC {
            return None;
        }
        let directory: u64 = kernel::field(
            kernel::field(file, layout!(file_dentry)),
            layout!(dentry_parent),
        );
        let top: u64 = kernel::field(filesystem, layout!(super_root));
        (directory == top).then(|| Self {
            inode: kernel::field(inode, layout!(inode_number)),
            device: kernel::field(filesystem, layout!(super_device)),
        })
    }
}

/// At the exit of calls that open, whose descriptor `acquire` takes and counts: the file, where the
/// call has made it, as an acquisition of its own.
#[tracepoint]
fn create(context: TracePointContext) {
    let Some(task) = filter::running().and_then(filter::watched) else {
        return;
    };
    let result: i64 = field(&context, RESULT_OR_FIRST);
    if let (0.., Some(table)) = (result, task.table())
        && let Some(created) = table.file(result as u32).and_then(Created::of)
    {
        count(Stat::Seen);
        let call = maps::call(field(&context, SYSCALL_NUMBER));
        tell(task, table, call, created);
    }
}

#[inline(always)]
fn tell(task: Task, table: Table, call: u32, created: Created) {
    let Some(buffer) = StackBuf::aside() else {
        return lose(task.process(), Stat::LostAcquired);
    };
    buffer.copy(Arguments::of(task).origin());
    let record = record(task, table, call, created);
    buffer.send(&raw const record, Stat::Direct);
}

#[inline(always)]
fn record(task: Task, table: Table, call: u32, created: Created) -> Acquired {
    Acquired {
        head: Head {
            kind: kind::CREATED,
            flags: 0,
            stamp: now(),
        },
        table: table.address,
        tgid: task.tgid,
        tid: task.tid,
        handle: created.inode,
        start: task.start,
        call,
        exec_id: task.exec_id(),
        detail: u64::from(created.device),
    }
}
