//! Objects of the kernel that outlive their makers: files in memory, and keys. They are rare, so
//! they go straight to the agent.

use memguard_common::{
    event::{Acquired, Head, kind},
    stats::Stat,
};

use crate::{
    emit::{count, lose},
    kernel::Task,
    maps,
    memory::now,
    regs::Arguments,
    window::StackBuf,
};

/// What a call has made.
#[derive(Clone, Copy)]
pub(super) struct Created {
    /// Number of the system call.
    pub(super) number: u32,
    /// As [`kind::CREATED`] has them.
    pub(super) handle: u64,
    pub(super) detail: u64,
}

impl Created {
    /// Tells the agent, with the stack of the maker.
    #[inline(always)]
    pub(super) fn tell(self, task: Task) {
        count(Stat::Seen);
        let Some(buffer) = StackBuf::aside() else {
            return lose(task.process(), Stat::LostAcquired);
        };
        buffer.copy(Arguments::of(task).origin());
        let record = self.record(task);
        buffer.send(&raw const record, Stat::Direct);
    }

    #[inline(always)]
    fn record(self, task: Task) -> Acquired {
        Acquired {
            head: Head {
                kind: kind::CREATED,
                flags: 0,
                stamp: now(),
            },
            table: 0,
            tgid: task.tgid,
            tid: task.tid,
            handle: self.handle,
            start: task.start,
            call: maps::call(self.number),
            exec_id: task.exec_id(),
            detail: self.detail,
        }
    }
}
