//! memguard's workflow, one verb a file: `cargo xtask help` lists them.
//!
//! What the verbs share: `workspace` (where things are, how programs are started), `shell` (a child
//! process, printed before it runs), `toolchain`, `linker` and `apt` (what builds for BPF, and how
//! it gets here), `object` (that build), `digest` and `elf` (the committed object: is it still
//! right).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "saying what it does is this program's output"
)]

mod accuracy;
mod bench;
mod build_ebpf;
mod check;
mod demo;
mod setup;
mod test;
mod vm;

mod apt;
#[path = "../../memguard/build/digest.rs"]
mod digest;
mod elf;
mod linker;
mod object;
mod shell;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::workspace::Workspace;

/// memguard's workflow.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Verb {
    Setup(setup::Options),
    BuildEbpf(build_ebpf::Options),
    Check(check::Options),
    Test(test::Options),
    Demo(demo::Options),
    Bench(bench::Options),
    Accuracy(accuracy::Options),
    Vm(vm::Options),
}

fn main() -> ExitCode {
    match run(Verb::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // On one line and without the backtrace that `RUST_BACKTRACE` would add: the chain of
            // causes says more.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    let workspace = Workspace::find()?;
    match verb {
        Verb::Setup(options) => setup::run(&options, &workspace),
        Verb::BuildEbpf(options) => build_ebpf::run(&options, &workspace),
        Verb::Check(options) => check::run(&options, &workspace),
        Verb::Test(options) => test::run(&options, &workspace),
        Verb::Demo(options) => demo::run(&options, &workspace),
        Verb::Bench(options) => bench::run(&options, &workspace),
        Verb::Accuracy(options) => accuracy::run(&options, &workspace),
        Verb::Vm(options) => vm::run(&options, &workspace),
    }
}
