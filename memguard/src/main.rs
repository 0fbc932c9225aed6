//! The command.

use std::process::ExitCode;

use clap::Parser as _;
use memguard::{
    agent,
    cli::{self, Cli, Command},
    complain, demo, diff, doctor,
    findings::suppression::defaults,
    heap, origin, report, say_narrowly, tell,
};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn main() -> ExitCode {
    heap::give_back_large_blocks();
    match Cli::try_parse() {
        Ok(cli) => execute(cli.command),
        // clap breaks its help, but not what is wrong with a value.
        Err(error) if error.use_stderr() => {
            say_narrowly(&error.to_string());
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(help) => help.exit(),
    }
}

fn execute(command: Option<Command>) -> ExitCode {
    let code = match command {
        None => {
            tell(cli::FIRST_RUN);
            Ok(0)
        }
        Some(Command::Watch(args)) => args.resolve().and_then(|config| agent::watch(&config)),
        Some(Command::Run(args)) => agent::run(&args.resolve()),
        Some(Command::Doctor(args)) if args.default_suppressions => {
            tell(defaults::TEXT);
            Ok(0)
        }
        Some(Command::Doctor(args)) => Ok(doctor::doctor(args.json)),
        Some(Command::Report(args)) => report::report(&args.resolve()),
        Some(Command::Diff(args)) => diff::diff(&args.resolve()),
        Some(Command::Demo) => demo::demo(cli::tour),
        Some(Command::DemoLeaker) => Ok(demo::leak()),
        Some(Command::Symbolize { role }) => return origin::sandbox::process_main(role.into()),
    };
    let code = code.unwrap_or_else(|failure| {
        complain(&failure.to_string());
        failure.code
    });
    ExitCode::from(code)
}
