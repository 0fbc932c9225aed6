//! Installs what a rebuild of the BPF object needs, and the programs that the kernel tests run.
//!
//! What is there stays as it is, so a second run changes nothing and needs no network. Building
//! memguard itself needs none of this.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    apt,
    linker::{self, LLVM_PACKAGES},
    shell,
    toolchain::Toolchain,
    workspace::Workspace,
};

/// A stable compiler and the `core` it has built for BPF.
const DEBIAN_COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// The smallest nginx.
const NGINX: &str = "nginx-light";

/// What these packages start, now and at every boot. The tests start their own.
const SERVICES: [(&str, &str); 3] = [
    (NGINX, "nginx"),
    (REDIS, "redis-server"),
    (POSTGRES, "postgresql"),
];

const REDIS: &str = "redis-server";
const POSTGRES: &str = "postgresql";

/// Programs that the kernel tests run, and the packages that hold them.
const TEST_PROGRAMS: [(&str, &str); 33] = [
    ("gcc", "gcc"),
    ("g++", "g++"),
    ("musl-gcc", "musl-tools"),
    ("go", "golang-go"),
    ("objdump", "binutils"),
    ("xz", "xz-utils"),
    ("python3", "python3"),
    ("python3-config", "python3-dev"),
    ("node", "nodejs"),
    ("java", "default-jdk-headless"),
    ("nginx", NGINX),
    ("redis-server", REDIS),
    ("redis-benchmark", "redis-tools"),
    ("pgbench", POSTGRES),
    ("curl", "curl"),
    ("wrk", "wrk"),
    ("git", "git"),
    // What `everyday.rs` runs beside these.
    ("make", "make"),
    ("zsh", "zsh"),
    ("busybox", "busybox"),
    ("ruby", "ruby"),
    ("php", "php-cli"),
    ("perl", "perl"),
    ("npm", "npm"),
    ("psql", "postgresql-client"),
    ("redis-cli", "redis-tools"),
    ("sqlite3", "sqlite3"),
    ("rsync", "rsync"),
    ("ssh", "openssh-client"),
    ("ffmpeg", "ffmpeg"),
    ("jq", "jq"),
    ("gdb", "gdb"),
    ("openssl", "openssl"),
];

/// Peers that `cargo xtask bench` compares with, each its own package. The others of its programs
/// are those of the tests.
const PEERS: [&str; 4] = ["strace", "valgrind", "bpftrace", "heaptrack"];

/// Install what a rebuild of the BPF object needs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also install the programs that the kernel tests run.
    #[arg(long)]
    pub(crate) tests: bool,
    /// Also install the programs that `cargo xtask bench` compares memguard with.
    #[arg(long)]
    pub(crate) bench: bool,
}

/// Installs what is missing.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { tests, bench } = options;
    let toolchain = compiler(workspace)?;
    linker::ensure(toolchain, workspace)?;
    if *tests || *bench {
        test_programs(workspace)?;
    }
    if *bench {
        peers(workspace);
    }
    Ok(())
}

fn compiler(workspace: &Workspace) -> Result<Toolchain> {
    if let Some(toolchain) = Toolchain::find(workspace) {
        println!("compiler: {toolchain} is already installed");
        return Ok(toolchain);
    }
    install_compiler(workspace)?;
    Toolchain::find(workspace).context("the compiler was installed, but has no core for BPF")
}

fn install_compiler(workspace: &Workspace) -> Result<()> {
    if apt::is_here(workspace) {
        apt::refresh(workspace)?;
        let packages = [DEBIAN_COMPILER, LLVM_PACKAGES].concat();
        if apt::offers(workspace, &packages) {
            println!("compiler: installing Debian's");
            return apt::install(workspace, &packages);
        }
    }
    if workspace.which("rustup").is_some() {
        println!("compiler: installing rustup's nightly, no Debian package offers a core for BPF");
        let mut rustup = workspace.command("rustup");
        rustup.args(["toolchain", "install", "nightly", "--component=rust-src"]);
        return shell::run(&mut rustup);
    }
    bail!(
        "no compiler for BPF can be installed: apt offers no {} (try `apt-get update`), \
         and rustup is not installed",
        DEBIAN_COMPILER.join(" and ")
    )
}

fn test_programs(workspace: &Workspace) -> Result<()> {
    let (found, missing): (Vec<_>, Vec<_>) = TEST_PROGRAMS
        .iter()
        .partition(|(program, _)| workspace.which(program).is_some());
    for (program, _) in found {
        println!("{program} is already installed");
    }
    let packages = missing.iter().map(|(_, package)| *package);
    let packages = packages.collect::<Vec<_>>();
    if packages.is_empty() {
        return Ok(());
    }
    let wanted = packages.join(", ");
    ensure!(
        apt::is_here(workspace),
        "the kernel tests need {wanted}: please install them"
    );
    println!("installing {wanted}");
    apt::refresh(workspace)?;
    apt::install(workspace, &packages)?;
    for (package, service) in SERVICES {
        if packages.contains(&package) {
            stop(service, workspace)?;
        }
    }
    Ok(())
}

/// A peer that cannot be installed has no row in the table, and the table says so.
fn peers(workspace: &Workspace) {
    let missing = PEERS
        .into_iter()
        .filter(|peer| workspace.which(peer).is_none());
    for peer in missing {
        if let Err(why) = apt::install(workspace, &[peer]) {
            println!("continuing without {peer}: {why:#}");
        }
    }
}

fn stop(service: &str, workspace: &Workspace) -> Result<()> {
    let has_systemd = Path::new("/run/systemd/system").is_dir();
    let (program, arguments): (_, &[&str]) = if has_systemd {
        ("systemctl", &["disable", "--now", service])
    } else {
        ("service", &[service, "stop"])
    };
    shell::run(workspace.command(program).args(arguments))
}
