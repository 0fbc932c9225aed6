//! A directory of one test's own, gone when the test is over.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A temporary directory that every user may enter: workers of a server and unprivileged runs read
/// from it too.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// A new, empty directory.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("memguard-test-").tempdir();
        let dir = dir.unwrap_or_else(|error| panic!("cannot make a temporary directory: {error}"));
        open_to(dir.path(), 0o755);
        Self { dir }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of `name` in the directory, whether it exists or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text, for command lines.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file and returns its path as text.
    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path.display().to_string()
    }

    /// Makes a directory that everybody may write to and returns its path.
    pub fn shared_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        open_to(&path, 0o777);
        path
    }

    /// Copies a program to where every user can execute it.
    pub fn copy_program(&self, program: &Path) -> PathBuf {
        let copy = self.path("program");
        fs::copy(program, &copy)
            .unwrap_or_else(|error| panic!("cannot copy {}: {error}", program.display()));
        open_to(&copy, 0o755);
        copy
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("cannot change the mode of {}: {error}", path.display()));
}
