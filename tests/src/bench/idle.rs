//! What the agent itself takes: CPU time while nothing happens and while much happens that it need
//! not hear of, its memory, and the kernel's.

use std::time::Duration;

use super::{Options, Row, Sample, agent::Agent, looper::Looper};
use crate::{Driven, number, program, wait::wait_until};

const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(1);
const MIB: f64 = 1048576.0;

/// The section `agent`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let [mut one, mut host, mut busy, mut resident] = [const { Vec::new() }; 4];
    let mut kernel = 0.0;
    let seconds = Duration::from_secs(if options.quick { 3 } else { 10 });
    for _ in 0..options.rounds(ROUNDS) {
        let looper = Looper::start();
        let agent = Agent::of_process(looper.pid(), &[]);
        agent.settles();
        one.push(100.0 * agent.cpu_share(seconds));
        resident.push(agent.resident() as f64 / MIB);
        let ran = agent.leave();
        kernel = number(ran.lines().stopped(), "/memguard/summary/cost/kernel_bytes") as f64 / MIB;
        let agent = Agent::watch(&["-a"]);
        agent.settles();
        host.push(100.0 * agent.cpu_share(seconds));
        agent.leave();
        busy.push(100.0 * while_busy(seconds));
    }
    let kernel = Row {
        sample: Some(Sample::one(kernel)),
        ..Row::new("kernel memory", "MiB", &[])
    };
    vec![
        Row::new("CPU, one idle process watched", "%", &one).at_most(0.1),
        Row::new("CPU, whole host watched", "%", &host).note("whatever else runs there"),
        Row::new("CPU at 50 k pairs a second", "%", &busy).at_most(1.0),
        Row::new("RssAnon, one idle process watched", "MiB", &resident).at_most(15.0),
        kernel.at_most(13.0),
    ]
}

/// The agent's share of a CPU while a process makes 50 000 pairs a second.
fn while_busy(seconds: Duration) -> f64 {
    let count = 50_000 * (seconds.as_secs() + 10);
    let mut pace = Driven::start(
        &program("bench_pace"),
        &["pairs", "50000", &count.to_string(), "1"],
    );
    let agent = Agent::of_process(pace.pid(), &[]);
    agent.settles();
    pace.go();
    wait_until(PATIENCE, "its child is there", || {
        !crate::guard::children(pace.pid()).is_empty()
    });
    let share = agent.cpu_share(seconds);
    assert!(!pace.is_done(), "it has ended before the time was over");
    agent.leave();
    share
}
