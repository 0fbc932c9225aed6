//! What a user may type: parsed and checked one by one; [`crate::pipeline`] checks options against
//! each other.

mod review;

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use memguard_common::event::WINDOW_SHIFTS;

use self::review::{DIFF_EXAMPLES, REPORT_EXAMPLES};
pub use self::review::{DiffArgs, DiffGate, ReportArgs, ReportFormat, ReportGate, SuppressArgs};
use crate::{detect::growth::Rules, findings::Pace};

/// What is shown without arguments.
pub const FIRST_RUN: &str = "\
memguard catches resource leaks in running programs: descriptors and sockets
that are never closed. It watches system calls with eBPF, pairs what is acquired
with what is released, and reports the rest.

  sudo memguard doctor                what works on this host
  sudo memguard watch -p PID          watch a running process
  sudo memguard run -- COMMAND        run a command and judge it at its exit

`memguard help` has the rest.
";

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
    /// Run a command and judge it, and all it starts, at exit
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// What works on this host, what does not, why, and how to fix it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Show the findings of a file that another run wrote
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// What is new, gone or changed between two such files
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// The tour: a leaking program, caught
    #[command(after_help = DEMO_EXAMPLES)]
    Demo,
    /// The leaking program of the tour
    #[command(hide = true)]
    DemoLeaker,
    /// The process that reads files of others and names what is in them
    #[command(hide = true)]
    Symbolize,
}

const WATCH_EXAMPLES: &str = "\
Examples:
  memguard watch -p 4242                      a process and what it forks
  memguard watch -a -d 10m                    the whole host for ten minutes
  memguard watch --comm nginx -o nginx.jsonl  by name, findings as JSON lines
  memguard watch -p 4242 --format jsonl | jq .body
  memguard watch -p 4242 -d 5m --fail-on leak
                                              exit code 1 if anything leaks

Exit codes: 0 ok, 1 findings at the gate, 2 usage, 3 not possible on this host,
4 events lost (--strict)";

const RUN_EXAMPLES: &str = "\
Examples:
  memguard run -- ./server --selftest      findings on stderr, the command's code
  memguard run -o leaks.jsonl -- make test     findings as JSON lines
  memguard run --fail-on left -- ./test        exit code 23 if any descriptor is
                                               open at exit
  memguard run --fail-on left:16 -- ./test     … if 16 or more are
  memguard run --fail-on left --baseline old.jsonl -- ./test
                                               … if any is that old.jsonl lacks

Exit codes: the command's own; 23 where it succeeded and the gate was reached;
125 memguard failed before it began; 126 not executable; 127 not found; 128+n
killed by signal n; 4 events lost (--strict)";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  memguard doctor                  a line for each requirement, with the fix
  memguard doctor --json | jq .ok

Exit codes: 0 memguard works here, 3 it does not";

const DEMO_EXAMPLES: &str = "\
Examples:
  memguard demo                    twelve seconds; needs no program of yours";

/// Options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Process to watch, with its descendants; may be repeated
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// cgroup v2 directory to watch, and all below it; may be repeated
    #[arg(long = "cgroup", value_name = "PATH")]
    pub cgroups: Vec<PathBuf>,
    /// Command name to watch, running now or started later; may be repeated
    #[arg(long = "comm", value_name = "NAME")]
    pub comms: Vec<String>,
    /// Watch the whole host
    #[arg(short, long, conflicts_with_all = ["pids", "cgroups", "comms"])]
    pub all: bool,
    /// Stop after this time
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// How often to judge
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub interval: Duration,
    /// What is acquired this early in the life of a process, and stays, is resident
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub warm_up: Duration,
    /// How long a handle must be held to be looked at
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub min_age: Duration,
    /// Tell when the anonymous memory of a process reaches this size
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = bytes)]
    pub rss_warning: u64,
    /// … and this; what grows beyond it is critical at any pace
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = bytes)]
    pub rss_critical: u64,
    /// … and this, even where it was reached before memguard came
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub rss_emergency: Option<u64>,
    /// Growth of a process per hour that is a finding
    #[arg(long, value_name = "SIZE", default_value = "50M", value_parser = bytes)]
    pub growth_warning: u64,
    /// Growth of a process per hour that is critical
    #[arg(long, value_name = "SIZE", default_value = "100M", value_parser = bytes)]
    pub growth_critical: u64,
    /// Keep in this directory what is normal for each process, so that a restart of memguard needs
    /// no second warm-up
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Tell of memory that grows also who touches it: faults samples every 64th page fault, so
    /// the sizes are estimates
    #[arg(long, value_enum, value_name = "WHAT")]
    pub attribute: Option<Attribute>,
    /// How often at most a finding that only becomes larger is told again; twelve judgements,
    /// which is a minute, unless given
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub update_every: Option<Duration>,
    /// How often at most findings of one fingerprint are an alert; a graver one always is
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub alert_every: Duration,
    /// At the end, write what memguard believes that each process has mapped
    #[arg(long, hide = true)]
    pub show_mappings: bool,
    /// End with exit code 1 on these findings
    #[arg(long, value_name = "GATE", default_value = "never")]
    pub fail_on: WatchGate,
    /// What is common to `watch` and `run`
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// End with --leak-exit-code where the command succeeded but leaked: never, leak (something
    /// piled up while it ran), left (any descriptor open at exit), left:N (N or more)
    #[arg(long, value_name = "GATE", default_value = "never")]
    pub fail_on: RunGate,
    /// Findings that this file of an earlier run has too, by their fingerprint, reach no gate
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// See --fail-on
    #[arg(long, value_name = "CODE", default_value_t = 23)]
    pub leak_exit_code: u8,
    /// How long to follow processes that outlive the command
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub grace: Duration,
    /// Under sudo, run the command as root too and not as the user who called
    #[arg(long)]
    pub as_root: bool,
    /// How long a handle must be held to be looked at while the command runs
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub min_age: Duration,
    /// What is acquired this early, and stays, is resident
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
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
    /// Write findings here instead of the terminal; JSON lines unless --format says otherwise
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to write findings
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Which handles to report; all also traces calls that rarely make a descriptor, like ioctl
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        default_value = "fd,socket,mmap,heap"
    )]
    pub kinds: Vec<KindFilter>,
    /// What is not to be seen
    #[command(flatten)]
    pub suppress: SuppressArgs,
    /// End with exit code 4 where events were lost
    #[arg(long)]
    pub strict: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// Show command lines as they are, secrets included
    #[arg(long)]
    pub no_redact: bool,
    /// As text, say nothing but findings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// How much of the stack to copy where a handle is acquired: more reaches further up, and
    /// leaves room for fewer young handles
    #[arg(long, value_enum, value_name = "SIZE", default_value = "2k")]
    pub stack_bytes: StackBytes,
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
    /// None: findings have no origin
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
    /// One JSON object instead of lines
    #[arg(long)]
    pub json: bool,
}

/// How to write findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Jsonl,
}

/// What else is sampled to find out whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attribute {
    /// Page faults, every 64th: who touches new memory
    Faults,
}

/// Which handles to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindFilter {
    /// Descriptors that are no sockets.
    Fd,
    /// Sockets.
    Socket,
    /// Mappings.
    Mmap,
    /// Heaps, and whatever else grows: threads, zombies, timers, shared memory.
    Heap,
    /// All of these, and the calls that rarely make a descriptor.
    All,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What makes `watch` end with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WatchGate {
    /// Nothing.
    Never,
    /// A leak.
    Leak,
    /// A leak, or a process that keeps growing.
    Growth,
}

/// What makes `run` end with the leak exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunGate {
    /// Nothing.
    Never,
    /// Something piled up while the command ran.
    Leak,
    /// At least so many handles were open at exit.
    Left(u64),
}

impl WatchArgs {
    /// What of memory counts as growth.
    pub fn rules(&self) -> Rules {
        const HOUR: f64 = 3600.0;
        Rules {
            warm_up: self.warm_up,
            growth_warning: self.growth_warning as f64 / HOUR,
            growth_critical: self.growth_critical as f64 / HOUR,
            size_warning: Some(self.rss_warning),
            size_critical: Some(self.rss_critical),
            emergency: self.rss_emergency,
            ..Rules::default()
        }
    }
}

impl WatchArgs {
    /// How often findings are told again.
    pub fn pace(&self) -> Pace {
        let pace = Pace::at(self.interval);
        Pace {
            update: self.update_every.unwrap_or(pace.update),
            alert: self.alert_every,
        }
    }
}

/// A size as `512M` or `1.5G`, or in bytes; units are powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let invalid = || "write it like 512M or 2G".to_owned();
    let upper = text.trim().to_ascii_uppercase();
    let upper = upper.trim_end_matches('B').trim_end_matches('I');
    let digits = upper.trim_end_matches(['K', 'M', 'G', 'T']);
    let shift = match upper.strip_prefix(digits).unwrap_or_default() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(invalid()),
    };
    let number: f64 = digits.trim().parse().ok().ok_or_else(invalid)?;
    let size = number * f64::from(shift).exp2();
    // Beyond 2^53 no float is a whole number of bytes any more.
    let whole = size.is_finite() && (1.0..9e15).contains(&size);
    whole.then_some(size as u64).ok_or_else(invalid)
}

impl CommonArgs {
    /// Whether the calls that rarely make a descriptor are traced too.
    pub fn rare(&self) -> bool {
        self.kinds.contains(&KindFilter::All)
    }

    /// Whether what grows is reported.
    pub fn grows(&self) -> bool {
        let growing = [KindFilter::Heap, KindFilter::All];
        self.kinds.iter().any(|kind| growing.contains(kind))
    }

    /// Whether calls about memory are traced.
    pub fn memory(&self) -> bool {
        let memory = [KindFilter::Mmap, KindFilter::Heap, KindFilter::All];
        self.kinds.iter().any(|kind| memory.contains(kind))
    }
}

impl FromStr for RunGate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            "leak" => Ok(Self::Leak),
            "left" => Ok(Self::Left(1)),
            _ => {
                let count = text
                    .strip_prefix("left:")
                    .and_then(|count| count.parse().ok());
                let wanted = || "expected never, leak, left or left:N".to_owned();
                count.map(Self::Left).ok_or_else(wanted)
            }
        }
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

    #[test]
    fn gates_are_read() {
        for (text, expected) in [
            ("never", Ok(RunGate::Never)),
            ("leak", Ok(RunGate::Leak)),
            ("left", Ok(RunGate::Left(1))),
            ("left:16", Ok(RunGate::Left(16))),
            ("left:", Err(())),
            ("right", Err(())),
        ] {
            assert_eq!(text.parse::<RunGate>().map_err(drop), expected, "{text}");
        }
    }
}
