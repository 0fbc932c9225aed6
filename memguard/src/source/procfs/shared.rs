//! How much shared memory the objects hold that a process has mapped: `/proc/PID/maps`,
//! `proc_pid_maps(5)`, and the sizes of the files behind it, `/proc/PID/map_files`.
//!
//! `RssShmem` counts the pages that a process has touched of its mappings, so that of a database's
//! worker climbs for as long as it meets pages of a buffer pool that has been there from the start.
//! Only where the objects themselves grow, or are more, does shared memory grow.

use rustix::fs::{AtFlags, OFlags, fstatfs, statat};

use super::{ProcError, Procfs, maps::pair};
use crate::model::observed::MappedRange;

/// Names of the kernel's own for memory that is in no file system anybody has mounted, and where
/// POSIX puts what `shm_open` makes.
const SHARED: [&[u8]; 4] = [b"/memfd:", b"/SYSV", b"/dev/zero", b"/dev/shm/"];

/// An object in memory: a file of tmpfs, whether it is in a directory or not.
#[derive(Debug)]
struct Object {
    device: (u64, u64),
    inode: u64,
    /// The first mapping of it, as the link to it is called.
    mapping: String,
    /// How much of it is mapped, from its start; its size, where that cannot be asked.
    mapped: u64,
    named: bool,
}

impl Procfs {
    /// Sum of the sizes of all objects of shared memory that a process has mapped, each once,
    /// mapped and touched or not. The kernel tells sizes only to whom it lets look behind mappings
    /// (`CAP_CHECKPOINT_RESTORE`); of the others, what is mapped counts.
    pub fn shared_capacity(&self, tgid: u32) -> Result<u64, ProcError> {
        let mut objects: Vec<Object> = Vec::new();
        self.each_mapping(tgid, |line| {
            let Some(found) = object(line) else {
                return;
            };
            let same =
                |known: &&mut Object| (known.device, known.inode) == (found.device, found.inode);
            match objects.iter_mut().rev().find(same) {
                Some(known) => known.mapped = known.mapped.max(found.mapped),
                None => objects.push(found),
            }
        })?;
        let sizes = objects.iter().map(|object| self.object_size(tgid, object));
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// Nothing for what is a file on disk.
    fn object_size(&self, tgid: u32, object: &Object) -> u64 {
        let place = format!("{tgid}/map_files/{}", object.mapping);
        let file = self.open(&place, OFlags::PATH).ok();
        let told = file.and_then(|file| {
            let of_memory = fstatfs(&file).ok()?.f_type == libc::TMPFS_MAGIC;
            let stat = statat(&file, "", AtFlags::EMPTY_PATH).ok()?;
            Some(if of_memory { stat.st_size as u64 } else { 0 })
        });
        let mapped = if object.named { object.mapped } else { 0 };
        told.unwrap_or(mapped)
    }
}

/// `start-end perms offset major:minor inode path`; `None` for what is private or of no file.
fn object(line: &[u8]) -> Option<Object> {
    let mapped = MappedRange::parse(line).filter(|mapped| mapped.shared)?;
    let mut fields = line.splitn(6, |&byte| byte == b' ').skip(2);
    let offset = u64::from_str_radix(str::from_utf8(fields.next()?).ok()?, 16).ok()?;
    let device = pair(fields.next()?, ':')?;
    let inode = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let name = fields.next()?.trim_ascii_start();
    let range = mapped.range;
    let named = SHARED.iter().any(|prefix| name.starts_with(prefix));
    // The first segment of System V has the number 0.
    (inode != 0 || named).then(|| Object {
        device,
        inode,
        mapping: format!("{:x}-{:x}", range.start, range.end),
        mapped: offset.saturating_add(range.bytes()),
        named,
    })
}

#[cfg(test)]
mod tests {
    use rustix::{
        fs::{MemfdFlags, ftruncate, memfd_create},
        mm::{MapFlags, ProtFlags, mmap},
    };

    use crate::source::procfs::testing::{TestProcfs, real};

    const KIB: u64 = 1024;

    #[test]
    fn each_object_counts_once_and_files_do_not() {
        let tree = TestProcfs::new();
        tree.process(7, b"postgres", 'S', 1).file(
            "7/maps",
            b"\
1000-3000 r--s 00002000 fe:01 1835112                    /usr/share/locale
4000-5000 rw-p 00000000 00:01 1026                       /memfd:private (deleted)
6000-8000 rw-s 00000000 00:01 1027                       /memfd:x (deleted)
8000-9000 rw-s 00003000 00:01 1027                       /memfd:x (deleted)
10000-12000 rw-s 00000000 00:01 1028                     /dev/zero (deleted)
20000-21000 rw-s 00000000 00:02 0                        /SYSV00000000 (deleted)
30000-31000 rw-s 00000000 00:00 0 
",
        );
        // Sizes are not told here, so what is mapped counts.
        assert_eq!(tree.procfs().shared_capacity(7).unwrap(), 28 * KIB);
        assert!(tree.procfs().shared_capacity(8).unwrap_err().is_gone());
    }

    #[test]
    fn an_object_that_grows_behind_its_mapping_has_grown() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: only root may look behind mappings");
            return;
        }
        let file = memfd_create("grows", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, 64 * KIB).unwrap();
        let procfs = real();
        let capacity = || procfs.shared_capacity(std::process::id()).unwrap();
        let before = capacity();
        // SAFETY: nothing else is where the kernel puts it, and it stays to the end.
        unsafe {
            mmap(
                std::ptr::null_mut(),
                1 << 20,
                ProtFlags::READ,
                MapFlags::SHARED,
                &file,
                0,
            )
        }
        .unwrap();
        assert_eq!(capacity() - before, 64 * KIB);
        ftruncate(&file, 256 * KIB).unwrap();
        assert_eq!(capacity() - before, 256 * KIB);
    }
}
