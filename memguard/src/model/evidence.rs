//! How far a result can be trusted.

use std::fmt;

/// What a loss of events does to a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Events that did not reach the agent, for this process where known, else on the host.
    pub events_lost: u64,
    /// Why the result may be wrong; empty where it is conclusive.
    pub reasons: Vec<Doubt>,
}

/// A reason why a result may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// So many events did not reach the agent.
    EventsLost(u64),
    /// A loss that no process could be charged with: this counter has this value.
    Uncharged {
        /// Name of the counter.
        counter: String,
        /// Its value.
        count: u64,
    },
    /// Tracepoints that could not be attached although the kernel may pass them.
    NotTraced(Vec<String>),
    /// The counters of the programs could not be read, so that losses are not known; why.
    CountersUnreadable(String),
    /// The kernel could not be asked about every handle.
    NotVerified,
    /// The snapshot of the process's descriptor table was lost.
    SnapshotLost,
    /// The file that is read does not have the end of its run.
    NoEnd,
    /// So many lines of the file could not be read.
    LinesUnreadable(u64),
    /// The file says that it is not certain, and not why.
    Unexplained,
    /// In the words of the run that wrote the file.
    Written(String),
}

impl Evidence {
    /// With a doubt more where the kernel was not asked about every handle.
    #[must_use]
    pub fn of_verified(mut self, complete: bool) -> Self {
        if !complete {
            self.reasons.push(Doubt::NotVerified);
        }
        self
    }

    /// Nothing was lost that could change the verdict.
    pub fn conclusive(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Adds a reason, once.
    pub fn add(&mut self, doubt: &Doubt) {
        if !self.reasons.contains(doubt) {
            self.reasons.push(doubt.clone());
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventsLost(count) => write!(formatter, "events lost: {count}"),
            Self::Uncharged { counter, count } => {
                write!(
                    formatter,
                    "{counter}: {count}, which may concern this process"
                )
            }
            Self::NotTraced(names) => write!(formatter, "not traced: {}", names.join(", ")),
            Self::CountersUnreadable(why) => {
                write!(
                    formatter,
                    "the counters of lost events could not be read: {why}"
                )
            }
            Self::NotVerified => {
                formatter.write_str("the kernel could not be asked about every handle")
            }
            Self::SnapshotLost => {
                formatter.write_str("the snapshot of its descriptor table was lost")
            }
            Self::NoEnd => formatter
                .write_str("the file has no summary: memguard is still writing it, or was killed"),
            Self::LinesUnreadable(1) => formatter.write_str("1 line could not be read"),
            Self::LinesUnreadable(count) => write!(formatter, "{count} lines could not be read"),
            Self::Unexplained => formatter.write_str("the file does not say why"),
            Self::Written(text) => formatter.write_str(text),
        }
    }
}
