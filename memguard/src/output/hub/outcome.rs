//! What became of the output in the end.

use std::{fmt, io};

/// Of every sink.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In the order in which they were added.
    pub sinks: Vec<SinkOutcome>,
}

/// Of one sink.
#[derive(Debug)]
pub struct SinkOutcome {
    /// As it was named.
    pub name: String,
    /// It did not end in time; its thread was left behind.
    pub stuck: bool,
    /// Reports that did not fit into its queue.
    pub dropped: u64,
    /// Reports that were in its queue at the end, or came after it had ended.
    pub undelivered: u64,
    /// Why it ended early.
    pub error: Option<io::Error>,
}

impl Outcome {
    pub(super) fn new(sinks: Vec<SinkOutcome>) -> Self {
        Self { sinks }
    }

    /// What went wrong, a sentence each, for standard error.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let wrong = self.sinks.iter().filter(|sink| sink.is_wrong());
        wrong.map(ToString::to_string)
    }
}

impl SinkOutcome {
    /// A broken pipe is the reader's decision, and nothing is wrong.
    fn is_wrong(&self) -> bool {
        match &self.error {
            Some(error) => error.kind() != io::ErrorKind::BrokenPipe,
            None => self.stuck,
        }
    }
}

impl fmt::Display for SinkOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, undelivered, ..
        } = self;
        match &self.error {
            Some(error) => write!(
                formatter,
                "findings could not be written to {name}: {error}"
            ),
            None => write!(
                formatter,
                "{undelivered} reports were not written to {name}: its reader has stopped reading"
            ),
        }
    }
}
