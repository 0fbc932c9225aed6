//! Which files have a name in `/dev/shm`, `shm_overview(7)`, and who has them open or mapped.
//!
//! Every mount namespace may have one of its own: they are looked for through the roots of
//! processes, `/proc/PID/root`. One that no process can reach any more is gone with its files.

use std::collections::BTreeSet;

use rustix::fs::{AtFlags, Dir, FileType, OFlags, fstat, makedev, statat};

use super::{ProcError, Procfs, maps::pair};
use crate::model::persistent::{FoundObject, ObjectId, SharedFileId};

/// The most entries that are read of one directory; of one that has more nothing is known.
const ENTRIES: usize = 1 << 18;

/// Descriptors of a process that are looked at, 1 µs each.
const LOOKED_AT: usize = 65_536;

impl Procfs {
    /// Those of the `wanted` files that have a name in a `/dev/shm`; `None` where that cannot be
    /// told.
    pub fn shared_files(&self, wanted: &BTreeSet<SharedFileId>) -> Option<Vec<FoundObject>> {
        let mut missing: BTreeSet<u64> = wanted.iter().map(|id| id.device).collect();
        let mut found = Vec::new();
        self.list_through("self", &mut missing, wanted, &mut found)?;
        if missing.is_empty() {
            return Some(found);
        }
        for tgid in self.processes().ok()? {
            self.list_through(&tgid.to_string(), &mut missing, wanted, &mut found)?;
        }
        Some(found)
    }

    /// Through the root of one process, unless its `/dev/shm` has been listed, or is not wanted.
    fn list_through(
        &self,
        process: &str,
        missing: &mut BTreeSet<u64>,
        wanted: &BTreeSet<SharedFileId>,
        found: &mut Vec<FoundObject>,
    ) -> Option<()> {
        let place = format!("{process}/root/dev/shm");
        let Ok(directory) = self.open(&place, OFlags::DIRECTORY | OFlags::NOATIME) else {
            return Some(());
        };
        let device = fstat(&directory).ok()?.st_dev;
        if missing.remove(&device) {
            list(Dir::new(directory).ok()?, wanted, found)?;
        }
        Some(())
    }

    /// Which of these files some process has open or mapped.
    pub fn held_files(
        &self,
        files: &BTreeSet<SharedFileId>,
    ) -> Result<BTreeSet<SharedFileId>, ProcError> {
        let mut held = BTreeSet::new();
        for tgid in self.processes()? {
            if held.len() == files.len() {
                break;
            }
            // Those that have gone hold nothing.
            let _gone = self.each_mapping(tgid, |line| {
                held.extend(mapped_file(line).filter(|id| files.contains(id)));
            });
            held.extend(self.open_files(tgid, files));
        }
        Ok(held)
    }

    fn open_files(&self, tgid: u32, files: &BTreeSet<SharedFileId>) -> BTreeSet<SharedFileId> {
        let Ok((numbers, _)) = self.descriptors(tgid, None, LOOKED_AT) else {
            return BTreeSet::new();
        };
        let keys = numbers.into_iter().filter_map(|fd| {
            let place = format!("{tgid}/fd/{fd}");
            let stat = statat(self.root_fd().ok()?, &place, AtFlags::empty()).ok()?;
            Some(SharedFileId {
                device: stat.st_dev,
                inode: stat.st_ino,
            })
        });
        keys.filter(|id| files.contains(id)).collect()
    }
}

/// `None` where it could not be read to its end.
fn list(
    mut directory: Dir,
    wanted: &BTreeSet<SharedFileId>,
    found: &mut Vec<FoundObject>,
) -> Option<()> {
    let inodes: BTreeSet<u64> = wanted.iter().map(|id| id.inode).collect();
    let mut listed = Vec::new();
    for count in 0.. {
        let Some(entry) = directory.read() else {
            break;
        };
        if count >= ENTRIES {
            return None;
        }
        let entry = entry.ok()?;
        if inodes.contains(&entry.ino()) {
            listed.push(entry.file_name().to_owned());
        }
    }
    for name in listed {
        // Removed meanwhile: it has no name any more.
        let Ok(stat) = statat(directory.fd().ok()?, &*name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let id = SharedFileId {
            device: stat.st_dev,
            inode: stat.st_ino,
        };
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // Of a file with two names the first counts.
        let known = found.iter().any(|file| file.id == ObjectId::File(id));
        if regular && !known && wanted.contains(&id) {
            found.push(FoundObject {
                id: ObjectId::File(id),
                name: name.to_string_lossy().into_owned(),
                size: stat.st_size.unsigned_abs(),
                used_bytes: stat.st_blocks.unsigned_abs().saturating_mul(512),
                held: None,
            });
        }
    }
    Some(())
}

/// `start-end perms offset major:minor inode path`
fn mapped_file(line: &[u8]) -> Option<SharedFileId> {
    let mut fields = line.splitn(6, |&byte| byte == b' ').skip(3);
    let (major, minor) = pair(fields.next()?, ':')?;
    let inode = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some(SharedFileId {
        device: makedev(u32::try_from(major).ok()?, u32::try_from(minor).ok()?),
        inode,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{File, OpenOptions, remove_file},
        path::Path,
    };

    use rustix::{
        fs::stat,
        mm::{MapFlags, ProtFlags, mmap},
    };

    use super::*;
    use crate::source::procfs::testing::{TestProcfs, real};

    fn id(path: &Path) -> SharedFileId {
        let stat = stat(path).unwrap();
        SharedFileId {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }

    fn names(files: Option<Vec<FoundObject>>) -> Vec<String> {
        files.unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn files_are_known_by_their_number_whatever_they_are_called() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/root/dev/shm/mine", b"12345")
            .file("7/root/dev/shm/others", b"");
        let mine = id(&tree.path("7/root/dev/shm/mine"));
        let wanted = BTreeSet::from([mine]);
        let files = tree.procfs().shared_files(&wanted).unwrap();
        assert_eq!(
            (files.len(), files[0].id, files[0].size),
            (1, ObjectId::File(mine), 5)
        );
        std::fs::rename(
            tree.path("7/root/dev/shm/mine"),
            tree.path("7/root/dev/shm/renamed"),
        )
        .unwrap();
        assert_eq!(names(tree.procfs().shared_files(&wanted)), ["renamed"]);
        remove_file(tree.path("7/root/dev/shm/renamed")).unwrap();
        assert!(names(tree.procfs().shared_files(&wanted)).is_empty());
    }

    #[test]
    fn a_directory_of_another_device_is_not_looked_into() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/root/dev/shm/mine", b"");
        let mut other = id(&tree.path("7/root/dev/shm/mine"));
        other.device += 1;
        let wanted = BTreeSet::from([other]);
        assert!(names(tree.procfs().shared_files(&wanted)).is_empty());
    }

    #[test]
    fn who_has_it_mapped_holds_it_and_who_has_it_open() {
        let path = format!("/dev/shm/memguard-test-{}", std::process::id());
        let path = Path::new(&path);
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path).unwrap()
        };
        let file: File = open();
        file.set_len(4096).unwrap();
        let ours = BTreeSet::from([id(path)]);
        let held = || real().held_files(&ours).unwrap() == ours;
        assert_eq!(real().shared_files(&ours).unwrap()[0].size, 4096);
        assert!(held(), "open");
        let protection = ProtFlags::READ;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let mapping = unsafe {
            mmap(
                std::ptr::null_mut(),
                4096,
                protection,
                MapFlags::SHARED,
                &file,
                0,
            )
        };
        let mapping = mapping.unwrap();
        drop(file);
        assert!(held(), "mapped");
        // SAFETY: the mapping from above, which nobody uses.
        unsafe { rustix::mm::munmap(mapping, 4096) }.unwrap();
        assert!(!held());
        remove_file(path).unwrap();
    }
}
