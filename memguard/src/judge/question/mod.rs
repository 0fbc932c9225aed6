//! What the engine wants to know of `/proc`, and what comes back.
//!
//! Questions are values: whoever can read `/proc` answers them, in any order and as late as it
//! takes ([`crate::facts`]). Each question gets exactly one answer. A recorded run has the answers
//! of that run.

mod ceilings;

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use self::ceilings::{CeilingRequest, Ceilings};
use crate::{
    ledger::{FileIdentity, HandleId, HeldFd},
    model::{
        ids::{ProcessId, TableId},
        memory::{Ceiling, Range, Usage},
        observed::{
            HeldBefore, InotifyWatches, MappedRange, OpenFile, Residency, Runtime, ShmSegment,
            UsageDetail,
        },
        persistent::{FoundObject, ObjectId},
        process::ProcessInfo,
        report::Census,
    },
};

/// A question.
#[derive(Clone, Debug)]
pub enum Question {
    /// The periodic look at everything that is watched.
    Survey(Survey),
    /// What some use, between two surveys.
    Samples(Vec<SurveyRequest>),
    /// A close look at one process of which something is suspected.
    Inspect(Inspect),
    /// What some sockets are connected to.
    Peers(Peers),
    /// Which shared memory segments of System V there are.
    Segments,
    /// The size of one segment.
    SegmentSize(i32),
    /// Which objects that outlive their makers are still there.
    Objects(ObjectsRequest),
    /// What each of these thread groups holds.
    Census(Vec<CensusRequest>),
}

/// The periodic look.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Processes to look at.
    pub processes: Vec<SurveyRequest>,
    /// Thread groups of which the start is not known.
    pub unidentified: Vec<u32>,
    /// Processes that have ended and may not have been waited for.
    pub ended: Vec<ProcessId>,
    /// Directories of control groups whose members are asked for.
    pub cgroups: Vec<PathBuf>,
}

/// What a survey asks of one process.
#[derive(Clone, Debug)]
pub struct SurveyRequest {
    /// Who.
    pub process: ProcessId,
    /// What it uses; `None` where no sample is due.
    pub usage: Option<UsageRequest>,
    /// What it has open; `None` where descriptors are not compared.
    pub descriptors: Option<DescriptorRequest>,
    /// Its watches of inotify are counted.
    pub watches: bool,
}

/// How to sample a process.
#[derive(Clone, Copy, Debug)]
pub struct UsageRequest {
    /// What to look up.
    pub detail: UsageDetail,
    /// Size of the address space at the last sample, and its threads: those are counted again only
    /// where it has changed, for every thread has a stack.
    pub last: Option<(u64, Option<u32>)>,
    /// Anonymous memory from which on ceilings are looked up, and `info` is.
    pub near: u64,
    /// Who the process is is asked too: always, or where it is `near`.
    pub info: InfoRequest,
}

/// Whether to look up who a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoRequest {
    /// It is known.
    No,
    /// Where its size is near a threshold.
    WhereNear,
    /// Always.
    Yes,
}

/// How to compare descriptors.
#[derive(Clone, Debug)]
pub struct DescriptorRequest {
    /// How many there were; where there are as many now, nothing is listed.
    pub last_count: Option<u64>,
    /// The table of the process: numbers with a record in the nursery are left out.
    pub table: TableId,
    /// Numbers to say the kind of file of.
    pub suspects: Vec<u32>,
}

/// A close look at one process.
#[derive(Clone, Debug)]
pub struct Inspect {
    /// Who.
    pub process: ProcessId,
    /// What for; comes back in the answer.
    pub purpose: Purpose,
    /// Which look it is; comes back in the answer.
    pub number: u64,
    /// Who it is is asked too.
    pub info: bool,
    /// Handles to verify.
    pub looks: Vec<HeldFd>,
    /// Ranges to say of what is in them; in order of addresses, disjoint.
    pub ranges: Vec<Range>,
    /// Everything that is mapped is asked for.
    pub mapped: bool,
    /// Which ceilings are asked for.
    pub ceilings: CeilingRequest,
    /// How large the shared memory objects are that it has mapped.
    pub shared_capacity: bool,
    /// Which runtime runs it.
    pub runtime: bool,
}

/// What a close look is for: at most one of each is under way for a process.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Purpose {
    /// What it holds is suspected.
    #[default]
    Held,
    /// It grows.
    Growth,
    /// It outlives the command of `run`.
    Leftovers,
    /// A count may head for its limit.
    Limits,
}

impl Purpose {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Held, Self::Growth, Self::Leftovers, Self::Limits];
}

/// Sockets to describe.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The finding that they are wanted for; comes back in the answer.
    pub finding: u64,
    /// Who has them.
    pub process: ProcessId,
    /// A thread that had them.
    pub tid: u32,
    /// Descriptor and inode of each.
    pub sockets: Vec<(u32, u64)>,
}

/// A process to count what it holds.
#[derive(Clone, Debug)]
pub struct CensusRequest {
    /// Thread group.
    pub tgid: u32,
    /// Descriptors that were open before memguard attached.
    pub preexisting: Vec<u32>,
}

/// Objects to look for.
#[derive(Clone, Debug, Default)]
pub struct ObjectsRequest {
    /// Whose maker runs.
    pub made: BTreeSet<ObjectId>,
    /// Whose maker has ended: of those that are there it is asked too whether somebody holds them.
    pub left: BTreeSet<ObjectId>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Survey`].
    Surveyed(Surveyed),
    /// To [`Question::Samples`]: of those that are there.
    Sampled(Vec<SurveyedProcess>),
    /// To [`Question::Inspect`].
    Inspected(Box<Inspected>),
    /// To [`Question::Peers`].
    Peers {
        /// As in the question.
        finding: u64,
        /// In the order of the question; `None` where it is not known.
        peers: Vec<Option<String>>,
    },
    /// To [`Question::Segments`].
    Segments {
        /// All there are.
        segments: Vec<ShmSegment>,
        /// Seconds from 1970 to the boot of the host.
        boot_seconds: i64,
    },
    /// To [`Question::SegmentSize`].
    SegmentSize {
        /// Which.
        id: i32,
        /// Its size in bytes; `None` where there is none of that id.
        bytes: Option<u64>,
    },
    /// To [`Question::Objects`]: those that are there; `None` where that is not known.
    Objects(Option<Vec<FoundObject>>),
    /// To [`Question::Census`], one a process. Only passed on, and not recorded.
    #[serde(skip)]
    Census(Box<Census>),
    /// Likewise, of each that held many of the same before memguard attached.
    HeldBefore(Box<HeldBefore>),
}

/// What a survey found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surveyed {
    /// Nobody could look: nothing is known.
    pub refused: bool,
    /// Processes that are there.
    pub processes: Vec<SurveyedProcess>,
    /// Thread groups that were identified.
    pub identified: Vec<ProcessId>,
    /// Processes that have gone, in order.
    pub gone: Vec<ProcessId>,
    /// Of those that had ended: the zombies, with the parent that should wait for each where that
    /// is known. The others have gone.
    pub zombies: Vec<(ProcessId, Option<ProcessId>)>,
    /// Thread groups in each control group, in the order of the question.
    pub cgroups: Vec<Vec<u32>>,
}

/// What a survey found of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SurveyedProcess {
    /// Who.
    pub process: ProcessId,
    /// What it uses.
    pub usage: Option<Usage>,
    /// Ceilings of its memory, where it is near them.
    pub ceilings: Vec<Ceiling>,
    /// Who it is, where that was asked.
    pub info: Option<ProcessInfo>,
    /// How many descriptors it has.
    pub descriptor_count: Option<u64>,
    /// What it has open and the nursery has not; `None` where nothing has changed, or there are
    /// too many.
    pub open: Option<Vec<u32>>,
    /// Of the suspects that are open: the file's mode.
    pub modes: Vec<(u32, u32)>,
    /// Its watches of inotify, where they were counted.
    #[serde(default)]
    pub watches: Option<InotifyWatches>,
}

/// What a close look at one process found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inspected {
    /// Who.
    pub process: ProcessId,
    /// As in the question.
    pub purpose: Purpose,
    /// As in the question.
    pub number: u64,
    /// The process is there, and its number is not another's.
    pub alive: bool,
    /// Who it is.
    pub info: Option<ProcessInfo>,
    /// What became of each handle, in the order of the question.
    pub looks: Vec<(HandleId, Look)>,
    /// What is in each range, in the order of the question; `None` where it could not be read.
    pub residency: Option<Vec<Residency>>,
    /// Everything that is mapped.
    pub mapped: Vec<MappedRange>,
    /// Ceilings that were asked for.
    pub ceilings: Ceilings,
    /// Bytes of the shared memory objects that it has mapped.
    pub shared_capacity: Option<u64>,
    /// Which runtime runs it, where that was asked and is known.
    #[serde(default)]
    pub runtime: Option<Runtime>,
}

/// What became of a handle that was looked at twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// The same file both times.
    Verified {
        /// What it is.
        seen: OpenFile,
        /// How it is recognised at the next look.
        identity: FileIdentity,
    },
    /// Not open any more, or another file by now.
    Refuted,
    /// `/proc` cannot say: the process has gone, may not be read, or was looked at too briefly.
    Unknown,
}

impl SurveyRequest {
    /// With nothing asked yet.
    pub fn new(process: ProcessId) -> Self {
        Self {
            process,
            usage: None,
            descriptors: None,
            watches: false,
        }
    }
}

impl Inspect {
    /// With nothing asked yet.
    pub fn new(process: ProcessId, purpose: Purpose) -> Self {
        Self {
            process,
            purpose,
            number: 0,
            info: false,
            looks: Vec::new(),
            ranges: Vec::new(),
            mapped: false,
            ceilings: CeilingRequest::default(),
            shared_capacity: false,
            runtime: false,
        }
    }
}

impl Inspected {
    /// Of a process that has gone nothing can be said.
    pub fn gone(inspect: &Inspect) -> Self {
        Self {
            process: inspect.process,
            purpose: inspect.purpose,
            number: inspect.number,
            alive: false,
            info: None,
            looks: Vec::new(),
            residency: None,
            mapped: Vec::new(),
            ceilings: Ceilings::default(),
            shared_capacity: None,
            runtime: None,
        }
    }

    /// What is in a range that was asked for.
    pub fn residency_of(&self, range: Range) -> Option<&Residency> {
        let all = self.residency.as_deref()?;
        let at = all.binary_search_by_key(&range.start, |found| found.range.start);
        all.get(at.ok()?).filter(|found| found.range == range)
    }
}
