//! The file that `-o` names.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// Of a file that is created: reports name processes, files and addresses of the whole host, and
/// command lines in which a secret may be left. An existing file keeps its mode.
const MODE: u32 = 0o600;

/// A file that was opened before memguard knows whether it can work: created at the last moment
/// that an error can still be told, emptied when there is something to write, and removed if that
/// never came.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    created: bool,
    kept: bool,
}

impl OutputFile {
    /// Opens it for writing, without touching what is in it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (file, created) = create_or_open(path).map_err(|error| {
            Failure::usage(format!("cannot write to {}: {error}", path.display()))
                .fix("choose another file with -o FILE")
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            created,
            kept: false,
        })
    }

    /// Empties it; from now on it stays. To be called before the first report, once nothing can
    /// keep it from coming. Pipes and devices cannot be emptied, and need not be.
    /// A file that cannot be emptied is written on.
    pub fn keep(&mut self) {
        self.kept = true;
        let is_file = self.file.metadata().is_ok_and(|it| it.is_file());
        if is_file && let Err(error) = self.file.set_len(0) {
            let path = self.path.display();
            crate::complain(&format!("cannot empty {path}: {error}"));
        }
    }

    /// Its name, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another descriptor of the same file.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(super) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.created && !self.kept && fs::remove_file(&self.path).is_err() {
            // Somebody else has removed it.
        }
    }
}

/// The file, and whether it is new.
fn create_or_open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.append(true).mode(MODE);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // The umask takes bits from the mode of `open`, maybe even the owner's.
            file.set_permissions(Permissions::from_mode(MODE))?;
            Ok((file, true))
        }
        // Or it is a link to a file that does not exist yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((options.create(true).open(path)?, false))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, thread};

    use rustix::{fs::Mode, process::umask};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Opens them under a umask, on a thread with a umask of its own.
    fn open_under(mask: u32, paths: [&Path; 2]) {
        let opened = thread::scope(|scope| {
            let open = scope.spawn(|| {
                // SAFETY: this thread alone leaves what it shares of the file system's view.
                assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0);
                umask(Mode::from_raw_mode(mask));
                paths.map(|path| OutputFile::open(path).unwrap().keep())
            });
            open.join().unwrap()
        });
        assert_eq!(opened.len(), 2);
    }

    #[test]
    fn a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let [new, newer, old] = ["new", "newer", "old"].map(|name| folder.path().join(name));
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
        open_under(0o000, [&new, &old]);
        open_under(0o777, [&newer, &old]);
        assert_eq!(
            [&new, &newer, &old].map(|path| mode(path)),
            [0o600, 0o600, 0o640]
        );
    }

    #[test]
    fn a_file_is_emptied_late_and_removed_if_nothing_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        fs::write(&old, "before").unwrap();
        drop([
            OutputFile::open(&new).unwrap(),
            OutputFile::open(&old).unwrap(),
        ]);
        assert!(!new.exists());
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        let mut kept = OutputFile::open(&old).unwrap();
        kept.keep();
        kept.writer().unwrap().write_all(b"after").unwrap();
        drop(kept);
        assert_eq!(fs::read_to_string(&old).unwrap(), "after");
    }
}
