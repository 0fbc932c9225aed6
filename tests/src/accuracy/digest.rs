//! Which detectors a table speaks of: a digest of their sources.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// Modules of the agent that decide on verdicts; each is a file, a directory, or both.
const MODULES: [&str; 5] = [
    "detect",
    "ledger/lifetimes",
    "ledger/population",
    "findings",
    "judge",
];

/// Of all sources of the detectors below the workspace's root.
///
/// # Panics
///
/// When a module is not there.
pub fn of_detectors(root: &Path) -> String {
    let sources = root.join("memguard/src");
    let mut files = Vec::new();
    for module in MODULES {
        let before = files.len();
        collect(&sources.join(module), &mut files);
        let file = sources.join(format!("{module}.rs"));
        files.extend(file.is_file().then_some(file));
        assert!(files.len() > before, "no module {module} in memguard/src");
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        let content = fs::read(file);
        let content =
            content.unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let name = file.strip_prefix(root).unwrap_or(file);
        hash.update(name.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hex(&hash.finalize())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
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
    use std::fs;

    use super::{MODULES, of_detectors};
    use crate::scratch::Scratch;

    /// Every change of a module, in a file or in a directory of its own, is found; others are not.
    #[test]
    fn a_changed_detector_is_found() {
        let scratch = Scratch::new();
        let write = |name: &str, content: &str| {
            let path = scratch.path("memguard/src").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        for module in MODULES {
            write(&format!("{module}.rs"), module);
        }
        let digest = || of_detectors(scratch.dir());
        let before = digest();
        write("pipeline/watch.rs", "of no weight");
        assert_eq!(digest(), before);
        write("detect/growth/rules.rs", "new");
        let with_rules = digest();
        assert_ne!(with_rules, before);
        write("findings.rs", "changed");
        assert_ne!(digest(), with_rules);
    }
}
