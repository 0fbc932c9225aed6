//! Calls that give descriptors back.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{
    event::{Head, Released, flag, kind},
    nursery::{Key, owner},
    stats::Stat,
};

use crate::{
    emit::{add, count, lose, send},
    filter,
    kernel::Task,
    memory::now,
    nursery,
    probes::{RESULT_OR_FIRST, field, snapshot::snapshot},
    regs::Arguments,
};

/// At entry. Whatever `close` returns, the number is given up, except `EBADF`, where there was
/// none.
#[tracepoint]
fn release_close(context: TracePointContext) {
    let Some(running) = filter::running() else {
        return;
    };
    count(Stat::Releases);
    let Some(task) = filter::watched(running) else {
        return count(Stat::ReleasesFiltered);
    };
    release(task, field(&context, RESULT_OR_FIRST));
}

/// One descriptor of the current task's table is about to be closed.
#[inline(always)]
pub(super) fn release(task: Task, fd: u32) {
    let Some(table) = task.table() else {
        return count(Stat::NotOpen);
    };
    let key = Key {
        table: table.address,
        handle: u64::from(fd),
    };
    let owner = owner(task.tgid, task.start, task.exec_id());
    let erased = nursery::release(key, Some(owner));
    if erased > 0 {
        add(Stat::Paired, u64::from(erased));
        return count(Stat::ReleasesPaired);
    }
    if table.file(fd).is_none() {
        return count(Stat::NotOpen);
    }
    missed(task, key);
}

/// A release without a partner in the nursery, of a number that is open: the agent may hold it.
#[inline(always)]
fn missed(task: Task, key: Key) {
    let stamp = now();
    let release = Released {
        head: Head {
            kind: kind::RELEASED,
            flags: 0,
            stamp,
        },
        table: key.table,
        tgid: task.tgid,
        tid: task.tid,
        handle: key.handle,
        start: task.start,
    };
    let bytes = size_of::<Released>() as u64;
    let record = (&raw const release).cast();
    send(
        record,
        bytes,
        task.process(),
        Stat::ReleasesSent,
        Stat::ReleasesLost,
    );
}

/// `close_range` at its exit: what is left in the table is the truth, whatever the range was.
/// Numbers that other threads were given meanwhile are open in it.
#[tracepoint]
fn release_range(context: TracePointContext) {
    const CLOSE_RANGE_CLOEXEC: u64 = 4;
    let Some(running) = filter::running() else {
        return;
    };
    let result: i64 = field(&context, RESULT_OR_FIRST);
    if result != 0 {
        return;
    }
    let Some(task) = filter::watched(running) else {
        return;
    };
    if Arguments::of(task).third() & CLOSE_RANGE_CLOEXEC != 0 {
        // Nothing is closed before the next exec.
        return;
    }
    let Some(table) = task.table() else {
        return lose(task.process(), Stat::SnapshotsLost);
    };
    let stamp = now();
    // A lost one is counted and charged; the agent then compares with `/proc`.
    snapshot(task, table, stamp, flag::RANGE);
}
