//! Which runtime runs a program, by what it has mapped: `/proc/PID/maps`, `proc_pid_maps(5)`.

use std::{ops::ControlFlow, str};

use super::{
    ProcError, Procfs,
    maps::{BYTES, DELETED, pair},
};
use crate::model::observed::Runtime;

/// Where Go asks the kernel for the first arena of its heap: `arenaHint` of `runtime/malloc.go`, on
/// amd64 and on arm64.
const GO_ARENAS: [u64; 2] = [0xc0_0000_0000, 0x40_0000_0000];

/// Files that are mapped executable, by the beginning of their name, and the runtime that they are.
/// A name that ends there, or goes on with a version.
const FILES: [(&str, Runtime); 17] = [
    ("node", Runtime::V8),
    ("nodejs", Runtime::V8),
    ("deno", Runtime::V8),
    ("electron", Runtime::V8),
    ("chrome", Runtime::V8),
    ("chromium", Runtime::V8),
    ("libnode.so", Runtime::V8),
    ("libjvm.so", Runtime::Jvm),
    ("libcoreclr.so", Runtime::Dotnet),
    ("bun", Runtime::JavaScriptCore),
    ("python", Runtime::Python),
    ("libpython", Runtime::Python),
    ("ruby", Runtime::Ruby),
    ("libruby", Runtime::Ruby),
    ("php", Runtime::Php),
    ("php-fpm", Runtime::Php),
    ("beam.smp", Runtime::Beam),
];

impl Procfs {
    /// The runtime of a process; `None` where it is none of those that are known.
    pub fn runtime(&self, tgid: u32) -> Result<Option<Runtime>, ProcError> {
        let mut found = None;
        self.each_line_of(tgid, "maps", BYTES, |line| {
            found = parse(line);
            match found {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    }
}

/// `start-end perms offset major:minor inode path`.
fn parse(line: &[u8]) -> Option<Runtime> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let (start, _) = pair(fields.next()?, '-')?;
    let executable = fields.next()?.get(2) == Some(&b'x');
    let inode = fields.nth(2)?;
    if inode == b"0" {
        return GO_ARENAS.contains(&start).then_some(Runtime::Go);
    }
    let path = fields.next()?.trim_ascii_start();
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    executable.then(|| of_file(name)).flatten()
}

fn of_file(name: &[u8]) -> Option<Runtime> {
    let is_version = |rest: &[u8]| {
        let versions = |byte: &u8| byte.is_ascii_digit() || b".-som".contains(byte);
        rest.iter().all(versions)
    };
    let named = |(head, _): &&(&str, Runtime)| {
        let rest = name.strip_prefix(head.as_bytes());
        rest.is_some_and(is_version)
    };
    FILES.iter().find(named).map(|(_, runtime)| *runtime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn runtimes_are_known_by_what_is_mapped() {
        let of_path = |path: &str| format!("1000-2000 r-xp 00000000 08:01 5 {path}\n");
        let go = "c000000000-c000400000 rw-p 00000000 00:00 0 \n".to_owned();
        let named = "c000000000-c000400000 rw-p 00000000 00:00 0 [anon: Go: heap]\n".to_owned();
        for (maps, expected) in [
            (of_path("/usr/bin/node"), Some(Runtime::V8)),
            (of_path("/opt/node/bin/node (deleted)"), Some(Runtime::V8)),
            (of_path("/usr/lib/libnode.so.115"), Some(Runtime::V8)),
            (
                of_path("/usr/lib/jvm/lib/server/libjvm.so"),
                Some(Runtime::Jvm),
            ),
            (of_path("/usr/bin/python3.11"), Some(Runtime::Python)),
            (
                of_path("/usr/lib/libpython3.11.so.1.0"),
                Some(Runtime::Python),
            ),
            (of_path("/usr/bin/ruby3.1"), Some(Runtime::Ruby)),
            (
                of_path("/usr/lib/erlang/erts/bin/beam.smp"),
                Some(Runtime::Beam),
            ),
            (of_path("/usr/bin/pythonic"), None),
            (of_path("/usr/bin/nodemon"), None),
            (of_path("/usr/bin/redis-server"), None),
            (
                "1000-2000 r--p 00000000 08:01 5 /data/python3\n".to_owned(),
                None,
            ),
            (of_path("/srv/main") + &go, Some(Runtime::Go)),
            (of_path("/srv/main") + &named, Some(Runtime::Go)),
            ("nonsense\n1-2\n\n".to_owned(), None),
        ] {
            let tree = TestProcfs::new();
            tree.process(7, b"it", 'S', 1)
                .file("7/maps", maps.as_bytes());
            assert_eq!(tree.procfs().runtime(7).unwrap(), expected, "{maps}");
        }
        assert!(TestProcfs::new().procfs().runtime(7).unwrap_err().is_gone());
    }
}
