//! How large the BPF programs are: what the verifier went through when they were loaded, which is
//! most of the time of a start, and what they became.

use super::{Options, Row, Sample, agent::Agent, looper::Looper};

/// The section `programs`. These do not depend on the machine, so that once is enough.
pub(super) fn measure(_: &Options) -> Vec<Row> {
    let looper = Looper::start();
    let agent = Agent::of_process(looper.pid(), &[]);
    let programs = agent.programs();
    agent.leave();
    let row = |(name, program): (&String, &crate::bpf::Program)| {
        let note = format!(
            "{} B of BPF, {} B of machine code",
            program.translated, program.compiled
        );
        Row {
            sample: Some(Sample::one(f64::from(program.verified))),
            ..Row::new(format!("{name}: verified"), "insns", &[]).note(note)
        }
    };
    programs.iter().map(row).collect()
}
