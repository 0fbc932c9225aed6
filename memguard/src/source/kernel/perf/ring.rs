//! The ring of one CPU: a page that says how far the kernel has written and the agent has read,
//! and the records behind it.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use rustix::param::page_size;

use super::{super::mapping::Mapping, Attributes};

const WORD: usize = size_of::<u64>();

/// `data_head` and `data_tail` of `struct perf_event_mmap_page`, in words; the kernel asserts that
/// they are there.
/// <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/perf_event.h>
const HEAD: usize = 1024 / WORD;
const TAIL: usize = HEAD + 1;

/// The consumer's end.
#[derive(Debug)]
pub(super) struct Ring {
    cpu: u32,
    memory: Mapping,
    /// Words before the first record.
    lead: usize,
    /// Bytes for records.
    data: usize,
    /// Open for as long as records are wanted.
    event: OwnedFd,
}

impl Ring {
    /// Of a CPU that is online, with room for `data` bytes of records: a power of two. At `full`
    /// unread ones it wakes who waits for it.
    pub(super) fn open(
        attributes: &Attributes,
        data: usize,
        full: usize,
        cpu: u32,
    ) -> io::Result<Self> {
        let event = attributes.waking_at(full as u32).open(cpu)?;
        let lead = page_size();
        Ok(Self {
            cpu,
            memory: Mapping::new(event.as_fd(), lead + data)?,
            lead: lead / WORD,
            data,
            event,
        })
    }

    pub(super) fn cpu(&self) -> u32 {
        self.cpu
    }

    /// What to wait for.
    pub(super) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// Memory in the kernel.
    pub(super) fn bytes(&self) -> u64 {
        (self.lead * WORD + self.data) as u64
    }

    /// Appends what is unread to `into`, in one piece, and gives its room back to the kernel. False
    /// where the kernel's position makes no sense; then everything is skipped.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "two that take at once would both get the same"
    )]
    pub(super) fn take(&mut self, into: &mut Vec<u8>) -> bool {
        let (lead, data) = self.memory.words().split_at(self.lead);
        let [head, tail] = [HEAD, TAIL].map(|word| lead.get(word));
        let (Some(head), Some(tail)) = (head, tail) else {
            return false;
        };
        // What is older than the head was written before it.
        let end = head.load(Acquire);
        let whole = copy(data, tail.load(Relaxed), end, into);
        // The kernel writes over what is older than the tail, so all of it was read before.
        tail.store(end, Release);
        whole
    }
}

/// Copies the bytes between two positions, which count on where the ring begins again. Records and
/// so positions are multiples of a word.
fn copy(data: &[AtomicU64], start: u64, end: u64, into: &mut Vec<u8>) -> bool {
    let size = (data.len() * WORD) as u64;
    if end.wrapping_sub(start) > size {
        return false;
    }
    let unread = end.wrapping_sub(start) as usize / WORD;
    let first = start.checked_rem(size).unwrap_or(0) as usize / WORD;
    let words = data.iter().cycle().skip(first).take(unread);
    into.extend(words.flat_map(|word| word.load(Relaxed).to_ne_bytes()));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of four words, whose positions have come around several times.
    #[track_caller]
    fn check(start: u64, end: u64, expected: Option<&[u64]>) {
        let data = [10, 11, 12, 13].map(AtomicU64::new);
        let mut into = Vec::new();
        let whole = copy(&data, start, end, &mut into);
        let words = into.chunks(WORD);
        let words: Vec<_> = words
            .map(|word| u64::from_ne_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(whole.then_some(words.as_slice()), expected);
    }

    #[test]
    fn what_is_unread_comes_in_one_piece() {
        check(320, 320, Some(&[]));
        check(320, 336, Some(&[10, 11]));
        check(328, 360, Some(&[11, 12, 13, 10]));
        check(344, 360, Some(&[13, 10]));
    }

    #[test]
    fn positions_that_make_no_sense_are_skipped() {
        check(320, 360, None);
        check(336, 320, None);
        check(u64::MAX - 7, 8, Some(&[13, 10]));
    }
}
