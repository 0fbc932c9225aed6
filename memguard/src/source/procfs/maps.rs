//! Which files a process runs code from: `/proc/PID/maps`, `proc_pid_maps(5)`.

use std::{ops::ControlFlow, str, sync::Arc};

use rustix::fs::makedev;

use super::{ProcError, Procfs, text};
use crate::model::origin::{Mapping, Module};

/// Most mappings that are taken of one process.
pub const MAPPINGS: usize = 4096;

/// The most that is read: 65 530 mappings, which is the kernel's default limit, with long paths.
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// What the kernel calls the code that it maps into every process.
pub const VDSO: &str = "[vdso]";

/// What follows a path whose file has been removed.
pub(super) const DELETED: &[u8] = b" (deleted)";

impl Procfs {
    /// Executable memory of a process that is of a file, or the vdso, by address; at most
    /// [`MAPPINGS`]. Empty for a zombie. No build ids: the files have them.
    pub fn mappings(&self, tgid: u32) -> Result<Vec<Mapping>, ProcError> {
        let mut mappings = Vec::new();
        self.each_line_of(tgid, "maps", BYTES, |line| {
            mappings.extend(parse(line));
            if mappings.len() < MAPPINGS {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(mappings)
    }
}

/// `start-end perms offset major:minor inode path`; `None` for what is not executable or of no
/// file.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let (start, end) = pair(fields.next()?, '-')?;
    let executable = fields.next()?.get(2) == Some(&b'x');
    let file_offset = u64::from_str_radix(str::from_utf8(fields.next()?).ok()?, 16).ok()?;
    let (major, minor) = pair(fields.next()?, ':')?;
    let inode = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let path = name(fields.next()?.trim_ascii_start());
    let known = executable && start < end && (inode != 0 || path == VDSO);
    known.then(|| Mapping {
        start,
        end,
        file_offset,
        module: Arc::new(Module {
            path: path.into(),
            build_id: None,
        }),
        device: makedev(major as u32, minor as u32),
        inode,
    })
}

/// Two hexadecimal numbers.
pub(super) fn pair(field: &[u8], separator: char) -> Option<(u64, u64)> {
    let (first, second) = str::from_utf8(field).ok()?.split_once(separator)?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((number(first)?, number(second)?))
}

/// The path as it was when it was mapped: without the mark of a removed file, and with the newlines
/// that the kernel escapes, and nothing else.
fn name(field: &[u8]) -> String {
    let path = field.strip_suffix(DELETED).unwrap_or(field);
    text(path).replace("\\012", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::{TestProcfs, real};

    const CAT: &str = "\
55d0c0000000-55d0c0002000 r--p 00000000 fe:01 1835112                    /usr/bin/cat
55d0c0002000-55d0c0006000 r-xp 00002000 fe:01 1835112                    /usr/bin/cat
7f0000000000-7f0000001000 r-xp 00000000 00:00 0 
7f0000002000-7f0000003000 rwxp 00000000 00:01 1027                       /memfd:jit (deleted)
7f0000004000-7f0000005000 r-xp 0001f000 00:2a 77                         /tmp/a\\012b c (deleted)
7ffe00000000-7ffe00002000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn only_executable_memory_of_files_is_taken() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'S', 1)
            .file("7/maps", CAT.as_bytes());
        let found = tree.procfs().mappings(7).unwrap();
        let paths: Vec<_> = found
            .iter()
            .map(|mapping| (mapping.start, &*mapping.module.path, mapping.inode))
            .collect();
        assert_eq!(
            paths,
            [
                (0x55d0_c000_2000, "/usr/bin/cat", 1835112),
                (0x7f00_0000_2000, "/memfd:jit", 1027),
                (0x7f00_0000_4000, "/tmp/a\nb c", 77),
                (0x7ffe_0000_0000, "[vdso]", 0),
            ]
        );
        assert_eq!(found[0].file_offset, 0x2000);
        assert_eq!(found[0].device, makedev(0xfe, 1));
    }

    #[test]
    fn lines_that_cross_the_buffer_are_read_whole() {
        let tree = TestProcfs::new();
        let line = |page: usize| {
            let (path, inode) = ("x".repeat(page % 300), page + 1);
            format!("{page:x}000-{page:x}fff r-xp 00000000 08:01 {inode} /{path}\n")
        };
        let lines = (0..2000).map(line).collect::<Vec<_>>().concat();
        tree.process(7, b"cat", 'S', 1)
            .file("7/maps", lines.as_bytes());
        let found = tree.procfs().mappings(7).unwrap();
        assert_eq!(found.len(), 2000);
        assert!(found.iter().zip(0..).all(|(mapping, page)| {
            mapping.inode == page + 1 && mapping.module.path.len() as u64 == page % 300 + 1
        }));
    }

    #[test]
    fn the_number_of_mappings_is_bounded() {
        let tree = TestProcfs::new();
        let line = "1000-2000 r-xp 00000000 08:01 5 /x\n".repeat(2 * MAPPINGS);
        tree.process(7, b"cat", 'S', 1)
            .file("7/maps", line.as_bytes());
        assert_eq!(tree.procfs().mappings(7).unwrap().len(), MAPPINGS);
    }

    #[test]
    fn a_dead_leader_is_asked_through_a_live_thread() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'Z', 1).thread(7, 8, 'S');
        tree.file("7/maps", b"")
            .file("7/task/8/maps", CAT.as_bytes());
        assert_eq!(tree.procfs().mappings(7).unwrap().len(), 4);
    }

    #[test]
    fn nonsense_is_no_mapping() {
        for line in [
            "",
            "x",
            "1-2",
            "2000-1000 r-xp 0 08:01 5 /x",
            "1000-2000 r-x",
            "1000-2000 r-xp zz 08:01 5 /x",
            "1000-2000 r-xp 0 0801 5 /x",
            "1000-2000 r-xp 0 08:01 -5 /x",
            "\u{fffd}-2000 r-xp 0 08:01 5 /x",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn this_process_runs_code_from_its_own_file() {
        let own = std::env::current_exe().unwrap();
        let found = real().mappings(std::process::id()).unwrap();
        let code = own.to_str().unwrap();
        assert!(found.iter().any(|mapping| &*mapping.module.path == code));
        assert!(found.iter().any(|mapping| &*mapping.module.path == VDSO));
    }
}
