//! Bytes of the kernel into [`Event`]s: a total function, whatever the bytes are.
//!
//! Records are laid out in `memguard_common::event`. Nothing here trusts a length, a kind or a
//! flag: what does not fit is a [`DecodeError`], which the caller counts, and never a panic.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use memguard_common::event::{self as wire, flag, kind};
use thiserror::Error;

use crate::model::{
    event::{Acquired, Event, Execed, Exited, Forked, Occasion, Released, SnapshotPart},
    ids::{ProcessId, Stamp, TableId},
    memory::{Attached, Detached, Mapped, Range, SegmentSize, SpaceId, Unmapped},
    origin::Window,
    persistent::{CreatedObject, ObjectId, SharedFileId},
    resource::Call,
};

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Shorter than its kind needs.
    #[error("record of {0} bytes is too short")]
    TooShort(usize),
    /// A kind of record that this version does not know.
    #[error("unknown record kind {0}")]
    UnknownKind(u32),
    /// A call that this version does not know.
    #[error("unknown call {0}")]
    UnknownCall(u32),
    /// A descriptor number beyond 32 bits.
    #[error("descriptor {0} is out of range")]
    HandleOutOfRange(u64),
    /// A range that is empty, not of whole pages, or behind the last address.
    #[error("{1} pages at {0:#x} are no range")]
    BadRange(u64, u64),
    /// A snapshot that is neither of a death nor of an exec, or whose piece lies outside its table.
    #[error("snapshot piece does not fit its table")]
    BadSnapshot,
}

/// Reads the fields of a record in their order. The offsets follow from the sizes, which
/// `memguard_common::event` asserts; a test here compares them field by field.
struct Reader<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            whole: bytes.len(),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::TooShort(self.whole))?;
        self.rest = rest;
        Ok(*field)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (field, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::TooShort(self.whole))?;
        self.rest = rest;
        Ok(field)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_ne_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_ne_bytes(self.take()?))
    }

    fn table(&mut self) -> Result<TableId, DecodeError> {
        Ok(TableId(self.u64()?))
    }

    /// Thread group and thread, and the start of the leader.
    fn process(&mut self) -> Result<ProcessId, DecodeError> {
        let (tgid, _tid) = (self.u32()?, self.u32()?);
        Ok(ProcessId::from_boottime(tgid, self.u64()?))
    }

    /// `None` for the address zero.
    fn space(&mut self) -> Result<Option<SpaceId>, DecodeError> {
        Ok(Some(SpaceId(self.u64()?)).filter(|space| space.0 != 0))
    }

    fn fd(&mut self) -> Result<u32, DecodeError> {
        let handle = self.u64()?;
        u32::try_from(handle)
            .ok()
            .ok_or(DecodeError::HandleOutOfRange(handle))
    }
}

#[derive(Clone, Copy)]
struct Head {
    flags: u32,
    stamp: Stamp,
}

impl Head {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// One record.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u32()?;
    let head = Head {
        flags: reader.u32()?,
        stamp: Stamp(reader.u64()?),
    };
    match kind {
        kind::ACQUIRED => acquired(&head, &mut reader),
        kind::RELEASED => released(&head, &mut reader).map(Event::Released),
        kind::FORKED => forked(&head, &mut reader).map(Event::Forked),
        kind::EXECED => execed(&head, &mut reader).map(Event::Execed),
        kind::EXITED => exited(&head, &mut reader).map(Event::Exited),
        kind::SNAPSHOT => piece(&head, &mut reader).map(Event::Snapshot),
        kind::UNMAPPED => unmapped(&head, &mut reader),
        kind::DETACHED => detached(&head, &mut reader),
        kind::SEGMENT => segment(&mut reader),
        kind::CREATED => created(&head, &mut reader).map(Event::Created),
        other => Err(DecodeError::UnknownKind(other)),
    }
}

/// An acquisition whose handle is not understood yet.
struct Fields {
    head: Head,
    place: u64,
    process: ProcessId,
    tid: u32,
    handle: u64,
    call: Call,
    exec_id: u32,
    detail: u64,
}

fn acquired(head: &Head, reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let fields = fields(head, reader)?;
    match fields.call {
        Call::Mmap | Call::Mremap | Call::Brk => fields.mapped().map(Event::Mapped),
        Call::Shmat => Ok(Event::Attached(fields.attached())),
        _ => fields.descriptor().map(Event::Acquired),
    }
}

fn created(head: &Head, reader: &mut Reader<'_>) -> Result<CreatedObject, DecodeError> {
    fields(head, reader).map(|fields| fields.created())
}

fn fields(head: &Head, reader: &mut Reader<'_>) -> Result<Fields, DecodeError> {
    let place = reader.u64()?;
    let (tgid, tid) = (reader.u32()?, reader.u32()?);
    let handle = reader.u64()?;
    let process = ProcessId::from_boottime(tgid, reader.u64()?);
    let number = reader.u32()?;
    let call = Call::try_from(number)
        .ok()
        .ok_or(DecodeError::UnknownCall(number))?;
    Ok(Fields {
        head: *head,
        place,
        process,
        tid,
        handle,
        call,
        exec_id: reader.u32()?,
        detail: reader.u64()?,
    })
}

impl Fields {
    fn descriptor(&self) -> Result<Acquired, DecodeError> {
        let fd = u32::try_from(self.handle).ok();
        Ok(Acquired {
            stamp: self.head.stamp,
            table: TableId(self.place),
            fd: fd.ok_or(DecodeError::HandleOutOfRange(self.handle))?,
            process: self.process,
            tid: self.tid,
            exec_id: self.exec_id,
            call: self.call,
            detail: self.detail,
        })
    }

    fn mapped(&self) -> Result<Mapped, DecodeError> {
        let (start, pages) = wire::handle_range(self.handle, self.detail);
        let bytes = pages.checked_shl(wire::PAGE_SHIFT).unwrap_or(0);
        Ok(Mapped {
            stamp: self.head.stamp,
            space: SpaceId(self.place),
            range: Range::of(start, bytes).ok_or(DecodeError::BadRange(start, pages))?,
            process: self.process,
            tid: self.tid,
            call: self.call,
            protection: (self.detail >> 32) as u8,
            flags: self.detail as u32,
        })
    }

    fn created(&self) -> CreatedObject {
        let (id, outlives) = match self.call {
            Call::AddKey => (
                ObjectId::Key(self.handle as u32),
                is_users(self.detail as i32),
            ),
            _ => (ObjectId::File(self.file()), true),
        };
        CreatedObject {
            stamp: self.head.stamp,
            id,
            process: self.process,
            call: self.call,
            outlives,
        }
    }

    /// The kernel has a device's major number above twenty bits of its minor one.
    fn file(&self) -> SharedFileId {
        let (major, minor) = (self.detail >> 20, self.detail & 0xf_ffff);
        SharedFileId {
            device: libc::makedev(major as u32, minor as u32),
            inode: self.handle,
        }
    }

    fn attached(&self) -> Attached {
        let (address, _) = wire::handle_range(self.handle, 0);
        Attached {
            stamp: self.head.stamp,
            space: SpaceId(self.place),
            address,
            segment: self.detail as i32,
            process: self.process,
            tid: self.tid,
        }
    }
}

/// Whether a keyring is a user's. All others are of a thread, a process or a session, `add_key(2)`,
/// or were named by their number, which says nothing of whose they are.
fn is_users(keyring: i32) -> bool {
    const USER: i32 = -4;
    const USER_SESSION: i32 = -5;
    matches!(keyring, USER | USER_SESSION)
}

fn unmapped(head: &Head, reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (space, process) = (SpaceId(reader.u64()?), reader.process()?);
    let (address, length) = (reader.u64()?, reader.u64()?);
    let bad = DecodeError::BadRange(address, length >> wire::PAGE_SHIFT);
    Ok(Event::Unmapped(Unmapped {
        stamp: head.stamp,
        space,
        range: Range::of(address, length).ok_or(bad)?,
        process,
    }))
}

fn detached(head: &Head, reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (space, process) = (SpaceId(reader.u64()?), reader.process()?);
    Ok(Event::Detached(Detached {
        stamp: head.stamp,
        space,
        address: reader.u64()?,
        process,
    }))
}

fn segment(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (_space, _process) = (reader.u64()?, reader.process()?);
    let (id, bytes) = (reader.u64()? as i32, reader.u64()?);
    Ok(Event::Segment(SegmentSize { id, bytes }))
}

/// More of the stack that something was acquired from, told beside the acquisition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideWindow {
    /// Who acquired it.
    pub process: ProcessId,
    /// When, which says what it was.
    pub stamp: Stamp,
    /// What the kernel copied.
    pub window: Window,
}

/// Whether a record is a [`WideWindow`], which is no event.
pub fn is_wide_window(bytes: &[u8]) -> bool {
    let kind = Reader::new(bytes).u32();
    kind.is_ok_and(|kind| kind == kind::WIDE_WINDOW)
}

/// A record that [`is_wide_window`]; `None` where nothing could be copied.
pub fn wide_window(bytes: &[u8]) -> Result<Option<WideWindow>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let (_kind, flags) = (reader.u32()?, reader.u32()?);
    let stamp = Stamp(reader.u64()?);
    let fields = fields(&Head { flags, stamp }, &mut reader)?;
    Ok(window(bytes).map(|window| WideWindow {
        process: fields.process,
        stamp,
        window,
    }))
}

/// Registers and stack behind an acquisition; `None` where nothing was copied.
pub fn window(bytes: &[u8]) -> Option<Window> {
    let (_, rest) = bytes.split_at_checked(size_of::<wire::Acquired>())?;
    let mut reader = Reader::new(rest);
    let (ip, sp, bp) = (reader.u64().ok()?, reader.u64().ok()?, reader.u64().ok()?);
    let (length, cut) = (reader.u32().ok()?, reader.u32().ok()?);
    let stack = reader.bytes(length as usize).ok()?;
    (length > 0).then(|| Window {
        ip,
        sp,
        bp,
        stack: stack.into(),
        cut: cut != 0,
        interrupted: false,
    })
}

fn released(head: &Head, reader: &mut Reader<'_>) -> Result<Released, DecodeError> {
    let table = reader.table()?;
    let (tgid, _tid) = (reader.u32()?, reader.u32()?);
    let fd = reader.fd()?;
    let process = ProcessId::from_boottime(tgid, reader.u64()?);
    Ok(Released {
        stamp: head.stamp,
        table,
        fd,
        process,
    })
}

fn forked(head: &Head, reader: &mut Reader<'_>) -> Result<Forked, DecodeError> {
    let table = reader.table()?;
    let (tgid, _tid) = (reader.u32()?, reader.u32()?);
    let (child, _pad) = (reader.u32()?, reader.u32()?);
    let parent = ProcessId::from_boottime(tgid, reader.u64()?);
    let flags = reader.u64()?;
    Ok(Forked {
        stamp: head.stamp,
        parent,
        child,
        table,
        shares_table: flags & libc::CLONE_FILES as u64 != 0,
        space: reader.space()?,
        shares_space: flags & libc::CLONE_VM as u64 != 0,
    })
}

fn execed(head: &Head, reader: &mut Reader<'_>) -> Result<Execed, DecodeError> {
    let table = reader.table()?;
    let process = reader.process()?;
    let (exec_id, uid) = (reader.u32()?, reader.u32()?);
    let (path_len, args_len) = (reader.u32()?, reader.u32()?);
    let space = reader.space()?;
    let path = text(reader, path_len)?;
    let args = text(reader, args_len)?;
    let snapshot_lost = head.has(flag::SNAPSHOT_LOST);
    let text_cut = head.has(flag::TEXT_CUT);
    Ok(Execed {
        stamp: head.stamp,
        process,
        table,
        exec_id,
        uid,
        path,
        args,
        text_cut,
        snapshot_lost,
        space,
    })
}

fn text(reader: &mut Reader<'_>, length: u32) -> Result<Vec<u8>, DecodeError> {
    let field = reader.bytes(wire::TEXT_BYTES)?;
    let text = field
        .get(..length as usize)
        .ok_or(DecodeError::TooShort(reader.whole))?;
    Ok(text.to_vec())
}

fn exited(head: &Head, reader: &mut Reader<'_>) -> Result<Exited, DecodeError> {
    let table = reader.table()?;
    let process = reader.process()?;
    let (exec_id, users) = (reader.u32()?, reader.u32()?);
    let (uid, status) = (reader.u32()?, reader.u32()?);
    Ok(Exited {
        stamp: head.stamp,
        process,
        table,
        exec_id,
        group_dead: head.has(flag::GROUP_DEAD),
        group_exit: head.has(flag::GROUP_EXIT),
        users,
        snapshot_lost: head.has(flag::SNAPSHOT_LOST),
        uid,
        status,
        comm: reader.take()?,
        space: reader.space()?,
    })
}

fn piece(head: &Head, reader: &mut Reader<'_>) -> Result<SnapshotPart, DecodeError> {
    let table = reader.table()?;
    let process = reader.process()?;
    let (first, bits) = (reader.u32()?, reader.u32()?);
    let (table_bits, _pad) = (reader.u32()?, reader.u32()?);
    let end = first.checked_add(bits).ok_or(DecodeError::BadSnapshot)?;
    if end > table_bits || first % 8 != 0 || bits % 8 != 0 {
        return Err(DecodeError::BadSnapshot);
    }
    let occasion = match head.flags & (flag::DEATH | flag::EXEC | flag::RANGE) {
        flag::DEATH => Occasion::Death,
        flag::EXEC => Occasion::Exec,
        flag::RANGE => Occasion::Range,
        _ => return Err(DecodeError::BadSnapshot),
    };
    let truncated = head.has(flag::TRUNCATED);
    let bits = reader.bytes(bits as usize / 8)?.to_vec();
    Ok(SnapshotPart {
        stamp: head.stamp,
        table,
        process,
        occasion,
        first,
        table_bits,
        truncated,
        bits,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes of a wire record, field by field in the order of its `repr(C)` declaration; that
    /// the order and sizes are those of the struct is asserted in `memguard_common::event`.
    fn bytes(kind: u32, flags: u32, words: &[u64], tail: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(kind.to_ne_bytes());
        record.extend(flags.to_ne_bytes());
        for word in words {
            record.extend(word.to_ne_bytes());
        }
        record.extend(tail);
        record
    }

    fn pair(low: u32, high: u32) -> u64 {
        u64::from(low) | u64::from(high) << 32
    }

    fn an_acquisition() -> Vec<u8> {
        let words = [
            77,
            0xf00,
            pair(10, 11),
            5,
            3_000_000_000,
            pair(Call::Openat as u32, 2),
            0o100,
        ];
        bytes(kind::ACQUIRED, 0, &words, &[])
    }

    #[test]
    fn an_acquisition_is_read_field_by_field() {
        assert_eq!(an_acquisition().len(), size_of::<wire::Acquired>());
        let expected = Acquired {
            stamp: Stamp(77),
            table: TableId(0xf00),
            fd: 5,
            process: ProcessId {
                tgid: 10,
                start_ticks: 300,
            },
            tid: 11,
            exec_id: 2,
            call: Call::Openat,
            detail: 0o100,
        };
        assert_eq!(decode(&an_acquisition()), Ok(Event::Acquired(expected)));
    }

    #[test]
    fn every_record_cut_anywhere_is_too_short() {
        let whole = an_acquisition();
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), Err(DecodeError::TooShort(length)));
        }
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let mut call = an_acquisition();
        call[48..52].copy_from_slice(&999u32.to_ne_bytes());
        let mut fd = an_acquisition();
        fd[32..40].copy_from_slice(&(1u64 << 32).to_ne_bytes());
        for (record, expected) in [
            (bytes(99, 0, &[1], &[]), DecodeError::UnknownKind(99)),
            (call, DecodeError::UnknownCall(999)),
            (fd, DecodeError::HandleOutOfRange(1 << 32)),
        ] {
            assert_eq!(decode(&record), Err(expected));
        }
    }

    /// Of `pages` at `start`, by `mmap` with these flags and this protection.
    fn a_mapping(start: u64, pages: u64, protection: u64, flags: u64) -> Vec<u8> {
        let handle = wire::range_handle(start, pages);
        let detail = wire::map_detail(protection, flags, pages);
        let words = [
            9,
            1,
            pair(2, 3),
            handle,
            0,
            pair(Call::Mmap as u32, 5),
            detail,
        ];
        bytes(kind::ACQUIRED, 0, &words, &[])
    }

    #[test]
    fn a_range_of_any_length_comes_through() {
        const TOP: u64 = (1 << 56) - 4096;
        for (start, pages) in [
            (0x7f00_0000_0000, 1),
            (4096, (1 << 20) - 1),
            (4096, 1 << 20),
            (4096, (1 << 30) + 7),
            (TOP, 1),
        ] {
            let record = a_mapping(start, pages, 3, 0x4022);
            let Ok(Event::Mapped(mapped)) = decode(&record) else {
                panic!("{:?}", decode(&record))
            };
            assert_eq!(
                (mapped.range.start, mapped.range.bytes()),
                (start, pages << 12)
            );
            assert_eq!((mapped.protection, mapped.flags), (3, 0x4022));
            assert!(mapped.is_unreserved() && !mapped.is_reservation());
        }
        let nothing = a_mapping(4096, 0, 3, 0x22);
        assert_eq!(decode(&nothing), Err(DecodeError::BadRange(4096, 0)));
    }

    #[test]
    fn a_file_in_memory_has_the_device_that_stat_tells() {
        let device = 3 << 20 | 0x1_0027;
        let words = [
            9,
            1,
            pair(2, 3),
            77,
            10_000_000,
            pair(Call::Openat as u32, 5),
            device,
        ];
        let expected = CreatedObject {
            stamp: Stamp(9),
            id: ObjectId::File(SharedFileId {
                device: libc::makedev(3, 0x1_0027),
                inode: 77,
            }),
            process: ProcessId {
                tgid: 2,
                start_ticks: 1,
            },
            call: Call::Openat,
            outlives: true,
        };
        let record = bytes(kind::CREATED, 0, &words, &[]);
        assert_eq!(decode(&record), Ok(Event::Created(expected)));
    }

    #[test]
    fn a_key_outlives_its_maker_in_the_keyring_of_a_user() {
        for (keyring, expected) in [
            (-1, false),
            (-2, false),
            (-3, false),
            (-4, true),
            (901, false),
        ] {
            let call = pair(Call::AddKey as u32, 5);
            let detail = u64::from(i32::cast_unsigned(keyring));
            let words = [9, 1, pair(2, 3), 77, 10_000_000, call, detail];
            let record = bytes(kind::CREATED, 0, &words, &[]);
            let Ok(Event::Created(created)) = decode(&record) else {
                panic!("{:?}", decode(&record))
            };
            assert_eq!(created.id, ObjectId::Key(77));
            assert_eq!(created.outlives, expected, "{keyring}");
        }
    }

    #[test]
    fn what_is_given_back_is_whole_pages() {
        let record =
            |kind, address, length| bytes(kind, 0, &[9, 1, pair(2, 3), 4, address, length], &[]);
        let Ok(Event::Unmapped(unmapped)) = decode(&record(kind::UNMAPPED, 4096, 1)) else {
            panic!("no release")
        };
        assert_eq!((unmapped.range.start, unmapped.range.end), (4096, 8192));
        for (address, length) in [(4097, 4096), (4096, 0), (u64::MAX - 4095, 8192)] {
            let decoded = decode(&record(kind::UNMAPPED, address, length));
            assert_eq!(decoded, Err(DecodeError::BadRange(address, length >> 12)));
        }
        let detached = decode(&record(kind::DETACHED, 8192, 0));
        assert!(matches!(detached, Ok(Event::Detached(it)) if it.address == 8192));
        let segment = decode(&record(kind::SEGMENT, 7, 4096));
        let expected = SegmentSize { id: 7, bytes: 4096 };
        assert_eq!(segment, Ok(Event::Segment(expected)));
    }

    fn a_piece(flags: u32, first: u32, bits: u32, table_bits: u32, tail: &[u8]) -> Vec<u8> {
        let words = [1, 2, pair(3, 3), 0, pair(first, bits), pair(table_bits, 0)];
        bytes(kind::SNAPSHOT, flags, &words, tail)
    }

    #[test]
    fn a_snapshot_piece_must_fit_its_table() {
        let good = a_piece(flag::DEATH, 0, 64, 64, &[0xff; 8]);
        assert!(matches!(decode(&good), Ok(Event::Snapshot(piece)) if piece.bits == [0xff; 8]));
        for (record, why) in [
            (a_piece(flag::DEATH, 64, 64, 64, &[0; 8]), "outside"),
            (a_piece(0, 0, 64, 64, &[0; 8]), "no occasion"),
            (
                a_piece(flag::DEATH | flag::EXEC, 0, 64, 64, &[0; 8]),
                "two occasions",
            ),
            (
                a_piece(flag::DEATH, u32::MAX - 7, 64, u32::MAX, &[0; 8]),
                "overflow",
            ),
        ] {
            assert_eq!(decode(&record), Err(DecodeError::BadSnapshot), "{why}");
        }
        let short = a_piece(flag::DEATH, 0, 64, 64, &[0; 7]);
        assert_eq!(decode(&short), Err(DecodeError::TooShort(short.len())));
    }

    #[test]
    fn an_exec_carries_path_and_arguments() {
        let mut tail = vec![0u8; 2 * wire::TEXT_BYTES];
        tail[..7].copy_from_slice(b"/bin/sh");
        tail[wire::TEXT_BYTES..wire::TEXT_BYTES + 5].copy_from_slice(b"sh\0-c");
        let words = [9, 8, pair(7, 7), 0, pair(4, 1000), pair(7, 5), 0x77];
        let record = bytes(kind::EXECED, flag::TEXT_CUT, &words, &tail);
        let Ok(Event::Execed(exec)) = decode(&record) else {
            panic!("{:?}", decode(&record))
        };
        assert_eq!(
            (exec.path.as_slice(), exec.args.as_slice()),
            (&b"/bin/sh"[..], &b"sh\0-c"[..])
        );
        assert_eq!((exec.exec_id, exec.uid, exec.text_cut), (4, 1000, true));
        assert_eq!(exec.space, Some(SpaceId(0x77)));
        let lies = [9, 8, pair(7, 7), 0, pair(4, 1000), pair(257, 5)];
        let record = bytes(kind::EXECED, 0, &lies, &tail);
        assert!(matches!(decode(&record), Err(DecodeError::TooShort(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(
            kind in 0u32..8, flags: u32, tail in prop::collection::vec(any::<u8>(), 0..700)
        ) {
            let record = bytes(kind, flags, &[], &tail);
            match decode(&record) {
                Ok(_) => {}
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
