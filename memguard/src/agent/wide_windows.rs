//! Wide windows that wait for their handle to leave the nursery: most are released in it.

use std::collections::BTreeMap;

use crate::{
    decode,
    model::{
        ids::{ProcessId, Stamp},
        origin::Window,
    },
};

/// Most that wait, 8 MiB; the oldest goes first.
const WAITING: usize = 512;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WideWindows {
    /// By when and by whom it was acquired.
    waiting: BTreeMap<(Stamp, ProcessId), Window>,
    /// That went because others came.
    pub(super) dropped: u64,
}

impl WideWindows {
    /// Keeps one until it is asked for.
    pub(super) fn keep(&mut self, wide: decode::WideWindow) {
        self.waiting.insert((wide.stamp, wide.process), wide.window);
        if self.waiting.len() > WAITING {
            self.waiting.pop_first();
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The one of an acquisition.
    pub(super) fn take(&mut self, process: ProcessId, stamp: Stamp) -> Option<Window> {
        self.waiting.remove(&(stamp, process))
    }

    /// What was acquired up to `cutoff` has left the nursery, or never will.
    pub(super) fn swept(&mut self, cutoff: Stamp) {
        self.waiting.retain(|(stamp, _), _| *stamp > cutoff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> ProcessId {
        ProcessId {
            tgid: 7,
            start_ticks: 1,
        }
    }

    fn wide(stamp: u64) -> decode::WideWindow {
        decode::WideWindow {
            process: process(),
            stamp: Stamp(stamp),
            window: Window {
                ip: stamp,
                sp: 0,
                bp: 0,
                stack: Box::new([0]),
                cut: true,
                interrupted: false,
            },
        }
    }

    #[test]
    fn a_window_is_given_once_and_only_to_its_own_handle() {
        let mut windows = WideWindows::default();
        windows.keep(wide(5));
        windows.keep(wide(6));
        assert_eq!(windows.take(process(), Stamp(4)), None);
        let ip = windows.take(process(), Stamp(6)).map(|window| window.ip);
        assert_eq!(ip, Some(6));
        assert_eq!(windows.take(process(), Stamp(6)), None);
        windows.swept(Stamp(5));
        assert_eq!(windows.take(process(), Stamp(5)), None);
        assert_eq!(windows.dropped, 0);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut windows = WideWindows::default();
        for stamp in 0..WAITING as u64 + 2 {
            windows.keep(wide(stamp));
        }
        assert_eq!(windows.dropped, 2);
        assert_eq!(windows.take(process(), Stamp(1)), None);
        assert!(windows.take(process(), Stamp(2)).is_some());
    }
}
