//! `run`: a command, from before its first instruction to after its last.

use std::time::Duration;

use rustix::process::Signal;
use tokio::{
    io::unix::AsyncFd,
    signal::unix::Signal as Listener,
    time::{Instant, Interval, sleep_until},
};

use super::{
    Agent, SWEEP, every,
    outputs::{self, Outputs},
    runtime, signals,
    start::{Extras, wanted},
};
use crate::{
    command::{self, ExecError, Gated, Invoker, Running},
    config::{
        RunConfig,
        output::{OutputConfig, OutputFormat},
    },
    failure::Failure,
    files,
    findings::selection::Selection,
    model::report::{Report, RunExit},
    output::OutputFile,
    preflight::{self, KernelSupport},
    source::kernel::Target,
};

/// Runs the command; returns the exit code. Every failure before its exec is told with 125.
pub fn run(config: &RunConfig) -> Result<u8, Failure> {
    run_inner(config).map_err(|failure| failure.code(BROKEN))
}

fn run_inner(config: &RunConfig) -> Result<u8, Failure> {
    let invoker = if config.as_root {
        None
    } else {
        Invoker::of_sudo()
    };
    // Before the output is emptied, which may be the same file.
    let baseline = config.baseline.as_deref();
    let suppressor = files::suppressor(&config.common.suppress, baseline)?;
    let selection = Selection::new(suppressor, config.fail_on.clone());
    let mut file = outputs::open(&config.common.output)?;
    // Before anything is open that the command should not have, and while there is one thread.
    let gated = command::fork(&config.command, invoker.as_ref())
        .map_err(|error| Failure::caused("cannot start the command", error))?;
    let support = preflight::support(wanted(config.detect.kinds))?;
    runtime()?.block_on(async {
        let out = outputs::outputs(&config.common.output, file.as_ref(), selection)?;
        follow(config, &support, gated, (out, file.as_mut())).await
    })
}

/// memguard failed before the command began.
const BROKEN: u8 = 125;

async fn follow(
    config: &RunConfig,
    support: &KernelSupport,
    gated: Gated,
    (out, file): (Outputs, Option<&mut OutputFile>),
) -> Result<u8, Failure> {
    let both = (&config.common, config.detect.clone());
    let mut agent = Agent::start(support, both, out, Extras::default())?;
    let listeners = signals()?;
    let refused = |error| Failure::caused("cannot watch the command", error);
    agent.kernel.target(&Target::Pids, &[]).map_err(refused)?;
    agent.watch_process(gated.pid())?;
    agent.seed(gated.pid());
    match gated.release() {
        Ok(running) => {
            // What cannot be executed leaves no file, and no word but why.
            file.into_iter().for_each(OutputFile::keep);
            agent.announce(scope(config));
            let mut follow = Follow::new(running, listeners, config)?;
            let code = follow.run(&mut agent).await?;
            Ok(agent.end_run(config, code).await)
        }
        Err(error) => Ok(agent.never_began(config, &error)),
    }
}

fn scope(config: &RunConfig) -> String {
    let words = config.command.iter().map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// What a run waits for.
struct Follow {
    command: AsyncFd<Running>,
    listeners: [Listener; 2],
    grace: Duration,
    interval: Duration,
    code: Option<i32>,
    until: Option<Instant>,
}

impl Follow {
    fn new(
        command: Running,
        listeners: [Listener; 2],
        config: &RunConfig,
    ) -> Result<Self, Failure> {
        // SAFETY: the pidfd is the command's own, open for as long as it, and always the same.
        let command = unsafe { AsyncFd::register(command) }
            .map_err(|error| Failure::caused("cannot wait for the command", error))?;
        Ok(Self {
            command,
            listeners,
            grace: config.grace,
            interval: config.detect.interval,
            code: None,
            until: None,
        })
    }

    /// Until the command and all it started have ended, or the grace after the command's end is
    /// over.
    async fn run(&mut self, agent: &mut Agent) -> Result<i32, Failure> {
        let mut ticks = [every(SWEEP), every(self.interval)];
        loop {
            self.turn(agent, &mut ticks).await?;
            if let Some(code) = self.code {
                agent.drain_for_now().await;
                let over = self.until.is_some_and(|until| until <= Instant::now());
                if agent.core.engine.running() == 0 || over {
                    return Ok(code);
                }
            }
        }
    }

    async fn turn(
        &mut self,
        agent: &mut Agent,
        [sweep, judge]: &mut [Interval; 2],
    ) -> Result<(), Failure> {
        let Self {
            command,
            listeners: [interrupt, terminate],
            grace,
            code,
            until,
            ..
        } = self;
        let ended = code.is_some();
        tokio::select! {
            biased;
            exit = command.readable(), if !ended => {
                exit.map_err(lost_command)?.retain_ready();
                *until = Some(Instant::now() + *grace);
                *code = command.get_ref().try_wait().map_err(lost_command)?;
            }
            _ = interrupt.recv() => pass_on(command.get_ref(), Signal::INT, until),
            _ = terminate.recv() => pass_on(command.get_ref(), Signal::TERM, until),
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            _ = sweep.tick() => agent.sweep(),
            answer = agent.core.origins.next() => agent.heard(answer),
            answer = agent.core.facts.next() => agent.answered(answer),
            _ = judge.tick() => agent.judge_at_pace(judge),
            ready = agent.ring.readable() => {
                ready.map_err(|error| Failure::caused("cannot wait for events", error))?;
                agent.drain_for_now().await;
            }
        }
        Ok(())
    }
}

/// A command whose end cannot be seen has no exit code that could be returned.
fn lost_command(error: std::io::Error) -> Failure {
    Failure::caused("cannot wait for the command", error)
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

/// Whether the reason of the exit code is in the summary, for people and on standard error.
fn says_why(output: &OutputConfig) -> bool {
    output.path.is_none() && !output.quiet && output.format() == OutputFormat::Text
}

impl Agent {
    async fn end_run(mut self, config: &RunConfig, command_code: i32) -> u8 {
        self.settle().await;
        self.judge_leftovers().await;
        let mut summary = self.summary();
        let failing = (command_code as u8 == 0)
            .then(|| self.failing(config.common.strict, config.leak_exit_code, &summary))
            .flatten();
        let own = || (command_code as u8, "the command's own code".to_owned());
        let (code, reason) = failing.clone().unwrap_or_else(own);
        summary.exit = Some(RunExit {
            process: None,
            command_code,
            code: i32::from(code),
            reason,
        });
        self.core.report(Report::RunSummary(Box::new(summary)));
        self.core.out.finish();
        if let Some((code, reason)) = failing.filter(|_| !says_why(&config.common.output)) {
            crate::complain_of_code(code, &reason);
        }
        self.leave();
        code
    }

    fn never_began(mut self, config: &RunConfig, error: &ExecError) -> u8 {
        let name = config.command.first();
        let name = name.map(|name| name.to_string_lossy().into_owned());
        crate::complain(&format!("{}: {error}", name.unwrap_or_default()));
        self.core.out.finish();
        self.leave();
        error.code()
    }
}
