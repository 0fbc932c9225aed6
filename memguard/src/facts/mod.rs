//! Answers the engine's questions of `/proc`, on a thread of its own: reading may take long, and
//! whoever drains the kernel's ring must not wait for it.
//!
//! Every question gets one answer. Where too many wait, the answer is that nothing is known, at
//! once, and it is counted.

mod census;
mod cgroup_members;
mod fd_verifier;
mod inspect;
mod peers;
mod persistent;
mod refuse;
mod survey;
mod worker;

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
};

use tokio::sync::mpsc::Receiver;

pub use self::cgroup_members::cgroup_members;
use self::worker::Worker;
use crate::{
    judge::question::{Answer, Question},
    source::kernel::NurseryReader,
};

/// Most questions that wait. There is one survey at a time, and a few looks a suspected process.
const QUESTIONS: usize = 16_384;
/// Most answers that wait to be taken; the thread waits then.
const ANSWERS: usize = 4096;

/// The agent's end. Dropping it ends the thread.
#[derive(Debug)]
pub struct Facts {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
    refused: u64,
}

impl Facts {
    /// Starts the thread; `procfs` is where processes are looked up, `/proc` in production.
    pub fn start(procfs: PathBuf, nursery: NurseryReader) -> io::Result<Self> {
        let (questions, asked) = sync_channel(QUESTIONS);
        let (answer, answers) = tokio::sync::mpsc::channel(ANSWERS);
        let run = move || Worker::new(procfs, nursery, answer).run(&asked);
        thread::Builder::new().name("facts".into()).spawn(run)?;
        Ok(Self {
            questions,
            answers,
            refused: 0,
        })
    }

    /// Asks. Where that cannot be, the answers at once: nothing is known.
    pub fn ask(&mut self, question: Question) -> Vec<Answer> {
        let sent = self.questions.try_send(question);
        let Err(TrySendError::Full(question) | TrySendError::Disconnected(question)) = sent else {
            return Vec::new();
        };
        self.refused += 1;
        refuse::answers(question)
    }

    /// Questions that were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The next answer. Safe to give up at any time: none is lost.
    pub async fn next(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}
