//! The ring buffer: drained with a budget, so that no flood keeps the agent from its other duties.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;

/// Records taken at most before the caller gets a turn.
pub(super) const BUDGET: usize = 4096;

/// Bytes of the smallest record with its header in the ring.
pub(super) const SMALLEST: usize = size_of::<memguard_common::event::Released>() + 8;

/// The consumer's end.
#[derive(Debug)]
pub struct Ring {
    buffer: AsyncFd<Buffer>,
}

struct Buffer(RingBuf<MapData>);

impl std::fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RingBuf")
    }
}

impl AsRawFd for Buffer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Buffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Ring {
    /// Needs a tokio runtime to wait with.
    pub fn new(buffer: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the descriptor is the ring's own, open for as long as `buffer`, and always the
        // same.
        let buffer = unsafe { AsyncFd::register(Buffer(buffer)) }?;
        Ok(Self { buffer })
    }

    /// Waits until there are records. Safe to give up at any time: nothing is taken.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.buffer.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Gives a budget of records to `take`; true where the ring is empty now. Epoll is
    /// edge-triggered here: after a `false`, drain again before waiting.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let buffer = &mut self.buffer.get_mut().0;
        for _ in 0..BUDGET {
            match buffer.next() {
                Some(record) => take(&record),
                None => return true,
            }
        }
        false
    }
}
