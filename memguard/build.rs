//! Refuses to build an agent around a BPF object that its sources have left behind.
//!
//! It compiles nothing: the object is committed, so that users need stable Rust alone, and a
//! packaged crate, which has no sources of it, is taken as it is.

#[path = "build/digest.rs"]
mod digest;

use std::path::Path;

fn main() {
    // Cargo runs build scripts in their package's directory.
    let root = Path::new("..");
    if root.join("memguard-ebpf/src").is_dir() {
        check(root);
    } else {
        println!("cargo::rerun-if-changed=build.rs");
    }
}

fn check(root: &Path) {
    for path in digest::INPUTS
        .iter()
        .chain(&[digest::OBJECT, digest::RECORD])
    {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    if let Err(error) = digest::verify(root) {
        println!("cargo::error={error}");
    }
}
