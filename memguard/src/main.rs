//! The command.

use std::process::ExitCode;

use clap::Parser as _;
use memguard::{
    cli::{self, Cli, Command},
    complain, demo, diff, doctor, heap, origin, pipeline, report, tell,
};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn main() -> ExitCode {
    heap::give_back_large_blocks();
    let code = match Cli::parse().command {
        None => {
            tell(cli::FIRST_RUN);
            Ok(0)
        }
        Some(Command::Watch(args)) => pipeline::watch(&args),
        Some(Command::Run(args)) => pipeline::run(&args),
        Some(Command::Doctor(args)) => Ok(doctor::doctor(args.json)),
        Some(Command::Report(args)) => report::report(&args),
        Some(Command::Diff(args)) => diff::diff(&args),
        Some(Command::Demo) => demo::demo(),
        Some(Command::DemoLeaker) => Ok(demo::leak()),
        Some(Command::Symbolize) => return origin::symbolize::child_main(),
    };
    let code = code.unwrap_or_else(|failure| {
        complain(&failure.to_string());
        failure.code
    });
    ExitCode::from(code)
}
