//! `run`: a command, from before its first instruction to after its last.

use std::time::Duration;

use rustix::process::Signal;
use tokio::{
    io::unix::AsyncFd,
    signal::unix::Signal as Listener,
    time::{Instant, sleep_until},
};

use super::{
    Agent, Judging, SWEEP,
    output::{self, OutputFile, Outputs, Terminal},
    watch::{LOSSES, every, runtime, signals, sizes, wanted},
};
use crate::{
    cli::{RunArgs, RunGate},
    command::{self, ExecError, Gated, Invoker, Running},
    detect::growth::Rules,
    failure::Failure,
    files,
    findings::Pace,
    model::{
        finding::Verdict,
        report::{Report, RunExit},
    },
    preflight::{self, Facts},
    source::kernel::Target,
};

/// Runs the command; returns the exit code. Every failure before its exec is told with 125.
pub fn run(args: &RunArgs) -> Result<u8, Failure> {
    let inner = || {
        let invoker = if args.as_root {
            None
        } else {
            Invoker::of_sudo()
        };
        // Before the output is emptied, which may be the same file.
        let screen = files::screen(&args.common.suppress, args.baseline.as_deref())?;
        let mut file = output::open(&args.common)?;
        // Before anything is open that the command should not have, and while there is one thread.
        let gated = command::fork(&args.command, invoker.as_ref())
            .map_err(|error| Failure::caused("cannot start the command", error))?;
        let facts = preflight::facts(wanted(&args.common))?;
        runtime()?.block_on(async {
            let out = output::outputs(&args.common, file.as_ref(), Terminal::Stderr)?;
            let out = out.screened(screen);
            follow(args, &facts, gated, (out, file.as_mut())).await
        })
    };
    inner().map_err(|failure| failure.code(BROKEN))
}

/// memguard failed before the command began.
const BROKEN: u8 = 125;
/// How often processes that run long are judged.
const JUDGE: Duration = Duration::from_secs(5);

async fn follow(
    args: &RunArgs,
    facts: &Facts,
    gated: Gated,
    (out, file): (Outputs, Option<&mut OutputFile>),
) -> Result<u8, Failure> {
    let judging = Judging {
        min_age: args.min_age,
        short_lives: true,
        warm_up: args.warm_up,
        interval: JUDGE,
        kinds: args.common.kinds.clone(),
        sizes: Rules {
            warm_up: args.warm_up,
            ..Rules::default()
        },
        pace: Pace::at(JUDGE),
    };
    let mut agent = Agent::start(facts, sizes(&args.common), judging, out)?;
    let listeners = signals()?;
    agent.kernel.target(&Target::Pids, &[]);
    let full = |error| Failure::caused("cannot watch the command", error);
    agent.kernel.watch(gated.pid()).map_err(full)?;
    agent.seed(gated.pid());
    let scope = args
        .command
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    match gated.release() {
        Ok(running) => {
            // What cannot be executed leaves no file, and no word but why.
            file.into_iter().for_each(OutputFile::keep);
            agent.announce(facts, scope);
            let code = Follow::new(running, listeners, args.grace)?
                .run(&mut agent)
                .await;
            Ok(agent.end_run(args, code).await)
        }
        Err(error) => Ok(agent.never_began(args, &error)),
    }
}

/// What a run waits for.
struct Follow {
    command: AsyncFd<Running>,
    listeners: [Listener; 2],
    grace: Duration,
    code: Option<i32>,
    until: Option<Instant>,
}

impl Follow {
    fn new(command: Running, listeners: [Listener; 2], grace: Duration) -> Result<Self, Failure> {
        // SAFETY: the pidfd is the command's own, open for as long as it, and always the same.
        let command = unsafe { AsyncFd::register(command) }
            .map_err(|error| Failure::caused("cannot wait for the command", error))?;
        Ok(Self {
            command,
            listeners,
            grace,
            code: None,
            until: None,
        })
    }

    /// Until the command and all it started have ended, or the grace after the command's end is
    /// over.
    async fn run(&mut self, agent: &mut Agent) -> i32 {
        let mut sweep = every(SWEEP);
        let mut judge = every(JUDGE);
        loop {
            self.turn(agent, &mut sweep, &mut judge).await;
            if let Some(code) = self.code {
                agent.drain_for_now().await;
                let over = self.until.is_some_and(|until| until <= Instant::now());
                if agent.running() == 0 || over {
                    return code;
                }
            }
        }
    }

    async fn turn(
        &mut self,
        agent: &mut Agent,
        sweep: &mut tokio::time::Interval,
        judge: &mut tokio::time::Interval,
    ) {
        let Self {
            command,
            listeners: [interrupt, terminate],
            grace,
            code,
            until,
        } = self;
        let ended = code.is_some();
        tokio::select! {
            biased;
            exit = command.readable(), if !ended => {
                *until = Some(Instant::now() + *grace);
                *code = Some(exit.ok().and_then(|_| command.get_ref().try_wait().ok().flatten()).unwrap_or(0));
            }
            _ = interrupt.recv() => pass_on(command.get_ref(), Signal::INT, until),
            _ = terminate.recv() => pass_on(command.get_ref(), Signal::TERM, until),
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            _ = sweep.tick() => agent.sweep(),
                answer = agent.stacks.next() => agent.heard(answer),
            _ = judge.tick() => agent.judge_living(),
            ready = agent.ring.readable() => {
                if ready.is_ok() {
                    agent.drain_for_now().await;
                }
            }
        }
    }
}

/// A terminal sends Ctrl-C to the command as well; what reaches memguard alone is passed on. Either
/// way the command decides when it ends, and a second signal ends memguard.
fn pass_on(command: &Running, signal: Signal, until: &mut Option<Instant>) {
    let from_terminal = signal == Signal::INT && rustix::termios::isatty(std::io::stdin());
    if !from_terminal && command.signal(signal).is_err() {
        // It has ended already.
    }
    if until.is_some() {
        *until = Some(Instant::now());
    }
    crate::end_at_next_signal();
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

impl Agent {
    async fn end_run(mut self, args: &RunArgs, command_code: i32) -> u8 {
        self.settle().await;
        self.judge_standing().await;
        let mut summary = self.summary();
        let conclusive = summary.evidence.conclusive();
        let (code, reason) = self.exit_code(args, command_code, conclusive);
        summary.exit = Some(RunExit {
            process: None,
            command_code,
            code: i32::from(code),
            reason,
        });
        self.out.report(&Report::RunSummary(Box::new(summary)));
        self.out.finish();
        self.leave();
        code
    }

    fn exit_code(&self, args: &RunArgs, command_code: i32, conclusive: bool) -> (u8, String) {
        let own = command_code as u8;
        let leaks = self.reaching(Verdict::Leak);
        let left = self.out.screen().left_reaching(self.tally.left);
        let reached = match args.fail_on {
            RunGate::Never => None,
            RunGate::Leak => (leaks > 0)
                .then(|| format!("{leaks} {}, --fail-on leak", plural(leaks, "leak", "leaks"))),
            RunGate::Left(limit) => (left >= limit).then(|| {
                format!(
                    "{left} {} left at exit, --fail-on left",
                    plural(left, "descriptor", "descriptors")
                )
            }),
        };
        match reached {
            _ if own != 0 => (own, "the command's own code".to_owned()),
            _ if args.common.strict && !conclusive => {
                (LOSSES, "events were lost, --strict".to_owned())
            }
            Some(reason) => (args.leak_exit_code, reason),
            None => (own, "the command's own code".to_owned()),
        }
    }

    fn never_began(mut self, args: &RunArgs, error: &ExecError) -> u8 {
        let name = args
            .command
            .first()
            .map(|name| name.to_string_lossy().into_owned());
        crate::complain(&format!("{}: {error}", name.unwrap_or_default()));
        self.out.finish();
        self.leave();
        error.code()
    }
}
