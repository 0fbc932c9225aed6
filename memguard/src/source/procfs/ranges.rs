//! Everything a process has mapped: `/proc/PID/maps`, `proc_pid_maps(5)`.

use std::ops::ControlFlow;

use super::{ProcError, Procfs, maps::pair};
use crate::model::{memory::Range, observed::MappedRange};

/// The most that is read: a million mappings, which is what some databases ask to be allowed.
const BYTES: usize = 128 * 1024 * 1024;

/// What the kernel prints behind the mappings of a process, though it is none.
const VSYSCALL: &[u8] = b"[vsyscall]";

impl MappedRange {
    /// From a line of `maps`, or the first of a mapping in `smaps`.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let (start, end) = pair(fields.next()?, '-')?;
        let &[read, write, execute, shared] = fields.next()? else {
            return None;
        };
        let of_file = fields.nth(2).is_some_and(|inode| inode != b"0");
        let bit = |letter, expected, bit: i32| if letter == expected { bit as u8 } else { 0 };
        let protection = bit(read, b'r', libc::PROT_READ)
            | bit(write, b'w', libc::PROT_WRITE)
            | bit(execute, b'x', libc::PROT_EXEC);
        (start < end).then_some(Self {
            range: Range { start, end },
            protection,
            shared: shared == b's',
            of_file,
        })
    }
}

impl Procfs {
    /// Every mapping of a process, by address; empty for a zombie. An error where there are too
    /// many to read, so that nothing passes for unmapped.
    pub fn mapped_ranges(&self, tgid: u32) -> Result<Vec<MappedRange>, ProcError> {
        let mut ranges = Vec::new();
        self.each_mapping(tgid, |line| ranges.extend(MappedRange::parse(line)))?;
        Ok(ranges)
    }

    /// How many mappings a process has; what `vm.max_map_count` limits.
    pub fn map_count(&self, tgid: u32) -> Result<u64, ProcError> {
        let mut count = 0;
        self.each_mapping(tgid, |_| count += 1)?;
        Ok(count)
    }

    pub(super) fn each_mapping(
        &self,
        tgid: u32,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), ProcError> {
        let whole = self.each_line_of(tgid, "maps", BYTES, |line| {
            if !line.ends_with(VSYSCALL) {
                each(line);
            }
            ControlFlow::Continue(())
        })?;
        self.complete(whole, tgid, "maps")
    }

    /// An error where a file was longer than what is read of it.
    pub(super) fn complete(&self, whole: bool, tgid: u32, file: &str) -> Result<(), ProcError> {
        if whole {
            return Ok(());
        }
        Err(ProcError::Io {
            path: self.root().join(format!("{tgid}/{file}")),
            source: std::io::ErrorKind::FileTooLarge.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    const MAPS: &[u8] = b"\
1000-3000 r-xp 00002000 fe:01 1835112                    /usr/bin/cat
3000-4000 ---p 00000000 00:00 0 
7f0000000000-7f0000004000 rw-s 00000000 00:01 1027                       /memfd:x (deleted)
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn every_mapping_is_told_with_its_protection() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'S', 1).file("7/maps", MAPS);
        tree.process(8, b"cat", 'Z', 1)
            .thread(8, 9, 'S')
            .file("8/maps", b"")
            .file("8/task/9/maps", MAPS);
        let procfs = tree.procfs();
        for tgid in [7, 8] {
            let found = procfs.mapped_ranges(tgid).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|found| {
                    (
                        found.range.start,
                        found.range.bytes(),
                        found.protection,
                        found.shared,
                        found.of_file,
                    )
                })
                .collect();
            let expected = [
                (0x1000, 0x2000, 5, false, true),
                (0x3000, 0x1000, 0, false, false),
                (0x7f00_0000_0000, 0x4000, 3, true, true),
            ];
            assert_eq!(found, expected);
            assert_eq!(procfs.map_count(tgid).unwrap(), 3);
        }
        assert!(procfs.map_count(99).unwrap_err().is_gone());
    }

    #[test]
    fn nonsense_is_no_mapping() {
        for line in [
            "",
            "1-2",
            "2000-1000 r-xp 0",
            "1000-2000 r-x",
            "x-y r-xp",
            "1000-2000 r-xps",
        ] {
            assert_eq!(MappedRange::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let error = TestProcfs::new()
            .procfs()
            .complete(false, 7, "maps")
            .unwrap_err();
        assert!(error.to_string().contains("/7/maps: "), "{error}");
    }
}
