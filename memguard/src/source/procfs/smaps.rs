//! What of some ranges of addresses is still mapped, and resident: `/proc/PID/smaps`,
//! `proc_pid_smaps(5)`.
//!
//! The kernel merges neighbours that are alike into one mapping, so a mapping may be partly in an
//! asked range, and a range may be many mappings. What of a part is resident, its pages tell. The
//! file is in order of addresses, and so are the ranges: both are gone through once.

use std::ops::ControlFlow;

use super::{ProcError, Procfs, pagemap::Bytes, ranges::MappedRange, usage::bytes};
use crate::model::memory::{PAGE, Range};

/// The most that is read, 0.7 KiB a mapping: as many as `maps` is read of.
const BYTES: usize = 1024 * 1024 * 1024;

/// The most pages that are asked for one by one: 1 GiB.
const PAGES: u64 = 256 * 1024;

/// What is in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residency {
    /// The range, as asked.
    pub range: Range,
    /// Bytes that are still mapped.
    pub mapped_bytes: u64,
    /// Of them, bytes that may be read, written or executed: not `PROT_NONE`.
    pub accessible_bytes: u64,
    /// Of them, bytes for which no swap space was reserved: `MAP_NORESERVE`.
    pub noreserve_bytes: u64,
    /// Bytes that are resident, pages of `hugetlb` included; see [`Residency::estimated`].
    pub resident_bytes: u64,
    /// Bytes that are swapped out, likewise.
    pub swap_bytes: u64,
    /// Bytes that were written and are in no file, or not yet. Of a mapping that is only partly in
    /// the range, the same part of its bytes.
    pub dirty_bytes: u64,
    /// Bytes in transparent huge pages, likewise.
    pub huge_bytes: u64,
    /// A mapping that is partly resident or swapped is only partly in the range, and its pages
    /// were too many, or not allowed, to be asked one by one: of its bytes, the same part was
    /// taken.
    pub estimated: bool,
    /// What the first mapping that has a name is called: path of a file as the kernel prints it,
    /// or for example `[heap]`, `[stack]`, `[anon:x]`.
    pub name: Option<Vec<u8>>,
}

impl Residency {
    /// Bytes in use, in memory or swapped out.
    pub fn used_bytes(&self) -> u64 {
        self.resident_bytes.saturating_add(self.swap_bytes)
    }
}

impl Procfs {
    /// What is in each of some ranges, which are in order and have nothing in common. Nothing for a
    /// zombie. As dear as the mappings up to the last range are many, 1.4 µs each and more where
    /// they are large. [`ProcError::Gone`] where there is no such process.
    pub fn residency(&self, tgid: u32, ranges: &[Range]) -> Result<Vec<Residency>, ProcError> {
        let mut merge = Merge::new(ranges);
        let whole = self.each_line_of(tgid, "smaps", BYTES, |line| merge.line(line))?;
        self.complete(whole, tgid, "smaps")?;
        merge.flush();
        let Merge {
            mut found, open, ..
        } = merge;
        self.settle(tgid, &mut found, &open);
        Ok(found)
    }

    /// Parts of mappings, of which only their pages can tell.
    fn settle(&self, tgid: u32, found: &mut [Residency], open: &[Open]) {
        let map = (!open.is_empty()).then(|| self.page_map(tgid)).flatten();
        let mut left = PAGES;
        for open in open {
            let Some(residency) = found.get_mut(open.at) else {
                continue;
            };
            let affordable = left.checked_sub(open.range.bytes() / PAGE);
            left = affordable.unwrap_or(left);
            let exact = affordable.and_then(|_| map.as_ref()?.bytes(open.range));
            residency.estimated |= exact.is_none();
            open.add_to(residency, exact);
        }
    }
}

/// Part of a mapping.
#[derive(Debug)]
struct Open {
    /// Which of the asked ranges it is in.
    at: usize,
    range: Range,
    /// Resident and swapped bytes of the whole mapping.
    whole: Bytes,
    mapping: Range,
}

impl Open {
    /// No more than the whole has: pages of zeros are nobody's memory.
    fn add_to(&self, found: &mut Residency, exact: Option<Bytes>) {
        let Self { whole, .. } = *self;
        let share = |value| part(value, self.range.bytes(), self.mapping.bytes());
        let estimate = || Bytes {
            resident: share(whole.resident),
            swapped: share(whole.swapped),
        };
        let Bytes { resident, swapped } = exact.unwrap_or_else(estimate);
        for (total, value, most) in [
            (&mut found.resident_bytes, resident, whole.resident),
            (&mut found.swap_bytes, swapped, whole.swapped),
        ] {
            *total = total.saturating_add(value.min(most));
        }
    }
}

/// Where the merge of ranges and mappings is.
#[derive(Debug)]
struct Merge {
    found: Vec<Residency>,
    /// The first range that does not end before the mapping.
    at: usize,
    /// The mapping whose lines are being read, where it is in a range.
    mapping: Option<Mapping>,
    /// What has to be asked of pages.
    open: Vec<Open>,
}

/// A mapping.
#[derive(Debug)]
struct Mapping {
    mapped: MappedRange,
    name: Option<Vec<u8>>,
    noreserve: bool,
    resident: u64,
    swap: u64,
    dirty: u64,
    huge: u64,
}

impl Merge {
    fn new(ranges: &[Range]) -> Self {
        Self {
            found: ranges.iter().copied().map(nothing).collect(),
            at: 0,
            mapping: None,
            open: Vec::new(),
        }
    }

    /// Only lines of a mapping's numbers begin with a capital letter.
    fn line(&mut self, line: &[u8]) -> ControlFlow<()> {
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            if let Some(mapping) = &mut self.mapping {
                mapping.number(line);
            }
            return ControlFlow::Continue(());
        }
        let Some(mapped) = MappedRange::parse(line) else {
            return ControlFlow::Continue(());
        };
        self.flush();
        self.begin(mapped, line)
    }

    /// Breaks where no range is left.
    fn begin(&mut self, mapped: MappedRange, line: &[u8]) -> ControlFlow<()> {
        let Self {
            found, at, mapping, ..
        } = self;
        let ended = |found: &&Residency| found.range.end <= mapped.range.start;
        *at += found.iter().skip(*at).take_while(ended).count();
        let Some(next) = found.get(*at) else {
            return ControlFlow::Break(());
        };
        let inside = next.range.common(mapped.range).is_some();
        *mapping = inside.then(|| Mapping::new(mapped, line));
        ControlFlow::Continue(())
    }

    /// All lines of the mapping have been read.
    fn flush(&mut self) {
        let Some(mapping) = self.mapping.take() else {
            return;
        };
        for (at, residency) in self.found.iter_mut().enumerate().skip(self.at) {
            let Some(common) = residency.range.common(mapping.mapped.range) else {
                break;
            };
            mapping.add_to(residency, common.bytes());
            self.open.extend(mapping.resident_in(at, common, residency));
        }
    }
}

impl Mapping {
    fn new(mapped: MappedRange, line: &[u8]) -> Self {
        Self {
            mapped,
            name: name(line),
            noreserve: false,
            resident: 0,
            swap: 0,
            dirty: 0,
            huge: 0,
        }
    }

    /// `Rss` does not count pages of `hugetlb`. What cannot be read is 0.
    fn number(&mut self, line: &[u8]) {
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((key, value)) = colon.and_then(|colon| line.split_at_checked(colon + 1)) else {
            return;
        };
        let total = match key {
            b"Rss:" | b"Shared_Hugetlb:" | b"Private_Hugetlb:" => &mut self.resident,
            b"Swap:" => &mut self.swap,
            b"Shared_Dirty:" | b"Private_Dirty:" => &mut self.dirty,
            b"AnonHugePages:" | b"ShmemPmdMapped:" => &mut self.huge,
            b"VmFlags:" => {
                self.noreserve = value.split(|&byte| byte == b' ').any(|flag| flag == b"nr");
                return;
            }
            _ => return,
        };
        *total = total.saturating_add(bytes(value).unwrap_or(0));
    }

    /// `common` bytes of the mapping are in the range.
    fn add_to(&self, found: &mut Residency, common: u64) {
        let all = self.mapped.range.bytes();
        let only_if = |condition| if condition { common } else { 0 };
        for (total, bytes) in [
            (&mut found.mapped_bytes, common),
            (
                &mut found.accessible_bytes,
                only_if(self.mapped.protection != 0),
            ),
            (&mut found.noreserve_bytes, only_if(self.noreserve)),
            (&mut found.dirty_bytes, part(self.dirty, common, all)),
            (&mut found.huge_bytes, part(self.huge, common, all)),
        ] {
            *total = total.saturating_add(bytes);
        }
        if found.name.is_none() {
            found.name.clone_from(&self.name);
        }
    }

    /// Adds what is resident and swapped, where all or nothing of the mapping is.
    fn resident_in(&self, at: usize, common: Range, found: &mut Residency) -> Option<Open> {
        let mapping = self.mapped.range;
        let clear = |value| value == 0 || value >= mapping.bytes();
        let open = Open {
            at,
            range: common,
            whole: Bytes {
                resident: self.resident,
                swapped: self.swap,
            },
            mapping,
        };
        if common == mapping || (clear(self.resident) && clear(self.swap)) {
            open.add_to(found, None);
            return None;
        }
        Some(open)
    }
}

fn nothing(range: Range) -> Residency {
    Residency {
        range,
        mapped_bytes: 0,
        accessible_bytes: 0,
        noreserve_bytes: 0,
        resident_bytes: 0,
        swap_bytes: 0,
        dirty_bytes: 0,
        huge_bytes: 0,
        estimated: false,
        name: None,
    }
}

/// The part of `value` that `common` is of `all`, which is not 0.
fn part(value: u64, common: u64, all: u64) -> u64 {
    let part = u128::from(value) * u128::from(common) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The sixth field, which may hold blanks.
fn name(line: &[u8]) -> Option<Vec<u8>> {
    let field = line.splitn(6, |&byte| byte == b' ').nth(5)?.trim_ascii();
    (!field.is_empty()).then(|| field.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    /// A mapping as the kernel prints it, numbers in pages.
    fn mapping(first: u64, pages: u64, perms: &str, numbers: &str, rest: &str) -> String {
        let (start, end) = (first * 4096, (first + pages) * 4096);
        let numbers: Vec<u64> = numbers.split(' ').map(|n| n.parse().unwrap()).collect();
        let &[rss, swap, dirty, huge] = &numbers[..] else {
            panic!("{numbers:?}");
        };
        let [rss, swap, dirty, huge] = [rss, swap, dirty, huge].map(|pages| pages * 4);
        let (path, flags) = rest.split_once('|').unwrap();
        format!(
            "{start:x}-{end:x} {perms} 00000000 00:00 0    {path}\n\
             Size:       {} kB\nRss:      {rss} kB\nPss:       1 kB\nShared_Dirty:      0 kB\n\
             Private_Dirty: {dirty} kB\nAnonymous:    9 kB\nAnonHugePages:   {huge} kB\n\
             Shared_Hugetlb:  0 kB\nPrivate_Hugetlb:       0 kB\nSwap:      {swap} kB\n\
             SwapPss:      7 kB\nTHPeligible:    0\nVmFlags: {flags} \n",
            pages * 4
        )
    }

    fn smaps() -> String {
        [
            mapping(10, 4, "rw-p", "4 0 4 0", "[heap]|rd wr mr mw me ac"),
            mapping(20, 10, "rw-p", "5 5 0 0", "|rd wr mr mw me ac"),
            mapping(30, 10, "---p", "0 0 0 0", "|mr mw me nr"),
            mapping(40, 2, "rw-s", "1 0 1 0", "/a b (deleted)|rd wr sh"),
            mapping(42, 1024, "rw-p", "1024 0 1024 512", "|rd wr nr hg"),
        ]
        .concat()
    }

    /// Of the pages 20 to 29, the first five are resident and the others swapped.
    fn pagemap() -> Vec<u8> {
        let entry = |page: u64| match page {
            20..25 => 1 << 63,
            25..30 => 1 << 62,
            _ => 0_u64,
        };
        (0..30).map(entry).flat_map(u64::to_ne_bytes).collect()
    }

    fn tree() -> TestProcfs {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/smaps", smaps().as_bytes());
        tree
    }

    fn range(first: u64, pages: u64) -> Range {
        Range::of(first * 4096, pages * 4096).unwrap()
    }

    /// Pages: mapped, accessible, noreserve, resident, swap, dirty, huge.
    fn pages(found: &Residency) -> [u64; 7] {
        [
            found.mapped_bytes,
            found.accessible_bytes,
            found.noreserve_bytes,
            found.resident_bytes,
            found.swap_bytes,
            found.dirty_bytes,
            found.huge_bytes,
        ]
        .map(|bytes| bytes / 4096)
    }

    #[test]
    fn each_range_has_its_part_of_every_mapping() {
        let tree = tree();
        let procfs = tree.procfs();
        for (asked, expected, estimated, name) in [
            (range(1, 5), [0; 7], false, None),
            (range(10, 4), [4, 4, 0, 4, 0, 4, 0], false, Some("[heap]")),
            (range(11, 2), [2, 2, 0, 2, 0, 2, 0], false, Some("[heap]")),
            (range(20, 10), [10, 10, 0, 5, 5, 0, 0], false, None),
            (range(20, 4), [4, 4, 0, 2, 2, 0, 0], true, None),
            (range(30, 10), [10, 0, 10, 0, 0, 0, 0], false, None),
            (range(28, 4), [4, 2, 2, 1, 1, 0, 0], true, None),
            (
                range(38, 4),
                [4, 2, 2, 1, 0, 1, 0],
                false,
                Some("/a b (deleted)"),
            ),
            (
                range(42, 2000),
                [1024, 1024, 1024, 1024, 0, 1024, 512],
                false,
                None,
            ),
            (range(5000, 1), [0; 7], false, None),
        ] {
            let found = procfs.residency(7, &[asked]).unwrap();
            assert_eq!(pages(&found[0]), expected, "{asked:?}");
            assert_eq!(found[0].estimated, estimated, "{asked:?}");
            assert_eq!(
                found[0].name.as_deref(),
                name.map(str::as_bytes),
                "{asked:?}"
            );
        }
    }
    #[test]
    fn pages_are_asked_where_part_of_a_mapping_is_in_a_range() {
        let tree = tree();
        tree.file("7/pagemap", &pagemap());
        let asked = [range(18, 4), range(22, 4), range(26, 3), range(29, 2)];
        let found = tree.procfs().residency(7, &asked).unwrap();
        let sizes = found
            .iter()
            .map(|found| [found.resident_bytes, found.swap_bytes]);
        let sizes: Vec<_> = sizes.map(|sizes| sizes.map(|bytes| bytes / 4096)).collect();
        assert_eq!(sizes, [[2, 0], [3, 1], [0, 3], [0, 1]]);
        assert!(found.iter().all(|found| !found.estimated));
        // Beyond the file, and beyond what is affordable.
        tree.file("7/pagemap", &pagemap()[..22 * 8]);
        let found = tree.procfs().residency(7, &asked).unwrap();
        let estimated: Vec<_> = found.iter().map(|found| found.estimated).collect();
        assert_eq!(estimated, [false, true, true, true]);
    }

    /// However the ranges are cut, the answer is that for each alone.
    #[test]
    fn many_ranges_at_once_are_as_each_alone() {
        let tree = tree();
        let procfs = tree.procfs();
        for width in 1..40 {
            let ranges: Vec<_> = (0..1100 / width).map(|n| range(n * width, width)).collect();
            let together = procfs.residency(7, &ranges).unwrap();
            let alone = ranges.iter().map(|&range| procfs.residency(7, &[range]));
            let alone: Vec<_> = alone.map(|found| found.unwrap().remove(0)).collect();
            assert_eq!(together, alone, "{width}");
        }
        assert_eq!(procfs.residency(7, &[]).unwrap(), []);
        let all = procfs.residency(7, &[Range::ALL]).unwrap();
        assert_eq!(pages(&all[0]), [1050, 1040, 1034, 1034, 5, 1029, 512]);
        assert!(!all[0].estimated);
    }

    #[test]
    fn a_process_without_leader_is_asked_through_a_thread() {
        let tree = tree();
        tree.process(8, b"api", 'Z', 1)
            .thread(8, 9, 'S')
            .file("8/smaps", b"")
            .file("8/task/9/smaps", smaps().as_bytes());
        tree.process(5, b"zombie", 'Z', 1).file("5/smaps", b"");
        let procfs = tree.procfs();
        let mapped = |tgid| procfs.residency(tgid, &[range(10, 4)]).unwrap()[0].mapped_bytes;
        assert_eq!((mapped(8), mapped(5)), (4 * 4096, 0));
        assert!(procfs.residency(99, &[range(10, 4)]).unwrap_err().is_gone());
    }

    #[test]
    fn hugetlb_pages_are_resident_and_nonsense_is_nothing() {
        let tree = TestProcfs::new();
        let text = "x\n\nRss: 4 kB\n1000-3000 rw-p 0 00:00 0\nRss: x kB\nPrivate_Hugetlb: 8 kB\nSwap\n\
                    5000-4000 rw-p\nRss: 4 kB\n";
        tree.process(7, b"api", 'S', 1)
            .file("7/smaps", text.as_bytes());
        let found = tree.procfs().residency(7, &[range(1, 2)]).unwrap();
        assert_eq!(pages(&found[0]), [2, 2, 0, 3, 0, 0, 0]);
    }
}
