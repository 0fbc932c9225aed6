//! What memguard costs the system that it traces: `cargo xtask bench` runs this as root.

use std::process::ExitCode;

use clap::Parser as _;
use memguard_tests::bench::{Options, run};

fn main() -> ExitCode {
    run(&Options::parse())
}
