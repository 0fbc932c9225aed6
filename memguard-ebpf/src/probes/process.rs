//! Births, images and deaths of processes, and the snapshots of their tables.

use aya_ebpf::{
    EbpfContext as _,
    helpers::{
        bpf_get_current_comm, bpf_get_current_uid_gid,
        generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    },
    macros::tracepoint,
    programs::TracePointContext,
};
use memguard_common::{
    event::{Execed, Exited, Forked, Head, TEXT_BYTES, flag, kind},
    stats::Stat,
};

use super::{field, snapshot::snapshot};
use crate::{
    emit::{lose, send},
    filter,
    kernel::{Table, Task},
    maps::{self, layout},
    memory::{field_of, now, write_volatile},
};

const CLONE_THREAD: u64 = 0x0001_0000;

/// `task:task_newtask` runs in the parent, and its record has the clone flags, which
/// `sched:sched_process_fork` has not:
/// <https://github.com/torvalds/linux/blob/v6.18/include/trace/events/task.h#L10>
#[tracepoint]
fn process_fork(context: TracePointContext) {
    const PID: usize = 8;
    let Some(running) = filter::running() else {
        return;
    };
    let Some(task) = filter::watched(running) else {
        return;
    };
    let offset = layout!(newtask_clone_flags);
    // SAFETY: the agent took the offset from the kernel's `format` file.
    let Ok(clone_flags) = (unsafe { context.read_at::<u64>(offset) }) else {
        return lose(task.process(), Stat::LifecycleLost);
    };
    if clone_flags & CLONE_THREAD != 0 {
        return;
    }
    let child: u32 = field(&context, PID);
    if running.follows_pids() {
        filter::watch(child);
    }
    log!(&context, "fork of {}, flags {:x}", child, clone_flags);
    forked(task, child, clone_flags);
}

#[inline(always)]
fn forked(task: Task, child: u32, clone_flags: u64) {
    let record = Forked {
        head: head(kind::FORKED, 0),
        table: task.table().map_or(0, |table| table.address),
        tgid: task.tgid,
        tid: task.tid,
        child,
        pad: 0,
        start: task.start,
        clone_flags,
        space: task.space_address(),
    };
    let bytes = size_of::<Forked>() as u64;
    lifecycle((&raw const record).cast(), bytes, task);
}

/// Close-on-exec descriptors are closed and the table is private by now:
/// <https://github.com/torvalds/linux/blob/v6.18/fs/exec.c#L1738>
#[tracepoint]
fn process_exec(context: TracePointContext) {
    let Some(running) = filter::running() else {
        return;
    };
    filter::watch_by_name(running);
    let Some(task) = filter::watched(running) else {
        return;
    };
    let Some(table) = task.table() else {
        return lose(task.process(), Stat::LifecycleLost);
    };
    let head = head(kind::EXECED, 0);
    let whole = snapshot(task, table, head.stamp, flag::EXEC);
    log!(&context, "exec by {}, table {:x}", task.tgid, table.address);
    execed(&context, task, table, head, whole);
}

/// Offset of `__data_loc char[] filename`: low half the offset of the text in the record.
const FILENAME: usize = 8;

#[inline(always)]
fn execed(context: &TracePointContext, task: Task, table: Table, head: Head, whole: bool) {
    const PATH: usize = size_of::<Execed>();
    const ARGS: usize = PATH + TEXT_BYTES;
    let Some(scratch) = maps::SCRATCH.get_ptr_mut(0) else {
        return lose(task.process(), Stat::LifecycleLost);
    };
    let (path_len, path_cut) = read_path(context, scratch.wrapping_byte_add(PATH).cast());
    let (args_len, args_cut) = read_args(task, scratch.wrapping_byte_add(ARGS).cast());
    let lost = if whole { 0 } else { flag::SNAPSHOT_LOST };
    let cut = if path_cut || args_cut {
        flag::TEXT_CUT
    } else {
        0
    };
    let flags = lost | cut;
    let record = scratch.cast();
    describe(record, task, table, Head { flags, ..head });
    write_volatile(field_of!(record, Execed, path_len), path_len);
    write_volatile(field_of!(record, Execed, args_len), args_len);
    lifecycle(scratch.cast(), (ARGS + TEXT_BYTES) as u64, task);
}

/// Everything but the lengths of the texts.
#[inline(always)]
fn describe(record: *mut Execed, task: Task, table: Table, head: Head) {
    let described = Execed {
        head,
        table: table.address,
        tgid: task.tgid,
        tid: task.tid,
        start: task.start,
        exec_id: task.exec_id(),
        uid: bpf_get_current_uid_gid() as u32,
        path_len: 0,
        args_len: 0,
        space: task.space_address(),
    };
    write_volatile(record, described);
}

/// The path as given to exec; length without the NUL, and whether it was cut.
#[inline(always)]
fn read_path(context: &TracePointContext, place: *mut u8) -> (u32, bool) {
    let location: u32 = field(context, FILENAME);
    let text = context
        .as_ptr()
        .cast::<u8>()
        .wrapping_add((location & 0xffff) as usize);
    // SAFETY: `place` has `TEXT_BYTES`; the helper fails cleanly on any source.
    let read = unsafe { bpf_probe_read_kernel_str(place.cast(), TEXT_BYTES as u32, text.cast()) };
    if read <= 0 {
        return (0, false);
    }
    let length = read as u32 - 1;
    (length, length as usize == TEXT_BYTES - 1)
}

/// The first bytes of the arguments, from the new image's memory.
#[inline(always)]
fn read_args(task: Task, place: *mut u8) -> (u32, bool) {
    let (start, end) = task.arguments();
    let whole = end.wrapping_sub(start);
    let length = if whole > TEXT_BYTES as u64 {
        TEXT_BYTES as u64
    } else {
        whole
    };
    // SAFETY: `place` has `TEXT_BYTES`, and `length` is at most that; the helper fails cleanly.
    let result = unsafe { bpf_probe_read_user(place.cast(), length as u32, start as *const _) };
    if result != 0 {
        return (0, whole != 0);
    }
    (length as u32, length < whole)
}

/// The descriptors are all still there: `exit_files` comes later in `do_exit`:
/// <https://github.com/torvalds/linux/blob/v6.18/kernel/exit.c#L888>
///
/// Neither sign of the table's end is enough alone: threads that exit together on several CPUs may
/// all read more than one user, and a group may die while another process shares its table.
#[tracepoint]
fn process_exit(context: TracePointContext) {
    let Some(running) = filter::running() else {
        return;
    };
    let Some(task) = filter::watched(running) else {
        return;
    };
    let group_dead = group_dead(&context, task);
    let table = task.table();
    let users = table.map_or(0, Table::users);
    log!(
        &context,
        "exit of {}/{}, {} users of the table",
        task.tgid,
        task.tid,
        users
    );
    if group_dead || users == 1 || may_be_last(task, users) {
        exited(task, table, users, group_dead);
    }
    if group_dead && running.follows_pids() {
        filter::forget(task.tgid);
    }
}

/// Whether a thread may turn out to have been the last user of its table although it reads others:
/// where all threads are told to end, those may be exiting too. At most as many do so at once as
/// there are CPUs; that all of the last few tell lets the agent count them.
#[inline(always)]
fn may_be_last(task: Task, users: u32) -> bool {
    const TOGETHER: u32 = 8;
    users <= TOGETHER && (task.is_group_exiting() || task.is_exec_awaited())
}

#[inline(always)]
fn exited(task: Task, table: Option<Table>, table_users: u32, group_dead: bool) {
    let mut head = head(kind::EXITED, flag::DEATH);
    if group_dead {
        head.flags |= flag::GROUP_DEAD;
    }
    if task.is_group_exiting() {
        head.flags |= flag::GROUP_EXIT;
    }
    if !table.is_some_and(|table| snapshot(task, table, head.stamp, flag::DEATH)) {
        head.flags |= flag::SNAPSHOT_LOST;
    }
    let record = Exited {
        head,
        table: table.map_or(0, |table| table.address),
        tgid: task.tgid,
        tid: task.tid,
        start: task.start,
        exec_id: task.exec_id(),
        table_users,
        uid: bpf_get_current_uid_gid() as u32,
        exit_code: task.exit_code(),
        comm: bpf_get_current_comm().unwrap_or_default(),
        space: task.space_address(),
    };
    let bytes = size_of::<Exited>() as u64;
    lifecycle((&raw const record).cast(), bytes, task);
}

/// Whether no thread of the group is left: in the record since 6.16, before that from
/// `signal->live`, which several threads that exit at once may read as zero; the ledger takes the
/// first.
#[inline(always)]
fn group_dead(context: &TracePointContext, task: Task) -> bool {
    let offset = layout!(exit_group_dead);
    if offset == 0 {
        return task.live_threads() == 0;
    }
    // SAFETY: the agent took the offset from the kernel's `format` file.
    unsafe { context.read_at::<u8>(offset) }.is_ok_and(|dead| dead != 0)
}

#[inline(always)]
fn head(kind: u32, flags: u32) -> Head {
    let stamp = now();
    Head { kind, flags, stamp }
}

#[inline(always)]
fn lifecycle(record: *const u8, bytes: u64, task: Task) {
    send(
        record,
        bytes,
        task.process(),
        Stat::LifecycleSent,
        Stat::LifecycleLost,
    );
}
