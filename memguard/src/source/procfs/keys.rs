//! How many keys a user has: the lines of `/proc/key-users`, keyrings(7).

use std::ops::ControlFlow;

use super::{Procfs, process::status_field};
use crate::model::memory::Ceiling;

/// The most that is read of the file, 60 bytes a user.
const BYTES: usize = 1 << 20;

impl Procfs {
    /// The quota of keys of the user that a process adds keys as.
    pub fn key_ceiling(&self, tgid: u32) -> Option<Ceiling> {
        let user = self.ask(tgid, "status", filesystem_user)?;
        let mut found = None;
        self.each_line("key-users", BYTES, |line| {
            found = quota(line, user);
            match found {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })
        .ok()?;
        let (used, value) = found?;
        let name = if user == 0 {
            "kernel.keys.root_maxkeys"
        } else {
            "kernel.keys.maxkeys"
        };
        Some(Ceiling { name, value, used })
    }
}

/// The last of the four numbers is the user that the file system sees.
fn filesystem_user(status: &[u8]) -> Option<u32> {
    let users = status_field(status, "Uid:")?;
    users.split_ascii_whitespace().nth(3)?.parse().ok()
}

/// `uid: references keys/instantiated keys/limit bytes/limit`
fn quota(line: &[u8], user: u32) -> Option<(u64, u64)> {
    let (uid, rest) = str::from_utf8(line).ok()?.split_once(':')?;
    let is_it = uid.trim().parse() == Ok(user);
    let quota = rest.split_ascii_whitespace().nth(2).filter(|_| is_it)?;
    let (used, limit) = quota.split_once('/')?;
    Some((used.parse().ok()?, limit.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::source::procfs::testing::{TestProcfs, real};

    const USERS: &[u8] = b"    0:     9 8/8 3/1000000 40/25000000\n\
         1000:   160 159/159 157/200 9500/20000\n";

    #[test]
    fn the_line_of_the_user_counts() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/status", b"Name:\tapi\nUid:\t0\t0\t0\t1000\n")
            .file("key-users", USERS);
        let ceiling = tree.procfs().key_ceiling(7).unwrap();
        assert_eq!(ceiling.name, "kernel.keys.maxkeys");
        assert_eq!((ceiling.used, ceiling.value), (157, 200));
        assert_eq!(tree.procfs().key_ceiling(8), None);
    }

    #[test]
    fn the_kernel_writes_it_like_that() {
        if std::path::Path::new("/proc/key-users").exists() {
            let ceiling = real().key_ceiling(std::process::id());
            assert!(ceiling.is_none_or(|ceiling| ceiling.used <= ceiling.value));
        }
    }
}
