//! The record that ties the committed BPF object to the sources it was built from.
//!
//! `memguard/build.rs` and `xtask` both include this file, so they cannot disagree. It lies here
//! because a packaged crate has no `xtask` beside it. The record is lines of `key value`, `#`
//! starts a comment: `sources` is the digest of every file of [`INPUTS`], `object` that of the
//! object itself, and `toolchain` says what compiled it.

use std::{fmt::Write as _, fs, io, path::Path};

use sha2::{Digest as _, Sha256};

/// The object that the agent carries. All paths here start at the workspace root.
pub(crate) const OBJECT: &str = "memguard/bpf/memguard.bpf.o";

/// The record beside it.
pub(crate) const RECORD: &str = "memguard/bpf/memguard.bpf.sha256";

/// What the object is built from.
pub(crate) const INPUTS: [&str; 4] = [
    "memguard-common/Cargo.toml",
    "memguard-common/src",
    "memguard-ebpf/Cargo.toml",
    "memguard-ebpf/src",
];

/// Says whether the committed object belongs to these sources; the error says what to do if not.
pub(crate) fn verify(root: &Path) -> io::Result<()> {
    let advice = |error| io::Error::other(format!("{error}: run `cargo xtask build-ebpf`"));
    compare(root).map_err(advice)
}

fn compare(root: &Path) -> io::Result<()> {
    let record = String::from_utf8_lossy(&read(&root.join(RECORD))?).into_owned();
    if field(&record, "sources") != Some(&sources(root)?) {
        return Err(io::Error::other(format!(
            "{OBJECT} was built from other sources"
        )));
    }
    if field(&record, "object") != Some(&of(&read(&root.join(OBJECT))?)) {
        return Err(io::Error::other(format!(
            "{OBJECT} is not the object that {RECORD} names"
        )));
    }
    Ok(())
}

/// The value of `key` in a record.
pub(crate) fn field<'a>(record: &'a str, key: &str) -> Option<&'a str> {
    let values = record.lines().filter_map(|line| line.split_once(' '));
    values
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .next()
}

/// The digest of all [`INPUTS`]: for each file, sorted by path, its path, a zero byte, its length
/// as eight bytes (little end first) and its content.
pub(crate) fn sources(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(root, input, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        let content = read(&root.join(&path))?;
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    Ok(hex(&hash.finalize()))
}

/// The digest of some bytes.
pub(crate) fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Hidden files are no sources: editors keep their swap files under such names.
fn collect(root: &Path, path: &str, files: &mut Vec<String>) -> io::Result<()> {
    let full = root.join(path);
    if !full.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(&full).map_err(|error| named(&full, error))? {
        let name = entry?.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| io::Error::other(format!("{path}: odd file name")))?;
        if !name.starts_with('.') {
            collect(root, &format!("{path}/{name}"), files)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| named(path, error))
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{env, path::PathBuf, process};

    use super::*;

    /// A tree with every input, removed at the end.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let root = env::temp_dir().join(format!("memguard-digest-{name}-{}", process::id()));
            let tree = Self(root);
            for input in INPUTS {
                let file = if input.ends_with("src") {
                    format!("{input}/main.rs")
                } else {
                    input.into()
                };
                tree.write(&file, input);
            }
            tree
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn record(&self) {
            let (sources, object) = (sources(&self.0).unwrap(), of(b"object"));
            self.write(OBJECT, "object");
            self.write(
                RECORD,
                &format!("# comment\nsources {sources}\nobject {object}\n"),
            );
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    // Every change of the inputs or of the object is found, and nothing else is.
    #[test]
    fn finds_every_change() {
        let check = |path: &str, expected: &str| {
            let tree = Tree::new(&of(path.as_bytes()));
            tree.record();
            verify(&tree.0).unwrap();
            tree.write(path, "changed");
            let error = verify(&tree.0).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| "nothing".into());
            assert!(error.contains(expected), "{path}: {error}");
        };
        check(
            "memguard-ebpf/src/main.rs",
            "from other sources: run `cargo xtask build-ebpf`",
        );
        check("memguard-common/Cargo.toml", "from other sources");
        check("memguard-ebpf/src/probes/new.rs", "from other sources");
        check(OBJECT, "not the object");
        check("memguard-ebpf/src/.main.rs.swp", "nothing");
        check("memguard-ebpf/clippy.toml", "nothing");
    }

    // Without a record there is nothing to trust; the path says what is missing.
    #[test]
    fn wants_a_record() {
        let tree = Tree::new("empty");
        let error = verify(&tree.0).unwrap_err().to_string();
        assert!(
            error.contains(RECORD) && error.contains("cargo xtask build-ebpf"),
            "{error}"
        );
    }
}
