//! Descriptors: what acquires them, and `close`.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::tracepoint, programs::TracePointContext};
use memguard_common::{
    event::{Acquired, Head, Released, call, flag, kind, socket_detail},
    nursery::{self, Identity, Key, Placed, Ticket},
    stats::Stat,
};

use super::{RESULT_OR_FIRST, SYSCALL_NUMBER, field};
use crate::{
    emit::{add, count, send, send_acquired},
    filter,
    kernel::{self, Table, Task},
    nursery::Set,
    regs::{Arguments, number},
};

/// `O_*` of the call, or zero where they are behind a pointer (`openat2`) or implied (`creat`).
#[tracepoint]
fn acquire_open(context: TracePointContext) {
    let Some(fresh) = Fresh::take(&context) else {
        return;
    };
    let arguments = Arguments::of(fresh.task);
    let (call, detail) = match field::<i32>(&context, SYSCALL_NUMBER) {
        number::OPENAT => (call::OPENAT, arguments.third()),
        number::OPEN => (call::OPEN, arguments.second()),
        number::CREAT => (call::CREAT, 0),
        number::OPENAT2 => (call::OPENAT2, 0),
        _ => return count(Stat::Failed),
    };
    fresh.place(call, detail);
}

/// `SOCK_NONBLOCK` and `SOCK_CLOEXEC` share the type's argument; the type is its low four bits.
#[tracepoint]
fn acquire_socket(context: TracePointContext) {
    let Some(fresh) = Fresh::take(&context) else {
        return;
    };
    let arguments = Arguments::of(fresh.task);
    let family = arguments.first() as u16;
    let kind = (arguments.second() & 0xf) as u16;
    fresh.place(
        call::SOCKET,
        socket_detail(family, kind, arguments.third() as u16),
    );
}

/// The arguments of `accept` do not tell what it accepts, the accepted socket does.
#[tracepoint]
fn acquire_accept(context: TracePointContext) {
    let Some(fresh) = Fresh::take(&context) else {
        return;
    };
    let call = match field::<i32>(&context, SYSCALL_NUMBER) {
        number::ACCEPT4 => call::ACCEPT4,
        number::ACCEPT => call::ACCEPT,
        _ => return count(Stat::Failed),
    };
    let socket = fresh.table.file(fresh.fd).and_then(kernel::socket);
    let detail = socket.map_or(0, |(family, kind, protocol)| {
        socket_detail(family, kind, protocol)
    });
    fresh.place(call, detail);
}

/// A descriptor that a watched task was just given.
struct Fresh {
    task: Task,
    table: Table,
    fd: u32,
}

impl Fresh {
    /// Filters, and reads the result: negative is an error, or a call that will be restarted
    /// (-512).
    #[inline(always)]
    fn take(context: &TracePointContext) -> Option<Self> {
        let settings = filter::running()?;
        count(Stat::Seen);
        if !filter::watched(settings) {
            count(Stat::Filtered);
            return None;
        }
        let result: i64 = field(context, RESULT_OR_FIRST);
        let task = Task::current();
        if let (0.., Some(table)) = (result, task.table()) {
            return Some(Self {
                task,
                table,
                fd: result as u32,
            });
        }
        count(Stat::Failed);
        None
    }

    /// Puts the record into the nursery, then looks whether a close has overtaken us.
    #[inline(always)]
    fn place(self, call: u32, detail: u64) {
        let record = self.record(call, detail);
        let Some(set) = Set::of(Key {
            table: record.table,
            handle: record.handle,
        }) else {
            return;
        };
        // One arm each: a ticket that exists on some paths only becomes a register that the
        // verifier finds unwritten on the others.
        let Ok(placed) = nursery::acquire(&set, &record);
        match placed {
            Placed::Fresh(ticket) | Placed::Evicted(ticket) => self.check(&set, ticket, &record),
            Placed::Replaced(ticket) => {
                count(Stat::Replaced);
                self.check(&set, ticket, &record);
            }
            Placed::Nowhere => {
                send_acquired(&raw const record, record.tgid, Stat::Direct);
                if self.table.file(self.fd).is_none() {
                    taken_back(&record);
                }
            }
        }
    }

    /// A slot that is empty after publication: the handle is closed already.
    #[inline(always)]
    fn check(&self, set: &Set, ticket: Ticket, record: &Acquired) {
        if self.table.file(self.fd).is_some() {
            return;
        }
        match nursery::take_back(set, ticket) {
            Ok(true) => count(Stat::TakenBack),
            Ok(false) => taken_back(record),
        }
    }

    #[inline(always)]
    fn record(&self, call: u32, detail: u64) -> Acquired {
        // SAFETY: no preconditions.
        let stamp = unsafe { bpf_ktime_get_ns() };
        Acquired {
            head: Head {
                kind: kind::ACQUIRED,
                flags: 0,
                stamp,
            },
            table: self.table.address,
            tgid: self.task.tgid,
            tid: self.task.tid,
            handle: u64::from(self.fd),
            start: self.task.start(),
            call,
            exec_id: self.task.exec_id(),
            detail,
        }
    }
}

/// The record is gone from the nursery although nobody told us: the agent may have it, and is told
/// with the acquisition's own stamp.
#[inline(always)]
fn taken_back(record: &Acquired) {
    let release = Released {
        head: Head {
            kind: kind::RELEASED,
            flags: flag::TAKEN_BACK,
            stamp: record.head.stamp,
        },
        table: record.table,
        tgid: record.tgid,
        tid: record.tid,
        handle: record.handle,
        start: record.start,
    };
    tell(&release, Stat::TakeBacksSent, Stat::TakeBacksLost);
}

/// At entry. Whatever `close` returns, the number is given up, except `EBADF`, where there was
/// none.
#[tracepoint]
fn release_close(context: TracePointContext) {
    let Some(settings) = filter::running() else {
        return;
    };
    count(Stat::Releases);
    if !filter::watched(settings) {
        return count(Stat::ReleasesFiltered);
    }
    let fd: u32 = field(&context, RESULT_OR_FIRST);
    let task = Task::current();
    let Some(table) = task.table() else {
        return count(Stat::NotOpen);
    };
    let key = Key {
        table: table.address,
        handle: u64::from(fd),
    };
    let Some(set) = Set::of(key) else { return };
    let Ok(erased) = nursery::release(
        &set,
        &Identity {
            key,
            owner: task.tgid,
        },
    );
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
    // SAFETY: no preconditions.
    let stamp = unsafe { bpf_ktime_get_ns() };
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
        start: task.start(),
    };
    tell(&release, Stat::ReleasesSent, Stat::ReleasesLost);
}

#[inline(always)]
fn tell(release: &Released, sent: Stat, lost: Stat) {
    let bytes = size_of::<Released>() as u64;
    send(
        (&raw const *release).cast(),
        bytes,
        release.tgid,
        sent,
        lost,
    );
}
