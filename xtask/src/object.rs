//! Compiles the BPF programs into an object fit to be committed: the same bytes wherever it is
//! built with the same compiler, and no larger than the kernel needs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    linker::LLVM_PREFIX,
    shell,
    toolchain::{TARGET, Toolchain},
    workspace::Workspace,
};

/// `v3` brings compare-and-swap; BTF and line numbers come from the debug information.
const FLAGS: [&str; 4] = [
    "--cfg=bpf_target_arch=\"x86_64\"",
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "-Ctarget-cpu=v3",
];

/// Builds the object; nothing but the target directory changes.
pub(crate) fn build(toolchain: Toolchain, workspace: &Workspace) -> Result<Vec<u8>> {
    let linked = compile(toolchain, workspace, &[])?;
    let object = strip(&linked, workspace)?;
    ensure_anonymous(&object, workspace)?;
    Ok(object)
}

/// Builds the object whose programs log, for `--features debug-log` of the agent.
pub(crate) fn build_logging(toolchain: Toolchain, workspace: &Workspace) -> Result<()> {
    let linked = compile(toolchain, workspace, &["--features=debug-log"])?;
    let object = workspace.target.join("bpf/memguard-debug.bpf.o");
    fs::copy(&linked, &object).with_context(|| format!("{}", object.display()))?;
    println!("wrote {}", object.display());
    Ok(())
}

/// The object as the linker leaves it.
fn compile(toolchain: Toolchain, workspace: &Workspace, features: &[&str]) -> Result<PathBuf> {
    // A directory of its own, because a build for another target with other flags would otherwise
    // wait for, and be waited for by, every other build.
    let directory = workspace.target.join("bpf");
    let mut cargo = toolchain.cargo(workspace);
    cargo.args([
        "build",
        "--release",
        "--package=memguard-ebpf",
        "--target",
        TARGET,
    ]);
    cargo.args(toolchain.cargo_arguments());
    cargo.args(features).arg("--target-dir").arg(&directory);
    let flags = flags(toolchain, workspace)?;
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    shell::run(&mut cargo)?;
    Ok(directory.join(TARGET).join("release/memguard-bpf"))
}

/// The flags proper, and those that keep this machine's directories out of the object.
fn flags(toolchain: Toolchain, workspace: &Workspace) -> Result<Vec<String>> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = FLAGS.map(str::to_owned).to_vec();
    flags.push(remap(Path::new(&toolchain.sysroot(workspace)?), "rust"));
    // Cargo unpacks crates below a directory named after their registry. It is there by now,
    // because this program has dependencies too, unless crates are vendored into the checkout.
    let registries = fs::read_dir(workspace.cargo_home.join("registry/src"));
    for registry in registries.into_iter().flatten() {
        flags.push(remap(&registry?.path(), "registry"));
    }
    flags.push(remap(&workspace.root, "memguard"));
    Ok(flags)
}

/// The kernel reads BTF and not DWARF, which makes most of the object; so it stays out of git.
fn strip(object: &Path, workspace: &Workspace) -> Result<Vec<u8>> {
    let stripped = workspace.target.join("bpf/memguard.bpf.o");
    let mut objcopy = objcopy(workspace)?;
    shell::run(objcopy.arg("--strip-debug").arg(object).arg(&stripped))?;
    fs::read(&stripped).with_context(|| format!("{}", stripped.display()))
}

/// Debian's LLVM comes with an objcopy, and so does every rustup toolchain.
fn objcopy(workspace: &Workspace) -> Result<Command> {
    let debian = format!("{LLVM_PREFIX}/bin/llvm-objcopy");
    if Path::new(&debian).is_file() {
        return Ok(workspace.command(debian));
    }
    let host = ["--print", "target-libdir", "--print", "sysroot"];
    let printed = shell::read(workspace.command("rustc").args(host))?;
    let (libraries, sysroot) = printed.split_once('\n').context("rustc printed one line")?;
    let mut command = workspace.command(format!("{libraries}/../bin/rust-objcopy"));
    // It is not meant to be started by hand and does not find its LLVM by itself.
    command.env("LD_LIBRARY_PATH", format!("{sysroot}/lib"));
    Ok(command)
}

/// The committed object should not tell where it was built. Its names of files are strings of BTF,
/// each after the zero byte that ends the one before.
fn ensure_anonymous(object: &[u8], workspace: &Workspace) -> Result<()> {
    let object = String::from_utf8_lossy(object);
    for path in [&workspace.root, &workspace.cargo_home] {
        let path = path.display();
        let leaks = object.contains(&format!("\0{path}/"));
        ensure!(
            !leaks,
            "the object names a directory of this machine: {path}"
        );
    }
    Ok(())
}
