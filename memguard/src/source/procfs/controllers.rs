//! Limits of control groups, v1 and v2, on a process: cgroups(7), `mountinfo` of proc(5).
//!
//! A process is bound by the limits of its group and of all groups above it. Where the hierarchies
//! are mounted is what memguard's own mount namespace says.

use std::{
    ops::ControlFlow,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Procfs, cgroup};
use crate::model::memory::Ceiling;

/// The most that is read of `mountinfo`; hosts with many containers have thousands of mounts.
const MOUNTS: usize = 4 * 1024 * 1024;

/// From here on a v1 limit means none: the kernel's is the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;

/// The files of a controller in one version.
#[derive(Debug)]
struct Files {
    /// The limit, which names the ceiling.
    limit: &'static str,
    usage: &'static str,
    /// Lines of `memory.stat`, those of the whole subtree: what counts as usage but is taken back
    /// before the limit kills anybody.
    cache: [&'static str; 2],
}

/// A controller in both versions.
#[derive(Debug)]
pub(super) struct Controller {
    name: &'static str,
    v1: Files,
    v2: Files,
}

pub(super) const MEMORY: Controller = Controller {
    name: "memory",
    v1: Files {
        limit: "memory.limit_in_bytes",
        usage: "memory.usage_in_bytes",
        cache: ["total_inactive_file ", "total_active_file "],
    },
    v2: Files {
        limit: "memory.max",
        usage: "memory.current",
        cache: ["inactive_file ", "active_file "],
    },
};

pub(super) const PIDS: Controller = Controller {
    name: "pids",
    v1: PIDS_FILES,
    v2: PIDS_FILES,
};

const PIDS_FILES: Files = Files {
    limit: "pids.max",
    usage: "pids.current",
    cache: [""; 2],
};

impl Procfs {
    /// Of the limits on the group of a process and on those above it, the one with least room left.
    pub(super) fn group_ceiling(&self, tgid: u32, controller: &Controller) -> Option<Ceiling> {
        let (group, files, mount) = self.group(tgid, controller)?;
        let levels = group
            .ancestors()
            .take_while(|level| level.starts_with(&mount));
        let ceilings = levels.filter_map(|level| self.level(level, files));
        ceilings.min_by_key(|ceiling| ceiling.value.saturating_sub(ceiling.used))
    }

    /// Directory of the group that binds a process, and where its hierarchy is mounted. A leader
    /// that has exited has left its v1 group.
    fn group<'a>(
        &self,
        tgid: u32,
        controller: &'a Controller,
    ) -> Option<(PathBuf, &'a Files, PathBuf)> {
        let place = self.directory(tgid, self.alive(tgid, tgid).unwrap_or(false));
        let found = self.find(&place, "cgroup", |file| {
            let (unified, path) = cgroup::of_controller(file, controller.name.as_bytes())?;
            Some((unified, path.to_owned()))
        });
        let (unified, path) = found?;
        let files = if unified {
            &controller.v2
        } else {
            &controller.v1
        };
        let mut group = None;
        let name = (!unified).then_some(controller.name);
        self.each_line("self/mountinfo", MOUNTS, |line| {
            group = Mount::parse(line).and_then(|mount| mount.directory(name, &path));
            if group.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .ok()?;
        let (directory, mount) = group?;
        Some((directory, files, mount))
    }

    /// The limit of one group; the root has none, and no file for it.
    fn level(&self, directory: &Path, files: &Files) -> Option<Ceiling> {
        let place = |file| directory.join(file).to_str().map(str::to_owned);
        let value = self.number(&place(files.limit)?)?;
        let used = self.number(&place(files.usage)?)?;
        let cache = place("memory.stat").and_then(|place| {
            let cache = self.read(&place, |stat| sum(stat, files.cache));
            cache.ok()
        });
        (value < UNLIMITED).then(|| Ceiling {
            name: files.limit,
            value,
            used: used.saturating_sub(cache.unwrap_or(0)),
        })
    }
}

/// The numbers of the lines that begin with a key; missing ones are 0.
fn sum(stat: &[u8], keys: [&str; 2]) -> u64 {
    let lines = stat.split(|&byte| byte == b'\n');
    let number = |line: &[u8]| {
        let value = keys.iter().find_map(|key| {
            let value = line.strip_prefix(key.as_bytes());
            value.filter(|_| !key.is_empty())
        });
        str::from_utf8(value?).ok()?.parse::<u64>().ok()
    };
    lines.filter_map(number).fold(0, u64::saturating_add)
}

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    /// The group that is mounted, as seen from memguard's cgroup namespace.
    root: &'a [u8],
    at: Vec<u8>,
    kind: &'a [u8],
    options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// `31 23 0:28 / /sys/fs/cgroup rw,relatime shared:7 - cgroup cgroup rw,memory`
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let (root, at) = (fields.nth(3)?, fields.next()?);
        fields.find(|field| field == b"-")?;
        let (kind, _device) = (fields.next()?, fields.next()?);
        let options = fields.next()?;
        Some(Self {
            root,
            at: unescaped(at),
            kind,
            options,
        })
    }

    /// Where the group `path` of a v1 controller, or of v2, is found below this mount, and the
    /// mount; `None` where it is another hierarchy, or the group is outside of what is mounted.
    fn directory(&self, controller: Option<&str>, path: &[u8]) -> Option<(PathBuf, PathBuf)> {
        let mut options = self.options.split(|&byte| byte == b',');
        let right = match controller {
            None => self.kind == b"cgroup2",
            Some(name) => self.kind == b"cgroup" && options.any(|option| option == name.as_bytes()),
        };
        let of_path = |bytes: &'a [u8]| Path::new(std::ffi::OsStr::from_bytes(bytes));
        let inside = Path::new(std::ffi::OsStr::from_bytes(path)).strip_prefix(of_path(self.root));
        let inside = inside.ok().filter(|path| !path.starts_with(".."))?;
        let mount = PathBuf::from(std::ffi::OsStr::from_bytes(&self.at));
        right.then(|| (mount.join(inside), mount))
    }
}

/// Blanks, tabs, newlines and backslashes of a path are octal there.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut parts = path.split(|&byte| byte == b'\\');
    let mut bytes = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let code = part.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.get(3..).unwrap_or_default());
            }
            None => bytes.extend([b"\\", part].concat()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::{TestProcfs, target};

    fn v1() -> TestProcfs {
        let tree = TestProcfs::new();
        let at = |name| target(&tree.path(name)).to_owned();
        let mounts = format!(
            "31 23 0:28 / {} rw - tmpfs tmpfs rw\n\
             34 31 0:31 / {} rw shared:7 - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 / {} rw shared:8 master:1 - cgroup cgroup rw,memory\n\
             36 31 0:33 / {} rw - cgroup2 cgroup2 rw\n",
            at("cg"),
            at("cg/cpu"),
            at("cg/memory"),
            at("cg/unified")
        );
        tree.process(7, b"api", 'S', 1)
            .file("self/mountinfo", mounts.as_bytes())
            .file(
                "7/cgroup",
                b"9:name=systemd:/\n4:memory:/jobs/a\n1:cpu,cpuacct:/\n0::/x\n",
            );
        group(&tree, "cg/memory", ["9223372036854771712\n", "900\n"], "");
        group(
            &tree,
            "cg/memory/jobs",
            ["800\n", "790\n"],
            "cache 600\ntotal_inactive_file 100\n",
        );
        group(
            &tree,
            "cg/memory/jobs/a",
            ["200\n", "150\n"],
            "inactive_file 9\ntotal_inactive_file 40\ntotal_active_file 10\n",
        );
        tree
    }

    fn group(tree: &TestProcfs, place: &str, [limit, usage]: [&str; 2], stat: &str) {
        tree.file(&format!("{place}/memory.limit_in_bytes"), limit.as_bytes())
            .file(&format!("{place}/memory.usage_in_bytes"), usage.as_bytes())
            .file(&format!("{place}/memory.stat"), stat.as_bytes());
    }

    fn memory(value: u64, used: u64, v2: bool) -> Ceiling {
        let name = if v2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        Ceiling { name, value, used }
    }

    #[test]
    fn the_ceiling_is_the_one_with_least_room_and_page_cache_does_not_count() {
        let tree = v1();
        assert_eq!(
            tree.procfs().group_ceiling(7, &MEMORY),
            Some(memory(200, 100, false))
        );
        group(
            &tree,
            "cg/memory/jobs",
            ["800\n", "790\n"],
            "total_inactive_file 10\n",
        );
        assert_eq!(
            tree.procfs().group_ceiling(7, &MEMORY),
            Some(memory(800, 780, false))
        );
        assert_eq!(tree.procfs().group_ceiling(7, &PIDS), None);
        assert_eq!(tree.procfs().group_ceiling(8, &MEMORY), None);
    }

    #[test]
    fn version_two_is_asked_where_version_one_has_no_such_controller() {
        let tree = v1();
        tree.file(
            "7/cgroup",
            b"1:cpu,cpuacct:/\n0::/a.slice/b.scope (deleted)\n",
        )
        .file("cg/unified/a.slice/memory.max", b"500\n")
        .file("cg/unified/a.slice/memory.current", b"90\n")
        .file(
            "cg/unified/a.slice/memory.stat",
            b"anon 1\ninactive_file 20\nactive_file 3\n",
        )
        .file("cg/unified/a.slice/pids.max", b"max\n")
        .file("cg/unified/a.slice/pids.current", b"4\n")
        .file("cg/unified/a.slice/b.scope/pids.max", b"9\n")
        .file("cg/unified/a.slice/b.scope/pids.current", b"3\n");
        let procfs = tree.procfs();
        assert_eq!(
            procfs.group_ceiling(7, &MEMORY),
            Some(memory(500, 67, true))
        );
        let pids = Ceiling {
            name: "pids.max",
            value: 9,
            used: 3,
        };
        assert_eq!(procfs.group_ceiling(7, &PIDS), Some(pids));
    }

    #[test]
    fn a_process_without_leader_is_asked_through_a_thread() {
        let tree = v1();
        tree.process(9, b"api", 'Z', 1)
            .thread(9, 10, 'S')
            .file("9/cgroup", b"4:memory:/\n")
            .file("9/task/10/cgroup", b"4:memory:/jobs/a\n");
        assert_eq!(
            tree.procfs().group_ceiling(9, &MEMORY),
            Some(memory(200, 100, false))
        );
    }

    #[test]
    fn groups_are_found_below_what_is_mounted() {
        let line = b"35 31 0:32 /docker/a /cg\\040x rw - cgroup cgroup rw,memory,blkio";
        let mount = Mount::parse(line).unwrap();
        for (controller, path, expected) in [
            (Some("memory"), "/docker/a", Some("/cg x")),
            (Some("blkio"), "/docker/a/b", Some("/cg x/b")),
            (Some("mem"), "/docker/a", None),
            (Some("memory"), "/docker/ab", None),
            (Some("memory"), "/", None),
            (None, "/docker/a", None),
        ] {
            let found = mount.directory(controller, path.as_bytes());
            let directory = found.map(|(directory, _)| directory);
            assert_eq!(directory, expected.map(PathBuf::from), "{path}");
        }
        let all = Mount::parse(b"1 1 0:1 / /cg rw - cgroup2 cgroup2 rw").unwrap();
        assert_eq!(
            all.directory(None, b"/../../x"),
            None,
            "outside of the namespace"
        );
        for line in [&b""[..], b"1 2 3 / /cg rw", b"1 2 3 / /cg rw - cgroup"] {
            assert_eq!(Mount::parse(line), None);
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for (path, expected) in [("a\\040b", "a b"), ("a\\134", "a\\"), ("a\\9\\", "a\\9\\")] {
            assert_eq!(unescaped(path.as_bytes()), expected.as_bytes());
        }
    }
}
