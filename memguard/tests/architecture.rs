//! The invariants of ARCHITECTURE.md that can be read off the sources: who may know what.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every source file of the agent, with its text; unit tests, which stand last in a file, cut off.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    files
}

/// Files outside `allowed` that mention one of the words in code.
fn trespassers(allowed: &[&str], words: &[&str]) -> Vec<String> {
    let sources = sources();
    assert!(sources.len() > 40, "{} files found", sources.len());
    let outside = |path: &Path| !allowed.iter().any(|place| path.starts_with(place));
    let code = |line: &&str| !line.trim_start().starts_with("//");
    let mut found = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| outside(path)) {
        for line in text.lines().filter(code) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn only_source_kernel_knows_bpf() {
    let found = trespassers(
        &["source/kernel"],
        &["aya::", "aya_log", "btf_rs", "use aya"],
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_sink_knows_json() {
    // The naming process speaks JSON with its parent, and memguard with its next run; nobody else
    // sees it.
    let allowed = ["sink", "origin/symbolize/wire.rs", "state.rs"];
    let found = trespassers(&allowed, &["serde", "Serialize", "schemars"]);
    assert!(found.is_empty(), "{found:#?}");
}

/// The core takes time and bytes as arguments.
#[test]
fn the_core_reads_no_clock_no_file_and_no_network() {
    let everything_else = [
        "cli",
        "command.rs",
        "cost.rs",
        "demo.rs",
        "doctor.rs",
        "files.rs",
        "heap.rs",
        "identify.rs",
        "detect/growth/proof.rs",
        "detect/growth/recorded.rs",
        "ledger/space/tests",
        "ledger/tests.rs",
        "lib.rs",
        "main.rs",
        "origin",
        "pipeline",
        "preflight.rs",
        "sink",
        "source",
        "state.rs",
        "verify.rs",
    ];
    let words = [
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "Instant::now",
        "SystemTime",
        "clock_gettime",
        "rustix::",
        "tokio::",
        "unsafe",
        ".unwrap()",
        "panic!",
    ];
    let found = trespassers(&everything_else, &words);
    assert!(found.is_empty(), "{found:#?}");
}
