//! What the engine wants done.

use hashbrown::HashMap;

use crate::{
    judge::question::Question,
    model::{
        baseline::BaselineRecord,
        ids::{ProcessId, Stamp, TableId},
        origin::StackId,
        report::Report,
    },
};

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Answer a question.
    Ask(Question),
    /// Find the names of stacks; their files are looked for through this process first.
    Name {
        /// Who has them.
        process: ProcessId,
        /// Which.
        stacks: Vec<StackId>,
    },
    /// Unwind the page fault that was just told, of this process.
    UnwindFault(ProcessId),
    /// Sweep the nursery: of these tables and address spaces, which ended at these moments, take
    /// everything, however young.
    Sweep(HashMap<TableId, Stamp>),
    /// There is more to do; first take what has come meanwhile, then tell [`Input::Resume`].
    ///
    /// [`Input::Resume`]: crate::engine::Input::Resume
    Resume,
    /// Tell this.
    Report(Box<Report>),
    /// A process has ended and was judged: nothing outside the engine need remember it.
    Forget(ProcessId),
    /// Nobody knows this process whose events were lost: the kernel's table need not either.
    ForgetLosses(ProcessId),
    /// Keep these for the next run.
    SaveBaselines(Vec<(ProcessId, BaselineRecord)>),
}
