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

/// Sites lie between each other; each has its own answers, in order, of one reading.
#[test]
fn many_requests_at_once_are_as_each_alone() {
    let tree = tree();
    tree.file("7/pagemap", &pagemap());
    let procfs = tree.procfs();
    let ranges: Vec<_> = (0..220).map(|n| range(n * 5, 5)).collect();
    let mut requests = vec![Vec::new(); 7];
    for (index, range) in ranges.into_iter().enumerate() {
        requests[index % 7].push(range);
    }
    requests.insert(3, Vec::new());
    let asked: Vec<&[Range]> = requests.iter().map(Vec::as_slice).collect();
    let together = procfs.residency_of(7, &asked).unwrap();
    let alone = asked
        .iter()
        .map(|ranges| procfs.residency(7, ranges).unwrap());
    assert_eq!(together, alone.collect::<Vec<_>>());
    assert_eq!(procfs.residency_of(7, &[]).unwrap(), Vec::<Vec<_>>::new());
    assert!(procfs.residency_of(99, &asked).unwrap_err().is_gone());
}
