//! What a user may type: parsed and checked one by one; [`crate::config`] has what is meant.

mod examples;
mod gates;
mod resolve;
mod review;
mod size;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use memguard_common::event::WINDOW_SHIFTS;

pub use self::{
    examples::FIRST_RUN,
    gates::DiffGate,
    review::{DiffArgs, ReportArgs, ReportFormat, SuppressArgs},
};
use self::{
    examples::{
        DEMO_EXAMPLES, DIFF_EXAMPLES, DOCTOR_EXAMPLES, REPORT_EXAMPLES, RUN_EXAMPLES,
        WATCH_EXAMPLES,
    },
    gates::watch_gate,
    size::bytes,
};
use crate::{config::WatchConfig, failure::Failure, findings::gate::Gate, origin::sandbox::Role};

/// Catches resource leaks in running programs.
#[derive(Debug, Parser)]
#[command(name = "memguard", version, about, max_term_width = 80)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch running processes and their descendants
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// Run a command, and check it and its descendants when they exit
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Check whether memguard works on this host, and how to fix what does not
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Show the findings in a file written by another run
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Compare two such files: what is new, gone or changed
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Watch a small program that leaks
    #[command(after_help = DEMO_EXAMPLES)]
    Demo,
    /// The leaking program of `demo`
    #[command(hide = true)]
    DemoLeaker,
    /// The processes that read files of others and name what is in them
    #[command(hide = true)]
    Symbolize {
        /// Which of the two
        #[arg(value_enum)]
        role: SandboxRole,
    },
}

/// Which part of `symbolize`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SandboxRole {
    /// Finds files and opens them
    Opener,
    /// Reads them, without any rights
    Parser,
}

impl From<SandboxRole> for Role {
    fn from(role: SandboxRole) -> Self {
        match role {
            SandboxRole::Opener => Self::Opener,
            SandboxRole::Parser => Self::Parser,
        }
    }
}

/// Options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Watch this process and its descendants; may be given more than once
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// Watch this cgroup v2 directory and all below it; may be given more than once
    #[arg(long = "cgroup", value_name = "PATH")]
    pub cgroups: Vec<PathBuf>,
    /// Watch processes with this command name, running now or started later; may be given more
    /// than once
    #[arg(long = "comm", value_name = "NAME")]
    pub comms: Vec<String>,
    /// Watch the whole host
    #[arg(short, long, conflicts_with_all = ["pids", "cgroups", "comms"])]
    pub all: bool,
    /// Stop after TIME
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Time between checks for leaks
    #[arg(short, long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub interval: Duration,
    /// Ignore what is acquired within TIME of process start
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub warm_up: Duration,
    /// Ignore handles held for less than TIME [default: learned from what each site releases]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub min_age: Option<Duration>,
    /// Warn when the anonymous memory of a process reaches SIZE
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = bytes)]
    pub rss_warning: u64,
    /// Warn again at SIZE; growth beyond it is critical at any rate
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = bytes)]
    pub rss_critical: u64,
    /// Warn again at SIZE, even if the process had reached it before memguard started
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub rss_emergency: Option<u64>,
    /// Report a process whose memory grows by SIZE per hour or more
    #[arg(long, value_name = "SIZE", default_value = "50M", value_parser = bytes)]
    pub growth_warning: u64,
    /// Growth per hour that is critical
    #[arg(long, value_name = "SIZE", default_value = "100M", value_parser = bytes)]
    pub growth_critical: u64,
    /// Keep the baseline of each process in DIR, so that no new warm-up is needed after a restart
    /// of memguard
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Also report which code first touches growing memory; sizes are estimates
    #[arg(long, value_enum, value_name = "WHAT")]
    pub attribute: Option<Attribute>,
    /// Minimum time between updates of a finding that only grows [default: 12 times --interval]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub update_every: Option<Duration>,
    /// Minimum time between alerts with the same fingerprint; a more severe finding always alerts
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub alert_every: Duration,
    /// At the end, write the mappings that memguard has recorded for each process
    #[arg(long, hide = true)]
    pub show_mappings: bool,
    /// Also report what processes held when they ended; without it that is only counted
    #[arg(long)]
    pub left: bool,
    /// Exit with 1 if there is a finding like this: never, suspect (or a leak), leak, exhaustion
    /// (of a limit that is half used), growth (or a leak); several with commas
    #[arg(long, value_name = "GATE", default_value = "never", value_parser = watch_gate)]
    pub fail_on: Gate,
    /// What is common to `watch` and `run`
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Exit with --leak-exit-code if the command succeeds but leaks: never, suspect (or a leak),
    /// leak (handles piled up while it ran), exhaustion (of a limit that is half used), growth (or
    /// a leak), left (any descriptor open at exit), left:N (N or more of them); several with
    /// commas
    #[arg(long, value_name = "GATE", default_value = "never")]
    pub fail_on: Gate,
    /// Do not let --fail-on count findings whose fingerprint is also in FILE, from an earlier run
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Exit code for --fail-on
    #[arg(long, value_name = "CODE", default_value_t = 23)]
    pub leak_exit_code: u8,
    /// How long to wait for processes that outlive the command
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub grace: Duration,
    /// Under sudo, run the command as root instead of as the calling user
    #[arg(long)]
    pub as_root: bool,
    /// While the command runs, ignore handles held for less than TIME [default: learned from what
    /// each site releases]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub min_age: Option<Duration>,
    /// While the command runs, ignore what is acquired within TIME of process start
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub warm_up: Duration,
    /// What is common to `watch` and `run`
    #[command(flatten)]
    pub common: CommonArgs,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// Options of `watch` and `run`.
#[derive(Args, Debug)]
pub struct CommonArgs {
    /// Write findings to FILE instead of the terminal, as JSON lines unless --format is given
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Kinds of handles to report
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        default_value = "fd,socket,mmap,heap"
    )]
    pub kinds: Vec<KindFilter>,
    /// Suppressions
    #[command(flatten)]
    pub suppress: SuppressArgs,
    /// Exit with 4 if events were lost
    #[arg(long)]
    pub strict: bool,
    /// When to use colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// Show command lines unchanged, including secrets
    #[arg(long)]
    pub no_redact: bool,
    /// In text output, show only findings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Bytes of stack to copy for each acquired handle; more bytes give deeper stacks, but leave
    /// room for fewer handles in the kernel
    #[arg(long, value_enum, value_name = "SIZE", default_value = "2k")]
    pub stack_bytes: StackBytes,
    /// Record what the engine is told, to be replayed in a test
    #[arg(long, hide = true, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Slots of the nursery, in sets of eight
    #[arg(long, hide = true, value_parser = power_of_two, env = "MEMGUARD_NURSERY_SETS")]
    pub nursery_sets: Option<u32>,
    /// Bytes of the ring buffer
    #[arg(long, hide = true, value_parser = power_of_two, env = "MEMGUARD_RING_BYTES")]
    pub ring_bytes: Option<u32>,
}

/// Sizes of the copied part of a stack, with the registers and the record it travels behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StackBytes {
    /// No stack: findings have no origin
    #[value(name = "off")]
    Off,
    /// 2 KiB
    #[value(name = "2k")]
    Two,
    /// 4 KiB
    #[value(name = "4k")]
    Four,
    /// 16 KiB
    #[value(name = "16k")]
    Sixteen,
}

impl StackBytes {
    /// Of a slot, in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Self::Off => 1 << *WINDOW_SHIFTS.start(),
            Self::Two => 2 << 10,
            Self::Four => 4 << 10,
            Self::Sixteen => 16 << 10,
        }
    }
}

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Print the built-in suppressions, which watch, run and report apply, and end
    #[arg(long)]
    pub default_suppressions: bool,
}

/// How to write findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    Text,
    /// One JSON object per line
    Jsonl,
}

/// What else is sampled to find out whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attribute {
    /// Sample every 64th page fault
    Faults,
}

/// Which handles to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindFilter {
    /// Descriptors other than sockets
    Fd,
    /// Sockets
    Socket,
    /// Memory mappings
    Mmap,
    /// Heap growth, threads, zombies, timers and shared memory
    Heap,
    /// All of these; also traces calls that rarely make a descriptor, such as ioctl
    All,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The watch of `demo`: as if it had been typed.
pub fn tour(pid: u32) -> Result<WatchConfig, Failure> {
    let pid = pid.to_string();
    let times = "--warm-up 1s --min-age 2s -i 1s -d 12s".split(' ');
    let typed = ["memguard", "watch", "-p", &pid].into_iter().chain(times);
    let cli = Cli::try_parse_from(typed).map_err(|error| Failure::usage(error.to_string()))?;
    match cli.command {
        Some(Command::Watch(args)) => args.resolve(),
        _ => Err(Failure::usage("the demo watches")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text);
    parsed.map_err(|_error| "write it like 30s or 5m".to_owned())
}

fn power_of_two(text: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().map_err(|error| error.to_string())?;
    number
        .is_power_of_two()
        .then_some(number)
        .ok_or_else(|| "not a power of two".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
