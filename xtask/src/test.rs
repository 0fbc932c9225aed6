//! All tests, the fastest first. This is what CI runs.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    build_ebpf, check, setup, shell,
    workspace::{SUDO, Workspace},
};

/// Set up, rebuild, lint, and run all tests, those against the kernel as root.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also run the tests that take minutes each.
    #[arg(long)]
    pub(crate) long: bool,
    /// Leave out the tests that need root and a kernel with BPF.
    #[arg(long)]
    pub(crate) no_kernel: bool,
}

/// Runs all phases; the first that fails ends it.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { long, no_kernel } = *options;
    if !no_kernel {
        // Fail now rather than after ten minutes of building.
        workspace.needs_sudo()?;
    }
    let mut phases = Phases::default();
    phases.run("setup", || {
        setup::run(
            &setup::Options {
                tests: !no_kernel,
                bench: false,
            },
            workspace,
        )
    })?;
    phases.run("BPF object", || {
        build_ebpf::run(
            &build_ebpf::Options {
                check: true,
                debug_log: false,
            },
            workspace,
        )
    })?;
    phases.run("lints", || check::run(&check::Options {}, workspace))?;
    phases.run("unit tests", || shell::run(&mut workspace.cargo(["test"])))?;
    if long {
        phases.run("exploration", || exploration(workspace))?;
    }
    if !no_kernel {
        phases.run("release build", || release_build(workspace))?;
        phases.run("side-band", || sideband_tests(workspace))?;
        phases.run("kernel tests", || kernel_tests(long, workspace))?;
    }
    phases.summarize(no_kernel);
    Ok(())
}

pub(crate) fn release_build(workspace: &Workspace) -> Result<()> {
    shell::run(&mut workspace.cargo(["build", "--release", "--package=memguard"]))
}

/// The large programs of the nursery protocol, in all interleavings.
fn exploration(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo(["test", "--release", "--package=memguard-common"]);
    cargo.args(["--test=explore", "--", "--ignored", "--nocapture"]);
    shell::run(&mut cargo)
}

/// Those of the agent's unit tests that need root.
fn sideband_tests(workspace: &Workspace) -> Result<()> {
    let mut cargo = test_as_root(["--package=memguard", "--lib"], workspace)?;
    cargo.args(["--", "--ignored", "--test-threads=1", "source::kernel::"]);
    shell::run(&mut cargo)
}

/// One test at a time: they share two CPUs with what they measure. On a host that refuses BPF they
/// fail where `CI` is set; elsewhere they print that they were skipped.
fn kernel_tests(long: bool, workspace: &Workspace) -> Result<()> {
    let mut cargo = test_as_root(["--package=memguard-tests"], workspace)?;
    cargo
        .args(["--", "--test-threads=1"])
        .env("MEMGUARD_BIN", workspace.agent());
    if long {
        // The output says how often each race was met.
        cargo.args(["--include-ignored", "--nocapture"]);
        cargo.env("MEMGUARD_LONG", "1");
    }
    shell::run(&mut cargo)
}

/// Builds tests as the user and runs them as root.
pub(crate) fn test_as_root<const N: usize>(
    which: [&str; N],
    workspace: &Workspace,
) -> Result<Command> {
    let mut cargo = workspace.cargo(["test"]);
    cargo.args(which);
    as_root(cargo, workspace)
}

/// Cargo builds as the user; what it has built runs as root.
pub(crate) fn as_root(mut cargo: Command, workspace: &Workspace) -> Result<Command> {
    if workspace.needs_sudo()? {
        let [sudo, keep] = SUDO;
        cargo.arg(format!(
            "--config=target.'cfg(unix)'.runner=['{sudo}', '{keep}']"
        ));
    }
    Ok(cargo)
}

/// What ran, and how long it took.
#[derive(Default)]
struct Phases {
    done: Vec<(&'static str, Duration)>,
}

impl Phases {
    fn run(&mut self, name: &'static str, phase: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("== {name}");
        let start = Instant::now();
        phase().with_context(|| format!("{name} failed after {:.0?}", start.elapsed()))?;
        let took = start.elapsed();
        println!("== {name}: ok after {:.1} s\n", took.as_secs_f64());
        self.done.push((name, took));
        Ok(())
    }

    fn summarize(&self, no_kernel: bool) {
        for (name, took) in &self.done {
            println!("{name:<14} ok {:>7.1} s", took.as_secs_f64());
        }
        let total = self.done.iter().map(|(_, took)| took).sum::<Duration>();
        println!("all passed in {:.1} s", total.as_secs_f64());
        if no_kernel {
            println!("kernel tests were left out: --no-kernel");
        }
    }
}
