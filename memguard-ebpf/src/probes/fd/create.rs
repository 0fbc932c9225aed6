//! Files that are made in memory: what `shm_open` and `sem_open` make outlives its descriptor, its
//! mapping and its maker.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use crate::{
    filter, kernel,
    maps::layout,
    probes::{RESULT_OR_FIRST, SYSCALL_NUMBER, field, object::Created},
};

/// A file that its opening has made.
#[derive(Clone, Copy)]
struct NewFile {
    inode: u64,
    device: u32,
}

impl NewFile {
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
        && let Some(file) = table.file(result as u32).and_then(NewFile::of)
    {
        let created = Created {
            number: field(&context, SYSCALL_NUMBER),
            handle: file.inode,
            detail: u64::from(file.device),
        };
        created.tell(task);
    }
}
