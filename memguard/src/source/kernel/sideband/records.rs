//! Bytes of the side-band → events. Pure and total: whatever the bytes, nothing here panics, and
//! what makes no sense is told as a loss.
//!
//! The layouts are those of `enum perf_event_type` in
//! <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/perf_event.h>; who writes them
//! is in <https://github.com/torvalds/linux/blob/v6.18/kernel/events/core.c>
//! (`perf_event_mmap_output`, `perf_event_comm_output`, `perf_event_task_output`).

use std::sync::Arc;

use rustix::fs::makedev;

use super::super::perf::records::{Fields, LOST, Malformed, Record, each};
use crate::model::{
    ids::Stamp,
    origin::{BUILD_ID_BYTES, BuildId, Mapping, Module, ModuleEvent},
};

/// `PERF_RECORD_COMM` and so on.
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const MMAP2: u32 = 10;

/// `PERF_RECORD_MISC_COMM_EXEC`: the name changed because the program did.
const BY_EXEC: u16 = 1 << 13;
/// `PERF_RECORD_MISC_MMAP_BUILD_ID`: a build id stands where device and inode would.
const WITH_BUILD_ID: u16 = 1 << 14;

/// Code that the kernel maps into every process.
const VDSO: &[u8] = b"[vdso]";
/// Memory of no file: what a program writes its own code to.
const ANONYMOUS: &[u8] = b"//anon";

/// Gives every event among the records to `take`. Where a length makes no sense, nothing behind it
/// can be found: that is one loss.
pub(super) fn decode(bytes: &[u8], take: &mut dyn FnMut(ModuleEvent)) {
    let whole = each(bytes, |record| match event(record) {
        Ok(Some(event)) => take(event),
        Ok(None) => {}
        Err(Malformed) => take(ModuleEvent::Lost { count: 1 }),
    });
    if !whole {
        take(ModuleEvent::Lost { count: 1 });
    }
}

fn event(record: Record<'_>) -> Result<Option<ModuleEvent>, Malformed> {
    let Record {
        kind,
        misc,
        mut body,
    } = record;
    let stamp = body.stamp()?;
    match kind {
        MMAP2 => mapped(stamp, misc, &mut body),
        COMM if misc & BY_EXEC != 0 => {
            let tgid = body.u32()?;
            Ok(Some(ModuleEvent::Execed { stamp, tgid }))
        }
        FORK => Task::read(&mut body).map(|task| task.forked(stamp)),
        EXIT => Task::read(&mut body).map(|task| task.exited(stamp)),
        LOST => {
            let _event = body.u64()?;
            let count = body.u64()?;
            Ok(Some(ModuleEvent::Lost { count }))
        }
        _ => Ok(None),
    }
}

/// Who was born or ended.
struct Task {
    tgid: u32,
    /// Thread group of the task that called fork, whoever `getppid` names; at an exit that of the
    /// parent.
    parent: u32,
    tid: u32,
}

impl Task {
    fn read(body: &mut Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            tgid: body.u32()?,
            parent: body.u32()?,
            tid: body.u32()?,
        })
    }

    /// A thread is born in the group that made it.
    fn forked(&self, stamp: Stamp) -> Option<ModuleEvent> {
        let Self { tgid, parent, .. } = *self;
        (tgid != parent).then_some(ModuleEvent::Forked {
            stamp,
            parent,
            child: tgid,
        })
    }

    /// The leader's exit stands for the process's: no record says which thread is the last. Threads
    /// may outlive their leader (`pthread_exit` in `main`), and a thread that executes ends it
    /// right before the exec.
    fn exited(&self, stamp: Stamp) -> Option<ModuleEvent> {
        let Self { tgid, tid, .. } = *self;
        (tgid == tid).then_some(ModuleEvent::Exited { stamp, tgid })
    }
}

fn mapped(
    stamp: Stamp,
    misc: u16,
    body: &mut Fields<'_>,
) -> Result<Option<ModuleEvent>, Malformed> {
    let tgid = body.u32()?;
    let _tid = body.u32()?;
    let (start, length) = (body.u64()?, body.u64()?);
    let file_offset = body.u64()?;
    let identity = Identity::read(body, misc & WITH_BUILD_ID != 0)?;
    let (_protection, _flags) = (body.u32()?, body.u32()?);
    let path = body.text();
    if !is_code_of_a_file(path) {
        return Ok(None);
    }
    let module = Module {
        path: String::from_utf8_lossy(path).into(),
        build_id: identity.build_id,
    };
    let mapping = Mapping {
        start,
        end: start.checked_add(length).ok_or(Malformed)?,
        file_offset,
        module: Arc::new(module),
        device: identity.device,
        inode: identity.inode,
    };
    Ok(Some(ModuleEvent::Mapped {
        stamp,
        tgid,
        mapping,
    }))
}

/// Names in brackets are the kernel's (`[stack]`, `[heap]`, `[uprobes]`); no path begins like this.
/// `//toolong` and `//enomem` are files whose path the kernel could not tell.
fn is_code_of_a_file(path: &[u8]) -> bool {
    path == VDSO || (path != ANONYMOUS && !path.starts_with(b"["))
}

/// Which file it is: by content where the kernel had its first page at hand, else by place. Neither
/// is known of the vdso.
#[derive(Default)]
struct Identity {
    build_id: Option<BuildId>,
    device: u64,
    inode: u64,
}

impl Identity {
    fn read(body: &mut Fields<'_>, with_build_id: bool) -> Result<Self, Malformed> {
        if with_build_id {
            let [length, _, _, _] = body.array()?;
            let bytes: [u8; BUILD_ID_BYTES] = body.array()?;
            return Ok(Self {
                build_id: bytes.get(..usize::from(length)).and_then(BuildId::new),
                ..Self::default()
            });
        }
        let device = makedev(body.u32()?, body.u32()?);
        let inode = body.u64()?;
        let _generation = body.u64()?;
        Ok(Self {
            build_id: None,
            device,
            inode,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, proptest};

    use super::*;

    const AT: Stamp = Stamp(7_000_000_001);

    /// A record as the kernel lays it out: header, fields, stamp.
    fn record(kind: u32, misc: u16, fields: &[&[u8]]) -> Vec<u8> {
        let fields = fields.concat();
        let size = (8 + fields.len() + 8) as u16;
        let kind = kind.to_ne_bytes();
        let [misc, size] = [misc, size].map(u16::to_ne_bytes);
        let stamp = AT.0.to_ne_bytes();
        [&kind[..], &misc, &size, &fields, &stamp].concat()
    }

    fn halves<const N: usize>(numbers: [u32; N]) -> Vec<u8> {
        numbers.into_iter().flat_map(u32::to_ne_bytes).collect()
    }

    fn words<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
        numbers.into_iter().flat_map(u64::to_ne_bytes).collect()
    }

    /// `path` comes with its zeroes.
    fn mmap2(misc: u16, start: u64, identity: &[u8], path: &[u8]) -> Vec<u8> {
        assert_eq!((identity.len(), path.len() % 8), (24, 0));
        let place = words([start, 0x1000, 0x2000]);
        let (ids, mode) = (halves([42, 43]), halves([5, 2]));
        record(MMAP2, misc, &[&ids, &place, identity, &mode, path])
    }

    fn events(bytes: &[u8]) -> Vec<ModuleEvent> {
        let mut events = Vec::new();
        decode(bytes, &mut |event| events.push(event));
        events
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[ModuleEvent]) {
        assert_eq!(events(bytes), expected);
    }

    fn mapping(module: Module, device: u64, inode: u64) -> ModuleEvent {
        ModuleEvent::Mapped {
            stamp: AT,
            tgid: 42,
            mapping: Mapping {
                start: 0x7000,
                end: 0x8000,
                file_offset: 0x2000,
                module: Arc::new(module),
                device,
                inode,
            },
        }
    }

    /// Eight bytes of a build id, and what fills its place.
    fn build_id() -> Vec<u8> {
        let mut identity = vec![0; 24];
        identity[0] = 8;
        identity[4..12].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        identity
    }

    #[test]
    fn a_mapping_is_known_by_its_build_id() {
        let bytes = mmap2(WITH_BUILD_ID | 2, 0x7000, &build_id(), b"/bin/x\0\0");
        let module = Module {
            path: "/bin/x".into(),
            build_id: BuildId::new(&[1, 2, 3, 4, 5, 6, 7, 8]),
        };
        check(&bytes, &[mapping(module, 0, 0)]);
    }

    #[test]
    fn or_by_device_and_inode() {
        let identity = [halves([0x103, 2]), words([77, 1])].concat();
        let bytes = mmap2(2, 0x7000, &identity, b"/bin/\xff\0\0");
        let module = Module {
            path: "/bin/\u{fffd}".into(),
            build_id: None,
        };
        check(&bytes, &[mapping(module, libc::makedev(0x103, 2), 77)]);
    }

    #[test]
    fn only_files_and_the_vdso_count() {
        for (path, counts) in [
            (b"[vdso]\0\0", true),
            (b"//anon\0\0", false),
            (b"[heap]\0\0", false),
            (b"[stack]\0", false),
            (b"/[heap]\0", true),
            (b"//anony\0", true),
        ] {
            let found = events(&mmap2(2, 0x7000, &[0; 24], path)).len();
            assert_eq!(found == 1, counts, "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn a_new_name_is_an_exec_only_where_the_kernel_says_so() {
        let fields: [&[u8]; 2] = [&halves([42, 42]), b"true\0\0\0\0"];
        check(&record(COMM, 0, &fields), &[]);
        let execed = ModuleEvent::Execed {
            stamp: AT,
            tgid: 42,
        };
        check(&record(COMM, BY_EXEC, &fields), &[execed]);
    }

    #[test]
    fn processes_are_born_and_threads_are_not() {
        let fork = |ids| record(FORK, 0, &[&halves(ids), &words([5])]);
        check(&fork([42, 42, 43, 42]), &[]);
        let forked = ModuleEvent::Forked {
            stamp: AT,
            parent: 42,
            child: 50,
        };
        check(&fork([50, 42, 50, 43]), &[forked]);
    }

    #[test]
    fn the_end_of_the_leader_is_the_end() {
        let exit = |ids| record(EXIT, 0, &[&halves(ids), &words([5])]);
        check(&exit([42, 1, 43, 1]), &[]);
        let exited = ModuleEvent::Exited {
            stamp: AT,
            tgid: 42,
        };
        check(&exit([42, 1, 42, 1]), &[exited]);
    }

    #[test]
    fn losses_are_told_and_other_records_are_not() {
        let lost = record(LOST, 0, &[&words([9, 11])]);
        let throttle = record(5, 0, &[&words([1, 2, 3])]);
        let both = [throttle, lost].concat();
        check(&both, &[ModuleEvent::Lost { count: 11 }]);
    }

    #[test]
    fn what_makes_no_sense_is_one_loss() {
        let one = [ModuleEvent::Lost { count: 1 }];
        let good = record(LOST, 0, &[&words([9, 11])]);
        check(&[], &[]);
        check(&good[..good.len() - 1], &one);
        check(&[0; 8], &one);
        // Too short for what it claims to be; the next record is found all the same.
        let short = record(MMAP2, 0, &[&words([1])]);
        let lost = ModuleEvent::Lost { count: 11 };
        check(&[short, good].concat(), &[one[0].clone(), lost]);
        // A mapping that ends behind the last address.
        let identity = [0; 24];
        check(&mmap2(2, u64::MAX - 7, &identity, b"/bin/x\0\0"), &one);
        // A build id longer than its place.
        let longer = [&[21, 0, 0, 0][..], &[1; 20]].concat();
        let module = Module {
            path: "/bin/x".into(),
            build_id: None,
        };
        let bytes = mmap2(WITH_BUILD_ID, 0x7000, &longer, b"/bin/x\0\0");
        check(&bytes, &[mapping(module, 0, 0)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded(bytes in vec(any::<u8>(), 0..512)) {
            assert!(events(&bytes).len() <= bytes.len() / 8 + 1);
        }

        /// Whole records with anything inside.
        #[test]
        fn any_record_is_decoded(
            kind in 0_u32..12,
            misc in any::<u16>(),
            body in vec(any::<u8>(), 0..128),
        ) {
            let bytes = record(kind, misc, &[&body]);
            assert!(events(&bytes).len() <= 1);
        }
    }
}
