//! A descriptor that a watched task was just given: into the nursery, or straight to the agent.

use aya_ebpf::programs::TracePointContext;
use memguard_common::{
    call::Call,
    event::{Acquired, Head, Released, flag, kind},
    stats::Stat,
};

use crate::{
    emit::{count, lose, send},
    filter,
    kernel::{self, Process, Table, Task},
    maps,
    memory::now,
    nursery::{Entry, Kept},
    probes::{RESULT_OR_FIRST, SYSCALL_NUMBER, field},
    regs::Arguments,
    wide,
    window::StackBuf,
};

/// A call of a watched task that has succeeded.
#[derive(Clone, Copy)]
pub(super) struct SyscallReturn {
    pub(super) task: Task,
    pub(super) table: Table,
    /// Number of the system call.
    pub(super) number: u32,
    /// What it returned; not negative.
    pub(super) result: u32,
    pub(super) arguments: Arguments,
}

impl SyscallReturn {
    /// Filters, and reads the result: negative is an error, or a call that will be restarted
    /// (-512).
    #[inline(always)]
    pub(super) fn take(context: &TracePointContext) -> Option<Self> {
        let task = watched()?;
        let result: i64 = field(context, RESULT_OR_FIRST);
        if let (0.., Some(table)) = (result, task.table()) {
            let number = field(context, SYSCALL_NUMBER);
            let arguments = Arguments::of(task);
            let result = result as u32;
            return Some(Self {
                task,
                table,
                number,
                result,
                arguments,
            });
        }
        count(Stat::Failed);
        None
    }

    /// Which call it was. Looked up anew each time: what a branch tells the verifier of one answer,
    /// it would have to remember on every path that follows.
    #[inline(always)]
    pub(super) fn call(&self) -> u32 {
        maps::call(self.number)
    }

    #[inline(always)]
    fn record(&self, fd: u32, detail: u64) -> Acquired {
        let stamp = now();
        Acquired {
            head: Head {
                kind: kind::ACQUIRED,
                flags: 0,
                stamp,
            },
            table: self.table.address,
            tgid: self.task.tgid,
            tid: self.task.tid,
            handle: u64::from(fd),
            start: self.task.start,
            call: self.call(),
            exec_id: self.task.exec_id(),
            detail,
        }
    }

    /// Puts a descriptor into the nursery, then looks whether a close has overtaken us. `may_close`
    /// where the call may be one that closes the number first.
    #[inline(always)]
    pub(super) fn place(&self, fd: u32, detail: u64, may_close: bool) {
        let mut entry = Entry::new(self.record(fd, detail), self.arguments.origin());
        self.put(&mut entry, may_close);
    }

    #[inline(always)]
    fn put(&self, entry: &mut Entry, may_close: bool) {
        let kept = entry.keep();
        wide::copy_if_wanted(entry);
        if kept == Kept::Nowhere {
            self.copy_stack();
            self.send_record(&entry.record);
        } else {
            self.check(entry);
        }
        if kept == Kept::Replacing {
            count(Stat::Replaced);
        } else if may_close {
            self.close_other(&entry.record);
        }
    }

    /// `dup2` and `dup3` close the number they are given. Where its record was not here to be
    /// replaced, the agent may hold it, and would for ever once ours is paired.
    #[inline(always)]
    fn close_other(&self, record: &Acquired) {
        const DUP2: u32 = Call::Dup2 as u32;
        const DUP3: u32 = Call::Dup3 as u32;
        if matches!(self.call(), DUP2 | DUP3) {
            released(record, record.head.stamp - 1, 0);
        }
    }

    /// Before [`SyscallReturn::direct`]: once, however many descriptors there are.
    #[inline(always)]
    pub(super) fn copy_stack(&self) {
        if let Some(buffer) = StackBuf::aside() {
            buffer.copy(self.arguments.origin());
        }
    }

    /// Sends a descriptor straight to the agent: of rare calls that make several at once, which
    /// would make the verifier follow the nursery's protocol for each.
    #[inline(always)]
    pub(super) fn direct(&self, fd: u32) {
        match self.table.file(fd) {
            Some(file) => {
                let record = self.record(fd, kernel::describe(file));
                let entry = Entry::new(record, self.arguments.origin());
                wide::copy_if_wanted(&entry);
                self.send_record(&entry.record);
            }
            // Closed already: it was in the caller's memory before the call returned.
            None => count(Stat::TakenBack),
        }
    }

    #[inline(always)]
    fn send_record(&self, record: &Acquired) {
        match StackBuf::aside() {
            Some(buffer) => buffer.send(&raw const *record, Stat::Direct),
            None => lose(self.task.process(), Stat::LostAcquired),
        }
        if self.table.file(record.handle as u32).is_none() {
            taken_back(record);
        }
    }

    /// A slot that is empty after publication: the handle is closed already.
    #[inline(always)]
    fn check(&self, entry: &Entry) {
        let record = &entry.record;
        if self.table.file(record.handle as u32).is_some() {
            return;
        }
        if entry.take_back() {
            count(Stat::TakenBack);
        } else {
            taken_back(record);
        }
    }
}

/// The task whose call returns; counts the call, and those of others as filtered.
#[inline(always)]
fn watched() -> Option<Task> {
    let running = filter::running()?;
    count(Stat::Seen);
    let task = filter::watched(running);
    if task.is_none() {
        count(Stat::Filtered);
    }
    task
}

/// The record is gone from the nursery although nobody told us: the agent may have it, and is told
/// with the acquisition's own stamp.
#[inline(always)]
fn taken_back(record: &Acquired) {
    released(record, record.head.stamp, flag::TAKEN_BACK);
}

/// Tells the agent that what has the number, and is not younger than `stamp`, is closed.
#[inline(always)]
fn released(record: &Acquired, stamp: u64, flags: u32) {
    let release = Released {
        head: Head {
            kind: kind::RELEASED,
            flags,
            stamp,
        },
        table: record.table,
        tgid: record.tgid,
        tid: record.tid,
        handle: record.handle,
        start: record.start,
    };
    let bytes = size_of::<Released>() as u64;
    let process = Process {
        tgid: record.tgid,
        start: record.start,
    };
    send(
        (&raw const release).cast(),
        bytes,
        process,
        Stat::TakeBacksSent,
        Stat::TakeBacksLost,
    );
}
